//! What keeps the original as it is while the command runs again.
//!
//! On Linux the kernel does (Landlock): nothing that the command starts can write below the
//! original's folders. Its rules can only allow, so all that lies beside the way from `/` down to
//! them is allowed. Elsewhere the artifacts are looked at before and after, and a copy of the one
//! that is made again is kept.
//!
//! # Limitations
//!
//! * In a folder that holds the original no new file can be made while the command runs, only in
//!   the folders beside the original. Where temporary files would go there, they go beside the
//!   reproduction.
//! * A symbolic link on the way is passed over: what it leads to is allowed where that lies.

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(not(target_os = "linux"))]
mod kernel {
    //! Elsewhere the system cannot refuse writing.

    pub(super) fn is_here() -> bool {
        false
    }

    pub(super) fn run(
        _: &mut std::process::Command,
        _: &[std::path::PathBuf],
    ) -> Option<std::io::Result<std::process::ExitStatus>> {
        None
    }
}

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use birthmark_core::SessionId;
use birthmark_store::atomic;

use super::lay::Laid;
use super::links;
use super::plan::{InputState, Plan};
use crate::dataset;
use crate::error::Result;
use crate::logs::Part;

/// Of what a command said, its end is looked through.
const MOST_SAID: usize = 1 << 20;

/// Whether the system can refuse writing.
pub(super) fn is_here() -> bool {
    kernel::is_here()
}

/// The folders of the original, and what links of the code lead to, as they really lie.
fn originals(plan: &Plan, laid: &Laid) -> BTreeSet<PathBuf> {
    let own = [
        plan.top.as_path(),
        plan.project.root(),
        plan.project.layout.artifacts(),
    ];
    let beside = plan.beside.iter().map(|one| one.root.as_path());
    let all = own.into_iter().chain(beside);
    let own = all.filter_map(|path| path.canonicalize().ok());
    let tops = laid.beside.iter().chain([&laid.top]);
    let linked = tops.flat_map(|top| links::targets(top));
    // Without the folders that hold everything nothing would run.
    let linked = linked.filter(|path| !Path::new("/dev").starts_with(path));
    own.chain(linked).collect()
}

/// Everything that may be written: all that is neither an original nor above one.
fn allowed(folder: &Path, originals: &BTreeSet<PathBuf>, out: &mut Vec<PathBuf>) {
    if originals.contains(folder) {
        return;
    }
    if !originals.iter().any(|one| one.starts_with(folder)) {
        out.push(folder.to_owned());
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            allowed(&entry.path(), originals, out);
        }
    }
}

/// How the command ended.
pub(super) struct Ran {
    /// Its exit status; none where it was stopped.
    pub(super) exit_code: Option<i32>,
    /// What it changed of the original, where that could not be refused.
    pub(super) changed: Vec<String>,
    /// The original as it was before, where it could not be kept from writing.
    pub(super) copy: Option<PathBuf>,
}

/// Runs the command, and keeps the original as it is. The inner error is that it could not be
/// started.
pub(super) fn run(plan: &Plan, laid: &Laid, command: &mut Command) -> Result<io::Result<Ran>> {
    let mut own = vec![laid.top.as_path()];
    own.extend(laid.beside.iter().map(PathBuf::as_path));
    let originals = originals(plan, laid);
    let temporary = own_temporary(&originals, &laid.top)?;
    if let Some(folder) = &temporary {
        command.env("TMPDIR", folder);
        own.push(folder);
    }
    let ran = |status: ExitStatus, changed, copy| Ran {
        exit_code: status.code(),
        changed,
        copy,
    };
    own.retain(|path| path.exists());
    let mut paths: Vec<PathBuf> = own.iter().map(|path| (*path).to_owned()).collect();
    allowed(Path::new("/"), &originals, &mut paths);
    if let Some(status) = kernel::run(command, &paths) {
        return Ok(status.map(|status| ran(status, Vec::new(), None)));
    }
    let watch = Watch::new(plan, laid)?;
    let status = command.status();
    Ok(status.map(|status| ran(status, watch.changed(), watch.copy)))
}

/// A folder for temporary files, where the usual one holds an original: nothing new can be made
/// there.
fn own_temporary(originals: &BTreeSet<PathBuf>, top: &Path) -> Result<Option<PathBuf>> {
    let usual = std::env::temp_dir();
    let usual = usual.canonicalize().unwrap_or(usual);
    let is_on_its_way = |one: &PathBuf| one.starts_with(&usual) || usual.starts_with(one);
    if !originals.iter().any(is_on_its_way) {
        return Ok(None);
    }
    let mut name = top.file_name().unwrap_or_default().to_owned();
    name.push("-tmp");
    let folder = top.with_file_name(name);
    atomic::create_folder(&folder)?;
    Ok(Some(folder))
}

/// Files of the original, as they were before the command ran.
struct Watch {
    files: Vec<(PathBuf, Option<String>)>,
    copy: Option<PathBuf>,
}

impl Watch {
    /// Looks at the artifacts of the plan, and keeps a copy of the one that is made again.
    fn new(plan: &Plan, laid: &Laid) -> Result<Self> {
        let inputs = plan.inputs.iter().filter_map(|input| match &input.state {
            InputState::Here(path) | InputState::Grown(path, _) => Some(path.clone()),
            _ => None,
        });
        let mut copy = None;
        if let Some(original) = &plan.original {
            let mut folder = laid.top.file_name().unwrap_or_default().to_owned();
            folder.push("-original");
            let folder = laid.top.with_file_name(folder);
            let target = folder.join(original.file_name().unwrap_or_default());
            atomic::create_folder(&folder)?;
            super::lay::copy(original, &target)
                .map_err(|error| super::io(original, "copy", error))?;
            copy = Some(target);
        }
        let files = plan.original.iter().cloned().chain(inputs);
        Ok(Self {
            files: files
                .map(|path| {
                    let digest = digest(&path);
                    (path, digest)
                })
                .collect(),
            copy,
        })
    }

    /// What is no longer as it was, a line each.
    fn changed(&self) -> Vec<String> {
        let changed = self
            .files
            .iter()
            .filter(|(path, before)| digest(path) != *before);
        let mut lines: Vec<String> = changed
            .map(|(path, _)| format!("the command changed `{}`", path.display()))
            .collect();
        if let (false, Some(copy)) = (lines.is_empty(), &self.copy) {
            lines.push(format!(
                "as it was before it is kept at `{}`",
                copy.display()
            ));
        }
        lines
    }
}

fn digest(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    Some(dataset::digest_of(&real).ok()?.to_string())
}

/// The path below an original that the command was refused to write, as its own words tell.
fn refused(said: &str, originals: &BTreeSet<PathBuf>, given: &[&Path]) -> Option<String> {
    let tops = || {
        originals
            .iter()
            .map(PathBuf::as_path)
            .chain(given.iter().copied())
    };
    let refusals = ["Permission denied", "EACCES"];
    let lines = said.lines().rev();
    let mut refused = lines.filter(|line| refusals.iter().any(|word| line.contains(word)));
    refused.find_map(|line| {
        tops().find_map(|top| {
            let top = top.to_str()?;
            let from = line.find(&format!("{top}/"))?;
            let quoted = line[..from].chars().next_back();
            let end = |each: char| match quoted {
                Some(quote @ ('\'' | '"' | '`' | '‘')) => each == quote || each == '’',
                _ => each.is_whitespace() || each == ':',
            };
            let rest = &line[from..];
            Some(rest[..rest.find(end).unwrap_or(rest.len())].to_owned())
        })
    })
}

/// What the reproduction's session tells of a refusal.
pub(super) fn refused_in(plan: &Plan, laid: &Laid, session: Option<&str>) -> Option<String> {
    let id = SessionId::from_text(session?);
    let mut said = String::new();
    for log in crate::logs::of_session(&laid.project(), &id).ok()? {
        let read = log.read(|part| {
            if let Part::Text(text) = part {
                said.push_str(&text);
                let over = said.len().saturating_sub(MOST_SAID);
                let over = (over..=said.len()).find(|at| said.is_char_boundary(*at));
                said.drain(..over.unwrap_or(0));
            }
            Ok(())
        });
        read.ok()?;
    }
    let given = [plan.top.as_path(), plan.project.root()];
    refused(&said, &originals(plan, laid), &given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_path_is_found_in_what_was_said() {
        let originals: BTreeSet<PathBuf> = [PathBuf::from("/home/me/p")].into();
        let told = |text: &str| refused(text, &originals, &[]);
        let path = Some("/home/me/p/artifacts/y.txt".to_owned());
        assert_eq!(
            told(
                "Traceback\nPermissionError: [Errno 13] Permission denied: '/home/me/p/artifacts/y.txt'\n"
            ),
            path
        );
        assert_eq!(
            told("sh: 1: /home/me/p/artifacts/y.txt: Permission denied"),
            path.clone()
        );
        assert_eq!(
            told("cat: /root/x: Permission denied\n/home/me/p/a is fine"),
            None
        );
    }

    #[test]
    fn what_lies_beside_the_way_down_is_allowed_and_nothing_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["a/project/sub", "a/other", "b"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(root.join("a/project"), root.join("link")).unwrap();
        let mut found = Vec::new();
        allowed(&root, &[root.join("a/project")].into(), &mut found);
        found.sort();
        assert_eq!(found, [root.join("a/other"), root.join("b")]);
    }

    #[test]
    fn the_kernel_refuses_writing_below_the_original_alone() {
        if !kernel::is_here() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["project", "again"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let script = "echo x > again/y; echo x > /dev/null || exit 9; echo x > project/y";
        #[expect(clippy::disallowed_methods, reason = "the test is the command's own")]
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&root);
        let mut paths = Vec::new();
        allowed(Path::new("/"), &[root.join("project")].into(), &mut paths);
        let status = kernel::run(&mut command, &paths).unwrap();
        assert!(![Some(0), Some(9)].contains(&status.unwrap().code()));
        assert!(root.join("again/y").exists() && !root.join("project/y").exists());
        fs::create_dir(root.join("project/z")).expect("this thread is free");
    }
}
