//! What is known under a name alone: which artifact that was.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Builder, End, Loose};
use super::resolve::CLOCKS_APART_MICROS;
use super::{BEFORE, EARLIER, Relation};

impl Builder {
    /// What was read under a path without a digest is, by that name alone, the newest that
    /// was made there before; other names are one node each.
    pub(super) fn name_the_nameless(&mut self) {
        for at in 0..self.loose.len() {
            let loose = &self.loose[at];
            let mention = loose.sight;
            let sight = &self.sights[mention];
            if !sight.keys.is_empty() {
                continue;
            }
            let place = &sight.place;
            let newest = self.newest_made_before(loose);
            let (keys, by_name) = match newest {
                Some(newest) => {
                    let found = &self.sights[newest];
                    let is_before = loose.role.as_deref() == Some(BEFORE);
                    // An unfinished file has no last count to be held against.
                    let agrees = found.state == Some("open") || found.place.size == place.size;
                    (found.keys.clone(), Some(!(is_before && agrees)))
                }
                None if place.is_path => {
                    (vec![format!("path {} {}", place.store, place.file)], None)
                }
                None => {
                    let revision = sight.revision.as_deref().unwrap_or_default();
                    (vec![format!("name {}@{revision}", place.file)], None)
                }
            };
            let sight = &mut self.sights[mention];
            sight.keys = keys;
            sight.is = newest;
            if let Some(by_name) = by_name {
                self.loose[at].by_name = by_name;
                sight.unknown = None;
            } else if sight.unknown.is_none() {
                sight.unknown = Some("no digest was recorded".to_owned());
            }
        }
    }

    /// What a run went on with and no session made: where its writer died it is that file, and
    /// elsewhere it was made, by its name alone, from the newest that was made there before.
    pub(super) fn link_the_edited(&mut self) {
        let made: BTreeSet<String> = self
            .generated
            .iter()
            .flat_map(|(sight, _)| self.sights[*sight].keys.iter().cloned())
            .collect();
        let mut more = Vec::new();
        for at in 0..self.loose.len() {
            let loose = &self.loose[at];
            let mention = loose.sight;
            let keys = &self.sights[mention].keys;
            let is_before = loose.role.as_deref() == Some(BEFORE);
            if !is_before || keys.iter().any(|key| made.contains(key)) {
                continue;
            }
            let Some(newest) = self.newest_made_before(loose) else {
                continue;
            };
            if self.sights[newest].state == Some("open") {
                let keys = self.sights[newest].keys.clone();
                self.sights[mention].keys.extend(keys);
                self.sights[mention].is = Some(newest);
                continue;
            }
            more.push(state_after(mention, newest));
        }
        self.loose.extend(more);
    }

    /// What a run read and no session made, at a path where another run had left other bytes:
    /// somebody changed them who was not recorded. Bytes that had been read there before they
    /// were older, and nothing is said of them. `nodes` are those of the sights.
    pub(super) fn link_the_changed(&mut self, nodes: &[usize]) {
        let made = (0..self.sights.len()).filter(|at| self.sights[*at].place.made);
        let made: BTreeSet<usize> = made.map(|at| nodes[at]).collect();
        let mut first_told = BTreeMap::new();
        for (at, sight) in self.sights.iter().enumerate() {
            let place = (nodes[at], sight.place.store, sight.place.file.as_str());
            let first = first_told.entry(place).or_insert(sight.place.time);
            *first = sight.place.time.min(*first);
        }
        let mut more = Vec::new();
        for loose in &self.loose {
            let (at, sight) = (loose.sight, &self.sights[loose.sight]);
            let is_state = matches!(loose.role.as_deref(), Some(BEFORE | EARLIER));
            let is_read = sight.place.is_path && sight.place.digest.is_some();
            if is_state || !is_read || made.contains(&nodes[at]) {
                continue;
            }
            let Some(newest) = self.newest_made_before(loose) else {
                continue;
            };
            let left = &self.sights[newest];
            let place = (nodes[at], sight.place.store, sight.place.file.as_str());
            let is_older = first_told
                .get(&place)
                .is_some_and(|first| *first < left.place.time);
            let is_whole = left.state.is_none() && left.place.digest.is_some();
            if is_older || !is_whole || left.run == sight.run || !self.is_surely_after(at, newest) {
                continue;
            }
            more.push(state_after(at, newest));
        }
        self.loose.extend(more);
    }

    /// Whether what was read at a path was read after this making, by clocks that can be held
    /// against each other, and while no other run may have written there.
    fn is_surely_after(&self, read: usize, made: usize) -> bool {
        let (read, made) = (&self.sights[read], &self.sights[made]);
        let run = |at: Option<usize>| at.and_then(|at| self.runs.get(at));
        let host = |at: Option<usize>| Some(run(at)?.process.as_ref()?.host.as_str());
        let apart = match (host(read.run), host(made.run)) {
            (Some(one), Some(two)) if one == two => 0,
            _ => CLOCKS_APART_MICROS,
        };
        let until = run(read.run).map_or(read.place.time, |run| run.last_heard);
        let others = self.made.get(&(read.place.store, read.place.file.clone()));
        let mut others = others.into_iter().flatten().map(|at| &self.sights[*at]);
        made.place.time.micros().saturating_add(apart) <= read.place.time.micros()
            && !others.any(|other| {
                let begun = run(other.run).map_or(other.place.time, |run| run.start);
                other.place.time > made.place.time
                    && begun.micros() <= until.micros().saturating_add(apart)
            })
    }

    /// The sight of the newest that was made at the path of a mention before it.
    fn newest_made_before(&self, loose: &Loose) -> Option<usize> {
        let place = &self.sights[loose.sight].place;
        let own = match loose.from {
            End::Sight(own) => Some(own),
            End::Run(_) => None,
        };
        let before = |at: &usize| self.sights[*at].place.time <= place.time && Some(*at) != own;
        let made = self.made.get(&(place.store, place.file.clone()))?;
        let made = made.iter().copied().filter(before);
        made.max_by_key(|at| self.sights[*at].place.time)
    }
}

/// That what was seen came of an earlier state of its path, by the name alone.
fn state_after(seen: usize, earlier: usize) -> Loose {
    Loose {
        from: End::Sight(seen),
        sight: earlier,
        relation: Relation::WasDerivedFrom,
        role: Some(EARLIER.to_owned()),
        by: None,
        by_name: true,
    }
}
