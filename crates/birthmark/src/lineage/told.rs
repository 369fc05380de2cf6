//! What the Pythons of a command told while they ran: seeds that were set, and what was loaded
//! by name (written by `run/python/birthmark_run`).
//!
//! One JSON object a line: `pid` with `seeds`, with `load` and its `key`, of which a later line takes the
//! place of an earlier one, or with `loaded`, the path of a compiled module. A line that is damaged, or torn by a kill, is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use birthmark_core::Fields;
use birthmark_store::atomic;
use serde_json::Value;

use super::Load;
use crate::project::plain;

/// The file's name, in the folder of a run's notes.
pub(crate) const TOLD: &str = "told.jsonl";
/// No more is read.
const LIMIT: u64 = 16 << 20;
/// Seeds of one function that are listed, where processes set several.
const MOST: usize = 16;

/// What was told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Seeds that were set, by the function that was called.
    pub(crate) seeds: Fields,
    /// What was loaded by name.
    pub(crate) loads: Vec<Load>,
    /// Compiled modules that were loaded, and that are none of an installed package.
    pub(crate) extensions: BTreeSet<PathBuf>,
}

/// Reads what was told in a folder of notes.
pub(crate) fn read(folder: &Path) -> Told {
    let bytes = atomic::read_limited(&folder.join(TOLD), LIMIT).unwrap_or_default();
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Told {
    let mut extensions = BTreeSet::new();
    let mut seeds: BTreeMap<(u64, String), Value> = BTreeMap::new();
    let mut loads: Vec<((u64, u64), Load)> = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(Value::Object(line)) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let number = |name: &str| line.get(name).and_then(Value::as_u64).unwrap_or(0);
        let pid = number("pid");
        if let Some(Value::Object(told)) = line.get("seeds") {
            for (function, seed) in told {
                seeds.insert((pid, function.clone()), seed.clone());
            }
        }
        if let Some(Value::String(path)) = line.get("loaded") {
            extensions.insert(plain(Path::new(path)));
        }
        if let Some(Value::Object(told)) = line.get("load")
            && let Some(load) = Load::from_fields(told)
        {
            let key = (pid, number("key"));
            match loads.iter_mut().find(|known| known.0 == key) {
                Some(known) => known.1 = load,
                None => loads.push((key, load)),
            }
        }
    }
    Told {
        seeds: together(seeds),
        loads: loads.into_iter().map(|one| one.1).collect(),
        extensions,
    }
}

/// One seed a function; a list where processes set different ones.
fn together(seeds: BTreeMap<(u64, String), Value>) -> Fields {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for ((_, function), seed) in seeds {
        let known = all.entry(function).or_default();
        // Of a function that makes generators one process has set several.
        let each = match seed {
            Value::Array(each) => each,
            one => vec![one],
        };
        for seed in each {
            if !known.contains(&seed) && known.len() < MOST {
                known.push(seed);
            }
        }
    }
    all.into_iter()
        .map(|(function, mut seeds)| match seeds.len() {
            1 => (function, seeds.remove(0)),
            _ => (function, Value::Array(seeds)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seed_of_a_process_counts_and_processes_stand_beside_each_other() {
        let text = br#"{"pid": 1, "seeds": {"random.seed": 1}}
{"pid": 1, "seeds": {"random.seed": 2, "torch.manual_seed": 5}}
not json
{"pid": 2, "seeds": {"random.seed": [3, 2]}}
{"pid": 3, "seeds": {"random.seed": 3}}
{"pid": 3, "loaded": "/p/./a.so"}
{"pid": 1, "seeds": {"rand"#;
        let told = parse(text);
        let wanted = serde_json::json!({"random.seed": [2, 3], "torch.manual_seed": 5});
        assert_eq!(Value::Object(told.seeds), wanted);
        assert_eq!(told.extensions, BTreeSet::from([PathBuf::from("/p/a.so")]));
    }

    #[test]
    fn a_load_is_told_anew_when_more_is_known_of_it() {
        let text = br#"{"pid": 1, "key": 7, "load": {"role": "tokenizer", "name": "a/b"}}
{"pid": 1, "key": 7, "load": {"role": "model", "name": "a/b"}}
{"pid": 2, "key": 7, "load": {"role": "dataset", "name": "c/d"}}
"#;
        let told = parse(text);
        let roles: Vec<&str> = told.loads.iter().map(|one| one.role.as_str()).collect();
        assert_eq!(roles, ["model", "dataset"]);
    }
}
