//! How the two runs were started: their command lines, the seeds that they were seen to set.
//!
//! A word of the command line that differs is a difference in how the two were made, unless
//! something else tells of it: the file that it names was made by the run, or read by both
//! with the same bytes; or a field of the birthmark moved from the one value to the other,
//! and has a judgement of its own.
//!
//! # Limitations
//!
//! * The defaults of a script are not known: an option that is written out on one side only
//!   counts, also where it says what holds without it.
//! * An option that says where the output goes, or how the run is called, is known by its
//!   name ([`NAMING`]); a bare word is not, unless it names a file that the run made.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::classes::{Class, class_of, is_meant};
use super::values::{equal, shown};
use super::{Options, Reason, Row, Side, State, Weight};
use crate::birthmark::Fields;
use crate::session::Run;
use words::{Difference, differences};

/// The names of the rows; `--accept` takes what follows the dot too.
const COMMAND: &str = "run.command";
const SEEDS: &str = "run.seeds";
/// What Python's hashes, and so the order of its sets, follow from.
pub const HASH_SEED: &str = "PYTHONHASHSEED";
/// So many differences are named in a sentence.
const NAMED: usize = 4;

/// How a run was started, as its journal tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Command {
    /// The run's id: two reports of one run have nothing between them.
    pub run: String,
    /// The session's id, and other names that are of this run alone.
    pub session: String,
    /// The command line, redacted.
    pub argv: Vec<String>,
    /// The script's file name.
    pub script: Option<String>,
    /// Files that the run made; the report first, also as it is called now.
    pub made: Vec<String>,
    /// Files that it read, with their digests.
    pub read: BTreeMap<String, Option<String>>,
    /// Those of them that are a model or a part of one.
    pub models: BTreeSet<String>,
    /// Seeds that it was seen to set, by the function.
    pub seeds: Fields,
    /// Whether the functions that set seeds were watched.
    pub watched: bool,
    /// Whether it is known which variables were set.
    pub variables_known: bool,
    /// [`HASH_SEED`], where it was set.
    pub hash_seed: Option<String>,
}

impl Command {
    /// As the journal tells of a run. `made` are files that it made, `environment` is what it
    /// was seen to run in.
    pub fn of(run: &Run, session: &str, made: Vec<String>, environment: &Fields) -> Self {
        let text = |input: &Fields, name: &str| input.get(name)?.as_str().map(str::to_owned);
        let mut read = BTreeMap::new();
        let mut models = BTreeSet::new();
        for input in &run.used {
            let Some(file) = text(input, "file") else {
                continue;
            };
            if let Some("model" | "base" | "adapter") = text(input, "role").as_deref() {
                models.insert(file.clone());
            }
            let digest = text(input, "content_digest").or_else(|| text(input, "digest"));
            read.insert(file, digest);
        }
        // No variable at all is recorded as none; without packages nobody looked.
        let variables = environment.get("variables").and_then(Value::as_object);
        let variables_known = variables.is_some() || environment.contains_key("packages_object");
        let hash_seed = variables.and_then(|all| all.get(HASH_SEED)?.as_str());
        let is_python = run.argv.first().is_some_and(|word| word.contains("python"));
        Self {
            run: run.id.as_str().to_owned(),
            session: session.to_owned(),
            argv: run.argv.clone(),
            script: run.script_name.clone(),
            made,
            read,
            models,
            seeds: run.observed.seeds.clone(),
            watched: is_python && !run.observed.modules.is_empty(),
            variables_known,
            // Python has a word for not set.
            hash_seed: hash_seed
                .filter(|seed| *seed != "random")
                .map(str::to_owned),
        }
    }
}

/// The rows of what differs, and the caveats that it gives.
pub(super) fn judge(
    a: &Side,
    b: &Side,
    rows: &[Row],
    options: &Options,
) -> (Vec<Row>, Vec<Reason>) {
    let (Some(one), Some(other)) = (&a.command, &b.command) else {
        return (Vec::new(), Vec::new());
    };
    if one.run == other.run {
        return (Vec::new(), Vec::new());
    }
    let (seeds, spoken) = seeds(one, other);
    let found = [
        (COMMAND, command(one, other, rows)),
        (SEEDS, (!spoken.is_empty()).then_some((seeds, spoken))),
    ];
    let mut more = Vec::new();
    let mut reasons = Vec::new();
    for (field, found) in found {
        let Some(([a, b], told)) = found else {
            continue;
        };
        let class = class(field, options);
        more.push(Row {
            field: field.to_owned(),
            class,
            state: State::Moved,
            a: Some(a),
            b: Some(b),
            not_counted: None,
            remark: None,
        });
        let weight = match class {
            Class::Subject | Class::Context => continue,
            Class::Instrument => Weight::NotComparable,
            Class::Environment | Class::Unclassed => Weight::Caveat,
        };
        let what = if field == COMMAND {
            "the commands differ"
        } else {
            "the seeds differ"
        };
        let left = told.len().saturating_sub(NAMED);
        let tail = if left > 0 {
            format!(", +{left}")
        } else {
            String::new()
        };
        let some: Vec<String> = told.into_iter().take(NAMED).collect();
        let text = format!("{what}: {}{tail}", some.join(", "));
        reasons.push(Reason::new(weight, "moved", field, text));
    }
    (more, reasons)
}

fn class(field: &str, options: &Options) -> Class {
    if options.subject.iter().any(|word| is_meant(word, field)) {
        return Class::Subject;
    }
    class_of(field, &options.classes)
}

type Found = ([Value; 2], Vec<String>);

fn command(a: &Command, b: &Command, rows: &[Row]) -> Option<Found> {
    if a.argv.is_empty() || b.argv.is_empty() {
        return None;
    }
    let told: Vec<String> = differences([a, b])
        .into_iter()
        .filter(|one| !is_told(one, [a, b], rows))
        .map(|one| one.sentence([A, B]))
        .collect();
    let line = |one: &Command| Value::from(one.argv.join(" "));
    (!told.is_empty()).then(|| ([line(a), line(b)], told))
}

/// The letters in sentences.
const A: &str = "A";
const B: &str = "B";

/// Whether something else tells of a difference.
fn is_told(one: &Difference, sides: [&Command; 2], rows: &[Row]) -> bool {
    let [Some(a), Some(b)] = &one.values else {
        return false;
    };
    let is = |value: Option<&Value>, word: &str| value.is_some_and(|value| says(value, word));
    let by_field = rows
        .iter()
        .any(|row| row.state == State::Moved && is(row.a.as_ref(), a) && is(row.b.as_ref(), b));
    by_field || is_same_input(sides, [a, b])
}

/// Whether a value is what a word says.
fn says(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => {
            let plain = |text: &str| {
                text.trim_start_matches("./")
                    .trim_end_matches('/')
                    .to_owned()
            };
            plain(text) == plain(word)
        }
        Value::Number(_) => word
            .parse::<serde_json::Number>()
            .is_ok_and(|number| equal(value, &Value::Number(number))),
        Value::Bool(is) => word.parse::<bool>() == Ok(*is),
        _ => false,
    }
}

/// Whether two words name files that were read: the same bytes, or models, which are meant to
/// differ.
fn is_same_input(sides: [&Command; 2], words: [&str; 2]) -> bool {
    let file = |side: usize| {
        let mut read = sides[side].read.iter();
        read.find(|(file, _)| words::names(words[side], file))
    };
    let (Some((a, left)), Some((b, right))) = (file(0), file(1)) else {
        return false;
    };
    let are_models = sides[0].models.contains(a) && sides[1].models.contains(b);
    are_models || left.is_some() && left == right
}

fn seeds(a: &Command, b: &Command) -> Found {
    let (mut left, mut right) = (Fields::new(), Fields::new());
    let mut told = Vec::new();
    let known = [a, b].map(|side| {
        let seeds = side.seeds.iter();
        seeds
            .filter_map(|(name, value)| Some((name.as_str(), real(value)?)))
            .collect::<BTreeMap<&str, Value>>()
    });
    let watched = a.watched && b.watched;
    let names: BTreeSet<&str> = known.iter().flat_map(BTreeMap::keys).copied().collect();
    for name in names {
        let values = [known[0].get(name), known[1].get(name)];
        let differ = match values {
            [Some(a), Some(b)] => !equal(a, b),
            _ => watched,
        };
        if !differ {
            continue;
        }
        let word = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), shown);
        told.push(format!("{name} {} -> {}", word(values[0]), word(values[1])));
        for (fields, value) in [&mut left, &mut right].into_iter().zip(values) {
            fields.insert(name.to_owned(), value.cloned().unwrap_or(Value::Null));
        }
    }
    if a.variables_known && b.variables_known && a.hash_seed != b.hash_seed {
        let word = |side: &Command| {
            let seed = side.hash_seed.as_deref();
            seed.unwrap_or("not set").to_owned()
        };
        told.push(format!("{HASH_SEED} {} -> {}", word(a), word(b)));
        left.insert(HASH_SEED.to_owned(), a.hash_seed.clone().into());
        right.insert(HASH_SEED.to_owned(), b.hash_seed.clone().into());
    }
    ([Value::Object(left), Value::Object(right)], told)
}

/// A seed without what stands for an object of one process: its address is another each time.
fn real(value: &Value) -> Option<Value> {
    let is_address = |value: &Value| value.as_str().is_some_and(|text| text.contains(" at 0x"));
    match value {
        Value::Array(all) => {
            let kept: Vec<Value> = all.iter().filter(|one| !is_address(one)).cloned().collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        one => (!is_address(one)).then(|| one.clone()),
    }
}

#[cfg(test)]
mod tests;
