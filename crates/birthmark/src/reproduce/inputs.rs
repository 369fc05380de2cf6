//! What a run read, as it lies now.
//!
//! An artifact of the lineage may have been read at several paths; here each is an input of its
//! own, since the command asks for each by its path. Where it no longer lies there, the same
//! bytes from wherever they lie take its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use birthmark_core::Fields;
use birthmark_core::lineage::{self, ArtifactNode, NodeId, Place, Relation, mentions};
use birthmark_core::session::{Artifact, Run, Session};
use birthmark_store::Layout;
use serde_json::Value;

use super::plan::{Input, InputState, Plan};
use super::share::{Before, Share};
use crate::lineage::listed::Listed;
use crate::project::is_within;
use crate::sessions;
use crate::snapshot::Held;
use crate::trace::{self, OnDisk, Traced};

/// The paths that runs of a session were seen or told to have read, and those that the artifact
/// says it was made from; for a folder with the list of its files that were read.
pub(super) type Read = BTreeMap<String, Option<Listed>>;

/// What these runs read, of this store.
pub(super) fn read_by(
    layout: &Layout,
    session: &Session,
    runs: &[&Run],
    recorded: &Artifact,
) -> Read {
    let named = |inputs: &[Fields]| -> Read {
        let told = inputs.iter().filter_map(lineage::input);
        told.filter(|one| one.is_path)
            .map(|one| {
                let list = one.read_list.as_deref();
                (one.file, list.and_then(|list| Listed::load(layout, list)))
            })
            .collect()
    };
    let mut all: Read = runs.iter().flat_map(|run| named(&run.used)).collect();
    if all.is_empty() {
        all = named(&session.used);
    }
    for told in mentions(recorded.birthmark()) {
        if told.is_path {
            all.entry(told.file).or_default();
        }
    }
    all
}

/// What the artifact `file` was made from, and what its run was told to have read.
pub(super) fn of(traced: &Traced, node: usize, run: usize, file: &str, read: &Read) -> Vec<Input> {
    let lineage = &traced.lineage;
    let derived = lineage
        .origins(NodeId::Artifact(node))
        .filter(|edge| edge.relation == Relation::WasDerivedFrom && edge.by == Some(run));
    let used = lineage
        .origins(NodeId::Run(run))
        .filter(|edge| edge.relation == Relation::Used);
    let mut inputs: Vec<Input> = Vec::new();
    let mut seen = Vec::new();
    for edge in derived.chain(used) {
        let NodeId::Artifact(place) = edge.to else {
            continue;
        };
        // What it was before it was gone on with is made again with it.
        let is_before = edge.role.as_deref() == Some("before");
        // So is what the run made itself: laid out before it, it would stand in the run's way.
        let is_its_own = || {
            let mut origins = lineage.origins(NodeId::Artifact(place));
            place != node
                && origins.any(|edge| {
                    edge.relation == Relation::WasGeneratedBy && edge.to == NodeId::Run(run)
                })
        };
        if is_before || seen.contains(&place) || is_its_own() {
            continue;
        }
        seen.push(place);
        let artifact = &lineage.artifacts[place];
        let role = edge.role.as_ref();
        let paths = paths(artifact, file, read);
        if place == node || !paths.is_empty() {
            let each = paths.iter().map(|path| {
                let listed = read.get(&path.file).cloned().flatten();
                at(traced, place, path, listed, role)
            });
            inputs.extend(each);
        } else {
            inputs.push(one(traced, place, role));
        }
    }
    inputs
}

/// Where an artifact was read, each path once, the newest first.
fn paths<'a>(artifact: &'a ArtifactNode, made: &str, read: &Read) -> Vec<&'a Place> {
    let mut paths: Vec<&Place> = Vec::new();
    for place in &artifact.places {
        let is_read = place.is_path && place.file != made && read.contains_key(&place.file);
        if is_read && !paths.iter().any(|known| known.file == place.file) {
            paths.push(place);
        }
    }
    paths
}

/// The digests of an artifact. That of an empty file tells of no other place, but is its own.
fn digests(artifact: &ArtifactNode, place: Option<&Place>) -> Vec<String> {
    let mut digests: Vec<String> = artifact.digests.iter().cloned().collect();
    if digests.is_empty() {
        digests.extend(place.and_then(|place| place.digest.clone()));
    }
    digests
}

/// An artifact that was read at one of several paths.
fn at(
    traced: &Traced,
    node: usize,
    place: &Place,
    listed: Option<Listed>,
    role: Option<&String>,
) -> Input {
    let artifact = &traced.lineage.artifacts[node];
    let digests = digests(artifact, Some(place));
    let lies = lies(traced, place);
    let within = listed.as_ref().zip(lies.as_ref());
    let within = within.filter(|(_, path)| path.is_dir());
    let digester = crate::digests::digester();
    let differing = within.map(|(listed, path)| listed.differing(path, &digester));
    // The rest of a folder is not read where what was read of it says enough.
    let whole = lies.as_ref().filter(|_| differing != Some(None));
    let now = whole.and_then(|path| {
        let real = path.canonicalize().ok()?;
        Some(crate::dataset::digest_of(&real).ok()?.to_string())
    });
    let state = match (now, lies) {
        (_, Some(path)) if differing == Some(None) => InputState::Here(path),
        _ if digests.is_empty() && listed.is_none() => InputState::NameAlone,
        (Some(digest), Some(path)) if digests.contains(&digest) => InputState::Here(path),
        (now, lies) => match lying(traced, &digests).or_else(|| moved(traced, place, &digests)) {
            Some(path) => InputState::Here(path),
            None if let Some(grown) = grown(artifact, place, &digests, lies) => grown,
            None if now.is_some() => InputState::NotAsItWas("changed since"),
            None => InputState::NotAsItWas("not here"),
        },
    };
    Input {
        role: role.cloned(),
        changed_since: changed(traced, node, &place.file),
        name: place.file.clone(),
        digests,
        state,
        listed,
        differing: differing.flatten(),
        lost: false,
    }
}

/// Where what was read at a place lies now, if its store is here.
fn lies(traced: &Traced, place: &Place) -> Option<PathBuf> {
    let project = traced.stores.get(place.store)?;
    Some(sessions::locate(
        project,
        &place.file,
        place.file_bytes.as_deref(),
    ))
}

/// What lies at a path where it goes on behind what was read there.
fn grown(
    artifact: &ArtifactNode,
    place: &Place,
    digests: &[String],
    lies: Option<PathBuf>,
) -> Option<InputState> {
    let lies = lies.filter(|_| is_within(&place.file))?;
    let told = artifact.places.iter().filter(|one| {
        let digest = one.digest.as_ref();
        digest.is_some_and(|digest| digests.contains(digest))
    });
    let sizes: BTreeSet<u64> = told.filter_map(|one| one.size).collect();
    let is_it = |digest: &str| digests.iter().any(|one| one == digest);
    let size = sizes
        .into_iter()
        .find(|size| crate::digests::has_grown(&lies, *size, is_it))?;
    Some(InputState::Grown(lies, size))
}

/// Whether what was read there was not what a run had left there.
fn changed(traced: &Traced, node: usize, file: &str) -> Option<(String, Value)> {
    let lineage = &traced.lineage;
    let changed = trace::changed_at(lineage, node, file)?;
    Some((changed.of_input(lineage), changed.told(lineage)))
}

/// Where the same bytes lie by now, of all places that are told of.
fn lying(traced: &Traced, digests: &[String]) -> Option<PathBuf> {
    let nodes = digests
        .iter()
        .flat_map(|digest| traced.lineage.artifacts_of(digest));
    let places = nodes.flat_map(|node| &traced.lineage.artifacts[*node].places);
    let own = |place: &&Place| {
        let digest = place.digest.as_ref();
        place.is_path && digest.is_some_and(|digest| digests.contains(digest))
    };
    places.filter(own).find_map(|place| {
        let project = traced.stores.get(place.store)?;
        let path = sessions::locate(project, &place.file, place.file_bytes.as_deref());
        let real = path.canonicalize().ok()?;
        let now = crate::dataset::digest_of(&real).ok()?.to_string();
        digests.contains(&now).then_some(path)
    })
}

/// Where the same bytes lie that nobody told of: a file that was renamed by hand, looked for as
/// `verify` does.
fn moved(traced: &Traced, place: &Place, digests: &[String]) -> Option<PathBuf> {
    let project = traced.stores.get(place.store)?;
    let was = sessions::locate(project, &place.file, place.file_bytes.as_deref());
    let places = crate::verify::elsewhere(project, &place.file, &was, place.size);
    places.into_iter().find(|path| {
        let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
        let now = || {
            crate::dataset::digest_of(path)
                .ok()
                .map(|now| now.to_string())
        };
        is_file && now().is_some_and(|now| digests.contains(&now))
    })
}

/// An artifact that was read at one path, or is known by a name.
fn one(traced: &Traced, node: usize, role: Option<&String>) -> Input {
    let artifact = &traced.lineage.artifacts[node];
    let path = artifact.places.iter().find(|place| place.is_path);
    let digests = digests(artifact, path);
    let state = match (traced.on_disk.get(&node), path) {
        _ if digests.is_empty() => InputState::NameAlone,
        (_, None) => InputState::NoPlace,
        (Some(OnDisk::Same(path)), _) => InputState::Here(path.clone()),
        (now, Some(place)) => match moved(traced, place, &digests) {
            Some(path) => InputState::Here(path),
            None if let Some(grown) = grown(artifact, place, &digests, lies(traced, place)) => {
                grown
            }
            None if matches!(
                now,
                Some(OnDisk::Changed(_) | OnDisk::Stamped(_) | OnDisk::Replaced(_))
            ) =>
            {
                InputState::NotAsItWas("changed since")
            }
            None => InputState::NotAsItWas("not here"),
        },
    };
    Input {
        role: role.cloned(),
        changed_since: changed(traced, node, artifact.name()),
        name: artifact.name().to_owned(),
        digests,
        state,
        listed: None,
        differing: None,
        lost: false,
    }
}

/// Tells what is not here as it was, and is in the code as it was.
pub(super) fn look_in_code(plan: &mut Plan) {
    let is_lacking = |input: &Input| matches!(input.state, InputState::NotAsItWas(_));
    let goes_on_lacking = |share: &Share| matches!(share.before, Before::Lacking(_));
    let any =
        plan.inputs.iter().any(is_lacking) || plan.share.as_ref().is_some_and(goes_on_lacking);
    let Some(commit) = plan.code.restore.as_ref().filter(|_| any) else {
        return;
    };
    let Some(held) = Held::open(&plan.project, commit) else {
        return;
    };
    let root = plan.project.root();
    let below = root.strip_prefix(&plan.top).unwrap_or(Path::new(""));
    let digest = |name: &str| held.digest(&below.join(name).to_string_lossy());
    for input in &mut plan.inputs {
        let InputState::NotAsItWas(why) = input.state else {
            continue;
        };
        let is_listed = input.listed.as_ref().is_some_and(|listed| {
            let folder = Path::new(&input.name);
            listed.is_held(|name| digest(&folder.join(name).to_string_lossy()))
        });
        if is_listed || digest(&input.name).is_some_and(|now| input.digests.contains(&now)) {
            input.state = InputState::InCode(why);
        } else {
            input.lost = !held.may_hold(&below.join(&input.name).to_string_lossy());
        }
    }
    if let Some(share) = plan.share.as_mut().filter(|share| goes_on_lacking(share))
        && share.had.digest.is_some()
        && digest(&plan.file) == share.had.digest
    {
        share.before = Before::InCode;
    }
}
