//! Holding a manifest against the journals that it says it was folded from.
//!
//! The rules are those of the stored format: a manifest whose `session_id` is not
//! that of its file name, or that names our format but no heads, is *edited*; with
//! journals it is compared, value by value, with the fold up to its heads; without
//! journals it is *not bound*, unless journals of a finished session lie about that
//! no manifest speaks of, for then this one may be theirs under another name.

use std::collections::BTreeMap;

use birthmark_core::event::{
    ArtifactOpened, ArtifactSealed, Event, Outcome, ProcessIdentity, RunEnded,
};
use birthmark_core::schema::MANIFEST_FORMAT;
use birthmark_core::session::{self, Artifact, ArtifactState, Had, Head, Journal, Run, Session};
use birthmark_core::{Fields, RunId, SessionId, Timestamp, WriterId};
use serde_json::Value;

use super::{JournalState, ManifestState, Problem};

/// What the names of all versions of the format begin with.
const MANIFEST_FAMILY: &str = "birthmark/manifest/v";
/// How a difference ends that is something more.
const ADDED: &str = ": it was added";
/// At most this many differences are named.
const MOST_DIFFERENCES: usize = 20;

/// What the heads of a manifest ask of the journals, and where they fall short.
pub(super) fn missing_lines(
    heads: &BTreeMap<WriterId, Head>,
    journals: &[Journal],
    states: &[JournalState],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (writer, head) in heads {
        let name = format!("{writer}.jsonl");
        let Some(journal) = journals.iter().find(|journal| journal.writer == *writer) else {
            if !states.iter().any(|state| state.writer == *writer) {
                problems.push(Problem {
                    code: "journal-deleted",
                    file: name.clone(),
                    line: None,
                    text: format!("journal {name} is gone; the manifest was folded from it"),
                });
            }
            continue;
        };
        let damaged = states
            .iter()
            .any(|state| state.writer == *writer && state.damage.is_some());
        let have = journal.lines.len() as u64;
        if have <= head.seq && !damaged {
            let text = format!(
                "journal {name} ends after line {have}, but the manifest was folded from {} lines",
                head.seq.saturating_add(1)
            );
            problems.push(Problem {
                code: "journal-cut",
                file: name,
                line: Some(have + 1),
                text,
            });
        }
    }
    problems
}

/// What a manifest is, beside journals of its own session; and, where its values are right,
/// whether it has other bytes than we write.
pub(super) fn judge_bound(
    (manifest, bytes): (&Fields, &[u8]),
    journals: &[Journal],
    whole: &Session,
    short: bool,
) -> (ManifestState, bool) {
    let edited = |what| (ManifestState::Edited { what }, false);
    let Some(heads) = session::manifest_heads(manifest) else {
        return edited(vec!["heads: they are missing".to_owned()]);
    };
    let what = wrong_heads(&heads, journals);
    if !what.is_empty() {
        return edited(what);
    }
    if short {
        return (ManifestState::Unfounded, false);
    }
    let newer = journals.iter().any(|journal| {
        let last = journal.lines.last().map(|line| line.seq);
        heads.get(&journal.writer).map(|head| head.seq) < last
    });
    let older = newer.then(|| session::fold_up_to(journals, &heads));
    let folded = session::manifest(older.as_ref().unwrap_or(whole));
    let rewritten = crate::session::manifest_text(&folded).ok().as_deref() != Some(bytes);
    if rewritten {
        let mut what = Vec::new();
        let manifest = Value::Object(manifest.clone());
        differences("", &Value::Object(folded), &manifest, &mut what);
        if !what.is_empty() && is_later(&what, &manifest, journals) {
            return (ManifestState::Later, false);
        }
        if !what.is_empty() {
            return edited(what);
        }
    }
    let state = if newer {
        ManifestState::Stale
    } else {
        ManifestState::Current
    };
    (state, rewritten)
}

/// Whether a manifest may differ because a later version folded it: a journal was written by
/// one, and the manifest names a later format, or has members that this version does not know
/// and is right in all that it does.
fn is_later(what: &[String], manifest: &Value, journals: &[Journal]) -> bool {
    let number = |name: &str| name.strip_prefix(MANIFEST_FAMILY)?.parse::<u64>().ok();
    let name = manifest.get("birthmark").and_then(Value::as_str);
    let later_format = name.and_then(number) > number(MANIFEST_FORMAT);
    let added = what.len() < MOST_DIFFERENCES && what.iter().all(|one| one.ends_with(ADDED));
    let mut lines = journals.iter().filter_map(|journal| journal.lines.first());
    (later_format || added) && lines.any(|line| is_by_later(&line.event))
}

/// Whether the first event of a journal was written by a later version.
pub(super) fn is_by_later(first: &Event) -> bool {
    match first {
        Event::WriterOpened(opened) => numbers(&opened.program) > numbers(crate::VERSION),
        _ => false,
    }
}

/// `1.10.2` as numbers, to be compared.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(['.', '-', '+']);
    parts.map_while(|part| part.parse().ok()).collect()
}

/// Heads whose sums are not those of their lines.
fn wrong_heads(heads: &BTreeMap<WriterId, Head>, journals: &[Journal]) -> Vec<String> {
    let mut what = Vec::new();
    for (writer, head) in heads {
        let line = journals
            .iter()
            .find(|journal| journal.writer == *writer)
            .and_then(|journal| journal.lines.iter().find(|line| line.seq == head.seq));
        if line.is_some_and(|line| line.sum != head.sum) {
            let line = head.seq + 1;
            what.push(format!("heads.{writer}.sum: not that of line {line}"));
        }
    }
    what
}

/// Whether a manifest says that it is ours.
pub(super) fn names_our_format(manifest: &Fields) -> bool {
    manifest
        .get("birthmark")
        .and_then(Value::as_str)
        .is_some_and(|name| name.starts_with(MANIFEST_FAMILY))
}

/// Names every place where `found` is not `wanted`, by its path.
pub(crate) fn differences(path: &str, wanted: &Value, found: &Value, out: &mut Vec<String>) {
    if out.len() >= MOST_DIFFERENCES || wanted == found {
        return;
    }
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                match found.get(key) {
                    Some(other) => differences(&joined(path, key), value, other, out),
                    None => out.push(format!("{}: it is missing", joined(path, key))),
                }
            }
            let added = found.keys().filter(|key| !wanted.contains_key(*key));
            out.extend(added.map(|key| format!("{}{ADDED}", joined(path, key))));
        }
        (Value::Array(wanted), Value::Array(found)) => {
            for (place, (value, other)) in wanted.iter().zip(found).enumerate() {
                differences(&format!("{path}[{place}]"), value, other, out);
            }
            if wanted.len() != found.len() {
                out.push(format!(
                    "{path}: {} entries, not {}",
                    found.len(),
                    wanted.len()
                ));
            }
        }
        _ => out.push(format!("{path}: {}, not {}", brief(found), brief(wanted))),
    }
    out.truncate(MOST_DIFFERENCES);
}

fn joined(path: &str, key: &str) -> String {
    let key = crate::text::short(key, 60);
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

fn brief(value: &Value) -> String {
    crate::text::short(&value.to_string(), 80)
}

/// A session as far as its manifest alone tells of it: for one that was copied
/// without its journals, or that another helper wrote.
pub(super) fn session_of(manifest: &Fields, id: &SessionId) -> Session {
    let object = |name: &str| match manifest.get(name) {
        Some(Value::Object(fields)) => fields.clone(),
        _ => Fields::new(),
    };
    let list = |name: &str| match manifest.get(name) {
        Some(Value::Array(values)) => values.clone(),
        _ => Vec::new(),
    };
    let mut code: Fields = manifest
        .iter()
        .filter(|(name, _)| name.starts_with("git_") || name.starts_with("script_"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for name in ["unknown", "declared"] {
        if let Some(value) = manifest.get(name) {
            code.insert(name.to_owned(), value.clone());
        }
    }
    let outcome: Option<Outcome> = manifest
        .get("outcome")
        .and_then(|value| serde_json::from_value(value.clone()).ok());
    let runs: Vec<Run> = list("runs").iter().filter_map(run_of).collect();
    let start = time(manifest, "session_start");
    let end = time(manifest, "session_end");
    let entries = list("artifacts_generated");
    let mut artifacts: Vec<Artifact> = entries.iter().filter_map(artifact_of).collect();
    if let [run] = &runs[..] {
        for artifact in &mut artifacts {
            complete(artifact, id, run, &code);
        }
    }
    Session {
        id: Some(id.clone()),
        uuid: text(manifest, "session_uuid"),
        start,
        planned: list("planned_artifacts")
            .iter()
            .filter_map(|plan| plan.as_str().map(str::to_owned))
            .collect(),
        given: object("given"),
        code,
        code_details: object("code"),
        environment: object("environment"),
        artifacts,
        used: list("used")
            .into_iter()
            .filter_map(|used| {
                if let Value::Object(used) = used {
                    Some(used)
                } else {
                    None
                }
            })
            .collect(),
        last_heard: end
            .max(start)
            .max(runs.iter().map(|run| run.last_heard).max()),
        end: end.zip(outcome),
        runs,
        ..Session::default()
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

fn time(fields: &Fields, name: &str) -> Option<Timestamp> {
    fields.get(name)?.as_str()?.parse().ok()
}

fn run_of(value: &Value) -> Option<Run> {
    let fields = value.as_object()?;
    let start = time(fields, "start").unwrap_or_default();
    let ended: Option<RunEnded> = serde_json::from_value(value.clone()).ok();
    let end = time(fields, "end").zip(ended);
    let strings = |name: &str| -> Vec<String> {
        let list = fields.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    let id = RunId::from_text(text(fields, "run_id").unwrap_or_default());
    let process = ProcessIdentity {
        host: text(fields, "host").unwrap_or_default(),
        boot_id: None,
        pid: 0,
        pid_start: None,
        pid_namespace: None,
    };
    Some(Run {
        script_name: text(fields, "script_name"),
        argv: strings("argv"),
        given: match fields.get("given") {
            Some(Value::Object(given)) => given.clone(),
            _ => Fields::new(),
        },
        rank: fields
            .get("rank")
            .and_then(Value::as_u64)
            .and_then(|n| n.try_into().ok())
            .unwrap_or(0),
        last_heard: end.as_ref().map_or(start, |(time, _)| *time),
        end,
        drift: strings("drift"),
        beside: strings("drift_beside"),
        drift_commit: text(fields, "drift_commit"),
        logs: fields
            .get("logs")
            .and_then(|logs| serde_json::from_value(logs.clone()).ok())
            .unwrap_or_default(),
        observed: observed_of(fields),
        ..Run::new(id, process, start)
    })
}

fn observed_of(run: &Fields) -> birthmark_core::session::Observed {
    let read = |name: &str| run.get(name).cloned();
    birthmark_core::session::Observed {
        lineage: read("lineage").and_then(|value| serde_json::from_value(value).ok()),
        modules: read("modules")
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default(),
        seeds: match read("seeds") {
            Some(Value::Object(seeds)) => seeds,
            _ => Fields::new(),
        },
    }
}

fn artifact_of(value: &Value) -> Option<Artifact> {
    let fields = value.as_object()?;
    let file = text(fields, "file")?;
    let artifact_type = text(fields, "type").unwrap_or_default();
    let when = time(fields, "timestamp").unwrap_or_default();
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let state = text(fields, "state");
    let (size, records, digest) = (
        number("size").unwrap_or(0),
        number("records"),
        text(fields, "digest"),
    );
    let mut birthmark = Fields::new();
    if let Some(inputs) = fields.get("inputs") {
        birthmark.insert("inputs".to_owned(), inputs.clone());
    }
    let format = match records {
        _ if fields.contains_key("observed_by") => crate::lineage::OBSERVED,
        Some(_) => "jsonl",
        None => "",
    }
    .to_owned();
    let told = if state.as_deref() == Some("open") {
        ArtifactState::Open(ArtifactOpened {
            file: file.clone(),
            file_bytes: text(fields, "file_bytes"),
            artifact_type,
            format,
            birthmark,
            continued_bytes: 0,
            continued_records: 0,
            continued_digest: None,
            continued_content_digest: None,
        })
    } else {
        ArtifactState::Sealed(ArtifactSealed {
            file: file.clone(),
            file_bytes: text(fields, "file_bytes"),
            artifact_type,
            format,
            timestamp: when,
            size,
            records,
            digest: digest.clone(),
            content_digest: text(fields, "content_digest"),
            birthmark,
            notes: Fields::new(),
        })
    };
    Some(Artifact {
        file,
        run: text(fields, "run_id").map(RunId::from_text),
        state: told,
        time: when,
        size,
        records,
        digest,
        removed: (state.as_deref() == Some("removed")).then(|| "removed".to_owned()),
        continued: Had::default(),
        gone_on: Vec::new(),
    })
}

/// What was only seen to be made carries nothing: where the session had one run, its code and
/// script are those of the artifact. Of several, a manifest does not tell which saw what.
fn complete(artifact: &mut Artifact, id: &SessionId, run: &Run, code: &Fields) {
    let ArtifactState::Sealed(sealed) = &mut artifact.state else {
        return;
    };
    if sealed.format != crate::lineage::OBSERVED {
        return;
    }
    let own = [
        ("session_id", Some(id.as_str())),
        ("run_id", Some(run.id.as_str())),
        ("script_name", run.script_name.as_deref()),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    let code = code
        .iter()
        .filter(|(name, _)| name.starts_with("git_"))
        .map(|(name, value)| (name.clone(), value.clone()));
    sealed.birthmark.extend(own.chain(code));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_difference_is_named_by_its_path() {
        let wanted = json!({"a": {"b": [1, 2]}, "c": 1.0, "d": null});
        let found = json!({"a": {"b": [1, 3, 4]}, "c": 1.0, "e": 0});
        let mut out = Vec::new();
        differences("", &wanted, &found, &mut out);
        assert_eq!(
            out,
            [
                "a.b[1]: 3, not 2",
                "a.b: 3 entries, not 2",
                "d: it is missing",
                "e: it was added"
            ]
        );
    }

    #[test]
    fn numbers_differ_by_their_text() {
        let (a, b): (Value, Value) = (
            serde_json::from_str("1.0").unwrap(),
            serde_json::from_str("1.00").unwrap(),
        );
        let mut out = Vec::new();
        differences("n", &a, &b, &mut out);
        assert_eq!(out, ["n: 1.00, not 1.0"]);
    }
}
