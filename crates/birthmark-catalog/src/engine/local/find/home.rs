//! Where the values of a field stand, in the projects that are asked: what another project
//! calls so is no matter.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use rusqlite::Connection;

use super::super::known::Ours;
use super::super::lists::{Source, Whose, metric};
use super::own::{Own, of_maker, own};
use crate::engine::What;
use crate::filter::{WORDS, column};

/// Where the values of a field stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// Several columns, for a word alone.
    Words,
    /// A column of the artifact.
    Artifact(&'static str),
    /// A column of the session or run that is looked for, or that made what is.
    Own(&'static Own),
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

/// The homes of fields, each looked for once.
pub(super) struct Homes<'a> {
    db: &'a Connection,
    project: Option<i64>,
    what: What,
    ours: OnceCell<Option<Ours>>,
    known: RefCell<HashMap<String, Home>>,
}

impl<'a> Homes<'a> {
    /// Those of one project, or of all, where this is looked for.
    pub(super) fn new(db: &'a Connection, project: Option<i64>, what: What) -> Self {
        Self {
            db,
            project,
            what,
            ours: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    /// Where the values of `field` stand. A name that no birthmark has is looked for among
    /// the metrics, then among what is known of the machine.
    pub(super) fn of(&self, field: &str) -> rusqlite::Result<Home> {
        if let Some(home) = self.known.borrow().get(field) {
            return Ok(home.clone());
        }
        let own = own(self.what, field).map(Home::Own);
        let home = match own.or_else(|| always(field)) {
            Some(home) => home,
            None => self.found(field)?,
        };
        let mut known = self.known.borrow_mut();
        known.insert(field.to_owned(), home.clone());
        Ok(home)
    }

    fn found(&self, field: &str) -> rusqlite::Result<Home> {
        if self.is_used(&Source::new(field, Whose::Group))? || self.has_zone(field)? {
            return Ok(Home::Fact(field.to_owned()));
        }
        if self.is_used(&Source::new(metric(field), Whose::Label))? {
            return Ok(Home::Metric(field.to_owned()));
        }
        // Other tools, and `compare`, say `task/metric` of what is `task.metric` here.
        let dotted = field.replace('/', ".");
        if dotted != field && self.is_used(&Source::new(metric(&dotted), Whose::Label))? {
            return Ok(Home::Metric(dotted));
        }
        let machine = match field {
            "host" => "environment.hostname".to_owned(),
            other => format!("environment.{other}"),
        };
        if self.is_used(&Source::new(machine.as_str(), Whose::Machine))?
            || self.is_used(&Source::new(machine.as_str(), Whose::Session))?
        {
            return Ok(Home::Session(machine));
        }
        if let Some(own) = of_maker(self.what, field) {
            return Ok(Home::Own(own));
        }
        Ok(Home::Fact(field.to_owned()))
    }

    fn is_used(&self, source: &Source) -> rusqlite::Result<bool> {
        match self.ours()? {
            Some(ours) => ours.use_it(self.db, source),
            None => source.is_used(self.db),
        }
    }

    fn has_zone(&self, name: &str) -> rusqlite::Result<bool> {
        match self.ours()? {
            Some(ours) => ours.vary_in(self.db, name),
            None => has_zone(self.db, name),
        }
    }

    /// What belongs to the project; none where that is all there is.
    fn ours(&self) -> rusqlite::Result<Option<&Ours>> {
        if let Some(known) = self.ours.get() {
            return Ok(known.as_ref());
        }
        let others = "SELECT EXISTS (SELECT 1 FROM _projects WHERE id <> ?)";
        let ours = match self.project {
            Some(project)
                if self
                    .db
                    .prepare_cached(others)?
                    .query_row([project], |row| row.get(0))? =>
            {
                Some(Ours::of(self.db, project)?)
            }
            _ => None,
        };
        Ok(self.ours.get_or_init(|| ours).as_ref())
    }
}

/// Where the values stand of a field that is the same in every project.
fn always(field: &str) -> Option<Home> {
    match field {
        WORDS => return Some(Home::Words),
        "timestamp" => return Some(Home::Time),
        "session_id" => return Some(Home::Group("session_id")),
        "run_id" => return Some(Home::Group("run_id")),
        "project" => return Some(Home::Project),
        _ => {}
    }
    if let Some(column) = column(field) {
        return Some(Home::Artifact(column.name));
    }
    for prefix in ["metric.", "metrics.", "summary."] {
        if let Some(name) = field.strip_prefix(prefix) {
            return Some(Home::Metric(name.to_owned()));
        }
    }
    if let Some(name) = field.strip_prefix("field.") {
        return Some(Home::Fact(name.to_owned()));
    }
    if field.starts_with("environment.") {
        return Some(Home::Session(field.to_owned()));
    }
    birthmark_core::birthmark::rule(field).map(|_| Home::Fact(field.to_owned()))
}

/// Whether the field varies in some group.
pub(super) fn has_zone(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM _zones WHERE name = ?)";
    db.prepare_cached(sql)?.query_row([name], |row| row.get(0))
}
