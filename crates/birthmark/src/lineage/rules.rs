//! Which files that were opened are inputs, which are code, and which are noise.
//!
//! The rules are looked at in this order; the first that fits says what the file is. A project
//! adds its own with `[lineage] ignore = ["*.tmp", "scratch/**"]` in `birthmark.toml`.
//!
//! | rule | fits | it is |
//! |---|---|---|
//! | `birthmark` | the store, manifests, sidecars, `birthmark.toml` | noise |
//! | `ignore` | a glob of the project's own | noise |
//! | `git` | within `.git` | noise |
//! | `cache` | how the hub fetched something: `refs`, `.no_exist` | noise |
//! | `hub` | what a cache of models or datasets holds, wherever it lies (see `caches`) | data |
//! | `weights` | model weights, Parquet, Arrow and such, wherever they lie | data |
//! | `packages` | installed packages and virtual environments | noise |
//! | `code` | Python's modules and scripts within a repository; compiled modules within the project | code |
//! | `bytecode`, `library` | `.pyc`, `.so` and such | noise |
//! | `hub` | the caches of Hugging Face's hub and datasets | data |
//! | `cache` | folders of caches by name; outside of the project also `.cache`, but for those of data sets and weights | noise |
//! | `system`, `home` | outside of the project: `/usr`, `/etc`, `~/.x` (but for those of data sets) … | noise |
//! | `temporary` | `$TMPDIR`, `/tmp`, `/var/tmp`, `/dev/shm`, of what was not there before the run | noise |

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use birthmark_capture::process;
use birthmark_core::plan::Plan;
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::Layout;
use birthmark_store::config::CONFIG_NAME;
use birthmark_store::layout::STORE_NAME;

use super::caches;
use crate::project::Project;

/// What a file is to the run that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Something that it worked on.
    Data,
    /// A module or script of a repository.
    Code,
    /// Left out, by the rule of this name.
    Noise(&'static str),
}

/// Endings of files that hold weights or data and nothing else.
const DATA: [&str; 16] = [
    "safetensors",
    "gguf",
    "onnx",
    "parquet",
    "arrow",
    "feather",
    "npy",
    "npz",
    "h5",
    "hdf5",
    "tfrecord",
    "jsonl",
    "ndjson",
    "ckpt",
    "mds",
    "lance",
];
/// How the folder is called that `birthmark run` gives to Pythons.
pub(crate) const OF_PYTHON: &str = "birthmark-python-";
const CODE: [&str; 7] = ["py", "sh", "bash", "R", "jl", "pl", "ipynb"];
const CACHES: [&str; 6] = [
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    "node_modules",
];
const SYSTEM: [&str; 12] = [
    "/usr", "/etc", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/proc", "/sys", "/dev", "/run",
    "/var",
];

/// Folders for temporary files, beside that of `TMPDIR`.
const TEMPORARY: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Hidden folders of a home in which data sets and weights lie.
const DATA_AT_HOME: [&str; 7] = [
    ".keras",
    ".cache/torch",
    ".cache/nltk",
    ".cache/kagglehub",
    ".cache/openml",
    ".cache/tfds",
    ".data",
];

/// The rules of a project.
pub(crate) struct Rules {
    root: PathBuf,
    artifacts: PathBuf,
    home: Option<PathBuf>,
    temporary: PathBuf,
    ignore: Vec<Plan>,
}

impl Rules {
    /// The rules as `birthmark.toml` has them.
    pub(crate) fn of(project: &Project) -> Self {
        let ignore = &project.config.lineage.value.ignore;
        Self {
            root: project.root().to_owned(),
            artifacts: project.layout.artifacts().to_owned(),
            home: process::variable("HOME").map(PathBuf::from),
            temporary: std::env::temp_dir(),
            ignore: ignore.iter().map(|glob| Plan::parse(glob)).collect(),
        }
    }

    /// What a file is, by its absolute path.
    pub(crate) fn class(&self, path: &Path) -> Class {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let text = path.to_string_lossy();
        let has = |part: &str| path.components().any(|one| one.as_os_str() == part);
        let starts = |part: &str| text.contains(&format!("/{part}"));
        let ours = has(STORE_NAME)
            || name.ends_with(SIDECAR_SUFFIX)
            || name == CONFIG_NAME
            || name.starts_with(".birthmark-")
            || starts(OF_PYTHON)
            || Layout::session_of_manifest(path).is_some();
        if ours {
            return Class::Noise("birthmark");
        }
        if self.ignore.iter().any(|glob| glob.matches(&text)) {
            return Class::Noise("ignore");
        }
        if has(".git") {
            return Class::Noise("git");
        }
        if caches::is_about_fetching(path) {
            return Class::Noise("cache");
        }
        if caches::named(path).is_some() {
            return hub(&name);
        }
        let within = path.starts_with(&self.root) || path.starts_with(&self.artifacts);
        let packages = has("site-packages") || has("dist-packages");
        if DATA.contains(&&*ending) {
            // What a package brings was put there to stay, wherever its environment lies.
            return if packages {
                Class::Data
            } else {
                self.unless_temporary(path)
            };
        }
        if packages || is_of_python(path, &self.root) {
            return Class::Noise("packages");
        }
        if CODE.contains(&&*ending) && !self.is_elsewhere(path) {
            return Class::Code;
        }
        let is_library = ending == "so" || name.contains(".so.") || ending == "pyd";
        let is_bytecode = ending == "pyc";
        // What stands there without its source, or was built in place, is what ran.
        let is_compiled = is_library || is_bytecode && !has("__pycache__");
        if is_compiled && path.starts_with(&self.root) {
            return Class::Code;
        }
        if is_bytecode {
            return Class::Noise("bytecode");
        }
        if is_library {
            return Class::Noise("library");
        }
        if text.contains("/huggingface/hub/") || text.contains("/huggingface/datasets/") {
            return hub(&name);
        }
        if CACHES.iter().any(|cache| has(cache)) {
            return Class::Noise("cache");
        }
        if within {
            return Class::Data;
        }
        if has(".cache") && !self.is_data_at_home(path) {
            return Class::Noise("cache");
        }
        self.outside(path)
    }

    fn is_data_at_home(&self, path: &Path) -> bool {
        let below = self
            .home
            .as_deref()
            .and_then(|home| path.strip_prefix(home).ok());
        below.is_some_and(|below| DATA_AT_HOME.iter().any(|known| below.starts_with(known)))
    }

    fn is_temporary(&self, path: &Path) -> bool {
        path.starts_with(&self.temporary) || TEMPORARY.iter().any(|place| path.starts_with(place))
    }

    /// What a file is that was there before a moment in microseconds: in a temporary folder such a
    /// one was put there for the run to read.
    pub(crate) fn class_of_old(&self, path: &Path, since: i64) -> Class {
        match self.class(path) {
            Class::Noise("temporary") if is_older(path, since) && !is_lock(path) => Class::Data,
            class => class,
        }
    }

    fn outside(&self, path: &Path) -> Class {
        if SYSTEM.iter().any(|place| path.starts_with(place)) && !self.is_temporary(path) {
            return Class::Noise("system");
        }
        if self.is_hidden_at_home(path) && !self.is_data_at_home(path) {
            return Class::Noise("home");
        }
        self.unless_temporary(path)
    }

    /// Whether it lies in a hidden folder of a home: a program that was installed under
    /// another `HOME` than that of now has its files there.
    fn is_hidden_at_home(&self, path: &Path) -> bool {
        let others = path.ancestors().find(|up| {
            *up == Path::new("/root")
                || up.parent().is_some_and(|homes| homes == Path::new("/home"))
        });
        let homes = self.home.as_deref().into_iter().chain(others);
        let mut below = homes.filter_map(|home| path.strip_prefix(home).ok()?.components().next());
        below.any(|first| first.as_os_str().as_encoded_bytes().starts_with(b"."))
    }

    fn unless_temporary(&self, path: &Path) -> Class {
        let within = path.starts_with(&self.root) || path.starts_with(&self.artifacts);
        if self.is_temporary(path) && !within {
            Class::Noise("temporary")
        } else {
            Class::Data
        }
    }

    /// Of code in temporary folders, what is in no repository is left out later.
    fn is_elsewhere(&self, path: &Path) -> bool {
        let outside = self.outside(path);
        matches!(outside, Class::Noise(rule) if rule != "temporary")
            && !path.starts_with(&self.root)
    }
}

/// A file that programs lock, and that tells nothing.
fn is_lock(path: &Path) -> bool {
    let is_empty = || path.metadata().is_ok_and(|found| found.len() == 0);
    path.extension().is_some_and(|ending| ending == "lock") && is_empty()
}

/// Whether a regular file was made and last written before a moment in microseconds.
fn is_older(path: &Path, since: i64) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
        && super::modules::written(path) < since
        && !super::record::was_born(path, since)
}

/// Of the caches only the content counts, not how it was fetched.
fn hub(name: &str) -> Class {
    let ending = name.rsplit('.').next().unwrap_or_default();
    let fetching = ["lock", "incomplete", "metadata"].contains(&ending) || name == "version.txt";
    if fetching {
        Class::Noise("cache")
    } else {
        Class::Data
    }
}

/// Whether a file is code by the ending of its name.
pub(crate) fn is_code(file: &str) -> bool {
    let ending = Path::new(file).extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| CODE.contains(&ending))
}

/// Whether a file belongs to an installed Python or a virtual environment.
fn is_of_python(path: &Path, root: &Path) -> bool {
    let is_library = |up: &Path| {
        up.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("python3."))
            && up
                .parent()
                .and_then(Path::file_name)
                .is_some_and(|name| name == "lib")
    };
    path.ancestors().skip(1).any(is_library)
        || path
            .ancestors()
            .skip(1)
            .take_while(|up| *up != root)
            .any(|up| up.join("pyvenv.cfg").is_file() || up.join("conda-meta").is_dir())
}

/// The source of a module of somebody's own, by the path that was opened to load it: what is
/// installed is known by its version.
pub fn source_opened(path: &[u8]) -> Option<PathBuf> {
    let has = |part: &[u8]| path.windows(part.len()).any(|window| window == part);
    let installed: [&[u8]; 3] = [b"/site-packages/", b"/dist-packages/", b"/lib/python3."];
    let is_code = path.ends_with(b".py") || path.ends_with(b".pyc");
    if !is_code || installed.into_iter().any(has) {
        return None;
    }
    let path = Path::new(OsStr::from_bytes(path));
    if path.extension()? == "py" {
        Some(path.to_owned())
    } else {
        source_of(path)
    }
}

/// The module that a file of bytecode was made of: `a/__pycache__/b.cpython-311.pyc` is `a/b.py`.
pub(crate) fn source_of(path: &Path) -> Option<PathBuf> {
    if path.extension()? != "pyc" {
        return None;
    }
    let name = path.file_name()?.to_str()?;
    let stem = name.split('.').next()?;
    let folder = path.parent()?;
    (folder.file_name()? == "__pycache__")
        .then(|| folder.parent().map(|up| up.join(format!("{stem}.py"))))?
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "fixtures")]
mod tests {
    use birthmark_store::config::Config;

    use super::*;

    #[test]
    fn each_rule_knows_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("proj");
        let mut config = Config::default();
        config.lineage.value.ignore = vec!["*.scratch".to_owned()];
        let project = Project {
            layout: Layout::new(&root, root.join("artifacts")),
            config,
        };
        let rules = Rules::of(&project);
        let at = |path: &str| {
            if path.starts_with('/') {
                PathBuf::from(path)
            } else {
                root.join(path)
            }
        };
        for (path, class) in [
            ("data/train.csv", Class::Data),
            ("artifacts/a.jsonl", Class::Data),
            ("train.py", Class::Code),
            ("lib/mod.py", Class::Code),
            ("x.scratch", Class::Noise("ignore")),
            ("artifacts/.birthmark/open", Class::Noise("birthmark")),
            ("artifacts/a.json.birthmark.json", Class::Noise("birthmark")),
            (".git/HEAD", Class::Noise("git")),
            ("__pycache__/a.cpython-311.pyc", Class::Noise("bytecode")),
            ("__pycache__/native.so", Class::Code),
            ("lib.pyc", Class::Code),
            ("/opt/x/native.so", Class::Noise("library")),
            ("/opt/x/lib.pyc", Class::Noise("bytecode")),
            ("/usr/lib/python3.11/os.py", Class::Noise("packages")),
            (
                "/v/lib/python3.11/site-packages/x/y.json",
                Class::Noise("packages"),
            ),
            ("/v/lib/python3.11/site-packages/m/q8.gguf", Class::Data),
            ("/usr/share/zoneinfo/UTC", Class::Noise("system")),
            ("/etc/hosts", Class::Noise("system")),
            ("/root/.pyenv/version", Class::Noise("home")),
            ("/home/ana/.pyenv/shims/python3", Class::Noise("home")),
            ("/home/ana/data/.x/train.csv", Class::Data),
            ("/mnt/data/train.bin", Class::Data),
            (
                "/c/huggingface/hub/models--a--b/snapshots/r/config.json",
                Class::Data,
            ),
            ("/c/huggingface/hub/.locks/x.lock", Class::Noise("cache")),
            (
                "/c/huggingface/hub/models--a--b/refs/main",
                Class::Noise("cache"),
            ),
            ("/tmp/elsewhere/x.csv", Class::Noise("temporary")),
            ("/tmp/elsewhere/x.gguf", Class::Noise("temporary")),
            ("/tmp/e/lib/python3.11/site-packages/m/q8.gguf", Class::Data),
            ("/tmp/elsewhere/x.py", Class::Code),
            ("/tmp/hf/models--a--b/snapshots/r/config.json", Class::Data),
        ] {
            assert_eq!(rules.class(&at(path)), class, "{path}");
        }
        let source = source_of(Path::new("/p/a/__pycache__/b.cpython-311.pyc"));
        assert_eq!(source, Some(PathBuf::from("/p/a/b.py")));
        assert_eq!(source_of(Path::new("/p/a/b.py")), None);
    }

    #[test]
    fn what_programs_lock_is_no_data_and_what_lay_in_a_temporary_folder_before_is() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::find(dir.path()).unwrap();
        let rules = Rules::of(&project);
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let later = crate::session::now().micros() + 1_000_000;
        let class = |path: &Path| rules.class_of_old(path, later);
        assert_eq!(class(&at("set.lock", "")), Class::Noise("temporary"));
        assert_eq!(class(&at("uv.lock", "version = 1")), Class::Data);
        assert_eq!(class(&at("x.csv", "")), Class::Data);
    }
}
