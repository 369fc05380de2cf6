//! The answer of `verify` as JUnit XML, which build servers read.
//!
//! A test case a thing. What failed is a `failure`, what could not be told an `error`, what was
//! not judged `skipped`; a caveat stands in `system-out`, since it fails nothing.
//! What was not proved stands in the `properties` of the suite.

use super::report::{Item, ItemKind, Reason, Report, Word};

/// The whole document.
pub fn junit(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuite name=\"birthmark verify\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
        report.items.len(),
        report.count(Word::Failed),
        report.count(Word::CannotTell),
        report.count(Word::Unstamped),
    ));
    out.push_str("  <properties>\n");
    for line in &report.not_proved {
        out.push_str(&format!(
            "    <property name=\"not proved\" value=\"{}\"/>\n",
            escape(line)
        ));
    }
    out.push_str("  </properties>\n");
    for item in &report.items {
        case(&mut out, item);
    }
    out.push_str("</testsuite>\n");
    out
}

fn case(out: &mut String, item: &Item) {
    let class = match item.kind {
        ItemKind::Artifact => "artifact",
        ItemKind::Session => "session",
        ItemKind::Store => "store",
    };
    let name = escape(&item.name);
    out.push_str(&format!(
        "  <testcase classname=\"{class}\" name=\"{name}\""
    ));
    if item.reasons.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push_str(">\n");
    for (tag, word) in [("failure", Word::Failed), ("error", Word::CannotTell)] {
        let reasons: Vec<&Reason> = item.reasons.iter().filter(|r| r.word == word).collect();
        if let Some(first) = reasons.first() {
            out.push_str(&format!(
                "    <{tag} type=\"{}\" message=\"{}\">{}</{tag}>\n",
                first.code,
                escape(&first.text),
                escape(&lines(&reasons))
            ));
        }
    }
    if item.word == Word::Unstamped {
        out.push_str("    <skipped message=\"it has no birthmark\"/>\n");
    }
    let caveats: Vec<&Reason> = item
        .reasons
        .iter()
        .filter(|reason| reason.word == Word::Caveat)
        .collect();
    if !caveats.is_empty() {
        let text = escape(&lines(&caveats));
        out.push_str(&format!("    <system-out>{text}</system-out>\n"));
    }
    out.push_str("  </testcase>\n");
}

fn lines(reasons: &[&Reason]) -> String {
    let line = |reason: &&Reason| match reason.line {
        Some(line) => format!("line {line}: {}", reason.text),
        None => reason.text.clone(),
    };
    reasons.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Text that is safe anywhere in XML; characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            _ => out.push(character),
        }
    }
    out
}
