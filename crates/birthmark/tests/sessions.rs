//! Which sessions there are, how they are named, and what is said of those that are not whole.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use birthmark::records::{Records, RecordsOptions};
use birthmark::report::ReportOptions;
use birthmark::session::{Begin, RunEnd, begin};
use birthmark::sessions::{self, ManifestState};
use birthmark::verify::Word;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_core::session::Status;
use birthmark_store::atomic::Durability;
use birthmark_store::records::Mode;
use birthmark_store::seam::{self, Step};
use world::{World, now};

#[test]
fn session_is_named_by_its_id_a_prefix_a_suffix_and_last() {
    let world = World::new();
    let first = world.small();
    let session = world.begin(&[]);
    let second = session.id().clone();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let project = world.project();
    let resolve = |name: &str| sessions::resolve(&project, name);
    for id in [&first, &second] {
        assert_eq!(resolve(id.as_str()).unwrap(), *id);
        assert_eq!(resolve(id.short()).unwrap(), *id);
        assert_eq!(resolve(&id.as_str()[20..]).unwrap(), *id);
    }
    assert_eq!(resolve("last").unwrap(), second);
    let error = resolve("20").unwrap_err();
    assert_eq!(error.code(), "session-ambiguous");
    assert!(error.hint().unwrap().contains(first.as_str()));
    // `u` is no letter of an id.
    let near = format!("{}u", &first.as_str()[..19]);
    let error = resolve(&near).unwrap_err();
    assert_eq!(error.code(), "session-unknown");
    assert!(
        error
            .hint()
            .unwrap()
            .starts_with(&format!("the nearest: {first}")),
        "{:?}",
        error.hint()
    );
    assert_eq!(resolve("").unwrap_err().code(), "session-unknown");
}

#[test]
fn list_is_newest_first_and_sums_up_each() {
    let world = World::new();
    let id = world.small();
    let session = world.begin(&["never.json"]);
    let list = sessions::list(&world.project(), now()).unwrap();
    assert_eq!(list.len(), 2);
    let old = list.iter().find(|summary| summary.id == id).unwrap();
    assert_eq!(
        (old.status, old.artifacts, old.records),
        (Status::Completed, 4, 4)
    );
    assert_eq!((old.planned, old.made, old.runs), (3, 3, 1));
    assert_eq!(
        old.codes[0].commit.as_deref(),
        Some(world.repo.head().as_str())
    );
    assert_eq!(
        (old.manifest.clone(), old.damaged),
        (ManifestState::Current, false)
    );
    let new = list
        .iter()
        .find(|summary| summary.id == *session.id())
        .unwrap();
    assert_eq!((new.status, new.planned, new.made), (Status::Running, 1, 0));
    assert_eq!(
        list[0].id,
        *session.id(),
        "the newest first, also within a second"
    );
    session.end(RunEnd::plain(Outcome::Failed)).unwrap();
    let list = sessions::list(&world.project(), now()).unwrap();
    assert_eq!(
        list.iter()
            .filter(|summary| summary.status == Status::Failed)
            .count(),
        1
    );
}

#[test]
fn manifest_alone_is_not_bound_and_tells_what_it_has() {
    let world = World::new();
    let id = world.small();
    fs::remove_dir_all(world.path(".birthmark")).unwrap();
    let loaded = sessions::load(&world.project(), &id).unwrap();
    assert_eq!(loaded.manifest, ManifestState::NotBound { foreign: false });
    assert_eq!(loaded.session.artifacts.len(), 4);
    assert_eq!(loaded.status(now()), Status::Completed);
    assert!(!loaded.is_bound());
    assert_eq!(loaded.host().map(str::to_owned), Some(host()));
    assert_eq!(sessions::list(&world.project(), now()).unwrap().len(), 1);
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn session_without_a_manifest_and_an_unreadable_manifest_are_told_apart() {
    let world = World::new();
    let id = world.small();
    let manifest = world.manifest(&id);
    let whole = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let load = || sessions::load(&world.project(), &id).unwrap().manifest;
    assert_eq!(load(), ManifestState::Missing);
    fs::write(&manifest, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(load(), ManifestState::Unreadable { .. }));
    let text = String::from_utf8(whole).unwrap();
    fs::write(&manifest, text.replacen('{', "{\"session_id\": \"x\",", 1)).unwrap();
    assert!(
        matches!(load(), ManifestState::Edited { .. }),
        "{:?}",
        load()
    );
    fs::write(&manifest, "[]").unwrap();
    assert!(matches!(load(), ManifestState::Unreadable { .. }));
}

#[test]
fn torn_tail_of_a_journal_is_counted_and_is_no_damage() {
    let world = World::new();
    let session = world.begin(&[]);
    world.records(&session, "a.jsonl", Mode::New, 1);
    let id = session.id().clone();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let journal = world.journals(&id).remove(0);
    let mut bytes = fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"{\"seq\":99,\"prev\"");
    fs::write(&journal, bytes).unwrap();
    let loaded = sessions::load(&world.project(), &id).unwrap();
    assert_eq!((loaded.torn_bytes(), loaded.problems.len()), (16, 0));
    assert_eq!(loaded.manifest, ManifestState::Current);
}

#[test]
fn journal_of_another_session_is_a_problem() {
    let world = World::new();
    let (first, second) = (world.small(), {
        let session = world.begin(&[]);
        session.end(RunEnd::plain(Outcome::Completed)).unwrap();
        session.id().clone()
    });
    let stray = world.journals(&second).remove(0);
    let folder = world.project().layout.session(&first);
    fs::copy(&stray, folder.join(stray.file_name().unwrap())).unwrap();
    let loaded = sessions::load(&world.project(), &first).unwrap();
    assert_eq!(loaded.problems[0].code, "journal-foreign");
    assert_eq!(loaded.session.id.as_ref(), Some(&loaded.id));
}

/// With `durability = "power"` an item of a report is on the disk when it is acknowledged: so is
/// the folder that the report was the first to need.
#[test]
fn the_folder_of_a_report_is_synced_before_its_first_item_is_acknowledged() {
    for (durability, synced) in [(Durability::Process, false), (Durability::Power, true)] {
        let world = World::new();
        let mut options = Begin::at(world.repo.path(), OpenedBy::Script);
        options.durability = Some(durability);
        let session = begin(options).unwrap();
        let folders = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&folders);
        let watching = seam::watch(Box::new(move |step| {
            if let Step::SyncFolder(folder) = step {
                seen.borrow_mut().push(folder.to_path_buf());
            }
            Ok(())
        }));
        let options = ReportOptions {
            mode: Mode::New,
            artifact_type: "evaluation".to_owned(),
            given: birthmark_core::birthmark::Fields::new(),
        };
        let report = session
            .begin_report(&world.path("of/a/day/e.json"), options)
            .unwrap();
        drop(watching);
        for folder in ["of/a/day", "of/a", "of", ""] {
            let folder = world.path(folder);
            let is_synced = folders.borrow().iter().any(|seen| {
                // A path joined with nothing ends in a slash.
                seen.components().eq(folder.components())
            });
            assert_eq!(is_synced, synced, "{}", folder.display());
        }
        drop(report);
        session.end(RunEnd::plain(Outcome::Failed)).unwrap();
    }
}

/// What threads of one session do at once, in an order that is another each time: they write to one
/// file, in each of the three ways, while one closes it and one ends the session.
#[test]
fn what_threads_were_told_is_written_stands_there_once_however_a_close_and_an_end_come_between() {
    const WRITERS: usize = 3;
    let (done, waits) = std::sync::mpsc::channel();
    let played = std::thread::spawn(move || {
        let world = World::new();
        for round in 0..24 {
            let session = world.begin(&[]);
            let path = world.path(&format!("{round}.jsonl"));
            let out = session.records(&path, jsonl()).unwrap();
            let barrier = std::sync::Barrier::new(WRITERS + 2);
            let told = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let (out, barrier) = (out.clone(), &barrier);
                        scope.spawn(move || {
                            barrier.wait();
                            written(&out, writer)
                        })
                    })
                    .collect();
                let pause = &|turns: usize| (0..turns).for_each(|_| std::thread::yield_now());
                let barrier = &barrier;
                scope.spawn(|| {
                    barrier.wait();
                    pause(round * 37 % 211);
                    session.plan(&["later.jsonl".to_owned()]).ok();
                    out.close(None).unwrap();
                });
                scope.spawn(|| {
                    barrier.wait();
                    pause(round * 53 % 307);
                    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
                });
                let told = writers.into_iter().map(|writer| writer.join().unwrap());
                told.collect::<Vec<_>>().concat()
            });
            let text = fs::read_to_string(&path).unwrap();
            let mut there: Vec<String> = text
                .lines()
                .map(|line| {
                    let record: serde_json::Value = serde_json::from_str(line).unwrap();
                    assert!(record["metadata"]["session_id"].is_string(), "{line}");
                    record["id"].as_str().unwrap().to_owned()
                })
                .collect();
            let mut told = told;
            there.sort();
            told.sort();
            assert_eq!(there, told, "round {round}");
            drop(out);
            let report = world.verify(&[path]);
            assert!(
                report.items.iter().all(|item| item.word <= Word::Caveat),
                "{report:?}"
            );
        }
        done.send(()).unwrap();
    });
    // Threads that wait for each other would wait for ever.
    let ended = waits.recv_timeout(std::time::Duration::from_mins(2));
    if ended != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        played.join().unwrap();
    }
    ended.expect("they wait for each other");
}

fn jsonl() -> RecordsOptions {
    RecordsOptions {
        mode: Mode::New,
        artifact_type: "training_data".to_owned(),
        given: Fields::new(),
        all_fields: false,
    }
}

/// Writes until the file is closed: the ids of the records that were acknowledged.
fn written(out: &Records, writer: usize) -> Vec<String> {
    let mut told = Vec::new();
    for number in 0.. {
        let ids = [0, 1].map(|one| format!("{writer}.{number}.{one}"));
        let records = ids.clone().map(|id| format!("{{\"id\": \"{id}\"}}"));
        let [one, other] = records.each_ref().map(String::as_bytes);
        let result = match (writer + number) % 3 {
            0 => out.append(one, &[], &[]),
            1 => match out.try_append(one, &[], &[]) {
                Some(result) => result,
                None => continue,
            },
            _ => {
                let both = out.append_all(&[one, other], &[], &[]);
                told.extend(both.is_ok().then(|| ids[1].clone()));
                both
            }
        };
        match result {
            Ok(()) => told.push(ids[0].clone()),
            Err(error) => {
                assert_eq!(error.code(), "file-closed");
                break;
            }
        }
    }
    told
}
