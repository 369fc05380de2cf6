//! What was asked for: a file by what it is, a record, a digest, a session, a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::Timestamp;
use birthmark_core::lineage::{ArtifactNode, Direction, Lineage, NodeId, Place, Relation};
use birthmark_store::format::{FileKind, codec::Codec};
use serde_json::Value;

use super::Told;
use super::carried::{Carried, ONLY_STAMPED, only_stamped};
use super::changed::{self, changed_since};
use super::named::find_name;
use super::seen_as::also_made;
use super::wanted::Wanted;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::verify::{APART, is_merged};
use crate::{sessions, wrote};

/// How the artifact was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// By the digest of its bytes.
    Digest,
    /// By the digest of its content: its birthmarks are others, or gone.
    Content,
    /// By its path: its bytes are not what was recorded, or it is no longer there.
    Path,
    /// By the session that its birthmark names.
    Birthmark,
    /// By a session's or run's name.
    Session,
}

impl FoundBy {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Content => "content_digest",
            Self::Path => "path",
            Self::Birthmark => "birthmark",
            Self::Session => "session",
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Target {
    /// As it is called: the path from the project's root, a digest, a session.
    pub name: String,
    /// The file, where it is one that lies here.
    pub path: Option<PathBuf>,
    /// The line, for one record.
    pub line: Option<u64>,
    /// How it was found.
    pub found_by: FoundBy,
    /// The artifact; none for a session.
    pub artifact: Option<usize>,
    /// The runs it is about, where these are not all runs of the artifact: of a record the
    /// one that made it, of a session all.
    pub runs: Vec<usize>,
    /// Whether it carries a birthmark, of whatever session or of none.
    pub stamped: bool,
    /// Digest of its bytes now, and of its content.
    pub digests: (Option<String>, Option<String>),
    /// What is to be minded: changed bytes, a session that is not here.
    pub mind: Option<String>,
    /// The items of a report that were made with other code than its run's.
    pub items_from: Vec<String>,
    /// Bytes of the file as it lies, where these are others than were recorded.
    pub size: Option<u64>,
    /// The file with the same bytes that was made, where nobody made them under this name.
    pub same_as: Option<String>,
}

impl Target {
    /// The nodes that it is.
    pub fn roots(&self) -> impl Iterator<Item = NodeId> {
        let artifact = self.artifact.map(NodeId::Artifact);
        let runs = self.runs.iter().map(|run| NodeId::Run(*run));
        artifact
            .into_iter()
            .chain(runs)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Where the walk to the origins begins.
    fn up_roots(&self) -> Vec<NodeId> {
        if self.runs.is_empty() || self.line.is_none() {
            return self.roots().collect();
        }
        self.runs.iter().map(|run| NodeId::Run(*run)).collect()
    }

    /// Where it came from. Of a run that is told as a whole (one that was asked for, or that was
    /// done again) also what it made something from.
    pub(super) fn up(&self, lineage: &Lineage) -> BTreeSet<NodeId> {
        let mut roots = self.up_roots();
        let mut whole: Vec<usize> = self.runs.clone();
        loop {
            roots.extend(whole.iter().flat_map(|run| made_from(lineage, *run)));
            let up = lineage.reach(&roots, Direction::Up);
            let again = lineage.edges.iter().filter_map(|edge| match edge.to {
                NodeId::Run(run) if edge.relation == Relation::ReproductionOf => {
                    up.contains(&edge.from).then_some(run)
                }
                _ => None,
            });
            let more: Vec<usize> = again.filter(|run| !whole.contains(run)).collect();
            if more.is_empty() {
                return up;
            }
            whole.extend(more);
        }
    }

    /// What came of it.
    pub(super) fn down(&self, lineage: &Lineage) -> BTreeSet<NodeId> {
        let roots = match self.artifact {
            Some(artifact) => vec![NodeId::Artifact(artifact)],
            None => self.roots().collect(),
        };
        lineage.reach(&roots, Direction::Down)
    }
}

/// What a run made something from.
fn made_from(lineage: &Lineage, run: usize) -> impl Iterator<Item = NodeId> {
    let made = lineage
        .outcomes(NodeId::Run(run))
        .filter(|edge| edge.relation == Relation::WasGeneratedBy);
    let from = made.flat_map(|edge| lineage.origins(edge.from));
    from.filter(move |edge| edge.relation == Relation::WasDerivedFrom && edge.by == Some(run))
        .map(|edge| edge.to)
}

/// Finds what was asked for in the lineage.
pub(super) fn find(
    wanted: &Wanted,
    lineage: &mut Lineage,
    projects: &[Project],
    told: &[Told],
) -> Result<Target> {
    if wanted.path.is_some() {
        return find_file(wanted, lineage, projects);
    }
    find_name(wanted, lineage, projects, told)
}

fn find_file(wanted: &Wanted, lineage: &mut Lineage, projects: &[Project]) -> Result<Target> {
    let path = wanted.path.clone().unwrap_or_default();
    let project = projects.first().unwrap_or(&wanted.named);
    let (digest, content) = &wanted.digests;
    let by = |digest: &Option<String>| {
        let nodes = lineage.artifacts_of(digest.as_deref()?);
        let made_there = |node: &usize| place_at(lineage, projects, *node, &path, true);
        let seen_there = |node: &usize| place_at(lineage, projects, *node, &path, false);
        // Hard links are one file under several names, each of which was made by itself.
        let so_called = |node: &usize| made_as(lineage, projects, *node, &path);
        let there = nodes.iter().find(|node| so_called(node));
        let there = there.or_else(|| nodes.iter().find(|node| made_there(node)));
        let is_made = there.is_some();
        let there = there.or_else(|| nodes.iter().find(|node| seen_there(node)));
        Some((*there.or(nodes.first())?, there.is_some(), is_made))
    };
    let found = by(digest).or_else(|| by(content));
    let is_bytes = |node: usize| {
        let artifact = &lineage.artifacts[node];
        let digest = digest.as_deref();
        artifact
            .places
            .iter()
            .any(|place| place.digest.as_deref() == digest)
    };
    let mut target = Target {
        name: project.stored_path(&path),
        path: Some(path.clone()),
        line: wanted.line,
        found_by: FoundBy::Digest,
        artifact: found.map(|(node, _, _)| node),
        runs: Vec::new(),
        stamped: wanted.stamped,
        digests: wanted.digests.clone(),
        mind: None,
        items_from: wanted.carried.as_ref().map_or(Vec::new(), |carried| {
            crate::report::origins::of_other_code(&carried.birthmark)
        }),
        size: None,
        same_as: None,
    };
    if let Some((node, is_there, is_made)) = found {
        if !is_bytes(node) {
            target.found_by = FoundBy::Content;
        }
        target.mind = (!is_made).then(|| also_made(lineage, node)).flatten();
        let mut places = lineage.artifacts[node].places.iter();
        let made = places.find(|place| place.made && !is_made);
        target.same_as = made.map(|place| place.file.clone());
        if let Some(left) = changed_since(lineage, node).filter(|_| is_there) {
            target.mind = Some(changed::mind(lineage, left.run));
        }
    } else {
        find_changed(&mut target, wanted, lineage, projects)?;
    }
    if target.line.is_some()
        && let Some(carried) = &wanted.carried
    {
        target.runs = runs_of(lineage, carried);
    }
    if target.line.is_some()
        && target.mind.is_none()
        && let Some(wrote) = &wanted.wrote
    {
        let who = crate::text::short(wrote.script().unwrap_or("a run"), 60);
        target.mind = Some(format!(
            "the record was born there; the file was written by {who} in session {}",
            wrote.session.short()
        ));
    }
    if let Some(part) = &wanted.part {
        let part = crate::text::neutral(part);
        let mind = target
            .mind
            .map_or(String::new(), |mind| format!("; {mind}"));
        target.mind = Some(format!(
            "{part} is a file of this folder, which is one artifact{mind}"
        ));
    }
    Ok(target)
}

fn is_at(projects: &[Project], place: &Place, path: &Path) -> bool {
    place.is_path
        && projects.get(place.store).is_some_and(|project| {
            let there = sessions::locate(project, &place.file, place.file_bytes.as_deref());
            there == path || birthmark_store::records::same_file(&there, path)
        })
}

/// Whether an artifact was made under this very name.
fn made_as(lineage: &Lineage, projects: &[Project], node: usize, path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = crate::project::plain(&path);
    let mut places = lineage.artifacts[node].places.iter();
    places.any(|place| {
        let project = projects.get(place.store).filter(|_| place.made);
        project.is_some_and(|project| {
            sessions::locate(project, &place.file, place.file_bytes.as_deref()) == path
        })
    })
}

/// Whether lines that two sessions added to a file apart were put together in it.
fn is_both_ends(lineage: &Lineage, projects: &[Project], path: &Path) -> bool {
    if FileKind::of(path) != Some(FileKind::Records(Codec::Plain)) {
        return false;
    }
    let places = lineage.artifacts.iter().flat_map(|one| &one.places);
    let made = places.filter(|place| place.made && is_at(projects, place, path));
    let mut recorded = BTreeMap::<u64, BTreeSet<String>>::new();
    for (size, digest) in made.filter_map(|one| Some((one.size?, one.digest.clone()?))) {
        recorded.entry(size).or_default().insert(digest);
    }
    is_merged(path, &recorded)
}

/// Whether an artifact was made at a path, or else seen there.
fn place_at(lineage: &Lineage, projects: &[Project], node: usize, path: &Path, made: bool) -> bool {
    let mut places = lineage.artifacts[node].places.iter();
    places.any(|place| (place.made || !made) && is_at(projects, place, path))
}

/// Why nothing is known of what lies at a path, which may be a folder that holds what is.
fn untold(name: &str, path: &Path, projects: &[Project]) -> Error {
    let name = crate::text::neutral(name);
    let below = || {
        let mut projects = projects.iter();
        projects.find_map(|project| wrote::below(project, &project.stored_path(path)))
    };
    if let Some(holds) = path.is_dir().then(below).flatten() {
        let what = holds.phrase();
        let message = format!("nobody recorded the folder `{name}` as one: it holds {what}");
        let first = crate::talk::shell_word(&holds.first);
        return Error::usage("not-traced", message)
            .with_hint(format!("name one of them, as {first}"));
    }
    let error = Error::usage("not-traced", format!("nothing here tells of `{name}`"));
    if crate::lineage::rules::is_code(&name) {
        let word = path.file_name().unwrap_or_default().to_string_lossy();
        let word = crate::talk::shell_word(&word);
        return error.with_hint(format!(
            "it is code, and no artifact: `birthmark find {word}` tells what it made"
        ));
    }
    error.with_hint("no session made or read these bytes; name another store with --store PATH")
}

/// A file whose bytes nobody recorded: it is known by its path, or by what it carries.
fn find_changed(
    target: &mut Target,
    wanted: &Wanted,
    lineage: &mut Lineage,
    projects: &[Project],
) -> Result<()> {
    let path = target.path.clone().unwrap_or_default();
    let at = |place: &Place| is_at(projects, place, &path);
    let newest = (0..lineage.artifacts.len())
        .filter_map(|node| {
            let place = lineage.artifacts[node]
                .places
                .iter()
                .find(|place| at(place))?;
            Some(((place.made, place.time), node))
        })
        .max();
    if let Some((_, node)) = newest {
        target.artifact = Some(node);
        // An empty file is told by its place: its digest is that of every empty file.
        let mut places = lineage.artifacts[node].places.iter();
        let digest = &target.digests.0;
        if digest.is_some() && places.any(|place| at(place) && place.digest == *digest) {
            return Ok(());
        }
        let state = lineage.artifacts[node].state;
        target.size = path
            .metadata()
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|lies| lies.len());
        target.found_by = FoundBy::Path;
        let made_by = changed::last_run(lineage, node);
        target.mind = Some(match (state, made_by) {
            (_, Some(run)) if is_both_ends(lineage, projects, &path) => {
                let left_by = changed::run_in_session(lineage, run);
                format!("{APART}; this is about what {left_by} left")
            }
            (Some("open"), _) => "unfinished: its last count is not what lies here".to_owned(),
            (_, Some(run)) => {
                let mind = changed::mind(lineage, run);
                format!("{mind}; this is about what was left there")
            }
            (_, None) => {
                "its bytes are not what was recorded; this is what the recorded ones came from"
                    .to_owned()
            }
        });
        return Ok(());
    }
    let Some(carried) = &wanted.carried else {
        if wanted.stamped {
            let node = only_stamped(&path, &target.name, &target.digests, lineage);
            target.artifact = Some(node);
            target.found_by = FoundBy::Birthmark;
            target.mind = Some(ONLY_STAMPED.to_owned());
            return Ok(());
        }
        return Err(untold(&target.name, &path, projects));
    };
    let runs = runs_of(lineage, carried);
    let (digest, content) = target.digests.clone();
    let node = lineage.add_artifact(ArtifactNode {
        digests: digest.iter().chain(&content).cloned().collect(),
        content_digests: content.into_iter().collect(),
        places: vec![Place {
            store: 0,
            file: target.name.clone(),
            file_bytes: None,
            is_path: true,
            made: false,
            time: Timestamp::default(),
            digest,
            size: carried.size,
            read_list: None,
        }],
        artifact_type: carried
            .birthmark
            .get("artifact_type")
            .and_then(Value::as_str)
            .map(str::to_owned),
        records: carried.records,
        size: carried.size,
        ..ArtifactNode::default()
    });
    for run in &runs {
        lineage.link(birthmark_core::lineage::Edge {
            from: NodeId::Artifact(node),
            to: NodeId::Run(*run),
            relation: Relation::WasGeneratedBy,
            role: None,
            by: None,
            by_name: true,
        });
    }
    target.artifact = Some(node);
    target.found_by = FoundBy::Birthmark;
    target.mind =
        Some("its session did not record these bytes; only its birthmark names the run".to_owned());
    Ok(())
}

fn runs_of(lineage: &Lineage, carried: &Carried) -> Vec<usize> {
    let of = |(session, run): &(String, Option<String>)| match run {
        Some(run) => lineage
            .run_of(session, run)
            .map_or_else(|| lineage.runs_of(session), |found| vec![found]),
        None => lineage.runs_of(session),
    };
    carried.sessions.iter().flat_map(of).collect()
}
