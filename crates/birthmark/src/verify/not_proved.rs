//! What a report does not prove: its last line, always.

use super::Options;
use super::report::Report;
use crate::text;

/// What a report leaves open, most telling first.
pub(super) fn lines(report: &Report, options: &Options, large_inputs: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if options.quick {
        lines.push("the bytes (only sizes were compared)".to_owned());
    } else if let Some(sample) = options.sample {
        let left_out = report
            .items
            .iter()
            .filter(|item| item.reasons.iter().any(|reason| reason.code == "quick"))
            .count();
        let left_out = (left_out > 0).then_some(left_out);
        lines.extend(left_out.map(|left_out| {
            format!(
                "the bytes of {} outside the sample of {} (only sizes were compared)",
                text::count(left_out as u64, "file"),
                sample.text()
            )
        }));
    }
    let has = |code: &str| {
        report
            .items
            .iter()
            .filter(|item| item.reasons.iter().any(|r| r.code == code))
            .count()
    };
    let partly = report.partly();
    if partly > 0 {
        let files = text::count(partly as u64, "file");
        lines.push(format!(
            "bytes of {files} that a run wrote and never counted"
        ));
    }
    let not_bound = has("not-bound");
    if not_bound > 0 {
        let things = text::count(not_bound as u64, "thing");
        lines.push(format!("the bytes of {things} that no session vouches for"));
    }
    if large_inputs > 0 {
        let inputs = text::count(large_inputs as u64, "input");
        lines.push(format!(
            "the bytes of {inputs} of more than 1 GiB (--deep reads them)"
        ));
    }
    lines.push("who made them (nothing is signed)".to_owned());
    lines
}

/// Lists of packages that are too large to be read by the way.
pub(super) fn lists(not_read: usize) -> Option<String> {
    let lists = text::count(not_read as u64, "kept list");
    (not_read > 0).then(|| format!("the bytes of {lists} of more than 1 MiB (--deep reads them)"))
}

/// What was taken from memory, since size and times are as they were when it was read.
pub(super) fn not_read(known: u64) -> Option<String> {
    let look = if known == 1 { "looks" } else { "look" };
    let files = text::count(known, "file");
    (known > 0)
        .then(|| format!("the bytes of {files} that {look} as when last read (--deep reads them)"))
}
