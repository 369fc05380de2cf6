//! What is left out since it is unknown whether it matches, and what is no longer there.

use super::artifacts::Judged;
use super::{Asking, Ground, Of};
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

    /// For each field, how many of those of which it is unknown lack it in some record, and
    /// whether one of them has it in others.
    pub(super) fn lacking(&self, judged: &Judged) -> rusqlite::Result<(Vec<(String, u64)>, bool)> {
        let ground = Ground {
            db: self.db,
            homes: &self.homes,
            of: Of::Groups,
            all: judged.scope.clone(),
        };
        let whole = self.whole()?;
        let (mut lacking, mut in_part) = (Vec::new(), false);
        for field in &self.fields {
            let asked = ground.ask(&has(field))?;
            let lacks = asked.not & &judged.scope;
            let left = whole.artifacts_of(lacks) & &judged.unknown;
            let have = whole.artifacts_of(asked.could & &judged.scope);
            in_part |= !(have & &left).is_empty();
            let count = whole.count(&left);
            if count > 0 {
                lacking.push((field.clone(), count));
            }
        }
        lacking.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        Ok((lacking, in_part))
    }

    /// How many match that are no longer there. Of those only what journals told is known,
    /// so nothing varies.
    pub(super) fn gone(&self) -> rusqlite::Result<u64> {
        let scope = self.scope(&[false])?;
        if scope.is_empty() {
            return Ok(0);
        }
        let whole = self.whole()?;
        Ok(whole.count(&whole.artifacts_of(self.ask(&scope)?.could)))
    }
}

fn has(field: &str) -> Filter {
    Filter::Term(Term {
        field: field.to_owned(),
        test: Test::Has,
        span: Span::default(),
    })
}
