//! Digests of files: what the bytes were, and proof that they held still.
//!
//! A file is opened without following a link and without waiting, so that no
//! FIFO hangs and no device is read for ever. What is known of the open file is
//! compared before and after: a file that changed meanwhile has no digest, it is
//! [`FileError::ChangedWhileRead`].
//!
//! Large files are hashed by several threads, each reading pieces of its own at
//! their places. They are not mapped into memory, since a mapped file that
//! somebody shortens kills the process; and the threads are made for each file,
//! since those of a shared pool are missing in a forked child.
//!
//! # Limitations
//!
//! * A change that leaves size, modification and change time as they were (two
//!   writes within one tick of the file system's clock) is not seen.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use birthmark_core::digest::{Algorithm, Digest};
use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};
use rustix::fs::{CWD, OFlags};
use sha2::Digest as _;

use crate::atomic::{PathContext, PathError};

/// What one thread takes at a time: a whole subtree of BLAKE3's tree.
const SUBTREE: u64 = 4 << 20;
/// What is read at once: small enough to stay in the processor's own cache.
const PIECE: usize = 128 << 10;
/// More threads than this wait for memory and disk alone.
const MOST_THREADS: usize = 16;

/// Why a file has no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system would not let us read it.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It is a link, and links are not followed.
    #[error("cannot digest `{path}`: it is a symbolic link")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It is a FIFO, a device, a socket, or a folder where a file was expected.
    #[error("cannot digest `{path}`: it is no regular file")]
    NotAFile {
        /// What was to be read.
        path: PathBuf,
    },
    /// It was written to while it was read.
    #[error("cannot digest `{path}`: it changed while it was read")]
    ChangedWhileRead {
        /// The file, or the folder that something came into or left.
        path: PathBuf,
    },
}

impl FileError {
    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Path(error) => error.hint(),
            Self::Link { .. } => Some("name the file that the link points to".to_owned()),
            Self::NotAFile { .. } => None,
            Self::ChangedWhileRead { .. } => {
                Some("wait until nothing writes to it, then try again".to_owned())
            }
        }
    }
}

/// What tells one state of a file from another without reading it: the key of a
/// cache of digests. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileState {
    /// The device it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// When its content last changed.
    pub modified_ns: i128,
    /// When anything of it last changed.
    pub changed_ns: i128,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// The digest of a file, and the state in which it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// Over all of its bytes.
    pub digest: Digest,
    /// The same before the first byte was read and after the last.
    pub state: FileState,
}

/// The BLAKE3 digest of a file, by all processors if it is large.
pub fn digest_file(path: &Path) -> Result<FileDigest, FileError> {
    digest_file_as(path, Algorithm::Blake3, None)
}

/// The digest of a file. `progress`, if given, is raised by the bytes that were
/// read, while they are read. SHA-256 is for one thread alone.
pub fn digest_file_as(
    path: &Path,
    algorithm: Algorithm,
    progress: Option<&AtomicU64>,
) -> Result<FileDigest, FileError> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS);
    digest_with(path, algorithm, progress, threads)
}

pub(crate) fn digest_with(
    path: &Path,
    algorithm: Algorithm,
    progress: Option<&AtomicU64>,
    threads: usize,
) -> Result<FileDigest, FileError> {
    let (file, state) = open_still(path)?;
    let input = Input {
        file: &file,
        size: state.size,
        progress,
    };
    let bytes = match algorithm {
        Algorithm::Sha256 => input.sha256(),
        Algorithm::Blake3 if state.size > SUBTREE && threads > 1 => input.blake3_threads(threads),
        Algorithm::Blake3 => input.blake3(),
    };
    match bytes {
        Ok(bytes) if state_of(&file, path)? == state => Ok(FileDigest {
            digest: Digest { algorithm, bytes },
            state,
        }),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(PathError {
            action: "read",
            path: path.to_owned(),
            source: error,
        }
        .into()),
        _ => Err(FileError::ChangedWhileRead {
            path: path.to_owned(),
        }),
    }
}

/// Opens a regular file without following a link and without waiting.
pub fn open_still(path: &Path) -> Result<(File, FileState), FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(CWD, path, flags | OFlags::NOCTTY, 0.into()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::LOOP) => {
            return Err(FileError::Link {
                path: path.to_owned(),
            });
        }
        // A socket, or a device without a driver.
        Err(rustix::io::Errno::NXIO) => {
            return Err(FileError::NotAFile {
                path: path.to_owned(),
            });
        }
        Err(errno) => {
            return Err(Err::<(), _>(errno.into())
                .at("read", path)
                .err()
                .map_or_else(
                    || FileError::NotAFile {
                        path: path.to_owned(),
                    },
                    FileError::from,
                ));
        }
    };
    let state = state_of(&file, path)?;
    Ok((file, state))
}

fn state_of(file: &File, path: &Path) -> Result<FileState, FileError> {
    let metadata = file.metadata().at("read", path)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile {
            path: path.to_owned(),
        });
    }
    let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Ok(FileState {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        executable: metadata.mode() & 0o100 != 0,
    })
}

/// An open file of a known size.
#[derive(Clone, Copy)]
struct Input<'a> {
    file: &'a File,
    size: u64,
    progress: Option<&'a AtomicU64>,
}

impl Input<'_> {
    /// Feeds the bytes from `start` up to `end`, or says that the file is shorter.
    fn feed(self, start: u64, end: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        while at < end {
            crate::stop::check()?;
            let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..want).unwrap_or_default();
            self.file.read_exact_at(piece, at)?;
            take(piece);
            at += want as u64;
            if let Some(progress) = self.progress {
                progress.fetch_add(want as u64, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn sha256(self) -> io::Result<[u8; 32]> {
        let mut hasher = sha2::Sha256::new();
        self.feed(0, self.size, |piece| hasher.update(piece))?;
        Ok(hasher.finalize().into())
    }

    fn blake3(self) -> io::Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        self.feed(0, self.size, |piece| {
            hasher.update(piece);
        })?;
        Ok(*hasher.finalize().as_bytes())
    }

    /// Hashes the subtrees by several threads, then joins them to the root.
    fn blake3_threads(self, threads: usize) -> io::Result<[u8; 32]> {
        let count = usize::try_from(self.size.div_ceil(SUBTREE)).map_err(io::Error::other)?;
        let next = AtomicUsize::new(0);
        let subtrees = Mutex::new(vec![ChainingValue::default(); count]);
        let work = || -> io::Result<()> {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    return Ok(());
                }
                let value = self.subtree(place as u64 * SUBTREE)?;
                let mut all = subtrees
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(slot) = all.get_mut(place) {
                    *slot = value;
                }
            }
        };
        let threads = threads.min(count);
        let flag = crate::stop::flag();
        let work = || crate::stop::with(flag.clone(), work);
        // A thread that cannot be made (a limit of the machine) is done without.
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mine = work();
            others.into_iter().fold(mine, |sum, other| {
                sum.and(
                    other
                        .join()
                        .unwrap_or_else(|_| Err(io::Error::other("a thread died"))),
                )
            })
        })?;
        let subtrees = subtrees
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(root(&subtrees, self.size))
    }

    fn subtree(self, start: u64) -> io::Result<ChainingValue> {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(start);
        self.feed(start, self.size.min(start + SUBTREE), |piece| {
            hasher.update(piece);
        })?;
        Ok(hasher.finalize_non_root())
    }
}

/// Joins two subtrees or more, which cover `size` bytes, to the root's hash.
fn root(subtrees: &[ChainingValue], size: u64) -> [u8; 32] {
    let (left, right, left_size) = halves(subtrees, size);
    let (left, right) = (joined(left, left_size), joined(right, size - left_size));
    *hazmat::merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
}

fn joined(subtrees: &[ChainingValue], size: u64) -> ChainingValue {
    if let [only] = subtrees {
        return *only;
    }
    let (left, right, left_size) = halves(subtrees, size);
    let (left, right) = (joined(left, left_size), joined(right, size - left_size));
    hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
}

fn halves(subtrees: &[ChainingValue], size: u64) -> (&[ChainingValue], &[ChainingValue], u64) {
    let left_size = hazmat::left_subtree_len(size);
    let place = usize::try_from(left_size / SUBTREE).unwrap_or(subtrees.len());
    let (left, right) = subtrees.split_at(place.min(subtrees.len()));
    (left, right, left_size)
}

/// The BLAKE3 digest of bytes at hand.
pub fn digest_bytes(bytes: &[u8]) -> Digest {
    Digest {
        algorithm: Algorithm::Blake3,
        bytes: *blake3::hash(bytes).as_bytes(),
    }
}

/// The BLAKE3 digest of a stream, and its length in bytes.
pub fn digest_stream(input: &mut dyn Read) -> io::Result<(Digest, u64)> {
    let mut running = crate::running::RunningDigest::default();
    let mut buffer = vec![0; PIECE];
    loop {
        crate::stop::check()?;
        match input.read(&mut buffer) {
            Ok(0) => return Ok((running.digest(), running.length())),
            Ok(count) => running.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn several_threads_give_the_digest_of_one() {
        const WHOLE: usize = 4 << 20;
        let mut bytes = vec![0; 5 * WHOLE + 1023];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = place.to_le_bytes()[0] ^ place.to_le_bytes()[1];
        }
        for size in [
            0,
            1,
            WHOLE - 1,
            WHOLE,
            WHOLE + 1,
            2 * WHOLE,
            3 * WHOLE + 5,
            bytes.len(),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes[..size]).unwrap();
            for threads in [1, 2, 3] {
                let digest = digest_with(file.path(), Algorithm::Blake3, None, threads).unwrap();
                assert_eq!(
                    digest.digest,
                    digest_bytes(&bytes[..size]),
                    "{size} by {threads}"
                );
            }
        }
    }

    #[test]
    fn a_stream_has_the_digest_of_its_bytes() {
        let bytes = vec![7; 300_000];
        let (digest, size) = digest_stream(&mut bytes.as_slice()).unwrap();
        assert_eq!((digest, size), (digest_bytes(&bytes), 300_000));
    }
}
