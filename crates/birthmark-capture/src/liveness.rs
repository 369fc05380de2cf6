//! Which process this is, and whether another one still lives.
//!
//! A pid alone means nothing: it is used again, and counts only within its
//! namespace and until the next boot. With the boot id, the namespace and the
//! time at which the process started it names one process for good, so whether a
//! run is alive is seen at once, without a daemon and without a heartbeat.

use std::fs;

use birthmark_core::Finding;
use birthmark_core::event::ProcessIdentity;

/// This process.
pub fn this_process() -> ProcessIdentity {
    let pid = std::process::id();
    ProcessIdentity {
        host: host_name(),
        boot_id: boot_id(),
        pid,
        pid_start: start_of(pid),
        pid_namespace: pid_namespace(),
    }
}

/// Whether that process is alive. Unknown where this machine cannot see it: another
/// host, another pid namespace, or no `/proc`.
pub fn is_alive(process: &ProcessIdentity) -> Finding<bool> {
    let (Some(theirs), Some(ours)) = (&process.boot_id, boot_id()) else {
        return Finding::unknown("there is no boot id");
    };
    if *theirs != ours {
        if process.host == host_name() {
            return Finding::Found(false);
        }
        return Finding::unknown("it ran on another machine");
    }
    if process.pid_namespace.is_some() && process.pid_namespace != pid_namespace() {
        return Finding::unknown("it ran in another container");
    }
    Finding::Found(process.pid_start.is_some() && start_of(process.pid) == process.pid_start)
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The id of this boot of the kernel.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn pid_namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// When a process started, in clock ticks since boot; `None` when there is no such
/// process, or it is a zombie. Source: proc(5), `/proc/pid/stat`, fields 3 and 22.
pub fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses: count from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_with_its_pid_but_another_start_is_not() {
        let this = this_process();
        assert_eq!(is_alive(&this), Finding::Found(true));
        let earlier = ProcessIdentity { pid_start: Some(1), ..this.clone() };
        assert_eq!(is_alive(&earlier), Finding::Found(false));
        let before_boot = ProcessIdentity { boot_id: Some("old".to_owned()), ..this.clone() };
        assert_eq!(is_alive(&before_boot), Finding::Found(false));
        let elsewhere = ProcessIdentity { host: "pod".to_owned(), ..before_boot };
        assert!(is_alive(&elsewhere).reason().is_some());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a real process")]
    fn process_that_ended_is_dead_even_while_it_is_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = ProcessIdentity {
            pid: child.id(),
            pid_start: start_of(child.id()),
            ..this_process()
        };
        assert_eq!(is_alive(&identity), Finding::Found(true));
        child.kill().unwrap();
        while start_of(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert_eq!(is_alive(&identity), Finding::Found(false));
        child.wait().unwrap();
    }
}
