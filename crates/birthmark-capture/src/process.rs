//! Argv, script, working folder, allowed environment variables, liveness of a process.

use std::path::PathBuf;

use birthmark_core::Finding;

/// One environment variable, by a name that the program chose.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The current working folder; unknown when it was deleted.
pub fn working_folder() -> Finding<PathBuf> {
    match std::env::current_dir() {
        Ok(folder) => Finding::Found(folder),
        Err(error) => Finding::unknown(error.to_string()),
    }
}
