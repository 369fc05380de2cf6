//! Clocks that disagree: said beside whatever is in the order of time.
//!
//! Times are kept as each machine told them, and lists are in their order; nothing is
//! corrected. Where what is listed proves that two clocks disagree, a line says which, and
//! by how much at least.

use birthmark_catalog::engine::{Disagreement, Engine};
use birthmark_core::Timestamp;
use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::error::Result;
use crate::text;

/// Sessions that are looked at.
const MOST: usize = 200;
/// A clock that is ahead by less is not spoken of.
const LITTLE_MICROS: i64 = 60_000_000;

/// What is known of clocks that disagree.
#[derive(Debug, Default)]
pub struct Clocks(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// The one that is ahead, of the other or of this machine.
    /// None where nothing tells on which machine it was.
    ahead: Option<String>,
    behind: Option<String>,
    by_micros: i64,
    /// What was read before it was made, or is dated ahead.
    file: Option<String>,
}

/// What is told of a session by what is listed.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) session: String,
    /// Its host, where that is listed.
    pub(crate) host: Option<String>,
    /// When it began or made something, the latest of all.
    pub(crate) time: Option<Timestamp>,
    /// What it made then.
    pub(crate) file: Option<String>,
}

impl Clocks {
    /// What these sessions prove.
    pub(crate) fn of(catalog: &Catalog, sessions: &[Told], now: Timestamp) -> Result<Self> {
        let sessions = sessions.get(..MOST.min(sessions.len())).unwrap_or_default();
        let ids: Vec<String> = sessions.iter().map(|told| told.session.clone()).collect();
        let proved = catalog.engine.disagreements(&ids)?;
        let mut all: Vec<Known> = proved.into_iter().map(Known::of).collect();
        for told in sessions {
            let Some(time) = told.time else { continue };
            let by_micros = time.micros().saturating_sub(now.micros());
            if by_micros <= LITTLE_MICROS {
                continue;
            }
            let host = match &told.host {
                Some(host) => Some(host.clone()),
                None => catalog.engine.host(&told.session)?,
            };
            let file = told.file.clone().filter(|_| host.is_none());
            if host.is_none() && file.is_none() {
                continue;
            }
            let known = all
                .iter_mut()
                .find(|known| known.ahead == host && known.behind.is_none());
            match known {
                Some(known) if known.by_micros >= by_micros => {}
                Some(known) => (known.by_micros, known.file) = (by_micros, file),
                None => all.push(Known {
                    ahead: host,
                    behind: None,
                    by_micros,
                    file,
                }),
            }
        }
        Ok(Self(all))
    }

    /// One line for each.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(Known::line).collect()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let one = |known: &Known| {
            json!({
                "ahead": known.ahead,
                "behind": known.behind,
                "by_s": known.by_micros / 1_000_000,
                "file": known.file,
            })
        };
        self.0.iter().map(one).collect()
    }
}

impl Known {
    fn of(found: Disagreement) -> Self {
        Self {
            ahead: Some(found.ahead),
            behind: Some(found.behind),
            by_micros: found.by_micros,
            file: Some(found.file),
        }
    }

    fn line(&self) -> String {
        let by = long(self.by_micros);
        let Some(ahead) = &self.ahead else {
            let file = text::short(self.file.as_deref().unwrap_or_default(), 60);
            return format!("{file} is dated {by} ahead of this machine's clock");
        };
        let ahead = text::short(ahead, 40);
        match (&self.behind, &self.file) {
            (Some(behind), Some(file)) if Some(behind) != self.ahead.as_ref() => format!(
                "clocks disagree: that of {ahead} is at least {by} ahead of {}, which read {} before it was made",
                text::short(behind, 40),
                text::short(file, 60)
            ),
            (Some(_), Some(file)) => format!(
                "the clock of {ahead} was set back by at least {by}: {} was read before it was made",
                text::short(file, 60)
            ),
            _ => {
                format!("clocks disagree: that of {ahead} is at least {by} ahead of this machine's")
            }
        }
    }
}

/// `8 min`: one unit, rounded down.
fn long(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
