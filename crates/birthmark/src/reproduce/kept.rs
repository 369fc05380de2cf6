//! What was made again, written down in the store of the original.
//!
//! One line of `.birthmark/reproductions.jsonl` a reproduction, appended by one write. The
//! journals of the original session are not touched: they are over.

use std::io::Write as _;

use birthmark_core::Timestamp;
use birthmark_store::{Layout, atomic};
use serde::{Deserialize, Serialize};

use super::compare::Compared;
use super::lay::Laid;
use super::plan::Plan;
use crate::error::Result;

const LIMIT: u64 = 64 << 20;

/// One reproduction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When.
    pub time: Timestamp,
    /// The session that made the original.
    pub session_id: String,
    /// Its run.
    pub run_id: String,
    /// The original's path.
    pub file: String,
    /// The original's digest.
    pub digest: Option<String>,
    /// `identical`, `equal records`, `differs`, `not made`.
    pub verdict: String,
    /// Where it differs first.
    pub place: Option<String>,
    /// The session of the reproduction.
    pub reproduced_by: Option<String>,
    /// The folder it was made in.
    pub folder: String,
}

/// Writes a reproduction down.
pub(super) fn keep(
    plan: &Plan,
    laid: &Laid,
    compared: &Compared,
    session: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let kept = Kept {
        time: now,
        session_id: plan.session.to_string(),
        run_id: plan.run.to_string(),
        file: plan.file.clone(),
        digest: plan.recorded.digest.clone(),
        verdict: compared.verdict.word().to_owned(),
        place: compared.place.clone(),
        reproduced_by: session.map(str::to_owned),
        folder: laid.folder.to_string_lossy().into_owned(),
    };
    let path = plan.project.layout.reproductions();
    let mut line = serde_json::to_string(&kept).unwrap_or_default();
    line.push('\n');
    let mut file = atomic::open_append(&path, false)?;
    file.write_all(line.as_bytes())
        .map_err(|source| super::io(&path, "write", source))
}

/// All that were written down in a store; lines that cannot be read are none.
pub(crate) fn all(layout: &Layout) -> Vec<Kept> {
    let bytes = atomic::read_limited(&layout.reproductions(), LIMIT).unwrap_or_default();
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}
