//! Was what was read what a run had left there? Of each input that was not, who left what.
//!
//! # Limitations
//!
//! * Only sessions whose manifests name the path are read, and of very many sessions the newest;
//!   `trace` reads all, and those of other stores.

use birthmark_core::SessionId;
use birthmark_core::lineage::{self, Builder, Lineage, Mention, Source};
use birthmark_core::session::Session;
use birthmark_store::atomic;
use serde_json::{Value, json};

use super::Shown;
use crate::project::Project;
use crate::{sessions, trace};

/// Inputs that are looked at, and sessions that are searched for who left them.
const MOST_INPUTS: usize = 64;
const MOST_SESSIONS: usize = 2_000;
/// A larger manifest is not searched; its session is read.
const MANIFEST_LIMIT: u64 = 64 << 20;

/// An input that something unrecorded had changed before it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedInput {
    /// Its path, as it was recorded.
    pub file: String,
    /// What is to be minded.
    pub text: String,
    /// What had been left there, and by whom.
    told: Value,
}

impl ChangedInput {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({ "file": self.file, "changed_since": self.told })
    }
}

/// The inputs of what is shown that were not what a run had left at their paths.
pub(super) fn look(project: &Project, shown: &Shown) -> Vec<ChangedInput> {
    let Some(own) = &shown.session else {
        return Vec::new();
    };
    let inputs = inputs(shown);
    if inputs.is_empty() {
        return Vec::new();
    }
    let told = told(project, &own.id, &inputs);
    let mut builder = Builder::new();
    for (id, session) in &told {
        builder.add(Source {
            store: 0,
            id,
            session,
            unknown: None,
        });
    }
    let lineage = builder.finish();
    let changed = inputs.iter().filter_map(|input| changed(&lineage, input));
    changed.collect()
}

fn inputs(shown: &Shown) -> Vec<Mention> {
    let mut mentions: Vec<Mention> = super::render::inputs_of(shown)
        .iter()
        .filter_map(|input| lineage::input(input.as_object()?))
        .filter(|input| input.is_path && input.digest.is_some())
        .collect();
    mentions.truncate(MOST_INPUTS);
    mentions
}

/// The session, and those whose manifests name one of the inputs.
fn told(project: &Project, own: &SessionId, inputs: &[Mention]) -> Vec<(SessionId, Session)> {
    let named: Vec<String> = inputs
        .iter()
        .filter_map(|input| serde_json::to_string(&input.file).ok())
        .collect();
    let names_one = |id: &SessionId| {
        let manifest = atomic::read_limited(&project.layout.manifest(id), MANIFEST_LIMIT);
        manifest.map_or(true, |text| {
            let holds = |name: &String| memchr::memmem::find(&text, name.as_bytes()).is_some();
            named.iter().any(holds)
        })
    };
    let mut ids = sessions::ids(project).unwrap_or_default();
    ids.sort();
    let newest = ids.iter().rev().take(MOST_SESSIONS);
    let speak = newest.filter(|id| *id == own || names_one(id));
    let fold = |id: &SessionId| Some((id.clone(), sessions::fold_of(project, id).ok()?));
    speak.filter_map(fold).collect()
}

fn changed(lineage: &Lineage, input: &Mention) -> Option<ChangedInput> {
    let digest = input.digest.as_deref()?;
    let is_it = |node: &usize| {
        let mut places = lineage.artifacts[*node].places.iter();
        places.any(|place| place.file == input.file && place.digest.as_deref() == Some(digest))
    };
    let mut nodes = lineage.artifacts_of(digest).iter().copied();
    let changed = trace::changed_at(lineage, nodes.find(is_it)?, &input.file)?;
    Some(ChangedInput {
        file: input.file.clone(),
        text: changed.of_input(lineage),
        told: changed.told(lineage),
    })
}
