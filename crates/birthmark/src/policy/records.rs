//! The records of a file held against the policy as they come.
//!
//! # Invariants
//!
//! * A record is judged where it brings a field that a rule looks at, and the first of each form:
//!   of the others the answer is that of the first.
//! * Before it is written: where rules refuse, a record that breaks one is not.

use std::mem::discriminant;

use birthmark_core::birthmark::Fields;
use birthmark_core::json;
use birthmark_core::policy::Outcome;
use birthmark_store::config::{Enforce, PlacedRule, Policy};

use super::{Finding, Unmet, findings, texts};
use crate::error::{Error, Kind, Result};
use crate::session::Session;
use crate::template::RecordField;
use crate::text;

/// What is judged of the records of one file.
pub(crate) struct Watch {
    session: Session,
    file: String,
    /// The fields that rules look at.
    ruled: Vec<String>,
    /// The birthmark of the file: for fields that stand once in the session.
    whole: Vec<u8>,
    /// What was said: at the opening, or of a record.
    said: Vec<(PlacedRule, std::mem::Discriminant<Outcome>)>,
}

impl Watch {
    /// Over a file that is being written; none where the project has no rules.
    pub(crate) fn new(session: &Session, file: &str, birthmark: &Fields) -> Option<Self> {
        if !session.has_policy() {
            return None;
        }
        let policy = session.policy();
        let whole = serde_json::to_vec(birthmark).unwrap_or_default();
        let early = findings(policy, &|name| json::get(&whole, &[name]), true);
        let said = early.iter().map(print).collect();
        Some(Self {
            session: session.clone(),
            file: file.to_owned(),
            ruled: policy.fields().into_iter().map(str::to_owned).collect(),
            said,
            whole,
        })
    }

    /// Whether a record with these fields is to be judged that is not the first of its form.
    pub(crate) fn looks_at(&self, fields: &[RecordField<'_>]) -> bool {
        let is_ruled = |(name, _): &RecordField<'_>| {
            self.ruled.iter().any(|ruled| {
                ruled == name
                    || name
                        .strip_prefix(ruled.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        fields.iter().any(is_ruled)
    }

    /// Judges the birthmark of `count` records that are about to be written; an error where it
    /// breaks a rule and rules refuse.
    pub(crate) fn judge(&mut self, record: &[u8], count: usize) -> Result<()> {
        let session = self.session.clone();
        let policy = session.policy();
        let whole = &self.whole;
        let look = |name: &str| json::get(record, &[name]).or_else(|| json::get(whole, &[name]));
        let mut found = findings(policy, &look, false);
        if policy.enforce.value == Enforce::Refuse {
            let broken = texts(&found, Finding::is_broken);
            if !broken.is_empty() {
                return Err(refused(policy, &self.file, &broken, count));
            }
        }
        found.retain(|finding| !self.said.contains(&print(finding)));
        self.said.extend(found.iter().map(print));
        for line in Unmet::of(&found).said_of(&format!("{}: a record", self.file)) {
            session.say(&format!("birthmark: {line}"));
        }
        Ok(())
    }
}

fn print(finding: &Finding<'_>) -> (PlacedRule, std::mem::Discriminant<Outcome>) {
    (finding.placed.clone(), discriminant(&finding.outcome))
}

fn refused(policy: &Policy, file: &str, broken: &[String], count: usize) -> Error {
    let from = policy.enforce.from.as_deref().unwrap_or("the policy");
    let (file, broken) = (text::neutral(file), broken.join("; "));
    let (what, verb) = match count {
        1 => ("this record".to_owned(), "breaks"),
        many => (
            format!("these {}", text::count(many as u64, "record")),
            "break",
        ),
    };
    let message = format!("refused: `{file}`: {what} {verb} {broken}");
    let hint =
        format!("{from} says enforce = \"refuse\"; {what} was not written, those before stay");
    let hint = if count == 1 {
        hint
    } else {
        hint.replace(" was not", " were not")
    };
    Error::new(Kind::Refused, "policy", message).with_hint(hint)
}
