//! What `verify` answers: a word for each thing, its reasons, and what was not proved.

use serde_json::{Value, json};

use crate::text;

/// The word for one thing, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// As it was recorded.
    Verified,
    /// As it was recorded, but for something that the reader should know.
    Caveat,
    /// It carries no birthmark and nothing speaks of it: it was not judged.
    Unstamped,
    /// A claim could not be followed.
    CannotTell,
    /// It is not what was recorded, or not what a birthmark must be.
    Failed,
}

impl Word {
    /// The word for JSON and screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Caveat => "caveat",
            Self::Unstamped => "unstamped",
            Self::CannotTell => "cannot tell",
            Self::Failed => "failed",
        }
    }
}

/// Why a thing has its word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// A stable name, in kebab case; never renamed, only added to.
    pub code: &'static str,
    /// What follows from it.
    pub word: Word,
    /// One sentence, lower case, no period.
    pub text: String,
    /// The line that it is about, or the first of several.
    pub line: Option<u64>,
    /// How many records it is about; 0 where it is about the whole.
    pub records: u64,
}

impl Reason {
    /// A reason about the whole of a thing.
    pub fn new(word: Word, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code,
            word,
            text: text.into(),
            line: None,
            records: 0,
        }
    }

    /// Something is wrong.
    pub fn failed(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Word::Failed, code, text)
    }

    /// Something could not be followed.
    pub fn cannot_tell(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Word::CannotTell, code, text)
    }

    /// Something to know.
    pub fn caveat(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(Word::Caveat, code, text)
    }

    /// The same about a line.
    #[must_use]
    pub fn at(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "word": self.word.word(),
            "text": self.text,
            "line": self.line,
            "records": if self.records == 0 { Value::Null } else { Value::from(self.records) },
        })
    }
}

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A file or a folder with a birthmark, or one that should have one.
    Artifact,
    /// A session: its manifest, its journals, its plan.
    Session,
    /// The store's own blobs.
    Store,
}

/// One thing that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its path from the project's root, or the session's id.
    pub name: String,
    /// What it is.
    pub kind: ItemKind,
    /// The word that follows from the reasons.
    pub word: Word,
    /// What was seen: `40 records, 1 commit`.
    pub evidence: String,
    /// The reasons, the worst first.
    pub reasons: Vec<Reason>,
}

impl Item {
    /// A thing whose word follows from its reasons.
    pub fn new(
        name: impl Into<String>,
        kind: ItemKind,
        evidence: impl Into<String>,
        mut reasons: Vec<Reason>,
    ) -> Self {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.word));
        let word = reasons.first().map_or(Word::Verified, |worst| worst.word);
        Self {
            name: name.into(),
            kind,
            word,
            evidence: evidence.into(),
            reasons,
        }
    }

    /// The item as JSON.
    pub fn to_json(&self) -> Value {
        let kind = match self.kind {
            ItemKind::Artifact => "artifact",
            ItemKind::Session => "session",
            ItemKind::Store => "store",
        };
        let reasons: Vec<Value> = self.reasons.iter().map(Reason::to_json).collect();
        json!({
            "name": self.name,
            "kind": kind,
            "word": self.word.word(),
            "evidence": self.evidence,
            "reasons": reasons,
        })
    }
}

/// The whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was judged, by name.
    pub items: Vec<Item>,
    /// What was not proved; never empty.
    pub not_proved: Vec<String>,
    /// Whether only rules were asked: what obeys them is not thereby what was recorded.
    pub of_rules: bool,
}

impl Report {
    /// The word for screens and JSON.
    pub fn say(&self, word: Word) -> &'static str {
        match word {
            Word::Verified if self.of_rules => "obeys",
            Word::Caveat if self.of_rules => "obeys, noted",
            word => word.word(),
        }
    }

    /// Keeps the reasons that are `wanted`; what is left decides each word.
    pub fn keep(&mut self, wanted: impl Fn(&Reason) -> bool) {
        for item in &mut self.items {
            let kept = item.reasons.drain(..).filter(|reason| wanted(reason));
            *item = Item::new(
                std::mem::take(&mut item.name),
                item.kind,
                std::mem::take(&mut item.evidence),
                kept.collect(),
            );
        }
    }

    /// How many things have this word.
    pub fn count(&self, word: Word) -> usize {
        self.items.iter().filter(|item| item.word == word).count()
    }

    /// The worst word of all; none when there was nothing to judge.
    pub fn word(&self) -> Option<Word> {
        let judged = self.items.iter().map(|item| item.word);
        judged
            .clone()
            .filter(|word| *word != Word::Unstamped)
            .max()
            .or(judged.max())
    }

    /// Things that hold, of which a part was never counted by the run that wrote it.
    pub fn partly(&self) -> usize {
        let is_partly = |item: &&Item| {
            let mut codes = item.reasons.iter().map(|reason| reason.code);
            item.word == Word::Caveat
                && codes.any(|code| matches!(code, "written-since" | "uncounted"))
        };
        self.items.iter().filter(is_partly).count()
    }

    /// 1 when something failed; 2 when something could not be told, or there was nothing
    /// to judge; else 0.
    pub fn exit_code(&self) -> u8 {
        match self.word() {
            Some(Word::Failed) => 1,
            Some(Word::CannotTell | Word::Unstamped) | None => 2,
            Some(Word::Verified | Word::Caveat) => 0,
        }
    }

    /// The totals in one line: `failed: 1 of 3 things; 1 unstamped was not judged`.
    pub fn totals(&self) -> String {
        let judged = self.items.len() - self.count(Word::Unstamped);
        let Some(word) = self.word() else {
            return "cannot tell: there is nothing to verify".to_owned();
        };
        let unstamped = match self.count(Word::Unstamped) {
            0 => String::new(),
            1 => " 1 unstamped file was not judged.".to_owned(),
            more => format!(
                " {} unstamped files were not judged.",
                text::grouped(more as u64)
            ),
        };
        let things = text::grouped(judged as u64);
        let head = match word {
            Word::Unstamped => {
                return format!("cannot tell: nothing carries a birthmark.{unstamped}");
            }
            Word::Verified => format!("{}: {things} of {things}.", self.say(word)),
            Word::Caveat if self.of_rules => {
                let noted = text::grouped(self.count(word) as u64);
                format!("obeys: {things} of {things}, {noted} with a field that is unknown.")
            }
            Word::Caveat => {
                let partly = self.partly();
                let whole = text::grouped((judged - partly) as u64);
                let caveats = self.count(word);
                let mut head =
                    format!("as recorded: {whole} of {things}, {caveats} with a caveat.");
                if partly > 0 {
                    let partly = text::grouped(partly as u64);
                    head.push_str(&format!(" proved in part only: {partly}."));
                }
                head
            }
            bad => {
                let mut head = format!("{}: {} of {things}.", bad.word(), self.count(bad));
                let untold = self.count(Word::CannotTell);
                if bad == Word::Failed && untold > 0 {
                    head.push_str(&format!(" cannot tell: {untold}."));
                }
                head
            }
        };
        format!("{head}{unstamped}")
    }

    /// The answer as JSON.
    pub fn to_json(&self) -> Value {
        let word = |item: &Item| {
            let mut all = item.to_json();
            all["word"] = Value::from(self.say(item.word));
            all
        };
        let items: Vec<Value> = self.items.iter().map(word).collect();
        json!({
            "word": self.word().map_or("cannot tell", |word| self.say(word)),
            "exit_code": self.exit_code(),
            "totals": {
                (self.say(Word::Verified)): self.count(Word::Verified),
                (self.say(Word::Caveat)): self.count(Word::Caveat),
                "cannot_tell": self.count(Word::CannotTell),
                "failed": self.count(Word::Failed),
                "unstamped": self.count(Word::Unstamped),
            },
            "items": items,
            "not_proved": self.not_proved,
        })
    }
}
