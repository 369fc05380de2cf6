//! Everything that was ever made, by what it was made with.
//!
//! A question is a filter (`model~qwen temperature=0.5.. since:yesterday`), asked of the
//! catalog after that was brought up to date. Where the catalog's rows cannot tell, the
//! records themselves are read, and only those that may match.
//!
//! # Invariants
//!
//! * What is left out because it is unknown is counted, never silently dropped.

mod complete;
mod group_by;
mod roles;
mod spelling;

use std::io;

use birthmark_catalog::engine::{Cell, Engine, Found, FoundRow, Query, What};
use birthmark_catalog::filter::{self, Context, Filter, FilterError, Term, Test};
use birthmark_core::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::catalog::{self, Catalog, Depth};
use crate::clocks::{Clocks, Told};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::text;

pub use birthmark_catalog::engine::{
    Cell as FoundCell, Found as Answered, FoundRow as Row, What as Sought,
};

pub use birthmark_catalog::value::{Kind as FoundKind, Value as FoundValue};

pub use complete::complete;
pub use group_by::group_by;
use spelling::odd_values;
pub(crate) use spelling::{misspelt, near_field};

/// A question as it was asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The filter.
    pub filter: String,
    /// What is looked for.
    pub what: What,
    /// In all projects that the catalog knows, and not in this one alone.
    pub everywhere: bool,
    /// Also what is no longer there.
    pub gone: bool,
    /// The field to sort by; a `-` before it turns the order round.
    pub sort: Option<String>,
    /// So many at most.
    pub limit: Option<usize>,
    /// Fields that are wanted beside the usual ones.
    pub columns: Vec<String>,
    /// When it is asked.
    pub now: Timestamp,
    /// Where days begin.
    pub zone: TimeZone,
}

impl Ask {
    /// For artifacts of this project, the newest first, all of them.
    pub fn new(filter: impl Into<String>, now: Timestamp) -> Self {
        Self {
            filter: filter.into(),
            what: What::Artifacts,
            everywhere: false,
            gone: false,
            sort: None,
            limit: None,
            columns: Vec::new(),
            now,
            zone: TimeZone::system(),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What was found.
    pub found: Found,
    /// Lines for the person: the catalog was built anew, a value is misspelt.
    pub said: Vec<String>,
    /// Lines below the answer: the value lies in a field of a longer name.
    pub also: Vec<String>,
    /// Clocks that disagree, among those of what is shown.
    pub clocks: Clocks,
}

/// Reads a filter; an error shows where it is wrong.
pub fn parse(ask: &Ask) -> Result<Filter> {
    let context = Context {
        now: ask.now,
        zone: ask.zone.clone(),
    };
    filter::parse(&ask.filter, &context).map_err(|error| explain(&error, &ask.filter))
}

fn explain(error: &FilterError, text: &str) -> Error {
    let message = format!("cannot read the filter: {error}\n{}", error.picture(text));
    let shown = Error::usage("filter", message);
    match &error.hint {
        Some(hint) => shown.with_hint(hint.clone()),
        None => shown,
    }
}

/// Answers a question.
pub fn find(project: &Project, ask: &Ask) -> Result<Answer> {
    let filter = parse(ask)?;
    let mut catalog = Catalog::open()?;
    find_in(&mut catalog, project, ask, &filter)
}

/// The same, of a catalog that is open.
pub fn find_in(
    catalog: &mut Catalog,
    project: &Project,
    ask: &Ask,
    filter: &Filter,
) -> Result<Answer> {
    let query = prepare(catalog, project, ask, filter.clone())?;
    let look = &mut |stretch: &_, known: &_| catalog::look(stretch, known, &query.filter);
    let mut found = catalog.engine.find(&query, look)?;
    if ask.what == What::Artifacts && catalog.look_at(project, &found)? {
        found = catalog.engine.find(&query, look)?;
    }
    answered(catalog, found, (&query, filter, &[]), ask)
}

/// An answer, with the values that were typed and that nothing has; an error where nothing
/// has a name that was typed.
fn answered(
    catalog: &mut Catalog,
    mut found: Found,
    (query, parsed, group): (&Query, &Filter, &[String]),
    ask: &Ask,
) -> Result<Answer> {
    let mut names: Vec<&str> = query.columns.iter().map(String::as_str).collect();
    names.push(&query.sort.0);
    names.extend(group.iter().map(String::as_str));
    let mut said = std::mem::take(&mut catalog.said);
    said.extend(misspelt(
        catalog,
        (query.project, query.what, Some(&found)),
        &names,
        parsed,
    )?);
    said.extend(odd_values(catalog, query, &found)?);
    let mut also = roles::elsewhere(catalog, ask, (parsed, query), &found)?;
    also.extend(edited(&found, ask));
    roles::lacking_as_typed(&mut found, ask, parsed);
    let clocks = Clocks::of(catalog, &sessions_of(&found), ask.now)?;
    Ok(Answer {
        found,
        said,
        also,
        clocks,
    })
}

/// What is not what was recorded is never told as if it were.
fn edited(found: &Found, ask: &Ask) -> Option<String> {
    let of = match ask.what {
        What::Artifacts => "",
        _ if found.edited == 1 => " artifact of theirs that matches",
        _ => " artifacts of theirs that match",
    };
    let verb = if found.edited == 1 { "was" } else { "were" };
    (found.edited > 0).then(|| {
        format!(
            "{}{of} {verb} edited after being recorded: state=edited.",
            text::grouped(found.edited)
        )
    })
}

/// The sessions of the rows, each once, with the latest time that a row tells of it.
fn sessions_of(found: &Found) -> Vec<Told> {
    let mut places = std::collections::HashMap::new();
    let mut out: Vec<Told> = Vec::new();
    for row in &found.rows {
        let text = |name: &str| {
            let cell = row.fields.iter().find(|(known, _)| known == name);
            match cell {
                Some((_, Cell::Value(value))) if !value.is_null() => {
                    Some(value.as_str().to_owned())
                }
                _ => None,
            }
        };
        // What no session made may be dated ahead, too.
        let session = text("session_id").unwrap_or_default();
        let mut times = ["session_start", "run_start", "timestamp"].into_iter();
        let time = times.find_map(text).and_then(|time| time.parse().ok());
        let place = *places.entry(session.clone()).or_insert(out.len());
        match out.get_mut(place) {
            Some(known) if known.time < time => {
                (known.time, known.file) = (time, text("file"));
            }
            Some(_) => {}
            None => out.push(Told {
                session,
                host: text("host"),
                time,
                file: text("file"),
            }),
        }
    }
    out
}

pub(crate) fn prepare(
    catalog: &mut Catalog,
    project: &Project,
    ask: &Ask,
    filter: Filter,
) -> Result<Query> {
    let row = if ask.everywhere {
        update_all(catalog, project)?;
        None
    } else {
        catalog.refresh(project, Depth::Question)?;
        Some(catalog.row_of(project)?.id)
    };
    let (field, upwards) = match ask.sort.as_deref() {
        None => ("timestamp", false),
        Some(field) => match field.strip_prefix('-') {
            Some(field) => (field, false),
            None => (field, true),
        },
    };
    let filter = spelling::names_of_now(project, filter);
    let filter = roles::widened(catalog, row, ask, filter)?;
    let filter = if ask.everywhere {
        named_projects(catalog, filter)?
    } else {
        filter
    };
    Ok(Query {
        filter,
        project: row,
        what: ask.what,
        gone: ask.gone,
        sort: (field_of(field), upwards),
        limit: ask.limit,
        columns: ask.columns.iter().map(|column| field_of(column)).collect(),
    })
}

/// Of several projects, a word alone is also looked for in the name of their folders, as which they
/// stand before the files.
fn named_projects(catalog: &Catalog, filter: Filter) -> Result<Filter> {
    if !filter
        .terms()
        .iter()
        .any(|term| term.field == filter::WORDS)
    {
        return Ok(filter);
    }
    let roots: Vec<String> = catalog
        .projects()?
        .into_iter()
        .map(|row| row.root)
        .collect();
    Ok(filter.map_terms(&mut |term| {
        let Test::Contains(word) = &term.test else {
            return Filter::Term(term);
        };
        let is_named = |root: &&String| {
            let name = std::path::Path::new(root.as_str()).file_name();
            name.is_some_and(|name| filter::fold(&name.to_string_lossy()).contains(word))
        };
        let named: Vec<_> = roots
            .iter()
            .filter(is_named)
            .map(FoundValue::text)
            .collect();
        if term.field != filter::WORDS || named.is_empty() {
            return Filter::Term(term);
        }
        let of = Term {
            field: "project".to_owned(),
            test: Test::Equal(named),
            span: term.span,
        };
        Filter::Or(vec![Filter::Term(term), Filter::Term(of)])
    }))
}

/// Brings every known project up to date, this one first; those that are not there at
/// the moment keep what is known of them.
pub(crate) fn update_all(catalog: &mut Catalog, project: &Project) -> Result<()> {
    if project.layout.artifacts().is_dir() {
        catalog.refresh(project, Depth::Question)?;
    }
    catalog.learn()?;
    for row in catalog.projects()? {
        if std::path::Path::new(&row.artifacts).is_dir() {
            let other = catalog::project_of(&row)?;
            if other.layout.artifacts() != project.layout.artifacts() {
                catalog.refresh(&other, Depth::Question)?;
            }
        }
    }
    Ok(())
}

/// What came of writing records out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Records that match.
    pub records: u64,
    /// Records of which it is unknown.
    pub unknown: u64,
    /// Files that they lie in.
    pub files: u64,
    /// Of these files, those that were edited since they were recorded.
    pub edited: Vec<String>,
}

/// Takes a record: its file, its line, its bytes.
pub type Take<'a> = dyn FnMut(&str, u64, &[u8]) -> io::Result<()> + 'a;

/// Hands over the records that match, each as it stands in its file, in the order of the
/// files. `take` is told the file, the line and the bytes.
pub fn records(
    project: &Project,
    ask: &Ask,
    take: &mut Take<'_>,
) -> Result<(Written, Vec<String>)> {
    let filter = parse(ask)?;
    let mut catalog = Catalog::open()?;
    let query = prepare(&mut catalog, project, ask, filter.clone())?;
    let mut said = std::mem::take(&mut catalog.said);
    said.extend(misspelt(
        &catalog,
        (query.project, query.what, None),
        &[],
        &filter,
    )?);
    let limit = query.limit.map_or(u64::MAX, |limit| limit as u64);
    let mut written = Written::default();
    let mut last_file = std::path::PathBuf::new();
    let mut failed = Ok(());
    for (stretch, known) in catalog.engine.stretches(&query)? {
        let path = crate::project::lies_at(stretch.root.as_ref(), &stretch.file);
        let read =
            catalog::records_of(&stretch, &known, &query.filter, &mut |mark, _, _, holds| {
                if holds != Some(true) {
                    written.unknown += u64::from(holds.is_none());
                    return true;
                }
                if written.records >= limit {
                    return false;
                }
                written.records += 1;
                if last_file != path {
                    last_file.clone_from(&path);
                    written.files += 1;
                    if stretch.edited {
                        written.edited.push(stretch.file.clone());
                    }
                }
                failed = take(&stretch.file, mark.line, mark.record);
                failed.is_ok()
            });
        read.map_err(|source| cannot("read", &path, source))?;
        std::mem::replace(&mut failed, Ok(()))
            .map_err(|source| cannot("write what was found in", &path, source))?;
        if written.records >= limit {
            return Ok((written, said));
        }
    }
    let (unknown, unsure) = catalog.engine.unsure(&query)?;
    written.unknown += unknown;
    for (stretch, known) in unsure {
        let path = crate::project::lies_at(stretch.root.as_ref(), &stretch.file);
        let read = catalog::records_of(&stretch, &known, &query.filter, &mut |_, _, _, holds| {
            written.unknown += u64::from(holds.is_none());
            true
        });
        read.map_err(|source| cannot("read", &path, source))?;
    }
    Ok((written, said))
}

fn cannot(action: &str, path: &std::path::Path, source: io::Error) -> Error {
    let message = format!("cannot {action} `{}`", path.display());
    Error::new(crate::error::Kind::Io, "io", message).with_source(source)
}

/// The stored name of a field that may have been typed by a short one.
pub fn field_of(name: &str) -> String {
    filter::alias(name).unwrap_or(name).to_owned()
}

/// A row as JSON, with the stored field names; of a field that varies both ends, and each value
/// where they are few.
pub fn row_to_json(row: &FoundRow) -> Value {
    let mut out = Map::new();
    for (name, cell) in &row.fields {
        out.insert(name.clone(), cell_to_json(cell));
    }
    out.insert("project".to_owned(), Value::from(row.root.as_str()));
    if !row.places.is_empty() {
        out.insert("also_at".to_owned(), Value::from(row.places.clone()));
    }
    Value::Object(out)
}

fn cell_to_json(cell: &Cell) -> Value {
    match cell {
        Cell::Missing => Value::Null,
        Cell::Value(value) => value.to_json(),
        Cell::Values(values) if cell.ends().is_none() => {
            let values: Vec<Value> = values.iter().map(FoundValue::to_json).collect();
            serde_json::json!({"min": values.first(), "max": values.last(), "values": values})
        }
        Cell::Values(_) | Cell::Range(..) => {
            let ends = cell.ends();
            serde_json::json!({
                "min": ends.map(|(low, _)| low.to_json()),
                "max": ends.map(|(_, high)| high.to_json()),
            })
        }
        Cell::Several => serde_json::json!({"min": null, "max": null}),
    }
}

/// An answer as JSON.
pub fn to_json(answer: &Answer) -> Value {
    let found = &answer.found;
    let lacking: Map<String, Value> = found
        .lacking
        .iter()
        .map(|(name, count)| (name.clone(), Value::from(*count)))
        .collect();
    serde_json::json!({
        "found": found.total,
        "among": found.among,
        "unknown": found.unknown,
        "lacking": lacking,
        "gone": found.gone,
        "edited": found.edited,
        "said": answer.said,
        "also": answer.also,
        "clocks": answer.clocks.to_json(),
        "rows": found.rows.iter().map(row_to_json).collect::<Vec<_>>(),
    })
}
