//! What is in a file of records that goes on.

use std::path::Path;

use birthmark_core::json;
use birthmark_store::atomic::PathContext;

use crate::error::Result;

/// The JSON texts of a top-level key's values in the records of a file, each once a record;
/// none when there is no file. A line that is no JSON object, or lacks the key, has none.
pub fn values_of(path: &Path, key: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    each_line(path, |line| {
        if let Some(raw) = json::get(line, &[key]) {
            values.push(String::from_utf8_lossy(raw).into_owned());
        }
    })?;
    Ok(values)
}

/// The records of a file without their birthmarks, as JSON texts.
pub fn clean_lines(path: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    each_line(path, |line| {
        let mut clean = Vec::new();
        if json::unstamp_record(&mut clean, line).is_ok() {
            lines.push(String::from_utf8_lossy(&clean).into_owned());
        }
    })?;
    Ok(lines)
}

fn each_line(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    use std::io::{BufRead, BufReader, ErrorKind};
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.at("read", path)?,
    };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).at("read", path)? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            each(line.trim_ascii_end());
        }
    }
}
