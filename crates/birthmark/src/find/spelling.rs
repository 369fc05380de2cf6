//! Names and values that were typed and that nothing has: which are spelt nearly so.
//!
//! A name that no artifact has is most surely a typo, and `none` would be no answer to it:
//! it is an error. Only `has:` may ask for such a name, which is its use.

use birthmark_catalog::engine::{Engine, Found, Query, What};
use birthmark_catalog::filter::{self, Filter, Term, Test};
use birthmark_catalog::value::Kind;
use birthmark_core::birthmark::{FIELDS, rule};
use birthmark_core::near::nearest;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::text;

/// Values that are looked at for one that is spelt nearly so.
const VALUES: usize = 200;
/// Files that are looked at for one that is named nearly so.
const FILES: usize = 2_000;
/// Values that are listed.
const LISTED: usize = 6;

/// An error for a name that nothing has, and lines for those that only `has:` asks for.
/// Known are those of the projects that were asked; where they have none every name is as good as another.
pub(crate) fn misspelt(
    catalog: &Catalog,
    (project, what, found): (Option<i64>, What, Option<&Found>),
    names: &[&str],
    filter: &Filter,
) -> Result<Vec<String>> {
    let mut asked: Vec<&str> = names.to_vec();
    let mut warned: Vec<&str> = Vec::new();
    for term in filter.terms() {
        match term.test {
            Test::Has | Test::IsNull => warned.push(&term.field),
            _ => asked.push(&term.field),
        }
    }
    for list in [&mut asked, &mut warned] {
        list.retain(|name| !is_ours(name, what, found));
    }
    if asked.is_empty() && warned.is_empty() {
        return Ok(Vec::new());
    }
    let names = catalog.names(project)?;
    let known: Vec<&str> = names.all().map(String::as_str).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    for list in [&mut asked, &mut warned] {
        list.retain(|name| !is_known(name, &known));
    }
    if let Some(name) = asked.first() {
        let error = Error::usage("field", line(name));
        if let Some(list) = of_others(name) {
            return Err(error.with_hint(format!("it is asked of {list}")));
        }
        return Err(error.with_hint(match near(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => within(name, &known).unwrap_or_else(|| {
                "`birthmark sql 'SELECT name FROM params UNION SELECT name FROM metrics'` lists the names"
                    .to_owned()
            }),
        }));
    }
    warned.dedup();
    let warnings = warned.into_iter().map(|name| match near(name, &known) {
        Some(near) => format!("{}; did you mean `{near}`?", line(name)),
        None => line(name),
    });
    Ok(warnings.collect())
}

fn is_ours(name: &str, what: What, found: Option<&Found>) -> bool {
    let is_shown = || {
        let mut rows = found.iter().flat_map(|found| found.rows.iter().take(1));
        rows.any(|row| {
            let mut fields = row.fields.iter();
            fields.any(|(known, cell)| known == name && *cell != super::Cell::Missing)
        })
    };
    filter::column(name).is_some()
        || name == filter::WORDS
        || what.columns().contains(&name)
        || name == "host"
        || rule(name).is_some()
        || is_shown()
}

/// Who has a column of this name.
fn of_others(name: &str) -> Option<&'static str> {
    let has = |what: What| what.columns().contains(&name);
    match (has(What::Sessions), has(What::Runs)) {
        (true, true) => Some("sessions and runs: --sessions, --runs"),
        (true, false) => Some("sessions: --sessions"),
        (false, true) => Some("runs: --runs"),
        (false, false) => None,
    }
}

fn is_known(name: &str, known: &[&str]) -> bool {
    let plain = name
        .strip_prefix("metric.")
        .or_else(|| name.strip_prefix("environment."))
        .unwrap_or(name);
    let dotted = plain.replace('/', ".");
    let mut known = known.iter();
    known.any(|known| {
        let short = known.strip_prefix("environment.").unwrap_or(known);
        // A whole object is asked for by the name before the dot.
        let is_within = known
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'));
        *known == name || short == plain || short == dotted || is_within
    })
}

fn line(name: &str) -> String {
    format!("no artifact has a field `{}`", text::short(name, 60))
}

/// The name that is spelt nearly so; else one that begins with what was typed.
fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut names: Vec<&'a str> = FIELDS.iter().map(|field| field.name).collect();
    for short in filter::names() {
        names.push(short);
    }
    let plain = |name: &'a str| name.strip_prefix("environment.").unwrap_or(name);
    names.extend(known.iter().copied().map(plain));
    nearest(name, names.iter().copied()).or_else(|| {
        names.retain(|known| name.len() >= 3 && known.starts_with(name));
        names.into_iter().min_by_key(|known| known.len())
    })
}

/// The names that hold what was typed, as a metric of several systems does: `base_accuracy`.
fn within(name: &str, known: &[&str]) -> Option<String> {
    let typed = filter::fold(name);
    let holds = |known: &&&str| typed.len() >= 3 && filter::fold(known).contains(&typed);
    let names = known.iter().filter(holds).take(LISTED);
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let (last, others) = names.split_last()?;
    if others.is_empty() {
        return Some(format!("did you mean {last}?"));
    }
    Some(format!("did you mean {} or {last}?", others.join(", ")))
}

/// The field, or the column of a table, that is spelt nearly so.
pub(crate) fn near_field(catalog: &Catalog, name: &str) -> Option<String> {
    let names = catalog.names(None).ok()?;
    let columns = catalog.engine.table_columns().ok()?;
    let known = names.fields.iter().chain(&columns);
    let known: Vec<&str> = known.map(String::as_str).collect();
    near(name, &known).map(super::field_of)
}

/// `commit=HEAD` and `session=last` mean what they are now.
pub(super) fn names_of_now(project: &Project, filter: Filter) -> Filter {
    filter.map_terms(&mut |mut term| {
        let Test::Begins(starts) = &mut term.test else {
            return Filter::Term(term);
        };
        for start in starts {
            let now = match (term.field.as_str(), start.as_str()) {
                ("git_commit", "HEAD" | "head") => crate::snapshot::named(project, "HEAD"),
                ("session_id", "last") => crate::sessions::resolve(project, "last")
                    .ok()
                    .map(|id| id.to_string()),
                _ => None,
            };
            if let Some(now) = now {
                *start = now;
            }
        }
        Filter::Term(term)
    })
}

/// A word alone that is the name of a field.
fn is_a_field(catalog: &Catalog, query: &Query, term: &Term) -> Result<Option<String>> {
    let Test::Contains(word) = &term.test else {
        return Ok(None);
    };
    if term.field != filter::WORDS {
        return Ok(None);
    }
    let name = filter::alias(word).unwrap_or(word);
    let is_one = catalog
        .names(query.project)?
        .all()
        .any(|known| known == name);
    Ok(is_one.then(|| {
        let word = text::short(word, 40);
        format!("no artifact has the word `{word}`; as a field: 'has:{word}'")
    }))
}

/// Where nothing was found: values that no artifact has, and which ones there are.
pub(super) fn odd_values(catalog: &Catalog, query: &Query, found: &Found) -> Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    if found.total > 0 || found.among == 0 {
        return Ok(lines);
    }
    for term in query.filter.terms() {
        let line = match holds_others(catalog, query, term)? {
            Some(line) => Some(line),
            None => match is_a_field(catalog, query, term)? {
                Some(line) => Some(line),
                None => odd_value(catalog, query, term)?,
            },
        };
        lines.extend(line.filter(|line| !lines.contains(line)));
    }
    Ok(lines)
}

fn odd_value(catalog: &Catalog, query: &Query, term: &Term) -> Result<Option<String>> {
    let Some(typed) = text_of(term) else {
        return Ok(None);
    };
    if term.field == "project" || term.field.starts_with("models.") {
        return Ok(None);
    }
    let most = if term.field == "file" { FILES } else { VALUES };
    let engine = &catalog.engine;
    let values = engine.values(query.project, &term.field, "", most)?;
    if values.is_empty() {
        return Ok(None);
    }
    let flags = |value: &String| matches!(value.as_str(), "true" | "false");
    let is_several = matches!(&term.test, Test::Equal(readings) if readings.len() > 1);
    if is_several && !values.iter().all(flags) {
        return Ok(None);
    }
    let holds = |value: &String| match &term.test {
        Test::Begins(starts) => starts.iter().any(|start| value.starts_with(start)),
        Test::Contains(part) => filter::fold(value).contains(part),
        _ => value == typed,
    };
    if values.iter().any(holds) {
        return Ok(None);
    }
    Ok(match &term.test {
        Test::Contains(_) => near_word(typed, &values)
            .map(|word| format!("{}; did you mean `{word}`?", head(term, typed))),
        _ => Some(odd(term, typed, &values)),
    })
}

/// Where a field is an object in every artifact: the names that it holds.
fn holds_others(catalog: &Catalog, query: &Query, term: &Term) -> Result<Option<String>> {
    let is_test = !matches!(term.test, Test::Has | Test::IsNull);
    if !is_test || is_ours(&term.field, query.what, None) {
        return Ok(None);
    }
    let names = catalog.names(query.project)?;
    if names.all().any(|name| *name == term.field) {
        return Ok(None);
    }
    let within = format!("{}.", term.field);
    let held = names.all().filter(|name| name.starts_with(&within));
    let shown: Vec<String> = held
        .take(LISTED)
        .map(|name| text::short(name, 40))
        .collect();
    let field = text::short(&term.field, 40);
    Ok((!shown.is_empty()).then(|| format!("`{field}` holds others: {}", shown.join(", "))))
}

/// A word of the values that is spelt nearly as a part that none of them contains.
fn near_word<'a>(typed: &str, values: &'a [String]) -> Option<&'a str> {
    let is_end = |each: char| !each.is_alphabetic();
    let words = values.iter().flat_map(|value| value.split(is_end));
    let words: Vec<(String, &str)> = words.map(|word| (filter::fold(word), word)).collect();
    let near = nearest(typed, words.iter().map(|(folded, _)| folded.as_str()))?;
    let found = words.iter().find(|(folded, _)| folded == near);
    found.map(|(_, word)| *word)
}

/// What was typed, where it is a text.
fn text_of(term: &Term) -> Option<&str> {
    let value = match &term.test {
        Test::Equal(values) => values.last()?,
        Test::Begins(starts) => return starts.first().map(String::as_str),
        Test::Order(_, value) => value,
        Test::Contains(part) if term.field != filter::WORDS => return Some(part),
        _ => return None,
    };
    let is_time = filter::column(&term.field).is_some_and(|column| column.time);
    (!is_time && value.kind() == Kind::Text).then(|| value.as_str())
}

fn head(term: &Term, typed: &str) -> String {
    format!(
        "no artifact has `{}` as {}",
        text::short(typed, 40),
        text::short(&term.field, 40)
    )
}

fn odd(term: &Term, typed: &str, values: &[String]) -> String {
    let head = head(term, typed);
    // The name of a file alone, or the beginning of a word.
    let named = format!("/{typed}");
    let fits = |value: &&String| {
        if term.field == "file" {
            value.ends_with(&named)
        } else {
            typed.len() >= 3 && value.starts_with(typed)
        }
    };
    if let Some(near) = values.iter().find(fits) {
        return format!("{head}; did you mean `{}`?", text::short(near, 60));
    }
    if let Some(near) = nearest(typed, values.iter().map(String::as_str)) {
        return format!("{head}; did you mean `{}`?", text::short(near, 60));
    }
    if values.len() <= LISTED {
        let shown: Vec<String> = values.iter().map(|value| text::short(value, 40)).collect();
        return format!("{head}; there is: {}", shown.join(", "));
    }
    let is_number = |value: &String| value.parse::<f64>().is_ok();
    if values.iter().all(is_number) {
        return format!("{head}; its values are numbers");
    }
    head
}
