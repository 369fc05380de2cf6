//! The environment of a run, built again as a venv.
//!
//! | taken from | what |
//! |---|---|
//! | the pins in the store | every distribution that was installed, at its version or address |
//! | the lock file in the store | the indexes and folders that it names beside the usual one |
//! | this machine | Python itself, of the recorded version where one is found, and Birthmark |
//!
//! # Limits
//!
//! * Pip's own settings and variables hold (`PIP_INDEX_URL`, `PIP_NO_INDEX`, `PIP_FIND_LINKS`).
//! * What was installed in place without a remote address is a comment in the pins: it is said,
//!   and not installed.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use birthmark_core::birthmark::Fields;
use birthmark_core::digest::Digest;
use birthmark_store::{Durability, atomic, objects};
use serde_json::Value;

use super::plan::Plan;
use crate::error::{Error, Result};
use crate::text::{count, short};

/// Where it lies, from the top of the code.
pub(super) const FOLDER: &str = ".venv-reproduce";
const REQUIREMENTS: &str = ".birthmark-pins.txt";
/// Options of a requirements file that say where distributions are.
const INDEX_OPTIONS: [&str; 5] = [
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
];
/// The index that pip asks unless told otherwise.
const USUAL: &str = "https://pypi.org/simple";

/// What a venv would be built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// Lines for pip, one a distribution.
    pins: Vec<String>,
    /// What the pins say cannot be had.
    missing: Vec<String>,
    /// Lines for pip that name indexes.
    indexes: Vec<String>,
    /// The lock file that they come from.
    lock: Option<String>,
}

impl Recipe {
    /// From what the store keeps of the environment.
    pub(super) fn of(plan: &Plan) -> Result<Self> {
        let fields = &plan.environment_fields;
        let no_pins = || {
            Error::usage("no-pins", "no pins were recorded for that run")
                .with_hint("leave --venv out, and activate an environment of your own")
        };
        let pins = object(plan, fields, "pins_object").ok_or_else(no_pins)?;
        let lock = fields.get("lock_file").and_then(Value::as_str);
        let indexes = match (lock, object(plan, fields, "lock_object")) {
            (Some(name), Some(text)) => indexes(name, &text),
            _ => Vec::new(),
        };
        Ok(Self {
            lock: lock.filter(|_| !indexes.is_empty()).map(str::to_owned),
            indexes,
            ..Self::from_pins(&pins)
        })
    }

    fn from_pins(text: &str) -> Self {
        let mut recipe = Self {
            pins: Vec::new(),
            missing: Vec::new(),
            indexes: Vec::new(),
            lock: None,
        };
        for line in text.lines().map(str::trim) {
            let is_ours = ["birthmark", "pip"].iter().any(|own| {
                let rest = line.strip_prefix(own).unwrap_or_default();
                rest.starts_with("==") || rest.starts_with(" @ ")
            });
            match line.strip_prefix('#') {
                // The one that runs is put in its place; pip comes with the venv.
                None if is_ours || line.is_empty() => {}
                None => recipe.pins.push(line.to_owned()),
                Some(comment) if comment.contains("==") => {
                    recipe.missing.push(comment.trim().to_owned());
                }
                Some(_) => {}
            }
        }
        recipe
    }

    /// For people.
    pub(super) fn told(&self) -> Vec<String> {
        let packages = count(self.pins.len() as u64, "package");
        let from = match &self.lock {
            Some(lock) => format!(", from the indexes of {}", short(lock, 60)),
            None => String::new(),
        };
        let mut lines = vec![format!("{packages} as pinned{from}")];
        let missing = self.missing.iter();
        lines.extend(missing.map(|line| format!("not to be had: {}", short(line, 100))));
        lines
    }

    fn text(&self) -> String {
        let mut lines: Vec<&str> = self.indexes.iter().map(String::as_str).collect();
        lines.extend(self.pins.iter().map(String::as_str));
        lines.push("");
        lines.join("\n")
    }
}

fn object(plan: &Plan, fields: &Fields, name: &str) -> Option<String> {
    let digest: Digest = fields.get(name)?.as_str()?.parse().ok()?;
    let bytes = objects::get(&plan.project.layout, &digest).ok()?;
    String::from_utf8(bytes).ok()
}

/// The indexes that a lock file names, as lines for pip, each once. An address of which
/// credentials were taken out is none.
fn indexes(name: &str, text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut put = |line: String| {
        let is_whole = !line.contains("[redacted") && !line.contains(USUAL);
        if is_whole && !line.chars().any(char::is_control) && !lines.contains(&line) {
            lines.push(line);
        }
    };
    let name = name.rsplit('/').next().unwrap_or(name);
    for line in text.lines().map(str::trim) {
        if name == "requirements.txt" {
            let option = line.split(['=', ' ']).next().unwrap_or_default();
            if INDEX_OPTIONS.contains(&option) {
                put(line.to_owned());
            }
        } else if name == "uv.lock" {
            // source = { registry = "https://download.pytorch.org/whl/cu124" }
            let address = line
                .strip_prefix("source = { registry = \"")
                .and_then(|rest| rest.split('"').next());
            if let Some(address) = address.filter(|address| address.contains("://")) {
                put(format!("--extra-index-url {address}"));
            }
        }
    }
    if name == "poetry.lock" {
        for address in legacy_sources(text) {
            put(format!("--extra-index-url {address}"));
        }
    }
    lines
}

/// Poetry names an index beside a package: `[package.source]`, `type = "legacy"`, `url = "…"`.
fn legacy_sources(text: &str) -> Vec<&str> {
    let value = |line: &str, name: &str| -> bool { line.starts_with(&format!("{name} = \"")) };
    let mut sources = Vec::new();
    let (mut within, mut legacy) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            (within, legacy) = (line == "[package.source]", false);
        } else if within && value(line, "type") {
            legacy = line.contains("\"legacy\"");
        } else if within && legacy && value(line, "url") {
            sources.extend(line.split('"').nth(1));
        }
    }
    sources
}

/// Builds it, and gives its Python.
pub(super) fn build(plan: &Plan, top: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let recipe = Recipe::of(plan)?;
    let base = base(plan);
    say(&format!(
        "birthmark: building the environment: {} (pip may take the network)",
        count(recipe.pins.len() as u64, "package")
    ));
    let requirements = top.join(REQUIREMENTS);
    atomic::replace(&requirements, recipe.text().as_bytes(), Durability::Process)?;
    let folder = top.join(FOLDER);
    step(&base, &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()])?;
    let python = folder.join("bin/python");
    let install = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-q",
        "-r",
    ];
    let words: Vec<&OsStr> = install
        .iter()
        .map(OsStr::new)
        .chain([requirements.as_os_str()])
        .collect();
    if !recipe.pins.is_empty() {
        step(python.as_os_str(), &words)?;
    }
    lend_birthmark(&base, &python);
    Ok(python)
}

/// The Python that ran, where it is here; else one of its version; else the usual one.
fn base(plan: &Plan) -> OsString {
    let ran = plan.argv.first().filter(|word| is_python(word));
    if let Some(ran) = ran.filter(|word| Path::new(word).exists()) {
        return OsString::from(ran);
    }
    let version = plan
        .environment_fields
        .get("python")
        .and_then(Value::as_str);
    let minor = version.and_then(|version| {
        let mut parts = version.split_whitespace().next()?.split('.');
        Some(format!("python{}.{}", parts.next()?, parts.next()?))
    });
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found =
        minor.filter(|name| std::env::split_paths(&places).any(|place| place.join(name).is_file()));
    OsString::from(found.unwrap_or_else(|| "python3".to_owned()))
}

/// The package that runs here stands in the venv too: no index need have this version of it.
fn lend_birthmark(base: &OsStr, python: &Path) {
    const WHERE: &str =
        "import importlib.util as u; print(u.find_spec('birthmark').submodule_search_locations[0])";
    const INTO: &str = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    let lent = asked(base, WHERE).zip(asked(python.as_os_str(), INTO));
    if let Some((package, place)) = lent {
        // Without it the script says by itself what it lacks.
        let _ = symlink(package, place.join("birthmark"));
    }
}

fn asked(python: &OsStr, what: &str) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the interpreter is the user's own, asked where a package lies"
    )]
    let answer = Command::new(python)
        .args(["-c", what])
        .current_dir("/")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let path = PathBuf::from(text.trim_end());
    (answer.status.success() && path.is_absolute()).then_some(path)
}

fn step(program: &OsStr, words: &[&OsStr]) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "asked for by the user, with no limit of its own"
    )]
    let status = Command::new(program)
        .args(words)
        // stdout is the verdict's.
        .stdout(Stdio::from(std::io::stderr()))
        .status();
    let failed = |why: String| {
        Error::usage("venv", format!("the environment could not be built: {why}"))
            .with_hint("leave --venv out, and activate an environment of your own")
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!(
            "`{}` ended with {status}",
            program.to_string_lossy()
        ))),
        Err(error) => Err(failed(error.to_string())),
    }
}

pub(super) fn is_python(word: &str) -> bool {
    word.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("python"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_and_what_cannot_be_had_are_told_apart_and_birthmark_is_left_out() {
        let recipe = Recipe::from_pins(
            "# What was installed. Python 3.11.9, CPython.\n# lib==1: editable, from /x, no commit\n\
             birthmark==0.1.0\nnumpy==2.0.0\nown @ git+https://h/o@abc\n\n",
        );
        assert_eq!(recipe.pins, ["numpy==2.0.0", "own @ git+https://h/o@abc"]);
        assert_eq!(recipe.missing, ["lib==1: editable, from /x, no commit"]);
        assert_eq!(recipe.text(), "numpy==2.0.0\nown @ git+https://h/o@abc\n");
    }

    #[test]
    fn indexes_come_from_lock_files_and_never_with_what_was_taken_out() {
        let found = indexes(
            "sub/requirements.txt",
            "--index-url https://own/simple\n--extra-index-url=https://[redacted:url]@x/\nnumpy==1\n-f wheels\n-c other\n",
        );
        assert_eq!(found, ["--index-url https://own/simple", "-f wheels"]);
        let uv = "source = { registry = \"https://pypi.org/simple\" }\n\
                  source = { registry = \"https://whl/cu124\" }\nsource = { registry = \"https://whl/cu124\" }\n";
        assert_eq!(
            indexes("uv.lock", uv),
            ["--extra-index-url https://whl/cu124"]
        );
        let poetry = "[package.source]\ntype = \"legacy\"\nurl = \"https://own\"\n\
                      [package.source]\ntype = \"git\"\nurl = \"https://git\"\n";
        assert_eq!(
            indexes("poetry.lock", poetry),
            ["--extra-index-url https://own"]
        );
        assert!(indexes("conda-lock.yml", "url: https://c").is_empty());
    }
}
