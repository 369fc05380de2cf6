//! What only the git program can read: references that are kept in a reftable.
//!
//! It is asked in the user's own repository alone, with fsmonitor and hooks off and
//! without optional locks, and for references only: the rest is read in process.

use std::time::Duration;

use birthmark_core::Finding;
use gix::ObjectId;

use super::head::{Head, NO_COMMIT, existing_commit};
use super::open::Repository;
use crate::probe::{Limits, Output, run_limited};

/// A question about references is answered in milliseconds, or something is wrong.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(1),
    output: 16 << 20,
};

/// Runs git on the repository; unknown where it is not the user's own.
fn git(repository: &Repository, question: &[&str]) -> Finding<Output> {
    if !repository.trusted {
        return Finding::unknown("references are in a reftable of an untrusted repository");
    }
    let git_dir = repository.git.git_dir().as_os_str().to_owned();
    let mut args: Vec<std::ffi::OsString> =
        vec!["--no-optional-locks".into(), "--git-dir".into(), git_dir];
    for setting in [
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "log.showSignature=false",
    ] {
        args.extend(["-c".into(), setting.into()]);
    }
    args.extend(question.iter().map(Into::into));
    run_limited("git", args, LIMITS)
}

/// Where `HEAD` stands, by the word of the git program.
pub(super) fn head(repository: &Repository) -> Head {
    let answers = (
        git(repository, &["symbolic-ref", "-q", "HEAD"]),
        git(repository, &["rev-parse", "-q", "--verify", "HEAD"]),
    );
    let (Finding::Found(symbolic), Finding::Found(parsed)) = &answers else {
        let reason = answers.0.reason().or(answers.1.reason());
        let reason = reason.unwrap_or("references are in a reftable").to_owned();
        return Head {
            commit: Finding::unknown(&*reason),
            branch: Finding::Unknown(reason),
        };
    };
    let branch = symbolic
        .success()
        .then(|| symbolic.stdout.trim_ascii_end().to_vec());
    let id = parsed
        .success()
        .then(|| ObjectId::from_hex(parsed.stdout.trim_ascii()).ok())
        .flatten();
    let commit = match id {
        Some(id) => existing_commit(&repository.git, id),
        None => Finding::unknown(NO_COMMIT),
    };
    Head {
        commit,
        branch: Finding::from(branch),
    }
}

/// Makes a reference; one that is there must name the same commit.
pub(super) fn create_reference(
    repository: &Repository,
    name: &str,
    commit: ObjectId,
) -> Result<(), String> {
    let cannot = |why: &str| format!("the reference {name} cannot be made: {why}");
    let id = commit.to_string();
    let parsed = git(repository, &["rev-parse", "-q", "--verify", name]);
    if parsed
        .found()
        .is_some_and(|said| said.stdout.trim_ascii() == id.as_bytes())
    {
        return Ok(());
    }
    let nothing = "0".repeat(id.len());
    match git(
        repository,
        &["update-ref", "--no-deref", name, &id, &nothing],
    ) {
        Finding::Found(output) if output.success() => Ok(()),
        Finding::Found(output) => {
            let said = super::text::display_path(output.stderr.trim_ascii());
            Err(cannot(&said))
        }
        other => Err(cannot(other.reason().unwrap_or("git is not there"))),
    }
}

/// Takes a reference away, if it names this commit.
pub(super) fn delete_reference(
    repository: &Repository,
    name: &str,
    commit: ObjectId,
) -> Result<(), String> {
    let id = commit.to_string();
    match git(repository, &["update-ref", "--no-deref", "-d", name, &id]) {
        Finding::Found(output) if output.success() => Ok(()),
        Finding::Found(output) => Err(super::text::display_path(output.stderr.trim_ascii())),
        other => Err(other.reason().unwrap_or("git is not there").to_owned()),
    }
}

/// The references below `prefix`, with what they name.
pub(super) fn references(
    repository: &Repository,
    prefix: &str,
) -> Result<Vec<(String, String)>, String> {
    let format = "--format=%(objectname) %(refname)";
    match git(repository, &["for-each-ref", format, prefix]) {
        Finding::Found(output) => Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect()),
        other => Err(other.reason().unwrap_or("git is not there").to_owned()),
    }
}

/// What the references below `prefix` name, peeled to commits where they are tags.
pub(super) fn tips(repository: &Repository, prefix: &str) -> Finding<Vec<ObjectId>> {
    let format = "--format=%(objectname) %(*objectname)";
    git(repository, &["for-each-ref", format, prefix]).map(|output| {
        let lines = output.stdout.split(|byte| *byte == b'\n');
        lines
            .filter_map(|line| {
                ObjectId::from_hex(line.trim_ascii().rsplit(|b| *b == b' ').next()?).ok()
            })
            .collect()
    })
}
