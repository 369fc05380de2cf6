//! Runs that did another run again, and runs whose items another run went on with.

use serde_json::Value;

use super::{Edge, Lineage, NodeId, Relation, RunNode};
use crate::birthmark::Fields;
use crate::id::{RunId, SessionId};
use crate::timestamp::Timestamp;

/// Links each run that did another's again to that one; where its session is in none of the
/// stores, to a run of which only this is known.
pub(super) fn link_reproductions(
    lineage: &mut Lineage,
    reproductions: Vec<(usize, String, String)>,
) {
    for (from, session, run) in reproductions {
        let known = lineage.run_of(&session, &run);
        let store = lineage.runs[from].store;
        let to =
            known.unwrap_or_else(|| lineage.add_run(of_elsewhere(store, &session, Some(&run))));
        lineage.link(Edge {
            from: NodeId::Run(from),
            to: NodeId::Run(to),
            relation: Relation::ReproductionOf,
            role: None,
            by: None,
            by_name: false,
        });
    }
}

/// Items of a report that a run before the one that put it together had made.
pub(super) struct Items {
    pub(super) store: usize,
    pub(super) session: String,
    pub(super) run: Option<String>,
    pub(super) count: u64,
}

impl Items {
    /// What the birthmark of a report that was made in `store` tells of such items.
    pub(super) fn of(birthmark: &Fields, store: usize) -> Vec<Self> {
        let entries = birthmark.get("items_from").and_then(Value::as_array);
        let told = |entry: &Value| {
            let text = |name: &str| entry.get(name)?.as_str().map(str::to_owned);
            Some(Self {
                store,
                session: text("session_id")?,
                run: text("run_id"),
                count: entry.get("items")?.as_u64()?,
            })
        };
        entries.into_iter().flatten().filter_map(told).collect()
    }
}

/// Links a report to the runs that made items of it; where such a run is in none of the stores, to
/// one of which only this is known.
pub(super) fn link_items(lineage: &mut Lineage, items: Vec<(usize, Items)>) {
    for (artifact, items) in items {
        let Items {
            store,
            session,
            run,
            count,
        } = items;
        let named = run.as_ref().and_then(|run| lineage.run_of(&session, run));
        let known = named.or_else(|| lineage.runs_of(&session).first().copied());
        let to =
            known.unwrap_or_else(|| lineage.add_run(of_elsewhere(store, &session, run.as_deref())));
        let role = if count == 1 {
            "1 item".to_owned()
        } else {
            format!("{count} items")
        };
        lineage.link(Edge {
            from: NodeId::Artifact(artifact),
            to: NodeId::Run(to),
            relation: Relation::ItemsFrom,
            role: Some(role),
            by: None,
            by_name: false,
        });
    }
}

/// A run of which only its name is known.
fn of_elsewhere(store: usize, session: &str, run: Option<&str>) -> RunNode {
    RunNode {
        store,
        session: SessionId::from_text(session),
        runs: run.map(RunId::from_text).into_iter().collect(),
        script: None,
        argv: Vec::new(),
        world_size: 1,
        facts: Fields::new(),
        code: Fields::new(),
        drift: Vec::new(),
        gaps: Vec::new(),
        process: None,
        start: Timestamp::default(),
        last_heard: Timestamp::default(),
        outcome: None,
        unknown: Some("its session is in another store: name it with --store".to_owned()),
    }
}
