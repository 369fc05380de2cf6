//! What was last recorded of a file, and whether it lies so.
//!
//! Sessions are in the order of what their machine's boot tells, and of their clocks alone where
//! that tells nothing (see [`birthmark_core::order`]). A clock that was set back may put
//! what was written last before what it wrote over, and git puts back what was written over: so of
//! a file that holds the bytes which another session recorded, that session counts as the last.

use birthmark_core::Timestamp;
use birthmark_core::order::{Moment, straight};
use birthmark_core::wrote::OBSERVED;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;

use crate::engine::Sealed;

/// What a journal tells of an artifact.
#[derive(Debug, Hash)]
pub(super) struct Told {
    pub(super) run: Option<String>,
    pub(super) artifact_type: String,
    pub(super) format: String,
    pub(super) state: String,
    pub(super) timestamp: String,
    pub(super) size: i64,
    pub(super) records: Option<i64>,
    pub(super) digest: Option<String>,
    pub(super) content_digest: Option<String>,
    pub(super) mark: i64,
    pub(super) inputs: String,
    /// When these bytes were first made in the session.
    pub(super) made: String,
}

impl Told {
    /// From twelve columns in the order of the fields, which begin at the second of the row.
    pub(super) fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run: row.get(1)?,
            artifact_type: row.get(2)?,
            format: row.get(3)?,
            state: row.get(4)?,
            timestamp: row.get(5)?,
            size: row.get(6)?,
            records: row.get(7)?,
            digest: row.get(8)?,
            content_digest: row.get(9)?,
            mark: row.get(10)?,
            inputs: row.get(11)?,
            made: row.get(12)?,
        })
    }

    /// That a session removed what another had made.
    pub(super) fn removal(time: Timestamp, mark: i64) -> Self {
        let time = time.to_string();
        Self {
            run: None,
            artifact_type: String::new(),
            format: String::new(),
            state: "removed".to_owned(),
            timestamp: time.clone(),
            size: 0,
            records: None,
            digest: None,
            content_digest: None,
            mark,
            inputs: "[]".to_owned(),
            made: time,
        }
    }

    /// Whether nothing else is told of the file.
    fn is_removal(&self) -> bool {
        self.state == "removed" && self.format.is_empty()
    }

    /// Whether it was made and carries no birthmark within: a copy of it tells nothing by itself.
    pub(super) fn is_plain(&self) -> bool {
        self.state == "sealed" && matches!(self.format.as_str(), OBSERVED | "file")
    }

    pub(super) fn print(&self) -> String {
        format!("{self:?}")
    }
}

/// What one session told of a file.
pub(super) struct Word {
    /// The session.
    pub(super) session: String,
    /// What it told.
    pub(super) told: Told,
    moment: Moment,
}

const TOLD: &str = "SELECT s.session_id, t.run_id, t.artifact_type, t.format, t.state, t.timestamp, t.size, t.records, t.digest, t.content_digest, t.mark, t.inputs, t.made, r.clock
  FROM _told t JOIN _sessions s ON s.id = t.session LEFT JOIN _runs r ON r.session = t.session AND r.run_id = t.run_id";

impl Word {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let told = Told::of(row)?;
        let clock: Option<String> = row.get(13)?;
        let moment = Moment {
            time: told.timestamp.parse().unwrap_or_default(),
            clock: clock.and_then(|clock| clock.parse().ok()),
        };
        Ok(Self {
            session: row.get(0)?,
            told,
            moment,
        })
    }
}

/// What was told of a file, the last at the end.
pub(super) fn all(db: &Connection, project: i64, file: &str) -> rusqlite::Result<Vec<Word>> {
    let sql =
        format!("{TOLD} WHERE t.project = ? AND t.file = ? ORDER BY t.timestamp, s.session_id");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![project, file], Word::of)?;
    let mut all: Vec<Word> = rows.collect::<rusqlite::Result<_>>()?;
    let clock = all.first().and_then(|word| word.moment.clock);
    if all.iter().all(|word| word.moment.clock == clock) {
        return Ok(with_removals(all));
    }
    let moments: Vec<Moment> = all.iter().map(|word| word.moment).collect();
    let mut keyed: Vec<(Timestamp, Word)> =
        straight(&moments).into_iter().zip(all.drain(..)).collect();
    keyed.sort_by_key(|(time, _)| *time);
    Ok(with_removals(
        keyed.into_iter().map(|(_, word)| word).collect(),
    ))
}

/// What another session removed is that session's word no more: the one before it tells what it was.
fn with_removals(all: Vec<Word>) -> Vec<Word> {
    let mut kept: Vec<Word> = Vec::with_capacity(all.len());
    for word in all {
        if !word.told.is_removal() {
            kept.push(word);
        } else if let Some(last) = kept.last_mut() {
            "removed".clone_into(&mut last.told.state);
        }
    }
    kept
}

/// Who was seen to write the bytes that lie at a path where nobody told that they were put there:
/// the file was moved or copied since. The last of those that were.
pub(super) fn seen_to_write(
    db: &Connection,
    project: i64,
    told: &[Word],
    found: &Json,
) -> rusqlite::Result<Option<Word>> {
    let Some(own) = own_digest(found) else {
        return Ok(None);
    };
    if told
        .iter()
        .any(|word| word.told.digest.as_ref() == Some(&own))
    {
        return Ok(None);
    }
    // Empty files are all alike.
    let sql = format!(
        "{TOLD} WHERE t.project = ? AND t.digest = ? AND t.format = 'observed' AND t.state = 'sealed' AND t.size > 0
         ORDER BY t.timestamp, s.session_id"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![project, own], Word::of)?;
    rows.last().transpose()
}

/// Who made the bytes of a file that carries nothing and that nobody tells of: it was moved or
/// copied from where they were made. The last of those that made such bytes.
pub(super) fn moved(db: &Connection, project: i64, found: &Json) -> rusqlite::Result<Option<Word>> {
    let (Some(own), Some(size)) = (found["lies"].as_str(), found["size"].as_i64()) else {
        return Ok(None);
    };
    let sql = format!(
        "{TOLD} WHERE t.project = ? AND t.size = ? AND t.digest = ? AND {PLAIN}
         ORDER BY t.timestamp, s.session_id, t.file"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![project, size, own], Word::of)?;
    rows.last().transpose()
}

/// What holds of what was made and carries no birthmark within.
const PLAIN: &str = "t.state = 'sealed' AND t.format IN ('observed', 'file')";

/// The digest of something of this size that was made and carries nothing within. Empty files are
/// all alike.
pub(super) fn plain_of(
    db: &Connection,
    project: i64,
    size: u64,
) -> rusqlite::Result<Option<String>> {
    let sql = format!(
        "SELECT t.digest FROM _told t INDEXED BY _told_plain
         WHERE t.project = ? AND t.size = ? AND t.size > 0 AND t.digest IS NOT NULL AND {PLAIN} LIMIT 1"
    );
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    db.prepare_cached(&sql)?
        .query_row(params![project, size], |row| row.get(0))
        .optional()
}

/// Files that carry nothing and that nobody tells of, and that are as large as something that was
/// made: those that were not read.
pub(super) fn maybe_moved(db: &Connection, project: i64) -> rusqlite::Result<Vec<String>> {
    let sql = format!(
        "SELECT a.file FROM _artifacts a INDEXED BY _artifacts_plain
         WHERE a.project = ? AND a.there = 2 AND a.found ->> 'lies' IS NULL AND EXISTS (
           SELECT 1 FROM _told t INDEXED BY _told_plain
           WHERE t.project = a.project AND t.size = a.found ->> 'size' AND t.size > 0 AND {PLAIN})"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([project], |row| row.get(0))?;
    rows.collect()
}

/// Whether these bytes may lie there though another word counts as the last: they were put back
/// (by git, by a hand), or the clocks of both tell a wrong order.
fn may_lie(word: &Word, last: &Word) -> bool {
    // A file that was gone on with is longer.
    let goes_on = last.told.format == "jsonl" && last.told.size >= word.told.size;
    word.told.state == "sealed"
        && word.told.digest.is_some()
        && word.told.digest != last.told.digest
        && !goes_on
}

/// Puts the word last that told of the bytes as they lie.
pub(super) fn as_it_lies(all: &mut Vec<Word>, found: &Json) {
    let Some(own) = own_digest(found) else { return };
    let Some(last) = all.last().filter(|last| last.told.state == "sealed") else {
        return;
    };
    if last.told.digest.as_ref() == Some(&own) {
        return;
    }
    let is_it = |word: &Word| word.told.digest.as_ref() == Some(&own) && may_lie(word, last);
    if let Some(place) = all.iter().rposition(is_it) {
        let word = all.remove(place);
        all.push(word);
    }
}

/// What a file was when it was last recorded; none where nobody told, or it is written to.
pub(super) fn sealed(
    db: &Connection,
    project: i64,
    file: &str,
) -> rusqlite::Result<Option<Sealed>> {
    let all = all(db, project, file)?;
    let Some((last, before)) = all.split_last() else {
        return Ok(None);
    };
    if last.told.state != "sealed" {
        return Ok(None);
    }
    let others = before.iter().filter(|word| may_lie(word, last));
    let others = others.filter_map(|word| {
        let digest = word.told.digest.clone()?;
        Some((digest, word.told.size.unsigned_abs()))
    });
    Ok(last.told.digest.clone().map(|digest| Sealed {
        digest,
        size: last.told.size.unsigned_abs(),
        time: last.moment.time,
        others: others.collect(),
    }))
}

/// How a file lies, as far as it was looked at.
pub(super) struct Lying {
    /// The word for it.
    pub(super) state: String,
    /// The digest of its bytes, where it is known.
    pub(super) digest: Option<String>,
}

/// Holds what was found of a file against what was last told of it; else against what its
/// sidecar says of it.
pub(super) fn lying(found: &Json, newest: Option<&Told>) -> Lying {
    let text = |name: &str| found[name].as_str().map(str::to_owned);
    let claimed = text("digest").filter(|_| is_beside(found));
    let own = own_digest(found);
    let (recorded, size, good, unknown) = match newest {
        Some(told) if told.state != "sealed" || found.is_null() => {
            return Lying {
                state: told.state.clone(),
                digest: text("digest").or_else(|| told.digest.clone()),
            };
        }
        Some(told) => (
            told.digest.clone(),
            told.size.unsigned_abs(),
            "sealed",
            "unchecked",
        ),
        None => {
            let size = found["size"].as_u64().unwrap_or(0);
            (claimed, size, "stamped", "stamped")
        }
    };
    let content = text("content_digest").filter(|_| !is_beside(found));
    let state = match (&own, &recorded) {
        _ if newest.is_some() && content.is_some() && content == recorded => "stamped since",
        (Some(own), Some(recorded)) if own != recorded => "edited",
        (_, Some(_)) if found["lies_size"].as_u64().is_some_and(|now| now != size) => "edited",
        (Some(_), Some(_)) => good,
        _ => unknown,
    };
    let digest = own.or_else(|| recorded.filter(|_| state != "edited"));
    Lying {
        state: state.to_owned(),
        digest,
    }
}

/// Whether a file's birthmark stands beside it, with a digest that only claims.
fn is_beside(found: &Json) -> bool {
    matches!(found["format"].as_str(), Some("file" | "folder"))
}

/// The digest of the bytes as they lie, where they were read.
fn own_digest(found: &Json) -> Option<String> {
    let text = |name: &str| found[name].as_str().map(str::to_owned);
    text("lies").or_else(|| text("digest").filter(|_| !is_beside(found)))
}
