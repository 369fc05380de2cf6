//! The code of the two sides: which commit, what it did not hold, what lies between.

use serde_json::{Value, json};

mod reads;
mod unkept;
mod verdict;

use super::Side;
use crate::Finding;

pub(super) use verdict::{is_same, judge};

/// What is known of the code between the two sides, which the caller found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CodeBetween {
    /// Nobody looked: both name the same code, or one names none.
    #[default]
    NotAsked,
    /// The repository told.
    Told(Between),
    /// It could not be told, for this reason.
    Unknown(String),
}

/// What lies between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// Commits that lead to one side and not to the other, the newest first, at most some.
    pub commits: Vec<Commit>,
    /// How many there are in all.
    pub count: Finding<u64>,
    /// The files that differ.
    pub files: Vec<Changed>,
}

/// One commit between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The first line of its message.
    pub title: String,
    /// Whether it leads to B; otherwise to A.
    pub to_b: bool,
}

/// A file that differs, and what it was to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its path.
    pub path: String,
    /// What it was to the run.
    pub part: Part,
}

/// What a changed file was to the run that made the report, what matters most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The script that ran.
    Script,
    /// A module that was recorded as loaded.
    Loaded,
    /// A module that the script imports, read from its `import` lines.
    Imported,
    /// No module, but the run read it.
    Read,
    /// No module, but code that ran names it.
    Named,
    /// Code, and nothing tells whether it ran.
    Untold,
    /// The dataset or another file that is judged by its own digest.
    Judged,
    /// Nothing that ran imports or names it, as far as can be read from the code.
    Apart,
    /// A module that was recorded as not loaded.
    NotLoaded,
    /// Text for people: README, licence, changelog.
    Prose,
}

impl Part {
    /// The words for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Script => "the script",
            Self::Loaded => "loaded",
            Self::Imported => "imported",
            Self::Read => "read by the run",
            Self::Named => "named in the code",
            Self::Untold => "not known",
            Self::Judged => "judged by its digest",
            Self::Apart => "not imported",
            Self::NotLoaded => "not loaded",
            Self::Prose => "for people",
        }
    }
}

impl CodeBetween {
    /// What is known, as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::NotAsked => Value::Null,
            Self::Unknown(why) => json!({ "unknown": why }),
            Self::Told(between) => {
                let commits = between.commits.iter().map(|commit| {
                    json!({ "id": commit.id, "title": commit.title, "leads_to": if commit.to_b { "B" } else { "A" } })
                });
                let files = between
                    .files
                    .iter()
                    .map(|file| json!({ "file": file.path, "part": file.part.word() }));
                json!({
                    "count": between.count.found(),
                    "count_unknown": between.count.reason(),
                    "commits": commits.collect::<Vec<_>>(),
                    "files": files.collect::<Vec<_>>(),
                })
            }
        }
    }
}

/// The object that stands for the code of a side: the snapshot of a dirty tree, else the commit.
pub fn version(side: &Side) -> Option<&str> {
    let birthmark = side.birthmark.as_ref()?;
    let text = |name: &str| birthmark.get(name).and_then(Value::as_str);
    text("git_snapshot").or_else(|| text("git_commit"))
}

/// A file that tells people something and that no evaluation loads. Other Markdown and text is
/// not among them: it may be a prompt.
pub fn is_prose(file: &str) -> bool {
    const NAMES: [&str; 7] = [
        "readme",
        "license",
        "licence",
        "changelog",
        "contributing",
        "citation",
        "authors",
    ];
    let name = file.rsplit('/').next().unwrap_or(file).to_lowercase();
    let stem = name.split(['.', '-']).next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_text = matches!(ending, "" | "md" | "rst" | "txt" | "cff");
    matches!(name.as_str(), ".gitignore" | ".gitattributes") || (is_text && NAMES.contains(&stem))
}
