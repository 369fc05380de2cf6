//! A sidecar: the birthmark of a file or folder that cannot carry it itself,
//! beside it in `<name>.birthmark.json`.
//!
//! ```text
//! {
//!   "file": "sft_model",
//!   "kind": "folder",
//!   "digest": "blake3:…",
//!   "size": 4812,
//!   "members": [{"file": "config.json", "digest": "blake3:…", "size": 612}],
//!   "metadata": {"git_commit": "…", …, "birthmark": "birthmark/v1"}
//! }
//! ```
//!
//! The birthmark stands under `metadata`, as everywhere, so that
//! `jq .metadata.git_commit` works on a sidecar too. `content_digest` is there
//! only where it differs from `digest`, `sha256` (of a folder: in each member) only where it
//! was asked for, so that `sha256sum` can check a file where no Birthmark is. `file` is the name alone, as a sidecar
//! moves with its file; a name that is not UTF-8 has U+FFFD for what cannot be
//! said, and `file_bytes` with the bytes in base64.
//!
//! # Limitations
//!
//! * A sidecar is read strictly: a key that stands twice, or `NaN`, is an error.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::json::{self, ScanError, as_text, as_u64, get, quote};

use super::directory::{MemberKind, TreeDigest, TreeMember};
use crate::atomic::{self, PathError};

/// The largest sidecar that is read, in bytes: room for a million members.
const LIMIT: u64 = 512 << 20;

/// What a sidecar is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidecarKind {
    /// A file; its digest is over its bytes.
    File,
    /// A folder; its digest is a tree digest.
    Folder,
}

/// What a sidecar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    /// The name of the file or folder, without its folder.
    pub file: PathBuf,
    /// What it is.
    pub kind: SidecarKind,
    /// Of the bytes as they lie, or of the tree.
    pub digest: Digest,
    /// Of the bytes with birthmarks removed, where that differs.
    pub content_digest: Option<Digest>,
    /// Bytes; of a folder, those of its files together.
    pub size: u64,
    /// Records, where it has any.
    pub records: Option<u64>,
    /// SHA-256 of the bytes as they lie, where it was asked for; of a file alone.
    pub sha256: Option<Digest>,
    /// The files of a folder, in the order of its tree digest.
    pub members: Vec<Member>,
    /// The birthmark: a JSON object, as it is written.
    pub birthmark: Vec<u8>,
    /// Members that this version does not know, each key with its quotes, and the value: they
    /// survive where the sidecar of a file that did not change is written anew.
    pub others: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The members that a sidecar of this version has.
const KNOWN: [&str; 10] = [
    "file",
    "file_bytes",
    "kind",
    "digest",
    "content_digest",
    "sha256",
    "size",
    "records",
    "members",
    "metadata",
];

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path within the folder.
    pub file: PathBuf,
    /// Of its bytes.
    pub digest: Digest,
    /// SHA-256 of its bytes, where it was asked for.
    pub sha256: Option<Digest>,
    /// Bytes.
    pub size: u64,
}

/// Why a sidecar could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SidecarError {
    /// The file could not be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It is not the JSON of a sidecar.
    #[error("cannot read sidecar `{path}`: {source}")]
    NotJson {
        /// The sidecar.
        path: PathBuf,
        /// What is wrong.
        source: ScanError,
    },
    /// A field is missing or is not what it should be.
    #[error("cannot read sidecar `{path}`: its field `{field}` is missing or wrong")]
    Field {
        /// The sidecar.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
}

impl SidecarError {
    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Path(error) => error.hint(),
            Self::NotJson { .. } | Self::Field { .. } => {
                Some("remove it and stamp the file again".to_owned())
            }
        }
    }
}

impl Sidecar {
    /// The sidecar of a folder whose tree was digested.
    pub fn of_folder(file: PathBuf, tree: &TreeDigest, birthmark: Vec<u8>) -> Self {
        let file_of = |member: &TreeMember| match member.kind {
            MemberKind::File { digest, size, .. } => Some(Member {
                file: member.path.clone(),
                digest,
                sha256: None,
                size,
            }),
            MemberKind::Link { .. } | MemberKind::Folder => None,
        };
        Self {
            file,
            kind: SidecarKind::Folder,
            digest: tree.digest,
            content_digest: None,
            size: tree.size,
            records: None,
            sha256: None,
            members: tree.members.iter().filter_map(file_of).collect(),
            birthmark,
            others: Vec::new(),
        }
    }

    /// The bytes of the sidecar's file, with a line end at the end.
    pub fn render(&self) -> Vec<u8> {
        let mut out = b"{\n  ".to_vec();
        push_name(&mut out, &self.file);
        let kind = match self.kind {
            SidecarKind::File => "file",
            SidecarKind::Folder => "folder",
        };
        out.extend(
            format!(
                ",\n  \"kind\": \"{kind}\",\n  \"digest\": \"{}\"",
                self.digest
            )
            .bytes(),
        );
        if let Some(content) = self
            .content_digest
            .filter(|content| *content != self.digest)
        {
            out.extend(format!(",\n  \"content_digest\": \"{content}\"").bytes());
        }
        if let Some(sha256) = self.sha256 {
            out.extend(format!(",\n  \"sha256\": \"{sha256}\"").bytes());
        }
        out.extend(format!(",\n  \"size\": {}", self.size).bytes());
        if let Some(records) = self.records {
            out.extend(format!(",\n  \"records\": {records}").bytes());
        }
        if self.kind == SidecarKind::Folder {
            self.push_members(&mut out);
        }
        out.extend_from_slice(b",\n  \"metadata\": ");
        json::push_indented(&mut out, &self.birthmark, b"\n  ", b"  ");
        for (key, value) in &self.others {
            out.extend_from_slice(b",\n  ");
            out.extend_from_slice(key);
            out.extend_from_slice(b": ");
            json::push_indented(&mut out, value, b"\n  ", b"  ");
        }
        out.extend_from_slice(b"\n}\n");
        out
    }

    fn push_members(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\n  \"members\": [");
        for (place, member) in self.members.iter().enumerate() {
            out.extend_from_slice(if place == 0 { b"\n    {" } else { b",\n    {" });
            push_name(out, &member.file);
            out.extend(format!(", \"digest\": \"{}\"", member.digest).bytes());
            if let Some(sha256) = member.sha256 {
                out.extend(format!(", \"sha256\": \"{sha256}\"").bytes());
            }
            out.extend(format!(", \"size\": {}}}", member.size).bytes());
        }
        out.extend_from_slice(if self.members.is_empty() {
            b"]"
        } else {
            b"\n  ]"
        });
    }

    /// Reads the sidecar at `path`, which must be a regular file.
    pub fn read(path: &Path) -> Result<Self, SidecarError> {
        Ok(Self::read_with_bytes(path)?.0)
    }

    /// The same, and the bytes that it was read from.
    pub fn read_with_bytes(path: &Path) -> Result<(Self, Vec<u8>), SidecarError> {
        let bytes = atomic::read_limited(path, LIMIT)?;
        Ok((Self::parse(path, &bytes)?, bytes))
    }

    /// Reads the bytes of a sidecar; `path` is for errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SidecarError> {
        json::check_envelope(bytes).map_err(|source| SidecarError::NotJson {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |field| SidecarError::Field {
            path: path.to_owned(),
            field,
        };
        let kind = match get(bytes, &["kind"]) {
            Some(b"\"file\"") => SidecarKind::File,
            Some(b"\"folder\"") => SidecarKind::Folder,
            _ => return Err(wrong("kind")),
        };
        let content = get(bytes, &["content_digest"]);
        let records = get(bytes, &["records"]);
        let birthmark = get(bytes, &["metadata"]).filter(|raw| raw.starts_with(b"{"));
        let members = get(bytes, &["members"]).map_or(Some(Vec::new()), read_members);
        Ok(Self {
            file: read_name(bytes).ok_or_else(|| wrong("file"))?,
            kind,
            digest: read_digest(bytes).ok_or_else(|| wrong("digest"))?,
            content_digest: content
                .map(|raw| digest_in(raw).ok_or_else(|| wrong("content_digest")))
                .transpose()?,
            size: get(bytes, &["size"])
                .and_then(as_u64)
                .ok_or_else(|| wrong("size"))?,
            records: records
                .map(|raw| as_u64(raw).ok_or_else(|| wrong("records")))
                .transpose()?,
            sha256: read_sha256(bytes).map_err(wrong)?,
            members: members.ok_or_else(|| wrong("members"))?,
            birthmark: birthmark.ok_or_else(|| wrong("metadata"))?.to_vec(),
            others: json::members(bytes)
                .filter(|(key, _)| !KNOWN.iter().any(|known| json::key_is(key, known)))
                .map(|(key, value)| (key.to_vec(), value.to_vec()))
                .collect(),
        })
    }
}

fn read_members(raw: &[u8]) -> Option<Vec<Member>> {
    raw.starts_with(b"[").then_some(())?;
    json::elements(raw)
        .map(|span| {
            let member = span.of(raw);
            let size = get(member, &["size"]).and_then(as_u64)?;
            Some(Member {
                file: read_name(member)?,
                digest: read_digest(member)?,
                sha256: read_sha256(member).ok()?,
                size,
            })
        })
        .collect()
}

fn digest_in(raw: &[u8]) -> Option<Digest> {
    as_text(raw)?.parse().ok()
}

fn read_digest(object: &[u8]) -> Option<Digest> {
    get(object, &["digest"]).and_then(digest_in)
}

/// The SHA-256, if there is one; an error where it is something else.
fn read_sha256(object: &[u8]) -> Result<Option<Digest>, &'static str> {
    let Some(raw) = get(object, &["sha256"]) else {
        return Ok(None);
    };
    let digest = digest_in(raw).filter(|digest| digest.algorithm == Algorithm::Sha256);
    digest.map(Some).ok_or("sha256")
}

fn push_name(out: &mut Vec<u8>, name: &Path) {
    out.extend_from_slice(b"\"file\": ");
    let text = name.to_string_lossy();
    quote(out, &text);
    if name.to_str().is_none() {
        let bytes = birthmark_core::base64::encode(name.as_os_str().as_bytes());
        out.extend(format!(", \"file_bytes\": \"{bytes}\"").bytes());
    }
}

fn read_name(object: &[u8]) -> Option<PathBuf> {
    if let Some(raw) = get(object, &["file_bytes"]) {
        let bytes = birthmark_core::base64::decode(&as_text(raw)?)?;
        return Some(PathBuf::from(OsStr::from_bytes(&bytes)));
    }
    let name = as_text(get(object, &["file"])?)?;
    Some(PathBuf::from(name.into_owned()))
}
