//! What follows from a row: the reason that it gives, if it gives one.

use serde_json::Value;

use super::classes::{Class, Need};
use super::pair::Pair;
use super::values::{both_shown, shown};
use super::{Reason, Row, Side, State, Weight, dataset};

/// The reason of a row.
pub(super) fn reason(pair: &Pair<'_>, row: &Row) -> Option<Reason> {
    let name = row.field.as_str();
    // What the code gives has a judge of its own.
    if row.not_counted.is_some() || name == "git_dirty" {
        return None;
    }
    match (row.class, row.state) {
        (Class::Subject, State::MissingOne) => Some(missing_one(pair, row, Weight::Note)),
        (_, State::Same)
        | (Class::Context | Class::Subject, _)
        | (Class::Environment | Class::Unclassed, State::MissingBoth) => None,
        (Class::Unclassed | Class::Environment, State::Moved) => Some(moved(row, Weight::Caveat)),
        (Class::Unclassed | Class::Environment, State::MissingOne) => {
            Some(missing_one(pair, row, Weight::Caveat))
        }
        (Class::Instrument, State::Moved) if name == "code" => None,
        (Class::Instrument, State::Moved) if name == "dataset" => dataset_moved(pair),
        (Class::Instrument, State::Moved) => Some(moved(row, Weight::NotComparable)),
        (Class::Instrument, State::MissingOne) if name == "code" => {
            Some(missing_one(pair, row, Weight::CannotTell))
        }
        (Class::Instrument, _) if name == "dataset" && judged_by_itself(pair) => None,
        (Class::Instrument, State::MissingOne) => Some(missing_one(pair, row, Weight::CannotTell)),
        (Class::Instrument, State::MissingBoth) => Some(missing_both(pair, row)),
    }
}

fn judged_by_itself(pair: &Pair<'_>) -> bool {
    pair.options.evaluation && !pair.options.one_report
}

fn dataset_moved(pair: &Pair<'_>) -> Option<Reason> {
    if dataset::is_other_algorithm(&pair.flat[0], &pair.flat[1]) {
        return None;
    }
    let same_name = pair
        .both("dataset.name")
        .filter(|[a, b]| a == b)
        .map(|[name, _]| format!(", though both are called {}", shown(name)))
        .unwrap_or_default();
    let text = format!("the dataset moved: its content differs{same_name}");
    Some(Reason::new(Weight::NotComparable, "moved", "dataset", text))
}

fn moved(row: &Row, weight: Weight) -> Reason {
    let values = both_shown(row.a.as_ref(), row.b.as_ref());
    let mut text = format!("{} moved ({values})", row.field);
    if let Some(remark) = &row.remark {
        text.push_str(&format!("; {remark}"));
    }
    if row.class == Class::Unclassed {
        text.push_str(", which is in no class");
    }
    Reason::new(weight, "moved", &row.field, text)
}

fn missing_one(pair: &Pair<'_>, row: &Row, weight: Weight) -> Reason {
    let (has, lacks, value) = match (&row.a, &row.b) {
        (Some(value), _) => (pair.a, pair.b, value),
        (_, value) => (pair.b, pair.a, value.as_ref().unwrap_or(&Value::Null)),
    };
    let why = why(lacks, &row.field).unwrap_or_else(|| "not recorded".to_owned());
    let text = format!(
        "{} is not known of {} ({why}); {} has {}",
        row.field,
        lacks.name,
        has.name,
        shown(value)
    );
    Reason::new(weight, "missing-one-side", &row.field, text)
}

fn missing_both(pair: &Pair<'_>, row: &Row) -> Reason {
    let weight = match pair.need(&row.field) {
        Need::Required => Weight::CannotTell,
        Need::Expected => Weight::Caveat,
        // It was asked for by whoever wrote a null.
        Need::Optional if pair.options.evaluation => Weight::Caveat,
        Need::Optional => Weight::Note,
    };
    let why = why(pair.a, &row.field)
        .map(|why| format!(" ({why})"))
        .unwrap_or_default();
    let whom = if pair.options.one_report {
        "is not recorded"
    } else {
        "is known of neither"
    };
    let text = format!("{} {whom}{why}", spoken(&row.field));
    Reason::new(weight, "missing-both", &row.field, text)
}

/// A field as a sentence calls it.
fn spoken(field: &str) -> &str {
    match field {
        "dataset" => "the dataset's digest",
        "code" => "the commit",
        other => other,
    }
}

/// The reason that a side gives for not knowing a field.
fn why(side: &Side, field: &str) -> Option<String> {
    let reasons = side.birthmark.as_ref()?.get("unknown")?;
    let name = if field == "code" { "git_commit" } else { field };
    reasons.get(name)?.as_str().map(str::to_owned)
}
