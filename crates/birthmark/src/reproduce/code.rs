//! The code that ran: the commit that holds it, and why that is not exactly what ran.
//!
//! # Limitations
//!
//! * A file that the run wrote itself and loaded then is not looked for: the run makes it again.
//! * Of a script that nobody saw being opened only its name is looked for.

use std::path::{Path, PathBuf};

use birthmark_core::RunId;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::Module;
use birthmark_core::session::{Artifact, Run, Session, put_late_snapshot};
use birthmark_core::snapshot::kept_nowhere;
use serde_json::Value;

use super::plan::Plan;
use crate::project::Project;
use crate::report::origins;
use crate::snapshot::Held;
use crate::text::short;

/// What to do about code that nothing kept.
const IN_NO_REPOSITORY: &str =
    "it is gone for this run; `git init` and a commit keep the code of the next";

/// So many files that are not in the code are named.
const MOST: usize = 5;

/// The code that ran, and whether it can be had exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The commit.
    pub commit: Option<String>,
    /// The commit that holds what ran: the snapshot of a dirty tree, else the commit.
    pub restore: Option<String>,
    /// Why it is not exactly what ran; none where it is.
    pub inexact: Vec<String>,
    /// What brings it here, where it cannot be had.
    pub hint: Option<String>,
    /// Submodules that were not checked out when it ran: empty folders.
    pub(super) absent: Vec<String>,
}

impl Code {
    /// With what of it cannot be had now.
    pub(super) fn with_what_is_here(mut self, project: &Project, session: &Session) -> Self {
        let same_code = session.code.get("git_commit").and_then(Value::as_str);
        let listed = session.code_details.get("submodules");
        let listed = listed.filter(|_| same_code == self.commit.as_deref());
        let listed = listed.and_then(Value::as_array).into_iter().flatten();
        self.absent = listed
            .filter(|one| one["commit"].is_null())
            .filter_map(|one| one["path"].as_str().map(str::to_owned))
            .collect();
        let lacking = self
            .restore
            .as_ref()
            .map(|commit| crate::snapshot::lacking(project, commit, &self.absent));
        match lacking {
            Some(Ok(reasons)) => self.inexact.extend(reasons),
            Some(Err(nowhere)) => {
                self.restore = None;
                self.inexact.push(nowhere.reason);
                self.hint = nowhere.hint;
            }
            None => {}
        }
        self
    }
}

/// The commit that is to be laid out, and why it is not all of what ran: it was never known, what
/// is known of it was left out, it changed under the run, or other runs had a share.
pub(super) fn of(session: &Session, fields: &Fields, runs: &[&Run], recorded: &Artifact) -> Code {
    let mut code = kept(session, fields, runs);
    let drift = runs.iter().flat_map(|run| &run.drift);
    for change in drift.map(|change| format!("while it ran, {change}")) {
        if !code.inexact.contains(&change) {
            code.inexact.push(change);
        }
    }
    let nowhere = [recorded.birthmark(), fields]
        .into_iter()
        .find_map(kept_nowhere);
    code.inexact.extend(nowhere.map(str::to_owned));
    code.inexact
        .extend(origins::of_other_code(recorded.birthmark()));
    code
}

fn kept(session: &Session, fields: &Fields, runs: &[&Run]) -> Code {
    let mut fields = fields.clone();
    put_late_snapshot(&session.snapshots, &mut fields);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let commit = text("git_commit");
    let mut inexact = Vec::new();
    let was_in_none = commit.is_none();
    let is_own = |run: &Option<RunId>| {
        run.as_ref()
            .is_none_or(|id| runs.iter().any(|run| run.id == *id))
    };
    let taken = session.snapshots.iter().filter(|one| is_own(&one.run));
    let snapshot = text("git_snapshot");
    if let Some(snapshot) = &snapshot {
        for one in taken.filter(|one| one.taken.commit == *snapshot) {
            inexact.extend(one.taken.inexact.iter().cloned());
            inexact.extend(
                one.taken
                    .left_out
                    .iter()
                    .map(|left| format!("{} was left out", left.path)),
            );
        }
        return Code {
            restore: Some(snapshot.clone()),
            commit,
            inexact,
            hint: None,
            absent: Vec::new(),
        };
    }
    match (fields.get("git_dirty").and_then(Value::as_bool), &commit) {
        (_, None) => inexact.push("no commit was recorded".to_owned()),
        (Some(false), _) => {}
        (Some(true), _) => {
            inexact.push("the tree was dirty and no snapshot was kept".to_owned());
        }
        (None, _) => inexact.push("whether the tree was dirty is unknown".to_owned()),
    }
    if fields
        .get("declared")
        .is_some_and(|names| !names.as_array().is_some_and(Vec::is_empty))
    {
        inexact.push("the commit was declared, not observed".to_owned());
    }
    Code {
        restore: commit.clone(),
        commit,
        inexact,
        hint: was_in_none.then(|| IN_NO_REPOSITORY.to_owned()),
        absent: Vec::new(),
    }
}

/// Holds what was loaded, and the script, against what will be laid out: code that git ignores,
/// or that lies among the artifacts, ran and is in no commit.
pub(super) fn look_for_what_ran(plan: &mut Plan) {
    let Some(commit) = plan.code.restore.clone() else {
        return;
    };
    let Some(held) = Held::open(&plan.project, &commit) else {
        return;
    };
    let top = real(&plan.top);
    let own = plan.modules.iter();
    let own = own.filter(|one| real(&plan.project.resolve(&one.root)) == top);
    let loaded: Vec<&Module> = own.flat_map(|one| &one.files).collect();
    // A snapshot's files are as they lay, and a module's blob is as git would keep it.
    let is_commit = plan.code.commit.as_deref() == Some(&*commit);
    let mut lacking: Vec<String> = Vec::new();
    // Of an escaped name it cannot be told where it stands.
    let is_told = |module: &&&Module| {
        !module.changed && !module.file.contains('\\') && !held.leads_elsewhere(&module.file)
    };
    for module in loaded.iter().filter(is_told) {
        let name = || short(&module.file, 100);
        match (held.blob(&module.file), &module.blob) {
            (None, _) => lacking.push(format!("{}, which ran, is not in it", name())),
            (Some(had), Some(ran)) if is_commit && had != ran => {
                lacking.push(format!("{} ran with other content than is in it", name()));
            }
            _ => {}
        }
    }
    if loaded.is_empty()
        && let Some(script) = script_below(plan, &top)
        && held.blob(&script).is_none()
        && !held.leads_elsewhere(&script)
    {
        lacking.push(format!("{}, which ran, is not in it", short(&script, 100)));
    }
    let more = lacking.len().saturating_sub(MOST);
    lacking.truncate(MOST);
    if more > 0 {
        lacking.push(format!("{more} more files that ran are not in it"));
    }
    plan.code.inexact.extend(lacking);
}

/// The script as a path below the top, where it was called by a relative one.
fn script_below(plan: &Plan, top: &Path) -> Option<String> {
    let name = plan.code_fields.get("script_name")?.as_str()?;
    let mut words = plan.argv.iter().map(Path::new);
    let word = words.find(|word| word.file_name().is_some_and(|word| word == name))?;
    let cwd = plan.cwd.as_deref().filter(|_| word.is_relative())?;
    let tops = [Some(top), plan.old_top.as_deref()];
    let mut tops = tops.into_iter().flatten();
    let below = tops.find_map(|top| cwd.strip_prefix(top).ok())?;
    let path = crate::project::plain(&below.join(word));
    Some(path.to_str()?.to_owned())
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
