//! A session within a session of one process: the same session, run and files, with fields of
//! its own for what is made through it.
//!
//! Nearer wins: what it was given lies over what the outer one was given, as for a process that
//! joins. What is one for the whole process (what is done about uncommitted changes) cannot
//! differ, and is refused where it would.
//!
//! Processes that are started meanwhile join with the fields of the nearest session that is
//! open: a variable hands them on, for the environment is all that they share.

use std::collections::BTreeMap;
use std::sync::Arc;

use birthmark_capture::process;
use birthmark_core::Fields;
use birthmark_core::birthmark::{note_unknown, overlaid};
use birthmark_store::config::OnDirty;
use serde_json::{Value, json};

use super::begin::{on_dirty_of, refuse_reserved, refuse_uncommitted, settle_given};
use super::{Session, lock};
use crate::error::{Error, Result};
use crate::text;

/// The variable that hands the nearest fields on.
pub(crate) const GIVEN_VARIABLE: &str = "BIRTHMARK_GIVEN";
/// What a variable may take; a single value more than [`LONG`] is left out where it is more.
const HANDED_ON: usize = 32 << 10;
const LONG: usize = 512;
/// Values that are named in a reason.
const NAMED: usize = 4;

/// What a session within another one is given.
#[derive(Debug, Clone, Default)]
pub struct Nearer {
    /// Provenance, params and own fields.
    pub given: Fields,
    /// Why some of them are null, by name.
    pub reasons: Fields,
    /// Plans more.
    pub planned: Vec<String>,
    /// What to do about uncommitted changes, where it says so itself.
    pub on_dirty: Option<OnDirty>,
    /// Whether it lies beside this one, in a thread that is not within it: of what was given
    /// here nothing is inherited but what this process joined with.
    pub beside: bool,
}

/// Values that sessions within this one gave to a name.
pub(super) type Differing = BTreeMap<String, Vec<Value>>;

impl Session {
    /// The same session, with nearer fields.
    pub fn within(&self, mut nearer: Nearer) -> Result<Session> {
        refuse_reserved(&nearer.given)?;
        settle_given(&mut nearer.given, &nearer.reasons, self.project())?;
        self.agree_on_dirty(nearer.on_dirty)?;
        self.plan(&nearer.planned)?;
        if self.speaks() {
            self.say_missing(&nearer.given);
        }
        let under = if nearer.beside {
            &self.inner.joined_with
        } else {
            &self.given
        };
        let given = Arc::new(overlaid(under, &nearer.given));
        self.note_differing(&given);
        Ok(Session {
            inner: Arc::clone(&self.inner),
            given,
        })
    }

    /// The same session for one who is in none of several that are open: where they differ,
    /// nothing is known.
    #[must_use]
    pub fn among(&self, open: &[&Session]) -> Session {
        let mut told = Differing::new();
        let mut given = Fields::new();
        for session in open {
            given = overlaid(&given, &session.given);
        }
        for name in given.keys().filter(|name| *name != "unknown") {
            let values = told.entry(name.clone()).or_default();
            for session in open {
                let value = session.given.get(name).unwrap_or(&Value::Null);
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        told.retain(|_, values| values.len() > 1);
        let unknown = unknown_in(&told, "it was made within none of them");
        let given = Arc::new(overlaid(&given, &unknown));
        Session {
            inner: Arc::clone(&self.inner),
            given,
        }
    }

    /// What children of this process are to be told by a variable: what a session within this
    /// one, or one that joined, was given. None where the journal says it.
    pub fn handed_on(&self) -> Option<(&'static str, String)> {
        if !self.is_joined() && Arc::ptr_eq(&self.given, &self.inner.given) {
            return None;
        }
        let spell = |given: &Fields| json!({"session_id": self.id(), "given": given}).to_string();
        let mut text = spell(&self.given);
        if text.len() > HANDED_ON {
            text = spell(&shortened(&self.given, LONG));
        }
        if text.len() > HANDED_ON {
            text = spell(&shortened(&self.given, 0));
        }
        Some((GIVEN_VARIABLE, text))
    }

    /// What was given here to this session alone, for a file of which it is not told which of
    /// the sessions within this one made it: null where they differ.
    pub(crate) fn differing(&self) -> Fields {
        let why = "which of them made the file is not told";
        unknown_in(&lock(&self.inner.differing), why)
    }

    fn note_differing(&self, nearer: &Fields) {
        let mut differing = lock(&self.inner.differing);
        for (name, value) in nearer.iter().filter(|(name, _)| *name != "unknown") {
            let own = self.inner.given.get(name);
            if own == Some(value) {
                continue;
            }
            let values = differing.entry(name.clone()).or_default();
            if values.is_empty() {
                values.push(own.cloned().unwrap_or(Value::Null));
            }
            if values.len() <= NAMED && !values.contains(value) {
                values.push(value.clone());
            }
        }
    }

    /// One tree is looked at once: what is done about its changes is one for the process.
    fn agree_on_dirty(&self, own: Option<OnDirty>) -> Result<()> {
        let Some(own) = own else { return Ok(()) };
        let (wanted, from) = on_dirty_of(Some(own), self.project());
        if wanted == OnDirty::Refuse {
            let script = self.inner.script.as_deref();
            return refuse_uncommitted(self.anchor(), script, self.project(), from);
        }
        // Where it was to be refused there were no changes.
        if wanted == self.on_dirty() || self.on_dirty() == OnDirty::Refuse {
            return Ok(());
        }
        let word = |on_dirty| {
            if on_dirty == OnDirty::Warn {
                "warn"
            } else {
                "snapshot"
            }
        };
        let (outer, inner) = (word(self.on_dirty()), word(wanted));
        let message = format!(
            "on_dirty is one for the whole process: it is \"{outer}\" in the session that is open, \
             and cannot be \"{inner}\" within it"
        );
        Err(Error::usage("on-dirty", message).with_hint("say it where the first session begins"))
    }
}

/// What the nearest session of the process that started this one was given, of this session.
pub(super) fn handed_down(session: &str) -> Option<Fields> {
    let text = process::variable(GIVEN_VARIABLE)?;
    let told: Value = serde_json::from_str(&text).ok()?;
    let given = told.get("given")?.as_object()?;
    (told.get("session_id")?.as_str()? == session).then(|| given.clone())
}

/// A null for each name, with the values that there are.
fn unknown_in(differing: &Differing, why: &str) -> Fields {
    let mut fields = Fields::new();
    for (name, values) in differing {
        let told = values.iter().take(NAMED).map(|value| match value {
            Value::Null => "nothing".to_owned(),
            value => text::short(&value.to_string(), 60),
        });
        let more = if values.len() > NAMED { ", …" } else { "" };
        let told = told.collect::<Vec<_>>().join(", ");
        fields.insert(name.clone(), Value::Null);
        let reason = format!("sessions of one process were given {told}{more}: {why}");
        note_unknown(&mut fields, name, &reason);
    }
    fields
}

/// Without the values that are longer in JSON.
fn shortened(given: &Fields, longest: usize) -> Fields {
    let long = given
        .iter()
        .filter(|(name, value)| *name != "unknown" && value.to_string().len() > longest);
    let mut left_out = Fields::new();
    for (name, _) in long {
        left_out.insert(name.clone(), Value::Null);
        let why = "it was too long to be handed on to a process that joined";
        note_unknown(&mut left_out, name, why);
    }
    overlaid(given, &left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(fields) => fields,
            _ => Fields::new(),
        }
    }

    #[test]
    fn what_differs_is_named_in_the_reason_and_not_for_ever() {
        let values = (1..9).map(Value::from).collect();
        let told = unknown_in(&Differing::from([("t".to_owned(), values)]), "why");
        assert_eq!(told["t"], Value::Null);
        assert_eq!(
            told["unknown"]["t"],
            "sessions of one process were given 1, 2, 3, 4, …: why"
        );
    }

    #[test]
    fn what_is_too_long_to_be_handed_on_is_null_with_its_reason() {
        let given = fields(json!({"prompt": "x".repeat(600), "seed": 1}));
        let short = shortened(&given, LONG);
        assert_eq!(
            (&short["seed"], &short["prompt"]),
            (&json!(1), &Value::Null)
        );
        assert!(short["unknown"]["prompt"].as_str().is_some());
    }
}
