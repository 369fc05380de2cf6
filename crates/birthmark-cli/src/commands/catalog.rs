//! `birthmark catalog`: the index that `find`, `list` and `sql` ask.

use std::path::{Component, Path, PathBuf};

use birthmark::catalog::{Catalog, Depth, Refreshed, project_of};
use birthmark::{Project, text};
use birthmark_core::timestamp::render_age;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::table;
use crate::ui::Ui;

/// Look after the index that find, list and sql ask
///
/// It keeps itself up to date and can be lost without harm: all of it is read from the
/// files again. It lies in $XDG_CACHE_HOME/birthmark, or in ~/.cache/birthmark.
#[derive(Debug, clap::Args)]
pub struct CatalogArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show where it lies and which projects it knows
    #[command(visible_alias = "list")]
    Status(Plain),
    Add(Add),
    Remove(Remove),
    /// Look at all of this project, also for what a question may overlook
    Refresh(Plain),
    /// Forget what is known and read all projects anew
    Rebuild(Plain),
}

#[derive(Debug, clap::Args)]
struct Plain {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Make another project known, so that `--all` asks it too
#[derive(Debug, clap::Args)]
struct Add {
    /// A folder of the project
    path: PathBuf,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Forget a project; its files are not touched
#[derive(Debug, clap::Args)]
struct Remove {
    /// A folder of the project, as `catalog status` shows it
    path: PathBuf,
}

/// Does what is asked.
pub fn run(ui: &mut Ui, args: &CatalogArgs) -> Answer {
    match &args.action {
        Action::Status(args) => status(ui, args),
        Action::Add(args) => {
            if !args.path.exists() {
                let path = args.path.display();
                return Err(Failure::new(format!(
                    "there is nothing to add: no folder `{path}`"
                )));
            }
            let project = birthmark::sessions::project_of(&args.path)?;
            if !project.layout.artifacts().is_dir() {
                return Err(Failure::new(format!(
                    "there is nothing to add: no folder `{}`",
                    project.layout.artifacts().display()
                )));
            }
            update(ui, &[project], args.json, |catalog, project| {
                catalog.refresh(project, Depth::Question)
            })
        }
        Action::Remove(args) => remove(ui, args),
        Action::Refresh(args) => {
            let project = super::project()?;
            update(ui, &[project], args.json, |catalog, project| {
                catalog.refresh(project, Depth::All)
            })
        }
        Action::Rebuild(args) => {
            let projects = all_projects()?;
            update(ui, &projects, args.json, Catalog::rebuild)
        }
    }
}

/// Every known project that is there, and this one.
fn all_projects() -> Result<Vec<Project>, Failure> {
    let here = super::project()?;
    let mut projects = vec![here];
    let mut catalog = Catalog::open()?;
    catalog.learn()?;
    for row in catalog.projects()? {
        let project = project_of(&row)?;
        let known = |known: &Project| known.layout.artifacts() == project.layout.artifacts();
        if Path::new(&row.artifacts).is_dir() && !projects.iter().any(known) {
            projects.push(project);
        }
    }
    Ok(projects)
}

fn update(
    ui: &mut Ui,
    projects: &[Project],
    json: bool,
    work: impl Fn(&mut Catalog, &Project) -> Result<Refreshed, birthmark::Error>,
) -> Answer {
    let mut catalog = Catalog::open()?;
    let mut all: Vec<Value> = Vec::new();
    for project in projects {
        let done = work(&mut catalog, project)?;
        let root = project.root().display().to_string();
        all.push(json!({
            "project": root, "sessions": done.sessions, "files": done.files,
            "bytes": done.bytes, "gone": done.gone,
        }));
        if !json {
            ui.people(&format!(
                "{root}: read {} and {} ({}), {} gone",
                text::count(done.sessions, "session"),
                text::count(done.files, "file"),
                text::bytes(done.bytes),
                text::grouped(done.gone),
            ))?;
        }
    }
    for line in &catalog.said {
        ui.talk(line);
    }
    if json {
        ui.json(&Value::from(all))?;
    }
    Ok(ExitStatus::Yes)
}

fn status(ui: &mut Ui, args: &Plain) -> Answer {
    let mut catalog = Catalog::open()?;
    catalog.learn()?;
    let size = catalog.path().metadata().map_or(0, |found| found.len());
    let projects = catalog.projects()?;
    let extents = catalog.extents()?;
    if args.json {
        let projects: Vec<Value> = projects
            .iter()
            .zip(&extents)
            .map(|(row, extent)| {
                json!({
                    "root": row.root, "artifacts": row.artifacts, "there": Path::new(&row.artifacts).is_dir(),
                    "sessions_known": extent.sessions, "artifacts_known": extent.artifacts,
                    "looked_at": extent.looked,
                })
            })
            .collect();
        ui.json(&json!({ "file": catalog.path().to_string_lossy(), "size": size, "projects": projects }))?;
        return Ok(ExitStatus::Yes);
    }
    ui.people(&format!(
        "{} · {} · {}",
        catalog.path().display(),
        text::bytes(size),
        text::count(projects.len() as u64, "project")
    ))?;
    if !projects.is_empty() {
        let now = super::now();
        let rows: Vec<Vec<String>> = projects
            .iter()
            .zip(&extents)
            .map(|(row, extent)| {
                let looked = extent.looked.as_ref().and_then(|time| time.parse().ok());
                let looked = match looked {
                    _ if !Path::new(&row.artifacts).is_dir() => "not there now".to_owned(),
                    Some(time) => render_age(time, now),
                    None => "never".to_owned(),
                };
                vec![
                    row.root.clone(),
                    text::grouped(extent.sessions),
                    text::grouped(extent.artifacts),
                    looked,
                ]
            })
            .collect();
        let head = ["PROJECT", "SESSIONS", "ARTIFACTS", "LOOKED AT"].map(str::to_owned);
        ui.as_it_stands(&table::fitted(&head, &rows, ui.table_width(), Some(0)))?;
    }
    Ok(ExitStatus::Yes)
}

fn remove(ui: &mut Ui, args: &Remove) -> Answer {
    let path = without_steps(&args.path);
    // As `catalog add` took it: any folder of the project, by whichever way.
    let there = args
        .path
        .is_dir()
        .then(|| birthmark::sessions::project_of(&args.path));
    let there = there.transpose()?;
    let mut catalog = Catalog::open()?;
    catalog.learn()?;
    let known = catalog.projects()?;
    let is_it = |root: &str, artifacts: &str| {
        let is_there = |project: &Project| project.layout.artifacts() == Path::new(artifacts);
        Path::new(root) == path
            || Path::new(artifacts) == path
            || there.as_ref().is_some_and(is_there)
    };
    let Some(row) = known.iter().find(|row| is_it(&row.root, &row.artifacts)) else {
        return Err(
            Failure::new(format!("the catalog knows no project `{}`", path.display()))
                .with_hint("`birthmark catalog status` lists them"),
        );
    };
    catalog.forget(row)?;
    ui.people(&format!("forgot {}; its files are as they were", row.root))?;
    Ok(ExitStatus::Yes)
}

/// The whole path, also of what is no longer there: `..` is one folder up.
fn without_steps(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
