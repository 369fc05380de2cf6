//! Artifacts: counted, sorted and cut to the limit.

use super::super::lists::label;
use super::super::sets::Set;
use super::{Asking, Sets};
use crate::engine::{Found, Look, What};

/// What came of a question about artifacts.
pub(super) struct Judged {
    /// All groups that were asked.
    pub(super) scope: Set,
    /// Artifacts of which a record matches.
    pub(super) holding: Set,
    /// Others, of which it is unknown of a record.
    pub(super) unknown: Set,
}

impl Asking<'_> {
    pub(super) fn artifacts(&self, look: &mut Look<'_>) -> rusqlite::Result<Found> {
        let judged = self.judged(look)?;
        let mut found = self.counted(&judged)?;
        if found.total > 0 && self.query.limit != Some(0) {
            let first = self.whole()?.firsts(judged.holding);
            for id in self.sorted(&first)? {
                found.rows.push(self.row(id)?);
            }
        }
        Ok(found)
    }

    /// Which artifacts match, and of which it is unknown.
    pub(super) fn judged(&self, look: &mut Look<'_>) -> rusqlite::Result<Judged> {
        let scope = self.here()?;
        let sets = self.ask(&scope)?;
        let involved = self.involved()?;
        let whole = self.whole()?;
        let (holding, mut unknown) = self.holding(&sets, &involved, look)?;
        if self.is_three_valued() {
            unknown |= &self.unknown(&scope, &sets, &involved, &holding, look)?;
        }
        let unknown = whole.without(unknown, &holding);
        Ok(Judged {
            scope,
            holding,
            unknown,
        })
    }

    /// How many match, and no more.
    pub(in crate::engine::local) fn total(&self, look: &mut Look<'_>) -> rusqlite::Result<u64> {
        if self.query.what != What::Artifacts {
            return Ok(self.answer(look)?.total);
        }
        let sets = self.ask(&self.here()?)?;
        let (holding, _) = self.holding(&sets, &self.involved()?, look)?;
        Ok(self.whole()?.count(&holding))
    }

    /// Artifacts of which a record matches, and those of which it is unknown of one of those
    /// that could.
    fn holding(
        &self,
        sets: &Sets,
        involved: &Set,
        look: &mut Look<'_>,
    ) -> rusqlite::Result<(Set, Set)> {
        let whole = self.whole()?;
        let doubtful = (sets.could.clone() & involved) - &sets.surely;
        let mut holding = whole.artifacts_of(sets.could.clone() - &doubtful);
        let mut unknown = Set::default();
        for group in doubtful.iter() {
            let artifact = whole.artifact_of(group);
            if holding.contains(artifact) {
                continue;
            }
            let (holds, is_unknown) = self.judge(group, look)?;
            if holds {
                holding.insert(artifact);
            } else if is_unknown {
                unknown.insert(artifact);
            }
        }
        Ok((holding, unknown))
    }

    /// Artifacts with a group of which it is unknown, where no record could match.
    fn unknown(
        &self,
        scope: &Set,
        sets: &Sets,
        involved: &Set,
        holding: &Set,
        look: &mut Look<'_>,
    ) -> rusqlite::Result<Set> {
        let whole = self.whole()?;
        let mut out = whole.artifacts_of(scope.clone() - &sets.could - &sets.not);
        // What could not match may vary, and be unknown in some records.
        let others = (sets.not.clone() & involved) - &sets.could - &sets.surely_not;
        for group in others.iter() {
            let artifact = whole.artifact_of(group);
            if holding.contains(artifact) || out.contains(artifact) {
                continue;
            }
            if self.judge(group, look)?.1 {
                out.insert(artifact);
            }
        }
        Ok(out)
    }

    /// The answer without its rows.
    pub(super) fn counted(&self, judged: &Judged) -> rusqlite::Result<Found> {
        let whole = self.whole()?;
        let mut found = Found {
            among: whole.count(&whole.artifacts_of(judged.scope.clone())),
            total: whole.count(&judged.holding),
            unknown: whole.count(&judged.unknown),
            ..Found::default()
        };
        if found.unknown > 0 {
            (found.lacking, found.lacking_in_part) = self.lacking(judged)?;
        }
        if !self.query.gone {
            found.gone = self.gone()?;
        }
        found.edited = self.edited(&judged.holding)?;
        Ok(found)
    }

    /// How many of these artifacts were edited since they were recorded.
    pub(super) fn edited(&self, artifacts: &Set) -> rusqlite::Result<u64> {
        let edited = label(self.db, "state", "edited")?;
        if edited.is_empty() {
            return Ok(0);
        }
        let whole = self.whole()?;
        Ok(whole.count(&(whole.artifacts_of(edited) & artifacts)))
    }
}
