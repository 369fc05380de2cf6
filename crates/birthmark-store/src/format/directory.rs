//! The digest of a folder: of what its members are called, what they are and
//! what they hold. `spec/digests.md` defines it for everybody.
//!
//! The members are all files, links and folders below, hidden ones too, empty
//! folders too; only sidecars (`*.birthmark.json`) are left out, since they are
//! ours. Times, owners and modes do not count, but for the executable bit.
//!
//! # Invariants
//!
//! * No link is followed, neither that of a member nor, should the folder be
//!   exchanged for one, that of the folder.
//! * A folder that something came into or left meanwhile has no digest.
//!
//! # Limitations
//!
//! * Of a folder whose files are links into a store elsewhere (a hub's cache)
//!   the digest says where the links point, not what stands there.
//! * Every member stands in memory, at some 150 bytes.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::schema::SIDECAR_SUFFIX;

use crate::atomic::PathContext;
use crate::digest::{Digester, FileDigest, FileError};

/// The first bytes of what a tree digest is over.
const HEADER: &[u8] = b"birthmark/tree/v1\n";
/// A file from this size on is hashed by all threads together.
const LARGE: u64 = 16 << 20;

/// What a member of a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// A file.
    File {
        /// Of its content.
        digest: Digest,
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// What it says, as it stands.
        target: PathBuf,
    },
    /// A folder.
    Folder,
}

/// A member of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeMember {
    /// Its path from the folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: MemberKind,
}

/// The digest of a folder and what it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeDigest {
    /// Over the names, the kinds and the contents.
    pub digest: Digest,
    /// All members, in the order of the bytes of their paths.
    pub members: Vec<TreeMember>,
    /// Of all the files together, in bytes.
    pub size: u64,
}

/// The digest of a folder, of which every file is read.
pub fn digest_tree(folder: &Path) -> Result<TreeDigest, FileError> {
    digest_tree_by(folder, &Digester::default())
}

/// The same, its files digested by `digester`.
pub(crate) fn digest_tree_by(folder: &Path, digester: &Digester) -> Result<TreeDigest, FileError> {
    let found = Found::below(folder)?;
    let mut members = found.digested(folder, digester)?;
    for (path, before) in &found.folders {
        if changed(&folder.join(path), before) {
            return Err(FileError::ChangedWhileRead {
                path: folder.join(path),
            });
        }
    }
    members.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    let size = members.iter().map(file_size).sum();
    Ok(TreeDigest {
        digest: crate::digest::digest_bytes(&tree_bytes(&members)),
        members,
        size,
    })
}

fn file_size(member: &TreeMember) -> u64 {
    match member.kind {
        MemberKind::File { size, .. } => size,
        MemberKind::Link { .. } | MemberKind::Folder => 0,
    }
}

/// The bytes that a tree digest is over: see `spec/digests.md`. The members must
/// be in order.
pub fn tree_bytes(members: &[TreeMember]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    for member in members {
        out.push(match member.kind {
            MemberKind::File {
                executable: false, ..
            } => b'f',
            MemberKind::File {
                executable: true, ..
            } => b'x',
            MemberKind::Link { .. } => b'l',
            MemberKind::Folder => b'd',
        });
        push_sized(&mut out, member.path.as_os_str().as_bytes());
        match &member.kind {
            MemberKind::File { digest, size, .. } => {
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(&digest.bytes);
            }
            MemberKind::Link { target } => push_sized(&mut out, target.as_os_str().as_bytes()),
            MemberKind::Folder => {}
        }
    }
    out
}

fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What was found in a folder, before the files are read.
#[derive(Default)]
struct Found {
    files: Vec<(PathBuf, u64)>,
    links: Vec<TreeMember>,
    /// The folders, the outermost too (with an empty path), as they were when listed.
    folders: Vec<(PathBuf, Metadata)>,
}

impl Found {
    fn below(folder: &Path) -> Result<Self, FileError> {
        let mut found = Self::default();
        let mut open = vec![PathBuf::new()];
        while let Some(inner) = open.pop() {
            let path = if inner.as_os_str().is_empty() {
                folder.to_owned()
            } else {
                folder.join(&inner)
            };
            let state = fs::symlink_metadata(&path).at("read", &path)?;
            if state.is_symlink() {
                return Err(FileError::Link { path });
            }
            for entry in fs::read_dir(&path).at("read", &path)? {
                let entry = entry.at("read", &path)?;
                let state = entry.metadata().at("read", &entry.path())?;
                let name = inner.join(entry.file_name());
                if state.is_dir() {
                    open.push(name);
                } else {
                    found.note(folder, name, &state)?;
                }
            }
            found.folders.push((inner, state));
        }
        Ok(found)
    }

    fn note(&mut self, folder: &Path, name: PathBuf, state: &Metadata) -> Result<(), FileError> {
        let path = folder.join(&name);
        if state.is_symlink() {
            let target = fs::read_link(&path).at("read", &path)?;
            self.links.push(TreeMember {
                path: name,
                kind: MemberKind::Link { target },
            });
        } else if !state.is_file() {
            return Err(FileError::NotAFile { path });
        } else if !name
            .as_os_str()
            .as_bytes()
            .ends_with(SIDECAR_SUFFIX.as_bytes())
        {
            self.files.push((name, state.size()));
        }
        Ok(())
    }

    /// All members, the files with their digests: small files many at a time,
    /// then each large one by all threads.
    fn digested(&self, folder: &Path, digester: &Digester) -> Result<Vec<TreeMember>, FileError> {
        let (small, large): (Vec<_>, Vec<_>) =
            self.files.iter().partition(|(_, size)| *size < LARGE);
        let mut members = digest_many(folder, &small, digester)?;
        for (name, _) in large {
            let digest = digester.file(&folder.join(name))?;
            members.push(file_member(name, digest));
        }
        members.extend(self.links.iter().cloned());
        let inner = self
            .folders
            .iter()
            .filter(|(name, _)| !name.as_os_str().is_empty());
        members.extend(inner.map(|(name, _)| TreeMember {
            path: name.clone(),
            kind: MemberKind::Folder,
        }));
        Ok(members)
    }
}

fn file_member(name: &Path, file: FileDigest) -> TreeMember {
    let FileDigest { digest, state } = file;
    let kind = MemberKind::File {
        digest,
        size: state.size,
        executable: state.executable,
    };
    TreeMember {
        path: name.to_owned(),
        kind,
    }
}

fn digest_many(
    folder: &Path,
    files: &[&(PathBuf, u64)],
    digester: &Digester,
) -> Result<Vec<TreeMember>, FileError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let work = || -> Result<(), FileError> {
        let mut mine = Vec::new();
        while let Some((name, _)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let digest = digester.file_by(&folder.join(name), Algorithm::Blake3, 1)?;
            mine.push(file_member(name, digest));
        }
        done.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .append(&mut mine);
        Ok(())
    };
    let flag = crate::stop::flag();
    let work = || crate::stop::with(flag.clone(), work);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(files.len() / 8);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mine = work();
        others.into_iter().fold(mine, |sum, other| {
            let died = || FileError::ChangedWhileRead {
                path: folder.to_owned(),
            };
            sum.and(other.join().unwrap_or_else(|_| Err(died())))
        })
    })?;
    Ok(done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn changed(path: &Path, before: &Metadata) -> bool {
    let key = |state: &Metadata| (state.dev(), state.ino(), state.mtime(), state.mtime_nsec());
    fs::symlink_metadata(path).map_or(true, |after| key(&after) != key(before))
}
