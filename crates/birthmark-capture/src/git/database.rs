//! The objects of commits, wherever they are: in a repository, in bundles, or in both.
//!
//! Read as they are stored: no filter, no conversion, nothing runs. A repository is opened
//! with reduced trust, whoever owns it.

use std::collections::HashMap;
use std::path::Path;

use birthmark_core::Finding;
use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::commit::ref_iter::Token;
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRefIter, Kind, TreeRefIter};
use gix::sec::Trust;

use super::bundle::{Packed, unpack};
use super::open::Repository;

/// Where objects are read from.
pub struct Database {
    git: Option<gix::Repository>,
    format: gix::hash::Kind,
    packed: HashMap<ObjectId, Packed>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("format", &self.format)
            .field("packed", &self.packed.len())
            .finish_non_exhaustive()
    }
}

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleHead {
    /// Commits that whoever reads it must have.
    pub prerequisites: Vec<String>,
    /// References and the commits that they name.
    pub references: Vec<(String, String)>,
}

/// What a commit says, as far as it matters here.
pub(super) struct CommitHead {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
}

impl Database {
    /// That of the repository that `anchor` lies in.
    pub fn open(anchor: &Path) -> Finding<Self> {
        Repository::discover_with(anchor, Trust::Reduced)
            .map(|repository| Self::of(&repository.git))
    }

    /// That of the repository whose top level, or bare folder, is exactly `root`.
    pub fn at(root: &Path) -> Finding<Self> {
        if root.join(".git").exists() {
            let opened = Repository::at_root(root, Trust::Reduced);
            return opened.map(|repository| Self::of(&repository.git));
        }
        match Repository::bare_at(root) {
            Ok(repository) => Finding::Found(Self::of(&repository.git)),
            Err(reason) => Finding::Unknown(reason),
        }
    }

    /// One that holds nothing yet; the format follows from the length of an id.
    pub fn empty(id: &str) -> Self {
        let format = if id.len() == 64 {
            gix::hash::Kind::Sha256
        } else {
            gix::hash::Kind::Sha1
        };
        Self {
            git: None,
            format,
            packed: HashMap::new(),
        }
    }

    pub(super) fn of(git: &gix::Repository) -> Self {
        Self {
            format: git.object_hash(),
            git: Some(git.clone()),
            packed: HashMap::new(),
        }
    }

    /// Whether the repository has the newest part of its history alone.
    pub fn is_shallow(&self) -> bool {
        let git = self.git.as_ref();
        git.is_some_and(|git| git.is_shallow().unwrap_or(false))
    }

    /// Takes the objects of a bundle in.
    pub fn add(&mut self, bundle: &[u8]) -> Result<BundleHead, String> {
        let unpacked = unpack(bundle)?;
        if unpacked.format != self.format {
            return Err("its ids are of another format".to_owned());
        }
        self.packed.extend(unpacked.objects);
        Ok(BundleHead {
            prerequisites: unpacked.prerequisites,
            references: unpacked.references,
        })
    }

    /// Whether an object of this full id is here.
    pub fn has(&self, hex: &str) -> bool {
        self.parse(hex).is_ok_and(|id| {
            let git = self.git.as_ref();
            self.packed.contains_key(&id) || git.is_some_and(|git| git.has_object(id))
        })
    }

    /// Whether a commit of this full id is here.
    pub fn has_commit(&self, hex: &str) -> bool {
        let Ok(id) = self.parse(hex) else {
            return false;
        };
        if let Some(packed) = self.packed.get(&id) {
            return packed.kind == Kind::Commit;
        }
        let header = self.git.as_ref().map(|git| git.try_find_header(id));
        matches!(header, Some(Ok(Some(header))) if header.kind() == Kind::Commit)
    }

    /// The full id of the one commit that begins so; `None` where there is none, or more.
    pub fn complete(&self, prefix: &str) -> Option<String> {
        if self.has_commit(prefix) {
            return Some(prefix.to_owned());
        }
        let packed = self.packed.iter().filter(|(id, packed)| {
            packed.kind == Kind::Commit && id.to_string().starts_with(prefix)
        });
        let mut found: Vec<ObjectId> = packed.map(|(id, _)| *id).collect();
        if let Some(git) = &self.git
            && let Ok(prefix) = gix::hash::Prefix::from_hex(prefix)
            && let Ok(Some(Ok(id))) = git.objects.lookup_prefix(prefix, None)
            && !found.contains(&id)
        {
            found.push(id);
        }
        match found[..] {
            [one] => Some(one.to_string()).filter(|id| self.has_commit(id)),
            _ => None,
        }
    }

    /// The full id of the commit that a name stands for now: `HEAD`, a branch, a tag.
    pub fn named(&self, name: &str) -> Option<String> {
        let git = self.git.as_ref()?;
        let id = if name == "HEAD" {
            git.head_id().ok()?.detach()
        } else {
            let reference = git.find_reference(name).ok()?;
            reference.into_fully_peeled_id().ok()?.detach()
        };
        Some(id.to_string()).filter(|id| self.has_commit(id))
    }

    /// The bytes of a file.
    pub fn blob(&self, hex: &str) -> Result<Vec<u8>, String> {
        match self.find(self.parse(hex)?)? {
            (Kind::Blob, bytes) => Ok(bytes),
            _ => Err(format!("{hex} is no file")),
        }
    }

    /// The text of a commit's message, as far as it is UTF-8.
    pub fn message(&self, hex: &str) -> Result<String, String> {
        let bytes = self.commit_bytes(self.parse(hex)?)?;
        let text = String::from_utf8_lossy(&bytes);
        let message = text.split_once("\n\n").map(|(_, message)| message);
        Ok(message.unwrap_or_default().to_owned())
    }

    /// The commits below a commit.
    pub fn parents(&self, hex: &str) -> Result<Vec<String>, String> {
        let head = self.commit(self.parse(hex)?)?;
        Ok(head.parents.iter().map(ToString::to_string).collect())
    }

    /// `sha1` or `sha256`.
    pub fn object_format(&self) -> String {
        self.format.to_string()
    }

    pub(super) fn hash_kind(&self) -> gix::hash::Kind {
        self.format
    }

    pub(super) fn git(&self) -> Option<&gix::Repository> {
        self.git.as_ref()
    }

    pub(super) fn packed(&self) -> &HashMap<ObjectId, Packed> {
        &self.packed
    }

    pub(super) fn parse(&self, hex: &str) -> Result<ObjectId, String> {
        match ObjectId::from_hex(hex.as_bytes()) {
            Ok(id) if id.kind() == self.format => Ok(id),
            _ => Err(format!("{hex} is no full {} id", self.format)),
        }
    }

    pub(super) fn find(&self, id: ObjectId) -> Result<(Kind, Vec<u8>), String> {
        if let Some(packed) = self.packed.get(&id) {
            return Ok((packed.kind, packed.bytes.clone()));
        }
        let found = self.git.as_ref().map(|git| git.try_find_object(id));
        match found {
            Some(Ok(Some(mut object))) => Ok((object.kind, std::mem::take(&mut object.data))),
            Some(Err(_)) => Err(format!("the object {id} cannot be read")),
            Some(Ok(None)) | None => Err(format!("the object {id} is not there")),
        }
    }

    /// How many bytes an object has.
    pub(super) fn size(&self, id: ObjectId) -> Result<u64, String> {
        if let Some(packed) = self.packed.get(&id) {
            return Ok(packed.bytes.len() as u64);
        }
        match self.git.as_ref().map(|git| git.try_find_header(id)) {
            Some(Ok(Some(header))) => Ok(header.size()),
            Some(Err(_)) => Err(format!("the object {id} cannot be read")),
            Some(Ok(None)) | None => Err(format!("the object {id} is not there")),
        }
    }

    fn commit_bytes(&self, id: ObjectId) -> Result<Vec<u8>, String> {
        match self.find(id)? {
            (Kind::Commit, bytes) => Ok(bytes),
            (kind, _) => Err(format!("{id} is a {kind}, not a commit")),
        }
    }

    pub(super) fn commit(&self, id: ObjectId) -> Result<CommitHead, String> {
        let unreadable = || format!("the commit {id} cannot be read");
        let bytes = self.commit_bytes(id)?;
        let (mut tree, mut parents) = (None, Vec::new());
        for token in CommitRefIter::from_bytes(&bytes, self.format) {
            match token.map_err(|_| unreadable())? {
                Token::Tree { id } => tree = Some(id),
                Token::Parent { id } => parents.push(id),
                _ => break,
            }
        }
        let tree = tree.ok_or_else(unreadable)?;
        Ok(CommitHead { tree, parents })
    }

    /// What a tree holds, in its own order.
    pub(super) fn tree(&self, id: ObjectId) -> Result<Vec<(BString, EntryKind, ObjectId)>, String> {
        let unreadable = || format!("the tree {id} cannot be read");
        let (kind, bytes) = self.find(id)?;
        if kind != Kind::Tree {
            return Err(unreadable());
        }
        let mut entries = Vec::new();
        for entry in TreeRefIter::from_bytes(&bytes, self.format) {
            let entry = entry.map_err(|_| unreadable())?;
            entries.push((
                entry.filename.to_owned(),
                entry.mode.kind(),
                entry.oid.to_owned(),
            ));
        }
        Ok(entries)
    }
}
