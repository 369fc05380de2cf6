//! What ran on each side: as recorded while it ran; else as the text of its code tells.

use std::collections::BTreeSet;

use birthmark_capture::git::Objects;
use birthmark_core::Finding;
use birthmark_core::compare::{Changed, Command, Part, Ran, Side, is_prose};
use birthmark_core::session::Run;
use serde_json::Value;

use super::super::imports::{self, Code};
use crate::show::SessionFacts;

/// Larger files are not read for their imports.
const SOURCE_LIMIT: usize = 4 << 20;

/// Hands a side what its session recorded of the run that made it.
pub(in super::super) fn take_recorded(side: &mut Side, session: Option<&SessionFacts>) {
    let Some(session) = session else { return };
    let text = |name: &str| side.birthmark.as_ref()?.get(name)?.as_str();
    let own = match text("run_id") {
        Some(id) => session.ran.iter().find(|run| run.id.as_str() == id),
        // A whole session: its one run that no other started.
        None => only(session.ran.iter().filter(|run| run.parent.is_none())),
    };
    let Some(own) = own else { return };
    let script = text("script_name").map(str::to_owned);
    let loose = text("git_snapshot").is_none()
        && side
            .birthmark
            .as_ref()
            .and_then(|mark| mark.get("git_dirty"))
            == Some(&true.into());
    let own_files = session
        .made
        .iter()
        .filter(|(run, _)| run.as_ref() == Some(&own.id));
    let made = own_files.map(|(_, file)| file.clone()).collect();
    let environment = if own.environment.is_empty() {
        &session.environment
    } else {
        &own.environment
    };
    side.command = Some(Command::of(own, session.id.as_str(), made, environment));
    side.ran = Ran::of(&session.ran, own.id.as_str(), script.as_deref());
    side.drift.clone_from(&own.drift);
    let looked = session.ran.iter().find(|run| !run.code.is_empty());
    if loose && looked.is_none_or(|run| own.code.is_empty() || run.id == own.id) {
        side.unkept = edited(session);
    }
}

fn only<'a>(mut runs: impl Iterator<Item = &'a Run>) -> Option<&'a Run> {
    let first = runs.next();
    first.filter(|_| runs.next().is_none())
}

/// The files that were not as in the commit, where all of them were listed.
fn edited(session: &SessionFacts) -> Option<Vec<Changed>> {
    let details = &session.code_details;
    let files = details.get("changed_files")?.as_array()?;
    let all = details.get("changed_total")?.as_u64()? == files.len() as u64;
    let complete = details.get("counts_complete") == Some(&Value::Bool(true));
    let changed = files.iter().map(|file| {
        Some(Changed {
            path: file.get("path")?.as_str()?.to_owned(),
            part: Part::Untold,
        })
    });
    changed
        .collect::<Option<Vec<Changed>>>()
        .filter(|files| all && complete && !files.is_empty())
}

/// What the files of a repository were to the two runs.
pub(super) struct Parts {
    known: [Option<Known>; 2],
    /// Files that are judged by their own digest: datasets, and what both read alike.
    judged: BTreeSet<String>,
    read: BTreeSet<String>,
    /// Everything that was opened is known of both.
    whole: bool,
    /// A dirty tree held scripts or modules of which nobody has the text.
    is_text_lost: bool,
}

/// What ran on one side.
pub(super) struct Known {
    /// From the modules that were recorded, not from the text of the script.
    recorded: bool,
    scripts: BTreeSet<String>,
    modules: BTreeSet<String>,
    /// Whether the modules are all that were loaded.
    all: bool,
    /// The text of script and modules, to look for names of other files; nothing where it is
    /// not in this clone.
    text: Option<String>,
}

impl Parts {
    /// From the commits, where the clone that holds them is here.
    pub(super) fn of(
        objects: Option<&Objects>,
        ids: &[Option<String>; 2],
        sides: &[Side; 2],
    ) -> Self {
        let known = [0, 1].map(|side| {
            let at = objects.zip(ids[side].as_deref());
            Known::recorded(at, &sides[side]).or_else(|| Known::by_text(at?, &sides[side]))
        });
        let sources = sides.iter().filter_map(|side| {
            let dataset = side.birthmark.as_ref()?.get("dataset")?;
            Some(dataset.get("source")?.as_str()?.to_owned())
        });
        let mut judged: BTreeSet<String> = sources.collect();
        let runs = [0, 1].map(|side| sides[side].ran.as_ref());
        let read: BTreeSet<String> = runs
            .iter()
            .flatten()
            .flat_map(|ran| ran.read.keys().cloned())
            .collect();
        if let [Some(a), Some(b)] = runs {
            judged.extend(read.iter().filter(|file| a.read_same(b, file)).cloned());
        }
        let lost = |side: &Side, known: &Option<Known>| {
            let mut edited = side.unkept.iter().flatten();
            let known = known.as_ref();
            known.is_some_and(|known| edited.any(|file| known.ran(&file.path)))
        };
        Self {
            is_text_lost: sides
                .iter()
                .zip(&known)
                .any(|(side, known)| lost(side, known)),
            known,
            judged,
            read,
            whole: runs.iter().all(|ran| ran.is_some_and(|ran| ran.whole)),
        }
    }

    fn any(&self, has: impl Fn(&Known) -> bool) -> bool {
        self.known.iter().flatten().any(has)
    }

    /// What a file was that is not the same in both trees.
    pub(super) fn part(&self, path: &str) -> Part {
        let name = path.rsplit('/').next().unwrap_or(path);
        if self.any(|known| known.recorded && known.modules.contains(path)) {
            Part::Loaded
        } else if self.any(|known| known.scripts.contains(path)) {
            Part::Script
        } else if self.any(|known| known.modules.contains(path)) {
            Part::Imported
        } else if self.judged.contains(path) {
            Part::Judged
        } else if self.read.contains(path) {
            Part::Read
        } else if is_prose(path) {
            Part::Prose
        } else if self.whole {
            Part::NotLoaded
        } else if self.known.iter().any(Option::is_none) {
            Part::Untold
        } else if self.is_idle(path) {
            Part::NotLoaded
        } else if self.any(|known| known.text.as_ref().is_some_and(|text| says(text, name))) {
            Part::Named
        } else if self.is_text_lost || self.any(|known| known.text.is_none()) {
            Part::Untold
        } else {
            Part::Apart
        }
    }

    /// A module that neither loaded, where all that were loaded are known.
    fn is_idle(&self, path: &str) -> bool {
        let sure = |known: &Option<Known>| {
            known
                .as_ref()
                .is_some_and(|known| known.recorded && known.all)
        };
        std::path::Path::new(path).extension() == Some("py".as_ref()) && self.known.iter().all(sure)
    }
}

/// Whether a text names a file. A number, or a letter or two, stands in every code and names
/// nothing there, unless it is in quotes or ends a path.
fn says(text: &str, name: &str) -> bool {
    let is_telling = name.chars().count() > 3 && name.chars().any(char::is_alphabetic);
    if is_telling {
        return text.contains(name);
    }
    let ends = ['"', '\'', '/'];
    let mut found = text.match_indices(name);
    found.any(|(at, _)| {
        text[..at].ends_with(ends) && text[at + name.len()..].starts_with(['"', '\''])
    })
}

impl Known {
    fn ran(&self, path: &str) -> bool {
        self.scripts.contains(path) || self.modules.contains(path)
    }

    fn recorded(at: Option<(&Objects, &str)>, side: &Side) -> Option<Self> {
        let ran = side.ran.as_ref()?;
        let here = at.filter(|(objects, id)| matches!(objects.kind(id), Finding::Found(_)));
        let text = |at| -> Vec<String> {
            let modules = ran.modules.keys();
            modules.filter_map(|path| read(at, path)).collect()
        };
        Some(Self {
            recorded: true,
            scripts: BTreeSet::new(),
            modules: ran.modules.keys().cloned().collect(),
            all: ran.gap.is_none(),
            text: here.map(|at| text(at).join("\n")),
        })
    }

    fn by_text(at: (&Objects, &str), side: &Side) -> Option<Self> {
        let text = |name: &str| side.birthmark.as_ref()?.get(name)?.as_str();
        let script = text("script_name")?;
        let files = at.0.files_at(at.1);
        let scripts = scripts(at, &files, script, text("script_sha"));
        if scripts.is_empty() {
            return None;
        }
        let Code { modules, text } = imports::follow(&scripts, &files, |path| read(at, path));
        Some(Self {
            recorded: false,
            scripts,
            modules,
            all: false,
            text: Some(text),
        })
    }
}

fn read((objects, commit): (&Objects, &str), path: &str) -> Option<String> {
    let bytes = objects.read_at(commit, path, SOURCE_LIMIT)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files that a script's name may mean; the one with its bytes, where there is one.
fn scripts(
    (objects, commit): (&Objects, &str),
    files: &[String],
    script: &str,
    sha: Option<&str>,
) -> BTreeSet<String> {
    let name = script.rsplit('/').next().unwrap_or(script);
    let called: Vec<&String> = files
        .iter()
        .filter(|file| file.rsplit('/').next() == Some(name))
        .collect();
    let is_it = |file: &&&String| sha.is_some() && objects.blob_at(commit, file).as_deref() == sha;
    let exact: BTreeSet<String> = called
        .iter()
        .filter(is_it)
        .map(|file| (*file).clone())
        .collect();
    if exact.is_empty() {
        called.into_iter().cloned().collect()
    } else {
        exact
    }
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn number_or_letter_names_a_file_only_in_quotes() {
        assert!(!says("for n in range(1): x = 10", "1"));
        assert!(!says("a = b", "a"));
        assert!(says("open(\"1\")", "1"));
        assert!(says("open('data/a')", "a"));
        assert!(says("read prompts.txt", "prompts.txt"));
    }
}
