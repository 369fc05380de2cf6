//! What may follow in a filter that is being typed: names of fields, and their values.
//!
//! Told from the catalog as it is, which is not brought up to date for it: an answer must be
//! there before the next key.

use birthmark_catalog::engine::{Engine, What};
use birthmark_catalog::filter;

use super::{Ask, field_of, parse};
use crate::catalog::Catalog;
use crate::error::Result;
use crate::project::Project;

/// The catalog, the one project that is asked, and what is looked for.
type Asked<'a> = (&'a Catalog, Option<i64>, What);

/// Names, or values, that are offered at most.
const MOST: usize = 200;
/// Conditions that are no field's.
const WORDS: [&str; 8] = [
    "NOT ",
    "OR ",
    "has:",
    "since:",
    "until:",
    "since:today",
    "since:yesterday",
    "since:7d",
];

/// How runs and sessions end.
const OUTCOMES: [&str; 3] = ["completed", "failed", "interrupted"];

/// Whole filters that begin as `text` does, with its last word gone on with: by what the
/// project has, or all of them where everywhere is asked.
pub fn complete(project: &Project, text: &str, ask: &Ask) -> Result<Vec<String>> {
    let catalog = Catalog::open()?;
    let asked = asked(&catalog, project, ask)?;
    complete_in((&catalog, asked, ask.what), text, ask)
}

/// The projects that are asked. One that the catalog does not know yet has nothing to offer;
/// it is not written down for that.
fn asked(catalog: &Catalog, project: &Project, ask: &Ask) -> Result<Option<i64>> {
    if ask.everywhere {
        return Ok(None);
    }
    let artifacts = project.layout.artifacts().to_string_lossy().into_owned();
    let known = catalog.projects()?.into_iter();
    let mut known = known.filter(|row| row.artifacts == artifacts);
    Ok(Some(known.next().map_or(UNKNOWN, |row| row.id)))
}

/// The number of no project.
const UNKNOWN: i64 = -1;

fn complete_in(asked: Asked<'_>, text: &str, ask: &Ask) -> Result<Vec<String>> {
    let (catalog, project, what) = asked;
    let (before, word) = text.split_at(last_word(text));
    let words = match operator(word) {
        Some((field, operator, value)) => {
            let name = field_of(field);
            let mut values = catalog.engine.values(project, &name, value, MOST)?;
            if name == "outcome" && what.columns().contains(&"outcome") {
                let all = OUTCOMES.into_iter().filter(|word| word.starts_with(value));
                values = all.map(str::to_owned).collect();
            }
            let written = values.iter().map(|value| written(value, ask));
            written
                .map(|value| format!("{field}{operator}{value}"))
                .collect()
        }
        None => names(asked, word)?,
    };
    Ok(words
        .into_iter()
        .map(|word| format!("{before}{word}"))
        .collect())
}

/// Where the last word begins: after a blank or a parenthesis that no quotes hold.
fn last_word(text: &str) -> usize {
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' | '(' | ')' if !quoted => start = at + character.len_utf8(),
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    start
}

/// The field, the operator and the beginning of the value, where there is an operator.
fn operator(word: &str) -> Option<(&str, &str, &str)> {
    let at = word.find(['=', '!', '<', '>', '~'])?;
    let (field, rest) = word.split_at(at);
    let length = rest.len() - rest.trim_start_matches(['=', '!', '<', '>', '~']).len();
    let (operator, value) = rest.split_at(length);
    Some((field, operator, value.strip_prefix('"').unwrap_or(value)))
}

/// Names with that beginning, each with two operators: so a shell sees that more is to come.
fn names(asked: Asked<'_>, start: &str) -> Result<Vec<String>> {
    if let Some(field) = start.strip_prefix("has:") {
        let mut all = fields(asked, field)?;
        all.truncate(MOST);
        return Ok(all.into_iter().map(|name| format!("has:{name}")).collect());
    }
    let mut out: Vec<String> = WORDS
        .iter()
        .filter(|word| !start.is_empty() && word.starts_with(start))
        .map(|word| (*word).to_owned())
        .collect();
    for name in fields(asked, start)?.into_iter().take(MOST / 2) {
        out.push(format!("{name}="));
        out.push(format!("{name}~"));
    }
    Ok(out)
}

fn fields((catalog, project, what): Asked<'_>, start: &str) -> Result<Vec<String>> {
    let names = catalog.names(project)?;
    let known = names.fields.iter().cloned();
    let ours = birthmark_core::birthmark::FIELDS.iter();
    // What is known of the machine is also meant by its name alone.
    let machine: Vec<String> = names
        .fields
        .iter()
        .filter_map(|name| name.strip_prefix("environment."))
        .map(str::to_owned)
        .collect();
    let mut all: Vec<String> = known
        .chain(machine)
        .chain(names.metrics.iter().cloned())
        .chain(ours.map(|field| field.name.to_owned()))
        .chain(filter::names().map(str::to_owned))
        .chain(what.columns().iter().map(|name| (*name).to_owned()))
        .filter(|name| name.starts_with(start) && is_plain(name))
        .collect();
    all.sort();
    all.dedup();
    Ok(all)
}

/// Whether a name can be typed without quotes.
fn is_plain(name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_.-/".contains(character);
    !name.is_empty() && name.chars().all(is_part)
}

/// A value as it must be typed to mean that text or number.
fn written(value: &str, ask: &Ask) -> String {
    let bare = Ask {
        filter: format!("x={value}"),
        ..ask.clone()
    };
    let is_read_back = match parse(&bare) {
        Ok(filter::Filter::Term(term)) => {
            matches!(&term.test, filter::Test::Equal(all) if all.iter().any(|one| one.as_str() == value))
        }
        _ => false,
    };
    if is_read_back && is_plain(value) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_word_is_found_behind_quotes_and_parentheses() {
        for (text, word) in [
            ("mod", "mod"),
            ("a=1 mod", "mod"),
            ("NOT (mod", "mod"),
            ("name=\"a b", "name=\"a b"),
            ("name=\"a \\\" b\" x", "x"),
            ("a=1 ", ""),
        ] {
            assert_eq!(&text[last_word(text)..], word, "{text}");
        }
        assert_eq!(operator("a!=\"x y"), Some(("a", "!=", "x y")));
        assert_eq!(operator("a>="), Some(("a", ">=", "")));
        assert_eq!(operator("abc"), None);
    }
}
