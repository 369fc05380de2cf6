//! May two things be compared? A verdict, its reasons, and what moved.
//!
//! Each field is of a class: the *subject* is meant to differ, the *instrument* must not,
//! the *environment* should not matter but may. [`TABLE`] says which is which; a field that
//! stands nowhere in it is shown, and is a caveat when it moved.
//!
//! | | moved | missing on one side | missing on both |
//! |---|---|---|---|
//! | subject | meant to | a note | a caveat where no model is named at all |
//! | instrument, required | not comparable | cannot tell | cannot tell |
//! | instrument, expected | not comparable | cannot tell | a caveat |
//! | instrument, optional | not comparable | cannot tell | nothing |
//! | environment | a caveat | a caveat | a caveat, once |
//! | in no class | a caveat | a caveat | |
//!
//! How the two runs were started (`run.command`, `run.seeds`) is no field of a birthmark: of
//! two evaluations their journals are asked, and what differs there is a caveat.
//!
//! # Invariants
//!
//! * Comparable is earned: what is not known is never taken for equal.
//! * A field that cannot matter is not counted, and the row says why.
//! * What is accepted is said in the verdict.
//!
//! # Limitations
//!
//! * An engine's defaults are not guessed: a parameter that one side wrote out and the
//!   other left out is unknown there.

mod classes;
mod code;
mod command;
mod dataset;
mod environment;
pub mod items;
mod judge;
mod missing;
mod pair;
mod ran;
pub mod scores;
mod settle;
mod values;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::birthmark::Fields;

pub use classes::{Class, Need, Rule, TABLE, class_of, is_known, is_meant};
pub use code::{Between, Changed, CodeBetween, Commit, Part, is_prose, version};
pub use command::{Command, HASH_SEED};
pub use items::{Match, Matching, matching};
pub use judge::judge;
pub use ran::{Held, Loaded, Ran};
pub use values::equal;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing that must not differ does, and all of it is known.
    Comparable,
    /// The same, but for what the caveats say.
    Caveats,
    /// It cannot be told: something that must be known is not.
    CannotTell,
    /// Something that must not differ does.
    NotComparable,
}

impl Verdict {
    /// The words for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Comparable => "comparable",
            Self::Caveats => "comparable with caveats",
            Self::CannotTell => "cannot tell",
            Self::NotComparable => "not comparable",
        }
    }

    /// What a shell is told: 0 comparable, with or without caveats, 1 not, 2 cannot tell.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Comparable | Self::Caveats => 0,
            Self::NotComparable => 1,
            Self::CannotTell => 2,
        }
    }
}

/// How much a reason weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Worth knowing; it changes nothing.
    Note,
    /// It may matter.
    Caveat,
    /// It keeps the verdict from being known.
    CannotTell,
    /// It forbids the comparison.
    NotComparable,
}

impl Weight {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Caveat => "caveat",
            Self::CannotTell => "cannot tell",
            Self::NotComparable => "not comparable",
        }
    }
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// How much it weighs.
    pub weight: Weight,
    /// A stable name: `moved`, `missing-one-side`, `missing-both`, `accepted` …
    pub code: &'static str,
    /// The field it speaks of.
    pub field: String,
    /// The sentence.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(
        weight: Weight,
        code: &'static str,
        field: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            weight,
            code,
            field: field.into(),
            text: text.into(),
        }
    }

    /// The reason as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "weight": self.weight.word(), "code": self.code, "field": self.field, "text": self.text })
    }
}

/// How a field stands on the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Known and equal.
    Same,
    /// Known and different.
    Moved,
    /// Known on one side only.
    MissingOne,
    /// Asked for, and known on neither.
    MissingBoth,
}

impl State {
    /// How two values stand, by what counts as equal.
    fn of(a: Option<&Value>, b: Option<&Value>, equal: impl Fn(&Value, &Value) -> bool) -> Self {
        match (a, b) {
            (Some(a), Some(b)) if equal(a, b) => Self::Same,
            (Some(_), Some(_)) => Self::Moved,
            (None, None) => Self::MissingBoth,
            _ => Self::MissingOne,
        }
    }

    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Moved => "moved",
            Self::MissingOne => "missing on one side",
            Self::MissingBoth => "missing on both",
        }
    }
}

/// One field on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name; of a nested one with dots.
    pub field: String,
    /// Its class.
    pub class: Class,
    /// How it stands.
    pub state: State,
    /// In A; `None` is not known.
    pub a: Option<Value>,
    /// In B.
    pub b: Option<Value>,
    /// Why it is not counted, where it is not.
    pub not_counted: Option<String>,
    /// Where a value comes from, if not from the report's own words: an engine's default.
    pub remark: Option<String>,
}

impl Row {
    /// The row as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "field": self.field, "class": self.class.word(), "state": self.state.word(),
            "a": self.a, "b": self.b, "not_counted": self.not_counted, "remark": self.remark,
        })
    }
}

/// One of the two.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// How it is called in sentences: `A`, `B`.
    pub name: String,
    /// Its birthmark; nothing where it carries none.
    pub birthmark: Option<Fields>,
    /// The environment it was made in, where that is known.
    pub environment: Fields,
    /// The packages that were installed there, with their versions, where the list is known.
    pub packages: Option<BTreeMap<String, String>>,
    /// Its system, where the birthmark tells of several.
    pub role: Option<String>,
    /// What is known of the code that made it, where that was recorded.
    pub ran: Option<Ran>,
    /// Of a dirty tree of which nothing was kept: the files that were edited, and what each was
    /// to the run. Nothing where that is not known.
    pub unkept: Option<Vec<Changed>>,
    /// How the run was started that made it, where that was recorded.
    pub command: Option<Command>,
    /// What changed in the code while it was made.
    pub drift: Vec<String>,
}

impl Side {
    /// A field as it stands in the birthmark.
    fn value(&self, name: &str) -> Option<&Value> {
        self.birthmark.as_ref()?.get(name)
    }
}

/// What was asked.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Options {
    /// Fields that are meant to differ, instead of those of the table.
    pub subject: Vec<String>,
    /// Fields whose move is taken knowingly.
    pub accept: Vec<String>,
    /// Both sides stand in one report: what it says, it says of both.
    pub one_report: bool,
    /// They are evaluations, which must say their dataset, template and decoding.
    pub evaluation: bool,
    /// Classes of fields as the project changed them, the later before the earlier.
    pub classes: Vec<(String, Class)>,
    /// What they hold is the same, so that a missing birthmark is only worth knowing.
    pub same_content: bool,
    /// Both were written by tools that have no loader of ours and no sentinels.
    pub other_tool: bool,
    /// Every item is known to ask the same on both sides, though no digest of the dataset
    /// may say so.
    pub same_items: bool,
}

/// The answer with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Its reasons, strongest first.
    pub reasons: Vec<Reason>,
    /// Every field, in the order of the table, then the rest.
    pub rows: Vec<Row>,
}

impl Judgement {
    /// Takes more reasons in: the verdict follows, the strongest stand first.
    pub fn add(&mut self, more: Vec<Reason>, options: &Options) {
        self.reasons.extend(more);
        settle::accept(&mut self.reasons, options);
        self.reasons
            .sort_by_key(|reason| std::cmp::Reverse(reason.weight));
        self.verdict = settle::verdict(&self.reasons);
    }
}
