//! What stood around a run and is no input of it: variables, stdin, modules that lie in neither a
//! package nor a repository. What was recorded of them, and whether it is so now.
//!
//! # Limitations
//!
//! * A file that stdin was is laid out as an input; what a pipe or a person gave is gone.

use std::path::PathBuf;

use birthmark_core::birthmark::Fields;
use birthmark_core::session::Run;
use serde_json::{Value, json};

use super::variables::Variables;
use crate::project::Project;
use crate::sessions;
use crate::text::short;

/// What is said of a loose module that is another now, or none.
pub(super) const CHANGED: &str = "changed since";
pub(super) const GONE: &str = "not here";
/// Names that are told on one line.
const NAMED: usize = 8;

/// What was recorded of it, and what of that differs now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Its variables; none where none could be recorded.
    pub variables: Option<Variables>,
    /// What stdin was: `terminal`, `nothing`, `pipe`, `file`, `other`; none where it was not recorded.
    pub stdin: Option<String>,
    /// The file that it was, as stored.
    pub stdin_file: Option<String>,
    /// Loose modules, each with whether it is as it was.
    pub modules: Vec<(String, &'static str)>,
    /// Whether these are all; none where nothing was recorded of it.
    pub all_modules: Option<bool>,
}

impl Around {
    /// Of a run, by what its session recorded.
    pub(super) fn of(
        project: &Project,
        runs: &[&Run],
        facts: &Fields,
        environment: &Fields,
    ) -> Self {
        let stdin = facts.get("stdin");
        let told = |name: &str| Some(stdin?.get(name)?.as_str()?.to_owned());
        let lineage = || runs.iter().filter_map(|run| run.observed.lineage.as_ref());
        let watched = lineage().any(|lineage| lineage.code_complete.is_some());
        let loose = lineage().flat_map(|lineage| &lineage.loose_code);
        Self {
            variables: Variables::of(environment),
            stdin: told("kind"),
            stdin_file: told("file").map(|file| project.stored_path(&PathBuf::from(file))),
            modules: loose.filter_map(|one| module(project, one)).collect(),
            all_modules: watched.then(|| crate::code_beside::told_all(runs)),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let module = |(file, state): &(String, &str)| json!({ "file": file, "state": state });
        let variables = self.variables.as_ref();
        json!({
            "variables": variables.map(|all| &all.names),
            "variables_given": variables.map(|all| &all.given),
            "variables_differ": variables.map_or(&[][..], |all| &all.differ),
            "stdin": self.stdin,
            "stdin_file": self.stdin_file,
            "loose_modules": self.modules.iter().map(module).collect::<Vec<_>>(),
            "loose_modules_complete": self.all_modules,
        })
    }

    /// The lines of a plan: a label and a text each.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        match &self.variables {
            None => lines.push(("variables", "not recorded".to_owned())),
            Some(all) => lines.extend(all.lines().into_iter().map(|line| ("variables", line))),
        }
        let stdin = match (self.stdin.as_deref(), &self.stdin_file) {
            (Some("file"), Some(file)) => format!("the file {}", short(file, 60)),
            (Some("nothing"), _) => "nothing was to be read".to_owned(),
            (Some("terminal"), _) => "a terminal: what was typed was not recorded".to_owned(),
            (Some("pipe"), _) => "a pipe: what came through it was not recorded".to_owned(),
            (Some(_), _) => "what it gave was not recorded".to_owned(),
            (None, _) => "not recorded".to_owned(),
        };
        lines.push(("stdin", stdin));
        let line = |(file, state): &(String, &str)| {
            ("loose code", format!("{}  {state}", short(file, 60)))
        };
        lines.extend(self.modules.iter().take(NAMED).map(line));
        if self.modules.len() > NAMED {
            let more = format!("+ {} more (all with --json)", self.modules.len() - NAMED);
            lines.push(("", more));
        }
        let lacking = match self.all_modules {
            Some(true) => None,
            Some(false) => Some("not all that was loaded was seen"),
            None => Some("not recorded"),
        };
        lines.extend(lacking.map(|text| ("loose code", text.to_owned())));
        lines
    }
}

fn module(project: &Project, told: &Fields) -> Option<(String, &'static str)> {
    let file = told.get("file")?.as_str()?;
    let digest = told.get("digest").and_then(Value::as_str);
    let path = sessions::locate(project, file, None);
    let now = crate::dataset::digest_of(&path)
        .ok()
        .map(|now| now.to_string());
    let state = match (digest, now) {
        (_, None) => GONE,
        (None, _) => "its digest was not recorded",
        (Some(was), Some(now)) if was == now => "as it was",
        _ => CHANGED,
    };
    Some((file.to_owned(), state))
}
