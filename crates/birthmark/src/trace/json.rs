//! The answer as JSON: the nodes and edges that take part, and how they were found.

use birthmark_core::lineage::{ArtifactNode, Edge, NodeId, RunNode};
use serde_json::{Value, json};

use super::Traced;

/// A node's name within one answer.
pub(super) fn name(node: NodeId) -> String {
    match node {
        NodeId::Artifact(place) => format!("a{place}"),
        NodeId::Run(place) => format!("r{place}"),
    }
}

impl Traced {
    /// Everything, with the stored words.
    pub fn to_json(&self) -> Value {
        let nodes = self.nodes();
        let target = &self.target;
        let names = |set: &std::collections::BTreeSet<NodeId>| -> Vec<String> {
            set.iter().copied().map(name).collect()
        };
        let edges: Vec<Value> = self
            .lineage
            .edges
            .iter()
            .filter(|edge| nodes.contains(&edge.from) && nodes.contains(&edge.to))
            .map(|edge| {
                json!({
                    "from": name(edge.from),
                    "to": name(edge.to),
                    "relation": edge.relation.word(),
                    "role": edge.role,
                    "by": edge.by.map(|run| name(NodeId::Run(run))),
                    "by_name": edge.by_name,
                    "read_as": self.read_as(edge),
                })
            })
            .collect();
        let node = |node: &NodeId| match *node {
            NodeId::Artifact(place) => self.artifact_json(place, &self.lineage.artifacts[place]),
            NodeId::Run(place) => self.run_json(place, &self.lineage.runs[place]),
        };
        json!({
            "name": target.name,
            "line": target.line,
            "digest": target.digests.0,
            "content_digest": target.digests.1,
            "found_by": target.found_by.word(),
            "mind": target.mind,
            "same_as": target.same_as,
            "items_from": target.items_from,
            "roots": target.roots().map(name).collect::<Vec<_>>(),
            "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
            "edges": edges,
            "up": names(&self.up),
            "down": names(&self.down),
            "stores": self.stores.iter().map(|project| {
                project.layout.store().to_string_lossy().into_owned()
            }).collect::<Vec<_>>(),
            "reproductions": self.reproductions,
            "problems": self.problems,
        })
    }

    /// The name under which an artifact was read, where it was made under others.
    fn read_as(&self, edge: &Edge) -> Option<&str> {
        let run = match edge.from {
            NodeId::Run(run) => Some(run),
            NodeId::Artifact(_) => edge.by,
        };
        match edge.to {
            NodeId::Artifact(artifact) => self.seen_as.read_by(run?, artifact),
            NodeId::Run(_) => None,
        }
    }

    fn artifact_json(&self, place: usize, artifact: &ArtifactNode) -> Value {
        let on_disk = self.on_disk.get(&place);
        let places: Vec<Value> = artifact
            .places
            .iter()
            .map(|place| {
                json!({
                    "file": place.file,
                    "is_path": place.is_path,
                    "made": place.made,
                    "time": place.time.to_string(),
                    "digest": place.digest,
                    "size": place.size,
                    "store": place.store,
                })
            })
            .collect();
        json!({
            "id": name(NodeId::Artifact(place)),
            "kind": "artifact",
            "file": artifact.name(),
            "digest": artifact.digest(),
            "digests": artifact.digests,
            "content_digests": artifact.content_digests,
            "type": artifact.artifact_type,
            "size": artifact.size,
            "records": artifact.records,
            "model": artifact.model,
            "state": artifact.state,
            "removed_by": artifact.removed_by.map(|run| name(NodeId::Run(run))),
            "on_disk": on_disk.map(super::OnDisk::word),
            "path": on_disk.and_then(super::OnDisk::path).map(|path| path.to_string_lossy()),
            "changed_since": super::changed_since(&self.lineage, place)
                .map(|changed| changed.to_json(&self.lineage)),
            "unknown": artifact.unknown,
            "places": places,
        })
    }

    fn run_json(&self, place: usize, run: &RunNode) -> Value {
        let code = |name: &str| run.code.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "id": name(NodeId::Run(place)),
            "kind": "run",
            "session_id": run.session.as_str(),
            "run_id": run.runs.first().map(birthmark_core::RunId::as_str),
            "run_ids": run.runs.iter().map(birthmark_core::RunId::as_str).collect::<Vec<_>>(),
            "script_name": run.script,
            "argv": run.argv,
            "world_size": run.world_size,
            "git_commit": code("git_commit"),
            "git_dirty": code("git_dirty"),
            "git_snapshot": code("git_snapshot"),
            "drift": run.drift,
            "lineage_partial": run.gaps,
            "host": run.process.as_ref().map(|process| process.host.as_str()),
            "start": run.start.to_string(),
            "status": self.status(place),
            "store": run.store,
            "unknown": run.unknown,
        })
    }

    /// How a run came out; *running* while its process lives.
    pub(super) fn status(&self, run: usize) -> &'static str {
        use birthmark_core::event::Outcome;
        let run = &self.lineage.runs[run];
        let alive = || {
            let process = run.process.as_ref()?;
            crate::machine::is_alive(process)
        };
        match run.outcome {
            Some(Outcome::Completed) => "completed",
            Some(Outcome::Failed) => "failed",
            Some(Outcome::Interrupted) => "interrupted",
            None if run.unknown.is_some() => "unknown",
            None => match alive() {
                Some(true) => "running",
                Some(false) => "interrupted",
                None => "no end was told",
            },
        }
    }
}
