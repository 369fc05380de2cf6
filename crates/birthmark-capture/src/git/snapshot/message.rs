//! The commit's bytes: what a person reads in `git log`, and what a program reads in it.
//!
//! * The same tree on the same commit gives the same snapshot, whoever runs it and when:
//!   so two runs of one dirty tree name one commit. Author and committer are fixed, and the
//!   time is that of the parent.
//! * What a plain checkout would not give back stands in trailers, one a line, each value
//!   JSON. A path that is not UTF-8 is `{"base64": …}`.

use birthmark_core::base64;
use birthmark_core::snapshot::NestedCommit;
use gix::ObjectId;
use gix::bstr::{BStr, BString};
use serde_json::{Value, json};

use super::Omitted;

/// Who makes snapshots.
const AUTHOR: &str = "Birthmark <birthmark@localhost>";
/// The trailer that a snapshot is known by, and the version of the others.
const MARK: &str = "Birthmark-Snapshot: v1";

/// What a commit of ours holds.
pub(super) struct Content<'a> {
    pub(super) tree: ObjectId,
    pub(super) parent: Option<(ObjectId, i64)>,
    pub(super) raw: &'a [BString],
    pub(super) left_out: &'a [Omitted],
    pub(super) nested: &'a [NestedCommit],
    pub(super) inexact: &'a [String],
}

impl Content<'_> {
    /// The bytes of the commit.
    pub(super) fn spell(&self) -> Vec<u8> {
        let time = self.parent.map_or(0, |(_, time)| time.max(0));
        let mut text = format!("tree {}\n", self.tree);
        if let Some((parent, _)) = self.parent {
            text.push_str(&format!("parent {parent}\n"));
        }
        text.push_str(&format!("author {AUTHOR} {time} +0000\n"));
        text.push_str(&format!("committer {AUTHOR} {time} +0000\n\n"));
        text.push_str(&self.message());
        text.into_bytes()
    }

    fn message(&self) -> String {
        let parent = self.parent.map_or_else(
            || "before the first commit".to_owned(),
            |(parent, _)| format!("at {}", parent.to_hex_with_len(7)),
        );
        let mut text = format!(
            "The working tree {parent}, as it was when a run began\n\n\
             Untracked files are in it, ignored files and artifacts are not. Made by\n\
             Birthmark; `birthmark snapshot restore` gives it back byte for byte.\n\n{MARK}\n"
        );
        let exact = self.left_out.is_empty() && self.inexact.is_empty();
        let mut line = |name: &str, value: &Value| {
            text.push_str(&format!("Birthmark-{name}: {value}\n"));
        };
        line("Exact", &Value::from(exact));
        for reason in self.inexact {
            line("Inexact", &Value::from(reason.as_str()));
        }
        for file in self.left_out {
            let value = json!({
                "path": path_value(file.path.as_ref()),
                "size": file.size,
                "reason": file.reason,
            });
            line("Left-Out", &value);
        }
        for path in self.raw {
            line("Raw", &path_value(path.as_ref()));
        }
        for nested in self.nested {
            let value = json!({
                "path": nested.path,
                "commit": nested.commit,
                "snapshot": nested.snapshot,
            });
            line("Nested", &value);
        }
        text
    }
}

/// A path as JSON.
fn path_value(path: &BStr) -> Value {
    match std::str::from_utf8(path) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": base64::encode(path) }),
    }
}
