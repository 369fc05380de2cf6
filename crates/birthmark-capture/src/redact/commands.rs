//! Secrets that are known by the command, or the file, in which they stand: `curl -u a:b`,
//! `mysql -pX`, a line of `.pgpass`.
//!
//! In the running text of a log or a message nothing but the program's name says that the
//! word behind `-u` or `-p` is a password. So the place of such a name is remembered while
//! the text is gone through, and holds for the rest of its line.

use super::scan::{Found, Scan};
use super::values::is_placeholder;

/// How far behind its name a command goes on, in bytes.
const REACH: usize = 400;

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `user:password`, of which the password goes.
    Pair,
    /// The secret.
    Secret,
    /// The secret, glued to the flag.
    Glued,
}

/// Programs whose flags take a secret.
const COMMANDS: &[(&str, &[&str], Takes)] = &[
    ("curl", &["-u", "--user", "-U", "--proxy-user"], Takes::Pair),
    ("wget", &["-u", "--user"], Takes::Pair),
    ("http", &["-a", "--auth"], Takes::Pair),
    ("https", &["-a", "--auth"], Takes::Pair),
    ("xh", &["-a", "--auth"], Takes::Pair),
    ("smbclient", &["-U", "--user"], Takes::Pair),
    ("sshpass", &["-p"], Takes::Secret),
    ("sshpass", &["-p"], Takes::Glued),
    ("redis-cli", &["-a"], Takes::Secret),
    ("docker login", &["-p"], Takes::Secret),
    ("podman login", &["-p"], Takes::Secret),
    ("helm registry login", &["-p"], Takes::Secret),
    ("mysql", &["-p"], Takes::Glued),
    ("mysqldump", &["-p"], Takes::Glued),
    ("mysqladmin", &["-p"], Takes::Glued),
    ("mariadb", &["-p"], Takes::Glued),
    ("mariadb-dump", &["-p"], Takes::Glued),
];

/// Bytes that a command's name can start with.
pub(super) const STARTS: &[u8] = b"cdhmprswx";

/// The command whose name stands at `at`, by its place in the table.
pub(super) fn command_at(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let rest = &scan.bytes[at..];
    let begins = |name: &str| {
        rest.strip_prefix(name.as_bytes())
            .is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\t')))
    };
    let first = COMMANDS.iter().position(|(name, ..)| begins(name))?;
    let path = at > 0 && matches!(scan.bytes[at - 1], b'/' | b'\\');
    (path || scan.starts_word(at)).then_some(first)
}

/// What a flag of the command that goes on here takes.
pub(super) fn flag(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let (command, begins) = scan.command?;
    let (name, ..) = COMMANDS.get(command)?;
    let before = scan
        .bytes
        .get(begins..at)
        .filter(|text| text.len() <= REACH)?;
    let ends_line = |end: usize| before[end] == b'\n' && (end == 0 || before[end - 1] != b'\\');
    let ends = (0..before.len()).any(ends_line);
    if ends || !before.last().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let same = COMMANDS.iter().filter(|(other, ..)| other == name);
    same.flat_map(|(_, flags, takes)| flags.iter().map(move |flag| (*flag, *takes)))
        .find_map(|(flag, takes)| taken(scan, at, flag, takes))
}

fn taken(scan: &Scan<'_>, at: usize, flag: &str, takes: Takes) -> Option<Found> {
    let start = value_of(scan, at, flag, takes)?;
    let quoted = matches!(scan.bytes.get(start), Some(b'"' | b'\''));
    let start = start + usize::from(quoted);
    let rest = scan
        .text
        .get(start..(start + REACH).min(scan.text.len()))
        .or_else(|| scan.text.get(start..))?;
    let ends = |c: char| {
        if quoted {
            matches!(c, '"' | '\'' | '\n')
        } else {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | ';')
        }
    };
    let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
    let (skip, secret) = match takes {
        Takes::Pair => word
            .split_once(':')
            .map(|(user, secret)| (user.len() + 1, secret))?,
        Takes::Secret | Takes::Glued => (0, word),
    };
    (!secret.is_empty() && !secret.starts_with('-') && !is_placeholder(secret)).then(|| Found {
        range: start + skip..start + skip + secret.len(),
        id: "name-password",
    })
}

/// Where the value of a flag begins: `-u a:b`, `-ua:b`, `-sSu a:b`, `--user=a:b`.
fn value_of(scan: &Scan<'_>, at: usize, flag: &str, takes: Takes) -> Option<usize> {
    let gap = |end: usize| matches!(scan.bytes.get(end), Some(b' ' | b'\t' | b'='));
    if let [b'-', letter] = flag.as_bytes()
        && takes != Takes::Glued
    {
        let cluster = scan.run_of(at + 1, 8, |byte| byte.is_ascii_alphabetic());
        let end = at + 1 + cluster;
        if cluster > 0 && scan.bytes[end - 1] == *letter && gap(end) {
            return Some(end + 1);
        }
    }
    let end = at + flag.len();
    if !scan.bytes[at..].starts_with(flag.as_bytes()) {
        return None;
    }
    let glued = flag.len() == 2 && takes != Takes::Secret;
    match scan.bytes.get(end)? {
        _ if takes != Takes::Glued && gap(end) => Some(end + 1),
        byte if glued && byte.is_ascii_graphic() => Some(end),
        _ => None,
    }
}

/// `host:5432:database:user:password`, as a line of `.pgpass`.
pub(super) fn pgpass(scan: &Scan<'_>, colon: usize) -> Option<Found> {
    let port = scan.run_of(colon + 1, 6, |byte| byte.is_ascii_digit() || byte == b'*');
    if !is_postgres(&scan.bytes[colon + 1..colon + 1 + port])
        || scan.bytes.get(colon + 1 + port) != Some(&b':')
    {
        return None;
    }
    let host = |byte: &&u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*' | b'/')
    };
    let before = scan.bytes[..colon]
        .iter()
        .rev()
        .take(256)
        .take_while(host)
        .count();
    let line = colon - before;
    let begins = line == 0
        || matches!(scan.bytes[line - 1], b'\n' | b'"' | b'\'' | b' ' | b'\t')
        || scan.bytes[..line].ends_with(b"\\n");
    if before == 0 || !begins || is_file(&scan.text[line..colon]) {
        return None;
    }
    let name =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*' | b'@');
    let database = colon + 2 + port;
    let user = database + scan.run_of(database, 128, name) + 1;
    let secret = user + scan.run_of(user, 128, name) + 1;
    let colons = [user, secret]
        .iter()
        .all(|next| scan.bytes.get(next - 1) == Some(&b':'));
    if !colons || user == database + 1 || secret == user + 1 {
        return None;
    }
    let ends = |byte: u8| !(byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b':'));
    let length = scan.run_of(secret, 512, ends);
    // A backslash before the `n` of an escaped line end belongs to the text round it.
    let text = scan.text.get(secret..secret + length)?;
    let text = text.split("\\n").next().unwrap_or(text);
    (!text.is_empty()
        && !is_placeholder(text)
        && scan.bytes.get(secret + text.len()) != Some(&b':'))
    .then(|| Found {
        range: secret..secret + text.len(),
        id: "pgpass-password",
    })
}

/// Whether a name before a number is that of a file, as in what linters and `grep -n` print.
fn is_file(name: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "c", "cc", "cfg", "cpp", "csv", "err", "go", "h", "ini", "java", "js", "json", "jsonl",
        "log", "md", "out", "py", "rs", "sh", "toml", "ts", "txt", "yaml", "yml",
    ];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Ports that PostgreSQL, its poolers and its kin listen on. A host, a port and three words
/// with colons between them may be much else.
fn is_postgres(port: &[u8]) -> bool {
    matches!(
        port,
        b"*" | b"6432" | b"6543" | b"25060" | b"25061" | b"26257" | b"5439"
    ) || (port.len() == 4 && port.starts_with(b"54"))
}
