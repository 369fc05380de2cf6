//! Variables of the environment: what was recorded of them, what of that the command is given as it
//! was, and what differs now.
//!
//! Given are those that say how a program finds its modules and how it computes. What names a
//! machine's own things (devices, caches, interfaces, homes) stays as it is here.
//!
//! # Limitations
//!
//! * Variables are those of a list (`birthmark_capture::process`); of all others nothing is known.
//! * One that is set now and was not then stays set: it is told among what differs.

use std::collections::BTreeMap;

use birthmark_capture::{process, redact};
use birthmark_core::birthmark::Fields;
use serde_json::Value;

use crate::text::{plain, short};

/// Names that are told on one line.
const NAMED: usize = 8;

/// Names of those that the command is given as they were, and beginnings of names.
#[rustfmt::skip]
const GIVEN: &[&str] = &[
    "CUBLAS_WORKSPACE_CONFIG", "FLASH_ATTENTION_DETERMINISTIC", "JAX_ENABLE_X64", "LANG", "LC_ALL",
    "NUMEXPR_MAX_THREADS", "NVIDIA_TF32_OVERRIDE", "PYTHONHASHSEED", "PYTHONNOUSERSITE",
    "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONUTF8", "TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TOKENIZERS_PARALLELISM", "TZ", "XLA_FLAGS",
];
const GIVEN_PREFIXES: &[&str] = &["MKL_", "OMP_", "OPENBLAS_"];

/// What was recorded of the variables, held against what is set now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// All that were recorded.
    pub names: Vec<String>,
    /// What the command is given as it was, since it is not so now.
    pub given: BTreeMap<String, String>,
    /// What else differs now, a line each.
    pub differ: Vec<String>,
}

impl Variables {
    /// As an environment recorded them; none where it recorded nothing of them.
    pub(super) fn of(environment: &Fields) -> Option<Self> {
        let was = environment.get("variables")?.as_object()?;
        let is = process::variables();
        let mut all = Self {
            names: was.keys().cloned().collect(),
            ..Self::default()
        };
        let shown = |name: &String| is.get(name).map(|value| short(value, 40));
        for (name, value) in was {
            let value = plain(value);
            if is.get(name) == Some(&value) {
                continue;
            }
            if is_given(name, &value) {
                all.given.insert(name.clone(), value);
                continue;
            }
            let value = short(&value, 40);
            match shown(name) {
                Some(now) => all.differ.push(format!("{name} is {now}, was {value}")),
                None => all.differ.push(format!("{name} is not set, was {value}")),
            }
        }
        let new = is.keys().filter(|name| !was.contains_key(*name));
        let new = new.filter_map(|name| Some(format!("{name} is {}, was not set", shown(name)?)));
        all.differ.extend(new);
        Some(all)
    }

    /// The lines of a plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let differ = self.differ.iter().take(NAMED);
        let mut lines: Vec<String> = differ.map(|line| format!("differs: {line}")).collect();
        if !self.given.is_empty() {
            let names: Vec<String> = self.given.keys().cloned().collect();
            lines.push(format!("given as they were: {}", listed(&names)));
        }
        match lines.is_empty() {
            true if self.names.is_empty() => {
                vec!["none of those that are recorded was set".to_owned()]
            }
            true => vec![format!("as they were: {}", listed(&self.names))],
            false => lines,
        }
    }
}

/// The list of folders that a run had in `PYTHONPATH`: as its command is given it.
pub(super) fn python_path(environment: &Fields) -> String {
    let was = environment.get("variables").and_then(Value::as_object);
    let was = was.and_then(|was| was.get("PYTHONPATH")).map(plain);
    let given = was.filter(|was| is_given("PYTHONPATH", was));
    given
        .or_else(|| process::variable("PYTHONPATH"))
        .unwrap_or_default()
}

fn is_given(name: &str, value: &str) -> bool {
    let is_named = GIVEN.contains(&name) || GIVEN_PREFIXES.iter().any(|one| name.starts_with(one));
    is_named && !process::may_be_cut(value) && !value.contains(redact::BEGINS)
}

fn listed(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(", +{}", names.len() - NAMED));
    }
    text
}
