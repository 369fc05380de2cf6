//! Is a session's own word whole: journals, manifest, plan?

use birthmark_core::Timestamp;
use birthmark_core::event::Outcome;
use birthmark_core::plan::PlanOutcome;
use birthmark_core::session::Status;
use serde_json::Value;

use super::claims::Claims;
use super::mark::Judge;
use super::report::{Item, ItemKind, Reason, Word};
use crate::sessions::{Loaded, ManifestState};
use crate::text;

/// Differences of a manifest that are named one by one.
const MOST_NAMED: usize = 5;

/// Judges a session: not its files, which are judged each for itself.
pub(super) fn verify(judge: &mut Judge<'_>, loaded: &Loaded, now: Timestamp) -> Item {
    let status = loaded.status(now);
    let mut reasons = Vec::new();
    for problem in &loaded.problems {
        let reason = Reason::failed(problem.code, text::neutral(&problem.text));
        reasons.push(Reason {
            line: problem.line,
            ..reason
        });
    }
    manifest(judge, loaded, status, &mut reasons);
    code(judge, loaded, &mut reasons);
    plan(loaded, status, &mut reasons);
    notes(loaded, status, &mut reasons);
    continued(judge.claims, loaded, &mut reasons);
    reasons.extend(judge.eyes.inputs.of_session(&loaded.session.used));
    // A manifest that was copied alone brings none of it along.
    if !matches!(loaded.manifest, ManifestState::NotBound { .. }) {
        let layout = &judge.claims.layout;
        let kept = &mut judge.eyes.kept;
        reasons.extend(kept.judge(layout, &loaded.session.environment));
    }
    Item::new(
        loaded.id.as_str(),
        ItemKind::Session,
        evidence(loaded, status),
        reasons,
    )
}

fn evidence(loaded: &Loaded, status: Status) -> String {
    let session = &loaded.session;
    let there = session
        .artifacts
        .iter()
        .filter(|artifact| artifact.removed.is_none())
        .count();
    let (plans, unplanned) = session.judge_plan();
    let made = plans
        .iter()
        .filter(|plan| plan.outcome == PlanOutcome::Made)
        .count();
    let mut parts = vec![status.word().to_owned()];
    parts.push(text::count(there as u64, "artifact"));
    if !plans.is_empty() {
        parts.push(format!("planned {}, made {made}", plans.len()));
    }
    if !unplanned.is_empty() {
        parts.push(format!("unplanned {}", unplanned.len()));
    }
    let removed = session.artifacts.len() - there;
    if removed > 0 {
        parts.push(format!("removed {removed}"));
    }
    parts.join(", ")
}

/// A manifest that is not there, though its session is over.
fn gone(judge: &Judge<'_>, loaded: &Loaded) -> Reason {
    let path = judge.claims.layout.manifest(&loaded.id);
    match judge.eyes.commits.branch_with(&path, None) {
        Some(commit) => {
            let text = format!(
                "its manifest is not checked out: commit {commit}, the last of a branch, has it"
            );
            Reason::caveat("not-checked-out", text)
        }
        None => Reason::failed("manifest-missing", "its manifest is gone"),
    }
}

fn manifest(judge: &Judge<'_>, loaded: &Loaded, status: Status, reasons: &mut Vec<Reason>) {
    let ended = loaded.session.end.is_some();
    if loaded.manifest_rewritten {
        let text = "its manifest says what the journals say, but another program wrote it anew";
        reasons.push(Reason::caveat("manifest-rewritten", text));
    }
    reasons.extend(match &loaded.manifest {
        ManifestState::Current => None,
        ManifestState::Stale if matches!(status, Status::Running | Status::Open) => None,
        ManifestState::Stale => Some(Reason::caveat(
            "manifest-stale",
            "its manifest is an older fold: the journals say more",
        )),
        ManifestState::Edited { what } => {
            let mut shown: Vec<&str> = what.iter().take(MOST_NAMED).map(String::as_str).collect();
            let more = format!("+{}", what.len().saturating_sub(MOST_NAMED));
            if what.len() > MOST_NAMED {
                shown.push(&more);
            }
            let text = format!("its manifest was edited: {}", shown.join("; "));
            Some(Reason::failed("manifest-edited", text))
        }
        ManifestState::Later => Some(Reason::cannot_tell(
            "manifest-later",
            "its manifest is of a later version, which this one cannot hold against the journals",
        )),
        ManifestState::Unfounded => Some(Reason::failed(
            "manifest-unfounded",
            "its manifest cannot be held against the journals that are left",
        )),
        ManifestState::NotBound { foreign: true } => Some(Reason::caveat(
            "not-bound",
            "its manifest was made by another helper: no journal speaks of it",
        )),
        ManifestState::NotBound { foreign: false } => Some(Reason::caveat(
            "not-bound",
            "its manifest is here without its journals: what it says is not proved",
        )),
        ManifestState::Missing if ended => Some(gone(judge, loaded)),
        ManifestState::Missing => Some(Reason::caveat(
            "manifest-missing",
            "its manifest was not written yet",
        )),
        ManifestState::Unreadable { why } => {
            let text = format!("its manifest cannot be read: {}", text::neutral(why));
            Some(Reason::failed("manifest-unreadable", text))
        }
    });
}

fn code(judge: &mut Judge<'_>, loaded: &Loaded, reasons: &mut Vec<Reason>) {
    let code = &loaded.session.code;
    let commit = code.get("git_commit");
    match commit {
        Some(Value::String(hex)) if super::commits::is_full_id(hex) => {
            reasons.extend(judge.eyes.commits.judge(hex));
        }
        Some(Value::String(hex)) => {
            let text = format!("git_commit `{}` is no full commit id", text::short(hex, 70));
            reasons.push(Reason::failed("commit-malformed", text));
        }
        _ => {
            let why = code
                .get("unknown")
                .and_then(|unknown| unknown.get("git_commit"));
            let why = why.and_then(Value::as_str);
            match why {
                Some(why) => reasons.push(Reason::caveat(
                    "field-unknown",
                    format!("git_commit is unknown: {}", text::short(why, 100)),
                )),
                None if code.contains_key("git_commit") => reasons.push(Reason::failed(
                    "null-without-reason",
                    "git_commit is null without a reason",
                )),
                None => reasons.push(Reason::caveat(
                    "field-unknown",
                    "no commit was recorded for the session",
                )),
            }
        }
    }
    let mut changes: Vec<String> = Vec::new();
    for change in loaded.session.runs.iter().flat_map(|run| &run.drift) {
        let change = text::short(change, 100);
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    if !changes.is_empty() {
        changes.truncate(MOST_NAMED);
        let text = format!("the code changed while it ran: {}", changes.join("; "));
        reasons.push(Reason::caveat("drift", text));
    }
}

/// A session that says it completed is held to its plan; one that was cut short says so itself.
fn plan(loaded: &Loaded, status: Status, reasons: &mut Vec<Reason>) {
    let completed = status == Status::Completed
        || loaded
            .session
            .end
            .is_some_and(|(_, outcome)| outcome == Outcome::Completed);
    let word = if completed {
        Word::Failed
    } else {
        Word::Caveat
    };
    for plan in loaded.session.judge_plan().0 {
        let name = text::short(&plan.text, 80);
        match plan.outcome {
            PlanOutcome::Made => {}
            PlanOutcome::Short { made, wanted } => reasons.push(Reason::new(
                word,
                "plan-short",
                match made {
                    made if completed => format!("planned `{name}`: made {made} of {wanted}"),
                    made if status == Status::Running => {
                        format!("planned `{name}`: {made} of {wanted} so far")
                    }
                    0 => format!("planned `{name}`: cut short before its first count, of {wanted}"),
                    made => format!("planned `{name}`: {made} of {wanted} at its last count"),
                },
            )),
            PlanOutcome::Missing => {
                reasons.push(Reason::new(
                    word,
                    "plan-missing",
                    format!("planned `{name}`: missing"),
                ));
            }
        }
    }
}

fn notes(loaded: &Loaded, status: Status, reasons: &mut Vec<Reason>) {
    let torn = loaded.torn_bytes();
    if torn > 0 && status != Status::Running {
        let files: Vec<String> = loaded
            .journals
            .iter()
            .filter(|journal| journal.torn_bytes > 0)
            .map(|journal| format!("{}.jsonl", text::neutral(journal.writer.as_str())))
            .collect();
        let text = format!(
            "the last line of journal {} is torn ({torn} B), as by a crash",
            files.join(", ")
        );
        reasons.push(Reason::caveat("journal-torn", text));
    }
    let mut ends = loaded
        .session
        .runs
        .iter()
        .filter_map(|run| run.end.as_ref());
    if let Some(why) = ends.find_map(|(_, end)| end.unrecorded.as_ref()) {
        let text = format!(
            "not all that it did could be recorded: {}",
            text::neutral(why)
        );
        reasons.push(Reason::caveat("not-all-recorded", text));
    }
    let skipped: u64 = loaded.session.skipped.values().sum();
    if skipped > 0 {
        let text = format!(
            "{} of a later version were not judged",
            text::count(skipped, "event")
        );
        reasons.push(Reason::caveat("later-version", text));
    }
}

/// What became of its files in later sessions.
fn continued(claims: &Claims, loaded: &Loaded, reasons: &mut Vec<Reason>) {
    let mut texts: Vec<String> = Vec::new();
    for later in claims.later(&loaded.id) {
        let file = text::short(later.stored, 80);
        let by = later.by.short();
        texts.push(if later.removed {
            format!("session {by} removed {file}")
        } else if later.anew {
            format!("{file} was written anew by session {by}")
        } else if let Some(before) = later.forked {
            let before = text::count(before, "record");
            format!(
                "session {by} went on with {file} by itself, from the same {before} as this one"
            )
        } else {
            let upto = later.records.map_or_else(
                || "nothing of it".to_owned(),
                |n| format!("its first {}", text::count(n, "record")),
            );
            format!("session {by} went on with {file}; this one vouches for {upto}")
        });
    }
    texts.sort();
    reasons.extend(
        texts
            .into_iter()
            .map(|text| Reason::caveat("later-session", text)),
    );
}
