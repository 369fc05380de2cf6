//! Code that is deployed without its `.git`: what it was is written down where the
//! repository still is, and read back where it no longer is.
//!
//! ```text
//! laptop$ birthmark declare                 writes declaration.birthmark.json
//! laptop$ rsync --exclude .git ./ pod:work  the file goes along
//! pod$    python train.py                   its birthmarks take the commit from the file
//! ```
//!
//! # Invariants
//!
//! * What is read from a declaration is never passed off as observed: every one
//!   of its fields stands in `declared`.
//! * A file that is no declaration of ours, or names no commit, says nothing;
//!   [`find_declaration`] tells `doctor` why.
//! * The file's name ends like a sidecar's, so it never makes a tree dirty.
//!
//! * It lists the digests of the files that git tracks: one that is another where it
//!   was deployed makes the code dirty.

mod files;

use std::path::{Path, PathBuf};

use birthmark_capture::{clock, git, process};
use birthmark_core::birthmark::{note_unknown, rule};
use birthmark_core::code::CodeState;
use birthmark_core::schema::DECLARATION_FORMAT;
use birthmark_core::{Fields, Finding, Timestamp};
use birthmark_store::atomic::{self, Durability};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::looks::CodeSeen;
use crate::project::Project;

/// The name of the file, in the folder that is deployed.
pub const DECLARATION_NAME: &str = "declaration.birthmark.json";
/// No declaration is larger.
const DECLARATION_LIMIT: u64 = 1 << 20;
/// Fields that say what the code was. The script is seen where it runs.
pub(crate) const CODE_FIELDS: [&str; 6] = [
    "git_commit",
    "git_branch",
    "git_dirty",
    "git_snapshot",
    "git_remote",
    "git_pushed",
];

/// A declaration that was written.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Where it stands.
    pub path: PathBuf,
    /// What it says.
    pub fields: Fields,
    /// The tree was not clean, or that could not be told: the commit is not all that
    /// gets deployed. One sentence for people.
    pub risk: Option<String>,
}

/// Writes down what the code of `project` is now, to `out` or to the project's root.
///
/// An older declaration is replaced; any other file at its place is refused.
pub fn declare(project: &Project, out: Option<&Path>) -> Result<Declared> {
    let options = git::StatusOptions {
        artifacts: vec![project.layout.artifacts().to_owned()],
        ..git::StatusOptions::default()
    };
    let seen = CodeSeen::new(git::capture_status(project.root(), &options), None);
    let Some(commit) = seen.state.commit.found() else {
        let reason = seen.state.commit.reason().unwrap_or("there is no commit");
        return Err(
            Error::usage("no-commit", format!("nothing to declare: {reason}")).with_hint(
                "run it where the code's repository is, then copy the file with the code",
            ),
        );
    };
    let risk = match &seen.state.dirty {
        Finding::Found(false) => None,
        Finding::Found(true) => Some(format!(
            "dirty: {}; commit {} is not what will be deployed",
            seen.state.dirty_summary(),
            commit.get(..7).unwrap_or(commit)
        )),
        _ => Some(format!(
            "cannot tell whether the tree is clean: {}",
            seen.state.dirty_summary()
        )),
    };
    let path = match out {
        Some(path) if path.is_dir() => path.join(DECLARATION_NAME),
        Some(path) => path.to_owned(),
        None => project.root().join(DECLARATION_NAME),
    };
    refuse_other_files(&path)?;
    let fields = declaration(project, &seen);
    let mut bytes = serde_json::to_vec_pretty(&fields)
        .map_err(|error| Error::usage("json", error.to_string()))?;
    bytes.push(b'\n');
    atomic::replace(&path, &bytes, Durability::Power)?;
    Ok(Declared { path, fields, risk })
}

fn refuse_other_files(path: &Path) -> Result<()> {
    let ours = match atomic::read_limited(path, DECLARATION_LIMIT) {
        Ok(bytes) => is_declaration(&bytes),
        Err(error) => error.is_not_found(),
    };
    if ours {
        return Ok(());
    }
    Err(Error::usage(
        "file-exists",
        format!("`{}` is there and is no declaration", path.display()),
    )
    .with_hint("say `--out` with another name"))
}

fn declaration(project: &Project, seen: &CodeSeen) -> Fields {
    let mut fields = Fields::new();
    fields.insert("birthmark".to_owned(), Value::from(DECLARATION_FORMAT));
    let now = Timestamp::from_micros(clock::now_micros());
    fields.insert("declared_at".to_owned(), Value::from(now.to_string()));
    fields.insert("declared_by_host".to_owned(), Value::from(host_name()));
    for name in CODE_FIELDS {
        fields.insert(
            name.to_owned(),
            seen.fields.get(name).cloned().unwrap_or(Value::Null),
        );
        if let Some(reason) = seen
            .fields
            .get("unknown")
            .and_then(|reasons| reasons.get(name))
        {
            note_unknown(&mut fields, name, reason.as_str().unwrap_or("not told"));
        }
    }
    let changed: Vec<&str> = seen
        .state
        .changed_files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    fields.insert("changed_files".to_owned(), json!(changed));
    let objects = git::Objects::open(project.root());
    if let Finding::Found(objects) = &objects
        && objects.root() == Some(project.root())
        && let Some(commit) = seen.state.commit.found()
    {
        let (files, all) = files::list(project.root(), objects.files_at(commit));
        fields.insert("files".to_owned(), Value::Object(files));
        fields.insert("files_complete".to_owned(), Value::from(all));
    }
    fields
}

fn is_declaration(bytes: &[u8]) -> bool {
    parse(bytes).is_some()
}

fn parse(bytes: &[u8]) -> Option<Fields> {
    let fields: Fields = serde_json::from_slice(bytes).ok()?;
    (fields.get("birthmark")?.as_str()? == DECLARATION_FORMAT).then_some(fields)
}

/// The declaration that a script's folder, or a folder above it, holds; asked only
/// where there is no repository that could tell. Without a script the working folder counts.
pub fn read_declaration_for(script: Option<&Path>, state: &CodeState) -> Option<Fields> {
    if state.object_format.is_some() || state.commit.found().is_some() {
        return None;
    }
    let folder = match script {
        Some(script) => std::path::absolute(script).ok()?.parent()?.to_owned(),
        None => process::working_folder().found()?.clone(),
    };
    read_declaration(&folder)
}

/// The declaration in `folder` or the nearest folder above it: the code's fields, with
/// `unknown` where they say nothing, and `declared`, which names each of them. Code that is
/// another than it lists is dirty.
pub fn read_declaration(folder: &Path) -> Option<Fields> {
    let (path, told) = nearest(folder)?;
    let told = told.ok()?;
    let mut fields = fields_of(&told).ok()?;
    let listed = told.get("files").and_then(Value::as_object);
    let changed = listed.map(|listed| files::changed(atomic::folder_of(&path), listed));
    let is_complete = told.get("files_complete") == Some(&Value::Bool(true));
    match changed {
        Some(changed) if !changed.is_empty() => {
            fields.insert("git_dirty".to_owned(), Value::from(true));
            fields.insert("changed_files".to_owned(), json!(changed));
        }
        Some(_) if is_complete => {}
        // Nothing holds the deployed files against what was declared clean.
        _ if fields.get("git_dirty") == Some(&Value::Bool(false)) => {
            fields.insert("git_dirty".to_owned(), Value::Null);
            let why = "declared clean; whether it was edited since is not known";
            note_unknown(&mut fields, "git_dirty", why);
        }
        _ => {}
    }
    Some(fields)
}

/// The nearest declaration file, and what it says, or why it says nothing.
pub fn find_declaration(folder: &Path) -> Option<(PathBuf, Result<Fields, String>)> {
    let (path, told) = nearest(folder)?;
    Some((path, told.and_then(|told| fields_of(&told))))
}

fn nearest(folder: &Path) -> Option<(PathBuf, Result<Fields, String>)> {
    folder.ancestors().find_map(|up| {
        let path = up.join(DECLARATION_NAME);
        let told = match atomic::read_limited(&path, DECLARATION_LIMIT) {
            Ok(bytes) => parse(&bytes).ok_or_else(|| "it is no declaration".to_owned()),
            Err(error) if error.is_not_found() => return None,
            Err(error) => Err(error.source.to_string()),
        };
        Some((path, told))
    })
}

fn fields_of(told: &Fields) -> Result<Fields, String> {
    if !told
        .get("git_commit")
        .and_then(Value::as_str)
        .is_some_and(is_commit)
    {
        return Err("it names no commit".to_owned());
    }
    let mut fields = Fields::new();
    for name in CODE_FIELDS {
        let value = told.get(name).cloned().unwrap_or(Value::Null);
        let fits =
            rule(name).is_some_and(|rule| birthmark_core::birthmark::fits(rule.kind, &value));
        fields.insert(name.to_owned(), if fits { value } else { Value::Null });
        match told
            .get("unknown")
            .and_then(|reasons| reasons.get(name))
            .and_then(Value::as_str)
        {
            Some(reason) => note_unknown(&mut fields, name, reason),
            None if !fits => note_unknown(&mut fields, name, "the declaration is of another type"),
            None => {}
        }
    }
    fields.insert("declared".to_owned(), json!(CODE_FIELDS));
    Ok(fields)
}

fn host_name() -> Option<String> {
    let bytes = atomic::read_limited(Path::new("/proc/sys/kernel/hostname"), 1 << 10).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Full bare hex of SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use birthmark_testing::repo::TestRepo;

    use super::*;

    #[test]
    fn declaration_gives_the_commit_where_git_is_gone_and_names_it_declared() {
        let repo = TestRepo::with_commit();
        let project = Project::find(repo.path()).unwrap();
        let declared = declare(&project, None).unwrap();
        assert_eq!(declared.risk, None);
        assert_eq!(repo.status(), "?? declaration.birthmark.json\n");

        let pod = tempfile::tempdir().unwrap();
        std::fs::create_dir(pod.path().join("src")).unwrap();
        std::fs::copy(&declared.path, pod.path().join(DECLARATION_NAME)).unwrap();
        let fields = read_declaration(&pod.path().join("src")).unwrap();
        assert_eq!(fields["git_commit"], repo.head());
        assert_eq!(fields["git_branch"], "main");
        assert_eq!(fields["git_dirty"], false);
        assert_eq!(fields["declared"], json!(CODE_FIELDS));
    }

    #[test]
    fn declaring_twice_does_not_make_the_tree_dirty() {
        let repo = TestRepo::with_commit();
        let project = Project::find(repo.path()).unwrap();
        declare(&project, None).unwrap();
        assert_eq!(declare(&project, None).unwrap().fields["git_dirty"], false);
    }

    #[test]
    fn other_files_are_not_replaced_and_say_nothing() {
        let repo = TestRepo::with_commit();
        let project = Project::find(repo.path()).unwrap();
        let path = repo.write(DECLARATION_NAME, "{\"mine\": 1}");
        let error = declare(&project, None).unwrap_err();
        assert_eq!(error.code(), "file-exists");
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"mine\": 1}");
        assert_eq!(read_declaration(repo.path()), None);
        let (_, told) = find_declaration(repo.path()).unwrap();
        assert_eq!(told.unwrap_err(), "it is no declaration");
    }

    #[test]
    fn nothing_is_declared_where_there_is_no_commit() {
        let repo = TestRepo::unborn();
        let project = Project::find(repo.path()).unwrap();
        assert_eq!(declare(&project, None).unwrap_err().code(), "no-commit");
        assert!(!repo.path().join(DECLARATION_NAME).exists());
    }
}
