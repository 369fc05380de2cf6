//! Artifacts that another tool wrote and that carry their birthmark within: tables,
//! weights, packed records; and those whose digest is still to come.

use std::path::{Path, PathBuf};

use birthmark_core::birthmark::{self, Fields, Scope};
use birthmark_core::event::ArtifactSealed;
use birthmark_store::format::jsonl::LINE_LIMIT;
use birthmark_store::format::{FileKind, OnExisting};
use serde_json::Value;

use crate::add::describe;
use crate::error::{Error, Result};
use crate::session::{Session, now};
use crate::stamp::{Marks, kind_of, rewrite};

impl Session {
    /// Writes the file `from`, which another tool made, to `to` with its birthmark within,
    /// and records it: an artifact of this session, born now. `existing` says what becomes of
    /// birthmarks that its records carry already. Returns `to`.
    pub fn seal(
        &self,
        from: &Path,
        to: &Path,
        artifact_type: &str,
        given: &Fields,
        existing: OnExisting,
    ) -> Result<PathBuf> {
        self.check_live()?;
        crate::template::check_given(given)?;
        let (file, file_bytes) = self.project().stored_name(to);
        self.obey_policy(&file, artifact_type, given, false)?;
        let kind = kind_of(to)?;
        let time = now();
        let whole = self.whole_birthmark(artifact_type, given, time);
        let mark = if kind.has_records() {
            birthmark::compose([&whole], Scope::Record)
        } else {
            whole.clone()
        };
        let marks = Marks::new(&mark, existing)?;
        let format = kind_of(from)?.into(kind, Some(LINE_LIMIT)).ok_or_else(|| {
            Error::usage(
                "no-format",
                format!("`{}` is of another kind", to.display()),
            )
        })?;
        rewrite(&*format, from, to, None, |format, input, output| {
            format.stamp(input, output, &marks, existing)
        })?;
        let found = describe(to, Vec::new(), &crate::digests::digester())?;
        self.record_sealed(
            to,
            ArtifactSealed {
                file,
                file_bytes,
                artifact_type: artifact_type.to_owned(),
                format: kind.word().to_owned(),
                timestamp: time,
                size: found.size,
                records: found.records,
                digest: Some(found.digest.to_string()),
                content_digest: Some(found.content_digest.unwrap_or(found.digest).to_string()),
                birthmark: whole,
                notes: Fields::new(),
            },
        )?;
        self.fold_soon();
        Ok(to.to_owned())
    }

    /// Records that a file or folder is there whose digest is still to come: a checkpoint
    /// that is digested beside the training. [`Session::add`] records the digest.
    pub fn expect(&self, path: &Path, artifact_type: &str, given: &Fields) -> Result<()> {
        self.check_live()?;
        crate::template::check_given(given)?;
        if self.rank() > 0 {
            return Ok(());
        }
        let (file, file_bytes) = self.project().stored_name(path);
        let time = now();
        let mut notes = Fields::new();
        notes.insert("digest_state".to_owned(), Value::from("pending"));
        self.record_sealed(
            path,
            ArtifactSealed {
                file,
                file_bytes,
                artifact_type: artifact_type.to_owned(),
                format: if path.is_dir() { "folder" } else { "file" }.to_owned(),
                timestamp: time,
                size: 0,
                records: None,
                digest: None,
                content_digest: None,
                birthmark: self.whole_birthmark(artifact_type, given, time),
                notes,
            },
        )
    }
}

/// Whether files of this name carry their birthmark within.
pub fn carries_within(path: &Path) -> bool {
    FileKind::of(path).is_some()
}
