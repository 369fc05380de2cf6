//! The interpreter that a command line would use, found without running it.

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::Finding;

use super::Interpreter;
use crate::probe::find_program;
use crate::process::{read_head, variable};

/// The interpreter of the active environment (`VIRTUAL_ENV`, `CONDA_PREFIX`), else the
/// first Python on `PATH`; absent where there is none, unknown where its layout is not
/// one that we can read.
pub fn find_interpreter() -> Finding<Interpreter> {
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        if let Some(prefix) = variable(name)
            .map(PathBuf::from)
            .filter(|prefix| prefix.is_absolute())
        {
            let executable = prefix.join("bin/python");
            if executable.exists() {
                return at(&executable);
            }
        }
    }
    match ["python3", "python"]
        .iter()
        .find_map(|name| find_program(name).found().cloned())
    {
        Some(executable) => at(&executable),
        None => Finding::Absent,
    }
}

/// The interpreter at a path, by the layout around it, without running it.
pub fn interpreter_at(executable: &Path) -> Finding<Interpreter> {
    at(executable)
}

fn at(executable: &Path) -> Finding<Interpreter> {
    let Some(prefix) = executable.parent().and_then(Path::parent) else {
        return unreadable(executable);
    };
    let config = read_head(prefix.join("pyvenv.cfg"), 1 << 16);
    let real = executable
        .canonicalize()
        .unwrap_or_else(|_| executable.to_owned());
    let base = real.parent().and_then(Path::parent).unwrap_or(prefix);
    let Some(library) = library(prefix).or_else(|| library_of(base, &real)) else {
        return unreadable(executable);
    };
    let said = config.as_deref().and_then(version_of_venv);
    let minor = library
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let minor = minor
        .trim_start_matches("python")
        .trim_start_matches("pypy")
        .to_owned();
    let version = said
        .or_else(|| version_of_base(base, &minor))
        .unwrap_or_else(|| minor.clone());
    let system_too = config.as_deref().is_none_or(|text| {
        setting(text, "include-system-site-packages")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    });
    let mut sys_path = vec![library.join("site-packages")];
    if system_too {
        sys_path.extend(system_folders(base, &minor));
    }
    sys_path.retain(|folder| folder.is_dir());
    sys_path.dedup();
    let pypy = library.to_string_lossy().contains("pypy");
    Finding::Found(Interpreter {
        version,
        implementation: Some(if pypy { "PyPy" } else { "CPython" }.to_owned()),
        executable: Some(executable.to_owned()),
        sys_path,
    })
}

fn unreadable(executable: &Path) -> Finding<Interpreter> {
    Finding::unknown(format!(
        "nothing tells the version of `{}` but running it",
        executable.display()
    ))
}

/// The one `lib/python3.x` of a prefix; `None` where there is none, or several.
fn library(prefix: &Path) -> Option<PathBuf> {
    let mut found = fs::read_dir(prefix.join("lib"))
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?;
            let number = name
                .strip_prefix("python")
                .or_else(|| name.strip_prefix("pypy"))?;
            let numbered =
                number.starts_with("3.") && number[2..].bytes().all(|b| b.is_ascii_digit());
            (numbered && entry.path().is_dir()).then(|| entry.path())
        });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The library of an executable whose own name has the version: `/usr/bin/python3.11`.
fn library_of(prefix: &Path, real: &Path) -> Option<PathBuf> {
    let name = real.file_name()?.to_str()?;
    let number = name.strip_prefix("python")?;
    let folder = prefix.join("lib").join(name);
    (number.starts_with("3.") && folder.is_dir()).then_some(folder)
}

fn setting<'a>(config: &'a str, name: &str) -> Option<&'a str> {
    config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// `version = 3.11.7` (venv), `version_info = 3.11.7.final.0` (virtualenv, uv).
fn version_of_venv(config: &str) -> Option<String> {
    let text = setting(config, "version").or_else(|| setting(config, "version_info"))?;
    let numbers: Vec<_> = text
        .split('.')
        .take(3)
        .take_while(|part| part.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    (numbers.len() >= 2).then(|| numbers.join("."))
}

/// The full version, as the headers that were installed with the interpreter have it.
fn version_of_base(base: &Path, minor: &str) -> Option<String> {
    let text = read_head(
        base.join(format!("include/python{minor}/patchlevel.h")),
        1 << 16,
    )?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("#define PY_VERSION "))?;
    let version = line.trim().trim_matches('"');
    version.starts_with(minor).then(|| version.to_owned())
}

/// Where a system's own interpreter looks as well; the second and third are Debian's.
fn system_folders(base: &Path, minor: &str) -> Vec<PathBuf> {
    let mut folders = vec![base.join(format!("lib/python{minor}/site-packages"))];
    if base == Path::new("/usr") {
        folders.insert(
            0,
            PathBuf::from(format!("/usr/local/lib/python{minor}/dist-packages")),
        );
        folders.push(PathBuf::from("/usr/lib/python3/dist-packages"));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_maker_of_environments_is_understood() {
        for (config, version) in [
            ("home = /usr/bin\nversion = 3.11.7\n", Some("3.11.7")),
            ("version_info = 3.12.1.final.0\n", Some("3.12.1")),
            ("version_info = 3.13.2\nuv = 0.6\n", Some("3.13.2")),
            ("version = x\n", None),
            ("", None),
        ] {
            assert_eq!(version_of_venv(config).as_deref(), version, "{config}");
        }
    }

    #[test]
    fn a_shim_without_a_library_is_unknown() {
        let dir = tempfile::tempdir().expect("temp dir");
        fs::create_dir(dir.path().join("bin")).expect("folder");
        let shim = dir.path().join("bin/python3");
        fs::copy("/bin/sh", &shim).expect("a program");
        assert!(at(&shim).reason().is_some());
    }
}
