//! The answer for people: the artifact, then two trees of short lines.

use birthmark_core::Timestamp;
use birthmark_core::lineage::{ArtifactNode, Lineage, NodeId, RunNode};
use birthmark_core::timestamp::{render_age, render_local};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::changed::run_in_session;
use super::{Branch, OnDisk, Traced};
use crate::text::{self, neutral, short};

/// Of more than this many branches side by side only the first are shown.
const MOST_SIDE_BY_SIDE: usize = 24;
/// The deepest indentation, in steps.
const DEEPEST_STEP: usize = 14;
/// Longest name of a script, model or role.
const LONGEST: usize = 60;

struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// A label and parts; parts that do not fit go on the next line, under the first.
    fn put(&mut self, step: usize, label: &str, parts: &[String]) {
        let indent = " ".repeat(2 * step.min(DEEPEST_STEP));
        let label = if label.is_empty() {
            String::new()
        } else {
            format!("{label}  ")
        };
        let hang = " ".repeat(indent.len() + 4);
        let mut line = format!("{indent}{label}");
        let mut is_bare = true;
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let gap = if is_bare { 0 } else { 2 };
            if !is_bare && line.chars().count() + gap + part.chars().count() > self.width {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line.clone_from(&hang);
                is_bare = true;
            }
            if !is_bare {
                line.push_str("  ");
            }
            line.push_str(part);
            is_bare = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// The lines, without colour; times in `zone`, at most about `width` characters wide.
pub fn render(traced: &Traced, now: Timestamp, zone: &TimeZone, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
    };
    head(&mut page, traced, now, zone);
    if !traced.up.is_empty() {
        page.text.push_str("\ncame from\n");
        let tree = traced.up_tree();
        if tree.is_empty() {
            page.put(1, "", &["unknown: no session here made it".to_owned()]);
        }
        branches(&mut page, traced, &tree, 1);
    }
    if !traced.down.is_empty() {
        page.text.push_str("\ncame of it\n");
        let tree = traced.down_tree();
        if tree.is_empty() && traced.reproductions.is_empty() {
            page.put(1, "", &["nothing that a session here tells of".to_owned()]);
        }
        branches(&mut page, traced, &tree, 1);
        for again in &traced.reproductions {
            let place = again.place.as_deref().map(|place| short(place, 100));
            let parts = [
                Some(short(&again.verdict, LONGEST)),
                place,
                Some(render_age(again.time, now)),
                Some(format!("in {}", short(&again.folder, 200))),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            page.put(1, "made again", &parts);
        }
    }
    for problem in &traced.problems {
        page.put(0, "problem", &[neutral(problem).into_owned()]);
    }
    page.text
}

fn head(page: &mut Page, traced: &Traced, now: Timestamp, zone: &TimeZone) {
    let target = &traced.target;
    let mut name = neutral(&target.name).into_owned();
    if let Some(line) = target.line {
        name.push_str(&format!(":{line}"));
    }
    let Some(place) = target.artifact else {
        page.put(0, "", &[name]);
        return;
    };
    page.put(0, "", &[name]);
    let artifact = &traced.lineage.artifacts[place];
    let mut parts = facts(&traced.lineage, artifact);
    let made = artifact.places.iter().find(|place| place.made);
    if let Some(time) = made
        .map(|place| place.time)
        .filter(|time| time.micros() != 0)
    {
        parts.push(format!(
            "{} ({})",
            render_local(time, zone),
            render_age(time, now)
        ));
    }
    if let Some(size) = target.size.filter(|size| Some(*size) != artifact.size) {
        parts.push(format!("({} by now)", text::bytes(size)));
    }
    page.put(1, "", &parts);
    let called = |made: bool| {
        let mut names: Vec<String> = Vec::new();
        for name in std::iter::once(artifact.name()).chain(artifact.other_names()) {
            let mut places = artifact.places.iter().filter(|place| place.file == name);
            let was_made = places.any(|place| place.made);
            let shown = short(name, 100);
            if name != target.name && was_made == made && !names.contains(&shown) {
                names.push(shown);
            }
        }
        names.truncate(4);
        names
    };
    let is_made = artifact.places.iter().any(|place| place.made);
    for (label, made) in [("recorded as", is_made), ("read as", false)] {
        let names = called(made);
        if !names.is_empty() && (is_made || label == "recorded as") {
            page.put(1, label, &names);
        }
    }
    let mind = target.mind.clone().or_else(|| warning(traced, place));
    let mind = mind.or_else(|| super::changed::forked(&traced.lineage, place));
    if let Some(mind) = mind {
        // A long one goes on in the next line where it pauses.
        let parts: Vec<String> = format!("! {mind}")
            .split_inclusive("; ")
            .map(str::to_owned)
            .collect();
        page.put(1, "", &parts);
    }
    for items in &target.items_from {
        page.put(1, "", &[format!("! {}", neutral(items))]);
    }
}

fn branches(page: &mut Page, traced: &Traced, tree: &[Branch], step: usize) {
    for branch in tree.iter().take(MOST_SIDE_BY_SIDE) {
        let label = short(&branch.label, LONGEST);
        match branch.node {
            NodeId::Artifact(place) => {
                page.put(step, &label, &artifact_line(traced, place, branch));
            }
            NodeId::Run(place) => page.put(step, &label, &run_line(traced, place, branch)),
        }
        branches(page, traced, &branch.children, step + 1);
    }
    if tree.len() > MOST_SIDE_BY_SIDE {
        let more = (tree.len() - MOST_SIDE_BY_SIDE) as u64;
        let text = format!("+ {} more (all with --json)", text::grouped(more));
        page.put(step, "", &[text]);
    }
}

fn artifact_line(traced: &Traced, place: usize, branch: &Branch) -> Vec<String> {
    let artifact = &traced.lineage.artifacts[place];
    let name = branch.read_as.as_deref().unwrap_or(artifact.name());
    let mut parts = vec![short(name, 200)];
    if branch.above {
        parts.extend(artifact.digest().map(short_digest));
        parts.push("(above)".to_owned());
        return parts;
    }
    parts.extend(facts(&traced.lineage, artifact));
    if branch.read_as.is_some() {
        let other = short(artifact.name(), 100);
        parts.push(format!("(the same bytes as {other})"));
    }
    if branch.cut {
        parts.push("(deeper with --json)".to_owned());
    }
    if branch.by_name {
        parts.push("(by its name alone)".to_owned());
    }
    // An empty file has a digest that tells nothing, and is known all the same.
    if let Some(reason) = artifact
        .unknown
        .as_ref()
        .filter(|_| artifact.digest().is_none())
    {
        parts.push(format!("({})", short(reason, 100)));
    }
    let left = super::changed_since(&traced.lineage, place);
    if let Some(left) = left {
        let left = run_in_session(&traced.lineage, left.run);
        parts.push(format!("! not what {left} left there:"));
        parts.push("changed by something that was not recorded".to_owned());
    }
    parts.extend(warning(traced, place).map(|warning| format!("! {warning}")));
    parts
}

/// Type, records or size, model, digest.
fn facts(lineage: &Lineage, artifact: &ArtifactNode) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(
        artifact
            .artifact_type
            .as_deref()
            .map(|kind| short(kind, 40)),
    );
    match (artifact.records, artifact.size) {
        // Of what was never finished the counts are those of the last word.
        (Some(0), _) if artifact.state == Some("open") => {}
        (Some(records), _) => parts.push(text::count(records, "record")),
        (None, Some(size)) => parts.push(text::bytes(size)),
        _ => {}
    }
    let name = artifact.name();
    let model = artifact.model.as_deref().filter(|model| *model != name);
    parts.extend(model.map(|model| format!("by {}", short(model, LONGEST))));
    parts.extend(artifact.digest().map(short_digest));
    if let Some(state) = artifact.state {
        parts.push(match (state, artifact.removed_by) {
            ("open", _) => "unfinished".to_owned(),
            (state, Some(run)) => format!("{state} by {}", run_in_session(lineage, run)),
            (state, None) => state.to_owned(),
        });
    }
    parts
}

fn warning(traced: &Traced, place: usize) -> Option<String> {
    let text = match traced.on_disk.get(&place)? {
        OnDisk::Changed(_) => "its bytes are no longer those",
        OnDisk::Stamped(_) => "stamped since: without its birthmark it is that",
        OnDisk::Replaced(_) => "another that was recorded lies there by now",
        OnDisk::Gone => "no longer there",
        OnDisk::Same(_) | OnDisk::SameSize(_) | OnDisk::Untold => return None,
    };
    Some(text.to_owned())
}

/// `blake3:9ab1c0e2`: enough to name it by.
pub(super) fn short_digest(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap_or(("", digest));
    let hex: String = hex.chars().take(8).collect();
    short(&format!("{algorithm}:{hex}"), LONGEST)
}

fn run_line(traced: &Traced, place: usize, branch: &Branch) -> Vec<String> {
    let run = &traced.lineage.runs[place];
    let mut parts = Vec::new();
    parts.push(run.script.as_deref().map_or_else(
        || match run.unknown {
            Some(_) => "a run".to_owned(),
            None => "a run of no script".to_owned(),
        },
        |script| short(script, LONGEST),
    ));
    if run.world_size > 1 {
        parts.push(format!("{} processes", run.world_size));
    }
    parts.push(code(run));
    parts.extend(
        run.runs
            .first()
            .map(|id| format!("run {}", id.as_str().chars().take(6).collect::<String>())),
    );
    parts.push(run.session.short().to_owned());
    match traced.status(place) {
        "completed" | "unknown" => {}
        status => parts.push(status.to_owned()),
    }
    if branch.by_name {
        parts.push("(as its birthmark says)".to_owned());
    }
    if let Some(first) = run.drift.first().filter(|_| !branch.above) {
        let more = match run.drift.len() {
            1 => String::new(),
            all => format!(", +{}", all - 1),
        };
        parts.push(format!("! while it ran, {}{more}", short(first, 100)));
    }
    if let Some(first) = run.gaps.first().filter(|_| !branch.above) {
        parts.push(format!("! lineage partial: {}", short(first, 100)));
    }
    parts.extend(
        run.unknown
            .as_ref()
            .map(|why| format!("({})", short(why, 100))),
    );
    if branch.above {
        parts.push("(above)".to_owned());
    }
    parts
}

/// `5f970c2`, `5f970c2 dirty`, `5f970c2 dirty, snapshot 8c1d4e0`, `no commit`.
fn code(run: &RunNode) -> String {
    let hex = |name: &str| {
        let text = run.code.get(name).and_then(Value::as_str)?;
        Some(short(&text.chars().take(7).collect::<String>(), 7))
    };
    let Some(commit) = hex("git_commit") else {
        return "no commit known".to_owned();
    };
    match (
        run.code.get("git_dirty").and_then(Value::as_bool),
        hex("git_snapshot"),
    ) {
        (_, Some(snapshot)) => format!("{commit} dirty, snapshot {snapshot}"),
        (Some(true), None) => format!("{commit} dirty"),
        (Some(false), None) => commit,
        (None, None) => format!("{commit} (dirty unknown)"),
    }
}
