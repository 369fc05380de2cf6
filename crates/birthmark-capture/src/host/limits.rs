//! The limits that control groups set, versions 1 and 2.

use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use birthmark_core::environment::Cgroup;

use super::System;
use crate::process::{read_head, read_word};

/// Version 1 says "no limit" with a number near the largest.
const NO_LIMIT: u64 = 1 << 60;

impl System {
    /// The tightest limits from this process's group up to the root; absent where
    /// there is none.
    pub(super) fn cgroup(&self) -> Finding<Cgroup> {
        let Some(groups) = read_head(self.path("proc/self/cgroup"), 1 << 16) else {
            return if cfg!(target_os = "linux") {
                Finding::unknown("/proc/self/cgroup cannot be read")
            } else {
                Finding::Absent
            };
        };
        let (memory, cpu) = (group_of(&groups, "memory"), group_of(&groups, "cpu"));
        let (version, memory_bytes, cpus) = if memory.is_some() || cpu.is_some() {
            let memory_root = self.path("sys/fs/cgroup/memory");
            let cpu_root = self.path("sys/fs/cgroup/cpu");
            let memory = tightest(&memory_root, memory.unwrap_or("/"), |group| {
                number(&group.join("memory.limit_in_bytes"))
            });
            (1, memory, tightest(&cpu_root, cpu.unwrap_or("/"), quota_v1))
        } else {
            let root = self.path("sys/fs/cgroup");
            let group = groups
                .lines()
                .find_map(|line| line.strip_prefix("0::"))
                .unwrap_or("/");
            let memory = tightest(&root, group, |group| number(&group.join("memory.max")));
            (2, memory, tightest(&root, group, quota_v2))
        };
        if memory_bytes.is_none() && cpus.is_none() {
            return Finding::Absent;
        }
        Finding::Found(Cgroup {
            version,
            memory_bytes,
            cpus,
        })
    }
}

/// The path of the group of one controller, version 1: `4:memory:/a/b`.
fn group_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        names
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })
}

/// The smallest of a limit from the group up to the root. Within a container the
/// group's own path may not be visible: then the root is its group.
fn tightest<T: PartialOrd>(
    root: &Path,
    group: &str,
    limit: impl Fn(&Path) -> Option<T>,
) -> Option<T> {
    let mut folder: PathBuf = root.join(group.trim_start_matches('/'));
    let mut least: Option<T> = None;
    for _ in 0..32 {
        if !folder.starts_with(root) || folder.components().any(|part| part.as_os_str() == "..") {
            folder = root.to_path_buf();
        }
        if let Some(found) = limit(&folder)
            && least.as_ref().is_none_or(|least| found < *least)
        {
            least = Some(found);
        }
        if folder == root || !folder.pop() {
            break;
        }
    }
    least
}

fn number(path: &Path) -> Option<u64> {
    read_word(path)?
        .parse()
        .ok()
        .filter(|bytes| *bytes < NO_LIMIT)
}

fn quota_v1(group: &Path) -> Option<f64> {
    let quota: f64 = read_word(group.join("cpu.cfs_quota_us"))?.parse().ok()?;
    let period: f64 = read_word(group.join("cpu.cfs_period_us"))?.parse().ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// `200000 100000`, or `max 100000`.
fn quota_v2(group: &Path) -> Option<f64> {
    let text = read_word(group.join("cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}
