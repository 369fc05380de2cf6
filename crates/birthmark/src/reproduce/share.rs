//! A file of records that several runs added to: what lay there before one of them, and which
//! records are that run's.
//!
//! What lay there before is an input of the run, as the opening of the file recorded it: it is
//! laid out with the others, from the beginning of the file as it lies now, so that the run goes
//! on with what it went on with. Where a run was only seen to write (no opening of ours tells),
//! it went on with what another had made there if the file still begins with exactly that.
//!
//! # Invariants
//!
//! * A record is a run's where its birthmark names the run; one without a birthmark only where
//!   the bytes up to the run's end are proved to be those that it left.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Take, Write};
use std::path::{Path, PathBuf};

use birthmark_core::lineage::NodeId;
use birthmark_core::session::{Artifact, Had};
use birthmark_core::{RunId, SessionId};
use birthmark_store::Durability;
use birthmark_store::atomic;
use serde_json::{Value, json};

use super::lay::Laid;
use super::{Options, Plan, io, maker};
use crate::digests::{beginning, beginnings};
use crate::error::{Error, Result};
use crate::lineage::OBSERVED;
use crate::sessions;
use crate::trace::{OnDisk, Traced};

/// What one run added to a file.
#[derive(Debug, Clone)]
pub struct Share {
    /// The file, where it lies.
    pub file: Option<PathBuf>,
    /// What was there before; no bytes where the run began the file.
    pub had: Had,
    /// Whether that can be had.
    pub before: Before,
    /// The run that had made what was there: its script and session.
    pub left_by: Option<(String, SessionId)>,
    /// How many runs it is known that the file came from.
    pub writers: usize,
    /// Records that the run wrote, where they were counted.
    pub records: Option<u64>,
    /// Where the run's bytes lie, if they are proved to be those that it left.
    pub(super) proved: Option<(u64, u64)>,
    pub(super) session: SessionId,
    pub(super) runs: Vec<RunId>,
    /// Whether each of its records names its run.
    pub(super) names_runs: bool,
}

/// Whether what was there before can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing was there.
    Nothing,
    /// This file begins with it.
    Here(PathBuf),
    /// The code has it.
    InCode,
    /// It cannot be had, and why.
    Lacking(&'static str),
}

/// The share of a run in what it made; `None` where the file holds nothing else, or is none of
/// records.
pub(super) fn of(
    traced: &Traced,
    node: usize,
    run: usize,
    recorded: &Artifact,
    original: Option<&Path>,
) -> Option<Share> {
    let sealed = recorded.sealed()?;
    let ends = |ending: &str| recorded.file.to_ascii_lowercase().ends_with(ending);
    if sealed.format != "jsonl" && !ends(".jsonl") && !ends(".ndjson") {
        return None;
    }
    let found = &traced.lineage.runs[run];
    let as_recorded = original.filter(|path| path.is_file());
    let file = as_recorded
        .map(Path::to_owned)
        .or_else(|| file_of(traced, run, recorded));
    let told = recorded.had_before(|id| found.runs.contains(id)).cloned();
    let mut had = told.unwrap_or_default();
    let candidates =
        if had.bytes == 0 && sealed.format == OBSERVED || had.digest.is_none() && had.bytes > 0 {
            earlier(traced, run, recorded, &had)
        } else {
            Vec::new()
        };
    let mut sizes: BTreeSet<u64> = candidates.iter().map(|one| one.bytes).collect();
    sizes.extend([had.bytes, recorded.size]);
    let digests = file.as_deref().map(|file| beginnings(file, &sizes));
    let lies = |size: u64, digest: Option<&String>| {
        let now = digests
            .as_ref()
            .and_then(|all| all.iter().find(|(at, _)| *at == size));
        now.is_some_and(|(_, now)| Some(now) == digest)
    };
    let mut candidates = candidates
        .into_iter()
        .filter(|one| lies(one.bytes, one.digest.as_ref()));
    if let Some(earlier) = candidates.by_ref().max_by_key(|one| one.bytes) {
        had = earlier;
    }
    if had.bytes == 0 && (original.is_some() || file.is_none()) {
        return None;
    }
    let is_proved = lies(recorded.size, recorded.digest.as_ref());
    let before_node = had.digest.as_deref().and_then(|digest| {
        let at_path = maker::node_of(&traced.lineage, digest, &recorded.file, None);
        at_path.or_else(|| traced.lineage.artifact_of(digest))
    });
    let elsewhere = before_node.and_then(|node| match traced.on_disk.get(&node) {
        Some(OnDisk::Same(path)) => Some(path.clone()),
        _ => None,
    });
    let before = match (&file, elsewhere) {
        _ if had.bytes == 0 => Before::Nothing,
        (Some(file), _) if lies(had.bytes, had.digest.as_ref()) => Before::Here(file.clone()),
        (_, Some(copy)) => Before::Here(copy),
        _ if had.digest.is_none() => Before::Lacking("known by its size alone"),
        (Some(_), _) => Before::Lacking("changed since"),
        (None, _) => Before::Lacking("not here"),
    };
    let left_by = before_node.and_then(|node| {
        let run = *maker::generators(&traced.lineage, node).first()?;
        let run = &traced.lineage.runs[run];
        Some((
            run.script.clone().unwrap_or_else(|| "a run".to_owned()),
            run.session.clone(),
        ))
    });
    Some(Share {
        proved: is_proved.then_some((had.bytes, recorded.size)),
        records: recorded.records.map(|all| all.saturating_sub(had.records)),
        writers: writers(traced, node, run),
        session: found.session.clone(),
        runs: found.runs.clone(),
        names_runs: sealed.format != OBSERVED,
        file,
        had,
        before,
        left_by,
    })
}

/// Where the file lies now: the one that was named, or where it was recorded, whichever begins as
/// it was recorded; a record that was named may stand in another file than it was born in. Where
/// it is gone, a hand may have moved it.
fn file_of(traced: &Traced, run: usize, recorded: &Artifact) -> Option<PathBuf> {
    let named = traced.target.path.clone();
    let project = traced.stores.get(traced.lineage.runs[run].store)?;
    let place = sessions::locate(project, &recorded.file, recorded.file_bytes());
    let mut places: Vec<PathBuf> = named.into_iter().chain([place.clone()]).collect();
    places.retain(|path| path.is_file());
    let is_it = |path: &&PathBuf| beginning(path, recorded.size) == recorded.digest;
    let whole = places.iter().find(is_it).filter(|_| places.len() > 1);
    let known = whole.or(places.first()).cloned();
    known.or_else(|| {
        let size = Some(recorded.size);
        let moved = crate::verify::elsewhere(project, &recorded.file, &place, size);
        moved
            .into_iter()
            .find(|path| path.is_file() && is_it(&path))
    })
}

/// What other runs had made at the path before, as far as it is smaller.
fn earlier(traced: &Traced, run: usize, recorded: &Artifact, had: &Had) -> Vec<Had> {
    let store = traced.lineage.runs[run].store;
    let mut all = Vec::new();
    for artifact in &traced.lineage.artifacts {
        for place in &artifact.places {
            let is_it = place.made && place.store == store && place.file == recorded.file;
            let (Some(size), Some(digest)) = (place.size, &place.digest) else {
                continue;
            };
            let is_before = size > 0 && size < recorded.size && place.time <= recorded.time;
            if is_it && is_before && (had.bytes == 0 || had.bytes == size) {
                all.push(Had {
                    bytes: size,
                    records: artifact.records.unwrap_or(had.records),
                    digest: Some(digest.clone()),
                    content_digest: None,
                });
            }
        }
    }
    all
}

/// The runs that the file is known to come from, this one included.
fn writers(traced: &Traced, node: usize, run: usize) -> usize {
    let states = maker::states(&traced.lineage, node);
    let made = states.iter().flat_map(|node| {
        let edges = traced.lineage.origins(NodeId::Artifact(*node));
        edges.filter_map(|edge| match edge.to {
            NodeId::Run(run) => Some(run),
            NodeId::Artifact(_) => None,
        })
    });
    made.chain([run]).collect::<BTreeSet<usize>>().len()
}

impl Share {
    /// For programs.
    pub fn to_json(&self) -> Value {
        let before = match &self.before {
            Before::Nothing => "nothing",
            Before::Here(_) => "here",
            Before::InCode => "in the code",
            Before::Lacking(why) => why,
        };
        json!({
            "before": before,
            "bytes": self.had.bytes,
            "records": self.had.records,
            "digest": self.had.digest,
            "left_by": self.left_by.as_ref().map(|(_, session)| session.as_str()),
            "own_records": self.records,
            "writers": self.writers,
        })
    }

    /// Whether a file begins with what was there before.
    pub(super) fn begins(&self, path: &Path) -> bool {
        let found = beginning(path, self.had.bytes);
        found.is_some() && found == self.had.digest
    }

    /// Whether a file is what was there before, and no more.
    fn is_it(&self, path: &Path) -> bool {
        let size = path
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|found| found.len());
        size == Some(self.had.bytes) && self.begins(path)
    }
}

/// Lays out what was there before, unless the code has brought it.
pub(super) fn lay(plan: &Plan, options: &Options, laid: &Laid) -> Result<()> {
    let Some(share) = plan
        .share
        .as_ref()
        .filter(|share| share.before != Before::Nothing)
    else {
        return Ok(());
    };
    let target = laid.folder.join(&plan.file);
    if share.is_it(&target) {
        return Ok(());
    }
    let Before::Here(source) = &share.before else {
        if options.inexact {
            return Ok(());
        }
        return Err(changed(plan));
    };
    atomic::create_folder(atomic::folder_of(&target))?;
    copy_beginning(source, share.had.bytes, &target)?;
    if share.is_it(&target) {
        return Ok(());
    }
    Err(changed(plan))
}

/// Copies the first bytes of a file to a place of their own.
pub(super) fn copy_beginning(source: &Path, size: u64, target: &Path) -> Result<()> {
    let file = File::open(source).map_err(|error| io(source, "read", error))?;
    let mut beginning: Take<File> = file.take(size);
    let copy = |to: &mut File| {
        std::io::copy(&mut beginning, to)?;
        to.flush()
    };
    atomic::replace_with(target, Durability::Process, copy)?;
    Ok(())
}

fn changed(plan: &Plan) -> Error {
    let message = format!(
        "`{}` as it was before the run is neither here nor in the code",
        crate::text::short(&plan.file, 100)
    );
    Error::usage("input-missing", message)
        .with_hint("bring it back, or use --inexact: the run then begins the file anew")
}
