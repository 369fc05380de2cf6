//! The environment of a run, and the way back to it, in lines for people.

use birthmark_core::digest::Digest;
use serde_json::Value;

use super::Shown;
use crate::project::Project;
use crate::text::{plain, short};

/// Longest value.
const LONGEST: usize = 160;

/// The lines; `None` where no session tells of an environment.
pub fn render_environment(shown: &Shown, project: &Project) -> Option<String> {
    let session = shown.session.as_ref()?;
    let found = &session.environment;
    if found.is_empty() {
        return None;
    }
    let mut text = format!("environment of session {}\n\n", session.id);
    let mut put = |label: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("{label:<11}{}\n", short(&value, LONGEST)));
        }
    };
    let get = |name: &str| found.get(name).filter(|value| !value.is_null());
    let word = |name: &str| get(name).map(plain);
    put("host", word("hostname"));
    put("os", word("os"));
    put("python", word("python"));
    for name in ["torch", "transformers", "cuda"] {
        put(name, word(name));
    }
    put("gpu", word("gpu"));
    put("driver", word("gpu_driver"));
    put(
        "container",
        get("container").map(|container| {
            let part = |name: &str| {
                container
                    .get(name)
                    .filter(|value| !value.is_null())
                    .map(plain)
            };
            let parts = [part("kind"), part("image")];
            parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
        }),
    );
    let object = |name: &str| {
        let digest: Digest = get(name)?.as_str()?.parse().ok()?;
        let path = project.layout.object(&digest);
        let stored = project.stored_path(&path);
        Some(if path.exists() {
            stored
        } else {
            format!("{stored} (not here)")
        })
    };
    put(
        "lock",
        Some(word("lock_file").unwrap_or_else(|| "no lock file".to_owned())),
    );
    put("  kept in", object("lock_object"));
    let pins = object("pins_object");
    put("pins", pins.clone());
    put("packages", object("packages_object"));
    let unknown = found.get("unknown").and_then(Value::as_object);
    for (name, reason) in unknown.into_iter().flatten() {
        put("unknown", Some(format!("{name} ({})", plain(reason))));
    }
    if let Some(pins) = pins.filter(|pins| !pins.ends_with(')')) {
        text.push_str(&format!("\ntry: pip install -r {pins}\n"));
    }
    Some(text)
}
