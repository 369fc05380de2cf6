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

mod classes;
mod code;
mod edited;
mod evaluations;
mod gate;
mod html;
mod imports;
mod markdown;
mod packages;
mod record;
mod records;
mod render;
mod target;
mod things;

use birthmark_core::Timestamp;
use birthmark_core::compare::scores::{Score, Scores};
use birthmark_core::compare::{
    self, Class, CodeBetween, Held, Judgement, Match, Matching, Verdict,
};
use birthmark_core::evaluation::Tool;
use serde_json::{Value, json};

use crate::error::{Error, Result};

pub use classes::{ClassOf, classes};
pub use gate::{Gate, GateAnswer};
pub use html::html;
pub use markdown::markdown;
pub use records::RecordsDiff;
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
    /// Classes of fields as the project changed them.
    pub classes: Vec<(String, Class)>,
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
            classes: Vec::new(),
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
    /// The modules that the two loaded, where that was recorded of both.
    pub loaded: Option<Held>,
    /// Which item is which.
    pub matching: Matching,
    /// Scores, by the role they are of where several are compared.
    pub scores: Vec<(Option<String>, Scores)>,
    /// Roles that only one of the two has.
    pub unpaired: [Vec<String>; 2],
    /// Of two datasets: their records.
    pub records: Option<RecordsDiff>,
}

impl Pair {
    /// All scores, whatever role they are of.
    fn score_rows(&self) -> impl Iterator<Item = &Score> {
        self.scores.iter().flat_map(|(_, scores)| &scores.rows)
    }
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Compared {
    /// `evaluation`, `dataset`, `artifact`, `session` or `record`.
    pub kind: &'static str,
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
            "kind": self.kind,
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
        let scores: Vec<Value> = pair.score_rows().map(Score::to_json).collect();
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
            "loaded": pair.loaded.as_ref().map(Held::to_json),
            "items": {
                "matched_by": pair.matching.how.map(Match::word),
                "paired": pair.matching.pairs.len(),
                "only_a": pair.matching.only_a.len(),
                "only_b": pair.matching.only_b.len(),
                "more_than_once_in_a": pair.matching.twice_a.len(),
                "more_than_once_in_b": pair.matching.twice_b.len(),
                "ask_something_else": pair.matching.changed.len(),
            },
            "records": pair.records.as_ref().map(RecordsDiff::to_json),
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

/// Compares what was named: the first with each other, or the systems inside of one report.
pub fn compare(targets: &[Target], options: &Options) -> Result<Compared> {
    let Some(first) = targets.first() else {
        return Err(Error::usage("nothing", "there is nothing to compare"));
    };
    options.gate.check()?;
    let options = with_project(first, options)?;
    let mut reports = Vec::new();
    for target in targets {
        reports.push(is_report(target)?);
    }
    if reports.iter().all(|report| *report) {
        let compared = evaluations::compare(targets, &options)?;
        return classes::meant(compared, &options);
    }
    let mixed = reports.contains(&true) || targets.iter().any(|target| target.role.is_some());
    let other = reports
        .iter()
        .position(|report| !report)
        .map(|place| &targets[place]);
    if let Some(other) = other.filter(|other| mixed && other.path.exists()) {
        if other
            .path
            .metadata()
            .is_ok_and(|found| found.is_file() && found.len() == 0)
        {
            let message = format!("`{}` is an empty file", other.name());
            return Err(Error::usage("empty-report", message)
                .with_hint("the tool that should have written it did not; look for its own log"));
        }
        let message = format!("`{}` is no evaluation report", other.name());
        return Err(Error::usage("no-report", message).with_hint("a report is one JSON object"));
    }
    classes::meant(things::compare(targets, &options)?, &options)
}

/// Whether a target is an evaluation report. A folder, a JSONL file or a session is none.
fn is_report(target: &Target) -> Result<bool> {
    let path = &target.path;
    if !path.is_file()
        || target.line.is_some()
        || birthmark_store::Layout::session_of_manifest(path).is_some()
        || path
            .to_string_lossy()
            .ends_with(birthmark_core::schema::SIDECAR_SUFFIX)
    {
        return Ok(false);
    }
    crate::evaluation::is_report(path)
}

/// The options with the classes that the project's settings change.
fn with_project(first: &Target, options: &Options) -> Result<Options> {
    let project = crate::sessions::project_of(&first.path)?;
    let mut options = options.clone();
    options.classes.extend(classes::set_by(&project));
    Ok(options)
}

/// The letter of the party at a place: `A`, `B`, … `Z`, `A1`.
fn letter(place: usize) -> String {
    let alphabet = u8::try_from(place % 26).unwrap_or(0);
    let letter = char::from(b'A' + alphabet);
    if place < 26 {
        letter.to_string()
    } else {
        format!("{letter}{}", place / 26)
    }
}
