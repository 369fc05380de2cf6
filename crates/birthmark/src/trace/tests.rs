//! That a part of the sessions answers as all of them do: random stores, and the whole graph.

#![expect(clippy::disallowed_methods, reason = "tests make their own stores")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use birthmark_core::WriterId;
use birthmark_core::event::Event;
use birthmark_store::Durability;
use birthmark_store::journal::JournalWriter;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What a run did, with small numbers for digests, paths and names.
#[derive(Debug, Clone)]
enum Did {
    Read {
        file: Option<u8>,
        digest: Option<u8>,
        name: Option<u8>,
        became: Option<u8>,
    },
    Made {
        file: u8,
        digest: Option<u8>,
        content: Option<u8>,
        inputs: Vec<(u8, Option<u8>)>,
        model: Option<(u8, Option<u8>)>,
        went_on: WentOn,
    },
}

/// What was there before.
#[derive(Debug, Clone)]
enum WentOn {
    Nothing,
    Unknown,
    From(u8),
}

#[derive(Debug, Clone)]
struct Sat {
    store: bool,
    host: bool,
    start: u8,
    did: Vec<(bool, Did)>,
    again: Option<u8>,
}

fn digest(number: u8) -> String {
    // Those of what lies in the files, so that one is found by its bytes.
    let path = std::env::temp_dir().join(format!("birthmark-trace-{}", std::process::id()));
    std::fs::write(&path, content(number)).unwrap();
    let digest = crate::dataset::digest_of(&path).unwrap().to_string();
    std::fs::remove_file(path).unwrap();
    digest
}

fn content(number: u8) -> String {
    format!("content {number}\n")
}

fn path(number: u8) -> String {
    match number {
        0..4 => format!("artifacts/f{number}.txt"),
        _ => format!("data/\u{fc}\"{number}\".csv"),
    }
}

fn input(file: Option<u8>, digest: Option<&String>, name: Option<u8>, became: Option<u8>) -> Value {
    let mut input = json!({"role": if became.is_some() { "renamed" } else { "read" }});
    let mut put = |member: &str, text: Option<String>| {
        if let Some(text) = text {
            input[member] = Value::from(text);
        }
    };
    put("file", file.map(path));
    put("digest", digest.cloned());
    put("name", name.map(|name| format!("org/model-{name}")));
    put("became", became.map(path));
    input
}

struct Store<'a> {
    projects: &'a [Project],
    digests: &'a [String],
}

impl Store<'_> {
    fn digest(&self, number: Option<u8>) -> Option<&String> {
        self.digests.get(usize::from(number?))
    }

    fn event(&self, run: &str, did: &Did) -> (&'static str, Value) {
        match did {
            Did::Read {
                file,
                digest,
                name,
                became,
            } => {
                let input = input(*file, self.digest(*digest), *name, *became);
                ("artifact_used", json!({"input": input}))
            }
            Did::Made {
                file,
                digest,
                content,
                inputs,
                model,
                ..
            } => {
                let inputs: Vec<Value> = inputs
                    .iter()
                    .map(|(file, digest)| input(Some(*file), self.digest(*digest), None, None))
                    .collect();
                let mut birthmark = json!({"run_id": run, "inputs": inputs});
                if let Some((name, digest)) = model {
                    birthmark["model_name"] = json!(format!("org/model-{name}"));
                    birthmark["model_digest"] = json!(self.digest(*digest));
                }
                let sealed = json!({"file": path(*file), "type": "data", "format": "observed",
                    "timestamp": "2026-01-01T00:00:00.000000+00:00", "size": 10, "records": null,
                    "digest": self.digest(*digest), "content_digest": self.digest(*content),
                    "birthmark": birthmark, "notes": {}});
                ("artifact_sealed", sealed)
            }
        }
    }

    fn write(&self, number: usize, sat: &Sat, ids: &[SessionId]) {
        let project = &self.projects[usize::from(sat.store)];
        for second in [false, true] {
            let run = format!("run{number}{}abcdef", u8::from(second));
            let writer = WriterId::from_text(format!("w{}", u8::from(second)));
            let path = project.layout.journal(&ids[number], &writer);
            let mut journal = JournalWriter::create(&path, Durability::Process).unwrap();
            // No two at one moment: which came first would then be told by nothing.
            let own = i64::try_from(number).unwrap() * 2 + i64::from(second);
            let mut time = i64::from(sat.start) * 10_000_000 + 1_767_225_600_000_000 + own;
            let mut put = |kind: &str, fields: Value| {
                let Value::Object(mut fields) = fields else {
                    return;
                };
                if let Some(told) = fields.get_mut("timestamp") {
                    *told = Value::from(Timestamp::from_micros(time).to_string());
                }
                let event = Event::from_fields(kind, fields);
                assert!(!matches!(event, Event::Other { .. }), "{event:?}");
                journal
                    .append(Timestamp::from_micros(time), &event)
                    .unwrap();
                time += 1_000_000;
            };
            let host = if sat.host { "one" } else { "two" };
            put(
                "writer_opened",
                json!({"format": "birthmark/journal/v1", "program": "0", "session_id": ids[number],
                    "session_uuid": null, "run_id": run, "host": host, "boot_id": null, "pid": 7,
                    "pid_start": null, "pid_namespace": null, "parent_run": null}),
            );
            if !second {
                let mut given = json!({});
                if let Some(of) = sat.again.map(usize::from).filter(|of| *of < ids.len()) {
                    let run = format!("run{of}0abcdef");
                    given = json!({"reproduction_of": {"session_id": ids[of], "run_id": run}});
                }
                put(
                    "session_started",
                    json!({"session_start": "2026-01-01T00:00:00.000000+00:00",
                        "opened_by": "script", "planned_artifacts": [], "given": given}),
                );
            }
            put(
                "run_started",
                json!({"script_name": format!("s{number}.py"), "argv": [run], "process": {},
                    "rank": 0, "world_size": 1}),
            );
            for (_, did) in sat.did.iter().filter(|(of_second, _)| *of_second == second) {
                if let Did::Made {
                    file,
                    went_on: went_on @ (WentOn::Unknown | WentOn::From(_)),
                    ..
                } = did
                {
                    let had = match went_on {
                        WentOn::From(had) => self.digest(Some(*had)),
                        _ => None,
                    };
                    put(
                        "artifact_opened",
                        json!({"file": self::path(*file), "type": "data", "format": "jsonl",
                            "birthmark": {}, "continued_bytes": 5, "continued_records": 1,
                            "continued_digest": had}),
                    );
                }
                let (kind, fields) = self.event(&run, did);
                put(kind, fields);
            }
        }
    }
}

fn any_did() -> impl Strategy<Value = Did> {
    let few = || proptest::option::weighted(0.8, 0..7_u8);
    let file = || 0..6_u8;
    let name = || proptest::option::weighted(0.2, 0..3_u8);
    let read = (
        proptest::option::weighted(0.9, file()),
        few(),
        name(),
        proptest::option::weighted(0.2, file()),
    );
    let read = read.prop_map(|(file, digest, name, became)| Did::Read {
        file,
        digest,
        name,
        became,
    });
    let inputs = proptest::collection::vec((file(), few()), 0..2);
    let model =
        proptest::option::weighted(0.3, (0..3_u8, proptest::option::weighted(0.3, 0..7_u8)));
    let went_on = prop_oneof![
        6 => Just(WentOn::Nothing),
        1 => Just(WentOn::Unknown),
        2 => (0..7_u8).prop_map(WentOn::From),
    ];
    let content = proptest::option::weighted(0.2, 0..7_u8);
    let made = (file(), few(), content, inputs, model, went_on);
    let made = made.prop_map(
        |(file, digest, content, inputs, model, went_on)| Did::Made {
            file,
            digest,
            content,
            inputs,
            model,
            went_on,
        },
    );
    prop_oneof![read, made]
}

fn any_sat() -> impl Strategy<Value = Sat> {
    let did = proptest::collection::vec((proptest::bool::weighted(0.2), any_did()), 0..5);
    let again = proptest::option::weighted(0.15, 0..8_u8);
    let rare = || proptest::bool::weighted(0.2);
    (rare(), rare(), 0..20_u8, did, again).prop_map(|(store, host, start, did, again)| Sat {
        store,
        host,
        start,
        did,
        again,
    })
}

/// The answer, with names for its nodes that do not follow from the other nodes.
fn told(traced: &Traced) -> (String, Vec<Value>, Vec<Value>) {
    let mut answer = traced.to_json();
    let whole: BTreeSet<NodeId> = traced
        .down
        .iter()
        .copied()
        .chain(traced.target.roots())
        .collect();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut nodes = Vec::new();
    for node in answer["nodes"].as_array_mut().unwrap() {
        let id = node["id"].as_str().unwrap().to_owned();
        let place: usize = id[1..].parse().unwrap();
        let is_whole = whole.contains(&NodeId::Artifact(place));
        let has_digest = node["digest"].is_string();
        let is_name = !is_whole && !has_digest && node["places"][0]["is_path"] == false;
        if let Some(places) = node["places"].as_array_mut() {
            // What is not told of what only led to the answer: see the limitations of `sources`.
            places.retain(|place| is_whole || !has_digest || place["digest"].is_string());
            for place in places
                .iter_mut()
                .filter(|place| !is_whole && place["is_path"] == false)
            {
                place["time"] = Value::Null;
            }
        }
        if is_name {
            for member in ["places", "unknown", "model"] {
                node[member] = Value::Null;
            }
        }
        let fields = node.as_object_mut().unwrap();
        fields.remove("id");
        if let Some(changed) = fields
            .get_mut("changed_since")
            .and_then(Value::as_object_mut)
        {
            changed.remove("artifact");
            changed.remove("run");
        }
        names.insert(id, node.to_string());
        nodes.push(node.clone());
    }
    let mut edges = answer["edges"].clone();
    for edge in edges.as_array_mut().unwrap() {
        for end in ["from", "to", "by"] {
            if let Some(id) = edge[end].as_str() {
                // A run that took part in a step need not be reached itself.
                edge[end] = Value::from(names.get(id).map_or("a run", String::as_str));
            }
        }
    }
    let mut edges = edges.as_array().unwrap().clone();
    nodes.sort_by_key(Value::to_string);
    edges.sort_by_key(Value::to_string);
    let page = render(
        traced,
        Timestamp::from_micros(0),
        &jiff::tz::TimeZone::UTC,
        80,
    );
    (page, nodes, edges)
}

fn ask(
    projects: &[Project],
    name: &Path,
    all: bool,
) -> std::result::Result<(String, Vec<Value>, Vec<Value>), String> {
    let options = Options::at(Timestamp::from_micros(0));
    let wanted = wanted::look(name, projects, &projects[0]).map_err(|error| error.whole())?;
    let asked = Asked {
        wanted,
        projects,
        options: &options,
    };
    let answer = if all {
        let mut sources = Sources::open(projects, &First::default());
        sources.take_all();
        asked.answer(sources)
    } else {
        asked.ask()
    };
    answer
        .map(|traced| told(&traced))
        .map_err(|error| error.whole())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_part_of_the_sessions_answers_as_all_of_them_do(
        sats in proptest::collection::vec(any_sat(), 1..9),
        lies in proptest::collection::vec((0..6_u8, 0..7_u8), 0..5),
        asked in proptest::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let projects: Vec<Project> = ["one", "two"].iter().map(|name| {
            let root = folder.path().join(name);
            std::fs::create_dir_all(root.join("artifacts/.birthmark/sessions")).unwrap();
            std::fs::create_dir_all(root.join("data")).unwrap();
            std::fs::write(root.join("birthmark.toml"), "").unwrap();
            Project::find(&root).unwrap()
        }).collect();
        let digests: Vec<String> = (0..7).map(digest).collect();
        let ids: Vec<SessionId> = (0..sats.len())
            .map(|at| SessionId::from_text(format!("20260101_00000{at}_abcdefghjkmn{at}")))
            .collect();
        let store = Store { projects: &projects, digests: &digests };
        for (number, sat) in sats.iter().enumerate() {
            store.write(number, sat, &ids);
        }
        let mut targets: Vec<PathBuf> = digests.iter().map(PathBuf::from).collect();
        targets.extend((0..6).map(|file| projects[0].root().join(path(file))));
        targets.extend(["org/model-1", "model-2", "f2.txt", "run00abc", "last", "none"].map(PathBuf::from));
        targets.extend(ids.iter().map(|id| PathBuf::from(id.as_str())));
        for (file, number) in lies {
            std::fs::write(projects[0].root().join(path(file)), content(number)).unwrap();
        }
        for target in asked.iter().map(|index| index.get(&targets)) {
            let (part, whole) = (ask(&projects, target, false), ask(&projects, target, true));
            prop_assert_eq!(part, whole, "{}", target.display());
        }
    }
}
