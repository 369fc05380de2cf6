//! Runs that did another run again.

use super::{Edge, Lineage, NodeId, Relation, RunNode};
use crate::id::{RunId, SessionId};

/// Links each run that did another's again to that one; where its session is in none of the
/// stores, to a run of which only this is known.
pub(super) fn link_reproductions(
    lineage: &mut Lineage,
    reproductions: Vec<(usize, String, String)>,
) {
    for (from, session, run) in reproductions {
        let known = lineage.run_of(&session, &run);
        let to = known.unwrap_or_else(|| {
            let store = lineage.runs[from].store;
            lineage.add_run(RunNode {
                store,
                session: SessionId::from_text(session),
                runs: vec![RunId::from_text(run)],
                script: None,
                argv: Vec::new(),
                world_size: 1,
                facts: crate::Fields::new(),
                code: crate::Fields::new(),
                drift: Vec::new(),
                process: None,
                start: crate::timestamp::Timestamp::default(),
                last_heard: crate::timestamp::Timestamp::default(),
                outcome: None,
                unknown: Some("its session is in another store: name it with --store".to_owned()),
            })
        });
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
