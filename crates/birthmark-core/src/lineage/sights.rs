//! Sights: single tellings of artifacts, and how those of one artifact become its node.

use std::collections::BTreeMap;

use super::{ArtifactNode, Place};

/// One telling of an artifact.
pub(super) struct Sight {
    /// Digests of its bytes and its content; without any, a name that stands for them.
    pub(super) keys: Vec<String>,
    pub(super) place: Place,
    /// The run that made it, or read it.
    pub(super) run: Option<usize>,
    /// The sight of the making that it is, where that is known from the start.
    pub(super) is: Option<usize>,
    pub(super) revision: Option<String>,
    pub(super) content_digest: Option<String>,
    pub(super) artifact_type: Option<String>,
    pub(super) records: Option<u64>,
    pub(super) model: Option<String>,
    pub(super) state: Option<&'static str>,
    /// The run that removed it.
    pub(super) removed_by: Option<usize>,
    pub(super) unknown: Option<String>,
}

/// Which sights are of one artifact.
pub(super) struct Union(Vec<usize>);

impl Union {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (a, b) = (self.root(one), self.root(other));
        self.0[a.max(b)] = a.min(b);
    }

    /// The artifacts, numbered in the order of their first sights.
    pub(super) fn numbers(mut self) -> Vec<usize> {
        let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
        (0..self.0.len())
            .map(|at| {
                let top = self.root(at);
                let next = numbers.len();
                *numbers.entry(top).or_insert(next)
            })
            .collect()
    }
}

/// Takes a sight into its node. The first ones tell what it is.
pub(super) fn absorb(node: &mut ArtifactNode, sight: &Sight) {
    let is_first = node.places.is_empty();
    for digest in sight.keys.iter().filter(|key| is_digest(key)) {
        node.digests.insert(digest.clone());
    }
    node.content_digests.extend(sight.content_digest.clone());
    if is_first {
        node.state = sight.state;
        node.removed_by = sight.removed_by;
        node.unknown.clone_from(&sight.unknown);
    } else if sight.state.is_none() && sight.place.made {
        node.state = None;
        node.removed_by = None;
    }
    if !node.digests.is_empty() {
        node.unknown = None;
    }
    fill(&mut node.artifact_type, sight.artifact_type.as_ref());
    fill(&mut node.records, sight.records.as_ref());
    fill(&mut node.size, sight.place.size.as_ref());
    fill(&mut node.model, sight.model.as_ref());
    let same = |place: &Place| {
        let Place {
            store,
            file,
            digest,
            read_list,
            ..
        } = &sight.place;
        (place.store, &place.file) == (*store, file)
            && (&place.digest, &place.read_list) == (digest, read_list)
    };
    if !node.places.iter().any(same) {
        node.places.push(sight.place.clone());
    }
}

fn is_digest(key: &str) -> bool {
    !key.contains(' ')
}

fn fill<T: Clone>(known: &mut Option<T>, told: Option<&T>) {
    if known.is_none() {
        *known = told.cloned();
    }
}
