use std::fs;

use birthmark_core::Finding;

use super::*;

/// A made-up system with these files.
#[expect(clippy::disallowed_methods, reason = "tests build their own world")]
fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, System) {
    let dir = tempfile::tempdir().expect("temp dir");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folder");
        fs::write(path, text).expect("file");
    }
    let root = dir.path().to_owned();
    (dir, System { root })
}

#[test]
fn limits_of_version_two_are_the_tightest_on_the_way_up() {
    let (_dir, system) = system(&[
        ("proc/self/cgroup", "0::/a/b\n"),
        ("sys/fs/cgroup/a/memory.max", "1000\n"),
        ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("sys/fs/cgroup/a/b/cpu.max", "250000 100000\n"),
        ("sys/fs/cgroup/a/cpu.max", "max 100000\n"),
    ]);
    let Finding::Found(limits) = system.cgroup() else {
        panic!("not found")
    };
    assert_eq!(
        (limits.version, limits.memory_bytes, limits.cpus),
        (2, Some(1000), Some(2.5))
    );
}

#[test]
fn limits_of_version_one_are_read_and_no_limit_is_none() {
    let (_dir, one) = system(&[
        ("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/y\n"),
        (
            "sys/fs/cgroup/memory/x/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2048\n"),
        ("sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "-1\n"),
        ("sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000\n"),
    ]);
    let Finding::Found(limits) = one.cgroup() else {
        panic!("not found")
    };
    assert_eq!(
        (limits.version, limits.memory_bytes, limits.cpus),
        (1, Some(2048), None)
    );
    let (_dir, free) = system(&[("proc/self/cgroup", "0::/../../..\n")]);
    assert_eq!(free.cgroup(), Finding::Absent);
}

#[test]
fn each_engine_is_known_by_its_mark() {
    let none = |_: &str| None;
    let kind = |files: &[(&str, &str)]| system(files).1.container_kind(none);
    assert_eq!(kind(&[]), None);
    let (_dir, docker) = system(&[(".dockerenv", "")]);
    assert_eq!(docker.container_kind(none), Some("docker"));
    let (_dir, podman) = system(&[(
        "run/.containerenv",
        "engine=\"podman\"\nimage=\"docker.io/a:1\"\n",
    )]);
    assert_eq!(podman.container_kind(none), Some("podman"));
    assert_eq!(podman.podman_image().as_deref(), Some("docker.io/a:1"));
    for (group, kind) in [
        ("0::/kubepods/x", "kubernetes"),
        ("1:a:/lxc/y", "lxc"),
        ("1:a:/docker/z", "docker"),
    ] {
        let (_dir, system) = system(&[("proc/self/cgroup", group)]);
        assert_eq!(system.container_kind(none), Some(kind));
    }
    let (_dir, empty) = system(&[]);
    let kube = |name: &str| (name == "KUBERNETES_SERVICE_HOST").then(|| "10.0.0.1".to_owned());
    assert_eq!(empty.container_kind(kube), Some("kubernetes"));
}

#[test]
fn a_system_without_proc_is_unknown_and_not_zero() {
    let (_dir, empty) = system(&[]);
    assert!(empty.cpu().reason().is_some());
    assert!(empty.memory().reason().is_some());
    assert!(empty.os().reason().is_some());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests build their own world")]
fn what_is_no_text_or_no_file_is_survived() {
    let (dir, odd) = system(&[
        ("proc/meminfo", "MemTotal: many kB\n"),
        ("etc/os-release", "NAME=\n"),
    ]);
    fs::write(
        dir.path().join("proc/cpuinfo"),
        b"\xff\xfe:\xff\nprocessor\t: 0\n",
    )
    .expect("file");
    fs::create_dir_all(dir.path().join("proc/self/cgroup")).expect("folder");
    assert!(odd.memory().reason().is_some() && odd.os().reason().is_some());
    assert_eq!(odd.cpu().found().and_then(|cpu| cpu.logical), Some(1));
    assert!(odd.cgroup().reason().is_some());
}

#[test]
fn lists_of_processors_are_counted() {
    for (list, count) in [
        ("0-1", Some(2)),
        ("0-3,8", Some(5)),
        ("7", Some(1)),
        ("", None),
        ("3-1", None),
    ] {
        assert_eq!(count_of(list), count, "{list}");
    }
}

#[test]
fn cores_are_counted_once_for_each_of_their_threads() {
    let block =
        |socket: u32, core: u32| format!("processor: 0\nphysical id: {socket}\ncore id: {core}");
    let info = [block(0, 0), block(0, 1), block(0, 0), block(1, 0)].join("\n\n");
    assert_eq!(cores(&info), Some(3));
    assert_eq!(cores("processor: 0\n"), None);
}
