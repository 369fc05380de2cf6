//! Taking away the references of old snapshots, where the store has them.
//!
//! Only references in this clone go, never anything of the store: what is taken away here
//! can be given back from there.

use std::collections::BTreeMap;

use birthmark_capture::git::snapshot::{delete_reference, references};
use birthmark_core::Timestamp;
use birthmark_core::snapshot::COMMITS;
use serde_json::{Value, json};

use super::take::AT_END;
use super::{list, source};
use crate::error::{Error, Kind, Result};
use crate::project::Project;
use crate::sessions;

const DAY: i64 = 86_400_000_000;

/// What became of one reference.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// The reference.
    pub reference: String,
    /// Its commit.
    pub commit: String,
    /// Why it stays; `None` where it went, or would go.
    pub kept: Option<String>,
}

impl Pruned {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({"ref": self.reference, "commit": self.commit, "kept": self.kept})
    }
}

/// The commits that sessions here stood on, and when the last one did.
fn stood_on(project: &Project) -> Result<BTreeMap<String, Timestamp>> {
    let mut times = BTreeMap::new();
    for id in sessions::ids(project)? {
        let Ok(loaded) = sessions::load(project, &id) else {
            continue;
        };
        let Some(start) = loaded.session.start else {
            continue;
        };
        let runs = loaded.session.runs.iter().map(|run| &run.code);
        let codes = runs.chain([&loaded.session.code]);
        let commits = codes.filter_map(|code| code.get("git_commit")?.as_str());
        let below = loaded.session.snapshots.iter();
        let below = below.filter_map(|one| one.taken.parent.as_deref());
        for commit in commits.chain(below) {
            let last = times.entry(commit.to_owned()).or_insert(start);
            *last = start.max(*last);
        }
        for run in &loaded.session.runs {
            if let Some(commit) = &run.drift_commit {
                times.insert(commit.clone(), start);
            }
        }
    }
    Ok(times)
}

/// Goes through Birthmark's references in this clone. Those go that are older than `days`, that
/// a session here tells of, and that are in the store; of a commit that a run stood on also that
/// which a remote has, unless the store builds on it. With `dry_run` none does.
pub fn prune(project: &Project, days: u32, now: Timestamp, dry_run: bool) -> Result<Vec<Pruned>> {
    let cannot = |reason: String| {
        let message = format!("cannot read the snapshots of this clone: {reason}");
        Error::new(Kind::Io, "references", message)
    };
    let known = list(project)?;
    let stood_on = stood_on(project)?;
    let mut pruned = Vec::new();
    for (reference, commit) in references(project.root()).map_err(cannot)? {
        let is_pin = reference.starts_with(COMMITS);
        let told = if is_pin || reference.ends_with(AT_END) {
            stood_on.get(&commit).copied()
        } else {
            let mut known = known.iter();
            let told = known.find(|one| one.taken.reference.as_deref() == Some(&reference));
            told.map(|one| one.time)
        };
        let kept = match told {
            None => Some("no session here tells of it".to_owned()),
            Some(time) if now.micros() - time.micros() < i64::from(days) * DAY => {
                Some(format!("younger than {days} days"))
            }
            Some(_) if is_pin && source::is_needless(project, &commit) => None,
            Some(_) if !source::is_restorable_from_store(project, &commit) => {
                Some("the store does not have it".to_owned())
            }
            Some(_) => None,
        };
        if kept.is_none() && !dry_run {
            delete_reference(project.root(), &reference, &commit).map_err(cannot)?;
        }
        pruned.push(Pruned {
            reference,
            commit,
            kept,
        });
    }
    Ok(pruned)
}
