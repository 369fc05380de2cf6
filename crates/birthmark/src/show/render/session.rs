//! The session that made it, in one line and in many.

use birthmark_core::session::in_a_cell;
use birthmark_core::timestamp::render_age;
use birthmark_core::{SessionId, Timestamp};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::{SessionFacts, Shown};
use super::inputs::inputs;
use super::page::Page;
use super::runs::run_lines;
use super::{LONGEST, code, kept};
use crate::talk::some_of;
use crate::text::{self, plain, short};

pub(super) fn session(shown: &Shown, now: Timestamp) -> Vec<String> {
    let Some(session) = &shown.session else {
        return vec![match shown.get("session_id").and_then(Value::as_str) {
            Some(id) => format!("{} (not here)", short(id, LONGEST)),
            None => "none".to_owned(),
        }];
    };
    let mut text = text::neutral(session.id.short()).into_owned();
    if let Some(host) = &session.host {
        text.push_str(&format!(" on {}", short(host, LONGEST)));
    }
    if let Some(gpu) = session.environment.get("gpu").filter(|gpu| !gpu.is_null()) {
        text.push_str(&format!(" ({})", short(&plain(gpu), LONGEST)));
    }
    text.push_str(&format!(", {}", status(session, now)));
    if let Some(varying) = shown
        .varies
        .iter()
        .find(|varying| varying.name == "session_id")
    {
        let count = varying
            .distinct
            .map_or("many".to_owned(), |count| count.to_string());
        text.push_str(&format!("; the last of {count}"));
    }
    vec![text]
}

fn status(session: &SessionFacts, now: Timestamp) -> String {
    use birthmark_core::session::Status;
    match (session.status, session.last_heard) {
        (Status::LastHeard, Some(time)) => format!("last heard {}", render_age(time, now)),
        (status, _) => status.word().to_owned(),
    }
}

/// What ended its runs, each once.
fn errors(session: &SessionFacts) -> Vec<String> {
    let ended = session.ran.iter().filter_map(|run| run.end.as_ref());
    let told = ended.filter_map(|(_, ended)| ended.error.as_deref());
    let mut errors: Vec<String> = told.map(|error| short(error, LONGEST)).collect();
    let mut seen = std::collections::HashSet::new();
    errors.retain(|error| seen.insert(error.clone()));
    errors
}

/// What the session was given for all that it makes: params, provenance.
fn given(summary: &Value) -> Vec<String> {
    let given = summary.get("given").and_then(Value::as_object);
    told(given.into_iter().flatten())
}

/// Fields with their values, each in a few words.
pub(super) fn told<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<String> {
    let one = |(name, value): (&String, &Value)| {
        let name = text::neutral(name);
        format!("{name} {}", short(&plain(value), 40))
    };
    fields.map(one).collect()
}

pub(super) fn session_lines(page: &mut Page, shown: &Shown, zone: &TimeZone) {
    let (Some(facts), Some(summary)) = (&shown.session, &shown.summary) else {
        return;
    };
    page.put(
        "status",
        &[
            facts.status.word().to_owned(),
            format!("manifest {}", facts.manifest),
        ],
    );
    page.put("error", &errors(facts));
    if shown.has_several_codes() {
        page.put(
            "code",
            &[in_a_cell(&facts.seen_codes(), !facts.drift.is_empty())],
        );
    } else {
        page.put("code", &code(shown));
        page.put("kept", &kept(shown));
    }
    let mut host: Vec<String> = facts.host.iter().map(|host| short(host, LONGEST)).collect();
    for name in ["gpu", "python", "torch", "transformers"] {
        let found = facts.environment.get(name).filter(|value| !value.is_null());
        let label = if name == "gpu" {
            String::new()
        } else {
            format!("{name} ")
        };
        host.extend(found.map(|value| {
            let text = plain(value);
            // `sys.version` goes on with the build; the version is what is asked for.
            let text = if name == "python" {
                text.split(' ').next().unwrap_or_default()
            } else {
                &text
            };
            format!("{label}{}", short(text, 40))
        }));
    }
    page.put("on", &host);
    page.put(
        "scripts",
        &facts
            .scripts
            .iter()
            .map(|name| short(name, LONGEST))
            .collect::<Vec<_>>(),
    );
    let list = |name: &str| {
        summary
            .get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    for plan in list("planned_artifacts") {
        let outcome = match &plan["outcome"] {
            Value::Object(short) => short.get("short").map_or_else(
                || "short".to_owned(),
                |short| format!("made {} of {}", short["made"], short["wanted"]),
            ),
            word => plain(word),
        };
        page.put(
            "planned",
            &[format!(
                "{}: {outcome}",
                short(&plain(&plan["plan"]), LONGEST)
            )],
        );
    }
    for artifact in list("artifacts_generated") {
        let mut parts = vec![short(&plain(&artifact["file"]), 100)];
        parts.push(short(&plain(&artifact["type"]), 40));
        let before = artifact["records_before"].as_u64().unwrap_or(0);
        parts.extend(artifact["records"].as_u64().map(|records| {
            let new = text::count(records.saturating_sub(before), "record");
            match before {
                0 => new,
                _ => format!("{new}, {records} in the file"),
            }
        }));
        if artifact["state"] != "sealed" {
            parts.push(plain(&artifact["state"]));
        }
        let removed_by = artifact["removed_by"].as_str();
        parts.extend(removed_by.map(|by| {
            let by = SessionId::from_text(by);
            format!("removed by session {}", by.short())
        }));
        page.put("made", &parts);
    }
    afterwards(page, &list("removed"), &list("reports_left"));
    page.put("given", &given(summary));
    page.put("from", &inputs(shown));
    if let Some(session) = &shown.session {
        run_lines(page, session, zone);
    }
}

/// What the session removed, and the reports that wait to be gone on with.
fn afterwards(page: &mut Page, removed: &[Value], left: &[Value]) {
    let removed: Vec<String> = removed
        .iter()
        .map(|file| short(&plain(file), 100))
        .collect();
    if !removed.is_empty() {
        page.put("removed", &[some_of(&removed)]);
    }
    for left in left {
        let items = text::count(left["items"].as_u64().unwrap_or(0), "item");
        let part = short(&plain(&left["part"]), 100);
        let way_on = "run the script again to go on with it".to_owned();
        page.put("left", &[format!("{items} in {part}"), way_on]);
    }
}
