//! An artifact as the events of its session tell of it.

use crate::birthmark::Fields;
use crate::event::{ArtifactOpened, ArtifactSealed};
use crate::id::RunId;
use crate::timestamp::Timestamp;

/// Where an artifact stands.
#[derive(Debug, Clone)]
pub enum ArtifactState {
    /// Still being written, or its writer died.
    Open(ArtifactOpened),
    /// Finished.
    Sealed(ArtifactSealed),
}

/// What a file had when it was opened; nothing where it was begun.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Had {
    /// Bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Digest of these bytes; none in older journals.
    pub digest: Option<String>,
    /// Digest of these bytes without birthmarks.
    pub content_digest: Option<String>,
}

impl Had {
    /// As an opening tells it.
    pub fn of(opened: &ArtifactOpened) -> Self {
        Self {
            bytes: opened.continued_bytes,
            records: opened.continued_records,
            digest: opened.continued_digest.clone(),
            content_digest: opened.continued_content_digest.clone(),
        }
    }
}

/// A run of the session that went on with a file, and what the file had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneOn {
    /// The run.
    pub run: Option<RunId>,
    /// What was there.
    pub had: Had,
}

/// That a run removed an artifact, of its own session or of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Path as stored.
    pub file: String,
    /// The run.
    pub run: Option<RunId>,
    /// When it was told.
    pub time: Timestamp,
}

/// One artifact of a session.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Path as stored.
    pub file: String,
    /// The run that made it.
    pub run: Option<RunId>,
    /// Open or sealed.
    pub state: ArtifactState,
    /// When it was last told of.
    pub time: Timestamp,
    /// Bytes, records and digest of the newest count.
    pub size: u64,
    /// Records of the newest count.
    pub records: Option<u64>,
    /// Digest of the newest count.
    pub digest: Option<String>,
    /// Why it was removed, if it was.
    pub removed: Option<String>,
    /// What was there when the run that made this opened the file.
    pub continued: Had,
    /// The runs of this session that went on with what was there, in order, each once. A manifest
    /// alone does not tell them.
    pub gone_on: Vec<GoneOn>,
}

impl Artifact {
    /// The records that were there before these runs wrote: what they made is the rest.
    pub fn records_before(&self, is_one: impl Fn(&RunId) -> bool) -> u64 {
        self.had_before(is_one).map_or(0, |had| had.records)
    }

    /// Whether its run found the file there, went on with it, and left it as it was.
    pub fn added_nothing(&self) -> bool {
        let had = &self.continued;
        let is_same = had.digest.is_none() || had.digest == self.digest;
        self.sealed().is_some() && had.bytes > 0 && had.bytes == self.size && is_same
    }

    /// What was there before these runs wrote, where it is known that they went on with it.
    pub fn had_before(&self, is_one: impl Fn(&RunId) -> bool) -> Option<&Had> {
        let mine = |one: &&GoneOn| one.run.as_ref().is_some_and(&is_one);
        self.gone_on.iter().find(mine).map(|one| &one.had)
    }

    /// The artifact's type.
    pub fn artifact_type(&self) -> &str {
        match &self.state {
            ArtifactState::Open(opened) => &opened.artifact_type,
            ArtifactState::Sealed(sealed) => &sealed.artifact_type,
        }
    }

    /// The whole birthmark, as of the newest event.
    pub fn birthmark(&self) -> &Fields {
        match &self.state {
            ArtifactState::Open(opened) => &opened.birthmark,
            ArtifactState::Sealed(sealed) => &sealed.birthmark,
        }
    }

    /// The same, to be completed.
    pub fn birthmark_mut(&mut self) -> &mut Fields {
        match &mut self.state {
            ArtifactState::Open(opened) => &mut opened.birthmark,
            ArtifactState::Sealed(sealed) => &mut sealed.birthmark,
        }
    }

    /// The path's own bytes in base64, where `file` is no UTF-8.
    pub fn file_bytes(&self) -> Option<&str> {
        match &self.state {
            ArtifactState::Open(opened) => opened.file_bytes.as_deref(),
            ArtifactState::Sealed(sealed) => sealed.file_bytes.as_deref(),
        }
    }

    /// What was sealed, if it was.
    pub fn sealed(&self) -> Option<&ArtifactSealed> {
        match &self.state {
            ArtifactState::Sealed(sealed) => Some(sealed),
            ArtifactState::Open(_) => None,
        }
    }
}
