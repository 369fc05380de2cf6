//! Names that were typed and that nothing has: which are spelt nearly so.

use birthmark_catalog::engine::{Engine, Found};
use birthmark_catalog::filter;
use birthmark_core::birthmark::{FIELDS, rule};

use crate::catalog::Catalog;
use crate::error::Result;
use crate::sessions::edits_between;
use crate::text;

/// Columns of sessions and of runs, where nothing was found that shows them.
const COLUMNS: [&str; 13] = [
    "session_start",
    "session_end",
    "outcome",
    "host",
    "artifacts",
    "run_start",
    "run_end",
    "duration_s",
    "exit_code",
    "rank",
    "script_name",
    "session_id",
    "run_id",
];

/// A line for each of these names that nothing has.
pub(super) fn misspelt(catalog: &Catalog, found: &Found, names: &[&str]) -> Result<Vec<String>> {
    let is_shown = |name: &str| {
        let mut rows = found.rows.iter().take(1);
        rows.any(|row| {
            let mut fields = row.fields.iter();
            fields.any(|(known, cell)| known == name && *cell != super::Cell::Missing)
        })
    };
    let mut unsure: Vec<&str> = Vec::new();
    for name in names {
        let is_ours = filter::column(name).is_some()
            || *name == filter::WORDS
            || COLUMNS.contains(name)
            || name.contains('.')
            || rule(name).is_some()
            || is_shown(name);
        if !is_ours && !unsure.contains(name) {
            unsure.push(name);
        }
    }
    if unsure.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = catalog.engine.fields()?;
    known.extend(catalog.engine.metrics()?);
    let is_known = |name: &&str| {
        let mut known = known.iter();
        known.any(|known| known == name || known.strip_prefix("environment.") == Some(name))
    };
    unsure.retain(|name| !is_known(name));
    Ok(unsure.into_iter().map(|name| line(name, &known)).collect())
}

fn line(name: &str, known: &[String]) -> String {
    let names = known
        .iter()
        .map(|name| name.strip_prefix("environment.").unwrap_or(name))
        .chain(FIELDS.iter().map(|field| field.name));
    let near = names
        .map(|known| (edits_between(name, known), known))
        .filter(|(edits, _)| *edits <= 2.max(name.len() / 4))
        .min();
    let shown = text::short(name, 60);
    match near {
        Some((_, near)) => format!("nothing has a field `{shown}`; did you mean `{near}`?"),
        None => format!("nothing has a field `{shown}`"),
    }
}
