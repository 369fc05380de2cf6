//! Code that runs from repositories beside the script's own: packages that are installed in
//! place (editable), and modules that are imported from wherever they lie. It is as much of
//! what runs as the script is.
//!
//! What is installed in place, and what is loaded when a run begins, is looked at then; what
//! was imported later is looked at when the run ends, and its files that changed meanwhile are
//! named by the snapshot.
//!
//! # Limits
//!
//! * A home folder that is a repository is named, and not kept: it holds far more than code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git::snapshot::capture_status_and_changes;
use birthmark_capture::git::{Repository, StatusOptions};
use birthmark_capture::process;
use birthmark_core::code::CodeState;
use birthmark_core::session::Run;
use birthmark_core::{Fields, Finding};
use birthmark_store::config::OnDirty;
use birthmark_store::objects;
use serde_json::Value;

use super::take::{settle, take};
use crate::session::Session;
use crate::sessions::Wanted;

/// No more repositories are looked at.
const MOST: usize = 16;
/// What was found of each kind stands in the environment under these names.
const NAMES: [&str; 2] = ["editable_code", "local_code"];

/// Looks at the repositories of editable packages and of `modules`, as far as they are not the
/// script's own; takes their snapshots, and tells in the environment what stands there.
pub(crate) fn note_code_beside(
    session: &Session,
    environment: &mut Fields,
    modules: &[PathBuf],
    own: &CodeState,
) {
    let mut seen: BTreeSet<PathBuf> = own.root.iter().map(PathBuf::from).collect();
    let (mut editable, mut local) = (Vec::new(), Vec::new());
    for (name, folder) in installed_in_place(session, environment) {
        if let Some(root) = new_root(&folder, &mut seen) {
            let mut told = Fields::new();
            told.insert("package".to_owned(), Value::from(name));
            told.extend(look(session, &root));
            editable.push(Value::Object(told));
        }
    }
    let folders: BTreeSet<&Path> = modules.iter().filter_map(|one| folder_of(one)).collect();
    for root in folders
        .iter()
        .filter_map(|folder| top_of(folder))
        .collect::<BTreeSet<_>>()
    {
        if let Some(root) = new_root(&root, &mut seen) {
            local.push(Value::Object(look(session, &root)));
        }
    }
    for (name, list) in NAMES.into_iter().zip([editable, local]) {
        if !list.is_empty() {
            environment.insert(name.to_owned(), Value::from(list));
        }
    }
}

/// What stands in a repository that modules were imported from, for one that was not looked at
/// when the session began; `None` where it was, or is the script's own.
pub(crate) fn look_beside(session: &Session, root: &Path) -> Option<Fields> {
    // What lies within the script's own repository is part of its snapshot.
    let state = &session.code().state;
    let top = state.root.clone().map(PathBuf::from);
    let inner = state.submodules.iter();
    let inner = inner.filter_map(|one| Some(top.as_ref()?.join(&one.path)));
    let mut seen: BTreeSet<PathBuf> = inner.chain(top.clone()).collect();
    // Most often that is all, and need not be looked up in what all others recorded.
    let found = new_root(root, &mut seen.clone())?;
    let top = root.canonicalize().ok().and_then(|root| top_of(&root));
    let ways = found
        .ancestors()
        .chain(top.iter().flat_map(|top| top.ancestors()));
    let wanted = Wanted::quoted(ways.map(Path::to_string_lossy));
    let folded = session.told_of(&wanted).unwrap_or_default();
    seen.extend(folded.runs.iter().flat_map(looked_at));
    for one in &folded.snapshots {
        let root = PathBuf::from(&one.taken.root);
        seen.extend(one.taken.nested.iter().map(|inner| root.join(&inner.path)));
        seen.insert(root);
    }
    new_root(root, &mut seen).map(|root| look(session, &root))
}

/// The repositories that were looked at in a run.
fn looked_at(run: &Run) -> Vec<PathBuf> {
    let listed = NAMES.iter().filter_map(|name| {
        let list = run.environment.get(*name)?.as_array()?;
        Some(list.iter().filter_map(|entry| entry["root"].as_str()))
    });
    let later = run.observed.modules.iter();
    let later = later.filter_map(|modules| modules.code.get("root")?.as_str());
    listed.flatten().chain(later).map(PathBuf::from).collect()
}

/// The folder that a module lies in, or a folder itself; none of an installation.
fn folder_of(path: &Path) -> Option<&Path> {
    let installed = path
        .components()
        .any(|part| part.as_os_str() == "site-packages" || part.as_os_str() == "dist-packages");
    let folder = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    folder.filter(|folder| !installed && folder.is_absolute())
}

/// The nearest folder that is a repository, without opening it.
fn top_of(folder: &Path) -> Option<PathBuf> {
    let top = folder.ancestors().find(|up| up.join(".git").exists());
    top.map(Path::to_owned)
}

/// The repository of a folder, where it is none of those that were seen.
///
/// One that was is not opened: git's library reads the environment for that, and a run may be
/// setting variables by now.
fn new_root(folder: &Path, seen: &mut BTreeSet<PathBuf>) -> Option<PathBuf> {
    let top = top_of(&folder.canonicalize().ok()?)?;
    if seen.contains(&top) {
        return None;
    }
    let root = match Repository::discover(folder) {
        Finding::Found(repository) => repository.root().map(Path::to_owned),
        Finding::Absent | Finding::Unknown(_) => None,
    }?;
    (seen.len() <= MOST && seen.insert(root.clone())).then_some(root)
}

fn look(session: &Session, root: &Path) -> Fields {
    let options = StatusOptions {
        artifacts: vec![session.project().layout.artifacts().to_owned()],
        caches: session.project().config.snapshot.value.caches.clone(),
        ..StatusOptions::default()
    };
    let (state, changes) = capture_status_and_changes(root, &options);
    let is_home = process::variable("HOME").is_some_and(|home| Path::new(&home) == root);
    let parts = match changes {
        _ if session.on_dirty() == OnDirty::Warn => Ok(Vec::new()),
        _ if is_home => Err("a home folder is not kept".to_owned()),
        Ok(changes) => take(session, &changes),
        Err(reason) => Err(reason),
    };
    let snapshot = parts.as_ref().ok().and_then(|parts| {
        let part = parts.first()?;
        part.taken.as_ref().map(|_| part.commit.clone())
    });
    let unknown = parts.as_ref().err().cloned();
    if let Ok(mut parts) = parts {
        let top = root.to_string_lossy().into_owned();
        for part in &mut parts {
            part.path = if part.path.is_empty() {
                top.clone()
            } else {
                format!("{top}/{}", part.path)
            };
        }
        settle(session, parts);
    }
    let unknown = unknown.or_else(|| state.dirty.reason().map(str::to_owned));
    let told = [
        ("root", Value::from(root.to_string_lossy())),
        ("git_commit", Value::from(state.commit.found().cloned())),
        ("git_dirty", Value::from(state.dirty.found().copied())),
        ("git_snapshot", Value::from(snapshot)),
        ("git_remote", Value::from(state.remote.found().cloned())),
        ("unknown", Value::from(unknown)),
    ];
    told.map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// Name and folder of every package that is installed in place, from the list in the store.
fn installed_in_place(session: &Session, environment: &Fields) -> Vec<(String, PathBuf)> {
    let layout = &session.project().layout;
    let digest = environment.get("packages_object").and_then(Value::as_str);
    let bytes = digest
        .and_then(|digest| digest.parse().ok())
        .and_then(|digest| objects::get(layout, &digest).ok());
    let list: Vec<Value> = bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let in_place = list.iter().filter(|entry| entry["editable"] == true);
    in_place
        .filter_map(|entry| {
            let folder = folder_of_url(entry["source"].as_str()?)?;
            Some((entry["name"].as_str()?.to_owned(), folder))
        })
        .collect()
}

/// The folder that a `file://` URL names, if it is there.
fn folder_of_url(url: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let path = url.strip_prefix("file://")?;
    let path = &path[path.find('/')?..];
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(hex, 16).ok()
        });
        rest = if value.is_some() { &after[2..] } else { after };
        bytes.push(value.unwrap_or(*byte));
    }
    let folder = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    folder.is_dir().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_folders_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a b%");
        std::fs::create_dir(&folder).unwrap();
        let url = format!("file://{}/a%20b%25", dir.path().display());
        assert_eq!(folder_of_url(&url), Some(folder));
        assert_eq!(folder_of_url("https://host/a"), None);
        assert_eq!(folder_of_url("file://"), None);
        assert_eq!(folder_of_url("file:///none/of/it"), None);
    }
}
