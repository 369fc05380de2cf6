//! `birthmark snapshot`: the code that ran, as it was.

use std::collections::BTreeMap;
use std::path::PathBuf;

use birthmark::snapshot::{self, Described, Diff, Listed, Pruned, RestoreOptions, Restored};
use birthmark::talk;
use birthmark::text::bytes;
use birthmark_core::timestamp::render_age;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// List, show, compare and give back the code that ran
///
/// A run of a dirty tree keeps the whole of it as a snapshot: a git commit beside the
/// branch, untracked files included. Nothing of yours is touched, neither when one is
/// taken nor when one is given back. What no remote has also stands in the artifacts
/// folder, so that copying that folder brings the code along.
#[derive(Debug, clap::Args)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(ListArgs),
    Show(ShowArgs),
    Diff(DiffArgs),
    Restore(RestoreArgs),
    Prune(PruneArgs),
}

/// List the snapshots of this project
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Show what a snapshot holds, and where it lives now
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// A session, an artifact (FILE or FILE:LINE), or a commit
    #[arg(value_name = "SESSION|FILE|COMMIT")]
    what: String,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Show what differs between the code of two artifacts, sessions or commits
///
/// The exit status is 0 when the code is the same, and 1 when it differs.
#[derive(Debug, clap::Args)]
struct DiffArgs {
    /// The old one: a session, an artifact (FILE or FILE:LINE), or a commit
    #[arg(value_name = "OLD")]
    old: String,

    /// The new one
    #[arg(value_name = "NEW")]
    new: String,

    /// Show the lines that differ, too
    #[arg(short, long)]
    patch: bool,

    /// Print what differs as JSON
    #[arg(long)]
    json: bool,
}

/// Write the files of a snapshot into a new folder
///
/// Every file comes back byte for byte, with its executable bit. A commit that only the
/// artifacts folder has is also brought into this clone. The exit status is 1 where the
/// snapshot does not hold everything.
#[derive(Debug, clap::Args)]
struct RestoreArgs {
    /// A session (an id, any unique part of its beginning or end, or `last`), an artifact, or
    /// a commit
    #[arg(value_name = "SESSION|FILE|COMMIT")]
    what: String,

    /// The folder [default: one beside the project, named after it and the commit]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Replace files in a folder that is there
    #[arg(long)]
    force: bool,

    /// Print what was given back as JSON
    #[arg(long)]
    json: bool,
}

/// Take old snapshots out of this clone, where the artifacts folder has them
///
/// Only the references below refs/birthmark/ go; git throws the rest away in its own time.
#[derive(Debug, clap::Args)]
struct PruneArgs {
    /// Those that were taken before so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    older_than: u32,

    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Print what went and what stays as JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub fn run(ui: &mut Ui, args: &SnapshotArgs) -> Answer {
    match &args.action {
        Action::List(args) => list(ui, args),
        Action::Show(args) => show(ui, args),
        Action::Diff(args) => diff(ui, args),
        Action::Restore(args) => restore(ui, args),
        Action::Prune(args) => prune(ui, args),
    }
}

fn list(ui: &mut Ui, args: &ListArgs) -> Answer {
    let project = super::project()?;
    let listed = snapshot::list(&project)?;
    if args.json {
        ui.json(&listed.iter().map(Listed::to_json).collect())?;
    } else if listed.is_empty() {
        ui.people("no snapshot in this project yet: a run of a dirty tree takes one")?;
    } else {
        let has_others = listed.iter().any(|one| !one.taken.path.is_empty());
        let rows = alike(&listed).into_iter().map(|one| row(one, has_others));
        let rows: Vec<Vec<String>> = rows.collect();
        let second = if has_others { "PATH" } else { "FILES" };
        let head = [
            "SNAPSHOT", second, "TAKEN", "KEPT", "EXACT", "LIVES", "SESSION",
        ];
        let head = head.map(str::to_owned);
        let width = ui.table_width();
        ui.as_it_stands(&crate::table::fitted(&head, &rows, width, Some(1)))?;
        let all = bytes(snapshot::kept_bytes(&project.layout));
        ui.talk(&format!(
            "The store takes {all} for code that no remote has."
        ));
    }
    Ok(ExitStatus::Yes)
}

/// The newest of each snapshot of a session, and how many of its runs took it: the processes of
/// a pool all take the same.
fn alike(listed: &[Listed]) -> Vec<(&Listed, usize)> {
    let mut rows: Vec<(&Listed, usize)> = Vec::new();
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for one in listed {
        let name = (&one.session, &one.taken.commit, &one.taken.path);
        if let Some(row) = places.get(&name).and_then(|place| rows.get_mut(*place)) {
            row.1 += 1;
        } else {
            places.insert(name, rows.len());
            rows.push((one, 1));
        }
    }
    rows
}

/// A row of the table; with the path of the repository that it is of, where there are several.
fn row((one, runs): (&Listed, usize), with_path: bool) -> Vec<String> {
    let taken = &one.taken;
    vec![
        short(&taken.commit).to_owned(),
        if with_path {
            taken.path.clone()
        } else {
            taken.files.to_string()
        },
        render_age(one.time, super::now()),
        one.kept_bytes.map_or_else(|| "-".to_owned(), bytes),
        if taken.exact { "yes" } else { "no" }.to_owned(),
        one.lives.cell(),
        match runs {
            1 => one.session.short().to_owned(),
            _ => format!("{}, {runs} runs", one.session.short()),
        },
    ]
}

/// Files named on the screen; `--json` has all.
const NAMED: usize = 20;

fn show(ui: &mut Ui, args: &ShowArgs) -> Answer {
    let described = snapshot::describe(&super::project_of(&args.what)?, &args.what)?;
    if args.json {
        ui.json(&described.to_json())?;
    } else {
        ui.people(&page(&described, &args.what))?;
    }
    Ok(ExitStatus::Yes)
}

fn page(described: &Described, asked: &str) -> String {
    let commit = short(&described.commit);
    let mut lines = Vec::new();
    let unkept = described.unkept.iter();
    let unkept = unkept.map(|reason| format!("not exact {reason}"));
    let Some(taken) = &described.taken else {
        // A birthmark tells whether its tree was clean; a commit by itself does not.
        let is_told = described.session.is_some() || !described.commit.starts_with(asked);
        lines.push(if described.is_snapshot {
            format!("snapshot {commit}: of a dirty tree; what it holds is not told here")
        } else if is_told {
            format!("commit {commit}: the tree was clean")
        } else {
            format!("commit {commit}: no session here tells of it")
        });
        lines.push(format!("lives     {}", described.lives.phrase()));
        lines.extend(unkept);
        return lines.join("\n");
    };
    let exact = if taken.exact && described.unkept.is_empty() {
        "exact"
    } else {
        "not exact"
    };
    let files = talk::count(taken.files, "file");
    let parent = taken.parent.as_deref().map_or("no commit", short);
    lines.push(format!(
        "snapshot {commit}: {files} beside {parent}, {exact}"
    ));
    lines.push(format!("lives     {}", described.lives.phrase()));
    if let Some(session) = &described.session {
        lines.push(format!("session   {}", session.short()));
    }
    match &described.changes {
        Ok(changes) => {
            lines.push(String::new());
            let named = changes.iter().take(NAMED);
            lines.extend(named.map(|one| format!("{:<8}  {}", one.change.word(), one.path)));
            if changes.len() > NAMED {
                lines.push(format!(
                    "          and {} more: --json",
                    changes.len() - NAMED
                ));
            }
        }
        Err(reason) => lines.push(format!("unknown   what differs: {reason}")),
    }
    let mut told: Vec<String> = unkept.collect();
    for file in &taken.left_out {
        told.push(format!("left out  {}: {}", file.path, file.reason));
    }
    told.extend(
        taken
            .inexact
            .iter()
            .map(|reason| format!("not exact {reason}")),
    );
    told.extend(
        taken.raw.iter().map(|path| {
            format!("raw       {path}: git checkout would change it, restore does not")
        }),
    );
    let after = taken.changed_after.iter();
    told.extend(after.map(|path| format!("late      {path}: written after the run began")));
    if !told.is_empty() {
        lines.push(String::new());
        lines.append(&mut told);
    }
    lines.join("\n")
}

fn diff(ui: &mut Ui, args: &DiffArgs) -> Answer {
    let diff = snapshot::diff(
        &super::project_of(&args.old)?,
        &args.old,
        &args.new,
        args.patch,
    )?;
    if args.json {
        let files: Vec<_> = diff
            .files
            .iter()
            .map(snapshot::Differing::to_json)
            .collect();
        ui.json(&json!({"old": diff.old, "new": diff.new, "files": files}))?;
    } else {
        ui.people(&differences(&diff))?;
    }
    Ok(if diff.files.is_empty() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    })
}

fn differences(diff: &Diff) -> String {
    let (old, new) = (short(&diff.old), short(&diff.new));
    if diff.files.is_empty() {
        return format!("the same code: {old} and {new} hold the same files");
    }
    let count = talk::count(diff.files.len() as u64, "file");
    let verb = if diff.files.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    let mut lines = vec![format!("{count} {verb} from {old} to {new}")];
    for file in &diff.files {
        lines.push(format!("{:<8}  {}", file.change.word(), file.path));
        if let Some(text) = &file.lines {
            lines.push(text.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

fn restore(ui: &mut Ui, args: &RestoreArgs) -> Answer {
    let options = RestoreOptions {
        into: args.into.as_deref(),
        force: args.force,
        ..RestoreOptions::default()
    };
    let restored = snapshot::restore(&super::project_of(&args.what)?, &args.what, &options)?;
    if args.json {
        ui.json(&restored.to_json())?;
    } else {
        ui.people(&given_back(&restored))?;
    }
    Ok(if restored.is_exact() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    })
}

fn given_back(restored: &Restored) -> String {
    let kind = if restored.is_snapshot {
        "snapshot"
    } else {
        "commit"
    };
    let files = talk::count(restored.files, "file");
    let folder = talk::shell_word(&restored.folder.to_string_lossy());
    let from = if restored.from_store {
        ", from the store"
    } else {
        ""
    };
    let commit = short(&restored.commit);
    let mut lines = vec![format!(
        "restored {kind} {commit}: {files} in {folder}{from}"
    )];
    for file in &restored.left_out {
        lines.push(format!("left out  {}: {}", file.path, file.reason));
    }
    for reason in &restored.inexact {
        lines.push(format!("not exact {reason}"));
    }
    for missing in &restored.missing {
        let short = short(&missing.commit);
        lines.push(format!("not here  {} at {short}", missing.path));
    }
    if !restored.missing.is_empty() {
        lines.push(
            "try: git submodule update --init (or git clone) where it lay, then restore again"
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn prune(ui: &mut Ui, args: &PruneArgs) -> Answer {
    let pruned = snapshot::prune(
        &super::project()?,
        args.older_than,
        super::now(),
        args.dry_run,
    )?;
    if args.json {
        ui.json(&pruned.iter().map(Pruned::to_json).collect())?;
        return Ok(ExitStatus::Yes);
    }
    let went = pruned.iter().filter(|one| one.kept.is_none()).count();
    let verb = if args.dry_run { "would go" } else { "gone" };
    let stay = pruned.len() - went;
    let count = talk::count(went as u64, "snapshot");
    let mut lines = vec![format!("{count} {verb} from this clone, {stay} stay")];
    for one in &pruned {
        if let Some(why) = &one.kept {
            lines.push(format!("stays     {}: {why}", short(&one.commit)));
        }
    }
    ui.people(&lines.join("\n"))?;
    Ok(ExitStatus::Yes)
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}
