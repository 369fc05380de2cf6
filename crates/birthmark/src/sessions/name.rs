//! Which session a name means: an id, a part of one that is its alone, or `last`.

use birthmark_core::{SessionId, near};

use super::{ids, load};
use crate::error::{Error, Result};
use crate::project::Project;

/// Less of an id's end names no session: any word would be the end of one.
const SHORTEST: usize = 4;

/// Finds the session that a name means: an id, a unique prefix or suffix of one, or `last`.
pub fn resolve(project: &Project, name: &str) -> Result<SessionId> {
    let ids = ids(project)?;
    if let Some(id) = ids.iter().find(|id| id.as_str() == name) {
        return Ok(id.clone());
    }
    if name == "last" {
        return last(project, &ids);
    }
    let fits = |id: &&SessionId| {
        let is_end = name.len() >= SHORTEST && id.as_str().ends_with(name);
        is_end || id.as_str().starts_with(name)
    };
    let found: Vec<&SessionId> = ids
        .iter()
        .filter(fits)
        .filter(|_| !name.is_empty())
        .collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(unknown_session(name, &ids)),
        several => Err(Error::usage(
            "session-ambiguous",
            format!(
                "`{}` names {} sessions",
                crate::text::short(name, 60),
                several.len()
            ),
        )
        .with_hint(format!(
            "say more of one: {}",
            listed(several.iter().copied())
        ))),
    }
}

pub(super) fn unknown_session(name: &str, ids: &[SessionId]) -> Error {
    let error = Error::usage(
        "session-unknown",
        format!("no session `{}` here", crate::text::short(name, 60)),
    );
    if ids.is_empty() {
        return error.with_hint("there is no session in this project yet");
    }
    // What shares less than half of its letters with all of them was meant for something else.
    let most = name.chars().count() / 2;
    let near = ids.iter().map(|id| (distance(name, id.as_str()), id));
    let mut near: Vec<(usize, &SessionId)> = near.filter(|(edits, _)| *edits <= most).collect();
    near.sort_by_key(|(edits, _)| *edits);
    if near.is_empty() {
        return error.with_hint("`birthmark list` names the sessions, `birthmark find` the files");
    }
    let near = near.into_iter().map(|(_, id)| id);
    error.with_hint(format!("the nearest: {}", listed(near.take(3))))
}

fn listed<'a>(ids: impl Iterator<Item = &'a SessionId>) -> String {
    const MOST: usize = 6;
    let ids: Vec<&str> = ids.map(SessionId::as_str).collect();
    let mut text = ids
        .iter()
        .take(MOST)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if ids.len() > MOST {
        text.push_str(&format!(", +{}", ids.len() - MOST));
    }
    text
}

/// How many edits lie between what was typed and the best part of an id as long as it.
fn distance(name: &str, id: &str) -> usize {
    let length = name.chars().count();
    let head: String = id.chars().take(length).collect();
    let more = id.chars().count().saturating_sub(length);
    let tail: String = id.chars().skip(more).collect();
    near::edits(name, &head).min(near::edits(name, &tail))
}

/// The newest session. Ids of one second do not tell which was first; their starts do.
fn last(project: &Project, ids: &[SessionId]) -> Result<SessionId> {
    let Some(newest) = ids.first() else {
        return Err(unknown_session("last", ids));
    };
    let second = |id: &SessionId| id.as_str().get(..15).map(str::to_owned);
    let rivals: Vec<&SessionId> = ids
        .iter()
        .take_while(|id| second(id) == second(newest))
        .collect();
    if rivals.len() < 2 {
        return Ok(newest.clone());
    }
    let mut best = (None, newest);
    for id in rivals {
        let start = load(project, id)?.session.start;
        if start > best.0 {
            best = (start, id);
        }
    }
    Ok(best.1.clone())
}
