//! For how many records of a group a filter holds, as far as its row tells.

use crate::engine::Known;
use crate::filter::{Filter, Term, Test, WORDS, searched_by_words};
use crate::zone::{State, Zone};

/// What is known of a group.
#[derive(Debug, Default)]
pub(super) struct GroupView {
    /// The fields that all its records share, under the names that the filter has.
    pub(super) known: Known,
    /// The fields that vary.
    pub(super) zones: Vec<(String, Zone)>,
}

impl GroupView {
    fn zone(&self, name: &str) -> Option<&Zone> {
        let found = self.zones.iter().find(|(known, _)| known == name);
        found.map(|(_, zone)| zone)
    }

    /// For how many records the filter gives the answer `want`.
    pub(super) fn state(&self, filter: &Filter, want: bool) -> State {
        match filter {
            Filter::All => all_or_none(want),
            Filter::Not(inner) => self.state(inner, !want),
            Filter::Term(term) => self.term(term, want),
            Filter::And(parts) | Filter::Or(parts) => {
                let states = parts.iter().map(|part| self.state(part, want));
                if matches!(filter, Filter::And(_)) == want {
                    all_of(states)
                } else {
                    any_of(states)
                }
            }
        }
    }

    /// Whether the filter may have no answer for one of the records.
    pub(super) fn may_be_unknown(&self, filter: &Filter) -> bool {
        filter.terms().into_iter().any(|term| {
            if term.field == WORDS {
                return false;
            }
            match self.zone(&term.field) {
                Some(zone) => zone.may_be_unknown(&term.test),
                None => term.test.ask(self.known.get(&term.field)).is_none(),
            }
        })
    }

    fn term(&self, term: &Term, want: bool) -> State {
        if term.field != WORDS {
            return self.field(&term.field, &term.test, want);
        }
        let states = searched_by_words()
            .into_iter()
            .map(|field| self.field(field, &term.test, true));
        let holds = any_of(states);
        match (want, holds) {
            (true, holds) => holds,
            (false, State::All) => State::None,
            (false, State::None) => State::All,
            (false, _) => State::Maybe,
        }
    }

    fn field(&self, name: &str, test: &Test, want: bool) -> State {
        match self.zone(name) {
            Some(zone) => zone.state(test, want),
            None => all_or_none(test.ask(self.known.get(name)) == Some(want)),
        }
    }
}

fn all_or_none(all: bool) -> State {
    if all { State::All } else { State::None }
}

/// All must hold for the same record.
fn all_of(states: impl Iterator<Item = State>) -> State {
    let mut sum = State::All;
    for state in states {
        sum = match (sum, state) {
            (_, State::None) => return State::None,
            (State::All, state) => state,
            (sum, State::All) => sum,
            _ => State::Maybe,
        };
    }
    sum
}

fn any_of(states: impl Iterator<Item = State>) -> State {
    let mut sum = State::None;
    for state in states {
        sum = match (sum, state) {
            (_, State::All) => return State::All,
            (State::Some, _) | (_, State::Some) => State::Some,
            (State::Maybe, _) | (_, State::Maybe) => State::Maybe,
            _ => State::None,
        };
    }
    sum
}
