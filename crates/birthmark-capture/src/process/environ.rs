//! The environment, read without a race.
//!
//! The C library lets one thread change the environment while another reads it, and then
//! the reader may crash. Within a program whose other threads set variables (any
//! Python script) the looks beside the run must therefore not ask the C library:
//! the door calls [`remember`] where nobody can set a variable, and every later
//! question, of any thread, is answered from what was read then. Where nothing was
//! remembered the environment itself is asked.
//!
//! The libraries that are linked with us ask too, for `HOME` and its like, whenever they open
//! a repository or a database. The Python extension leads their questions to [`answer`].
//!
//! # Limits
//!
//! * A value that was once remembered is kept for the life of the process, since a library
//!   may hold on to its address; the same text is kept once.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

/// Names and values, in the order of the environment: of two of a name the first counts.
type Variables = Vec<(OsString, &'static CStr)>;

/// Read without a lock: a lock that is held while the process forks stays held in the child.
static REMEMBERED: ArcSwapOption<Variables> = ArcSwapOption::const_empty();

/// Reads the whole environment for all later questions. To be called while no other
/// thread can change it; calling it again reads it anew.
pub fn remember() {
    let pairs: Vec<_> = std::env::vars_os().collect();
    let remembered = REMEMBERED.load();
    let unchanged = remembered.as_ref().is_some_and(|known| {
        let known = known
            .iter()
            .map(|(name, value)| (name.as_os_str(), text(value)));
        known.eq(pairs
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str())))
    });
    if !unchanged {
        let kept = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, keep(value)?)));
        REMEMBERED.store(Some(Arc::new(kept.collect())));
    }
}

/// What the environment answers to a question of the C library's `getenv`: the value for the
/// life of the process, `Some(None)` where there is none of this name, and `None` where nothing
/// was remembered.
pub fn answer(name: &CStr) -> Option<Option<&'static CStr>> {
    let remembered = REMEMBERED.load();
    let name = text(name);
    Some(
        remembered
            .as_ref()?
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value),
    )
}

/// One variable.
pub(crate) fn value(name: &str) -> Option<OsString> {
    match REMEMBERED.load().as_ref() {
        None => std::env::var_os(name),
        Some(variables) => {
            let found = variables
                .iter()
                .find(|(known, _)| known == OsStr::new(name));
            found.map(|(_, value)| text(value).to_owned())
        }
    }
}

/// All variables.
pub(crate) fn all() -> Vec<(OsString, OsString)> {
    match REMEMBERED.load().as_ref() {
        None => std::env::vars_os().collect(),
        Some(variables) => {
            let pairs = variables.iter();
            pairs
                .map(|(name, value)| (name.clone(), text(value).to_owned()))
                .collect()
        }
    }
}

fn text(value: &CStr) -> &OsStr {
    OsStr::from_bytes(value.to_bytes())
}

/// The value at an address that never goes away.
fn keep(value: OsString) -> Option<&'static CStr> {
    static KEPT: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let value = CString::new(value.into_vec()).ok()?;
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(value.as_c_str()) {
        return Some(known);
    }
    let value: &'static CStr = Box::leak(value.into_boxed_c_str());
    kept.insert(value);
    Some(value)
}
