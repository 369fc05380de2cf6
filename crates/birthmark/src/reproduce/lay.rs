//! A folder of its own: the code, the inputs, and the run in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use birthmark_store::{Layout, atomic};
use serde_json::json;

use super::blockers::{BRING_IT, LOST};
use super::plan::{Input, InputState, Plan};
use super::venv::{self, is_python};
use super::{Options, beside, guard, io, links, mark, share};
use crate::error::{Error, Result};
use crate::lineage::listed::Listed;
use crate::project::{Project, is_within};
use crate::projects::UNLISTED;
use crate::snapshot::{RestoreOptions, restore};
use crate::{dataset, sessions};

/// Tells the Pythons of the run where code lies now.
const MOVED: &str = "BIRTHMARK_CODE_AT";
/// Inputs over this are linked, not copied.
const COPY_LIMIT: u64 = 1 << 30;

/// What was laid out.
pub(super) struct Laid {
    /// In the place of the repository's top.
    pub(super) top: PathBuf,
    /// In the place of the project's root.
    pub(super) folder: PathBuf,
    /// In the place of the other repositories that code was imported from.
    pub(super) beside: Vec<PathBuf>,
    /// In the place of the artifacts folder.
    artifacts: PathBuf,
    /// The Python of the venv, where one was built.
    pub(super) python: Option<PathBuf>,
    /// Whether git says there what it said then; or why it does not.
    pub(super) repository: Result<(), String>,
}

/// Lays out the code and the inputs. Where that cannot be done nothing stays behind.
pub(super) fn lay(plan: &Plan, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Laid> {
    let top = folder_for(plan, options)?;
    let beside = beside::place(&top);
    let is_new = |folder: &PathBuf| folder.symlink_metadata().is_err();
    let ours: Vec<&PathBuf> = [&top, &beside]
        .into_iter()
        .filter(|one| is_new(one))
        .collect();
    let laid = lay_in(plan, options, top.clone(), say);
    if laid.is_err() {
        for folder in ours {
            // What cannot be removed is left: it is in the temporary folder, or where it was told to be.
            let _ = fs::remove_dir_all(folder);
        }
    }
    laid
}

fn lay_in(plan: &Plan, options: &Options, top: PathBuf, say: &mut dyn FnMut(&str)) -> Result<Laid> {
    let commit = plan.code.restore.as_deref().unwrap_or_default();
    let restored = restore(
        &plan.project,
        commit,
        &RestoreOptions {
            into: Some(&top),
            absent: &plan.code.absent,
            ..RestoreOptions::default()
        },
    )
    .map_err(|error| match error.code() {
        "folder-exists" => error.with_hint("--into a folder that is not there yet"),
        _ => error,
    })?;
    if !restored.is_exact() && !options.inexact {
        let why: Vec<String> = restored
            .missing
            .iter()
            .map(|one| format!("repository {} is not here", one.path))
            .chain(restored.inexact.iter().cloned())
            .collect();
        return Err(Error::usage(
            "cannot-reproduce",
            format!("the code is not exactly what ran: {}", why.join("; ")),
        )
        .with_hint("--inexact goes on all the same"));
    }
    let root = plan.project.root();
    let below = root.strip_prefix(&plan.top).unwrap_or(Path::new(""));
    // Joined part by part: an empty path would only add a slash.
    let folder: PathBuf = top.components().chain(below.components()).collect();
    let artifacts = plan.project.layout.artifacts();
    let artifacts = artifacts
        .strip_prefix(root)
        .unwrap_or(Path::new("artifacts"));
    let mut laid = Laid {
        artifacts: folder.join(artifacts),
        folder,
        beside: beside::lay(plan, options, &top)?,
        top,
        python: None,
        repository: Err(String::new()),
    };
    mark::own_artifacts(&laid.artifacts)?;
    mark::mark(plan, &mut laid, &restored.nested, say)?;
    if let Err(why) = &laid.repository {
        let why = crate::text::neutral(why);
        say(&format!("birthmark: git is told nothing in it: {why}"));
    }
    for name in plan.outputs.iter().chain([&plan.file]) {
        if is_within(name) {
            links::own_place(&laid.top, &laid.folder.join(name))?;
        }
    }
    for input in &plan.inputs {
        bring(input, plan, options, &laid, say)?;
    }
    for folder in &plan.folders {
        atomic::create_folder(&laid.folder.join(folder))?;
    }
    share::lay(plan, options, &laid)?;
    if options.venv {
        laid.python = Some(venv::build(plan, &laid.top, say)?);
    }
    Ok(laid)
}

fn folder_for(plan: &Plan, options: &Options) -> Result<PathBuf> {
    let chosen = if let Some(folder) = &options.into {
        std::path::absolute(folder).unwrap_or_else(|_| folder.clone())
    } else {
        let name = format!("birthmark-reproduce-{}", plan.session.short());
        let place = std::env::temp_dir();
        (1..1000)
            .map(|number| place.join(format!("{name}-{number}")))
            .find(|folder| folder.symlink_metadata().is_err())
            .unwrap_or_else(|| place.join(name))
    };
    // Within the user's tree its files would be the user's, and its code that of the tree.
    if chosen.starts_with(&plan.top) {
        let message = format!("`{}` lies within the project", chosen.display());
        return Err(Error::usage("folder-exists", message)
            .with_hint("--into a folder outside of it, which is not there yet"));
    }
    Ok(chosen)
}

/// Brings an input to where the run will look for it, unless the code has brought it.
fn bring(
    input: &Input,
    plan: &Plan,
    options: &Options,
    laid: &Laid,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let name = Path::new(&input.name);
    let is_inside = is_within(&input.name);
    let is_named = matches!(input.state, InputState::NameAlone | InputState::NoPlace);
    if is_named || !is_inside {
        return Ok(());
    }
    let target = laid.folder.join(name);
    if is_as_it_was(&target, input) {
        if let InputState::NotAsItWas(why) = input.state {
            let name = crate::text::short(&input.name, 60);
            say(&format!("birthmark: {name} is {why}: the code's is taken"));
        }
        return Ok(());
    }
    let (InputState::Here(source) | InputState::Grown(source, _)) = &input.state else {
        if options.inexact {
            return bring_as_it_is(name, plan, laid, &target);
        }
        let name = crate::text::short(&input.name, 100);
        let text = format!("`{name}`, {LOST}{}", input.which());
        return Err(Error::usage("input-missing", text).with_hint(BRING_IT));
    };
    links::own_way(&laid.top, &target)?;
    atomic::create_folder(atomic::folder_of(&target))?;
    if target.symlink_metadata().is_ok() {
        let removed = if target.is_dir() {
            fs::remove_dir_all(&target)
        } else {
            fs::remove_file(&target)
        };
        removed.map_err(|error| io(&target, "replace", error))?;
    }
    match input.state {
        InputState::Grown(_, size) => share::copy_beginning(source, size, &target)?,
        _ => match &input.listed {
            // What lies there by now and was not read would be found by the run.
            Some(listed) if !is_whole(source, input) => copy_listed(listed, source, &target)?,
            _ => copy_or_link(source, &target)?,
        },
    }
    if is_as_it_was(&target, input) {
        return Ok(());
    }
    let message = format!(
        "`{}` changed while it was brought",
        plan.project.stored_path(source)
    );
    Err(Error::usage("input-missing", message).with_hint("wait until nothing writes to it"))
}

/// What lies there now instead, where nothing is in its place yet.
fn bring_as_it_is(name: &Path, plan: &Plan, laid: &Laid, target: &Path) -> Result<()> {
    let source = plan.project.root().join(name);
    if target.symlink_metadata().is_ok() || source.symlink_metadata().is_err() {
        return Ok(());
    }
    links::own_way(&laid.top, target)?;
    atomic::create_folder(atomic::folder_of(target))?;
    copy_or_link(&source, target)
}

fn is_as_it_was(path: &Path, input: &Input) -> bool {
    if path.symlink_metadata().is_err() {
        return false;
    }
    let digester = crate::digests::digester();
    let is_listed = |listed: &Listed| listed.differing(path, &digester).is_none();
    input.listed.as_ref().is_some_and(is_listed) || is_whole(path, input)
}

/// Whether its digest is that of what was read.
fn is_whole(path: &Path, input: &Input) -> bool {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (digest, content) = dataset::digests(&real);
    let digest = digest.found().cloned();
    digest
        .into_iter()
        .chain(content)
        .any(|digest| input.digests.contains(&digest))
}

/// Those files of a folder alone that were read.
fn copy_listed(listed: &Listed, source: &Path, target: &Path) -> Result<()> {
    let is_small = listed.size() < COPY_LIMIT;
    for name in listed.names() {
        let (from, to) = (source.join(&name), target.join(&name));
        atomic::create_folder(atomic::folder_of(&to))?;
        let real = from
            .canonicalize()
            .map_err(|error| io(&from, "read", error))?;
        let done = if is_small {
            copy(&real, &to)
        } else {
            std::os::unix::fs::symlink(&real, &to)
        };
        done.map_err(|error| io(&from, "copy", error))?;
    }
    Ok(())
}

fn copy_or_link(source: &Path, target: &Path) -> Result<()> {
    let real = source
        .canonicalize()
        .map_err(|error| io(source, "read", error))?;
    if size_below(&real, COPY_LIMIT) {
        return copy(&real, target).map_err(|error| io(source, "copy", error));
    }
    std::os::unix::fs::symlink(&real, target).map_err(|error| io(target, "link", error))
}

fn size_below(path: &Path, limit: u64) -> bool {
    let mut left = limit;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(found) = path.symlink_metadata() else {
            return false;
        };
        if found.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        } else if found.len() > left {
            return false;
        } else {
            left -= found.len();
        }
    }
    true
}

pub(super) fn copy(source: &Path, target: &Path) -> std::io::Result<()> {
    let found = source.symlink_metadata()?;
    if found.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(source)?, target);
    }
    if !found.is_dir() {
        return fs::copy(source, target).map(|_| ());
    }
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        copy(&entry.path(), &target.join(entry.file_name()))?;
    }
    Ok(())
}

/// Runs the command in a session of its own; its exit status.
pub(super) fn run(plan: &Plan, options: &Options, laid: &Laid) -> Result<guard::Ran> {
    let words = command(plan, options, laid);
    let on_dirty = if laid.repository.is_ok() {
        "snapshot"
    } else {
        "warn"
    };
    let of = json!({
        "session_id": plan.session.as_str(),
        "run_id": plan.run.as_str(),
        "file": plan.file,
        "digest": plan.recorded.digest,
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "the command is the user's own, and has no limit"
    )]
    let mut command = Command::new(&options.program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BIRTHMARK_") {
            command.env_remove(name);
        }
    }
    command
        .env("BIRTHMARK_DIR", &laid.artifacts)
        // Of the same tree on the same commit it is the same snapshot.
        .env("BIRTHMARK_ON_DIRTY", on_dirty)
        .env(MOVED, beside::moved(plan, laid).to_string())
        .arg("run")
        .arg("--set")
        .arg(format!("reproduction_of={of}"))
        .arg("--")
        .args(words)
        .current_dir(working_folder(plan, laid));
    if let Some(variables) = &plan.around.variables {
        command.envs(&variables.given);
    }
    if options.into.is_none() {
        command.env(UNLISTED, "1");
    }
    if let Some(python) = &laid.python {
        let bin = atomic::folder_of(python);
        let old = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&old));
        if let Ok(path) = std::env::join_paths(paths) {
            command.env("PATH", path);
        }
        command.env("VIRTUAL_ENV", laid.top.join(venv::FOLDER));
    }
    if let Some(file) = stdin(plan, laid) {
        command.stdin(file);
    }
    let into = stdout(plan, laid)?;
    match into {
        Some(file) => drop(command.stdout(file)),
        None if options.quiet => drop(command.stdout(std::process::Stdio::null())),
        None => {}
    }
    guard::run(plan, laid, &mut command)?.map_err(|error| io(&options.program, "run", error))
}

/// What the recorded command had for its stdin, where it can be had; else it has the caller's.
fn stdin(plan: &Plan, laid: &Laid) -> Option<std::process::Stdio> {
    match (plan.around.stdin.as_deref(), &plan.around.stdin_file) {
        (Some("nothing"), _) => Some(std::process::Stdio::null()),
        (Some("file"), Some(stored)) => {
            let file = atomic::open_regular(&laid.folder.join(stored)).ok()?;
            Some(file.into())
        }
        _ => None,
    }
}

/// The artifact's place, where the caller had sent the command's output there.
fn stdout(plan: &Plan, laid: &Laid) -> Result<Option<fs::File>> {
    if !plan.is_output {
        return Ok(None);
    }
    let place = laid.folder.join(&plan.file);
    atomic::create_folder(atomic::folder_of(&place))?;
    let goes_on = plan.share.is_some();
    let opened = fs::OpenOptions::new()
        .create(true)
        .append(goes_on)
        .write(!goes_on)
        .truncate(!goes_on)
        .open(&place);
    opened.map(Some).map_err(|error| io(&place, "open", error))
}

/// The command, with every word that names a file of the user's tree turned to the folder.
fn command(plan: &Plan, options: &Options, laid: &Laid) -> Vec<OsString> {
    let mut words = plan.command(options);
    if !options.command.is_empty() {
        return words;
    }
    let mut first = true;
    for word in &mut words {
        let text = word.to_string_lossy().into_owned();
        if std::mem::take(&mut first) {
            if let Some(python) = laid.python.as_ref().filter(|_| is_python(&text)) {
                *word = python.clone().into_os_string();
            } else if is_python(&text)
                && Path::new(&text).is_absolute()
                && !Path::new(&text).exists()
            {
                *word = OsString::from("python3");
            }
            continue;
        }
        if let Some(turned) = turned(&text, plan, laid) {
            *word = OsString::from(turned);
        }
    }
    words
}

/// `--out=/home/me/project/x` becomes `--out=<folder>/x`.
fn turned(word: &str, plan: &Plan, laid: &Laid) -> Option<String> {
    let (head, path) = match word.split_once('=') {
        Some((head, path)) if head.starts_with('-') => (format!("{head}="), path),
        _ => (String::new(), word),
    };
    let path = Path::new(path);
    if !path.is_absolute() {
        return outside(path, plan).map(|found| format!("{head}{}", found.display()));
    }
    let tops = [Some(plan.top.as_path()), plan.old_top.as_deref()];
    let rest = tops
        .into_iter()
        .flatten()
        .find_map(|top| path.strip_prefix(top).ok());
    let found = match rest {
        Some(rest) => laid.top.join(rest),
        None if path.exists() => return None,
        None => by_ending(path, &laid.top)?,
    };
    Some(format!("{head}{}", found.display()))
}

/// What a relative word (`../data/x`) names outside of the tree that was laid out anew.
fn outside(path: &Path, plan: &Plan) -> Option<PathBuf> {
    let leads_up = path.components().any(|part| part == Component::ParentDir);
    let whole = crate::project::plain(&plan.cwd.as_ref().filter(|_| leads_up)?.join(path));
    let tops = [Some(plan.top.as_path()), plan.old_top.as_deref()];
    let is_inside = tops.into_iter().flatten().any(|top| whole.starts_with(top));
    (!is_inside && whole.exists()).then_some(whole)
}

/// The longest end of a path of another machine that lies in the folder.
fn by_ending(path: &Path, folder: &Path) -> Option<PathBuf> {
    let parts: Vec<Component<'_>> = path.components().skip(1).collect();
    (0..parts.len()).find_map(|from| {
        let tail: PathBuf = parts[from..].iter().collect();
        let there = folder.join(tail);
        there.exists().then_some(there)
    })
}

/// The folder that takes the place of the one it ran in.
fn working_folder(plan: &Plan, laid: &Laid) -> PathBuf {
    let Some(cwd) = &plan.cwd else {
        return laid.folder.clone();
    };
    let tops = [Some(plan.top.as_path()), plan.old_top.as_deref()];
    let known = tops
        .into_iter()
        .flatten()
        .find_map(|top| cwd.strip_prefix(top).ok());
    let candidates = [
        known.map(|rest| laid.top.join(rest)),
        known.is_none().then(|| by_ending(cwd, &laid.top)).flatten(),
        Some(laid.folder.clone()),
    ];
    // An empty folder, or one that git was told to leave out, is in no commit.
    let is_folder = |path: &PathBuf| path.is_dir() || atomic::create_folder(path).is_ok();
    let found = candidates.into_iter().flatten().find(is_folder);
    found.unwrap_or_else(|| laid.folder.clone())
}

impl Laid {
    /// The project in the folder.
    pub(super) fn project(&self) -> Project {
        Project {
            layout: Layout::new(&self.folder, &self.artifacts),
            config: birthmark_store::config::Config::default(),
        }
    }
}

/// The session that the run began.
pub(super) fn session_in(laid: &Laid) -> Option<String> {
    let ids = sessions::ids(&laid.project()).ok()?;
    ids.first().map(ToString::to_string)
}
