//! Two sides laid beside each other: which fields there are, how each stands, whether it counts.

use serde_json::Value;

use super::classes::{Class, Need, TABLE, class_of, is_meant, rule};
use super::values::equal;
use super::{Options, Row, Side, State, code, dataset};
use crate::birthmark::Fields;

/// Params that an engine may have a default of.
const ENGINE_DEFAULTS: &str = "engine_defaults";

/// The two sides with their fields at the top.
pub(super) struct Pair<'a> {
    pub(super) a: &'a Side,
    pub(super) b: &'a Side,
    pub(super) flat: [Fields; 2],
    pub(super) options: &'a Options,
}

impl<'a> Pair<'a> {
    pub(super) fn new(a: &'a Side, b: &'a Side, options: &'a Options) -> Self {
        Self {
            a,
            b,
            flat: [flatten(a), flatten(b)],
            options,
        }
    }

    pub(super) fn get(&self, side: usize, name: &str) -> Option<&Value> {
        let own = self.flat[side].get(name).filter(|value| !value.is_null());
        own.or_else(|| self.default(side, name))
    }

    /// The default of a side's engine, where it is recorded there, or on the other side for the
    /// same version of the same engine.
    fn default(&self, side: usize, name: &str) -> Option<&Value> {
        if rule(name)?.group != "decoding" {
            return None;
        }
        let recorded = |side: usize| {
            let value = self.flat[side].get(ENGINE_DEFAULTS)?.get(name)?;
            (!value.is_null()).then_some(value)
        };
        let own = |name: &str, side: usize| self.flat[side].get(name).filter(|v| !v.is_null());
        let same_engine = ["engine", "engine_version"].iter().all(|name| {
            let (a, b) = (own(name, 0), own(name, 1));
            a.is_some() && a == b
        });
        recorded(side).or_else(|| recorded(1 - side).filter(|_| same_engine))
    }

    fn is_default(&self, side: usize, name: &str) -> bool {
        let own = self.flat[side].get(name).filter(|value| !value.is_null());
        own.is_none() && self.get(side, name).is_some()
    }

    pub(super) fn both(&self, name: &str) -> Option<[&Value; 2]> {
        Some([self.get(0, name)?, self.get(1, name)?])
    }

    pub(super) fn are(&self, name: &str, wanted: bool) -> bool {
        self.both(name) == Some([&Value::Bool(wanted); 2])
    }

    /// Fields in the order of the table, then the others in the order they stand.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for rule in TABLE {
            names.push(rule.field.to_owned());
            let within = |name: &&String| {
                let rest = name.strip_prefix(rule.field);
                rest.is_some_and(|rest| rest.starts_with('.'))
            };
            let stand = self.flat.iter().flat_map(Fields::keys);
            names.extend(stand.filter(within).cloned().collect::<Vec<_>>());
        }
        names.extend(self.flat.iter().flat_map(Fields::keys).cloned());
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    pub(super) fn class(&self, name: &str) -> Class {
        let class = class_of(name, &self.options.classes);
        let meant = self.options.subject.iter().any(|word| is_meant(word, name));
        match class {
            _ if meant => Class::Subject,
            // Something else is meant to differ, so this must not.
            Class::Subject if !self.options.subject.is_empty() => Class::Instrument,
            class => class,
        }
    }

    pub(super) fn need(&self, name: &str) -> Need {
        if !self.options.evaluation {
            return Need::Optional;
        }
        match name {
            "template_disabled" if self.both("chat_template_digest").is_some() => Need::Optional,
            "chat_template_digest" if self.are("template_disabled", false) => Need::Expected,
            // Nothing is generated: no text is drawn, so nothing says how.
            _ if rule(name).is_some_and(|rule| rule.group == "decoding")
                && self
                    .both("decoding")
                    .is_some_and(|both| both.iter().all(|one| **one == "none")) =>
            {
                Need::Optional
            }
            "temperature" | "top_p" | "do_sample" | "max_new_tokens"
                if self.both("generation_kwargs").is_some() =>
            {
                Need::Optional
            }
            "eval_seed" if self.both("seed").is_some() => Need::Optional,
            "loader_version" | "sentinel_tests_passed" | "add_special_tokens"
                if self.options.other_tool =>
            {
                Need::Optional
            }
            "dataset" if self.options.one_report || self.options.same_items => Need::Expected,
            "code" if self.options.one_report => Need::Expected,
            _ => rule(name).map_or(Need::Optional, |rule| rule.need),
        }
    }

    pub(super) fn row(&self, name: &str) -> Option<Row> {
        let (a, b) = (self.get(0, name).cloned(), self.get(1, name).cloned());
        let stands = self.flat.iter().any(|flat| flat.contains_key(name));
        let class = self.class(name);
        let state = State::of(a.as_ref(), b.as_ref(), equal);
        if state == State::MissingBoth && !stands && self.need(name) == Need::Optional {
            return None;
        }
        // A null there means that the system was not evaluated.
        if state == State::MissingBoth && name.starts_with("models.") {
            return None;
        }
        let remark = match [self.is_default(0, name), self.is_default(1, name)] {
            [true, true] => Some("the engine's default on both sides".to_owned()),
            [true, false] => Some(format!("in {} the engine's default", self.a.name)),
            [false, true] => Some(format!("in {} the engine's default", self.b.name)),
            [false, false] => None,
        };
        let not_counted = self.not_counted(name, state, class);
        Some(Row {
            field: name.to_owned(),
            class,
            state,
            a,
            b,
            not_counted,
            remark,
        })
    }

    /// Why a field cannot matter here.
    fn not_counted(&self, name: &str, state: State, class: Class) -> Option<String> {
        if class != Class::Instrument || state == State::Same {
            return None;
        }
        let same_data = self.both("dataset").is_some_and(|[a, b]| equal(a, b));
        let same_script = self.both("script_sha").is_some_and(|[a, b]| equal(a, b));
        let same_code = code::is_same(self.a, self.b);
        let why = match name {
            "temperature" | "top_p" | "top_k" | "min_p" | "typical_p" => self.greedy(name)?,
            "chat_template_digest" if self.are("template_disabled", true) => {
                "the template is off on both sides"
            }
            _ if name.starts_with("dataset.") && self.lacks("dataset") => {
                "one side names no dataset at all"
            }
            "dataset.version_sha" | "dataset.source"
                if self.both("dataset").is_some() && !same_data =>
            {
                "the dataset's digest says it"
            }
            _ if name.starts_with("dataset.") && same_data => "the dataset's content is the same",
            "dataset.name" | "dataset.source"
                if dataset::is_same_version(&self.flat[0], &self.flat[1]) =>
            {
                "the dataset is the same file at the same commit"
            }
            "dataset.name" | "dataset.source" | "dataset.version_sha"
                if self.options.same_items =>
            {
                "every item asks the same"
            }
            "script_sha" if same_code && state != State::Moved => "the whole code is the same",
            "script_sha" if self.a.ran.is_some() && self.b.ran.is_some() => {
                "the modules that were loaded say it"
            }
            "script_name" if same_script => "the script's content is the same",
            "loader_version" if self.is_commit(name) => {
                "it is the commit, which is judged by itself"
            }
            _ => return None,
        };
        Some(why.to_owned())
    }

    /// Whether a side has nothing under this name of its birthmark.
    fn lacks(&self, name: &str) -> bool {
        let value = |side: &Side| side.value(name).is_some_and(|value| !value.is_null());
        !value(self.a) || !value(self.b)
    }

    /// Whether decoding takes the likeliest token on both sides, so that `name` is not used.
    fn greedy(&self, name: &str) -> Option<&'static str> {
        if self.are("do_sample", false) {
            return Some("do_sample is false on both sides");
        }
        let cold = |side| {
            let zero = self.get(side, "temperature").and_then(Value::as_f64) == Some(0.0);
            zero && self.get(side, "do_sample") != Some(&Value::Bool(true))
        };
        (name != "temperature" && cold(0) && cold(1)).then_some("temperature is 0 on both sides")
    }

    /// Whether a version is nothing but the commit, as the loader of the first helper has it.
    fn is_commit(&self, name: &str) -> bool {
        (0..2).all(|side| {
            self.get(side, name).is_some() && self.get(side, name) == self.get(side, "git_commit")
        })
    }
}

/// The birthmark with nested fields at the top, and the role's own model.
fn flatten(side: &Side) -> Fields {
    let mut flat = Fields::new();
    for (name, value) in side.birthmark.iter().flatten() {
        match (name.as_str(), &side.role, value) {
            ("dataset", _, value) if !value.is_null() => dataset::flatten(&mut flat, value),
            ("models", Some(role), Value::Object(_)) => put(&mut flat, "model", value.get(role)),
            ("model_digests", Some(role), Value::Object(_)) => {
                put(&mut flat, "model_digest", value.get(role));
            }
            ("models" | "model_digests", None, Value::Object(roles)) => {
                for (role, model) in roles {
                    flat.insert(format!("{name}.{role}"), model.clone());
                }
            }
            ("model_name", Some(_), _) if has_models(side) => {}
            ("model_digest", Some(_), _) if flat.contains_key("model_digest") => {}
            _ => put(&mut flat, name, Some(value)),
        }
    }
    if let Some(version) = code::version(side) {
        flat.insert("code".to_owned(), Value::from(version));
    }
    flat
}

fn has_models(side: &Side) -> bool {
    side.value("models").is_some_and(Value::is_object)
}

fn put(flat: &mut Fields, name: &str, value: Option<&Value>) {
    if let Some(value) = value {
        flat.insert(name.to_owned(), value.clone());
    }
}
