//! Modules of Python's: which file their source is, and when it changed.

use crate::path::Path;

/// Folders of what is installed: that is known by its version.
const INSTALLED: [&[u8]; 3] = [b"/site-packages/", b"/dist-packages/", b"/lib/python3."];
const COMPILED: &[u8] = b"/__pycache__/";

/// Whether a path may be that of a module of somebody's own.
pub(crate) fn may_be(path: &[u8]) -> bool {
    (path.ends_with(b".py") || path.ends_with(b".pyc"))
        && !INSTALLED.iter().any(|part| find(path, part).is_some())
}

/// The source of what was opened, which is itself or what it was compiled from.
pub(crate) fn of(opened: &Path) -> Option<Path> {
    let path = opened.text();
    let mut source = Path::new();
    if path.ends_with(b".py") {
        source.push(path);
        return Some(source);
    }
    let (folder, name) = path.split_at_checked(find(path, COMPILED)?)?;
    let name = name.get(COMPILED.len()..)?;
    let stem = name.split(|byte| *byte == b'.').next()?;
    source.push(folder);
    source.push(b"/");
    source.push(stem);
    source.push(b".py");
    Some(source)
}

/// When a file changed last, in nanoseconds since 1970; none where it is not there.
pub(crate) fn changed(path: &Path) -> Option<u64> {
    let name = path.bytes.as_ptr().cast();
    // SAFETY: the path ends with a zero, since its buffer began as zeros; zeros are a `statx`.
    let found = unsafe {
        let mut found: libc::statx = core::mem::zeroed();
        let asked = libc::statx(libc::AT_FDCWD, name, 0, libc::STATX_CTIME, &raw mut found);
        (asked == 0).then_some(found.stx_ctime)
    }?;
    let seconds = u64::try_from(found.tv_sec).ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(u64::from(found.tv_nsec))
}

fn find(path: &[u8], part: &[u8]) -> Option<usize> {
    path.windows(part.len()).position(|window| window == part)
}
