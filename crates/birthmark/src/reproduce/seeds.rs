//! Which seeds are known, and from where.

use std::path::Path;

use birthmark_core::RunId;
use birthmark_core::birthmark::Fields;
use birthmark_core::compare::HASH_SEED;
use birthmark_core::session::{Artifact, Session};
use serde_json::Value;

use crate::read;
use crate::trace::Target;

/// What the record that is asked for carries, else the first one of the file.
pub(super) struct Carrying {
    birthmark: Fields,
    of: &'static str,
}

impl Carrying {
    pub(super) fn of(target: &Target, original: Option<&Path>) -> Self {
        let line = target.line.filter(|_| target.path.is_some());
        let path = if line.is_some() {
            target.path.as_deref()
        } else {
            original
        };
        let birthmark = path.and_then(|path| read::read(path, line).ok().flatten());
        Self {
            birthmark: birthmark.unwrap_or_default(),
            of: match line {
                Some(_) => " (of the record)",
                None => " (of the first record)",
            },
        }
    }
}

/// Every field that a birthmark or the session calls a seed, those that the run was seen to set,
/// and those that its command line or environment named.
pub(super) fn seeds(
    recorded: &Artifact,
    session: &Session,
    runs: &[RunId],
    argv: &[String],
    environment: &Fields,
    carrying: &Carrying,
) -> Vec<String> {
    let sources = [recorded.birthmark(), &session.given, &carrying.birthmark];
    let mut seeds: Vec<String> = Vec::new();
    for (place, fields) in sources.into_iter().enumerate() {
        for (name, value) in fields
            .iter()
            .filter(|(name, value)| name.to_ascii_lowercase().contains("seed") && !value.is_null())
        {
            let value = crate::text::short(&value.to_string(), 40);
            let of = if place == 2 { carrying.of } else { "" };
            if !seeds
                .iter()
                .any(|known| known.split(' ').next() == Some(name))
            {
                seeds.push(format!("{name} {value}{of}"));
            }
        }
    }
    let own = session.runs.iter().filter(|run| runs.contains(&run.id));
    for (function, seed) in own.flat_map(|run| &run.observed.seeds) {
        let value = crate::text::short(&seed.to_string(), 40);
        let line = format!("{function} {value}");
        if !seeds.contains(&line) {
            seeds.push(line);
        }
    }
    seeds.extend(of_command(argv));
    let variables = environment.get("variables").and_then(Value::as_object);
    if let Some(Value::String(seed)) = variables.and_then(|all| all.get(HASH_SEED)) {
        seeds.push(format!("{HASH_SEED} {}", crate::text::short(seed, 40)));
    }
    seeds
}

/// Numbers that a command line gives to what it calls a seed: `--seed 7`, `--eval-seed=7`,
/// `trainer.seed=7`.
fn of_command(argv: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, word) in argv.iter().enumerate().skip(1) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None if word.starts_with('-') => {
                (word.as_str(), argv.get(place + 1).map(String::as_str))
            }
            None => continue,
        };
        let is_name = |each: char| each.is_ascii_alphanumeric() || "-_.+".contains(each);
        let named = name.to_ascii_lowercase().contains("seed") && name.chars().all(is_name);
        if let Some(value) = value.filter(|value| named && is_numbers(value)) {
            found.push(format!("{name} {value} (of the command)"));
        }
    }
    found
}

/// One number, or several with commas.
fn is_numbers(text: &str) -> bool {
    text.len() <= 200
        && text.trim_matches(['[', ']']).split(',').all(|one| {
            let digits = one.trim().trim_start_matches('-');
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_the_command_line_calls_seeds_are_seeds() {
        let words = [
            "python",
            "x.py",
            "--seed",
            "7",
            "--eval-seed=8",
            "trainer.seed=9",
            "-SEED",
            "1,2",
            "--seed-file",
            "a.txt",
            "data/seed=x",
            "a/seed=3",
            "--no-seed",
            "--seeds=[1,2]",
        ];
        let argv: Vec<String> = words.iter().map(ToString::to_string).collect();
        let named = [
            "--seed 7",
            "--eval-seed 8",
            "trainer.seed 9",
            "-SEED 1,2",
            "--seeds [1,2]",
        ];
        let wanted = named.map(|one| format!("{one} (of the command)"));
        assert_eq!(of_command(&argv), wanted);
    }
}
