//! Whether a birthmark took the place of an older one.

use birthmark_core::json::{self, Where};

/// The field of a birthmark that took the place of an older one: the older one's digest.
/// What it says cannot be brought back, so such a record is not unstamped.
pub const REPLACES: &str = "replaces";

/// Whether our birthmark of a record says that it replaced one. In a `metadata` that it shares
/// with the user's own keys only ours count.
pub(super) fn replaces(record: &[u8], place: &Where) -> bool {
    let Some(value) = place.value(record).filter(|_| place.is_ours()) else {
        return false;
    };
    // Nearly no birthmark says so: the bytes tell, if no escape hides them.
    if memchr::memmem::find(value, REPLACES.as_bytes()).is_none()
        && memchr::memchr(b'\\', value).is_none()
    {
        return false;
    }
    match place {
        Where::Merged { member, ours } => json::walk(value).any(|one| {
            member.value.start + one.key.start >= ours.start && one.is_named(value, REPLACES)
        }),
        _ => json::get(value, &[REPLACES]).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use birthmark_core::json::{OnExisting, stamp_record};

    use super::*;

    fn told(record: &str, mark: &str, existing: OnExisting) -> bool {
        let mut out = Vec::new();
        stamp_record(&mut out, record.as_bytes(), mark.as_bytes(), existing).unwrap();
        replaces(&out, &json::find_birthmark(&out).unwrap())
    }

    #[test]
    fn only_our_own_birthmark_tells_that_it_replaced_one() {
        let plain = r#"{"git_commit": null, "note": "a \\ b", "birthmark": "birthmark/v1"}"#;
        let over = r#"{"git_commit": null, "replaces": "x", "birthmark": "birthmark/v1"}"#;
        let hidden = r#"{"git_commit": null, "\u0072eplaces": "x", "birthmark": "birthmark/v1"}"#;
        let merge = OnExisting::Merge;
        for record in [
            "{}",
            r#"{"metadata": {"mine": 1}}"#,
            r#"{"metadata": "text"}"#,
        ] {
            assert!(!told(record, plain, merge), "{record}");
            assert!(told(record, over, merge), "{record}");
            assert!(told(record, hidden, merge), "{record}");
        }
        // The user's own key of this name is no word of ours.
        assert!(!told(r#"{"metadata": {"replaces": "mine"}}"#, plain, merge));
    }
}
