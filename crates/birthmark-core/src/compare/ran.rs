//! The code that a run really loaded, as it was recorded while it ran.
//!
//! A module is known by the id that git gives its bytes, so two runs can be held against each
//! other without a repository at hand: also where the tree was dirty and nothing kept it, also
//! for modules that git does not hold.
//!
//! # Limitations
//!
//! * Modules of other repositories are matched by the name of their folder.
//! * What a run opened before its session began is not among what it read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::birthmark::Fields;
use crate::event::ModulesObserved;
use crate::session::Run;

/// What is known of the code that made one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// The modules that were loaded: those of its own repository by their path, those of others
    /// with the name of the folder before it.
    pub modules: BTreeMap<String, Loaded>,
    /// Why more may have been loaded; nothing where these are all.
    pub gap: Option<String>,
    /// Files that it read, but for models and datasets, with their digests.
    pub read: BTreeMap<String, Option<String>>,
    /// Whether everything that it opened was seen, from its first instruction.
    pub whole: bool,
}

/// One module that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The id of its bytes, where it could be told.
    pub blob: Option<String>,
    /// It was written after the run began: other bytes may have been loaded.
    pub changed: bool,
}

impl Loaded {
    fn known(&self) -> Option<&str> {
        self.blob.as_deref().filter(|_| !self.changed)
    }
}

/// The runs of two sides held against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// How many modules both loaded with the same bytes.
    pub same: usize,
    /// Those that both loaded, with other bytes.
    pub moved: Vec<String>,
    /// Those of which the bytes that were loaded are not known, on one side or both.
    pub unknown: Vec<String>,
    /// Those that one of the two loaded.
    pub only: [Vec<String>; 2],
}

impl Ran {
    /// What is known of the run that made an artifact, from all runs of its session. Nothing
    /// where no module of it was recorded.
    pub fn of(runs: &[Run], id: &str, script: Option<&str>) -> Option<Self> {
        let own = runs.iter().find(|run| run.id.as_str() == id)?;
        let kin = kin(runs, own);
        let whole = |run: &&&Run| {
            let seen = run.observed.lineage.as_ref();
            seen.is_some_and(|seen| {
                seen.state == "complete" && seen.observed_by.iter().any(|by| by == "preload")
            })
        };
        // A command's run saw all that the script under it opened.
        let watcher = kin.iter().find(whole);
        let sees_itself = !own.observed.modules.is_empty() && gap(own).is_none();
        let told: Vec<&Run> = if sees_itself {
            vec![own]
        } else if let Some(watcher) = watcher {
            vec![own, watcher]
        } else {
            kin.clone()
        };
        let mut ran = Self {
            whole: watcher.is_some(),
            gap: (!sees_itself && watcher.is_none())
                .then(|| told.iter().find_map(|run| gap(run)))
                .flatten(),
            ..Self::default()
        };
        let observed: Vec<&ModulesObserved> =
            told.iter().flat_map(|run| &run.observed.modules).collect();
        let home = home(&observed, script);
        for seen in observed {
            ran.take(seen, home.as_deref() == Some(&seen.root));
        }
        let lineage = told.iter().filter_map(|run| run.observed.lineage.as_ref());
        for loose in lineage.flat_map(|lineage| &lineage.loose_code) {
            ran.take_loose(loose);
        }
        let read = kin.iter().filter(|run| run.id == own.id || whole(run));
        for input in read.flat_map(|run| &run.used) {
            ran.take_read(input);
        }
        (!ran.modules.is_empty()).then_some(ran)
    }

    fn take(&mut self, seen: &ModulesObserved, is_home: bool) {
        let folder = seen.root.rsplit('/').next().unwrap_or_default();
        for module in &seen.files {
            let name = if is_home {
                module.file.clone()
            } else {
                format!("{folder}/{}", module.file)
            };
            let loaded = Loaded {
                blob: module.blob.clone(),
                changed: module.changed,
            };
            self.put(name, loaded);
        }
    }

    /// Code that lies in no repository is known by its digest.
    fn take_loose(&mut self, loose: &Fields) {
        let text = |name: &str| loose.get(name).and_then(Value::as_str);
        let Some(file) = text("file") else { return };
        // Under the name of the folder that it lies in, as that of other repositories.
        let start = file.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
        let loaded = Loaded {
            blob: text("digest").map(str::to_owned),
            changed: false,
        };
        self.put(file[start..].to_owned(), loaded);
    }

    fn put(&mut self, name: String, loaded: Loaded) {
        match self.modules.get_mut(&name) {
            // Two looks at the same file that disagree: nobody knows which bytes ran.
            Some(known) => known.changed |= loaded.changed || known.blob != loaded.blob,
            None => {
                self.modules.insert(name, loaded);
            }
        }
    }

    fn take_read(&mut self, input: &Fields) {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let Some(file) = text("file") else { return };
        let is_subject = matches!(text("role"), Some("model" | "dataset" | "base" | "adapter"));
        if !is_subject && input.get("observed_by").is_some() {
            let digest = text("content_digest").or(text("digest"));
            self.read.insert(file.to_owned(), digest.map(str::to_owned));
        }
    }

    /// Holds the run of A against that of B.
    pub fn hold(&self, other: &Self) -> Held {
        let mut held = Held::default();
        for (name, a) in &self.modules {
            let Some(b) = other.modules.get(name) else {
                held.only[0].push(name.clone());
                continue;
            };
            match (a.known(), b.known()) {
                (Some(a), Some(b)) if a == b => held.same += 1,
                (Some(_), Some(_)) => held.moved.push(name.clone()),
                _ => held.unknown.push(name.clone()),
            }
        }
        let only_there = other.modules.keys();
        held.only[1].extend(
            only_there
                .filter(|name| !self.modules.contains_key(*name))
                .cloned(),
        );
        held
    }

    /// Files that both read, and of which the digests differ.
    pub fn read_otherwise<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let differs = |(file, digest): (&'a String, &'a Option<String>)| {
            let there = other.read.get(file)?.as_ref()?;
            (digest.as_ref()? != there).then_some(file.as_str())
        };
        self.read.iter().filter_map(differs).collect()
    }

    /// Whether both read a file with the same bytes.
    pub fn read_same(&self, other: &Self, file: &str) -> bool {
        let digest = |ran: &Self| ran.read.get(file).cloned().flatten();
        digest(self).is_some() && digest(self) == digest(other)
    }
}

impl Held {
    /// What was found, as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "same": self.same,
            "moved": self.moved,
            "not_known": self.unknown,
            "only_a": self.only[0],
            "only_b": self.only[1],
        })
    }
}

/// A run, those that it was started by, and those that it started.
fn kin<'a>(runs: &'a [Run], own: &'a Run) -> Vec<&'a Run> {
    let mut kin = vec![own];
    let mut at = own;
    while let Some(parent) = runs.iter().find(|run| Some(&run.id) == at.parent.as_ref()) {
        if kin.iter().any(|run| run.id == parent.id) {
            break;
        }
        kin.push(parent);
        at = parent;
    }
    let mut place = 0;
    let mut below = vec![own];
    while let Some(up) = below.get(place).copied() {
        place += 1;
        for run in runs
            .iter()
            .filter(|run| run.parent.as_ref() == Some(&up.id))
        {
            if !kin.iter().any(|known| known.id == run.id) {
                kin.push(run);
                below.push(run);
            }
        }
    }
    kin
}

/// Why a run may have loaded more than its modules say.
fn gap(run: &Run) -> Option<String> {
    let Some(seen) = &run.observed.lineage else {
        return Some("its end was not seen".to_owned());
    };
    if seen.code_complete.unwrap_or(seen.state == "complete") {
        return None;
    }
    let why = seen.reasons.last().cloned();
    Some(why.unwrap_or_else(|| "it was not watched whole".to_owned()))
}

/// The repository that the artifact's own code is of: the project's, else the one with the
/// script, else the one with most modules.
fn home(seen: &[&ModulesObserved], script: Option<&str>) -> Option<String> {
    let holds = |one: &&&ModulesObserved| {
        let names = one
            .files
            .iter()
            .map(|module| module.file.rsplit('/').next());
        script.is_some_and(|script| names.flatten().any(|name| name == script))
    };
    let project = seen.iter().find(|one| one.root == ".");
    project
        .or_else(|| seen.iter().find(holds))
        .or_else(|| seen.iter().max_by_key(|one| one.files.len()))
        .map(|one| one.root.clone())
}
