//! Sights: single tellings of artifacts, and how those of one artifact become its node.

use std::collections::BTreeMap;

use super::{ArtifactNode, Place};

/// One telling of an artifact.
pub(super) struct Sight {
    /// What makes it the same as another sight.
    pub(super) keys: Vec<String>,
    pub(super) place: Place,
    pub(super) revision: Option<String>,
    pub(super) content_digest: Option<String>,
    pub(super) artifact_type: Option<String>,
    pub(super) records: Option<u64>,
    pub(super) model: Option<String>,
    pub(super) state: Option<&'static str>,
    pub(super) unknown: Option<String>,
}

/// The node of each sight: those that share a key, through any number of others, are one.
pub(super) fn unite(sights: &[Sight]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..sights.len()).collect();
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, sight) in sights.iter().enumerate() {
        for key in &sight.keys {
            let other = *first.entry(key).or_insert(at);
            let (a, b) = (root(&mut parents, at), root(&mut parents, other));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    (0..sights.len())
        .map(|at| {
            let top = root(&mut parents, at);
            let next = numbers.len();
            *numbers.entry(top).or_insert(next)
        })
        .collect()
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
        node.unknown.clone_from(&sight.unknown);
    } else if sight.state.is_none() && sight.place.made {
        node.state = None;
    }
    if !node.digests.is_empty() {
        node.unknown = None;
    }
    fill(&mut node.artifact_type, sight.artifact_type.as_ref());
    fill(&mut node.records, sight.records.as_ref());
    fill(&mut node.size, sight.place.size.as_ref());
    fill(&mut node.model, sight.model.as_ref());
    let same = |place: &Place| {
        (place.store, &place.file, &place.digest)
            == (sight.place.store, &sight.place.file, &sight.place.digest)
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
