//! The catalog says what the files say, whatever happened to them before.

#![cfg(feature = "catalog")]
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::path::{Path, PathBuf};

use birthmark::catalog::{Catalog, Depth};
use birthmark::find::{self, Ask, FoundCell};
use birthmark::records::RecordsOptions;
use birthmark::session::RunEnd;
use birthmark_core::event::Outcome;
use birthmark_core::{Fields, SessionId};
use birthmark_store::records::Mode;
use world::{World, now, retold};

/// What a catalog that was never asked before says.
fn fresh(world: &World) -> String {
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    catalog.refresh(&world.project(), Depth::All).unwrap();
    catalog.dump().unwrap()
}

fn found(catalog: &mut Catalog, world: &World, filter: &str) -> Vec<String> {
    let ask = Ask::new(filter, now());
    let parsed = find::parse(&ask).unwrap();
    let answer = find::find_in(catalog, &world.project(), &ask, &parsed).unwrap();
    let name = |row: &find::Row| match &row.fields[0].1 {
        FoundCell::Value(value) => value.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    let mut names: Vec<String> = answer.found.rows.iter().map(name).collect();
    names.sort();
    names
}

/// A small generator of numbers, so that a history can be played again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn line(seed: usize, temperature: usize) -> String {
    format!(
        r#"{{"n": {seed}, "metadata": {{"git_commit": "c0ffee", "timestamp": "2026-11-20T10:00:{:02}.000000+00:00", "artifact_type": "copied", "seed": {seed}, "temperature": 0.{temperature}, "birthmark": "birthmark/v1"}}}}"#,
        seed % 60
    )
}

fn files(world: &World) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = world::files_below(&world.artifacts())
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| !path.to_string_lossy().contains("/.birthmark/"))
        .collect();
    paths.sort();
    paths
}

fn step(world: &World, dice: &mut Dice, number: usize) -> String {
    let artifacts = world.artifacts();
    let all = files(world);
    let pick = all.get(dice.roll(all.len().max(1))).cloned();
    let name = format!("f{number}");
    match (dice.roll(11), pick) {
        (0, _) => {
            let session = world.begin(&["*.jsonl"]);
            world.records(&session, &format!("{name}.jsonl"), Mode::New, 3);
            if dice.roll(2) == 0 {
                session.end(RunEnd::plain(Outcome::Completed)).unwrap();
            }
            "a session made records".to_owned()
        }
        (1, _) => {
            let session = world.begin(&[]);
            world.report(&session, &format!("{name}.json"));
            let outside = world.repo.path().join(format!("{name}.bin"));
            fs::write(&outside, "weights").unwrap();
            session.add(&outside, "model", &Fields::new()).unwrap();
            for twin in ["a", "b"] {
                let twin = artifacts.join(format!("{name}-{twin}.bin"));
                fs::write(&twin, "weights").unwrap();
                session.add(&twin, "model", &Fields::new()).unwrap();
            }
            session.end(RunEnd::plain(Outcome::Failed)).unwrap();
            "a session made a report, a file elsewhere, and twins".to_owned()
        }
        (2 | 3, _) => {
            let folder = artifacts.join(format!("d{}", dice.roll(3)));
            fs::create_dir_all(&folder).unwrap();
            let lines: Vec<String> = (0..dice.roll(300)).map(|n| line(n, n / 280)).collect();
            fs::write(folder.join(format!("{name}.jsonl")), lines.join("\n")).unwrap();
            "records were copied here".to_owned()
        }
        (4, Some(path)) => {
            fs::remove_file(&path).unwrap();
            format!("{} was removed", path.display())
        }
        (5, Some(path)) => {
            let to = artifacts.join(format!("d{}", dice.roll(3)));
            fs::create_dir_all(&to).unwrap();
            fs::rename(&path, to.join(path.file_name().unwrap())).unwrap();
            format!("{} was moved", path.display())
        }
        (6, Some(path)) => {
            // In place, and as long as it was.
            let text = fs::read_to_string(&path).unwrap_or_default();
            fs::write(
                &path,
                text.replace("0.0", "0.9")
                    .replace("\"seed\": 1", "\"seed\": 8"),
            )
            .unwrap();
            format!("{} was edited", path.display())
        }
        (7, Some(path)) => {
            let text = format!(
                "{}\n{}\n{{broken",
                fs::read_to_string(&path).unwrap_or_default(),
                line(7, 3)
            );
            fs::write(&path, text).unwrap();
            format!("{} was added to", path.display())
        }
        (8, Some(path)) => {
            fs::copy(
                &path,
                artifacts.join(format!(
                    "copy-{}",
                    path.file_name().unwrap().to_string_lossy()
                )),
            )
            .unwrap();
            format!("{} was copied", path.display())
        }
        (9, _) => {
            let folder = artifacts.join(format!("d{}", dice.roll(3)));
            let _ = fs::remove_dir_all(&folder);
            format!("{} was removed", folder.display())
        }
        _ => {
            let sessions = world.project().layout.sessions();
            let mut ids: Vec<PathBuf> = fs::read_dir(&sessions)
                .map(|found| found.map(|one| one.unwrap().path()).collect())
                .unwrap_or_default();
            ids.sort();
            if let Some(gone) = ids.get(dice.roll(ids.len().max(1))) {
                fs::remove_dir_all(gone).unwrap();
            }
            "journals were removed".to_owned()
        }
    }
}

/// Holds a catalog that followed the history against a fresh one. A session that was
/// left open may still be told of its machine, by a thread of its own.
fn agree(catalog: &mut Catalog, world: &World, when: &str) {
    let mut differences = String::new();
    for _ in 0..100 {
        catalog.refresh(&world.project(), Depth::Question).unwrap();
        let (told, truth) = (catalog.dump().unwrap(), fresh(world));
        if told == truth {
            return;
        }
        let missing = truth.lines().filter(|line| !told.contains(line));
        let added = told.lines().filter(|line| !truth.contains(line));
        differences = missing
            .map(|line| format!("missing {line}\n"))
            .chain(added.map(|line| format!("added {line}\n")))
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{when}:\n{differences}");
}

#[test]
fn catalog_after_any_history_is_that_of_a_fresh_one() {
    for seed in 0..6 {
        let world = World::new();
        fs::create_dir_all(world.artifacts()).unwrap();
        let cache = tempfile::tempdir().unwrap();
        let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
        let mut dice = Dice(seed * 977 + 1);
        let mut history = Vec::new();
        for number in 0..14 {
            history.push(step(&world, &mut dice, number));
            if dice.roll(3) == 0 {
                continue;
            }
            agree(
                &mut catalog,
                &world,
                &format!("seed {seed}, after {history:#?}"),
            );
        }
        catalog.rebuild(&world.project()).unwrap();
        agree(&mut catalog, &world, &format!("seed {seed}, rebuilt"));
    }
}

#[test]
fn what_a_session_made_is_found_by_what_it_was_made_with() {
    let world = World::new();
    world.small();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let all = [
        "artifacts/evaluation_a.json",
        "artifacts/model",
        "artifacts/sft_a.jsonl",
        "artifacts/table.csv",
    ];
    for (filter, names) in [
        ("", &all[..]),
        ("model~smollm2 temperature=0.7", &all[..]),
        ("seed=44", &all[2..3]),
        ("seed=46", &[]),
        ("seed>44 quantization=Q4_1", &all[2..3]),
        ("type=evaluation accuracy>=0.5", &all[..1]),
        ("metric.accuracy=0.5", &all[..1]),
        ("type=model OR records=4", &all[1..3]),
        ("branch=main type=training_data", &all[2..3]),
        ("since:yesterday format=folder", &all[1..2]),
        ("NOT has:seed", &[all[0], all[1], all[3]]),
        ("sft", &all[2..3]),
        ("state=sealed size>0 sentinel_tests~5", &all[..]),
    ] {
        assert_eq!(found(&mut catalog, &world, filter), names, "{filter}");
    }
    fs::remove_file(world.path("table.csv")).unwrap();
    assert_eq!(found(&mut catalog, &world, "table"), [""; 0]);
}

/// Edits a file so that it is as long as it was.
fn edit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.iter_mut().rev().find(|byte| **byte != b'\n').unwrap();
    *last ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_edited_is_never_called_sealed_whatever_kind_it_is() {
    let world = World::new();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let session = world.begin(&[]);
    let plain = world.path("c.txt");
    fs::create_dir_all(world.artifacts()).unwrap();
    let outside = world.repo.path().join("outside.bin");
    let large = world.path("large.bin");
    for (path, bytes) in [(&plain, 10), (&outside, 11), (&large, 65 << 20)] {
        fs::write(path, vec![7_u8; bytes]).unwrap();
        // Known to the catalog before any session tells of it.
        catalog.refresh(&world.project(), Depth::Question).unwrap();
        session.add(path, "model", &Fields::new()).unwrap();
    }
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    world.small();
    let mut states = |filter: &str| found(&mut catalog, &world, filter);
    assert_eq!(states("NOT state=sealed"), [""; 0]);
    assert_eq!(states("state=sealed").len(), 7);

    edit(&plain);
    edit(&world.path("table.csv"));
    assert_eq!(
        states("state=edited"),
        ["artifacts/c.txt", "artifacts/table.csv"]
    );
    edit(&outside);
    edit(&world.path("model/sub/weights.bin"));
    edit(&large);
    fs::write(world.path("table.csv"), "a,b\n1,2\n").unwrap();
    assert_eq!(
        states("state=edited"),
        ["artifacts/c.txt", "artifacts/model", "outside.bin"]
    );
    // As long as it was, and too large to be read for a question.
    assert_eq!(states("state=unchecked"), ["artifacts/large.bin"]);
    catalog.refresh(&world.project(), Depth::All).unwrap();
    assert_eq!(found(&mut catalog, &world, "state=edited").len(), 4);
    fs::remove_file(&large).unwrap();
    fs::write(&large, [7_u8; 9]).unwrap();
    assert_eq!(
        found(&mut catalog, &world, "state=edited large"),
        ["artifacts/large.bin"]
    );
}

#[test]
fn plain_file_that_a_hand_moved_or_copied_is_whose_it_was() {
    let world = World::new();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    fs::create_dir_all(world.artifacts()).unwrap();
    // Of these one is as large as what was made, and one was known before anybody told of its like.
    fs::write(world.path("other.bin"), "other weights").unwrap();
    fs::write(world.path("early.bin"), "early weights").unwrap();
    catalog.refresh(&world.project(), Depth::Question).unwrap();
    let session = world.begin(&[]);
    for name in ["plain", "early"] {
        let made = world.path(&format!("made-{name}.bin"));
        fs::write(&made, format!("{name} weights")).unwrap();
        session.add(&made, "model", &Fields::new()).unwrap();
    }
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let [made, moved] = ["made-plain.bin", "kept/renamed.bin"].map(|name| world.path(name));
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    assert_eq!(found(&mut catalog, &world, "made").len(), 2);
    assert_eq!(found(&mut catalog, &world, "early type=model").len(), 1);

    fs::rename(&made, &moved).unwrap();
    let here = ["artifacts/kept/renamed.bin"];
    assert_eq!(found(&mut catalog, &world, "file~renamed"), here);
    assert_eq!(
        found(
            &mut catalog,
            &world,
            "type=model state=sealed model~smollm2 renamed"
        ),
        here
    );
    assert_eq!(found(&mut catalog, &world, "made-plain other"), [""; 0]);
    agree(&mut catalog, &world, "moved");
    // One artifact, in two places.
    fs::copy(&moved, world.path("copy.bin")).unwrap();
    assert_eq!(found(&mut catalog, &world, "format=file").len(), 2);
    agree(&mut catalog, &world, "copied");
    fs::copy(&moved, &made).unwrap();
    assert_eq!(found(&mut catalog, &world, "format=file").len(), 2);
    agree(&mut catalog, &world, "put back");
    edit(&made);
    edit(&moved);
    assert_eq!(found(&mut catalog, &world, "renamed"), [""; 0]);
    assert_eq!(found(&mut catalog, &world, "copy"), ["artifacts/copy.bin"]);
    agree(&mut catalog, &world, "edited");
    fs::remove_dir_all(world.project().layout.sessions()).unwrap();
    for entry in fs::read_dir(world.artifacts()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("session_") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(found(&mut catalog, &world, "copy"), [""; 0]);
    agree(&mut catalog, &world, "nobody tells of it");
}

#[test]
fn large_plain_file_that_was_moved_is_known_once_all_was_looked_at() {
    let world = World::new();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    fs::create_dir_all(world.artifacts()).unwrap();
    let made = world.path("made.bin");
    fs::write(&made, vec![7_u8; 65 << 20]).unwrap();
    let session = world.begin(&[]);
    session.add(&made, "model", &Fields::new()).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    fs::rename(&made, world.path("moved.bin")).unwrap();
    assert_eq!(found(&mut catalog, &world, "moved"), [""; 0]);
    // What changed within a tick of the clock is read again by the next question.
    std::thread::sleep(std::time::Duration::from_millis(50));
    catalog.refresh(&world.project(), Depth::All).unwrap();
    assert_eq!(
        found(&mut catalog, &world, "moved"),
        ["artifacts/moved.bin"]
    );
    agree(&mut catalog, &world, "moved");
}

#[test]
fn file_whose_sidecar_is_of_other_bytes_is_edited_also_where_no_journal_tells_of_it() {
    let world = World::new();
    world.small();
    fs::remove_dir_all(world.project().layout.sessions()).unwrap();
    for entry in fs::read_dir(world.artifacts()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("session_") {
            fs::remove_file(path).unwrap();
        }
    }
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    assert_eq!(found(&mut catalog, &world, "state=stamped").len(), 4);
    edit(&world.path("table.csv"));
    edit(&world.path("model/config.json"));
    assert_eq!(
        found(&mut catalog, &world, "state=edited"),
        ["artifacts/model", "artifacts/table.csv"]
    );
}

#[test]
fn what_is_edited_among_thousands_is_seen_where_it_is_shown_and_soon_everywhere() {
    let world = World::new();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    fs::create_dir_all(world.path("many")).unwrap();
    let of = |number: usize| world.path(&format!("many/{number:04}.json"));
    for number in 0..4_100 {
        fs::write(of(number), line(number, 5)).unwrap();
    }
    let plain = world.path("plain.bin");
    fs::write(&plain, "as it was").unwrap();
    let session = world.begin(&[]);
    session.add(&plain, "model", &Fields::new()).unwrap();
    let out = session.records(
        &world.path("open.jsonl"),
        RecordsOptions {
            mode: Mode::New,
            artifact_type: "training_data".to_owned(),
            given: Fields::new(),
            all_fields: false,
        },
    );
    let out = out.unwrap();
    let add = || out.append(b"{}", &[("seed", b"9000")], &[]).unwrap();
    add();
    assert_eq!(found(&mut catalog, &world, "seed<4100").len(), 4_100);
    std::thread::sleep(std::time::Duration::from_millis(60));

    // Each in place, in a folder that is as it was.
    for number in [7, 1_234, 4_000] {
        fs::write(of(number), line(number + 5_000, 5)).unwrap();
        // It is in this answer no more.
        assert_eq!(
            found(&mut catalog, &world, &format!("seed={number}")),
            [""; 0]
        );
        fs::write(of(number + 1), line(number + 5_001, 5)).unwrap();
        let asked = format!("seed={}", number + 5_001);
        let begun = std::time::Instant::now();
        while found(&mut catalog, &world, &asked).is_empty() {
            assert!(begun.elapsed().as_secs() < 20, "{asked} was never found");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    // What sessions write, and tell of anew, is looked at by every question.
    for count in 2..5 {
        add();
        let asked = format!("open records={count}");
        assert_eq!(
            found(&mut catalog, &world, &asked),
            ["artifacts/open.jsonl"]
        );
        fs::write(&plain, format!("as it is {count}")).unwrap();
        session.add(&plain, "model", &Fields::new()).unwrap();
        assert_eq!(
            found(&mut catalog, &world, "plain state=sealed"),
            ["artifacts/plain.bin"]
        );
    }
}

#[test]
fn nothing_to_do_reads_nothing() {
    let world = World::new();
    world.small();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let first = catalog.refresh(&world.project(), Depth::Question).unwrap();
    assert_eq!((first.sessions, first.files), (1, 4));
    // What changed within the last tick of the clock is looked at once more.
    std::thread::sleep(std::time::Duration::from_millis(100));
    catalog.refresh(&world.project(), Depth::Question).unwrap();
    let again = catalog.refresh(&world.project(), Depth::Question).unwrap();
    assert_eq!((again.sessions, again.files, again.bytes), (0, 0, 0));
}

/// What a catalog says of records, without digests: those of a file that grows are not known.
/// The session itself may record more between two looks: what the machine is like, looked at beside.
fn of_records(dump: &str) -> Vec<&str> {
    let from = dump.find("# groups").unwrap();
    let lines = dump[from..].lines();
    lines
        .filter(|line| line.contains("sft_a.jsonl") && !line.contains("digest"))
        .collect()
}

#[test]
fn file_that_a_session_writes_to_is_read_on_and_not_anew() {
    let world = World::new();
    let session = world.begin(&[]);
    let options = RecordsOptions {
        mode: Mode::New,
        artifact_type: "training_data".to_owned(),
        given: Fields::new(),
        all_fields: false,
    };
    let out = session
        .records(&world.path("sft_a.jsonl"), options)
        .unwrap();
    let write = |from: usize, to: usize| {
        for number in from..to {
            let seed = (number / 3).to_string();
            let model = format!("\"m{}\"", number / 450);
            let fields = [("seed", seed.as_bytes()), ("model_name", model.as_bytes())];
            out.append(br#"{"prompt": "p", "response": "r"}"#, &fields, &[])
                .unwrap();
        }
    };
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let mut ask = |written: usize| {
        let done = catalog.refresh(&world.project(), Depth::Question).unwrap();
        assert_eq!(
            of_records(&catalog.dump().unwrap()),
            of_records(&fresh(&world)),
            "{written}"
        );
        done.bytes
    };
    write(0, 400);
    let first = ask(400);
    let mut written = 400;
    for more in [5, 1, 300, 2, 0, 290] {
        write(written, written + more);
        written += more;
        let bytes = ask(written);
        let each = first / 400;
        assert!(
            bytes <= (each + 8) * more as u64,
            "{bytes} bytes read for {more} records"
        );
    }
    out.close(None).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    drop(session);
    catalog.refresh(&world.project(), Depth::Question).unwrap();
    assert_eq!(
        catalog.dump().unwrap(),
        fresh(&world),
        "once it is sealed it is read whole"
    );
}

#[test]
fn same_bytes_in_two_places_are_one_artifact_with_two_places() {
    let world = World::new();
    world.small();
    fs::copy(world.path("sft_a.jsonl"), world.path("copy.jsonl")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let ask = Ask::new("seed=44", now());
    let parsed = find::parse(&ask).unwrap();
    let answer = find::find_in(&mut catalog, &world.project(), &ask, &parsed).unwrap();
    assert_eq!((answer.found.total, answer.found.rows.len()), (1, 1));
    assert_eq!(answer.found.rows[0].places.len(), 1);
}

#[test]
fn project_that_is_named_from_another_folder_has_its_own_name() {
    let world = World::new();
    let project = world.project();
    let typed = project.root().join("sub/..");
    fs::create_dir_all(project.root().join("sub")).unwrap();
    let found = birthmark::project::Project::find(&typed).unwrap();
    assert_eq!(found.root(), project.root().canonicalize().unwrap());
}

#[test]
fn damaged_catalog_is_built_anew_and_it_is_said() {
    let world = World::new();
    world.small();
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("c");
    let mut catalog = Catalog::open_at(folder.clone()).unwrap();
    catalog.refresh(&world.project(), Depth::Question).unwrap();
    let truth = catalog.dump().unwrap();
    drop(catalog);
    for damage in [1, 5, 9] {
        spoil(&folder.join("catalog.db"), damage);
        let mut catalog = Catalog::open_at(folder.clone()).unwrap();
        catalog.refresh(&world.project(), Depth::All).unwrap();
        let _ = catalog.rebuild(&world.project()).unwrap();
        assert_eq!(catalog.dump().unwrap(), truth, "{damage}");
    }
    fs::write(folder.join("catalog.db"), "no database").unwrap();
    let mut catalog = Catalog::open_at(folder).unwrap();
    assert_eq!(catalog.said, ["the catalog is built anew: it was damaged"]);
    catalog.refresh(&world.project(), Depth::Question).unwrap();
    assert_eq!(catalog.dump().unwrap(), truth);
}

/// Writes junk over a part of a file.
fn spoil(path: &Path, tenths: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 10 * tenths;
    let end = (at + 9_000).min(bytes.len());
    bytes[at..end].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

#[test]
fn metrics_of_other_tools_are_found_once_their_logs_are_imported() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for (from, to) in [
        (
            "lm_eval/a/results_2026-11-25T10-00-00.000001.json",
            "lm.json",
        ),
        ("inspect/c.json", "inspect.json"),
        ("trainer/a.json", "trainer_state.json"),
    ] {
        fs::copy(fixtures.join(from), world.path(to)).unwrap();
        birthmark::import::import(&world.path(to), false).unwrap();
    }
    fs::write(
        world.path("own.json"),
        r#"{"summary": {"by": {"topic": 0.25}}}"#,
    )
    .unwrap();
    birthmark::import::import(&world.path("own.json"), false).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    for (filter, file) in [
        ("metric.arc_easy.acc=0.5", "artifacts/lm.json"),
        ("metric.closeness.mean>0.51", "artifacts/inspect.json"),
        ("eval_loss=1.9", "artifacts/trainer_state.json"),
        ("by.topic=0.25", "artifacts/own.json"),
    ] {
        let names = found(&mut catalog, &world, filter);
        assert_eq!(names, [file], "{filter}");
    }
}

#[test]
fn clocks_of_two_machines_that_disagree_are_told_and_what_is_made_again_is_not_taken_for_it() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let table = world.path("table.csv");
    let write_table = |text: &str| {
        let session = world.begin(&[]);
        fs::write(&table, text).unwrap();
        session.add(&table, "table", &Fields::new()).unwrap();
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        session.id().clone()
    };
    let reads = |output: &str| {
        let session = world.begin(&[]);
        let read = session.use_input("table.csv", None, &world.artifacts(), Fields::new());
        read.unwrap();
        fs::write(world.path(output), output).unwrap();
        let output = world.path(output);
        session.add(&output, "scores", &Fields::new()).unwrap();
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        session.id().clone()
    };
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let mut told = |filter: &str| {
        // A journal that is over and was told anew in its place is noticed by a look at all.
        catalog.refresh(&world.project(), Depth::All).unwrap();
        let ask = Ask::new(filter, now());
        let parsed = find::parse(&ask).unwrap();
        let answer = find::find_in(&mut catalog, &world.project(), &ask, &parsed);
        answer.unwrap().clocks.lines()
    };
    let first = write_table("a,b\n1,2\n");
    let reader = reads("scores.txt");
    assert_eq!(told("scores"), [""; 0], "one clock");
    // The same bytes again, after they were read, and then others.
    let again = write_table("a,b\n1,2\n");
    assert_eq!(told("scores"), [""; 0], "they were made before, too");
    retold(&world, &again, "pod-a", -1);
    retold(&world, &reader, "pod-b", -95);
    let lines = told("scores");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("clocks disagree: that of pod-a is at least 9")
            && lines[0].ends_with(
                " min ahead of pod-b, which read artifacts/table.csv before it was made"
            ),
        "{lines:?}"
    );
    retold(&world, &first, "pod-c", -200);
    assert_eq!(told("scores"), [""; 0], "who made them first may be right");
    retold(&world, &reader, "pod-b", 60 * 24 * 3);
    // Its sidecar was not told anew.
    fs::remove_file(world.path("scores.txt.birthmark.json")).unwrap();
    for filter in ["", "scores"] {
        let lines = told(filter);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let ahead = "clocks disagree: that of pod-b is at least 2 days ahead of this machine's";
        assert_eq!(lines[0], ahead, "nothing was made after it was read");
    }
}

#[test]
fn runs_that_made_nothing_are_found_by_what_they_are_whether_few_or_many() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let run = |number: usize, outcome: Outcome| {
        let session = world.begin(&[]);
        if number > 0 {
            world.records(&session, &format!("{number}.jsonl"), Mode::New, 1);
        }
        session.end(RunEnd::plain(outcome)).unwrap();
    };
    for number in 1..=20 {
        run(
            number,
            if number == 7 {
                Outcome::Failed
            } else {
                Outcome::Completed
            },
        );
    }
    run(0, Outcome::Failed);
    let mut count = |filter: &str, limit: Option<usize>| {
        let ask = Ask {
            what: find::Sought::Runs,
            limit,
            ..Ask::new(filter, now())
        };
        let parsed = find::parse(&ask).unwrap();
        let found = find::find_in(&mut catalog, &world.project(), &ask, &parsed)
            .unwrap()
            .found;
        (found.total, found.among, found.rows.len())
    };
    for (failed, all) in [(2, 21), (6, 25)] {
        for (filter, of) in [
            ("outcome=failed", failed),
            ("outcome=failed since:today", failed),
            ("NOT outcome=completed", failed),
            ("outcome=failed OR seed=42", all),
            ("outcome=failed seed=42", 1),
            ("outcome=completed", 19),
            ("outcome=failed outcome=completed", 0),
            ("until:2020-01-01", 0),
            ("has:exit_code", 0),
            ("has:drift", 0),
        ] {
            let shown = usize::try_from(of).unwrap();
            assert_eq!(count(filter, None), (of, all, shown), "{filter}");
            assert_eq!(count(filter, Some(3)), (of, all, shown.min(3)), "{filter}");
        }
        for _ in 0..4 {
            run(0, Outcome::Failed);
        }
    }
}

#[test]
fn runs_and_sessions_are_found_by_what_they_made_also_where_there_are_many() {
    let world = World::new();
    fs::create_dir_all(world.artifacts()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open_at(cache.path().join("c")).unwrap();
    let mut ids = Vec::new();
    for number in 0..5 {
        let session = world.begin(&[]);
        world.records(
            &session,
            &format!("{number}.jsonl"),
            Mode::New,
            2 * number + 1,
        );
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        ids.push(session.id().to_string());
    }
    let mut ask = |filter: &str, what: find::Sought, limit: Option<usize>| {
        let ask = Ask {
            what,
            limit,
            ..Ask::new(filter, now())
        };
        let parsed = find::parse(&ask).unwrap();
        let answer = find::find_in(&mut catalog, &world.project(), &ask, &parsed).unwrap();
        let id = |row: &find::Row| {
            let cell = row.fields.iter().find(|(name, _)| name == "session_id");
            match cell {
                Some((_, FoundCell::Value(value))) => value.as_str().to_owned(),
                other => panic!("{other:?}"),
            }
        };
        let rows: Vec<String> = answer.found.rows.iter().map(id).collect();
        (answer.found.total, answer.found.among, rows)
    };
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    for what in [find::Sought::Runs, find::Sought::Sessions] {
        assert_eq!(ask("", what, None), (5, 5, newest.clone()));
        assert_eq!(
            ask("seed=42..", what, Some(2)),
            (5, 5, newest[..2].to_vec())
        );
        // The seeds of the fourth and the fifth go as far as 48.
        assert_eq!(ask("seed=48", what, None), (2, 5, newest[..2].to_vec()));
        assert_eq!(ask("records=3", what, None), (1, 5, newest[3..4].to_vec()));
        assert_eq!(ask("seed=1", what, None), (0, 5, vec![]));
    }
    // A session that is gone is no longer found, though what it made says its id.
    fs::remove_dir_all(
        world
            .project()
            .layout
            .session(&SessionId::from_text(ids[4].clone())),
    )
    .unwrap();
    fs::remove_file(world.manifest(&SessionId::from_text(ids[4].clone()))).unwrap();
    for what in [find::Sought::Runs, find::Sought::Sessions] {
        assert_eq!(ask("seed=48", what, None), (1, 4, newest[1..2].to_vec()));
    }
}
