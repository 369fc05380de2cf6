//! What a script loaded by name: models through `from_pretrained`, datasets through
//! `load_dataset`. The name and revision that were asked for stand beside the digest of what
//! lay there.
//!
//! | told | input |
//! |---|---|
//! | files of a dataset that lie here | each file (of very many their folder), not the cache made of them |
//! | a name, and the folder of a cache | the folder, by name and revision |
//! | a name alone | the name, with the reason why it has no digest |

use std::collections::BTreeSet;
use std::path::PathBuf;

use birthmark_capture::process::redactor;
use birthmark_core::Fields;
use birthmark_core::event::ArtifactUsed;
use serde_json::Value;

use super::inputs::{self, Budget, Input};
use super::made::Known;
use crate::error::Result;
use crate::session::Session;

/// One thing that was loaded, as the caller of the loader knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// `model`, `tokenizer`, `processor`, `adapter`, `dataset`.
    pub role: String,
    /// The name that was asked for, where it is no path.
    pub name: Option<String>,
    /// The commit that it is.
    pub revision: Option<String>,
    /// Where it lies.
    pub files: Vec<PathBuf>,
    /// The cache that was made of the files and read in their place.
    pub cached_in: Option<PathBuf>,
    /// What else was asked: `called`, `asked_revision`, `config`, `split`, `subfolder`.
    pub more: Fields,
}

/// What else a load may tell.
const MORE: [&str; 5] = ["called", "asked_revision", "config", "split", "subfolder"];

impl Load {
    /// Reads one as a door hands it over; `None` where it tells of nothing.
    pub fn from_fields(fields: &Fields) -> Option<Self> {
        let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
        let files = fields.get("files").and_then(Value::as_array);
        let load = Self {
            role: text("role")?,
            name: text("name"),
            revision: text("revision"),
            files: files
                .into_iter()
                .flatten()
                .filter_map(|file| Some(PathBuf::from(file.as_str()?)))
                .collect(),
            cached_in: text("cached_in").map(PathBuf::from),
            more: MORE
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())))
                .collect(),
        };
        (load.name.is_some() || !load.files.is_empty()).then_some(load)
    }

    fn inputs(&self) -> Vec<Input> {
        match (&self.name, self.files.as_slice()) {
            (name, [one]) if name.is_some() || one.is_dir() => vec![Input::at(one.clone())],
            (_, files) => inputs::group(&files.iter().cloned().collect::<BTreeSet<_>>()),
        }
    }

    /// The field that a revision stands under.
    fn revision_field(&self) -> &'static str {
        match self.role.as_str() {
            "dataset" => "version_sha",
            _ => "model_revision",
        }
    }
}

impl Session {
    /// Records what was loaded by name, where somebody else watches the files.
    pub fn record_loads(&self, loads: &[Load]) -> Result<()> {
        if self.is_over() || self.rank() > 0 {
            return Ok(());
        }
        let mut budget = Budget::new(inputs::DIGEST_TIME);
        self.record_loaded(loads, &mut budget).map(drop)
    }

    /// Records each load that nobody told of. Answers how many inputs they are.
    pub(super) fn record_loaded(&self, loads: &[Load], budget: &mut Budget) -> Result<u64> {
        if loads.is_empty() {
            return Ok(0);
        }
        let inputs: Vec<_> = loads.iter().flat_map(Load::inputs).collect();
        let names: Vec<_> = loads
            .iter()
            .filter_map(|load| load.name.as_deref())
            .collect();
        let folded = self.told_of_files(inputs.iter().map(Input::path), &names)?;
        let known = Known::of(self, &folded);
        let mut told = Told::of(&folded.used);
        let mut count = 0;
        for load in loads {
            if load.files.is_empty() {
                let is_it = |input: &Fields| {
                    let name = load.name.as_deref();
                    input.get("name").and_then(Value::as_str) == name && !input.contains_key("file")
                };
                if folded.used.iter().any(is_it) {
                    continue;
                }
                self.record_load(load, Fields::new(), "cannot tell where it lies")?;
                count += 1;
            }
            for input in load.inputs() {
                let stored = self.project().stored_path(input.path());
                if known.has(input.path()) || !told.take(stored) || !input.path().exists() {
                    continue;
                }
                let entry = input.entry(self.project(), "call", budget);
                self.record_load(load, entry, "")?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn record_load(&self, load: &Load, mut entry: Fields, unknown: &str) -> Result<()> {
        let mut put = |name: &str, value: Value| entry.insert(name.to_owned(), value);
        put("role", Value::from(load.role.clone()));
        if let Some(name) = &load.name {
            put("name", Value::from(name.clone()));
        }
        if let Some(revision) = &load.revision {
            put(load.revision_field(), Value::from(revision.clone()));
        }
        if !unknown.is_empty() {
            put("digest", Value::Null);
            put("digest_unknown", Value::from(unknown));
            put("observed_by", Value::from("call"));
        }
        if let Some(cache) = &load.cached_in {
            put("cached_in", Value::from(self.project().stored_path(cache)));
        }
        entry.extend(load.more.clone());
        // A name may be a URL with a token in it.
        let mut input = Value::Object(entry);
        redactor().json(&mut input);
        match input {
            Value::Object(input) => self.record(ArtifactUsed { input }),
            _ => Ok(()),
        }
    }
}

/// Paths that the inputs of a session name, as stored.
pub(super) struct Told {
    paths: BTreeSet<String>,
}

impl Told {
    pub(super) fn of(used: &[Fields]) -> Self {
        let paths = |input: &Fields| {
            ["file", "cached_in"].map(|name| Some(input.get(name)?.as_str()?.to_owned()))
        };
        Self {
            paths: used.iter().flat_map(paths).flatten().collect(),
        }
    }

    /// Takes a path up; false where it was told.
    fn take(&mut self, stored: String) -> bool {
        self.paths.insert(stored)
    }

    /// Whether it, or a folder that it lies in, was told.
    pub(super) fn has(&self, stored: &str) -> bool {
        std::path::Path::new(stored)
            .ancestors()
            .filter_map(|up| up.to_str())
            .any(|up| self.paths.contains(up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_tells_of_nothing_is_none() {
        let fields = |text: &str| match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => fields,
            other => panic!("{other:?}"),
        };
        assert_eq!(Load::from_fields(&fields(r#"{"role": "model"}"#)), None);
        assert_eq!(Load::from_fields(&fields(r#"{"name": "a/b"}"#)), None);
        let text = r#"{"role": "model", "name": "a/b", "asked_revision": "v1", "odd": 1}"#;
        let load = Load::from_fields(&fields(text)).unwrap();
        assert_eq!(load.more, fields(r#"{"asked_revision": "v1"}"#));
    }

    #[test]
    fn what_lies_in_a_folder_that_was_told_was_told() {
        let mut input = Fields::new();
        input.insert("file".to_owned(), Value::from("models/a"));
        input.insert("cached_in".to_owned(), Value::from("/c/x"));
        let told = Told::of(&[input]);
        for stored in ["models/a", "models/a/w.bin", "/c/x/y.arrow"] {
            assert!(told.has(stored), "{stored}");
        }
        assert!(!told.has("models/ab") && !told.has("models"));
    }
}
