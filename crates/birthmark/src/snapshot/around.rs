//! A folder that holds what a snapshot gave back becomes a repository of its own, in which git
//! says what it said then: the same `HEAD`, branch and remote, and the same files dirty.
//!
//! # Invariants
//!
//! * The repository that the objects come from is only read: its objects are borrowed.
//! * Nothing that its configuration could run comes along; to the remote nothing can be pushed.
//! * `HEAD` is written last: a folder that could not be finished is no repository.
//!
//! # Limits
//!
//! * What was staged is told as changed and not staged. `HEAD` of a repository within is
//!   detached: which branch it was on, nobody recorded.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use birthmark_capture::git::{self, bundle::COMMITS};
use birthmark_store::atomic::{self, Durability};

use super::{source, wanted};
use crate::error::Error;
use crate::project::Project;

/// What git is to say in the folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The commit; what lies in the folder may be a snapshot on top of it.
    pub(crate) commit: &'a str,
    /// The branch; detached without one.
    pub(crate) branch: Option<&'a str>,
    /// Where it came from.
    pub(crate) remote: Option<&'a str>,
    /// Whether the remote had it.
    pub(crate) pushed: bool,
    /// Patterns of files that are not to count as untracked.
    pub(crate) unseen: &'a [String],
    /// Of a repository within: the commit of the outermost one, and where in it this one lies.
    pub(crate) within: Option<(&'a str, &'a str)>,
}

/// Makes `folder`, into which `restored` was given back, a repository. `Err` says why it is none.
pub(crate) fn make_repository(
    project: &Project,
    folder: &Path,
    restored: &str,
    head: &Head<'_>,
) -> Result<(), String> {
    let git_dir = folder.join(".git");
    if git_dir.symlink_metadata().is_ok() {
        return Err("it has a .git already".to_owned());
    }
    let (known_by, path) = head.within.unwrap_or((restored, ""));
    let mut hints =
        wanted::find(project, known_by).map_or_else(|_| Vec::new(), |found| found.hints);
    if head.within.is_some() {
        hints = source::hints(project, &hints, path);
    }
    let source = source::find(project, restored, &hints)?;
    let database = &source.database;
    if !database.has_commit(head.commit) {
        return Err("the commit below the snapshot is not here".to_owned());
    }
    let put = |name: &str, bytes: &[u8]| -> Result<(), String> {
        let path = git_dir.join(name);
        atomic::create_folder(atomic::folder_of(&path))
            .and_then(|()| atomic::replace(&path, bytes, Durability::Process))
            .map_err(|error| Error::from(error).whole())
    };
    let made = (|| {
        put("config", config(head, &database.object_format()).as_bytes())?;
        put("info/exclude", head.unseen.join("\n").as_bytes())?;
        atomic::create_folder(&git_dir.join("objects/pack"))
            .and_then(|()| atomic::create_folder(&git_dir.join("refs/heads")))
            .map_err(|error| Error::from(error).whole())?;
        if let Some(objects) = database.objects_folder() {
            let line = [objects.as_os_str().as_bytes(), b"\n"].concat();
            put("objects/info/alternates", &line)?;
        }
        if let Some(shallow) = database.shallow_file() {
            let bytes = atomic::read_limited(&shallow, 64 << 20)
                .map_err(|error| Error::from(error).whole())?;
            put("shallow", &bytes)?;
        }
        let branch = head.branch.filter(|name| is_plain(name));
        if let Some(branch) = branch {
            let line = format!("{}\n", head.commit);
            put(&format!("refs/heads/{branch}"), line.as_bytes())?;
            if head.pushed && head.remote.is_some() {
                put(&format!("refs/remotes/origin/{branch}"), line.as_bytes())?;
            }
        }
        let line = match branch {
            Some(branch) => format!("ref: refs/heads/{branch}\n"),
            None => format!("{}\n", head.commit),
        };
        put("HEAD", line.as_bytes())?;
        if database.is_from_bundles() {
            let name = format!("{COMMITS}{restored}");
            git::snapshot::bring_into(folder, database, restored, &name)?;
        }
        put("index", &git::index_of(folder, head.commit)?)
    })();
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&git_dir);
    }
    made
}

fn config(head: &Head<'_>, object_format: &str) -> String {
    let mut text = if object_format == "sha1" {
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n".to_owned()
    } else {
        format!(
            "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\
             [extensions]\n\tobjectFormat = {object_format}\n"
        )
    };
    if let Some(remote) = head.remote.filter(|url| !url.contains(['\n', '\0'])) {
        let quoted = remote.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!(
            "[remote \"origin\"]\n\turl = \"{quoted}\"\n\
             \tpushurl = \"/nowhere/a-reproduction-is-not-pushed\"\n\
             \tfetch = +refs/heads/*:refs/remotes/origin/*\n"
        ));
    }
    text
}

/// Whether a branch's name is one that git takes and that stays below `refs/heads`.
fn is_plain(name: &str) -> bool {
    let odd = |each: char| {
        each.is_control() || each.is_whitespace() || "~^:?*[\\".contains(each) || each == '\u{7f}'
    };
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.strip_suffix(".lock").is_none()
            && !part.ends_with('.')
    };
    name != "HEAD"
        && !name.starts_with('-')
        && !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_git_takes_become_branches() {
        for name in ["main", "feature/x-1", "a.b", "été"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "", "HEAD", "-x", "../x", "a/../b", "a//b", "/a", "a/", ".a", "a.lock", "a b", "a\nb",
            "a:b", "a@{0}",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn the_url_of_the_remote_cannot_leave_its_value() {
        let head = Head {
            commit: "",
            branch: None,
            remote: Some("a\"\\b"),
            pushed: false,
            unseen: &[],
            within: None,
        };
        assert!(config(&head, "sha1").contains("url = \"a\\\"\\\\b\"\n"));
        let two = Head {
            remote: Some("a\nb"),
            ..head
        };
        assert!(!config(&two, "sha256").contains("remote"));
    }
}
