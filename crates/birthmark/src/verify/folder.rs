//! Is a folder still what its sidecar and the journals say, member by member?

use std::path::Path;

use birthmark_store::digest::FileError;
use birthmark_store::format::directory::MemberKind;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::layout::Layout;

use super::artifact::{Looked, not_listed, observed};
use super::claims::History;
use super::mark::Judge;
use super::report::Reason;
use super::sidecar::{of_sha256, read_sidecar};
use super::whole::against_whole;
use super::{Options, linked};
use crate::text;

/// At most so many members of a folder are named.
const MOST_MEMBERS: usize = 5;

pub(super) fn folder(
    judge: &mut Judge<'_>,
    path: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    let Some((real, linked)) = linked::followed(path) else {
        return folder_at(judge, path, path, history, options);
    };
    let (evidence, mut reasons) = folder_at(judge, path, &real, history, options)?;
    reasons.push(linked);
    Ok((evidence, reasons))
}

/// The same of a folder that lies at `real`, whose sidecar and name are those of `path`.
fn folder_at(
    judge: &mut Judge<'_>,
    path: &Path,
    real: &Path,
    history: Option<&History>,
    options: &Options,
) -> Result<Looked, FileError> {
    let tree = judge.eyes.digester.tree(real)?;
    let digest = tree.digest.to_string();
    let files = tree
        .members
        .iter()
        .filter(|m| matches!(m.kind, MemberKind::File { .. }))
        .count();
    let evidence = format!(
        "{}, {}",
        text::count(files as u64, "file"),
        text::bytes(tree.size)
    );
    if Layout::sidecar(path).symlink_metadata().is_err() {
        if let Some(newest) = history.and_then(History::newest)
            && newest.digest.is_none()
            && newest.size.is_some()
        {
            let text = "its digest was never recorded";
            return Ok((evidence, vec![Reason::cannot_tell("digest-pending", text)]));
        }
        let mut reasons = vec![
            match history.and_then(|history| observed(history, options)) {
                Some(reason) => reason,
                None => Reason::failed("birthmark-missing", "its sidecar is gone"),
            },
        ];
        reasons.extend(
            history
                .map(|h| against_whole(h, tree.size, &digest))
                .into_iter()
                .flatten(),
        );
        return Ok((evidence, reasons));
    }
    let (named, mut reasons, said) = read_sidecar(judge, path, history);
    if let Some(said) = said {
        let changes = changed_members(&said, &tree);
        if said.digest != tree.digest {
            let what = if changes.is_empty() {
                "a link, a folder or a mode differs".to_owned()
            } else {
                changes.join(", ")
            };
            let text = format!("the folder is not that of its sidecar: {what}");
            reasons.push(Reason::failed("bytes-changed", text));
        } else if !changes.is_empty() {
            let text = format!("its sidecar was edited: members {}", changes.join(", "));
            reasons.push(Reason::failed("sidecar-edited", text));
        } else {
            for member in &said.members {
                let file = path.join(&member.file);
                reasons.extend(of_sha256(judge, &file, member.sha256)?);
            }
        }
    }
    match history {
        Some(history) => reasons.extend(against_whole(history, tree.size, &digest)),
        None => reasons.extend(not_listed(judge, &named, &digest)),
    }
    Ok((evidence, reasons))
}

/// Members that a sidecar lists and that are not so: `changed config.json`.
fn changed_members(
    said: &Sidecar,
    tree: &birthmark_store::format::directory::TreeDigest,
) -> Vec<String> {
    let now: std::collections::HashMap<&Path, _> = tree
        .members
        .iter()
        .filter_map(|member| match member.kind {
            MemberKind::File { digest, size, .. } => Some((member.path.as_path(), (digest, size))),
            _ => None,
        })
        .collect();
    let mut changes = Vec::new();
    let shown = |path: &Path| text::short(&path.to_string_lossy(), 80);
    for member in &said.members {
        let path = member.file.as_path();
        match now.get(path) {
            Some(found) if *found == (member.digest, member.size) => {}
            Some(_) => changes.push(format!("changed {}", shown(path))),
            None => changes.push(format!("missing {}", shown(path))),
        }
    }
    let told: std::collections::HashSet<&Path> = said
        .members
        .iter()
        .map(|member| member.file.as_path())
        .collect();
    let added = now.keys().filter(|path| !told.contains(*path));
    changes.extend(added.map(|path| format!("added {}", shown(path))));
    changes.sort();
    let more = changes.len().saturating_sub(MOST_MEMBERS);
    changes.truncate(MOST_MEMBERS);
    if more > 0 {
        changes.push(format!("+{more}"));
    }
    changes
}
