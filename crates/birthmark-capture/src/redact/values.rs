//! What a value looks like: a secret, a placeholder, a path, a piece of source code.

use super::context::Value;
use super::names::Secrecy;

/// How much of a value decides whether it looks like a secret, in bytes.
const LOOK: usize = 512;

/// Whether a value in running text is a secret. Prose speaks of passwords and
/// tokens too, so without quotes or a tight `=` the value must look like one.
pub(super) fn is_secret_in_text(secrecy: Secrecy, value: &Value<'_>, tight: bool) -> bool {
    let sure = tight || value.quoted;
    match secrecy {
        Secrecy::None | Secrecy::Header => false,
        Secrecy::Password(_) if sure => is_secret(secrecy, value.text),
        Secrecy::Password(_) => {
            value.text.len() >= 6 && value.text.bytes().any(|b| b.is_ascii_digit() || is_sign(b))
        }
        Secrecy::Strong(_) | Secrecy::NotPath(_) if sure => {
            value.text.len() >= 6 && is_secret(secrecy, value.text)
        }
        Secrecy::Weak(id) => is_weak_secret(id, value.text),
        Secrecy::Strong(_) | Secrecy::NotPath(_) => opaque(value.text),
    }
}

/// Under a name that promises little: opaque, or a pair in base64, as registries keep it.
fn is_weak_secret(id: &str, value: &str) -> bool {
    let pair = || {
        let short = (8..=LOOK).contains(&value.len());
        let bytes = short
            .then(|| birthmark_core::base64::decode(value))
            .flatten();
        bytes.is_some_and(|bytes| bytes.contains(&b':') && bytes.iter().all(u8::is_ascii_graphic))
    };
    let mixed = || {
        value.len() >= 6
            && value.bytes().any(|byte| byte.is_ascii_alphabetic())
            && value
                .bytes()
                .any(|byte| byte.is_ascii_digit() || is_sign(byte))
            && !is_path(value)
            && !value.contains("://")
    };
    opaque(value) || (id == "name-auth" && pair()) || (id == "name-password" && mixed())
}

/// Whether the whole of `value`, given under a name of this secrecy, is a secret.
pub(super) fn is_secret(secrecy: Secrecy, value: &str) -> bool {
    if value.is_empty() || is_placeholder(value) {
        return false;
    }
    match secrecy {
        Secrecy::None => false,
        Secrecy::Weak(id) => is_weak_secret(id, value),
        Secrecy::Password(_) | Secrecy::Header => true,
        Secrecy::NotPath(_) => !is_path(value),
        Secrecy::Strong(_) => !(is_text_token(value) || is_small_number(value)),
    }
}

/// The id of a name's rule.
pub(super) fn id_of(secrecy: Secrecy) -> Option<&'static str> {
    match secrecy {
        Secrecy::None => None,
        Secrecy::Header => Some("authorization"),
        Secrecy::Weak(id) | Secrecy::Strong(id) | Secrecy::NotPath(id) | Secrecy::Password(id) => {
            Some(id)
        }
    }
}

/// Long enough, of letters and digits, and neither path, URL nor several words.
pub(super) fn opaque(value: &str) -> bool {
    let look = &value.as_bytes()[..value.len().min(LOOK)];
    value.len() >= 16
        && look
            .iter()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'(' | b'<' | b'{' | b'['))
        && look.iter().any(u8::is_ascii_digit)
        && look.iter().any(u8::is_ascii_alphabetic)
        && !is_path(value)
        && !look.windows(3).any(|w| w == b"://")
}

pub(super) fn is_path(value: &str) -> bool {
    let begins = ["/", "./", "../", "~/", "C:\\"]
        .iter()
        .any(|start| value.starts_with(start));
    // One of 64 texts in base64 begins with a slash, too.
    let look = &value.as_bytes()[..value.len().min(LOOK)];
    begins && !(value.starts_with('/') && look.len() >= 30 && is_mixed(look))
}

/// Whether capitals, small letters and digits change places as often as chance has it.
pub(super) fn is_mixed(run: &[u8]) -> bool {
    let kind = |byte: &u8| (byte.is_ascii_uppercase(), byte.is_ascii_digit());
    let changes = run.windows(2).filter(|two| kind(&two[0]) != kind(&two[1]));
    let some =
        |is: fn(&u8) -> bool, most: usize| run.iter().filter(|byte| is(byte)).count() >= most;
    some(u8::is_ascii_uppercase, 4)
        && some(u8::is_ascii_lowercase, 4)
        && some(u8::is_ascii_digit, 2)
        && changes.count() * 3 >= run.len()
}

/// `secret = secret`, `consumer_secret = "consumer.secret"`: source code, and its examples.
pub(super) fn repeats(name: &str, value: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphabetic);
        letters.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    let plain = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.');
    value.len() <= name.len()
        && value.bytes().all(plain)
        && letters(name).ends_with(&letters(value))
}

/// `token = Keyword`, on a line of its own: what issuers make has a digit.
pub(super) fn is_word(secrecy: Secrecy, value: &Value<'_>) -> bool {
    matches!(secrecy, Secrecy::Strong(_) | Secrecy::NotPath(_))
        && !value.quoted
        && value.text.len() < 20
        && value
            .text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// `<pad>`, `[MASK]`: a token of text.
fn is_text_token(value: &str) -> bool {
    (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('[') && value.ends_with(']'))
}

fn is_small_number(value: &str) -> bool {
    value.len() <= 6 && value.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// What stands where a secret would, and is none: switches, references, stars.
pub(super) fn is_placeholder(value: &str) -> bool {
    let reference = value
        .strip_prefix('$')
        .map(|rest| rest.trim_matches(['{', '}']));
    let variable = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    value.starts_with(super::BEGINS)
        || value
            .bytes()
            .all(|b| matches!(b, b'*' | b'.' | b'x' | b'X'))
        || reference.is_some_and(variable)
        || [
            "none",
            "null",
            "nil",
            "true",
            "false",
            "auto",
            "yes",
            "no",
            "undefined",
        ]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word))
}

/// Source code on the right of a `=`: a call, an index, a dotted name.
pub(super) fn is_code(value: &Value<'_>) -> bool {
    if value.quoted {
        return false;
    }
    let name = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.');
    let head = value
        .text
        .bytes()
        .take(LOOK)
        .take_while(|b| name(*b))
        .count();
    match value.text.as_bytes().get(head) {
        Some(b'(' | b'[') => head > 0,
        Some(_) => value.text.starts_with(super::BEGINS),
        None => value.text.contains('.') && !value.text.ends_with('.'),
    }
}

fn is_sign(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*' | b'+' | b'=' | b'?'
    )
}
