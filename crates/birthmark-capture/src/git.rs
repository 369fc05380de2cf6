//! Commit, branch, remote, dirty: what git knows, read in process.
