//! The artifacts of a lineage as they lie now, held against what was recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use birthmark_core::lineage::{ArtifactNode, Lineage, NodeId};

use crate::lineage::listed::Listed;
use crate::project::Project;
use crate::sessions;

/// How an artifact lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    /// As recorded, at this path.
    Same(PathBuf),
    /// Its size is as recorded; it was not read.
    SameSize(PathBuf),
    /// Another recorded artifact lies there by now.
    Replaced(PathBuf),
    /// Bytes that nobody recorded lie there.
    Changed(PathBuf),
    /// What lies there is as recorded but for birthmarks, which were put into it since.
    Stamped(PathBuf),
    /// Nothing lies there.
    Gone,
    /// It is known by name alone, or was never finished: there is nothing to hold it against.
    Untold,
}

impl OnDisk {
    /// The word for JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::SameSize(_) => "same size",
            Self::Replaced(_) => "replaced",
            Self::Changed(_) => "changed",
            Self::Stamped(_) => "stamped since",
            Self::Gone => "gone",
            Self::Untold => "untold",
        }
    }

    /// The path that was looked at.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Same(path)
            | Self::SameSize(path)
            | Self::Replaced(path)
            | Self::Changed(path)
            | Self::Stamped(path) => Some(path),
            Self::Gone | Self::Untold => None,
        }
    }
}

/// What lies where, by its digest; nothing where it has none.
pub(super) type Lying = BTreeMap<PathBuf, Option<String>>;

/// Looks at the artifacts among `nodes`. A name's best place counts: a copy that is as
/// recorded makes the artifact *same*, wherever else it was changed. What was read stays in
/// `known`, and is not read again.
pub(super) fn look(
    lineage: &Lineage,
    projects: &[Project],
    nodes: impl Iterator<Item = NodeId>,
    read_limit: u64,
    known: &mut Lying,
) -> BTreeMap<usize, OnDisk> {
    let mut out = BTreeMap::new();
    for node in nodes {
        if let NodeId::Artifact(place) = node {
            let artifact = &lineage.artifacts[place];
            let state = look_at(lineage, projects, artifact, read_limit, known);
            out.insert(place, state);
        }
    }
    out
}

fn look_at(
    lineage: &Lineage,
    projects: &[Project],
    artifact: &ArtifactNode,
    read_limit: u64,
    known: &mut Lying,
) -> OnDisk {
    let mut best = OnDisk::Untold;
    for place in artifact.places.iter().filter(|place| place.is_path) {
        let (Some(project), Some(recorded)) = (projects.get(place.store), &place.digest) else {
            continue;
        };
        let path = sessions::locate(project, &place.file, place.file_bytes.as_deref());
        let Ok(found) = path.symlink_metadata() else {
            if best == OnDisk::Untold {
                best = OnDisk::Gone;
            }
            continue;
        };
        let size = Some(found.len()).filter(|_| found.is_file());
        let other_size = size.is_some() && place.made && place.size != size;
        if !other_size && size.is_some_and(|size| size > read_limit) {
            return OnDisk::SameSize(path);
        }
        let digest = known
            .entry(path.clone())
            .or_insert_with(|| digest_of(&path))
            .clone();
        // An empty file is told by its place: its digest is that of every empty file.
        if digest
            .as_ref()
            .is_some_and(|digest| artifact.digests.contains(digest) || digest == recorded)
        {
            return OnDisk::Same(path);
        }
        // Of a folder that nobody here made what was read of it counts.
        let is_read = found.is_dir() && !artifact.places.iter().any(|place| place.made);
        let list = place.read_list.as_deref().filter(|_| is_read);
        let list = list.and_then(|object| Listed::load(&project.layout, object));
        let digester = crate::digests::digester();
        if list.is_some_and(|list| list.differing(&path, &digester).is_none()) {
            return OnDisk::Same(path);
        }
        let is_other = digest
            .is_some_and(|digest| &digest != recorded && lineage.artifact_of(&digest).is_some());
        let is_small = size.is_some_and(|size| size <= read_limit);
        best = if is_other {
            OnDisk::Replaced(path)
        } else if is_small && crate::add::is_stamped_since(&path, recorded, &digester) {
            OnDisk::Stamped(path)
        } else {
            OnDisk::Changed(path)
        };
    }
    if artifact.state.is_some() && !matches!(best, OnDisk::Same(_)) {
        return OnDisk::Untold;
    }
    best
}

fn digest_of(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let digest = crate::dataset::digest_of(&real).ok()?;
    Some(digest.to_string())
}
