//! Where the values of a field stand.

use rusqlite::Connection;

use super::super::lists::{Source, Whose, metric};
use crate::filter::{WORDS, column};

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
    if birthmark_core::birthmark::rule(field).is_some()
        || Source::new(field, Whose::Group).is_used(db)?
        || has_zone(db, field)?
    {
        return Ok(Home::Fact(field.to_owned()));
    }
    if Source::new(metric(field), Whose::Label).is_used(db)? {
        return Ok(Home::Metric(field.to_owned()));
    }
    let machine = match field {
        "host" => "environment.hostname".to_owned(),
        other => format!("environment.{other}"),
    };
    if Source::new(machine.as_str(), Whose::Machine).is_used(db)?
        || Source::new(machine.as_str(), Whose::Session).is_used(db)?
    {
        return Ok(Home::Session(machine));
    }
    Ok(Home::Fact(field.to_owned()))
}

/// Whether the field varies in some group.
pub(super) fn has_zone(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM _zones WHERE name = ?)";
    db.prepare_cached(sql)?.query_row([name], |row| row.get(0))
}
