//! Bytes that no session made, at a path where one had left others: who left what there last.

use birthmark_core::lineage::{BEFORE, EARLIER, Edge, Lineage, NodeId, Relation};
use serde_json::{Value, json};

use super::json::name;
use crate::text::short;

/// The last recorded making at the path of something that was changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangedSince {
    /// What was left there.
    pub(crate) left: usize,
    /// The run that left it.
    pub(crate) run: usize,
}

/// What was left where these bytes lie; none where a session made them, or none left others.
pub(crate) fn changed_since(lineage: &Lineage, artifact: usize) -> Option<ChangedSince> {
    let origins = || lineage.origins(NodeId::Artifact(artifact));
    let is_made = origins().any(|edge| edge.relation == Relation::WasGeneratedBy);
    let earlier = origins().filter(|edge| edge.role.as_deref() == Some(EARLIER));
    let left = earlier.filter_map(|edge| match edge.to {
        NodeId::Artifact(left) => Some(ChangedSince {
            left,
            run: last_run(lineage, left)?,
        }),
        NodeId::Run(_) => None,
    });
    left.filter(|_| !is_made)
        .max_by_key(|changed| lineage.runs[changed.run].start)
}

/// The run that made an artifact last.
pub(super) fn last_run(lineage: &Lineage, artifact: usize) -> Option<usize> {
    let edges = lineage.origins(NodeId::Artifact(artifact));
    let runs = edges.filter_map(|edge| match (edge.relation, edge.to) {
        (Relation::WasGeneratedBy, NodeId::Run(run)) => Some(run),
        _ => None,
    });
    runs.max_by_key(|run| lineage.runs[*run].start)
}

/// `a.py in session 20261126_162459_a4fn`.
pub(super) fn run_in_session(lineage: &Lineage, run: usize) -> String {
    let run = &lineage.runs[run];
    let script = run.script.as_deref().unwrap_or("a run");
    format!("{} in session {}", short(script, 60), run.session.short())
}

/// The same of what was read at one path.
pub(crate) fn changed_at(lineage: &Lineage, artifact: usize, file: &str) -> Option<ChangedSince> {
    let is_there = |changed: &ChangedSince| {
        let mut places = lineage.artifacts[changed.left].places.iter();
        places.any(|place| place.made && place.file == file)
    };
    changed_since(lineage, artifact).filter(is_there)
}

/// What runs wrote at a path of this artifact that went on from what this one went on from, and is
/// not in it: two clones went on with one file, and one copy was laid over the other.
pub(super) fn forked(lineage: &Lineage, artifact: usize) -> Option<String> {
    let node = NodeId::Artifact(artifact);
    let is_before = |edge: &&Edge| edge.role.as_deref() == Some(BEFORE);
    let here = |of: usize| {
        lineage.artifacts[of]
            .places
            .iter()
            .filter(|place| place.made)
    };
    let mine: Vec<&str> = here(artifact).map(|place| place.file.as_str()).collect();
    let mut told = lineage.origins(node).filter(is_before).flat_map(|edge| {
        let before = edge.to;
        lineage
            .outcomes(before)
            .filter(is_before)
            .filter_map(move |other| {
                let (NodeId::Artifact(other), NodeId::Artifact(before)) = (other.from, before)
                else {
                    return None;
                };
                let count = |of: usize| lineage.artifacts[of].records.unwrap_or(0);
                let lost = count(other).saturating_sub(count(before));
                (other != artifact && lost > 0).then_some((other, lost))
            })
    });
    let is_here =
        |(other, _): &(usize, u64)| here(*other).any(|place| mine.contains(&place.file.as_str()));
    let (other, lost) = told.find(is_here)?;
    let run = run_in_session(lineage, last_run(lineage, other)?);
    Some(format!(
        "{} that {run} wrote are not in it; both went on from the same records",
        crate::text::count(lost, "record")
    ))
}

/// What is to be minded of a file that is asked for.
pub(crate) fn mind(lineage: &Lineage, run: usize) -> String {
    format!(
        "changed since {} made it; what lies there now was made by no session known here",
        run_in_session(lineage, run)
    )
}

impl ChangedSince {
    /// What is to be minded of an input.
    pub(crate) fn of_input(self, lineage: &Lineage) -> String {
        let left_by = run_in_session(lineage, self.run);
        format!("not what {left_by} left there")
    }

    /// For programs: what was left there, and by whom.
    pub(crate) fn told(self, lineage: &Lineage) -> Value {
        let mut told = self.to_json(lineage);
        if let Value::Object(fields) = &mut told {
            // These name nodes of a trace.
            fields.retain(|name, _| name != "artifact" && name != "run");
        }
        told
    }

    /// For programs, within a trace.
    pub(super) fn to_json(self, lineage: &Lineage) -> Value {
        let run = &lineage.runs[self.run];
        json!({
            "artifact": name(NodeId::Artifact(self.left)),
            "digest": lineage.artifacts[self.left].digest(),
            "run": name(NodeId::Run(self.run)),
            "session_id": run.session.as_str(),
            "run_id": run.runs.first().map(birthmark_core::RunId::as_str),
            "script_name": run.script,
        })
    }
}
