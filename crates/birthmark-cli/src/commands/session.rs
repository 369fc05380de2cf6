//! `birthmark session`: sittings that last longer than one command.

use birthmark::session::{self, Begin};
use birthmark::sessions::{self, Summary};
use birthmark::{logs, show, stamp, talk};
use birthmark_core::SessionId;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_core::timestamp::render_age;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Answer;
use crate::ui::Ui;

/// Start, end and list sessions
///
/// A session groups the runs of one sitting. Scripts begin one of their own; one started
/// here is joined by every script of this project on this machine until it is ended.
#[derive(Debug, clap::Args)]
pub struct SessionArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Start(StartArgs),
    Status(StatusArgs),
    End(EndArgs),
    List(ListArgs),
    Log(LogArgs),
}

/// Open a session for this project
#[derive(Debug, clap::Args)]
struct StartArgs {
    /// A file that is meant to be made: 'sft_*.jsonl (200 examples)' (can be repeated)
    #[arg(long, value_name = "PLAN")]
    planned: Vec<String>,

    /// A field that everything made in it inherits: seed=42 (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,

    /// The same, with the value as text whatever it looks like (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    set_text: Vec<String>,

    /// Print its id and manifest as JSON
    #[arg(long)]
    json: bool,
}

/// Show the session that is open here, or a named one
#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// An id, any unique part of its beginning or end, or `last` [default: the open one]
    session: Option<String>,

    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// End the session that is open here, or a named one
#[derive(Debug, clap::Args)]
struct EndArgs {
    /// An id, any unique part of its beginning or end, or `last` [default: the open one]
    session: Option<String>,

    /// Say that it failed
    #[arg(long)]
    failed: bool,

    /// Print its summary as JSON
    #[arg(long)]
    json: bool,
}

/// List the sessions of this project, the newest first
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// How many to list
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

/// Print what the commands of a session said
///
/// `birthmark run` keeps the output of its command: the beginning and the end of what is
/// long, secrets taken out, and of a line that is written over the last state.
#[derive(Debug, clap::Args)]
struct LogArgs {
    /// An id, any unique part of its beginning or end, or `last`
    #[arg(default_value = "last")]
    session: String,

    /// Only this stream: stdout, stderr, or output where both went the same way
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,

    /// Print which logs there are as JSON
    #[arg(long)]
    json: bool,
}

/// Does what is asked.
pub fn run(ui: &mut Ui, args: SessionArgs) -> Answer {
    match args.action {
        Action::Start(args) => start(ui, args),
        Action::Status(args) => status(ui, &args),
        Action::End(args) => end(ui, &args),
        Action::List(args) => list(ui, &args),
        Action::Log(args) => log(ui, &args),
    }
}

fn start(ui: &mut Ui, args: StartArgs) -> Answer {
    let project = super::project()?;
    let mut begin = Begin::at(project.root(), OpenedBy::Shell);
    begin.given = super::fields(&args.set, &args.set_text)?;
    begin.planned = args.planned;
    let session = session::start_from_shell(begin)?;
    let code = session.code();
    if args.json {
        let manifest = project.layout.manifest(session.id());
        ui.json(&json!({
            "session_id": session.id().as_str(),
            "manifest": manifest.to_string_lossy(),
            "git": code.fields,
        }))?;
    } else {
        ui.people(&format!(
            "started session {} · {}",
            session.id().short(),
            talk::code_phrase(&code)
        ))?;
    }
    if let Some(line) = talk::dirty_line(&code) {
        ui.talk(&line);
    }
    Ok(ExitStatus::Yes)
}

fn status(ui: &mut Ui, args: &StatusArgs) -> Answer {
    let project = super::project()?;
    let id = match &args.session {
        Some(name) => sessions::resolve(&project, name)?,
        None => match stamp::open_here(&project) {
            Some(id) => id,
            None => return no_open_session(ui, args.json),
        },
    };
    let now = super::now();
    let shown = show::show(&project, id.as_str().as_ref(), None, now)?;
    if args.json {
        ui.json(&shown.to_json())?;
    } else {
        ui.people(&show::render(&shown, now, &TimeZone::system(), ui.width()))?;
    }
    Ok(ExitStatus::Yes)
}

fn no_open_session(ui: &mut Ui, json: bool) -> Answer {
    if json {
        ui.json(&Value::Null)?;
    } else {
        ui.people("no session is open here")?;
        ui.hint(
            "`birthmark session start` opens one; `birthmark session status last` shows the last",
        );
    }
    Ok(ExitStatus::No)
}

fn end(ui: &mut Ui, args: &EndArgs) -> Answer {
    let project = super::project()?;
    let named = match &args.session {
        Some(name) => Some(sessions::resolve(&project, name)?),
        None => None,
    };
    let outcome = if args.failed {
        Outcome::Failed
    } else {
        Outcome::Completed
    };
    let id = session::end_from_shell(&project, named, outcome)?;
    let loaded = sessions::load(&project, &id)?;
    if args.json {
        ui.json(&Summary::of(&loaded, super::now()).to_json())?;
        return Ok(ExitStatus::Yes);
    }
    let made = u64::try_from(loaded.session.made().count()).unwrap_or(u64::MAX);
    let mut line = format!(
        "ended session {} · made {}",
        id.short(),
        talk::count(made, "artifact")
    );
    let planned = talk::planned_phrase(&loaded.session);
    if !planned.is_empty() {
        line = format!("{line} · {planned}");
    }
    ui.people(&line)?;
    Ok(ExitStatus::Yes)
}

fn list(ui: &mut Ui, args: &ListArgs) -> Answer {
    let project = super::project_to_read(ui)?;
    let now = super::now();
    let ids: Vec<SessionId> = sessions::ids(&project)?;
    let shown = sessions::newest(&project, args.limit, now)?;
    if args.json {
        ui.json(&shown.iter().map(Summary::to_json).collect())?;
        return Ok(ExitStatus::Yes);
    }
    if ids.is_empty() {
        ui.people("no session in this project yet")?;
        ui.hint("birthmark run -- python train.py");
        return Ok(ExitStatus::Yes);
    }
    let rows: Vec<[String; 7]> = shown.iter().map(|one| row(one, now)).collect();
    let head = [
        "SESSION", "STATUS", "STARTED", "CODE", "MADE", "PLANNED", "HOST",
    ];
    let width = ui.table_width();
    ui.as_it_stands(&crate::table::render(head, &rows, width, 6))?;
    if ids.len() > shown.len() {
        ui.talk(&format!(
            "{} more: birthmark session list -n {}",
            ids.len() - shown.len(),
            ids.len()
        ));
    }
    Ok(ExitStatus::Yes)
}

/// The moment itself stands in the id.
fn row(one: &Summary, now: birthmark_core::Timestamp) -> [String; 7] {
    let started = one
        .start
        .map_or_else(|| "unknown".to_owned(), |start| render_age(start, now));
    let code = birthmark_core::session::in_a_cell(&one.codes, !one.drift.is_empty());
    let planned = match one.planned {
        0 => "-".to_owned(),
        planned => format!("{} of {planned}", one.made),
    };
    let damaged = if one.damaged { " DAMAGED" } else { "" };
    let status = format!("{}{damaged}", one.status.word());
    let host = one.host.clone().unwrap_or_default();
    [
        one.id.short().to_owned(),
        status,
        started,
        code,
        one.artifacts.to_string(),
        planned,
        host,
    ]
}

fn log(ui: &mut Ui, args: &LogArgs) -> Answer {
    let project = super::project_to_read(ui)?;
    let id = sessions::resolve(&project, &args.session)?;
    let mut found = logs::of_session(&project, &id)?;
    if let Some(stream) = &args.stream {
        found.retain(|log| log.kept.stream() == stream);
    }
    if args.json {
        ui.json(&found.iter().map(logs::Log::to_json).collect())?;
        return Ok(ExitStatus::Yes);
    }
    if found.is_empty() {
        for (stream, file) in logs::in_files(&project, &id)? {
            if args.stream.as_ref().is_none_or(|wanted| *wanted == stream) {
                let file = birthmark::text::neutral(&file).into_owned();
                ui.people(&format!(
                    "{stream} was sent into a file, and is there: {file}"
                ))?;
            }
        }
        ui.people(&format!("session {} kept no such log", id.short()))?;
        return Ok(ExitStatus::No);
    }
    for log in &found {
        if found.len() > 1 {
            ui.talk(&format!("{} of {}:", log.kept.stream(), log.command));
        }
        print(ui, log)?;
        ui.flush()?;
    }
    Ok(ExitStatus::Yes)
}

/// As it was said into a file or pipe; for a terminal without what would act on it.
fn print(ui: &mut Ui, log: &logs::Log) -> std::io::Result<()> {
    let is_terminal = ui.is_terminal();
    log.read(|text| match text {
        logs::Part::LeftOut(bytes) => ui.people(&format!(
            "[{} left out here]",
            birthmark::text::bytes(bytes)
        )),
        logs::Part::Text(text) if is_terminal => {
            ui.as_it_stands(&birthmark::text::without_escapes(&text))
        }
        logs::Part::Text(text) => ui.raw(text.as_bytes()),
    })
}
