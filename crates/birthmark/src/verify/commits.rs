//! The commits that birthmarks name, each asked once.

use std::collections::HashMap;
use std::path::Path;

use birthmark_capture::git::Objects;
use birthmark_core::Finding;
use birthmark_core::code::ObjectKind;
use birthmark_store::digest::digest_bytes;

use super::report::Reason;
use crate::project::Project;
use crate::snapshot;

/// What is known of commits in the clone round a project.
pub(super) struct Commits {
    objects: Finding<Objects>,
    commits: HashMap<String, Vec<Reason>>,
    snapshots: HashMap<String, Vec<Reason>>,
    project: Project,
}

/// Whether a text is a full object id as git writes it: 40 or 64 lower-case hex digits.
pub(super) fn is_full_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is larger is not looked for in branches.
const LARGEST: usize = 64 << 20;
/// Distinct commits beyond this number are forgotten again, so that memory stays flat.
const MOST: usize = 100_000;

impl Commits {
    pub(super) fn open(project: &Project) -> Self {
        Self {
            objects: Objects::open(project.root()),
            project: project.clone(),
            commits: HashMap::new(),
            snapshots: HashMap::new(),
        }
    }

    /// Why a commit is not simply right; nothing when it is there, reachable and pushed.
    pub(super) fn judge(&mut self, hex: &str) -> Vec<Reason> {
        if let Some(known) = self.commits.get(hex) {
            return known.clone();
        }
        let reasons = self.ask(hex);
        if self.commits.len() >= MOST {
            self.commits.clear();
        }
        self.commits.insert(hex.to_owned(), reasons.clone());
        reasons
    }

    /// The last commit of a branch, its id cut short, that holds at `path` what has this digest;
    /// with none, whatever is called so. So a file that is gone may be one that is not checked out.
    pub(super) fn branch_with(&self, path: &Path, digest: Option<&str>) -> Option<String> {
        let objects = self.objects.found()?;
        let within = path.strip_prefix(objects.root()?).ok()?.to_str()?;
        let is_it =
            |bytes: &[u8]| digest.is_none_or(|digest| digest_bytes(bytes).to_string() == digest);
        let commit = objects.branch_with(within, LARGEST, is_it)?;
        Some(commit.get(..7).unwrap_or(&commit).to_owned())
    }

    fn ask(&mut self, hex: &str) -> Vec<Reason> {
        let reasons = self.ask_clone(hex);
        let not_here = |reason: &Reason| reason.code == "commit-not-here";
        if reasons.iter().any(not_here) && snapshot::is_restorable(&self.project, hex).is_ok() {
            let short = hex.get(..7).unwrap_or(hex);
            let text = format!("commit {short} is in the store, and not in this clone");
            return vec![Reason::caveat("commit-in-store", text)];
        }
        reasons
    }

    fn ask_clone(&mut self, hex: &str) -> Vec<Reason> {
        let short = hex.get(..7).unwrap_or(hex);
        let objects = match &mut self.objects {
            Finding::Found(objects) => objects,
            Finding::Absent => {
                return vec![no_clone(short, "there is no git repository here")];
            }
            Finding::Unknown(reason) => return vec![no_clone(short, reason)],
        };
        match objects.kind(hex) {
            Finding::Found(ObjectKind::Commit) => {}
            Finding::Found(kind) => {
                let name = kind_name(kind);
                let text = format!("{short} is a {name}, not a commit");
                return vec![Reason::failed("not-a-commit", text)];
            }
            Finding::Absent => {
                let how = if objects.is_shallow() {
                    ", which is shallow: git fetch --unshallow brings it"
                } else {
                    ""
                };
                let text = format!("commit {short} is not in this clone{how}");
                return vec![Reason::cannot_tell("commit-not-here", text)];
            }
            Finding::Unknown(reason) => return vec![no_clone(short, &reason)],
        }
        match objects.is_whole(hex) {
            Finding::Found(true) => {}
            Finding::Found(false) => return vec![another(short)],
            Finding::Absent => return vec![no_clone(short, "it is gone")],
            Finding::Unknown(reason) => return vec![no_clone(short, &reason)],
        }
        let mut reasons = Vec::new();
        match objects.reachable_from_branch(hex) {
            Finding::Found(true) => {}
            Finding::Found(false) | Finding::Absent => {
                let kept = objects.kept_by_reference(hex) == Finding::Found(true);
                let what = if kept {
                    "a reference of its own keeps it in this clone"
                } else {
                    "git may throw it away"
                };
                let text = format!("commit {short} is on no branch; {what}");
                reasons.push(Reason::caveat("commit-unreachable", text));
            }
            Finding::Unknown(why) => {
                let text = format!("whether a branch holds commit {short} is unknown: {why}");
                reasons.push(Reason::caveat("reachable-unknown", text));
            }
        }
        match objects.on_remote(hex) {
            Finding::Found(true) => {}
            Finding::Found(false) => {
                let text = format!("commit {short} is not pushed, as of the last fetch");
                reasons.push(Reason::caveat("not-pushed", text));
            }
            Finding::Absent => {
                let text = format!("commit {short} is not pushed: there is no remote");
                reasons.push(Reason::caveat("not-pushed", text));
            }
            Finding::Unknown(why) => {
                let text = format!("whether commit {short} is pushed is unknown: {why}");
                reasons.push(Reason::caveat("pushed-unknown", text));
            }
        }
        reasons
    }

    /// Why the commit that keeps a dirty tree is not simply right.
    pub(super) fn judge_snapshot(&mut self, hex: &str) -> Vec<Reason> {
        if let Some(known) = self.snapshots.get(hex) {
            return known.clone();
        }
        let short = hex.get(..7).unwrap_or(hex);
        let found = match &self.objects {
            Finding::Found(objects) if objects.is_whole(hex) == Finding::Found(false) => {
                return vec![another(short)];
            }
            Finding::Found(objects) => objects.kind(hex),
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        };
        let reasons = match found {
            Finding::Found(kind) if kind != ObjectKind::Commit => {
                let text = format!("snapshot {short} is a {}, not a commit", kind_name(kind));
                vec![Reason::failed("not-a-commit", text)]
            }
            // Wherever it is: that it can be given back is what counts.
            _ => match snapshot::is_restorable(&self.project, hex) {
                Ok(()) => Vec::new(),
                Err(why) => {
                    let text = format!("snapshot {short} cannot be given back: {why}");
                    vec![Reason::cannot_tell("snapshot-not-here", text)]
                }
            },
        };
        if self.snapshots.len() >= MOST {
            self.snapshots.clear();
        }
        self.snapshots.insert(hex.to_owned(), reasons.clone());
        reasons
    }
}

fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Commit => "commit",
        ObjectKind::Tree => "tree",
        ObjectKind::Blob => "blob",
        ObjectKind::Tag => "tag",
    }
}

/// The id is there, and what lies under it has another.
fn another(short: &str) -> Reason {
    let text = format!("what lies in the clone as commit {short} is damaged or another object");
    Reason::failed("commit-damaged", text)
}

fn no_clone(short: &str, why: &str) -> Reason {
    Reason::cannot_tell(
        "commit-not-here",
        format!("commit {short} cannot be looked up: {why}"),
    )
}
