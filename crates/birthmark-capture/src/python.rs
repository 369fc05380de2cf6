//! The interpreter and what is installed for it, without importing or running any.
//!
//! Names and versions stand in the names of the `*.dist-info` folders, so one listing
//! of each folder of the search path tells them all. What torch was built for stands
//! in its `version.py`, which is read as text.
//!
//! # Limits
//!
//! * Distributions in zip files and in `.egg` folders are not seen.
//! * Without an interpreter to say so (command line), the search path is that of its
//!   layout: `.pth` files and `sitecustomize` are not followed.

mod installed;
mod interpreter;
mod lock;

use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_core::Finding;
use birthmark_core::environment::{Packages, Python, TorchBuild};

use crate::probe::with_time_limit;
use crate::process::read_head;

pub use interpreter::{find_interpreter, interpreter_at};
pub use lock::{LockFile, lock_file, pins};

/// What the Python door knows of its interpreter, or the command line of the nearest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// `sys.version`, or the bare number.
    pub version: String,
    /// `sys.implementation.name`, as its makers write it ("CPython").
    pub implementation: Option<String>,
    /// `sys.executable`.
    pub executable: Option<PathBuf>,
    /// `sys.path`; the first entry that has a distribution wins.
    pub sys_path: Vec<PathBuf>,
}

/// What there is to know of an interpreter and its packages. The folders are read for at
/// most `limit`: what is late (a network file system) is unknown.
pub fn python(interpreter: &Interpreter, limit: Duration) -> Python {
    let paths = interpreter.sys_path.clone();
    let answer = with_time_limit("the list of packages", limit, move || {
        (packages(&paths), torch_build(&paths))
    });
    let (packages, torch) = match answer {
        Finding::Found((packages, torch)) => (Finding::Found(packages), torch),
        Finding::Absent => (Finding::Absent, Finding::Absent),
        Finding::Unknown(reason) => (Finding::Unknown(reason.clone()), Finding::Unknown(reason)),
    };
    Python {
        version: interpreter.version.clone(),
        implementation: interpreter.implementation.clone(),
        executable: interpreter
            .executable
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned()),
        packages,
        torch,
    }
}

/// The installed distributions of a search path.
pub fn packages(sys_path: &[PathBuf]) -> Packages {
    installed::packages(sys_path)
}

/// A name as indexes compare it: lower case, runs of `-`, `_`, `.` as one `-`.
pub fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// What the first torch on the search path was built for; absent where there is none.
pub fn torch_build(sys_path: &[PathBuf]) -> Finding<TorchBuild> {
    let Some(folder) = sys_path
        .iter()
        .map(|path| path.join("torch"))
        .find(|path| is_package(path))
    else {
        return Finding::Absent;
    };
    match read_head(folder.join("version.py"), 1 << 16) {
        Some(text) => Finding::Found(parse_torch(&text)),
        None => Finding::unknown("torch/version.py cannot be read"),
    }
}

fn is_package(folder: &Path) -> bool {
    folder.join("version.py").exists() || folder.join("__init__.py").exists()
}

/// Lines `name = 'value'` and `name: Optional[str] = 'value'`.
fn parse_torch(text: &str) -> TorchBuild {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            let left = left.split(':').next()?.trim();
            if left != name {
                return None;
            }
            let right = right.split('#').next()?.trim();
            let quote = right.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let inner = right.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.is_empty()).then(|| inner.to_owned())
        })
    };
    TorchBuild {
        version: value("__version__"),
        cuda: value("cuda"),
        hip: value("hip"),
        git_version: value("git_version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_indexes_do() {
        for (name, same) in [
            ("Flash_Attn", "flash-attn"),
            ("ruamel.yaml", "ruamel-yaml"),
            ("a-_.b", "a-b"),
        ] {
            assert_eq!(normalised(name), same);
        }
    }

    #[test]
    fn torch_says_what_it_was_built_for() {
        let text = "from typing import Optional\n\n__all__ = ['__version__', 'debug', 'cuda']\n\
            __version__ = '2.5.1+cu124'\ndebug = False\ncuda: Optional[str] = '12.4'\n\
            git_version = 'a8d6afb511a69687bbb2b7e88a3cf67917e1697e'\nhip: Optional[str] = None\n";
        let build = parse_torch(text);
        assert_eq!(build.version.as_deref(), Some("2.5.1+cu124"));
        assert_eq!((build.cuda.as_deref(), build.hip), (Some("12.4"), None));
        assert_eq!(build.git_version.map(|commit| commit.len()), Some(40));
        let cpu = parse_torch("__version__ = \"2.5.1\"\ncuda = None\n");
        assert_eq!((cpu.version.as_deref(), cpu.cuda), (Some("2.5.1"), None));
        assert_eq!(
            parse_torch("'''\n=\n=='\ncuda = '\n"),
            TorchBuild::default()
        );
    }
}
