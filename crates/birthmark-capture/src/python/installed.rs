//! The distributions of a search path, by the names of their folders.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::environment::{Package, Packages};
use serde_json::Value;

use super::normalised;
use crate::process::{read_head, redactor};

/// More entries than any folder of packages has; what has more is not one.
const ENTRIES_MAX: usize = 200_000;

pub(super) fn packages(sys_path: &[PathBuf]) -> Packages {
    let mut packages = Packages::default();
    let mut seen = BTreeSet::new();
    for folder in sys_path
        .iter()
        .filter(|folder| seen.insert(folder.as_path()))
    {
        // Python takes an empty entry for the working folder.
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        match list(folder) {
            Ok(found) => add(&mut packages, folder, found),
            Err(reason) => packages.unread.push(reason),
        }
    }
    packages
}

/// One folder's distributions: name, version and folder, and the names of its entries
/// that make editable ones.
#[derive(Default)]
struct Listed {
    distributions: Vec<(String, String, PathBuf)>,
    editable: BTreeSet<String>,
}

fn list(folder: &Path) -> Result<Listed, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Search paths name zip files and folders that were never made.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Listed::default());
        }
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let mut listed = Listed::default();
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(rest) = name.strip_prefix("__editable__") {
            // `__editable__.name-1.0.pth`, `__editable___name_1_0_finder.py`
            let rest = rest.trim_start_matches(['.', '_']);
            let end = rest.find('-').unwrap_or(rest.len());
            listed.editable.insert(normalised(&rest[..end]));
        } else if let Some((name, version)) = distribution(name, &entry.path()) {
            listed.distributions.push((name, version, entry.path()));
        }
    }
    // The order of a folder is chance.
    listed.distributions.sort();
    Ok(listed)
}

/// Name and version of a metadata folder. What a broken upgrade left behind starts
/// with `~` and is no distribution.
fn distribution(entry: &str, path: &Path) -> Option<(String, String)> {
    if entry.starts_with('~') {
        return None;
    }
    if let Some(stem) = entry.strip_suffix(".dist-info") {
        let (name, version) = stem.split_once('-')?;
        return Some((normalised(name), version.to_owned()));
    }
    let stem = entry.strip_suffix(".egg-info")?;
    let Some((name, rest)) = stem.split_once('-') else {
        return from_metadata(path);
    };
    // `name-1.0-py3.11.egg-info`
    let version = rest.rsplit_once("-py").map_or(rest, |(version, _)| version);
    Some((normalised(name), version.to_owned()))
}

/// A source folder's own metadata: there the version stands only inside.
fn from_metadata(folder: &Path) -> Option<(String, String)> {
    let text = read_head(folder.join("PKG-INFO"), 1 << 14)?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    Some((normalised(field("Name:")?), field("Version:")?.to_owned()))
}

fn add(packages: &mut Packages, folder: &Path, listed: Listed) {
    let mut here: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
    for (name, version, path) in listed.distributions {
        here.entry(name).or_default().push((version, path));
    }
    for (name, mut versions) in here {
        if packages.by_name.contains_key(&name) || packages.ambiguous.contains_key(&name) {
            continue;
        }
        versions.dedup_by(|a, b| a.0 == b.0);
        if versions.len() > 1 {
            let versions = versions.into_iter().map(|(version, _)| version).collect();
            packages.ambiguous.insert(name, versions);
        } else if let Some((version, path)) = versions.pop() {
            let (direct, source) = direct_url(&path);
            // A source folder on the search path is imported from where it lies.
            let develop = path.join("SOURCES.txt").exists() && path.starts_with(folder);
            let editable = direct || listed.editable.contains(&name) || develop && is_source(&path);
            packages.by_name.insert(
                name,
                Package {
                    version,
                    editable,
                    source,
                },
            );
        }
    }
}

/// An `.egg-info` without a version in its name lies in a source folder.
fn is_source(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.strip_suffix(".egg-info")
        .is_some_and(|stem| !stem.contains('-'))
}

/// What `direct_url.json` says: editable, and the URL with its commit, redacted.
fn direct_url(path: &Path) -> (bool, Option<String>) {
    let Some(text) = read_head(path.join("direct_url.json"), 1 << 16) else {
        return (false, None);
    };
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        return (false, None);
    };
    let editable = json
        .pointer("/dir_info/editable")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let source = json.get("url").and_then(Value::as_str).map(|url| {
        let vcs = json.pointer("/vcs_info/vcs").and_then(Value::as_str);
        let commit = json.pointer("/vcs_info/commit_id").and_then(Value::as_str);
        let url = redactor().url(url);
        match (vcs, commit) {
            (Some(vcs), Some(commit)) => format!("{vcs}+{url}@{commit}"),
            _ => url.into_owned(),
        }
    });
    (editable, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up folder of packages.
    #[expect(clippy::disallowed_methods, reason = "tests build their own world")]
    fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temp dir");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("has a folder")).expect("folder");
            fs::write(path, text).expect("file");
        }
        dir
    }

    fn of(sites: &[&tempfile::TempDir]) -> Packages {
        packages(
            &sites
                .iter()
                .map(|dir| dir.path().to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn the_first_entry_of_the_path_wins() {
        let first = site(&[("Flash_Attn-2.5.dist-info/METADATA", "")]);
        let second = site(&[
            ("flash_attn-2.4.dist-info/METADATA", ""),
            ("six-1.0.dist-info/METADATA", ""),
        ]);
        let found = of(&[&first, &second, &first]);
        assert_eq!(found.by_name["flash-attn"].version, "2.5");
        assert_eq!(found.by_name["six"].version, "1.0");
        assert!(found.ambiguous.is_empty() && found.unread.is_empty());
    }

    #[test]
    fn two_versions_in_one_folder_are_not_guessed_between() {
        let dir = site(&[
            ("a-1.0.dist-info/x", ""),
            ("a-2.0.dist-info/x", ""),
            ("~b-1.dist-info/x", ""),
        ]);
        let found = of(&[&dir]);
        assert!(found.by_name.is_empty());
        assert_eq!(found.ambiguous["a"], ["1.0", "2.0"]);
        assert!(found.version("a").reason().is_some());
    }

    #[test]
    fn eggs_and_editable_installs_are_known() {
        let url = [
            "{\"url\": \"https://u:",
            "secret",
            "@h/r.git\", \"vcs_info\": {\"vcs\": \"git\", \"commit_id\": \"abc\"}}",
        ];
        let dir = site(&[
            ("old-1.2-py3.11.egg-info/PKG-INFO", ""),
            (
                "dev.egg-info/PKG-INFO",
                "Metadata-Version: 2.1\nName: Dev\nVersion: 0.1.dev1\n",
            ),
            ("dev.egg-info/SOURCES.txt", ""),
            (
                "edit-3.0.dist-info/direct_url.json",
                "{\"dir_info\": {\"editable\": true}, \"url\": \"file:///src\"}",
            ),
            ("mark-3.0.dist-info/METADATA", ""),
            ("__editable__.mark-3.0.pth", ""),
            ("vcs-1.0+cu124.dist-info/direct_url.json", &url.concat()),
            ("bad-1.0.dist-info/direct_url.json", "{"),
        ]);
        let found = of(&[&dir]).by_name;
        let state = |name: &str| (found[name].version.as_str(), found[name].editable);
        assert_eq!(state("old"), ("1.2", false));
        assert_eq!(state("dev"), ("0.1.dev1", true));
        assert_eq!(state("edit"), ("3.0", true));
        assert_eq!(state("mark"), ("3.0", true));
        assert_eq!(state("vcs"), ("1.0+cu124", false));
        assert_eq!(state("bad"), ("1.0", false));
        let source = found["vcs"].source.as_deref();
        assert_eq!(
            source,
            Some("git+https://[redacted:url-credentials]@h/r.git@abc")
        );
    }

    #[test]
    fn an_unreadable_folder_makes_what_is_missing_unknown() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp dir");
        let paths = [dir.path().join("none"), dir.path().join("none.zip")];
        assert!(packages(&paths).unread.is_empty());
        let locked = dir.path().join("locked");
        fs::create_dir(&locked).expect("folder");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("locked");
        let found = packages(std::slice::from_ref(&locked));
        // Root reads everything: then there is nothing to see here.
        if fs::read_dir(&locked).is_err() {
            assert!(found.version("torch").reason().is_some());
        }
    }
}
