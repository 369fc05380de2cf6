//! The machine: name, system, processor, memory, limits, container; and whether a
//! process of it is still alive.
//!
//! All of it is read from files of the kernel: nothing is run, nothing waits.
//!
//! # Limits
//!
//! * Only Linux is known so far; elsewhere the fields are unknown, with that reason.
//! * A container is recognised by the marks that its engine leaves; an engine that
//!   leaves none is not seen.

mod alive;
mod limits;

use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use birthmark_core::environment::{Container, Cpu, Host};

use crate::process::{read_head, read_word, variable};

pub use alive::{is_alive, process_identity};

/// The machine, as this process sees it.
pub fn host() -> Host {
    System::here().host()
}

/// The name of the machine.
pub fn hostname() -> Finding<String> {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = variable("COMPUTERNAME").unwrap_or_default();
    if name.is_empty() {
        Finding::unknown("the machine has no name")
    } else {
        Finding::Found(name)
    }
}

/// Names this boot of this machine.
pub fn boot_id() -> Finding<String> {
    found_or(
        read_word("/proc/sys/kernel/random/boot_id"),
        "the boot id cannot be read",
    )
}

/// The pid namespace of this process, as the kernel names it (`pid:[4026531836]`).
pub fn pid_namespace() -> Finding<String> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok();
    let name = link.map(|link| link.to_string_lossy().into_owned());
    found_or(name, "the pid namespace cannot be read")
}

/// Bytes that this user may still write where `path` lies, and bytes there in all.
/// A file system that hangs lets this wait: ask within a time limit.
#[cfg(unix)]
pub fn disk_space(path: &Path) -> Finding<(u64, u64)> {
    match rustix::fs::statvfs(path) {
        Ok(stat) => Finding::Found((
            stat.f_bavail.saturating_mul(stat.f_frsize),
            stat.f_blocks.saturating_mul(stat.f_frsize),
        )),
        Err(error) => Finding::unknown(format!("the space of `{}`: {error}", path.display())),
    }
}

/// Bytes free and in all: not known on this system.
#[cfg(not(unix))]
pub fn disk_space(_path: &Path) -> Finding<(u64, u64)> {
    Finding::unknown("not known on this system")
}

/// Where the files of the kernel and the system lie: `/`, or a made-up one in tests.
struct System {
    root: PathBuf,
}

impl System {
    fn here() -> Self {
        Self {
            root: PathBuf::from("/"),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn host(&self) -> Host {
        Host {
            hostname: hostname(),
            os: self.os(),
            kernel: kernel(),
            arch: std::env::consts::ARCH.to_owned(),
            cpu: self.cpu(),
            memory_bytes: self.memory(),
            cgroup: self.cgroup(),
            container: self.container(),
            boot_id: boot_id(),
            pid_namespace: pid_namespace(),
        }
    }

    fn os(&self) -> Finding<String> {
        let text = ["etc/os-release", "usr/lib/os-release"]
            .iter()
            .find_map(|path| read_head(self.path(path), 1 << 16));
        found_or(
            text.and_then(|text| os_name(&text)),
            "os-release cannot be read",
        )
    }

    fn cpu(&self) -> Finding<Cpu> {
        let Some(info) = read_head(self.path("proc/cpuinfo"), 1 << 24) else {
            return Finding::unknown("/proc/cpuinfo cannot be read");
        };
        let online = read_word(self.path("sys/devices/system/cpu/online"));
        let allowed = read_head(self.path("proc/self/status"), 1 << 16)
            .and_then(|text| Some(value_of(&text, "Cpus_allowed_list")?.to_owned()));
        let listed = u32::try_from(values_of(&info, "processor").count()).ok();
        Finding::Found(Cpu {
            model: ["model name", "Model", "cpu model", "uarch"]
                .iter()
                .find_map(|key| value_of(&info, key))
                .map(str::to_owned),
            logical: online
                .and_then(|list| count_of(&list))
                .or(listed.filter(|count| *count > 0)),
            physical: cores(&info),
            allowed: allowed.and_then(|list| count_of(&list)),
        })
    }

    fn memory(&self) -> Finding<u64> {
        let text = read_head(self.path("proc/meminfo"), 1 << 16);
        let kib = text.as_deref().and_then(|text| {
            value_of(text, "MemTotal")?
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        });
        found_or(
            kib.and_then(|kib| kib.checked_mul(1024)),
            "/proc/meminfo cannot be read",
        )
    }

    fn container(&self) -> Finding<Container> {
        let kind = self.container_kind(variable);
        let image = || {
            [
                "CONTAINER_IMAGE",
                "RUNPOD_DOCKER_IMAGE",
                "DOCKER_IMAGE",
                "IMAGE_NAME",
                "APPTAINER_CONTAINER",
                "SINGULARITY_CONTAINER",
            ]
            .iter()
            .find_map(|name| variable(name))
            .or_else(|| self.podman_image())
            .filter(|image| !image.is_empty())
            .map(|image| crate::process::redactor().text(&image).into_owned())
        };
        kind.map(|kind| Container {
            kind: kind.to_owned(),
            image: image(),
        })
        .into()
    }

    fn container_kind(&self, variable: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
        if variable("KUBERNETES_SERVICE_HOST").is_some() {
            return Some("kubernetes");
        }
        if variable("APPTAINER_CONTAINER")
            .or_else(|| variable("SINGULARITY_CONTAINER"))
            .is_some()
        {
            return Some("singularity");
        }
        if self.path("run/.containerenv").exists() {
            return Some("podman");
        }
        if self.path(".dockerenv").exists() {
            return Some("docker");
        }
        let groups = read_head(self.path("proc/self/cgroup"), 1 << 16).unwrap_or_default();
        let marks = [
            ("kubepods", "kubernetes"),
            ("libpod", "podman"),
            ("docker", "docker"),
            ("lxc", "lxc"),
            ("containerd", "containerd"),
        ];
        let by_group = marks
            .iter()
            .find(|(mark, _)| groups.contains(mark))
            .map(|(_, kind)| *kind);
        // systemd-nspawn, LXC and others tell their children by a variable.
        by_group.or_else(|| match variable("container")?.as_str() {
            "lxc" => Some("lxc"),
            "podman" => Some("podman"),
            "docker" => Some("docker"),
            "" => None,
            _ => Some("container"),
        })
    }

    fn podman_image(&self) -> Option<String> {
        let text = read_head(self.path("run/.containerenv"), 1 << 16)?;
        let line = text.lines().find_map(|line| line.strip_prefix("image="))?;
        Some(line.trim_matches('"').to_owned())
    }
}

#[cfg(unix)]
fn kernel() -> Finding<String> {
    let name = rustix::system::uname();
    Finding::Found(format!(
        "{} {}",
        name.sysname().to_string_lossy(),
        name.release().to_string_lossy()
    ))
}

#[cfg(not(unix))]
fn kernel() -> Finding<String> {
    Finding::unknown("not known on this system")
}

fn found_or<T>(value: Option<T>, reason: &str) -> Finding<T> {
    let linux = cfg!(target_os = "linux");
    let reason = if linux {
        reason
    } else {
        "not known on this system"
    };
    value.map_or_else(|| Finding::unknown(reason), Finding::Found)
}

/// `PRETTY_NAME`, or name and version, of an os-release file.
fn os_name(text: &str) -> Option<String> {
    let field = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        let value = line.trim().trim_matches(['"', '\'']).replace("\\\"", "\"");
        (!value.is_empty()).then_some(value)
    };
    field("PRETTY_NAME").or_else(|| {
        let name = field("NAME")?;
        Some(
            field("VERSION_ID").map_or_else(|| name.clone(), |version| format!("{name} {version}")),
        )
    })
}

/// The values of all lines `key : value`.
fn values_of<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn value_of<'a>(text: &'a str, key: &'a str) -> Option<&'a str> {
    values_of(text, key).find(|value| !value.is_empty())
}

/// How many numbers a list of the kernel names: `0-3,8` is five.
fn count_of(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0_u32, |sum, part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

/// Distinct pairs of socket and core.
fn cores(cpuinfo: &str) -> Option<u32> {
    let mut pairs = std::collections::BTreeSet::new();
    for block in cpuinfo.split("\n\n") {
        if let (Some(socket), Some(core)) =
            (value_of(block, "physical id"), value_of(block, "core id"))
        {
            pairs.insert((socket.to_owned(), core.to_owned()));
        }
    }
    u32::try_from(pairs.len()).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests;
