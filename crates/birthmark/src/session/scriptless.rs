//! Why a run has no script, and whether what it ran is kept anywhere.
//!
//! By its command line: `python -`, `bash -s` and a bare interpreter take their code from stdin;
//! `-c` has it in the command line; a shell or notebook is typed into.

use std::path::{Path, PathBuf};

use birthmark_capture::process;
use birthmark_core::snapshot::{THROUGH_STDIN, TYPED_IN};

/// Options of Python that have a value of their own.
const OF_PYTHON: [&str; 3] = ["-W", "-X", "--check-hash-based-pycs"];
const OF_SHELLS: [&str; 4] = ["-o", "+o", "-O", "--rcfile"];
const KERNEL: &str = "ipykernel";
const SHELLS: [&str; 5] = ["bash", "sh", "dash", "zsh", "ksh"];
const IN_COMMAND: &str = "no script: the code is in the command line";
const FROM_FILE: &str = "no script: the code came from a file that stdin was";

/// Tells a kernel which notebook the command executes that started it (`jupyter nbconvert
/// --execute`): nobody types into that.
pub(crate) const NOTEBOOK: &str = "BIRTHMARK_NOTEBOOK";

/// Whether a path is that of a notebook.
pub(crate) fn is_notebook(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "ipynb")
}

/// Whether a command line is that of a notebook's kernel.
pub(crate) fn is_kernel(argv: &[String]) -> bool {
    let mut words = argv.iter();
    words.any(|word| word == "-m") && words.next().is_some_and(|word| word.starts_with(KERNEL))
}

/// The notebook that a kernel executes for a command; nothing of one that is typed into.
pub(super) fn notebook_of(argv: &[String]) -> Option<PathBuf> {
    let told = process::variable(NOTEBOOK).filter(|_| is_kernel(argv))?;
    Some(PathBuf::from(told)).filter(|path| path.is_file())
}

/// Why a command has no script; `stdin` is the kind of it, as `process::stdin` tells. Nothing
/// where that is not known, or it is no interpreter.
pub(super) fn reason(argv: &[String], stdin: Option<&str>) -> Option<&'static str> {
    let program = argv.first()?.rsplit('/').next()?;
    let (is_python, with_value): (bool, &[&str]) = if program.starts_with("python") {
        (true, &OF_PYTHON)
    } else if SHELLS.contains(&program) {
        (false, &OF_SHELLS)
    } else {
        return None;
    };
    let through_stdin = match stdin {
        Some("terminal") => Some(TYPED_IN),
        Some("file") => Some(FROM_FILE),
        Some("nothing") => None,
        _ => Some(THROUGH_STDIN),
    };
    let mut words = argv.iter().skip(1).map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-" => return through_stdin,
            "-m" if is_python => {
                let typed = words.next().is_some_and(|name| name.starts_with(KERNEL));
                return typed.then_some(TYPED_IN);
            }
            "-s" if !is_python => return through_stdin,
            _ if with_value.contains(&word) => drop(words.next()),
            "--" => break,
            _ if word.starts_with("--") => {}
            _ if word.starts_with('-') && word.contains('c') => return Some(IN_COMMAND),
            _ if word.starts_with('-') || word.starts_with('+') => {}
            _ => return None,
        }
    }
    through_stdin.filter(|_| words.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, stdin: &str) -> Option<&'static str> {
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        reason(&argv, Some(stdin))
    }

    #[test]
    fn what_came_through_stdin_is_told_from_what_did_not() {
        for command in [
            "python -",
            "/usr/bin/python3.11 -u -X dev - a b",
            "python3 -W error",
            "bash -s x",
            "sh",
            "bash -eu -o pipefail -s",
        ] {
            assert_eq!(of(command, "pipe"), Some(THROUGH_STDIN), "{command}");
            assert_eq!(of(command, "terminal"), Some(TYPED_IN), "{command}");
            assert_eq!(of(command, "file"), Some(FROM_FILE), "{command}");
        }
        assert_eq!(of("python -u -c print(1)", "pipe"), Some(IN_COMMAND));
        assert_eq!(of("bash -euc true", "nothing"), Some(IN_COMMAND));
        let notebook = "python -m ipykernel_launcher -f x.json";
        assert_eq!(of(notebook, "nothing"), Some(TYPED_IN));
        for command in [
            "python train.py -",
            "python -m pytest -",
            "bash run.sh",
            "make -",
        ] {
            assert_eq!(of(command, "pipe"), None, "{command}");
        }
    }
}
