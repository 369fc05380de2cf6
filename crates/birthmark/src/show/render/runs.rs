//! The runs of a session: which code each had, what it used, read and said.

use birthmark_core::event::LogKept;
use birthmark_core::session::{Observed, Run, in_a_cell};
use birthmark_core::timestamp::render_local;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::SessionFacts;
use super::LONGEST;
use super::page::Page;
use super::session::told;
use crate::talk::command_line;
use crate::text::{self, plain, short};

/// Runs that are told one after the other; of more, so many of the last.
const MOST: usize = 20;

/// Longest command that is told whole, in characters.
const LONGEST_COMMAND: usize = 200;

/// A block for each run, with its name where there are several; what a run started is within it.
pub(super) fn run_lines(page: &mut Page, session: &SessionFacts, zone: &TimeZone) {
    let is_known = |run: &Run| {
        let mut others = session.ran.iter();
        others.any(|other| Some(&other.id) == run.parent.as_ref())
    };
    let all = session.ran.iter().filter(|run| !is_known(run));
    let mut tops: Vec<&Run> = all.clone().filter(|run| run.ran_something()).collect();
    if tops.is_empty() {
        tops = all.collect();
    }
    let left_out = tops.len().saturating_sub(MOST);
    for run in tops.iter().skip(left_out) {
        if tops.len() > 1 {
            page.put("run", &headline(session, run, zone));
        }
        page.put("ran", &ran(run));
        let own = within(session, run);
        for run in &own {
            page.put("given", &told(run.given.iter()));
            used(page, run);
        }
        for run in &own {
            observed(page, &run.observed);
        }
        for log in own.iter().flat_map(|run| &run.logs) {
            said(page, log);
        }
    }
    if left_out > 0 {
        let earlier = text::count(left_out as u64, "earlier run");
        page.put("run", &[format!("and {earlier}: --json")]);
    }
}

/// A run, and those that it started, and so on.
fn within<'a>(session: &'a SessionFacts, run: &'a Run) -> Vec<&'a Run> {
    let mut all = vec![run];
    let mut at = 0;
    while let Some(parent) = all.get(at).map(|run| &run.id) {
        let children = session
            .ran
            .iter()
            .filter(|run| run.parent.as_ref() == Some(parent));
        let new: Vec<&Run> = children
            .filter(|run| all.iter().all(|known| known.id != run.id))
            .collect();
        all.extend(new);
        at += 1;
    }
    all
}

/// What ran, when, how it ended, and its code.
fn headline(session: &SessionFacts, run: &Run, zone: &TimeZone) -> Vec<String> {
    let command = run.argv.join(" ");
    let name = run.script_name.as_deref().unwrap_or(&command);
    let outcome = run.end.as_ref().and_then(|(_, ended)| {
        let word = serde_json::to_value(ended.outcome).ok()?;
        word.as_str().map(str::to_owned)
    });
    let code = session.code_of(run);
    let snapshot = code.snapshot.clone().filter(|_| code.dirty == Some(true));
    let mut parts = vec![short(name, LONGEST)];
    parts.extend((run.world_size > 1).then(|| format!("rank {}", run.rank)));
    parts.push(render_local(run.start, zone));
    parts.push(outcome.unwrap_or_else(|| "not ended".to_owned()));
    let mut told = in_a_cell(std::slice::from_ref(&code), !run.drift.is_empty());
    if code.dirty == Some(false) && run.drift.is_empty() {
        told.push_str(" clean");
    }
    parts.push(short(&told, LONGEST));
    parts
        .extend(snapshot.map(|hex| format!("snapshot {}", short(hex.get(..7).unwrap_or(&hex), 7))));
    parts
}

/// What was seen of a run without a call: how far it reaches, its code, its seeds.
fn observed(page: &mut Page, seen: &Observed) {
    if let Some(lineage) = &seen.lineage {
        let mut parts = vec![short(&lineage.state, 20)];
        parts.extend(lineage.reasons.iter().map(|reason| short(reason, 120)));
        page.put("lineage", &parts);
    }
    for modules in &seen.modules {
        let changed = modules.files.iter().filter(|one| one.changed).count();
        let count = text::count(modules.files.len() as u64, "module");
        let mut parts = vec![match modules.root.as_str() {
            "." => format!("{count} of this project"),
            other => format!("{count} of {}", short(other, LONGEST)),
        }];
        if changed > 0 {
            let files = text::count(changed as u64, "file");
            parts.push(format!("{files} changed after it began"));
        }
        let hex = |name: &str| {
            let commit = modules.code.get(name)?.as_str()?;
            Some(short(&commit.chars().take(7).collect::<String>(), 7))
        };
        parts.extend(hex("git_commit").map(|commit| format!("at {commit}")));
        parts.extend(hex("git_snapshot").map(|commit| format!("kept as snapshot {commit}")));
        page.put("loaded", &parts);
    }
    let seeds = seen.seeds.iter();
    let seeds: Vec<String> = seeds
        .map(|(name, seed)| format!("{} {}", short(name, 40), short(&plain(seed), 60)))
        .collect();
    page.put("seeds", &seeds);
}

/// The command as it was typed, and how it ended; nothing where its script is all of that.
fn ran(run: &Run) -> Vec<String> {
    let ended = run.end.as_ref().map(|(_, ended)| ended);
    let status = ended.and_then(|ended| match (ended.exit_code, &ended.signal) {
        (_, Some(signal)) => Some(format!("stopped by {}", short(signal, 20))),
        (Some(0) | None, None) => None,
        (Some(code), None) => Some(format!("exit status {code}")),
    });
    let is_script = matches!(run.argv.as_slice(), [word] if run.script_name.as_ref() == Some(word));
    if run.argv.is_empty() || is_script && status.is_none() {
        return Vec::new();
    }
    std::iter::once(short(&command_line(&run.argv), LONGEST_COMMAND))
        .chain(status)
        .collect()
}

/// What a command used.
fn used(page: &mut Page, run: &Run) {
    let Some((_, ended)) = &run.end else { return };
    let number = |name: &str| ended.usage.get(name).and_then(Value::as_f64);
    let bytes = |name: &str| {
        ended
            .usage
            .get(name)
            .and_then(Value::as_u64)
            .map(text::bytes)
    };
    let mut parts = Vec::new();
    if let (Some(user), Some(system)) = (number("cpu_user_s"), number("cpu_system_s")) {
        parts.push(format!("{:.1} s of CPU", user + system));
    }
    parts.extend(bytes("memory_bytes").map(|most| format!("{most} of memory at most")));
    let largest = bytes("largest_process_bytes");
    parts.extend(largest.map(|most| format!("{most} in one process")));
    parts.extend(bytes("gpu_memory_bytes").map(|most| format!("{most} of GPU memory")));
    page.put("used", &parts);
}

/// Where what a command said is kept.
fn said(page: &mut Page, log: &LogKept) {
    let mut parts = vec![short(&log.stream, 20)];
    parts.extend(log.bytes.map(text::bytes));
    if log.left_out > 0 {
        parts.push(format!("{} left out", text::bytes(log.left_out)));
    }
    if log.redacted > 0 {
        parts.push(format!("{} taken out", text::count(log.redacted, "secret")));
    }
    parts.extend(log.reason.as_ref().map(|reason| short(reason, 100)));
    if let (None, Some(file)) = (log.bytes, &log.file) {
        parts.push(short(file, 100));
    }
    page.put("said", &parts);
}
