//! A policy: what the birthmarks of a project must say, in rules that a person can read.
//!
//! ```text
//! template_disabled = true
//! seed required
//! git_dirty = false or git_snapshot set
//! temperature = 0..1 if do_sample = true
//! dataset.digest required
//! ```
//!
//! # Invariants
//!
//! * Four outcomes, and none by default: a rule *holds*, holds with a field that is *noted* as
//!   unknown, *cannot be told*, or is *broken*. A null is never taken for a value. Before all
//!   fields are given there is a fifth: it is *not told yet*.
//! * `required` is met by a null that gives its reason, as in the required minimum of every
//!   birthmark; every other test must be shown to hold by a value.
//! * Numbers are compared by their text, exactly, at any length.
//!
//! # Limits
//!
//! * A rule sees one birthmark. What two of them must share is for `compare`.

mod parse;
mod test;

use std::borrow::Cow;
use std::fmt;

use crate::json;

pub use parse::PolicyError;
pub use test::{Operator, Test};

/// The rules that hold for every birthmark, whatever a project says: the required minimum.
pub const MINIMUM: [&str; 3] = [
    "git_commit required",
    "timestamp required",
    "artifact_type required",
];

/// The type that stands for all types in a policy.
pub const ANY_TYPE: &str = "*";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    must: Condition,
    when: Option<Condition>,
}

/// What must hold, made of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// What a rule says of one birthmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it must be.
    Holds,
    /// It is, but a required field is null, with this reason.
    Noted(String),
    /// It is not told yet: a field that it needs may still be given.
    NotYet(String),
    /// It cannot be told, for this reason.
    CannotTell(String),
    /// It is not, for this reason.
    Broken(String),
}

/// A birthmark, as a rule sees it: the raw JSON of a field of the top level.
pub type Look<'a> = dyn Fn(&str) -> Option<&'a [u8]> + 'a;

impl Rule {
    /// Reads a rule. An error names the place in `text` where it goes wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (must, when) = parse::rule(text)?;
        Ok(Self {
            text: text.trim().to_owned(),
            must,
            when,
        })
    }

    /// The rule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields of the top level that it looks at.
    pub fn fields(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for condition in std::iter::once(&self.must).chain(&self.when) {
            condition.collect(&mut names);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Holds the rule against a birthmark that is finished.
    pub fn judge(&self, look: &Look<'_>) -> Outcome {
        self.judge_with(look, false)
    }

    /// Holds the rule against a birthmark whose missing fields may still come, as those that
    /// each record is given: then what hangs on a missing one is not told yet.
    pub fn judge_early(&self, look: &Look<'_>) -> Outcome {
        self.judge_with(look, true)
    }

    fn judge_with(&self, look: &Look<'_>, early: bool) -> Outcome {
        let must = || self.must.judge(look, early);
        match self.when.as_ref().map(|when| when.judge(look, early)) {
            Some(Outcome::Broken(_)) => Outcome::Holds,
            Some(untold @ (Outcome::CannotTell(_) | Outcome::NotYet(_))) => match must() {
                Outcome::Broken(_) => untold,
                other => other,
            },
            None | Some(Outcome::Holds | Outcome::Noted(_)) => must(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.collect(names);
                }
            }
            Self::Not(part) => part.collect(names),
            Self::Test(test) => names.push(test.top_field()),
        }
    }

    fn judge(&self, look: &Look<'_>, early: bool) -> Outcome {
        match self {
            Self::All(parts) => all(parts.iter().map(|part| part.judge(look, early))),
            Self::Any(parts) => any(parts.iter().map(|part| part.judge(look, early))),
            Self::Not(part) => match part.judge(look, early) {
                Outcome::Broken(_) => Outcome::Holds,
                Outcome::Holds | Outcome::Noted(_) => {
                    Outcome::Broken(format!("{part} holds, and must not"))
                }
                untold @ (Outcome::CannotTell(_) | Outcome::NotYet(_)) => untold,
            },
            Self::Test(test) => test.judge(look, early),
        }
    }
}

/// The worst of all.
fn all(parts: impl Iterator<Item = Outcome>) -> Outcome {
    parts.fold(Outcome::Holds, |worst, next| {
        if next.rank() > worst.rank() {
            next
        } else {
            worst
        }
    })
}

/// The best of any; where none holds, all their reasons.
fn any(parts: impl Iterator<Item = Outcome>) -> Outcome {
    let mut best = None::<Outcome>;
    let mut reasons: Vec<String> = Vec::new();
    for next in parts {
        if let Outcome::Broken(why) | Outcome::CannotTell(why) | Outcome::NotYet(why) = &next {
            reasons.push(why.clone());
        }
        if best.as_ref().is_none_or(|best| next.rank() < best.rank()) {
            best = Some(next);
        }
    }
    match best.unwrap_or(Outcome::Holds) {
        Outcome::Broken(_) => Outcome::Broken(reasons.join(" and ")),
        Outcome::CannotTell(_) => Outcome::CannotTell(reasons.join(" and ")),
        Outcome::NotYet(_) => Outcome::NotYet(reasons.join(" and ")),
        held => held,
    }
}

impl Outcome {
    fn rank(&self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Noted(_) => 1,
            Self::NotYet(_) => 2,
            Self::CannotTell(_) => 3,
            Self::Broken(_) => 4,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    write!(f, " {word} ")?;
                }
                match part {
                    Self::Any(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(parts) => list(f, parts, "and"),
            Self::Any(parts) => list(f, parts, "or"),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Test(test) => write!(f, "{test}"),
        }
    }
}

/// Why a field is null, as the birthmark says it.
fn reason_of<'a>(look: &Look<'a>, field: &str) -> Option<Cow<'a, str>> {
    let reasons = look("unknown")?;
    let why = json::as_text_lossy(json::get(reasons, &[field])?)?;
    (!why.trim().is_empty()).then_some(why)
}

#[cfg(test)]
mod tests;
