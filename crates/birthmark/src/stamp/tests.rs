//! What a journal proves of a file that is stamped.

use birthmark_testing::repo::TestRepo;
use serde_json::json;

use birthmark_store::{Durability, format};
use std::io::Write as _;

use super::write::rewrite;
use super::*;

fn options(target: Target) -> StampOptions {
    StampOptions {
        target,
        ..StampOptions::new("model")
    }
}

/// A repository in which a session made `name`, and lost its sidecar.
fn made(name: &str, text: &str) -> (TestRepo, Project, PathBuf, SessionId) {
    let repo = TestRepo::with_commit();
    let session = session::begin(Begin::at(repo.path(), OpenedBy::Script)).unwrap();
    let path = repo.write(name, text);
    let mut given = Fields::new();
    given.insert("seed".to_owned(), json!(7));
    let sidecar = session.add(&path, "model", &given).unwrap().unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    std::fs::remove_file(sidecar).unwrap();
    let project = Project::find(repo.path()).unwrap();
    (repo, project, path, session.id().clone())
}

#[test]
fn birth_that_a_journal_shows_by_digest_is_not_declared() {
    let (repo, project, path, session) = made("artifacts/a.bin", "0123");
    repo.write("train.py", "lr = 2\n");
    let elsewhere = repo.write("renamed.bin", "0123");
    for file in [&path, &elsewhere] {
        let stamped = stamp(&project, file, &options(Target::Sidecar)).unwrap();
        assert_eq!(stamped.made_in.as_ref(), Some(&session));
        assert_eq!(
            stamped.birthmark["git_dirty"], false,
            "the code of its birth, not of now"
        );
        assert_eq!(stamped.birthmark["seed"], 7);
        assert_eq!(stamped.birthmark["session_id"], session.as_str());
        assert!(
            !stamped.birthmark.contains_key("declared"),
            "{:?}",
            stamped.birthmark
        );
        assert!(stamped.birthmark.contains_key("stamped_at"));
    }
}

#[test]
fn what_is_asserted_over_a_known_birth_is_declared() {
    let (_repo, project, path, _) = made("artifacts/a.bin", "0123");
    let mut options = options(Target::Sidecar);
    options.given.insert("seed".to_owned(), json!(8));
    let stamped = stamp(&project, &path, &options).unwrap();
    assert_eq!(stamped.birthmark["declared"], json!(["seed"]));
}

#[test]
fn other_bytes_were_not_born_in_the_session() {
    let (_repo, project, path, _) = made("artifacts/a.bin", "0123");
    atomic::replace(&path, b"0124", Durability::Process).unwrap();
    let stamped = stamp(&project, &path, &options(Target::Sidecar)).unwrap();
    assert_eq!(stamped.made_in, None);
    let declared = stamped.birthmark["declared"].to_string();
    assert!(
        declared.contains("git_commit") && declared.contains("timestamp"),
        "{declared}"
    );
}

#[test]
fn file_that_a_session_recorded_is_not_stamped_in_place_unless_forced() {
    let (_repo, project, path, _) = made("artifacts/a.json", "{}");
    let mut in_place = options(Target::InPlace);
    assert_eq!(
        stamp(&project, &path, &in_place).unwrap_err().code(),
        "recorded"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    in_place.force = true;
    assert_eq!(
        stamp(&project, &path, &in_place).unwrap().places.metadata,
        1
    );
}

#[test]
fn file_that_changes_while_it_is_stamped_stays_as_it_is() {
    let repo = TestRepo::with_commit();
    let path = repo.write("a.jsonl", "{}\n");
    let Some(format) = format::format_of(&path) else {
        panic!("no format")
    };
    let result = rewrite(format, &path, &path, None, |format, input, output| {
        let done = format.unstamp(input, output);
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all(b"{}\n").unwrap();
        done
    });
    assert!(result.unwrap_err().whole().contains("changed while"));
    assert_eq!(std::fs::read(&path).unwrap(), b"{}\n{}\n");
}

#[test]
fn births_are_found_among_many_sessions_and_the_newest_or_the_same_path_counts() {
    let repo = TestRepo::with_commit();
    let mut ids = Vec::new();
    for n in 0..4 {
        let session = session::begin(Begin::at(repo.path(), OpenedBy::Script)).unwrap();
        // Each has one file of its own, and one with the bytes that all others made too.
        for (name, text) in [
            (format!("artifacts/own_{n}.bin"), format!("{n}")),
            (format!("artifacts/same_{n}.bin"), "same".to_owned()),
        ] {
            session
                .add(&repo.write(&name, &text), "model", &Fields::new())
                .unwrap();
        }
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        ids.push(session.id().clone());
    }
    let project = Project::find(repo.path()).unwrap();
    let births = births::Births::of(&project);
    let of = |path: &Path| births.find(path).unwrap().map(|birth| birth.session);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(
            of(&repo.path().join(format!("artifacts/own_{n}.bin"))).as_ref(),
            Some(id)
        );
        assert_eq!(
            of(&repo.path().join(format!("artifacts/same_{n}.bin"))).as_ref(),
            Some(id)
        );
    }
    assert_eq!(
        of(&repo.write("elsewhere.bin", "same")),
        ids.iter().max().cloned()
    );
    assert_eq!(of(&repo.write("none.bin", "never made")), None);
}

#[test]
fn journal_that_does_not_hold_together_vouches_for_nothing() {
    let (_repo, project, path, session) = made("artifacts/a.bin", "0123");
    let journals = birthmark_store::journal::paths(&project.layout, &session).unwrap();
    let text = std::fs::read_to_string(&journals[0]).unwrap();
    // The digest still stands there, but its line no longer fits its sum.
    let edited = text.replacen("\"seed\":7", "\"seed\":8", 1);
    assert_ne!(edited, text);
    atomic::replace(&journals[0], edited.as_bytes(), Durability::Process).unwrap();
    let stamped = stamp(&project, &path, &options(Target::Sidecar)).unwrap();
    assert_eq!(stamped.made_in, None);
}

/// Exchanges two names without end, in one step each, while `work` is done.
#[cfg(target_os = "linux")]
fn swapping(one: &Path, other: &Path, work: impl FnOnce()) {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Now long enough for a call, now in the middle of one.
            for round in 0_u64.. {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                if done.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_micros(round * 3_700 % 20_000));
            }
        });
        work();
        done.store(true, Ordering::Relaxed);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_swaps_the_file_or_its_folder_for_a_link_all_the_time_leads_no_writing_elsewhere() {
    use std::os::unix::fs::symlink;
    // Between the first look and the writing there is time for many swaps.
    const LINES: usize = 20_000;
    let repo = TestRepo::with_commit();
    let project = Project::find(repo.path()).unwrap();
    let session = session::begin(Begin::at(repo.path(), OpenedBy::Script)).unwrap();
    let plain = "{\"a\":1}\n".repeat(LINES);
    let stamped_lines = |text: &str| text.matches("\"metadata\"").count();
    let outside = tempfile::tempdir().unwrap();
    let theirs = outside.path().join("theirs.jsonl");
    let (folder, file) = (repo.path().join("data"), repo.path().join("data/a.jsonl"));
    let link = repo.path().join("link");
    let mut done = 0;
    for swaps_file in [false, true] {
        repo.write("data/a.jsonl", &plain);
        atomic::replace(&theirs, plain.as_bytes(), Durability::Process).unwrap();
        if swaps_file {
            symlink(&theirs, &link).unwrap();
        } else {
            symlink(outside.path(), &link).unwrap();
        }
        let swapped = if swaps_file { &file } else { &folder };
        swapping(swapped, &link, || {
            let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
            let before = done;
            while done < before + 25 && std::time::Instant::now() < end {
                let mut beside = options(Target::Sidecar);
                beside.on_existing = OnExisting::Replace;
                let mut within = options(Target::InPlace);
                within.force = true;
                let results = [
                    stamp(&project, &file, &within).map(drop),
                    stamp(&project, &file, &beside).map(drop),
                    session.add(&file, "model", &Fields::new()).map(drop),
                    unstamp(&project, &file, &Target::InPlace, UnstampOptions::default()).map(drop),
                ];
                done += results.iter().filter(|result| result.is_ok()).count();
            }
        });
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), plain);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        // What was swapped last may have either name.
        let real = [&folder, &link].map(|path| path.join("a.jsonl"));
        let real = real.iter().chain([&file, &link]);
        let real = real.filter(|path| !path.is_symlink() && path.is_file());
        for path in real.filter(|path| !path.starts_with(&link) || !link.is_symlink()) {
            let text = std::fs::read_to_string(path).unwrap();
            assert!([0, LINES].contains(&stamped_lines(&text)), "{}", text.len());
        }
        for leftover in [&folder, &link] {
            let _ = std::fs::remove_file(leftover);
            let _ = std::fs::remove_dir_all(leftover);
        }
    }
    assert!(done > 0, "nothing was ever written");
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
}
