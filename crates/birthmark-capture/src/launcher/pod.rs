//! Where the machine is rented, by an allowlist of variables. No variable that could
//! hold a secret stands in it, and what is kept passes the redactor all the same.

use std::collections::BTreeMap;

use birthmark_core::Finding;
use birthmark_core::environment::Pod;

use crate::process::{read_word, redactor, variable};

/// The rented or managed place that this process runs in, by an allowlist of variables;
/// absent where none of them is set.
pub fn pod() -> Finding<Pod> {
    let namespace = || read_word("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    pod_by(&variable, namespace).into()
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
