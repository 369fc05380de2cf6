//! What became of a session's files in later ones.

use std::collections::{BTreeSet, HashMap};

use birthmark_core::SessionId;

use super::{Claims, Last};
use crate::sessions;

/// What became of a session's file in a later one.
pub(in crate::verify) struct Later<'a> {
    pub stored: &'a str,
    pub by: &'a SessionId,
    /// It was written anew; else the later session went on with it.
    pub anew: bool,
    /// It was removed there, on purpose.
    pub removed: bool,
    /// How many records it had, by this session's last count.
    pub records: Option<u64>,
    /// How many records this session had gone on from, where the later one went on from the same.
    pub forked: Option<u64>,
}

impl Claims {
    /// What became of a session's files in later ones.
    pub(in crate::verify) fn later(&self, id: &SessionId) -> Vec<Later<'_>> {
        let Some(session) = self.session_number(id) else {
            return Vec::new();
        };
        let shared = self.shared.get_or_init(|| self.share());
        let mut later = Vec::new();
        for file in shared.get(&session).into_iter().flatten() {
            let kept = &self.kept[*file as usize];
            let mine = kept
                .points
                .iter()
                .filter(|point| point.at.session == session);
            let speaks = kept.sessions.contains(&session);
            if (speaks && kept.by == session) || !(speaks || kept.overwritten.contains(&session)) {
                continue;
            }
            later.push(Later {
                stored: &kept.stored,
                by: &self.names[kept.by as usize],
                anew: !speaks,
                removed: kept.last == Last::Removed,
                records: mine.filter_map(|point| point.records).max(),
                forked: kept
                    .forked
                    .iter()
                    .find(|one| one.by == session)
                    .map(|one| one.before),
            });
        }
        later
    }

    /// What a run called the file of this stored name since.
    pub(in crate::verify) fn renamed_to(&self, stored: &str) -> Option<String> {
        let path = sessions::locate(&self.project, stored, None);
        let renamed = self.kept_of(&path)?.renamed.as_deref();
        renamed.map(str::to_owned)
    }

    fn share(&self) -> HashMap<u32, Vec<u32>> {
        let mut shared: HashMap<u32, Vec<u32>> = HashMap::new();
        for (kept, file) in self.kept.iter().zip(0..) {
            if kept.sessions.len() > 1 || !kept.overwritten.is_empty() {
                let all: BTreeSet<u32> = kept
                    .sessions
                    .iter()
                    .chain(&kept.overwritten)
                    .copied()
                    .collect();
                for session in all {
                    shared.entry(session).or_default().push(file);
                }
            }
        }
        shared
    }
}
