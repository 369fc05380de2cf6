//! What a session says to the person before the terminal: two lines at each end at most.

use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use birthmark_core::code::CodeState;
use birthmark_core::plan::PlanOutcome;
use birthmark_core::session::{Artifact, Session};
use serde_json::Value;

use crate::looks::CodeSeen;
use crate::text::{self, neutral};

/// Takes one line, without its line end, to where the person reads.
pub type Talk = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

/// Lines are broken where they would run over this.
const WIDTH: usize = 80;
/// How a broken line goes on.
const CONTINUED: &str = "\n           ";

/// The lines at the beginning.
pub fn opening(short_id: &str, joined: bool, code: &CodeSeen) -> Vec<String> {
    let verb = if joined { "joined session" } else { "session" };
    let mut lines = vec![format!(
        "birthmark: {verb} {short_id} · {}",
        code_phrase(code)
    )];
    lines.extend(dirty_line(code));
    lines
}

/// `main 5f970c2 clean, pushed`, or why not.
pub fn code_phrase(code: &CodeSeen) -> String {
    let Some(commit) = code.short_commit() else {
        let reason = code.state.commit.reason().unwrap_or("none");
        return format!("no commit: {reason}");
    };
    if code.fields.contains_key("declared") {
        return format!("{commit} (declared; no .git here)");
    }
    let branch = code.state.branch.found().map_or("detached", String::as_str);
    let dirty = match &code.state.dirty {
        Finding::Found(false) if !code.state.hidden.is_empty() => "dirty",
        Finding::Found(false) => "clean",
        Finding::Found(true) => "dirty",
        Finding::Absent => "bare",
        Finding::Unknown(_) => "dirty or not is unknown",
    };
    let pushed = match code
        .fields
        .get("git_pushed")
        .and_then(serde_json::Value::as_bool)
    {
        Some(true) => "pushed",
        Some(false) => "not pushed",
        None => "pushed or not is unknown",
    };
    format!("{branch} {commit} {dirty}, {pushed}")
}

/// The line of its own for the code, where the first line could not wait for it.
pub fn code_line(code: &CodeSeen) -> String {
    format!("birthmark: code {}", code_phrase(code))
}

/// Files that differ, and that git was told not to look at.
pub(crate) fn hidden_changes(state: &CodeState) -> String {
    let named: Vec<String> = state
        .hidden
        .iter()
        .map(|one| crate::text::short(one, 100))
        .collect();
    format!("hidden from git ({})", some_of(&named))
}

/// Which files are not as in the commit, and what follows.
pub fn dirty_line(code: &CodeSeen) -> Option<String> {
    let commit = code.short_commit();
    let summary = code.state.dirty_summary();
    match (&code.snapshot, &code.state.dirty) {
        (Finding::Found(snapshot), dirty) => {
            let short = snapshot.commit.get(..7).unwrap_or(&snapshot.commit);
            let what = match dirty {
                Finding::Found(false) => hidden_changes(&code.state),
                _ => summary,
            };
            let rest = match &snapshot.inexact {
                None => "nothing of yours was touched".to_owned(),
                Some(why) => format!("not exact: {why}"),
            };
            let first = format!("birthmark: dirty: {what}; kept as");
            let second = format!("snapshot {short}, {rest}");
            let joint = if first.len() + second.len() < WIDTH {
                " "
            } else {
                CONTINUED
            };
            return Some(format!("{first}{joint}{second}"));
        }
        (Finding::Unknown(reason), Finding::Found(true)) => {
            return Some(format!(
                "birthmark: dirty: {summary}; no snapshot: {reason}"
            ));
        }
        _ => {}
    }
    if code.fields.contains_key("declared") {
        return declared_line(code);
    }
    match (&code.state.dirty, commit) {
        (Finding::Found(false), Some(commit)) if !code.state.hidden.is_empty() => Some(format!(
            "birthmark: dirty: {}; commit {commit} is not what ran",
            hidden_changes(&code.state)
        )),
        (Finding::Found(true), Some(commit)) => Some(format!(
            "birthmark: dirty: {}; commit {commit} is not what ran",
            code.state.dirty_summary()
        )),
        (Finding::Found(true), None) => Some(format!(
            "birthmark: dirty: {}; nothing is committed",
            code.state.dirty_summary()
        )),
        (Finding::Unknown(reason), Some(_)) => Some(format!(
            "birthmark: cannot tell whether the tree is dirty: {reason}"
        )),
        _ => None,
    }
}

/// What is wrong with code that was declared where its repository was.
fn declared_line(code: &CodeSeen) -> Option<String> {
    let commit = code.short_commit()?;
    let told = |name: &str| code.fields.get(name);
    if told("git_dirty") == Some(&Value::Bool(true)) {
        let listed = code.details.get("changed_files").and_then(Value::as_array);
        let names = listed
            .into_iter()
            .flatten()
            .filter_map(|one| one["path"].as_str());
        let names: Vec<String> = names.map(|name| text::short(name, 60)).collect();
        let what = if names.is_empty() {
            "so it was declared".to_owned()
        } else {
            format!("{} changed since the code was declared", some_of(&names))
        };
        return Some(format!(
            "birthmark: dirty: {what}; commit {commit} is not what ran"
        ));
    }
    let why = told("unknown")?.get("git_dirty")?.as_str()?;
    Some(format!(
        "birthmark: cannot tell whether the tree is dirty: {why}"
    ))
}

/// A stored path as it is typed in a folder: from there where that lies in the project, else whole.
pub(crate) fn to_type(root: &Path, stored: &str, folder: &Path) -> String {
    let Ok(own) = folder.strip_prefix(root) else {
        return root.join(stored).to_string_lossy().into_owned();
    };
    if Path::new(stored).is_absolute() {
        return stored.to_owned();
    }
    let (own, path): (Vec<_>, Vec<_>) = (
        own.components().collect(),
        Path::new(stored).components().collect(),
    );
    let same = own.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = own.iter().skip(same).map(|_| "..".as_ref());
    let down = path.iter().skip(same).map(|part| part.as_os_str());
    let typed: PathBuf = up.chain(down).collect();
    typed.to_string_lossy().into_owned()
}

/// Artifacts named in one line.
const NAMED_ARTIFACTS: usize = 3;

/// The lines at the end of a run: what it made, and `for_all` also what others made in its
/// session since it began, its children among them.
pub fn closing(
    session: &Session,
    run: &birthmark_core::RunId,
    for_all: bool,
    root: &Path,
) -> Vec<String> {
    let start = session
        .runs
        .iter()
        .find(|one| one.id == *run)
        .map(|one| one.start);
    let made: Vec<&Artifact> = session
        .made()
        .filter(|one| one.run.as_ref() == Some(run) || (for_all && Some(one.time) >= start))
        .collect();
    let mut lines = Vec::new();
    let mine: Vec<&birthmark_core::RunId> = session
        .runs
        .iter()
        .filter(|one| one.id == *run || (for_all && Some(one.start) >= start))
        .map(|one| &one.id)
        .collect();
    let before = |one: &Artifact| one.records_before(|run| mine.contains(&run));
    if let Some(line) = made_line(&made, &before) {
        lines.push(line);
    }
    let mut last = planned_phrase(session);
    // What people want to see first: the records, else what was made last.
    let with_records = made
        .iter()
        .filter(|one| one.records > Some(0))
        .max_by_key(|one| one.records);
    if let Some(artifact) = with_records.or(made.last()) {
        let own = session.runs.iter().find(|one| one.id == *run);
        let folder = own.and_then(|one| one.facts.get("cwd")?.as_str());
        let file = to_type(root, &artifact.file, folder.map_or(root, Path::new));
        let next = format!("next: birthmark show {}", shell_word(&file));
        last = if last.is_empty() {
            next
        } else {
            format!("{last} · {next}")
        };
    }
    if !last.is_empty() {
        lines.push(format!("birthmark: {last}"));
    }
    lines
}

/// That sessions lie in other folders than the artifacts folder, and what to do.
pub fn other_stores(folders: &[String]) -> String {
    if folders == ["."] {
        let text = "sessions lie in this folder itself: set artifacts = \".\" in birthmark.toml";
        return text.to_owned();
    }
    let quoted: Vec<String> = folders.iter().map(|one| format!("\"{one}\"")).collect();
    format!(
        "sessions lie in {}: set artifacts there, or stores = [{}], in birthmark.toml",
        some_of(folders),
        quoted.join(", ")
    )
}

/// At most three of them in one line.
pub(crate) fn some_of(texts: &[String]) -> String {
    if texts.len() <= 3 {
        return texts.join(", ");
    }
    format!("{}, +{}", texts[..2].join(", "), texts.len() - 2)
}

fn made_line(made: &[&Artifact], before: &dyn Fn(&Artifact) -> u64) -> Option<String> {
    let all: u64 = made.iter().filter_map(|one| one.records).sum();
    let new = |one: &&&Artifact| Some(one.records?.saturating_sub(before(one)));
    let records: u64 = made.iter().filter_map(|one| new(&one)).sum();
    let all = (records < all).then_some(all);
    match made {
        [] => None,
        [one] if one.records.is_some() => Some(format!(
            "birthmark: made {} in {}{}",
            count(records, "record"),
            neutral(&one.file),
            all.map_or_else(String::new, |all| format!(" ({all} in the file)"))
        )),
        [one] => Some(format!("birthmark: made {}", neutral(&one.file))),
        many => {
            let mut names: Vec<String> = many
                .iter()
                .take(NAMED_ARTIFACTS)
                .map(|one| neutral(&one.file).into_owned())
                .collect();
            if many.len() > NAMED_ARTIFACTS {
                names.truncate(NAMED_ARTIFACTS - 1);
                names.push(format!("+{}", many.len() - names.len()));
            }
            let records = match all {
                Some(all) => format!(" ({}, {all} in the files)", count(records, "record")),
                None if records > 0 => format!(" ({})", count(records, "record")),
                None => String::new(),
            };
            Some(format!(
                "birthmark: made {} artifacts{records}: {}",
                many.len(),
                names.join(", ")
            ))
        }
    }
}

/// `planned 2, made 1, made 187 of 200 records, missing 1`; empty when nothing was planned.
pub fn planned_phrase(session: &Session) -> String {
    let (reports, unplanned) = session.judge_plan();
    if reports.is_empty() {
        return String::new();
    }
    let made = reports
        .iter()
        .filter(|one| one.outcome == PlanOutcome::Made)
        .count();
    let missing = reports
        .iter()
        .filter(|one| one.outcome == PlanOutcome::Missing)
        .count();
    let mut parts = vec![format!("planned {}", reports.len()), format!("made {made}")];
    for report in &reports {
        if let PlanOutcome::Short { made, wanted } = report.outcome {
            parts.push(format!("made {made} of {wanted} records"));
        }
    }
    if missing > 0 {
        parts.push(format!("missing {missing}"));
    }
    if !unplanned.is_empty() {
        parts.push(format!("unplanned {}", unplanned.len()));
    }
    parts.join(", ")
}

/// `1 record`, `2 records`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A path as a shell reads it.
pub fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !path.is_empty() && !path.starts_with('-') && path.chars().all(plain) {
        return path.to_owned();
    }
    if path.chars().any(crate::text::acts) {
        return spelled_out(path);
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// A command as a shell reads it.
pub(crate) fn command_line<T: AsRef<str>>(words: &[T]) -> String {
    let word = |word: &T| match word.as_ref().strip_prefix('-') {
        // An option stands as it is typed.
        Some(rest) if rest.is_empty() || shell_word(rest) == rest => word.as_ref().to_owned(),
        _ => shell_word(word.as_ref()),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A word that would act on a terminal, with every unusual byte spelled out: `$'a\x1b'`.
fn spelled_out(path: &str) -> String {
    use std::fmt::Write as _;
    let mut word = "$'".to_owned();
    for byte in path.bytes() {
        if (byte.is_ascii_graphic() && !b"'\\".contains(&byte)) || byte == b' ' {
            word.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(word, "\\x{byte:02x}");
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell_survive_it() {
        assert_eq!(shell_word("artifacts/a.jsonl"), "artifacts/a.jsonl");
        assert_eq!(shell_word("a b's"), r"'a b'\''s'");
        assert_eq!(shell_word("-x"), "'-x'");
        let hostile = "a'\u{1b}[31m\n\u{202e}b";
        let word = shell_word(hostile);
        assert!(!word.chars().any(crate::text::acts), "{word}");
        #[expect(clippy::disallowed_methods, reason = "the shell is the oracle")]
        let echo = std::process::Command::new("bash")
            .args(["-c", &format!("printf %s {word}")])
            .output();
        assert_eq!(echo.unwrap().stdout, hostile.as_bytes());
    }
}
