//! A setting that is misspelled: which one was meant, and what goes on all the same.
//!
//! # Invariants
//!
//! * What may have been meant to refuse a run is never passed by.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::{CONFIG_LIMIT, CONFIG_NAME, Config, ConfigError};
use crate::atomic;

/// All settings, for whoever misspelled one.
const SETTINGS: [&str; 9] = [
    "artifacts",
    "on_dirty",
    "durability",
    "share",
    "stores",
    "snapshot",
    "lineage",
    "policy",
    "compare",
];

/// The setting that has nearly this name.
pub(super) fn near(name: &str) -> Option<&'static str> {
    birthmark_core::near::nearest(name, SETTINGS)
}

/// The settings that can refuse a run.
const CAN_REFUSE: [&str; 2] = ["on_dirty", "policy"];
/// What the words of those that refuse begin with, also where one is misspelled at its end.
const REFUSE: &str = "refus";

/// Whether what stands here may have been meant to refuse: a policy, `on_dirty`, a table of an
/// unknown name, or a value that says so.
fn could_refuse(text: &str, name: &str, value: &Spanned<DeValue<'_>>) -> bool {
    if SETTINGS.contains(&name) {
        return CAN_REFUSE.contains(&name);
    }
    let says_so = text
        .get(value.span())
        .is_none_or(|said| said.contains(REFUSE));
    value.get_ref().is_table() || says_so
}

impl Config {
    /// Reads what can be read, for a run that a misspelled setting must not stop; and what is
    /// wrong. What cannot be read has its default. Where what may refuse to run cannot be read
    /// this is an error all the same: nothing is passed by that was to be refused.
    pub fn read_leniently(root: &Path) -> Result<(Self, Option<ConfigError>), ConfigError> {
        let wrong = match Self::read(root) {
            Ok(config) => return Ok((config, None)),
            Err(error @ ConfigError::Io(_)) => return Err(error),
            Err(error) => error,
        };
        let bytes = atomic::read_limited(&root.join(CONFIG_NAME), CONFIG_LIMIT)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().map(|line| line.split('#').next());
        let may_refuse = lines.any(|line| line.is_some_and(|line| line.contains(REFUSE)));
        let (table, errors) = toml::de::DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            // Of a file that is no TOML nothing is believed.
            return if may_refuse {
                Err(wrong)
            } else {
                Ok((Self::default(), Some(wrong)))
            };
        }
        let mut config = Self::default();
        for (key, value) in table.get_ref() {
            let mut one = config.clone();
            if one.take(&text, key, value).is_ok() {
                config = one;
            } else if may_refuse && could_refuse(&text, key.get_ref(), value) {
                return Err(wrong);
            }
        }
        Ok((config, Some(wrong)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Enforce, OnDirty};
    use super::*;
    use crate::atomic::Durability;

    #[test]
    fn only_what_can_refuse_nothing_is_passed_by() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = dir.path().join(CONFIG_NAME);
            atomic::replace(&path, text.as_bytes(), Durability::Process).unwrap();
            Config::read_leniently(dir.path())
        };
        let policy = "[policy]\nenforce = \"refuse\"\ntraining_data = [\"seed set\"]\n";
        let (config, wrong) = read(&format!("artefacts = \"out\"\n{policy}")).unwrap();
        assert!(
            wrong
                .unwrap()
                .to_string()
                .contains("did you mean `artifacts`?")
        );
        assert_eq!(config.policy.enforce.value, Enforce::Refuse);
        assert_eq!(config.policy.rules.len(), 1);
        let (config, wrong) = read("artifacts = 3\non_dirty = \"warn\"\n").unwrap();
        assert!(wrong.is_some() && config.on_dirty.value == OnDirty::Warn);
        assert_eq!(read("a = \n").unwrap().0, Config::default());
        for text in [
            "on_drity = \"refuse\"\n",
            "on_dirty = \"refus\"\n",
            "[polcy]\nenforce = \"refuse\"\n",
            "[policy]\nenforce = \"refuse\"\nx = [\"seed se\"]\n",
            "[policy]\nenforce = \"refuse\"\nx = [\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
