//! What something was made from: datasets and inputs, as far as they can be learned.
//!
//! Of a path are filled in: its size in records, its digest, and the last commit that
//! changed it. What cannot be learned is null, with its reason.

use std::path::Path;
use std::time::Duration;

use birthmark_capture::git;
use birthmark_core::birthmark::{Fields, note_unknown};
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_core::{Finding, json};
use birthmark_store::atomic;
use birthmark_store::digest::FileError;
use birthmark_store::format::FileKind;
use birthmark_store::format::codec::Codec;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::looks::put;
use crate::project::Project;

/// How long the search for the last commit of a file may take.
const HISTORY_LIMIT: Duration = Duration::from_secs(2);
/// A dataset larger than this is not read to count its records.
const COUNT_LIMIT: u64 = 8 << 30;

/// Fills in what files can tell of the fields given to an artifact: `dataset`, `inputs`, and
/// the digests of `models` that lie here. `folder` is where relative paths begin.
pub fn fill(project: &Project, fields: &mut Fields, folder: &Path) -> Result<()> {
    if let Some(given) = fields.get("dataset") {
        let (dataset, reasons) = describe(project, given, folder);
        fields.insert("dataset".to_owned(), dataset);
        for (name, reason) in &reasons {
            note_unknown(fields, name, reason.as_str().unwrap_or_default());
        }
    }
    match fields.get("inputs") {
        Some(Value::Array(given)) => {
            let filled = inputs(project, given, folder)?;
            fields.insert("inputs".to_owned(), Value::from(filled));
        }
        Some(one @ Value::String(_)) => {
            let filled = inputs(project, std::slice::from_ref(one), folder)?;
            fields.insert("inputs".to_owned(), Value::from(filled));
        }
        _ => {}
    }
    if let (Some(models), false) = (fields.get("models"), fields.contains_key("model_digests")) {
        let found = model_digests(models, folder);
        if !found.is_empty() {
            fields.insert("model_digests".to_owned(), Value::Object(found));
        }
    }
    Ok(())
}

/// The `dataset` field for what a user gave: a path, or an object to be filled in. The
/// reasons for its nulls are put into `given`'s `unknown` as `dataset.<name>`.
pub fn describe(project: &Project, dataset: &Value, folder: &Path) -> (Value, Fields) {
    let mut fields = match dataset {
        Value::Object(fields) => fields.clone(),
        Value::String(path) => {
            let mut fields = Fields::new();
            let name = Path::new(path)
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            fields.insert("name".to_owned(), Value::from(name));
            fields.insert("source".to_owned(), Value::from(path.clone()));
            fields
        }
        other => return (other.clone(), Fields::new()),
    };
    let source = fields
        .get("source")
        .and_then(Value::as_str)
        .map(|source| folder.join(source));
    let Some(path) = source.filter(|path| path.exists()) else {
        let mut reasons = Fields::new();
        let known = |fields: &Fields| fields.get("digest").is_some_and(|one| !one.is_null());
        if let Some(source) = fields.get("source").and_then(Value::as_str)
            && !known(&fields)
            && names_a_file(source)
        {
            reasons.insert("dataset.digest".to_owned(), Value::from(not_there(source)));
            fields.insert("digest".to_owned(), Value::Null);
        }
        return (Value::Object(fields), reasons);
    };
    fields.insert("source".to_owned(), Value::from(project.stored_path(&path)));
    let mut reasons = Fields::new();
    let mut fill = |name: &str, finding: Finding<Value>| {
        if fields.get(name).is_some_and(|value| !value.is_null()) {
            return;
        }
        let mut learned = Fields::new();
        put(&mut learned, name, finding);
        if let Some(Value::Object(why)) = learned.remove("unknown") {
            reasons.extend(
                why.into_iter()
                    .map(|(name, why)| (format!("dataset.{name}"), why)),
            );
        }
        fields.extend(learned);
    };
    let (digest, content, records) = looked(&path);
    let records = records.map_or_else(|| records_in(&path), Finding::Found);
    fill("size", records.map(Value::from));
    fill(
        "version_sha",
        git::last_commit_touching(&path, HISTORY_LIMIT).map(Value::from),
    );
    fill("digest", digest.map(Value::from));
    if let Some(content) = content {
        fill("content_digest", Finding::Found(Value::from(content)));
    }
    (Value::Object(fields), reasons)
}

/// Endings of files that data and models lie in.
const ENDINGS: [&str; 22] = [
    "jsonl",
    "ndjson",
    "json",
    "parquet",
    "csv",
    "tsv",
    "txt",
    "arrow",
    "gz",
    "zst",
    "xz",
    "zip",
    "tar",
    "safetensors",
    "gguf",
    "bin",
    "pt",
    "pth",
    "npy",
    "npz",
    "yaml",
    "md",
];
const NOT_THERE: &str = "it is not there";

/// Whether what was given means a file, and no name such as `openai/gsm8k` or an address.
fn names_a_file(text: &str) -> bool {
    let ending = Path::new(text).extension().unwrap_or_default();
    let leads = ["/", "./", "../", "~"]
        .iter()
        .any(|lead| text.starts_with(lead));
    !text.contains("://") && (leads || ENDINGS.iter().any(|one| ending.eq_ignore_ascii_case(one)))
}

fn not_there(path: &str) -> String {
    format!("`{path}`: {NOT_THERE}")
}

/// The entry for an input that was named and is not there.
pub(crate) fn absent(name: &str) -> Fields {
    let mut entry = Fields::new();
    entry.insert("name".to_owned(), Value::from(name));
    if names_a_file(name) {
        put(&mut entry, "digest", Finding::unknown(not_there(name)));
    }
    entry
}

/// Lines on what was named as a file in these fields, and was not there when they were filled.
pub fn said_of_missing(fields: &Fields) -> Vec<String> {
    let why = |fields: &Fields, name: &str| {
        let why = fields.get("unknown")?.get(name)?.as_str()?;
        why.ends_with(NOT_THERE).then(|| why.to_owned())
    };
    let inputs = fields.get("inputs").and_then(Value::as_array);
    let inputs = inputs.into_iter().flatten().filter_map(Value::as_object);
    let line = |what: &str, why: &str| {
        format!(
            "birthmark: {what} {}; kept as unknown",
            crate::text::neutral(why)
        )
    };
    why(fields, "dataset.digest")
        .map(|why| line("dataset", &why))
        .into_iter()
        .chain(inputs.filter_map(|one| Some(line("input", &why(one, "digest")?))))
        .collect()
}

/// The entry of `inputs` for a path: `role`, `file`, digests, `version_sha`.
pub fn input(project: &Project, path: &Path, role: Option<&str>) -> Fields {
    let mut entry = Fields::new();
    if let Some(role) = role {
        entry.insert("role".to_owned(), Value::from(role));
    }
    entry.insert("file".to_owned(), Value::from(project.stored_path(path)));
    let (digest, content) = digests(path);
    put(&mut entry, "digest", digest.map(Value::from));
    if let Some(content) = content {
        entry.insert("content_digest".to_owned(), Value::from(content));
    }
    if path.is_file() {
        put(
            &mut entry,
            "version_sha",
            git::last_commit_touching(path, HISTORY_LIMIT).map(Value::from),
        );
    }
    entry
}

/// The inputs that a user gave: paths, objects (filled in where they name a `file`), names.
pub fn inputs(project: &Project, given: &[Value], folder: &Path) -> Result<Vec<Value>> {
    given
        .iter()
        .map(|one| one_input(project, one, folder))
        .collect()
}

fn one_input(project: &Project, given: &Value, folder: &Path) -> Result<Value> {
    match given {
        Value::String(text) => {
            let path = folder.join(text);
            Ok(Value::Object(if path.exists() {
                input(project, &path, None)
            } else {
                absent(text)
            }))
        }
        Value::Object(fields) => {
            let named = fields
                .get("file")
                .and_then(Value::as_str)
                .map(|file| folder.join(file));
            let mut entry = match named.filter(|path| path.exists()) {
                Some(path) => input(project, &path, None),
                None => Fields::new(),
            };
            let stored = entry.get("file").cloned();
            entry.extend(fields.clone());
            if let Some(stored) = stored {
                entry.insert("file".to_owned(), stored);
            } else if let Some(file) = fields.get("file").and_then(Value::as_str)
                && !["digest", "unknown"]
                    .iter()
                    .any(|name| fields.contains_key(*name))
            {
                put(&mut entry, "digest", Finding::unknown(not_there(file)));
            }
            Ok(Value::Object(entry))
        }
        other => Err(Error::usage(
            "inputs",
            format!("an input must be a path or an object, not {other}"),
        )),
    }
}

/// The digest of a file or folder, and the content digest where it differs.
pub fn digests(path: &Path) -> (Finding<String>, Option<String>) {
    let (digest, content, _) = looked(path);
    (digest, content)
}

/// The same, and the number of records, of lines that could be read.
fn looked(path: &Path) -> (Finding<String>, Option<String>, Option<u64>) {
    let digester = crate::digests::digester();
    crate::digests::expect_to_describe(path, false);
    let digest = match digester.whole_as(path, Algorithm::Blake3) {
        Ok(digest) => digest,
        Err(error) => return (Finding::unknown(error.to_string()), None, None),
    };
    let content = digester.content(path);
    let lines = matches!(FileKind::of(path), Some(FileKind::Records(_)));
    let records = content.filter(|_| lines).map(|content| content.records);
    let content = content.map(|content| content.digest);
    let content = content.filter(|content| *content != digest);
    (
        Finding::Found(digest.to_string()),
        content.map(|content| content.to_string()),
        records,
    )
}

/// The digest of a file, or the tree digest of a folder.
pub fn digest_of(path: &Path) -> Result<Digest, FileError> {
    crate::digests::digester().whole_as(path, Algorithm::Blake3)
}

/// How many records a dataset has: lines of JSONL, members of a JSON list (or of the only
/// list in an object).
pub(crate) fn records_in(path: &Path) -> Finding<u64> {
    if path.is_dir() {
        return Finding::unknown("it is a folder");
    }
    match FileKind::of(path) {
        Some(FileKind::Records(codec)) => count_lines(path, codec),
        Some(FileKind::Report) => count_members(path),
        _ => Finding::unknown("its records cannot be counted"),
    }
}

fn count_lines(path: &Path, codec: Codec) -> Finding<u64> {
    use std::io::{BufRead, BufReader};
    let Ok(file) = birthmark_store::atomic::open_regular(path) else {
        return Finding::unknown("it cannot be read");
    };
    if file.metadata().is_ok_and(|found| found.len() > COUNT_LIMIT) {
        return Finding::unknown("it is too large to be counted");
    }
    let text = match codec.unpack(Box::new(file)) {
        Ok(text) => text,
        Err(error) => return Finding::unknown(error.to_string()),
    };
    // Lines of any length: all that is kept of one is whether something stands on it.
    let mut reader = BufReader::with_capacity(1 << 18, text);
    let (mut count, mut something) = (0, false);
    loop {
        let piece = match reader.fill_buf() {
            Ok([]) => return Finding::Found(count + u64::from(something)),
            Ok(piece) => piece,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Finding::unknown(error.to_string()),
        };
        let length = piece.len();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            something |= !part.trim_ascii().is_empty();
            if part.ends_with(b"\n") {
                count += u64::from(std::mem::take(&mut something));
            }
        }
        reader.consume(length);
    }
}

/// A JSON dataset larger than this is not read whole.
const WHOLE_LIMIT: u64 = 1 << 30;

fn count_members(path: &Path) -> Finding<u64> {
    let bytes = match atomic::read_limited(path, WHOLE_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) => return Finding::unknown(error.to_string()),
    };
    let text = json::without_bom(&bytes);
    type Items<'a> = Vec<&'a serde_json::value::RawValue>;
    if let Ok(items) = serde_json::from_slice::<Items<'_>>(text) {
        return Finding::Found(items.len() as u64);
    }
    let object: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        match serde_json::from_slice(text) {
            Ok(object) => object,
            Err(_) => return Finding::unknown("it is no JSON that can be counted"),
        };
    let mut lists = object
        .values()
        .filter_map(|value| serde_json::from_str::<Items<'_>>(value.get()).ok());
    match (lists.next(), lists.next()) {
        (Some(items), None) => Finding::Found(items.len() as u64),
        _ => Finding::unknown("it is no list of records"),
    }
}

/// Digests of the models that are files or folders here, by role.
pub fn model_digests(models: &Value, folder: &Path) -> Fields {
    let Value::Object(models) = models else {
        return Fields::new();
    };
    let mut found = Fields::new();
    for (role, model) in models {
        let path = model
            .as_str()
            .map(|model| folder.join(model))
            .filter(|path| path.exists());
        if let Some(path) = path
            && let (Finding::Found(digest), _) = digests(&path)
        {
            found.insert(role.clone(), Value::from(digest));
        }
    }
    found
}
