//! `model`, as people mean it: the model of a run, or any model that a report names.
//!
//! An evaluation of several models names each by its role (`models.base`), and has no
//! `model_name`. The short name `model`, and a word alone, look at all of them; the stored
//! names look at themselves alone.
//!
//! # Invariants
//!
//! * It is unknown only of what names no model at all.

use std::collections::BTreeMap;

use birthmark_catalog::engine::{By, Engine, Found, Query};
use birthmark_catalog::filter::{Filter, Term, Test, WORDS};

use super::{Ask, field_of};
use crate::catalog::{self, Catalog};
use crate::error::Result;
use crate::text;

/// The short name that means all of them.
const SHORT: &str = "model";
/// The field that it means first.
const NAME: &str = "model_name";
/// Names that end as the one that was asked for, at most so many.
const MOST: usize = 3;

/// The filter, with `model` looked for under every role that the catalog knows.
pub(super) fn widened(
    catalog: &Catalog,
    project: Option<i64>,
    ask: &Ask,
    filter: Filter,
) -> Result<Filter> {
    if !filter
        .terms()
        .iter()
        .any(|term| is_meant(term, &ask.filter))
    {
        return Ok(filter);
    }
    let names = catalog.names(project)?;
    let roles = names.fields.iter().filter(|name| is_role(name));
    let roles: Vec<String> = roles.cloned().collect();
    if roles.is_empty() {
        return Ok(filter);
    }
    Ok(filter.map_terms(&mut |term| {
        if is_meant(&term, &ask.filter) {
            any_of(&term, &roles)
        } else {
            Filter::Term(term)
        }
    }))
}

/// What a name means that is counted by: `model` the models of all roles, any other itself.
pub(super) fn by(catalog: &Catalog, project: Option<i64>, typed: &str) -> Result<By> {
    if typed != SHORT {
        return Ok(By::name(field_of(typed)));
    }
    let names = catalog.names(project)?;
    let roles = names.fields.iter().filter(|name| is_role(name));
    let roles: Vec<String> = roles.cloned().collect();
    let role = |name: &str| name.split('.').take(2).collect::<Vec<_>>().join(".");
    // Of a role what it is itself, its name, its path: the first that is there counts.
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in roles {
        let role = role(&name);
        // An object is no name.
        let first = || vec![role.clone(), format!("{role}.name")];
        let chain = chains.entry(role.clone()).or_insert_with(first);
        if !chain.contains(&name) {
            chain.push(name);
        }
    }
    let mut chains: Vec<Vec<String>> = chains.into_values().collect();
    chains.insert(0, vec![NAME.to_owned()]);
    Ok(By { chains })
}

/// Whether a field names a model by its role.
fn is_role(name: &str) -> bool {
    name.strip_prefix("models.").is_some_and(|role| {
        let (_, last) = role.split_once('.').unwrap_or(("", "name"));
        matches!(last, "name" | "path")
    })
}

/// Whether the term was typed with the short name, or is a word alone.
fn is_meant(term: &Term, text: &str) -> bool {
    term.field == WORDS || (term.field == NAME && typed(term, text) == SHORT)
}

/// The name as it was typed.
fn typed<'a>(term: &Term, text: &'a str) -> &'a str {
    let written = text.get(term.span.start..term.span.end).unwrap_or_default();
    let written = written.strip_prefix("has:").unwrap_or(written);
    let is_name = |each: char| each.is_alphanumeric() || each == '_' || each == '.';
    let end = written.find(|each| !is_name(each)).unwrap_or(written.len());
    written.get(..end).unwrap_or_default()
}

/// The term of any of the names that are there; unknown where none is.
fn any_of(term: &Term, roles: &[String]) -> Filter {
    let of = |field: &str, test: Test| {
        Filter::Term(Term {
            field: field.to_owned(),
            test,
            span: term.span,
        })
    };
    let has = |field: &str| of(field, Test::Has);
    let asked = |field: &str| match term.test {
        Test::Has | Test::IsNull => of(field, term.test.clone()),
        _ => Filter::And(vec![has(field), of(field, term.test.clone())]),
    };
    let mut any: Vec<Filter> = roles.iter().map(|role| asked(role)).collect();
    match term.test {
        _ if term.field == WORDS => any.push(Filter::Term(term.clone())),
        Test::Has | Test::IsNull => any.push(asked(NAME)),
        _ => {
            let none = roles.iter().map(|role| Filter::Not(Box::new(has(role))));
            let mut unknown: Vec<Filter> = none.collect();
            unknown.push(Filter::Term(term.clone()));
            any.extend([asked(NAME), Filter::And(unknown)]);
        }
    }
    Filter::Or(any)
}

/// What is lacking, said of the name that was typed.
pub(super) fn lacking_as_typed(found: &mut Found, ask: &Ask, parsed: &Filter) {
    let terms = parsed.terms();
    if !terms.iter().any(|term| is_meant(term, &ask.filter)) {
        return;
    }
    let is_asked = |name: &str| {
        let mut terms = terms.iter();
        terms.any(|term| term.field == name && typed(term, &ask.filter) == name)
    };
    found
        .lacking
        .retain(|(name, _)| !is_role(name) || is_asked(name));
    for (name, _) in &mut found.lacking {
        if name == NAME && !is_asked(NAME) {
            SHORT.clone_into(name);
        }
    }
}

/// Where nothing was found, and always for `seed`: fields whose names end as the one that
/// was asked for, and that have what was looked for.
pub(super) fn elsewhere(
    catalog: &Catalog,
    ask: &Ask,
    (parsed, query): (&Filter, &Query),
    found: &Found,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for term in parsed.terms() {
        let is_test = !matches!(term.test, Test::Has | Test::IsNull) && term.field != WORDS;
        if !is_test || (found.total > 0 && term.field != "seed") {
            continue;
        }
        let names = catalog.names(query.project)?;
        let ending = format!("_{}", term.field);
        let near = names.fields.iter().filter(|name| name.ends_with(&ending));
        let near: Vec<&str> = near.take(MOST).map(String::as_str).collect();
        // Mostly none of them has it: that is one question.
        if near.len() > 1 && counted(catalog, query, any_named(parsed, term, &near))? == 0 {
            continue;
        }
        for name in near {
            let count = counted(catalog, query, any_named(parsed, term, &[name]))?;
            if count > 0 {
                lines.push(line(ask, term, name, count));
            }
        }
    }
    Ok(lines)
}

fn counted(catalog: &Catalog, query: &Query, filter: Filter) -> Result<u64> {
    let query = Query {
        filter,
        limit: Some(0),
        columns: Vec::new(),
        ..query.clone()
    };
    let look = &mut |stretch: &_, known: &_| catalog::look(stretch, known, &query.filter);
    Ok(catalog.engine.total(&query, look)?)
}

fn line(ask: &Ask, term: &Term, name: &str, count: u64) -> String {
    let written = ask.filter.get(term.span.start..term.span.end);
    let written = written.unwrap_or_default();
    let rest = written.strip_prefix(typed(term, &ask.filter));
    let verb = if count == 1 { "has" } else { "have" };
    format!(
        "{} {verb} it as {name}: '{}'.",
        text::grouped(count),
        text::short(&format!("{name}{}", rest.unwrap_or_default()), 60)
    )
}

/// The filter with any of these names in the place of a term's, and that condition alone: what
/// is told of it must be what it finds.
fn any_named(filter: &Filter, term: &Term, names: &[&str]) -> Filter {
    let under = |name: &&str| {
        Filter::Term(Term {
            field: (*name).to_owned(),
            ..term.clone()
        })
    };
    let any = Filter::Or(names.iter().map(under).collect());
    let renamed = filter.clone().map_terms(&mut |found| {
        if found == *term {
            any.clone()
        } else {
            Filter::Term(found)
        }
    });
    Filter::And(vec![renamed, any])
}
