//! Secrets in what was made: each named by its place, none missed at a border, none shown.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

use std::fs;
use std::path::Path;

use birthmark::project::Project;
use birthmark::scan::{Scan, scan};

/// Obviously no real one.
const TOKEN: &str = "hf_EXAMPLEexampleEXAMPLEexampleEXAMPLE";

fn look(folder: &Path) -> Scan {
    scan(&Project::find(folder).unwrap(), &[folder.to_owned()])
}

#[test]
fn secret_is_named_by_line_and_byte_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{{\"a\": 1}}\n{{\"prompt\": \"my token is {TOKEN}\"}}\n");
    fs::write(dir.path().join("a.jsonl"), &text).unwrap();
    fs::create_dir(dir.path().join("deep")).unwrap();
    fs::write(
        dir.path().join("deep/report.json"),
        "{\"config\": {\"db_password\": \"correct-horse-battery\"}}",
    )
    .unwrap();
    let found = look(dir.path());
    assert_eq!(found.count(), 2, "{}", found.render());
    assert_eq!(found.exit_code(), 1);
    let place = &found.leaks[0].places[0];
    assert_eq!((place.line, place.rule), (2, "huggingface-token"));
    assert_eq!(place.offset, text.find(TOKEN).unwrap() as u64);
    assert_eq!(place.length, TOKEN.len() as u64);
    for answer in [found.render(), found.to_json().to_string()] {
        assert!(
            !answer.contains(TOKEN) && !answer.contains("horse"),
            "{answer}"
        );
    }
}

#[test]
fn innocent_files_have_none_and_that_is_not_all_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\"git_commit\": \"5f970c2a5f970c2a5f970c2a5f970c2a5f970c2a\"}\n";
    fs::write(dir.path().join("a.json"), text).unwrap();
    let found = look(dir.path());
    assert_eq!((found.count(), found.exit_code()), (0, 0));
    assert!(
        found
            .render()
            .contains("not looked at: secrets of unknown shape")
    );
    assert_eq!(look(&dir.path().join("nowhere")).exit_code(), 2);
}

#[test]
fn secret_across_two_windows_is_seen_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.txt");
    // The first window ends at 1 MiB, each later one 4 MiB further on.
    for border in [1 << 20, 5 << 20] {
        for before in [0, 20, 60_000] {
            let mut bytes = "text and more\n".repeat(border / 14 + 1).into_bytes();
            bytes.truncate(border - before);
            bytes.push(b' ');
            bytes.extend(TOKEN.as_bytes());
            bytes.push(b'\n');
            bytes.extend("text and more\n".repeat(10_000).bytes());
            fs::write(&path, &bytes).unwrap();
            let found = look(dir.path());
            assert_eq!(found.count(), 1, "{border} {before}");
            let place = &found.leaks[0].places[0];
            assert_eq!(place.offset, (border - before + 1) as u64);
            let lines = bytes[..border - before].split(|b| *b == b'\n').count();
            assert_eq!(place.line, lines as u64);
        }
    }
}

#[test]
fn binary_and_odd_files_are_looked_at_as_far_as_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut weights = vec![0_u8; 3 << 20];
    weights[100..100 + TOKEN.len()].copy_from_slice(TOKEN.as_bytes());
    fs::write(dir.path().join("model.safetensors"), &weights).unwrap();
    let mut broken = b"\xff\xfe not text \x80 ".to_vec();
    broken.extend(TOKEN.as_bytes());
    fs::write(dir.path().join("broken.txt"), &broken).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
    let found = look(dir.path());
    assert_eq!(found.count(), 2, "{}", found.render());
    assert_eq!((found.files, found.heads), (2, 1));
    assert!(
        found.render().contains("1 binary file"),
        "{}",
        found.render()
    );
    let broken = found
        .leaks
        .iter()
        .find(|leak| leak.file.ends_with("broken.txt"));
    assert_eq!(broken.unwrap().places[0].offset, 14);
}

#[test]
fn many_secrets_are_counted_and_some_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("{{\"t\": \"{TOKEN}\"}}\n");
    fs::write(dir.path().join("a.jsonl"), line.repeat(1_000)).unwrap();
    let found = look(dir.path());
    assert_eq!(found.count(), 1_000);
    assert_eq!(found.leaks[0].places.len(), 20);
    assert!(
        found.render().contains("and 980 more"),
        "{}",
        found.render()
    );
}
