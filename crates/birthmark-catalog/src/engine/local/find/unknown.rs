//! What is left out since it is unknown whether it matches, and what is no longer there.

use rusqlite::types::Value as Sql;

use super::super::lower::{Condition, Home, home, lower};
use super::{ARTIFACTS_FIRST, Asking};
use crate::filter::{Filter, Span, Term, Test, WORDS};

/// Marks with a field that are counted one by one.
const FEW: i64 = 20_000;

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

    pub(super) fn unknown(
        &self,
        could: &Condition,
        total: u64,
        among: u64,
    ) -> rusqlite::Result<(u64, Vec<(String, u64)>)> {
        if !self.is_three_valued() {
            return Ok((0, Vec::new()));
        }
        let plain = self.is_plain()?;
        if plain
            && let [field] = self.fields.as_slice()
            && let Some(known) = self.few(field)?
        {
            // What has the field is little: the rest is what lacks it.
            let not = lower(self.db, &self.query.filter, false)?;
            let unknown = among.saturating_sub(total + self.how_many(&not)?);
            let lacks = among.saturating_sub(known).min(unknown);
            let lacking = (lacks > 0).then(|| (field.clone(), lacks));
            return Ok((unknown, lacking.into_iter().collect()));
        }
        let count = self.left_out(could, None, plain)?;
        let mut lacking = Vec::new();
        if count > 0 {
            for field in &self.fields {
                let number = self.left_out(could, Some(field), plain)?;
                if number > 0 {
                    lacking.push((field.clone(), number));
                }
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok((count, lacking))
    }

    /// Whether every artifact has one group, and none is the same as another.
    fn is_plain(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM _groups WHERE number > 0)
                     AND NOT EXISTS (SELECT 1 FROM _artifacts WHERE same <> id)";
        Ok(self.number(sql, vec![])? > 0)
    }

    /// How many artifacts have this field, where they are few and it is one of a birthmark.
    fn few(&self, field: &str) -> rusqlite::Result<Option<u64>> {
        let Home::Fact(name) = home(self.db, field)? else {
            return Ok(None);
        };
        let marks = self.number(
            "SELECT count(*) FROM (SELECT 1 FROM _facts f JOIN _mark_facts m ON m.fact = f.id WHERE f.name = ? LIMIT ?)",
            vec![Sql::Text(name), Sql::Integer(FEW + 1)],
        )?;
        if marks > FEW.unsigned_abs() {
            return Ok(None);
        }
        Ok(Some(self.how_many(&lower(self.db, &has(field), true)?)?))
    }

    fn how_many(&self, condition: &Condition) -> rusqlite::Result<u64> {
        let scope = self.here();
        let source = self.source()?;
        self.number(
            &format!(
                "SELECT count(*) FROM {source} WHERE {} AND {}",
                scope.sql, condition.sql
            ),
            [scope.values, condition.values.clone()].concat(),
        )
    }

    /// Artifacts of which no record matches and of which some may; those without the field.
    /// Where each artifact has one group, that is all there is to ask.
    fn left_out(
        &self,
        could: &Condition,
        without: Option<&str>,
        plain: bool,
    ) -> rusqlite::Result<u64> {
        let not = lower(self.db, &self.query.filter, false)?;
        let scope = self.here();
        let source = self.source()?;
        let mut sql = format!(
            "SELECT a.same FROM {source} WHERE {} AND NOT {} AND NOT {}",
            scope.sql, could.sql, not.sql
        );
        let mut values = [scope.values.clone(), could.values.clone(), not.values].concat();
        if let Some(field) = without {
            let lacks = lower(self.db, &has(field), false)?;
            sql.push_str(&format!(" AND {}", lacks.sql));
            values.extend(lacks.values);
        }
        if !plain {
            sql.push_str(&format!(
                " EXCEPT SELECT a.same FROM {source} WHERE {} AND {}",
                scope.sql, could.sql
            ));
            values.extend(scope.values);
            values.extend(could.values.clone());
        }
        self.number(&format!("SELECT count(*) FROM ({sql})"), values)
    }

    pub(super) fn lacking_among(&self, artifacts: &[i64]) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut lacking = Vec::new();
        for field in &self.fields {
            let lacks = lower(self.db, &has(field), false)?;
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {ARTIFACTS_FIRST} WHERE a.id = ? AND {})",
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
        let source = self.source()?;
        self.number(
            &format!(
                "SELECT count(DISTINCT a.same) FROM {source} WHERE {} AND {}",
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
