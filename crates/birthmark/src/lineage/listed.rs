//! Which files of a folder a run read, where the folder is one input: each by name, size and
//! digest, one JSON object a line, kept as an object of the store (`files_read_object`).
//!
//! So a file that nobody read is no change of what was read, and one that was is named.
//!
//! # Limits
//!
//! * Of a list of more than [`LARGEST`] bytes (some 250,000 files) nothing is kept: the folder
//!   is then held against its tree digest alone.

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::base64;
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_store::digest::Digester;
use birthmark_store::{Durability, Layout, objects};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::text;

/// Bytes of a list that is kept.
const LARGEST: usize = 32 << 20;
/// Names in one sentence.
const NAMED: usize = 3;

/// The files of a folder that were read, as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    files: Vec<ListedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ListedFile {
    /// Its path from the folder.
    file: String,
    /// The same in base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_bytes: Option<String>,
    size: u64,
    digest: String,
}

impl Listed {
    /// These files of a folder, as they lie now.
    pub(super) fn look(folder: &Path, files: &[PathBuf], digester: &Digester) -> Result<Self> {
        let mut listed = Vec::with_capacity(files.len());
        for path in files {
            let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            let found = digester.file(&real).map_err(crate::add::unreadable)?;
            let name = path.strip_prefix(folder).unwrap_or(path);
            let bytes = name.as_os_str().as_encoded_bytes();
            listed.push(ListedFile {
                file: name.to_string_lossy().into_owned(),
                file_bytes: name.to_str().is_none().then(|| base64::encode(bytes)),
                size: found.state.size,
                digest: found.digest.to_string(),
            });
        }
        Ok(Self { files: listed })
    }

    /// Keeps it in the store; `None` where it is too long, or could not be written.
    pub(super) fn keep(&self, layout: &Layout, durability: Durability) -> Option<Digest> {
        let mut text = Vec::new();
        for file in &self.files {
            serde_json::to_writer(&mut text, file).ok()?;
            text.push(b'\n');
        }
        if text.len() > LARGEST {
            return None;
        }
        objects::put(layout, &text, durability).ok()
    }

    /// A list that was kept; `None` where it is not here, or is damaged.
    pub(crate) fn load(layout: &Layout, object: &str) -> Option<Self> {
        let bytes = objects::get(layout, &object.parse().ok()?).ok()?;
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let files = lines.map(|line| serde_json::from_slice(line).ok());
        Some(Self {
            files: files.collect::<Option<_>>()?,
        })
    }

    /// Bytes of all its files, as they were.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Which of them are not as they were in a folder, in words: `2 of the 300 files that were
    /// read: a.png, b.png (gone)`. `None` where all are. `same` says whether the file at a path
    /// has this size and digest, `None` where there is none.
    fn differing_by(
        &self,
        mut same: impl FnMut(&Path, u64, &str) -> Option<bool>,
    ) -> Option<String> {
        let mut differ = Vec::new();
        for file in &self.files {
            let name = text::short(&file.file, 60);
            match same(&file.path(), file.size, &file.digest) {
                Some(true) => {}
                Some(false) => differ.push(name),
                None => differ.push(format!("{name} (gone)")),
            }
        }
        let more = differ.len().saturating_sub(NAMED);
        let named = differ.get(..differ.len() - more)?.join(", ");
        let more = if more > 0 {
            format!(", +{more}")
        } else {
            String::new()
        };
        (!differ.is_empty()).then(|| {
            let all = self.files.len();
            format!(
                "{} of the {all} files that were read: {named}{more}",
                differ.len()
            )
        })
    }

    /// Which of them are not as they were in a folder.
    pub(crate) fn differing(&self, folder: &Path, digester: &Digester) -> Option<String> {
        self.differing_by(|name, size, digest| {
            let real = folder.join(name).canonicalize().ok()?;
            let lies = real.metadata().ok()?;
            let is_it = || {
                let found = digester.file_as(&real, Algorithm::Blake3).ok()?;
                Some(found.digest.to_string() == digest)
            };
            Some(lies.is_file() && lies.len() == size && is_it().unwrap_or(false))
        })
    }

    /// Whether all of them are as they were where `digest_at` finds their digests.
    pub(crate) fn is_held(&self, digest_at: impl Fn(&Path) -> Option<String>) -> bool {
        let differing = self.differing_by(|name, _, digest| Some(digest_at(name)? == digest));
        differing.is_none()
    }

    /// Their paths from the folder.
    pub(crate) fn names(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(ListedFile::path)
    }
}

impl ListedFile {
    fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let bytes = self.file_bytes.as_deref().and_then(base64::decode);
        bytes.map_or_else(
            || PathBuf::from(&self.file),
            |bytes| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)),
        )
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "fixtures")]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_told_from_what_was_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        fs::create_dir(&folder).unwrap();
        let odd = std::os::unix::ffi::OsStringExt::from_vec(b"caf\xe9".to_vec());
        let odd: std::ffi::OsString = odd;
        let names = ["a".into(), "b".into(), odd].map(|name| folder.join(name));
        for path in &names {
            fs::write(path, "1").unwrap();
        }
        let digester = Digester::default();
        let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
        let listed = Listed::look(&folder, &names, &digester).unwrap();
        let kept = listed
            .keep(&layout, Durability::Process)
            .unwrap()
            .to_string();
        let listed = Listed::load(&layout, &kept).unwrap();
        assert_eq!(listed.size(), 3);

        fs::write(folder.join("unread"), "1").unwrap();
        assert_eq!(listed.differing(&folder, &digester), None);
        fs::write(folder.join("b"), "2").unwrap();
        fs::remove_file(&names[2]).unwrap();
        assert_eq!(
            listed.differing(&folder, &digester).unwrap(),
            "2 of the 3 files that were read: b, caf\u{fffd} (gone)"
        );
        assert_eq!(Listed::load(&layout, "blake3:00"), None);
    }
}
