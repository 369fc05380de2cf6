//! What weights say of themselves: a model in GGUF, an adapter's base, the shards of a
//! checkpoint.
//!
//! Nothing is executed and nothing unpickled: JSON of limited size and the header of GGUF
//! are read. A header of GGUF that cannot be read is `unknown`, with its reason; any other
//! file that cannot be read says nothing.

use std::collections::BTreeSet;
use std::path::Path;

use birthmark_core::birthmark::{Fields, note_unknown};
use birthmark_store::atomic;
use birthmark_store::format::{FormatError, gguf};
use serde_json::{Value, json};

use crate::dataset;
use crate::error::Error;
use crate::project::Project;

/// A configuration or index larger than this is none, in bytes.
const LIMIT: u64 = 64 << 20;
/// The field of the shards that an index names and that are not there.
pub const MISSING: &str = "missing_shards";
/// The field of what a model in GGUF says of itself.
pub const GGUF: &str = "gguf";
/// The keys of GGUF that tell which model it is.
const TOLD: [&str; 9] = [
    "general.architecture",
    "general.name",
    "general.basename",
    "general.finetune",
    "general.size_label",
    "general.version",
    "general.file_type",
    "general.quantization_version",
    "general.license",
];

/// The fields that a file or folder of weights tells of itself; whoever gives a field of
/// the same name knows better.
pub(crate) fn facts(project: &Project, path: &Path) -> Fields {
    if path.is_dir() {
        let mut fields = of_folder(path);
        let folder = std::path::absolute(".").unwrap_or_default();
        // A base that lies here gets its digest; one that cannot be read has only its name.
        let _ = dataset::fill(project, &mut fields, &folder);
        return fields;
    }
    let mut fields = Fields::new();
    if is_gguf(path) {
        match header_of(path) {
            Ok(found) => _ = fields.insert(GGUF.to_owned(), told_by(&found)),
            Err(why) => {
                fields.insert(GGUF.to_owned(), Value::Null);
                note_unknown(&mut fields, GGUF, &why);
            }
        }
    }
    fields
}

fn is_gguf(path: &Path) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

/// Why a file that is called a model in GGUF is none that can be read: what is wrong, and at which
/// byte. Its tensors are not looked at.
pub(crate) fn damage(path: &Path) -> Option<String> {
    if !is_gguf(path) || !path.is_file() {
        return None;
    }
    header_of(path).err()
}

/// The same as an error of its own.
pub(crate) fn damaged(path: &Path) -> Option<Error> {
    let what = damage(path)?;
    let error = FormatError::Damaged {
        name: path.to_owned(),
        what,
    };
    Some(error.into())
}

/// The header of a model in GGUF, or why there is none.
fn header_of(path: &Path) -> Result<gguf::Gguf, String> {
    let opened = birthmark_store::digest::open_still(path);
    let (mut file, _) = opened.map_err(|error| error.to_string())?;
    match gguf::read(&mut file) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err("it is no GGUF: its first bytes are others".to_owned()),
        Err(error) => Err(format!("its header cannot be read: {error}")),
    }
}

fn told_by(found: &gguf::Gguf) -> Value {
    let mut told = Fields::new();
    for key in TOLD {
        let value = match found.get(key) {
            Some(gguf::Value::Text(text)) => json!(text),
            Some(gguf::Value::Integer(number)) => {
                i64::try_from(*number).map_or(Value::Null, Value::from)
            }
            Some(gguf::Value::Float(number)) => json!(number),
            Some(gguf::Value::Truth(truth)) => json!(truth),
            _ => continue,
        };
        told.insert(key.trim_start_matches("general.").to_owned(), value);
    }
    let file_type = told.get("file_type").and_then(Value::as_u64);
    if let Some(quantization) = file_type.and_then(quantization) {
        told.insert("quantization".to_owned(), Value::from(quantization));
    }
    let length = |(key, value): &(String, gguf::Value)| match value {
        gguf::Value::Integer(number) if key.ends_with(".context_length") => {
            i64::try_from(*number).ok()
        }
        _ => None,
    };
    if let Some(length) = found.pairs.iter().find_map(length) {
        told.insert("context_length".to_owned(), Value::from(length));
    }
    told.insert("tensors".to_owned(), Value::from(found.tensors));
    Value::Object(told)
}

/// The name of llama.cpp for the kind of most tensors, by the number in the header.
fn quantization(file_type: u64) -> Option<&'static str> {
    Some(match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        32 => "BF16",
        _ => return None,
    })
}

fn of_folder(folder: &Path) -> Fields {
    let mut fields = Fields::new();
    if let Some(base) = base_of(folder) {
        fields.insert("inputs".to_owned(), Value::from(vec![base]));
    }
    let missing = missing_shards(folder);
    if !missing.is_empty() {
        fields.insert(MISSING.to_owned(), json!(missing));
    }
    fields
}

/// The model that an adapter was made for, as an input.
fn base_of(folder: &Path) -> Option<Value> {
    let config = object(&folder.join("adapter_config.json"))?;
    let name = config.get("base_model_name_or_path")?.as_str()?;
    if name.is_empty() {
        return None;
    }
    let kind = if Path::new(name).exists() {
        "file"
    } else {
        "name"
    };
    let mut base = Fields::new();
    base.insert("role".to_owned(), Value::from("base"));
    base.insert(kind.to_owned(), Value::from(name));
    if let Some(revision) = config
        .get("revision")
        .filter(|revision| revision.is_string())
    {
        base.insert("model_revision".to_owned(), revision.clone());
    }
    Some(Value::Object(base))
}

/// The shards that an index of the folder names and that are not there.
pub(crate) fn missing_shards(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut missing = BTreeSet::new();
    for entry in entries.filter_map(std::io::Result::ok) {
        if !entry.file_name().to_string_lossy().ends_with(".index.json") {
            continue;
        }
        let index = object(&entry.path()).unwrap_or_default();
        let Some(Value::Object(weights)) = index.get("weight_map") else {
            continue;
        };
        let shards = weights.values().filter_map(Value::as_str);
        missing.extend(
            shards
                .filter(|shard| folder.join(shard).symlink_metadata().is_err())
                .map(str::to_owned),
        );
    }
    missing.into_iter().collect()
}

fn object(path: &Path) -> Option<Fields> {
    let bytes = atomic::read_limited(path, LIMIT).ok()?;
    serde_json::from_slice(&bytes).ok()
}
