//! What was read, taken for what it was: bytes, path and time together.
//!
//! Equal bytes alone do not make one artifact of two: the same text is often made twice. Each
//! making is an artifact of its own, and what was read is one of them only if
//!
//! * it has its bytes (or its content, where only birthmarks differ), and
//! * it was made before the reader ended, and
//! * it was made at that path; or else nobody has seen these bytes at that path before they
//!   were made: then they were brought there.
//!
//! What was made at that path wins, then what was made last. Where nothing fits it came from
//! outside, and all that was read with these bytes is one artifact.

use std::collections::BTreeMap;

use super::RunNode;
use super::sights::{Sight, Union};
use crate::timestamp::Timestamp;

/// Clocks of two machines are not held against each other more narrowly.
pub(super) const CLOCKS_APART_MICROS: i64 = 3_600_000_000;

/// Places in the list of sights, the earliest made first.
type Made = Vec<usize>;

/// Everything that was made, to be asked for.
pub(super) struct Makings<'a> {
    sights: &'a [Sight],
    runs: &'a [RunNode],
    by_key: BTreeMap<&'a str, Made>,
    by_key_and_file: BTreeMap<(&'a str, &'a str), Made>,
    /// When these bytes were first read at a path.
    first_read: BTreeMap<(usize, &'a str, &'a str), Timestamp>,
}

impl<'a> Makings<'a> {
    pub(super) fn new(sights: &'a [Sight], runs: &'a [RunNode]) -> Self {
        let mut all = Self {
            sights,
            runs,
            by_key: BTreeMap::new(),
            by_key_and_file: BTreeMap::new(),
            first_read: BTreeMap::new(),
        };
        let mut order: Vec<usize> = (0..sights.len()).collect();
        order.sort_by_key(|at| sights[*at].place.time);
        for at in order {
            let sight = &sights[at];
            let file = sight.place.file.as_str();
            for key in &sight.keys {
                if sight.place.made {
                    all.by_key.entry(key).or_default().push(at);
                    let both = all.by_key_and_file.entry((key, file));
                    both.or_default().push(at);
                } else if sight.place.is_path {
                    let since = all.since(sight);
                    let place = (sight.place.store, file, key.as_str());
                    let first = all.first_read.entry(place).or_insert(since);
                    *first = since.min(*first);
                }
            }
        }
        all
    }

    /// When its reader began.
    fn since(&self, sight: &Sight) -> Timestamp {
        let begun = sight.run.map(|run| self.runs[run].start);
        // Of a run that is known by its name alone it was not told.
        let begun = begun.filter(|begun| begun.micros() != 0);
        begun.unwrap_or(sight.place.time).min(sight.place.time)
    }

    /// When its reader was heard of for the last time.
    fn until(&self, sight: &Sight) -> Timestamp {
        let last = sight.run.map(|run| self.runs[run].last_heard);
        last.unwrap_or(sight.place.time).max(sight.place.time)
    }

    /// The making that was read, if one was.
    fn of(&self, sight: &Sight) -> Option<usize> {
        let own = sight.place.digest.iter();
        let others = sight.keys.iter().filter(|key| {
            sight
                .place
                .digest
                .as_ref()
                .is_none_or(|digest| digest != *key)
        });
        own.chain(others).find_map(|key| {
            let there = self.by_key_and_file.get(&(key, &sight.place.file));
            let there = there.and_then(|made| self.at_its_path(sight, made));
            there.or_else(|| self.brought(sight, key))
        })
    }

    /// What was made at the path, the newest that was there when it was read.
    fn at_its_path(&self, sight: &Sight, made: &[usize]) -> Option<usize> {
        let (since, until) = (self.since(sight), self.until(sight));
        let fits = |at: &usize| {
            let other = &self.sights[*at];
            let begun = self.since(other);
            let by_itself = other.run.is_some() && other.run == sight.run;
            let is_here = other.place.store == sight.place.store;
            let before = other.place.time <= since;
            let is_possible = before || !self.is_later(other, begun, sight, until);
            is_possible.then_some((!by_itself, is_here, before, other.place.time))
        };
        let found = made.iter().filter_map(|at| Some((fits(at)?, *at)));
        found.max().map(|(_, at)| at)
    }

    /// What was made elsewhere, and then brought to where it was read.
    fn brought(&self, sight: &Sight, key: &str) -> Option<usize> {
        let place = (sight.place.store, sight.place.file.as_str(), key);
        let limit = match self.first_read.get(&place).filter(|_| sight.place.is_path) {
            Some(first) => *first,
            None => self.until(sight),
        };
        let fits = |at: &&usize| {
            let other = &self.sights[**at];
            // A run reads by its path what it made itself.
            let by_itself = sight.place.is_path && other.run.is_some() && other.run == sight.run;
            !by_itself && !self.is_later(other, other.place.time, sight, limit)
        };
        self.by_key.get(key)?.iter().rev().find(fits).copied()
    }

    fn is_later(&self, other: &Sight, time: Timestamp, sight: &Sight, limit: Timestamp) -> bool {
        let host = |sight: &Sight| {
            let process = self.runs[sight.run?].process.as_ref()?;
            Some(process.host.as_str())
        };
        let apart = match (host(other), host(sight)) {
            (Some(one), Some(two)) if one == two => 0,
            _ => CLOCKS_APART_MICROS,
        };
        time.micros() > limit.micros().saturating_add(apart)
    }
}

/// The node of each sight.
pub(super) fn nodes(sights: &[Sight], runs: &[RunNode], joined: &[(usize, usize)]) -> Vec<usize> {
    let makings = Makings::new(sights, runs);
    let mut union = Union::new(sights.len());
    let mut makings_by: BTreeMap<(Option<usize>, &str, &str), usize> = BTreeMap::new();
    let mut from_outside: BTreeMap<&str, usize> = BTreeMap::new();
    // Of what a run read by path and by name, the path tells more.
    let mut by_path: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let is_path = |at: &usize| sights[*at].place.is_path;
    let (paths, names): (Vec<usize>, Vec<usize>) = (0..sights.len()).partition(is_path);
    for at in paths.into_iter().chain(names) {
        let sight = &sights[at];
        if sight.place.made {
            let key = sight.keys.first().map_or("", String::as_str);
            let making = (sight.run, sight.place.file.as_str(), key);
            union.join(*makings_by.entry(making).or_insert(at), at);
            continue;
        }
        let read = |key: &String| by_path.get(&(sight.run?, key.as_str())).copied();
        let same_run = sight.keys.iter().find_map(read);
        let same_run = same_run.filter(|_| !sight.place.is_path);
        let found = sight.is.or(same_run).or_else(|| makings.of(sight));
        match found {
            Some(making) => union.join(making, at),
            None => {
                for key in &sight.keys {
                    union.join(*from_outside.entry(key).or_insert(at), at);
                }
            }
        }
        if let Some(run) = sight.run.filter(|_| sight.place.is_path) {
            for key in &sight.keys {
                by_path.entry((run, key)).or_insert(at);
            }
        }
    }
    for (one, other) in joined {
        union.join(*one, *other);
    }
    union.numbers()
}
