//! From a filter to the sets in which it is true, or false.
//!
//! A term is asked for four sets: of the groups in which a record *could* match, in which
//! one could not, and in which all do so *surely*. NOT exchanges them, AND and OR
//! intersect and join them; a group that is in neither of the first two is unknown. A group
//! whose records differ in a field is in both, and in none of the sure ones: what is true
//! of it is then looked at more closely (see [`super::groups`]).
//!
//! The same is asked of the sessions and runs themselves, whose sets are of their own numbers.
//!
//! # Invariants
//!
//! * What a user typed reaches SQL as a bound parameter only.
//! * What is sure is also possible.

mod matching;
mod times;

pub(in crate::engine::local) use matching::beginning;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::super::lists::{Class, Source, Whose, metric};
use super::super::sets::Set;
use super::home::{Home, Homes, has_zone};
use crate::filter::{Filter, Span, Term, Test, WORDS, searched_by_words};
use crate::value::{Kind, NESTED, Value};

/// Where a condition is true, and where it is false.
#[derive(Debug, Clone, Default)]
pub(super) struct Sets {
    /// One of the records could match.
    pub(super) could: Set,
    /// For one of the records it could be false.
    pub(super) not: Set,
    /// All records match.
    pub(super) surely: Set,
    /// For all records it is false.
    pub(super) surely_not: Set,
}

/// Whose sets these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Groups,
    Sessions,
    /// Runs, by their numbers: they are asked for their own columns alone.
    Runs,
}

/// What is asked: the tables, and all numbers that there are.
pub(super) struct Ground<'a> {
    pub(super) db: &'a Connection,
    pub(super) homes: &'a Homes<'a>,
    pub(super) of: Of,
    pub(super) all: Set,
}

impl Ground<'_> {
    /// The sets of a filter.
    pub(super) fn ask(&self, filter: &Filter) -> rusqlite::Result<Sets> {
        Ok(match filter {
            Filter::All => Sets {
                could: self.all.clone(),
                surely: self.all.clone(),
                ..Sets::default()
            },
            Filter::Not(inner) => {
                let inner = self.ask(inner)?;
                Sets {
                    could: inner.not,
                    not: inner.could,
                    surely: inner.surely_not,
                    surely_not: inner.surely,
                }
            }
            Filter::Term(term) => self.term(term)?,
            Filter::And(parts) => self.joined(parts, |sum, part| {
                sum.could &= &part.could;
                sum.surely &= &part.surely;
                sum.not |= &part.not;
                sum.surely_not |= &part.surely_not;
            })?,
            Filter::Or(parts) => self.joined(parts, |sum, part| {
                sum.could |= &part.could;
                sum.surely |= &part.surely;
                sum.not &= &part.not;
                sum.surely_not &= &part.surely_not;
            })?,
        })
    }

    fn joined(&self, parts: &[Filter], join: fn(&mut Sets, &Sets)) -> rusqlite::Result<Sets> {
        let mut sum: Option<Sets> = None;
        for part in parts {
            let part = self.ask(part)?;
            match &mut sum {
                Some(sum) => join(sum, &part),
                None => sum = Some(part),
            }
        }
        Ok(sum.unwrap_or_default())
    }

    fn term(&self, term: &Term) -> rusqlite::Result<Sets> {
        if term.field == WORDS {
            return self.words(&term.test);
        }
        let home = self.homes.of(&term.field)?;
        let zoned = match &home {
            Home::Fact(name) => Some(name.as_str()),
            Home::Group(name) => Some(*name),
            Home::Time => Some("timestamp"),
            _ => None,
        };
        let zone = zoned.filter(|_| self.of == Of::Groups);
        let told = self.told(&home, &term.test)?;
        let (varies, may) = match zone {
            Some(name) if has_zone(self.db, name)? => {
                (self.zones(name, None)?, self.may_be(name, &term.test)?)
            }
            _ => Default::default(),
        };
        let mut sets = Sets {
            could: told.holds.clone() | &may,
            surely: told.holds,
            not: told.fails.clone() | &varies,
            surely_not: told.fails - &varies,
        };
        if home == Home::Time {
            self.spread(&term.test, &mut sets)?;
        }
        Ok(sets)
    }

    /// A word alone: known for every artifact, since a field that is missing contains nothing.
    fn words(&self, test: &Test) -> rusqlite::Result<Sets> {
        let (mut could, mut surely) = (Set::default(), Set::default());
        for field in searched_by_words() {
            let sets = self.term(&Term {
                field: field.to_owned(),
                test: test.clone(),
                span: Span::default(),
            })?;
            could |= &sets.could;
            surely |= &sets.surely;
        }
        Ok(Sets {
            not: self.all.clone() - &surely,
            surely_not: self.all.clone() - &could,
            could,
            surely,
        })
    }

    /// Groups in which the field varies, and the test may hold for a value of it.
    fn may_be(&self, name: &str, test: &Test) -> rusqlite::Result<Set> {
        let mut may = self.zones(name, matching::reach(test))?;
        if matches!(test, Test::Equal(_)) {
            may |= &self.zones(name, Some((vec![NESTED], vec![0xFF])))?;
        }
        Ok(may)
    }

    /// Groups in which the field varies, and may have a value between these keys.
    fn zones(&self, name: &str, reach: Option<(Vec<u8>, Vec<u8>)>) -> rusqlite::Result<Set> {
        let (sql, ends) = match reach {
            Some((low, high)) => (
                "SELECT grp FROM _zones WHERE name = ? AND high >= ? AND low <= ?",
                vec![Sql::Blob(low), Sql::Blob(high)],
            ),
            None => ("SELECT grp FROM _zones WHERE name = ?", vec![]),
        };
        let values = std::iter::once(Sql::Text(name.to_owned())).chain(ends);
        self.numbers(sql, values)
    }

    /// Where a test holds, and where it fails, as far as one value is told for all records.
    fn told(&self, home: &Home, test: &Test) -> rusqlite::Result<Told> {
        let sources = self.sources(home);
        let having = |classes: &[Class]| -> rusqlite::Result<Set> {
            let mut out = self.having_apart(home, classes)?;
            for source in &sources {
                out |= &source.having(self.db, classes)?;
            }
            Ok(out)
        };
        let comparable: &[Class] = match test {
            Test::Has => {
                let holds = having(&Class::VALUES)?;
                return Ok(self.or_else_fails(holds));
            }
            Test::IsNull => {
                let holds = having(&[Class::Null])?;
                return Ok(self.or_else_fails(holds));
            }
            Test::Order(_, limit) | Test::Between(limit, _) => match limit.kind() {
                Kind::Number => &[Class::Number],
                Kind::Text => &[Class::Text],
                _ => return Ok(Told::default()),
            },
            _ => &Class::VALUES,
        };
        if matches!(test, Test::Order(_, limit) | Test::Between(limit, _) if limit.is_nan()) {
            return Ok(Told::default());
        }
        if let Home::Own(own) = home {
            let fits = |value: &Value| test.ask(Some(value)) == Some(true);
            let (holds, having) = self.owned(own, &fits, comparable)?;
            let fails = having - &holds;
            return Ok(Told { holds, fails });
        }
        if self.of == Of::Sessions && *home == Home::Time {
            return self.begun(test, comparable);
        }
        let mut holds = self.matching_apart(home, test)?;
        for source in &sources {
            holds |= &self.matching(source, test)?;
        }
        let fails = having(comparable)? - &holds;
        Ok(Told { holds, fails })
    }

    fn or_else_fails(&self, holds: Set) -> Told {
        let fails = self.all.clone() - &holds;
        Told { holds, fails }
    }

    /// The lists in which the values of a field stand.
    fn sources(&self, home: &Home) -> Vec<Source> {
        let label = |name: &str| Source::new(name, Whose::Label);
        match (self.of, home) {
            (Of::Groups, Home::Fact(name)) => vec![Source::new(name.as_str(), Whose::Group)],
            (Of::Groups, Home::Session(name)) => vec![Source::new(name.as_str(), Whose::Machine)],
            (Of::Sessions, Home::Fact(name) | Home::Session(name)) => {
                vec![Source::new(name.as_str(), Whose::Session)]
            }
            (Of::Groups, Home::Group(name)) => {
                vec![label(name), Source::new(*name, Whose::Group)]
            }
            (Of::Groups, Home::Time) => vec![Source::new("timestamp", Whose::Group)],
            (Of::Groups, Home::Metric(name)) => vec![label(&metric(name))],
            (Of::Groups, Home::Artifact(name @ ("format" | "state" | "size" | "records"))) => {
                vec![label(name)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn numbers(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Sql>,
    ) -> rusqlite::Result<Set> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        rows.collect()
    }
}

/// Where a test holds, and where it fails.
#[derive(Debug, Default)]
struct Told {
    holds: Set,
    fails: Set,
}
