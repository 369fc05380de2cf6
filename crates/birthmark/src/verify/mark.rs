//! Judging one birthmark: is the required minimum there, and can its claims be followed?

use std::collections::BTreeSet;

use birthmark_core::birthmark::{Fields, REQUIRED};
use birthmark_core::event::SnapshotTaken;
use birthmark_core::json;
use birthmark_core::policy::Outcome;
use birthmark_core::schema::BIRTHMARK_FORMAT;
use birthmark_core::session::snapshot_of;
use birthmark_core::timestamp::TEXT_LEN;
use birthmark_core::{SessionId, Timestamp};
use birthmark_store::config::Policy;
use birthmark_store::digest::Digester;
use serde_json::Value;

use super::claims::Claims;
use super::commits::{Commits, is_full_id};
use super::inputs::Inputs;
use super::kept::Kept;
use super::meter::Meter;
use super::report::Reason;
use crate::text;

/// The fields that a judgement looks at; all others may change without changing it.
const LOOKED_AT: [&str; 9] = [
    "git_commit",
    "artifact_type",
    "git_dirty",
    "git_snapshot",
    "unknown",
    "declared",
    "session_id",
    "birthmark",
    "stamped_at",
];

/// What looks at commits and files.
pub(super) struct Eyes<'a> {
    pub commits: Commits,
    pub inputs: Inputs<'a>,
    pub digester: Digester,
    pub kept: Kept,
    /// How far the reading has come.
    pub meter: &'a Meter,
}

/// What is needed to judge birthmarks, over all files.
pub(super) struct Judge<'a> {
    pub claims: &'a Claims,
    pub eyes: Eyes<'a>,
    policy: &'a Policy,
    /// The fields that the policy looks at.
    policy_fields: Vec<String>,
    /// The whole birthmark of the file at hand, as the journal has it: for fields that its
    /// records leave out.
    whole: Vec<u8>,
    /// Whether the journals, or a manifest, speak of the file at hand.
    pub listed: bool,
    /// Whether the session of the file at hand is judged itself, and so what it read.
    pub session_asked: bool,
}

/// What birthmarks of one file name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub commits: BTreeSet<String>,
    pub sessions: BTreeSet<SessionId>,
}

/// At most so many distinct commits and sessions are counted for a file.
const MOST_NAMED: usize = 10_000;

/// The value of a field, as raw JSON.
pub(super) type Get<'a> = dyn Fn(&str) -> Option<&'a [u8]> + 'a;

impl<'a> Judge<'a> {
    /// A judge over what sessions claim, commits, and what the project demands.
    pub(super) fn new(claims: &'a Claims, eyes: Eyes<'a>, policy: &'a Policy) -> Self {
        let fields = policy.fields();
        Self {
            claims,
            eyes,
            listed: false,
            session_asked: false,
            policy,
            policy_fields: fields.into_iter().map(str::to_owned).collect(),
            whole: Vec::new(),
        }
    }

    /// Turns to a file, of which the journal has this birthmark.
    pub(super) fn turn_to(&mut self, whole: Option<&Fields>) {
        self.listed = whole.is_some();
        self.whole = whole
            .filter(|_| !self.policy.rules.is_empty())
            .and_then(|whole| serde_json::to_vec(whole).ok())
            .unwrap_or_default();
    }

    /// The fields that a judgement looks at; all others may change without changing it.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = &str> {
        let own = self.policy_fields.iter().map(String::as_str);
        LOOKED_AT.into_iter().chain(own)
    }

    fn obeys(&self, get: &Get<'_>, reasons: &mut Vec<Reason>) {
        if self.policy.rules.is_empty() {
            return;
        }
        let look = |name: &str| get(name).or_else(|| json::get(&self.whole, &[name]));
        for finding in crate::policy::findings(self.policy, &look, false) {
            let text = finding.text();
            reasons.push(match finding.outcome {
                Outcome::Broken(_) => Reason::failed("policy-broken", text),
                Outcome::CannotTell(_) | Outcome::NotYet(_) => {
                    Reason::cannot_tell("policy-cannot-tell", text)
                }
                Outcome::Noted(_) | Outcome::Holds => Reason::caveat("policy-noted", text),
            });
        }
    }

    /// The reasons that follow from a birthmark, all but those of its timestamp's form.
    pub(super) fn judge(&mut self, get: &Get<'_>, ours: bool, named: &mut Named) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for name in REQUIRED {
            reasons.extend(required(get, name));
        }
        let commit = get("git_commit").and_then(json::as_text);
        if let Some(commit) = commit.as_ref().filter(|commit| is_full_id(commit))
            && named.commits.len() < MOST_NAMED
        {
            named.commits.insert(commit.to_string());
        }
        reasons.extend(self.code(get));
        declared(get, &mut reasons);
        if ours {
            format_name(get, &mut reasons);
        }
        self.session(get, commit.as_deref(), named, &mut reasons);
        self.obeys(get, &mut reasons);
        reasons
    }

    /// What follows from the code that a birthmark names.
    pub(super) fn code(&mut self, get: &Get<'_>) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if let Some(commit) = get("git_commit").and_then(json::as_text) {
            if is_full_id(&commit) {
                reasons.extend(self.eyes.commits.judge(&commit));
            } else {
                let text = format!(
                    "git_commit `{}` is no full commit id",
                    text::short(&commit, 70)
                );
                reasons.push(Reason::failed("commit-malformed", text));
            }
        }
        self.dirty(get, &mut reasons);
        reasons
    }

    /// The snapshot of the tree that a birthmark tells of, as its session tells of it: also one
    /// that was done only after the birthmark.
    fn snapshot_told(&self, get: &Get<'_>) -> Option<SnapshotTaken> {
        let text = |name: &str| get(name).and_then(json::as_text_lossy);
        let id = SessionId::from_text(text("session_id")?.into_owned());
        if !self.claims.knows(&id) {
            return None;
        }
        let names = ["git_commit", "git_snapshot", "run_id"];
        let told = names.map(|name| Some((name.to_owned(), Value::from(text(name)?.into_owned()))));
        let mut fields: Fields = told.into_iter().flatten().collect();
        fields.insert("git_dirty".to_owned(), Value::from(true));
        let loaded = self.claims.session(&id).ok()?;
        let found = snapshot_of(&loaded.session.snapshots, &fields)?;
        Some(found.taken.clone())
    }

    fn dirty(&mut self, get: &Get<'_>, reasons: &mut Vec<Reason>) {
        let snapshot = get("git_snapshot").filter(|raw| !json::is_null(raw));
        let is_dirty = get("git_dirty") == Some(b"true");
        let told = is_dirty.then(|| self.snapshot_told(get)).flatten();
        let lacks = told.as_ref().and_then(SnapshotTaken::lacks);
        match get("git_dirty") {
            Some(b"false") => {}
            Some(b"true") if lacks.is_some() => {
                let why = text::short(&lacks.unwrap_or_default(), 160);
                let text = format!("the tree was dirty; its snapshot is NOT exact: {why}");
                reasons.push(Reason::caveat("snapshot-inexact", text));
            }
            Some(b"true") if snapshot.is_some() || told.is_some() => reasons.push(Reason::caveat(
                "dirty-with-snapshot",
                "the tree was dirty; it is kept as a snapshot",
            )),
            Some(b"true") => reasons.push(Reason::caveat(
                "dirty-without-snapshot",
                "the tree was dirty and not kept: the commit is not what ran",
            )),
            Some(b"null") => {
                let why = reason_of(get, "git_dirty").unwrap_or_else(|| "no reason given".into());
                let text = format!("whether the tree was dirty is unknown: {why}");
                reasons.push(Reason::caveat("dirty-unknown", text));
            }
            None => reasons.push(Reason::caveat(
                "dirty-unknown",
                "whether the tree was dirty was not recorded",
            )),
            Some(_) => reasons.push(Reason::failed(
                "field-wrong",
                "git_dirty is neither true, false nor null",
            )),
        }
        let Some(snapshot) = snapshot else {
            let late = told.filter(|told| is_full_id(&told.commit));
            if let Some(told) = late {
                reasons.extend(self.eyes.commits.judge_snapshot(&told.commit));
            }
            return;
        };
        match json::as_text(snapshot) {
            Some(hex) if is_full_id(&hex) => reasons.extend(self.eyes.commits.judge_snapshot(&hex)),
            _ => reasons.push(Reason::failed(
                "commit-malformed",
                "git_snapshot is no full commit id",
            )),
        }
    }

    fn session(
        &mut self,
        get: &Get<'_>,
        commit: Option<&str>,
        named: &mut Named,
        reasons: &mut Vec<Reason>,
    ) {
        let Some(raw) = get("session_id").filter(|raw| !json::is_null(raw)) else {
            reasons.push(Reason::caveat("not-bound", "not bound to a session"));
            return;
        };
        let text = json::as_text_lossy(raw).unwrap_or_default();
        if !SessionId::is_well_formed(&text) {
            reasons.push(Reason::failed(
                "field-wrong",
                "session_id is no session's name",
            ));
            return;
        }
        let id = SessionId::from_text(text.into_owned());
        if !self.claims.knows(&id) {
            let text = format!("session {id} is not here");
            reasons.push(Reason::cannot_tell("session-not-here", text));
        } else if let Some(commit) = commit
            && self.claims.session_saw(&id, commit) == Some(false)
        {
            let short = text::short(commit, 7);
            let text = format!("commit {short} is contradicted: session {id} never saw it");
            reasons.push(Reason::failed("claim-contradicted", text));
        }
        if named.sessions.len() < MOST_NAMED {
            named.sessions.insert(id);
        }
    }
}

/// A required field: there, or null with its reason.
fn required(get: &Get<'_>, name: &str) -> Option<Reason> {
    match get(name) {
        None => Some(Reason::failed(
            "field-missing",
            format!("{name} is missing"),
        )),
        Some(b"null") => Some(match reason_of(get, name) {
            Some(why) => Reason::caveat("field-unknown", format!("{name} is unknown: {why}")),
            None => Reason::failed(
                "null-without-reason",
                format!("{name} is null without a reason"),
            ),
        }),
        Some(raw) if raw.starts_with(b"\"") && raw.len() > 2 => None,
        Some(_) => Some(Reason::failed("field-wrong", format!("{name} is no text"))),
    }
}

fn reason_of(get: &Get<'_>, name: &str) -> Option<String> {
    let reasons = get("unknown")?;
    let why = json::as_text_lossy(json::get(reasons, &[name])?)?;
    (!why.trim().is_empty()).then(|| text::short(&why, 100))
}

fn declared(get: &Get<'_>, reasons: &mut Vec<Reason>) {
    let Some(raw) = get("declared").filter(|raw| !json::is_null(raw)) else {
        return;
    };
    match serde_json::from_slice::<Vec<String>>(raw) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => {
            let names: Vec<String> = names.iter().map(|name| text::short(name, 40)).collect();
            let text = format!("declared, not observed: {}", names.join(", "));
            reasons.push(Reason::caveat("declared", text));
        }
        Err(_) => reasons.push(Reason::failed(
            "field-wrong",
            "declared is no list of names",
        )),
    }
}

fn format_name(get: &Get<'_>, reasons: &mut Vec<Reason>) {
    let name = get("birthmark").and_then(json::as_text).unwrap_or_default();
    if name != BIRTHMARK_FORMAT {
        let text = format!(
            "its format `{}` is not known to this version",
            text::short(&name, 40)
        );
        reasons.push(Reason::cannot_tell("format-unknown", text));
    }
}

/// Whether a timestamp is well formed. Ours has exactly one form; another helper's may be
/// any ISO 8601 moment, and may lack an offset, which is a caveat.
pub(super) fn timestamp(raw: &[u8], ours: bool) -> Option<Reason> {
    if ours {
        return (!is_canonical(raw)).then(|| {
            let shown = text::short(&String::from_utf8_lossy(raw), 60);
            Reason::failed(
                "timestamp-malformed",
                format!("timestamp {shown} is malformed"),
            )
        });
    }
    let text = json::as_text_lossy(raw)?;
    if text.parse::<Timestamp>().is_ok() {
        return None;
    }
    if format!("{}Z", text.replacen(' ', "T", 1))
        .parse::<Timestamp>()
        .is_ok()
    {
        return Some(Reason::caveat(
            "timestamp-naive",
            "its timestamp has no offset: which moment it means is not known",
        ));
    }
    let text = format!("timestamp `{}` is malformed", text::short(&text, 60));
    Some(Reason::failed("timestamp-malformed", text))
}

/// `"2026-11-22T12:00:00.000000+00:00"`, quotes included, of a day that exists.
fn is_canonical(raw: &[u8]) -> bool {
    const FORM: &[u8; TEXT_LEN] = b"0000-00-00T00:00:00.000000+00:00";
    let Some(text) = raw
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return false;
    };
    let fits = text.len() == TEXT_LEN
        && text
            .iter()
            .zip(FORM)
            .enumerate()
            .all(|(place, (byte, form))| {
                if *form == b'0' && place < 26 {
                    byte.is_ascii_digit()
                } else {
                    byte == form
                }
            });
    let two = |at: usize| (text[at] - b'0') * 10 + (text[at + 1] - b'0');
    if !fits {
        return false;
    }
    let (month, day) = (two(5), two(8));
    let plain = (1..=12).contains(&month)
        && (1..=28).contains(&day)
        && two(11) < 24
        && two(14) < 60
        && two(17) < 60;
    plain
        || std::str::from_utf8(text).is_ok_and(|text| {
            // The last days of a month, and the leap second, are left to a calendar.
            text.parse::<Timestamp>()
                .is_ok_and(|time| time.to_string() == text)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_form_of_a_timestamp_is_ours() {
        let ok = |text: &str| is_canonical(format!("\"{text}\"").as_bytes());
        assert!(ok("2026-11-22T12:00:00.000000+00:00"));
        assert!(ok("2024-02-29T23:59:59.999999+00:00"));
        for bad in [
            "2026-02-30T12:00:00.000000+00:00",
            "2026-13-22T12:00:00.000000+00:00",
            "2026-11-22T24:00:00.000000+00:00",
            "2026-11-22 12:00:00.000000+00:00",
            "2026-11-22T12:00:00+00:00",
            "2026-11-22T12:00:00.000000+01:00",
        ] {
            assert!(!ok(bad), "{bad}");
        }
    }

    #[test]
    fn naive_time_of_another_helper_is_a_caveat() {
        let code = |text: &str| timestamp(text.as_bytes(), false).map(|reason| reason.code);
        assert_eq!(
            code("\"2026-11-22T12:00:00.123456\""),
            Some("timestamp-naive")
        );
        assert_eq!(code("\"2026-11-22T12:00:00+01:00\""), None);
        assert_eq!(code("\"yesterday\""), Some("timestamp-malformed"));
    }
}
