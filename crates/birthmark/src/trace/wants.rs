//! What a session must speak of to be read: first what was asked for may be called so, then what
//! is reached from there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_core::SessionId;
use birthmark_core::lineage::{ArtifactNode, Lineage, NodeId, Relation};
use birthmark_store::Layout;

use super::Traced;
use super::wanted::Wanted;
use crate::project::Project;
use crate::sessions;

/// Texts of which one must stand in a session.
pub(super) type Wants = BTreeSet<String>;

/// What a session that may speak of what was asked for has in it.
#[derive(Default)]
pub(super) struct First {
    texts: Wants,
    beginnings: Vec<String>,
    endings: Vec<String>,
    sessions: BTreeSet<SessionId>,
    /// The file itself, where it may have been recorded under names that only the disk tells.
    links: Option<(PathBuf, Vec<Project>)>,
}

impl First {
    /// What was asked for may be called.
    pub(super) fn of(wanted: &Wanted, projects: &[Project]) -> Self {
        let mut first = Self::default();
        match &wanted.path {
            Some(path) => first.add_file(wanted, path, projects),
            None => first.add_name(wanted, projects),
        }
        first
    }

    /// The same, and every recorded path where the very file lies: of a link, or a name that it
    /// has beside.
    pub(super) fn with_links(wanted: &Wanted, projects: &[Project]) -> Self {
        let mut first = Self::of(wanted, projects);
        first.links = wanted.path.clone().map(|path| (path, projects.to_vec()));
        first
    }

    fn add_file(&mut self, wanted: &Wanted, path: &Path, projects: &[Project]) {
        self.texts.extend(wanted.digests.0.clone());
        self.texts.extend(wanted.digests.1.clone());
        let named = wanted.carried.iter().flat_map(|carried| &carried.sessions);
        self.texts.extend(named.map(|(id, _)| id.clone()));
        let real = path.canonicalize().ok();
        for project in projects {
            for path in [Some(path), real.as_deref()].into_iter().flatten() {
                self.texts.insert(project.stored_path(path));
                // In a folder that was copied it is found at the end of its path of then.
                let artifacts = project.stored_path(project.layout.artifacts());
                let stored = project.stored_path(path);
                self.endings
                    .extend(stored.strip_prefix(&artifacts).map(str::to_owned));
            }
        }
    }

    fn add_name(&mut self, wanted: &Wanted, projects: &[Project]) {
        let text = wanted.text.as_str();
        let stored = projects
            .iter()
            .map(|project| project.stored_path(Path::new(text)));
        self.texts.extend(stored);
        self.texts.insert(text.to_owned());
        self.endings.push(format!("/{text}"));
        self.beginnings.extend(super::named::digests_meant(text));
        self.beginnings.extend(super::named::run_meant(text));
        self.sessions
            .extend(Layout::session_of_manifest(Path::new(text)));
        let resolved = projects
            .iter()
            .filter_map(|project| sessions::resolve(project, text).ok());
        self.sessions.extend(resolved);
    }

    /// Whether a session is named itself.
    pub(super) fn is_session(&self, id: &SessionId) -> bool {
        self.sessions.contains(id)
    }

    /// Whether a string speaks of it; `member` is whose value it is.
    pub(super) fn is_in(&self, member: &[u8], text: &[u8]) -> bool {
        let is_text = || str::from_utf8(text).is_ok_and(|text| self.texts.contains(text));
        let begins = |start: &String| text.starts_with(start.as_bytes());
        let ends = |end: &String| text.ends_with(end.as_bytes());
        is_text()
            || self.endings.iter().any(ends)
            || self.beginnings.iter().any(begins)
            || member == b"file" && self.is_link(text)
    }

    fn is_link(&self, text: &[u8]) -> bool {
        let Some((path, projects)) = &self.links else {
            return false;
        };
        let Ok(stored) = str::from_utf8(text) else {
            return true;
        };
        projects.iter().any(|project| {
            let there = sessions::locate(project, stored, None);
            birthmark_store::records::same_file(&there, path)
        })
    }
}

/// What else must be known of what was reached: who made or read it, and what else was told of
/// its paths. Of what only led to the answer and was made under a known digest, the digest tells.
pub(super) fn of_reached(traced: &Traced) -> Wants {
    let mut wants = Wants::new();
    let roots: BTreeSet<NodeId> = traced.target.roots().collect();
    for node in traced.nodes() {
        let is_whole = traced.down.contains(&node) || roots.contains(&node);
        match node {
            NodeId::Artifact(place) => {
                let artifact = &traced.lineage.artifacts[place];
                of_artifact(artifact, is_whole, &mut wants);
            }
            NodeId::Run(place) => {
                let run = &traced.lineage.runs[place];
                if is_whole || run.unknown.is_some() {
                    wants.insert(run.session.to_string());
                }
            }
        }
    }
    wants
}

fn of_artifact(artifact: &ArtifactNode, is_whole: bool, wants: &mut Wants) {
    wants.extend(artifact.digests.iter().cloned());
    let is_made = artifact.places.iter().any(|place| place.made);
    let by_path = !is_made || artifact.digests.is_empty();
    for place in &artifact.places {
        if is_whole || by_path && place.is_path {
            wants.insert(place.file.clone());
        }
    }
}

/// What is reached, and nobody here made, though something came of it.
pub(super) fn not_made(traced: &Traced) -> Vec<usize> {
    let lineage: &Lineage = &traced.lineage;
    let is_made = |node: NodeId| {
        let mut origins = lineage.origins(node);
        origins.any(|edge| edge.relation == Relation::WasGeneratedBy)
    };
    let nodes = traced.nodes().into_iter();
    let read = nodes.filter(|node| !is_made(*node) && lineage.outcomes(*node).next().is_some());
    read.filter_map(|node| match node {
        NodeId::Artifact(place) => Some(place),
        NodeId::Run(_) => None,
    })
    .collect()
}
