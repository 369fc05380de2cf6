//! Results of EleutherAI's lm-evaluation-harness, and the samples that lie beside them.
//!
//! | theirs | ours |
//! |---|---|
//! | `config.model_args` (text or object) | `model_name`, `model_revision`, `adapter`, `dtype`, `quantization` |
//! | `git_hash`, `date` | `git_commit` (short), `timestamp` |
//! | `chat_template`, `chat_template_sha`, `system_instruction` | `template_disabled`, `chat_template_digest`, `system_prompt` |
//! | `config.*_seed`, `config.limit`, `n-shot`, `versions` | `seed`, `fewshot_seed` …, `limit`, `num_fewshot`, `task_versions` |
//! | `configs.<task>.generation_kwargs`, `config.gen_kwargs` | params; none where no task generates |
//! | `results.<task>.<metric>,<filter>` | metrics, as `task/metric` |
//! | `samples_<task>_<date>.jsonl` | items, as `task/doc_id` |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use birthmark_core::evaluation::{Evaluation, Metric, Reading, System, Tool};
use birthmark_core::{Timestamp, json};
use serde_json::{Map, Value};

use super::item::{content, id_text};
use super::value::{reading, to_value};
use crate::error::Result;
use crate::lines::{self, Line, Sink};

/// Params of a generation that are called otherwise here.
const RENAMED: [(&str, &str); 3] = [
    ("max_gen_toks", "max_new_tokens"),
    ("until", "stop"),
    ("num_return_sequences", "n"),
];

/// Whether a report is one of the harness.
pub(super) fn is_results(report: &[u8]) -> bool {
    let is_object =
        |name: &str| json::get(report, &[name]).is_some_and(|raw| raw.first() == Some(&b'{'));
    is_object("results") && (is_object("configs") || is_object("versions"))
}

/// Reads results that were scanned; samples are looked for beside `path`.
pub(super) fn read(path: &Path, report: &[u8]) -> Result<Evaluation> {
    let mut evaluation = Evaluation {
        tool: Tool::LmEval,
        systems: vec![System::default()],
        ..Evaluation::default()
    };
    let part = |name: &str| json::get(report, &[name]).map(to_value).unwrap_or_default();
    let config = part("config");
    let configs = part("configs");
    let results = part("results");
    evaluation.set("artifact_type", "evaluation", "what the harness writes");
    code(&mut evaluation, &part("git_hash"), &part("date"));
    model(&mut evaluation, &config, &part("model_name"));
    template(&mut evaluation, &part);
    seeds(&mut evaluation, &config);
    generation(&mut evaluation, &configs, &config);
    dataset(&mut evaluation, &results, &part);
    environment(&mut evaluation, &config, &part);
    metrics(&mut evaluation, &results, &part("higher_is_better"));
    let tasks: Vec<String> = configs
        .as_object()
        .or(results.as_object())
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let mut seen = Seen::default();
    if let Some(samples) = json::get(report, &["samples"]) {
        for (key, list) in json::members(samples) {
            let task = json::as_text_lossy(key).unwrap_or_default();
            for span in json::elements(list) {
                seen.take(&mut evaluation, &task, span.of(list));
            }
        }
    } else {
        beside(path, &tasks, &mut evaluation, &mut seen)?;
    }
    if results.as_object().is_none_or(Map::is_empty) {
        evaluation.problems.push("it has no results".to_owned());
    }
    Ok(evaluation)
}

fn code(evaluation: &mut Evaluation, commit: &Value, date: &Value) {
    if let Some(commit) = commit.as_str() {
        // `git describe` may put a tag in front: `v1.2-3-g5f970c2`.
        let tail = commit.rsplit("-g").next().unwrap_or(commit);
        evaluation.set("git_commit", tail, "git_hash");
    }
    let unknown = serde_json::json!({ "git_dirty": "the harness does not record it" });
    evaluation.set("unknown", unknown, "");
    evaluation.sources.remove("unknown");
    #[expect(
        clippy::cast_possible_truncation,
        reason = "microseconds of a date, checked"
    )]
    match date {
        Value::Number(seconds) => {
            let micros = seconds.as_f64().unwrap_or(0.0) * 1e6;
            if (0.0..1e17).contains(&micros) {
                let time = Timestamp::from_micros(micros as i64);
                evaluation.set("timestamp", time.to_string(), "date");
            }
        }
        Value::String(text) => {
            super::naive(evaluation, text);
            evaluation.set("timestamp", text.as_str(), "date");
        }
        _ => {}
    }
}

/// `pretrained=a,revision=b` or an object, as pairs.
fn arguments(args: &Value) -> Vec<(String, Value)> {
    match args {
        Value::String(text) => text
            .split(',')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), Value::from(value.trim())))
            .collect(),
        Value::Object(fields) => fields.clone().into_iter().collect(),
        _ => Vec::new(),
    }
}

fn model(evaluation: &mut Evaluation, config: &Value, name: &Value) {
    let source = "config.model_args";
    let mut rest = Map::new();
    for (name, value) in arguments(&config["model_args"]) {
        let ours = match name.as_str() {
            "pretrained" | "model" | "path" => "model_name",
            "revision" => "model_revision",
            "peft" => "adapter",
            "delta" => "delta",
            "dtype" => "dtype",
            "load_in_4bit" | "load_in_8bit" => {
                if value == Value::Bool(true) || value == "True" {
                    evaluation.set("quantization", name.trim_start_matches("load_in_"), source);
                }
                continue;
            }
            _ => {
                rest.insert(name, value);
                continue;
            }
        };
        evaluation.set(ours, value, &format!("{source}.{name}"));
    }
    if !rest.is_empty() {
        evaluation.set("model_args", Value::Object(rest), source);
    }
    let known = |evaluation: &Evaluation| {
        let fields = evaluation.birthmark.as_ref();
        fields.is_some_and(|fields| fields.contains_key("model_name"))
    };
    if let (Some(name), false) = (name.as_str(), known(evaluation)) {
        evaluation.set("model_name", name, "model_name");
    }
    for (theirs, ours) in [
        ("model", "engine"),
        ("model_sha", "model_sha"),
        ("peft_sha", "adapter_digest"),
        ("model_dtype", "dtype"),
        ("batch_size", "batch_size"),
        ("device", "device"),
    ] {
        let value = &config[theirs];
        // An empty sha says that the hub could not be asked.
        if !value.is_null() && value != "" {
            evaluation.set(ours, value.clone(), &format!("config.{theirs}"));
        }
    }
}

fn template(evaluation: &mut Evaluation, part: &dyn Fn(&str) -> Value) {
    match part("chat_template") {
        Value::String(_) => {
            evaluation.set("template_disabled", false, "chat_template");
            if let Some(sha) = part("chat_template_sha").as_str() {
                evaluation.set(
                    "chat_template_digest",
                    format!("sha256:{sha}"),
                    "chat_template_sha",
                );
            }
        }
        Value::Null if part("model_source").is_string() => {
            // It stands there as null where none was applied.
            evaluation.set("template_disabled", true, "chat_template is null");
        }
        _ => {}
    }
    for (theirs, ours) in [
        ("system_instruction", "system_prompt"),
        ("fewshot_as_multiturn", "fewshot_as_multiturn"),
    ] {
        let value = part(theirs);
        if !value.is_null() {
            evaluation.set(ours, value, theirs);
        }
    }
}

fn seeds(evaluation: &mut Evaluation, config: &Value) {
    for (theirs, ours) in [
        ("random_seed", "seed"),
        ("numpy_seed", "numpy_seed"),
        ("torch_seed", "torch_seed"),
        ("fewshot_seed", "fewshot_seed"),
        ("limit", "limit"),
    ] {
        if !config[theirs].is_null() {
            evaluation.set(ours, config[theirs].clone(), &format!("config.{theirs}"));
        } else if theirs == "limit" && config.is_object() {
            evaluation.set(ours, "none", "config.limit");
        }
    }
}

/// How tasks generate: at the top where all agree, else by task.
fn generation(evaluation: &mut Evaluation, configs: &Value, config: &Value) {
    let mut by_task: BTreeMap<String, Value> = BTreeMap::new();
    let mut outputs: BTreeMap<String, Value> = BTreeMap::new();
    for (task, settings) in configs.as_object().into_iter().flatten() {
        let output = &settings["output_type"];
        outputs.insert(task.clone(), output.clone());
        if output == "generate_until"
            || (output.is_null() && settings["generation_kwargs"].is_object())
        {
            by_task.insert(task.clone(), settings["generation_kwargs"].clone());
        }
    }
    if !outputs.is_empty() && by_task.is_empty() && outputs.values().all(Value::is_string) {
        evaluation.set(
            "decoding",
            "none",
            "configs.*.output_type: no task generates",
        );
    }
    let mut different = by_task.values().collect::<Vec<_>>();
    different.dedup();
    match different.as_slice() {
        [] => {}
        [one] => {
            for (name, value) in one.as_object().into_iter().flatten() {
                let ours = RENAMED.iter().find(|(theirs, _)| theirs == name);
                let ours = ours.map_or(name.as_str(), |(_, ours)| ours);
                evaluation.set(
                    ours,
                    value.clone(),
                    &format!("configs.*.generation_kwargs.{name}"),
                );
            }
        }
        _ => {
            let all: Map<String, Value> = by_task.into_iter().collect();
            evaluation.set(
                "generation_kwargs",
                Value::Object(all),
                "configs.*.generation_kwargs",
            );
        }
    }
    for (name, value) in arguments(&config["gen_kwargs"]) {
        let ours = RENAMED.iter().find(|(theirs, _)| *theirs == name);
        let ours = ours.map_or(name.as_str(), |(_, ours)| ours).to_owned();
        let value = match value.as_str().map(serde_json::from_str::<Value>) {
            Some(Ok(parsed)) => parsed,
            _ => value,
        };
        evaluation.set(&ours, value, &format!("config.gen_kwargs.{name}"));
    }
}

fn dataset(evaluation: &mut Evaluation, results: &Value, part: &dyn Fn(&str) -> Value) {
    let tasks: Vec<&str> = results
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let samples = part("n-samples");
    let sizes = samples.as_object().into_iter().flat_map(Map::values);
    let size: u64 = sizes.filter_map(|one| one["effective"].as_u64()).sum();
    let mut ours = Map::new();
    if !tasks.is_empty() {
        ours.insert("name".to_owned(), Value::from(tasks.join(",")));
    }
    if size > 0 {
        ours.insert("size".to_owned(), Value::from(size));
    }
    evaluation.count = usize::try_from(size)
        .ok()
        .filter(|_| tasks.len() == 1 && size > 0);
    if !ours.is_empty() {
        evaluation.set("dataset", Value::Object(ours), "results, n-samples");
    }
    for (theirs, ours) in [
        ("versions", "task_versions"),
        ("n-shot", "num_fewshot"),
        ("task_hashes", "prompts_digest"),
    ] {
        let value = part(theirs);
        if value.as_object().is_some_and(|one| !one.is_empty()) {
            evaluation.set(ours, value, theirs);
        }
    }
}

fn environment(evaluation: &mut Evaluation, config: &Value, part: &dyn Fn(&str) -> Value) {
    for (theirs, ours) in [
        ("lm_eval_version", "lm-eval"),
        ("transformers_version", "transformers"),
    ] {
        let value = part(theirs);
        if value.is_string() {
            evaluation.environment.insert(ours.to_owned(), value);
        }
    }
    let text = part("pretty_env_info");
    let text = text.as_str().unwrap_or_default();
    let line = |label: &str| {
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(label));
        found.map(|rest| rest.trim().to_owned())
    };
    for (label, name) in [
        ("PyTorch version:", "torch"),
        ("CUDA used to build PyTorch:", "cuda"),
        ("OS:", "os"),
        ("Python version:", "python"),
        ("GPU models and configuration:", "gpu"),
        ("GPU 0:", "gpu"),
        ("Nvidia driver version:", "driver"),
    ] {
        if let Some(value) = line(label).filter(|value| !value.is_empty()) {
            evaluation
                .environment
                .insert(name.to_owned(), Value::from(value));
        }
    }
    let device = config["device"].as_str().unwrap_or_default();
    let available = line("Is CUDA available:");
    if device.starts_with("cuda") && available.as_deref() == Some("False") {
        let note = format!("it says device {device}, and that CUDA was not available");
        evaluation.problems.push(note);
    }
    let own = arguments(&config["model_args"]);
    let own = own.iter().find(|(name, _)| name == "device");
    if let Some((_, Value::String(other))) = own
        && !device.is_empty()
        && other != device
    {
        let note = format!("it says device {device}, and its model_args say {other}");
        evaluation.problems.push(note);
    }
}

/// `acc,none` as `acc`; another filter stays.
fn plain(metric: &str) -> &str {
    metric.strip_suffix(",none").unwrap_or(metric)
}

fn metrics(evaluation: &mut Evaluation, results: &Value, higher: &Value) {
    for (task, found) in results.as_object().into_iter().flatten() {
        for (name, value) in found.as_object().into_iter().flatten() {
            let (metric, filter) = name.split_once(',').unwrap_or((name, "none"));
            if metric.ends_with("_stderr") {
                continue;
            }
            let value = match value {
                Value::Number(number) => number.as_f64().map(Reading::Number),
                Value::String(text) if text == "NaN" || text.ends_with("Infinity") => {
                    Some(Reading::NotANumber(text.clone()))
                }
                _ => None,
            };
            let Some(value) = value.filter(|_| !matches!(metric, "sample_len" | "samples")) else {
                continue;
            };
            let error = found[format!("{metric}_stderr,{filter}")].as_f64();
            let mut ours = Metric::new(format!("{task}/{}", plain(name)), value);
            ours.standard_error = error.filter(|error| error.is_finite());
            ours.higher_is_better = higher[task][metric].as_bool();
            evaluation.systems[0].metrics.push(ours);
        }
    }
}

/// Items that were seen: a line stands there for each filter.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), u32>);

impl Seen {
    fn take(&mut self, evaluation: &mut Evaluation, task: &str, raw: &[u8]) {
        let Some(id) = json::get(raw, &["doc_id"]).and_then(id_text) else {
            return;
        };
        let parts = |names: &[&'static str]| {
            let found = names
                .iter()
                .filter_map(|name| Some((*name, json::get(raw, &[name])?)));
            content(found)
        };
        let known = self.0.get(&(task.to_owned(), id.clone())).copied();
        let item = known.unwrap_or_else(|| {
            let asks = parts(&["doc_hash", "target_hash"]).or_else(|| parts(&["doc", "target"]));
            let item = evaluation.items.push(&format!("{task}/{id}"), asks);
            self.0.insert((task.to_owned(), id), item);
            item
        });
        let filter = json::get(raw, &["filter"]).and_then(json::as_text);
        let metrics = json::get(raw, &["metrics"]).unwrap_or_default();
        for span in json::elements(metrics) {
            let Some(metric) = json::as_text(span.of(metrics)) else {
                continue;
            };
            let Some(value) = json::get(raw, &[&metric]).and_then(reading) else {
                continue;
            };
            let name = match filter.as_deref() {
                None | Some("none") => format!("{task}/{metric}"),
                Some(filter) => format!("{task}/{metric},{filter}"),
            };
            let value = value.number().unwrap_or(f64::NAN);
            evaluation.items.score(item, 0, &name, value);
        }
    }
}

/// The samples beside results: `results_<date>.json` has `samples_<task>_<date>.jsonl`.
fn beside(
    path: &Path,
    tasks: &[String],
    evaluation: &mut Evaluation,
    seen: &mut Seen,
) -> Result<()> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let Some(date) = name.strip_prefix("results_") else {
        return Ok(());
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    for task in tasks {
        let file: PathBuf = folder.join(format!("samples_{task}_{date}.jsonl"));
        if !file.is_file() {
            continue;
        }
        let mut sink = Samples {
            task,
            evaluation,
            seen,
            bad: 0,
        };
        let mut input =
            birthmark_store::atomic::open_regular(&file).map_err(|source| cannot(&file, source))?;
        lines::read(&mut input, &mut sink).map_err(|source| cannot(&file, source))?;
        if sink.bad > 0 {
            let bad = crate::text::count(sink.bad, "line");
            let note = format!("{bad} of the samples of {task} are no records");
            evaluation.problems.push(note);
        }
    }
    Ok(())
}

fn cannot(path: &Path, source: std::io::Error) -> crate::Error {
    crate::Error::from(birthmark_store::PathError {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

struct Samples<'a> {
    task: &'a str,
    evaluation: &'a mut Evaluation,
    seen: &'a mut Seen,
    bad: u64,
}

impl Sink for Samples<'_> {
    fn bytes(&mut self, _: &[u8]) {}

    fn line(&mut self, line: Line<'_>) -> bool {
        if line.is_blank() {
        } else if line.too_long.is_some() || json::scan_object(line.record).is_err() {
            self.bad += 1;
        } else {
            self.seen.take(self.evaluation, self.task, line.record);
        }
        true
    }
}
