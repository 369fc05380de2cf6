//! `birthmark.toml`: a project's settings, with the line each came from.
//!
//! The file is never needed. What is not known is refused by name and line:
//! a misspelled setting that is silently ignored is worse than none.

mod compare;
mod lenient;
mod policy;
mod tables;

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use policy::{Enforce, PlacedRule, Policy};

use birthmark_core::snapshot::CACHES;
use toml::Spanned;
use toml::de::DeValue;

use crate::atomic::{self, Durability, PathError};
use crate::modes::{SHARE_WORDS, Share};
use lenient::near;
use tables::{lineage, paths, snapshot_limits};

/// The name of the settings file, at the project's root.
pub const CONFIG_NAME: &str = "birthmark.toml";
const CONFIG_LIMIT: u64 = 1 << 20;

/// What to do when a run starts with uncommitted changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDirty {
    /// Keep the working tree as a snapshot, and go on.
    #[default]
    Snapshot,
    /// Say so in one line and go on.
    Warn,
    /// Refuse to begin.
    Refuse,
}

/// A setting and where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// Its value.
    pub value: T,
    /// `birthmark.toml line 3`, or the name of the environment variable; `None` for the default.
    pub from: Option<String>,
}

impl<T: Default> Default for Setting<T> {
    fn default() -> Self {
        Self {
            value: T::default(),
            from: None,
        }
    }
}

/// What a snapshot may take: the table `[snapshot]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// Files of more bytes are left out.
    pub max_file: u64,
    /// Files beyond this many bytes in all are left out.
    pub max_total: u64,
    /// Names of untracked folders and files that are neither dirt nor in a snapshot.
    pub caches: Vec<String>,
}

impl Default for SnapshotLimits {
    /// 50 MB a file, 500 MB in all, and the caches that are known.
    fn default() -> Self {
        Self {
            max_file: 50 * MEGABYTE,
            max_total: 500 * MEGABYTE,
            caches: CACHES.map(str::to_owned).to_vec(),
        }
    }
}

const MEGABYTE: u64 = 1_000_000;

/// What is watched of a run: the table `[lineage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// `on`: whether anything is.
    pub on: bool,
    /// `ignore`: globs of files that are no inputs, as plans have them.
    pub ignore: Vec<String>,
    /// `folders`: where files that a run makes are looked for, beside the artifacts folder;
    /// relative to the file.
    pub folders: Vec<PathBuf>,
}

impl Default for Lineage {
    fn default() -> Self {
        Self {
            on: true,
            ignore: Vec::new(),
            folders: Vec::new(),
        }
    }
}

/// A project's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `artifacts`: the artifacts folder, relative to the file.
    pub artifacts: Setting<Option<PathBuf>>,
    /// `on_dirty`: `"snapshot"`, `"warn"` or `"refuse"`.
    pub on_dirty: Setting<OnDirty>,
    /// `[snapshot]`: `max_file_mb`, `max_total_mb`, `caches`.
    pub snapshot: Setting<SnapshotLimits>,
    /// `durability`: `"process"` or `"power"`.
    pub durability: Setting<Durability>,
    /// `share`: who may read what is written; `None` leaves it to the umask.
    pub share: Setting<Option<Share>>,
    /// `[lineage]`: `on`, `ignore`, `folders`.
    pub lineage: Setting<Lineage>,
    /// `[compare]`: fields by name, and the class that each is of, in the order of the file.
    pub compare: Vec<(String, String)>,
    /// `[policy]`: what the birthmarks of this project must say.
    pub policy: Policy,
    /// `stores`: other artifacts folders or projects whose sessions are asked too, relative
    /// to the file.
    pub stores: Setting<Vec<PathBuf>>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] PathError),
    /// A line says something that cannot be.
    #[error("`{}` line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads `birthmark.toml` in `root`; the defaults when there is none.
    pub fn read(root: &Path) -> Result<Self, ConfigError> {
        let path = root.join(CONFIG_NAME);
        let bytes = match atomic::read_limited(&path, CONFIG_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map_err(|(span, reason)| ConfigError::Line {
            line: line_of(&text, span.start),
            path,
            reason,
        })
    }

    fn parse(text: &str) -> Result<Self, (Range<usize>, String)> {
        let table = toml::de::DeTable::parse(text)
            .map_err(|error| (error.span().unwrap_or(0..0), error.message().to_owned()))?;
        let mut config = Self::default();
        for (key, value) in table.get_ref() {
            config.take(text, key, value)?;
        }
        Ok(config)
    }

    fn take(
        &mut self,
        text: &str,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), (Range<usize>, String)> {
        let from = Some(format!(
            "{CONFIG_NAME} line {}",
            line_of(text, key.span().start)
        ));
        let word = value.get_ref().as_str();
        let refuse = |allowed: &str| {
            (
                value.span(),
                format!("`{}` must be {allowed}", key.get_ref()),
            )
        };
        match (key.get_ref().as_ref(), word) {
            ("artifacts", Some(folder)) if !folder.is_empty() => {
                self.artifacts = Setting {
                    value: Some(PathBuf::from(folder)),
                    from,
                };
            }
            ("on_dirty", Some(word)) => {
                let value = parse_on_dirty(word).ok_or_else(|| refuse(ON_DIRTY_WORDS))?;
                self.on_dirty = Setting { value, from };
            }
            ("durability", Some("process")) => {
                self.durability = Setting {
                    value: Durability::Process,
                    from,
                };
            }
            ("durability", Some("power")) => {
                self.durability = Setting {
                    value: Durability::Power,
                    from,
                };
            }
            ("share", Some(word)) => {
                let value = Share::parse(word).ok_or_else(|| refuse(SHARE_WORDS))?;
                self.share = Setting {
                    value: Some(value),
                    from,
                };
            }
            ("compare", _) => self.compare = compare::read(value)?,
            ("policy", _) => self.policy = policy::read(text, key, value)?,
            ("lineage", _) => {
                let value = lineage(value)?;
                self.lineage = Setting { value, from };
            }
            ("snapshot", _) => {
                let value = snapshot_limits(value)?;
                self.snapshot = Setting { value, from };
            }
            ("stores", _) => {
                let value = paths(value.get_ref()).ok_or_else(|| refuse("a list of folders"))?;
                self.stores = Setting { value, from };
            }
            ("artifacts", _) => return Err(refuse("a folder")),
            ("on_dirty", _) => return Err(refuse(ON_DIRTY_WORDS)),
            ("durability", _) => return Err(refuse("\"process\" or \"power\"")),
            ("share", _) => return Err(refuse(SHARE_WORDS)),
            (name, _) => {
                let meant = near(name)
                    .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
                let reason = format!(
                    "unknown setting `{name}`{meant}; there are `artifacts`, `on_dirty`, `durability`, \
                     `share`, `stores`, `[snapshot]`, `[lineage]`, `[policy]`, `[compare]`"
                );
                return Err((key.span(), reason));
            }
        }
        Ok(())
    }
}

/// The allowed words of `on_dirty`, for messages.
pub const ON_DIRTY_WORDS: &str = "\"snapshot\", \"warn\" or \"refuse\"";

/// Reads a word of `on_dirty`.
pub fn parse_on_dirty(word: &str) -> Option<OnDirty> {
    match word {
        "snapshot" => Some(OnDirty::Snapshot),
        "warn" => Some(OnDirty::Warn),
        "refuse" => Some(OnDirty::Refuse),
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|&&byte| byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_knows_its_line() {
        let config =
            Config::parse("# ours\n\non_dirty = \"refuse\"\nartifacts = \"out\"\n").unwrap();
        assert_eq!(config.on_dirty.value, OnDirty::Refuse);
        assert_eq!(
            config.on_dirty.from.as_deref(),
            Some("birthmark.toml line 3")
        );
        assert_eq!(config.artifacts.value, Some(PathBuf::from("out")));
        assert_eq!(config.durability, Setting::default());
    }

    #[test]
    fn lineage_has_its_own_table() {
        let text = "[lineage]\nignore = [\"*.tmp\", \"scratch/**\"]\nfolders = [\"models\"]\n";
        let lineage = Config::parse(text).unwrap().lineage.value;
        assert!(lineage.on);
        assert_eq!(lineage.ignore, ["*.tmp", "scratch/**"]);
        assert_eq!(lineage.folders, [PathBuf::from("models")]);
        assert!(Config::parse("[lineage]\nwatch = 1\n").is_err());
        assert!(Config::parse("[lineage]\non = \"yes\"\n").is_err());
    }

    #[test]
    fn unknown_settings_and_words_are_refused_with_their_line() {
        let dir = tempfile::tempdir().unwrap();
        for (text, line, word) in [
            ("\non_dirt = \"warn\"\n", 2, "on_dirt"),
            ("on_dirty = \"maybe\"\n", 1, "must be"),
            ("on_dirty = 3\n", 1, "must be"),
            ("a = \n", 1, ""),
        ] {
            atomic::replace(
                &dir.path().join(CONFIG_NAME),
                text.as_bytes(),
                Durability::Process,
            )
            .unwrap();
            let error = Config::read(dir.path()).unwrap_err();
            let ConfigError::Line {
                line: at, reason, ..
            } = error
            else {
                panic!("{error}")
            };
            assert_eq!(at, line, "{text}: {reason}");
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn limits_of_snapshots_are_megabytes() {
        let read = |text: &str| Config::parse(text).map(|config| config.snapshot.value);
        let limits = read("[snapshot]\nmax_file_mb = 2\nmax_total_mb = 1_000\n").unwrap();
        assert_eq!(
            (limits.max_file, limits.max_total),
            (2_000_000, 1_000_000_000)
        );
        assert_eq!(read("").unwrap(), SnapshotLimits::default());
        let caches = read("[snapshot]\ncaches = [\".cache\"]\n").unwrap().caches;
        assert_eq!(caches, [".cache"]);
        for (text, word) in [
            ("snapshot = 3", "must be a table"),
            (
                "[snapshot]\nmax_file = 3",
                "unknown setting `snapshot.max_file`",
            ),
            ("[snapshot]\nmax_file_mb = \"3\"", "whole number"),
            ("[snapshot]\nmax_file_mb = -3", "whole number"),
            ("[snapshot]\ncaches = \"a\"", "list of names"),
            ("[snapshot]\ncaches = [\"a/b\"]", "list of names"),
        ] {
            let (_, reason) = read(text).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
    }

    #[test]
    fn no_file_means_the_defaults() {
        assert_eq!(
            Config::read(tempfile::tempdir().unwrap().path()).unwrap(),
            Config::default()
        );
    }
}
