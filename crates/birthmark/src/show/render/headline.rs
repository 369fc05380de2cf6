//! The first line: what it is, how much of it, and when it was made.

use birthmark_core::Timestamp;
use birthmark_core::timestamp::{render_age, render_local};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::LONGEST;
use crate::show::{Shown, What};
use crate::text::{self, plain, short};

/// Kind, number, size, time; broken between them where a line ends.
pub(super) fn headline(shown: &Shown, now: Timestamp, zone: &TimeZone, width: usize) -> String {
    let mut parts = Vec::new();
    match shown.what {
        What::Session => parts.push(format!("session {}", text::neutral(&shown.name))),
        What::Unstamped => parts.push(format!("{}: no birthmark", text::neutral(&shown.name))),
        _ => parts.push(shown.get("artifact_type").map_or_else(
            || "artifact of no type".to_owned(),
            |found| short(&plain(found), LONGEST),
        )),
    }
    match shown.what {
        What::Record => parts.push(format!("record at line {}", shown.line.unwrap_or(0))),
        What::Report => parts.push("report".to_owned()),
        What::Folder => parts.push("folder".to_owned()),
        What::Observed => parts.push("observed, carries no birthmark".to_owned()),
        _ => {}
    }
    if shown.what == What::Records {
        parts.extend(shown.records.map(|records| text::count(records, "record")));
        if shown.unstamped > 0 {
            parts.push(format!(
                "{} of them unstamped",
                text::grouped(shown.unstamped)
            ));
        }
        if let (bad @ 1.., Some((line, why))) = (shown.bad_lines.0, &shown.bad_lines.1) {
            let lines = text::count(bad, "bad line");
            parts.push(format!("{lines} (line {line}: {})", text::neutral(why)));
        }
    }
    if shown.what != What::Record {
        parts.extend(shown.size.map(text::bytes));
    }
    parts.extend(when(shown, now, zone));
    let mut text = String::new();
    let mut used = 0;
    for part in parts {
        let length = part.chars().count();
        if used > 0 && used + 3 + length > width {
            text.push_str("\n  ");
            used = 2;
        } else if used > 0 {
            text.push_str(" · ");
            used += 3;
        }
        text.push_str(&part);
        used += length;
    }
    text
}

fn when(shown: &Shown, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let wrote = shown.wrote.as_ref().filter(|_| shown.what != What::Record);
    let text = match wrote {
        Some(wrote) => wrote.time().to_string(),
        None => time_of(shown)?,
    };
    Some(moment(&text, now, zone))
}

/// The time of the birthmark, else of its session.
pub(super) fn time_of(shown: &Shown) -> Option<String> {
    let varying = shown
        .varies
        .iter()
        .find(|varying| varying.name == "timestamp");
    let own = shown
        .birthmark
        .get("timestamp")
        .or(varying.and_then(|found| found.max.as_ref()));
    match own.and_then(Value::as_str) {
        Some(text) => Some(text.to_owned()),
        None => shown.session.as_ref()?.start.clone(),
    }
}

/// A moment that a birthmark tells, and how long ago that was.
pub(super) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => format!("{} ({})", render_local(time, zone), render_age(time, now)),
        // A time without an offset: which moment it means is not known.
        Err(_) => format!("{} (no time zone)", short(text, 40)),
    }
}
