//! Who wrote the bytes that lie at a path, where journals tell it: `show`, `snapshot`, `bundle`,
//! `verify` and `trace` ask here; the catalog goes by the same rule
//! ([`birthmark_core::wrote`]).
//!
//! # Limits
//!
//! * What is larger than is read by the way is held to be the work of who wrote it last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use birthmark_core::birthmark::Fields;
use birthmark_core::session::{Artifact, Run, put_late_snapshot};
use birthmark_core::wrote::who_wrote;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::layout::Layout;
use serde_json::{Value, json};

use crate::project::Project;
use crate::sessions::{self, Wanted};
use crate::snapshot;
use crate::snapshot::Lives;

/// Who wrote a file.
#[derive(Debug, Clone)]
pub struct Wrote {
    /// The session.
    pub session: SessionId,
    /// What it recorded of the file.
    pub artifact: Artifact,
    /// The run.
    run: Option<Run>,
    /// Where its code lives now; none where it is not one commit.
    pub lives: Option<Lives>,
}

/// What a session tells of a file, and the run.
type Telling = (SessionId, Artifact, Option<Run>);

/// What each session of a project tells of some files, and of bytes of this digest. Most tell
/// nothing: those in which no such name or digest stands are not read.
fn tellings(project: &Project, stored: &[String], digest: Option<&str>) -> Vec<Telling> {
    let wanted = Wanted::quoted(stored.iter().map(String::as_str).chain(digest));
    let ids = sessions::ids(project).unwrap_or_default();
    let told = sessions::in_parts(ids, |id| {
        if !sessions::speaks_of(&project.layout, &id, &wanted) {
            return Vec::new();
        }
        let Ok(session) = sessions::fold_of(project, &id) else {
            return Vec::new();
        };
        let named = |one: &&Artifact| stored.contains(&one.file);
        let mut found: Vec<&Artifact> = session.made().filter(named).collect();
        // Empty files are all alike.
        let same = |one: &&Artifact| one.size > 0 && one.digest.as_deref() == digest;
        if digest.is_some() {
            let more = session.made().filter(same);
            found.extend(more.filter(|one| !stored.contains(&one.file)));
        }
        let run_of = |one: &Artifact| {
            let mut runs = session.runs.iter();
            runs.find(|run| Some(&run.id) == one.run.as_ref()).cloned()
        };
        let told = found.into_iter().map(|one| {
            let mut artifact = one.clone();
            put_late_snapshot(&session.snapshots, artifact.birthmark_mut());
            (id.clone(), artifact, run_of(one))
        });
        told.collect::<Vec<Telling>>()
    });
    told.into_iter().flatten().collect()
}

/// Whether a session of a project tells that it made what lies at a path.
pub(crate) fn is_told(project: &Project, path: &Path) -> bool {
    !tellings(project, &[project.stored_path(path)], None).is_empty()
}

/// The same of any session but one.
pub(crate) fn is_told_by_another(project: &Project, path: &Path, session: &str) -> bool {
    let told = tellings(project, &[project.stored_path(path)], None);
    told.iter().any(|(id, _, _)| id.as_str() != session)
}

/// Which of these paths, as they are stored, sessions of a project tell that they made.
pub(crate) fn told_among(project: &Project, stored: &[String]) -> BTreeSet<String> {
    let told = tellings(project, stored, None);
    told.into_iter().map(|(_, one, _)| one.file).collect()
}

/// Which sessions of a project removed these paths, as they are stored: of several the last.
pub(crate) fn removed_by(project: &Project, stored: &[String]) -> BTreeMap<String, SessionId> {
    if stored.is_empty() {
        return BTreeMap::new();
    }
    let wanted = Wanted::quoted(stored);
    let ids = sessions::ids(project).unwrap_or_default();
    let told = sessions::in_parts(ids, |id| {
        if !sessions::speaks_of(&project.layout, &id, &wanted) {
            return Vec::new();
        }
        let removals = sessions::fold_of(project, &id).map(|session| session.removals);
        let of_these = removals.unwrap_or_default().into_iter();
        of_these
            .filter(|one| stored.contains(&one.file))
            .map(|one| (one.time, one.file, id.clone()))
            .collect::<Vec<_>>()
    });
    let mut told: Vec<_> = told.into_iter().flatten().collect();
    told.sort();
    told.into_iter().map(|(_, file, id)| (file, id)).collect()
}

/// The nearest folder above a file that is an artifact as a whole, by its sidecar or by what a
/// session tells; none where no folder of the project above it is one.
pub(crate) fn folder_of(project: &Project, path: &Path) -> Option<PathBuf> {
    let folders = project.folders_above(path);
    let stored: Vec<String> = folders
        .iter()
        .map(|folder| project.stored_path(folder))
        .collect();
    let told: Vec<Telling> = if stored.is_empty() {
        Vec::new()
    } else {
        tellings(project, &stored, None)
    };
    let is_told = |name: &String| told.iter().any(|(_, one, _)| one.file == *name);
    let mut both = folders.into_iter().zip(&stored);
    both.find(|(folder, name)| Layout::sidecar(folder).is_file() || is_told(name))
        .map(|(folder, _)| folder)
}

/// Artifacts that lie in a folder which nobody recorded as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holds {
    /// How many.
    pub(crate) count: usize,
    /// The first by name, as it is stored.
    pub(crate) first: String,
    /// Which scripts made them, in which sessions.
    pub(crate) by: BTreeSet<(String, SessionId)>,
}

impl Holds {
    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let by = self.by.iter();
        let by = by.map(
            |(script, session)| json!({"script_name": script, "session_id": session.as_str()}),
        );
        json!({"artifacts": self.count, "first": self.first, "made_by": by.collect::<Vec<_>>()})
    }

    /// `4 artifacts, made by s1.py in session 20261127_101112_abcd`.
    pub(crate) fn phrase(&self) -> String {
        let by: Vec<String> = self
            .by
            .iter()
            .map(|(script, session)| {
                let script = crate::text::short(script, 60);
                format!("{script} in session {}", session.short())
            })
            .collect();
        let artifacts = crate::text::count(self.count as u64, "artifact");
        format!("{artifacts}, made by {}", crate::talk::some_of(&by))
    }
}

/// What sessions of a project recorded below a folder, which is given as it is stored; none where
/// they recorded nothing there.
pub(crate) fn below(project: &Project, folder: &str) -> Option<Holds> {
    let spelled = serde_json::to_string(&format!("{folder}/")).ok()?;
    let begin = spelled.strip_suffix('"')?.to_owned();
    let wanted = Wanted::spelled(vec![begin]);
    let ids = sessions::ids(project).unwrap_or_default();
    let told = sessions::in_parts(ids, |id| {
        if !sessions::speaks_of(&project.layout, &id, &wanted) {
            return Vec::new();
        }
        let Ok(session) = sessions::fold_of(project, &id) else {
            return Vec::new();
        };
        let is_below = |one: &&Artifact| {
            let below = one.file.strip_prefix(folder);
            below.is_some_and(|rest| rest.starts_with('/'))
        };
        let told = session.made().filter(is_below).map(|one| {
            let mut runs = session.runs.iter();
            let run = runs.find(|run| Some(&run.id) == one.run.as_ref());
            let script = run.and_then(|run| run.script_name.clone());
            let program = || run.and_then(|run| run.argv.first().cloned());
            let by = script
                .or_else(program)
                .unwrap_or_else(|| "a run".to_owned());
            (one.file.clone(), (by, id.clone()))
        });
        told.collect::<Vec<_>>()
    });
    let told: BTreeMap<String, (String, SessionId)> = told.into_iter().flatten().collect();
    Some(Holds {
        count: told.len(),
        first: told.keys().next()?.clone(),
        by: told.into_values().collect(),
    })
}

/// Who wrote what lies at a path, of which `lies` is the digest, where it is known. The path is
/// given as it is stored. Where nobody recorded these bytes under this path, who recorded them
/// under another: the file was moved or copied since.
pub(crate) fn at(project: &Project, stored: &str, lies: Option<&str>) -> Option<Wrote> {
    let told = tellings(project, &[stored.to_owned()], lies);
    let (mut all, mut others): (Vec<_>, Vec<_>) =
        told.into_iter().partition(|one| one.1.file == stored);
    let is_known = all.iter().any(|one| one.1.digest.as_deref() == lies);
    if !others.is_empty() && !is_known {
        std::mem::swap(&mut all, &mut others);
    }
    let told = all
        .iter()
        .map(|(id, one, _)| ((one.time, id), one.digest.as_deref()));
    let (session, artifact, run) = all.swap_remove(who_wrote(told, lies)?);
    Some(Wrote {
        lives: code_of(&artifact).map(|commit| snapshot::lives(project, commit)),
        session,
        artifact,
        run,
    })
}

/// Sessions that went on with a file from the same records as the one that left bytes of this
/// digest, and how many records of each are not in it: two clones went on with one file, and one
/// copy was laid over the other.
pub(crate) fn forked(project: &Project, stored: &str, digest: &str) -> Vec<(SessionId, u64)> {
    let told = tellings(project, &[stored.to_owned()], None);
    let is_it = |one: &&Telling| one.1.digest.as_deref() == Some(digest);
    let Some((own, left, _)) = told.iter().find(is_it) else {
        return Vec::new();
    };
    let had = &left.continued;
    let others = told.iter().filter(|(id, one, _)| {
        let is_same = one.continued.bytes == had.bytes && one.continued.digest == had.digest;
        id != own && is_same && had.bytes > 0 && one.digest != left.digest && one.size > had.bytes
    });
    let lost = |one: &Artifact| one.records.unwrap_or(0).saturating_sub(had.records);
    let others = others.map(|(id, one, _)| (id.clone(), lost(one)));
    others.filter(|(_, lost)| *lost > 0).collect()
}

fn code_of(artifact: &Artifact) -> Option<&str> {
    let text = |name: &str| artifact.birthmark().get(name).and_then(Value::as_str);
    text("git_snapshot").or_else(|| text("git_commit"))
}

/// Whether a run was seen to write these bytes, and what they carry was born in another.
pub(crate) fn is_of_another(artifact: &Artifact, session: &SessionId, carried: &Fields) -> bool {
    let text = |name: &str| carried.get(name).and_then(Value::as_str);
    let format = artifact.sealed().map_or("", |sealed| &*sealed.format);
    let run = artifact.run.as_ref().map(birthmark_core::RunId::as_str);
    let born = (text("session_id"), text("run_id"));
    birthmark_core::wrote::is_of_another(format, (session.as_str(), run), born)
}

impl Wrote {
    /// The birthmark that the journal has of what it wrote: its code, its params.
    pub fn birthmark(&self) -> &Fields {
        self.artifact.birthmark()
    }

    /// The commit that holds its code: the snapshot, where one was taken.
    pub fn commit(&self) -> Option<&str> {
        code_of(&self.artifact)
    }

    /// When it was told of.
    pub fn time(&self) -> Timestamp {
        self.artifact.time
    }

    /// Its script, else its command.
    pub fn script(&self) -> Option<&str> {
        let run = self.run.as_ref()?;
        run.script_name
            .as_deref()
            .or(run.argv.first().map(String::as_str))
    }

    /// For programs, under the names of a birthmark.
    pub fn to_json(&self) -> Value {
        let mut all = json!({
            "session_id": self.session.as_str(),
            "run_id": self.artifact.run.as_ref().map(birthmark_core::RunId::as_str),
            "script_name": self.script(),
            "timestamp": self.time().to_string(),
            "code_lives": self.lives.as_ref().map(Lives::to_json),
        });
        for (name, value) in self.birthmark() {
            if name.starts_with("git_") {
                all[name] = value.clone();
            }
        }
        all
    }
}
