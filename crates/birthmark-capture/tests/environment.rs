//! What capture says of this real machine, checked against its own programs.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests build their own world, and stop where it is not as said"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use birthmark_capture::{gpu, host, launcher, process, python};
use birthmark_core::Finding;
use birthmark_core::environment::Environment;

/// What a program says; the test fails if it cannot be run.
fn says(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect(program);
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// What Python says of itself.
fn interpreter() -> python::Interpreter {
    let script = "import sys, json; print(json.dumps([sys.version, sys.executable, sys.path[1:]]))";
    let (version, executable, paths): (String, String, Vec<String>) =
        serde_json::from_str(&says("python3", &["-c", script])).expect("its own JSON");
    python::Interpreter {
        version,
        implementation: Some("CPython".into()),
        executable: Some(executable.into()),
        sys_path: paths.into_iter().map(PathBuf::from).collect(),
    }
}

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn the_machine_is_what_its_own_programs_say() {
    let host = host::host();
    assert_eq!(host.hostname, Finding::Found(says("uname", &["-n"])));
    assert_eq!(host.kernel, Finding::Found(says("uname", &["-sr"])));
    assert_eq!(
        host.arch,
        says("uname", &["-m"]).replace("arm64", "aarch64")
    );
    let cpu = host.cpu.found().expect("a processor");
    assert_eq!(cpu.allowed.map(|n| n.to_string()), Some(says("nproc", &[])));
    let online = says("getconf", &["_NPROCESSORS_ONLN"]);
    assert_eq!(cpu.logical.map(|n| n.to_string()), Some(online));
    let pages = "import os; print(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'))";
    let total = says("python3", &["-c", pages]);
    assert_eq!(host.memory_bytes.found().map(u64::to_string), Some(total));
    let os = says("sh", &["-c", ". /etc/os-release; echo \"$PRETTY_NAME\""]);
    assert_eq!(host.os, Finding::Found(os));
    assert_eq!(
        host.boot_id,
        Finding::Found(says("cat", &["/proc/sys/kernel/random/boot_id"]))
    );
    assert_eq!(
        host.pid_namespace,
        Finding::Found(says("readlink", &["/proc/self/ns/pid"]))
    );
    let docker = std::path::Path::new("/.dockerenv").exists();
    assert!(!docker || host.container.found().is_some());
}

#[test]
fn the_space_of_a_disk_is_what_df_says() {
    let (free, total) = host::disk_space("/".as_ref())
        .found()
        .copied()
        .expect("a disk");
    let line = says("df", &["-B1", "--output=size", "/"]);
    assert_eq!(
        line.lines().last().map(str::trim),
        Some(total.to_string().as_str())
    );
    assert!(free <= total);
    assert!(
        host::disk_space("/no/such/place".as_ref())
            .reason()
            .is_some()
    );
}

#[test]
fn a_process_lives_until_it_is_reaped_and_its_number_alone_says_nothing() {
    let own = host::process_identity();
    assert_eq!(host::is_alive(&own), Finding::Found(true));
    let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
    let fields = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("its stat");
    let start = fields
        .split_whitespace()
        .nth(21)
        .and_then(|field| field.parse().ok());
    let mut other = own.clone();
    other.pid = child.id();
    other.pid_start = start;
    assert_eq!(host::is_alive(&other), Finding::Found(true));
    let mut reused = other.clone();
    reused.pid_start = start.map(|start: u64| start - 1);
    assert_eq!(host::is_alive(&reused), Finding::Found(false));
    child.kill().expect("killed");
    let deadline = Instant::now() + LIMIT;
    while host::is_alive(&other) != Finding::Found(false) {
        assert!(Instant::now() < deadline, "a zombie is taken for alive");
    }
    child.wait().expect("reaped");
    assert_eq!(host::is_alive(&other), Finding::Found(false));
}

#[test]
fn a_process_elsewhere_is_unknown_and_not_dead() {
    let own = host::process_identity();
    let before_the_boot = birthmark_core::event::ProcessIdentity {
        boot_id: Some("x".into()),
        ..own.clone()
    };
    assert_eq!(host::is_alive(&before_the_boot), Finding::Found(false));
    let elsewhere = [
        birthmark_core::event::ProcessIdentity {
            boot_id: Some("x".into()),
            host: "y".into(),
            ..own.clone()
        },
        birthmark_core::event::ProcessIdentity {
            boot_id: None,
            ..own.clone()
        },
        birthmark_core::event::ProcessIdentity {
            pid_namespace: Some("pid:[1]".into()),
            ..own.clone()
        },
        birthmark_core::event::ProcessIdentity {
            pid_start: None,
            ..own
        },
    ];
    let reasons: Vec<_> = elsewhere.iter().map(host::is_alive).collect();
    assert!(
        reasons.iter().all(|answer| answer.reason().is_some()),
        "{reasons:?}"
    );
    assert_eq!(reasons[0].reason(), Some("on another machine"));
}

#[test]
fn the_process_is_what_ps_and_id_say() {
    let found = process::process();
    assert_eq!(
        found.uid.map(|uid| uid.to_string()),
        Some(says("id", &["-u"]))
    );
    assert_eq!(found.user, Finding::Found(says("id", &["-un"])));
    assert_eq!(found.pid, std::process::id());
    let parent = says(
        "sh",
        &[
            "-c",
            &format!("awk '/PPid/ {{print $2}}' /proc/{}/status", found.pid),
        ],
    );
    assert_eq!(found.parent_pid.found().map(u32::to_string), Some(parent));
    assert!(found.parent_start.found().is_some());
    let folder = std::env::current_dir()
        .expect("a folder")
        .to_string_lossy()
        .into_owned();
    assert_eq!(found.folder, Finding::Found(folder));
    let now = says("date", &["+%s"]).parse::<i64>().expect("seconds");
    let age = now - found.started_micros.found().expect("a start") / 1_000_000;
    assert!((-2..3600).contains(&age), "started {age} s ago");
}

/// Not a test of its own: what a process started by the tests below prints.
#[test]
fn child_prints_what_it_sees() {
    let Some(what) = process::variable("BIRTHMARK_TEST_CHILD") else {
        return;
    };
    match what.as_str() {
        "variables" => println!(
            "<<{}>>",
            serde_json::to_string(&process::variables()).expect("json")
        ),
        "folder" => println!("<<{:?}>>", process::working_folder()),
        "launch" => println!(
            "<<{:?}>>",
            launcher::launch()
                .found()
                .and_then(|launch| launch.key.clone())
        ),
        "argv" => println!("<<{}>>", process::argv().found().expect("argv").join(" ")),
        other => panic!("{other}"),
    }
}

/// Runs this test program again, by way of `sh`, and gives what the child printed.
fn child(what: &str, script: &str, variables: &[(&str, &str)]) -> String {
    let own = std::env::current_exe().expect("own path");
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(own)
        .args(["child_prints_what_it_sees", "--exact", "--nocapture"])
        .env("BIRTHMARK_TEST_CHILD", what)
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .expect("sh");
    String::from_utf8(output.stdout).expect("text")
}

fn printed(text: &str) -> Vec<&str> {
    text.split("<<")
        .skip(1)
        .filter_map(|part| part.split(">>").next())
        .collect()
}

#[test]
fn only_allowed_variables_are_kept_and_none_is_secret() {
    let token = ["hf", "_", &"Ab3".repeat(12)].concat();
    let text = child(
        "variables",
        "\"$@\"",
        &[
            ("HF_TOKEN", &token),
            ("MY_PASS", "hunter2"),
            ("DATABASE_URL", "postgres://u:hunter2@h/d"),
            ("NCCL_DEBUG", "INFO"),
            ("PYTHONHASHSEED", "0"),
            ("VLLM_API_KEY", "hunter2hunter2"),
            ("HF_HUB_OFFLINE", "1"),
            (
                "HF_ENDPOINT",
                &format!("https://u:{token}@mirror.example/x"),
            ),
            ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
            ("HF_HOME", &format!("/x/{token}")),
        ],
    );
    let kept: BTreeMap<String, String> = serde_json::from_str(printed(&text)[0]).expect("json");
    assert_eq!(
        (kept["NCCL_DEBUG"].as_str(), kept["PYTHONHASHSEED"].as_str()),
        ("INFO", "0")
    );
    assert_eq!(kept["PYTORCH_CUDA_ALLOC_CONF"], "expandable_segments:True");
    assert_eq!(
        kept["HF_ENDPOINT"],
        "https://[redacted:url-credentials]@mirror.example/x"
    );
    assert!(
        !text.contains("hunter2") && !text.contains(&token),
        "{text}"
    );
    for name in ["HF_TOKEN", "MY_PASS", "DATABASE_URL", "VLLM_API_KEY"] {
        assert!(!kept.contains_key(name), "{name}");
    }
}

#[test]
fn a_command_line_is_redacted_and_knows_the_secrets_of_the_environment() {
    let key = "0123456789abcdef".repeat(3);
    let script = format!("\"$@\" {key} api_key=hunter2hunter2");
    let text = child("argv", &script, &[("WANDB_API_KEY", &key)]);
    let argv = printed(&text)[0];
    assert!(
        argv.ends_with("[redacted:wandb-api-key] api_key=[redacted:name-key]"),
        "{argv}"
    );
}

#[test]
fn a_deleted_working_folder_is_unknown() {
    let text = child(
        "folder",
        "d=$(mktemp -d) && cd \"$d\" && rmdir \"$d\" && exec \"$@\"",
        &[],
    );
    assert_eq!(
        printed(&text),
        ["Unknown(\"the working folder was deleted\")"]
    );
}

#[test]
fn ranks_of_one_launcher_have_one_key_even_behind_a_shell_of_their_own() {
    let two =
        "RANK=0 WORLD_SIZE=2 sh -c '\"$@\"; true' sh \"$@\"; RANK=1 WORLD_SIZE=2 \"$@\"; true";
    let first = child("launch", two, &[]);
    let keys = printed(&first);
    assert_eq!(keys.len(), 2, "{first}");
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].starts_with("Some(\"ranks-"), "{}", keys[0]);
    let second = child("launch", two, &[]);
    assert_ne!(printed(&second)[0], keys[0], "another launch");
}

#[test]
fn packages_are_what_importlib_says() {
    let script = "import importlib.metadata as m, json, re\nout = {}\n\
        for d in m.distributions():\n  n = d.metadata['Name']\n  \
        out.setdefault(re.sub(r'[-_.]+', '-', n).lower(), d.version) if n else None\n\
        print(json.dumps(out))";
    let truth: BTreeMap<String, String> =
        serde_json::from_str(&says("python3", &["-c", script])).expect("its own JSON");
    let found = python::python(&interpreter(), LIMIT);
    let packages = found.packages.found().expect("packages");
    let named: BTreeMap<_, _> = packages
        .by_name
        .iter()
        .map(|(name, package)| (name.clone(), package.version.clone()))
        .collect();
    assert!(!truth.is_empty());
    let settled = truth
        .into_iter()
        .filter(|(name, _)| !packages.ambiguous.contains_key(name))
        .collect();
    assert_eq!(named, settled);
}

#[test]
fn the_interpreter_of_an_environment_is_found_without_running_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    let venv = dir.path().join("venv");
    says(
        "python3",
        &["-m", "venv", "--without-pip", &venv.to_string_lossy()],
    );
    let version = says(
        "python3",
        &["-c", "import platform; print(platform.python_version())"],
    );
    let site = says(
        &venv.join("bin/python").to_string_lossy(),
        &[
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'))",
        ],
    );
    let text = {
        let own = std::env::current_exe().expect("own path");
        let output = Command::new(own)
            .args(["child_prints_its_interpreter", "--exact", "--nocapture"])
            .env("VIRTUAL_ENV", &venv)
            .output()
            .expect("itself");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(printed(&text), [version.as_str(), site.as_str()], "{text}");
}

/// Not a test of its own: see the one above.
#[test]
fn child_prints_its_interpreter() {
    if let Some(found) = python::find_interpreter().found() {
        let first = found
            .sys_path
            .first()
            .map(|path| path.display().to_string());
        println!("<<{}>><<{}>>", found.version, first.unwrap_or_default());
    }
}

#[test]
fn the_python_on_the_path_is_found_with_its_full_version() {
    let version = says(
        "python3",
        &["-c", "import platform; print(platform.python_version())"],
    );
    let found = python::find_interpreter();
    // A shim tells nothing without being run, and says so.
    match found {
        Finding::Found(found) => assert!(version.starts_with(&found.version), "{found:?}"),
        other => assert!(other.reason().is_some(), "{other:?}"),
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let dir = tempfile::tempdir().expect("temp dir");
    for (folder, name) in [
        ("a-1.0.dist-info", "direct_url.json"),
        ("torch", "version.py"),
    ] {
        let folder = dir.path().join(folder);
        std::fs::create_dir(&folder).expect("folder");
        says("mkfifo", &[&folder.join(name).to_string_lossy()]);
    }
    let start = Instant::now();
    let sys_path = vec![dir.path().to_owned()];
    let found = python::python(
        &python::Interpreter {
            sys_path,
            ..interpreter()
        },
        LIMIT,
    );
    assert_eq!(
        found
            .packages
            .found()
            .map(|packages| packages.by_name.len()),
        Some(1)
    );
    assert!(found.torch.reason().is_some());
    assert!(start.elapsed() < LIMIT / 2);
}

#[test]
fn this_machine_without_a_gpu_says_absent() {
    let driver = [
        "/proc/driver/nvidia/version",
        "/dev/nvidiactl",
        "/sys/class/drm/card0",
        "/dev/kfd",
    ];
    if driver
        .iter()
        .any(|path| std::path::Path::new(path).exists())
    {
        return;
    }
    assert_eq!(gpu::gpus(LIMIT), Finding::Absent);
}

#[test]
fn the_whole_environment_is_written_with_the_keys_of_the_origin() {
    let start = Instant::now();
    let environment = Environment {
        host: host::host(),
        python: Finding::Found(python::python(&interpreter(), LIMIT)),
        gpus: gpu::gpus(LIMIT),
        launch: launcher::launch(),
        pod: launcher::pod(),
        variables: process::variables(),
    };
    let json = environment.to_json();
    let keys: Vec<_> = json.keys().take(7).map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "hostname",
            "python",
            "torch",
            "transformers",
            "cuda",
            "gpu",
            "gpu_memory_gb"
        ]
    );
    assert_eq!(
        json["python"].as_str(),
        Some(says("python3", &["-c", "import sys; print(sys.version)"]).as_str())
    );
    assert!(start.elapsed() < LIMIT);
}
