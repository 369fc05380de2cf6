//! The only place that asks the wall clock, and how long the machine has been up.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z, negative before it.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    }
}

/// Microseconds since the machine booted, sleep included: it only grows, whatever is done to the
/// clock.
#[cfg(target_os = "linux")]
pub fn since_boot_micros() -> Option<u64> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).ok()?.checked_mul(1_000_000)?;
    seconds.checked_add(u64::try_from(now.tv_nsec).ok()? / 1_000)
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn since_boot_micros() -> Option<u64> {
    None
}
