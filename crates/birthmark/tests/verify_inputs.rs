//! What became of the inputs of what was made: each is held against its digest of then.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;

use birthmark::session::RunEnd;
use birthmark::verify::{Meter, Options, Report, Word, codes, verify, verify_watched};
use birthmark_core::event::Outcome;
use birthmark_store::records::Mode;
use serde_json::json;
use world::{World, fields, now, told};

/// A table made from `data/seed.json` and from the records of an earlier session.
fn derived(world: &World) {
    let session = world.begin(&[]);
    world.records(&session, "first.jsonl", Mode::New, 3);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let data = world.repo.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("seed.json"), "[1, 2, 3]").unwrap();
    let session = world.begin(&[]);
    fs::write(world.path("table.csv"), "a,b\n1,2\n").unwrap();
    let given = ["data/seed.json".into(), "artifacts/first.jsonl".into()];
    let inputs = birthmark::dataset::inputs(&world.project(), &given, world.repo.path()).unwrap();
    let inputs = json!({ "inputs": inputs });
    session
        .add(&world.path("table.csv"), "table", &fields(inputs))
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
}

fn of_table(world: &World) -> Report {
    world.verify(&[world.path("table.csv")])
}

#[test]
fn inputs_that_are_what_they_were_are_not_spoken_of() {
    let world = World::new();
    derived(&world);
    let report = of_table(&world);
    let codes = codes(&report);
    assert!(
        !codes.keys().any(|code| code.starts_with("input")),
        "{}",
        told(&report)
    );
}

#[test]
fn an_input_that_changed_is_a_caveat_and_named() {
    let world = World::new();
    derived(&world);
    fs::write(world.repo.path().join("data/seed.json"), "[1, 2, 4]").unwrap();
    let report = of_table(&world);
    let said = told(&report);
    assert_eq!(report.word(), Some(Word::Caveat), "{said}");
    assert!(
        said.contains("input data/seed.json changed since it was read"),
        "{said}"
    );
    // The session whose run made it says so too, once.
    let all = told(&world.verify_all());
    assert_eq!(all.matches("data/seed.json changed").count(), 1, "{all}");
}

#[test]
fn an_input_that_was_stamped_or_unstamped_since_has_the_same_content() {
    let world = World::new();
    derived(&world);
    let path = world.path("first.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut bare = String::new();
    for line in text.lines() {
        bare.push_str(&line[..line.find(", \"metadata\"").unwrap()]);
        bare.push_str("}\n");
    }
    fs::write(&path, bare).unwrap();
    let said = told(&of_table(&world));
    assert!(!said.contains("first.jsonl changed"), "{said}");
}

#[test]
fn an_input_that_moved_or_went_away_is_named_with_its_new_place() {
    let world = World::new();
    derived(&world);
    let data = world.repo.path().join("data");
    fs::rename(data.join("seed.json"), data.join("seed_of_may.json")).unwrap();
    let said = told(&of_table(&world));
    assert!(
        said.contains("input moved: data/seed.json is now data/seed_of_may.json"),
        "{said}"
    );
    fs::remove_file(data.join("seed_of_may.json")).unwrap();
    let report = of_table(&world);
    let said = told(&report);
    assert!(said.contains("input data/seed.json is not here"), "{said}");
    assert_eq!(report.exit_code(), 0, "{said}");
}

#[test]
fn a_quick_look_reads_no_input() {
    let world = World::new();
    derived(&world);
    fs::write(world.repo.path().join("data/seed.json"), "[1, 2, 4]").unwrap();
    let options = Options {
        quick: true,
        ..Options::at(now())
    };
    let report = verify(&world.project(), &[world.path("table.csv")], &options).unwrap();
    let said = told(&report);
    assert!(!said.contains("changed since it was read"), "{said}");
    assert!(said.contains("not proved: the bytes"), "{said}");
}

#[test]
fn the_meter_comes_to_its_end() {
    let world = World::new();
    derived(&world);
    let meter = Meter::default();
    let options = Options::at(now());
    verify_watched(&world.project(), &[world.artifacts()], &options, &meter).unwrap();
    let (read, all) = meter.told();
    assert!(all > 0 && read == all, "{read} of {all}");
}

#[test]
fn one_file_is_judged_as_it_is_among_all_of_the_store() {
    let world = World::new();
    derived(&world);
    world.small();
    // A later session goes on with a file, another writes one anew.
    for (name, mode) in [("first.jsonl", Mode::GoOn), ("sft_a.jsonl", Mode::Anew)] {
        let session = world.begin(&[]);
        world.records(&session, name, mode, 2);
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    }
    // And one file lies where no session says, but one recorded it.
    fs::copy(world.path("sft_a.jsonl"), world.path("copy.jsonl")).unwrap();
    // A record of a session that never spoke of the file it stands in now.
    let line = fs::read_to_string(world.path("first.jsonl")).unwrap();
    fs::write(world.path("strange.jsonl"), line.lines().next().unwrap()).unwrap();
    let all = world.verify_all();
    for name in [
        "first.jsonl",
        "sft_a.jsonl",
        "table.csv",
        "copy.jsonl",
        "strange.jsonl",
        "model",
    ] {
        let alone = world.verify(&[world.path(name)]);
        let among = all
            .items
            .iter()
            .find(|item| item.name.ends_with(name))
            .unwrap();
        assert_eq!(&alone.items[0], among, "{name}\n{}", told(&alone));
    }
    for session in birthmark::sessions::ids(&world.project()).unwrap() {
        let alone = world.verify(&[session.as_str().into()]);
        for item in &alone.items {
            let among = all
                .items
                .iter()
                .find(|other| other.name == item.name)
                .unwrap();
            assert_eq!(item, among, "{session}\n{}", told(&alone));
        }
    }
}

#[test]
fn what_its_run_read_is_told_of_a_file_that_names_no_inputs() {
    let world = World::new();
    world.repo.write("data/seed.json", "[1, 2, 3]");
    world.repo.write("data/other.json", "[1]");
    let session = world.begin(&[]);
    world.records(&session, "first.jsonl", Mode::New, 3);
    let more = birthmark_core::birthmark::Fields::new();
    session
        .use_input("data/seed.json", None, world.repo.path(), more)
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let of_it = || told(&world.verify(&[world.path("first.jsonl")]));
    assert!(!of_it().contains("seed.json"), "{}", of_it());
    world.repo.write("data/seed.json", "[1, 2, 4]");
    world.repo.write("data/other.json", "[2]");
    let said = of_it();
    assert!(
        said.contains("input data/seed.json changed since it was read"),
        "{said}"
    );
    let all = told(&world.verify_all());
    assert_eq!(all.matches("data/seed.json changed").count(), 1, "{all}");
}
