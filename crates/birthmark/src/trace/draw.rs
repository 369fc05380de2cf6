//! The lineage as a drawing: Graphviz DOT, or Mermaid.
//!
//! Arrows go the way the data went: from what was read, through the run, to what was made.
//! Names come from data, so every label is escaped for its language.

use birthmark_core::lineage::{NodeId, Relation};

use super::Traced;
use super::json::name;
use super::render::short_digest;
use crate::text::{self, short};

/// Longest name in a label.
const LONGEST: usize = 60;

impl Traced {
    /// The lines of a node's label: name, facts.
    fn label(&self, node: NodeId) -> Vec<String> {
        match node {
            NodeId::Artifact(place) => {
                let artifact = &self.lineage.artifacts[place];
                let mut lines = vec![short(artifact.name(), LONGEST)];
                let mut facts = Vec::new();
                facts.extend(
                    artifact
                        .artifact_type
                        .as_deref()
                        .map(|kind| short(kind, 40)),
                );
                facts.extend(artifact.records.map(|count| text::count(count, "record")));
                facts.extend(artifact.digest().map(short_digest));
                if !facts.is_empty() {
                    lines.push(facts.join(" · "));
                }
                lines
            }
            NodeId::Run(place) => {
                let run = &self.lineage.runs[place];
                let script = run.script.as_deref().unwrap_or("run");
                let commit = run
                    .code
                    .get("git_commit")
                    .and_then(|commit| commit.as_str());
                let commit = commit.map(|commit| commit.chars().take(7).collect::<String>());
                let mut facts: Vec<String> = commit.into_iter().collect();
                facts.push(run.session.short().to_owned());
                vec![short(script, LONGEST), short(&facts.join(" · "), LONGEST)]
            }
        }
    }

    /// From the earlier node to the later: who, to whom, and the word on the arrow.
    fn arrows(&self) -> Vec<(NodeId, NodeId, String)> {
        let nodes = self.nodes();
        let is_here = |node: NodeId| nodes.contains(&node);
        let mut arrows: Vec<(NodeId, NodeId, String)> = Vec::new();
        for edge in &self.lineage.edges {
            if !is_here(edge.from) || !is_here(edge.to) {
                continue;
            }
            let role = edge.role.as_deref().map(|role| short(role, 40));
            // A derivation goes through the run that made it, where that is known.
            let to = match (edge.relation, edge.by) {
                (Relation::WasDerivedFrom, Some(run)) if is_here(NodeId::Run(run)) => {
                    NodeId::Run(run)
                }
                _ => edge.from,
            };
            let word = match edge.relation {
                Relation::WasGeneratedBy => String::new(),
                Relation::ReproductionOf => "reproduced by".to_owned(),
                Relation::Used | Relation::WasDerivedFrom | Relation::ItemsFrom => {
                    role.unwrap_or_default()
                }
            };
            if !arrows.iter().any(|(a, b, _)| (*a, *b) == (edge.to, to)) {
                arrows.push((edge.to, to, word));
            }
        }
        arrows
    }

    /// The lineage in Graphviz's language.
    pub fn to_dot(&self) -> String {
        let roots: Vec<NodeId> = self.target.roots().collect();
        let mut out = String::from("digraph lineage {\n  rankdir=LR;\n  node [fontsize=11];\n");
        for node in self.nodes() {
            let shape = match node {
                NodeId::Artifact(_) => "box",
                NodeId::Run(_) => "ellipse",
            };
            let lines: Vec<String> = self.label(node).iter().map(|line| dot_text(line)).collect();
            let thick = if roots.contains(&node) {
                ", penwidth=2"
            } else {
                ""
            };
            out.push_str(&format!(
                "  {} [shape={shape}, label=\"{}\"{thick}];\n",
                name(node),
                lines.join("\\n"),
            ));
        }
        for (from, to, word) in self.arrows() {
            let label = if word.is_empty() {
                String::new()
            } else {
                format!(" [label=\"{}\"]", dot_text(&word))
            };
            out.push_str(&format!("  {} -> {}{label};\n", name(from), name(to)));
        }
        out.push_str("}\n");
        out
    }

    /// The lineage in Mermaid's language.
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        for node in self.nodes() {
            let lines: Vec<String> = self
                .label(node)
                .iter()
                .map(|line| mermaid_text(line))
                .collect();
            let label = lines.join("<br/>");
            let shape = match node {
                NodeId::Artifact(_) => format!("[\"{label}\"]"),
                NodeId::Run(_) => format!("([\"{label}\"])"),
            };
            out.push_str(&format!("  {}{shape}\n", name(node)));
        }
        for (from, to, word) in self.arrows() {
            let arrow = if word.is_empty() {
                "-->".to_owned()
            } else {
                format!("-->|\"{}\"|", mermaid_text(&word))
            };
            out.push_str(&format!("  {} {arrow} {}\n", name(from), name(to)));
        }
        for root in self.target.roots() {
            out.push_str(&format!("  style {} stroke-width:3px\n", name(root)));
        }
        out
    }
}

/// Text within a quoted string of DOT: a backslash or a quote stands for itself only when
/// escaped.
fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Text within a quoted label of Mermaid: what its parser or HTML would read is written by
/// its number.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '"' | '&' | '<' | '>' | '#' | ';' | '`' | '\\' | '|' | '[' | ']' | '(' | ')' | '{'
            | '}' => out.push_str(&format!("#{};", u32::from(each))),
            each => out.push(each),
        }
    }
    out
}
