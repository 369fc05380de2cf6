//! What must never be recorded: tokens, keys, credentials in URLs.
//!
//! One [`Redactor`] for everything that Birthmark captures or is given as params:
//! text, named values, command lines, URLs, JSON. It sees a secret by its *shape*
//! (`hf_…`, `ghp_…`, PEM blocks, `user:password@`) or by its *name* (`HF_TOKEN=…`,
//! `--api-key …`, `"password": …`), and puts `[redacted:<rule>]` in its place.
//!
//! # Invariants
//!
//! * What is innocent comes back unchanged and unallocated; redacting twice is
//!   redacting once.
//! * Linear time, whatever the text. Nothing is built before the first look, and
//!   then some microseconds' worth of tables; there is no regular expression.
//! * A commit, a digest, a UUID are never taken by shape alone: forty hexadecimal
//!   digits are secret only under a name that says so.
//!
//! # Limits
//!
//! * A secret of unknown shape under an innocent name is not seen, unless its
//!   value was handed to [`Redactor::knowing`].
//! * A user's own records are not passed through here: they are the user's.

mod commands;
mod context;
mod marks;
mod names;
mod prose;
mod rules;
mod scan;
mod settings;
mod shapes;
mod values;

use std::borrow::Cow;

use serde_json::Value;

use names::Secrecy;

/// The longest name read from a command line or JSON key, in bytes.
const NAME_LIMIT: usize = 200;

/// How begins what stands where a secret was: a rule and `]` follow.
pub const BEGINS: &str = "[redacted:";

/// Sees secrets and takes them out.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    known: Vec<(String, &'static str)>,
}

/// A secret that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The bytes that are secret.
    pub range: std::ops::Range<usize>,
    /// The rule that sees it, as it would stand in `[redacted:<rule>]`.
    pub rule: &'static str,
}

impl Redactor {
    /// A redactor that knows shapes and names.
    pub const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// A redactor that also knows these values, wherever they appear: pairs of name and
    /// value, of which those are kept whose name is a secret's and whose value has 8
    /// bytes or more. So a key without a shape is seen even as a bare argument.
    pub fn knowing<N: AsRef<str>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut known = Vec::new();
        for (name, value) in pairs {
            let secrecy = names::secrecy(name.as_ref());
            let value = value.into();
            if let Some(id) = values::id_of(secrecy)
                && value.len() >= 8
                && values::is_secret(secrecy, &value)
            {
                known.push((value, id));
            }
        }
        known.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        Self { known }
    }

    /// The ids of all rules, sorted, each once.
    pub fn rule_ids() -> Vec<&'static str> {
        let mut ids: Vec<_> = rules::RULES
            .iter()
            .map(|rule| rule.id)
            .chain(rules::OTHER_IDS.iter().copied())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// `text` with every secret in it replaced.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = scan::scan(text);
        let mut out = Cow::Borrowed(text);
        if !found.is_empty() {
            let mut clean = String::with_capacity(text.len());
            let mut last = 0;
            for scan::Found { range, id } in found {
                clean.push_str(&text[last..range.start]);
                clean.push_str(&mark(id));
                last = range.end;
            }
            clean.push_str(&text[last..]);
            out = Cow::Owned(clean);
        }
        for (value, id) in &self.known {
            if out.contains(value.as_str()) {
                out = Cow::Owned(out.replace(value.as_str(), &mark(id)));
            }
        }
        out
    }

    /// Where secrets stand in `text`, in order, each with the rule that sees it. What was
    /// redacted already is none.
    pub fn find(&self, text: &str) -> Vec<Secret> {
        let found = scan::scan(text);
        let mut secrets: Vec<Secret> = found
            .into_iter()
            .map(|scan::Found { range, id }| Secret { range, rule: id })
            .collect();
        for (value, rule) in &self.known {
            let places = text.match_indices(value.as_str());
            secrets.extend(places.map(|(at, value)| Secret {
                range: at..at + value.len(),
                rule,
            }));
        }
        secrets.sort_by_key(|secret| (secret.range.start, std::cmp::Reverse(secret.range.end)));
        secrets.dedup_by(|later, earlier| later.range.start < earlier.range.end);
        secrets
    }

    /// `value`, which stands under `name` (a variable, flag, header or param): replaced
    /// whole when the name is a secret's, else as [`text`](Self::text).
    pub fn named<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        let secrecy = names::secrecy(tail(name));
        if secrecy == Secrecy::None || !values::is_secret(secrecy, value) {
            return self.text(value);
        }
        whole(secrecy, value)
    }

    /// Whether a value under `name` would be replaced whatever its shape.
    pub fn is_secret_name(&self, name: &str) -> bool {
        !matches!(names::secrecy(tail(name)), Secrecy::None | Secrecy::Weak(_))
    }

    /// A command line with the secrets in it replaced: `--token=X`, `--token X`,
    /// `KEY=X`, `mysql -pX`, `curl -u user:X`, and any argument by its shape. The number
    /// of arguments stays.
    pub fn argv(&self, argv: &[String]) -> Vec<String> {
        let program = argv
            .first()
            .map_or("", |first| first.rsplit('/').next().unwrap_or(first));
        let mut out = Vec::with_capacity(argv.len());
        let mut pending: Option<&str> = None;
        for arg in argv {
            let value_of = pending.take().filter(|_| !arg.starts_with("--"));
            out.push(match value_of {
                Some(flag) => self.flag_value(program, flag, arg),
                None => self.argument(program, arg),
            });
            if arg.starts_with('-') && !arg.contains('=') && (value_of.is_none() || is_short(arg)) {
                pending = Some(arg.as_str());
            }
        }
        out
    }

    /// A URL without its credentials, neither before the host nor in the query.
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        self.text(url)
    }

    /// Replaces the secrets of a JSON value in place: strings by shape, members by
    /// their name as well, arrays of strings as command lines, and `{"name", "value"}`
    /// pairs by the name that they hold.
    pub fn json(&self, value: &mut Value) {
        self.walk(value, Secrecy::None);
    }

    fn walk(&self, value: &mut Value, secrecy: Secrecy) {
        match value {
            Value::String(text) => self.string(text, secrecy),
            Value::Number(_) if matches!(secrecy, Secrecy::Password(_)) => {
                *value = Value::String(mark(values::id_of(secrecy).unwrap_or_default()));
            }
            Value::Array(items) => self.array(items, secrecy),
            Value::Object(members) => self.object(members, secrecy),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn string(&self, text: &mut String, secrecy: Secrecy) {
        let clean = if values::is_secret(secrecy, text) {
            whole(secrecy, text)
        } else {
            self.text(text)
        };
        if let Cow::Owned(clean) = clean {
            *text = clean;
        }
    }

    fn array(&self, items: &mut [Value], secrecy: Secrecy) {
        let flags = items
            .iter()
            .any(|item| item.as_str().is_some_and(|text| text.starts_with('-')));
        if secrecy == Secrecy::None && flags && items.iter().all(Value::is_string) {
            let argv: Vec<_> = items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            for (item, clean) in items.iter_mut().zip(self.argv(&argv)) {
                *item = Value::String(clean);
            }
            return;
        }
        for item in items {
            self.walk(item, secrecy);
        }
    }

    fn object(&self, members: &mut serde_json::Map<String, Value>, secrecy: Secrecy) {
        let named = ["name", "key"]
            .iter()
            .find_map(|key| members.get(*key)?.as_str());
        let pair = named.map_or(Secrecy::None, names::secrecy);
        let kaggle = members.contains_key("username")
            && members
                .get("key")
                .and_then(Value::as_str)
                .is_some_and(is_kaggle);
        let mut secret_key = false;
        for (key, value) in members.iter_mut() {
            let own = match names::secrecy(tail(key)) {
                Secrecy::None if kaggle && key == "key" => Secrecy::Strong("kaggle-key"),
                Secrecy::None if key == "value" && pair != Secrecy::None => pair,
                Secrecy::None => inherited(secrecy),
                own => own,
            };
            self.walk(value, own);
            secret_key |= matches!(self.text(key), Cow::Owned(_));
        }
        if secret_key {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(key, value)| (self.text(&key).into_owned(), value))
                .collect();
        }
    }

    fn argument(&self, program: &str, arg: &str) -> String {
        if let Some((name, value)) = arg.split_once('=')
            && is_name(name)
        {
            // A token may hold a `=` of its own.
            let found = self.find(arg);
            if found
                .first()
                .is_some_and(|one| one.range.start < name.len())
            {
                return self.text(arg).into_owned();
            }
            return format!("{name}={}", self.named(name, value));
        }
        if matches!(program, "curl" | "wget")
            && let Some((user, password)) =
                arg.strip_prefix("-u").and_then(|pair| pair.split_once(':'))
            && !password.is_empty()
        {
            return format!("-u{user}:{}", mark("name-password"));
        }
        if let Some(password) = arg.strip_prefix("-p")
            && takes_glued_password(program)
            && !password.is_empty()
        {
            return format!("-p{}", mark("name-password"));
        }
        self.text(arg).into_owned()
    }

    fn flag_value(&self, program: &str, flag: &str, value: &str) -> String {
        let takes_pair = match program {
            "curl" | "wget" | "smbclient" => {
                matches!(flag, "--user" | "--proxy-user") || is_cluster(flag, b"uU")
            }
            "http" | "https" | "xh" => matches!(flag, "-a" | "--auth" | "-u" | "--user"),
            _ => false,
        };
        if takes_pair
            && let Some((user, password)) = value.split_once(':')
            && !password.is_empty()
        {
            return format!("{user}:{}", mark("name-password"));
        }
        let short_password = match program {
            "sshpass" => flag == "-p",
            "redis-cli" => flag == "-a",
            // Of `run -p` it is a port.
            "docker" | "podman" => {
                flag == "-p"
                    && value
                        .bytes()
                        .any(|byte| !(byte.is_ascii_digit() || byte == b':'))
            }
            _ => false,
        };
        if short_password && !values::is_placeholder(value) {
            return mark("name-password");
        }
        // A switch that takes no value is followed by something else's word.
        if is_short(value) || !flag.starts_with("--") && flag.len() <= 2 {
            return self.argument(program, value);
        }
        match self.named(flag, value) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => self.argument(program, value),
        }
    }
}

/// What a name says of the members of the object that stands under it.
fn inherited(secrecy: Secrecy) -> Secrecy {
    match secrecy {
        Secrecy::Password(id) => Secrecy::Strong(id),
        Secrecy::Strong(id) if id != "name-secret" => Secrecy::Weak(id),
        Secrecy::Header => Secrecy::Weak("authorization"),
        other => other,
    }
}

/// All of `value` replaced; its shape, where it has one, gives the better id.
fn whole(secrecy: Secrecy, value: &str) -> Cow<'static, str> {
    let shape = match scan::scan(value).as_slice() {
        [only] if only.range == (0..value.len()) => Some(only.id),
        _ => None,
    };
    Cow::Owned(mark(
        shape
            .or_else(|| values::id_of(secrecy))
            .unwrap_or("name-secret"),
    ))
}

/// What stands in the place of a secret.
fn mark(id: &str) -> String {
    format!("{BEGINS}{id}]")
}

/// The end of a name: only that decides, and it bounds the work.
fn tail(name: &str) -> &str {
    let mut start = name.len().saturating_sub(NAME_LIMIT);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    &name[start..]
}

/// 32 hexadecimal digits: a key, where a user's name stands beside it.
fn is_kaggle(value: &str) -> bool {
    value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `-x`: a switch.
fn is_short(arg: &str) -> bool {
    arg.len() == 2 && arg.starts_with('-')
}

/// `-sSu`: switches, of which the last takes a value.
fn is_cluster(flag: &str, last: &[u8]) -> bool {
    let letters = flag.strip_prefix('-').unwrap_or_default().as_bytes();
    letters.last().is_some_and(|letter| last.contains(letter))
        && letters.iter().all(u8::is_ascii_alphabetic)
}

/// The left of a `NAME=value`, with or without dashes.
fn is_name(name: &str) -> bool {
    let name = name.trim_start_matches(['-', '+']);
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'@'))
}

/// Programs whose `-p` takes a password without a space.
fn takes_glued_password(program: &str) -> bool {
    program == "sshpass" || program.starts_with("mysql") || program.starts_with("mariadb")
}
