//! What the kernel refuses: Landlock, of Linux 6.2 and later.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, path_beneath_rules,
};

/// Writing, making, removing, renaming and cutting off: less than this does not keep files whole.
const WRITING: ABI = ABI::V3;

/// Whether this kernel can.
pub(super) fn is_here() -> bool {
    ruleset().is_ok()
}

fn ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(WRITING))?
        .create()
}

/// Runs a command that can write below `paths` alone. `None` where that cannot be had: then
/// nothing ran.
pub(super) fn run(command: &mut Command, paths: &[PathBuf]) -> Option<io::Result<ExitStatus>> {
    let rules = path_beneath_rules(paths, AccessFs::from_write(WRITING));
    let rules = ruleset().ok()?.add_rules(rules).ok()?;
    // The restriction is the thread's, and what it starts inherits it.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let restricted = rules.restrict_self().ok()?;
            let is_whole = restricted.ruleset == RulesetStatus::FullyEnforced;
            is_whole.then(|| command.status())
        });
        thread.join().ok().flatten()
    })
}
