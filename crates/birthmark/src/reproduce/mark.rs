//! What says which code the folder of a reproduction holds: git, as it did then, or else a
//! declaration.

use std::path::Path;

use birthmark_core::birthmark::Fields;
use birthmark_core::schema::DECLARATION_FORMAT;
use birthmark_store::config::CONFIG_NAME;
use birthmark_store::{Durability, atomic};
use serde_json::Value;

use super::lay::Laid;
use super::plan::Plan;
use super::venv;
use crate::declare::{CODE_FIELDS, DECLARATION_NAME};
use crate::error::Result;
use crate::snapshot::{Head, Nested, make_repository};

/// The artifacts folder may be a link to another disk, which the code brings along: what is made
/// again goes into a folder of its own, and never through the link.
pub(super) fn own_artifacts(artifacts: &Path) -> Result<()> {
    if artifacts.is_symlink() {
        atomic::remove(artifacts)?;
        atomic::create_folder(artifacts)?;
    }
    Ok(())
}

/// The folder is a project of its own, and says which code it holds: as a repository, or else
/// by a declaration.
pub(super) fn mark(
    plan: &Plan,
    laid: &mut Laid,
    nested: &[Nested],
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let config = laid.folder.join(CONFIG_NAME);
    let mut unseen = vec![format!("/{}/", venv::FOLDER)];
    if !config.exists() {
        atomic::create_folder(&laid.folder)?;
        atomic::create_new(&config, b"# A reproduction made by birthmark reproduce.\n")?;
        let below = config.strip_prefix(&laid.top).unwrap_or(&config);
        unseen.push(format!("/{}", below.display()));
    }
    laid.repository = repository(plan, &laid.top, &unseen);
    if laid.repository.is_ok() {
        for one in nested {
            if let Err(why) = within(plan, &laid.top, one) {
                let path = crate::text::short(&one.path, 60);
                let why = crate::text::neutral(&why).into_owned();
                say(&format!("birthmark: git is told nothing in {path}: {why}"));
            }
        }
        return Ok(());
    }
    let mut fields = Fields::new();
    fields.insert("birthmark".to_owned(), Value::from(DECLARATION_FORMAT));
    fields.insert("declared_by".to_owned(), Value::from("birthmark reproduce"));
    for name in CODE_FIELDS {
        let value = plan.code_fields.get(name).cloned().unwrap_or(Value::Null);
        fields.insert(name.to_owned(), value);
    }
    let text = serde_json::to_vec_pretty(&fields).unwrap_or_default();
    atomic::replace(&laid.top.join(DECLARATION_NAME), &text, Durability::Process)?;
    Ok(())
}

/// Makes the folder a repository with the `HEAD` of then.
fn repository(plan: &Plan, top: &Path, unseen: &[String]) -> Result<(), String> {
    let text = |name: &str| plan.code_fields.get(name).and_then(Value::as_str);
    let restored = plan.code.restore.as_deref().unwrap_or_default();
    let head = Head {
        commit: plan.code.commit.as_deref().unwrap_or(restored),
        branch: text("git_branch"),
        remote: text("git_remote"),
        pushed: plan.code_fields.get("git_pushed") == Some(&Value::Bool(true)),
        unseen,
        within: None,
    };
    make_repository(&plan.project, top, restored, &head)
}

/// Makes a folder within, that was a repository, one again.
fn within(plan: &Plan, top: &Path, nested: &Nested) -> Result<(), String> {
    let outer = plan.code.restore.as_deref().unwrap_or_default();
    let taken = plan
        .snapshots
        .iter()
        .find(|one| one.commit == nested.commit);
    // What is no snapshot is the commit that lay there.
    let commit = match taken {
        Some(taken) => taken.parent.as_deref().ok_or("it had no commit")?,
        None => &nested.commit,
    };
    let head = Head {
        commit,
        branch: None,
        remote: taken.and_then(|taken| taken.remote.as_deref()),
        pushed: false,
        unseen: &[],
        within: Some((outer, &nested.path)),
    };
    make_repository(
        &plan.project,
        &top.join(&nested.path),
        &nested.commit,
        &head,
    )
}
