#![expect(
    clippy::disallowed_methods,
    reason = "a test swaps folders as anybody may"
)]

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::atomic::{self, Durability, PathError};

/// A store, and a folder outside to which a link would lead.
fn store() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (artifacts, outside) = (dir.path().join("artifacts"), dir.path().join("outside"));
    for folder in [&artifacts, &outside] {
        atomic::create_folder(folder).unwrap();
    }
    (dir, artifacts.join(STORE_NAME), outside)
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Everything that writes below a store, once.
fn write_all_ways(store: &Path, round: usize) -> [Result<(), PathError>; 6] {
    let session = store.join("sessions/a");
    let object = store.join(format!("objects/{round}"));
    [
        atomic::create_folder(&session),
        atomic::replace(&store.join("open"), b"x", Durability::Process),
        atomic::create_new(&object, b"x").map(drop),
        atomic::open_append(&session.join("w.jsonl"), false).map(drop),
        atomic::remove(&object),
        atomic::sync_folder(&session),
    ]
}

#[test]
fn no_link_below_the_store_is_followed() {
    let (dir, store, outside) = store();
    symlink(&outside, &store).unwrap();
    for written in write_all_ways(&store, 0) {
        let why = written.unwrap_err().source.to_string();
        assert!(
            why.contains("is a link, and the store follows none"),
            "{why}"
        );
    }
    assert_eq!(count(&outside), 0);
    // The artifacts folder itself may be a link of the user's.
    let linked = dir.path().join("linked");
    symlink(store.parent().unwrap(), &linked).unwrap();
    fs::remove_file(&store).unwrap();
    assert!(atomic::create_folder(&linked.join(STORE_NAME).join("sessions")).is_ok());
    assert!(store.join("sessions").is_dir());
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_or_refused_and_never_written_through() {
    let (_dir, store, outside) = store();
    atomic::create_folder(&store).unwrap();
    let theirs = outside.join("theirs");
    fs::write(&theirs, b"theirs").unwrap();
    for name in ["open", "w.jsonl"] {
        symlink(&theirs, store.join(name)).unwrap();
    }
    atomic::replace(&store.join("open"), b"ours", Durability::Power).unwrap();
    assert!(atomic::open_append(&store.join("w.jsonl"), false).is_err());
    assert!(!atomic::create_new(&store.join("w.jsonl"), b"ours").unwrap());
    assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
    assert!(!store.join("open").is_symlink());
    assert_eq!(fs::read(store.join("open")).unwrap(), b"ours");
}

#[test]
fn no_folder_leads_out_of_the_store() {
    let (_dir, store, outside) = store();
    atomic::create_folder(&store.join("sessions")).unwrap();
    let out = store.join("sessions/../../../outside");
    assert!(atomic::create_folder(&out.join("a")).is_err());
    assert!(atomic::replace(&out.join("a"), b"x", Durability::Process).is_err());
    assert_eq!(count(&outside), 0);
}

#[test]
fn a_file_lands_in_the_folder_that_was_opened_whatever_takes_its_name() {
    let (dir, store, outside) = store();
    atomic::create_folder(&store).unwrap();
    let target = store.join("open");
    let mut temp = atomic::temp_beside(&target).unwrap();
    temp.write_all(b"x").unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&store, &moved).unwrap();
    symlink(&outside, &store).unwrap();
    atomic::settle(temp, &target, Durability::Power).unwrap();
    assert_eq!(fs::read(moved.join("open")).unwrap(), b"x");
    // Nor does what is given up leave anything, there or elsewhere.
    fs::remove_file(&store).unwrap();
    fs::rename(&moved, &store).unwrap();
    let temp = atomic::temp_beside(&target).unwrap();
    fs::rename(&store, &moved).unwrap();
    symlink(&outside, &store).unwrap();
    drop(temp);
    assert_eq!((count(&moved), count(&outside)), (1, 0));
}

/// Exchanges the store and a link without end, in one step each: at any moment one of the
/// two stands there.
#[cfg(target_os = "linux")]
#[test]
fn whoever_swaps_the_store_for_a_link_all_the_time_leads_no_writing_elsewhere() {
    use rustix::fs::{RenameFlags, renameat_with};
    let (dir, store, outside) = store();
    // All folders that are written in are there behind the link too.
    for folder in [&store, &outside] {
        for inner in ["sessions/a", "objects"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
    }
    let link = dir.path().join("link");
    symlink(&outside, &link).unwrap();
    let done = AtomicBool::new(false);
    let (mut written, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &store, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for round in 0..2_000 {
            for result in write_all_ways(&store, round) {
                match result {
                    Ok(()) => written += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let names: Vec<_> = fs::read_dir(&outside).unwrap().flatten().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(count(&outside.join("objects")), 0);
    assert_eq!(count(&outside.join("sessions/a")), 0);
    assert!(written > 0 && refused > 0, "{written} {refused}");
}
