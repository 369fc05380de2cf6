//! May these be compared? The verdict, what moved, and whether the difference is real.
//!
//! The hall fetches: files, sessions, the commits between the two. What follows from them is
//! decided in `birthmark_core::compare`. The answer is data ([`Compared`]), which
//! [`render()`], [`Compared::to_json`] and the pages make readable.
//!
//! ```text
//! targets ── evaluations::load ── one Evaluation a file, its birthmark, its environment
//!                 │
//!            pairs: the first against each other
//!                 ├─ code::between      commits and files, and what ran of them
//!                 ├─ core: matching, judge, scores
//!                 └─ Holm over all tests, then the gate
//! ```
//!
//! # Invariants
//!
//! * Nothing is written, and nothing of what is read is run.
//! * The verdict of several pairs is that of the worst.

mod code;
mod evaluations;
mod gate;
mod imports;
mod render;
mod target;

use birthmark_core::Timestamp;
use birthmark_core::compare::scores::Scores;
use birthmark_core::compare::{self, CodeBetween, Judgement, Match, Matching, Verdict};
use birthmark_core::evaluation::Tool;
use serde_json::{Value, json};

use crate::error::{Error, Result};

pub use gate::{Gate, GateAnswer};
pub use render::render;
pub use target::Target;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Fields that are meant to differ, instead of those of the table.
    pub subject: Vec<String>,
    /// Fields whose move is taken knowingly.
    pub accept: Vec<String>,
    /// How items are matched; by default by id, else by digest.
    pub match_by: Option<Match>,
    /// The seed of what is drawn at random.
    pub seed: u64,
    /// What must hold for a pipeline to go on.
    pub gate: Gate,
    /// The time of the question.
    pub now: Timestamp,
}

impl Options {
    /// The usual question, at a time.
    pub fn at(now: Timestamp) -> Self {
        Self {
            subject: Vec::new(),
            accept: Vec::new(),
            match_by: None,
            seed: 0,
            gate: Gate::default(),
            now,
        }
    }
}

/// One of what was compared.
#[derive(Debug, Clone)]
pub struct Party {
    /// Its letter.
    pub letter: String,
    /// The file as it was named.
    pub file: String,
    /// The system that was asked for.
    pub role: Option<String>,
    /// Who wrote it.
    pub tool: Tool,
    /// Roles that it tells of.
    pub roles: Vec<String>,
    /// Its items.
    pub items: usize,
    /// When it was made, as it says.
    pub timestamp: Option<String>,
    /// What was survived in reading it.
    pub notes: Vec<String>,
    /// Where fields stood that are called otherwise there.
    pub sources: std::collections::BTreeMap<String, String>,
}

/// Two of them against each other.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The place of the first among the parties.
    pub a: usize,
    /// The place of the second.
    pub b: usize,
    /// The verdict with all it rests on.
    pub judgement: Judgement,
    /// The code between them.
    pub code: CodeBetween,
    /// Which item is which.
    pub matching: Matching,
    /// Scores, by the role they are of where several are compared.
    pub scores: Vec<(Option<String>, Scores)>,
    /// Roles that only one of the two has.
    pub unpaired: [Vec<String>; 2],
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What was compared.
    pub parties: Vec<Party>,
    /// The first against each other.
    pub pairs: Vec<Pair>,
    /// How many tests were made; from two on their p-values are corrected.
    pub looks: usize,
    /// Whether all stand in one report.
    pub one_report: bool,
    /// What the gate answered.
    pub gate: GateAnswer,
    /// The seed.
    pub seed: u64,
}

impl Compared {
    /// The verdict: that of the worst pair.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.pairs.iter().map(|pair| pair.judgement.verdict);
        verdicts.max().unwrap_or(Verdict::CannotTell)
    }

    /// What a shell is told: 0 comparable and the gate holds, 1 not, 2 cannot tell.
    pub fn exit_code(&self) -> u8 {
        match self.verdict().exit_code() {
            0 => self.gate.exit_code(),
            other => other,
        }
    }

    /// Everything, as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "verdict": self.verdict().word(),
            "exit_status": self.exit_code(),
            "reasons": self.worst().map(|pair| reasons(&pair.judgement)),
            "gate": self.gate.to_json(),
            "one_report": self.one_report,
            "parties": self.parties.iter().map(Party::to_json).collect::<Vec<_>>(),
            "pairs": self.pairs.iter().map(|pair| self.pair_json(pair)).collect::<Vec<_>>(),
            "tests": self.looks,
            "correction": (self.looks > 1).then_some("holm"),
            "seed": self.seed,
        })
    }

    /// The pair whose verdict is that of the whole.
    pub fn worst(&self) -> Option<&Pair> {
        let verdict = self.verdict();
        self.pairs
            .iter()
            .find(|pair| pair.judgement.verdict == verdict)
    }

    fn pair_json(&self, pair: &Pair) -> Value {
        let letter = |place: usize| self.parties.get(place).map(|party| &party.letter);
        let scores: Vec<Value> = pair
            .scores
            .iter()
            .flat_map(|(_, scores)| &scores.rows)
            .map(birthmark_core::compare::scores::Score::to_json)
            .collect();
        let only: Vec<Value> = pair
            .scores
            .iter()
            .filter(|(_, scores)| !(scores.only_a.is_empty() && scores.only_b.is_empty()))
            .map(|(role, scores)| json!({ "role": role, "only_a": scores.only_a, "only_b": scores.only_b }))
            .collect();
        json!({
            "a": letter(pair.a),
            "b": letter(pair.b),
            "verdict": pair.judgement.verdict.word(),
            "reasons": reasons(&pair.judgement),
            "fields": pair.judgement.rows.iter().map(compare::Row::to_json).collect::<Vec<_>>(),
            "code": pair.code.to_json(),
            "items": {
                "matched_by": pair.matching.how.map(Match::word),
                "paired": pair.matching.pairs.len(),
                "only_a": pair.matching.only_a.len(),
                "only_b": pair.matching.only_b.len(),
                "more_than_once_in_a": pair.matching.twice_a.len(),
                "more_than_once_in_b": pair.matching.twice_b.len(),
                "ask_something_else": pair.matching.changed.len(),
            },
            "scores": scores,
            "metrics_on_one_side": only,
            "roles_on_one_side": { "a": pair.unpaired[0], "b": pair.unpaired[1] },
        })
    }
}

fn reasons(judgement: &Judgement) -> Vec<Value> {
    judgement
        .reasons
        .iter()
        .map(compare::Reason::to_json)
        .collect()
}

impl Party {
    fn to_json(&self) -> Value {
        json!({
            "letter": self.letter,
            "file": self.file,
            "role": self.role,
            "written_by": self.tool.word(),
            "roles": self.roles,
            "items": self.items,
            "timestamp": self.timestamp,
            "notes": self.notes,
            "sources": self.sources,
        })
    }
}

/// Compares evaluation reports: the first with each other, or the systems inside of one.
pub fn compare(targets: &[Target], options: &Options) -> Result<Compared> {
    if targets.is_empty() {
        return Err(Error::usage("nothing", "there is nothing to compare"));
    }
    evaluations::compare(targets, options)
}
