//! From files that were read to inputs: what belongs together is one, and each gets its digest
//! within a limit of time.
//!
//! | files | input |
//! |---|---|
//! | in a cache of the hub or of datasets | the model or dataset by name and revision (see `caches`) |
//! | weights beside a `config.json` | the folder, a model |
//! | more than [`MANY`] in one folder | the folder |
//! | any other | the file |

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use birthmark_core::digest::Digest;
use birthmark_core::lineage::READ_LIST;
use birthmark_core::{Fields, Finding};
use serde_json::Value;

use super::caches::{Named, named};
use super::listed::Listed;
use crate::dataset;
use crate::project::Project;
use crate::weights;

/// Files read from one folder up to which each is an input of its own.
const MANY: usize = 256;
/// Inputs that are listed.
pub(crate) const MOST: usize = 1_000;
/// How long digests may take at the end of a run.
pub(crate) const DIGEST_TIME: Duration = Duration::from_secs(20);
/// Bytes that are surely digested in a second, before it was measured.
const RATE: u64 = 400 << 20;

/// One input, before its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Input {
    role: &'static str,
    path: PathBuf,
    name: Option<String>,
    revision: Option<String>,
    /// Files of it that were read, where it is a folder.
    files: Vec<PathBuf>,
}

/// Puts together what belongs together.
pub(crate) fn group(reads: &BTreeSet<PathBuf>) -> Vec<Input> {
    let mut groups: BTreeMap<PathBuf, (Option<Named>, Vec<&PathBuf>)> = BTreeMap::new();
    for path in reads {
        let named = named(path);
        let folder = match &named {
            Some(named) => named.folder.clone(),
            None => path.parent().unwrap_or(path).to_owned(),
        };
        let group = groups.entry(folder).or_default();
        group.0 = group.0.take().or(named);
        group.1.push(path);
    }
    let mut inputs = Vec::new();
    for (folder, (named, files)) in groups {
        let whole = |role, named: Option<Named>| Input {
            role,
            path: folder.clone(),
            name: named.as_ref().and_then(|named| named.name.clone()),
            revision: named.and_then(|named| named.revision),
            files: files.iter().map(|path| (*path).clone()).collect(),
        };
        match named {
            Some(named) => inputs.push(whole(named.role, Some(named))),
            None if is_model(&folder, &files) => inputs.push(whole("model", None)),
            None if files.len() > MANY => inputs.push(whole("read", None)),
            None => inputs.extend(files.iter().map(|path| Input {
                role: role(path),
                path: (*path).clone(),
                name: None,
                revision: None,
                files: Vec::new(),
            })),
        }
    }
    inputs.sort();
    inputs
}

fn is_model(folder: &Path, files: &[&PathBuf]) -> bool {
    files.iter().any(|path| is_weights(path)) && folder.join("config.json").is_file()
}

fn is_weights(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    super::made::WEIGHTS.contains(&&*ending)
}

fn role(path: &Path) -> &'static str {
    let sure = path
        .extension()
        .is_some_and(|ending| ending == "gguf" || ending == "safetensors");
    if sure { "model" } else { "read" }
}

/// Time that digests may take together.
pub(crate) struct Budget {
    left: Duration,
    bytes: u64,
    spent: Duration,
}

impl Budget {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            left: time,
            bytes: 0,
            spent: Duration::ZERO,
        }
    }

    /// Whether so many bytes fit; by what was measured so far.
    fn allows(&self, bytes: u64) -> bool {
        let measured = self.spent > Duration::from_millis(200);
        let (done, time) = if measured {
            (self.bytes, self.spent.as_millis())
        } else {
            (RATE, 1_000)
        };
        let needed = u128::from(bytes) * time / u128::from(done.max(1));
        needed <= self.left.as_millis()
    }

    fn spend(&mut self, bytes: u64, time: Duration) {
        self.bytes += bytes;
        self.spent += time;
        self.left = self.left.saturating_sub(time);
    }

    /// The digests of a file or folder of so many bytes, or why there are none.
    pub(crate) fn digests(&mut self, path: &Path, bytes: u64) -> (Finding<String>, Option<String>) {
        self.within(bytes, || dataset::digests(path))
            .unwrap_or_else(|| {
                let reason = format!(
                    "it would take longer than the {} s that digests may take at the end of a run",
                    DIGEST_TIME.as_secs()
                );
                (Finding::unknown(reason), None)
            })
    }

    /// What reads so many bytes; `None` where they do not fit.
    fn within<T>(&mut self, bytes: u64, read: impl FnOnce() -> T) -> Option<T> {
        if !self.allows(bytes) {
            return None;
        }
        let begun = Instant::now();
        let found = read();
        self.spend(bytes, begun.elapsed());
        Some(found)
    }
}

impl Input {
    /// The entry of `inputs`: what it is, its size and digest, and how it was seen.
    pub(crate) fn entry(&self, project: &Project, by: &str, budget: &mut Budget) -> Fields {
        let mut entry = Fields::new();
        let mut put = |name: &str, value: Value| {
            entry.insert(name.to_owned(), value);
        };
        put("role", Value::from(self.role));
        if let Some(name) = &self.name {
            put("name", Value::from(name.clone()));
        }
        put("file", Value::from(project.stored_path(&self.path)));
        if let Some(revision) = &self.revision {
            let field = if self.role == "model" {
                "model_revision"
            } else {
                "version_sha"
            };
            put(field, Value::from(revision.clone()));
        }
        let size = super::made::size(&self.path);
        put("size", Value::from(size));
        if self.files.len() > 1 {
            put("files_read", Value::from(self.files.len()));
        }
        if let Some(list) = self.list(project, budget) {
            put(READ_LIST, Value::from(list.to_string()));
        }
        match budget.digests(&self.path, size) {
            (Finding::Found(digest), content) => {
                put("digest", Value::from(digest));
                if let Some(content) = content {
                    put("content_digest", Value::from(content));
                }
            }
            (Finding::Unknown(reason), _) => {
                put("digest", Value::Null);
                put("digest_state", Value::from("skipped"));
                put("digest_unknown", Value::from(reason));
            }
            (Finding::Absent, _) => {}
        }
        put("observed_by", Value::from(by));
        if self.path.is_file() {
            // What a model in GGUF says of itself: nothing else names it.
            entry.extend(weights::facts(project, &self.path));
        }
        entry
    }

    /// The object that lists those files of a folder that were read. What lies in a cache is told
    /// by its name and revision.
    fn list(&self, project: &Project, budget: &mut Budget) -> Option<Digest> {
        if self.files.is_empty() || self.name.is_some() {
            return None;
        }
        let bytes = self.files.iter().map(|path| super::made::size(path)).sum();
        let digester = crate::digests::digester();
        let listed = budget.within(bytes, || Listed::look(&self.path, &self.files, &digester))?;
        let durability = project.config.durability.value;
        listed.ok()?.keep(&project.layout, durability)
    }

    /// The same of what nobody can read any more, for this reason.
    pub(crate) fn lost(&self, project: &Project, by: &str, why: &str) -> Fields {
        let mut entry = Fields::new();
        for (name, value) in [
            ("role", Value::from(self.role)),
            ("file", Value::from(project.stored_path(&self.path))),
            ("digest", Value::Null),
            ("digest_state", Value::from("lost")),
            ("digest_unknown", Value::from(why)),
            ("observed_by", Value::from(by)),
        ] {
            entry.insert(name.to_owned(), value);
        }
        entry
    }

    /// What lies at a path, of which the caller knows the rest.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self {
            role: "read",
            path,
            name: None,
            revision: None,
            files: Vec::new(),
        }
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it, or a file of it that was read, is one of these.
    pub(super) fn is_among(&self, paths: &BTreeSet<PathBuf>) -> bool {
        paths.contains(&self.path) || self.files.iter().any(|path| paths.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_one_input() {
        let mut reads: BTreeSet<PathBuf> = (0..=MANY)
            .map(|n| PathBuf::from(format!("/p/images/{n}.png")))
            .collect();
        for path in [
            "/c/hub/models--Qwen--Qwen3-4B/snapshots/abc/config.json",
            "/c/hub/models--Qwen--Qwen3-4B/snapshots/abc/model.safetensors",
            "/c/huggingface/datasets/org___set/default/0.0.0/h/set-train.arrow",
            "/p/data.csv",
            "/m/q.gguf",
        ] {
            reads.insert(PathBuf::from(path));
        }
        let told: Vec<_> = group(&reads)
            .into_iter()
            .map(|one| {
                (
                    one.role,
                    one.path.display().to_string(),
                    one.name,
                    one.files.len(),
                )
            })
            .collect();
        let name = |text: &str| Some(text.to_owned());
        let path = |text: &str| text.to_owned();
        assert_eq!(
            told,
            [
                (
                    "dataset",
                    path("/c/huggingface/datasets/org___set/default/0.0.0/h"),
                    name("org/set"),
                    1
                ),
                (
                    "model",
                    path("/c/hub/models--Qwen--Qwen3-4B/snapshots/abc"),
                    name("Qwen/Qwen3-4B"),
                    2
                ),
                ("model", path("/m/q.gguf"), None, 0),
                ("read", path("/p/data.csv"), None, 0),
                ("read", path("/p/images"), None, MANY + 1),
            ]
        );
    }

    #[test]
    fn digests_that_would_take_too_long_are_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut budget = Budget::new(Duration::from_secs(1));
        let (digest, _) = budget.digests(dir.path(), 10 * RATE);
        assert!(digest.reason().is_some_and(|why| why.contains("longer")));
        assert!(budget.digests(dir.path(), 1).0.found().is_some());
    }
}
