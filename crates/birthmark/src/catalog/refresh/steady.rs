//! Files in folders that are as they were: which of them changed in place.
//!
//! Most of the time of a question when nothing changed is the kernel's, for one look at each
//! file; so several threads look, while the catalog's rows are still being read.
//!
//! # Invariants
//!
//! * What is told does not depend on how many threads there are, nor on whether one could be
//!   begun.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

use birthmark_catalog::CatalogError;
use birthmark_catalog::engine::SeenFile;

use super::entries::Folder;

/// Files that one thread takes at a time.
const AT_ONCE: usize = 256;
/// Files for which a thread more is worth its beginning.
const ENOUGH: u64 = 400;
/// More threads than these wait for each other in the kernel.
const THREADS: usize = 4;

/// Names of one folder that were seen, with what each was like.
struct Seen {
    folder: usize,
    /// Names and states, one after another.
    text: String,
    /// Where each name and each state ends.
    ends: Vec<(usize, usize)>,
}

/// Folders whose files are looked at, and the files that are not as they were.
pub(super) struct Steady {
    folders: Vec<PathBuf>,
    now: i128,
}

/// Takes each file of a folder: its name, and what it was like.
type Take<'a> = dyn FnMut(&str, &str) + 'a;

impl Steady {
    pub(super) fn new(folders: Vec<PathBuf>, now: i128) -> Self {
        Self { folders, now }
    }

    /// Those that changed, by folder. `each` tells the files of the folder with that number.
    pub(super) fn changed(
        &self,
        files: u64,
        each: &mut dyn FnMut(usize, &mut Take<'_>) -> Result<(), CatalogError>,
    ) -> Result<Vec<Vec<SeenFile>>, CatalogError> {
        let found = Mutex::new(vec![Vec::new(); self.folders.len()]);
        let (give, work) = channel();
        let work = Mutex::new(work);
        let labour = || self.labour(&work, &found);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let helpers = threads
            .min(THREADS)
            .min(usize::try_from(files / ENOUGH).unwrap_or(THREADS));
        let read = std::thread::scope(|scope| {
            for _ in 1..helpers {
                // A thread that cannot be made is done without.
                let _ = std::thread::Builder::new().spawn_scoped(scope, labour);
            }
            for folder in 0..self.folders.len() {
                let mut seen = Seen::of(folder);
                each(folder, &mut |name, state| {
                    if seen.ends.len() == AT_ONCE {
                        let _ = give.send(std::mem::replace(&mut seen, Seen::of(folder)));
                    }
                    seen.push(name, state);
                })?;
                let _ = give.send(seen);
            }
            drop(give);
            labour();
            Ok(())
        });
        read.map(|()| found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn labour(&self, work: &Mutex<Receiver<Seen>>, found: &Mutex<Vec<Vec<SeenFile>>>) {
        loop {
            let seen = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(seen) = seen else { return };
            let Some(path) = self.folders.get(seen.folder) else {
                continue;
            };
            let changed = seen.changed(&Folder::open(path), self.now);
            if !changed.is_empty() {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found[seen.folder].extend(changed);
            }
        }
    }
}

impl Seen {
    fn of(folder: usize) -> Self {
        Self {
            folder,
            text: String::new(),
            ends: Vec::new(),
        }
    }

    fn push(&mut self, name: &str, state: &str) {
        self.text.push_str(name);
        let middle = self.text.len();
        self.text.push_str(state);
        self.ends.push((middle, self.text.len()));
    }

    fn changed(&self, here: &Folder<'_>, now: i128) -> Vec<SeenFile> {
        let mut start = 0;
        let mut changed = Vec::new();
        for (middle, end) in &self.ends {
            let (name, before) = (&self.text[start..*middle], &self.text[*middle..*end]);
            start = *end;
            if !here.is_as_before(name, before, now) {
                changed.push(SeenFile {
                    name: name.to_owned(),
                    state: before.to_owned(),
                });
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::subject_print;
    use super::*;

    #[test]
    fn files_that_changed_in_place_are_told_by_however_many_threads() {
        let dir = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = ["a", "b", "none"]
            .map(|name| dir.path().join(name))
            .to_vec();
        let now = i128::from(birthmark_capture::clock::now_micros()) * 1_000 + 3_600_000_000_000;
        let mut seen: Vec<Vec<(String, String)>> = vec![Vec::new(); 3];
        for (place, folder) in folders.iter().enumerate().take(2) {
            std::fs::create_dir(folder).unwrap();
            for number in 0..600 {
                let name = format!("{number}.json");
                let path = folder.join(&name);
                birthmark_store::atomic::replace(
                    &path,
                    b"{}",
                    birthmark_store::Durability::Process,
                )
                .unwrap();
                let mut state = subject_print(&path, now, true).unwrap();
                if number == 77 {
                    state = state.replace('.', "1.");
                }
                seen[place].push((name, state));
            }
        }
        seen[2].push(("gone".to_owned(), "1.2.3.4.5 ".to_owned()));
        std::fs::remove_file(folders[1].join("500.json")).unwrap();
        let steady = Steady::new(folders, now);
        for files in [1, 1_201] {
            let changed = steady.changed(files, &mut |folder, take| {
                for (name, state) in &seen[folder] {
                    take(name, state);
                }
                Ok(())
            });
            let mut names: Vec<Vec<String>> = changed
                .unwrap()
                .into_iter()
                .map(|files| files.into_iter().map(|file| file.name).collect())
                .collect();
            names[1].sort();
            assert_eq!(
                names,
                [vec!["77.json"], vec!["500.json", "77.json"], vec!["gone"]]
            );
        }
    }
}
