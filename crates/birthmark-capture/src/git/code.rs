//! What is code by its looks: of a source's ending, named as build files are, or begun with `#!`.
//!
//! Limits: code of another ending, and data that is named like a source, are taken for what they
//! look like. What a script reads as settings is no code.

use std::io::Read as _;
use std::path::Path;

/// Endings of sources, and of what is loaded as a module.
const ENDINGS: &[&str] = &[
    "awk", "bash", "c", "cc", "cl", "cpp", "cs", "cu", "cuh", "cxx", "f", "f90", "fish", "go", "h",
    "hh", "hpp", "ipynb", "java", "jl", "js", "kt", "ksh", "lua", "m", "mjs", "mk", "nf", "php",
    "pl", "pm", "ps1", "py", "pyc", "pyd", "pyi", "pyw", "pyx", "r", "rb", "rs", "sbatch", "scala",
    "sh", "slurm", "smk", "so", "sql", "stan", "swift", "tcl", "ts", "zsh",
];
/// Files that programs run by their name.
const NAMES: &[&str] = &[
    "Dockerfile",
    "Justfile",
    "Makefile",
    "Rakefile",
    "Snakefile",
    "makefile",
];

/// Whether a file is code. Only one whose name has no ending is opened.
pub(super) fn is_code(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.extension() {
        Some(ending) => {
            let ending = ending.to_string_lossy().to_ascii_lowercase();
            ENDINGS.contains(&&*ending)
        }
        None => NAMES.contains(&&*name) || names_its_program(path),
    }
}

fn names_its_program(path: &Path) -> bool {
    // A pipe would be waited for.
    if !path.metadata().is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut first = [0; 2];
    std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut first).is_ok())
        && first == *b"#!"
}
