//! The lineage as trees, for reading: an artifact, the run that made it, what that run read.
//!
//! An artifact is opened up once; where it comes again it is only named. So a tree is never
//! larger than the graph, and ends whatever the graph says.

use std::collections::BTreeSet;

use birthmark_core::lineage::{
    BEFORE, COPIED, EARLIER, Edge, LINKED, Lineage, NodeId, RENAMED, Relation,
};

use super::Target;
use super::seen_as::SeenAs;

/// The deepest branch.
const DEEPEST: usize = 64;

/// A node, what it is to the one above it, and what lies beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// `made by`, `dataset`, `read`, `goes on as` …
    pub label: String,
    /// The node.
    pub node: NodeId,
    /// Whether only a name links it.
    pub by_name: bool,
    /// Whether it was opened up above.
    pub above: bool,
    /// Whether it is too deep to be opened up.
    pub cut: bool,
    /// The name under which it was read, where that is none that it was made under: both have
    /// the same bytes.
    pub read_as: Option<String>,
    /// Beyond it.
    pub children: Vec<Branch>,
}

struct Walk<'a> {
    lineage: &'a Lineage,
    seen_as: &'a SeenAs,
    opened: BTreeSet<NodeId>,
}

/// Where it came from.
pub(super) fn up(lineage: &Lineage, target: &Target, seen_as: &SeenAs) -> Vec<Branch> {
    let mut walk = Walk {
        lineage,
        seen_as,
        opened: target.roots().collect(),
    };
    if target.runs.is_empty() {
        let mut branches = target
            .artifact
            .map(|artifact| walk.origins_of_artifact(artifact, 0))
            .unwrap_or_default();
        // What is told is told of other files with the same bytes.
        if let Some(other) = &target.same_as {
            for branch in &mut branches {
                branch.label = format!("{other} {}", branch.label);
            }
        }
        return branches;
    }
    let runs = target.runs.clone();
    let made_by = |run: usize, walk: &mut Walk<'_>| Branch {
        label: if target.artifact.is_some() {
            "made by"
        } else {
            "run"
        }
        .to_owned(),
        node: NodeId::Run(run),
        by_name: false,
        above: false,
        cut: false,
        read_as: None,
        children: walk.origins_of_run(run, None, false, 1),
    };
    runs.into_iter()
        .map(|run| made_by(run, &mut walk))
        .collect()
}

/// What came of it.
pub(super) fn down(lineage: &Lineage, target: &Target, seen_as: &SeenAs) -> Vec<Branch> {
    let mut walk = Walk {
        lineage,
        seen_as,
        opened: target.roots().collect(),
    };
    match target.artifact {
        Some(artifact) => walk.outcomes_of_artifact(artifact, 0),
        None => target
            .runs
            .iter()
            .flat_map(|run| walk.outcomes_of_run(*run, None, 0))
            .collect(),
    }
}

impl Walk<'_> {
    fn origins_of_artifact(&mut self, artifact: usize, depth: usize) -> Vec<Branch> {
        let lineage = self.lineage;
        if depth > DEEPEST {
            return Vec::new();
        }
        let node = NodeId::Artifact(artifact);
        let mut runs: Vec<(usize, &Edge)> = lineage
            .origins(node)
            .filter_map(|edge| match (edge.relation, edge.to) {
                (Relation::WasGeneratedBy, NodeId::Run(run)) => Some((run, edge)),
                _ => None,
            })
            .collect();
        runs.sort_by_key(|(run, _)| std::cmp::Reverse(lineage.runs[*run].start));
        let mut branches = Vec::new();
        for (run, edge) in &runs {
            let above = !self.opened.insert(NodeId::Run(*run));
            branches.push(Branch {
                label: self.made_by(*run, artifact),
                node: NodeId::Run(*run),
                by_name: edge.by_name,
                above: false,
                cut: false,
                read_as: None,
                children: self.origins_of_run(*run, Some(artifact), above, depth + 1),
            });
        }
        let items: Vec<&Edge> = lineage
            .origins(node)
            .filter(|edge| edge.relation == Relation::ItemsFrom)
            .collect();
        for edge in items {
            branches.push(self.input(edge, "items by", depth));
        }
        let made = |by: Option<usize>| runs.iter().any(|(run, _)| Some(*run) == by);
        let loose: Vec<&Edge> = lineage
            .origins(node)
            .filter(|edge| edge.relation == Relation::WasDerivedFrom && !made(edge.by))
            .collect();
        for edge in loose {
            branches.push(self.input(edge, "from", depth + 1));
        }
        branches
    }

    /// What a run read: for one artifact what that came from, then all that it was told to
    /// have read, unless that stands above.
    fn origins_of_run(
        &mut self,
        run: usize,
        artifact: Option<usize>,
        above: bool,
        depth: usize,
    ) -> Vec<Branch> {
        let lineage = self.lineage;
        let node = NodeId::Run(run);
        let derived: Vec<&Edge> = match artifact {
            Some(artifact) => lineage
                .origins(NodeId::Artifact(artifact))
                .filter(|edge| edge.relation == Relation::WasDerivedFrom && edge.by == Some(run))
                .collect(),
            None => lineage
                .outcomes(node)
                .filter(|edge| edge.relation == Relation::WasGeneratedBy)
                .flat_map(|edge| lineage.origins(edge.from))
                .filter(|edge| edge.relation == Relation::WasDerivedFrom && edge.by == Some(run))
                .collect(),
        };
        let used = lineage.origins(node).filter(|edge| {
            edge.relation == Relation::Used && !above || edge.relation == Relation::ReproductionOf
        });
        let mut named = BTreeSet::new();
        let mut branches = Vec::new();
        for edge in derived.into_iter().chain(used) {
            let is_own = artifact.map(NodeId::Artifact) == Some(edge.to);
            if is_own || !named.insert(edge.to) {
                continue;
            }
            let mut branch = self.input(edge, "read", depth + 1);
            if let NodeId::Artifact(artifact) = edge.to {
                self.name_as_read(&mut branch, run, artifact);
            }
            branches.push(branch);
        }
        branches
    }

    /// Which run made an artifact, or only added it.
    fn made_by(&self, run: usize, artifact: usize) -> String {
        if self.seen_as.was_added_by(run, artifact) {
            "added by".to_owned()
        } else {
            "made by".to_owned()
        }
    }

    /// What was read is called as it was read; where it stands for a file with the same bytes,
    /// what is told of that says so.
    fn name_as_read(&self, branch: &mut Branch, run: usize, artifact: usize) {
        let Some(read) = self.seen_as.read_by(run, artifact) else {
            return;
        };
        branch.read_as = Some(read.to_owned());
        let other = self.lineage.artifacts[artifact].name();
        for child in &mut branch.children {
            child.label = format!("{other} {}", child.label);
        }
    }

    fn input(&mut self, edge: &Edge, label: &str, depth: usize) -> Branch {
        let label = match (edge.relation, &edge.role) {
            (Relation::ReproductionOf, _) => "reproduction of".to_owned(),
            (Relation::ItemsFrom, Some(items)) => format!("{items} by"),
            (_, Some(role)) if role == BEFORE => "went on from".to_owned(),
            (_, Some(role)) if role == EARLIER => "changed from".to_owned(),
            (_, Some(role)) if role == RENAMED => "renamed from".to_owned(),
            (_, Some(role)) if role == LINKED => "linked to".to_owned(),
            (_, Some(role)) if role == COPIED => "copied from".to_owned(),
            (_, Some(role)) => role.clone(),
            _ => label.to_owned(),
        };
        let above = !self.opened.insert(edge.to);
        let children = match edge.to {
            NodeId::Artifact(artifact) if !above => self.origins_of_artifact(artifact, depth + 1),
            NodeId::Run(run) if !above && depth <= DEEPEST => {
                self.origins_of_run(run, None, false, depth + 1)
            }
            _ => Vec::new(),
        };
        Branch {
            label,
            node: edge.to,
            by_name: edge.by_name,
            above,
            cut: !above && depth >= DEEPEST && self.lineage.origins(edge.to).next().is_some(),
            read_as: None,
            children,
        }
    }

    fn outcomes_of_artifact(&mut self, artifact: usize, depth: usize) -> Vec<Branch> {
        let lineage = self.lineage;
        if depth > DEEPEST {
            return Vec::new();
        }
        let node = NodeId::Artifact(artifact);
        // Each run that read it, once, and what it is known to have made from it.
        let mut runs: Vec<(usize, String, bool)> = Vec::new();
        let mut loose = Vec::new();
        for edge in lineage.outcomes(node) {
            let run = match (edge.relation, edge.from, edge.by) {
                (Relation::Used, NodeId::Run(run), _)
                | (Relation::WasDerivedFrom, _, Some(run)) => run,
                (Relation::WasDerivedFrom, from, None) => {
                    loose.push((from, edge));
                    continue;
                }
                _ => continue,
            };
            let read_as = self.seen_as.read_by(run, artifact);
            let label = match edge.role.as_deref() {
                _ if read_as.is_some() => format!("read as {} by", read_as.unwrap_or_default()),
                Some(BEFORE) => "gone on with by".to_owned(),
                Some(role @ (RENAMED | LINKED | COPIED)) => format!("{role} by"),
                Some(role) => format!("{role} of"),
                None => "read by".to_owned(),
            };
            if !runs.iter().any(|(known, _, _)| *known == run) {
                runs.push((run, label, edge.by_name));
            }
        }
        runs.sort_by_key(|(run, _, _)| lineage.runs[*run].start);
        let mut branches = Vec::new();
        for (run, label, by_name) in runs {
            branches.push(Branch {
                label,
                node: NodeId::Run(run),
                by_name,
                above: false,
                cut: false,
                read_as: None,
                children: self.outcomes_of_run(run, Some(artifact), depth + 1),
            });
        }
        for (from, edge) in loose {
            let is_edit = edge.role.as_deref() == Some(EARLIER);
            let label = if is_edit { "changed into" } else { "made into" };
            branches.push(self.outcome(from, edge, label, depth + 1));
        }
        branches
    }

    /// What a run made: of one artifact what is known to come from it, else everything.
    fn outcomes_of_run(&mut self, run: usize, of: Option<usize>, depth: usize) -> Vec<Branch> {
        let lineage = self.lineage;
        let node = NodeId::Run(run);
        let made: Vec<&Edge> = lineage
            .outcomes(node)
            .filter(|edge| edge.relation == Relation::WasGeneratedBy)
            .collect();
        let comes_from = |edge: &&&Edge| {
            lineage.origins(edge.from).any(|origin| {
                origin.relation == Relation::WasDerivedFrom
                    && origin.by == Some(run)
                    && Some(origin.to) == of.map(NodeId::Artifact)
            })
        };
        let told: Vec<&Edge> = made.iter().filter(comes_from).copied().collect();
        let made = if told.is_empty() { made } else { told };
        let mut branches: Vec<Branch> = made
            .into_iter()
            .filter(|edge| Some(edge.from) != of.map(NodeId::Artifact))
            .map(|edge| self.outcome(edge.from, edge, "made", depth + 1))
            .collect();
        let again = lineage
            .outcomes(node)
            .filter(|edge| edge.relation == Relation::ReproductionOf);
        for edge in again {
            branches.push(self.outcome(edge.from, edge, "reproduced by", depth + 1));
        }
        let items = lineage
            .outcomes(node)
            .filter(|edge| edge.relation == Relation::ItemsFrom);
        for edge in items.filter(|edge| Some(edge.from) != of.map(NodeId::Artifact)) {
            branches.push(self.outcome(edge.from, edge, "items in", depth + 1));
        }
        branches
    }

    fn outcome(&mut self, node: NodeId, edge: &Edge, label: &str, depth: usize) -> Branch {
        let above = !self.opened.insert(node);
        let children = match node {
            NodeId::Artifact(artifact) if !above => self.outcomes_of_artifact(artifact, depth + 1),
            NodeId::Run(run) if !above && depth <= DEEPEST => {
                self.outcomes_of_run(run, None, depth + 1)
            }
            _ => Vec::new(),
        };
        Branch {
            label: label.to_owned(),
            node,
            by_name: edge.by_name,
            above,
            cut: !above && depth >= DEEPEST && self.lineage.outcomes(node).next().is_some(),
            read_as: None,
            children,
        }
    }
}
