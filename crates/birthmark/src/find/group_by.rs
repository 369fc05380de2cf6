//! What was found, counted by the values of fields.

use std::collections::BTreeMap;

use birthmark_catalog::engine::{By, Cell, Counts, Engine, Found, What};
use birthmark_catalog::value::Kind;

use super::{Answer, Ask, answered, field_of, find_in, parse, prepare, roles};
use crate::catalog::{self, Catalog};
use crate::error::Result;
use crate::project::Project;

/// An answer without rows, and how many of what was found have which values of these
/// fields, the most frequent first; none is those without. `model` is the model of any role,
/// so that what names several counts for each.
pub fn group_by(project: &Project, ask: &Ask, fields: &[String]) -> Result<(Answer, Counts)> {
    let filter = parse(ask)?;
    let mut catalog = Catalog::open()?;
    let query = prepare(&mut catalog, project, ask, filter.clone())?;
    let by: Vec<By> = fields
        .iter()
        .map(|field| roles::by(&catalog, query.project, field))
        .collect::<Result<_>>()?;
    let (mut answer, counts) = if ask.what == What::Artifacts {
        let (found, counts) = catalog
            .engine
            .group_by(&query, &by, &mut |stretch, known| {
                catalog::look(stretch, known, &query.filter)
            })?;
        let names: Vec<String> = fields.iter().map(|field| field_of(field)).collect();
        let answer = answered(&mut catalog, found, (&query, &filter, &names), ask)?;
        (answer, counts)
    } else {
        let mut ask = ask.clone();
        ask.limit = None;
        let names = by.iter().flat_map(|by| by.chains.iter().flatten());
        ask.columns.extend(names.cloned());
        let mut answer = find_in(&mut catalog, project, &ask, &filter)?;
        let counts = counted(&answer.found, &by);
        answer.found.rows.clear();
        (answer, counts)
    };
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    if sum > answer.found.total {
        let line = "What has several values counts for each.";
        answer.also.push(line.to_owned());
    }
    Ok((answer, counts))
}

/// Rows counted by the values of fields.
fn counted(found: &Found, by: &[By]) -> Counts {
    let mut counts: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
    for row in &found.rows {
        let value = |name: &String, is_plain: bool| {
            let (_, cell) = row.fields.iter().find(|(known, _)| known == name)?;
            let is_nested = matches!(cell, Cell::Value(value) if value.kind() == Kind::Json);
            let mut each = cell.each()?;
            each.retain(|_| !(is_plain && is_nested));
            (!each.is_empty()).then_some(each)
        };
        let mut all: Vec<Vec<Option<String>>> = vec![Vec::new()];
        for field in by {
            let mut values: Vec<Option<String>> = field
                .chains
                .iter()
                .filter_map(|chain| chain.iter().find_map(|name| value(name, chain.len() > 1)))
                .flatten()
                .map(|value| Some(value.as_str().to_owned()))
                .collect();
            values.sort();
            values.dedup();
            if values.is_empty() {
                values.push(None);
            }
            let with = |before: &Vec<Option<String>>| -> Vec<Vec<Option<String>>> {
                let values = values.iter();
                let longer =
                    values.map(|value| [before.as_slice(), std::slice::from_ref(value)].concat());
                longer.collect()
            };
            all = all.iter().flat_map(with).collect();
        }
        for values in all {
            *counts.entry(values).or_default() += 1;
        }
    }
    let mut counts: Counts = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
