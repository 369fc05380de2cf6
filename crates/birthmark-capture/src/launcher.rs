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

use std::collections::BTreeMap;

use birthmark_core::Finding;
use birthmark_core::environment::{Launch, Pod};

use crate::host::{boot_id, hostname};
use crate::process::{ancestor_without, read_word, redactor, variable};

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

/// The rented or managed place that this process runs in, by an allowlist of variables;
/// absent where none of them is set.
pub fn pod() -> Finding<Pod> {
    let namespace = || read_word("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    pod_by(&variable, namespace).into()
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

/// Providers: name, the variable that gives them away, the variables that are kept.
#[rustfmt::skip]
const PROVIDERS: &[(&str, &str, &[&str])] = &[
    ("runpod", "RUNPOD_POD_ID", &[
        "RUNPOD_POD_ID", "RUNPOD_DC_ID", "RUNPOD_GPU_COUNT", "RUNPOD_GPU_NAME", "RUNPOD_CPU_COUNT", "RUNPOD_MEM_GB",
        "RUNPOD_POD_HOSTNAME", "RUNPOD_VOLUME_ID", "RUNPOD_ENDPOINT_ID",
    ]),
    ("vast", "VAST_CONTAINERLABEL", &["VAST_CONTAINERLABEL", "CONTAINER_ID", "GPU_COUNT"]),
    ("lambda", "LAMBDA_INSTANCE_ID", &["LAMBDA_INSTANCE_ID", "LAMBDA_INSTANCE_TYPE", "LAMBDA_REGION"]),
    ("colab", "COLAB_RELEASE_TAG", &["COLAB_RELEASE_TAG", "COLAB_GPU", "COLAB_BACKEND_VERSION"]),
    ("kaggle", "KAGGLE_KERNEL_RUN_TYPE", &["KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DOCKER_IMAGE", "KAGGLE_CONTAINER_NAME"]),
    ("modal", "MODAL_TASK_ID", &["MODAL_TASK_ID", "MODAL_IMAGE_ID", "MODAL_REGION", "MODAL_CLOUD_PROVIDER", "MODAL_ENVIRONMENT"]),
    ("sagemaker", "SM_TRAINING_ENV", SAGEMAKER),
    ("sagemaker", "SAGEMAKER_REGION", SAGEMAKER),
    ("sagemaker", "TRAINING_JOB_NAME", SAGEMAKER),
    ("paperspace", "PAPERSPACE_NOTEBOOK_REPO_ID", PAPERSPACE),
    ("paperspace", "PAPERSPACE_CLUSTER_ID", PAPERSPACE),
    ("azureml", "AZUREML_RUN_ID", &["AZUREML_RUN_ID", "AZUREML_EXPERIMENT_ID", "AZUREML_ARM_RESOURCEGROUP"]),
    ("vertex", "CLOUD_ML_JOB_ID", &["CLOUD_ML_JOB_ID", "CLOUD_ML_REGION"]),
    ("lightning", "LIGHTNING_CLOUD_APP_ID", &["LIGHTNING_CLOUD_APP_ID", "LIGHTNING_CLOUD_PROJECT_ID"]),
    ("skypilot", "SKYPILOT_TASK_ID", &["SKYPILOT_TASK_ID", "SKYPILOT_CLUSTER_INFO", "SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES"]),
    ("dstack", "DSTACK_RUN_NAME", &["DSTACK_RUN_NAME", "DSTACK_NODE_RANK", "DSTACK_NODES_NUM"]),
    ("spaces", "SPACE_ID", &["SPACE_ID", "SPACE_HOST"]),
    ("github", "GITHUB_RUN_ID", &[
        "GITHUB_RUN_ID", "GITHUB_RUN_NUMBER", "GITHUB_RUN_ATTEMPT", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW", "GITHUB_JOB",
        "GITHUB_SHA", "GITHUB_REF", "RUNNER_NAME", "RUNNER_OS",
    ]),
    ("gitlab", "CI_JOB_ID", &["CI_JOB_ID", "CI_PIPELINE_ID", "CI_PROJECT_PATH", "CI_COMMIT_SHA", "CI_RUNNER_ID"]),
    ("kubernetes", "KUBERNETES_SERVICE_HOST", &["HOSTNAME", "POD_NAME", "POD_NAMESPACE", "NODE_NAME"]),
    ("slurm", "SLURM_JOB_ID", SLURM),
];

const SAGEMAKER: &[&str] = &[
    "TRAINING_JOB_NAME",
    "SM_CURRENT_HOST",
    "SM_CURRENT_INSTANCE_TYPE",
    "SM_NUM_GPUS",
    "SAGEMAKER_REGION",
    "SAGEMAKER_JOB_NAME",
];
const PAPERSPACE: &[&str] = &[
    "PAPERSPACE_CLUSTER_ID",
    "PAPERSPACE_METRIC_WORKLOAD_ID",
    "PAPERSPACE_NOTEBOOK_REPO_ID",
    "PAPERSPACE_FQDN",
];
/// Of a job of Slurm, wherever it runs.
const SLURM: &[&str] = &[
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_STEP_ID",
    "SLURM_NODELIST",
    "SLURM_NNODES",
    "SLURM_NTASKS",
    "SLURM_JOB_PARTITION",
    "SLURM_CLUSTER_NAME",
    "SLURM_CPUS_PER_TASK",
    "SLURM_GPUS",
    "SLURM_RESTART_COUNT",
];

fn pod_by(
    variable: &dyn Fn(&str) -> Option<String>,
    namespace: impl Fn() -> Option<String>,
) -> Option<Pod> {
    let get = |name: &str| variable(name).filter(|value| !value.is_empty());
    let (provider, _, names) = PROVIDERS.iter().find(|(_, mark, _)| get(mark).is_some())?;
    // A job number says more than the place: it is kept beside any other.
    let names = names.iter().chain(SLURM);
    let mut facts: BTreeMap<String, String> = names
        .filter_map(|name| {
            let value = get(name)?;
            Some((
                (*name).to_owned(),
                redactor().named(name, &value).into_owned(),
            ))
        })
        .collect();
    if *provider == "kubernetes"
        && let Some(namespace) = namespace()
    {
        facts.entry("POD_NAMESPACE".to_owned()).or_insert(namespace);
    }
    Some(Pod {
        provider: (*provider).to_owned(),
        facts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Option<Launch> {
        let variable = |name: &str| {
            pairs
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| (*value).to_owned())
        };
        detect(&Look {
            variable: &variable,
            launcher: &|name| Some(format!("boot-1-2-{name}")),
        })
    }

    fn torchrun<'a>(rank: &'a str, world: &'a str, id: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("RANK", rank),
            ("WORLD_SIZE", world),
            ("LOCAL_RANK", rank),
            ("LOCAL_WORLD_SIZE", "2"),
            ("MASTER_ADDR", "10.0.0.1"),
            ("MASTER_PORT", "29500"),
            ("TORCHELASTIC_RUN_ID", id),
        ]
    }

    #[test]
    fn ranks_of_one_launch_have_one_key_and_other_launches_another() {
        for (world, other_id) in [("2", "none"), ("4", "other")] {
            let first = with(&torchrun("0", world, "none")).expect("a launch");
            let second = with(&torchrun("1", world, "none")).expect("a launch");
            assert_eq!(
                (first.kind.as_str(), first.rank, second.rank),
                ("torchrun", 0, 1)
            );
            assert_eq!(first.key, second.key);
            assert!(first.key.is_some());
            let other = with(&torchrun("0", world, other_id)).expect("a launch");
            assert_eq!(other.key == first.key, other_id == "none");
        }
    }

    #[test]
    fn each_launcher_is_told_by_its_variables() {
        let bare = [("RANK", "1"), ("WORLD_SIZE", "2")];
        let kinds: [(&[(&str, &str)], &str); 5] = [
            (&bare, "ranks"),
            (
                &[bare[0], bare[1], ("ACCELERATE_MIXED_PRECISION", "bf16")],
                "accelerate",
            ),
            (
                &[bare[0], bare[1], ("CROSS_RANK", "0"), ("CROSS_SIZE", "1")],
                "deepspeed",
            ),
            (
                &[
                    ("OMPI_COMM_WORLD_RANK", "1"),
                    ("OMPI_COMM_WORLD_SIZE", "2"),
                    ("PMIX_NAMESPACE", "a@1"),
                ],
                "openmpi",
            ),
            (
                &[("PMI_RANK", "1"), ("PMI_SIZE", "2"), ("PMI_JOBID", "7")],
                "mpi",
            ),
        ];
        for (variables, kind) in kinds {
            let launch = with(variables).expect(kind);
            assert_eq!(
                (launch.kind.as_str(), launch.rank, launch.world_size),
                (kind, 1, Some(2))
            );
            assert!(
                launch.key.is_some_and(|key| key.starts_with(kind)),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_step_of_slurm_is_a_launch_and_a_batch_script_is_none() {
        let batch = [
            ("SLURM_JOB_ID", "7"),
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "4"),
        ];
        assert_eq!(with(&batch), None);
        let step = [
            batch[0],
            batch[1],
            batch[2],
            ("SLURM_STEP_ID", "3"),
            ("SLURM_LOCALID", "0"),
        ];
        let launch = with(&step).expect("a launch");
        assert_eq!(
            (launch.kind.as_str(), launch.world_size, launch.local_rank),
            ("slurm", Some(4), Some(0))
        );
        assert!(launch.key.expect("a key").starts_with("slurm-7-3"));
    }

    #[test]
    fn nonsense_in_the_variables_is_no_launch() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("RANK", "x"), ("WORLD_SIZE", "2")]), None);
        assert_eq!(with(&[("RANK", ""), ("WORLD_SIZE", "")]), None);
        assert_eq!(with(&[("RANK", "0")]), None);
    }

    #[test]
    fn a_key_is_a_short_file_name_that_keeps_launches_apart() {
        let key_of = |text: &str| key("torchrun", &[Some(text.to_owned())]);
        assert_ne!(key_of("a/b"), key_of("a:b"));
        assert_ne!(key_of(&"x".repeat(400)), key_of(&"x".repeat(401)));
        for text in ["../../etc", "ünïcode", &"y".repeat(1000), "a\0b"] {
            let key = key_of(text);
            assert!(
                key.len() <= KEY_MAX && key.chars().all(is_plain) && !key.starts_with('.'),
                "{key}"
            );
        }
    }

    #[test]
    fn a_pod_says_who_it_is_and_keeps_no_secret() {
        let variables = |name: &str| match name {
            "RUNPOD_POD_ID" => Some("abc123".to_owned()),
            "RUNPOD_API_KEY" => Some("should never be seen".to_owned()),
            "RUNPOD_DC_ID" => Some(["hf", "_", &"Ab1".repeat(12)].concat()),
            "SLURM_JOB_ID" => Some("7".to_owned()),
            _ => None,
        };
        let pod = pod_by(&variables, || None).expect("a pod");
        assert_eq!(pod.provider, "runpod");
        assert_eq!(pod.facts["RUNPOD_POD_ID"], "abc123");
        assert_eq!(pod.facts["RUNPOD_DC_ID"], "[redacted:huggingface-token]");
        assert_eq!(pod.facts["SLURM_JOB_ID"], "7");
        assert!(!pod.facts.contains_key("RUNPOD_API_KEY"));
        let names = PROVIDERS.iter().flat_map(|(_, _, names)| names.iter());
        assert!(
            names
                .chain(SLURM)
                .all(|name| !redactor().is_secret_name(name))
        );
        assert_eq!(pod_by(&|_| None, || None), None);
    }
}
