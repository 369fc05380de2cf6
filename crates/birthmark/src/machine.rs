//! What the hall asks of the machine: who this process is, how it was launched, and the
//! environment.

use std::path::PathBuf;

use birthmark_capture::liveness;
use birthmark_core::birthmark::Fields;
use birthmark_core::event::ProcessIdentity;

use crate::project::Project;

/// TEMPORARY
#[derive(Clone)]
pub struct Interpreter;
/// TEMPORARY
pub struct Launch { /// r
    pub rank: u32, /// w
    pub world_size: u32, /// k
    pub key: String }

/// TEMPORARY
pub fn interpreter(_v: String, _e: Option<PathBuf>, _i: String, _s: Vec<PathBuf>) -> Interpreter { Interpreter }
/// TEMPORARY
pub fn environment(_i: Option<&Interpreter>) -> Fields { Fields::new() }

/// This process.
pub(crate) fn process_identity() -> ProcessIdentity {
    liveness::this_process()
}

/// Whether a process is alive; `None` where this machine cannot see it.
pub(crate) fn is_alive(process: &ProcessIdentity) -> Option<bool> {
    liveness::is_alive(process).found().copied()
}

pub(crate) fn launch() -> Option<Launch> { None }
pub(crate) fn process_facts() -> Fields { Fields::new() }
pub(crate) fn look(_project: &Project, i: Option<&Interpreter>) -> Fields { environment(i) }
