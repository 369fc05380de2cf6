//! The words of two command lines, held against each other.

use std::collections::BTreeMap;

use super::Command;

/// Options whose value says where the output goes or how the run is called.
const NAMING: [&str; 27] = [
    "o",
    "out",
    "output",
    "outfile",
    "outdir",
    "out-file",
    "out-dir",
    "out-path",
    "output-file",
    "output-dir",
    "output-path",
    "output-folder",
    "save-to",
    "save-dir",
    "save-path",
    "dest",
    "log",
    "log-file",
    "log-dir",
    "logdir",
    "report",
    "results-dir",
    "run-id",
    "run-name",
    "session-id",
    "exp-name",
    "experiment-name",
];
/// Options of an interpreter that change how it speaks, and nothing that is computed.
const SPEECH: [&str; 4] = ["-u", "-B", "-q", "-v"];

/// One thing that the two command lines do not say alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The option, as it is written; nothing of a bare word.
    option: Option<String>,
    /// What each side says.
    pub(super) values: [Option<String>; 2],
    /// Whether each side has the option at all.
    has: [bool; 2],
}

impl Difference {
    pub(super) fn sentence(&self, names: [&str; 2]) -> String {
        let word = |side: usize| {
            let value = self.values[side].as_deref().unwrap_or_default();
            let option = self.option.as_deref().unwrap_or_default();
            let text = format!("{option} {value}");
            let text = text.trim();
            let cut: String = text.chars().take(60).collect();
            if cut.len() < text.len() {
                format!("{cut}…")
            } else {
                cut
            }
        };
        match self.has {
            [true, false] => format!("{} only in {}", word(0), names[0]),
            [false, true] => format!("{} only in {}", word(1), names[1]),
            _ => {
                let value = self.values[1].as_deref().unwrap_or("nothing");
                let cut: String = value.chars().take(60).collect();
                format!("{} -> {cut}", word(0))
            }
        }
    }
}

/// What each option says, in order; bare words under no option.
type Said = BTreeMap<Option<String>, Vec<Option<String>>>;

/// What two command lines do not say alike, the options first.
pub(super) fn differences(sides: [&Command; 2]) -> Vec<Difference> {
    let said = sides.map(said);
    let mut names: Vec<&Option<String>> = said.iter().flat_map(BTreeMap::keys).collect();
    names.sort_by_key(|name| (name.is_none(), *name));
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        let empty = Vec::new();
        let [a, b] = [0, 1].map(|side: usize| said[side].get(name).unwrap_or(&empty));
        for place in 0..a.len().max(b.len()) {
            let (one, other) = (a.get(place), b.get(place));
            let alike = one
                .zip(other)
                .is_some_and(|(a, b)| are_alike(a.as_deref(), b.as_deref()));
            if !alike {
                found.push(Difference {
                    option: name.clone(),
                    values: [one, other].map(|value| value.cloned().flatten()),
                    has: [one.is_some(), other.is_some()],
                });
            }
        }
    }
    found
}

fn are_alike(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a == b;
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    a.trim_start_matches("./") == b.trim_start_matches("./")
        || number(a).is_some() && number(a) == number(b)
}

fn said(side: &Command) -> Said {
    let mut said = Said::new();
    let words = words(side);
    let mut place = 0;
    while let Some(word) = words.get(place) {
        place += 1;
        let (option, value) = match word.split_once('=') {
            Some((name, value)) if is_name(name) => (Some(name), Some(value)),
            _ if is_option(word) => {
                let next = words.get(place).filter(|next| !is_option(next));
                place += usize::from(next.is_some());
                (Some(word.as_str()), next.map(String::as_str))
            }
            _ => (None, Some(word.as_str())),
        };
        let option = option.map(|name| {
            let dashes = name.len() - name.trim_start_matches('-').len();
            format!("{}{}", &name[..dashes], name[dashes..].replace('_', "-"))
        });
        let names_output = option
            .as_deref()
            .is_some_and(|name| NAMING.contains(&name.trim_start_matches('-')));
        if names_output {
            continue;
        }
        let own = value.is_some_and(|value| is_own(side, value));
        match (option, own) {
            (None, true) => {}
            // The file is its own; that there is such an option is not.
            (option, true) => said.entry(option).or_default().push(None),
            (option, false) => {
                let value = value.map(str::to_owned);
                said.entry(option).or_default().push(value);
            }
        }
    }
    said
}

/// The words after the program and the script; those of a command within quotes one by one.
fn words(side: &Command) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in side.argv.iter().skip(1) {
        if word.contains(char::is_whitespace) {
            let quotes = |letter: char| "\"'<>;|&()".contains(letter);
            let within = word.split_whitespace().map(|one| one.trim_matches(quotes));
            words.extend(within.filter(|one| !one.is_empty()).map(str::to_owned));
        } else {
            words.push(word.clone());
        }
    }
    let is_script = |word: &String| {
        let name = word.rsplit('/').next();
        side.script
            .as_deref()
            .is_some_and(|script| name == Some(script))
    };
    if let Some(script) = words.iter().position(is_script) {
        // The script is judged as code; how its interpreter speaks is nothing.
        let rest = words.split_off(script + 1);
        words.pop();
        words.retain(|word| !SPEECH.contains(&word.as_str()));
        words.extend(rest);
    }
    words
}

/// Whether a word begins an option. A negative number is a value.
fn is_option(word: &str) -> bool {
    word.starts_with('-') && word.len() > 1 && word.parse::<f64>().is_err()
}

/// Whether what stands before `=` is a name: `--seed`, `trainer.seed`, `+x`.
fn is_name(text: &str) -> bool {
    let is_part = |each: char| each.is_ascii_alphanumeric() || "-_.+@".contains(each);
    !text.is_empty() && text.chars().all(is_part)
}

/// Whether a word is of this run alone: it names what the run made, or the run.
fn is_own(side: &Command, word: &str) -> bool {
    if word == side.run || word == side.session {
        return true;
    }
    let is_read = side.read.keys().any(|file| names(word, file));
    !is_read && side.made.iter().any(|file| is_of(word, file))
}

/// Whether a word says a file that the run made, the folder that it lies in, or its path without the ending.
fn is_of(word: &str, made: &str) -> bool {
    let word = bare(word);
    if names(word, made) {
        return true;
    }
    if !word.contains('/') {
        return false;
    }
    let begins = |made: &str| {
        made.strip_prefix(word)
            .is_some_and(|rest| rest.starts_with(['/', '.', '_', '-']))
    };
    // Its folder, written from elsewhere.
    let mut folders = made.match_indices('/').map(|(at, _)| &made[..at]);
    begins(made) || folders.any(|folder| word.ends_with(&format!("/{folder}")))
}

/// Whether a word names a file: the same path, or one of the two is the end of the other.
pub(super) fn names(word: &str, file: &str) -> bool {
    let (word, file) = (bare(word), bare(file));
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short)
            .is_some_and(|rest| rest.ends_with('/'))
            && !short.is_empty()
    };
    word == file || ends(word, file) || ends(file, word)
}

fn bare(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}
