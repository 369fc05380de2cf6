//! Stored formats are forever: what each version wrote is read, checked and taken out by this one.

use std::path::{Path, PathBuf};

use crate::world::World;

/// The versions whose files are kept.
pub(crate) fn versions() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = std::fs::read_dir(corpus).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The project as it lay when that version had written it.
pub(crate) fn project(version: &Path) -> World {
    let world = World::new();
    let bundle = version.join("code.bundle");
    let bundle = bundle.to_str().unwrap();
    world.repo.git(["remote", "add", "origin", bundle]);
    world.repo.git(["fetch", "-q", "origin"]);
    world.repo.git(["reset", "-q", "--hard", "origin/main"]);
    for name in ["artifacts", "checkpoint", "checkpoint.birthmark.json"] {
        copy(&version.join(name), &world.at(name));
    }
    copy(&version.join("store"), &world.at("artifacts/.birthmark"));
    world
}

#[test]
fn what_every_version_wrote_is_still_what_was_recorded() {
    for version in versions() {
        let world = project(&version);
        let said = world.birthmark(["verify", "artifacts", "checkpoint"]);
        for file in ["data.jsonl", "plot.bin", "report.json", "table.parquet"] {
            let line = said
                .lines()
                .find(|line| line.contains(&format!("artifacts/{file}")));
            assert!(
                line.is_some_and(|line| line.starts_with("verified")),
                "{said}"
            );
        }
        assert!(said.contains("verified    checkpoint"), "{said}");
        assert!(said.contains("verified    session"), "{said}");
        assert!(!said.contains("FAILED"), "{said}");
        let left = world.birthmark(["salvage"]);
        assert!(left.contains("nothing is left to be salvaged"), "{left}");
    }
}

#[test]
fn what_every_version_wrote_is_shown_and_found_and_compared() {
    for version in versions() {
        let world = project(&version);
        for (file, kind) in [
            ("artifacts/data.jsonl", "training_data"),
            ("artifacts/packed.jsonl.gz", "model"),
            ("artifacts/report.json", "evaluation"),
            ("artifacts/table.parquet", "dataset"),
            ("artifacts/weights.safetensors", "model"),
            ("artifacts/plot.bin", "plot"),
            ("checkpoint", "model"),
        ] {
            let shown = world.birthmark_json(["show", file, "--json"]);
            let mark = &shown["metadata"];
            assert_eq!(mark["artifact_type"], kind, "{file}: {shown}");
            assert_eq!(
                mark["git_commit"].as_str().map(str::len),
                Some(40),
                "{file}"
            );
            assert_eq!(mark["birthmark"], "birthmark/v1", "{file}");
        }
        let found = world.birthmark(["find", "model_name=tiny seed=40..42"]);
        assert!(found.contains("data.jsonl"), "{found}");
        let both = world.birthmark(["compare", "artifacts/report.json"]);
        assert!(
            both.contains("0.25") || both.contains("1/4 -> 3/4"),
            "{both}"
        );
        let trace = world.birthmark(["trace", "artifacts/report.json"]);
        assert!(trace.starts_with("exit status: 0"), "{trace}");
    }
}

/// The second project of a version, with a snapshot, machine facts and a catalog.
fn further(version: &Path) -> Option<World> {
    let more = version.join("more");
    more.is_dir().then(|| {
        let world = World::new();
        let bundle = more.join("code.bundle");
        world
            .repo
            .git(["fetch", "-q", bundle.to_str().unwrap(), "main"]);
        world.repo.git(["reset", "-q", "--hard", "FETCH_HEAD"]);
        copy(&more.join("artifacts"), &world.at("artifacts"));
        copy(&more.join("store"), &world.at("artifacts/.birthmark"));
        world
    })
}

#[test]
fn snapshots_machines_and_packed_records_of_every_version_are_read() {
    for version in versions() {
        let Some(world) = further(&version) else {
            continue;
        };
        let said = world.birthmark(["verify"]);
        assert!(said.starts_with("exit status: 0"), "{said}");
        for reason in ["kept as a snapshot", "planned 2, made 2"] {
            assert!(said.contains(reason), "{said}");
        }
        assert!(
            !said.contains("cannot tell") && !said.contains("rewritten"),
            "{said}"
        );
        // The code that ran, which no clone has: from the bundles of the store.
        let said = world.birthmark(["snapshot", "restore", "last", "--into", "back"]);
        assert!(said.starts_with("exit status: 0"), "{said}");
        assert_eq!(world.read("back/util.py"), b"untracked = True\n");
        let said = world.birthmark(["show", "last"]);
        for part in [
            "corpus  python 3.11.7",
            "manifest current",
            "lineage  complete",
        ] {
            assert!(said.contains(part), "{said}");
        }
        world.birthmark([
            "unstamp",
            "artifacts/packed.jsonl.zst",
            "--out",
            "out.jsonl",
        ]);
        let plain = std::fs::read(version.join("more/plain.jsonl")).unwrap();
        assert_eq!(world.read("out.jsonl"), plain);
    }
}

#[test]
fn the_catalog_of_every_version_is_asked_or_built_anew() {
    for version in versions() {
        let packed = version.join("more/catalog.db.gz");
        let (Some(world), Ok(packed)) = (further(&version), std::fs::read(packed)) else {
            continue;
        };
        let mut catalog = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(&packed[..]);
        std::io::Read::read_to_end(&mut unpacked, &mut catalog).unwrap();
        // As it was, of a version that never was, and cut in the middle.
        let mut other = catalog.clone();
        other[60..64].copy_from_slice(&77_u32.to_be_bytes());
        let cut = catalog[..catalog.len() / 3].to_vec();
        for bytes in [catalog, other, cut] {
            let place = world.repo.home().join(".cache/birthmark/catalog.db");
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, &bytes).unwrap();
            let found = world.birthmark(["find", "seed=1"]);
            assert!(found.contains("artifacts/more.jsonl"), "{found}");
            let found = world.birthmark(["find", "seed=7"]);
            assert!(found.contains("0 found"), "{found}");
        }
    }
}

#[test]
fn birthmarks_of_every_version_are_taken_out_to_the_byte() {
    for version in versions() {
        let world = project(&version);
        let plain = std::fs::read(version.join("plain.jsonl")).unwrap();
        world.birthmark(["unstamp", "artifacts/data.jsonl", "--out", "out.jsonl"]);
        assert_eq!(world.read("out.jsonl"), plain);
        world.birthmark([
            "unstamp",
            "artifacts/packed.jsonl.gz",
            "--out",
            "out.jsonl.gz",
        ]);
        let mut text = Vec::new();
        let packed = world.read("out.jsonl.gz");
        std::io::Read::read_to_end(
            &mut flate2::read::MultiGzDecoder::new(&packed[..]),
            &mut text,
        )
        .unwrap();
        assert_eq!(text, plain);
        world.birthmark([
            "unstamp",
            "artifacts/weights.safetensors",
            "--out",
            "out.safetensors",
        ]);
        assert_eq!(
            world.read("out.safetensors"),
            world.read("checkpoint/model.safetensors")
        );
    }
}
