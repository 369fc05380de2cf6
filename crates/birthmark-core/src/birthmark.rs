//! The birthmark: the fields that stand under `metadata`, their order, their
//! types, and who may set them.
//!
//! A birthmark is flat, so that `jq '.metadata.git_commit'` works. Its fields come
//! in a fixed order of groups: required, code, model, params (and whatever else
//! the user passes), evaluation, inputs, context. In a *record* of a JSONL file
//! stand only the fields that people filter by; the rest stands once, in the session.

use serde_json::{Map, Value};

use crate::schema::BIRTHMARK_FORMAT;

/// A JSON object in the order it was written; numbers keep their text.
pub type Fields = Map<String, Value>;

/// What a field's value must be. Null is always allowed: it means *unknown*, or
/// *not evaluated*, and says so by standing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A JSON object.
    Object,
    /// A JSON array.
    List,
}

/// The part of a birthmark that a field belongs to, in the order of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What every artifact must have.
    Required,
    /// What git knew.
    Code,
    /// Which model, loaded how.
    Model,
    /// What was chosen: sampling, seeds, and the user's own fields.
    Params,
    /// What was evaluated, on which dataset.
    Evaluation,
    /// What it was made from.
    Inputs,
    /// Session, run, and how far the rest can be believed.
    Context,
}

/// One field of the table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its stored name.
    pub name: &'static str,
    /// Its group.
    pub group: Group,
    /// Its type.
    pub kind: Kind,
    /// Only Birthmark may say it.
    pub reserved: bool,
    /// It stands in each record, not only in whole birthmarks.
    pub in_record: bool,
}

const fn field(
    name: &'static str,
    group: Group,
    kind: Kind,
    reserved: bool,
    in_record: bool,
) -> Field {
    Field {
        name,
        group,
        kind,
        reserved,
        in_record,
    }
}

/// Every field that Birthmark knows, in stored order.
pub static FIELDS: &[Field] = &[
    field("git_commit", Group::Required, Kind::Text, true, true),
    field("timestamp", Group::Required, Kind::Text, true, true),
    field("artifact_type", Group::Required, Kind::Text, false, true),
    field("git_branch", Group::Code, Kind::Text, true, false),
    field("git_dirty", Group::Code, Kind::Flag, true, true),
    field("git_snapshot", Group::Code, Kind::Text, true, true),
    field("git_remote", Group::Code, Kind::Text, true, false),
    field("git_pushed", Group::Code, Kind::Flag, true, false),
    field("script_name", Group::Code, Kind::Text, false, true),
    field("script_sha", Group::Code, Kind::Text, true, false),
    field("loader_version", Group::Model, Kind::Text, false, true),
    field("model_name", Group::Model, Kind::Text, false, true),
    field("model_revision", Group::Model, Kind::Text, false, false),
    field("model_digest", Group::Model, Kind::Text, false, false),
    field("quantization", Group::Model, Kind::Text, false, true),
    field("template_disabled", Group::Model, Kind::Flag, false, true),
    field(
        "sentinel_tests_passed",
        Group::Model,
        Kind::Flag,
        false,
        true,
    ),
    field("add_special_tokens", Group::Model, Kind::Flag, false, true),
    field(
        "chat_template_digest",
        Group::Model,
        Kind::Text,
        false,
        false,
    ),
    field("seed", Group::Params, Kind::Integer, false, true),
    field("eval_seed", Group::Params, Kind::Integer, false, true),
    field("temperature", Group::Params, Kind::Number, false, true),
    field("top_p", Group::Params, Kind::Number, false, true),
    field("max_new_tokens", Group::Params, Kind::Integer, false, true),
    field("do_sample", Group::Params, Kind::Flag, false, true),
    field("models", Group::Evaluation, Kind::Object, false, false),
    field(
        "model_digests",
        Group::Evaluation,
        Kind::Object,
        false,
        false,
    ),
    field("dataset", Group::Evaluation, Kind::Object, false, false),
    field("inputs", Group::Inputs, Kind::List, false, false),
    field("items_from", Group::Inputs, Kind::List, true, false),
    field("stamped_at", Group::Context, Kind::Text, true, true),
    field("unknown", Group::Context, Kind::Object, true, true),
    field("declared", Group::Context, Kind::List, true, true),
    field("session_id", Group::Context, Kind::Text, true, true),
    field("run_id", Group::Context, Kind::Text, true, true),
    field("birthmark", Group::Context, Kind::Text, true, true),
];

/// The required minimum of every birthmark.
pub const REQUIRED: [&str; 3] = ["git_commit", "timestamp", "artifact_type"];

/// The origin's provenance keys: always there, null with a reason when not given.
pub const PROVENANCE_KEYS: [&str; 6] = [
    "loader_version",
    "model_name",
    "quantization",
    "template_disabled",
    "sentinel_tests_passed",
    "add_special_tokens",
];

/// The rule for a field, if the table has it.
pub fn rule(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Whether users may not set this field: `git_*` of any name, and what the table reserves.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with("git_") || rule(name).is_some_and(|field| field.reserved)
}

/// Why a field cannot be taken from a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Only Birthmark may say it.
    #[error("field `{0}` is reserved: only Birthmark may say it")]
    Reserved(String),
    /// The value has not the field's type.
    #[error("field `{name}` must be {wanted} or null, not {got}")]
    WrongType {
        /// The field.
        name: String,
        /// What it must be.
        wanted: &'static str,
        /// What was given, cut to a readable length.
        got: String,
    },
}

/// Checks one field that a user passes.
pub fn check(name: &str, value: &Value) -> Result<(), FieldError> {
    if is_reserved(name) {
        return Err(FieldError::Reserved(name.to_owned()));
    }
    let Some(field) = rule(name) else {
        return Ok(());
    };
    if fits(field.kind, value) {
        return Ok(());
    }
    let got: String = value.to_string().chars().take(60).collect();
    Err(FieldError::WrongType {
        name: name.to_owned(),
        wanted: words(field.kind),
        got,
    })
}

/// Checks all fields that a user passes.
pub fn check_all(fields: &Fields) -> Result<(), FieldError> {
    fields
        .iter()
        .try_for_each(|(name, value)| check(name, value))
}

/// Whether `value` is null or of this kind.
pub fn fits(kind: Kind, value: &Value) -> bool {
    value.is_null()
        || match kind {
            Kind::Text => value.is_string(),
            Kind::Flag => value.is_boolean(),
            Kind::Integer => value
                .as_number()
                .is_some_and(|number| !number.to_string().contains(['.', 'e', 'E'])),
            Kind::Number => value.is_number(),
            Kind::Object => value.is_object(),
            Kind::List => value.is_array(),
        }
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Flag => "true or false",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Object => "an object",
        Kind::List => "a list",
    }
}

/// Which fields are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All: reports, sidecars, footers, sessions, doctor.
    Whole,
    /// Those of a record.
    Record,
}

/// Puts fields from anywhere into the one order, keeps those of `scope`, and names
/// the format. Of a field given twice the later one counts. A null of the
/// user stays; `unknown` and `declared` keep only what speaks of fields that are there.
pub fn compose<'a>(parts: impl IntoIterator<Item = &'a Fields>, scope: Scope) -> Fields {
    let mut all = Fields::new();
    for part in parts {
        for (name, value) in part {
            match (name.as_str(), all.get_mut(name), value) {
                ("unknown", Some(Value::Object(reasons)), Value::Object(more)) => {
                    reasons.extend(more.clone());
                }
                ("declared", Some(Value::Array(names)), Value::Array(more)) => {
                    names.extend(
                        more.iter()
                            .filter(|name| !names.contains(name))
                            .cloned()
                            .collect::<Vec<_>>(),
                    );
                }
                _ => {
                    all.insert(name.clone(), value.clone());
                }
            }
        }
    }
    for key in PROVENANCE_KEYS {
        if !all.contains_key(key) {
            all.insert(key.to_owned(), Value::Null);
            note_unknown(&mut all, key, "not given");
        }
    }
    all.insert("birthmark".to_owned(), Value::from(BIRTHMARK_FORMAT));
    in_order(all, scope)
}

/// Whether a field tells how content was made: its model, what was chosen, and what users call by
/// names of their own.
fn tells_how(name: &str) -> bool {
    match rule(name) {
        Some(field) => matches!(field.group, Group::Model | Group::Params),
        None => !is_reserved(name) && !OF_STAMPING.contains(&name),
    }
}

/// What stamping notes in a birthmark, and tells of no content.
const OF_STAMPING: [&str; 3] = ["merged", "replaces", "joins"];

/// The birthmark of a record that carried an `older` one when a run wrote it again: where that run
/// says nothing of model and params, the content is what it was, and so is what the older one
/// tells of them. Nothing where the run says anything of its own: then the two are not mixed.
pub fn carry_on(own: &Fields, older: &Fields) -> Option<Fields> {
    let says = |(name, value): (&String, &Value)| {
        !value.is_null() && rule(name).is_some() && tells_how(name)
    };
    if own.iter().any(says) {
        return None;
    }
    let mut carried = Fields::new();
    for (name, value) in older {
        let is_open = own.get(name).is_none_or(Value::is_null);
        if is_open && !value.is_null() && tells_how(name) && check(name, value).is_ok() {
            carried.insert(name.clone(), value.clone());
        }
    }
    if carried.is_empty() {
        return None;
    }
    if let Some(Value::Array(names)) = older.get("declared") {
        let is_carried =
            |name: &&Value| name.as_str().is_some_and(|name| carried.contains_key(name));
        let names: Vec<Value> = names.iter().filter(is_carried).cloned().collect();
        carried.insert("declared".to_owned(), Value::Array(names));
    }
    Some(compose([own, &carried], Scope::Whole))
}

/// Says why `name` is null, unless a reason is there.
pub fn note_unknown(fields: &mut Fields, name: &str, reason: &str) {
    let reasons = fields
        .entry("unknown")
        .or_insert_with(|| Value::Object(Fields::new()));
    if let Value::Object(reasons) = reasons {
        reasons.entry(name).or_insert_with(|| Value::from(reason));
    }
}

fn in_order(mut all: Fields, scope: Scope) -> Fields {
    all.retain(|name, _| scope == Scope::Whole || rule(name).is_none_or(|field| field.in_record));
    keep_spoken_of(&mut all);
    if scope == Scope::Record && all.get("git_snapshot").is_some_and(Value::is_null) {
        all.remove("git_snapshot");
    }
    let mut ordered = Fields::new();
    for field in FIELDS.iter().filter(|field| field.group <= Group::Params) {
        take(&mut all, &mut ordered, field.name);
    }
    let own: Vec<String> = all
        .keys()
        .filter(|name| rule(name).is_none())
        .cloned()
        .collect();
    for name in own {
        take(&mut all, &mut ordered, &name);
    }
    for field in FIELDS.iter().filter(|field| field.group > Group::Params) {
        take(&mut all, &mut ordered, field.name);
    }
    ordered
}

fn take(from: &mut Fields, into: &mut Fields, name: &str) {
    if let Some(value) = from.remove(name) {
        into.insert(name.to_owned(), value);
    }
}

/// Drops reasons for fields that have a value or are not there, and empty lists of them.
fn keep_spoken_of(all: &mut Fields) {
    if let Some(Value::Object(mut reasons)) = all.remove("unknown") {
        // A list or object may hold nulls of its own, whose reason stands under its name.
        let tells = |value: &Value| value.is_null() || value.is_array() || value.is_object();
        reasons.retain(|name, _| name.contains('.') || all.get(name).is_some_and(tells));
        if !reasons.is_empty() {
            all.insert("unknown".to_owned(), Value::Object(reasons));
        }
    }
    if let Some(Value::Array(mut names)) = all.remove("declared") {
        names.retain(|name| name.as_str().is_some_and(|name| all.contains_key(name)));
        if !names.is_empty() {
            all.insert("declared".to_owned(), Value::Array(names));
        }
    }
}

/// Nearer fields over others: the reason of a null stays as long as the null does.
pub fn overlaid(under: &Fields, nearer: &Fields) -> Fields {
    let reasons = |fields: &Fields| {
        let reasons = fields.get("unknown").and_then(Value::as_object);
        reasons.cloned().unwrap_or_default()
    };
    let mut all = under.clone();
    all.extend(nearer.clone());
    all.remove("unknown");
    let mut why = reasons(under);
    why.retain(|name, _| !nearer.contains_key(name));
    why.extend(reasons(nearer));
    for (name, reason) in &why {
        note_unknown(&mut all, name, reason.as_str().unwrap_or_default());
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(fields) => fields,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn groups_stand_in_order_and_the_users_own_fields_after_the_params() {
        let given = fields(json!({"note": 1, "temperature": 0.7, "model_name": "m"}));
        let found = fields(
            json!({"session_id": "s", "git_commit": "c", "timestamp": "t", "artifact_type": "x"}),
        );
        let whole = compose([&given, &found], Scope::Whole);
        let names: Vec<&str> = whole.keys().map(String::as_str).collect();
        assert_eq!(names[..3], ["git_commit", "timestamp", "artifact_type"]);
        let place = |name| names.iter().position(|other| *other == name).unwrap();
        assert!(place("model_name") < place("temperature"));
        assert!(place("temperature") < place("note"));
        assert!(place("note") < place("session_id"));
        assert_eq!(names.last(), Some(&"birthmark"));
    }

    #[test]
    fn provenance_that_was_not_given_is_null_with_its_reason() {
        let mark = compose([&fields(json!({"model_name": "m"}))], Scope::Record);
        assert_eq!(mark["quantization"], Value::Null);
        assert_eq!(mark["unknown"]["quantization"], "not given");
        assert_eq!(mark["unknown"].get("model_name"), None);
    }

    #[test]
    fn records_leave_out_what_stands_once_in_the_session() {
        let given =
            fields(json!({"git_branch": "main", "git_dirty": false, "dataset": {}, "models": {}}));
        let mark = compose([&given], Scope::Record);
        assert!(mark.contains_key("git_dirty"));
        assert!(!mark.contains_key("git_branch") && !mark.contains_key("dataset"));
    }

    #[test]
    fn reserved_names_and_wrong_types_are_refused() {
        assert!(matches!(
            check("git_commit", &json!("x")),
            Err(FieldError::Reserved(_))
        ));
        assert!(matches!(
            check("git_anything", &json!("x")),
            Err(FieldError::Reserved(_))
        ));
        assert!(matches!(
            check("seed", &json!(1.5)),
            Err(FieldError::WrongType { .. })
        ));
        assert_eq!(check("seed", &json!(42)), Ok(()));
        assert_eq!(check("seed", &Value::Null), Ok(()));
        assert_eq!(check("my_field", &json!({"a": [1]})), Ok(()));
    }

    #[test]
    fn run_that_says_nothing_of_model_and_params_carries_on_what_the_older_birthmark_tells() {
        let older = fields(json!({
            "git_commit": "a", "script_name": "f.py", "model_name": "m", "quantization": null,
            "seed": 3, "mine": "x", "merged": 2, "declared": ["model_name", "script_name"],
            "run_id": "r", "birthmark": "birthmark/v1"
        }));
        let own = fields(json!({"git_commit": "b", "script_name": "g.py", "min_score": 0.5}));
        let own = compose([&own], Scope::Record);
        let both = carry_on(&own, &older).unwrap();
        assert_eq!(
            (&both["git_commit"], &both["script_name"]),
            (&json!("b"), &json!("g.py"))
        );
        assert_eq!(
            (&both["model_name"], &both["seed"]),
            (&json!("m"), &json!(3))
        );
        assert_eq!(
            (&both["mine"], &both["min_score"]),
            (&json!("x"), &json!(0.5))
        );
        assert_eq!(both["declared"], json!(["model_name"]));
        assert_eq!(both["unknown"].get("model_name"), None);
        assert_eq!(both["unknown"]["quantization"], "not given");
        assert!(!both.contains_key("merged") && !both.contains_key("run_id"));
    }

    #[test]
    fn run_that_says_anything_of_model_or_params_is_not_mixed_with_the_older_birthmark() {
        let older = fields(json!({"model_name": "m", "seed": 3, "temperature": 0.7}));
        for said in [
            json!({"model_name": "n"}),
            json!({"temperature": 0.1}),
            json!({"seed": 0}),
        ] {
            assert_eq!(carry_on(&fields(said), &older), None);
        }
        assert_eq!(carry_on(&Fields::new(), &Fields::new()), None);
    }

    #[test]
    fn numbers_keep_their_text() {
        let given: Fields =
            serde_json::from_str(r#"{"x": 1.50, "y": 123456789012345678901234567890}"#).unwrap();
        let text = Value::Object(compose([&given], Scope::Record)).to_string();
        assert!(
            text.contains(r#""x":1.50,"y":123456789012345678901234567890"#),
            "{text}"
        );
    }

    #[test]
    fn nearer_wins_and_a_reason_goes_with_its_null() {
        let outer = fields(json!({"a": 1, "b": null, "c": null, "unknown": {"b": "x", "c": "y"}}));
        let inner = fields(json!({"a": null, "b": 2, "unknown": {"a": "z"}}));
        assert_eq!(
            overlaid(&outer, &inner),
            fields(json!({"a": null, "b": 2, "c": null, "unknown": {"c": "y", "a": "z"}}))
        );
    }
}
