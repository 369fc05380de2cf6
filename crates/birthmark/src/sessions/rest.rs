//! What a manifest tells beyond journals that are damaged or cut.
//!
//! A journal ends where it is damaged: what follows there cannot be proved. The manifest beside it
//! was folded from the whole one, and is taken at its word for the rest, as one is that was copied
//! without its journals. That something is wrong is told by the problems of the session.

use std::collections::BTreeSet;

use birthmark_core::session::{Artifact, Run, Session};

/// Fills in what journals that are short no longer tell.
pub(super) fn take_rest(session: &mut Session, manifest: Session) {
    // What the journals tell the end of is known from them, all else better from the manifest.
    let told: BTreeSet<String> = session.made().map(|one| one.file.clone()).collect();
    let rest = manifest.artifacts.into_iter();
    let rest: Vec<Artifact> = rest.filter(|one| !told.contains(&one.file)).collect();
    let whole: BTreeSet<&str> = rest.iter().map(|one| one.file.as_str()).collect();
    session
        .artifacts
        .retain(|one| !whole.contains(one.file.as_str()));
    session.artifacts.extend(rest);
    for run in manifest.runs {
        match session.runs.iter_mut().find(|known| known.id == run.id) {
            Some(known) => complete(known, run),
            None => session.runs.push(run),
        }
    }
    for used in manifest.used {
        if !session.used.contains(&used) {
            session.used.push(used);
        }
    }
    for (own, whole) in [
        (&mut session.code, manifest.code),
        (&mut session.code_details, manifest.code_details),
        (&mut session.environment, manifest.environment),
        (&mut session.given, manifest.given),
    ] {
        for (name, value) in whole {
            own.entry(name).or_insert(value);
        }
    }
    session.end = session.end.or(manifest.end);
    session.start = session.start.or(manifest.start);
    session.last_heard = session.last_heard.max(manifest.last_heard);
}

fn complete(known: &mut Run, run: Run) {
    if known.observed.lineage.is_none() {
        known.observed = run.observed;
        known.drift = run.drift;
        known.drift_commit = run.drift_commit;
        known.beside = run.beside;
    }
    if !known.ran_something() {
        known.script_name = run.script_name;
        known.argv = run.argv;
        known.rank = run.rank;
        known.given = run.given;
    }
    if known.logs.is_empty() {
        known.logs = run.logs;
    }
    known.last_heard = known.last_heard.max(run.last_heard);
    known.end = known.end.take().or(run.end);
}
