//! Reading `/proc`, whatever stands there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use birthmark_core::Finding;

use crate::clock;

/// How far up the line of parents is looked.
const ANCESTORS_MAX: usize = 16;

/// What is used of `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `Z` (ended, not yet reaped), …
    pub(crate) state: char,
    /// The number of the parent; 0 where it is outside of the namespace.
    pub(crate) parent: u32,
    /// The start, in clock ticks since boot.
    pub(crate) start: u64,
}

/// The stat of a process (`self`, or a number); `None` where it cannot be read.
pub(crate) fn stat(pid: &str) -> Option<Stat> {
    parse(&read_head(format!("/proc/{pid}/stat"), 4096)?)
}

impl Stat {
    /// The stat of the process with this number.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        stat(&pid.to_string())
    }
}

/// The program's name may hold spaces and brackets: fields count from the last one.
fn parse(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        state,
        parent,
        start,
    })
}

/// When a process started, in microseconds since 1970.
pub(crate) fn started_micros(stat: &Stat) -> Finding<i64> {
    let boot = read_head("/proc/stat", 1 << 20).and_then(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("btime ")?.parse().ok())
    });
    let Some(boot): Option<i64> = boot else {
        return Finding::unknown("the time of the boot cannot be read");
    };
    let after = u128::from(stat.start) * 1_000_000 / u128::from(ticks_per_second().max(1));
    i64::try_from(after)
        .ok()
        .and_then(|after| boot.checked_mul(1_000_000)?.checked_add(after))
        .map_or_else(
            || Finding::unknown("the start of the process makes no sense"),
            Finding::Found,
        )
}

/// How long ago a process started, in microseconds: to a hundredth of a second, which the
/// time of the boot is not.
pub(crate) fn age_micros(stat: &Stat) -> Option<i64> {
    let now = i64::try_from(clock::since_boot_micros()?).ok()?;
    let after = u128::from(stat.start) * 1_000_000 / u128::from(ticks_per_second().max(1));
    now.checked_sub(i64::try_from(after).ok()?)
        .filter(|age| *age >= 0)
}

#[cfg(unix)]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

#[cfg(not(unix))]
fn ticks_per_second() -> u64 {
    100
}

/// The nearest ancestor that was started without the variable `name`: what set it for
/// its children. With its number, its start. Only the names of variables are looked at.
pub(crate) fn ancestor_without(name: &str) -> Option<(u32, u64)> {
    let mut pid = stat("self")?.parent;
    for _ in 0..ANCESTORS_MAX {
        let parent = Stat::of(pid)?;
        if !was_started_with(pid, name) {
            return Some((pid, parent.start));
        }
        pid = parent.parent;
    }
    None
}

fn was_started_with(pid: u32, name: &str) -> bool {
    let Some(environ) = read_bytes(Path::new(&format!("/proc/{pid}/environ")), 1 << 20) else {
        return false;
    };
    environ.split(|byte| *byte == 0).any(|item| {
        item.strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.starts_with(b"="))
    })
}

/// The files that the output of this process goes to, and that of the processes above it: a
/// shell was told so (`python train.py > log.txt`). Pipes and terminals are none.
pub fn outputs() -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut pid = std::process::id();
    for _ in 0..ANCESTORS_MAX {
        for number in [1, 2] {
            let link = PathBuf::from(format!("/proc/{pid}/fd/{number}"));
            if link.metadata().is_ok_and(|found| found.is_file())
                && let Ok(path) = link.read_link()
            {
                found.insert(path);
            }
        }
        match Stat::of(pid) {
            Some(stat) if stat.parent > 1 => pid = stat.parent,
            Some(_) | None => break,
        }
    }
    found.into_iter().collect()
}

/// The first `most` bytes of a regular file as text, with replacement characters where
/// it is not UTF-8; `None` where it cannot be read.
pub(crate) fn read_head(path: impl AsRef<Path>, most: u64) -> Option<String> {
    let bytes = read_bytes(path.as_ref(), most)?;
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// One trimmed word of a small file, as `/sys` has them; `None` where it is empty.
pub(crate) fn read_word(path: impl AsRef<Path>) -> Option<String> {
    let text = read_head(path, 4096)?;
    let word = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!word.is_empty()).then(|| word.to_owned())
}

fn read_bytes(path: &Path, most: u64) -> Option<Vec<u8>> {
    // A pipe in the place of a file would let the reader wait for ever.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(most)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let text = "42 (a) R (b) c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        assert_eq!(
            parse(text),
            Some(Stat {
                state: 'S',
                parent: 7,
                start: 98765
            })
        );
        for broken in ["", ")", "1 (x) S", "1 (x) S x 1", "1 (x) S 7 42 42 0"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}
