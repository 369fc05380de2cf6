//! The run that made what is to be made again: of a file the last that wrote to it, of a record
//! the one that its birthmark names. A run that only gave the file another name is gone past.

use std::path::PathBuf;

use birthmark_core::lineage::{
    ArtifactNode, BEFORE, EARLIER, LINKED, Lineage, NodeId, Place, RENAMED, Relation,
};
use birthmark_core::session::{Artifact, Session};
use birthmark_core::{RunId, SessionId};
use serde_json::{Value, json};

use super::own::{self, Whose};
use super::share::{self, Share};
use crate::error::{Error, Result};
use crate::sessions;
use crate::trace::{self, OnDisk, Traced};

/// A run, and what it made.
pub(super) struct Made {
    /// The run, by its place in the lineage.
    pub(super) place: usize,
    /// Its session.
    pub(super) session: Session,
    /// What was recorded of the artifact.
    pub(super) recorded: Artifact,
    /// The artifact, as the run left it.
    pub(super) node: usize,
    /// Its file, if it is still as recorded.
    pub(super) original: Option<PathBuf>,
    /// What of it is the run's, where others wrote to it too.
    pub(super) share: Option<Share>,
    /// The names that it was given since, the last one first.
    pub(super) renamed: Vec<Renamed>,
}

/// That a run gave a file another name, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// What it was called before.
    pub from: String,
    /// Its name since.
    pub to: String,
    /// The script, else the program.
    pub by: String,
    /// Its session.
    pub session: SessionId,
    /// Its run.
    pub run: Option<RunId>,
}

impl Renamed {
    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "from": self.from,
            "to": self.to,
            "script_name": self.by,
            "session_id": self.session.as_str(),
            "run_id": self.run.as_ref().map(RunId::as_str),
        })
    }
}

/// The run that made an artifact, or the line of it that was asked for. Who only gave it another
/// name did not make it.
pub(super) fn find(traced: &Traced, node: usize) -> Result<Made> {
    let mut made = made(traced, node)?;
    let mut renamed: Vec<Renamed> = Vec::new();
    while let Some((earlier, how)) = renaming(&traced.lineage, &made) {
        let is_known = renamed.iter().any(|one| one.from == how.from);
        let before = self::made(traced, earlier);
        let Some(before) = before.ok().filter(|_| !is_known) else {
            break;
        };
        renamed.push(how);
        made = before;
    }
    made.renamed = renamed;
    made = who_wrote_a_record(traced, made)?;
    let Some(line) = traced.target.line.filter(|_| traced.target.runs.is_empty()) else {
        return Ok(made);
    };
    // A line that names no run is told by its place alone.
    loop {
        let whose = match &made.share {
            Some(share) => own::whose(share, line)?,
            None if made.original.is_some() => Whose::Own,
            None => Whose::Unknown,
        };
        let earlier = made.share.as_ref().and_then(|share| {
            let digest = share.had.digest.as_deref();
            node_of(&traced.lineage, digest?, &made.recorded.file, None)
        });
        made = match (whose, earlier) {
            (Whose::Own, _) => return Ok(made),
            (Whose::Earlier, Some(node)) => self::made(traced, node)?,
            (Whose::Earlier, None) | (Whose::Unknown, _) => return Err(nameless(traced, line)),
        };
    }
}

/// The last run that added something: a script that is started once more finds all done.
fn who_wrote_a_record(traced: &Traced, mut made: Made) -> Result<Made> {
    while made.recorded.added_nothing() {
        let had = &made.recorded.continued;
        let earlier = had.digest.as_deref().and_then(|digest| {
            let nodes = traced.lineage.artifacts_of(digest).iter();
            nodes.copied().find(|node| *node != made.node)
        });
        let Some(earlier) = earlier else {
            let name = crate::text::neutral(&made.recorded.file).into_owned();
            let text = format!(
                "the last run that opened `{name}` added nothing to it, and who wrote what was there is not known"
            );
            return Err(Error::usage("run-not-here", text)
                .with_hint("name the store that recorded it: --store PATH"));
        };
        made = self::made(traced, earlier)?;
    }
    Ok(made)
}

/// The artifact under its earlier name, where its run did nothing but give it another.
fn renaming(lineage: &Lineage, made: &Made) -> Option<(usize, Renamed)> {
    let digest = made.recorded.digest.as_ref()?;
    let mut edges = lineage.origins(NodeId::Artifact(made.node));
    edges.find_map(|edge| {
        let is_name = matches!(edge.role.as_deref(), Some(RENAMED | LINKED));
        let NodeId::Artifact(earlier) = edge.to else {
            return None;
        };
        let artifact = &lineage.artifacts[earlier];
        let is_it = is_name && edge.by == Some(made.place) && artifact.digests.contains(digest);
        let run = &lineage.runs[made.place];
        let mut places = artifact.places.iter();
        let from = places.find(|place| place.made).filter(|_| is_it)?;
        Some((
            earlier,
            Renamed {
                from: from.file.clone(),
                to: made.recorded.file.clone(),
                by: run.script.clone().unwrap_or_else(|| "a run".to_owned()),
                session: run.session.clone(),
                run: run.runs.first().cloned(),
            },
        ))
    })
}

fn nameless(traced: &Traced, line: u64) -> Error {
    let name = crate::text::neutral(&traced.target.name).into_owned();
    let message =
        format!("line {line} of `{name}` names no run, and none is known to have written it");
    Error::usage("line-of-no-run", message)
        .with_hint("without the line it is the last run that wrote to the file")
}

fn made(traced: &Traced, node: usize) -> Result<Made> {
    let (place, session, recorded) = run_and_artifact(traced, node)?;
    // What it was then, where runs went on with it since, is an artifact of its own.
    let node = recorded
        .digest
        .as_deref()
        .and_then(|digest| node_of(&traced.lineage, digest, &recorded.file, Some(place)))
        .unwrap_or(node);
    let original = original(traced, node, &recorded);
    Ok(Made {
        share: share::of(traced, node, place, &recorded, original.as_deref()),
        place,
        session,
        recorded,
        node,
        original,
        renamed: Vec::new(),
    })
}

/// The artifact with this digest that was made at this path, by this run where one is named.
pub(super) fn node_of(
    lineage: &Lineage,
    digest: &str,
    file: &str,
    run: Option<usize>,
) -> Option<usize> {
    let nodes = lineage.artifacts_of(digest).iter().copied();
    let fits = |node: &usize| {
        let mut places = lineage.artifacts[*node].places.iter();
        places.any(|place| place.made && place.file == file)
            && run.is_none_or(|run| generators(lineage, *node).contains(&run))
    };
    let mut nodes = nodes.filter(fits);
    nodes.next()
}

/// The run that made the artifact, its session, and what that recorded.
fn run_and_artifact(traced: &Traced, node: usize) -> Result<(usize, Session, Artifact)> {
    let lineage = &traced.lineage;
    let of_line = traced.target.line.is_some() && !traced.target.runs.is_empty();
    let (wanted, nodes) = if of_line {
        (traced.target.runs.clone(), states(lineage, node))
    } else {
        (generators(lineage, node), vec![node])
    };
    let digest = traced.target.digests.0.as_deref();
    let mut fallback = None;
    let mut is_known = false;
    for place in wanted {
        let run = &lineage.runs[place];
        if run.unknown.is_some() {
            continue;
        }
        is_known = true;
        let session = sessions::fold_of(&traced.stores[run.store], &run.session)?;
        let is_of_run =
            |artifact: &&Artifact| artifact.run.as_ref().is_none_or(|id| run.runs.contains(id));
        let made = || {
            session
                .artifacts
                .iter()
                .chain(session.replaced.iter().rev())
                .filter(is_of_run)
        };
        let of_digest = made().find(|artifact| {
            let is_its = |node: &usize| {
                let ArtifactNode {
                    digests, places, ..
                } = &lineage.artifacts[*node];
                let mut made = places.iter().filter(|place| place.made);
                // An empty file is told by its place.
                let is_same = |place: &Place| {
                    let known = artifact.digest.as_ref();
                    known.is_some_and(|known| digests.contains(known))
                        || known.is_some() && place.digest.as_ref() == known
                };
                made.any(|place| place.file == artifact.file && is_same(place))
            };
            nodes.iter().any(is_its)
        });
        // After an edit no digest leads from the file to what an earlier run had made of it.
        let at_path = || made().find(|artifact| is_called(traced, node, artifact));
        let the_only = || {
            let mut all = made().filter(|artifact| is_jsonl(artifact));
            let first = all.next()?;
            all.all(|other| other.file == first.file).then_some(first)
        };
        let by_line = || at_path().or_else(the_only).filter(|_| of_line);
        let Some(artifact) = of_digest.or_else(by_line).cloned() else {
            continue;
        };
        if artifact.digest.as_deref() == digest {
            return Ok((place, session, artifact));
        }
        fallback = fallback.or(Some((place, session, artifact)));
    }
    fallback.ok_or_else(|| changed(traced, node).unwrap_or_else(|| not_here(traced, is_known)))
}

/// Of bytes that nobody recorded, whose making is not known, the version before is to be had.
fn changed(traced: &Traced, node: usize) -> Option<Error> {
    let lineage = &traced.lineage;
    let since = trace::changed_since(lineage, node)?;
    let name = crate::text::neutral(&traced.target.name).into_owned();
    let digest = lineage.artifacts[since.left].digest().unwrap_or_default();
    let message = format!("`{name}` was {}", trace::mind(lineage, since.run));
    let hint = format!("make again what it was then: birthmark reproduce {digest}");
    Some(Error::usage("changed-since", message).with_hint(hint))
}

fn not_here(traced: &Traced, is_known: bool) -> Error {
    let name = crate::text::neutral(&traced.target.name).into_owned();
    if is_known {
        let message =
            format!("the run that made `{name}` is here, and not what it called the file");
        return Error::usage("run-not-here", message)
            .with_hint("ask for a line, FILE:LINE, or for the file where the run wrote it");
    }
    Error::usage(
        "run-not-here",
        format!("the run that made `{name}` is not here"),
    )
    .with_hint("name the store that recorded it: --store PATH")
}

/// Whether every record of it names its run.
fn is_jsonl(artifact: &Artifact) -> bool {
    artifact
        .sealed()
        .is_some_and(|sealed| sealed.format == "jsonl")
}

/// Whether an artifact of a session was made at a path where this one was seen, or lies.
fn is_called(traced: &Traced, node: usize, artifact: &Artifact) -> bool {
    let places = &traced.lineage.artifacts[node].places;
    let mut names = places.iter().map(|place| place.file.as_str());
    artifact.file == traced.target.name || names.any(|name| name == artifact.file)
}

/// An artifact, and what it was before runs went on with it, the newest first.
pub(super) fn states(lineage: &Lineage, node: usize) -> Vec<usize> {
    lineage.back_along(node, &[BEFORE, EARLIER])
}

/// The newest first.
pub(super) fn generators(lineage: &Lineage, node: usize) -> Vec<usize> {
    let edges = lineage.origins(NodeId::Artifact(node));
    let mut runs: Vec<usize> = edges
        .filter_map(|edge| match (edge.relation, edge.to) {
            (Relation::WasGeneratedBy, NodeId::Run(run)) => Some(run),
            _ => None,
        })
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse(lineage.runs[*run].start));
    runs
}

/// The file of an artifact, if it is still as recorded.
fn original(traced: &Traced, node: usize, recorded: &Artifact) -> Option<PathBuf> {
    let path = traced.target.path.clone();
    let own = path.filter(|_| traced.target.digests.0 == recorded.digest);
    let lies = || match traced.on_disk.get(&node)? {
        OnDisk::Same(path) => Some(path.clone()),
        _ => None,
    };
    own.or_else(lies)
}
