//! What `verify` answers, against real sessions, real git and real damage.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::path::{Path, PathBuf};

use birthmark::records::RecordsOptions;
use birthmark::session::RunEnd;
use birthmark::sessions;
use birthmark::verify::{Options, Word, codes, verify};
use birthmark_core::event::Outcome;
use birthmark_store::records::Mode;
use birthmark_testing::repo::TestRepo;
use world::{World, copy_folder, has, now, replace_in, told, word_of};

fn spoil(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn intact_store_is_verified_and_says_what_was_not_proved() {
    let world = World::new();
    world.small();
    let before = birthmark_testing::repo::fingerprint(world.repo.path());
    let report = world.verify_all();
    let text = told(&report);
    assert_eq!(report.word(), Some(Word::Verified), "{text}");
    assert_eq!(report.exit_code(), 0);
    assert!(
        text.trim_end()
            .ends_with("not proved: who made them (nothing is signed)"),
        "{text}"
    );
    assert_eq!(
        before,
        birthmark_testing::repo::fingerprint(world.repo.path()),
        "verify wrote"
    );
}

#[test]
fn missing_file_fails_and_a_removed_one_does_not() {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 2);
    world.records(&session, "b.jsonl", Mode::New, 2);
    fs::remove_file(world.path("b.jsonl")).unwrap();
    session.removed(&world.path("b.jsonl"), "rotation").unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    assert_eq!(
        world.verify_all().exit_code(),
        0,
        "{}",
        told(&world.verify_all())
    );
    fs::remove_file(world.path("a.jsonl")).unwrap();
    let report = world.verify_all();
    assert!(has(&report, "file-missing"), "{}", told(&report));
    assert_eq!(report.exit_code(), 1);
    // Asked for by its name alone, it is still known.
    assert!(has(&world.verify(&[world.path("a.jsonl")]), "file-missing"));
}

#[test]
fn file_that_a_later_session_removed_is_said_and_fails_none() {
    let world = World::new();
    let first = world.begin(&[]);
    world.records(&first, "a.jsonl", Mode::New, 2);
    first.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let second = world.begin(&[]);
    fs::remove_file(world.path("a.jsonl")).unwrap();
    second.removed(&world.path("a.jsonl"), "rotation").unwrap();
    second.end(RunEnd::plain(Outcome::Completed)).unwrap();
    for path in [PathBuf::from(first.id().as_str()), world.path("a.jsonl")] {
        let report = world.verify(&[path]);
        assert_eq!(report.exit_code(), 0, "{}", told(&report));
        assert!(has(&report, "removed"), "{}", told(&report));
    }
    assert_eq!(world.verify_all().exit_code(), 0);
    // Who removed it must have said so in a journal: another's manifest is no proof.
    fs::remove_file(world.journals(second.id()).remove(0)).unwrap();
    assert_eq!(world.verify_all().exit_code(), 1);
}

#[test]
fn many_sessions_are_read_by_several_threads_and_judged_each_by_itself() {
    let world = World::new();
    let mut ids = Vec::new();
    for number in 0..24 {
        let session = world.begin(&[]);
        world.records(&session, &format!("own_{number}.jsonl"), Mode::New, 1);
        world.records(&session, "shared.jsonl", Mode::GoOn, 1);
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        ids.push(session.id().clone());
    }
    let report = world.verify_all();
    assert_eq!(report.exit_code(), 0, "{}", told(&report));
    assert_eq!(report.items.len(), 24 * 2 + 1);
    let whole = told(&report);
    assert_eq!(
        whole.matches("this one vouches for its first").count(),
        23,
        "{whole}"
    );
    // The word on each is that which it gets when it is asked for alone.
    for id in ids.iter().step_by(5) {
        let alone = world.verify(&[PathBuf::from(id.as_str())]);
        assert_eq!(word_of(&alone, id.as_str()), word_of(&report, id.as_str()));
    }
    replace_in(&world.path("own_7.jsonl"), "\"r 0\"", "\"r X\"");
    replace_in(&world.manifest(&ids[11]), "\"completed\"", "\"failed\"");
    fs::remove_file(world.journals(&ids[19]).remove(0)).unwrap();
    let report = world.verify_all();
    let failed: Vec<&str> = report
        .items
        .iter()
        .filter(|item| item.word == Word::Failed)
        .map(|item| item.name.as_str())
        .collect();
    let wanted = ["artifacts/own_7.jsonl", ids[11].as_str(), ids[19].as_str()];
    assert!(
        wanted.iter().all(|name| failed.contains(name)),
        "{}",
        told(&report)
    );
    assert!(failed.len() <= 5, "{failed:?}");
}

#[test]
fn open_file_is_held_to_its_last_count_and_the_rest_is_not_proved() {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 3);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let second = world.begin(&[]);
    let options = birthmark::records::RecordsOptions {
        mode: Mode::GoOn,
        artifact_type: "training_data".to_owned(),
        given: birthmark_core::Fields::new(),
        all_fields: false,
    };
    let out = second.records(&world.path("a.jsonl"), options).unwrap();
    out.append(b"{\"more\": 1}", &[], &[]).unwrap();
    let report = world.verify(&[world.path("a.jsonl")]);
    assert_eq!(
        word_of(&report, "a.jsonl"),
        Word::Caveat,
        "{}",
        told(&report)
    );
    assert!(has(&report, "written-since"));
    // What the first session vouches for is still held.
    replace_in(&world.path("a.jsonl"), "\"r 1\"", "\"r X\"");
    let report = world.verify(&[world.path("a.jsonl")]);
    assert!(has(&report, "bytes-changed"), "{}", told(&report));
    replace_in(&world.path("a.jsonl"), "\"r X\"", "\"r 1\"");
    out.close(None).unwrap();
    second.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(word_of(&report, "a.jsonl"), Word::Verified, "{said}");
    assert!(
        said.contains("this one vouches for its first 3 records"),
        "{said}"
    );
    assert_eq!(report.exit_code(), 0, "{said}");
    // The line that changed is named, behind the bytes of the first session too.
    replace_in(&world.path("a.jsonl"), "\"more\": 1", "\"more\": 2");
    let said = told(&world.verify_all());
    assert!(said.contains("line 4"), "{said}");
}

#[test]
fn file_that_was_written_anew_is_judged_by_the_last_session_alone() {
    let world = World::new();
    for _ in 0..2 {
        let session = world.begin(&[]);
        world.records(&session, "a.jsonl", Mode::Anew, 3);
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    }
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(word_of(&report, "a.jsonl"), Word::Verified, "{said}");
    assert!(said.contains("was written anew by session"), "{said}");
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn unstamped_file_is_named_apart_and_fails_only_on_request() {
    let world = World::new();
    world.small();
    world
        .repo
        .write("artifacts/old_eval_sept.json", "{\"accuracy\": 0.5}");
    let report = world.verify_all();
    assert_eq!(word_of(&report, "old_eval_sept.json"), Word::Unstamped);
    assert_eq!(report.exit_code(), 0);
    assert!(
        told(&report).contains("1 unstamped file was not judged"),
        "{}",
        told(&report)
    );
    let alone = world.verify(&[world.path("old_eval_sept.json")]);
    assert_eq!(alone.exit_code(), 2, "nothing judged is not yes");
    assert!(told(&alone).contains("cannot tell: nothing carries a birthmark"));
    let options = Options {
        require_stamped: true,
        ..Options::at(now())
    };
    let strict = verify(&world.project(), &[world.artifacts()], &options).unwrap();
    assert_eq!(strict.exit_code(), 1);
}

#[test]
fn files_of_the_origins_helper_are_accepted_with_the_caveat_that_nothing_binds_them() {
    let world = World::new();
    let commit = world.repo.head();
    let mark = |commit: &str| {
        format!(
            r#"{{"git_commit": "{commit}", "timestamp": "2026-11-22T12:00:00.123456", "loader_version": "v1", "model_name": "m", "quantization": "nf4", "template_disabled": true, "script_name": "g.py", "artifact_type": "training_data"}}"#
        )
    };
    let lines = [0, 1, 2]
        .map(|n| format!("{{\"n\": {n}, \"metadata\": {}}}\n", mark(&commit)))
        .concat();
    let path = world
        .repo
        .write("artifacts/sft_training_data_1.jsonl", &lines);
    let manifest = format!(
        r#"{{"session_id": "20261122_120000", "session_start": "2026-11-22T12:00:00", "git_commit": "{commit}", "git_branch": "main", "git_dirty": false, "environment": {{"hostname": "pod"}}, "planned_artifacts": ["sft_training_data_*.jsonl (200 examples)"], "artifacts_generated": [{{"file": "artifacts/sft_training_data_1.jsonl", "type": "training_data", "timestamp": "2026-11-22T12:00:01"}}]}}"#
    );
    world
        .repo
        .write("artifacts/session_manifest_20261122_120000.json", manifest);
    let report = world.verify_all();
    let said = told(&report);
    assert_eq!(word_of(&report, "1.jsonl"), Word::Caveat, "{said}");
    assert_eq!(word_of(&report, "20261122_120000"), Word::Caveat, "{said}");
    assert!(
        has(&report, "not-bound") && report.exit_code() == 0,
        "{said}"
    );
    // A commit that is a tree, one that is nowhere, and one that is none.
    let tree = world.repo.git(["rev-parse", "HEAD^{tree}"]);
    for (id, word, code) in [
        (tree.trim(), Word::Failed, "not-a-commit"),
        (&"0".repeat(40), Word::CannotTell, "commit-not-here"),
        ("HEAD", Word::Failed, "commit-malformed"),
        (&commit[..12], Word::Failed, "commit-malformed"),
    ] {
        fs::write(&path, lines.replacen(&commit, id, 1)).unwrap();
        let report = world.verify(std::slice::from_ref(&path));
        assert_eq!(word_of(&report, "1.jsonl"), word, "{}", told(&report));
        assert!(has(&report, code), "{}", told(&report));
    }
    fs::write(&path, lines.replacen(&format!("\"{commit}\""), "null", 1)).unwrap();
    assert!(has(
        &world.verify(std::slice::from_ref(&path)),
        "null-without-reason"
    ));
    fs::write(&path, lines.replacen("\"artifact_type\"", "\"kind\"", 1)).unwrap();
    assert!(has(&world.verify(&[path]), "field-missing"));
}

#[test]
fn commit_that_is_not_pushed_or_on_no_branch_is_a_caveat() {
    let world = World::new();
    world.repo.write("train.py", "lr = 9\n");
    world.repo.commit_all("not pushed");
    world.small();
    let report = world.verify_all();
    assert!(
        has(&report, "not-pushed") && report.exit_code() == 0,
        "{}",
        told(&report)
    );
    world.repo.git(["reset", "-q", "--hard", "HEAD~1"]);
    let report = world.verify_all();
    assert!(
        has(&report, "commit-unreachable") && report.exit_code() == 0,
        "{}",
        told(&report)
    );
}

#[test]
fn in_another_clone_the_commit_cannot_be_told() {
    let world = World::new();
    world.repo.write("only_here.py", "1\n");
    world.repo.commit_all("a commit that the other clone lacks");
    world.small();
    let other = TestRepo::with_commit();
    let copy = other.path().join("artifacts");
    copy_folder(&world.artifacts(), &copy);
    let project = birthmark::Project::find(other.path()).unwrap();
    // The store has it, and can bring it here.
    let report = verify(&project, std::slice::from_ref(&copy), &Options::at(now())).unwrap();
    assert!(has(&report, "commit-in-store"), "{}", told(&report));
    assert_eq!(report.exit_code(), 0, "{}", told(&report));
    fs::remove_dir_all(copy.join(".birthmark/bundles")).unwrap();
    let report = verify(&project, &[copy], &Options::at(now())).unwrap();
    assert_eq!(report.exit_code(), 2, "{}", told(&report));
    assert!(
        codes(&report).keys().all(|code| *code == "commit-not-here"),
        "{}",
        told(&report)
    );
}

#[test]
fn store_that_was_merely_copied_is_verified_under_any_name() {
    let world = World::new();
    let id = world.small();
    let away = tempfile::tempdir().unwrap();
    let copy = away.path().join("backup");
    copy_folder(&world.artifacts(), &copy);
    let project = sessions::project_of(&copy.join("sft_a.jsonl")).unwrap();
    assert_eq!(project.layout.artifacts(), copy);
    let report = verify(&project, std::slice::from_ref(&copy), &Options::at(now())).unwrap();
    // No clone is there: the commit cannot be followed, but nothing failed.
    assert_eq!(report.word(), Some(Word::CannotTell), "{}", told(&report));
    assert!(
        codes(&report).keys().all(|code| *code == "commit-not-here"),
        "{}",
        told(&report)
    );
    // The manifest alone.
    let alone = away.path().join("alone");
    fs::create_dir_all(&alone).unwrap();
    let manifest = alone.join(world.manifest(&id).file_name().unwrap());
    fs::copy(world.manifest(&id), &manifest).unwrap();
    let project = sessions::project_of(&manifest).unwrap();
    let report = verify(&project, &[manifest], &Options::at(now())).unwrap();
    assert!(
        has(&report, "not-bound") && has(&report, "file-missing"),
        "{}",
        told(&report)
    );
}

#[test]
fn dirty_tree_is_said_apart_with_and_without_a_snapshot() {
    for (settings, reason) in [
        ("", "dirty-with-snapshot"),
        ("on_dirty = \"warn\"\n", "dirty-without-snapshot"),
    ] {
        let world = World::new();
        world.repo.write("birthmark.toml", settings);
        world.repo.write("train.py", "lr = 10\n");
        world.small();
        let report = world.verify_all();
        assert!(has(&report, reason), "{}", told(&report));
        assert_eq!(report.exit_code(), 0);
    }
}

#[test]
fn plan_that_was_not_met_fails_a_completed_session_and_is_a_caveat_of_a_failed_one() {
    for (outcome, code) in [(Outcome::Completed, 1), (Outcome::Failed, 0)] {
        let world = World::new();
        let session = world.begin(&["a.jsonl (5 examples)", "never.json"]);
        world.records(&session, "a.jsonl", Mode::New, 2);
        session.end(RunEnd::plain(outcome)).unwrap();
        let report = world.verify_all();
        assert!(
            has(&report, "plan-short") && has(&report, "plan-missing"),
            "{}",
            told(&report)
        );
        assert_eq!(report.exit_code(), code, "{}", told(&report));
        // A file alone is not held to the plan.
        assert_eq!(world.verify(&[world.path("a.jsonl")]).exit_code(), 0);
    }
}

#[test]
fn plan_of_a_session_that_runs_is_counted_so_far() {
    let world = World::new();
    let killed = world.begin(&["a.jsonl (5 examples)"]);
    world.records(&killed, "a.jsonl", Mode::New, 2);
    killed.end(RunEnd::plain(Outcome::Failed)).unwrap();
    for journal in world.journals(killed.id()) {
        let text = fs::read_to_string(&journal).unwrap();
        let counts =
            |line: &&str| !line.contains("artifact_sealed") && !line.contains("artifact_progress");
        let kept: Vec<&str> = text.lines().take_while(counts).collect();
        fs::write(&journal, format!("{}\n", kept.join("\n"))).unwrap();
    }
    fs::remove_file(world.manifest(killed.id())).unwrap();
    let said = told(&world.verify_all());
    assert!(
        said.contains("planned `a.jsonl (5 examples)`: 0 of 5 so far"),
        "{said}"
    );
}

#[test]
fn folder_names_the_member_that_changed() {
    let world = World::new();
    world.small();
    spoil(&world.path("model/sub/weights.bin"), |bytes| bytes[3] = 0);
    fs::write(world.path("model/extra"), "").unwrap();
    let said = told(&world.verify_all());
    assert!(
        said.contains("added extra, changed sub/weights.bin"),
        "{said}"
    );
}

#[test]
fn file_whose_birthmark_was_taken_off_fails_since_a_session_lists_it() {
    let world = World::new();
    world.small();
    fs::remove_file(world.path("table.csv.birthmark.json")).unwrap();
    let report = world.verify_all();
    assert!(
        has(&report, "birthmark-missing") && report.exit_code() == 1,
        "{}",
        told(&report)
    );
}

#[test]
fn quick_compares_sizes_and_says_so() {
    let world = World::new();
    world.small();
    let options = Options {
        quick: true,
        ..Options::at(now())
    };
    let report = verify(&world.project(), &[world.path("sft_a.jsonl")], &options).unwrap();
    assert_eq!(report.word(), Some(Word::Caveat));
    assert!(
        told(&report).contains("not proved: the bytes"),
        "{}",
        told(&report)
    );
    spoil(&world.path("sft_a.jsonl"), |bytes| bytes.push(b'\n'));
    let report = verify(&world.project(), &[world.path("sft_a.jsonl")], &options).unwrap();
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn empty_folder_is_nothing_to_verify_and_no_file_is_misuse() {
    let world = World::new();
    let folder = world.repo.path().join("empty");
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(world.verify(&[folder]).exit_code(), 2);
    let error = verify(
        &world.project(),
        &["nowhere.json".into()],
        &Options::at(now()),
    )
    .unwrap_err();
    assert_eq!(error.code(), "no-file");
}

#[test]
fn names_of_any_bytes_are_found_again() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let session = world.begin(&[]);
    let names: [&[u8]; 4] = [
        b"a\x1b[31m\n.jsonl",
        b"-x b.jsonl",
        "\u{202e}c.jsonl".as_bytes(),
        b"d\xff\\.jsonl",
    ];
    for name in names {
        let name = std::ffi::OsStr::from_bytes(name);
        let options = RecordsOptions {
            mode: Mode::New,
            artifact_type: "training_data".to_owned(),
            given: birthmark_core::birthmark::Fields::new(),
            all_fields: false,
        };
        let out = session.records(&world.artifacts().join(name), options);
        let out = out.unwrap();
        out.append(b"{\"a\": 1}", &[], &[]).unwrap();
        out.close(None).unwrap();
        let outside = world.repo.path().join(name).with_extension("csv");
        fs::write(&outside, "1,2").unwrap();
        let fields = birthmark_core::birthmark::Fields::new();
        session.add(&outside, "table", &fields).unwrap();
    }
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let report = world.verify_all();
    assert_eq!(report.word(), Some(Word::Verified), "{}", told(&report));
    assert_eq!(report.count(Word::Verified), 9, "{}", told(&report));
    let next = world.begin(&[]);
    next.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let list = birthmark::sessions::list(&world.project(), now()).unwrap();
    assert_eq!(
        list[0].to_json()["git_dirty"],
        false,
        "what was made is no dirt"
    );
    // The store is found again under another name of its folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    copy_folder(world.repo.path(), &moved);
    let project = birthmark::project::Project::find(&moved).unwrap();
    let report =
        birthmark::verify::verify(&project, &[moved.join("artifacts")], &Options::at(now()));
    let report = report.unwrap();
    assert_eq!(report.word(), Some(Word::Verified), "{}", told(&report));
}

#[test]
fn hostile_names_reach_the_screen_escaped() {
    let world = World::new();
    world.small();
    fs::write(world.path("\u{1b}[31mred\u{202e}.json"), "{}").unwrap();
    let text = told(&world.verify_all());
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
}

#[test]
fn a_sample_says_what_it_left_out() {
    let world = World::new();
    world.small();
    let options = |share: &str, seed| Options {
        sample: Some(birthmark::verify::Sample::parse(share, seed).unwrap()),
        ..Options::at(now())
    };
    let ask = |options: &Options| verify(&world.project(), &[world.artifacts()], options).unwrap();
    let whole = ask(&options("100%", 1));
    assert!(!has(&whole, "quick") && whole.not_proved.len() == 1);
    // A changed byte is found by some sample, and by none is it called verified for all.
    spoil(&world.path("sft_a.jsonl"), |bytes| {
        let at = bytes.iter().position(|byte| *byte == b'0').unwrap();
        bytes[at] = b'1';
    });
    let mut answers = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let report = ask(&options("40%", seed));
        let answer = word_of(&report, "sft_a.jsonl");
        assert_ne!(answer, Word::Verified, "{}", told(&report));
        if answer == Word::Caveat {
            assert!(
                report.not_proved[0].contains("outside the sample of 40%"),
                "{:?}",
                report.not_proved
            );
        }
        answers.insert(answer);
    }
    assert_eq!(answers.len(), 2, "{answers:?}");
}

#[test]
fn build_servers_read_the_answer() {
    let world = World::new();
    world.small();
    fs::write(world.path("old<&\"\u{1b}.json"), "{\"a\": 1}").unwrap();
    fs::write(world.path("model/config.json"), "{\"a\": 2}").unwrap();
    let report = world.verify_all();
    let path = world.repo.path().join("report.xml");
    fs::write(&path, birthmark::verify::junit(&report)).unwrap();
    let read = "import sys, xml.etree.ElementTree as tree\n\
        suite = tree.parse(sys.argv[1]).getroot()\n\
        cases = suite.findall('testcase')\n\
        failed = [c.get('name') for c in cases if c.find('failure') is not None]\n\
        print(suite.get('tests') == str(len(cases)), suite.get('failures'), failed,\n\
              suite.get('skipped'), len(suite.find('properties')))";
    let read = std::process::Command::new("python3")
        .args(["-c", read])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&read.stdout).trim(),
        "True 1 ['artifacts/model'] 1 1",
        "{}{}",
        String::from_utf8_lossy(&read.stderr),
        fs::read_to_string(&path).unwrap()
    );
}

#[test]
fn pointer_of_git_lfs_is_no_edit_unless_it_stands_for_other_bytes() {
    let world = World::new();
    world.small();
    let pointer = |name: &str, more: u64| {
        let bytes = fs::read(world.path(name)).unwrap();
        let oid = "1".repeat(64);
        let size = bytes.len() as u64 + more;
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n");
        fs::write(world.path(name), text).unwrap();
    };
    pointer("sft_a.jsonl", 0);
    pointer("evaluation_a.json", 0);
    let report = world.verify_all();
    for name in ["sft_a.jsonl", "evaluation_a.json"] {
        assert_eq!(
            word_of(&report, name),
            Word::CannotTell,
            "{}",
            told(&report)
        );
    }
    let text = told(&report);
    let why =
        "it is a Git LFS pointer, of the size that was recorded: git lfs pull brings the file";
    assert!(text.contains(why), "{text}");
    pointer("table.csv", 1);
    let report = world.verify_all();
    assert_eq!(
        word_of(&report, "table.csv"),
        Word::Failed,
        "{}",
        told(&report)
    );
}

#[test]
fn ends_that_two_clones_added_and_git_put_together_are_as_recorded() {
    let world = World::new();
    let add = |mode, count| {
        let session = world.begin(&[]);
        world.records(&session, "a.jsonl", mode, count);
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        fs::read(world.path("a.jsonl")).unwrap()
    };
    let both = add(Mode::New, 2);
    let ours = add(Mode::GoOn, 1);
    fs::write(world.path("a.jsonl"), &both).unwrap();
    let theirs = add(Mode::GoOn, 3);
    let (our_end, their_end) = (&ours[both.len()..], &theirs[both.len()..]);
    for ends in [[our_end, their_end], [their_end, our_end]] {
        fs::write(
            world.path("a.jsonl"),
            [&both[..], ends[0], ends[1]].concat(),
        )
        .unwrap();
        let report = world.verify_all();
        let text = told(&report);
        assert_eq!(word_of(&report, "a.jsonl"), Word::Caveat, "{text}");
        assert!(text.contains("two sessions added to it apart"), "{text}");
        // One byte that is not theirs.
        spoil(&world.path("a.jsonl"), |bytes| {
            let last = bytes.len() - 2;
            bytes.insert(last, b' ');
        });
        let report = world.verify_all();
        assert_eq!(word_of(&report, "a.jsonl"), Word::Failed);
    }
    let conflict = [
        &both[..],
        b"<<<<<<< HEAD\n",
        our_end,
        b"=======\n",
        their_end,
    ]
    .concat();
    fs::write(world.path("a.jsonl"), conflict).unwrap();
    let text = told(&world.verify_all());
    let why = "line 3 is no record: a conflict of git merge stands in it";
    assert!(text.contains(why), "{text}");
}

#[test]
fn artifacts_folder_that_is_a_link_to_another_disk_is_verified_like_any_other() {
    let world = World::new();
    let disk = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(disk.path(), world.artifacts()).unwrap();
    let id = world.small();
    for asked in [world.artifacts(), disk.path().to_owned()] {
        let report = world.verify(&[asked]);
        let text = told(&report);
        assert_eq!(
            word_of(&report, "artifacts/sft_a.jsonl"),
            Word::Verified,
            "{text}"
        );
        assert!(
            report.items.iter().any(|item| item.name == id.as_str()),
            "{text}"
        );
    }
    let one = world.verify(&[disk.path().join("sft_a.jsonl")]);
    assert_eq!(word_of(&one, "artifacts/sft_a.jsonl"), Word::Verified);
    fs::remove_file(disk.path().join("table.csv")).unwrap();
    let report = world.verify_all();
    assert_eq!(
        word_of(&report, "artifacts/table.csv"),
        Word::Failed,
        "{}",
        told(&report)
    );
}
