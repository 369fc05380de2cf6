//! The environment to go back to: the lock file of a project, and pins written from what is
//! installed.
//!
//! A lock file says what was meant; the pins say what was there. Neither is executed: a lock
//! file is kept as it lies, and pins come from the metadata of the distributions.
//!
//! # Limits
//!
//! * A `requirements.txt` counts only where every line pins a version, names a hash or a URL.
//! * Pins name no index: a build from another index (`torch==2.5.1+cu124`) has its version, and
//!   not where it came from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use birthmark_core::environment::{Packages, Python};

use super::Interpreter;
use crate::git;
use crate::process::{read_head, redactor};

/// A larger lock file is not kept.
const LOCK_LIMIT: u64 = 32 << 20;
/// Files that lock, the strictest first.
const NAMES: [&str; 11] = [
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.yml",
    "conda-lock.yaml",
    "environment.yml",
    "environment.yaml",
    "requirements.txt",
];

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text, with the credentials of its URLs taken out.
    pub text: String,
    /// Whether anything was taken out.
    pub redacted: bool,
}

/// The nearest lock file, from `folder` up to `root`; absent where there is none.
pub fn lock_file(folder: &Path, root: &Path) -> Finding<LockFile> {
    for up in folder.ancestors() {
        for name in NAMES {
            let path = up.join(name);
            let Ok(found) = path.metadata() else { continue };
            if !found.is_file() {
                continue;
            }
            if found.len() > LOCK_LIMIT {
                return Finding::unknown(format!("{name} is larger than {} MB", LOCK_LIMIT >> 20));
            }
            let Some(text) = read_head(&path, LOCK_LIMIT) else {
                return Finding::unknown(format!("{name} cannot be read"));
            };
            if !is_lock(name, &text) {
                continue;
            }
            let clean = redactor().text(&text).into_owned();
            return Finding::Found(LockFile {
                path,
                redacted: clean != text,
                text: clean,
            });
        }
        if up == root {
            break;
        }
    }
    Finding::Absent
}

/// Other names lock by what they are; these two only where each line does.
fn is_lock(name: &str, text: &str) -> bool {
    match name {
        "requirements.txt" => pins_all(text),
        "environment.yml" | "environment.yaml" => {
            let mut lines = text
                .lines()
                .map(str::trim)
                .filter_map(|line| line.strip_prefix("- "));
            let mut any = false;
            lines.all(|line| {
                any = true;
                line.contains('=') || line.ends_with(':') || line.trim() == "pip"
            }) && any
        }
        _ => true,
    }
}

fn pins_all(text: &str) -> bool {
    let joined = text.replace("\\\n", " ");
    let mut lines = joined
        .lines()
        .map(|line| line.split(" #").next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|line| !line.starts_with("--"))
        .peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            line.contains("==")
                || line.contains("--hash=")
                || line.contains(" @ ")
                || line.contains("://")
        })
}

/// Pins of all that is installed, as a requirements file that pip takes.
pub fn pins(interpreter: &Interpreter, python: &Python) -> Finding<String> {
    let packages = match &python.packages {
        Finding::Found(packages) => packages,
        Finding::Absent => return Finding::Absent,
        Finding::Unknown(reason) => return Finding::Unknown(reason.clone()),
    };
    let version = interpreter
        .version
        .split_whitespace()
        .next()
        .unwrap_or_default();
    let mut text = format!(
        "# What was installed, as Birthmark found it. Python {version}, {}.\n",
        interpreter
            .implementation
            .as_deref()
            .unwrap_or("unknown implementation"),
    );
    for folder in &packages.unread {
        comment(&mut text, &format!("not all is here: {folder}"));
    }
    for (name, versions) in &packages.ambiguous {
        comment(
            &mut text,
            &format!(
                "{name}: several versions lie there: {}",
                versions.join(", ")
            ),
        );
    }
    write_pins(&mut text, packages);
    Finding::Found(redactor().text(&text).into_owned())
}

fn write_pins(text: &mut String, packages: &Packages) {
    for (name, package) in &packages.by_name {
        let version = &package.version;
        match &package.source {
            // Metadata is data: a line end in it must not make a line of its own.
            Some(source) if source.contains(char::is_whitespace) => {
                comment(text, &format!("{name}=={version}: from {source}"));
            }
            Some(source) if package.editable => editable(text, name, version, source),
            Some(source) => {
                let _ = writeln!(text, "{name} @ {source}");
            }
            None if package.editable => {
                comment(
                    text,
                    &format!("{name}=={version}: editable, from where is not told"),
                );
            }
            None if version.contains(char::is_whitespace) => {
                comment(text, &format!("{name}: version {version}"));
            }
            None => {
                let _ = writeln!(text, "{name}=={version}");
            }
        }
    }
}

/// An editable install is what its repository was at; where a remote has that commit, it can
/// be had again.
fn editable(text: &mut String, name: &str, version: &str, source: &str) {
    let Some(folder) = source.strip_prefix("file://") else {
        let _ = writeln!(text, "{name} @ {source}");
        return;
    };
    let code = git::capture_head(Path::new(folder));
    let commit = code.commit.found().cloned();
    let remote = code.remote.found().cloned();
    match (commit, remote) {
        (Some(commit), Some(remote)) if remote.contains("://") => {
            comment(text, &format!("{name}: editable, from {folder}"));
            let _ = writeln!(text, "{name} @ git+{remote}@{commit}");
        }
        (Some(commit), _) => comment(
            text,
            &format!(
                "{name}=={version}: editable, from {folder} at commit {commit}, which has no remote address"
            ),
        ),
        (None, _) => comment(
            text,
            &format!("{name}=={version}: editable, from {folder}, no commit"),
        ),
    }
}

fn comment(text: &mut String, what: &str) {
    let _ = writeln!(text, "# {}", what.replace(['\n', '\r'], " "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "tests build their own world")]
    fn file(folder: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(folder).expect("folder");
        std::fs::write(folder.join(name), text).expect("file");
    }

    fn found(folder: &Path, root: &Path) -> Option<String> {
        match lock_file(folder, root) {
            Finding::Found(lock) => Some(lock.path.file_name()?.to_string_lossy().into_owned()),
            _ => None,
        }
    }

    #[test]
    fn the_nearest_lock_up_to_the_root_counts_and_loose_requirements_do_not() {
        let dir = tempfile::tempdir().expect("temp dir");
        let (root, deep) = (dir.path().join("p"), dir.path().join("p/a/b"));
        file(dir.path(), "uv.lock", "outside");
        file(&deep, "requirements.txt", "numpy>=2\ntorch\n");
        assert_eq!(found(&deep, &root), None);
        file(&root, "poetry.lock", "x");
        assert_eq!(found(&deep, &root).as_deref(), Some("poetry.lock"));
        file(&root, "uv.lock", "x");
        assert_eq!(found(&deep, &root).as_deref(), Some("uv.lock"));
        file(
            &deep,
            "requirements.txt",
            "# pinned\n--index-url https://x\nnumpy==2.3.4 \\\n  --hash=sha256:00\nfoo @ https://h/f.whl\n",
        );
        assert_eq!(found(&deep, &root).as_deref(), Some("requirements.txt"));
        file(&deep, "requirements.txt", "# nothing\n");
        assert_eq!(found(&deep, &root).as_deref(), Some("uv.lock"));
    }

    #[test]
    fn credentials_in_a_lock_are_taken_out() {
        let dir = tempfile::tempdir().expect("temp dir");
        let url = ["https://bob:", "hunter2hunter2", "@index.example/simple"].concat();
        file(
            dir.path(),
            "requirements.txt",
            &format!("--index-url {url}\na==1\n"),
        );
        let Finding::Found(lock) = lock_file(dir.path(), dir.path()) else {
            panic!("no lock")
        };
        assert!(
            lock.redacted && !lock.text.contains("hunter2"),
            "{}",
            lock.text
        );
        assert!(lock.text.contains("a==1"));
    }

    #[test]
    fn pins_name_versions_urls_and_what_cannot_be_pinned() {
        let mut packages = Packages::default();
        let mut put = |name: &str, version: &str, editable, source: Option<&str>| {
            packages.by_name.insert(
                name.to_owned(),
                birthmark_core::environment::Package {
                    version: version.to_owned(),
                    editable,
                    source: source.map(str::to_owned),
                },
            );
        };
        put("numpy", "2.3.4", false, None);
        put("vcs", "1", false, Some("git+https://h/r.git@abc"));
        put("edit", "3", true, Some("file:///nowhere/at/all"));
        put("evil", "1", false, Some("https://h/x\nos-evil==9"));
        packages
            .ambiguous
            .insert("two".to_owned(), vec!["1".to_owned(), "2".to_owned()]);
        let mut text = String::new();
        write_pins(&mut text, &packages);
        let pinned: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(pinned, ["numpy==2.3.4", "vcs @ git+https://h/r.git@abc"]);
        assert!(
            text.contains("# edit==3: editable, from /nowhere/at/all"),
            "{text}"
        );
    }
}
