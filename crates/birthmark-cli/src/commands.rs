//! One file a command: its arguments, whose doc comments are its help, and how its
//! answer is shown.

pub mod bundle;
pub mod catalog;
pub mod compare;
pub mod completions;
pub mod declare;
pub mod doctor;
pub mod find;
pub mod import;
pub mod init;
pub mod list;
pub mod man;
pub mod policy;
pub mod reproduce;
pub mod run;
pub mod salvage;
pub mod scan;
pub mod session;
pub mod show;
pub mod size;
pub mod snapshot;
pub mod sql;
pub mod stamp;
pub mod trace;
pub mod unstamp;
pub mod verify;

use birthmark::Project;
use birthmark::stamp::given;
use birthmark_core::{Fields, Timestamp};

use crate::failure::Failure;

/// The project of the current folder.
fn project() -> Result<Project, Failure> {
    Ok(Project::here()?)
}

/// The project that tells of what `what` names: where it is a file, also one of another project.
fn project_of(what: &str) -> Result<Project, Failure> {
    let (path, _) = birthmark::show::parse_target(what);
    if path.exists() {
        Ok(birthmark::sessions::project_telling_of(&path)?)
    } else {
        project()
    }
}

/// The same for what only reads: a setting that is wrong is said and stops nothing.
fn project_to_read(ui: &mut crate::ui::Ui) -> Result<Project, Failure> {
    let (project, wrong) = Project::here_leniently()?;
    if let Some(wrong) = wrong {
        ui.talk(&format!("warning: {}", birthmark::text::neutral(&wrong)));
    }
    Ok(project)
}

fn now() -> Timestamp {
    Timestamp::from_micros(birthmark_capture::clock::now_micros())
}

/// Whether the person asked for silence.
pub(crate) fn quiet() -> bool {
    birthmark_capture::process::variable("BIRTHMARK_QUIET")
        .is_some_and(|word| !matches!(word.as_str(), "" | "0" | "false"))
}

/// Fields from `--set` and `--set-text`; of a name given twice the later one counts.
fn fields(set: &[String], set_text: &[String]) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    for text in set {
        let (name, value) = given::parse(text)?;
        fields.insert(name, value);
    }
    for text in set_text {
        let (name, value) = given::parse_text(text)?;
        fields.insert(name, value);
    }
    Ok(fields)
}
