//! Fields from YAML, taken only where every reader would take them alike.
//!
//! YAML 1.1 (as PyYAML reads it) and 1.2 disagree on `no`, `010`, `1_000` and more, and
//! tags can name objects to be made. None of that is guessed or followed: it is refused,
//! with its line. What is left are the maps, lists, texts, numbers, truths and nulls that
//! JSON has; numbers keep their text.

use birthmark_core::Fields;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Number, Value};

/// Maps and lists within each other, at most.
const DEPTH: usize = 64;

/// Reads one map; the fault names its line.
pub(super) fn read(text: &str) -> Result<Fields, String> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
    };
    let mut whole = None;
    loop {
        let (event, line) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if whole.is_some() => return Err(at(line, "a second document begins")),
            event => whole = Some(reader.value(event, line, DEPTH)?),
        }
    }
    match whole {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err("it is no map of names to values".to_owned()),
    }
}

fn at(line: usize, what: &str) -> String {
    format!("line {line}: {what}")
}

struct Reader<'a, T: Iterator<Item = Result<(Event<'a>, Span), ScanError>>> {
    events: T,
}

impl<'a, T: Iterator<Item = Result<(Event<'a>, Span), ScanError>>> Reader<'a, T> {
    fn next(&mut self) -> Result<(Event<'a>, usize), String> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(at(error.marker().line(), error.info())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn value(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(at(line, "it is nested too deep"));
        };
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.as_ref()),
            Event::Alias(_) => return Err(at(line, "an alias is not followed")),
            _ => return Err(at(line, "it ends too early")),
        };
        if let Some(tag) = tag {
            let what = format!("the tag `{}{}` is not followed", tag.handle, tag.suffix);
            return Err(at(line, &what));
        }
        if anchor != 0 {
            return Err(at(line, "an anchor is not followed"));
        }
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => {
                plain(&text).map_err(|what| at(line, &what))
            }
            Event::Scalar(text, ..) => Ok(Value::from(text.into_owned())),
            Event::SequenceStart(..) => self.list(depth),
            _ => self.map(depth),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(items));
            }
            items.push(self.value(event, line, depth)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = Map::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Object(members));
            }
            let name = match event {
                Event::Scalar(name, _, 0, None) if name != "<<" => name.into_owned(),
                _ => return Err(at(line, "a name must be plain text")),
            };
            let (event, line) = self.next()?;
            let value = self.value(event, line, depth)?;
            if members.insert(name.clone(), value).is_some() {
                return Err(at(line, &format!("the name `{name}` stands twice")));
            }
        }
    }
}

/// What a text without quotes means.
fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::from(true)),
        "false" | "False" | "FALSE" => return Ok(Value::from(false)),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "yes" | "no" | "on" | "off" | "y" | "n") {
        return Err(format!(
            "`{text}` is a truth to some readers and text to others: write true, false, or quote it"
        ));
    }
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Number(number)),
            _ => Err(format!("`{text}` is no finite number")),
        };
    }
    if is_doubtful(&lower) {
        return Err(format!(
            "readers differ on the number `{text}`: write it as JSON would, or quote it"
        ));
    }
    Ok(Value::from(text))
}

/// Whether some reader takes for a number what is none in JSON.
fn is_doubtful(lower: &str) -> bool {
    let bare = lower.strip_prefix(['+', '-']).unwrap_or(lower);
    if matches!(bare, ".inf" | ".nan" | "inf" | "nan" | "infinity") {
        return true;
    }
    let digits = |text: &str, also: &str| {
        text.contains(|digit: char| digit.is_ascii_digit())
            && text
                .chars()
                .all(|each| each.is_ascii_digit() || also.contains(each))
    };
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| {
        let rest = bare.strip_prefix(prefix).unwrap_or_default();
        !rest.is_empty()
            && rest
                .chars()
                .all(|each| each.is_ascii_hexdigit() || each == '_')
    });
    let begins = bare.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let points = bare.matches('.').count();
    prefixed || (begins && points <= 1 && digits(bare, "_.e+"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_all_readers_agree_on_is_taken() {
        let text = "seed: 42\nlr: 1e-5\nbig: 9007199254740993\nname: \"yes\"\nnone: ~\nempty:\n\
                    flag: true\nlist: [1, 2.50, a b]\nmap:\n  when: 2026-01-02\n  version: 1.2.3\n\
                    text: |\n  one\n  two\n";
        let fields = Value::Object(read(text).unwrap());
        assert_eq!(
            fields.to_string(),
            r#"{"seed":42,"lr":1e-5,"big":9007199254740993,"name":"yes","none":null,"empty":null,"flag":true,"list":[1,2.50,"a b"],"map":{"when":"2026-01-02","version":"1.2.3"},"text":"one\ntwo\n"}"#
        );
        assert_eq!(fields["seed"], json!(42));
    }

    #[test]
    fn what_readers_differ_on_or_would_run_is_refused_with_its_line() {
        for (text, word) in [
            ("a: 1\nb: no", "line 2"),
            ("a: On", "truth"),
            ("a: 010", "number"),
            ("a: 1_000", "number"),
            ("a: 0x1F", "number"),
            ("a: .5", "number"),
            ("a: +5", "number"),
            ("a: .inf", "number"),
            ("a: 1e999", "finite"),
            ("a: !!python/object/apply:os.system [id]", "tag"),
            ("a: !x 1", "tag"),
            ("a: !!js/function 'f'", "tag"),
            ("a: &x 1\nb: *x", "anchor"),
            ("a: 1\na: 2", "twice"),
            ("<<: {a: 1}", "plain"),
            ("? [1]\n: 2", "plain"),
            ("a: 1\n---\nb: 2", "second"),
            ("- 1", "no map"),
            ("", "no map"),
            ("a: [1", "line"),
            ("a: \"\\q\"", "line"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        let deep = format!("a: {}{}", "[".repeat(500), "]".repeat(500));
        let error = read(&deep).unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }
}
