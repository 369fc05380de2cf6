//! Every path of the store, and nowhere else.
//!
//! ```text
//! <artifacts>/
//!   session_manifest_<session-id>.json
//!   .birthmark/
//!     .gitignore                            "*": the store never makes a tree dirty
//!     open                                  the session that `session start` opened
//!     generated, stamped                    files outside of the artifacts folder that are ours
//!     sessions/<session-id>/<writer>.jsonl  one append-only journal a writer
//!     sessions/<session-id>/logs/           what commands under `birthmark run` said
//!     objects/<aa>/<rest of the hex>        content-addressed blobs
//!     repositories/<key>.git                snapshots of repositories that cannot be written
//!     bundles/<commit>                      which object holds a commit that no remote has
//!     held/<id>                             which commit there has a large file or folder
//!     reproductions.jsonl                   what was made again, and how it came out
//!     launches/<key>/<n>/session, rank-<r>  which session the ranks of one launch agreed on
//! ```

use std::path::{Path, PathBuf};

use birthmark_core::digest::Digest;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_core::{SessionId, WriterId};

/// A project's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    artifacts: PathBuf,
}

/// What a manifest's file name starts with.
pub const MANIFEST_PREFIX: &str = "session_manifest_";
/// The name of the store's folder.
pub const STORE_NAME: &str = ".birthmark";

impl Layout {
    /// A project whose paths are relative to `root` and whose artifacts stand in `artifacts`.
    pub fn new(root: impl Into<PathBuf>, artifacts: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            artifacts: artifacts.into(),
        }
    }

    /// The project's root: stored paths are relative to it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The artifacts folder, where manifests stand.
    pub fn artifacts(&self) -> &Path {
        &self.artifacts
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.artifacts.join(STORE_NAME)
    }

    /// Whether there is a store yet.
    pub fn exists(&self) -> bool {
        self.sessions().is_dir()
    }

    /// The file that keeps git away from the store.
    pub fn gitignore(&self) -> PathBuf {
        self.store().join(".gitignore")
    }

    /// The file that names the session opened from the shell.
    pub fn open_session(&self) -> PathBuf {
        self.store().join("open")
    }

    /// The folder of all sessions' journals.
    pub fn sessions(&self) -> PathBuf {
        self.store().join("sessions")
    }

    /// The folder of one session's journals.
    pub fn session(&self, id: &SessionId) -> PathBuf {
        self.sessions().join(id.as_str())
    }

    /// One writer's journal.
    pub fn journal(&self, id: &SessionId, writer: &WriterId) -> PathBuf {
        self.session(id).join(format!("{writer}.jsonl"))
    }

    /// The folder of what a session's commands said.
    pub fn logs(&self, id: &SessionId) -> PathBuf {
        self.session(id).join("logs")
    }

    /// One session's manifest.
    pub fn manifest(&self, id: &SessionId) -> PathBuf {
        self.artifacts.join(format!("{MANIFEST_PREFIX}{id}.json"))
    }

    /// The session that a manifest's file name speaks of.
    pub fn session_of_manifest(path: &Path) -> Option<SessionId> {
        let name = path.file_name()?.to_str()?;
        let id = name.strip_prefix(MANIFEST_PREFIX)?.strip_suffix(".json")?;
        SessionId::is_well_formed(id).then(|| SessionId::from_text(id))
    }

    /// The folder of content-addressed blobs.
    pub fn objects(&self) -> PathBuf {
        self.store().join("objects")
    }

    /// One blob.
    pub fn object(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        let hex = text.rsplit(':').next().unwrap_or_default();
        self.objects().join(&hex[..2]).join(&hex[2..])
    }

    /// The bare repository for snapshots of the repository `key`.
    pub fn repository(&self, key: &str) -> PathBuf {
        self.repositories().join(format!("{key}.git"))
    }

    /// The folder of bare repositories.
    pub fn repositories(&self) -> PathBuf {
        self.store().join("repositories")
    }

    /// The folder that says which object holds which commit.
    pub fn bundles(&self) -> PathBuf {
        self.store().join("bundles")
    }

    /// Which object holds this commit.
    pub fn bundle(&self, commit: &str) -> PathBuf {
        self.bundles().join(commit)
    }

    /// Which kept commit has this file or folder: an id of git for an id.
    pub fn held(&self, id: &str) -> PathBuf {
        self.store().join("held").join(id)
    }

    /// What was made again, a line each.
    pub fn reproductions(&self) -> PathBuf {
        self.store().join("reproductions.jsonl")
    }

    /// The folder in which the ranks of launches agree.
    pub fn launches(&self) -> PathBuf {
        self.store().join("launches")
    }

    /// The sidecar of a file or folder.
    pub fn sidecar(path: &Path) -> PathBuf {
        // Components leave slashes at the end out.
        let mut name = path.components().as_path().as_os_str().to_owned();
        name.push(SIDECAR_SUFFIX);
        PathBuf::from(name)
    }
}
