//! A settings file with every setting, each commented out at its default.
//!
//! Never needed: the first session makes what it needs.

use std::path::PathBuf;

use birthmark_store::atomic;
use birthmark_store::config::CONFIG_NAME;

use crate::error::{Error, Result};
use crate::project::Project;

/// What the file says. Every setting of [`birthmark_store::config::Config`] stands in it.
const SETTINGS: &str = r#"# Birthmark's settings for this project. Every line is optional: what is commented
# out stands at its default. This file marks the project's root.

# Where artifacts, manifests and the store (.birthmark/) stand, from this folder.
# BIRTHMARK_DIR overrides it.
#artifacts = "artifacts"

# Uncommitted changes when a run begins: "snapshot" keeps them as a commit of their own,
# "warn" names them, "refuse" does not begin. BIRTHMARK_ON_DIRTY overrides it.
#on_dirty = "snapshot"

# What must survive: "process" (the death of the process) or "power" (also a power
# cut: every record is synced, which is slower).
#durability = "process"

# Who may read what is written: "umask" (whoever the umask lets), "nobody" (0600 and 0700 under
# every umask), "group" (the group may write too, where the umask lets it). A umask of 000 shares
# nothing, unless this says so.
#share = "umask"

# What a snapshot may take; larger files are left out of it, by name.
#[snapshot]
#max_file_mb = 50
#max_total_mb = 500
# Folders and files that tools make of themselves: neither dirt nor in a snapshot.
#caches = ["__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".DS_Store"]

# What birthmarks must say, by artifact type ("*" for all), beyond the required minimum.
# `birthmark verify` judges it always; enforce = "refuse" also keeps a writer from opening.
# `birthmark policy --help` has the rules.
#[policy]
#enforce = "warn"
#"*" = ["git_dirty = false or git_snapshot set"]
#training_data = ["template_disabled = true", "seed required"]
"#;

/// Writes `birthmark.toml` to the project's root; refused when it is there.
pub fn init(project: &Project) -> Result<PathBuf> {
    let path = project.root().join(CONFIG_NAME);
    if atomic::create_new(&path, SETTINGS.as_bytes())? {
        return Ok(path);
    }
    Err(Error::usage(
        "file-exists",
        format!("`{}` is there already", path.display()),
    )
    .with_hint("edit it; nothing was changed"))
}

#[cfg(test)]
mod tests {
    use birthmark_store::config::Config;

    use super::*;

    #[test]
    fn file_means_the_defaults_as_it_stands_and_uncommented() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::find(dir.path()).unwrap();
        let path = init(&project).unwrap();
        assert_eq!(Config::read(dir.path()).unwrap(), Config::default());

        let text = std::fs::read_to_string(&path).unwrap();
        let settings = [
            "#artifacts",
            "#on_dirty",
            "#durability",
            "#[snapshot]",
            "#max_file_mb",
            "#max_total_mb",
            "#caches",
        ];
        let uncommented = settings.iter().fold(text, |text, name| {
            assert!(text.contains(name), "{name}");
            text.replace(name, &name[1..])
        });
        #[expect(clippy::disallowed_methods, reason = "a fixture")]
        std::fs::write(&path, uncommented).unwrap();
        let config = Config::read(dir.path()).unwrap();
        assert_eq!(config.on_dirty.value, Config::default().on_dirty.value);
        assert_eq!(config.snapshot.value, Config::default().snapshot.value);
        assert_eq!(config.durability.value, Config::default().durability.value);
        assert_eq!(config.artifacts.value, Some(PathBuf::from("artifacts")));
    }

    #[test]
    fn file_that_is_there_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::find(dir.path()).unwrap();
        let path = init(&project).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(init(&project).unwrap_err().code(), "file-exists");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
