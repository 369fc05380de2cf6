//! What a run read a file as, and how it came by what it is said to have made.
//!
//! Equal bytes are one artifact, whatever they are called: so what was read may stand under the
//! name of another file with the same bytes. The name that was read is a fact; that the bytes came
//! from there is a match by content.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use birthmark_core::lineage::{Lineage, NodeId, Place};
use birthmark_core::session::{Artifact, Run};
use serde_json::Value;

use super::Told;
use crate::add::WAS_THERE;

/// At most so many other places of the same bytes are named.
const MOST_NAMED: usize = 6;

/// What the sessions tell of files by name, beside the graph.
#[derive(Debug, Clone, Default)]
pub(super) struct SeenAs {
    /// Under which names a run (the first) read an artifact, where that was made under another.
    read: BTreeMap<(usize, usize), String>,
    /// Artifacts that a run added, and that lay there before it began.
    added: BTreeSet<(usize, usize)>,
}

impl SeenAs {
    /// What these sessions tell of the runs among the nodes.
    pub(super) fn of<'a>(
        told: &[Told],
        lineage: &Lineage,
        nodes: impl Iterator<Item = &'a NodeId>,
    ) -> Self {
        let by_id: HashMap<(usize, &str), &Told> = told
            .iter()
            .map(|one| ((one.store, one.id.as_str()), one))
            .collect();
        let mut seen = Self::default();
        for node in nodes {
            let NodeId::Run(place) = *node else { continue };
            let of = &lineage.runs[place];
            let Some(one) = by_id.get(&(of.store, of.session.as_str())) else {
                continue;
            };
            for run in one
                .session
                .runs
                .iter()
                .filter(|run| of.runs.contains(&run.id))
            {
                seen.reads(one.store, run, place, lineage);
            }
            for artifact in &one.session.artifacts {
                if artifact
                    .run
                    .as_ref()
                    .is_some_and(|run| of.runs.contains(run))
                {
                    seen.adds(artifact, place, lineage);
                }
            }
        }
        seen
    }

    fn reads(&mut self, store: usize, run: &Run, node: usize, lineage: &Lineage) {
        for input in &run.used {
            let text = |name: &str| input.get(name).and_then(Value::as_str);
            let (Some(file), Some(digest)) = (text("file"), text("digest")) else {
                continue;
            };
            let here = |place: &Place| place.store == store && place.file == file;
            for artifact in lineage.artifacts_of(digest) {
                let places = &lineage.artifacts[*artifact].places;
                let was_made = places.iter().any(|place| here(place) && place.made);
                let made_elsewhere = places.iter().any(|place| place.made);
                if made_elsewhere && !was_made && places.iter().any(here) {
                    self.read.insert((node, *artifact), file.to_owned());
                }
            }
        }
    }

    fn adds(&mut self, artifact: &Artifact, run: usize, lineage: &Lineage) {
        let was_there = |artifact: &&Artifact| {
            let notes = artifact.sealed().map(|sealed| &sealed.notes);
            notes.is_some_and(|notes| notes.contains_key(WAS_THERE))
        };
        let Some(digest) = Some(artifact)
            .filter(was_there)
            .and_then(|one| one.digest.as_deref())
        else {
            return;
        };
        for node in lineage.artifacts_of(digest) {
            let mut places = lineage.artifacts[*node].places.iter();
            if places.any(|place| place.made && place.file == artifact.file) {
                self.added.insert((run, *node));
            }
        }
    }

    /// The name under which a run read an artifact, where that was made under another.
    pub(super) fn read_by(&self, run: usize, artifact: usize) -> Option<&str> {
        self.read.get(&(run, artifact)).map(String::as_str)
    }

    /// Whether a run only added an artifact: it lay there before.
    pub(super) fn was_added_by(&self, run: usize, artifact: usize) -> bool {
        self.added.contains(&(run, artifact))
    }
}

/// Where else the bytes of an artifact were made that only its bytes name.
pub(super) fn also_made(lineage: &Lineage, node: usize) -> Option<String> {
    let digest = lineage.artifacts[node].digest()?;
    let own = crate::text::short(lineage.artifacts[node].name(), 100);
    let mut names: Vec<String> = Vec::new();
    for other in lineage.artifacts_of(digest) {
        let places = &lineage.artifacts[*other].places;
        let made = places.iter().find(|place| place.made);
        let name = made.map(|place| crate::text::short(&place.file, 100));
        names.extend(name.filter(|name| *other != node && own != *name && !names.contains(name)));
    }
    names.sort();
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let text = format!("the same bytes were also made as {}", names.join(", "));
    (!names.is_empty()).then_some(text)
}
