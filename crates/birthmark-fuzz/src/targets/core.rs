//! What needs no file.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_core::json::{self, Marks, OnExisting};
use birthmark_core::plan::{Made, Plan, judge};
use birthmark_core::policy::Rule;
use birthmark_core::{SessionId, Timestamp};

use super::Run;

const MARK: &[u8] =
    br#"{"git_commit":"0","timestamp":"t","artifact_type":"a","birthmark":"birthmark/v1"}"#;

/// Every way to look at JSON; and what is stamped and unstamped is what it was.
pub(super) fn json(_: &Path) -> Run {
    Box::new(|bytes| {
        let record = json::without_bom(bytes);
        let _ = json::scan_value(record);
        let _ = json::check_envelope(record);
        let _ = json::check_birthmark(record);
        let Ok(object) = json::scan_object(record) else {
            return;
        };
        let found = json::locate_birthmark(record, &object);
        let _ = found.value(record).map(json::is_birthmark);
        let members = json::walk(record).count();
        assert_eq!(
            members,
            json::members(record).count(),
            "two walks of one object"
        );
        for member in json::walk(record) {
            let _ = json::as_text_lossy(member.key.of(record));
            let value = member.value.of(record);
            let _ = (
                json::as_u64(value),
                json::as_bool(value),
                json::elements(value).count(),
            );
            assert!(json::scan_value(value).is_ok(), "a member is a value");
        }
        round(record);
        follow(record);
        let _: Result<Fields, _> = serde_json::from_slice(record);
    })
}

/// A record behind one like it, which differs in a byte, is told as it is told alone.
fn follow(record: &[u8]) {
    let mut marks = Marks::default();
    let _ = marks.find(record);
    let mut other = record.to_vec();
    for at in (0..record.len()).step_by(record.len() / 16 + 1) {
        for byte in [b'0', b'"', b'}'] {
            other[at] = byte;
            let found = marks.find(&other).map(|(place, _)| place);
            assert_eq!(found, json::find_birthmark(&other));
        }
        other[at] = record[at];
    }
}

fn round(record: &[u8]) {
    for stamp in [json::stamp_record, json::stamp_report] {
        let mut stamped = Vec::new();
        let Ok(placed) = stamp(&mut stamped, record, MARK, OnExisting::Error) else {
            continue;
        };
        assert!(
            json::scan_object(&stamped).is_ok(),
            "{placed:?}: stamped JSON is JSON"
        );
        let mut bare = Vec::new();
        let undone = json::unstamp_record(&mut bare, &stamped);
        assert!(undone.is_ok(), "{placed:?}");
        assert_eq!(
            bare, record,
            "{placed:?}: unstamping gives back what was stamped"
        );
    }
}

pub(super) fn policy(_: &Path) -> Run {
    Box::new(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(rule) = Rule::parse(&text) {
            let _ = rule.fields();
            let _ = rule.judge(&|name| json::get(MARK, &[name]));
            let _ = rule.judge_early(&|_| None);
        }
    })
}

/// Moments, digests, ids, plans, names of files and lines.
pub(super) fn names(_: &Path) -> Run {
    Box::new(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.get(..text.len().min(4_096)).unwrap_or("");
        if let Ok(time) = text.parse::<Timestamp>() {
            assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
        }
        if let Ok(digest) = text.parse::<Digest>() {
            assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }
        let _ = SessionId::is_well_formed(text);
        let plan = Plan::parse(text);
        let _ = plan.matches("artifacts/sft_a.jsonl");
        let made = Made {
            file: text,
            records: Some(3),
        };
        let _ = judge(&[plan], &[made]);
        let _ = birthmark::show::parse_target(text);
        let _ = birthmark::verify::Sample::parse(text, 1);
        let _ = birthmark::stamp::given::parse(text);
        let neutral = birthmark::text::neutral(text);
        assert!(
            !neutral.chars().any(char::is_control),
            "neutral text acts on nothing"
        );
        let _ = birthmark_capture::git::without_credentials(bytes);
        let _ = birthmark_capture::git::display_path(bytes);
        let _ = birthmark_core::base64::decode(text);
    })
}
