//! Is the process that wrote this still alive?
//!
//! A number alone says nothing: it is used again, and it counts within one
//! namespace of one boot of one machine. So all of them are compared, and where one
//! cannot be, the answer is *unknown*.

use birthmark_core::Finding;
use birthmark_core::event::ProcessIdentity;

use super::{boot_id, hostname, pid_namespace};
use crate::process::Stat;

/// Who this process is.
pub fn process_identity() -> ProcessIdentity {
    let pid = std::process::id();
    ProcessIdentity {
        host: hostname().found().cloned().unwrap_or_default(),
        boot_id: boot_id().found().cloned(),
        pid,
        pid_start: Stat::of(pid).map(|stat| stat.start),
        pid_namespace: pid_namespace().found().cloned(),
    }
}

/// Whether the process of `identity` is alive: seen at once, without a signal to it.
///
/// Unknown from another machine, or another
/// pid namespace (container), and where the identity was recorded incompletely.
pub fn is_alive(identity: &ProcessIdentity) -> Finding<bool> {
    let here = process_identity();
    let (Some(then), Some(now)) = (&identity.boot_id, &here.boot_id) else {
        return Finding::unknown("the boot id is not known");
    };
    if then != now {
        // Nothing outlives a boot. Names that every machine has tell no machine.
        let same_machine = identity.host == here.host && !matches!(&*here.host, "" | "localhost");
        return if same_machine {
            Finding::Found(false)
        } else {
            Finding::unknown("on another machine")
        };
    }
    match (&identity.pid_namespace, &here.pid_namespace) {
        (Some(then), Some(now)) if then == now => {}
        (Some(_), Some(_)) => return Finding::unknown("in another container of this machine"),
        _ => return Finding::unknown("the pid namespace is not known"),
    }
    match Stat::of(identity.pid) {
        Some(seen) if matches!(seen.state, 'Z' | 'X' | 'x') => Finding::Found(false),
        Some(seen) => match identity.pid_start {
            Some(start) => Finding::Found(seen.start == start),
            None => Finding::unknown("the start of the process was not recorded"),
        },
        None => unseen(identity.pid),
    }
}

/// A process without an entry in `/proc`: gone, or another user's on a machine that
/// hides those.
fn unseen(pid: u32) -> Finding<bool> {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        && rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::PERM)
    {
        return Finding::unknown("it may be another user's process, which is hidden here");
    }
    #[cfg(not(unix))]
    let _ = pid;
    Finding::Found(false)
}
