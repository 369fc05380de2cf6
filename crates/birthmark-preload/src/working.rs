//! The working folder, asked for once until it changes.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::known;
use crate::path::{LONGEST, Path};

/// A path that several threads may ask for.
struct Place(core::cell::UnsafeCell<[u8; LONGEST]>);

// SAFETY: read and written by who holds `BUSY` alone.
unsafe impl Sync for Place {}

static FOLDER: Place = Place(core::cell::UnsafeCell::new([0; LONGEST]));
/// 0 while it is not known.
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// The folder's hash; says something while `LENGTH` is not 0.
static HASH: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);
static CHANGES: AtomicU32 = AtomicU32::new(0);

/// Forgets it: it has changed.
pub(crate) fn changed() {
    CHANGES.fetch_add(1, Ordering::AcqRel);
    LENGTH.store(0, Ordering::Release);
}

/// Its hash, where it is known.
pub(crate) fn hash() -> Option<u64> {
    let changes = CHANGES.load(Ordering::Acquire);
    if LENGTH.load(Ordering::Acquire) == 0 {
        return None;
    }
    let hash = HASH.load(Ordering::Acquire);
    // Whoever changed the folder meanwhile said so before.
    (CHANGES.load(Ordering::Acquire) == changes).then_some(hash)
}

/// Puts it where a path begins, with a slash; false where it cannot be told. Where it may be
/// `remembered`, it is not asked for again.
pub(crate) fn begin(path: &mut Path, remembered: bool) -> bool {
    if remembered && begin_remembered(path) {
        return true;
    }
    let changes = CHANGES.load(Ordering::Acquire);
    // SAFETY: the buffer is as long as is said.
    let found = unsafe { libc::getcwd(path.bytes.as_mut_ptr().cast(), LONGEST) };
    if found.is_null() {
        return false;
    }
    path.length = path.bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    if remembered {
        remember(path.text(), changes);
    }
    path.push(b"/");
    path.bytes.first() == Some(&b'/')
}

fn begin_remembered(path: &mut Path) -> bool {
    let length = LENGTH.load(Ordering::Acquire);
    if length == 0 || BUSY.swap(true, Ordering::AcqRel) {
        return false;
    }
    let changes = CHANGES.load(Ordering::Acquire);
    // SAFETY: only the one who set `BUSY` reads or writes it.
    let folder = unsafe { &*FOLDER.0.get() };
    let length = LENGTH.load(Ordering::Acquire);
    path.push(folder.get(..length).unwrap_or_default());
    BUSY.store(false, Ordering::Release);
    // Whoever changed the folder meanwhile said so before.
    if length == 0 || CHANGES.load(Ordering::Acquire) != changes {
        path.length = 0;
        return false;
    }
    path.push(b"/");
    true
}

/// Remembers the folder as it was after so many changes.
fn remember(folder: &[u8], changes: u32) {
    if folder.is_empty() || folder.len() >= LONGEST || BUSY.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: only the one who set `BUSY` reads or writes it; the length fits.
    unsafe {
        ptr::copy_nonoverlapping(folder.as_ptr(), FOLDER.0.get().cast::<u8>(), folder.len());
    };
    HASH.store(known::hash(0, folder), Ordering::Release);
    LENGTH.store(folder.len(), Ordering::Release);
    // Changed while it was asked for: then it is not known which was told.
    if CHANGES.load(Ordering::Acquire) != changes {
        LENGTH.store(0, Ordering::Release);
    }
    BUSY.store(false, Ordering::Release);
}
