use serde_json::{Value, json};

use super::*;
use crate::event::{
    ArtifactOpened, ArtifactSealed, ArtifactUsed, Event, Line, OpenedBy, RunStarted,
    SessionStarted, WriterOpened,
};
use crate::id::WriterId;
use crate::session::{Journal, Session, fold};

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// A journal of one run, written at second `at`.
struct Writing {
    run: String,
    parent: Option<String>,
    script: String,
    ranks: (u32, u32),
    events: Vec<Event>,
    at: i64,
}

fn run(name: &str, at: i64) -> Writing {
    Writing {
        run: name.to_owned(),
        parent: None,
        script: format!("{name}.py"),
        ranks: (0, 1),
        events: Vec::new(),
        at,
    }
}

impl Writing {
    fn used(mut self, input: Value) -> Self {
        let input = fields(input);
        self.events.push(ArtifactUsed { input }.into());
        self
    }

    fn opened(self, file: &str, before: u64) -> Self {
        self.opened_on(file, before, None)
    }

    fn went_on(self, file: &str, before: u64, digest: &str) -> Self {
        self.opened_on(file, before, Some(digest.to_owned()))
    }

    fn opened_on(mut self, file: &str, before: u64, digest: Option<String>) -> Self {
        self.events.push(
            ArtifactOpened {
                file: file.to_owned(),
                file_bytes: None,
                artifact_type: "dataset".to_owned(),
                format: "jsonl".to_owned(),
                birthmark: Fields::new(),
                continued_bytes: before,
                continued_records: 1,
                continued_digest: digest,
                continued_content_digest: None,
            }
            .into(),
        );
        self
    }

    fn made(mut self, file: &str, digest: &str, content: &str, birthmark: Value) -> Self {
        self.events.push(
            ArtifactSealed {
                file: file.to_owned(),
                file_bytes: None,
                artifact_type: "dataset".to_owned(),
                format: "file".to_owned(),
                timestamp: Timestamp::from_micros(self.at * 1_000_000 + 500_000),
                size: 10,
                records: None,
                digest: Some(digest.to_owned()),
                content_digest: Some(content.to_owned()),
                birthmark: fields(birthmark),
                notes: Fields::new(),
            }
            .into(),
        );
        self
    }

    fn journal(self) -> Journal {
        let opened = WriterOpened {
            format: crate::schema::JOURNAL_FORMAT.to_owned(),
            program: "0".to_owned(),
            session_id: SessionId::from_text("s"),
            session_uuid: None,
            run_id: Some(RunId::from_text(self.run.clone())),
            process: ProcessIdentity {
                host: "pod".to_owned(),
                boot_id: None,
                pid: 1,
                pid_start: None,
                pid_namespace: None,
            },
            parent_run: self.parent.clone().map(RunId::from_text),
            since_boot_us: None,
        };
        let started = RunStarted {
            script_name: Some(self.script.clone()),
            argv: vec![self.script.clone()],
            process: Fields::new(),
            rank: self.ranks.0,
            world_size: self.ranks.1,
            given: Fields::new(),
        };
        let begun = SessionStarted {
            session_start: Timestamp::from_micros(self.at * 1_000_000),
            opened_by: OpenedBy::Script,
            planned_artifacts: Vec::new(),
            given: Fields::new(),
        };
        let mut events: Vec<Event> = vec![opened.into(), begun.into(), started.into()];
        events.extend(self.events);
        let lines = events.into_iter().zip(0_u64..).map(|(event, seq)| Line {
            seq,
            prev: None,
            time: Timestamp::from_micros(self.at * 1_000_000 + i64::try_from(seq).unwrap()),
            event,
            sum: String::new(),
        });
        Journal {
            writer: WriterId::from_text(self.run.clone()),
            lines: lines.collect(),
        }
    }
}

fn session(runs: Vec<Writing>) -> Session {
    let journals: Vec<Journal> = runs.into_iter().map(Writing::journal).collect();
    fold(&journals)
}

fn lineage(sessions: &[(&str, usize, Session)]) -> Lineage {
    let mut builder = Builder::new();
    for (id, store, session) in sessions {
        builder.add(Source {
            store: *store,
            id: &SessionId::from_text(*id),
            session,
            unknown: None,
        });
    }
    builder.finish()
}

fn names(lineage: &Lineage, nodes: &BTreeSet<NodeId>) -> Vec<String> {
    let name = |node: &NodeId| match *node {
        NodeId::Artifact(place) => lineage.artifacts[place].name().to_owned(),
        NodeId::Run(place) => lineage.runs[place].script.clone().unwrap_or_default(),
    };
    let mut names: Vec<String> = nodes.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn three_steps_hang_together_by_digest_alone_whatever_the_files_were_called() {
    let data = session(vec![run("data", 1).made(
        "a/d.jsonl",
        "b:1",
        "b:c1",
        json!({}),
    )]);
    // Moved and unstamped meanwhile: what was read is the content.
    let fit = session(vec![
        run("fit", 2)
            .used(json!({"role": "training", "file": "/mnt/plain.jsonl", "digest": "b:c1"}))
            .made("m.npy", "b:2", "b:2", json!({})),
    ]);
    let score = session(vec![run("score", 3).made(
        "e.json",
        "b:3",
        "b:c3",
        json!({"models": {"line": "copy.npy", "same": "copy.npy"},
            "model_digests": {"line": "b:2", "same": "b:2"}}),
    )]);
    // On two machines, and in no order.
    let lineage = lineage(&[("s3", 0, score), ("s1", 1, data), ("s2", 0, fit)]);
    let end = NodeId::Artifact(lineage.artifact_of("b:3").unwrap());
    let up = lineage.reach(&[end], Direction::Up);
    assert_eq!(
        names(&lineage, &up),
        [
            "a/d.jsonl",
            "data.py",
            "e.json",
            "fit.py",
            "m.npy",
            "score.py"
        ]
    );
    let roles: Vec<&str> = lineage
        .origins(end)
        .filter_map(|edge| edge.role.as_deref())
        .collect();
    assert_eq!(roles, ["line, same"]);
    let start = NodeId::Artifact(lineage.artifact_of("b:1").unwrap());
    assert_eq!(lineage.artifact_of("b:c1"), lineage.artifact_of("b:1"));
    let down = lineage.reach(&[start], Direction::Down);
    let of_data = NodeId::Run(lineage.runs_of("s1")[0]);
    let both: BTreeSet<NodeId> = down.iter().copied().chain([of_data]).collect();
    assert_eq!((both, down.contains(&of_data)), (up, false));
    let data = &lineage.artifacts[lineage.artifact_of("b:1").unwrap()];
    assert_eq!(data.other_names(), ["/mnt/plain.jsonl"]);
}

#[test]
fn a_circle_of_inputs_ends_every_walk() {
    let circle = session(vec![
        run("x", 1).made(
            "a",
            "b:a",
            "b:a",
            json!({"inputs": [{"file": "b", "digest": "b:b"}, {"file": "a", "digest": "b:a"}]}),
        ),
        run("y", 2).made(
            "b",
            "b:b",
            "b:b",
            json!({"inputs": [{"file": "a", "digest": "b:a"}]}),
        ),
    ]);
    let lineage = lineage(&[("s", 0, circle)]);
    let a = NodeId::Artifact(lineage.artifact_of("b:a").unwrap());
    for direction in [Direction::Up, Direction::Down] {
        assert!(lineage.reach(&[a], direction).len() >= 2);
    }
    assert!(
        lineage.edges.iter().all(|edge| edge.from != edge.to),
        "nothing comes from itself"
    );
}

#[test]
fn empty_files_are_not_one_artifact() {
    let nothing = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
    let first = session(vec![run("x", 1).made("x.log", nothing, nothing, json!({}))]);
    let second = session(vec![run("y", 2).made("y.log", nothing, nothing, json!({}))]);
    let lineage = lineage(&[("s1", 0, first), ("s2", 0, second)]);
    assert_eq!(lineage.artifacts.len(), 2);
    assert_eq!(lineage.artifact_of(nothing), None);
}

#[test]
fn an_input_without_a_digest_is_linked_by_name_and_says_so_or_stays_unknown() {
    let both = session(vec![
        run("x", 1).made("big.bin", "b:1", "b:1", json!({})),
        run("y", 2)
            .used(json!({"file": "big.bin", "digest": null, "unknown": {"digest": "too large"}}))
            .used(json!({"file": "other.bin", "digest": null, "unknown": {"digest": "no right"}}))
            .used(json!({"role": "base", "name": "org/model", "model_revision": "abc"}))
            .made("out", "b:2", "b:2", json!({})),
    ]);
    let lineage = lineage(&[("s", 0, both)]);
    let y = NodeId::Run(lineage.run_of("s", "y").unwrap());
    let edges: Vec<(&Edge, &ArtifactNode)> = lineage
        .origins(y)
        .map(|edge| match edge.to {
            NodeId::Artifact(place) => (edge, &lineage.artifacts[place]),
            NodeId::Run(_) => panic!("a run was read"),
        })
        .collect();
    assert!(edges[0].0.by_name && edges[0].1.digests.contains("b:1"));
    assert!(!edges[1].0.by_name);
    assert_eq!(edges[1].1.unknown.as_deref(), Some("no right"));
    assert_eq!(edges[2].1.name(), "org/model");
    assert_eq!(edges[2].0.role.as_deref(), Some("base"));
}

#[test]
fn a_file_that_was_gone_on_with_comes_from_what_it_was() {
    let killed = session(vec![run("x", 1).opened("a.jsonl", 0)]);
    let gone_on = session(vec![run("x", 5).opened("a.jsonl", 77).made(
        "a.jsonl",
        "b:2",
        "b:c2",
        json!({}),
    )]);
    // The later one first: folders are read newest first.
    let lineage = lineage(&[("s2", 0, gone_on), ("s1", 0, killed)]);
    let end = NodeId::Artifact(lineage.artifact_of("b:2").unwrap());
    let edge = lineage
        .origins(end)
        .find(|edge| edge.relation == Relation::WasDerivedFrom)
        .unwrap();
    let NodeId::Artifact(before) = edge.to else {
        panic!("{edge:?}")
    };
    assert_eq!(lineage.artifacts[before].state, Some("open"));
    let runs = lineage.reach(&[end], Direction::Up);
    let sessions: BTreeSet<&str> = runs
        .iter()
        .filter_map(|node| match node {
            NodeId::Run(run) => Some(lineage.runs[*run].session.as_str()),
            NodeId::Artifact(_) => None,
        })
        .collect();
    assert_eq!(sessions.into_iter().collect::<Vec<_>>(), ["s1", "s2"]);
}

#[test]
fn ranks_are_one_run_and_so_are_a_command_and_the_script_it_names() {
    let rank = |rank: u32| Writing {
        ranks: (rank, 4),
        script: "train.py".to_owned(),
        parent: Some("command".to_owned()),
        ..run(&format!("r{rank}"), 2)
    };
    let command = Writing {
        script: "train.py".to_owned(),
        ..run("command", 1)
    };
    let made = rank(0).made("m", "b:m", "b:m", json!({}));
    let read = rank(3).used(json!({"file": "d", "digest": "b:d"}));
    let launch = session(vec![command, rank(1), read, made, rank(2)]);
    let lineage = lineage(&[("s", 0, launch)]);
    assert_eq!(lineage.runs.len(), 1, "{:?}", lineage.runs);
    assert_eq!(lineage.runs[0].runs[0].as_str(), "command");
    let model = NodeId::Artifact(lineage.artifact_of("b:m").unwrap());
    let data = NodeId::Artifact(lineage.artifact_of("b:d").unwrap());
    assert!(lineage.reach(&[model], Direction::Up).contains(&data));
}

#[test]
fn scripts_of_a_pipeline_stay_runs_of_their_own() {
    let child = |name: &str, at| Writing {
        parent: Some("pipeline".to_owned()),
        ..run(name, at)
    };
    let all = session(vec![run("pipeline", 1), child("a", 2), child("b", 3)]);
    assert_eq!(lineage(&[("s", 0, all)]).runs.len(), 3);
}

#[test]
fn the_same_session_in_two_stores_is_told_once() {
    let one = || {
        session(vec![run("x", 1).made(
            "a",
            "b:1",
            "b:1",
            json!({"inputs": ["hub/name"]}),
        )])
    };
    let single = lineage(&[("s", 0, one())]);
    let twice = lineage(&[("s", 0, one()), ("s", 1, one())]);
    assert_eq!(twice.runs.len(), single.runs.len());
    assert_eq!(twice.artifacts.len(), single.artifacts.len());
    assert_eq!(twice.edges, single.edges);
    assert_eq!(twice.artifacts[0].places.len(), 2, "two copies of it");
}

#[test]
fn a_file_that_one_session_wrote_twice_is_two_artifacts() {
    let both = session(vec![
        run("x", 1).made("d", "b:1", "b:1", json!({})),
        run("y", 2)
            .used(json!({"file": "d", "digest": "b:1"}))
            .made("d", "b:2", "b:2", json!({})),
    ]);
    let lineage = lineage(&[("s", 0, both)]);
    let new = NodeId::Artifact(lineage.artifact_of("b:2").unwrap());
    let old = NodeId::Artifact(lineage.artifact_of("b:1").unwrap());
    assert!(lineage.reach(&[new], Direction::Up).contains(&old));
    assert!(!lineage.reach(&[old], Direction::Up).contains(&new));
}

#[test]
fn what_was_edited_before_a_run_went_on_with_it_comes_from_what_a_session_made() {
    let first = session(vec![run("x", 1).made("a.jsonl", "b:1", "b:c1", json!({}))]);
    let second = session(vec![run("y", 5).went_on("a.jsonl", 8, "b:edited").made(
        "a.jsonl",
        "b:2",
        "b:c2",
        json!({}),
    )]);
    let lineage = lineage(&[("s2", 0, second), ("s1", 0, first)]);
    let node = |digest| NodeId::Artifact(lineage.artifact_of(digest).unwrap());
    let edges: Vec<(NodeId, Option<&str>, bool)> = lineage
        .origins(node("b:2"))
        .chain(lineage.origins(node("b:edited")))
        .filter(|edge| edge.relation == Relation::WasDerivedFrom)
        .map(|edge| (edge.to, edge.role.as_deref(), edge.by_name))
        .collect();
    assert_eq!(
        edges,
        [
            (node("b:edited"), Some(BEFORE), false),
            (node("b:1"), Some(EARLIER), true)
        ]
    );
    assert!(
        lineage
            .reach(&[node("b:1")], Direction::Down)
            .contains(&node("b:2"))
    );
}

#[test]
fn what_was_read_and_is_not_what_the_run_before_left_was_changed_by_something_unrecorded() {
    let a = |name: &str, at, digest: &str| run(name, at).made("d", digest, digest, json!({}));
    let read = |name: &str, at, digest: &str| {
        run(name, at).used(json!({"role": "data", "file": "d", "digest": digest}))
    };
    let changed_from = |runs: Vec<Writing>, digest: &str| {
        let lineage = lineage(&[("s", 0, session(runs))]);
        let node = NodeId::Artifact(lineage.artifact_of(digest).unwrap());
        let earlier = lineage
            .origins(node)
            .find(|edge| edge.role.as_deref() == Some(EARLIER));
        earlier.map(|edge| match edge.to {
            NodeId::Artifact(at) => lineage.artifacts[at].digest().unwrap_or("").to_owned(),
            NodeId::Run(_) => String::new(),
        })
    };
    let by_hand = vec![a("a", 1, "b:1"), a("a2", 2, "b:2"), read("b", 5, "b:hand")];
    assert_eq!(
        changed_from(by_hand, "b:hand").as_deref(),
        Some("b:2"),
        "the last that was left"
    );
    let as_left = vec![a("a", 1, "b:1"), read("b", 5, "b:1")];
    assert_eq!(changed_from(as_left, "b:1"), None);
    let older = vec![
        read("r", 1, "b:old"),
        a("a", 3, "b:1"),
        read("b", 5, "b:old"),
    ];
    assert_eq!(
        changed_from(older, "b:old"),
        None,
        "it was there before: nothing is said"
    );
    let never_made = vec![a("a", 7, "b:1"), read("b", 5, "b:out")];
    assert_eq!(changed_from(never_made, "b:out"), None);
    let itself = vec![read("b", 5, "b:in").made("d", "b:1", "b:1", json!({}))];
    assert_eq!(changed_from(itself, "b:in"), None);
}

#[test]
fn what_was_read_is_no_equal_thing_that_was_made_later_or_elsewhere() {
    let read = |file: &str| json!({"inputs": [{"file": file, "digest": "b:in"}]});
    let two = session(vec![run("two", 1).made("two", "b:2", "b:2", read("in"))]);
    let copy = session(vec![run("copy", 3).made(
        "later",
        "b:in",
        "b:in",
        read("in"),
    )]);
    let after = session(vec![run("after", 5).made("five", "b:5", "b:5", read("in"))]);
    let of_copy = session(vec![run("of", 6).made("six", "b:6", "b:6", read("later"))]);
    let lineage = lineage(&[
        ("s4", 0, of_copy),
        ("s3", 0, after),
        ("s1", 0, two),
        ("s2", 0, copy),
    ]);
    let up = |digest: &str| {
        let node = NodeId::Artifact(lineage.artifact_of(digest).unwrap());
        names(&lineage, &lineage.reach(&[node], Direction::Up))
    };
    assert_eq!(up("b:2"), ["in", "two", "two.py"]);
    assert_eq!(
        up("b:in"),
        ["copy.py", "in", "later"],
        "a copy comes from what it copied"
    );
    assert_eq!(up("b:5"), ["after.py", "five", "in"]);
    assert_eq!(up("b:6"), ["copy.py", "in", "later", "of.py", "six"]);
    assert_eq!(lineage.artifacts_of("b:in").len(), 2);
}

#[test]
fn equal_makings_are_told_apart_by_their_paths_and_their_times() {
    let m = |name: &str, at| run(&format!("{name}{at}"), at).made(name, "b:m", "b:m", json!({}));
    let read = |name: &str, at, file: &str| {
        let inputs = json!({"inputs": [{"file": file, "digest": "b:m"}]});
        run(name, at).made(name, &format!("b:{name}"), &format!("b:{name}"), inputs)
    };
    let all = session(vec![
        m("m1", 1),
        m("m2", 2),
        read("r1", 3, "m1"),
        m("m1", 4),
        read("r2", 5, "m2"),
        read("r3", 6, "m1"),
        read("r4", 7, "brought.txt"),
    ]);
    let lineage = lineage(&[("s", 0, all)]);
    assert_eq!(lineage.artifacts_of("b:m").len(), 3);
    for (reader, maker) in [
        ("r1", "m11.py"),
        ("r2", "m22.py"),
        ("r3", "m14.py"),
        ("r4", "m14.py"),
    ] {
        let node = NodeId::Artifact(lineage.artifact_of(&format!("b:{reader}")).unwrap());
        let up = names(&lineage, &lineage.reach(&[node], Direction::Up));
        let makers = ["m11.py", "m14.py", "m22.py"];
        let of_m: Vec<&String> = up
            .iter()
            .filter(|name| makers.contains(&name.as_str()))
            .collect();
        assert_eq!(of_m, [maker], "{reader}");
    }
}

#[test]
fn what_was_renamed_or_copied_comes_from_what_it_was_and_from_nothing_else_that_was() {
    let made = session(vec![
        run("make", 1)
            .made("a.csv", "b:1", "b:1", json!({}))
            .made("c.csv", "b:2", "b:2", json!({}))
            .made("e.csv", "b:3", "b:3", json!({})),
    ]);
    let renamed = |file: &str, new: &str, digest: &str| json!({"role": "renamed", "file": file, "became": new, "digest": digest});
    let moved = session(vec![
        run("mv", 3)
            .used(renamed("a.csv", "b.csv", "b:1"))
            .used(renamed("c.csv", "d.csv", "b:2"))
            .used(json!({"role": "read", "file": "e.csv", "digest": "b:3"}))
            .used(json!({"role": "read", "file": "x", "digest": "b:4"}))
            .used(json!({"role": "read", "file": "y", "digest": "b:4"}))
            .made("b.csv", "b:1", "b:1", json!({}))
            .made("d.csv", "b:2", "b:2", json!({}))
            .made("f.csv", "b:3", "b:3", json!({}))
            .made("z", "b:4", "b:4", json!({})),
    ]);
    let lineage = lineage(&[("s1", 0, made), ("s2", 0, moved)]);
    let made_as = |file: &str| {
        let is_it = |node: &ArtifactNode| {
            let mut places = node.places.iter();
            places.any(|place| place.made && place.file == file)
        };
        NodeId::Artifact(lineage.artifacts.iter().position(is_it).unwrap())
    };
    let from = |file: &str| -> Vec<(String, NodeId)> {
        let edges = lineage.origins(made_as(file));
        let derived = edges.filter(|edge| edge.relation == Relation::WasDerivedFrom);
        derived
            .map(|edge| (edge.role.clone().unwrap(), edge.to))
            .collect()
    };
    assert_eq!(from("b.csv"), [(RENAMED.to_owned(), made_as("a.csv"))]);
    assert_eq!(from("d.csv"), [(RENAMED.to_owned(), made_as("c.csv"))]);
    assert_eq!(from("f.csv"), [(COPIED.to_owned(), made_as("e.csv"))]);
    // Of which of two equal files it is a copy is not known.
    assert_eq!(from("z"), []);
    // What was renamed was not read for the other artifacts.
    let run = NodeId::Run(lineage.runs_of("s2")[0]);
    let read = lineage
        .origins(run)
        .filter(|edge| edge.relation == Relation::Used);
    assert!(
        read.map(|edge| edge.to)
            .all(|node| node != made_as("a.csv"))
    );
}
