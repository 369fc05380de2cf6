//! What the caches of Hugging Face's hub and datasets say by their folders: which model or
//! dataset a file belongs to, and at which revision.
//!
//! | place | is |
//! |---|---|
//! | `models--org--name/snapshots/<commit>/…` | the model `org/name` |
//! | `datasets--org--name/snapshots/<commit>/…` | the dataset `org/name` |
//! | `org___name/<config>/<version>/<hash>/` with `dataset_info.json` | the dataset `org/name` |
//! | a folder with `dataset_info.json` and `state.json` | a dataset that somebody saved |

use std::path::{Component, Path, PathBuf};

use birthmark_store::atomic;
use serde_json::Value;

const INFO: &str = "dataset_info.json";
/// What a dataset says of itself is no longer than this.
const INFO_LIMIT: u64 = 16 << 20;

/// What a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) role: &'static str,
    pub(super) name: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) folder: PathBuf,
}

/// What a file belongs to, as far as its place says so.
pub(super) fn named(path: &Path) -> Option<Named> {
    of_hub(path).or_else(|| of_datasets(path))
}

fn of_hub(path: &Path) -> Option<Named> {
    let parts: Vec<&str> = parts(path);
    let at = parts.iter().position(|part| *part == "snapshots")?;
    let (kind, name) = parts.get(at.checked_sub(1)?)?.split_once("--")?;
    let role = match kind {
        "models" => "model",
        "datasets" => "dataset",
        _ => return None,
    };
    Some(Named {
        role,
        name: Some(name.replacen("--", "/", 1)),
        revision: parts.get(at + 1).map(|part| (*part).to_owned()),
        folder: path.components().take(at + 2).collect(),
    })
}

fn of_datasets(path: &Path) -> Option<Named> {
    let folder = path.parent()?;
    let file = path.file_name()?.to_str()?;
    let is_arrow = path.extension().is_some_and(|ending| ending == "arrow");
    if !is_arrow && file != INFO && file != "state.json" {
        return None;
    }
    let dataset = |name, revision| Named {
        role: "dataset",
        name,
        revision,
        folder: folder.to_owned(),
    };
    let parts = parts(path);
    let cache = parts
        .windows(2)
        .position(|two| two == ["huggingface", "datasets"]);
    let commit = parts
        .iter()
        .rev()
        .nth(1)
        .filter(|part| is_commit(part))
        .map(|part| (*part).to_owned());
    if let Some(name) = cache.and_then(|at| parts.get(at + 2)) {
        return Some(dataset(Some(name.replacen("___", "/", 1)), commit));
    }
    let info = atomic::read_limited(&folder.join(INFO), INFO_LIMIT).ok()?;
    if folder.join("state.json").is_file() {
        return Some(dataset(None, None));
    }
    let info: Value = serde_json::from_slice(&info).ok()?;
    let own = info["dataset_name"].as_str()?;
    let with_owner = format!("___{own}");
    // `<name>/<config>/<version>/<hash>/<file>`
    let name = parts.iter().rev().nth(4).filter(|part| {
        **part == own
            || part
                .to_ascii_lowercase()
                .ends_with(&with_owner.to_ascii_lowercase())
    });
    let name = name.map_or_else(|| own.to_owned(), |part| part.replacen("___", "/", 1));
    Some(dataset(Some(name), commit))
}

/// Whether a file stands in the cache of the hub, beside what was fetched: how it was fetched.
pub(super) fn is_about_fetching(path: &Path) -> bool {
    let parts = parts(path);
    let is_repository = |part: &&str| {
        ["models--", "datasets--", "spaces--"]
            .iter()
            .any(|kind| part.starts_with(kind))
    };
    parts
        .windows(2)
        .any(|two| is_repository(&two[0]) && ["refs", ".no_exist"].contains(&two[1]))
}

fn is_commit(part: &str) -> bool {
    part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn parts(path: &Path) -> Vec<&str> {
    let normal = path.components().map(Component::as_os_str);
    normal.map(|part| part.to_str().unwrap_or("")).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "fixtures")]
mod tests {
    use super::*;

    #[test]
    fn caches_name_what_they_hold() {
        let commit = "0123456789012345678901234567890123456789";
        let of = |path: &str| named(Path::new(path)).map(|one| (one.role, one.name, one.revision));
        let told = |role, name: &str, revision: Option<&str>| {
            Some((role, Some(name.to_owned()), revision.map(str::to_owned)))
        };
        let hub = "/c/hub/models--Qwen--Qwen3-4B/snapshots/abc/sub/config.json";
        assert_eq!(of(hub), told("model", "Qwen/Qwen3-4B", Some("abc")));
        let of_cache = format!("/c/huggingface/datasets/org___set/default/0.0.0/{commit}/a.arrow");
        assert_eq!(of(&of_cache), told("dataset", "org/set", Some(commit)));
        let info = "/c/huggingface/datasets/json/default-1/0.0.0/h/dataset_info.json";
        assert_eq!(of(info), told("dataset", "json", None));
        assert_eq!(of("/c/hub/spaces--a--b/snapshots/abc/x"), None);
        assert_eq!(of("/p/snapshots/x"), None);
        assert_eq!(of("/p/table.arrow"), None);
        assert!(is_about_fetching(Path::new("/c/models--a--b/refs/main")));
        assert!(!is_about_fetching(Path::new("/c/models--a--b/blobs/refs")));
    }

    #[test]
    fn a_cache_elsewhere_is_known_by_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Org___Set/default/0.0.0/h");
        let saved = dir.path().join("saved");
        for place in [&folder, &saved] {
            std::fs::create_dir_all(place).unwrap();
            std::fs::write(place.join(INFO), r#"{"dataset_name": "set"}"#).unwrap();
        }
        std::fs::write(saved.join("state.json"), "{}").unwrap();
        let found = named(&folder.join("set-train.arrow")).unwrap();
        assert_eq!(found.name.as_deref(), Some("Org/Set"));
        assert_eq!(found.folder, folder);
        let found = named(&saved.join("data-00000-of-00001.arrow")).unwrap();
        assert_eq!((found.role, found.name), ("dataset", None));
    }
}
