//! Answering questions.
//!
//! SQL gives the groups in which a record could match. Where all fields that are asked
//! for are the same in all records of the group, that is the answer. Where one varies, its
//! zone is asked, and only if that cannot tell, the records themselves.

mod artifacts;
mod groups;
mod owners;
mod rows;
mod unknown;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::lower::{Condition, Home, home};
use crate::engine::{Found, Look, Query, What};
use crate::filter::{WORDS, searched_by_words};

pub(super) use rows::fact_of;

/// Groups of one artifact that are looked at to fill a cell.
const MOST_GROUPS: i64 = 64;

/// The sessions themselves, with the columns of groups, so that the same conditions hold.
const OF_SESSIONS: &str = "(SELECT s.id, s.project, NULL AS artifact, s.session_id, NULL AS run_id, s.session_start AS time_min,
   s.session_start AS time_max, 0 AS zoned, s.mark FROM _sessions s) g LEFT JOIN _artifacts a ON a.id = g.artifact";
/// Groups with their artifact, in the order in which they are gone through: SQLite knows
/// nothing of how many there are, and could look every artifact up for every mark.
const GROUPS_FIRST: &str = "_groups g CROSS JOIN _artifacts a ON a.id = g.artifact";
const ARTIFACTS_FIRST: &str = "_artifacts a CROSS JOIN _groups g ON g.artifact = a.id";

/// One question, being answered.
pub(super) struct Asking<'a> {
    db: &'a Connection,
    query: &'a Query,
    fields: Vec<String>,
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
        Self { db, query, fields }
    }

    /// The whole answer.
    pub(super) fn answer(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        match self.query.what {
            What::Artifacts => self.artifacts(look),
            What::Sessions => self.sessions(look),
            What::Runs => self.runs(look),
        }
    }

    fn scope(&self, there: Option<bool>) -> Condition {
        let mut out = Condition {
            sql: "a.there < 2".to_owned(),
            values: Vec::new(),
        };
        if let Some(project) = self.query.project {
            out.sql.push_str(" AND a.project = ?");
            out.values.push(Sql::Integer(project));
        }
        if let Some(there) = there {
            // The artifacts that are there are walked along an index: one condition alone.
            out.sql = out.sql.replacen("a.there < 2", "1", 1);
            out.sql.push_str(" AND a.there = ?");
            out.values.push(Sql::Integer(i64::from(there)));
        }
        out
    }

    fn here(&self) -> Condition {
        self.scope((!self.query.gone).then_some(true))
    }

    /// What to go through: artifacts first where only their own columns are asked for.
    fn source(&self) -> rusqlite::Result<&'static str> {
        for field in &self.fields {
            let home = home(self.db, field)?;
            if !matches!(home, Home::Artifact(_) | Home::Project | Home::Time) {
                return Ok(GROUPS_FIRST);
            }
        }
        Ok(ARTIFACTS_FIRST)
    }

    fn number(&self, sql: &str, values: Vec<Sql>) -> rusqlite::Result<u64> {
        let count: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}
