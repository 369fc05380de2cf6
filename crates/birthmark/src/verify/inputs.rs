//! Are the inputs of what was made still what they were?
//!
//! A birthmark names what a file was made from, and a session what it read, each with the
//! digest of that moment. An input that was edited since does not make the artifact wrong: it
//! is as recorded, but cannot be made again from what lies there now. So an input that
//! changed, moved or went away is a *caveat*, and is named.
//!
//! # Invariants
//!
//! * Each input is read once, however many artifacts were made from it.
//! * What was not read is counted, so that it can be said ([`Inputs::left_out`]).
//!
//! # Limitations
//!
//! * An input is looked for where it lay, where the store lies now, where a session recorded
//!   the same bytes, and beside where it lay; not on the whole disk.
//! * Names without a path (a model of a hub) are not followed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_core::lineage::{self, Mention};
use birthmark_store::digest::Digester;

use super::Options;
use super::claims::Claims;
use super::meter::Meter;
use super::report::Reason;
use crate::lineage::listed::Listed;
use crate::project::Project;
use crate::{sessions, text};

/// An input larger than this is read only where every byte is asked for.
const LARGE: u64 = 1 << 30;
/// Files beside a lost input that are looked at, and bytes of them that are read.
const MOST_BESIDE: usize = 200;
const MOST_BYTES: u64 = 64 << 20;
/// Names in one sentence.
const NAMED: usize = 3;
/// Without the list it cannot be told whether what changed was read.
const LIST_IS_LOST: &str =
    "it is not what it was, and the list of its files that were read is not here";

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// It is what it was, or nothing more can be said.
    Holds,
    Changed,
    /// It is a folder, and which of its files that were read changed.
    ChangedWithin(String),
    /// It goes on behind what it was.
    Grew,
    Missing,
    Moved(String),
    /// It cannot be read, and why.
    Unread(String),
}

/// Holds inputs against their digests.
pub(super) struct Inputs<'a> {
    pub project: &'a Project,
    claims: &'a Claims,
    meter: &'a Meter,
    pub digester: Digester,
    quick: bool,
    deep: bool,
    asked: HashMap<(String, String), Fate>,
    /// Inputs whose bytes were not read, since they are large.
    pub left_out: usize,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(
        project: &'a Project,
        claims: &'a Claims,
        options: &Options,
        digester: Digester,
        meter: &'a Meter,
    ) -> Self {
        Self {
            project,
            claims,
            meter,
            digester,
            quick: options.quick,
            deep: options.deep,
            asked: HashMap::new(),
            left_out: 0,
        }
    }

    /// What became of the inputs that a birthmark names.
    pub(super) fn of_birthmark(&mut self, birthmark: &Fields) -> Vec<Reason> {
        self.judge(&lineage::mentions(birthmark))
    }

    /// What became of what a session read.
    pub(super) fn of_session(&mut self, used: &[Fields]) -> Vec<Reason> {
        let mentions: Vec<Mention> = used.iter().filter_map(lineage::input).collect();
        self.judge(&mentions)
    }

    fn judge(&mut self, mentions: &[Mention]) -> Vec<Reason> {
        let mut fates: Vec<(String, Fate)> = Vec::new();
        // What the run itself renamed is judged under its new name.
        let read = |mention: &&Mention| {
            (mention.is_path || self.is_model_here(mention)) && mention.became.is_none()
        };
        let read: Vec<&Mention> = mentions.iter().filter(read).collect();
        for mention in read {
            // What was read of a folder says more than the folder.
            let Some(was) = mention.read_list.as_ref().or(mention.digest.as_ref()) else {
                continue;
            };
            let key = (mention.file.clone(), was.clone());
            let fate = if let Some(known) = self.asked.get(&key) {
                known.clone()
            } else {
                let fate = self.look(mention);
                self.asked.insert(key, fate.clone());
                fate
            };
            let told = (text::short(&mention.file, 80), fate);
            if !fates.contains(&told) {
                fates.push(told);
            }
        }
        reasons(&fates)
    }

    /// Whether the name of a model is the path under which a session recorded it.
    fn is_model_here(&self, mention: &Mention) -> bool {
        let Some(digest) = mention.digest.as_deref().filter(|_| mention.is_model) else {
            return false;
        };
        let place = sessions::locate(self.project, &mention.file, None);
        place.exists() && self.claims.with_digest(digest).as_ref() == Some(&mention.file)
    }

    fn look(&mut self, mention: &Mention) -> Fate {
        let bytes = mention.file_bytes.as_deref();
        let place = sessions::locate(self.project, &mention.file, bytes);
        let digest = mention.digest.as_deref();
        let digest = digest.and_then(|text| text.parse::<Digest>().ok());
        if let Some(list) = mention.read_list.as_deref().filter(|_| place.is_dir()) {
            return self.look_within(&place, list, digest);
        }
        let Some(digest) = digest else {
            return Fate::Holds;
        };
        if place.symlink_metadata().is_err() {
            return self.look_elsewhere(mention, digest, &place);
        }
        let size = crate::lineage::size_of(&place);
        if mention.size.is_some_and(|was| was != size) && mention.content_digest.is_none() {
            return self.grew_or_changed(&place, size, mention, digest);
        }
        if self.quick {
            return Fate::Holds;
        }
        if size > LARGE && !self.deep {
            self.left_out += 1;
            return Fate::Holds;
        }
        match self.meter.beside(size, || self.digest_at(&place, digest)) {
            Ok(found) if found == digest => Fate::Holds,
            Ok(_) if self.same_content(&place, mention) => Fate::Holds,
            Ok(_) => self.grew_or_changed(&place, size, mention, digest),
            Err(why) => Fate::Unread(why),
        }
    }

    /// Of a folder, those of its files that were read.
    fn look_within(&mut self, place: &Path, list: &str, digest: Option<Digest>) -> Fate {
        if self.quick {
            return Fate::Holds;
        }
        let listed = Listed::load(&self.project.layout, list);
        let size = listed.as_ref().map(Listed::size);
        let size = size.unwrap_or_else(|| crate::lineage::size_of(place));
        if size > LARGE && !self.deep {
            self.left_out += 1;
            return Fate::Holds;
        }
        self.meter.beside(size, || match listed {
            Some(listed) => match listed.differing(place, &self.digester) {
                None => Fate::Holds,
                Some(which) => Fate::ChangedWithin(which),
            },
            None if digest.is_some_and(|was| self.digest_at(place, was) == Ok(was)) => Fate::Holds,
            None => Fate::Unread(LIST_IS_LOST.to_owned()),
        })
    }

    /// Where else an input may lie that is not where it was.
    fn look_elsewhere(&self, mention: &Mention, digest: Digest, place: &Path) -> Fate {
        if self.quick {
            return Fate::Missing;
        }
        let recorded = self.claims.read_with_digest(&digest.to_string());
        let recorded = recorded.map(|file| sessions::locate(self.project, file, None));
        let mut places: Vec<PathBuf> = recorded.into_iter().collect();
        places.extend(elsewhere(self.project, &mention.file, place, mention.size));
        let mut left = MOST_BYTES;
        for other in places {
            let size = crate::lineage::size_of(&other);
            let fits = mention.size.is_none_or(|was| was == size) && size <= left;
            if !fits || other == place || other.symlink_metadata().is_err() {
                continue;
            }
            left -= size;
            if self.digest_at(&other, digest) == Ok(digest) {
                return Fate::Moved(self.project.stored_path(&other));
            }
        }
        Fate::Missing
    }

    /// Of what is not as it was; most inputs are, and are read once.
    fn grew_or_changed(&self, place: &Path, size: u64, mention: &Mention, digest: Digest) -> Fate {
        if self.quick || (size > LARGE && !self.deep) {
            return Fate::Changed;
        }
        let by_records = || crate::digests::size_of_records(place, mention.records?);
        let was = mention.size.or_else(by_records).filter(|was| *was < size);
        let has_grown = was.is_some_and(|was| {
            let text = digest.to_string();
            let look = || crate::digests::has_grown(place, was, |found| found == text);
            self.meter.beside(was, look)
        });
        if has_grown { Fate::Grew } else { Fate::Changed }
    }

    fn digest_at(&self, path: &Path, like: Digest) -> Result<Digest, String> {
        let found = self.digester.whole_as(path, like.algorithm);
        found.map_err(|error| error.to_string())
    }

    /// Whether it differs in its birthmarks alone.
    fn same_content(&self, path: &Path, mention: &Mention) -> bool {
        let was = mention.content_digest.as_ref().or(mention.digest.as_ref());
        let content = self.digester.content(path);
        let is = content.map(|content| content.digest.to_string());
        was.is_some() && is.as_ref() == was
    }
}

/// Where what lay at `place`, and is recorded as `file`, may lie by now: below our root under an
/// end of its path, and beside where it was.
pub(crate) fn elsewhere(
    project: &Project,
    file: &str,
    place: &Path,
    size: Option<u64>,
) -> Vec<PathBuf> {
    let mut places = below_root(project, file);
    places.extend(beside(place, size));
    places
}

/// The ends of a path from elsewhere, below our root.
fn below_root(project: &Project, file: &str) -> Vec<PathBuf> {
    let mut rest = file.trim_start_matches('/');
    let mut places = vec![project.root().join(rest)];
    while let Some((_, tail)) = rest.split_once('/') {
        places.push(project.root().join(tail));
        rest = tail;
    }
    // What leads out of the root is not looked at.
    let within = |place: &PathBuf| crate::project::plain(place).starts_with(project.root());
    places.retain(within);
    places
}

/// Files beside where it lay: of its size or, where that is not known, of its kind.
fn beside(place: &Path, size: Option<u64>) -> Vec<PathBuf> {
    let entries = place.parent().and_then(|folder| fs::read_dir(folder).ok());
    let entries = entries.into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let about = entry.metadata().ok().filter(fs::Metadata::is_file);
            about.is_some_and(|about| match size {
                Some(size) => about.len() == size,
                None => entry.path().extension() == place.extension(),
            })
        })
        .map(|entry| entry.path())
        .take(MOST_BESIDE)
        .collect();
    found.sort();
    found
}

fn reasons(fates: &[(String, Fate)]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut say = |code, one: &str, more: &str, names: Vec<String>| {
        let text = match names.as_slice() {
            [] => return,
            [only] => format!("input {only} {one}"),
            several => format!("{} inputs {more}: {}", several.len(), listed(several)),
        };
        reasons.push(Reason::caveat(code, text));
    };
    let those = |wanted: fn(&Fate) -> bool| -> Vec<String> {
        let found = fates.iter().filter(|(_, fate)| wanted(fate));
        found.map(|(name, _)| name.clone()).collect()
    };
    let changed = fates.iter().filter_map(|(name, fate)| match fate {
        Fate::Changed => Some(name.clone()),
        Fate::ChangedWithin(which) => Some(format!("{name} ({which})")),
        _ => None,
    });
    let changed = changed.collect();
    let (one, more) = ("changed since it was read", "changed since they were read");
    say("input-changed", one, more, changed);
    let grew = those(|fate| *fate == Fate::Grew);
    let (one, more) = (
        "grew since it was read, and begins as it was",
        "grew since they were read, and begin as they were",
    );
    say("input-grew", one, more, grew);
    let missing = those(|fate| *fate == Fate::Missing);
    say("input-missing", "is not here", "are not here", missing);
    let moved: Vec<String> = fates
        .iter()
        .filter_map(|(name, fate)| match fate {
            Fate::Moved(to) => Some(format!("{name} is now {}", text::short(to, 80))),
            _ => None,
        })
        .collect();
    if !moved.is_empty() {
        let text = format!("input moved: {}", listed(&moved));
        reasons.push(Reason::caveat("input-moved", text));
    }
    for (name, fate) in fates {
        if let Fate::Unread(why) = fate {
            let why = text::neutral(why);
            let text = format!("input {name} cannot be held against its digest: {why}");
            reasons.push(Reason::caveat("input-unread", text));
        }
    }
    reasons
}

fn listed(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(", +{}", names.len() - NAMED));
    }
    text
}
