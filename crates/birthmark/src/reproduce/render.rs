//! The plan for people: what is promised, what is not, and what would run.

use std::path::Path;

use super::Options;
use super::plan::{Input, InputState, Plan};
use super::share::{Before, Share};
use crate::talk::{command_line, count};
use crate::text::{self, neutral, short};

/// Longest line of a reason.
const LONGEST: usize = 100;
/// At most this many inputs are listed.
const MOST: usize = 12;

/// What no plan says.
const NOT_PROMISED: &str = "\nnot promised: variables that are never recorded, and what else it read without\n\
    anybody recording it\n";

/// What keeps the original as it is.
fn original() -> &'static str {
    if super::guard::is_here() {
        "kept: while it runs, nothing in it can be written"
    } else {
        "NOT kept by this system: a copy is, and what changed is told"
    }
}

/// What plan and verdict are about where the file that was named is another.
fn about(plan: &Plan) -> String {
    let digest = plan.recorded.digest.as_deref().unwrap_or_default();
    let digest = short(digest.get(..15).unwrap_or(digest), LONGEST);
    format!("what follows is about what was recorded ({digest}); the file is another")
}

/// The lines, without colour.
pub fn render(plan: &Plan, options: &Options) -> String {
    let warning = plan.in_hand.as_ref().and_then(super::InHand::warning);
    let warning = warning.map_or(String::new(), |line| {
        format!("{line}\n  {}\n\n", about(plan))
    });
    let name = plan.renamed.first().map_or(&plan.file, |last| &last.to);
    let mut out = format!("{warning}{}\n", neutral(name));
    for one in &plan.renamed {
        let (from, by) = (neutral(&one.from), neutral(&one.by));
        let session = one.session.short();
        out.push_str(&format!(
            "renamed from {from} by {by} in session {session}\n"
        ));
    }
    let maker = neutral(&plan.maker);
    let session = plan.session.short();
    out.push_str(&format!("made by {maker} in session {session}\n\n"));
    let mut put = |label: &str, text: &str| {
        out.push_str(&format!("{label:<13}{text}\n"));
    };
    let is_snapshot = plan.code.restore != plan.code.commit;
    let what = if is_snapshot { "snapshot" } else { "commit" };
    put(
        "code",
        &match plan.code.inexact.as_slice() {
            [] => format!("exact: {what} {}", hex(plan.code.restore.as_ref())),
            why => format!("NOT exact: {}", short(&why.join("; "), LONGEST)),
        },
    );
    for line in beside(plan) {
        put("", &line);
    }
    for (label, line) in inputs(plan) {
        put(label, &line);
    }
    for (label, line) in plan.share.iter().flat_map(|share| shared(plan, share)) {
        put(label, &line);
    }
    match &plan.environment {
        Ok(lines) if lines.is_empty() => put("environment", "equal: Python, packages, GPU"),
        Ok(lines) => {
            for line in lines {
                put("environment", &format!("differs: {}", neutral(line)));
            }
        }
        Err(why) => put("environment", &format!("unknown: {}", neutral(why))),
    }
    if options.venv {
        match super::venv::Recipe::of(plan) {
            Ok(recipe) => {
                for line in recipe.told() {
                    put("venv", &neutral(&line));
                }
            }
            Err(error) => put(
                "venv",
                &format!("cannot be built: {}", neutral(&error.whole())),
            ),
        }
    }
    for (label, line) in plan.around.lines() {
        put(label, &neutral(&line));
    }
    put(
        "seeds",
        &if plan.seeds.is_empty() {
            "none was recorded: it may differ by chance".to_owned()
        } else {
            plan.seeds.join("  ")
        },
    );
    let command: Vec<String> = plan
        .command(options)
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    put("command", &neutral(&command_line(&command)));
    if let Some(cwd) = &plan.cwd {
        put("ran in", &neutral(&cwd.to_string_lossy()));
    }
    put("original", original());
    for blocker in plan.blockers(options) {
        put("CANNOT", &text::neutral(&blocker.text));
        put("", &format!("try: {}", blocker.hint));
    }
    out.push_str(NOT_PROMISED);
    out
}

/// What it read, and whether it is as it was.
fn inputs(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if plan.inputs.is_empty() {
        lines.push(("inputs", "none was recorded".to_owned()));
    }
    for input in plan.inputs.iter().take(MOST) {
        let state = match &input.state {
            InputState::Here(path) => as_it_was(plan, input, path),
            InputState::Grown(_, size) => {
                let size = text::bytes(*size);
                format!("grew since: its first {size}, as read, are taken")
            }
            InputState::NotAsItWas(why) => format!("{why}{}", input.which()),
            InputState::InCode(why) => format!("{why}: the code's is taken"),
            InputState::NameAlone => "known by name alone: cannot be checked".to_owned(),
            InputState::NoPlace => "the run finds it by itself: not checked here".to_owned(),
        };
        let name = short(&input.name, LONGEST);
        lines.push(("inputs", format!("{name}  {state}")));
        if let Some((changed, _)) = &input.changed_since {
            lines.push(("", format!("  ! {}", neutral(changed))));
        }
    }
    if plan.inputs.len() > MOST {
        let more = plan.inputs.len() - MOST;
        lines.push(("", format!("+ {more} more (all with --json)")));
    }
    for why in &plan.gaps {
        lines.push(("", format!("and perhaps more: {}", short(why, LONGEST))));
    }
    lines
}

/// What the run went on with, which of several runs it is, and what of the file is its own.
fn shared(plan: &Plan, share: &Share) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let state = match &share.before {
        Before::Nothing => None,
        Before::Here(_) => Some("as it was"),
        Before::InCode => Some("in the code, as it was"),
        Before::Lacking(why) => Some(*why),
    };
    if let Some(state) = state {
        let amount = match share.had.records {
            0 => count(share.had.bytes, "byte"),
            records => count(records, "record"),
        };
        let by = match &share.left_by {
            Some((script, session)) => format!("{} left in {}", neutral(script), session.short()),
            None => "no session here made".to_owned(),
        };
        lines.push(("goes on", format!("with {amount} that {by}: {state}")));
    }
    let which = match plan.of_line {
        Some(line) => Some(format!("the run of line {line}")),
        None if share.writers > 1 => Some(format!(
            "the last of {} that wrote to it (FILE:LINE asks for another)",
            count(share.writers as u64, "run")
        )),
        None => None,
    };
    lines.extend(which.map(|which| ("made again", which)));
    let own = match share.records {
        Some(records) => format!("its own {}", count(records, "record")),
        None => "what it wrote itself".to_owned(),
    };
    lines.push(("compared", own));
    lines
}

/// Where it lies elsewhere by now, that is said.
fn as_it_was(plan: &Plan, input: &Input, path: &Path) -> String {
    let now = plan.project.stored_path(path);
    if now == input.name {
        "as it was".to_owned()
    } else {
        format!("as it was, its bytes lie at {}", short(&now, LONGEST))
    }
}

/// The code of other repositories, a line each.
fn beside(plan: &Plan) -> Vec<String> {
    let line = |one: &super::Beside| {
        let root = neutral(&one.root.to_string_lossy()).into_owned();
        let is_commit = one.restore == one.commit;
        let what = if is_commit { "commit" } else { "snapshot" };
        match one.inexact.as_slice() {
            [] => format!("exact: {what} {} of {root}", hex(one.restore.as_ref())),
            why => format!("NOT exact: {root}: {}", short(&why.join("; "), LONGEST)),
        }
    };
    plan.beside.iter().map(line).collect()
}

fn hex(commit: Option<&String>) -> String {
    commit.map_or("unknown".to_owned(), |hex| short(hex, 8).replace('…', ""))
}
