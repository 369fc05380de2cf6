//! Rendering the birthmark of a record: composed once, filled in a million times.
//!
//! Of a record's birthmark only the timestamp and the fields of that record vary.
//! So it is composed once with a mark at each varying place and cut there; a
//! record then costs a few copies.

use birthmark_core::birthmark::{self, Fields, Kind, Scope};
use birthmark_core::timestamp::Timestamp;
use serde_json::Value;

use crate::error::{Error, Result};

/// A field of one record: its name, and its value as JSON text.
pub type RecordField<'a> = (&'a str, &'a [u8]);

/// The birthmarks of one file's records.
#[derive(Debug)]
pub struct Templates {
    /// All fields but the timestamp and those of single records.
    base: Fields,
    scope: Scope,
    /// By the names of the fields of a record, in their order; the one used last stands first.
    by_names: Vec<(Vec<String>, Template)>,
}

/// A composed birthmark, cut at its varying places.
#[derive(Debug)]
struct Template {
    /// Text before the first place, between them, and after the last.
    pieces: Vec<Vec<u8>>,
    /// What goes in between: a field by its position, or the timestamp.
    places: Vec<Place>,
    /// Which type each field must have, by its position.
    kinds: Vec<Option<Kind>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Timestamp,
    Field(usize),
}

/// Fields of single records beyond this many combinations of names are composed anew
/// each time: a cache must not grow with the data.
const MOST_TEMPLATES: usize = 64;

impl Templates {
    /// Templates over the fields that all records of a file share.
    pub fn new(base: Fields, scope: Scope) -> Self {
        Self {
            base,
            scope,
            by_names: Vec::new(),
        }
    }

    /// Writes the birthmark of a record made at `time` with `fields` of its own. `reasons` are
    /// for those that are null because they could not be told. Tells whether its form is new.
    pub fn render(
        &mut self,
        out: &mut Vec<u8>,
        time: Timestamp,
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<bool> {
        if !reasons.is_empty() {
            self.render_with_reasons(out, time, fields, reasons)?;
            return Ok(true);
        }
        let known = self
            .by_names
            .iter()
            .position(|(names, _)| same_names(names, fields));
        match known {
            Some(0) => {}
            Some(at) => self.by_names.swap(0, at),
            None => {
                let template = self.compose(fields, &[])?;
                self.by_names.truncate(MOST_TEMPLATES - 1);
                let names = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
                self.by_names.insert(0, (names, template));
            }
        }
        if let Some((_, template)) = self.by_names.first() {
            for ((name, text), kind) in fields.iter().zip(&template.kinds) {
                check_text(name, text, *kind)?;
            }
            template.fill(out, time, fields);
        }
        Ok(known.is_none())
    }

    /// Forgets the form of the last record: the next one of it is new again.
    pub(crate) fn forget_form(&mut self) {
        if !self.by_names.is_empty() {
            self.by_names.remove(0);
        }
    }

    /// For a record some of whose fields could not be told: composed anew, since such records are
    /// rare.
    fn render_with_reasons(
        &self,
        out: &mut Vec<u8>,
        time: Timestamp,
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<()> {
        for (name, text) in fields {
            check_text(name, text, kind_of(name))?;
        }
        self.compose(fields, reasons)?.fill(out, time, fields);
        Ok(())
    }

    fn compose(
        &self,
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<Template> {
        check_reserved(fields)?;
        let mut own = Fields::new();
        own.insert("timestamp".to_owned(), mark(Place::Timestamp));
        for (position, (name, text)) in fields.iter().enumerate() {
            // What is spoken of must be seen. A text that Python can spell and nobody can
            // parse (half a surrogate pair) is put in as it is.
            let spoken_of = reasons.iter().any(|(of, _)| of == name);
            let value = spoken_of
                .then(|| serde_json::from_slice(text).ok())
                .flatten();
            let value = value.unwrap_or_else(|| mark(Place::Field(position)));
            own.insert((*name).to_owned(), value);
        }
        for (name, reason) in reasons {
            birthmark::note_unknown(&mut own, name, reason);
        }
        let mut composed = birthmark::compose([&self.base, &own], self.scope);
        keep_own(&mut composed, &own);
        let text = serde_json::to_string(&composed).map_err(spelling)?;
        let kinds = fields.iter().map(|(name, _)| kind_of(name)).collect();
        Ok(Template::cut(&text, kinds))
    }
}

/// What a record was given itself stands in it, also where its file leaves such fields out.
fn keep_own(composed: &mut Fields, own: &Fields) {
    for (name, value) in own {
        if !composed.contains_key(name) {
            composed.insert(name.clone(), value.clone());
        }
    }
}

fn check_reserved(fields: &[RecordField<'_>]) -> Result<()> {
    match fields.iter().find(|(name, _)| birthmark::is_reserved(name)) {
        Some((name, _)) => Err(birthmark::FieldError::Reserved((*name).to_owned()).into()),
        None => Ok(()),
    }
}

fn spelling(source: serde_json::Error) -> Error {
    Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
}

fn same_names(names: &[String], fields: &[RecordField<'_>]) -> bool {
    names.len() == fields.len()
        && names
            .iter()
            .zip(fields)
            .all(|(name, field)| name == field.0)
}

/// A mark that no user's text can be: it begins with a control character that JSON
/// spells as an escape, and is never part of a field of ours.
fn mark(place: Place) -> Value {
    Value::from(mark_text(place))
}

fn mark_text(place: Place) -> String {
    match place {
        Place::Timestamp => "\u{1}birthmark:time\u{1}".to_owned(),
        Place::Field(position) => format!("\u{1}birthmark:{position}\u{1}"),
    }
}

impl Template {
    fn cut(text: &str, kinds: Vec<Option<Kind>>) -> Self {
        let all = std::iter::once(Place::Timestamp).chain((0..kinds.len()).map(Place::Field));
        let mut found: Vec<(usize, usize, Place)> = all
            .filter_map(|place| {
                let spelled = Value::from(mark_text(place)).to_string();
                text.find(&spelled).map(|at| (at, spelled.len(), place))
            })
            .collect();
        found.sort_by_key(|(at, ..)| *at);
        let mut template = Self {
            pieces: Vec::new(),
            places: Vec::new(),
            kinds,
        };
        let mut from = 0;
        for (at, length, place) in found {
            template.pieces.push(text.as_bytes()[from..at].to_vec());
            template.places.push(place);
            from = at + length;
        }
        template.pieces.push(text.as_bytes()[from..].to_vec());
        template
    }

    fn fill(&self, out: &mut Vec<u8>, time: Timestamp, fields: &[RecordField<'_>]) {
        for (piece, place) in self.pieces.iter().zip(&self.places) {
            out.extend_from_slice(piece);
            match place {
                Place::Timestamp => {
                    out.push(b'"');
                    out.extend_from_slice(&time.text());
                    out.push(b'"');
                }
                Place::Field(position) => {
                    out.extend_from_slice(fields.get(*position).map_or(b"null", |field| field.1));
                }
            }
        }
        out.extend_from_slice(self.pieces.last().map_or(b"", Vec::as_slice));
    }
}

/// Checks the fields given to an artifact or session by a door that let no user say
/// `unknown`: there it is Birthmark's own account of what could not be filled in.
pub(crate) fn check_given(given: &Fields) -> Result<()> {
    let own = given.iter().filter(|(name, _)| *name != "unknown");
    for (name, value) in own {
        birthmark::check(name, value)?;
    }
    Ok(())
}

fn kind_of(name: &str) -> Option<Kind> {
    birthmark::rule(name).map(|rule| rule.kind)
}

/// Checks the type of a field by its JSON text, without parsing it.
fn check_text(name: &str, text: &[u8], kind: Option<Kind>) -> Result<()> {
    let Some(kind) = kind else {
        return Ok(());
    };
    let first = text.first().copied().unwrap_or(b' ');
    let number = first == b'-' || first.is_ascii_digit();
    let fits = text == b"null"
        || match kind {
            Kind::Text => first == b'"',
            Kind::Flag => text == b"true" || text == b"false",
            Kind::Integer => number && text.iter().all(|b| *b == b'-' || b.is_ascii_digit()),
            Kind::Number => number,
            Kind::Object => first == b'{',
            Kind::List => first == b'[',
        };
    if fits {
        return Ok(());
    }
    let value = serde_json::from_slice(text)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(text).into_owned()));
    Ok(birthmark::check(name, &value)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Fields {
        let Value::Object(fields) = json!({
            "git_commit": "c", "artifact_type": "training_data", "model_name": "m",
            "session_id": "s", "note": "\u{1}birthmark:0"
        }) else {
            panic!()
        };
        fields
    }

    fn render(templates: &mut Templates, fields: &[RecordField<'_>]) -> Value {
        let mut out = Vec::new();
        templates
            .render(&mut out, Timestamp::from_micros(0), fields, &[])
            .unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn fields_of_a_record_stand_where_their_group_stands() {
        let mut templates = Templates::new(base(), Scope::Record);
        let mark = render(&mut templates, &[("seed", b"43"), ("mine", b"[1.50]")]);
        assert_eq!(mark["seed"], json!(43));
        assert_eq!(mark["mine"].to_string(), "[1.50]");
        assert_eq!(mark["timestamp"], "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(render(&mut templates, &[]).get("seed"), None);
        let again = render(&mut templates, &[("seed", b"44"), ("mine", b"null")]);
        assert_eq!((&again["seed"], &again["mine"]), (&json!(44), &Value::Null));
    }

    #[test]
    fn field_that_records_leave_out_stands_where_the_record_was_given_it() {
        let mut templates = Templates::new(base(), Scope::Record);
        assert_eq!(render(&mut templates, &[]).get("model_revision"), None);
        let mark = render(&mut templates, &[("model_revision", b"\"r\"")]);
        assert_eq!(mark["model_revision"], "r");
    }

    #[test]
    fn field_of_a_record_wins_over_the_files_and_its_reason_goes() {
        let mut templates = Templates::new(base(), Scope::Record);
        let mark = render(
            &mut templates,
            &[("model_name", b"\"other\""), ("quantization", b"\"nf4\"")],
        );
        assert_eq!(mark["model_name"], "other");
        assert_eq!(mark["unknown"].get("quantization"), None);
    }

    #[test]
    fn wrong_types_and_reserved_names_are_refused() {
        let mut templates = Templates::new(base(), Scope::Record);
        let mut out = Vec::new();
        for field in [
            ("seed", b"1.5".as_slice()),
            ("do_sample", b"1"),
            ("git_commit", b"\"x\""),
        ] {
            let error = templates
                .render(&mut out, Timestamp::default(), &[field], &[])
                .unwrap_err();
            assert_eq!(error.code(), "field", "{error}");
        }
        assert!(out.is_empty());
    }
}
