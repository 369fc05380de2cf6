//! An artifact that was asked for by a name that is no file here: a digest, a path that was
//! recorded, a run, a session.

use std::path::Path;

use birthmark_core::SessionId;
use birthmark_core::lineage::{Lineage, Place};
use birthmark_store::Layout;

use super::Told;
use super::target::{FoundBy, Target};
use super::wanted::Wanted;
use crate::error::{Error, Result};
use crate::meant;
use crate::project::Project;
use crate::sessions;

/// The fewest digits that name a digest.
const FEWEST_DIGITS: usize = 6;

/// Finds what is called so.
pub(super) fn find_name(
    wanted: &Wanted,
    lineage: &Lineage,
    projects: &[Project],
    told: &[Told],
) -> Result<Target> {
    let text = wanted.text.as_str();
    let target = |name: String, found_by, artifact, runs| Target {
        name,
        path: None,
        line: None,
        found_by,
        artifact,
        runs,
        stamped: false,
        digests: (None, None),
        mind: None,
        items_from: Vec::new(),
        size: None,
        same_as: None,
    };
    if let Some((node, digest)) = by_digest(lineage, text)? {
        return Ok(target(digest, FoundBy::Digest, Some(node), Vec::new()));
    }
    if let Some((node, file)) = by_recorded_name(lineage, projects, text) {
        let mut found = target(file, FoundBy::Path, Some(node), Vec::new());
        found.mind = Some("no file of this name lies here now".to_owned());
        return Ok(found);
    }
    if let Some((session, run)) = by_run(lineage, text) {
        let name = format!("run of session {session}");
        return Ok(target(name, FoundBy::Session, None, vec![run]));
    }
    let id = session_named(&wanted.named, projects, Path::new(text))?;
    let runs = lineage.runs_of(id.as_str());
    if runs.is_empty() && told.iter().any(|one| one.id == id) {
        let message = format!("session {id} has no runs: it read nothing and made nothing");
        return Err(Error::usage("not-traced", message));
    }
    Ok(target(
        format!("session {id}"),
        FoundBy::Session,
        None,
        runs,
    ))
}

/// As digests are spelled.
fn plain(text: &str) -> String {
    text.trim_end_matches('…').to_ascii_lowercase()
}

/// What the digests begin with that are meant; nothing where no digest is.
pub(super) fn digests_meant(text: &str) -> Vec<String> {
    let text = plain(text);
    let hex = text.rsplit(':').next().unwrap_or_default();
    let is_hex = hex.len() >= FEWEST_DIGITS && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    match text.split_once(':') {
        _ if !is_hex => Vec::new(),
        Some(_) => vec![text],
        None => vec![format!("blake3:{hex}"), format!("sha256:{hex}")],
    }
}

/// What the run's id begins with, where a run may be meant.
pub(super) fn run_meant(text: &str) -> Option<String> {
    (text.len() >= FEWEST_DIGITS).then(|| text.to_owned())
}

/// An artifact by the beginning of its digest, with or without the algorithm.
fn by_digest(lineage: &Lineage, text: &str) -> Result<Option<(usize, String)>> {
    let mut found = std::collections::BTreeMap::new();
    for prefix in &digests_meant(text) {
        found.extend(lineage.artifacts_beginning(prefix));
    }
    match found.len() {
        0 => Ok(None),
        1 => Ok(found
            .into_iter()
            .next()
            .map(|(node, digest)| (node, digest.to_owned()))),
        several => {
            let names: Vec<&str> = found.values().take(6).copied().collect();
            Err(Error::usage(
                "digest-ambiguous",
                format!("`{}` begins {several} digests", plain(text)),
            )
            .with_hint(format!("say more of one: {}", names.join(", "))))
        }
    }
}

/// The newest artifact that was recorded under this path.
fn by_recorded_name(
    lineage: &Lineage,
    projects: &[Project],
    text: &str,
) -> Option<(usize, String)> {
    let stored: Vec<String> = projects
        .iter()
        .map(|project| project.stored_path(Path::new(text)))
        .collect();
    let is_it = |place: &Place| stored.get(place.store) == Some(&place.file) || place.file == text;
    let ending = format!("/{text}");
    let newest = |fits: &dyn Fn(&Place) -> bool| {
        (0..lineage.artifacts.len())
            .filter_map(|node| {
                let places = &lineage.artifacts[node].places;
                let place = places.iter().find(|place| fits(place))?;
                Some(((place.made, place.time), node, place.file.clone()))
            })
            .max_by_key(|(key, _, _)| *key)
    };
    let exact = newest(&is_it);
    let found = exact.or_else(|| newest(&|place| place.file.ends_with(&ending)));
    found.map(|(_, node, file)| (node, file))
}

fn by_run(lineage: &Lineage, text: &str) -> Option<(SessionId, usize)> {
    let start = run_meant(text)?;
    let is_meant = |id: &birthmark_core::RunId| id.as_str().starts_with(&start);
    let mut found = lineage
        .runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.runs.iter().any(is_meant));
    let (place, run) = found.next()?;
    found.next().is_none().then(|| (run.session.clone(), place))
}

fn session_named(named: &Project, projects: &[Project], path: &Path) -> Result<SessionId> {
    if let Some(id) = Layout::session_of_manifest(path) {
        return Ok(id);
    }
    let name = path.to_string_lossy();
    let mut first_error = None;
    for project in projects {
        match sessions::resolve(project, &name) {
            Ok(id) => return Ok(id),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if error.code() == "session-ambiguous" => Err(error),
        _ => Err(meant::no_artifact(named, path)),
    }
}
