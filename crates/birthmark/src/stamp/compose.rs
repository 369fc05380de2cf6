//! What the birthmark of a file says that is there already.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use birthmark_capture::git;
use birthmark_core::birthmark::{self, Scope};
use birthmark_core::{Fields, Timestamp};
use birthmark_store::atomic;
use serde_json::{Value, json};

use super::{StampOptions, births};
use crate::error::Result;
use crate::looks::CodeSeen;
use crate::project::Project;
use crate::session::{self, Session};

/// The whole birthmark of a file that is there already.
pub(super) fn compose(
    code: &Code<'_>,
    time: Timestamp,
    options: &StampOptions,
    birth: Option<&births::Birth>,
    joined: Option<&Session>,
) -> Fields {
    let mut asserted = options.given.clone();
    asserted.insert(
        "artifact_type".to_owned(),
        Value::from(options.artifact_type.clone()),
    );
    let (mut base, declared) = if let Some(birth) = birth {
        let declared = differing(&birth.birthmark, &asserted);
        (birth.birthmark.clone(), declared)
    } else {
        let mut base = match joined {
            Some(session) => session.birthmark(&options.artifact_type, &Fields::new()),
            None => code.fields(),
        };
        // No script is known to have made it.
        base.retain(|name, _| !name.starts_with("script_"));
        base.insert("timestamp".to_owned(), Value::from(time.to_string()));
        let declared = base
            .iter()
            .chain(&asserted)
            .filter(|(name, value)| is_claim(name, value));
        let declared = declared.map(|(name, _)| name.clone()).collect();
        (base, declared)
    };
    base.remove("declared");
    asserted.insert(
        "stamped_at".to_owned(),
        Value::from(session::now().to_string()),
    );
    asserted.insert("declared".to_owned(), json!(declared));
    birthmark::compose([&base, &asserted], Scope::Whole)
}

/// What was declared at the birth, and what is asserted now and was not known then.
fn differing(known: &Fields, asserted: &Fields) -> BTreeSet<String> {
    let before = known
        .get("declared")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let before = before.filter_map(|name| name.as_str().map(str::to_owned));
    let now = asserted
        .iter()
        .filter(|(name, value)| known.get(*name) != Some(value));
    before.chain(now.map(|(name, _)| name.clone())).collect()
}

/// Whether a field claims something of the moment at which the file was made.
fn is_claim(name: &str, value: &Value) -> bool {
    let context = [
        "session_id",
        "run_id",
        "birthmark",
        "unknown",
        "declared",
        "stamped_at",
    ];
    !value.is_null() && !context.contains(&name)
}

/// The state of the code, looked at once for all files, and only if it is asked for.
pub(super) struct Code<'a> {
    project: &'a Project,
    seen: OnceLock<Fields>,
}

impl<'a> Code<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        Self {
            project,
            seen: OnceLock::new(),
        }
    }

    pub(super) fn project(&self) -> &'a Project {
        self.project
    }

    fn fields(&self) -> Fields {
        let look = || {
            let options = session::status_options(self.project, None);
            let state = git::capture_status(self.project.root(), &options);
            CodeSeen::new(state, None).fields
        };
        self.seen.get_or_init(look).clone()
    }
}

/// The file's own time, in microseconds.
pub(super) fn modified(file: &Path) -> Result<Timestamp> {
    use atomic::PathContext;
    let time = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .at("read", file)?;
    let micros = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Ok(Timestamp::from_micros(micros))
}
