use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::Finding::{Absent, Found, Unknown};

const ORIGIN: [&str; 7] = [
    "hostname",
    "python",
    "torch",
    "transformers",
    "cuda",
    "gpu",
    "gpu_memory_gb",
];

fn bare() -> Environment {
    let host = Host {
        hostname: Found("pod-7f2".into()),
        os: Absent,
        kernel: Absent,
        arch: "x86_64".into(),
        cpu: Absent,
        memory_bytes: Absent,
        cgroup: Absent,
        container: Absent,
        boot_id: Absent,
        pid_namespace: Absent,
    };
    Environment {
        host,
        python: Absent,
        gpus: Absent,
        launch: Absent,
        pod: Absent,
        variables: BTreeMap::new(),
    }
}

fn package(version: &str) -> Package {
    Package {
        version: version.into(),
        editable: false,
        source: None,
    }
}

fn full() -> Environment {
    let by_name = BTreeMap::from([
        ("torch".to_owned(), package("2.5.1")),
        ("transformers".to_owned(), package("4.46.3")),
        ("six".to_owned(), package("1.17.0")),
    ]);
    let torch = TorchBuild {
        version: Some("2.5.1+cu124".into()),
        cuda: Some("12.4".into()),
        ..TorchBuild::default()
    };
    let gpu = |name: &str, visible| Gpu {
        name: Some(name.into()),
        uuid: None,
        memory_bytes: Some(84_974_239_744),
        compute_capability: Some("8.0".into()),
        mig: Some(false),
        visible: Some(visible),
    };
    Environment {
        python: Found(Python {
            version: "3.11.7 (main)".into(),
            implementation: Some("CPython".into()),
            executable: Some("/usr/bin/python3".into()),
            packages: Found(Packages {
                by_name,
                ..Packages::default()
            }),
            torch: Found(torch),
        }),
        gpus: Found(Gpus {
            devices: vec![gpu("A", false), gpu("B", true)],
            driver: Some("550.54".into()),
            cuda_driver: Some("12.4".into()),
            visible_devices: Some("1".into()),
            first: Found(1),
        }),
        ..bare()
    }
}

#[test]
fn the_keys_of_the_origin_stand_first_and_are_always_there() {
    for environment in [bare(), full()] {
        let json = environment.to_json();
        let keys: Vec<_> = json.keys().take(7).map(String::as_str).collect();
        assert_eq!(keys, ORIGIN);
    }
}

#[test]
fn absent_is_null_and_unknown_is_null_with_its_reason() {
    let mut environment = bare();
    assert_eq!(environment.to_json()["gpu"], Value::Null);
    assert!(!environment.to_json().contains_key("unknown"));
    environment.gpus = Unknown("nvml did not answer in 2 s".into());
    let json = environment.to_json();
    assert_eq!(json["gpu"], Value::Null);
    let reason = "nvml did not answer in 2 s";
    assert_eq!(
        json["unknown"],
        json!({"gpu": reason, "gpu_memory_gb": reason})
    );
    assert_eq!(json.keys().next_back().map(String::as_str), Some("unknown"));
}

#[test]
fn the_first_visible_gpu_is_the_one_named() {
    let json = full().to_json();
    assert_eq!(json["gpu"], "B");
    assert_eq!(json["gpu_memory_gb"].to_string(), "84.974239744");
    assert_eq!(json["cuda"], "12.4");
    assert_eq!(json["torch"], "2.5.1+cu124");
    assert_eq!(
        json["packages"],
        json!({"torch": "2.5.1", "transformers": "4.46.3"})
    );
    assert_eq!(json["gpus"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_build_without_cuda_and_a_version_in_doubt_are_told_apart() {
    let mut environment = full();
    if let Found(python) = &mut environment.python {
        python.torch = Found(TorchBuild::default());
        if let Found(packages) = &mut python.packages {
            packages.by_name.remove("transformers");
            let versions = vec!["4.1".to_owned(), "4.2".to_owned()];
            packages.ambiguous.insert("transformers".into(), versions);
        }
    }
    let json = environment.to_json();
    assert_eq!(json["cuda"], Value::Null);
    assert_eq!(
        json["torch"], "2.5.1",
        "the distribution's version stands in"
    );
    assert_eq!(
        json["unknown"]["transformers"],
        "several versions lie there: 4.1, 4.2"
    );
}
