//! What a process and its descendants use: memory now, time and the largest of them so far.
//!
//! # Limits
//!
//! * A process whose parent ended before it belongs to the tree no more.
//! * Memory is what is resident; pages that processes share count in each.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::proc::read_head;

/// More processes than a tree is followed to.
const MOST: usize = 4096;

/// The process and its descendants, as of now.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        for task in tasks(pid) {
            let path = format!("/proc/{pid}/task/{task}/children");
            let children = read_head(path, 1 << 16).unwrap_or_default();
            found.extend(
                children
                    .split_ascii_whitespace()
                    .filter_map(|word| word.parse::<u32>().ok()),
            );
        }
        if found.len() > MOST {
            found.truncate(MOST);
            break;
        }
    }
    found
}

fn tasks(pid: u32) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()))
        .collect()
}

/// Bytes that these processes have in memory; `None` where none of them can be read.
pub fn resident(pids: &[u32]) -> Option<u64> {
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    pids.iter()
        .filter_map(|pid| {
            let text = read_head(format!("/proc/{pid}/statm"), 256)?;
            text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map(|pages| pages * page)
        .reduce(|sum, one| sum + one)
}

/// What children that have ended, and theirs, used so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChildrenUsage {
    /// Seconds in their own code.
    pub user_s: f64,
    /// Seconds in the kernel.
    pub system_s: f64,
    /// Bytes that the largest of them had in memory at once.
    pub largest: u64,
}

/// Asks the kernel.
pub fn of_children() -> Option<ChildrenUsage> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let seconds = |time: nix::sys::time::TimeVal| {
        std::time::Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
            .as_secs_f64()
    };
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Some(ChildrenUsage {
        user_s: seconds(usage.user_time()),
        system_s: seconds(usage.system_time()),
        largest: u64::try_from(usage.max_rss()).ok()? * unit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child that is killed below")]
    fn children_belong_to_the_tree_and_count() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .expect("sleep");
        let own = tree(std::process::id());
        assert!(own.contains(&child.id()), "{own:?}");
        assert!(resident(&own) > resident(&[child.id()]));
        child.kill().expect("kill");
        child.wait().expect("wait");
        assert_eq!(resident(&[child.id()]), None);
        assert!(of_children().expect("usage").largest > 0);
    }
}
