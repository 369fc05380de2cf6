//! What a look at the work tree carries along: what is no dirt, what was seen so far,
//! and when to stop.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use birthmark_core::Finding;
use birthmark_core::code::{ChangeKind, SubmoduleState};
use gix::bstr::{BStr, BString, ByteSlice as _};

use super::{Listed, StatusOptions, code};

/// Changes are kept by name up to here, so that no repository fills the memory.
const MOST_KEPT: usize = 200_000;

/// The reason of a look that was stopped.
pub(super) const INTERRUPTED: &str = "interrupted";

/// When a look has to end: at a moment, or as soon as nobody waits for it any more.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) flag: Arc<AtomicBool>,
    deadline: Instant,
}

impl Stop {
    pub(super) fn at(deadline: Instant) -> Self {
        Self {
            flag: Arc::new(AtomicBool::new(false)),
            deadline,
        }
    }

    /// Whether it is time.
    pub(super) fn is_due(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// What is Birthmark's own, and so no dirt.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    folders: Vec<PathBuf>,
    generated: Listed,
    generated_in: PathBuf,
    /// What runs.
    script: Option<PathBuf>,
    caches: Vec<String>,
    outputs: Vec<PathBuf>,
    /// Whether untracked files are not wanted at all.
    pub(super) tracked_only: bool,
    /// Whether the files in `folders` are counted.
    counted: bool,
}

impl Own {
    /// From the options of a look, symlinks resolved.
    pub(super) fn new(options: &StatusOptions) -> Self {
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        Self {
            folders: options
                .artifacts
                .iter()
                .flat_map(|one| by_both_names(one))
                .collect(),
            generated: options.generated.clone(),
            caches: options.caches.clone(),
            outputs: options.outputs.iter().map(real).collect(),
            tracked_only: !options.untracked,
            counted: options.count_artifacts,
            generated_in: real(&options.generated_in),
            script: options.script.as_ref().map(real),
        }
    }

    /// The same for paths below the work tree at `root`.
    pub(super) fn below(&self, root: PathBuf) -> OwnBelow<'_> {
        let inside = |folder: &PathBuf| match folder.strip_prefix(&root) {
            Ok(inside) => gix::path::into_bstr(inside)
                .ok()
                .map(std::borrow::Cow::into_owned),
            // The whole work tree lies among the artifacts.
            Err(_) => root.starts_with(folder).then(BString::default),
        };
        OwnBelow {
            own: self,
            folders: self.folders.iter().filter_map(inside).collect(),
            root,
            environments: RefCell::default(),
        }
    }

    /// Whether it, or a folder that it lies in, is on the list as it lies, and it is no code: no
    /// store keeps an artifact's bytes, so what is left out of the snapshot is lost.
    fn is_generated(&self, absolute: &Path) -> bool {
        let listed = |path: &Path| self.generated.has(path, absolute);
        let within = absolute.strip_prefix(&self.generated_in);
        (within.is_ok_and(listed) || listed(absolute))
            && self.script.as_deref() != Some(absolute)
            && !code::is_code(absolute)
    }
}

/// A folder as it really lies, and by its name in the folder above it: it may be a link to
/// another disk, and the link is no dirt either.
fn by_both_names(folder: &Path) -> BTreeSet<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut names = BTreeSet::from([real(folder)]);
    if let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) {
        names.insert(real(above).join(name));
    }
    names
}

/// What is Birthmark's own in one work tree.
pub(super) struct OwnBelow<'a> {
    own: &'a Own,
    root: PathBuf,
    folders: Vec<BString>,
    /// Which folders are environments, as far as somebody asked.
    environments: RefCell<HashMap<BString, bool>>,
}

impl OwnBelow<'_> {
    /// Whether it lies where this look does not look.
    pub(super) fn leaves_out(&self, path: &BStr) -> bool {
        let is_artifact = || self.folders.iter().any(|own| lies_in(path, own));
        self.is_cache(path) || (!self.own.counted && is_artifact())
    }

    /// Whether a tool made this untracked file and makes it again: it is, or lies in, what is
    /// called as a cache is, or is bytecode whose source lies beside it.
    fn is_cache(&self, path: &BStr) -> bool {
        let is_one = |name: &[u8]| self.own.caches.iter().any(|one| one.as_bytes() == name);
        if path.split(|byte| *byte == b'/').any(is_one) || self.is_of_environment(path) {
            return true;
        }
        let bytecode = path.strip_suffix(b".pyc");
        bytecode
            .or_else(|| path.strip_suffix(b".pyo"))
            .is_some_and(|stem| {
                let source = BString::from([stem, b".py"].concat());
                gix::path::from_bstr(source.as_bstr())
                    .is_ok_and(|one| self.root.join(one).is_file())
            })
    }

    /// Whether it lies in an environment of venv or conda: its packages are told by their names and
    /// versions.
    fn is_of_environment(&self, path: &BStr) -> bool {
        let mut known = self.environments.borrow_mut();
        let ends = path.find_iter(b"/");
        ends.into_iter().any(|end| {
            let folder = path[..end].as_bstr();
            if let Some(known) = known.get(folder) {
                return *known;
            }
            let is_one = gix::path::from_bstr(folder).is_ok_and(|inside| {
                let place = self.root.join(inside);
                place.join("pyvenv.cfg").is_file() || place.join("conda-meta").is_dir()
            });
            known.insert(folder.to_owned(), is_one);
            is_one
        })
    }

    fn is_output(&self, absolute: &Path) -> bool {
        self.own.outputs.iter().any(|one| one == absolute) && !code::is_code(absolute)
    }

    /// Whether this untracked file is an artifact or a sidecar.
    pub(super) fn has(&self, path: &BStr) -> bool {
        if path.ends_with(b".birthmark.json") || self.folders.iter().any(|own| lies_in(path, own)) {
            return true;
        }
        if !self.own.outputs.is_empty()
            && gix::path::from_bstr(path).is_ok_and(|one| self.is_output(&self.root.join(one)))
        {
            return true;
        }
        // There may be very many files, and seldom a list.
        !self.own.generated.is_empty()
            && gix::path::from_bstr(path)
                .is_ok_and(|relative| self.own.is_generated(&self.root.join(relative)))
    }
}

fn lies_in(path: &BStr, folder: &BString) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder.as_slice())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// A look at one work tree that came to its end.
#[derive(Debug)]
pub(super) struct Look {
    /// What differs.
    pub(super) seen: Seen,
    /// The index as it was read.
    pub(super) index: Arc<gix::index::File>,
}

/// What a look has seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) changes: BTreeMap<BString, (ChangeKind, String)>,
    pub(super) staged: u64,
    pub(super) unstaged: u64,
    pub(super) untracked: u64,
    pub(super) untracked_artifacts: u64,
    pub(super) hidden: Vec<String>,
    pub(super) submodules: Vec<SubmoduleState>,
    pub(super) unclear: Option<String>,
    /// Paths of files that git was told not to look at, or could not judge without a
    /// filter: not among the changes, and perhaps changed.
    pub(super) veiled: BTreeSet<BString>,
    /// Repositories in the work tree that are no submodules.
    pub(super) nested: BTreeSet<BString>,
    /// What was seen inside of submodules, by their path.
    pub(super) inner: BTreeMap<BString, Arc<Look>>,
    /// Changes beyond those that are kept by name.
    unnamed: u64,
}

impl Seen {
    /// Whether there are changes that are not kept by name.
    pub(super) fn is_cut(&self) -> bool {
        self.unnamed > 0
    }

    /// Notes that something could not be decided; the first reason is kept.
    pub(super) fn cannot_tell(&mut self, reason: String) {
        self.unclear.get_or_insert(reason);
    }

    /// Notes a change; what the work tree says comes later and wins.
    pub(super) fn change(&mut self, path: &BStr, kind: ChangeKind, mark: String) {
        if self.changes.len() < MOST_KEPT || self.changes.contains_key(path) {
            self.changes.insert(path.to_owned(), (kind, mark));
        } else {
            self.unnamed += 1;
        }
    }

    /// How many changed files there are.
    pub(super) fn total(&self) -> u64 {
        self.changes.len() as u64 + self.unnamed
    }

    /// One seen change is dirt; nothing seen is clean only if all was looked at.
    pub(super) fn verdict(&self, failure: Option<String>) -> Finding<bool> {
        if self.staged + self.unstaged + self.untracked > 0 {
            return Finding::Found(true);
        }
        match failure.or_else(|| self.unclear.clone()) {
            Some(reason) => Finding::Unknown(reason),
            None => Finding::Found(false),
        }
    }

    /// Whether there is nothing but untracked files.
    pub(super) fn only_untracked(&self) -> bool {
        self.staged + self.unstaged == 0 && self.untracked > 0
    }
}
