//! What is left out since it is unknown whether it matches, and what is no longer there.

use rusqlite::types::Value as Sql;

use super::super::lower::{Condition, lower};
use super::{Asking, OF_ARTIFACTS};
use crate::filter::{Filter, Span, Term, Test, WORDS};

impl Asking<'_> {
    /// Whether the filter can be unknown at all.
    pub(super) fn is_three_valued(&self) -> bool {
        let two_valued = |term: &&Term| {
            matches!(term.test, Test::Has | Test::IsNull)
                || term.field == WORDS
                || matches!(term.field.as_str(), "file" | "project")
        };
        !self.query.filter.terms().iter().all(two_valued)
    }

    pub(super) fn unknown(&self, could: &Condition) -> rusqlite::Result<(u64, Vec<(String, u64)>)> {
        if !self.is_three_valued() {
            return Ok((0, Vec::new()));
        }
        let count = self.left_out(could, None)?;
        let mut lacking = Vec::new();
        if count > 0 {
            for field in &self.fields {
                let number = self.left_out(could, Some(field))?;
                if number > 0 {
                    lacking.push((field.clone(), number));
                }
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok((count, lacking))
    }

    /// Artifacts of which no record matches and of which some may; those without the field.
    pub(super) fn left_out(
        &self,
        could: &Condition,
        without: Option<&str>,
    ) -> rusqlite::Result<u64> {
        let not = lower(self.db, &self.query.filter, false)?;
        let scope = self.here();
        let lacks = match without {
            Some(field) => lower(self.db, &has(field), false)?,
            None => Condition {
                sql: "1".to_owned(),
                values: Vec::new(),
            },
        };
        self.number(
            &format!(
                "SELECT count(*) FROM (SELECT a.same FROM {OF_ARTIFACTS} WHERE {} AND NOT {} AND NOT {} AND {}
                 EXCEPT SELECT a.same FROM {OF_ARTIFACTS} WHERE {} AND {})",
                scope.sql, could.sql, not.sql, lacks.sql, scope.sql, could.sql
            ),
            [
                scope.values.clone(),
                could.values.clone(),
                not.values,
                lacks.values,
                scope.values,
                could.values.clone(),
            ]
            .concat(),
        )
    }

    pub(super) fn lacking_among(&self, artifacts: &[i64]) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut lacking = Vec::new();
        for field in &self.fields {
            let lacks = lower(self.db, &has(field), false)?;
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {OF_ARTIFACTS} WHERE a.id = ? AND {})",
                lacks.sql
            );
            let mut count = 0;
            for artifact in artifacts {
                let values = std::iter::once(Sql::Integer(*artifact)).chain(lacks.values.clone());
                count += self.number(&sql, values.collect())?;
            }
            if count > 0 {
                lacking.push((field.clone(), count));
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok(lacking)
    }

    pub(super) fn gone(&self) -> rusqlite::Result<u64> {
        let scope = self.scope(Some(false));
        let any = self.number(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM _artifacts a WHERE {})",
                scope.sql
            ),
            scope.values.clone(),
        )?;
        if any == 0 {
            return Ok(0);
        }
        // Of what is gone only what journals told is known, so nothing varies.
        let could = lower(self.db, &self.query.filter, true)?;
        self.number(
            &format!(
                "SELECT count(DISTINCT a.same) FROM {OF_ARTIFACTS} WHERE {} AND {}",
                scope.sql, could.sql
            ),
            [scope.values, could.values].concat(),
        )
    }
}

pub(super) fn has(field: &str) -> Filter {
    Filter::Term(Term {
        field: field.to_owned(),
        test: Test::Has,
        span: Span::default(),
    })
}
