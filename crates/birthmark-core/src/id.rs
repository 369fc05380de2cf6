//! Identifiers: assigned, never computed. Each has its type, so that they
//! cannot be mixed up, and one text form.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Crockford's base32 in lower case: no `i l o u`, so nothing is misread.
/// Source: D. Crockford, "Base 32".
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Sixty-four bits as 13 characters, most significant bits first.
fn base32(bits: u64) -> String {
    (0..13)
        .rev()
        .map(|place| char::from(ALPHABET[usize::try_from(bits >> (place * 5) & 31).unwrap_or(0)]))
        .collect()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// An id as it was read: any text, since ids of others are kept as they are.
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// One sitting on one machine: `20261122_223107_k3f9…`, the origin's form
    /// (UTC) and 13 characters of Crockford base32.
    SessionId
}
text_id! {
    /// One execution of one script or command: 13 characters of Crockford base32.
    RunId
}
text_id! {
    /// One writer of journal events, the stem of its journal's name: `<host>-<pid>-<random>`.
    WriterId
}

/// Characters of the random part that a screen shows.
const SHORT_RANDOM: usize = 4;
/// `YYYYmmdd_HHMMSS_`.
const TIME_PART: usize = 16;

impl SessionId {
    /// A new id from the start of the session and 64 random bits.
    pub fn new(start: Timestamp, random: u64) -> Self {
        Self(format!("{}_{}", start.compact(), base32(random)))
    }

    /// How a screen shows it: the first four random characters, a prefix that
    /// can be copied and used wherever a session is asked for.
    pub fn short(&self) -> &str {
        self.0.get(..TIME_PART + SHORT_RANDOM).unwrap_or(&self.0)
    }

    /// Whether this may be a session id at all: one path component of letters,
    /// digits, `_`, `-` and `.` that starts with a letter or digit.
    pub fn is_well_formed(text: &str) -> bool {
        text.len() <= 128
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    }
}

impl RunId {
    /// A new id from 64 random bits.
    pub fn new(random: u64) -> Self {
        Self(base32(random))
    }
}

impl WriterId {
    /// A new id; of the host name only letters, digits and `-` are kept.
    pub fn new(host: &str, pid: u32, random: u64) -> Self {
        let host: String = host
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '-'
                }
            })
            .take(32)
            .collect();
        let host = if host.trim_matches('-').is_empty() {
            "host".to_owned()
        } else {
            host
        };
        Self(format!("{host}-{pid}-{}", base32(random)))
    }
}

/// The `UUIDv7` of a session (RFC 9562, 5.7): its start in milliseconds, the 64
/// random bits of its id, and ten more.
pub fn session_uuid(start: Timestamp, random: u64, ten_more: u16) -> String {
    let millis = u128::from(start.micros().max(0).unsigned_abs() / 1_000) & 0xffff_ffff_ffff;
    let bits74 = (u128::from(random) << 10) | u128::from(ten_more & 0x3ff);
    let uuid = (millis << 80)
        | (0x7 << 76)
        | ((bits74 >> 62) << 64)
        | (0b10 << 62)
        | (bits74 & ((1 << 62) - 1));
    let hex = format!("{uuid:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_348_800_000_000;

    #[test]
    fn session_id_is_the_origins_form_and_thirteen_characters() {
        let id = SessionId::new(Timestamp::from_micros(START), 0x8000_0000_0000_0001);
        assert_eq!(id.as_str(), "20261122_120000_8000000000001");
        assert_eq!(id.short(), "20261122_120000_8000");
        assert!(id.as_str().starts_with(id.short()));
    }

    #[test]
    fn highest_bits_stand_first() {
        assert_eq!(base32(u64::MAX), "fzzzzzzzzzzzz");
        assert_eq!(base32(0), "0000000000000");
    }

    #[test]
    fn uuid_has_version_seven_the_time_and_the_bits_of_the_id() {
        let uuid = session_uuid(Timestamp::from_micros(START), u64::MAX, 0x3ff);
        assert_eq!(uuid, "01a20320-a200-7fff-bfff-ffffffffffff");
        let millis = u64::from_str_radix(&uuid.replace('-', "")[..12], 16).unwrap();
        assert_eq!(millis, START.unsigned_abs() / 1_000);
    }

    #[test]
    fn a_path_is_no_session_id() {
        assert!(SessionId::is_well_formed("20261122_120000_8000000000001"));
        for bad in ["", "..", "a/b", "-x", "a\nb"] {
            assert!(!SessionId::is_well_formed(bad), "{bad:?}");
        }
    }
}
