//! What is known of a file, in lines for people.
//!
//! The answer first: kind, number, size, time. Then the questions in the order in which
//! they are asked: which code, which model, was the template off, which params. *Unknown*
//! is always there, even when it is nothing.

mod digest;
mod headline;
mod inputs;
mod page;
mod runs;
mod session;
mod written;

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::Timestamp;
use birthmark_core::birthmark::{self, Group, PROVENANCE_KEYS};
use birthmark_core::lineage::with_run;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::session::{Run, Watchers};
use birthmark_core::snapshot::kept_nowhere;
use birthmark_core::timestamp::render_clock;
use jiff::tz::TimeZone;
use serde_json::Value;

use digest::digests;
use headline::headline;
pub(super) use inputs::inputs_of;
use inputs::{inputs, other_items};
use page::Page;
use session::{session, session_lines};
use written::{born, born_before, written};

use super::{Now, Shown, Varying, What};
use crate::report::origins::is_clean_in_part;
use crate::text::{self, plain, short};
use crate::wrote::Holds;

/// Longest value of a user's own field.
const LONGEST: usize = 60;

/// The lines, without colour; times in `zone`, at most about `width` characters wide.
pub fn render(shown: &Shown, now: Timestamp, zone: &TimeZone, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
    };
    page.text.push_str(&headline(shown, now, zone, width));
    page.text.push_str("\n\n");
    if shown.what == What::Session {
        session_lines(&mut page, shown, zone);
    } else if shown.what != What::Unstamped {
        page.put("part", &part(shown));
        let mut birth = code(shown);
        birth.extend(born(shown, now, zone));
        page.put("code", &birth);
        page.put("kept", &kept(shown));
        page.put("written", &written(shown));
        page.put("born", &born_before(shown));
        page.put("model", &model(shown));
        page.put("template", &template(shown));
        page.put("params", &params(shown));
        let stamped = shown.records.map(|all| all.saturating_sub(shown.unstamped));
        let varying = shown
            .varies
            .iter()
            .filter_map(|one| varies(one, stamped, zone));
        page.put("varies", &varying.collect::<Vec<_>>());
        page.put("models", &models(shown));
        page.put("dataset", &dataset(shown));
        page.put("from", &inputs(shown));
        page.put("lineage", &partial(shown));
        page.put("items", &other_items(shown));
        page.put("digest", &digests(shown));
        page.put("session", &session(shown, now));
    }
    if let Some(session) = &shown.session {
        for problem in &session.problems {
            page.put("problem", &[text::neutral(problem).into_owned()]);
        }
        for beside in &shown.beside {
            page.put("beside", &[beside.phrase()]);
        }
        page.put("unkept", &unkept(shown));
        let mut told = drift(shown);
        told.extend(of_own_runs(shown, Run::beside_told));
        page.put("drift", &told);
    }
    if shown.foreign {
        page.put(
            "made by",
            &["another helper: no field `birthmark` names our format".to_owned()],
        );
    }
    if !shown.declared.is_empty() {
        let names: Vec<String> = shown
            .declared
            .iter()
            .map(|name| short(name, LONGEST))
            .collect();
        page.put(
            "declared",
            &[format!("{} (asserted, not observed)", names.join(", "))],
        );
    }
    page.put(
        "holds",
        &shown.holds.iter().map(Holds::phrase).collect::<Vec<_>>(),
    );
    page.put("unknown", &unknown(shown));
    page.text.push_str(&next_step(shown));
    page.text
}

/// What to ask next, where one page does not answer it.
fn next_step(shown: &Shown) -> String {
    let word = |text: &str| crate::talk::shell_word(text);
    match (shown.what, &shown.holds, &shown.left_sidecar) {
        (What::Records, ..) => {
            let target = word(&format!("{}:1", shown.typed));
            format!("\none record: birthmark show {target}\n")
        }
        (What::Unstamped, Some(holds), _) => {
            format!("\none of them: birthmark show {}\n", word(&holds.first))
        }
        (What::Unstamped, None, Some(sidecar)) => {
            let left =
                Path::new(&shown.typed).with_file_name(sidecar.file_name().unwrap_or_default());
            let left = word(&left.to_string_lossy());
            let own = word(&format!("{}{SIDECAR_SUFFIX}", shown.typed));
            format!("\nits sidecar has the name that it had before: mv {left} {own}\n")
        }
        (What::Unstamped, None, None) => {
            let name = word(&shown.typed);
            format!(
                "\ntry: birthmark trace {name}, if it was made under another name\n     \
                 birthmark stamp --type TYPE {name}\n"
            )
        }
        _ => String::new(),
    }
}

/// The file that was asked for, of the folder that is shown.
fn part(shown: &Shown) -> Vec<String> {
    let Some(part) = &shown.part else {
        return Vec::new();
    };
    let state = match part.now {
        Now::NotRecorded => "none of the files that were recorded",
        Now::Edited => "edited since it was recorded",
        now => now.word(),
    };
    let digest = part.digest.as_deref().map(short_digest);
    let known = digest.map_or(String::new(), |digest| format!("  {digest}"));
    let (file, folder) = (text::neutral(&part.file), text::neutral(&shown.name));
    vec![
        format!("{file}  {}{known} {state}", text::bytes(part.size)),
        format!("of the folder {folder}, of which the rest is told"),
    ]
}

fn word(shown: &Shown, name: &str) -> Option<String> {
    shown
        .get(name)
        .filter(|value| !value.is_null())
        .map(|value| short(&plain(value), LONGEST))
}

fn code(shown: &Shown) -> Vec<String> {
    let commit = match shown
        .varies
        .iter()
        .find(|varying| varying.name == "git_commit")
    {
        Some(varying) => {
            let count = varying
                .distinct
                .map_or("many".to_owned(), |count| count.to_string());
            format!("{count} commits")
        }
        None => word(shown, "git_commit").map_or_else(
            || "commit unknown".to_owned(),
            |hex| hex.chars().take(7).collect(),
        ),
    };
    let mut state = Vec::new();
    if let Some(branch) = word(shown, "git_branch") {
        state.push(format!("{commit} {branch}"));
    } else {
        let detached =
            shown.get("git_branch").is_some() && !shown.unknown.contains_key("git_branch");
        state.push(if detached {
            format!("{commit} detached")
        } else {
            commit
        });
    }
    state.push(dirty(shown));
    if let Some(pushed) = shown.get("git_pushed") {
        state.push(match pushed {
            Value::Bool(true) => "pushed".to_owned(),
            Value::Bool(false) => "not pushed".to_owned(),
            _ => "pushed unknown".to_owned(),
        });
    }
    let mut parts = vec![state.join(", ")];
    parts.extend(word(shown, "script_name"));
    parts.extend(word(shown, "git_remote"));
    parts
}

/// Where the code lives now. On the remote is where everybody looks: that is not said.
fn kept(shown: &Shown) -> Vec<String> {
    let lives = shown.lives.as_ref().filter(|lives| !lives.remote);
    let was_pushed = shown.get("git_pushed") == Some(&Value::Bool(true));
    let is_snapshot = word(shown, "git_snapshot").is_some();
    let phrase = lives.map(|lives| {
        // What is not here may well be there still; snapshots are never pushed.
        match (lives.is_nowhere(), is_snapshot) {
            (true, true) => "not here; a snapshot is on no remote".to_owned(),
            (true, false) if was_pushed => "not here; it was on the remote".to_owned(),
            _ => lives.phrase(),
        }
    });
    let loose = shown.get("git_dirty") == Some(&Value::Bool(true));
    let phrase = phrase.map(|phrase| {
        if loose && !is_snapshot {
            format!("the commit {phrase}; the edits of the dirty tree were not kept")
        } else {
            phrase
        }
    });
    let phrase = phrase.map(|phrase| match lacks(shown) {
        Some(why) => format!("{phrase}; NOT exact: {}", short(&why, LONGEST)),
        None => phrase,
    });
    phrase.into_iter().collect()
}

/// What keeps the snapshot from being all that ran.
fn lacks(shown: &Shown) -> Option<String> {
    let commit = word(shown, "git_snapshot")?;
    let mut snapshots = shown.session.iter().flat_map(|session| &session.snapshots);
    snapshots
        .find(|one| one.taken.commit == commit)?
        .taken
        .lacks()
}

/// Code that ran and that no commit holds: of the run that made it, else of all.
fn unkept(shown: &Shown) -> Vec<String> {
    let own = shown.own_run();
    let all = shown.session.iter().flat_map(|session| &session.ran);
    let runs = all.filter(|run| own.is_none_or(|own| own.id == run.id));
    let files: BTreeSet<&str> = runs.flat_map(Run::unkept).collect();
    let named = files
        .iter()
        .map(|file| short(file, LONGEST))
        .collect::<Vec<_>>();
    let nowhere = kept_nowhere(&shown.birthmark).map(str::to_owned);
    let unkept = (!named.is_empty()).then(|| {
        let named = crate::talk::some_of(&named);
        format!("{named} ran, and no commit holds it")
    });
    nowhere.into_iter().chain(unkept).collect()
}

/// Why its run, or where that is not told those of its session, may have read more than is listed.
fn partial(shown: &Shown) -> Vec<String> {
    let Some(session) = &shown.session else {
        return Vec::new();
    };
    let own: Vec<&Run> = match shown.own_run() {
        Some(own) => with_run(&session.ran, own.id.as_str()),
        None => session.ran.iter().collect(),
    };
    let told = Watchers::of(&session.ran).gaps(&own);
    let told = told
        .iter()
        .map(|why| format!("partial: {}", short(why, 120)));
    told.collect()
}

/// What of the code changed under the run that made it, else under any, each said once.
fn drift(shown: &Shown) -> Vec<String> {
    of_own_runs(shown, Run::drift_told)
}

fn of_own_runs(shown: &Shown, tell: fn(&Run) -> Vec<String>) -> Vec<String> {
    let own = shown.own_run();
    let all = shown.session.iter().flat_map(|session| &session.ran);
    let runs = all.filter(|run| own.is_none_or(|own| own.id == run.id));
    let told: BTreeSet<String> = runs.flat_map(tell).collect();
    told.iter().map(|line| short(line, 160)).collect()
}

fn dirty(shown: &Shown) -> String {
    if shown
        .varies
        .iter()
        .any(|varying| varying.name == "git_dirty")
    {
        return "clean in part".to_owned();
    }
    match shown.get("git_dirty") {
        Some(Value::Bool(false)) if !drift(shown).is_empty() => "clean at first".to_owned(),
        Some(Value::Bool(false)) => "clean".to_owned(),
        Some(Value::Bool(true)) => match word(shown, "git_snapshot") {
            Some(hex) => format!(
                "dirty, snapshot {}",
                hex.chars().take(7).collect::<String>()
            ),
            None => "dirty".to_owned(),
        },
        _ if is_clean_in_part(&shown.birthmark) => "clean in part".to_owned(),
        _ => "dirty unknown".to_owned(),
    }
}

fn model(shown: &Shown) -> Vec<String> {
    let mut parts: Vec<String> = ["model_name", "quantization"]
        .iter()
        .filter_map(|name| word(shown, name))
        .collect();
    parts.extend(word(shown, "model_revision").map(|revision| revision.chars().take(12).collect()));
    parts.extend(
        shown
            .get("model_digest")
            .and_then(Value::as_str)
            .map(short_digest),
    );
    parts.extend(word(shown, "loader_version").map(|loader| format!("loader {loader}")));
    parts
}

/// `blake3:9ab1c0…`: enough to tell two apart by eye.
fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((name, hex)) if hex.len() > 12 && hex.is_ascii() => {
            format!("{}:{}…", text::neutral(name), text::neutral(&hex[..8]))
        }
        _ => short(digest, 30),
    }
}

fn template(shown: &Shown) -> Vec<String> {
    let state = match shown.get("template_disabled") {
        Some(Value::Bool(true)) => "off",
        Some(Value::Bool(false)) => "on",
        _ => return Vec::new(),
    };
    let of = word(shown, "sentinel_tests").map(|count| format!("{count} sentinels"));
    let proof = match (shown.get("sentinel_tests_passed"), of) {
        (Some(Value::Bool(true)), Some(of)) => format!("proved: {of}"),
        (Some(Value::Bool(true)), None) => "proved by sentinels".to_owned(),
        (Some(Value::Bool(false)), Some(of)) => format!("NOT proved: {of} passed"),
        (Some(Value::Bool(false)), None) => "NOT proved: sentinels failed".to_owned(),
        _ => "not proved".to_owned(),
    };
    vec![format!("{state} ({proof})")]
}

/// What was chosen: the params of the table, then the user's own fields.
fn params(shown: &Shown) -> Vec<String> {
    let told_elsewhere = ["sentinel_tests", "digest"];
    let recorded = shown.recorded.as_ref().map(|recorded| &recorded.birthmark);
    let all = shown.birthmark.iter().chain(recorded.into_iter().flatten());
    let mut seen = Vec::new();
    let mut parts = Vec::new();
    for (name, value) in all {
        let known = birthmark::rule(name).map(|rule| rule.group);
        let varies = shown.varies.iter().any(|varying| varying.name == *name);
        let wanted = known.is_none_or(|group| group == Group::Params);
        if !wanted || varies || seen.contains(&name) || told_elsewhere.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        parts.push(format!(
            "{} {}",
            short(name, LONGEST),
            short(&plain(value), LONGEST)
        ));
    }
    parts
}

/// How a field varies among so many records, and how many of them have it.
fn varies(varying: &Varying, of: Option<u64>, zone: &TimeZone) -> Option<String> {
    let told = values_of(varying, zone)?;
    Some(match of {
        Some(of) if varying.records < of => {
            let (have, of) = (text::grouped(varying.records), text::count(of, "record"));
            format!("{told} (in {have} of {of})")
        }
        _ => told,
    })
}

fn values_of(varying: &Varying, zone: &TimeZone) -> Option<String> {
    let name = short(&varying.name, LONGEST);
    if varying.name == "run_id" {
        return None;
    }
    let cut = |value: &Value| short(&plain(value), 40);
    Some(match (&varying.min, &varying.max) {
        (Some(min), Some(max)) if varying.name == "timestamp" => {
            format!("{name} {}..{}", clock(min, zone), clock(max, zone))
        }
        (Some(min), Some(max)) if min.is_number() && min != max => {
            format!("{name} {}..{}", cut(min), cut(max))
        }
        _ if !varying.values.is_empty() && varying.values.len() <= 4 => {
            let values: Vec<String> = varying.values.iter().map(|(value, _)| cut(value)).collect();
            format!("{name} {}", values.join(" | "))
        }
        _ => match varying.distinct {
            Some(count) => format!("{name} ({count} values)"),
            None => format!("{name} (many values)"),
        },
    })
}

/// The time of day of a timestamp, in the zone in which the first line tells it.
fn clock(value: &Value, zone: &TimeZone) -> String {
    let text = plain(value);
    match text.parse::<Timestamp>() {
        Ok(time) => render_clock(time, zone),
        Err(_) => short(&text, 40),
    }
}

fn object_parts(value: &Value) -> Vec<String> {
    let Value::Object(fields) = value else {
        return vec![short(&plain(value), LONGEST)];
    };
    let part = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Null => "not evaluated".to_owned(),
            other => short(&plain(other), LONGEST),
        };
        format!("{} {value}", short(name, LONGEST))
    };
    fields.iter().map(part).collect()
}

fn models(shown: &Shown) -> Vec<String> {
    shown.get("models").map(object_parts).unwrap_or_default()
}

fn dataset(shown: &Shown) -> Vec<String> {
    let Some(dataset) = shown.get("dataset").filter(|dataset| !dataset.is_null()) else {
        return Vec::new();
    };
    let Value::Object(fields) = dataset else {
        return object_parts(dataset);
    };
    let text = |name: &str| fields.get(name).filter(|value| !value.is_null()).map(plain);
    let mut parts = Vec::new();
    parts.extend(text("name").map(|name| short(&name, LONGEST)));
    parts.extend(text("size").map(|size| format!("{} records", short(&size, 30))));
    parts.extend(text("source").map(|source| short(&source, LONGEST)));
    parts.extend(text("digest").map(|digest| short_digest(&digest)));
    parts.extend(text("version_sha").map(|sha| sha.chars().take(7).collect()));
    parts
}

fn unknown(shown: &Shown) -> Vec<String> {
    let part = |(name, reason): (&String, &Value)| {
        format!("{} ({})", short(name, LONGEST), short(&plain(reason), 100))
    };
    // What no script told of is one thing, and not one for each field.
    let untold = |reason: &Value| shown.what == What::Observed && reason == "not given";
    let (all, told) = (&shown.unknown, shown.unknown.iter());
    let mut parts: Vec<String> = told.filter(|one| !untold(one.1)).map(part).collect();
    let rest = all.len() - parts.len();
    let is_untold = |name: &str| shown.unknown.get(name).is_some_and(untold);
    let what = if PROVENANCE_KEYS.into_iter().all(is_untold) {
        "model and template (not given)"
    } else {
        "the rest of model and template (not given)"
    };
    parts.extend((rest > 0).then(|| what.to_owned()));
    parts.extend(all.is_empty().then(|| "nothing".to_owned()));
    parts
}
