//! Code that is installed in place, from repositories beside the project: an editable
//! package is as much of what runs as the script is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use birthmark_capture::git::snapshot::capture_status_and_changes;
use birthmark_capture::git::{Repository, StatusOptions};
use birthmark_core::code::CodeState;
use birthmark_core::{Fields, Finding};
use birthmark_store::config::OnDirty;
use birthmark_store::objects;
use serde_json::{Value, json};

use super::take::{settle, take};
use crate::session::Session;

/// No more repositories are looked at.
const MOST: usize = 16;

/// Looks at the repositories of editable packages, as far as they are not the script's own;
/// takes their snapshots, and tells what stands there. `environment` names the packages.
pub(crate) fn editable_code(session: &Session, environment: &Fields, own: &CodeState) -> Value {
    let mut seen: BTreeSet<PathBuf> = own.root.iter().map(PathBuf::from).collect();
    let mut told = Vec::new();
    for (name, folder) in installed_in_place(session, environment) {
        let root = match Repository::discover(&folder) {
            Finding::Found(repository) => repository.root().map(Path::to_owned),
            Finding::Absent | Finding::Unknown(_) => None,
        };
        let Some(root) = root.filter(|root| seen.len() <= MOST && seen.insert(root.clone())) else {
            continue;
        };
        told.push(look(session, &name, &root));
    }
    Value::from(told)
}

fn look(session: &Session, name: &str, root: &Path) -> Value {
    let options = StatusOptions {
        artifacts: vec![session.project().layout.artifacts().to_owned()],
        ..StatusOptions::default()
    };
    let (state, changes) = capture_status_and_changes(root, &options);
    let parts = match changes {
        _ if session.on_dirty() == OnDirty::Warn => Ok(Vec::new()),
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
    json!({
        "package": name,
        "root": root.to_string_lossy(),
        "git_commit": state.commit.found(),
        "git_dirty": state.dirty.found(),
        "git_snapshot": snapshot,
        "git_remote": state.remote.found(),
        "unknown": unknown.or_else(|| state.dirty.reason().map(str::to_owned)),
    })
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
