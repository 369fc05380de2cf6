//! The code of the two sides: which commit, what it did not hold, what lies between.

use serde_json::{Value, json};

use super::{Reason, Side, Weight};
use crate::Finding;

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
    /// Whether the modules that ran were recorded on both sides.
    pub loaded_known: bool,
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

/// What a changed file was to the run that made the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The script that ran.
    Script,
    /// A module that was recorded as loaded.
    Loaded,
    /// A module that the script imports, read from its `import` lines.
    Imported,
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
                    "loaded_modules_recorded": between.loaded_known,
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

fn get<'a>(side: &'a Side, name: &str) -> Option<&'a Value> {
    side.birthmark
        .as_ref()?
        .get(name)
        .filter(|value| !value.is_null())
}

/// Whether it ran with changes that nothing kept.
fn is_loose(side: &Side) -> bool {
    get(side, "git_dirty") == Some(&Value::Bool(true)) && get(side, "git_snapshot").is_none()
}

/// Whether all of the code is known to be the same.
pub(super) fn is_same(a: &Side, b: &Side) -> bool {
    let known = |side: &Side| {
        get(side, "git_snapshot").is_some() || get(side, "git_dirty") == Some(&Value::Bool(false))
    };
    version(a).is_some() && version(a) == version(b) && known(a) && known(b)
}

/// The reasons that the code gives.
pub(super) fn judge(a: &Side, b: &Side, between: &CodeBetween) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let loose: Vec<&str> = [a, b]
        .iter()
        .filter(|side| is_loose(side))
        .map(|side| side.name.as_str())
        .collect();
    let who = match loose.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        _ => Some("both".to_owned()),
    };
    if let Some(who) = who {
        let text = format!(
            "{who} ran on a dirty tree of which no snapshot was kept: the commit is not what scored"
        );
        reasons.push(Reason::new(Weight::CannotTell, "dirty", "git_dirty", text));
    }
    let untold: Vec<&str> = [a, b]
        .iter()
        .filter(|side| version(side).is_some() && get(side, "git_dirty").is_none())
        .map(|side| side.name.as_str())
        .collect();
    if let Some(first) = untold.first() {
        let who = if untold.len() == 2 {
            "either side"
        } else {
            first
        };
        let text = format!("whether the tree was dirty is not known of {who}");
        reasons.push(Reason::new(
            Weight::Caveat,
            "dirty-unknown",
            "git_dirty",
            text,
        ));
    }
    if let (Some(old), Some(new)) = (version(a), version(b))
        && old != new
    {
        let arrow = format!("{} -> {}", short(old), short(new));
        reasons.push(moved(old, new, &arrow, between));
    }
    reasons
}

fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}

fn moved(old: &str, new: &str, arrow: &str, between: &CodeBetween) -> Reason {
    let (weight, text) = match between {
        CodeBetween::Told(between) => told(arrow, between),
        _ if old.starts_with(new) || new.starts_with(old) => (
            Weight::Caveat,
            format!("the commit is written short on one side ({arrow}) and may be the same"),
        ),
        CodeBetween::NotAsked => (
            Weight::CannotTell,
            format!("the code moved ({arrow}), and what changed was not looked at"),
        ),
        CodeBetween::Unknown(why) => (
            Weight::CannotTell,
            format!("the code moved ({arrow}); what changed is not known: {why}"),
        ),
    };
    Reason::new(weight, "code-moved", "code", text)
}

fn told(arrow: &str, between: &Between) -> (Weight, String) {
    let lies = match &between.count {
        Finding::Found(1) => format!("{arrow}, 1 commit"),
        Finding::Found(several) => format!("{arrow}, {several} commits"),
        _ => arrow.to_owned(),
    };
    if between.count == Finding::Found(0) && between.files.is_empty() {
        return (
            Weight::Note,
            format!("the commit is the same, written short on one side ({arrow})"),
        );
    }
    let those = |parts: &[Part]| -> Vec<&str> {
        let files = between.files.iter();
        files
            .filter(|file| parts.contains(&file.part))
            .map(|file| file.path.as_str())
            .collect()
    };
    let ran = those(&[Part::Script, Part::Loaded, Part::Imported]);
    if !ran.is_empty() {
        let text = format!("the evaluation code changed: {} ({lies})", named(&ran));
        return (Weight::NotComparable, text);
    }
    let open = those(&[Part::Named, Part::Untold]);
    if !open.is_empty() {
        let why = if those(&[Part::Named]).is_empty() {
            "whether the run loaded it is not recorded"
        } else {
            "the code that ran names it"
        };
        return (
            Weight::CannotTell,
            format!(
                "the code moved ({lies}): {} changed, and {why}",
                named(&open)
            ),
        );
    }
    let apart = those(&[Part::Apart]);
    if !apart.is_empty() {
        let text = format!(
            "the code moved ({lies}): {} changed, which the script does not import, as far as its text tells",
            named(&apart)
        );
        return (Weight::Caveat, text);
    }
    let rest = those(&[Part::Prose, Part::NotLoaded, Part::Judged]);
    let what = match rest.as_slice() {
        [] => "no file differs".to_owned(),
        files => format!("only {} changed, which no run loads", named(files)),
    };
    let weight = if between.loaded_known || rest.is_empty() {
        Weight::Note
    } else {
        Weight::Caveat
    };
    (weight, format!("the code moved ({lies}): {what}"))
}

/// At most three names, and how many more.
fn named(files: &[&str]) -> String {
    let first: Vec<&str> = files.iter().take(3).copied().collect();
    let mut text = first.join(", ");
    if files.len() > 3 {
        text.push_str(&format!(", +{}", files.len() - 3));
    }
    text
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
