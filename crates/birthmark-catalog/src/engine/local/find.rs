//! Answering questions.
//!
//! The lists give the groups in which a record could match, as a set. Where all fields that
//! are asked for are the same in all records of the group, that is the answer. Where one
//! varies, its zone is asked, and only if that cannot tell, the records themselves.

mod artifacts;
mod days;
mod ground;
mod group_by;
mod groups;
mod home;
mod order;
mod own;
mod owners;
mod rows;
mod unknown;
mod whole;

use std::cell::OnceCell;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::lists::{HERE, here, label};
use super::sets::Set;
use crate::engine::{Found, Look, Query, What};
use crate::filter::{WORDS, searched_by_words};
use ground::{Ground, Of, Sets};
use home::Homes;
use whole::Whole;

pub(super) use ground::beginning;
pub(super) use rows::fact_of;

/// How many artifacts these groups are of, those that are the same counted once.
pub(super) fn artifacts_of(db: &Connection, groups: Set) -> rusqlite::Result<u64> {
    let whole = Whole::read(db)?;
    Ok(whole.count(&whole.artifacts_of(groups)))
}

/// One question, being answered.
pub(super) struct Asking<'a> {
    db: &'a Connection,
    query: &'a Query,
    fields: Vec<String>,
    homes: Homes<'a>,
    whole: OnceCell<Whole>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(db: &'a Connection, query: &'a Query) -> Self {
        let mut fields: Vec<String> = Vec::new();
        for field in query.filter.fields() {
            if field == WORDS {
                fields.extend(searched_by_words().map(str::to_owned));
            } else {
                fields.push(field.to_owned());
            }
        }
        fields.sort();
        fields.dedup();
        Self {
            db,
            query,
            fields,
            homes: Homes::new(db, query.project, query.what),
            whole: OnceCell::new(),
        }
    }

    /// The whole answer.
    pub(super) fn answer(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        match self.query.what {
            What::Artifacts => self.artifacts(look),
            What::Sessions => self.sessions(look),
            What::Runs => self.runs(look),
        }
    }

    /// The projects that are asked.
    fn projects(&self) -> rusqlite::Result<Vec<i64>> {
        match self.query.project {
            Some(project) => Ok(vec![project]),
            None => self
                .db
                .prepare_cached("SELECT id FROM _projects")?
                .query_map([], |row| row.get(0))?
                .collect(),
        }
    }

    /// All groups of artifacts that are there, or that are not.
    fn scope(&self, there: &[bool]) -> rusqlite::Result<Set> {
        let mut out = Set::default();
        for project in self.projects()? {
            for there in there {
                out |= &label(self.db, HERE, &here(project, i64::from(*there)))?;
            }
        }
        Ok(out)
    }

    /// All groups that are asked for.
    fn here(&self) -> rusqlite::Result<Set> {
        self.scope(if self.query.gone {
            &[true, false]
        } else {
            &[true]
        })
    }

    /// Where the filter is true and false among these groups.
    fn ask(&self, scope: &Set) -> rusqlite::Result<Sets> {
        let ground = Ground {
            db: self.db,
            homes: &self.homes,
            of: Of::Groups,
            all: scope.clone(),
        };
        let mut sets = ground.ask(&self.query.filter)?;
        for set in [
            &mut sets.could,
            &mut sets.not,
            &mut sets.surely,
            &mut sets.surely_not,
        ] {
            *set &= scope;
        }
        Ok(sets)
    }

    fn whole(&self) -> rusqlite::Result<&Whole> {
        if let Some(known) = self.whole.get() {
            return Ok(known);
        }
        let read = Whole::read(self.db)?;
        Ok(self.whole.get_or_init(|| read))
    }

    fn number(&self, sql: &str, values: Vec<Sql>) -> rusqlite::Result<u64> {
        let count: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}
