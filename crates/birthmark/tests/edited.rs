//! What was edited by hand since it was recorded is never shown or compared as if it were not.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use birthmark::catalog::{Catalog, Depth};
use birthmark::compare::{Compared, Options, Target, compare};
use birthmark::find::{self, Ask};
use birthmark::session::RunEnd;
use birthmark::show::{Now, render, show};
use birthmark::verify::Word;
use birthmark_core::Fields;
use birthmark_core::compare::Verdict;
use birthmark_core::event::Outcome;
use birthmark_store::records::Mode;
use jiff::tz::TimeZone;
use world::{World, has, now, replace_in, retold, tell_anew, told, word_of};

fn looked_at(world: &World, name: &str, line: Option<u64>) -> (Option<Now>, String) {
    let shown = show(&world.project(), &world.path(name), line, now()).unwrap();
    let text = render(&shown, now(), &TimeZone::UTC, 200);
    (shown.now, text)
}

fn asked(targets: &[&str]) -> Compared {
    let targets: Vec<Target> = targets.iter().map(|text| Target::parse(text)).collect();
    compare(&targets, &Options::at(now())).unwrap_or_else(|error| panic!("{}", error.whole()))
}

fn reasons(compared: &Compared) -> String {
    let reasons = compared
        .pairs
        .iter()
        .flat_map(|pair| &pair.judgement.reasons);
    let texts: Vec<&str> = reasons.map(|reason| reason.text.as_str()).collect();
    texts.join("\n")
}

#[test]
fn show_says_of_every_kind_of_file_whether_it_is_still_what_was_recorded() {
    let world = World::new();
    world.small();
    let all = ["sft_a.jsonl", "evaluation_a.json", "model", "table.csv"];
    for name in all {
        let (found, text) = looked_at(&world, name, None);
        assert_eq!(found, Some(Now::AsRecorded), "{name}: {text}");
        assert!(text.contains("… as recorded"), "{text}");
    }
    replace_in(&world.path("sft_a.jsonl"), "\"r 2\"", "\"x 2\"");
    replace_in(&world.path("evaluation_a.json"), "0.5", "0.9");
    fs::write(world.path("model/sub/weights.bin"), [8_u8; 40]).unwrap();
    fs::write(world.path("table.csv"), "a,b\n1,3\n").unwrap();
    for (name, line) in all
        .map(|name| (name, None))
        .into_iter()
        .chain([("sft_a.jsonl", Some(1))])
    {
        let (found, text) = looked_at(&world, name, line);
        assert_eq!(found, Some(Now::Edited), "{name}: {text}");
        assert!(!text.contains(" as recorded"), "{text}");
        let typed = world.path(name);
        let advice = format!(
            "edited since it was recorded: birthmark verify {}",
            typed.display()
        );
        assert!(text.contains(&advice), "{text}");
    }
}

#[test]
fn file_that_grew_is_held_against_what_was_recorded_of_its_beginning() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"prompt\": \"by hand\"}\n").unwrap();
    let (found, text) = looked_at(&world, "sft_a.jsonl", None);
    assert_eq!(found, Some(Now::Grown), "{text}");
    assert!(
        text.contains("more was added since: birthmark verify"),
        "{text}"
    );
    replace_in(&path, "\"r 0\"", "\"x 0\"");
    assert_eq!(looked_at(&world, "sft_a.jsonl", None).0, Some(Now::Edited));
}

#[test]
fn two_records_are_compared_and_not_the_files_in_which_they_stand() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let backup = world.path("sft_a.bak.jsonl");
    fs::copy(&path, &backup).unwrap();
    let at = |path: &Path, line: u64| format!("{}:{line}", path.display());
    let says = |a: &str, b: &str| reasons(&asked(&[a, b]));
    let two = says(&at(&path, 1), &at(&path, 3));
    assert!(
        two.contains("two records: prompt, response differ"),
        "{two}"
    );
    assert!(!two.contains("same digest"), "{two}");
    let same = says(&at(&path, 3), &at(&backup, 3));
    assert!(same.contains("the same record, byte for byte"), "{same}");
    replace_in(&path, "\"r 2\"", "\"x 2\"");
    let edited = says(&at(&path, 3), &at(&backup, 3));
    assert!(edited.contains("two records: response differs"), "{edited}");
    assert!(edited.contains("A is not what was recorded"), "{edited}");
}

#[test]
fn edited_report_passes_no_gate() {
    let world = World::new();
    let session = world.begin(&[]);
    world.report(&session, "evaluation_a.json");
    world.report(&session, "evaluation_b.json");
    world.records(&session, "sft.jsonl", Mode::New, 2);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let [a, b] = ["evaluation_a.json", "evaluation_b.json"]
        .map(|name| world.path(name).to_string_lossy().into_owned());
    let before = asked(&[&a, &b]);
    assert!(!reasons(&before).contains("not what was recorded"));
    replace_in(Path::new(&b), "0.5", "0.9");
    let after = asked(&[&a, &b]);
    assert_eq!(after.verdict(), Verdict::CannotTell.max(before.verdict()));
    let told = reasons(&after);
    assert!(
        told.contains("B is not what was recorded (birthmark verify "),
        "{told}"
    );
    assert_eq!(after.exit_code(), 2);
}

#[test]
fn show_says_of_a_dirty_tree_that_was_not_kept_that_the_commit_alone_lives() {
    let world = World::new();
    world.repo.write("old.jsonl", "{\"a\": 1}\n");
    let commit = world.repo.git(["rev-parse", "HEAD"]);
    let mark = serde_json::json!({
        "a": 1,
        "metadata": {
            "artifact_type": "t", "birthmark": "birthmark/v1", "git_commit": commit.trim(),
            "git_dirty": true, "timestamp": "2026-11-22T12:00:00.000000+00:00",
        },
    });
    world
        .repo
        .git(["update-ref", "-d", "refs/remotes/origin/main"]);
    fs::create_dir_all(world.artifacts()).unwrap();
    fs::write(world.path("old.jsonl"), format!("{mark}\n")).unwrap();
    let text = looked_at(&world, "old.jsonl", None).1;
    let said = "the commit in this clone only; the edits of the dirty tree were not kept";
    assert!(text.contains(said), "{text}");
}

#[test]
fn clock_that_was_set_back_between_two_sessions_makes_no_file_changed() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let table = world.path("table.csv");
    let write = |text: &str| {
        let session = world.begin(&[]);
        fs::write(&table, text).unwrap();
        session.add(&table, "table", &Fields::new()).unwrap();
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        let sidecar = fs::read(world.path("table.csv.birthmark.json")).unwrap();
        (session.id().clone(), text.to_owned(), sidecar)
    };
    let lie = |(_, text, sidecar): &(_, String, Vec<u8>)| {
        fs::write(&table, text).unwrap();
        fs::write(world.path("table.csv.birthmark.json"), sidecar).unwrap();
    };
    let retell = |one: &mut (_, String, Vec<u8>), host: &str, minutes| {
        retold(&world, &one.0, host, minutes);
        let mut sidecar: serde_json::Value = serde_json::from_slice(&one.2).unwrap();
        tell_anew(&mut sidecar, host, minutes);
        one.2 = sidecar.to_string().into_bytes();
    };
    let (first, mut second) = (write("a,b\n1,2\n"), write("a,b\n1,3\n"));
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let mut judged = || {
        let report = world.verify(std::slice::from_ref(&table));
        let (judgement, is_open) = (
            word_of(&report, "table.csv"),
            has(&report, "order-not-proved"),
        );
        catalog.refresh(&world.project(), Depth::All).unwrap();
        let ask = Ask::new("state=edited", now());
        let parsed = find::parse(&ask).unwrap();
        let edited = find::find_in(&mut catalog, &world.project(), &ask, &parsed).unwrap();
        assert_eq!(
            edited.found.total > 0,
            judgement == Word::Failed,
            "{}",
            told(&report)
        );
        (judgement == Word::Failed, is_open)
    };
    assert_eq!(judged(), (false, false));
    // By the clock of the second session it was first, but the boot of the machine tells.
    retell(&mut second, "", -60 * 24);
    lie(&second);
    assert_eq!(judged(), (false, false));
    lie(&first);
    assert_eq!(judged(), (false, false), "it was put back, as git does");
    let report = world.verify(std::slice::from_ref(&table));
    assert!(has(&report, "earlier-state"), "{}", told(&report));
    // Nothing is common to another machine.
    retell(&mut second, "pod-b", -1);
    assert_eq!(
        judged(),
        (false, false),
        "by their clocks the first was last"
    );
    lie(&second);
    assert_eq!(judged(), (false, true));
    fs::write(&table, "a,b\n1,4\n").unwrap();
    assert_eq!(judged(), (true, false));
}
