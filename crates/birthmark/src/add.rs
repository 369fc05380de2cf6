//! Artifacts that were written without a writer of ours: any file, any folder. They are
//! digested, get a sidecar, and stand in the journal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use birthmark_capture::process::redactor;
use birthmark_core::Finding;
use birthmark_core::birthmark::Fields;
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::event::{ArtifactRemoved, ArtifactSealed, ArtifactUsed};
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::beside::Beside;
use birthmark_store::digest::{Content, Digester, FileDigest, Pace};
use birthmark_store::format::FileKind;
use birthmark_store::format::sidecar::{Sidecar, SidecarKind};
use birthmark_store::{Durability, Layout, digest, stop};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::project::Project;
use crate::session::{Session, now};
use crate::{dataset, digests, sessions};

/// The note on what lay there before the run began that added it: it did not write it.
pub(crate) const WAS_THERE: &str = "was_there";

/// How what is added is digested.
#[derive(Debug, Default)]
pub struct HowToDigest {
    /// Read no faster than this, so that what runs beside is not held up.
    pub pace: Option<Arc<Pace>>,
    /// SHA-256 into the sidecar too, for tools that know no BLAKE3.
    pub sha256: bool,
    /// All else goes first: the thread that adds has the lowest priority from then on.
    pub nice: bool,
}

/// The lowest priority that a thread can have.
const NICEST: i32 = 19;

impl Session {
    /// Adds a file or folder that is finished: digests it, writes its sidecar, records it.
    /// The file itself is not touched. Returns the sidecar's path; none on ranks but 0,
    /// which do nothing.
    pub fn add(&self, path: &Path, artifact_type: &str, given: &Fields) -> Result<Option<PathBuf>> {
        self.add_as(path, artifact_type, given, HowToDigest::default())
    }

    /// The same, digested as asked.
    pub fn add_as(
        &self,
        path: &Path,
        artifact_type: &str,
        given: &Fields,
        how: HowToDigest,
    ) -> Result<Option<PathBuf>> {
        self.check_live()?;
        crate::template::check_given(given)?;
        if self.rank() > 0 {
            return Ok(None);
        }
        // Only there has a thread a priority of its own. Without it the work is done as well.
        if how.nice && cfg!(target_os = "linux") {
            let _ = rustix::process::setpriority_process(None, NICEST);
        }
        check_addable(path)?;
        let (file, file_bytes) = self.project().stored_name(path);
        self.obey_policy(&file, artifact_type, given, false)?;
        let time = now();
        let mut told = crate::weights::facts(self.project(), path);
        if let Some(Value::Array(missing)) = told.get(crate::weights::MISSING) {
            self.say(&format!(
                "birthmark: {} lacks {} that its index names",
                path.display(),
                crate::text::count(missing.len() as u64, "shard")
            ));
        }
        told.extend(given.clone());
        let mut birthmark = self.whole_birthmark(artifact_type, &told, time);
        let mark = serde_json::to_vec(&birthmark).map_err(|source| {
            Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
        })?;
        let digester = digests::digester().paced(how.pace).with_sha256(how.sha256);
        let beside = Beside::of(path)?;
        let sidecar = describe(path, mark, &digester)?;
        not_stopped(path)?;
        let place = Layout::sidecar(path);
        let earlier = Sidecar::read(&place).ok();
        let (mut notes, mut kept) = (Fields::new(), false);
        if let Some(earlier) = &earlier {
            let is_same = earlier.digest == sidecar.digest && earlier.kind == sidecar.kind;
            let first = serde_json::from_slice::<Fields>(&earlier.birthmark).ok();
            if let Some(first) = first.filter(|_| is_same) {
                self.say(&format!(
                    "birthmark: {} has a birthmark already, of the same content: it is kept",
                    crate::text::neutral(&file)
                ));
                kept = true;
                birthmark = first;
                notes.insert("kept".to_owned(), Value::from(true));
            } else if !is_same {
                notes.insert("replaced".to_owned(), replaced(earlier));
                self.say(&format!(
                    "birthmark: {} has other content than its earlier birthmark says, which is \
                     replaced",
                    crate::text::neutral(&file)
                ));
            }
        }
        if !kept {
            beside.replace(&place, &sidecar.render(), Durability::Power)?;
        }
        if self.was_there_before(path) {
            notes.insert(WAS_THERE.to_owned(), Value::from(true));
        }
        self.record_sealed(
            path,
            ArtifactSealed {
                file,
                file_bytes,
                artifact_type: artifact_type.to_owned(),
                format: if path.is_dir() { "folder" } else { "file" }.to_owned(),
                timestamp: time,
                size: sidecar.size,
                records: sidecar.records,
                digest: Some(sidecar.digest.to_string()),
                content_digest: Some(sidecar.content_digest.unwrap_or(sidecar.digest).to_string()),
                birthmark,
                notes,
            },
        )?;
        self.fold_soon();
        Ok(Some(place))
    }

    /// Records that something was read: a path, which is digested, or a name, with whatever
    /// `more` tells which it is.
    pub fn use_input(
        &self,
        what: &str,
        role: Option<&str>,
        folder: &Path,
        more: Fields,
    ) -> Result<Fields> {
        self.check_live()?;
        let path = folder.join(what);
        let mut input = if path.exists() {
            let entry = dataset::input(self.project(), &path, role);
            not_stopped(&path)?;
            entry
        } else {
            let mut entry = Fields::new();
            if let Some(role) = role {
                entry.insert("role".to_owned(), Value::from(role));
            }
            entry.extend(dataset::absent(what));
            if !more.is_empty() {
                // The caller tells what it is: a model of a hub, an address.
                entry.remove("unknown");
                entry.remove("digest");
            }
            let mut told = Fields::new();
            told.insert(
                "inputs".to_owned(),
                Value::from(vec![Value::Object(entry.clone())]),
            );
            self.say_missing(&told);
            entry
        };
        input.extend(more);
        let mut input = Value::Object(input);
        redactor().json(&mut input);
        let Value::Object(input) = input else {
            return Ok(Fields::new());
        };
        self.record(ArtifactUsed {
            input: input.clone(),
        })?;
        Ok(input)
    }

    /// Says of what these fields name, and is not there, that it is not.
    pub fn say_missing(&self, fields: &Fields) {
        for line in dataset::said_of_missing(fields) {
            self.say(&line);
        }
    }

    /// Records that an artifact was removed on purpose: it is then not *missing*.
    pub fn removed(&self, path: &Path, reason: &str) -> Result<()> {
        self.check_live()?;
        let file = self.project().stored_path(path);
        self.record(ArtifactRemoved {
            file,
            reason: redactor().text(reason).into_owned(),
        })?;
        self.fold_soon();
        Ok(())
    }
}

/// What earlier sessions of a project made directly in a folder, and nobody removed since.
pub fn recorded_in(project: &Project, folder: &Path) -> Vec<PathBuf> {
    let Ok(mut quoted) = serde_json::to_string(&format!("{}/", project.stored_path(folder))) else {
        return Vec::new();
    };
    // Whatever name follows.
    quoted.pop();
    let wanted = sessions::Wanted::spelled(vec![quoted]);
    let ids = sessions::ids(project).unwrap_or_default();
    let told = sessions::in_parts(ids, |id| {
        if !sessions::speaks_of(&project.layout, &id, &wanted) {
            return (Vec::new(), Vec::new());
        }
        let Ok(session) = sessions::fold_of(project, &id) else {
            return (Vec::new(), Vec::new());
        };
        let path = |file: &str| sessions::locate(project, file, None);
        let made: Vec<PathBuf> = session.made().map(|one| path(&one.file)).collect();
        let removed: Vec<PathBuf> = session.removals.iter().map(|one| path(&one.file)).collect();
        (made, removed)
    });
    let (made, removed): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    let removed: BTreeSet<PathBuf> = removed.into_iter().flatten().collect();
    let all: BTreeSet<PathBuf> = made.into_iter().flatten().collect();
    let is_there = |path: &PathBuf| path.parent() == Some(folder) && !removed.contains(path);
    all.into_iter().filter(is_there).collect()
}

/// What is kept of a birthmark that another replaces: the session it named, and the digest.
fn replaced(earlier: &Sidecar) -> Value {
    let session = birthmark_core::json::get(&earlier.birthmark, &["session_id"]);
    serde_json::json!({
        "session_id": session.and_then(birthmark_core::json::as_text_lossy),
        "digest": earlier.digest.to_string(),
    })
}

/// Whether a file differs by birthmarks within it alone from bytes of which this is the digest.
pub(crate) fn is_stamped_since(path: &Path, then: &str, digester: &Digester) -> bool {
    let content = path.is_file().then(|| digester.content(path)).flatten();
    content.is_some_and(|content| content.digest.to_string() == then)
}

/// What a sidecar says of a file or folder with this birthmark.
pub(crate) fn describe(path: &Path, birthmark: Vec<u8>, digester: &Digester) -> Result<Sidecar> {
    digests::expect_to_describe(path, digester.wants_sha256());
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    if path.is_dir() {
        let tree = digester.tree(path).map_err(unreadable)?;
        let mut sidecar = Sidecar::of_folder(name, &tree, birthmark);
        if digester.wants_sha256() {
            for member in &mut sidecar.members {
                let file = digester.file_as(&path.join(&member.file), Algorithm::Sha256);
                member.sha256 = Some(file.map_err(unreadable)?.digest);
            }
        }
        return Ok(sidecar);
    }
    let file = digester.file(path).map_err(unreadable)?;
    let sha256 = digester
        .wants_sha256()
        .then(|| sha256_of(path, &file, digester));
    let content = digester.content(path);
    let content_digest = content.map(|content| content.digest);
    Ok(Sidecar {
        file: name,
        kind: SidecarKind::File,
        digest: file.digest,
        content_digest: content_digest.filter(|content| *content != file.digest),
        size: file.state.size,
        records: records(path, content),
        sha256: sha256.transpose()?,
        members: Vec::new(),
        birthmark,
        others: Vec::new(),
    })
}

/// The SHA-256 of a file, of the same state of it as another digest.
fn sha256_of(path: &Path, other: &FileDigest, digester: &Digester) -> Result<Digest> {
    let found = digester
        .file_as(path, Algorithm::Sha256)
        .map_err(unreadable)?;
    if found.state != other.state {
        let path = path.to_owned();
        return Err(unreadable(digest::FileError::ChangedWhileRead { path }));
    }
    Ok(found.digest)
}

/// Nothing is recorded of what was to stop halfway.
fn not_stopped(path: &Path) -> Result<()> {
    stop::check().map_err(|source| {
        let text = format!("cannot read `{}`", path.display());
        Error::new(Kind::Io, "io", text).with_source(source)
    })
}

/// How many records a file has: of lines that could be read, as many as were read.
pub(crate) fn records(path: &Path, content: Option<Content>) -> Option<u64> {
    let kind = FileKind::of(path).filter(|kind| kind.has_records())?;
    if let (FileKind::Records(_), Some(content)) = (kind, content) {
        return Some(content.records);
    }
    match dataset::records_in(path) {
        Finding::Found(records) => Some(records),
        _ => None,
    }
}

pub(crate) fn unreadable(error: digest::FileError) -> Error {
    let hint = error.hint();
    let error = Error::new(Kind::Io, "io", error.to_string()).with_source(error);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn check_addable(path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    if name.ends_with(SIDECAR_SUFFIX) {
        return Err(Error::usage(
            "sidecar",
            format!("`{name}` is a sidecar, not an artifact"),
        ));
    }
    if !path.exists() {
        return Err(
            Error::usage("no-file", format!("cannot add `{name}`: it is not there"))
                .with_hint("add it after it was written"),
        );
    }
    Ok(())
}
