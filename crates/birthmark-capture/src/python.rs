//! Interpreter and installed packages.
