//! The environment now, held against the one that was recorded.

use std::collections::BTreeMap;
use std::path::Path;

use birthmark_capture::python::{self, Interpreter};
use birthmark_core::birthmark::Fields;
use birthmark_store::Layout;
use serde_json::Value;

use super::variables::python_path;
use crate::machine;
use crate::text::{plain, short};

/// At most this many packages are named.
const NAMED: usize = 6;

/// What differs, a line each; the error is why it cannot be told.
pub(super) fn differences(
    layout: &Layout,
    recorded: &Fields,
    program: &str,
) -> Result<Vec<String>, String> {
    if recorded.is_empty() {
        return Err("no environment was recorded".to_owned());
    }
    let interpreter = interpreter(program, &python_path(recorded));
    let now = machine::environment(interpreter.as_ref());
    let mut lines = Vec::new();
    for name in ["python", "torch", "cuda", "gpu", "arch"] {
        let word = |fields: &Fields| match fields.get(name) {
            None | Some(Value::Null) => "none".to_owned(),
            // Of Python's own version text only the number says what it can do.
            Some(value) => {
                let text = plain(value);
                match name {
                    "python" => text.split_whitespace().next().unwrap_or("none").to_owned(),
                    _ => text,
                }
            }
        };
        let (was, is) = (word(recorded), word(&now));
        if was != is {
            lines.push(format!(
                "{name} {}, not {}",
                short(&is, 40),
                short(&was, 40)
            ));
        }
    }
    let was = machine::recorded_packages(layout, recorded)?;
    let was = was
        .into_iter()
        .map(|package| (package.name, package.version))
        .collect();
    let Some(interpreter) = interpreter else {
        return Err("there is no Python here whose packages could be compared".to_owned());
    };
    let is: BTreeMap<String, String> = python::packages(&interpreter.sys_path)
        .by_name
        .into_iter()
        .map(|(name, package)| (name, package.version))
        .collect();
    lines.extend(package_lines(&was, &is));
    Ok(lines)
}

fn interpreter(program: &str, more: &str) -> Option<Interpreter> {
    let path = Path::new(program);
    let own = (path.is_absolute() && path.exists()).then(|| python::interpreter_at(path));
    let found = own.and_then(|own| own.found().cloned());
    let mut found = found.or_else(|| python::find_interpreter().found().cloned())?;
    // As the run will have it: before the interpreter's own.
    let more: Vec<_> = std::env::split_paths(more)
        .filter(|path| path.is_absolute())
        .collect();
    found.sys_path.splice(0..0, more);
    Some(found)
}

fn package_lines(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<String> {
    let changed: Vec<String> = was
        .iter()
        .filter_map(|(name, version)| {
            let now = is.get(name)?;
            (now != version).then(|| format!("{name} {now}, not {version}"))
        })
        .collect();
    let gone: Vec<String> = was
        .keys()
        // What records the run is lent to it, and no part of what it ran with.
        .filter(|name| !is.contains_key(*name) && *name != "birthmark")
        .cloned()
        .collect();
    let added: Vec<String> = is
        .keys()
        .filter(|name| !was.contains_key(*name))
        .cloned()
        .collect();
    [("changed", changed), ("missing", gone), ("added", added)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| {
            let more = names.len().saturating_sub(NAMED);
            let listed = names.iter().take(NAMED).map(|name| short(name, 60));
            let mut line = format!(
                "{} {word}: {}",
                crate::text::count(names.len() as u64, "package"),
                listed.collect::<Vec<_>>().join("; ")
            );
            if more > 0 {
                line.push_str(&format!("; +{more}"));
            }
            line
        })
        .collect()
}
