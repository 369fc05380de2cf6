//! The rule of the house as a test: who may import whom.
//!
//! A crate imports from lower floors only, and rooms of one floor never import each
//! other. The edges are read from `cargo metadata`, not from anybody's memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot look must fail")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate of ours and its floor. The testing crate is no part of the house: it may
/// only be a development dependency.
const FLOORS: [(&str, u8); 7] = [
    ("birthmark-core", 0),
    ("birthmark-capture", 1),
    ("birthmark-catalog", 1),
    ("birthmark-store", 1),
    ("birthmark", 2),
    ("birthmark-cli", 3),
    ("birthmark-python", 3),
];

/// Stands beside the house: it is loaded into programs of others, imports none of ours, and none
/// imports it.
const PRELOAD: &str = "birthmark-preload";

/// Damages what every reader reads: it may import all of the house, and none imports it.
const FUZZ: &str = "birthmark-fuzz";

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap()
}

fn floor(name: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, floor)| *floor)
}

/// Names that a package depends on when it is built, not only when it is tested.
fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn every_crate_of_the_workspace_has_its_floor() {
    for package in &metadata().packages {
        let beside = ["birthmark-testing", FUZZ, PRELOAD].contains(&package.name.as_str());
        let known = floor(&package.name).is_some() || beside;
        assert!(
            known,
            "`{}` stands on no floor: add it to FLOORS and to ARCHITECTURE.md",
            package.name
        );
    }
}

#[test]
fn crates_import_from_lower_floors_only() {
    for package in &metadata().packages {
        for dependency in dependencies(package) {
            assert_ne!(
                dependency, "birthmark-testing",
                "{} ships the tests",
                package.name
            );
            assert_ne!(dependency, FUZZ, "{} ships the fuzzing", package.name);
            if let (Some(above), Some(below)) = (floor(&package.name), floor(dependency)) {
                assert!(
                    below < above,
                    "{} (floor {above}) imports {dependency} (floor {below})",
                    package.name
                );
            }
        }
    }
}

#[test]
fn preloaded_library_stands_alone() {
    for package in &metadata().packages {
        let is_it = *package.name == PRELOAD;
        for dependency in dependencies(package) {
            assert_ne!(dependency, PRELOAD, "{}", package.name);
            assert!(!is_it || dependency == "libc", "it imports {dependency}");
        }
    }
}

#[test]
fn pyo3_stands_in_the_python_door_alone() {
    for package in &metadata().packages {
        let has_pyo3 = dependencies(package).any(|name| name.starts_with("pyo3"));
        assert_eq!(
            has_pyo3,
            *package.name == "birthmark-python",
            "{}",
            package.name
        );
    }
}

#[test]
fn sqlite_stands_in_the_catalog_alone_and_the_hall_can_do_without() {
    let metadata = metadata();
    for package in &metadata.packages {
        let has_engine = dependencies(package).any(|name| name == "rusqlite");
        assert_eq!(
            has_engine,
            *package.name == "birthmark-catalog",
            "{}",
            package.name
        );
    }
    let hall = metadata
        .packages
        .iter()
        .find(|package| *package.name == "birthmark")
        .unwrap();
    let edge = hall
        .dependencies
        .iter()
        .find(|edge| edge.name == "birthmark-catalog")
        .unwrap();
    assert!(edge.optional, "the catalog must stay a feature of the hall");
}

#[test]
fn meaning_has_no_file_process_network_clock_or_chance() {
    let allowed = [
        "globset",
        "jiff",
        "memchr",
        "serde",
        "serde_json",
        "thiserror",
    ];
    let metadata = metadata();
    let core = metadata
        .packages
        .iter()
        .find(|package| *package.name == "birthmark-core")
        .unwrap();
    for dependency in dependencies(core) {
        assert!(
            allowed.contains(&dependency),
            "core must not depend on `{dependency}`"
        );
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../birthmark-core/src");
    for path in rust_files(source.as_ref()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for forbidden in [
            "std::fs",
            "std::process",
            "std::net",
            "std::env",
            "SystemTime",
            "Instant::now",
            "rand::",
        ] {
            assert!(
                !shipped.contains(forbidden),
                "{} uses {forbidden}",
                path.display()
            );
        }
    }
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_or_says_why_not() {
    for package in &metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let unsafe_needed =
            ["birthmark-python", "birthmark-catalog", PRELOAD].contains(&package.name.as_str());
        let own = manifest.contains("[lints.rust]") && unsafe_needed;
        assert!(
            own || manifest.contains("[lints]\nworkspace = true"),
            "{}",
            package.name
        );
    }
}
