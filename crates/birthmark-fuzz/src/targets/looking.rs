//! What is looked at round a run: repositories, packages; and what must be seen in text.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use birthmark::lineage::Seen;
use birthmark_capture::git::{self, Database, Objects, StatusOptions};
use birthmark_capture::redact::Redactor;
use birthmark_capture::{process, python};
use birthmark_store::atomic;

use super::Run;
use crate::watch::write;

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

/// The files of the kept repository: the name, a line end, the bytes.
pub(super) fn repository_seeds() -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (name, bytes) in files_below(&kept("repository"))? {
        let mut seed = format!("{}\n", name.display()).into_bytes();
        seed.extend(bytes);
        seeds.push(seed);
    }
    Ok(seeds)
}

fn files_below(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                files.push((name, fs::read(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A repository in which one file is damaged. Each time all others are as they were.
pub(super) fn repository(folder: &Path) -> Run {
    let folder = folder.to_owned();
    let base = files_below(&kept("repository")).unwrap_or_default();
    let commit = base.iter().find(|(name, _)| name.ends_with("main"));
    let commit = commit.map(|(_, id)| String::from_utf8_lossy(id).trim().to_owned());
    let commit = commit.unwrap_or_default();
    Box::new(move |bytes| {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let name = parts.next().unwrap_or_default();
        let damaged = parts.next().unwrap_or_default();
        let git_dir = folder.join(".git");
        let _ = fs::remove_dir_all(&git_dir);
        for (known, whole) in &base {
            let path = git_dir.join(known);
            let _ = path.parent().map(atomic::create_folder);
            let is_it = known.as_os_str().as_encoded_bytes() == name;
            write(&path, if is_it { damaged } else { whole });
        }
        write(&folder.join("a.txt"), b"changed\n");
        let options = StatusOptions {
            time_limit: Duration::from_millis(500),
            ..StatusOptions::default()
        };
        let _ = git::capture_head(&folder);
        let state = git::capture_status(&folder, &options);
        let _ = state.commit.found();
        if let birthmark_core::Finding::Found(mut objects) = Objects::open(&folder) {
            let _ = objects.kind(&commit);
            let _ = objects.reachable_from_branch(&commit);
            let _ = objects.on_remote(&commit);
        }
        if let birthmark_core::Finding::Found(database) = Database::at(&folder) {
            let _ = database.parents(&commit);
            let _ = database.message(&commit);
        }
    })
}

pub(super) fn bundle(_: &Path) -> Run {
    Box::new(|bytes| {
        let mut database = Database::empty(&"0".repeat(40));
        if let Ok(head) = database.add(bytes) {
            for (_, id) in &head.references {
                let _ = (
                    database.message(id),
                    database.parents(id),
                    database.blob(id),
                );
            }
        }
    })
}

/// Redacting twice is redacting once, whatever the text is.
pub(super) fn secrets(_: &Path) -> Run {
    let redactor = Redactor::knowing([("API_KEY", "plain-and-known-1")]);
    Box::new(move |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let once = redactor.text(&text).into_owned();
        assert_eq!(
            redactor.text(&once),
            once.as_str(),
            "redacting twice is redacting once"
        );
        assert!(!once.contains("plain-and-known-1"));
        let _ = redactor.find(&text);
        let _ = redactor.url(&text);
        let _ = redactor.named("token", &text);
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let _ = redactor.argv(&words);
        if let Ok(mut value) = serde_json::from_str(&text) {
            redactor.json(&mut value);
        }
        let _ = process::redactor().text(&text);
    })
}

/// An installed distribution whose papers are damaged.
pub(super) fn packages(folder: &Path) -> Run {
    let place = folder.join("site/thing-1.0.dist-info");
    let site = folder.join("site");
    let _ = atomic::create_folder(&place);
    let mut turn = 0;
    Box::new(move |bytes| {
        turn = (turn + 1) % 3;
        let name = ["METADATA", "direct_url.json", "RECORD"]
            .get(turn)
            .copied()
            .unwrap_or("METADATA");
        write(&place.join(name), bytes);
        let _ = python::packages(std::slice::from_ref(&site));
        write(&site.join("torch/version.py"), bytes);
        let _ = python::torch_build(std::slice::from_ref(&site));
    })
}

pub(super) fn lock_file(folder: &Path) -> Run {
    let folder = folder.to_owned();
    let mut turn = 0;
    Box::new(move |bytes| {
        let names = [
            "uv.lock",
            "poetry.lock",
            "requirements.txt",
            "Pipfile.lock",
            "pdm.lock",
        ];
        let name = names.get(turn % names.len()).copied().unwrap_or("uv.lock");
        turn += 1;
        for other in names {
            let _ = fs::remove_file(folder.join(other));
        }
        write(&folder.join(name), bytes);
        let _ = python::lock_file(&folder, &folder);
    })
}

/// Notes of what a command opened, and the head of a program that it executed: both may be
/// written by the command itself.
pub(super) fn notes(folder: &Path) -> Run {
    let folder = folder.to_owned();
    Box::new(move |bytes| {
        let program = folder.join("program");
        write(&folder.join("1-0.seen"), bytes);
        write(&program, bytes);
        let mut seen = Seen::read(&folder);
        seen.note(4, program.clone());
        let _ = seen.gaps(&program);
    })
}
