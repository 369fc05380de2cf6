//! Commit, branch, remote, and the kind of repository: all that costs no walk.

use birthmark_core::Finding;
use birthmark_core::code::CodeState;
use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::open::{Repository, git_environment};
use super::text::{display_path, without_credentials};
use super::{ask, history};

/// The reason before anybody looked.
const NOT_LOOKED_AT: &str = "not looked at yet";

/// The reason on a branch that has no commit.
pub(super) const NO_COMMIT: &str = "no commit yet";

/// Where `HEAD` stands.
pub(super) struct Head {
    /// The commit, which is there and is a commit.
    pub(super) commit: Finding<ObjectId>,
    /// The full name of the branch; absent when detached.
    pub(super) branch: Finding<Vec<u8>>,
}

/// All that is known without looking at the work tree.
pub(super) fn describe(repository: &Repository) -> CodeState {
    describe_with(repository, &read_head(repository))
}

/// The same for a `HEAD` that was read already.
pub(super) fn describe_with(repository: &Repository, head: &Head) -> CodeState {
    let git = &repository.git;
    let mut state = CodeState::unknown(NOT_LOOKED_AT);
    state.root = git
        .workdir()
        .map(|root| display_path(root.as_os_str().as_encoded_bytes()));
    state.commit = head.commit.as_ref().map(ToString::to_string);
    state.branch = head.branch.as_ref().map(|name| short_branch(name));
    state.bare = git.workdir().is_none();
    if state.bare {
        state.dirty = Finding::Absent;
        state.counts_complete = true;
    }
    state.remote = remote_address(git, &head.branch);
    state.pushed = history::pushed_at_a_glance(repository, head, &state.remote);
    state.shallow = git.is_shallow().unwrap_or(false);
    state.partial = is_partial(git);
    state.linked_worktree = !state.bare && git.git_dir().join("commondir").is_file();
    state.operation = git
        .state()
        .map(|operation| operation_name(&operation).to_owned());
    state.object_format = Some(git.object_hash().to_string());
    state.trusted = repository.trusted;
    state.git_environment = git_environment();
    state
}

/// Reads `HEAD`, and makes sure that its commit is there.
pub(super) fn read_head(repository: &Repository) -> Head {
    if repository.reftable {
        return ask::head(repository);
    }
    let git = &repository.git;
    let head = match git.head() {
        Ok(head) => head,
        Err(error) => {
            let reason = format!(
                "HEAD cannot be read: {}",
                display_path(error.to_string().as_bytes())
            );
            return Head {
                commit: Finding::unknown(&*reason),
                branch: Finding::Unknown(reason),
            };
        }
    };
    let branch = Finding::from(head.referent_name().map(|name| name.as_bstr().to_vec()));
    let commit = match head.id() {
        None => Finding::unknown(NO_COMMIT),
        Some(id) => existing_commit(git, id.detach()),
    };
    Head { commit, branch }
}

/// The id, if a commit of this id is in the object database.
pub(super) fn existing_commit(git: &gix::Repository, id: ObjectId) -> Finding<ObjectId> {
    match git.try_find_header(id) {
        Ok(Some(header)) if header.kind() == gix::objs::Kind::Commit => Finding::Found(id),
        Ok(Some(header)) => Finding::unknown(format!("HEAD names a {}, {id}", header.kind())),
        Ok(None) => Finding::unknown(format!("HEAD names {id}, which is not there")),
        Err(_) => Finding::unknown(format!("HEAD names {id}, which cannot be read")),
    }
}

/// `refs/heads/main` becomes `main`; any other reference keeps its full name.
fn short_branch(full: &[u8]) -> String {
    display_path(full.strip_prefix(b"refs/heads/").unwrap_or(full))
}

/// The remote of the branch, else `origin`, else the first that has an address.
fn remote_address(git: &gix::Repository, branch: &Finding<Vec<u8>>) -> Finding<String> {
    let addresses = remotes(git);
    let config = git.config_snapshot();
    let upstream = branch
        .found()
        .and_then(|name| name.strip_prefix(b"refs/heads/"));
    let upstream = upstream.and_then(|name| {
        let remote = config
            .plumbing()
            .string_by("branch", gix::bstr::BStr::new(name), "remote");
        remote.map(|remote| remote.to_vec())
    });
    let named = |wanted: &[u8]| addresses.iter().find(|(name, _)| name == wanted);
    let chosen = upstream
        .and_then(|name| named(&name))
        .or_else(|| named(b"origin"));
    let chosen = chosen.or_else(|| addresses.first());
    Finding::from(chosen.map(|(_, address)| without_credentials(address)))
}

/// Every remote with its first address, in the order of the configuration.
pub(super) fn remotes(git: &gix::Repository) -> Vec<(Vec<u8>, Vec<u8>)> {
    let config = git.config_snapshot();
    let sections = config
        .plumbing()
        .sections_by_name("remote")
        .into_iter()
        .flatten();
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for section in sections {
        let name = section.header().subsection_name().map(|name| name.to_vec());
        let address = section.value("url").map(|address| address.to_vec());
        if let (Some(name), Some(address)) = (name, address)
            && found.iter().all(|(known, _)| *known != name)
        {
            found.push((name, address));
        }
    }
    found
}

/// Whether objects are left out until they are asked for.
fn is_partial(git: &gix::Repository) -> bool {
    let config = git.config_snapshot();
    let promisors = config
        .plumbing()
        .sections_by_name("remote")
        .into_iter()
        .flatten();
    config.string("extensions.partialClone").is_some()
        || promisors.into_iter().any(|section| {
            section
                .value("promisor")
                .is_some_and(|value| value.trim() != b"false")
                || section.value("partialclonefilter").is_some()
        })
}

/// The word that a person would use.
fn operation_name(operation: &gix::state::InProgress) -> &'static str {
    use gix::state::InProgress as Op;
    match operation {
        Op::ApplyMailbox | Op::ApplyMailboxRebase => "am",
        Op::Bisect => "bisect",
        Op::CherryPick | Op::CherryPickSequence => "cherry-pick",
        Op::Merge => "merge",
        Op::Rebase | Op::RebaseInteractive => "rebase",
        Op::Revert | Op::RevertSequence => "revert",
    }
}
