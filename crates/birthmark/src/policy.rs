//! What the birthmarks of a project must say: held against them before they are written,
//! and wherever they are verified.
//!
//! The required minimum holds for every birthmark. A project's own rules stand in
//! `birthmark.toml` under `[policy]`; see [`birthmark_core::policy`] for how one is written.
//!
//! # Invariants
//!
//! * Refusing happens at an opening, before any work. A record that was paid for is always
//!   written: what its own fields break is said once, and `verify` fails.
//! * A record is judged by what stands in it and, for fields that stand once in the
//!   session, by the file's whole birthmark.

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

/// What is not for a policy to judge: whether what a birthmark names is here to be asked.
const NOT_ASKED: [&str; 5] = [
    "commit-not-here",
    "digest-pending",
    "not-listed",
    "session-not-here",
    "snapshot-not-here",
];

/// What a check of the policy leaves open.
const NOT_JUDGED: &str =
    "that commits and sessions are there (only the policy was judged; see `birthmark verify`)";

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
        .filter(|finding| finding.outcome != Outcome::Holds)
        .collect()
}

impl Finding<'_> {
    /// `rule `seed required` (birthmark.toml line 7): seed is missing`.
    pub(crate) fn text(&self) -> String {
        let why = match &self.outcome {
            Outcome::Holds => "",
            Outcome::Noted(why) | Outcome::CannotTell(why) | Outcome::Broken(why) => why,
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
}

/// The rules that a birthmark breaks which is about to be written, where they only warn; an
/// error where they refuse.
pub(crate) fn broken(
    policy: &Policy,
    file: &str,
    birthmark: &Fields,
    early: bool,
) -> Result<Vec<String>> {
    if policy.rules.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = serde_json::to_vec(birthmark).unwrap_or_default();
    let found = findings(policy, &|name| json::get(&bytes, &[name]), early);
    let found = found.iter().filter(|finding| finding.is_broken());
    let broken: Vec<String> = found.map(Finding::text).collect();
    if broken.is_empty() || policy.enforce.value != Enforce::Refuse {
        return Ok(broken);
    }
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
    Err(Error::new(Kind::Refused, "policy", message).with_hint(hint))
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
        for line in broken(self.policy(), file, &birthmark, early)? {
            self.say(&format!("birthmark: {file}: breaks {line}"));
        }
        Ok(())
    }

    /// Says once what the birthmark of a first record breaks: fields that are its own were not
    /// known before.
    pub(crate) fn judge_first_record(&self, file: &str, record: &[u8], whole: &Fields) {
        let whole = serde_json::to_vec(whole).unwrap_or_default();
        let look = |name: &str| json::get(record, &[name]).or_else(|| json::get(&whole, &[name]));
        let early = findings(self.policy(), &|name| json::get(&whole, &[name]), true);
        let known = |finding: &Finding<'_>| {
            early
                .iter()
                .any(|one| one.placed == finding.placed && one.is_broken())
        };
        for finding in findings(self.policy(), &look, false) {
            if finding.is_broken() && !known(&finding) {
                self.say(&format!(
                    "birthmark: {file}: a record breaks {}",
                    finding.text()
                ));
            }
        }
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
    Ok(report)
}
