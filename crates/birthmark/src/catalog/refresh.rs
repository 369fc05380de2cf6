//! What changed since the catalog last looked, and only that is read.
//!
//! A folder whose time is as it was has the entries it had; a session that is over has
//! the journals it had. So a question looks at folders, at open sessions and what they write to,
//! at the files of its answer, and of the others at as many as can be looked at without being
//! noticed ([`AT_A_TIME`]), each time at others. A file that was edited in place among more than
//! [`LOOKS`], and is in no answer, `catalog refresh` finds.
//!
//! # Invariants
//!
//! * What is read is taken over with the word of what it was like *before* it was read: a
//!   change in between is found the next time.
//! * A folder counts as looked at only once all of its files were taken over, and the folders
//!   in it are known: what is stopped at any moment (a kill, a full disk) is gone on with.

mod elsewhere;
mod entries;
mod named;
mod steady;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use birthmark_catalog::engine::{Change, Engine, FileFacts, ProjectRow, SeenFile};
use birthmark_core::session::{Session, Status};
use birthmark_core::{SessionId, Timestamp};

use super::lies::{self, Room};
use super::sessions::{extent, facts, is_same, is_settled, print};
use super::{Catalog, scan};
use crate::error::Result;
use crate::machine::is_alive;
use crate::project::Project;
use crate::sessions;
use entries::{Folder, below, entries, grew, joined, path_of};
use steady::Steady;

/// Files that questions look at though their folder is as it was.
const LOOKS: usize = 20_000;
/// Up to so many of them every question looks at all.
const FEW: u64 = 4_000;
/// Of more, at so many at a time.
const AT_A_TIME: u64 = 2_000;
/// Changes, and artifacts that sessions tell of, that are taken over at once: what is in memory
/// until then, and how long others wait. Each time costs something, by how large the catalog is.
const BATCH: usize = 5_000;
/// Bytes that are read before what was found in them is taken over.
const BATCH_BYTES: u64 = 256 << 20;
/// The name under which the state of the sessions' folder is kept; no folder has it.
const SESSIONS: &str = "\u{0}sessions";

/// Microseconds in which it is noted once that a project was looked at.
const MINUTE: i64 = 60_000_000;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// As closely as a question allows.
    Question,
    /// At everything.
    All,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refreshed {
    /// Sessions that were read.
    pub sessions: u64,
    /// Files that were read.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Files and sessions that are gone.
    pub gone: u64,
}

struct Refresher<'a> {
    catalog: &'a mut Catalog,
    project: &'a Project,
    row: ProjectRow,
    depth: Depth,
    now: i128,
    changes: Vec<Change>,
    waiting: usize,
    unwritten: u64,
    /// Sessions that were read by now.
    read: HashSet<String>,
    /// Files that are read whole although they are as they were.
    whole: HashSet<String>,
    room: Room,
    done: Refreshed,
}

/// Brings what is known of a project up to date.
pub(super) fn refresh(catalog: &mut Catalog, project: &Project, depth: Depth) -> Result<Refreshed> {
    let mut refresher = Refresher::new(catalog, project, depth)?;
    refresher.sessions()?;
    refresher.whole()?;
    refresher.folders()?;
    refresher.flush()?;
    refresher.catalog.engine.settle(refresher.row.id)?;
    refresher.elsewhere()?;
    refresher.flush()?;
    let (done, now) = (refresher.done, refresher.now);
    let moment = |ago: i64| {
        let micros = i64::try_from(now / 1_000).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros - ago).to_string()
    };
    // What nobody can write down (a full disk) stands in no question's way.
    let row = refresher.row.id;
    drop(catalog.engine.looked(row, &moment(MINUTE), &moment(0)));
    if depth == Depth::All && done.gone > 0 {
        catalog.engine.tidy()?;
    }
    Ok(done)
}

/// Looks at these files of a project, of which more are known than every question looks at;
/// whether any is not as it was.
pub(super) fn look_at(catalog: &mut Catalog, project: &Project, files: &[String]) -> Result<bool> {
    let mut refresher = Refresher::new(catalog, project, Depth::Question)?;
    let (row, engine) = (refresher.row.id, &refresher.catalog.engine);
    if engine.count_files(row, FEW + 1)? <= FEW {
        return Ok(false);
    }
    let changed = refresher.named(files)?;
    refresher.flush()?;
    Ok(changed)
}

impl<'a> Refresher<'a> {
    fn new(catalog: &'a mut Catalog, project: &'a Project, depth: Depth) -> Result<Self> {
        Ok(Self {
            row: catalog.row_of(project)?,
            catalog,
            project,
            depth,
            now: i128::from(birthmark_capture::clock::now_micros()) * 1_000,
            changes: Vec::new(),
            waiting: 0,
            unwritten: 0,
            read: HashSet::new(),
            whole: HashSet::new(),
            room: match depth {
                Depth::Question => Room::QUESTION,
                Depth::All => Room::ALL,
            },
            done: Refreshed::default(),
        })
    }
}

impl Refresher<'_> {
    fn flush(&mut self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.catalog.engine.apply(self.row.id, &self.changes)?;
        self.changes.clear();
        self.waiting = 0;
        self.unwritten = 0;
        Ok(())
    }

    fn push(&mut self, change: Change) -> Result<()> {
        self.waiting += match &change {
            Change::Session(facts) => 1 + facts.session.artifacts.len(),
            _ => 1,
        };
        self.changes.push(change);
        if self.waiting >= BATCH || self.unwritten >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    // ---- sessions --------------------------------------------------------

    fn sessions(&mut self) -> Result<()> {
        let layout = &self.project.layout;
        let state = [layout.sessions(), layout.artifacts().to_owned()]
            .map(|folder| print(&folder, self.now).unwrap_or_default())
            .join(" ");
        let before = self.known_folder(SESSIONS)?;
        let listed =
            self.depth == Depth::All || !before.is_some_and(|before| is_same(&before, &state));
        if listed {
            self.listed_sessions()?;
        }
        let most = if self.depth == Depth::All {
            usize::MAX
        } else {
            LOOKS / 10
        };
        for seen in self.catalog.engine.seen_sessions(self.row.id, most)? {
            let settled = !seen.open
                && self.depth == Depth::Question
                && is_settled(self.project, &seen.id, &seen.extent, self.now);
            if settled || self.read.contains(&seen.id) {
                continue;
            }
            let id = SessionId::from_text(seen.id);
            match extent(self.project, &id, self.now) {
                Some(now) if is_same(&seen.extent, &now) && !self.died(seen.waiting.as_deref()) => {
                }
                Some(now) => self.session(&id, now)?,
                None => self.session_gone(&id)?,
            }
        }
        if listed {
            self.push(Change::Folder {
                folder: SESSIONS.to_owned(),
                state,
            })?;
        }
        self.flush()
    }

    /// Whether a session that was seen to go on has come to its end since, or one of its runs,
    /// and nobody is left to tell it.
    fn died(&self, waiting: Option<&Session>) -> bool {
        waiting.is_some_and(|session| {
            let mut runs = session.runs.iter();
            let micros = i64::try_from(self.now / 1_000).unwrap_or(i64::MAX);
            let now = Timestamp::from_micros(micros);
            runs.any(|run| is_alive(&run.process) == Some(false))
                || session.end.is_none() && session.status(now, is_alive) == Status::Interrupted
        })
    }

    fn known_folder(&self, name: &str) -> Result<Option<String>> {
        let folders = self.catalog.engine.seen_folders(self.row.id)?;
        Ok(folders
            .into_iter()
            .find(|(folder, _)| folder == name)
            .map(|(_, state)| state))
    }

    fn listed_sessions(&mut self) -> Result<()> {
        let there = sessions::ids(self.project)?;
        let known: HashSet<String> = self
            .catalog
            .engine
            .session_ids(self.row.id)?
            .into_iter()
            .collect();
        let names: HashSet<&str> = there.iter().map(SessionId::as_str).collect();
        for gone in known.iter().filter(|id| !names.contains(id.as_str())) {
            self.session_gone(&SessionId::from_text(gone.clone()))?;
        }
        for id in there.iter().filter(|id| !known.contains(id.as_str())) {
            if let Some(now) = extent(self.project, id, self.now) {
                self.session(id, now)?;
            }
        }
        self.flush()
    }

    fn session(&mut self, id: &SessionId, extent: String) -> Result<()> {
        // One that cannot be read hides no other.
        if let Ok(facts) = facts(self.project, id, extent) {
            self.done.sessions += 1;
            self.read.insert(id.to_string());
            self.push(Change::Session(Box::new(facts)))?;
        }
        Ok(())
    }

    fn session_gone(&mut self, id: &SessionId) -> Result<()> {
        self.done.gone += 1;
        self.push(Change::SessionGone(id.to_string()))
    }

    /// At `refresh` a file that was read on as it grew, or was not looked at, is read whole.
    fn whole(&mut self) -> Result<()> {
        if self.depth == Depth::All {
            let unread = self.catalog.engine.unread(self.row.id)?;
            self.whole = unread.into_iter().collect();
        }
        Ok(())
    }

    // ---- folders ---------------------------------------------------------

    fn folders(&mut self) -> Result<()> {
        let seen: HashMap<String, String> = self
            .catalog
            .engine
            .seen_folders(self.row.id)?
            .into_iter()
            .filter(|(folder, _)| !folder.starts_with('\u{0}'))
            .collect();
        let engine = &self.catalog.engine;
        let files = engine.count_files(self.row.id, LOOKS as u64 + 1)?;
        let mut steady = Vec::new();
        let below = below(&seen);
        let mut left: HashSet<String> = seen.keys().cloned().collect();
        let mut waiting = vec![String::new()];
        while let Some(folder) = waiting.pop() {
            left.remove(&folder);
            let path = self.path_of(&folder);
            let Some(state) = print(&path, self.now) else {
                left.insert(folder);
                continue;
            };
            let same = seen
                .get(&folder)
                .is_some_and(|before| is_same(before, &state));
            if same && self.depth == Depth::Question {
                waiting.extend(
                    below
                        .get(folder.as_str())
                        .into_iter()
                        .flatten()
                        .map(|name| (*name).to_owned()),
                );
                steady.push(folder);
                continue;
            }
            let entries = entries(&path);
            for name in &entries.folders {
                let name = joined(&folder, name);
                if !seen.contains_key(&name) {
                    // Whoever is stopped once this folder counts as looked at knows of it.
                    self.push(Change::Folder {
                        folder: name.clone(),
                        state: String::new(),
                    })?;
                }
                waiting.push(name);
            }
            let seen = self.catalog.engine.seen_files(self.row.id, &folder)?;
            self.files(&folder, seen, entries.files)?;
            self.push(Change::Folder { folder, state })?;
        }
        for gone in left {
            self.folder_gone(&gone)?;
        }
        if files <= LOOKS as u64 {
            self.known_files(&steady, files)?;
        }
        if files > FEW {
            let written = self.catalog.engine.written_to(self.row.id)?;
            self.named(&written)?;
        }
        Ok(())
    }

    fn path_of(&self, folder: &str) -> PathBuf {
        let artifacts = self.project.layout.artifacts();
        if folder.is_empty() {
            artifacts.to_owned()
        } else {
            artifacts.join(path_of(folder))
        }
    }

    fn folder_gone(&mut self, folder: &str) -> Result<()> {
        let path = self.path_of(folder);
        for seen in self.catalog.engine.seen_files(self.row.id, folder)? {
            self.done.gone += 1;
            let file = self.project.stored_path(&path.join(path_of(&seen.name)));
            self.push(Change::FileGone(file))?;
        }
        self.push(Change::FolderGone(folder.to_owned()))
    }

    /// Looks at the files of folders that are as they were: at those that changed in place. Of very
    /// many at some, and at others in the next second.
    fn known_files(&mut self, folders: &[String], files: u64) -> Result<()> {
        let paths = folders.iter().map(|folder| self.path_of(folder)).collect();
        let engine = &self.catalog.engine;
        let turns = if files > FEW {
            files.div_ceil(AT_A_TIME)
        } else {
            1
        };
        let seconds = u64::try_from(self.now / 1_000_000_000).unwrap_or(0);
        let (turn, mut number) = (seconds % turns, 0);
        let steady = Steady::new(paths, self.now);
        let changed = steady.changed(files / turns, &mut |place, take| {
            let folder = folders.get(place).map_or("", String::as_str);
            engine.each_file(self.row.id, folder, &mut |name, state| {
                number += 1;
                // What was not read, or changed as it was read, counts as changed.
                if number % turns == turn || state.contains('~') {
                    take(name, state);
                }
            })
        })?;
        for (folder, changed) in folders.iter().zip(changed) {
            let names = changed.iter().map(|file| file.name.clone()).collect();
            self.files(folder, changed, names)?;
        }
        Ok(())
    }

    /// Looks at these names in a folder, some of which were seen before.
    fn files(&mut self, folder: &str, seen: Vec<SeenFile>, names: Vec<String>) -> Result<()> {
        let path = self.path_of(folder);
        let seen: HashMap<String, String> = seen
            .into_iter()
            .map(|file| (file.name, file.state))
            .collect();
        let there: HashSet<&String> = names.iter().collect();
        let mut gone: HashSet<String> = seen
            .keys()
            .filter(|name| !there.contains(name))
            .cloned()
            .collect();
        let here = Folder::open(&path);
        for name in names {
            let Some(now) = here.print(&name, self.now, true) else {
                gone.insert(name);
                continue;
            };
            let same = seen.get(&name).is_some_and(|before| is_same(before, &now));
            if same && self.whole.is_empty() {
                continue;
            }
            let subject = path.join(path_of(&name));
            if same && !self.whole.contains(&self.project.stored_path(&subject)) {
                continue;
            }
            let file = self.project.stored_path(&subject);
            let facts = match seen.get(&name) {
                Some(before) if grew(before, &now) => self.read_on(&subject, &file)?,
                _ => None,
            };
            match facts {
                Some(facts) => self.file(facts)?,
                None => self.scan(&subject, &file)?,
            }
            self.push(Change::Seen {
                folder: folder.to_owned(),
                name,
                state: now,
                file,
            })?;
        }
        for name in gone {
            if seen.contains_key(&name) {
                self.done.gone += 1;
                let file = self.project.stored_path(&path.join(path_of(&name)));
                self.push(Change::FileGone(file.clone()))?;
                self.push(Change::Unseen {
                    folder: folder.to_owned(),
                    name,
                    file,
                })?;
            }
        }
        Ok(())
    }

    /// What came to a file that a session is writing to; none where it must be read whole.
    fn read_on(&mut self, subject: &std::path::Path, file: &str) -> Result<Option<FileFacts>> {
        if self.depth == Depth::All {
            return Ok(None);
        }
        let from = self.catalog.engine.growing(self.row.id, file)?;
        Ok(from.and_then(|from| scan::read_on(subject, file, from)))
    }

    /// Reads a file for its birthmarks, and looks whether it is what was recorded.
    fn scan(&mut self, subject: &std::path::Path, file: &str) -> Result<()> {
        let mut facts = scan::scan(subject, file);
        let sealed = self.catalog.engine.sealed(self.row.id, file)?;
        if lies::is_needed(&facts, sealed.as_ref()) {
            let read = lies::look(subject, &mut facts, sealed.as_ref(), &mut self.room);
            self.done.bytes += read;
        }
        if let Some(sealed) = &sealed {
            lies::look_for_birthmark(subject, &mut facts, sealed);
        } else if facts.format.is_none()
            && let Some(like) = self.catalog.engine.plain_of(self.row.id, facts.size)?
        {
            // It may have been moved here.
            self.done.bytes += lies::read(subject, &mut facts, &like, &mut self.room);
        }
        if (sealed.is_some() || facts.lies.is_some()) && facts.format.is_none() {
            // A report that a program wrote by itself, and a session saw.
            facts.metrics = scan::reported(subject);
        }
        self.file(facts)
    }

    fn file(&mut self, facts: FileFacts) -> Result<()> {
        let before = facts.from.as_ref().map_or(0, |from| from.size);
        let bytes = facts.size.saturating_sub(before);
        self.done.files += 1;
        self.done.bytes += bytes;
        self.unwritten += bytes;
        self.push(Change::File(Box::new(facts)))
    }
}
