//! Fields as a shell or a file gives them, turned into values without a guess.
//!
//! * A field of the format's table keeps its type, whatever the value looks like:
//!   `model_name=7` is the text "7", `seed=x` is an error.
//! * Any other value is JSON if it is a finite value that JSON would write the same
//!   way, and text if not: `note=7` is a number, `note=007` is text.

use std::path::{Path, PathBuf};

use birthmark_core::birthmark::{self, Kind, PROVENANCE_KEYS};
use birthmark_core::{Fields, json};
use birthmark_store::atomic;
use serde_json::Value;

use super::yaml;
use crate::error::{Error, Result};

/// A file of fields larger than this is none.
const FILE_LIMIT: u64 = 16 << 20;

/// Reads `name=value`.
pub fn parse(text: &str) -> Result<(String, Value)> {
    let (name, value) = split(text, "--set")?;
    let value = match birthmark::rule(name).map(|rule| rule.kind) {
        Some(Kind::Text) => Value::from(value),
        Some(_) => serde_json::from_str(value)
            .ok()
            .filter(is_finite)
            .unwrap_or_else(|| Value::from(value)),
        None => guess(value),
    };
    birthmark::check(name, &value)?;
    Ok((name.to_owned(), value))
}

/// Reads `name=value` where the value is text, whatever it looks like.
pub fn parse_text(text: &str) -> Result<(String, Value)> {
    let (name, value) = split(text, "--set-text")?;
    let value = Value::from(value);
    birthmark::check(name, &value)?;
    Ok((name.to_owned(), value))
}

fn split<'a>(text: &'a str, option: &str) -> Result<(&'a str, &'a str)> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(
            Error::usage("set", format!("`{option} {text}` names no field and value"))
                .with_hint(format!("write `{option} NAME=VALUE`")),
        ),
    }
}

fn guess(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if is_finite(&value) && prints_back(text, &value) => value,
        _ => Value::from(text),
    }
}

/// Whether the value is written as `text` is, but for the white space of an object or list.
fn prints_back(text: &str, value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Array(_) => {
            let printed = value.to_string();
            without_space(text) == printed
        }
        // Any spelling that JSON allows: `1e-5` is a number though it may be written `1e-05`.
        Value::Number(_) => !text.contains(char::is_whitespace),
        _ => {
            let printed = value.to_string();
            text == printed
        }
    }
}

/// JSON text without the white space between its tokens.
fn without_space(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|&each| {
            let keep = in_string || !each.is_ascii_whitespace();
            if in_string {
                in_string = each != '"' || escaped;
                escaped = each == '\\' && !escaped;
            } else {
                in_string = each == '"';
            }
            keep
        })
        .collect()
}

/// Whether every number in it is one that an `f64` can hold, roughly.
fn is_finite(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.to_string().parse::<f64>().is_ok_and(f64::is_finite),
        Value::Array(items) => items.iter().all(is_finite),
        Value::Object(members) => members.values().all(is_finite),
        _ => true,
    }
}

/// The fields of a JSON, TOML or YAML file (by its name): an object.
pub fn read_file(path: &Path) -> Result<Fields> {
    let bytes = atomic::read_limited(path, FILE_LIMIT)?;
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let fields = match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("toml") => read_toml(path, &bytes)?,
        Some("yaml" | "yml") => read_yaml(path, &bytes)?,
        _ => read_json(path, &bytes)?,
    };
    birthmark::check_all(&fields).map_err(|error| not_fields(path, &error.to_string()))?;
    Ok(fields)
}

fn read_json(path: &Path, bytes: &[u8]) -> Result<Fields> {
    // The strict check comes first: it names a key that stands twice, and what is not finite.
    json::check_envelope(bytes).map_err(|error| not_fields(path, &error.to_string()))?;
    serde_json::from_slice(bytes).map_err(|error| not_fields(path, &error.to_string()))
}

fn read_toml(path: &Path, bytes: &[u8]) -> Result<Fields> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_fields(path, &error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| not_fields(path, error.message()))?;
    let member = |(name, value): (String, toml::Value)| Some((name, from_toml(value)?));
    table
        .into_iter()
        .map(member)
        .collect::<Option<Fields>>()
        .ok_or_else(|| not_fields(path, "a number in it is not finite"))
}

fn read_yaml(path: &Path, bytes: &[u8]) -> Result<Fields> {
    let text = std::str::from_utf8(bytes).map_err(|error| not_fields(path, &error.to_string()))?;
    yaml::read(text).map_err(|error| not_fields(path, &error))
}

/// `None` where a number is not finite.
fn from_toml(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(number)?),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => {
            Value::Array(items.into_iter().map(from_toml).collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(name, value)| Some((name, from_toml(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

fn not_fields(path: &Path, reason: &str) -> Error {
    Error::usage(
        "fields-file",
        format!("cannot read fields from `{}`: {reason}", path.display()),
    )
    .with_hint("it must be one JSON object, or TOML or YAML in a file named so")
}

/// The fields of files: what the model's loader said of itself, and over it those of each file in turn.
pub fn from_files(model_provenance: Option<&Path>, files: &[PathBuf]) -> Result<Fields> {
    let mut fields = Fields::new();
    if let Some(path) = model_provenance {
        fields.extend(read_model_provenance(path)?);
    }
    for path in files {
        fields.extend(read_file(path)?);
    }
    Ok(fields)
}

/// The origin's provenance of a loader, from a JSON file: its six keys, and whatever
/// else the loader wrote.
pub fn read_model_provenance(path: &Path) -> Result<Fields> {
    let fields = read_file(path)?;
    if PROVENANCE_KEYS.iter().any(|key| fields.contains_key(*key)) {
        return Ok(fields);
    }
    Err(Error::usage(
        "no-provenance",
        format!(
            "`{}` has none of {}",
            path.display(),
            PROVENANCE_KEYS.join(", ")
        ),
    )
    .with_hint("other fields are given with `--set-file`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        parse(text).unwrap().1
    }

    #[test]
    fn field_of_the_table_keeps_its_type() {
        assert_eq!(value("model_name=7"), json!("7"));
        assert_eq!(value("model_name=null"), json!("null"));
        assert_eq!(value("seed=42"), json!(42));
        assert_eq!(value("seed=null"), Value::Null);
        assert_eq!(value("template_disabled=true"), json!(true));
        for wrong in [
            "seed=x",
            "seed=1.5",
            "do_sample=yes",
            "temperature=NaN",
            "dataset=mine",
            "temperature=1e999",
        ] {
            assert_eq!(parse(wrong).unwrap_err().code(), "field", "{wrong}");
        }
    }

    #[test]
    fn other_values_are_json_where_json_would_write_them_so() {
        for (text, wanted) in [
            ("x=7", json!(7)),
            ("x=true", json!(true)),
            ("x=null", Value::Null),
            ("x=", json!("")),
            ("x=007", json!("007")),
            ("x= 7", json!(" 7")),
            ("x=1e999", json!("1e999")),
            ("x=NaN", json!("NaN")),
            ("x=a=b", json!("a=b")),
            ("x=\"7\"", json!("7")),
            ("x={\"a\": [1, 2]}", json!({"a": [1, 2]})),
            ("x={\"a\": \"b \\\" c\"}", json!({"a": "b \" c"})),
            ("x={\"a\": 1, \"a\": 2}", json!("{\"a\": 1, \"a\": 2}")),
        ] {
            assert_eq!(value(text), wanted, "{text}");
        }
        for number in ["1.50", "-0.0", "123456789012345678901234567890", "1e-5"] {
            let parsed = value(&format!("x={number}"));
            assert!(parsed.is_number(), "{number}");
            assert_eq!(parsed.to_string(), number);
        }
        assert_eq!(parse_text("x=7").unwrap().1, json!("7"));
    }

    #[test]
    fn reserved_and_nameless_fields_are_refused() {
        assert_eq!(parse("git_commit=abc").unwrap_err().code(), "field");
        assert_eq!(parse_text("seed=7").unwrap_err().code(), "field");
        for wrong in ["seed", "=7", " =7", ""] {
            assert_eq!(parse(wrong).unwrap_err().code(), "set", "{wrong}");
        }
    }

    #[test]
    fn files_of_fields_are_json_or_toml_and_strict() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            atomic::replace(&path, text.as_bytes(), atomic::Durability::Process).unwrap();
            read_file(&path)
        };
        let fields = read("a.json", "{\"temperature\": 0.70, \"seed\": 42}").unwrap();
        assert_eq!(
            Value::Object(fields).to_string(),
            r#"{"temperature":0.70,"seed":42}"#
        );
        let fields = read("a.toml", "temperature = 0.7\n[extra]\nwhen = 2026-01-02\n").unwrap();
        assert_eq!(
            Value::Object(fields),
            json!({"temperature": 0.7, "extra": {"when": "2026-01-02"}})
        );
        for (name, text) in [
            ("b.json", "{\"seed\": 1, \"seed\": 2}"),
            ("b.json", "{\"x\": NaN}"),
            ("b.json", "[1]"),
            ("b.json", "{\"seed\": \"x\"}"),
            ("b.toml", "x = nan"),
            ("b.toml", "x ="),
        ] {
            assert!(read(name, text).is_err(), "{text}");
        }
    }
}
