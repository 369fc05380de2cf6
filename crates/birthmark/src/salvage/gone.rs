//! What the store kept and somebody deleted: what can be made again, and what is lost with it.
//!
//! A manifest is folded from the journals, and the sums of lines are taken from a file that is as it
//! was recorded. All else that stood in a deleted file stands nowhere else; then it is said what
//! still proves what.

use std::path::Path;

use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::session::Artifact;
use birthmark_store::Durability;
use birthmark_store::atomic::{self, PathContext};
use birthmark_store::line_sums::LineSums;
use serde_json::Value;

use super::{Remedy, Salvage};
use crate::error::{Error, Kind, Result};
use crate::lines::{self, Line, Sink};
use crate::sessions::{self, Loaded};
use crate::text::short;

/// What is to be done about a journal that is gone, or cannot be read.
pub(super) fn of_journal(loaded: &Loaded) -> &'static str {
    if loaded.has_journals {
        return "copy it from a backup; what can be read counts still";
    }
    "nothing can make it anew: copy it from a backup. Until then its manifest is taken at its word: \
     by the digests there a file is still told from another, and nothing proves the manifest itself"
}

impl Salvage<'_> {
    /// The objects that a session names and that are not there.
    pub(super) fn objects(&mut self, loaded: &Loaded, name: &str, live: bool) -> Result<()> {
        for (field, value) in &loaded.session.environment {
            if let (Some(what), Some(digest)) = (field.strip_suffix("_object"), digest_of(value))
                && let Some(object) = self.missing(&digest)
            {
                let what = format!("it is gone: what {name} kept of its {what}");
                let remedy = Remedy::Theirs(
                    "nothing can make it anew: copy it from a backup; what proves an artifact does \
                     not hang on it",
                );
                self.note("object", &object, &what, &remedy, || Ok(()))?;
            }
        }
        for kept in &loaded.session.kept {
            let bundle = kept.bundle.as_ref().and_then(|bundle| bundle.parse().ok());
            let Some(object) = bundle.and_then(|bundle| self.missing(&bundle)) else {
                continue;
            };
            let commit = short(&kept.commit, 12);
            let what = format!("it is gone: the code of commit {commit}, as {name} kept it");
            let remedy = Remedy::Theirs(
                "while a clone has that commit the code is not lost; else copy it from a backup",
            );
            self.note("object", &object, &what, &remedy, || Ok(()))?;
        }
        if live {
            return Ok(());
        }
        for artifact in loaded.session.made() {
            self.line_sums(artifact)?;
        }
        Ok(())
    }

    /// How an object is called that is not there, if it was not told yet.
    fn missing(&self, digest: &Digest) -> Option<String> {
        let path = self.project.layout.object(digest);
        let is_gone = path.symlink_metadata().is_err();
        let name = self.project.stored_path(&path);
        let is_told = || self.found.iter().any(|found| found.name == name);
        (is_gone && !is_told()).then_some(name)
    }

    /// The sums by which a changed line is told: the file has them, while it is as it was recorded.
    fn line_sums(&mut self, artifact: &Artifact) -> Result<()> {
        let sealed = artifact.sealed();
        let sums = sealed.and_then(|sealed| sealed.notes.get("line_sums"));
        let named = sums.and_then(|sums| digest_of(sums.get("object")?));
        let (Some(sealed), Some(named)) = (sealed, named) else {
            return Ok(());
        };
        let Some(object) = self.missing(&named) else {
            return Ok(());
        };
        let path = sessions::locate(self.project, &artifact.file, artifact.file_bytes());
        let lies = crate::digests::of(&path, Algorithm::Blake3).ok();
        let is_as_recorded = lies.map(|lies| lies.to_string()) == sealed.digest;
        let file = &artifact.file;
        let what = format!("it is gone: the sums of the lines of {file}");
        let remedy = if is_as_recorded {
            Remedy::Ours("takes them anew from the file, which is as it was recorded")
        } else {
            Remedy::Theirs(
                "copy it from a backup: the file is no longer what it was, and without them no line \
                 of it can be named",
            )
        };
        let layout = &self.project.layout;
        self.note("object", &object, &what, &remedy, || {
            let kept = sums_of(&path)?.keep(layout, Durability::Power)?;
            if kept.get("object").and_then(digest_of) == Some(named) {
                return Ok(());
            }
            let text = format!("the sums of the lines of `{}` are others", path.display());
            Err(Error::new(Kind::Damaged, "line-sums", text))
        })
    }
}

fn digest_of(value: &Value) -> Option<Digest> {
    value.as_str()?.parse().ok()
}

/// The sums of the lines of a file.
fn sums_of(path: &Path) -> Result<LineSums> {
    let mut sums = Sums(LineSums::default());
    let mut file = atomic::open_regular(path).at("read", path)?;
    lines::read(&mut file, &mut sums).at("read", path)?;
    Ok(sums.0)
}

struct Sums(LineSums);

impl Sink for Sums {
    fn bytes(&mut self, _bytes: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        let (before, end) = line.around;
        self.0.add(&[before, line.record, end]);
        true
    }
}
