//! From a path to an opened repository, with the trust that it deserves.
//!
//! * Found by walking up from the anchor: first where it really lies (symlinks
//!   resolved, as Python does for a script), then where it seems to lie.
//! * The environment is not obeyed, apart from `HOME` and `XDG_CONFIG_HOME`, which say
//!   where the user's own settings are.
//! * Nothing is replaced (`git replace`): an id stands for the bytes that it was made of.
//! * A repository that neither belongs to the user nor stands in their
//!   `safe.directory` is opened without its includes, and without any filter.

use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark_core::Finding;
use gix::sec::Trust;

use crate::probe::with_time_limit;

/// The reason for everything that a repository would have told.
pub(super) const NOT_A_REPOSITORY: &str = "not a git repository";

/// The reader resolves paths from the current folder, even absolute ones.
const NO_FOLDER: &str = "the current folder is gone, and git is not read without one";

/// How long the opening of a repository may take.
const OPEN_LIMIT: Duration = Duration::from_secs(4);
/// A configuration file over this size is not read.
const LARGEST_CONFIG: u64 = 8 << 20;

/// What a single object or index of an untrusted repository may take: 192 MiB.
const LARGEST_ALLOCATION: &str = "gitoxide.objects.allocLimitIfReducedTrust=201326592";
/// An id stands for its own bytes: what `git replace` puts in their place no clone gets.
const NOTHING_REPLACED: &str = "core.useReplaceRefs=false";

/// Variables that would point git elsewhere, or change what it reads.
const NOT_OBEYED: [&str; 17] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
];

/// The variables of the list above that are set, by name.
pub(super) fn git_environment() -> Vec<String> {
    let set = NOT_OBEYED
        .iter()
        .filter(|name| crate::process::environ::value(name).is_some());
    set.map(|name| (*name).to_owned()).collect()
}

/// An opened repository: nothing in it is written, and nothing runs unless it is trusted.
pub struct Repository {
    pub(super) git: gix::Repository,
    pub(super) trusted: bool,
    /// Filters that an untrusted repository asks for and does not get.
    pub(super) refused_filters: Vec<Vec<u8>>,
    /// References are kept in a form that only the git program reads.
    pub(super) reftable: bool,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let root = self.root();
        f.debug_struct("Repository")
            .field("root", &root)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// The repository that `anchor` (a file or folder, there or not) lies in.
    ///
    /// `Unknown("not a git repository")` where there is none; never `Absent`.
    pub fn discover(anchor: &Path) -> Finding<Self> {
        Self::discover_with(anchor, Trust::Full)
    }

    /// The same, with at most the given trust: what is only read for somebody else
    /// runs nothing, whoever owns it.
    pub(super) fn discover_with(anchor: &Path, most: Trust) -> Finding<Self> {
        let mut reason = NOT_A_REPOSITORY.to_owned();
        for start in starts(anchor) {
            match discover_in_time(&start, most) {
                Finding::Unknown(other) if other == NOT_A_REPOSITORY => {}
                Finding::Unknown(other) => reason = other,
                found => return found,
            }
        }
        Finding::Unknown(reason)
    }

    /// The repository whose work tree is exactly `root` (a submodule).
    pub(super) fn at_root(root: &Path, most: Trust) -> Finding<Self> {
        if !root.join(".git").exists() {
            return Finding::unknown("not checked out");
        }
        discover_in_time(root, most)
    }

    /// A bare repository of our own.
    pub(super) fn bare_at(git_dir: &Path) -> Result<Self, String> {
        let unreadable = |error: gix::Error| {
            let folder = super::text::display_path(git_dir.as_os_str().as_encoded_bytes());
            format!(
                "the repository {folder} cannot be opened: {}",
                shown(&error)
            )
        };
        match open(git_dir, Trust::Full).map(|git| ready(git, Trust::Full)) {
            Ok(Finding::Found(repository)) => Ok(repository),
            Ok(other) => Err(other.reason().unwrap_or(NOT_A_REPOSITORY).to_owned()),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// The same repository, without any filter that could run.
    pub(super) fn without_filters(&self) -> Result<Self, String> {
        let mut quiet = Self {
            git: self.git.clone(),
            trusted: self.trusted,
            refused_filters: self.refused_filters.clone(),
            reftable: self.reftable,
        };
        quiet.refused_filters.extend(remove_filters(&mut quiet.git));
        if has_filters(&quiet.git) {
            return Err("the filters could not be taken away".to_owned());
        }
        Ok(quiet)
    }

    /// Top level of the work tree; `None` in a bare repository.
    pub fn root(&self) -> Option<&Path> {
        self.git.workdir()
    }

    /// Whether the user owns it, or named it in `safe.directory`.
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }
}

/// Folders to walk up from: the real one, then the one that was named.
fn starts(anchor: &Path) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(anchor) else {
        return Vec::new();
    };
    let named = absolute
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let folder = |path: &Path| {
        if path.is_dir() {
            path.to_owned()
        } else {
            path.parent().unwrap_or(path).to_owned()
        }
    };
    let mut starts = Vec::new();
    if let Ok(real) = named.canonicalize() {
        starts.push(folder(&real));
    }
    let seeming = named
        .ancestors()
        .skip(1)
        .find(|parent| parent.join(".git").exists());
    let seeming = seeming.and_then(|parent| parent.canonicalize().ok());
    starts.extend(seeming.filter(|parent| !starts.iter().any(|start| start.starts_with(parent))));
    starts
}

/// As [`discover_from`], for no longer than a repository may take to be opened: an include may
/// lead to a pipe, to which nobody writes.
fn discover_in_time(start: &Path, most: Trust) -> Finding<Repository> {
    let start = start.to_owned();
    match with_time_limit("git", OPEN_LIMIT, move || discover_from(&start, most)) {
        Finding::Found(found) => found,
        Finding::Absent => Finding::unknown(NOT_A_REPOSITORY),
        Finding::Unknown(reason) => Finding::Unknown(reason),
    }
}

/// Walks up from an absolute folder, and opens what is found.
fn discover_from(start: &Path, most: Trust) -> Finding<Repository> {
    let options = gix::discover::upwards::Options {
        current_dir: Some(start),
        ..Default::default()
    };
    // Looking for a repository reads its HEAD already.
    if let Some(reason) = start.ancestors().find_map(first_refusal).flatten() {
        return Finding::Unknown(reason);
    }
    let (found, trust) = match gix::discover::upwards_opts(start, options) {
        Ok(found) => found,
        Err(error) => return Finding::Unknown(why_not_found(start, &error)),
    };
    let trust = trust.min(most);
    let (git_dir, work_tree) = found.into_repository_and_work_tree_directories();
    let path = work_tree.as_deref().unwrap_or(&git_dir);
    let reason = misleading_git_file(start, Some(path)).or_else(|| refusal(&git_dir));
    if let Some(reason) = reason {
        return Finding::Unknown(reason);
    }
    let opened = open(path, trust).and_then(|git| {
        // Named in `safe.directory`: read it again, as git would.
        let vouched = trust == Trust::Reduced && most == Trust::Full;
        if vouched && git.git_dir_trust() == Trust::Full {
            return open(path, Trust::Full);
        }
        Ok(git)
    });
    match opened {
        Ok(git) => ready(git, most),
        Err(_) if std::env::current_dir().is_err() => Finding::unknown(NO_FOLDER),
        Err(error) => Finding::Unknown(format!(
            "the git repository cannot be opened: {}",
            shown(&error)
        )),
    }
}

/// An error of the reader, fit to stand in a reason.
fn shown(error: &gix::Error) -> String {
    super::text::display_path(error.to_string().as_bytes())
}

/// "There is none" and "it could not be looked for" are two answers.
fn why_not_found(start: &Path, error: &gix::Error) -> String {
    use gix::discover::upwards::Error as Why;
    if std::env::current_dir().is_err() {
        return NO_FOLDER.to_owned();
    }
    if let Some(reason) = misleading_git_file(start, None) {
        return reason;
    }
    match error.downcast_any_ref::<Why>() {
        Some(Why::NoGitRepository { .. } | Why::NoGitRepositoryWithinFs { .. }) => {
            NOT_A_REPOSITORY.to_owned()
        }
        _ => format!("the git repository cannot be looked for: {}", shown(error)),
    }
}

/// A `.git` file on the way that leads nowhere: what lies above it is not the
/// repository that was meant, and git itself goes no further.
fn misleading_git_file(start: &Path, found: Option<&Path>) -> Option<String> {
    let below = start
        .ancestors()
        .take_while(|folder| Some(*folder) != found);
    let mut files = below.map(|folder| folder.join(".git"));
    files.find(|file| file.is_file()).map(|file| {
        let file = super::text::display_path(file.as_os_str().as_encoded_bytes());
        format!("{file} does not lead to a git repository")
    })
}

/// Whether a repository begins in this folder, and why it must not be looked at.
#[expect(
    clippy::option_option,
    reason = "no repository here, a sound one, a refused one"
)]
fn first_refusal(folder: &Path) -> Option<Option<String>> {
    let git_dir = folder.join(".git");
    if let Ok(about) = git_dir.symlink_metadata() {
        let real = git_dir.metadata().unwrap_or(about);
        return Some(match real {
            real if real.is_dir() => refusal(&git_dir),
            real if real.is_file() => None,
            _ => Some(".git is neither folder nor file".to_owned()),
        });
    }
    let bare = folder.join("objects").is_dir() && folder.join("HEAD").exists();
    bare.then(|| refusal(folder))
}

/// Files that are read as they come, whatever they are.
const READ_AS_THEY_COME: [&str; 7] = [
    "index",
    "packed-refs",
    "shallow",
    "info/exclude",
    "info/attributes",
    "objects/info/alternates",
    "objects/info/commit-graph",
];

/// Why the files that are read first must not be read at all.
fn refusal(git_dir: &Path) -> Option<String> {
    for name in READ_AS_THEY_COME {
        if git_dir
            .join(name)
            .metadata()
            .is_ok_and(|about| !about.is_file())
        {
            return Some(format!("{name} of the git repository is no regular file"));
        }
    }
    for name in ["HEAD", "config", "config.worktree", "commondir"] {
        match git_dir.join(name).metadata() {
            Ok(meta) if !meta.is_file() => {
                return Some(format!("{name} of the git repository is no regular file"));
            }
            Ok(meta) if meta.len() > LARGEST_CONFIG => {
                return Some(format!("{name} of the git repository is over 8 MiB"));
            }
            _ => {}
        }
    }
    None
}

/// Opens without obeying the environment, and without includes unless trusted.
fn open(path: &Path, trust: Trust) -> gix::Result<gix::Repository> {
    use gix::open::permissions;
    let deny = gix::sec::Permission::Deny;
    let permissions = gix::open::Permissions {
        env: permissions::Environment {
            xdg_config_home: gix::sec::Permission::Allow,
            home: gix::sec::Permission::Allow,
            git_prefix: deny,
            objects: deny,
            http_transport: deny,
            identity: deny,
            ssh_prefix: deny,
            other: deny,
        },
        config: permissions::Config {
            git_binary: false,
            system: true,
            git: true,
            user: true,
            env: false,
            includes: trust == Trust::Full,
        },
        attributes: permissions::Attributes {
            git_binary: false,
            system: true,
            git: true,
        },
    };
    let options = gix::open::Options::default()
        .permissions(permissions)
        .config_overrides([LARGEST_ALLOCATION, NOTHING_REPLACED])
        .with(trust);
    Ok(options.open(path)?.to_thread_local())
}

/// Takes from an untrusted repository what could run.
fn ready(mut git: gix::Repository, most: Trust) -> Finding<Repository> {
    let trusted = most == Trust::Full && git.git_dir_trust() == Trust::Full;
    let refused_filters = if trusted {
        Vec::new()
    } else {
        remove_filters(&mut git)
    };
    if !trusted && !refused_filters.is_empty() && has_filters(&git) {
        return Finding::unknown("the filters of an untrusted repository could not be refused");
    }
    let storage = git.config_snapshot().string("extensions.refStorage");
    let reftable = storage.is_some_and(|name| name.starts_with(b"reftable"));
    Finding::Found(Repository {
        git,
        trusted,
        refused_filters,
        reftable,
    })
}

/// Takes every `filter` section away, the user's own too: with the attributes of the
/// repository, it could be made to run on files of the repository's choice.
fn remove_filters(git: &mut gix::Repository) -> Vec<Vec<u8>> {
    let names: Vec<Vec<u8>> = {
        let config = git.config_snapshot();
        let sections = config
            .plumbing()
            .sections_by_name("filter")
            .into_iter()
            .flatten();
        let names = sections.filter_map(|section| section.header().subsection_name());
        names.map(|name| name.to_vec()).collect()
    };
    if names.is_empty() {
        return names;
    }
    let mut config = git.config_snapshot_mut();
    for name in &names {
        while config
            .remove_section("filter", gix::bstr::BStr::new(name))
            .is_some()
        {}
    }
    // A failure shows in `has_filters`, which is asked next.
    let _checked_after = config.commit();
    names
}

fn has_filters(git: &gix::Repository) -> bool {
    let config = git.config_snapshot();
    config
        .plumbing()
        .sections_by_name("filter")
        .is_some_and(|mut sections| sections.next().is_some())
}
