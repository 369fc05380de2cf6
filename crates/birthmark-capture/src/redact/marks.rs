//! Secrets that carry their issuer's mark in the middle or at the end, and not in front.

use super::rules::Body;
use super::scan::{Found, Scan};

impl Scan<'_> {
    /// `abc8Q~…`: a secret of an application in Microsoft Entra: three, a digit, `Q~`, and 31
    /// to 34 more.
    pub(super) fn entra(&self, tilde: usize) -> Option<Found> {
        let start = tilde.checked_sub(5)?;
        let front = &self.bytes[start..tilde];
        let word = |byte: &u8| Body::Word.holds(*byte) || matches!(byte, b'.' | b'~');
        if front[4] != b'Q' || !front[3].is_ascii_digit() || !front[..3].iter().all(word) {
            return None;
        }
        let length = self.run_of(tilde + 1, 35, |byte| word(&byte));
        ((31..=34).contains(&length) && self.starts_word(start)).then(|| Found {
            range: start..tilde + 1 + length,
            id: "azure-client-secret",
        })
    }

    /// A key of a storage account, of 86 and `==`, whose end holds the mark of its service.
    pub(super) fn azure_storage(&self, end: usize) -> Option<Found> {
        const MARKS: [&[u8]; 5] = [b"+ASt", b"ACDb", b"APIM", b"+ABa", b"+AMC"];
        let start = end.checked_sub(86)?;
        let body = &self.bytes[start..end];
        let marked = MARKS.contains(&&body[76..80]) && self.bytes[end..].starts_with(b"==");
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        (marked && body.iter().all(plain)).then(|| Found {
            range: start..end + 2,
            id: "azure-storage-key",
        })
    }

    /// 52 letters and digits, the mark of an Azure service or of Azure DevOps, and the rest
    /// of 84.
    pub(super) fn azure_marked(&self, mark: usize) -> Option<Found> {
        let rest = &self.bytes[mark..];
        let (before, after, id) = if rest.starts_with(b"JQQJ99") {
            (52, 32, "azure-api-key")
        } else if rest.starts_with(b"AZDO") {
            (76, 8, "azure-devops-token")
        } else {
            return None;
        };
        let start = mark.checked_sub(before)?;
        let whole = self.bytes[start..mark]
            .iter()
            .all(u8::is_ascii_alphanumeric)
            && self.run_length(mark, Body::Alnum, after + 1) == after;
        (whole && self.starts_word(start)).then(|| Found {
            range: start..mark + after,
            id,
        })
    }

    /// `…-us12`, behind 32 hexadecimal digits.
    pub(super) fn mailchimp(&self, dash: usize) -> Option<Found> {
        let start = dash.checked_sub(32)?;
        let rest = self.bytes[dash..].strip_prefix(b"-us")?;
        let digits = rest
            .iter()
            .take(3)
            .take_while(|b| b.is_ascii_digit())
            .count();
        let lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let ends = !rest.get(digits).is_some_and(u8::is_ascii_alphanumeric);
        let fits =
            (1..=2).contains(&digits) && ends && self.bytes[start..dash].iter().all(lower_hex);
        (fits && self.starts_word(start)).then(|| Found {
            range: start..dash + 3 + digits,
            id: "mailchimp-api-key",
        })
    }

    /// 32 hexadecimal digits, a dot and 16 letters and digits of every kind.
    pub(super) fn zhipu(&self, dot: usize) -> Option<Found> {
        let start = dot.checked_sub(32)?;
        let front = self.bytes[start..dot]
            .iter()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let length = self.run_length(dot + 1, Body::Alnum, 17);
        let body = &self.bytes[dot + 1..dot + 1 + length];
        let mixed = body.iter().any(u8::is_ascii_digit)
            && body.iter().any(u8::is_ascii_uppercase)
            && body.iter().any(u8::is_ascii_lowercase);
        (front && length == 16 && mixed && self.starts_word(start)).then(|| Found {
            range: start..dot + 17,
            id: "zhipu-api-key",
        })
    }

    /// `AAAA…:…`: a server key of Firebase messaging.
    pub(super) fn firebase(&self, colon: usize) -> Option<Found> {
        let start = colon.checked_sub(11)?;
        let front = &self.bytes[start..colon];
        let length = self.run_length(colon + 1, Body::Word, 141);
        let fits = front.starts_with(b"AAAA") && front.iter().all(|byte| Body::Word.holds(*byte));
        (fits && length == 140 && self.starts_word(start)).then(|| Found {
            range: start..colon + 141,
            id: "firebase-server-key",
        })
    }

    /// The base64 lines of a private key as PuTTY keeps it.
    pub(super) fn putty(&self, at: usize) -> Option<Found> {
        let rest = self.bytes[at..].strip_prefix(b"Private-Lines:")?;
        let count = rest
            .iter()
            .take(8)
            .take_while(|b| !matches!(b, b'\n' | b'\\'))
            .count();
        let start = at + 14 + count;
        let body = |byte: u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b'\\')
        };
        let length = self.run_of(start, usize::MAX, body);
        let start = start + self.run_of(start, 4, |byte| !byte.is_ascii_alphanumeric());
        let end = (at + 14 + count + length).max(start);
        let text = self.text.get(start..end)?;
        let kept = text.rfind("Private").unwrap_or(text.len());
        let text = text[..kept].trim_end_matches(['\n', '\r', '\\']);
        (text.len() >= 40).then(|| Found {
            range: start..start + text.len(),
            id: "private-key",
        })
    }
}
