//! Which field is of which class.

/// What a field is to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Meant to differ: model, checkpoint, adapter, quantization.
    Subject,
    /// Must not differ.
    Instrument,
    /// Should not matter, may.
    Environment,
    /// Says when, where and by which session; never judged.
    Context,
    /// In no class: shown, and a caveat when it moved.
    Unclassed,
}

impl Class {
    /// The class that a setting names.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Subject,
            Self::Instrument,
            Self::Environment,
            Self::Context,
        ]
        .into_iter()
        .find(|class| class.word() == word)
    }

    /// The word for screens and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Instrument => "instrument",
            Self::Environment => "environment",
            Self::Context => "context",
            Self::Unclassed => "in no class",
        }
    }
}

/// How much an instrument field is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing can be told (of evaluations).
    Required,
    /// Without it on both sides there is a caveat (of evaluations).
    Expected,
    /// It may stand on neither side.
    Optional,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The field; of a nested one with dots.
    pub field: &'static str,
    /// The word that names it together with its like in `--subject` and `--accept`.
    pub group: &'static str,
    /// Its class.
    pub class: Class,
    /// How much it is wanted.
    pub need: Need,
}

const fn subject(field: &'static str) -> Rule {
    Rule {
        field,
        group: "model",
        class: Class::Subject,
        need: Need::Optional,
    }
}

const fn instrument(group: &'static str, field: &'static str, need: Need) -> Rule {
    Rule {
        field,
        group,
        class: Class::Instrument,
        need,
    }
}

const fn environment(field: &'static str) -> Rule {
    Rule {
        field,
        group: "environment",
        class: Class::Environment,
        need: Need::Optional,
    }
}

/// What a run's journal tells of how it was started.
const fn of_run(group: &'static str, field: &'static str) -> Rule {
    Rule {
        field,
        group,
        class: Class::Environment,
        need: Need::Optional,
    }
}

const fn context(field: &'static str) -> Rule {
    Rule {
        field,
        group: "context",
        class: Class::Context,
        need: Need::Optional,
    }
}

use Need::{Expected, Optional, Required};

/// Every field whose class is known, the strongest instrument first. `dataset` is what the
/// dataset holds: its content digest, else its digest. `items` are the ids in `results`.
pub static TABLE: &[Rule] = &[
    subject("model"),
    subject("model_name"),
    subject("model_revision"),
    subject("model_digest"),
    subject("model_sha"),
    subject("models"),
    subject("model_digests"),
    subject("quantization"),
    subject("checkpoint"),
    subject("checkpoint_digest"),
    subject("step"),
    subject("adapter"),
    subject("adapter_digest"),
    subject("peft"),
    subject("delta"),
    subject("model_args"),
    subject("model_roles"),
    subject("inputs"),
    instrument("artifact_type", "artifact_type", Optional),
    instrument("dataset", "dataset", Required),
    instrument("dataset", "dataset.size", Optional),
    instrument("dataset", "dataset.name", Optional),
    instrument("dataset", "dataset.source", Optional),
    instrument("dataset", "dataset.version_sha", Optional),
    instrument("dataset", "dataset.split", Optional),
    instrument("items", "items", Optional),
    instrument("template", "template_disabled", Required),
    instrument("template", "chat_template_digest", Optional),
    instrument("template", "add_special_tokens", Expected),
    instrument("template", "system_prompt", Optional),
    instrument("template", "prompt_template", Optional),
    instrument("template", "num_fewshot", Optional),
    instrument("template", "fewshot_as_multiturn", Optional),
    instrument("template", "prompts_digest", Optional),
    instrument("template", "solver", Optional),
    instrument("template", "solver_args", Optional),
    instrument("template", "solver_steps", Optional),
    instrument("task", "task", Optional),
    instrument("task", "task_version", Optional),
    instrument("task", "task_versions", Optional),
    instrument("task", "task_args", Optional),
    instrument("task", "limit", Optional),
    instrument("task", "sample_id", Optional),
    instrument("task", "epochs", Optional),
    instrument("task", "epochs_reducer", Optional),
    instrument("task", "message_limit", Optional),
    instrument("task", "token_limit", Optional),
    instrument("decoding", "decoding", Optional),
    instrument("decoding", "generation_kwargs", Optional),
    instrument("decoding", "do_sample", Expected),
    instrument("decoding", "temperature", Required),
    instrument("decoding", "top_p", Expected),
    instrument("decoding", "top_k", Optional),
    instrument("decoding", "min_p", Optional),
    instrument("decoding", "typical_p", Optional),
    instrument("decoding", "max_new_tokens", Required),
    instrument("decoding", "min_new_tokens", Optional),
    instrument("decoding", "repetition_penalty", Optional),
    instrument("decoding", "presence_penalty", Optional),
    instrument("decoding", "frequency_penalty", Optional),
    instrument("decoding", "length_penalty", Optional),
    instrument("decoding", "num_beams", Optional),
    instrument("decoding", "stop", Optional),
    instrument("decoding", "n", Optional),
    instrument("seed", "eval_seed", Expected),
    instrument("seed", "seed", Optional),
    instrument("seed", "fewshot_seed", Optional),
    instrument("seed", "numpy_seed", Optional),
    instrument("seed", "torch_seed", Optional),
    instrument("code", "code", Required),
    instrument("code", "git_dirty", Optional),
    instrument("code", "script_name", Optional),
    instrument("code", "script_sha", Optional),
    instrument("code", "loader_version", Expected),
    instrument("code", "read", Optional),
    instrument("code", "scorer", Optional),
    instrument("code", "metric", Optional),
    instrument("code", "judge_model", Optional),
    instrument("sentinels", "sentinel_tests_passed", Expected),
    environment("engine"),
    environment("engine_version"),
    environment("engine_defaults"),
    environment("dtype"),
    environment("device"),
    environment("batch_size"),
    environment("max_batch_size"),
    environment("tensor_parallel_size"),
    of_run("command", "run.command"),
    of_run("seeds", "run.seeds"),
    context("git_commit"),
    context("git_branch"),
    context("git_snapshot"),
    context("git_remote"),
    context("git_pushed"),
    context("timestamp"),
    context("stamped_at"),
    context("items_from"),
    context("session_id"),
    context("run_id"),
    context("birthmark"),
    context("merged"),
    context("unknown"),
    context("declared"),
    context("digest"),
    context("sentinels"),
    context("environment"),
    context("sources"),
    context("imported_from"),
    context("problems"),
    context("git_commit_short"),
    context("timestamp_as_written"),
];

/// The table's line for a field; that of what it stands in (`models`) where it has none.
pub(super) fn rule(field: &str) -> Option<&'static Rule> {
    let find = |name: &str| TABLE.iter().find(|rule| rule.field == name);
    find(field).or_else(|| match field.split_once('.')? {
        ("dataset", _) => find("dataset.name"),
        (outer, _) => find(outer),
    })
}

/// The class of a field: as the project says, else as the table says.
pub fn class_of(field: &str, changed: &[(String, Class)]) -> Class {
    let own = changed.iter().rev().find(|(word, _)| is_meant(word, field));
    own.map_or_else(
        || rule(field).map_or(Class::Unclassed, |rule| rule.class),
        |(_, class)| *class,
    )
}

/// Whether a word of `--subject` or `--accept` means a field: by its name, by the name of
/// what it stands in (`dataset`), or by its group (`model`, `template`, `decoding`, `code` …).
pub fn is_meant(word: &str, field: &str) -> bool {
    let within = || {
        field
            .strip_prefix(word)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let group = || rule(field).is_some_and(|rule| rule.group == word);
    let commit = || word == "git_commit" && field == "code";
    word == field || within() || group() || commit()
}

/// Whether a word means any field that is known, so that a misspelled one can be told.
pub fn is_known(word: &str) -> bool {
    TABLE.iter().any(|rule| is_meant(word, rule.field))
}
