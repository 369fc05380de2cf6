//! From a filter to SQL over the groups of records.
//!
//! NOT is pushed down to the terms, so that each term is asked for the groups in which it
//! is true, or in which it is false; those in which it is unknown are in neither. A group
//! whose records differ in a field counts as soon as one of its records *could* match:
//! what can be is then looked at more closely (see [`super::find`]).
//!
//! # Invariants
//!
//! * What a user typed reaches SQL as a bound parameter only.

mod condition;

pub(super) use condition::beginning;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension};

use crate::filter::{Filter, Term, Test, WORDS, column, searched_by_words};

/// A condition, and the values of its question marks.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Sql>,
}

/// Where the values of a field stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// Several columns, for a word alone.
    Words,
    /// A column of the artifact.
    Artifact(&'static str),
    /// The root of the project.
    Project,
    /// A column of the group: session, run.
    Group(&'static str),
    /// The two columns of the group for its times.
    Time,
    /// The facts of the group's mark.
    Fact(String),
    /// The metrics of the artifact.
    Metric(String),
    /// The facts of the session.
    Session(String),
}

/// Where the values of `field` stand. A name that no birthmark has is looked for among
/// the metrics, then among what is known of the machine.
pub(super) fn home(db: &Connection, field: &str) -> rusqlite::Result<Home> {
    if field == WORDS {
        return Ok(Home::Words);
    }
    match field {
        "timestamp" => return Ok(Home::Time),
        "session_id" => return Ok(Home::Group("session_id")),
        "run_id" => return Ok(Home::Group("run_id")),
        "project" => return Ok(Home::Project),
        _ => {}
    }
    if let Some(column) = column(field) {
        return Ok(Home::Artifact(column.name));
    }
    for prefix in ["metric.", "metrics.", "summary."] {
        if let Some(name) = field.strip_prefix(prefix) {
            return Ok(Home::Metric(name.to_owned()));
        }
    }
    if let Some(name) = field.strip_prefix("field.") {
        return Ok(Home::Fact(name.to_owned()));
    }
    if field.starts_with("environment.") {
        return Ok(Home::Session(field.to_owned()));
    }
    let has = |sql: &str, name: &str| -> rusqlite::Result<bool> {
        let found: Option<i64> = db
            .prepare_cached(sql)?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(found.is_some())
    };
    if birthmark_core::birthmark::rule(field).is_some()
        || has(
            "SELECT 1 FROM _facts f JOIN _mark_facts m ON m.fact = f.id JOIN _groups g ON g.mark = m.mark WHERE f.name = ? LIMIT 1",
            field,
        )?
        || has("SELECT 1 FROM _zones WHERE name = ? LIMIT 1", field)?
    {
        return Ok(Home::Fact(field.to_owned()));
    }
    if has("SELECT 1 FROM _metrics WHERE name = ? LIMIT 1", field)? {
        return Ok(Home::Metric(field.to_owned()));
    }
    let machine = match field {
        "host" => "environment.hostname".to_owned(),
        other => format!("environment.{other}"),
    };
    if has("SELECT 1 FROM _facts WHERE name = ? LIMIT 1", &machine)? {
        return Ok(Home::Session(machine));
    }
    Ok(Home::Fact(field.to_owned()))
}

/// The groups in which a record could give the answer `want`.
pub(super) fn lower(db: &Connection, filter: &Filter, want: bool) -> rusqlite::Result<Condition> {
    let mut out = Condition::default();
    put(db, filter, want, &mut out)?;
    Ok(out)
}

fn put(db: &Connection, filter: &Filter, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    match filter {
        Filter::All => out.sql.push_str(if want { "1" } else { "0" }),
        Filter::Not(inner) => put(db, inner, !want, out)?,
        Filter::And(parts) | Filter::Or(parts) => {
            let all = matches!(filter, Filter::And(_)) == want;
            out.sql.push('(');
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    out.sql.push_str(if all { " AND " } else { " OR " });
                }
                put(db, part, want, out)?;
            }
            out.sql.push(')');
        }
        Filter::Term(term) => term_sql(db, term, want, out)?,
    }
    Ok(())
}

fn term_sql(db: &Connection, term: &Term, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    let test = &term.test;
    let home = home(db, &term.field)?;
    // Where no group varies in the field, nothing is asked of zones.
    let varies = match &home {
        Home::Fact(name) => has_zone(db, name)?,
        Home::Group(name) => has_zone(db, name)?,
        Home::Time => has_zone(db, "timestamp")?,
        _ => false,
    };
    match home {
        Home::Words => words(db, test, want, out)?,
        Home::Artifact(column) => out.column(&format!("a.{column}"), test, want),
        Home::Project => out.column(
            "(SELECT root FROM _projects WHERE id = a.project)",
            test,
            want,
        ),
        Home::Group(column) => {
            out.sql.push('(');
            out.column(&format!("g.{column}"), test, want);
            if varies {
                out.or_zone(&term.field, test, want);
            }
            out.sql.push(')');
        }
        Home::Time => {
            out.sql.push('(');
            out.time(test, want);
            if varies {
                out.or_zone("timestamp", test, want);
            }
            out.sql.push(')');
        }
        Home::Fact(name) => {
            out.sql.push('(');
            let absent = matches!(test, Test::Has | Test::IsNull) && !want;
            if absent && varies {
                out.no_zone(&name);
            }
            out.in_marks("g.mark", &name, test, want);
            if varies {
                out.or_zone(&name, test, want);
            }
            out.sql.push(')');
        }
        Home::Metric(name) => {
            let negated = matches!(test, Test::Has | Test::IsNull) && !want;
            out.sql.push_str(if negated { "NOT " } else { "" });
            out.sql
                .push_str("g.artifact IN (SELECT artifact FROM _metrics WHERE name = ? AND ");
            out.values.push(Sql::Text(name));
            out.key("key", "value", test, want || negated);
            out.sql.push(')');
        }
        Home::Session(name) => {
            let negated = matches!(test, Test::Has | Test::IsNull) && !want;
            out.sql.push_str(if negated { "NOT " } else { "" });
            out.sql
                .push_str("(g.session_id IS NOT NULL AND g.session_id IN (SELECT session_id FROM _sessions s WHERE ");
            out.in_marks("s.mark", &name, test, want || negated);
            out.sql.push_str("))");
        }
    }
    Ok(())
}

/// Whether the field varies in some group.
pub(super) fn has_zone(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM _zones WHERE name = ?)";
    db.prepare_cached(sql)?.query_row([name], |row| row.get(0))
}

/// A word alone: known for every artifact, since a field that is missing contains nothing.
fn words(db: &Connection, test: &Test, want: bool, out: &mut Condition) -> rusqlite::Result<()> {
    out.sql.push('(');
    for (place, field) in searched_by_words().into_iter().enumerate() {
        if place > 0 {
            out.sql.push_str(if want { " OR " } else { " AND " });
        }
        let term = Term {
            field: field.to_owned(),
            test: test.clone(),
            span: crate::filter::Span::default(),
        };
        if want {
            term_sql(db, &term, true, out)?;
        } else {
            // Where the records differ, one may contain it and another not.
            out.sql.push_str("(NOT coalesce(");
            term_sql(db, &term, true, out)?;
            out.sql.push_str(", 0)");
            if has_zone(db, field)? {
                out.or_zone(field, &Test::Has, false);
            }
            out.sql.push(')');
        }
    }
    out.sql.push(')');
    Ok(())
}
