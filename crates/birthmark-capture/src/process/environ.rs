//! The environment, read without a race.
//!
//! The C library lets one thread change the environment while another reads it, and then
//! the reader may crash. Within a program whose other threads set variables (any
//! Python script) the looks beside the run must therefore not ask the C library:
//! the door calls [`remember`] where nobody can set a variable, and every later
//! question, of any thread, is answered from what was read then. Where nothing was
//! remembered the environment itself is asked.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, PoisonError, RwLock};

type Pairs = Arc<Vec<(OsString, OsString)>>;

static REMEMBERED: RwLock<Option<Pairs>> = RwLock::new(None);

/// Reads the whole environment for all later questions. To be called while no other
/// thread can change it; calling it again reads it anew.
pub fn remember() {
    let pairs = Arc::new(std::env::vars_os().collect());
    *REMEMBERED.write().unwrap_or_else(PoisonError::into_inner) = Some(pairs);
}

fn remembered() -> Option<Pairs> {
    REMEMBERED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// One variable.
pub(crate) fn value(name: &str) -> Option<OsString> {
    let Some(pairs) = remembered() else {
        return std::env::var_os(name);
    };
    let found = pairs.iter().find(|(known, _)| known == OsStr::new(name));
    found.map(|(_, value)| value.clone())
}

/// All variables.
pub(crate) fn all() -> Vec<(OsString, OsString)> {
    remembered().map_or_else(|| std::env::vars_os().collect(), |pairs| pairs.to_vec())
}
