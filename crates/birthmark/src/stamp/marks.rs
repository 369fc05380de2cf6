//! Which birthmark goes into which record, and what a journal knows of a file's birth.

use std::path::Path;

use birthmark_core::json::{self, OnExisting};
use birthmark_core::{Fields, SessionId};
use birthmark_store::digest;
use birthmark_store::format::Birthmarks;
use serde_json::Value;

use crate::error::Result;
use crate::project::Project;
use crate::{add, sessions};

/// The field of a birthmark that took the place of an older one: the older one's digest.
/// What it says cannot be brought back, so `unstamp` refuses such a record.
pub(super) const REPLACES: &str = "replaces";

/// The birthmarks of one file: the same for each record, but for what it replaces.
pub(super) struct Marks {
    mark: Vec<u8>,
    fields: Fields,
    replacing: bool,
}

impl Marks {
    pub(super) fn new(mark: &Fields, existing: OnExisting) -> Result<Self> {
        let replacing = existing == OnExisting::Replace;
        Ok(Self {
            mark: super::write::spelled(mark)?,
            fields: mark.clone(),
            replacing,
        })
    }

    /// The birthmark that says what it replaces.
    fn over(&self, older: &[u8]) -> Option<Vec<u8>> {
        let mut fields = self.fields.clone();
        let format = fields.remove("birthmark");
        fields.insert(
            REPLACES.to_owned(),
            Value::from(digest::digest_bytes(older).to_string()),
        );
        if let Some(format) = format {
            fields.insert("birthmark".to_owned(), format);
        }
        serde_json::to_vec(&fields).ok()
    }
}

impl Birthmarks for Marks {
    fn write(&self, _line: u64, record: &[u8], out: &mut Vec<u8>) {
        let older = if self.replacing { older(record) } else { None };
        match older.and_then(|older| self.over(older)) {
            Some(mark) => out.extend_from_slice(&mark),
            None => out.extend_from_slice(&self.mark),
        }
    }
}

fn older(record: &[u8]) -> Option<&[u8]> {
    let object = json::scan_object(record).ok()?;
    json::locate_birthmark(record, &object).value(record)
}

/// What a journal knows of a file's birth.
pub(super) struct Birth {
    /// The session that made it.
    pub(super) session: SessionId,
    /// Its stored path there.
    pub(super) file: String,
    /// The birthmark that it was born with.
    pub(super) birthmark: Fields,
}

/// The birth of a file, if a journal of this project holds its digest. Of several the
/// one with the same path counts, else the newest. A file that was only stamped by hand
/// in a session was not born there.
pub(super) fn birth_of(project: &Project, path: &Path) -> Result<Option<Birth>> {
    let ids = sessions::ids(project)?;
    if ids.is_empty() {
        return Ok(None);
    }
    let described = add::describe(path, Vec::new(), &crate::digests::digester())?;
    let content = described
        .content_digest
        .unwrap_or(described.digest)
        .to_string();
    let lies = described.digest.to_string();
    let stored = project.stored_path(path);
    let mut found = None;
    for id in ids {
        // A session that cannot be read vouches for nothing.
        let Ok(loaded) = sessions::load(project, &id) else {
            continue;
        };
        if !loaded.has_journals {
            continue;
        }
        for artifact in loaded.session.made() {
            let Some(sealed) = artifact.sealed() else {
                continue;
            };
            let same = sealed.digest.as_ref() == Some(&lies)
                || sealed.content_digest.as_ref() == Some(&content);
            if !same || sealed.notes.contains_key("stamped") {
                continue;
            }
            let birth = Birth {
                session: id.clone(),
                file: artifact.file.clone(),
                birthmark: sealed.birthmark.clone(),
            };
            if artifact.file == stored {
                return Ok(Some(birth));
            }
            found.get_or_insert(birth);
        }
    }
    Ok(found)
}
