//! What is known under a name alone: which artifact that was.

use super::build::{Builder, End, Loose};
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
        let made: std::collections::BTreeSet<String> = self
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
            more.push(Loose {
                from: End::Sight(mention),
                sight: newest,
                relation: Relation::WasDerivedFrom,
                role: Some(EARLIER.to_owned()),
                by: None,
                by_name: true,
            });
        }
        self.loose.extend(more);
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
