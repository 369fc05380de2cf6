//! Folding the journals of a session, and when the fold is written down as its manifest.
//!
//! The manifest is for people and `jq`; nothing is decided by it. So it is written as often as
//! it can be had cheaply: of thousands of workers that come and go in one session, each would
//! otherwise read what all others wrote.
//!
//! # Invariants
//!
//! * When nobody takes part in a session any more, its manifest tells all of it, unless the last
//!   one was killed: who began it writes it at its end, and after that everybody who ends.
//! * One process folds at a time where the file system has locks; it looks again afterwards, so
//!   that what somebody recorded who found it folding is in its fold, or in the next.
//! * What a later version folded is left as it is.

use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use birthmark_capture::clock;
use birthmark_core::SessionId;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::OpenedBy;
use birthmark_core::session as core_session;
use birthmark_store::journal::{self, Followed, Turn};
use birthmark_store::{Durability, atomic};

use super::{Session, join, lock};
use crate::error::Result;
use crate::machine;
use crate::project::Project;

/// Between two folds of the manifest while a run goes on.
const FOLD_INTERVAL: Duration = Duration::from_secs(1);
/// Folds again at most, while others record beside.
const MOST_FOLDS: usize = 20;
/// What a fold by who reads all journals anew takes for each byte of the manifest that it makes:
/// of 1,000 writers 0.7 to 0.9 s for 1.7 MB.
const NANOSECONDS_A_BYTE: u64 = 500;
/// Who only joined folds for at most this part of the time that goes by. On a busy machine a fold
/// takes several times as long, and was most of what the last of 1,000 workers did at a tenth.
const SHARE: u64 = 50;
/// Up to so many bytes everybody who ends folds, for 33 ms by [`NANOSECONDS_A_BYTE`]: of a few runs
/// the manifest tells all as soon as each has ended.
const SMALL: u64 = 64 << 10;
/// How long who must fold waits for another that does.
const TURN_WAIT: Duration = Duration::from_secs(5);
const TURN_POLL: Duration = Duration::from_millis(5);

impl Session {
    /// The session as all its journals tell it. Each line is read once.
    pub(crate) fn folded(&self) -> Result<core_session::Session> {
        match self.inner.journals.try_lock() {
            Ok(mut journals) => Ok(journals.fold(&self.project().layout, self.id())?),
            Err(TryLockError::Poisoned(poisoned)) => {
                let mut journals = PoisonError::into_inner(poisoned);
                Ok(journals.fold(&self.project().layout, self.id())?)
            }
            // Another thread reads; or one did when this process was forked, and never ends.
            Err(TryLockError::WouldBlock) => fold_session(self.project(), self.id()),
        }
    }

    /// The session as the journal of this process alone tells it.
    pub(crate) fn told_here(&self) -> Result<core_session::Session> {
        let path = lock(&self.inner.journal).path().to_owned();
        Ok(core_session::fold([&journal::read(&path)?.journal]))
    }

    /// Folds the journals into the manifest, not more than once a second.
    pub(crate) fn fold_soon(&self) {
        let last = *lock(&self.inner.last_fold);
        if last.is_none_or(|last| last.elapsed() >= FOLD_INTERVAL) {
            self.fold_now();
        }
    }

    /// The same now, unless that would be most of what is done. A failure is no loss: the
    /// journals have it all, and the next fold tells it.
    pub(crate) fn fold_now(&self) {
        *lock(&self.inner.last_fold) = Some(Instant::now());
        if !self.is_joined() || is_due(self.project(), self.id()) {
            let _ = self.write(Durability::Process, Wanted::Once);
        }
    }

    /// The fold at the end of a run. Where who began the session is still there, and will fold
    /// all of it, it may be left to him.
    pub(super) fn last_fold(&self) -> Result<()> {
        if !self.is_joined() {
            return self.write(self.durability(), Wanted::Whole);
        }
        if self.is_folded_later() {
            if is_due(self.project(), self.id()) {
                self.write(self.durability(), Wanted::Once)?;
            } else {
                return Ok(());
            }
            // Who ended meanwhile may have found this process folding.
            if self.is_folded_later() {
                return Ok(());
            }
        }
        self.write(self.durability(), Wanted::WholeBySomebody)
    }

    fn write(&self, durability: Durability, wanted: Wanted) -> Result<()> {
        let mut journals = lock(&self.inner.journals);
        write(self.project(), self.id(), durability, &mut journals, wanted)
    }

    /// Whether who began the session is there, and has not ended it.
    fn is_folded_later(&self) -> bool {
        let layout = &self.project().layout;
        let known = self.inner.opening.clone();
        let Some(opening) = known.or_else(|| journal::opening(layout, self.id())) else {
            return false;
        };
        match opening.started.opened_by {
            OpenedBy::Shell => join::pointed_at(layout).as_ref() == Some(self.id()),
            _ => machine::is_alive(&opening.opened.process) == Some(true) && !opening.has_ended(),
        }
    }
}

/// Whether so much time went by since the last fold that another one is little of it.
fn is_due(project: &Project, id: &SessionId) -> bool {
    let Ok(manifest) = project.layout.manifest(id).metadata() else {
        return true;
    };
    let written = manifest.modified().ok();
    let written = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let now = u64::try_from(clock::now_micros()).unwrap_or(0);
    let age = written.map(|at| Duration::from_micros(now).checked_sub(at));
    // A time to come is that of another clock.
    let Some(Some(age)) = age else { return true };
    age >= rest_after(manifest.len())
}

/// How long nobody who only joined folds again, after a fold into so many bytes.
fn rest_after(bytes: u64) -> Duration {
    if bytes <= SMALL {
        return Duration::ZERO;
    }
    Duration::from_nanos(bytes.saturating_mul(NANOSECONDS_A_BYTE * SHARE))
}

/// Reads a session's journals and folds them. Damaged lines and what follows them are
/// left out; `verify` names them.
pub(crate) fn fold_session(project: &Project, id: &SessionId) -> Result<core_session::Session> {
    Ok(Followed::default().fold(&project.layout, id)?)
}

/// Folds a session into its manifest.
pub(crate) fn write_manifest(
    project: &Project,
    id: &SessionId,
    durability: Durability,
) -> Result<()> {
    let journals = &mut Followed::default();
    write(project, id, durability, journals, Wanted::Whole)
}

/// What a fold must tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What is recorded now; nothing, where somebody else folds.
    Once,
    /// All that is recorded, whoever folds it.
    WholeBySomebody,
    /// All that is recorded, by this process.
    Whole,
}

/// Folds journals into a manifest.
///
/// Where there are no locks, several processes may do so at once, and one that read the journals
/// earlier may write later. So each looks again after it wrote: if something was recorded
/// meanwhile, whoever recorded it may have been overwritten, and it folds once more.
fn write(
    project: &Project,
    id: &SessionId,
    durability: Durability,
    journals: &mut Followed,
    wanted: Wanted,
) -> Result<()> {
    let folds = if wanted == Wanted::Once {
        1
    } else {
        MOST_FOLDS
    };
    for _ in 0..folds {
        let Some(turn) = turn(project, id, wanted) else {
            break;
        };
        let before = journal::extent(&project.layout, id)?;
        write_fold(project, id, durability, journals)?;
        drop(turn);
        // Only now: who found the turn taken had recorded before.
        if journal::extent(&project.layout, id)? == before {
            break;
        }
    }
    Ok(())
}

/// The turn to fold; `None` where somebody else has it, and looks again after it.
fn turn(project: &Project, id: &SessionId, wanted: Wanted) -> Option<Turn> {
    let deadline = Instant::now() + TURN_WAIT;
    loop {
        match Turn::take(&project.layout, id) {
            Turn::Taken if wanted != Wanted::Whole => return None,
            Turn::Taken if Instant::now() < deadline => std::thread::sleep(TURN_POLL),
            turn => return Some(turn),
        }
    }
}

/// What a later version folded says more than this one knows, and the journals hold the rest.
fn write_fold(
    project: &Project,
    id: &SessionId,
    durability: Durability,
    journals: &mut Followed,
) -> Result<()> {
    let folded = journals.fold(&project.layout, id)?;
    if crate::sessions::is_of_later_version(project, id, journals.first_events()) {
        return Ok(());
    }
    let text = manifest_text(&core_session::manifest(&folded))?;
    let path = project.layout.manifest(id);
    Ok(atomic::replace(&path, &text, durability)?)
}

/// The bytes of a manifest's file.
pub(crate) fn manifest_text(manifest: &Fields) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(manifest).map_err(|source| {
        crate::Error::usage("spelling", "cannot spell the manifest as JSON").with_source(source)
    })?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_one_after_the_other_read_of_others_stays_in_proportion_to_them() {
        // Quick ones, and those of a busy machine.
        for worker in [Duration::from_millis(100), Duration::from_millis(1_600)] {
            let grows_by = 1_700;
            let (mut bytes, mut now, mut last) = (0, Duration::ZERO, Duration::ZERO);
            let mut read_of_each_thousand = Vec::new();
            for _ in 0..4 {
                let mut read = 0;
                for _ in 0..1_000 {
                    now += worker;
                    bytes += grows_by;
                    if now.saturating_sub(last) >= rest_after(bytes) {
                        read += bytes;
                        last = now;
                    }
                }
                read_of_each_thousand.push(read / 1_000);
            }
            // What a worker reads on the average, of any thousand: what is read in as much time.
            let most = worker.as_nanos() / u128::from(NANOSECONDS_A_BYTE * SHARE);
            let most = u64::try_from(most).unwrap() + 2 * grows_by;
            assert!(
                read_of_each_thousand.iter().all(|read| *read <= most),
                "{read_of_each_thousand:?} of {most}"
            );
            assert!(read_of_each_thousand.iter().sum::<u64>() > 0);
        }
    }

    #[test]
    fn what_is_small_is_folded_by_everybody_who_ends() {
        assert_eq!(rest_after(0), Duration::ZERO);
        assert_eq!(rest_after(SMALL), Duration::ZERO);
        assert!(rest_after(SMALL + 1) > Duration::from_secs(1));
    }
}
