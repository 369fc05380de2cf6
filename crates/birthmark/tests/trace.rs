//! What `trace` finds: by what files are, wherever they lie and whatever they are called.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::path::{Path, PathBuf};

use birthmark::session::RunEnd;
use birthmark::trace::{FoundBy, OnDisk, Options, Traced, render, trace};
use birthmark_core::birthmark::Fields;
use birthmark_core::event::Outcome;
use birthmark_core::lineage::NodeId;
use birthmark_store::records::Mode;
use jiff::tz::TimeZone;
use serde_json::json;
use world::{World, fields, files_below, now};

fn traced(path: &Path, stores: &[PathBuf]) -> Traced {
    let options = Options {
        stores: stores.to_vec(),
        ..Options::at(now())
    };
    trace(path, &options).unwrap_or_else(|error| panic!("{}", error.whole()))
}

fn text(traced: &Traced) -> String {
    render(traced, now(), &TimeZone::UTC, 80)
}

/// Data, a checkpoint from it, and a score of the checkpoint: three sessions.
fn three_steps(world: &World) {
    let end = || RunEnd::plain(Outcome::Completed);
    let data = world.begin(&[]);
    world.records(&data, "data.jsonl", Mode::New, 3);
    data.end(end()).unwrap();

    let fit = world.begin(&[]);
    fit.use_input(
        "artifacts/data.jsonl",
        Some("training"),
        world.repo.path(),
        Fields::new(),
    )
    .unwrap();
    fs::write(world.path("line.npy"), [3_u8; 40]).unwrap();
    fit.add(&world.path("line.npy"), "model", &Fields::new())
        .unwrap();
    fit.end(end()).unwrap();

    let score = world.begin(&[]);
    fs::write(world.path("score.csv"), "mse\n0.1\n").unwrap();
    let inputs = fields(json!({"inputs": [
        {"role": "model", "file": world.path("line.npy").to_string_lossy()},
        {"role": "base", "name": "org/base \"x\" <y> | {z}", "model_revision": "main"},
    ]}));
    let mut given = inputs;
    birthmark::dataset::fill(&world.project(), &mut given, world.repo.path()).unwrap();
    score
        .add(&world.path("score.csv"), "evaluation", &given)
        .unwrap();
    score.end(end()).unwrap();
}

#[test]
fn the_whole_way_is_told_up_from_the_score_and_down_from_the_data() {
    let world = World::new();
    three_steps(&world);
    let before = files_below(world.repo.path());
    let up = text(&traced(&world.path("score.csv"), &[]));
    for part in [
        "score.csv",
        "line.npy",
        "data.jsonl",
        "training",
        "org/base",
        "3 records",
    ] {
        assert!(up.contains(part), "no `{part}` in\n{up}");
    }
    assert!(up.lines().all(|line| line.chars().count() <= 80), "{up}");
    let down = traced(&world.path("data.jsonl"), &[]);
    let names: Vec<&str> = down
        .down
        .iter()
        .filter_map(|node| match node {
            NodeId::Artifact(place) => Some(down.lineage.artifacts[*place].name()),
            NodeId::Run(_) => None,
        })
        .collect();
    assert!(names.contains(&"artifacts/score.csv"), "{names:?}");
    assert_eq!(files_below(world.repo.path()), before, "trace wrote");
}

#[test]
fn renamed_copied_and_unstamped_files_still_belong() {
    let world = World::new();
    three_steps(&world);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("other name.jsonl");
    fs::copy(world.path("data.jsonl"), &copy).unwrap();
    let found = traced(&copy, &[world.artifacts()]);
    assert_eq!(found.target.found_by, FoundBy::Digest);
    assert!(
        text(&found).contains("recorded as  artifacts/data.jsonl"),
        "{}",
        text(&found)
    );
    assert!(found.down.len() > 4, "{}", text(&found));

    let plain: String = fs::read_to_string(&copy)
        .unwrap()
        .lines()
        .flat_map(|line| [&line[..line.find(", \"metadata\"").unwrap()], "}\n"])
        .collect();
    let unstamped = elsewhere.path().join("plain.txt");
    fs::write(&unstamped, plain).unwrap();
    let found = traced(&unstamped, &[world.repo.path().to_owned()]);
    assert!(found.down.len() > 4, "{}", text(&found));

    fs::rename(world.path("data.jsonl"), world.path("moved.jsonl")).unwrap();
    let moved = traced(&world.path("moved.jsonl"), &[]);
    assert_eq!(moved.target.found_by, FoundBy::Digest);
    let gone = traced(&world.path("score.csv"), &[]);
    assert!(text(&gone).contains("! no longer there"), "{}", text(&gone));
}

#[test]
fn changed_bytes_are_marked_and_what_the_recorded_ones_came_from_is_told() {
    let world = World::new();
    three_steps(&world);
    fs::write(world.path("line.npy"), [4_u8; 40]).unwrap();
    let score = traced(&world.path("score.csv"), &[]);
    assert!(
        text(&score).contains("! its bytes are no longer those"),
        "{}",
        text(&score)
    );
    assert!(
        score
            .on_disk
            .values()
            .any(|state| matches!(state, OnDisk::Changed(_)))
    );
    let line = traced(&world.path("line.npy"), &[]);
    assert_eq!(line.target.found_by, FoundBy::Path);
    let told = text(&line);
    assert!(told.contains("! changed since "), "{told}");
    assert!(told.contains("made by no session known here"), "{told}");
    assert!(text(&line).contains("data.jsonl"));
}

#[test]
fn a_birthmark_whose_session_is_not_here_is_a_run_that_says_so() {
    let world = World::new();
    three_steps(&world);
    let laptop = World::new();
    fs::create_dir_all(laptop.artifacts()).unwrap();
    fs::copy(world.path("data.jsonl"), laptop.path("data.jsonl")).unwrap();
    let found = traced(&laptop.path("data.jsonl"), &[]);
    assert!(
        text(&found).contains("its session is not here"),
        "{}",
        text(&found)
    );
    assert!(text(&found).contains("train.py"), "{}", text(&found));

    // Used on the laptop, it goes one step beyond what the laptop's sessions tell.
    let session = laptop.begin(&[]);
    session
        .use_input(
            "artifacts/data.jsonl",
            None,
            laptop.repo.path(),
            Fields::new(),
        )
        .unwrap();
    fs::write(laptop.path("out.bin"), "x").unwrap();
    session
        .add(&laptop.path("out.bin"), "model", &Fields::new())
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let up = traced(&laptop.path("out.bin"), &[]);
    assert!(
        text(&up).contains("its session is not here"),
        "{}",
        text(&up)
    );
    // With the other store it is a session like any other.
    let both = traced(&laptop.path("out.bin"), &[world.artifacts()]);
    assert!(!text(&both).contains("not here"), "{}", text(&both));
    let settings = format!("stores = [{:?}]\n", world.artifacts());
    fs::write(laptop.repo.path().join("birthmark.toml"), settings).unwrap();
    let set = traced(&laptop.path("out.bin"), &[]);
    assert!(!text(&set).contains("not here"), "{}", text(&set));
}

#[test]
fn digests_sessions_records_and_files_that_are_gone_can_be_asked_for() {
    let world = World::new();
    three_steps(&world);
    let stores = [world.artifacts()];
    let whole = traced(&world.path("line.npy"), &[]);
    let digest = whole.target.digests.0.clone().unwrap();
    let hex = digest.split(':').nth(1).unwrap();
    for name in [&digest[..16], &hex[..8]] {
        let found = traced(Path::new(name), &stores);
        assert_eq!(found.up.len(), whole.up.len(), "{name}");
    }
    let record = traced(
        &PathBuf::from(format!("{}:2", world.path("data.jsonl").display())),
        &[],
    );
    assert_eq!((record.target.line, record.target.runs.len()), (Some(2), 1));
    let session = whole.lineage.runs[0].session.clone();
    let by_session = traced(Path::new(session.as_str()), &stores);
    assert_eq!(by_session.target.found_by, FoundBy::Session);
    fs::remove_file(world.path("line.npy")).unwrap();
    let gone = traced(&world.path("line.npy"), &stores);
    assert_eq!(gone.up.len(), whole.up.len());

    for (name, code) in [("never-was", "no-file"), ("./", "not-traced")] {
        let path = if name == "./" {
            world.artifacts()
        } else {
            PathBuf::from(name)
        };
        let error = trace(&path, &Options::at(now())).err().unwrap();
        assert_eq!(error.code(), code, "{}", error.whole());
    }
    fs::write(world.path("foreign.bin"), "nobody").unwrap();
    let error = trace(&world.path("foreign.bin"), &Options::at(now()))
        .err()
        .unwrap();
    assert_eq!(error.code(), "not-traced");
}

#[test]
fn a_run_that_was_killed_leaves_an_unfinished_artifact_that_the_next_went_on_from() {
    let world = World::new();
    let killed = world.begin(&[]);
    world.records(&killed, "a.jsonl", Mode::New, 2);
    let journals = world.journals(killed.id());
    // As kill -9 leaves it: neither sealed nor ended.
    std::mem::forget(killed);
    for journal in journals {
        let text = fs::read_to_string(&journal).unwrap();
        let kept: Vec<&str> = text
            .lines()
            .take_while(|line| !line.contains("\"artifact_sealed\""))
            .collect();
        fs::write(&journal, format!("{}\n", kept.join("\n"))).unwrap();
    }
    let unfinished = traced(&world.path("a.jsonl"), &[]);
    assert!(
        text(&unfinished).contains("unfinished"),
        "{}",
        text(&unfinished)
    );
    let next = world.begin(&[]);
    world.records(&next, "a.jsonl", Mode::GoOn, 2);
    next.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let found = traced(&world.path("a.jsonl"), &[]);
    let text = text(&found);
    assert!(
        text.contains("went on from") && text.contains("4 records"),
        "{text}"
    );
    assert_eq!(text.matches("made by").count(), 2, "{text}");
}

/// A strict reader of the DOT that is written here: one statement a line, quoted labels.
fn check_dot(dot: &str) -> usize {
    let mut lines = dot.lines();
    assert_eq!(lines.next(), Some("digraph lineage {"));
    for (statements, line) in lines.enumerate() {
        if line == "}" {
            return statements;
        }
        assert!(line.starts_with("  ") && line.ends_with(';'), "{line}");
        let (mut quoted, mut escaped) = (false, false);
        for each in line.chars() {
            match each {
                _ if escaped => {
                    assert!(matches!(each, '\\' | '"' | 'n'), "{line}");
                    escaped = false;
                }
                '\\' => escaped = quoted,
                '"' => quoted = !quoted,
                other => assert!(
                    quoted || other.is_ascii_alphanumeric() || " []=,->;_".contains(other),
                    "`{other}` outside of quotes in {line}"
                ),
            }
        }
        assert!(!quoted, "{line}");
    }
    panic!("no end: {dot}");
}

#[test]
fn drawings_are_valid_whatever_the_names_say() {
    let world = World::new();
    three_steps(&world);
    let hostile = "we\"ird\\ [x] {y} <b> | --> ; # é.jsonl";
    fs::create_dir_all(world.path("sub")).unwrap();
    fs::copy(world.path("data.jsonl"), world.path(hostile)).unwrap();
    let session = world.begin(&[]);
    session
        .add(&world.path(hostile), "a\"b\n]-->", &Fields::new())
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let found = traced(&world.path(hostile), &[]);
    let dot = found.to_dot();
    assert!(check_dot(&dot) >= 4, "{dot}");
    let whole = traced(&world.path("data.jsonl"), &[]).to_dot();
    assert!(check_dot(&whole) > 8, "{whole}");
    let graphviz = ["/usr/bin/dot", "/usr/local/bin/dot"];
    if let Some(program) = graphviz.iter().find(|path| Path::new(path).exists()) {
        let file = world.repo.path().join("lineage.dot");
        fs::write(&file, &dot).unwrap();
        let out = std::process::Command::new(program)
            .arg("-Tcanon")
            .arg(&file)
            .output()
            .unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    }
    let mermaid = found.to_mermaid();
    for line in mermaid.lines().skip(1) {
        let quotes = line.matches('"').count();
        assert!(quotes == 0 || quotes == 2, "{line}");
        let inside = line.split('"').nth(1).unwrap_or_default();
        assert!(
            !inside
                .replace("<br/>", "")
                .contains(['<', '>', '[', ']', '{', '}', '|', '\\']),
            "{line}"
        );
    }
    assert!(!text(&found).contains('\u{1b}'));
}
