//! The code of a session, and what it was given: of each of its runs its own, since a tree may be
//! edited and committed between two of them, and one that joins brings its own fields.
//!
//! # Invariants
//!
//! * What ran is told, and not what lay there as somebody opened the session from the shell.
//! * Several codes are never told as one: neither as one commit nor as clean.

use serde_json::Value;

use super::{Run, Session, Snapshot};
use crate::birthmark::{Fields, overlaid};

/// Which code it is: the commit, whether the tree was dirty, and the snapshot of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeSeen {
    /// The commit.
    pub commit: Option<String>,
    /// Whether the tree was dirty; none is unknown.
    pub dirty: Option<bool>,
    /// The snapshot of a dirty tree.
    pub snapshot: Option<String>,
}

impl CodeSeen {
    /// The code that these fields tell of.
    pub fn of(fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            commit: text("git_commit"),
            dirty: fields.get("git_dirty").and_then(Value::as_bool),
            snapshot: text("git_snapshot"),
        }
    }
}

const SNAPSHOT: &str = "git_snapshot";

/// The snapshot of the tree that these fields tell of. One that was done only after a birthmark had
/// been written is that of its run.
pub fn snapshot_of<'a>(snapshots: &'a [Snapshot], fields: &Fields) -> Option<&'a Snapshot> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let mut own = snapshots.iter();
    match text(SNAPSHOT) {
        Some(commit) => own.find(|one| one.taken.path.is_empty() && one.taken.commit == commit),
        None => own.find(|one| one.is_late_of(text("run_id"), fields)),
    }
}

/// Puts a snapshot that was done only after these fields had been told into them.
pub fn put_late_snapshot(snapshots: &[Snapshot], fields: &mut Fields) {
    if !tells_one(fields)
        && let Some(late) = snapshot_of(snapshots, fields)
    {
        late.put_into(fields);
    }
}

fn tells_one(fields: &Fields) -> bool {
    fields.get(SNAPSHOT).is_some_and(|known| !known.is_null())
}

impl Snapshot {
    /// Whether it is of the dirty tree that a run told of in these fields.
    fn is_late_of(&self, run: Option<&str>, fields: &Fields) -> bool {
        let commit = fields.get("git_commit").and_then(Value::as_str);
        fields.get("git_dirty") == Some(&Value::Bool(true))
            && self.taken.path.is_empty()
            && self.taken.parent.as_deref() == commit
            && self.run.as_ref().map(super::RunId::as_str) == run
    }

    fn put_into(&self, fields: &mut Fields) {
        fields.insert(SNAPSHOT.to_owned(), Value::from(self.taken.commit.clone()));
        if let Some(Value::Object(reasons)) = fields.get_mut("unknown") {
            reasons.remove(SNAPSHOT);
            if reasons.is_empty() {
                fields.remove("unknown");
            }
        }
    }
}

impl Session {
    /// Puts the snapshot of a run into what the run told of its code before it was done.
    pub(super) fn put_late_snapshot(&mut self, taken: &Snapshot) {
        let place = taken.run.as_ref().and_then(|id| self.places.runs.get(id));
        let Some(own) = place.and_then(|place| self.runs.get_mut(*place)) else {
            return;
        };
        if tells_one(&own.code) || !taken.is_late_of(Some(own.id.as_str()), &own.code) {
            return;
        }
        // The session is as the first of its runs saw it.
        let is_first = own.code == self.code;
        taken.put_into(&mut own.code);
        if is_first {
            self.code.clone_from(&own.code);
        }
    }

    /// The code of a run: as it saw it, else as the run saw it that started it, else as the
    /// session was first seen.
    pub fn code_of<'a>(&'a self, run: &'a Run) -> &'a Fields {
        let parent = || {
            let id = run.parent.as_ref()?;
            self.runs.iter().find(|other| other.id == *id)
        };
        let own = std::iter::once(run).chain(parent());
        let mut seen = own.map(|run| &run.code).filter(|code| !code.is_empty());
        seen.next().unwrap_or(&self.code)
    }

    /// What a run was given: its own over that of its session.
    pub fn given_of(&self, run: &Run) -> Fields {
        overlaid(&self.given, &run.given)
    }

    /// The exit code of a run: of a command, and of the run that the command itself is, which
    /// cannot see its own.
    pub fn exit_code_of(&self, run: &Run) -> Option<i32> {
        let ended = |run: &Run| run.end.as_ref().map(|(_, ended)| ended.clone());
        if let Some(code) = ended(run).and_then(|ended| ended.exit_code) {
            return Some(code);
        }
        let parent = run.parent.as_ref()?;
        let command = self.runs.iter().find(|other| other.id == *parent)?;
        let is_it = ended(command)?.command_pid == Some(run.process.pid)
            && command.process.host == run.process.host
            && command.process.pid_namespace == run.process.pid_namespace;
        ended(command).filter(|_| is_it)?.exit_code
    }

    /// The codes that ran, each once, in the order in which they did. Where nothing ran, or
    /// none of the runs tells, as the session was first seen.
    pub fn codes(&self) -> Vec<&Fields> {
        let mut codes: Vec<&Fields> = Vec::new();
        let ran = self.runs.iter().filter(|run| run.ran_something());
        for run in ran.filter(|run| !run.code.is_empty()) {
            let is_it = |known: &&Fields| CodeSeen::of(known) == CodeSeen::of(&run.code);
            if !codes.iter().any(is_it) {
                codes.push(&run.code);
            }
        }
        if codes.is_empty() {
            codes.push(&self.code);
        }
        codes
    }
}

/// The commit, where it is one.
pub fn commit_of(codes: &[CodeSeen]) -> Option<&str> {
    let first = codes.first()?.commit.as_deref()?;
    let is_it = |code: &CodeSeen| code.commit.as_deref() == Some(first);
    codes.iter().all(is_it).then_some(first)
}

/// Whether the tree was dirty for any of them; unknown where that is not known of each.
pub fn dirty_of(codes: &[CodeSeen]) -> Option<bool> {
    if codes.iter().any(|code| code.dirty == Some(true)) {
        return Some(true);
    }
    let is_clean = |code: &CodeSeen| code.dirty == Some(false);
    (!codes.is_empty() && codes.iter().all(is_clean)).then_some(false)
}

/// All of them in a cell: `5f970c2`, `5f970c2 dirty`, `5f970c2 clean in part`, `2 commits`; and
/// `5f970c2 clean at first`, where what was clean changed while it ran.
pub fn in_a_cell(codes: &[CodeSeen], drifted: bool) -> String {
    let mut commits: Vec<&str> = codes
        .iter()
        .filter_map(|one| one.commit.as_deref())
        .collect();
    commits.sort_unstable();
    commits.dedup();
    let commit = match commits.as_slice() {
        [] => return "unknown".to_owned(),
        [one] => one.get(..7).unwrap_or(one).to_owned(),
        several => format!("{} commits,", several.len()),
    };
    let has = |dirty| codes.iter().any(|one| one.dirty == dirty);
    let state = match (has(Some(false)), has(Some(true)), has(None)) {
        (true, false, false) if drifted => " clean at first",
        (true, false, false) => "",
        (true, true, _) => " clean in part",
        (false, true, _) => " dirty",
        _ => " dirty?",
    };
    let cell = format!("{commit}{state}");
    cell.trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(commit: &str, dirty: Option<bool>) -> CodeSeen {
        CodeSeen {
            commit: Some(commit.to_owned()),
            dirty,
            snapshot: None,
        }
    }

    #[test]
    fn a_snapshot_that_was_done_late_is_put_into_what_was_told_before() {
        let run = super::super::RunId::from_text("r1".to_owned());
        let told = |text: &str| -> Fields { serde_json::from_str(text).unwrap() };
        let taken = serde_json::json!({
            "commit": "c0ffee", "tree": "t", "parent": "aaa", "ref": null, "path": "", "root": "/r",
            "remote": null, "kept_in": "repository", "exact": true, "inexact": [], "left_out": [],
            "raw": [], "changed_after": [], "nested": [], "files": 1, "bytes": 1,
        });
        let snapshot = Snapshot {
            run: Some(run),
            time: crate::Timestamp::default(),
            taken: serde_json::from_value(taken).unwrap(),
        };
        let mut mark = told(
            r#"{"git_commit":"aaa","git_dirty":true,"git_snapshot":null,"run_id":"r1",
                "unknown":{"git_snapshot":"it took longer"}}"#,
        );
        let snapshots = [snapshot];
        put_late_snapshot(&snapshots, &mut mark);
        assert_eq!(mark["git_snapshot"], "c0ffee");
        assert!(!mark.contains_key("unknown"));
        // Of another run, another commit or a clean tree it tells nothing.
        for other in [
            r#"{"git_commit":"aaa","git_dirty":true,"git_snapshot":null,"run_id":"r2"}"#,
            r#"{"git_commit":"bbb","git_dirty":true,"git_snapshot":null,"run_id":"r1"}"#,
            r#"{"git_commit":"aaa","git_dirty":false,"git_snapshot":null,"run_id":"r1"}"#,
        ] {
            let mut mark = told(other);
            put_late_snapshot(&snapshots, &mut mark);
            assert_eq!(mark, told(other));
        }
    }

    #[test]
    fn several_codes_are_never_told_as_one() {
        let (clean, dirty) = (
            code("5f970c2aa", Some(false)),
            code("5f970c2aa", Some(true)),
        );
        let (other, unsure) = (code("839e8c2", Some(false)), code("839e8c2", None));
        for (codes, cell, commit, is_dirty) in [
            (vec![], "unknown", None, None),
            (vec![CodeSeen::default()], "unknown", None, None),
            (
                vec![clean.clone()],
                "5f970c2",
                Some("5f970c2aa"),
                Some(false),
            ),
            (
                vec![dirty.clone()],
                "5f970c2 dirty",
                Some("5f970c2aa"),
                Some(true),
            ),
            (
                vec![clean.clone(), dirty.clone()],
                "5f970c2 clean in part",
                Some("5f970c2aa"),
                Some(true),
            ),
            (
                vec![clean.clone(), other.clone()],
                "2 commits",
                None,
                Some(false),
            ),
            (
                vec![clean.clone(), unsure.clone()],
                "2 commits, dirty?",
                None,
                None,
            ),
            (
                vec![dirty, other, unsure],
                "2 commits, clean in part",
                None,
                Some(true),
            ),
        ] {
            assert_eq!(in_a_cell(&codes, false), cell);
            assert_eq!(commit_of(&codes), commit, "{cell}");
            assert_eq!(dirty_of(&codes), is_dirty, "{cell}");
        }
    }
}
