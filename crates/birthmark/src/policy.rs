//! What the birthmarks of a project must say: held against them before they are written,
//! and wherever they are verified.
//!
//! The required minimum holds for every birthmark. A project's own rules stand in
//! `birthmark.toml` under `[policy]`; see [`birthmark_core::policy`] for how one is written.
//!
//! # Invariants
//!
//! * Refusing happens at an opening, before any work, and where a record's own fields break a rule:
//!   that record is not written, and those before it stay. Rules that only warn say it once.
//! * What cannot be told is said at the opening and never refused: most often a look of ours did
//!   not end in time, and that must not keep a run from its work. A rule that also says `set` refuses.
//! * A record is judged by what stands in it and, for fields that stand once in the
//!   session, by the file's whole birthmark.

mod records;

use birthmark_core::birthmark::Fields;
use birthmark_core::json;
use birthmark_core::policy::{Look, MINIMUM, Outcome};
use birthmark_core::{Timestamp, policy};
use birthmark_store::config::{Enforce, PlacedRule, Policy};
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::project::Project;
use crate::session::Session;
use crate::text;
use crate::verify::{self, Meter, Options, Report, Word};

pub(crate) use records::Watch;

/// What is not for a policy to judge: whether what a birthmark names is here to be asked.
const NOT_ASKED: [&str; 6] = [
    "commit-not-here",
    "digest-pending",
    "not-listed",
    "object-missing",
    "session-not-here",
    "snapshot-not-here",
];

/// What a check of the policy leaves open.
const NOT_JUDGED: &str = "where they came from: that commits and sessions are there and tell of them (only the policy was \
     judged; see `birthmark verify`)";

/// A rule that a birthmark does not simply meet.
pub(crate) struct Finding<'a> {
    pub(crate) placed: &'a PlacedRule,
    pub(crate) outcome: Outcome,
}

/// The rules that a birthmark does not simply meet.
pub(crate) fn findings<'a>(policy: &'a Policy, look: &Look<'_>, early: bool) -> Vec<Finding<'a>> {
    let kind = look("artifact_type").and_then(json::as_text_lossy);
    let kind = kind.unwrap_or_default();
    let judged = policy.rules_for(&kind).map(|placed| Finding {
        placed,
        outcome: if early {
            placed.rule.judge_early(look)
        } else {
            placed.rule.judge(look)
        },
    });
    judged
        .filter(|finding| !matches!(finding.outcome, Outcome::Holds | Outcome::NotYet(_)))
        .collect()
}

impl Finding<'_> {
    /// `rule `seed required` (birthmark.toml line 7): seed is missing`.
    pub(crate) fn text(&self) -> String {
        let why = match &self.outcome {
            Outcome::Holds => "",
            Outcome::Noted(why)
            | Outcome::NotYet(why)
            | Outcome::CannotTell(why)
            | Outcome::Broken(why) => why,
        };
        format!(
            "rule `{}` ({}): {}",
            self.placed.rule.text(),
            self.placed.place(),
            text::short(why, 160)
        )
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.outcome, Outcome::Broken(_))
    }

    fn is_untold(&self) -> bool {
        matches!(self.outcome, Outcome::CannotTell(_))
    }
}

fn texts<'a>(found: &[Finding<'a>], wanted: fn(&Finding<'a>) -> bool) -> Vec<String> {
    let found = found.iter().filter(|finding| wanted(finding));
    found.map(Finding::text).collect()
}

/// The rules that a birthmark does not meet which is written all the same, as texts.
#[derive(Debug, Clone, Default)]
pub struct Unmet {
    /// Those that it breaks, where they only warn.
    pub breaks: Vec<String>,
    /// Those that cannot be told, since a field is null.
    pub cannot_tell: Vec<String>,
}

impl Unmet {
    fn of(found: &[Finding<'_>]) -> Self {
        Self {
            breaks: texts(found, Finding::is_broken),
            cannot_tell: texts(found, Finding::is_untold),
        }
    }

    /// A line for each, about `what`: a file, or a record of one.
    pub fn said_of(&self, what: &str) -> Vec<String> {
        let breaks = self
            .breaks
            .iter()
            .map(|rule| format!("{what} breaks {rule}"));
        let untold = self.cannot_tell.iter();
        let untold = untold.map(|rule| format!("{what}: cannot tell {rule}"));
        breaks.chain(untold).collect()
    }
}

/// The rules that a birthmark does not meet which is about to be written; an error where it breaks
/// one and they refuse.
pub(crate) fn unmet(policy: &Policy, file: &str, birthmark: &Fields, early: bool) -> Result<Unmet> {
    if policy.rules.is_empty() {
        return Ok(Unmet::default());
    }
    let bytes = serde_json::to_vec(birthmark).unwrap_or_default();
    let found = findings(policy, &|name| json::get(&bytes, &[name]), early);
    let unmet = Unmet::of(&found);
    if unmet.breaks.is_empty() || policy.enforce.value != Enforce::Refuse {
        return Ok(unmet);
    }
    Err(refused(policy, file, birthmark, &unmet.breaks))
}

fn refused(policy: &Policy, file: &str, birthmark: &Fields, broken: &[String]) -> Error {
    let from = policy.enforce.from.as_deref().unwrap_or("the policy");
    let file = text::neutral(file);
    let message = format!("refused: `{file}` breaks {}", broken.join("; "));
    let mut hint = format!("{from} says enforce = \"refuse\"; nothing was written");
    if birthmark.get("git_dirty") == Some(&Value::Bool(true))
        && broken.iter().any(|line| line.contains("git_dirty"))
    {
        // Data is often staged before it is refused.
        hint.push_str("; what is staged counts as changed: commit it, or stamp data before `git add` (git restore --staged FILE)");
    }
    Error::new(Kind::Refused, "policy", message).with_hint(hint)
}

impl Session {
    fn policy(&self) -> &Policy {
        &self.project().config.policy
    }

    /// Whether the project has rules of its own.
    pub(crate) fn has_policy(&self) -> bool {
        !self.policy().rules.is_empty()
    }

    /// Holds a birthmark that is about to be written against the policy. `early` where
    /// each record may still bring fields of its own.
    pub(crate) fn obey_policy(
        &self,
        file: &str,
        artifact_type: &str,
        given: &Fields,
        early: bool,
    ) -> Result<()> {
        if !self.has_policy() {
            return Ok(());
        }
        let birthmark = self.birthmark(artifact_type, given);
        let unmet = unmet(self.policy(), file, &birthmark, early)?;
        for line in unmet.said_of(file) {
            self.say(&format!("birthmark: {line}"));
        }
        Ok(())
    }
}

/// The rules of a project in words: the type each is for, its text, and where it stands.
pub fn rules(project: &Project) -> Vec<(String, String, String)> {
    let minimum = MINIMUM.iter().map(|rule| {
        (
            policy::ANY_TYPE.to_owned(),
            (*rule).to_owned(),
            "always".to_owned(),
        )
    });
    let own = project.config.policy.rules.iter().map(|placed| {
        (
            placed.artifact_type.clone(),
            placed.rule.text().to_owned(),
            placed.place(),
        )
    });
    minimum.chain(own).collect()
}

/// The rules as JSON.
pub fn rules_json(project: &Project) -> Value {
    let rules: Vec<Value> = rules(project)
        .into_iter()
        .map(|(kind, rule, place)| json!({"artifact_type": kind, "rule": rule, "place": place}))
        .collect();
    json!({
        "enforce": match project.config.policy.enforce.value {
            Enforce::Warn => "warn",
            Enforce::Refuse => "refuse",
        },
        "rules": rules,
    })
}

/// Verifies what stands at `paths`, and keeps what fails it and what concerns the policy. A
/// session, commit or snapshot that is not here is no matter of it.
pub fn check(project: &Project, paths: &[std::path::PathBuf], now: Timestamp) -> Result<Report> {
    check_watched(project, paths, now, &Meter::default())
}

/// The same, while somebody watches how far it has come.
pub fn check_watched(
    project: &Project,
    paths: &[std::path::PathBuf],
    now: Timestamp,
    meter: &Meter,
) -> Result<Report> {
    let options = Options {
        require_stamped: true,
        ..Options::at(now)
    };
    let mut report = verify::verify_watched(project, paths, &options, meter)?;
    report.keep(|reason| match reason.word {
        Word::Failed | Word::Unstamped => true,
        Word::CannotTell => !NOT_ASKED.contains(&reason.code),
        Word::Caveat | Word::Verified => reason.code == "policy-noted",
    });
    report.not_proved = vec![NOT_JUDGED.to_owned()];
    report.of_rules = true;
    Ok(report)
}
