//! Taking away the references of old snapshots, where the store has them.
//!
//! Only references in this clone go, never anything of the store: what is taken away here
//! can be given back from there.

use birthmark_capture::git::snapshot::{delete_reference, references};
use birthmark_core::Timestamp;
use serde_json::{Value, json};

use super::{list, source};
use crate::error::{Error, Kind, Result};
use crate::project::Project;

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

/// Goes through the references of snapshots in this clone. Those go that are older than
/// `days`, belong to a session that is here, and are in the store; with `dry_run` none does.
pub fn prune(project: &Project, days: u32, now: Timestamp, dry_run: bool) -> Result<Vec<Pruned>> {
    let cannot = |reason: String| {
        let message = format!("cannot read the snapshots of this clone: {reason}");
        Error::new(Kind::Io, "references", message)
    };
    let known = list(project)?;
    let mut pruned = Vec::new();
    for (reference, commit) in references(project.root()).map_err(cannot)? {
        let told = known
            .iter()
            .find(|one| one.taken.reference.as_deref() == Some(&reference));
        let kept = match told {
            None => Some("no session here tells of it".to_owned()),
            Some(one) if now.micros() - one.time.micros() < i64::from(days) * DAY => {
                Some(format!("younger than {days} days"))
            }
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
