//! Argv, script, working folder, allowed environment variables, liveness of a process.
