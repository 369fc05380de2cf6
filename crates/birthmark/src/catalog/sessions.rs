//! Which sessions changed since the catalog last looked, and what each is now.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use birthmark_catalog::engine::{Packages, SessionFacts};
use birthmark_core::plan::PlanOutcome;
use birthmark_core::session::Status;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::objects;
use serde_json::Value;

use crate::error::Result;
use crate::machine;
use crate::project::Project;
use crate::sessions::{self, Loaded};

/// What a file or folder is like, in a word that changes when it does. What changed a
/// moment ago may change again within one tick of the clock, so its word is never the
/// same twice.
pub(super) fn print(path: &Path, now_nanos: i128) -> Option<String> {
    fs::metadata(path)
        .ok()
        .map(|found| print_of(&Look::from(&found), now_nanos))
}

/// A clock's tick, and then some.
pub(super) const TICK_NANOS: i128 = 50_000_000;

/// What is told of a file or folder.
pub(super) struct Look {
    pub(super) is_folder: bool,
    pub(super) size: u64,
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
    pub(super) inode: u64,
}

impl From<&fs::Metadata> for Look {
    fn from(found: &fs::Metadata) -> Self {
        Self {
            is_folder: found.is_dir(),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
        }
    }
}

pub(super) fn print_of(found: &Look, now_nanos: i128) -> String {
    let mut out = String::new();
    print_into(&mut out, found, now_nanos);
    out
}

/// The same behind what stands there: of many files no text is made for each.
pub(super) fn print_into(out: &mut String, found: &Look, now_nanos: i128) {
    let changed = i128::from(found.changed.0) * 1_000_000_000 + i128::from(found.changed.1);
    let size = if found.is_folder { 0 } else { found.size };
    let (seconds, nanos) = found.modified;
    // The digits of a narrow number are made much more quickly.
    let _ = match i64::try_from(changed) {
        Ok(changed) => write!(out, "{size}.{seconds}.{nanos}.{changed}.{}", found.inode),
        Err(_) => write!(out, "{size}.{seconds}.{nanos}.{changed}.{}", found.inode),
    };
    if now_nanos - changed < TICK_NANOS {
        out.push('~');
    }
}

/// Whether nothing changed since `before` was written.
pub(super) fn is_same(before: &str, now: &str) -> bool {
    before == now && !before.contains('~')
}

/// Whether what was written before is what [`print_into`] would write now, and nothing can
/// have changed since: told without writing it.
pub(super) fn is_like(before: &str, found: &Look, now_nanos: i128) -> bool {
    let (seconds, nanos) = found.changed;
    let changed = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let size = if found.is_folder { 0 } else { found.size };
    let (seconds, nanos) = found.modified;
    let (size, inode) = (i128::from(size), i128::from(found.inode));
    let now = [size, i128::from(seconds), i128::from(nanos), changed, inode];
    let mut parts = before.split('.');
    let same = now.iter().all(|number| {
        let part = parts.next();
        // The digits of a narrow number are read much more quickly.
        part.is_some_and(|part| match i64::try_from(*number) {
            Ok(number) => part.parse() == Ok(number),
            Err(_) => part.parse() == Ok(*number),
        })
    });
    same && parts.next().is_none() && now_nanos - changed >= TICK_NANOS
}

/// What the journals of a session are like: first its folder, then each of them. Of a
/// session without journals, what its manifest is like.
pub(super) fn extent(project: &Project, id: &SessionId, now_nanos: i128) -> Option<String> {
    let folder = project.layout.session(id);
    let Some(mut text) = print(&folder, now_nanos) else {
        let manifest = print(&project.layout.manifest(id), now_nanos)?;
        return Some(format!("manifest {manifest}"));
    };
    let mut journals: Vec<_> = fs::read_dir(&folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    journals.sort();
    for journal in journals {
        let found = print(&journal, now_nanos).unwrap_or_default();
        let name = journal.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!(" {name}:{found}"));
    }
    Some(text)
}

/// Whether the folder of a session that is over is as it was: no journal came to it.
pub(super) fn is_settled(project: &Project, id: &str, extent: &str, now_nanos: i128) -> bool {
    let folder = project.layout.session(&SessionId::from_text(id));
    let first = extent.split(' ').next().unwrap_or_default();
    print(&folder, now_nanos).is_some_and(|now| is_same(first, &now)) && !extent.contains('~')
}

/// Reads a session for the catalog.
pub(super) fn facts(project: &Project, id: &SessionId, extent: String) -> Result<SessionFacts> {
    let loaded = sessions::load(project, id)?;
    let session = &loaded.session;
    let running = session.runs.iter().any(|run| run.end.is_none());
    let open = loaded.is_bound() && (session.end.is_none() || running);
    let (plans, _) = session.judge_plan();
    let made = plans
        .iter()
        .filter(|plan| plan.outcome == PlanOutcome::Made)
        .count();
    let planned = (plans.len(), made);
    let dead = |process| machine::is_alive(process) == Some(false);
    let unended = session.runs.iter().filter(|run| run.end.is_none());
    let died = unended.filter(|run| dead(&run.process));
    let died = died.map(|run| run.id.clone()).collect();
    let now = Timestamp::from_micros(birthmark_capture::clock::now_micros());
    let interrupted = open && loaded.status(now) == Status::Interrupted;
    Ok(SessionFacts {
        id: id.clone(),
        extent,
        open,
        bound: loaded.is_bound(),
        host: loaded.host().map(str::to_owned),
        died,
        interrupted,
        planned,
        packages: packages(project, &loaded),
        session: loaded.session,
    })
}

/// The digest of the session's list of packages, and the list.
fn packages(project: &Project, loaded: &Loaded) -> Option<(String, Packages)> {
    let digest = loaded
        .session
        .environment
        .get("packages_object")?
        .as_str()?;
    let bytes = objects::get(&project.layout, &digest.parse().ok()?).unwrap_or_default();
    let list: Vec<Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    let package = |one: &Value| {
        let version = one["version"].as_str().map(str::to_owned);
        Some((one["name"].as_str()?.to_owned(), version))
    };
    Some((digest.to_owned(), list.iter().filter_map(package).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_told_from_what_is_now_without_writing_it() {
        let look = |size, modified, changed, inode| Look {
            is_folder: false,
            size,
            modified,
            changed,
            inode,
        };
        let (now, minutes) = (1_800_000_000_000_000_000_i128, (1_799_999_000, 5));
        let looks = [
            look(0, (0, 0), minutes, 1),
            look(u64::MAX, (-5, 999_999_999), minutes, u64::MAX),
            look(7, (1_799_999_000, 5), (1_800_000_000, 0), 3),
            look(7, (1_799_999_000, 5), (i64::MAX, 0), 3),
            look(7, (1_799_999_000, 5), minutes, 3),
            look(8, (1_799_999_000, 5), minutes, 3),
            look(7, (1_799_999_000, 6), minutes, 3),
            look(7, (1_799_999_000, 5), minutes, 4),
        ];
        for before in &looks {
            for found in &looks {
                let (before, now_like) = (print_of(before, now), print_of(found, now));
                assert_eq!(
                    is_like(&before, found, now),
                    is_same(&before, &now_like),
                    "{before} {now_like}"
                );
            }
        }
        assert!(!is_like("7", &looks[4], now) && !is_like("", &looks[4], now));
    }
}
