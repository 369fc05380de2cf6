//! What a store and a project hold, should somebody else have made it.

use std::path::{Path, PathBuf};

use birthmark::{Project, sessions};
use birthmark_core::{SessionId, Timestamp, WriterId};
use birthmark_store::config::{CONFIG_NAME, Config};
use birthmark_store::digest::digest_bytes;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::{Layout, atomic};

use super::Run;
use crate::watch::write;

const ID: &str = "20260101_000000_0123456789abc";

pub(super) fn sidecar(folder: &Path) -> Run {
    let path = folder.join("a.csv.birthmark.json");
    Box::new(move |bytes| drop(Sidecar::parse(&path, bytes)))
}

/// A store of one session, and what asks it.
struct Store {
    project: Project,
    journal: PathBuf,
    manifest: PathBuf,
}

impl Store {
    fn at(folder: &Path) -> Option<Self> {
        write(&folder.join(CONFIG_NAME), b"");
        let project = Project::find(folder).ok()?;
        let id = SessionId::from_text(ID.to_owned());
        let layout: &Layout = &project.layout;
        let journal = layout.journal(&id, &WriterId::from_text("host-1-abc".to_owned()));
        atomic::create_folder(journal.parent()?).ok()?;
        let manifest = layout.manifest(&id);
        write(&layout.artifacts().join("a.jsonl"), b"{\"a\": 1}\n");
        Some(Self {
            project,
            journal,
            manifest,
        })
    }

    fn ask(&self) {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let id = SessionId::from_text(ID.to_owned());
        if let Ok(loaded) = sessions::load(&self.project, &id) {
            let _ = loaded.status(now);
            let _ = sessions::Summary::of(&loaded, now).to_json();
            let _ = birthmark_core::session::manifest(&loaded.session);
        }
        let options = birthmark::verify::Options::at(now);
        let artifacts = self.project.layout.artifacts().to_owned();
        let Ok(report) = birthmark::verify::verify(&self.project, &[artifacts], &options) else {
            return;
        };
        let said = birthmark::verify::render(&report, 80);
        assert!(
            !said.chars().any(|c| c.is_control() && c != '\n'),
            "nothing acts on the terminal"
        );
        let xml = birthmark::verify::junit(&report);
        assert!(
            !xml.chars().any(|c| c.is_control() && c != '\n'),
            "nor in XML"
        );
    }
}

/// A journal whose sums are wrong where it was damaged.
pub(super) fn journal(folder: &Path) -> Run {
    let store = Store::at(folder);
    Box::new(move |bytes| {
        let Some(store) = &store else { return };
        write(&store.journal, bytes);
        store.ask();
    })
}

/// A journal of somebody who knows how sums are made: what it says is other, and the chain is whole.
pub(super) fn journal_resealed(folder: &Path) -> Run {
    let store = Store::at(folder);
    Box::new(move |bytes| {
        let Some(store) = &store else { return };
        write(&store.journal, &resealed(bytes));
        store.ask();
    })
}

fn resealed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut above: Option<String> = None;
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(line);
        let body = text
            .rfind(",\"sum\":\"")
            .and_then(|end| text.get(..end))
            .unwrap_or(&text);
        // Everything behind the fixed head stays as it was damaged.
        let rest = body
            .find("\"time\"")
            .and_then(|at| body.get(at..))
            .unwrap_or("\"time\":0");
        let prev = above
            .as_ref()
            .map_or("null".to_owned(), |sum| format!("\"{sum}\""));
        let body = format!("{{\"seq\":{number},\"prev\":{prev},{rest}");
        let sum = digest_bytes(body.as_bytes()).to_string();
        out.extend_from_slice(format!("{body},\"sum\":\"{sum}\"}}\n").as_bytes());
        above = Some(sum);
    }
    out
}

/// A manifest without journals: copied alone, or made by another helper.
pub(super) fn manifest(folder: &Path) -> Run {
    let store = Store::at(folder);
    Box::new(move |bytes| {
        let Some(store) = &store else { return };
        write(&store.manifest, bytes);
        store.ask();
    })
}

pub(super) fn settings(folder: &Path) -> Run {
    let folder = folder.to_owned();
    Box::new(move |bytes| {
        write(&folder.join(CONFIG_NAME), bytes);
        if let Err(error) = Config::read(&folder) {
            let _ = error.to_string();
        }
    })
}

/// Parameters from a file: the first byte says of which kind.
pub(super) fn params(folder: &Path) -> Run {
    let folder = folder.to_owned();
    Box::new(move |bytes| {
        let Some((kind, rest)) = bytes.split_first() else {
            return;
        };
        let name = ["a.yaml", "a.toml", "a.json"]
            .get(usize::from(*kind) % 3)
            .copied()
            .unwrap_or("a.json");
        let path = folder.join(name);
        write(&path, rest);
        let _ = birthmark::stamp::given::read_file(&path);
        let _ = birthmark::stamp::given::read_model_provenance(&path);
    })
}

pub(super) fn declaration(folder: &Path) -> Run {
    let folder = folder.to_owned();
    Box::new(move |bytes| {
        write(&folder.join(birthmark::declare::DECLARATION_NAME), bytes);
        let _ = birthmark::declare::find_declaration(&folder);
    })
}
