//! What is claimed of one file, over all sessions.
//!
//! The events of all sessions are heard in the order of time: a file that is begun anew wipes
//! what was said before; one that goes on keeps it. Of clocks that were set back the order is that
//! of what the machine's boot tells ([`birthmark_core::order`]); what a file held before another
//! session wrote it anew is kept as a [`Former`] state of it: it may be there again (git checks out
//! another branch, a hand puts it back), and where no order is proved it may be the last.

use birthmark_core::birthmark::Fields;
use birthmark_core::order::Moment;
use birthmark_core::{SessionId, Timestamp};

use super::told::{At, Entry, Point, Sum, What};

/// How far a file had come at some moment, as a session recorded it.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Count {
    pub time: Timestamp,
    /// Bytes; none where another helper's manifest does not say.
    pub size: Option<u64>,
    pub records: Option<u64>,
    pub digest: Option<String>,
    pub content_digest: Option<String>,
    /// Where it was recorded, for what is only looked up where something is wrong.
    pub at: At,
}

impl Count {
    pub(super) fn of(point: &Point) -> Self {
        Self {
            time: point.time,
            size: point.size,
            records: point.records,
            digest: point.digest.as_ref().map(Sum::text),
            content_digest: point.content_digest.as_ref().map(Sum::text),
            at: point.at,
        }
    }
}

/// A whole state of a file that another writer wrote over, as far as clocks tell.
#[derive(Debug, Clone)]
pub(super) struct Former {
    /// The event that holds its birthmark.
    pub said: At,
    pub by: u32,
    pub bound: bool,
    pub point: Point,
    pub moment: Moment,
}

/// What a session wrote behind records from which a later one went on by itself.
#[derive(Debug, Clone)]
pub(super) struct Forked {
    pub by: u32,
    /// Who went on from the same records, and is in the file.
    pub stays: u32,
    /// Records of it that are not in the file.
    pub lost: u64,
    /// Records before them.
    pub before: u64,
    /// How far it had come.
    pub point: Point,
}

/// How the last session left a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Last {
    Open,
    Sealed,
    Removed,
}

/// What is claimed of one file, put together to judge it.
#[derive(Debug, Clone)]
pub(in crate::verify) struct History {
    pub format: String,
    pub birthmark: Fields,
    /// In the order of time; the last is the newest.
    pub counts: Vec<Count>,
    pub last: Last,
    /// The session that spoke last.
    pub by: SessionId,
    /// Whether journals say so, or a manifest alone.
    pub bound: bool,
    /// What the journals said a moment ago could not be read again.
    pub lost: bool,
    /// Bytes that no count reached before a later run went on behind them.
    pub uncounted: u64,
    /// What a run called it since, and nobody made it anew.
    pub renamed: Option<String>,
    /// Sessions that went on from the same records as a later one, how many records of theirs are
    /// not in it, and that later one.
    pub forked: Vec<(SessionId, u64, SessionId)>,
    /// How far those had come.
    pub apart: Vec<Count>,
}

impl History {
    /// The newest count.
    pub(in crate::verify) fn newest(&self) -> Option<&Count> {
        self.counts.last()
    }

    /// Whether no writer of ours made it: a run was seen to.
    pub(in crate::verify) fn is_observed(&self) -> bool {
        self.format == crate::lineage::OBSERVED
    }

    /// Whether a birthmark that it has now must be the one that was recorded: of what was only
    /// seen to be made, none was written.
    pub(in crate::verify) fn tells_its_birthmark(&self) -> bool {
        self.bound && self.birthmark.len() > 2 && !self.is_observed()
    }
}

/// The same as it is kept for every file of a store: small.
#[derive(Debug)]
pub(super) struct Kept {
    pub stored: Box<str>,
    /// The event that holds its birthmark.
    pub said: At,
    pub points: Vec<Point>,
    pub last: Last,
    /// The session that spoke last, by its number.
    pub by: u32,
    pub bound: bool,
    /// All sessions that wrote it and whose word still counts, by their numbers.
    pub sessions: Vec<u32>,
    /// Sessions whose bytes were written over.
    pub overwritten: Vec<u32>,
    /// Bytes that lay there when a later run went on, and that no count had reached: a crash
    /// left them, or a hand. What is counted later says nothing of how they came there.
    pub uncounted: u64,
    /// What a run called it since.
    pub renamed: Option<Box<str>>,
    /// What others wrote over, or may have been written over by.
    pub formers: Vec<Former>,
    /// Where runs went on with it that another session left out: two clones did, and one copy was
    /// laid over the other.
    pub forked: Vec<Forked>,
    /// What lay there when runs that still count went on with it.
    founds: Vec<u64>,
    /// How far counts and openings have come.
    upto: u64,
    /// When something was last told of it.
    pub moment: Moment,
}

impl Kept {
    /// Of a file that is told of for the first time. What was removed or counted without ever
    /// having been made here gives nothing to hold on to.
    pub(super) fn begin(stored: &str, entry: Entry) -> Option<Self> {
        if !matches!(entry.what, What::Opened { .. } | What::Sealed { .. }) {
            return None;
        }
        let mut kept = Self {
            stored: stored.into(),
            said: entry.at,
            points: Vec::new(),
            last: Last::Open,
            by: entry.at.session,
            bound: entry.bound,
            sessions: Vec::new(),
            overwritten: Vec::new(),
            uncounted: 0,
            renamed: None,
            formers: Vec::new(),
            forked: Vec::new(),
            founds: Vec::new(),
            upto: 0,
            moment: entry.moment(),
        };
        kept.hear(entry);
        Some(kept)
    }

    pub(super) fn hear(&mut self, entry: Entry) {
        // What a manifest alone says never weakens what journals say.
        if self.bound && !entry.bound {
            return;
        }
        if let What::Renamed(new) = entry.what {
            // It says nothing of what the file is.
            self.renamed = Some(new);
            return;
        }
        self.renamed = None;
        let (session, moment) = (entry.at.session, entry.moment());
        if self.is_anew(&entry.what) {
            self.part_with(entry.at);
            self.wipe(session);
        }
        if let What::Opened {
            found: Some(found), ..
        } = entry.what
        {
            self.leave_the_forked(found, entry.at);
            self.founds.push(found);
        }
        self.bound = entry.bound;
        self.moment = moment;
        add(&mut self.sessions, session);
        self.by = session;
        match entry.what {
            What::Opened { found, .. } => {
                if let Some(found) = found {
                    self.uncounted += found.saturating_sub(self.upto);
                    self.upto = self.upto.max(found);
                }
                self.said = entry.at;
                self.last = Last::Open;
            }
            What::Count(point) => {
                self.reach(&point);
                self.points.push(*point);
            }
            What::Sealed { point, .. } => {
                self.said = entry.at;
                self.last = Last::Sealed;
                self.reach(&point);
                self.points.push(*point);
            }
            What::Removed => self.last = Last::Removed,
            What::Renamed(_) => {}
        }
    }

    /// Whether what was said before no longer counts.
    fn is_anew(&self, what: &What) -> bool {
        match what {
            What::Opened { goes_on, .. } => !goes_on,
            What::Sealed { jsonl, .. } => !(self.last == Last::Open && *jsonl),
            What::Count(_) | What::Removed | What::Renamed(_) => false,
        }
    }

    /// Another state begins: of those that were, what the same writer wrote over is forgotten.
    fn part_with(&mut self, next: At) {
        let is_over = |at: At| (at.session, at.journal) == (next.session, next.journal);
        self.formers.retain(|former| !is_over(former.point.at));
        if let Some(point) = self.points.last()
            && self.last == Last::Sealed
            && point.digest.is_some()
            && !is_over(point.at)
        {
            self.formers.push(Former {
                said: self.said,
                by: self.by,
                bound: self.bound,
                point: point.clone(),
                moment: self.moment,
            });
        }
    }

    /// Where a run goes on from what another went on from: what that one wrote is not in the file.
    fn leave_the_forked(&mut self, found: u64, next: At) {
        let is_beyond = |point: &Point| point.size.is_some_and(|size| size > found);
        let beyond: Vec<&Point> = self.points.iter().filter(|one| is_beyond(one)).collect();
        let is_fork = found > 0 && self.founds.contains(&found);
        let is_own = |point: &&Point| point.at.session == next.session;
        if !is_fork || beyond.is_empty() || beyond.iter().any(is_own) {
            return;
        }
        let records = |point: &Point| point.records.unwrap_or(0);
        let kept = self.points.iter().filter(|one| !is_beyond(one));
        let before = kept.map(records).max().unwrap_or(0);
        let mut upto = before;
        for point in beyond {
            let by = point.at.session;
            let lost = records(point).saturating_sub(upto);
            upto = upto.max(records(point));
            let point = point.clone();
            match self.forked.iter_mut().find(|known| known.by == by) {
                Some(known) => {
                    known.lost += lost;
                    known.point = point;
                }
                None => self.forked.push(Forked {
                    by,
                    stays: next.session,
                    lost,
                    before,
                    point,
                }),
            }
        }
        self.part_with(next);
        self.points.retain(|one| !is_beyond(one));
        self.founds.retain(|known| *known <= found);
        self.upto = found;
    }

    fn reach(&mut self, point: &Point) {
        self.upto = self.upto.max(point.size.unwrap_or(u64::MAX));
    }

    fn wipe(&mut self, by: u32) {
        (self.uncounted, self.upto) = (0, 0);
        self.points.clear();
        self.forked.clear();
        self.founds.clear();
        for other in std::mem::take(&mut self.sessions) {
            if other != by {
                add(&mut self.overwritten, other);
            }
        }
        self.sessions.push(by);
    }
}

fn add(sessions: &mut Vec<u32>, session: u32) {
    if !sessions.contains(&session) {
        sessions.push(session);
    }
}
