//! What a session keeps beside its artifacts, a store of code, and the clone: damaged, gone or
//! another, it is named.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;

use birthmark::session::{Begin, RunEnd};
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_store::atomic::Durability;
use birthmark_store::records::Mode;
use world::{World, files_below, has, told, with_bytes};

#[test]
fn a_damaged_object_of_the_store_is_named_by_a_deep_look() {
    let world = World::new();
    world.small();
    let layout = world.project().layout;
    let text = "numpy==2.1.0\n".repeat(20);
    birthmark_store::objects::put(&layout, text.as_bytes(), Durability::Process).unwrap();
    let mut objects = files_below(&layout.objects());
    let (path, whole) = objects.pop().unwrap();
    let deep = || deep_look(&world);
    assert_eq!(deep().exit_code(), 0, "{}", told(&deep()));
    for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let report = deep();
        assert_eq!(report.exit_code(), 1, "{}", told(&report));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(told(&report).contains(&name), "{}", told(&report));
    }
}

/// Verifies the artifacts with every byte read.
fn deep_look(world: &World) -> birthmark::verify::Report {
    let options = birthmark::verify::Options {
        deep: true,
        ..birthmark::verify::Options::at(world::now())
    };
    birthmark::verify::verify(&world.project(), &[world.artifacts()], &options).unwrap()
}

#[test]
fn a_damaged_note_of_kept_code_is_named_by_a_deep_look() {
    let world = World::new();
    world.repo.write("train.py", "# not committed\n");
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 2);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let deep = || deep_look(&world);
    assert_eq!(deep().exit_code(), 0, "{}", told(&deep()));
    let notes = files_below(&world.project().layout.bundles());
    assert!(!notes.is_empty());
    for (path, whole) in notes {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for at in (0..whole.len() - 1).step_by(5) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let report = with_bytes(&path, &bytes, deep);
            let text = told(&report);
            assert!(has(&report, "kept-damaged"), "byte {at}\n{text}");
            assert!(text.contains(&name), "byte {at}\n{text}");
            let report = with_bytes(&path, &whole[..at], deep);
            assert_eq!(report.exit_code(), 1, "cut at {at}");
        }
    }
}

/// A session that names its lock file, which it keeps.
fn with_lists() -> World {
    let world = World::new();
    world.repo.write("uv.lock", "version = 1\n".repeat(20));
    world.repo.git(["add", "uv.lock"]);
    world.repo.git(["commit", "-q", "-m", "Lock"]);
    let mut options = Begin::at(world.repo.path(), OpenedBy::Script);
    options.given = world::provenance();
    let session = birthmark::session::begin(options).unwrap();
    world.records(&session, "a.jsonl", Mode::New, 2);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    world
}

#[test]
fn a_kept_lock_file_that_is_damaged_or_gone_is_named_without_a_deep_look() {
    let world = with_lists();
    let mut lists = files_below(&world.project().layout.objects());
    // The commit is not pushed, so a bundle of it lies there too.
    lists.retain(|(_, bytes)| bytes.starts_with(b"version = 1"));
    assert!(!lists.is_empty(), "{}", told(&world.verify_all()));
    assert_eq!(
        world.verify_all().exit_code(),
        0,
        "{}",
        told(&world.verify_all())
    );
    for (path, whole) in lists {
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        let cut = &whole[..whole.len() / 2];
        for bytes in [&damaged[..], cut, b""] {
            let report = with_bytes(&path, bytes, || world.verify_all());
            assert_eq!(report.exit_code(), 1, "{}", told(&report));
            assert!(has(&report, "object-damaged"), "{}", told(&report));
        }
        fs::remove_file(&path).unwrap();
        for report in [world.verify_all(), deep_look(&world)] {
            assert_eq!(report.exit_code(), 2, "{}", told(&report));
            assert!(has(&report, "object-missing"), "{}", told(&report));
        }
        // What a policy asks does not hang on it.
        let paths = [world.artifacts()];
        let policy = birthmark::policy::check(&world.project(), &paths, world::now()).unwrap();
        assert_eq!(policy.exit_code(), 0, "{}", told(&policy));
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_commit_that_was_exchanged_in_the_clone_is_named() {
    let world = World::new();
    let first = world.repo.git(["rev-parse", "HEAD"]).trim().to_owned();
    let tree = world
        .repo
        .git(["rev-parse", "HEAD^{tree}"])
        .trim()
        .to_owned();
    world.repo.write("b.txt", "b");
    world.repo.git(["add", "b.txt"]);
    world.repo.git(["commit", "-q", "-m", "Second"]);
    let push = ["-c", "protocol.file.allow=always", "push", "-q"];
    world.repo.git(push);
    let second = world.repo.git(["rev-parse", "HEAD"]).trim().to_owned();
    world.small();
    let place = |id: &str| {
        let (folder, name) = id.split_at(2);
        let objects = world.repo.path().join(".git/objects");
        objects.join(folder).join(name)
    };
    let own = fs::read(place(&second)).unwrap();
    let put = |bytes: &[u8]| {
        // git keeps its objects read-only: a new file takes the place.
        fs::remove_file(place(&second)).unwrap();
        fs::write(place(&second), bytes).unwrap();
        let report = world.verify_all();
        (report.exit_code(), told(&report))
    };
    let (code, said) = put(&fs::read(place(&first)).unwrap());
    assert_eq!(code, 1, "{said}");
    let short = &second[..7];
    let reason = format!("what lies in the clone as commit {short} is damaged or another object");
    assert!(said.contains(&reason), "{said}");
    let (code, said) = put(&fs::read(place(&tree)).unwrap());
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains(&format!("{short} is a tree, not a commit")),
        "{said}"
    );
    let (code, said) = put(b"no object");
    assert_eq!(code, 2, "{said}");
    assert_eq!(put(&own).0, 0);
    // What the user replaced by git's own means is no damage.
    world.repo.git(["replace", &second, &first]);
    let report = world.verify_all();
    assert_eq!(report.exit_code(), 0, "{}", told(&report));
}
