//! What is no evaluation: datasets, checkpoints, sessions, single records.
//!
//! The same table judges them, but nothing is required: a field that is known of neither is
//! no reason. What two datasets hold is compared record by record; what two other files or
//! folders hold, by their content digests.

use birthmark_core::birthmark::Fields;
use birthmark_core::compare::{self as core, Matching, Reason, Side, Weight};
use birthmark_core::evaluation::Tool;
use serde_json::Value;

use super::records::{self, RecordsDiff};
use super::{
    Compared, GateAnswer, Options, Pair, Party, Target, code, edited, letter, packages, record,
};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::sessions;
use crate::show::{self, Now, Shown, What};

/// Fields that say when and where, of one record each; their ranges say nothing.
const PASSING: [&str; 6] = [
    "timestamp",
    "run_id",
    "session_id",
    "stamped_at",
    "unknown",
    "declared",
];

struct Thing {
    target: Target,
    project: Project,
    shown: Shown,
    birthmark: Option<Fields>,
}

pub(super) fn compare(targets: &[Target], options: &Options) -> Result<Compared> {
    let things = targets
        .iter()
        .map(|target| load(target, options))
        .collect::<Result<Vec<Thing>>>()?;
    if things.len() < 2 {
        let message = format!("`{}` is one thing", targets[0].name());
        return Err(
            Error::usage("one-thing", message).with_hint("name a second: birthmark compare A B")
        );
    }
    for thing in &things[1..] {
        same_kind(&things[0], thing)?;
    }
    let mut pairs = Vec::new();
    for other in 1..things.len() {
        pairs.push(pair(&things, other, options)?);
    }
    let parties = things
        .iter()
        .enumerate()
        .map(|(place, thing)| party(thing, place));
    let mut compared = Compared {
        kind: kind(&things[0]),
        parties: parties.collect(),
        pairs,
        looks: 0,
        one_report: false,
        gate: GateAnswer::default(),
        seed: options.seed,
    };
    compared.gate = options.gate.judge(compared.verdict(), &compared.pairs);
    Ok(compared)
}

/// The word for what is compared.
fn kind(thing: &Thing) -> &'static str {
    match thing.shown.what {
        What::Session => "session",
        What::Record => "record",
        _ if thing.target.line.is_some() => "record",
        _ if is_records(thing) => "dataset",
        _ => "artifact",
    }
}

fn is_records(thing: &Thing) -> bool {
    thing.target.path.is_file()
        && thing.target.path.extension().is_some_and(|ending| {
            ending.eq_ignore_ascii_case("jsonl") || ending.eq_ignore_ascii_case("ndjson")
        })
}

fn same_kind(a: &Thing, b: &Thing) -> Result<()> {
    if kind(a) == kind(b) {
        return Ok(());
    }
    let message = format!(
        "these are of two kinds: `{}` is a {}, `{}` a {}",
        a.target.name(),
        kind(a),
        b.target.name(),
        kind(b)
    );
    Err(Error::usage("two-kinds", message)
        .with_hint("compare two reports, two datasets, two checkpoints or two sessions"))
}

fn load(target: &Target, options: &Options) -> Result<Thing> {
    let project = sessions::project_of(&target.path)?;
    let mut shown = show::show(&project, &target.path, target.line, options.now)?;
    shown.now = edited::look(&project, &shown, &target.path, options.now);
    let birthmark = birthmark(&shown);
    Ok(Thing {
        target: target.clone(),
        project,
        birthmark,
        shown,
    })
}

fn birthmark(shown: &Shown) -> Option<Fields> {
    if shown.what == What::Unstamped {
        return None;
    }
    let mut all = shown.birthmark.clone();
    let recorded = shown.recorded.iter().flat_map(|found| &found.birthmark);
    let code = shown.session.iter().flat_map(|session| &session.code);
    for (name, _) in recorded.chain(code) {
        if let Some(value) = shown.get(name).filter(|_| shown.is_one(name)) {
            all.insert(name.clone(), value.clone());
        }
    }
    for varying in &shown.varies {
        if PASSING.contains(&varying.name.as_str()) {
            continue;
        }
        let end =
            |value: &Option<Value>| value.as_ref().map(crate::text::plain).unwrap_or_default();
        let text = format!("{}..{}", end(&varying.min), end(&varying.max));
        let count = varying
            .distinct
            .map_or_else(|| "many".to_owned(), |count| count.to_string());
        all.insert(
            varying.name.clone(),
            Value::from(format!("{text} ({count} values)")),
        );
    }
    Some(all)
}

fn party(thing: &Thing, place: usize) -> Party {
    let line = thing
        .target
        .line
        .map_or(String::new(), |line| format!(":{line}"));
    let time = thing
        .birthmark
        .as_ref()
        .and_then(|mark| mark.get("timestamp"));
    Party {
        letter: letter(place),
        file: format!("{}{line}", thing.target.name()),
        role: None,
        tool: Tool::Birthmark,
        roles: Vec::new(),
        items: usize::try_from(thing.shown.records.unwrap_or(0)).unwrap_or(0),
        timestamp: time.and_then(Value::as_str).map(str::to_owned),
        notes: Vec::new(),
        sources: std::collections::BTreeMap::new(),
    }
}

fn pair(things: &[Thing], other: usize, options: &Options) -> Result<Pair> {
    let places = [0, other];
    let letters = places.map(letter);
    let pair = places.map(|place| &things[place]);
    let mut sides = [0, 1].map(|side| {
        let session = pair[side].shown.session.as_ref();
        let environment = session
            .map(|session| session.environment.clone())
            .unwrap_or_default();
        let mut side_of = Side {
            name: letters[side].clone(),
            birthmark: pair[side].birthmark.clone(),
            packages: packages::of(&pair[side].project, &environment),
            environment,
            ..Side::default()
        };
        code::take_recorded(&mut side_of, session);
        side_of
    });
    let between = code::between(&pair[0].project, &pair[0].target.path, &mut sides);
    let held = holds(pair)?;
    // What varies from record to record is a range, which another number of records changes.
    let varying = pair.iter().flat_map(|thing| &thing.shown.varies);
    let varying = varying.map(|varying| (varying.name.clone(), core::Class::Context));
    let how = core::Options {
        subject: options.subject.clone(),
        accept: options.accept.clone(),
        classes: varying.chain(options.classes.iter().cloned()).collect(),
        same_content: held.same,
        ..core::Options::default()
    };
    let mut judgement = core::judge(&sides[0], &sides[1], &between, &how);
    // What a thing is made of is judged by what it holds, not by the digest of its own bytes.
    judgement.rows.retain(|row| row.field != "digest");
    let mut reasons = held.reasons;
    for (letter, thing) in letters.iter().zip(pair) {
        let path = &thing.target.path;
        let look = match kind(thing) {
            "dataset" | "record" => edited::of_records,
            _ => edited::of_report,
        };
        reasons.extend(look(letter, path, now(thing)));
    }
    if held.identical {
        // The same bytes say the same of themselves, whatever that is.
        for mut reason in std::mem::take(&mut judgement.reasons) {
            reason.weight = Weight::Note;
            reasons.push(reason);
        }
    }
    judgement.add(reasons, &how);
    Ok(Pair {
        a: 0,
        b: other,
        judgement,
        code: between,
        loaded: code::held(&sides),
        matching: Matching::default(),
        scores: Vec::new(),
        unpaired: [Vec::new(), Vec::new()],
        records: held.records,
    })
}

/// What two things hold, held against each other.
struct Held {
    same: bool,
    identical: bool,
    reasons: Vec<Reason>,
    records: Option<RecordsDiff>,
}

fn holds(pair: [&Thing; 2]) -> Result<Held> {
    let note = |weight, text: String| vec![Reason::new(weight, "content", "content", text)];
    if kind(pair[0]) == "dataset" {
        let found = records::diff(&pair[0].target.path, &pair[1].target.path)?;
        let same = found.identical || found.equal;
        let mut reasons = note(Weight::Note, format!("content: {}", found.says()));
        if found.bad != [0, 0] {
            let text = format!("{} and {} lines are no records", found.bad[0], found.bad[1]);
            reasons.extend(note(Weight::Caveat, text));
        }
        if found.twice > 0 && found.by == "id" {
            let text = format!(
                "{} stand more than once",
                crate::text::count(found.twice, "id")
            );
            reasons.extend(note(Weight::Caveat, text));
        }
        return Ok(Held {
            same,
            identical: found.identical,
            reasons,
            records: Some(found),
        });
    }
    if let [Some(a), Some(b)] = pair.map(|thing| thing.target.line) {
        let paths = pair.map(|thing| thing.target.path.as_path());
        let found = record::diff([(paths[0], a), (paths[1], b)])?;
        return Ok(Held {
            same: found.is_same(),
            identical: found.identical,
            reasons: note(Weight::Note, format!("content: {}", found.says())),
            records: None,
        });
    }
    let digests = pair.map(digest);
    let (same, text) = match (&digests[0], &digests[1]) {
        (Some(a), Some(b)) if a == b => (true, Some("content: the same digest".to_owned())),
        (Some(a), Some(b)) if algorithm(a) == algorithm(b) => {
            (false, Some("content: different, by digest".to_owned()))
        }
        _ => (false, None),
    };
    Ok(Held {
        same,
        identical: same && kind(pair[0]) == "artifact",
        reasons: text
            .map(|text| note(Weight::Note, text))
            .unwrap_or_default(),
        records: None,
    })
}

fn algorithm(digest: &str) -> &str {
    digest.split(':').next().unwrap_or(digest)
}

/// How a thing lies. A file of records that goes on is no longer what was recorded, but a
/// record within what was recorded is.
fn now(thing: &Thing) -> Option<Now> {
    let is_open = || {
        let recorded = thing.shown.recorded.as_ref();
        recorded.is_some_and(|found| found.state == "open")
    };
    let may_grow = thing.target.line.is_some() || is_open();
    thing
        .shown
        .now
        .filter(|now| *now != Now::Grown || !may_grow)
}

/// The digest of what a thing holds: as recorded if it still is so, else as it lies.
fn digest(thing: &Thing) -> Option<String> {
    let changed = matches!(thing.shown.now, Some(Now::Edited | Now::Grown));
    if changed {
        return crate::dataset::digest_of(&thing.target.path)
            .ok()
            .map(|digest| digest.to_string());
    }
    let recorded = thing.shown.recorded.as_ref();
    let known = recorded.and_then(|found| found.content_digest.clone().or(found.digest.clone()));
    let sidecar = || {
        let mark = thing.birthmark.as_ref()?;
        mark.get("digest")?.as_str().map(str::to_owned)
    };
    known.or_else(sidecar).or_else(|| {
        let path = &thing.target.path;
        let found = path.is_file() && thing.target.line.is_none();
        let digest = found
            .then(|| crate::dataset::digest_of(path).ok())
            .flatten();
        digest.map(|digest| digest.to_string())
    })
}
