//! Building the graph from folded sessions.
//!
//! First everything that is told of an artifact is collected as a *sight* of it. Which sights
//! are one node is said at the end (see `resolve`). Runs that are one execution (the ranks of a
//! launch, a command and the one script in it) are one node from the start.

use std::collections::{BTreeMap, BTreeSet};

use super::again::{Items, link_items, link_reproductions};
use super::groups::groups;
use super::links::{self, Mention, telling};
use super::resolve::nodes;
use super::sights::{Sight, absorb};
use super::{ArtifactNode, BEFORE, Edge, Lineage, NodeId, Place, Relation, RunNode};
use crate::Timestamp;
use crate::id::{RunId, SessionId};
use crate::session::{Artifact, Session, Watchers};

/// A session, and the store that tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The store, by its place in the caller's list.
    pub store: usize,
    /// The session's id, as its folder says it.
    pub id: &'a SessionId,
    /// The fold of its journals.
    pub session: &'a Session,
    /// Why no more is known of it, for a session that only a birthmark names.
    pub unknown: Option<&'a str>,
}

/// An edge between a node that is known and a sight whose node is not yet.
pub(super) struct Loose {
    pub(super) from: End,
    pub(super) sight: usize,
    pub(super) relation: Relation,
    pub(super) role: Option<String>,
    pub(super) by: Option<usize>,
    pub(super) by_name: bool,
}

#[derive(Clone, Copy)]
pub(super) enum End {
    Sight(usize),
    Run(usize),
}

/// Collects sessions, and makes them a lineage.
#[derive(Default)]
pub struct Builder {
    pub(super) sights: Vec<Sight>,
    pub(super) loose: Vec<Loose>,
    pub(super) generated: Vec<(usize, usize)>,
    /// Sights of files that a run opened to go on with and left as they were.
    idle: BTreeSet<usize>,
    pub(super) runs: Vec<RunNode>,
    run_ids: BTreeMap<(SessionId, RunId), usize>,
    /// Sights of what was made, by store and path.
    pub(super) made: BTreeMap<(usize, String), Vec<usize>>,
    /// Sights of one thing, under its path and its name.
    joined: Vec<(usize, usize)>,
    reproductions: Vec<(usize, String, String)>,
    /// What the birthmarks of sights tell of items that other runs made.
    items: Vec<(usize, Items)>,
    /// What was removed: the store, the path, when, and by which run.
    removals: Vec<(usize, String, Timestamp, usize)>,
}

impl Builder {
    /// A builder that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a session. The same session told by a second store adds its places.
    pub fn add(&mut self, source: Source<'_>) {
        self.add_runs(source);
        let (session, mark) = (source.session, self.mark());
        let mut named = Vec::new();
        for run in &session.runs {
            let Some(node) = self.run_node(source.id, Some(&run.id)) else {
                continue;
            };
            for input in run.used.iter().filter_map(links::input) {
                match &input.became {
                    Some(_) => named.push((node, input)),
                    None => self.use_by(source, node, &input),
                }
            }
        }
        // A manifest alone tells what its session read, and not which run did.
        if session.runs.iter().all(|run| run.used.is_empty()) && !session.used.is_empty() {
            let node = self.run_of_session(source);
            for input in session.used.iter().filter_map(links::input) {
                self.use_by(source, node, &input);
            }
        }
        for artifact in session.replaced.iter().chain(&session.artifacts) {
            self.add_artifact(source, artifact);
        }
        for removal in &session.removals {
            let known = self.run_node(source.id, removal.run.as_ref());
            let run = known.unwrap_or_else(|| self.run_of_session(source));
            let file = removal.file.clone();
            self.removals.push((source.store, file, removal.time, run));
        }
        self.link_the_renamed(source, mark, named);
        self.link_the_copied(mark);
        self.note_reproduction(source);
    }

    pub(super) fn use_by(&mut self, source: Source<'_>, run: usize, input: &Mention) {
        let time = self.runs[run].start;
        let sight = self.mention(source, input, time, run);
        self.loose.push(Loose {
            from: End::Run(run),
            sight,
            relation: Relation::Used,
            role: input.role.clone(),
            by: None,
            by_name: false,
        });
    }

    fn run_node(&self, session: &SessionId, run: Option<&RunId>) -> Option<usize> {
        let key = (session.clone(), run?.clone());
        self.run_ids.get(&key).copied()
    }

    /// The node for what a session did where it is not known in which run.
    fn run_of_session(&mut self, source: Source<'_>) -> usize {
        let of_it = |run: &RunNode| run.session == *source.id;
        let found: Vec<usize> = (0..self.runs.len())
            .filter(|place| of_it(&self.runs[*place]))
            .collect();
        if let [only] = found.as_slice() {
            return *only;
        }
        if let Some(bare) = found
            .iter()
            .find(|place| self.runs[**place].runs.is_empty())
        {
            return *bare;
        }
        self.runs.push(RunNode {
            store: source.store,
            session: source.id.clone(),
            runs: Vec::new(),
            script: None,
            argv: Vec::new(),
            world_size: 1,
            facts: crate::Fields::new(),
            code: source.session.code.clone(),
            drift: Vec::new(),
            gaps: Vec::new(),
            process: None,
            start: source.session.start.unwrap_or_default(),
            last_heard: source.session.last_heard.unwrap_or_default(),
            outcome: source.session.end.map(|(_, outcome)| outcome),
            unknown: Some(
                source
                    .unknown
                    .unwrap_or("which run it was, was not told")
                    .to_owned(),
            ),
        });
        self.runs.len() - 1
    }

    fn add_runs(&mut self, source: Source<'_>) {
        let watchers = Watchers::of(&source.session.runs);
        for group in groups(&source.session.runs) {
            let Some(first) = group.first() else { continue };
            if self.run_node(source.id, Some(&first.id)).is_some() {
                continue;
            }
            let code = group.iter().find(|run| !run.code.is_empty());
            let scripted = group.iter().find_map(|run| run.script_name.clone());
            let program = first
                .argv
                .first()
                .map(|word| word.rsplit('/').next().unwrap_or(word).to_owned());
            let last_heard = group.iter().map(|run| run.last_heard);
            let node = self.runs.len();
            self.runs.push(RunNode {
                gaps: watchers.gaps(&group),
                store: source.store,
                session: source.id.clone(),
                runs: group.iter().map(|run| run.id.clone()).collect(),
                script: scripted.or(program),
                argv: first.argv.clone(),
                world_size: group.iter().map(|run| run.world_size).max().unwrap_or(1),
                facts: first.facts.clone(),
                code: code.map_or(&source.session.code, |run| &run.code).clone(),
                drift: group.iter().flat_map(|run| run.drift.clone()).collect(),
                process: Some(first.process.clone()),
                start: first.start,
                last_heard: last_heard.max().unwrap_or(first.start),
                outcome: first.end.as_ref().map(|(_, ended)| ended.outcome),
                unknown: source.unknown.map(str::to_owned),
            });
            for run in group {
                self.run_ids
                    .insert((source.id.clone(), run.id.clone()), node);
            }
        }
    }

    fn add_artifact(&mut self, source: Source<'_>, artifact: &Artifact) {
        let known = self.run_node(source.id, artifact.run.as_ref());
        let run = known.unwrap_or_else(|| self.run_of_session(source));
        let sealed = artifact.sealed();
        let birthmark = artifact.birthmark();
        let content = sealed.and_then(|sealed| sealed.content_digest.clone());
        let mut keys = telling(artifact.digest.iter().chain(&content));
        if keys.is_empty() {
            let run = artifact.run.as_ref().map_or("", RunId::as_str);
            keys.push(format!("made {} {} {run}", source.id, artifact.file));
        }
        let state = match (&artifact.removed, sealed) {
            (Some(_), _) => Some("removed"),
            (None, None) => Some("open"),
            (None, Some(_)) => None,
        };
        let sight = self.sights.len();
        self.sights.push(Sight {
            keys,
            place: Place {
                store: source.store,
                file: artifact.file.clone(),
                file_bytes: artifact.file_bytes().map(str::to_owned),
                is_path: true,
                made: true,
                time: artifact.time,
                digest: artifact.digest.clone(),
                size: Some(artifact.size),
                read_list: None,
            },
            run: Some(run),
            is: None,
            revision: None,
            content_digest: content,
            artifact_type: Some(artifact.artifact_type().to_owned())
                .filter(|kind| !kind.is_empty()),
            records: artifact.records,
            model: birthmark
                .get("model_name")
                .and_then(|name| name.as_str())
                .map(str::to_owned),
            state,
            removed_by: None,
            unknown: None,
        });
        self.generated.push((sight, run));
        if artifact.added_nothing() {
            self.idle.insert(sight);
        }
        for mention in links::mentions(birthmark) {
            let to = self.mention(source, &mention, artifact.time, run);
            self.derive(sight, to, mention.role, run);
        }
        self.go_on(source, artifact, sight, run);
        let items = Items::of(birthmark, source.store).into_iter();
        self.items.extend(items.map(|items| (sight, items)));
        let made = self.made.entry((source.store, artifact.file.clone()));
        made.or_default().push(sight);
    }

    /// What was made last at a path, and removed since, lies there no more.
    fn mark_the_removed(&mut self) {
        for (store, file, time, run) in std::mem::take(&mut self.removals) {
            let made = self.made.get(&(store, file)).into_iter().flatten();
            let newest = made.max_by_key(|sight| self.sights[**sight].place.time);
            let gone = newest.map(|sight| &mut self.sights[*sight]);
            if let Some(sight) = gone.filter(|sight| sight.place.time <= time) {
                sight.state = Some("removed");
                sight.removed_by = Some(run);
            }
        }
    }

    pub(super) fn derive(&mut self, from: usize, sight: usize, role: Option<String>, by: usize) {
        self.loose.push(Loose {
            from: End::Sight(from),
            sight,
            relation: Relation::WasDerivedFrom,
            role,
            by: Some(by),
            by_name: false,
        });
    }

    /// A file that was gone on with comes from what it was before. Sessions may be taken
    /// in in any order, so which sight that is can only be said at the end.
    fn go_on(&mut self, source: Source<'_>, artifact: &Artifact, sight: usize, run: usize) {
        let had = &artifact.continued;
        if had.bytes == 0 {
            return;
        }
        let before = Mention {
            role: Some(BEFORE.to_owned()),
            file: artifact.file.clone(),
            file_bytes: None,
            is_path: true,
            name: None,
            became: None,
            revision: None,
            digest: had.digest.clone(),
            content_digest: had.content_digest.clone(),
            size: None,
            read_list: None,
            records: None,
            is_model: false,
            unknown: Some(format!(
                "the {} bytes that were there before are told of by no session here",
                had.bytes
            )),
        };
        let to = self.mention(source, &before, artifact.time, run);
        self.sights[to].place.size = Some(had.bytes);
        self.sights[to].records = Some(had.records);
        self.derive(sight, to, before.role, run);
    }

    pub(super) fn mention(
        &mut self,
        source: Source<'_>,
        mention: &Mention,
        time: crate::timestamp::Timestamp,
        run: usize,
    ) -> usize {
        let keys = telling(mention.digest.iter().chain(&mention.content_digest));
        let mut named = None;
        if let Some(name) = mention.name.as_ref().filter(|_| !keys.is_empty()) {
            // The digest makes both one artifact, which then has both names.
            let by_name = Mention {
                file: name.clone(),
                is_path: false,
                name: None,
                ..mention.clone()
            };
            named = Some(self.mention(source, &by_name, time, run));
        }
        let sight = self.sights.len();
        self.joined.extend(named.map(|named| (named, sight)));
        self.sights.push(Sight {
            keys,
            place: Place {
                store: source.store,
                file: mention.file.clone(),
                file_bytes: mention.file_bytes.clone(),
                is_path: mention.is_path,
                made: false,
                time,
                digest: mention.digest.clone(),
                size: None,
                read_list: mention.read_list.clone(),
            },
            run: Some(run),
            is: None,
            revision: mention.revision.clone(),
            content_digest: mention.content_digest.clone(),
            artifact_type: None,
            records: None,
            model: mention.is_model.then(|| mention.file.clone()),
            state: None,
            removed_by: None,
            unknown: mention.unknown.clone(),
        });
        sight
    }

    /// A session that was begun to do another run again says so in what it was given.
    fn note_reproduction(&mut self, source: Source<'_>) {
        let Some(of) = source.session.given.get("reproduction_of") else {
            return;
        };
        let word = |name: &str| of.get(name).and_then(|word| word.as_str());
        if let (Some(session), Some(run)) = (word("session_id"), word("run_id")) {
            let node = self.run_of_session(source);
            self.reproductions
                .push((node, session.to_owned(), run.to_owned()));
        }
    }

    /// The graph.
    pub fn finish(mut self) -> Lineage {
        self.mark_the_removed();
        self.name_the_nameless();
        self.link_the_edited();
        let nodes = nodes(&self.sights, &self.runs, &self.joined);
        self.link_the_changed(&nodes);
        let mut lineage = Lineage {
            runs: self.runs,
            ..Lineage::default()
        };
        let mut order: Vec<usize> = (0..self.sights.len()).collect();
        // What was made tells more than what was read, and the newest is what it is now.
        let sights = &self.sights;
        order.sort_by_key(|at| {
            let place = &sights[*at].place;
            (!place.made, std::cmp::Reverse(place.time))
        });
        let count = nodes.iter().max().map_or(0, |most| most + 1);
        lineage.artifacts = vec![ArtifactNode::default(); count];
        for at in order {
            absorb(&mut lineage.artifacts[nodes[at]], &sights[at]);
        }
        lineage.note_digests();
        // Who found all there and added nothing did not make it, where it is known who did.
        let busy = self.generated.iter().map(|(sight, _)| *sight);
        let busy = busy.filter(|sight| !self.idle.contains(sight));
        let busy: BTreeSet<usize> = busy.map(|sight| nodes[sight]).collect();
        for (sight, run) in self.generated {
            if self.idle.contains(&sight) && busy.contains(&nodes[sight]) {
                continue;
            }
            lineage.link(Edge {
                from: NodeId::Artifact(nodes[sight]),
                to: NodeId::Run(run),
                relation: Relation::WasGeneratedBy,
                role: None,
                by: None,
                by_name: false,
            });
        }
        for loose in self.loose {
            let from = match loose.from {
                End::Sight(sight) => NodeId::Artifact(nodes[sight]),
                End::Run(run) => NodeId::Run(run),
            };
            lineage.link(Edge {
                from,
                to: NodeId::Artifact(nodes[loose.sight]),
                relation: loose.relation,
                role: loose.role,
                by: loose.by,
                by_name: loose.by_name,
            });
        }
        link_reproductions(&mut lineage, self.reproductions);
        let items = self.items.into_iter();
        link_items(
            &mut lineage,
            items.map(|(sight, items)| (nodes[sight], items)).collect(),
        );
        lineage
    }
}
