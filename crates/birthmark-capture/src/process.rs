//! The process: argv, working folder, user, start, and the environment variables.
//!
//! The environment holds secrets, so this is the only place that reads it: one
//! variable by its name, or those of an allowlist, redacted. A list of what may
//! *not* be kept is always too short.
//!
//! # Limits
//!
//! * The user's name is looked up in `/etc/passwd` alone; from a directory service
//!   only the variable `USER` is known.

pub(crate) mod environ;
mod proc;
pub mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use birthmark_core::Finding;
use birthmark_core::environment::Process;

use crate::redact::Redactor;

pub use environ::{answer as remembered_variable, remember as remember_environment};
pub use proc::outputs;
pub(crate) use proc::{Stat, ancestor_without, read_head, read_word};

/// Variables that are kept, by name. Those of [`PREFIXES`] are kept as well.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP", "CONDA_DEFAULT_ENV", "CONDA_PREFIX",
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING", "CUDA_VISIBLE_DEVICES", "DATASETS_OFFLINE",
    "FLASH_ATTENTION_DETERMINISTIC", "GPU_DEVICE_ORDINAL", "GOMP_CPU_AFFINITY",
    "HF_DATASETS_CACHE", "HF_DATASETS_OFFLINE", "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE",
    "HF_HUB_ENABLE_HF_TRANSFER", "HF_HUB_OFFLINE", "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION", "JAX_ENABLE_X64", "JAX_PLATFORMS", "KMP_AFFINITY", "LANG",
    "LC_ALL", "LD_LIBRARY_PATH", "LD_PRELOAD", "MALLOC_CONF", "NUMEXPR_MAX_THREADS",
    "NVIDIA_TF32_OVERRIDE", "NVIDIA_VISIBLE_DEVICES", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED",
    "PYTHONNOUSERSITE", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONUTF8", "ROCR_VISIBLE_DEVICES",
    "SAFETENSORS_FAST_GPU", "TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS", "TOKENIZERS_PARALLELISM", "TRANSFORMERS_CACHE",
    "TRANSFORMERS_OFFLINE", "TRITON_CACHE_DIR", "TZ", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV",
    "WANDB_MODE", "WANDB_PROJECT", "XLA_FLAGS", "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
];

/// Beginnings of names that are kept, unless the name is a secret's.
const PREFIXES: &[&str] = &[
    "GLOO_",
    "MKL_",
    "NCCL_",
    "OMP_",
    "OPENBLAS_",
    "PYTORCH_",
    "RCCL_",
    "TORCH_",
    "TORCHINDUCTOR_",
    "VLLM_",
];

/// The longest value that is kept, in bytes.
const VALUE_MAX: usize = 4096;

/// An environment variable, with replacement characters where it is not UTF-8. It is
/// handed out as it is: what is written of it must pass the [`redactor`].
pub fn variable(name: &str) -> Option<String> {
    environ::value(name).map(|value| value.to_string_lossy().into_owned())
}

/// The variables of the allowlist that are set, redacted.
pub fn variables() -> BTreeMap<String, String> {
    let redactor = redactor();
    every_variable()
        .filter(|(name, _)| is_allowed(name) && !redactor.is_secret_name(name))
        .filter_map(|(name, value)| Some((name.clone(), without_ours(&name, value)?)))
        .map(|(name, value)| {
            let value = redactor.named(&name, cut(&value)).into_owned();
            (name, value)
        })
        .collect()
}

/// A list of paths without what a session put in for its command, which is gone with the run.
fn without_ours(name: &str, value: String) -> Option<String> {
    if !["PYTHONPATH", "LD_PRELOAD"].contains(&name) {
        return Some(value);
    }
    let is_ours = |part: &&str| {
        part.contains("/.birthmark/sessions/")
            || part.contains("/birthmark-python-")
            || part.ends_with("/libbirthmark_preload.so")
    };
    let parts: Vec<&str> = value.split(':').filter(|part| !is_ours(part)).collect();
    let kept = parts.join(":");
    (value.is_empty() || !kept.is_empty()).then_some(kept)
}

/// The redactor that also knows the secrets of this process's environment, as it was
/// when it was first asked for.
pub fn redactor() -> &'static Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(|| Redactor::knowing(every_variable()))
}

/// The working folder; unknown where it was deleted or cannot be reached.
pub fn working_folder() -> Finding<PathBuf> {
    match std::env::current_dir() {
        Ok(folder) if folder.is_absolute() => Finding::Found(folder),
        Ok(_) => Finding::unknown("the working folder cannot be reached from here"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::unknown("the working folder was deleted")
        }
        Err(error) => Finding::unknown(format!("the working folder cannot be read: {error}")),
    }
}

/// The command line of this process as the system has it, redacted.
pub fn argv() -> Finding<Vec<String>> {
    let argv: Vec<_> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    if argv.is_empty() {
        return Finding::unknown("the system did not hand over the command line");
    }
    Finding::Found(redactor().argv(&argv))
}

/// What this process's stdin is: `terminal`, `nothing`, `pipe`, `file` with its path, or `other`.
pub fn stdin() -> Finding<(&'static str, Option<PathBuf>)> {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        return Finding::Found(("terminal", None));
    }
    let Ok(link) = std::fs::read_link("/proc/self/fd/0") else {
        return Finding::unknown("the system does not tell");
    };
    Finding::Found(match link.to_str() {
        Some("/dev/null") => ("nothing", None),
        Some(text) if text.starts_with("pipe:") || text.starts_with("socket:") => ("pipe", None),
        _ if link.is_file() => ("file", Some(link)),
        _ => ("other", None),
    })
}

/// All that is known of this process. Takes some reads of `/proc`.
pub fn process() -> Process {
    let own = proc::stat("self");
    let parent = own.as_ref().and_then(|stat| {
        if stat.parent == 0 {
            None
        } else {
            Some(stat.parent)
        }
    });
    let parent_stat = parent.map(|pid| proc::stat(&pid.to_string()));
    Process {
        argv: argv(),
        folder: working_folder()
            .map(|folder| redactor().text(&folder.to_string_lossy()).into_owned()),
        user: user(),
        uid: uid(),
        pid: std::process::id(),
        started_micros: own.as_ref().map_or_else(no_proc, proc::started_micros),
        parent_pid: match (own, parent) {
            (Some(_), parent) => parent.into(),
            (None, _) => no_proc(),
        },
        parent_start: match parent_stat {
            Some(Some(stat)) => Finding::Found(stat.start),
            Some(None) => Finding::unknown("the parent's start cannot be read"),
            None => Finding::Absent,
        },
    }
}

/// When this process started, in microseconds since 1970, to a hundredth of a second.
pub fn began_micros() -> Option<i64> {
    let age = proc::age_micros(&proc::stat("self")?)?;
    Some(crate::clock::now_micros() - age)
}

/// The user's name; absent where the user has only a number.
pub fn user() -> Finding<String> {
    let Some(uid) = uid() else {
        return Finding::unknown("this system has no user numbers");
    };
    let listed = read_head("/etc/passwd", 1 << 20).and_then(|text| name_of(&text, uid));
    let said = || ["USER", "LOGNAME"].iter().find_map(|name| variable(name));
    listed.or_else(said).filter(|name| !name.is_empty()).into()
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn uid() -> Option<u32> {
    Some(rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn uid() -> Option<u32> {
    None
}

/// The name of `uid` in a passwd file.
fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn no_proc<T>() -> Finding<T> {
    Finding::unknown("/proc cannot be read")
}

fn every_variable() -> impl Iterator<Item = (String, String)> {
    // A value that is not UTF-8 is compared in its lossy form: still no secret leaks.
    environ::all().into_iter().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

fn is_allowed(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a value that was recorded may be the beginning of a longer one: one is cut between
/// characters.
pub fn may_be_cut(value: &str) -> bool {
    value.len() + char::MAX_LEN_UTF8 > VALUE_MAX
}

fn cut(value: &str) -> &str {
    let mut end = value.len().min(VALUE_MAX);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_number_in_any_passwd() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nbroken\n::\nbob:x:1000:1000:Bob:/home/bob:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("bob"));
        assert_eq!(name_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_of(passwd, 7), None);
    }

    #[test]
    fn the_allowlist_holds_no_name_of_a_secret() {
        assert!(
            NAMES
                .iter()
                .all(|name| !Redactor::new().is_secret_name(name))
        );
        assert!(is_allowed("NCCL_DEBUG") && is_allowed("PYTORCH_CUDA_ALLOC_CONF"));
        assert!(!is_allowed("HF_TOKEN") && !is_allowed("AWS_PROFILE"));
    }

    #[test]
    fn a_long_value_is_cut_on_a_character_border() {
        let long = "é".repeat(5000);
        assert_eq!(cut(&long).len(), VALUE_MAX);
        let odd = "a".to_owned() + &"😀".repeat(VALUE_MAX);
        assert!(cut(&odd).len() < VALUE_MAX && may_be_cut(cut(&odd)));
        assert!(!may_be_cut(&long[..VALUE_MAX - 4]));
        assert_eq!(cut("short"), "short");
    }
}
