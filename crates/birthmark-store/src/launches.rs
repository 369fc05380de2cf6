//! How the ranks of one launch agree on one session without talking.
//!
//! A launcher such as torchrun starts N processes that know their rank and a key
//! of the launch, but no session. Each claims its rank in the lowest round in which
//! that rank is still free, by an exclusive create; the first in a round writes
//! which session it is, and the others read it.
//!
//! ```text
//! launches/<key>/0/rank-0, rank-1, …, session     the first launch with this key
//! launches/<key>/1/rank-0, …                      the next one with the same key: another session
//! ```
//!
//! Two launches with the same key (a fixed port, the same shell as parent) thus get
//! two sessions, since a rank that is taken belongs to the launch before.

use std::path::Path;

use birthmark_core::SessionId;

use crate::atomic::{self, PathError};
use crate::layout::Layout;

/// More launches with one key than this is a loop that went wrong.
const MAX_ROUNDS: u32 = 100_000;

/// What the ranks agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The session of this launch.
    pub session: SessionId,
    /// Whether this process proposed it, and so must begin it.
    pub ours: bool,
}

/// Joins the launch `key` as `rank`, proposing `session` if none is agreed on yet.
pub fn agree(
    layout: &Layout,
    key: &str,
    rank: u32,
    session: &SessionId,
) -> Result<Agreement, PathError> {
    let folder = layout.launches().join(safe_name(key));
    let mut last = folder.clone();
    for round in first_round(&folder, rank)..MAX_ROUNDS {
        let round = folder.join(round.to_string());
        atomic::create_folder(&round)?;
        last = round.join(format!("rank-{rank}"));
        if atomic::create_new(&last, b"")? {
            return propose(&round.join("session"), session);
        }
    }
    Err(PathError {
        action: "join the launch in",
        path: last,
        source: std::io::Error::other("every round is taken"),
    })
}

/// Rounds are claimed in order, so the search may double before it halves.
fn first_round(folder: &Path, rank: u32) -> u32 {
    let taken = |round: u32| {
        folder
            .join(round.to_string())
            .join(format!("rank-{rank}"))
            .exists()
    };
    let mut above = 1;
    while taken(above - 1) && above < MAX_ROUNDS {
        above *= 2;
    }
    let (mut low, mut high) = (above / 2, above - 1);
    while low < high {
        let middle = low.midpoint(high);
        if taken(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn propose(path: &Path, session: &SessionId) -> Result<Agreement, PathError> {
    if atomic::create_new(path, session.as_str().as_bytes())? {
        return Ok(Agreement {
            session: session.clone(),
            ours: true,
        });
    }
    let text = atomic::read_limited(path, 1 << 10)?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if SessionId::is_well_formed(&text) {
        return Ok(Agreement {
            session: SessionId::from_text(text),
            ours: false,
        });
    }
    let source = std::io::Error::other("it names no session");
    Err(PathError {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// A key as one file name.
fn safe_name(key: &str) -> String {
    blake3::hash(key.as_bytes()).to_hex().as_str()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> SessionId {
        SessionId::from_text(format!("20261122_120000_{n}"))
    }

    #[test]
    fn ranks_of_one_launch_agree_and_the_next_launch_is_another_session() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        for launch in 0..5 {
            let agreed: Vec<Agreement> = (0..8)
                .map(|rank| {
                    agree(
                        &layout,
                        "none@127.0.0.1:29500",
                        rank,
                        &id(launch * 10 + rank),
                    )
                    .unwrap()
                })
                .collect();
            assert!(
                agreed.iter().all(|one| one.session == id(launch * 10)),
                "{agreed:?}"
            );
            assert_eq!(agreed.iter().filter(|one| one.ours).count(), 1);
        }
        assert_ne!(agree(&layout, "other", 0, &id(99)).unwrap().session, id(0));
    }

    #[test]
    fn ranks_that_race_agree_on_one() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path());
        for launch in 0..20 {
            let sessions: Vec<SessionId> = std::thread::scope(|scope| {
                let ranks: Vec<_> = (0..8)
                    .map(|rank| {
                        let layout = &layout;
                        scope.spawn(move || {
                            agree(layout, "k", rank, &id(launch * 10 + rank)).unwrap()
                        })
                    })
                    .collect();
                ranks
                    .into_iter()
                    .map(|rank| rank.join().unwrap().session)
                    .collect()
            });
            assert!(
                sessions.iter().all(|session| *session == sessions[0]),
                "{sessions:?}"
            );
        }
    }
}
