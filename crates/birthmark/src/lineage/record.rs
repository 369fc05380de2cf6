//! Recording what was seen: inputs, files made, code loaded, and how far all that reaches.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_capture::process;
use birthmark_core::event::{ArtifactUsed, LineageObserved, ModulesObserved, SeedsObserved};
use birthmark_core::snapshot::commit_that_holds;
use birthmark_core::{Fields, Timestamp};
use birthmark_store::atomic;
use serde_json::Value;

use super::inputs::{self, Budget};
use super::loads::{Load, Told};
use super::made::Known;
use super::rules::{Class, Rules, source_of};
use super::{Seen, lost, modules};
use crate::error::Result;
use crate::session::Session;
use crate::sessions::Wanted;
use crate::{snapshot, talk, text};

/// File systems tell times by a clock that runs up to a tick behind.
pub(super) const CLOCK_STEP: i64 = 20_000;

/// What was seen of a run, and how.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// What was opened.
    pub seen: Seen,
    /// How: `preload`, `audit`, `maps`.
    pub by: Vec<String>,
    /// Why it may not be all.
    pub gaps: Vec<String>,
    /// What was loaded by name.
    pub loads: Vec<Load>,
    /// Whether all code that ran is in it, whatever else is missing.
    pub all_code: bool,
}

impl Watched {
    /// Whether every opening was seen from the first instruction of the run.
    fn saw_the_first(&self) -> bool {
        self.by.iter().any(|by| by == "preload")
    }
}

impl Session {
    /// Records what was seen of the run of this process; nothing in a forked child, after the
    /// end, and on ranks but 0.
    pub fn record_lineage(&self, watched: &Watched) -> Result<()> {
        if self.is_over() || self.rank() > 0 {
            return Ok(());
        }
        let mut watched = watched.clone();
        watched.seen.enter_folders(&Rules::of(self.project()));
        self.record_watched(&watched, self.began())
    }

    /// Records the seeds that this run set.
    pub fn record_seeds(&self, seeds: Fields) -> Result<()> {
        let seeds = self.not_told(seeds)?;
        if self.is_over() || seeds.is_empty() {
            return Ok(());
        }
        let mut seeds = Value::Object(seeds);
        // A text may be a seed, and a secret be used for one.
        process::redactor().json(&mut seeds);
        match seeds {
            Value::Object(seeds) => self.record(SeedsObserved { seeds }),
            _ => Ok(()),
        }
    }

    /// The seeds that no run of this session told: one within a command tells its own.
    pub(crate) fn not_told(&self, seeds: Fields) -> Result<Fields> {
        if seeds.is_empty() {
            return Ok(seeds);
        }
        // As a journal spells each of them.
        let spelled = seeds.iter().filter_map(|(name, seed)| {
            let name = serde_json::to_string(name).ok()?;
            Some(format!("{name}:{seed}"))
        });
        let folded = self.told_of(&Wanted::spelled(spelled.collect()))?;
        let is_told = |name: &String, seed: &Value| {
            let mut runs = folded.runs.iter();
            runs.any(|run| run.observed.seeds.get(name) == Some(seed))
        };
        let new = seeds
            .into_iter()
            .filter(|(name, seed)| !is_told(name, seed));
        Ok(new.collect())
    }

    /// Records what was seen of this run since `start`. Files that it made are recorded as
    /// artifacts, those that it read as inputs, modules of repositories as code.
    pub(crate) fn record_watched(&self, watched: &Watched, start: Timestamp) -> Result<()> {
        let rules = Rules::of(self.project());
        let by = watched.by.first().map_or("watch", String::as_str);
        let (data, code, left_out) = sort(&rules, &watched.seen, start.micros());
        let mut budget = Budget::new(inputs::DIGEST_TIME);
        let updated = self.updated(&data, &watched.seen, start)?;
        self.record_written(&rules, watched, start, &mut budget)?;
        self.record_names(
            &watched.seen,
            &self.told_here()?,
            start.micros() - CLOCK_STEP,
        )?;
        // What was opened to be written, and was not, is what was read.
        let is_read = |path: &&PathBuf| {
            !watched.seen.writes.contains(*path) || !has_changed(path, start.micros() - CLOCK_STEP)
        };
        let reads: BTreeSet<PathBuf> = data.iter().filter(is_read).cloned().collect();
        self.record_removed(&watched.seen, &rules)?;
        self.record_renamed()?;
        let lost = self.record_lost(watched, &rules, start)?;
        let changed = self.changed_by_others(watched, &reads, start)?;
        let loaded = self.record_loaded(&watched.loads, &mut budget)?;
        let listed = self.record_inputs(&reads, &changed, by, &mut budget)?;
        // Which repositories were looked at when it began is then known.
        self.finish_looks();
        let loading = modules::Loading {
            seen: &watched.seen,
            since: start.micros(),
            from_first: watched.saw_the_first(),
        };
        self.record_modules(&code, &loading, by)?;
        let mut reasons = watched.gaps.clone();
        reasons.extend(updated);
        reasons.extend(lost);
        let names = changed.iter().map(|path| self.project().stored_path(path));
        let text =
            "what was read of a file that somebody changed while the run went on is not known";
        reasons.extend(lost::named(text, names.collect()));
        if listed.1 > 0 {
            reasons.push(format!("{} inputs more than are listed", listed.1));
        }
        if watched.saw_the_first() && !reasons.is_empty() {
            let told: Vec<String> = reasons.iter().map(|why| text::short(why, 120)).collect();
            self.say(&format!(
                "birthmark: lineage partial: {}",
                talk::some_of(&told)
            ));
        }
        self.record(LineageObserved {
            state: if reasons.is_empty() {
                "complete"
            } else {
                "partial"
            }
            .to_owned(),
            reasons,
            observed_by: watched.by.clone(),
            read: watched.seen.reads.len() as u64,
            written: watched.seen.writes.len() as u64,
            inputs: loaded + listed.0,
            left_out,
            code_complete: Some(watched.all_code),
            loose_code: self.find_loose(&code),
        })
    }

    /// The code that was loaded and lies in no repository: that is told, too.
    fn find_loose(&self, code: &BTreeSet<PathBuf>) -> Vec<Fields> {
        let loose = modules::loose(self.project(), code);
        let files = loose.iter().filter_map(|one| one.get("file")?.as_str());
        self.say_unkept(files);
        loose
    }

    /// Tells of loaded code that git ignores, that no snapshot took, or that was edited before it
    /// was loaded.
    fn find_unkept(&self, observed: &mut ModulesObserved, loading: &modules::Loading<'_>) {
        let Some(code) = self.code_within(Duration::ZERO) else {
            return;
        };
        let Some(commit) = commit_that_holds(&code.fields) else {
            return;
        };
        let root = self.project().resolve(&observed.root);
        modules::hold_against(observed, &root, commit, loading);
        let unkept = observed.files.iter().filter(|one| one.unkept);
        self.say_unkept(unkept.map(|one| one.file.as_str()));
    }

    fn say_unkept<'a>(&self, files: impl Iterator<Item = &'a str>) {
        let unkept: Vec<String> = files.map(|file| text::short(file, 100)).collect();
        if !unkept.is_empty() {
            self.say(&format!(
                "birthmark: {} ran, and no commit or snapshot holds it",
                talk::some_of(&unkept)
            ));
        }
    }

    fn record_modules(
        &self,
        code: &BTreeSet<PathBuf>,
        loading: &modules::Loading<'_>,
        by: &str,
    ) -> Result<()> {
        let look = |root: &Path| snapshot::look_beside(self, root);
        for mut modules in modules::observed(self.project(), look, code, loading, by) {
            self.find_unkept(&mut modules, loading);
            self.record(modules)?;
        }
        Ok(())
    }

    /// What of the data was opened to be read and written at once, was there before, and has
    /// changed since: what was read of it is gone. What a writer of ours wrote is known.
    fn updated(
        &self,
        data: &BTreeSet<PathBuf>,
        seen: &Seen,
        start: Timestamp,
    ) -> Result<Option<String>> {
        let opened = seen.updates.intersection(data);
        let since = start.micros() - CLOCK_STEP;
        let lost: Vec<&PathBuf> = opened
            .filter(|path| has_changed(path, since) && !is_new(path, since))
            .collect();
        if lost.is_empty() {
            return Ok(None);
        }
        let folded = self.told_of_files(&lost, &[])?;
        let known = Known::by_writers(self, &folded);
        let names = lost
            .into_iter()
            .filter(|path| !known.has(path))
            .map(|path| self.project().stored_path(path));
        let text = "what was read of a file that was written, too, is not known";
        Ok(lost::named(text, names.collect()))
    }

    /// How many inputs were recorded, and how many were too many.
    fn record_inputs(
        &self,
        reads: &BTreeSet<PathBuf>,
        changed: &BTreeSet<PathBuf>,
        by: &str,
        budget: &mut Budget,
    ) -> Result<(u64, u64)> {
        if reads.is_empty() {
            return Ok((0, 0));
        }
        let folded = self.told_of_files(reads, &[])?;
        let known = Known::of(self, &folded);
        // Python opens the files that its own output goes to.
        let outputs = process::outputs();
        // What the session itself vouches for is no input, also where it was read to be digested.
        let reads = reads
            .iter()
            .filter(|path| !known.has(path) && !outputs.contains(path))
            .cloned()
            .collect();
        let told = Told::of(&folded.used);
        let grouped = inputs::group(&reads);
        let new: Vec<_> = grouped
            .iter()
            .filter(|input| !told.has(&self.project().stored_path(input.path())))
            .collect();
        for input in new.iter().take(inputs::MOST) {
            let input = if input.is_among(changed) {
                input.lost(self.project(), by, lost::CHANGED)
            } else {
                input.entry(self.project(), by, budget)
            };
            self.record(ArtifactUsed { input })?;
        }
        let listed = new.len().min(inputs::MOST);
        Ok((listed as u64, (new.len() - listed) as u64))
    }

    /// Records files that were written and that nobody told of.
    fn record_written(
        &self,
        rules: &Rules,
        watched: &Watched,
        start: Timestamp,
        budget: &mut Budget,
    ) -> Result<()> {
        let seen = &watched.seen;
        let by = watched.by.first().map_or("watch", String::as_str);
        let since = start.micros() - CLOCK_STEP;
        let is_made = |path: &&PathBuf| {
            // Opened to be written is not written yet.
            rules.class(path) == Class::Data
                && path.is_file()
                && (modules::written(path) >= since
                    || was_born(path, since)
                    || seen.earlier(path, since).is_some())
        };
        // Most often what it made itself, by a writer of ours: that needs no look at the others.
        let own = Known::of(self, &self.told_here()?);
        let made = seen.writes.iter().filter(|path| !own.has(path));
        let mut made: Vec<PathBuf> = made.filter(is_made).cloned().collect();
        if made.is_empty() {
            return Ok(());
        }
        let folded = self.told_of_files(&made, &[])?;
        let known = Known::of(self, &folded);
        made.retain(|path| !known.has(path));
        for artifact in self.as_artifacts(&folded, &made) {
            self.record_observed(&artifact, by, budget)?;
        }
        Ok(())
    }
}

/// Whether a file changed, or may have, since a moment in microseconds: its time of writing can be
/// set back, that of its last change cannot.
pub(super) fn has_changed(path: &Path, since: i64) -> bool {
    path.metadata().map_or(true, |found| {
        let micros = found.ctime() * 1_000_000 + found.ctime_nsec() / 1_000;
        micros >= since || modules::written(path) >= since
    })
}

/// Whether a file was made since a moment in microseconds. One that was empty, and is, had
/// nothing to be read.
fn is_new(path: &Path, since: i64) -> bool {
    path.metadata().map_or(true, |found| found.len() == 0) || was_born(path, since)
}

/// Whether the file system says that a file was made since, also one whose time of writing was set
/// back, as that of a copy.
pub(super) fn was_born(path: &Path, since: i64) -> bool {
    let born = path.metadata().and_then(|found| found.created()).ok();
    let born = born.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    born.is_some_and(|born| i64::try_from(born.as_micros()).is_ok_and(|at| at >= since))
}

/// Files of the process that are mapped or open now: what was opened in C and is still in use.
pub fn mapped() -> BTreeSet<PathBuf> {
    let maps = atomic::read_kernel(Path::new("/proc/self/maps")).unwrap_or_default();
    let text = String::from_utf8_lossy(&maps);
    let lines: Vec<(bool, &str)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.splitn(6, ' ');
            let executable = words.nth(1)?.contains('x');
            Some((executable, words.nth(3)?.trim_start()))
        })
        .collect();
    // A program or library is mapped in several parts, one of which is executed.
    let programs: BTreeSet<&str> = lines.iter().filter(|one| one.0).map(|one| one.1).collect();
    let of_maps = lines
        .iter()
        .map(|one| one.1)
        .filter(|path| path.starts_with('/') && !programs.contains(path))
        .map(PathBuf::from);
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let of_open = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    of_maps
        .chain(of_open.filter(|path| path.is_absolute()))
        .filter(|path| path.is_file())
        .collect()
}

/// Data, code, and counts of what is left out, of all that was read.
fn sort(rules: &Rules, seen: &Seen, start: i64) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>, Fields) {
    let (mut data, mut code, mut left_out) = (BTreeSet::new(), BTreeSet::new(), Fields::new());
    for path in &seen.reads {
        let source = source_of(path).filter(|source| source.is_file());
        let path = source.as_ref().unwrap_or(path);
        match rules.class_of_old(path, start) {
            _ if path.is_dir() => {}
            Class::Data if path.exists() => drop(data.insert(path.clone())),
            Class::Data => {}
            Class::Code => drop(code.insert(path.clone())),
            Class::Noise(rule) => {
                let before = left_out.get(rule).and_then(Value::as_u64).unwrap_or(0);
                left_out.insert(rule.to_owned(), Value::from(before + 1));
            }
        }
    }
    (data, code, left_out)
}
