//! What the code of the two sides means for the verdict.
//!
//! What was recorded as loaded comes first: it says which bytes ran, whatever the commits are.
//! Then what the commits differ in; then what a dirty tree held that nothing kept.

use serde_json::Value;

use super::super::ran::Held;
use super::super::{Reason, Side, Weight};
use super::{Between, CodeBetween, Part, version};
use crate::Finding;
use crate::birthmark::Fields;
use crate::snapshot::{code_named, kept_nowhere};

pub(super) fn get<'a>(side: &'a Side, name: &str) -> Option<&'a Value> {
    side.birthmark
        .as_ref()?
        .get(name)
        .filter(|value| !value.is_null())
}

/// Whether it ran with changes that nothing kept.
pub(in super::super) fn is_loose(side: &Side) -> bool {
    get(side, "git_dirty") == Some(&Value::Bool(true)) && get(side, "git_snapshot").is_none()
}

/// Whether all of the code is known to be the same.
pub(in super::super) fn is_same(a: &Side, b: &Side) -> bool {
    let known = |side: &Side| {
        get(side, "git_snapshot").is_some() || get(side, "git_dirty") == Some(&Value::Bool(false))
    };
    version(a).is_some() && version(a) == version(b) && known(a) && known(b)
}

/// The reasons that the code gives.
pub(in super::super) fn judge(a: &Side, b: &Side, between: &CodeBetween) -> Vec<Reason> {
    let held = match (&a.ran, &b.ran) {
        (Some(ran), Some(other)) => Some(ran.hold(other)),
        _ => None,
    };
    let case = Case {
        sides: [a, b],
        between,
        held,
    };
    let mut reasons: Vec<Reason> = case.code().into_iter().collect();
    reasons.extend(case.unknown_bytes());
    reasons.extend(case.lone());
    reasons.extend(case.unkept());
    reasons.extend(case.drift());
    reasons.extend(case.untold());
    reasons.extend(case.other_items());
    reasons.extend(case.nowhere());
    reasons.extend(case.read());
    reasons
}

pub(super) struct Case<'a> {
    pub(super) sides: [&'a Side; 2],
    between: &'a CodeBetween,
    /// What both loaded, where that was recorded of both.
    pub(super) held: Option<Held>,
}

impl Case<'_> {
    fn moved(&self) -> bool {
        let [a, b] = self.sides.map(version);
        a.is_some() && b.is_some() && a != b
    }

    /// `5f970c2 -> 1c2d3e4, 3 commits`, or the commit that both name.
    fn lies(&self) -> String {
        let [old, new] = self.sides.map(|side| version(side).map(short));
        let arrow = match (old, new) {
            (Some(old), Some(new)) if self.moved() => format!("{old} -> {new}"),
            (Some(both), Some(_)) => return format!("both at {both}"),
            (one, other) => return one.or(other).unwrap_or("no commit known").to_owned(),
        };
        match self.between {
            CodeBetween::Told(between) => match &between.count {
                Finding::Found(1) => format!("{arrow}, 1 commit"),
                Finding::Found(several) => format!("{arrow}, {several} commits"),
                _ => arrow,
            },
            _ => arrow,
        }
    }

    pub(super) fn differs(&self, path: &str) -> bool {
        let CodeBetween::Told(between) = self.between else {
            return false;
        };
        between.files.iter().any(|file| file.path == path)
    }

    /// What the code that ran says; else what the commits differ in.
    fn code(&self) -> Option<Reason> {
        let reason = |weight, text| Some(Reason::new(weight, "code-moved", "code", text));
        if let Some(held) = &self.held {
            let lone = held.only.iter().flatten().filter(|path| self.differs(path));
            let changed: Vec<&str> = held.moved.iter().chain(lone).map(String::as_str).collect();
            if !changed.is_empty() {
                let text = format!(
                    "the evaluation code changed: {} ({})",
                    named(&changed),
                    self.lies()
                );
                return reason(Weight::NotComparable, text);
            }
        }
        if !self.moved() {
            return None;
        }
        let [old, new] = self.sides.map(|side| version(side).unwrap_or_default());
        let lies = self.lies();
        let (weight, text) = match self.between {
            CodeBetween::Told(between) => self.told(between, &lies),
            _ if old.starts_with(new) || new.starts_with(old) => (
                Weight::Caveat,
                format!("the commit is written short on one side ({lies}) and may be the same"),
            ),
            CodeBetween::NotAsked => (
                Weight::CannotTell,
                format!("the code moved ({lies}), and what changed was not looked at"),
            ),
            CodeBetween::Unknown(why) => self.without_a_clone(&lies, why),
        };
        reason(weight, text)
    }

    /// The commits cannot be held against each other, but what was loaded can.
    fn without_a_clone(&self, lies: &str, why: &str) -> (Weight, String) {
        match &self.held {
            Some(held) if held.same > 0 => (
                Weight::Caveat,
                format!(
                    "the code moved ({lies}); {} on both sides; what else changed is not known: {why}",
                    same(held)
                ),
            ),
            _ => (
                Weight::CannotTell,
                format!("the code moved ({lies}); what changed is not known: {why}"),
            ),
        }
    }

    fn told(&self, between: &Between, lies: &str) -> (Weight, String) {
        if between.count == Finding::Found(0) && between.files.is_empty() {
            let text = format!("the commit is the same, written short on one side ({lies})");
            return (Weight::Note, text);
        }
        let those = |parts: &[Part]| -> Vec<&str> {
            let files = between.files.iter();
            files
                .filter(|file| parts.contains(&file.part))
                .map(|file| file.path.as_str())
                .collect()
        };
        let ran = those(&[Part::Script, Part::Loaded, Part::Imported]);
        if !ran.is_empty() && self.held.is_none() {
            let text = format!("the evaluation code changed: {} ({lies})", named(&ran));
            return (Weight::NotComparable, text);
        }
        let open = those(&[Part::Read, Part::Named, Part::Untold]);
        if !open.is_empty() {
            let why = if !those(&[Part::Read]).is_empty() {
                "the run read it"
            } else if !those(&[Part::Named]).is_empty() {
                "the code that ran names it"
            } else if self.held.is_some() {
                "whether the run read it is not known"
            } else {
                "whether the run loaded it is not recorded"
            };
            let text = format!(
                "the code moved ({lies}): {} changed, and {why}",
                named(&open)
            );
            return (Weight::CannotTell, text);
        }
        let apart = those(&[Part::Apart]);
        if let (Some(gap), false) = (self.gap(), apart.is_empty()) {
            let text = format!(
                "the code moved ({lies}): {} changed, which no run was seen to load; more may have been: {gap}",
                named(&apart)
            );
            return (Weight::Caveat, text);
        }
        if !apart.is_empty() {
            let text = format!(
                "the code moved ({lies}): {} changed, which the script does not import, as far as its text tells",
                named(&apart)
            );
            return (Weight::Caveat, text);
        }
        self.harmless(between, lies)
    }

    /// Files differ, and none of them can have mattered.
    fn harmless(&self, between: &Between, lies: &str) -> (Weight, String) {
        let rest: Vec<&str> = between
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        match &self.held {
            Some(held) if held.same > 0 => {
                let weight = if self.gap().is_some() {
                    Weight::Caveat
                } else {
                    Weight::Note
                };
                let text = format!("the code moved ({lies}); {} on both sides", same(held));
                (weight, text)
            }
            _ if rest.is_empty() => (
                Weight::Note,
                format!("the code moved ({lies}): no file differs"),
            ),
            _ => (
                Weight::Caveat,
                format!(
                    "the code moved ({lies}): only {} changed, which no run loads",
                    named(&rest)
                ),
            ),
        }
    }

    /// Why more may have been loaded than was recorded, where it was recorded of both.
    pub(super) fn gap(&self) -> Option<&str> {
        self.held.as_ref()?;
        let mut runs = self.sides.iter().filter_map(|side| side.ran.as_ref());
        runs.find_map(|ran| ran.gap.as_deref())
    }

    /// Modules of which the bytes that ran are not known.
    fn unknown_bytes(&self) -> Option<Reason> {
        let held = self.held.as_ref().filter(|held| !held.unknown.is_empty())?;
        let late = self.sides.map(|side| {
            let modules = side.ran.as_ref().map(|ran| &ran.modules);
            let of = |path: &String| modules.and_then(|modules| modules.get(path));
            held.unknown
                .iter()
                .filter_map(of)
                .any(|loaded| loaded.changed)
        });
        let whom = self.whom(late);
        let files: Vec<&str> = held.unknown.iter().map(String::as_str).collect();
        let why = match whom {
            Some(whom) => format!("written after the run of {whom} began"),
            None => "no id of its bytes was recorded".to_owned(),
        };
        let text = format!("what ran of {} is not known: {why}", named(&files));
        Some(Reason::new(
            Weight::CannotTell,
            "loaded-unknown",
            "code",
            text,
        ))
    }

    /// Modules that one side alone loaded, and that are the same in both trees.
    fn lone(&self) -> Vec<Reason> {
        let Some(held) = &self.held else {
            return Vec::new();
        };
        let known =
            is_same(self.sides[0], self.sides[1]) || matches!(self.between, CodeBetween::Told(_));
        let weight = if known { Weight::Note } else { Weight::Caveat };
        let of = |side: usize| {
            let lone: Vec<&str> = held.only[side]
                .iter()
                .filter(|path| !self.differs(path))
                .map(String::as_str)
                .collect();
            (!lone.is_empty()).then(|| {
                let text = format!("{} alone loaded {}", self.sides[side].name, named(&lone));
                Reason::new(weight, "loaded-by-one", "code", text)
            })
        };
        (0..2).filter_map(of).collect()
    }

    /// The code changed while a run went on, and nothing says what of it ran.
    fn drift(&self) -> Vec<Reason> {
        let drifted = self.sides.iter().filter(|side| side.ran.is_none());
        drifted
            .filter(|side| !side.drift.is_empty())
            .map(|side| {
                let changes: Vec<&str> = side.drift.iter().map(String::as_str).collect();
                let text = format!(
                    "the code changed while {} ran: {}",
                    side.name,
                    named(&changes)
                );
                Reason::new(Weight::Caveat, "drift", "code", text)
            })
            .collect()
    }

    /// Nobody looked whether a tree was dirty.
    fn untold(&self) -> Option<Reason> {
        let untold = self
            .sides
            .map(|side| version(side).is_some() && get(side, "git_dirty").is_none());
        let who = match untold {
            [false, false] => return None,
            [true, true] => "either side",
            [true, false] => self.sides[0].name.as_str(),
            [false, true] => self.sides[1].name.as_str(),
        };
        let text = format!("whether the tree was dirty is not known of {who}");
        Some(Reason::new(
            Weight::Caveat,
            "dirty-unknown",
            "git_dirty",
            text,
        ))
    }

    /// The code stood in no file.
    fn nowhere(&self) -> Vec<Reason> {
        let of = |side: &&Side| {
            let reasons = side.value("unknown")?;
            let mark = Fields::from_iter([("unknown".to_owned(), reasons.clone())]);
            let text = format!("of {}, {}", side.name, kept_nowhere(&mark)?);
            Some(Reason::new(Weight::CannotTell, "unkept-code", "code", text))
        };
        self.sides.iter().filter_map(of).collect()
    }

    /// Some items of a report were made by another run, at another commit or one that they do
    /// not tell.
    fn other_items(&self) -> Vec<Reason> {
        let of = |side: &&Side| {
            let entries = side.value("items_from")?.as_array()?;
            let is_other = |entry: &&Value| {
                let own = |name: &str| side.value(name).unwrap_or(&Value::Null);
                let theirs = |name: &str| entry.get(name).unwrap_or(&Value::Null);
                let names = ["git_commit", "git_snapshot"];
                names.iter().any(|name| theirs(name) != own(name))
            };
            let told: Vec<String> = entries
                .iter()
                .filter(is_other)
                .map(|entry| {
                    let items = entry
                        .get("items")
                        .and_then(Value::as_u64)
                        .unwrap_or_default();
                    let at = entry.as_object().and_then(code_named);
                    let at = at.unwrap_or_else(|| "no known commit".to_owned());
                    format!("{items} at {at}")
                })
                .collect();
            let text = format!(
                "items of {} were made by other code: {}",
                side.name,
                told.join(", ")
            );
            (!told.is_empty())
                .then(|| Reason::new(Weight::CannotTell, "items-from", "git_commit", text))
        };
        self.sides.iter().filter_map(of).collect()
    }

    fn whom(&self, which: [bool; 2]) -> Option<&str> {
        match which {
            [true, true] => Some("both"),
            [true, false] => Some(self.sides[0].name.as_str()),
            [false, true] => Some(self.sides[1].name.as_str()),
            [false, false] => None,
        }
    }
}

fn same(held: &Held) -> String {
    match held.same {
        1 => "the one module that was loaded is the same".to_owned(),
        several => format!("the {several} modules that were loaded are the same"),
    }
}

fn short(id: &str) -> &str {
    id.get(..7).unwrap_or(id)
}

/// At most three names, and how many more.
pub(super) fn named(files: &[&str]) -> String {
    let first: Vec<&str> = files.iter().take(3).copied().collect();
    let mut text = first.join(", ");
    if files.len() > 3 {
        text.push_str(&format!(", +{}", files.len() - 3));
    }
    text
}
