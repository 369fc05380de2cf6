//! Which program a command names, and what is known of it before it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{NOT_EXECUTABLE, NOT_FOUND, NotRun};
use crate::error::Error;
use crate::lineage::Seen;
use crate::lineage::preload::searched;
use crate::machine::{self, Interpreter};

/// Endings of files that a command runs as a script.
const SCRIPTS: [&str; 8] = ["py", "sh", "bash", "R", "r", "jl", "ipynb", "pl"];

/// The script that a command runs: the module of the working folder that it names with `-m`, else
/// its first word that is a file with a script's ending.
/// Its folder is where the script itself would look for the project.
pub(super) fn script_of(command: &[OsString], folder: &Path) -> Option<PathBuf> {
    let is_script = |path: &PathBuf| {
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        SCRIPTS.contains(&ending) && path.is_file()
    };
    let module = || {
        let at = command.iter().position(|word| word == "-m")?;
        let place = command.get(at + 1)?.to_str()?.replace('.', "/");
        let files = [format!("{place}.py"), format!("{place}/__main__.py")];
        files.iter().map(|file| folder.join(file)).find(is_script)
    };
    let named = || command.iter().map(|word| folder.join(word)).find(is_script);
    module().or_else(named)
}

/// The Python that a program surely runs in: itself, or the one whose folder it stands in
/// (`torchrun`, `pytest`, and whatever script names it in its first lines, as `jupyter` does).
/// For any other program none is named.
pub(super) fn interpreter_of(program: &Path) -> Option<Interpreter> {
    let (name, beside) = (program.file_name()?.to_str()?, program.parent()?);
    let executable = if name.starts_with("python") {
        program.to_owned()
    } else {
        let is_known = ["torchrun", "accelerate", "deepspeed", "pytest"]
            .iter()
            .any(|known| name.starts_with(known));
        let python = beside.join("python");
        let is_its = python.exists() && (is_known || is_script_of(program, beside));
        is_its.then_some(python)?
    };
    as_run(&executable)
}

/// The Python that programs of the command ran in, where all that did ran in one and the same: one
/// that was executed, and read its own settings or modules.
pub(super) fn interpreter_that_ran(seen: &Seen) -> Option<Interpreter> {
    let is_python = |path: &&PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.starts_with("python"))
    };
    let executed = seen.executed.iter().filter(is_python);
    let executed: BTreeSet<PathBuf> = executed.map(|path| searched(path)).collect();
    let mut ran: BTreeMap<(PathBuf, Vec<PathBuf>), Interpreter> = BTreeMap::new();
    for path in executed {
        let Some(found) = as_run(&path).filter(|found| did_run(found, &path, seen)) else {
            continue;
        };
        let prefix = path.parent().and_then(Path::parent).unwrap_or(&path);
        // `python` and `python3` of one folder are one.
        ran.insert((prefix.to_owned(), found.sys_path.clone()), found);
    }
    if ran.len() > 1 {
        return None;
    }
    ran.into_values().next()
}

fn did_run(found: &Interpreter, executable: &Path, seen: &Seen) -> bool {
    let prefix = executable.parent().and_then(Path::parent);
    let settings = prefix.map(|prefix| prefix.join("pyvenv.cfg"));
    if let Some(settings) = settings.filter(|path| path.is_file()) {
        return seen.reads.contains(&settings);
    }
    let has_read = |folder: &PathBuf| {
        let first = seen.reads.range(folder.clone()..).next();
        first.is_some_and(|first| first.starts_with(folder))
    };
    found.sys_path.iter().any(has_read)
}

/// The Python at a path, with the folders for modules that the run has given it.
fn as_run(executable: &Path) -> Option<Interpreter> {
    let mut interpreter = machine::interpreter_at(executable).found().cloned()?;
    // As the run will have it: before the interpreter's own.
    let here = std::env::current_dir().unwrap_or_default();
    let first = searched_for_modules(&here).into_iter();
    let first = first.filter(|folder| folder.is_absolute());
    interpreter.sys_path.splice(0..0, first);
    Some(interpreter)
}

/// Whether a program is a script that a Python of this folder runs: its first lines say so,
/// by `#!` or, where the path is long, by an `exec` in them.
pub(super) fn is_script_of(program: &Path, folder: &Path) -> bool {
    let head = std::fs::File::open(program).and_then(|file| {
        let mut head = Vec::new();
        file.take(1024).read_to_end(&mut head).map(|_| head)
    });
    let head = head.unwrap_or_default();
    let python = folder.join("python");
    let mut lines = head.split(|byte| *byte == b'\n').take(2);
    let names_it = |line: &[u8]| {
        let python = python.as_os_str().as_encoded_bytes();
        line.windows(python.len()).any(|part| part == python)
    };
    head.starts_with(b"#!") && lines.any(names_it)
}

/// The folders that Python is told to search for modules, from the folder that it starts in.
pub(super) fn searched_for_modules(folder: &Path) -> Vec<PathBuf> {
    let told = birthmark_capture::process::variable("PYTHONPATH").unwrap_or_default();
    let paths = std::env::split_paths(&told).filter(|path| !path.as_os_str().is_empty());
    paths.map(|path| folder.join(path)).collect()
}

/// Where a program lies, as a shell would find it.
pub(super) fn find(program: &OsStr) -> Result<PathBuf, NotRun> {
    let name = program.to_string_lossy();
    let missing = || {
        let error = Error::usage("no-program", format!("there is no program `{name}`"));
        NotRun::Program(
            NOT_FOUND,
            error.with_hint("nothing was run and nothing was recorded"),
        )
    };
    let refused = |path: &Path| {
        let message = format!("`{}` cannot be executed", path.display());
        let hint = format!(
            "chmod +x {0}, or name its interpreter: python {0}",
            path.display()
        );
        NotRun::Program(
            NOT_EXECUTABLE,
            Error::usage("no-program", message).with_hint(hint),
        )
    };
    if program.as_encoded_bytes().contains(&b'/') {
        let path = PathBuf::from(program);
        return match path.metadata() {
            Err(_) => Err(missing()),
            Ok(metadata) if is_executable(&metadata) => Ok(path),
            Ok(_) => Err(refused(&path)),
        };
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut unusable = None;
    for folder in std::env::split_paths(&places) {
        let path = folder.join(program);
        match path.metadata() {
            Ok(metadata) if is_executable(&metadata) => return Ok(path),
            Ok(metadata) if metadata.is_file() => unusable = unusable.or(Some(path)),
            _ => {}
        }
    }
    Err(unusable.map_or_else(missing, |path| refused(&path)))
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}
