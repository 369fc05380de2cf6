//! A store that was tampered with: flipped, cut, swapped, moved, deleted. Never *verified*,
//! never a panic, and the word names the place.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::path::PathBuf;

use birthmark::session::RunEnd;
use birthmark::sessions;
use birthmark::verify::{Word, codes};
use birthmark_core::event::Outcome;
use birthmark_store::records::Mode;
use world::{World, files_below, has, on_twins, replace_in, told, with_bytes, word_of};

/// The bytes to spoil: every one with `BIRTHMARK_LONG_TESTS`, else every seventh, from
/// another start in each file.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let long = std::env::var_os("BIRTHMARK_LONG_TESTS").is_some();
    (if long { 0 } else { length % 7 }..length).step_by(if long { 1 } else { 7 })
}

/// What stands in an artifact's place: its own name, or that of what its sidecar or folder is.
fn subject_of(inside: &str) -> &str {
    let file = inside.strip_suffix(".birthmark.json").unwrap_or(inside);
    file.split('/').next().unwrap_or(file)
}

/// Each file of the artifacts folder by its path within it, and its bytes.
fn stored(world: &World) -> Vec<(PathBuf, String, Vec<u8>)> {
    let files = files_below(&world.artifacts()).into_iter();
    files
        .map(|(path, whole)| {
            let inside = path.strip_prefix(world.artifacts()).unwrap();
            let inside = inside.to_string_lossy().into_owned();
            (path, inside, whole)
        })
        .collect()
}

#[test]
fn every_flipped_byte_of_an_artifact_is_seen_and_its_file_is_named() {
    let world = World::new();
    world.small();
    let mut flips = Vec::new();
    for (path, inside, whole) in stored(&world) {
        if inside.contains(".birthmark/") || inside.starts_with("session_manifest") {
            continue;
        }
        for place in places(whole.len()) {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << (place % 8);
            flips.push((path.clone(), inside.clone(), place, flipped));
        }
    }
    on_twins(&world, &flips, |twin, (path, inside, place, flipped)| {
        let subject = subject_of(inside);
        let path = twin.place(path);
        let report = with_bytes(&path, flipped, || twin.verify(subject));
        let text = told(&report);
        assert!(
            word_of(&report, subject) >= Word::CannotTell,
            "{inside} at {place}\n{text}"
        );
        assert_ne!(report.exit_code(), 0, "{inside} at {place}\n{text}");
    });
    assert_eq!(world.verify_all().word(), Some(Word::Verified));
}

#[test]
fn every_flipped_byte_of_journal_and_manifest_is_seen() {
    let world = World::new();
    let id = world.small();
    let mut paths = world.journals(&id);
    paths.push(world.manifest(&id));
    let mut flips = Vec::new();
    for path in paths {
        let whole = fs::read(&path).unwrap();
        for place in places(whole.len()) {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << (place % 8);
            flips.push((path.clone(), place, flipped));
        }
    }
    on_twins(&world, &flips, |twin, (path, place, flipped)| {
        let path = twin.place(path);
        let (loaded, report) = with_bytes(&path, flipped, || {
            let loaded = sessions::load(twin.project(), &id).unwrap();
            (loaded, (place % 101 == 0).then(|| twin.verify_all()))
        });
        let sound = matches!(
            loaded.manifest,
            sessions::ManifestState::Current | sessions::ManifestState::Stale
        );
        let seen = !sound || !loaded.problems.is_empty();
        assert!(seen, "{} at {place}", path.display());
        if let Some(report) = report {
            let text = told(&report);
            assert_eq!(word_of(&report, id.as_str()), Word::Failed, "{text}");
        }
    });
}

#[test]
fn every_cut_of_every_file_is_seen_without_a_panic() {
    let world = World::new();
    let id = world.small();
    let mut cuts = Vec::new();
    for (path, inside, whole) in stored(&world) {
        let derived = inside.contains(".birthmark/") && !inside.contains("/sessions/");
        if derived {
            continue;
        }
        let step = if whole.len() > 2_000 { 13 } else { 3 };
        let lengths = (0..whole.len())
            .step_by(step)
            .chain(whole.len().checked_sub(1));
        cuts.extend(lengths.map(|length| (path.clone(), inside.clone(), length)));
    }
    on_twins(&world, &cuts, |twin, (path, inside, length)| {
        let path = twin.place(path);
        let whole = fs::read(&path).unwrap();
        let of_session = inside.contains(id.as_str());
        // Without its last line end a manifest or sidecar says the same: a caveat names it.
        let derived = inside.contains("session_manifest_") || inside.ends_with(".birthmark.json");
        let says_the_same = derived && length + 1 == whole.len();
        // What a cut file is judged by is looked at each time, all round it sometimes.
        let (loaded, report) = with_bytes(&path, &whole[..*length], || {
            let loaded = of_session.then(|| sessions::load(twin.project(), &id).unwrap());
            let report = if length % 4 == 0 || says_the_same {
                Some(twin.verify_all())
            } else {
                (!of_session).then(|| twin.verify(subject_of(inside)))
            };
            (loaded, report)
        });
        if let Some(loaded) = loaded {
            let manifest = loaded.manifest.word();
            let sound = matches!(manifest, "current" | "stale")
                && loaded.problems.is_empty()
                && !loaded.manifest_rewritten;
            assert!(!sound, "{inside} cut at {length}");
        }
        if let Some(report) = report {
            let text = told(&report);
            if says_the_same {
                assert!(text.contains("another program wrote it anew"), "{text}");
            } else {
                assert_eq!(report.exit_code(), 1, "{inside} cut at {length}\n{text}");
            }
        }
    });
    assert_eq!(word_of(&world.verify_all(), id.as_str()), Word::Verified);
}

#[test]
fn flipped_byte_in_a_birthmark_names_its_line() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let third = lines[2].replace("SmolLM2", "SmolLM3");
    fs::write(
        &path,
        format!("{}\n{}\n{third}\n{}\n", lines[0], lines[1], lines[3]),
    )
    .unwrap();
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(word_of(&report, "sft_a.jsonl"), Word::Failed);
    assert!(said.contains("bytes changed since"), "{said}");
    assert!(said.contains("line 3: its model_name differs"), "{said}");
}

#[test]
fn line_that_is_no_json_or_lost_its_birthmark_is_named() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    replace_in(&path, "\"r 1\"", "\"r 1");
    let said = told(&world.verify_all());
    assert!(said.contains("line 2 is no record"), "{said}");
    let second = text.lines().nth(1).unwrap();
    let bare = format!("{}}}", &second[..second.find(", \"metadata\"").unwrap()]);
    fs::write(&path, text.replace(second, &bare)).unwrap();
    let said = told(&world.verify_all());
    assert!(said.contains("line 2 without a birthmark"), "{said}");
}

#[test]
fn swapped_lines_are_seen_and_the_place_is_named() {
    let world = World::new();
    world.small();
    let path = world.path("sft_a.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(1, 2);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(report.exit_code(), 1, "{said}");
    assert!(said.contains("line 3: its timestamp is older"), "{said}");
}

#[test]
fn record_moved_to_another_file_fails_both() {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 3);
    world.records(&session, "b.jsonl", Mode::New, 3);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let (a, b) = (world.path("a.jsonl"), world.path("b.jsonl"));
    let text = fs::read_to_string(&a).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let more = format!("{}{first}\n", fs::read_to_string(&b).unwrap());
    fs::write(&a, rest).unwrap();
    fs::write(&b, more).unwrap();
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(word_of(&report, "a.jsonl"), Word::Failed, "{said}");
    assert_eq!(word_of(&report, "b.jsonl"), Word::Failed, "{said}");
    assert!(
        said.contains("added at the end") && said.contains("after line 3"),
        "{said}"
    );
    assert!(said.contains("it has 2 records, not 3"), "{said}");
}

#[test]
fn deleted_and_cut_journals_are_named() {
    let world = World::new();
    let id = world.small();
    let journal = world.journals(&id).remove(0);
    let name = journal.file_name().unwrap().to_string_lossy().into_owned();
    let whole = fs::read(&journal).unwrap();
    fs::remove_file(&journal).unwrap();
    let report = world.verify_all();
    assert!(
        has(&report, "journal-deleted") && told(&report).contains(&name),
        "{}",
        told(&report)
    );
    assert_eq!(report.exit_code(), 1);
    let end = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    fs::write(&journal, &whole[..=end]).unwrap();
    let report = world.verify_all();
    assert!(
        has(&report, "journal-cut") && told(&report).contains(&name),
        "{}",
        told(&report)
    );
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn stale_manifest_is_not_edited_and_an_edited_one_names_the_path() {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 2);
    let manifest = world.manifest(session.id());
    let early = fs::read(&manifest).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let late = fs::read(&manifest).unwrap();
    fs::write(&manifest, &early).unwrap();
    let report = world.verify_all();
    assert!(has(&report, "manifest-stale"), "{}", told(&report));
    assert_eq!(report.exit_code(), 0);
    fs::write(&manifest, &late).unwrap();
    replace_in(&manifest, "\"records\": 2", "\"records\": 3");
    let said = told(&world.verify_all());
    assert!(
        said.contains("artifacts_generated[0].records: 3, not 2"),
        "{said}"
    );
}

#[test]
fn manifest_cannot_escape_by_another_name_or_without_its_heads() {
    let world = World::new();
    let id = world.small();
    let manifest = world.manifest(&id);
    let text = fs::read_to_string(&manifest).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value.as_object_mut().unwrap().remove("heads");
    fs::write(&manifest, value.to_string()).unwrap();
    assert!(has(&world.verify_all(), "manifest-edited"));
    // Under another name, as if another helper had made it.
    let fields = value.as_object_mut().unwrap();
    fields.insert("session_id".to_owned(), "20250101_000000".into());
    fields.remove("birthmark");
    fs::remove_file(&manifest).unwrap();
    let other = world.path("session_manifest_20250101_000000.json");
    fs::write(&other, value.to_string()).unwrap();
    let report = world.verify(std::slice::from_ref(&other));
    assert!(has(&report, "manifest-edited"), "{}", told(&report));
    // And the session that lost its manifest fails by itself.
    assert!(has(&world.verify_all(), "manifest-missing"));
    fs::write(&other, &text).unwrap();
    assert!(has(&world.verify(&[other]), "manifest-edited"));
}

/// A deterministic stream of numbers, from `BIRTHMARK_SEED` or always the same.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = std::env::var("BIRTHMARK_SEED").ok();
        Self(seed.and_then(|seed| seed.parse().ok()).unwrap_or(42))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % end.max(1) as u64).unwrap()
    }
}

/// Spoils bytes in one of the ways that people and machines do; none where it changed nothing.
fn tampered(whole: &[u8], other: &[u8], chance: &mut Chance) -> Option<(Vec<u8>, String)> {
    let mut bytes = whole.to_vec();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let line = chance.below(lines.len());
    let way = chance.below(9);
    match way {
        0 => bytes[chance.below(whole.len())] ^= 1 << chance.below(8),
        1 => bytes.truncate(chance.below(whole.len())),
        2 => {
            let mut lines = lines.clone();
            let with = chance.below(lines.len());
            lines.swap(line, with);
            bytes = lines.concat();
        }
        3 => {
            let mut lines = lines.clone();
            lines.remove(line);
            bytes = lines.concat();
        }
        4 => {
            let mut lines = lines.clone();
            lines.insert(line, lines[line]);
            bytes = lines.concat();
        }
        5 => {
            let theirs: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
            let mut lines = lines.clone();
            lines[line] = theirs[chance.below(theirs.len())];
            bytes = lines.concat();
        }
        6 => {
            let at = chance.below(whole.len());
            bytes.insert(at, b" 0\n\"}"[chance.below(5)]);
        }
        7 => bytes.extend_from_slice(lines[line]),
        _ => {
            // One digit for another: what still reads well.
            let digits: Vec<usize> = (0..whole.len())
                .filter(|at| whole[*at].is_ascii_digit())
                .collect();
            let at = *digits.get(chance.below(digits.len()))?;
            bytes[at] = b'0' + (bytes[at] - b'0' + 1 + u8::try_from(chance.below(8)).unwrap()) % 10;
        }
    }
    (bytes != whole).then(|| (bytes, format!("way {way}, line {}", line + 1)))
}

#[test]
fn whatever_is_done_to_one_file_of_a_store_is_never_verified_and_its_name_is_said() {
    let world = World::new();
    let first = world.small();
    let session = world.begin(&[]);
    world.records(&session, "sft_a.jsonl", Mode::GoOn, 3);
    world.records(&session, "more.jsonl", Mode::New, 5);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let ids = [first, session.id().clone()];
    let mut files = stored(&world);
    files.retain(|(_, inside, _)| {
        let derived = inside.contains(".birthmark/") && !inside.contains("/sessions/");
        !derived
    });
    assert_ne!(world.verify_all().exit_code(), 1);
    let mut chance = Chance::new();
    let rounds = if std::env::var_os("BIRTHMARK_LONG_TESTS").is_some() {
        20_000
    } else {
        200
    };
    let mut spoiled = Vec::new();
    for _ in 0..rounds {
        let (path, inside, whole) = &files[chance.below(files.len())];
        let other = &files[chance.below(files.len())].2;
        if let Some((bytes, how)) = tampered(whole, other, &mut chance) {
            spoiled.push((path.clone(), inside.clone(), bytes, how));
        }
    }
    on_twins(&world, &spoiled, |twin, (path, inside, bytes, how)| {
        let path = twin.place(path);
        let report = with_bytes(&path, bytes, || twin.verify_all());
        let text = told(&report);
        let of_session = ids.iter().find(|id| inside.contains(id.as_str()));
        let subject = of_session.map_or(subject_of(inside), |id| id.as_str());
        let found = word_of(&report, subject);
        // JSON in another order says the same: that somebody wrote it anew is said.
        let rewritten = codes(&report)
            .keys()
            .any(|code| code.ends_with("-rewritten"));
        let seen = found == Word::Failed && report.exit_code() == 1;
        assert!(
            seen || (found == Word::Caveat && rewritten),
            "{inside}, {how}\n{text}"
        );
    });
    assert_ne!(world.verify_all().exit_code(), 1);
}

#[test]
fn journals_that_changed_places_are_named() {
    let world = World::new();
    let first = world.small();
    let session = world.begin(&[]);
    world.records(&session, "b.jsonl", Mode::New, 2);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let (a, b) = (
        world.journals(&first).remove(0),
        world.journals(session.id()).remove(0),
    );
    let (of_a, of_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
    fs::write(&a, &of_b).unwrap();
    fs::write(&b, &of_a).unwrap();
    let report = world.verify_all();
    for id in [&first, session.id()] {
        assert_eq!(
            word_of(&report, id.as_str()),
            Word::Failed,
            "{}",
            told(&report)
        );
    }
    assert!(has(&report, "journal-foreign"), "{}", told(&report));
    // Each under its own name, in the folder of the other.
    fs::write(&a, &of_a).unwrap();
    fs::write(&b, &of_b).unwrap();
    let moved = a.parent().unwrap().join(b.file_name().unwrap());
    fs::rename(&b, &moved).unwrap();
    let report = world.verify_all();
    assert_eq!(
        word_of(&report, session.id().as_str()),
        Word::Failed,
        "{}",
        told(&report)
    );
    assert_eq!(
        word_of(&report, first.as_str()),
        Word::Failed,
        "{}",
        told(&report)
    );
}

#[test]
fn an_older_manifest_that_was_edited_is_edited_and_not_stale() {
    let world = World::new();
    let session = world.begin(&["a.jsonl (2 examples)"]);
    world.records(&session, "a.jsonl", Mode::New, 2);
    let manifest = world.manifest(session.id());
    let early = fs::read_to_string(&manifest).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    fs::write(&manifest, &early).unwrap();
    assert!(has(&world.verify_all(), "manifest-stale"));
    let mut edits = Vec::new();
    let places = (0..early.len()).filter(|at| early.as_bytes()[*at].is_ascii_alphanumeric());
    for at in places.step_by(5) {
        let mut bytes = early.clone().into_bytes();
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
            edits.push((at, bytes));
        }
    }
    assert!(edits.len() > 20);
    on_twins(&world, &edits, |twin, (at, bytes)| {
        let path = twin.place(&manifest);
        let report = with_bytes(&path, bytes, || twin.verify_all());
        let text = told(&report);
        assert_eq!(report.exit_code(), 1, "byte {at}\n{text}");
        assert!(!has(&report, "manifest-stale"), "byte {at}\n{text}");
    });
}
