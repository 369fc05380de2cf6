//! How this process was started among others, and where it is rented.
//!
//! Launchers tell their ranks apart by environment variables. What Birthmark needs
//! beyond rank and world size is a *key*: the same for all ranks of one launch, and
//! for no other launch, so that the ranks can agree on one session.
//!
//! | launch | what makes its key |
//! |---|---|
//! | on one machine | the process that set the ranks' variables: boot, number, start |
//! | srun | job, step, restart |
//! | mpirun over several machines | the name that it gave the job |
//! | torchrun over several machines | its run id, master address and port, job |
//! | ranks by hand over several machines | master address and port |
//!
//! # Limits
//!
//! * Launches over several machines that follow each other with the same run id,
//!   address and port have the same key: nothing else is the same for all their ranks.

mod pod;

use birthmark_core::Finding;
use birthmark_core::environment::Launch;

use crate::host::{boot_id, hostname};
use crate::process::{ancestor_without, variable};

pub use pod::pod;

/// The longest key, in bytes: it becomes a file name.
const KEY_MAX: usize = 120;

/// The launch that this process is a rank of; absent for a process of its own.
pub fn launch() -> Finding<Launch> {
    detect(&Look {
        variable: &variable,
        launcher: &launcher_here,
    })
    .into()
}

/// What is asked of the world, so that tests can answer.
struct Look<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// What names the process that set this variable for its children.
    launcher: &'a dyn Fn(&str) -> Option<String>,
}

/// Boot, number and start of the ancestor that set the variable `name`.
fn launcher_here(name: &str) -> Option<String> {
    let (pid, start) = ancestor_without(name)?;
    let machine = boot_id().found().or(hostname().found())?.clone();
    Some(format!("{machine}-{pid}-{start}"))
}

impl Look<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.trim().parse().ok()
    }

    fn has(&self, name: &str) -> bool {
        (self.variable)(name).is_some()
    }

    /// The key of a launch on one machine.
    fn local_key(&self, kind: &str, rank_name: &str) -> Option<String> {
        (self.launcher)(rank_name).map(|launcher| key(kind, &[Some(launcher)]))
    }
}

fn detect(look: &Look<'_>) -> Option<Launch> {
    torch(look)
        .or_else(|| open_mpi(look))
        .or_else(|| mpi(look))
        .or_else(|| slurm(look))
}

/// All that set `RANK` and `WORLD_SIZE`: torchrun, accelerate, DeepSpeed, others.
fn torch(look: &Look<'_>) -> Option<Launch> {
    let (rank, world_size) = (look.number("RANK")?, look.number("WORLD_SIZE")?);
    let elastic = look.has("TORCHELASTIC_RUN_ID");
    let kind = if look.has("CROSS_RANK") && look.has("CROSS_SIZE") {
        "deepspeed"
    } else if [
        "ACCELERATE_MIXED_PRECISION",
        "ACCELERATE_USE_FSDP",
        "ACCELERATE_USE_DEEPSPEED",
    ]
    .iter()
    .any(|name| look.has(name))
    {
        "accelerate"
    } else if elastic {
        "torchrun"
    } else {
        "ranks"
    };
    let local = look
        .number("LOCAL_WORLD_SIZE")
        .or_else(|| look.number("LOCAL_SIZE"));
    let over_machines = match local {
        Some(local) => local < world_size,
        None => !look
            .text("MASTER_ADDR")
            .is_none_or(|address| is_this_machine(&address)),
    };
    let key = if over_machines {
        rendezvous_key(look, kind)
    } else {
        look.local_key(kind, "RANK")
    };
    Some(Launch {
        kind: kind.to_owned(),
        rank,
        world_size: Some(world_size),
        local_rank: look.number("LOCAL_RANK"),
        key,
    })
}

/// What the ranks on several machines have in common.
fn rendezvous_key(look: &Look<'_>, kind: &str) -> Option<String> {
    let address = look.text("MASTER_ADDR")?;
    let parts = [
        look.text("TORCHELASTIC_RUN_ID"),
        Some(address),
        look.text("MASTER_PORT"),
        look.text("SLURM_JOB_ID"),
        look.text("SLURM_STEP_ID"),
        look.text("SLURM_RESTART_COUNT"),
    ];
    Some(key(kind, &parts))
}

/// An address that can only mean the machine it is used on.
fn is_this_machine(address: &str) -> bool {
    matches!(address, "localhost" | "::1" | "0.0.0.0") || address.starts_with("127.")
}

fn open_mpi(look: &Look<'_>) -> Option<Launch> {
    let rank = look.number("OMPI_COMM_WORLD_RANK")?;
    let job = look
        .text("PMIX_NAMESPACE")
        .or_else(|| look.text("OMPI_MCA_ess_base_jobid"))
        .or_else(|| look.text("OMPI_MCA_orte_hnp_uri"));
    let world_size = look.number("OMPI_COMM_WORLD_SIZE");
    let local = look.number("OMPI_COMM_WORLD_LOCAL_SIZE");
    let one_machine = world_size.is_some() && local == world_size;
    let local_key = || look.local_key("openmpi", "OMPI_COMM_WORLD_RANK");
    let job_key = |job| key("openmpi", &[Some(job), look.text("SLURM_JOB_ID")]);
    Some(Launch {
        kind: "openmpi".to_owned(),
        rank,
        world_size,
        local_rank: look.number("OMPI_COMM_WORLD_LOCAL_RANK"),
        key: if one_machine {
            local_key()
        } else {
            job.map(job_key)
        },
    })
}

/// MPICH, Intel MPI and MVAPICH: the variables of their process manager.
fn mpi(look: &Look<'_>) -> Option<Launch> {
    let rank = look.number("PMI_RANK")?;
    let world_size = look
        .number("PMI_SIZE")
        .or_else(|| look.number("MPI_WORLD_SIZE"));
    let local = look.number("MPI_LOCALNRANKS");
    let one_machine = world_size.is_some() && local == world_size;
    let job = look.text("PMI_JOBID").or_else(|| look.text("PMI_KVSNAME"));
    let step = look.text("SLURM_STEP_ID").and_then(|_| slurm_key(look));
    let elsewhere = || step.or_else(|| job.map(|job| key("mpi", &[Some(job)])));
    Some(Launch {
        kind: "mpi".to_owned(),
        rank,
        world_size,
        local_rank: look.number("MPI_LOCALRANKID"),
        key: if one_machine {
            look.local_key("mpi", "PMI_RANK")
        } else {
            elsewhere()
        },
    })
}

/// The tasks of an srun step; a batch script, or a step of one task, is no launch.
fn slurm(look: &Look<'_>) -> Option<Launch> {
    let rank = look.number("SLURM_PROCID")?;
    let world_size = look
        .number("SLURM_STEP_NUM_TASKS")
        .or_else(|| look.number("SLURM_NTASKS"))?;
    if world_size < 2 || !look.has("SLURM_STEP_ID") {
        return None;
    }
    Some(Launch {
        kind: "slurm".to_owned(),
        rank,
        world_size: Some(world_size),
        local_rank: look.number("SLURM_LOCALID"),
        key: slurm_key(look),
    })
}

fn slurm_key(look: &Look<'_>) -> Option<String> {
    let job = look
        .text("SLURM_JOB_ID")
        .or_else(|| look.text("SLURM_JOBID"))?;
    let names = ["SLURM_STEP_ID", "SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME"];
    let [step, restart, cluster] = names.map(|name| look.text(name));
    Some(key("slurm", &[Some(job), step, restart, cluster]))
}

/// A file name of the parts. What it cannot hold is replaced, and then, or where it is
/// too long, a hash of all of it keeps two launches apart.
fn key(kind: &str, parts: &[Option<String>]) -> String {
    let whole = parts
        .iter()
        .map(|part| part.as_deref().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut name = kind.to_owned();
    for part in parts.iter().flatten() {
        name.push('-');
        name.extend(part.chars().map(|c| if is_plain(c) { c } else { '_' }));
    }
    let altered = parts
        .iter()
        .flatten()
        .any(|part| !part.chars().all(is_plain));
    let in_doubt = altered || name.len() > KEY_MAX || parts.iter().any(Option::is_none);
    if in_doubt {
        name.truncate(KEY_MAX - 17);
        name = format!("{name}-{:016x}", fnv(whole.as_bytes()));
    }
    name
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// FNV-1a: stable, short, and there is nobody to defend against.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
