//! An evaluation as data: which systems, which metrics, which items, and what is known
//! of how it was made. Whatever tool wrote the report, it ends up here.
//!
//! ```text
//! Evaluation ── birthmark   its fields by our names; `sources` says where each stood
//!            ├─ systems     one a role, with its metrics
//!            ├─ items       ids, what they ask, and a column of scores a system and metric
//!            └─ notes       what was survived: no results, a time without a zone …
//! ```
//!
//! # Invariants
//!
//! * Numbers that are none (`NaN`, `Infinity`) are kept apart, never counted as scores.
//! * Items lie in columns: a million of them take tens of megabytes.
//!
//! # Limitations
//!
//! * More than 2^32 items of one report are not numbered.

mod items;
mod names;

use std::collections::BTreeMap;

use crate::birthmark::Fields;

pub use items::{Column, Items, Texts, is_pass};
pub use names::{is_count, is_rate, is_score, lower_is_better, metric_of_role};

/// Who wrote a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Birthmark: its birthmark names our format.
    Birthmark,
    /// Plain JSON with `summary` and `results`, whoever wrote it.
    #[default]
    Plain,
    /// EleutherAI's lm-evaluation-harness.
    LmEval,
    /// Inspect AI.
    Inspect,
    /// The Trainer of Hugging Face: its state, with losses and evaluations by step.
    Trainer,
}

impl Tool {
    /// The word for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Birthmark => "birthmark",
            Self::Plain => "plain",
            Self::LmEval => "lm-evaluation-harness",
            Self::Inspect => "inspect",
            Self::Trainer => "trainer",
        }
    }
}

/// A number as a report has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A finite number.
    Number(f64),
    /// `NaN`, an infinity, or text where a number should stand.
    NotANumber(String),
}

impl Reading {
    /// The finite number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::NotANumber(_) => None,
        }
    }
}

/// One number of one system.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name, without the role.
    pub name: String,
    /// Its value.
    pub value: Reading,
    /// The standard error that the report states.
    pub standard_error: Option<f64>,
    /// Whether more is better, where the report says so.
    pub higher_is_better: Option<bool>,
}

impl Metric {
    /// A metric that says nothing more of itself.
    pub fn new(name: impl Into<String>, value: Reading) -> Self {
        Self {
            name: name.into(),
            value,
            standard_error: None,
            higher_is_better: None,
        }
    }
}

/// One of the systems that a report is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct System {
    /// Its role in the report (`base`, `sft`); `None` where the report is about one.
    pub role: Option<String>,
    /// Its metrics, in the order of the report.
    pub metrics: Vec<Metric>,
}

impl System {
    /// The metric of this name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// What one report says.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// Who wrote it.
    pub tool: Tool,
    /// What is known of how it was made, by our names; `None` where nothing is.
    pub birthmark: Option<Fields>,
    /// The environment that it tells of.
    pub environment: Fields,
    /// Of each field that stood elsewhere or under another name: where.
    pub sources: BTreeMap<String, String>,
    /// Its systems.
    pub systems: Vec<System>,
    /// Its items.
    pub items: Items,
    /// How many items its summary speaks of.
    pub count: Option<usize>,
    /// What is worth knowing of how it was read.
    pub notes: Vec<String>,
    /// What was survived in reading it and may matter: no results, a time without a zone …
    pub problems: Vec<String>,
}

impl Evaluation {
    /// The note of JSON that is nothing but some numbers.
    pub const FORMLESS: &'static str = "it has neither `summary` nor `results`";

    /// Whether it has the form of a report, and is not any JSON that holds numbers.
    pub fn has_the_form(&self) -> bool {
        !self.notes.iter().any(|note| note == Self::FORMLESS)
    }

    /// The place of the system with this role.
    pub fn system(&self, role: &str) -> Option<usize> {
        self.systems
            .iter()
            .position(|system| system.role.as_deref() == Some(role))
    }

    /// The roles, in order.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.systems
            .iter()
            .filter_map(|system| system.role.as_deref())
    }

    /// Sets a field under our name, and where it stood.
    pub fn set(&mut self, name: &str, value: impl Into<serde_json::Value>, source: &str) {
        let fields = self.birthmark.get_or_insert_with(Fields::new);
        fields.insert(name.to_owned(), value.into());
        self.sources.insert(name.to_owned(), source.to_owned());
    }

    /// Whether it says neither a number nor an item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.systems.iter().all(|system| system.metrics.is_empty())
    }
}
