//! A file that was moved has one verdict: where it is now, and that its bytes are as recorded.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;

use birthmark::session::RunEnd;
use birthmark::verify::Report;
use birthmark_core::event::Outcome;
use birthmark_store::records::Mode;
use world::{World, has, told};

fn codes_of<'a>(report: &'a Report, name: &str) -> Vec<&'a str> {
    let item = report.items.iter().find(|item| item.name == name);
    let reasons = item.map(|item| item.reasons.as_slice()).unwrap_or_default();
    reasons.iter().map(|reason| reason.code).collect()
}

/// A store with records and a plain file with its sidecar.
fn world() -> World {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 2);
    fs::write(world.path("t.bin"), "bytes").unwrap();
    session
        .add(
            &world.path("t.bin"),
            "model",
            &birthmark_core::Fields::new(),
        )
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    world
}

#[test]
fn a_file_that_a_hand_moved_is_said_to_be_moved_and_fails_none() {
    let world = world();
    fs::create_dir(world.path("deep")).unwrap();
    fs::rename(world.path("a.jsonl"), world.path("b.jsonl")).unwrap();
    fs::rename(world.path("t.bin"), world.path("u.bin")).unwrap();
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(report.exit_code(), 0, "{said}");
    for name in ["artifacts/a.jsonl", "artifacts/t.bin"] {
        assert_eq!(codes_of(&report, name), ["moved"], "{said}");
    }
    for name in ["artifacts/b.jsonl", "artifacts/u.bin"] {
        assert!(codes_of(&report, name).contains(&"moved"), "{said}");
    }
    assert!(
        said.contains("moved: artifacts/u.bin has the bytes that session"),
        "{said}"
    );
    // Asked for alone, under the name that is gone.
    assert!(has(&world.verify(&[world.path("t.bin")]), "moved"));
}

#[test]
fn bytes_that_were_edited_or_made_elsewhere_are_not_what_is_gone() {
    let world = world();
    fs::rename(world.path("t.bin"), world.path("u.bin")).unwrap();
    fs::write(world.path("u.bin"), "bytez").unwrap();
    let report = world.verify_all();
    assert_eq!(
        codes_of(&report, "artifacts/t.bin"),
        ["file-missing"],
        "{}",
        told(&report)
    );
    // The same bytes that another session made are that file, and not this one.
    fs::write(world.path("u.bin"), "bytes").unwrap();
    let session = world.begin(&[]);
    session
        .add(
            &world.path("u.bin"),
            "model",
            &birthmark_core::Fields::new(),
        )
        .unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    for report in [world.verify_all(), world.verify(&[world.path("t.bin")])] {
        let codes = codes_of(&report, "artifacts/t.bin");
        assert_eq!(codes, ["file-missing"], "{}", told(&report));
        assert_eq!(report.exit_code(), 1);
    }
}
