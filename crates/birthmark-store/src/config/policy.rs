//! `[policy]`: what the birthmarks of this project must say, rule by rule, each with its line.
//!
//! ```toml
//! [policy]
//! enforce = "refuse"                    # or "warn", the default; `verify` always judges
//! "*" = ["git_dirty = false or git_snapshot set"]
//! training_data = ["template_disabled = true", "seed required"]
//! evaluation = ["dataset.digest required"]
//! ```

use std::borrow::Cow;
use std::ops::Range;

use birthmark_core::policy::{ANY_TYPE, Rule};
use toml::Spanned;
use toml::de::DeValue;

use super::{CONFIG_NAME, Setting, line_of};

/// What a writer does when its birthmark would break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Enforce {
    /// Say so in one line and go on.
    #[default]
    Warn,
    /// Refuse to open the file.
    Refuse,
}

/// A rule, whom it is for, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRule {
    /// The artifact type, or `*` for all.
    pub artifact_type: String,
    /// The rule.
    pub rule: Rule,
    /// The line of `birthmark.toml`, from 1.
    pub line: usize,
}

impl PlacedRule {
    /// `birthmark.toml line 7`.
    pub fn place(&self) -> String {
        format!("{CONFIG_NAME} line {}", self.line)
    }

    /// Whether it is for this type of artifact.
    pub fn is_for(&self, artifact_type: &str) -> bool {
        self.artifact_type == ANY_TYPE || self.artifact_type == artifact_type
    }
}

/// A project's policy beyond the required minimum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// `enforce`: `"warn"` or `"refuse"`.
    pub enforce: Setting<Enforce>,
    /// The rules, in the order of the file.
    pub rules: Vec<PlacedRule>,
}

impl Policy {
    /// The rules for a type of artifact.
    pub fn rules_for(&self, artifact_type: &str) -> impl Iterator<Item = &PlacedRule> {
        self.rules
            .iter()
            .filter(move |placed| placed.is_for(artifact_type))
    }

    /// The fields of the top level that any rule looks at.
    pub fn fields(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .rules
            .iter()
            .flat_map(|placed| placed.rule.fields())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

type Place = Range<usize>;
type Key<'a> = Spanned<Cow<'a, str>>;

/// Reads the table. An error says which bytes of the file are wrong, and why.
pub(super) fn read(
    text: &str,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Policy, (Place, String)> {
    let Some(table) = value.get_ref().as_table() else {
        return Err((key.span(), "`policy` must be a table: [policy]".to_owned()));
    };
    let mut policy = Policy::default();
    for (name, value) in table {
        if name.get_ref() == "enforce" {
            policy.enforce = enforce(text, name, value)?;
            continue;
        }
        rules(text, name, value, &mut policy.rules)?;
    }
    // A table is in the order of its keys; people read by lines.
    policy.rules.sort_by_key(|placed| placed.line);
    Ok(policy)
}

fn enforce(
    text: &str,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<Setting<Enforce>, (Place, String)> {
    let word = match value.get_ref().as_str() {
        Some("warn") => Enforce::Warn,
        Some("refuse") => Enforce::Refuse,
        _ => {
            let reason = "`enforce` must be \"warn\" or \"refuse\"".to_owned();
            return Err((value.span(), reason));
        }
    };
    let line = line_of(text, key.span().start);
    Ok(Setting {
        value: word,
        from: Some(format!("{CONFIG_NAME} line {line}")),
    })
}

fn rules(
    text: &str,
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
    rules: &mut Vec<PlacedRule>,
) -> Result<(), (Place, String)> {
    let wrong = |span: Place| {
        let reason = format!(
            "`{0}` must be a list of rules: {0} = [\"seed required\"]",
            key.get_ref()
        );
        (span, reason)
    };
    let list = value
        .get_ref()
        .as_array()
        .ok_or_else(|| wrong(value.span()))?;
    for item in list {
        let rule = item.get_ref().as_str().ok_or_else(|| wrong(item.span()))?;
        let parsed = Rule::parse(rule).map_err(|error| {
            let head: String = rule.get(..error.at).unwrap_or(rule).to_owned();
            let reason = format!("rule `{rule}`: after `{head}`: {error}");
            (item.span(), reason)
        })?;
        rules.push(PlacedRule {
            artifact_type: key.get_ref().to_string(),
            rule: parsed,
            line: line_of(text, item.span().start),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const TEXT: &str = "on_dirty = \"warn\"\n\n[policy]\nenforce = \"refuse\"\n\
        training_data = [\n  \"template_disabled = true\",\n  \"seed required\",\n]\n\
        \"*\" = [\"git_dirty = false\"]\n";

    #[test]
    fn each_rule_knows_its_line_and_its_type() {
        let policy = Config::parse(TEXT).unwrap().policy;
        assert_eq!(policy.enforce.value, Enforce::Refuse);
        let lines: Vec<(usize, &str)> = policy
            .rules
            .iter()
            .map(|placed| (placed.line, placed.rule.text()))
            .collect();
        assert_eq!(
            lines,
            [
                (6, "template_disabled = true"),
                (7, "seed required"),
                (9, "git_dirty = false")
            ]
        );
        assert_eq!(policy.rules_for("evaluation").count(), 1);
        assert_eq!(policy.rules_for("training_data").count(), 3);
        assert_eq!(policy.fields(), ["git_dirty", "seed", "template_disabled"]);
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_line() {
        for (text, line, word) in [
            (
                "[policy]\nevaluation = [\n\"seed set\",\n\"seed sett\"]\n",
                4,
                "after `seed `",
            ),
            (
                "[policy]\nevaluation = \"seed set\"\n",
                2,
                "a list of rules",
            ),
            ("[policy]\nevaluation = [1]\n", 2, "a list of rules"),
            ("\npolicy = 3\n", 2, "must be a table"),
            ("[policy]\nenforce = \"no\"\n", 2, "\"refuse\""),
        ] {
            let (span, reason) = Config::parse(text).unwrap_err();
            assert_eq!(line_of(text, span.start), line, "{text}: {reason}");
            assert!(reason.contains(word), "{reason}");
        }
    }
}
