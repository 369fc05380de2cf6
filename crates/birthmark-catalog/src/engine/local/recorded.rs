//! What was last recorded of a file, and whether it lies so.

use birthmark_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;

use super::write::Told;
use crate::engine::Sealed;

/// What a file was when it was last recorded; none where nobody told, or it is written to.
pub(super) fn sealed(
    db: &Connection,
    project: i64,
    file: &str,
) -> rusqlite::Result<Option<Sealed>> {
    type Row = (String, Option<String>, i64, String);
    let newest: Option<Row> = db
        .prepare_cached(
            "SELECT t.state, t.digest, t.size, t.timestamp FROM _told t JOIN _sessions s ON s.id = t.session
             WHERE t.project = ? AND t.file = ? ORDER BY t.timestamp DESC, s.session_id DESC LIMIT 1",
        )?
        .query_row(params![project, file], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    Ok(newest.and_then(|(state, digest, size, time)| {
        Some(Sealed {
            digest: digest.filter(|_| state == "sealed")?,
            size: size.unsigned_abs(),
            time: time.parse::<Timestamp>().ok()?,
        })
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
    let is_beside = matches!(found["format"].as_str(), Some("file" | "folder"));
    let claimed = text("digest").filter(|_| is_beside);
    let own = text("lies").or_else(|| text("digest").filter(|_| !is_beside));
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
    let state = match (&own, &recorded) {
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
