//! Names and addresses as they may be stored and shown.
//!
//! * No user information of a remote address survives, known token or not.
//! * No control character, and no character that reorders a line, survives raw.

use std::fmt::Write as _;

/// Longer names and addresses are cut, with an ellipsis.
const LONGEST: usize = 4096;

/// A path or name of any bytes: valid UTF-8 stays, control and bidirectional
/// characters are written `\u{1b}`, other bytes `\xff`.
pub fn display_path(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_unsafe(character) {
                shown.extend(character.escape_unicode());
            } else {
                shown.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _infallible = write!(shown, "\\x{byte:02x}");
        }
    }
    cut(shown)
}

/// Whether a character could deceive or drive a terminal.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A remote address without user, password, token, query and fragment, safe to show.
///
/// `https://user:token@host/r.git` becomes `https://host/r.git`, and
/// `git@host:o/r.git` becomes `host:o/r.git`. Addresses that are command lines
/// (`ext::`, `fd::`) keep only their scheme.
pub fn without_credentials(address: &[u8]) -> String {
    let shown = display_path(address);
    if let Some((helper, rest)) = shown.split_once("::")
        && helper
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        return match helper {
            "ext" | "fd" => format!("{helper}::(left out)"),
            _ => format!("{helper}::{}", without_credentials(rest.as_bytes())),
        };
    }
    match shown.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", without_user(without_query(rest))),
        None => scp_without_user(&shown),
    }
}

/// What stands before the first `?` or `#`.
fn without_query(rest: &str) -> &str {
    rest.split(['?', '#']).next().unwrap_or(rest)
}

/// `user:password@host/path` without what is before the host. A password with a bare
/// `/` in it is told by the colon before: `user:p/w@host` leaves `host`.
fn without_user(rest: &str) -> &str {
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    if let Some(at) = authority.rfind('@') {
        return &rest[at + 1..];
    }
    let port_or_nothing = authority
        .rsplit_once(':')
        .is_none_or(|(host, port)| host.ends_with(']') || port.chars().all(|c| c.is_ascii_digit()));
    match path.rfind('@') {
        Some(at) if !port_or_nothing => &path[at + 1..],
        _ => rest,
    }
}

/// `user@host:path` without the user; a local path is left as it is.
fn scp_without_user(address: &str) -> String {
    let host_ends = address.find('/').unwrap_or(address.len());
    match address[..host_ends].rfind('@') {
        Some(at) if address[at..].contains(':') => address[at + 1..].to_owned(),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_information_survives() {
        let cases: [(&str, &str); 14] = [
            ("https://github.com/o/r.git", "https://github.com/o/r.git"),
            (
                "https://user:ghp_SECRET@github.com/o/r.git",
                "https://github.com/o/r.git",
            ),
            ("https://SECRET:x-oauth-basic@host/o/r", "https://host/o/r"),
            ("https://SECRET@host:8443/o/r", "https://host:8443/o/r"),
            ("https://u:SEC@RET@host/o/r", "https://host/o/r"),
            ("https://u:SEC/RET@host/o/r", "https://host/o/r"),
            ("https://host/o/r?access_token=SECRET", "https://host/o/r"),
            ("https://host/o/r@v1", "https://host/o/r@v1"),
            ("git@github.com:o/r.git", "github.com:o/r.git"),
            ("SECRET:x@host:o/r", "host:o/r"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
            ("ext::sh -c 'curl -H SECRET'", "ext::(left out)"),
            ("hg::https://u:SECRET@h/r", "hg::https://h/r"),
            ("ssh://git:SECRET@[::1]:22/r", "ssh://[::1]:22/r"),
        ];
        for (given, wanted) in cases {
            let shown = without_credentials(given.as_bytes());
            assert_eq!(shown, wanted, "{given}");
            assert!(!shown.contains("SEC"), "{given}");
        }
    }

    #[test]
    fn no_control_character_survives() {
        let shown = without_credentials(b"https://h/\x1b]52;c;x\x07\n\xe2\x80\xae\xff");
        assert!(!shown.chars().any(is_unsafe), "{shown:?}");
        assert_eq!(display_path(b"a\nb\xff"), "a\\u{a}b\\xff");
    }

    #[test]
    fn a_name_of_ten_megabytes_is_cut() {
        assert!(display_path(&vec![b'a'; 10 << 20]).len() < LONGEST + 8);
    }
}
