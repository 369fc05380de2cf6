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
//! A [`Digester`] remembers, so that a file which has not changed is not read again.
//!
//! # Limitations
//!
//! * A change that leaves size, modification and change time as they were (two
//!   writes within one tick of the file system's clock) is not seen.

mod cache;
mod digester;
mod hash;
mod subtrees;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use birthmark_core::digest::{Algorithm, Digest};
use rustix::fs::{CWD, OFlags};

pub use cache::{DigestCache, What};
pub use digester::{Content, Digester};
pub use hash::Pace;
use hash::{Input, SUBTREE};
pub(crate) use subtrees::{Part, Subtrees};

use crate::atomic::{self, PathContext, PathError};

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
            Self::NotAFile { .. } => Some(atomic::NOT_A_FILE.to_owned()),
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
    let (file, state) = open_still(path)?;
    let input = Input {
        file: &file,
        size: state.size,
        progress,
        pace: None,
    };
    digest_open(path, input, state, algorithm, threads())
}

/// As many threads as hash one file.
fn threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS)
}

/// The digest of an open file, which must be in the same state when it was read.
fn digest_open(
    path: &Path,
    input: Input<'_>,
    state: FileState,
    algorithm: Algorithm,
    threads: usize,
) -> Result<FileDigest, FileError> {
    let bytes = match algorithm {
        Algorithm::Sha256 => input.sha256(),
        Algorithm::Blake3 if state.size > SUBTREE && threads > 1 => input.blake3_threads(threads),
        Algorithm::Blake3 => input.blake3(),
    };
    match bytes {
        Ok(bytes) if state_of(input.file, path)? == state => Ok(FileDigest {
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
    open_still_in(CWD, path, path)
}

/// The same by its name in a folder that is held open; `path` is for messages.
pub(crate) fn open_still_in(
    folder: impl AsFd,
    name: &Path,
    path: &Path,
) -> Result<(File, FileState), FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags | OFlags::NOCTTY, 0.into()) {
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
                let (open, state) = open_still(file.path()).unwrap();
                let input = Input {
                    file: &open,
                    size: state.size,
                    progress: None,
                    pace: None,
                };
                let digest = digest_open(file.path(), input, state, Algorithm::Blake3, threads);
                let digest = digest.unwrap();
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
