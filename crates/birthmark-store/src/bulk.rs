//! Writing large files: straight to the disk, by a thread beside.
//!
//! What is synced before it gets its name need not lie in the page cache first. Copying a
//! gigabyte there costs as much as checking it, and the kernel then holds the writer back until
//! it has cleaned the cache up. So a large file is written with `O_DIRECT`, in large aligned
//! pieces, while the next are being made. Who fills the pieces hands them over as they are:
//! nothing is copied on the way.
//!
//! # Invariants
//!
//! * The bytes are those that were written, in order, whatever the file system can do: where it
//!   refuses direct writing, the rest goes through the page cache.
//! * After [`Bulk::finish`] the file is no longer in direct mode.
//!
//! # Limits
//!
//! * Nothing is synced here.
//! * Four pieces of two megabytes are held in memory: one is written, one filled, and two wait,
//!   since disks are not always equally quick.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use memmap2::{Advice, MmapMut};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Files smaller than this are written as ever, in bytes.
const LARGE: u64 = 16 << 20;
/// What is written at once, in bytes: a huge page, of which the kernel takes hold at once.
const PIECE: usize = 2 << 20;
/// A piece of what is not written directly: it stays in the processor's own cache.
const SMALL_PIECE: usize = 256 << 10;
/// To what disks want memory, offset and length aligned, at most.
const ALIGNED: usize = 4096;
/// Pieces that wait for the disk.
const WAITING: usize = 2;

/// A stream that can be written to in whole pieces.
pub trait Output: Write {
    /// An empty piece, to be filled and handed over.
    fn piece(&mut self) -> io::Result<Piece> {
        Piece::new(SMALL_PIECE)
    }

    /// Takes a full piece, and leaves an empty one, after an error too.
    fn exchange(&mut self, piece: &mut Piece) -> io::Result<()> {
        let written = self.write_all(piece.bytes());
        piece.filled = 0;
        written
    }
}

impl Output for Vec<u8> {}
impl Output for io::Sink {}
impl Output for &mut (dyn Write + '_) {}

/// Writes to a new, empty file.
#[derive(Debug)]
pub struct Bulk<'a> {
    file: &'a File,
    /// What came in bytes and not in pieces.
    piece: Option<Piece>,
    /// None while nothing was handed over, or where there is no thread to be had.
    worker: Option<Worker>,
    direct: bool,
}

/// Memory that disks take as it lies.
#[derive(Debug)]
pub struct Piece {
    memory: MmapMut,
    filled: usize,
}

#[derive(Debug)]
struct Worker {
    pieces: SyncSender<Piece>,
    spare: Receiver<Piece>,
    /// Whether direct writing went well up to the end.
    thread: JoinHandle<io::Result<bool>>,
}

impl<'a> Bulk<'a> {
    /// For a file that will have about so many bytes.
    pub fn new(file: &'a File, expected: u64) -> Self {
        let direct = expected >= LARGE && set_direct(file, true).is_ok();
        Self {
            file,
            piece: None,
            worker: None,
            direct,
        }
    }

    /// Writes what is left. Without this call it is lost.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(worker) = self.worker.take() {
            self.direct = worker.end()?;
        }
        let last = self.piece.as_ref().map_or(&[][..], Piece::bytes);
        let whole = last.len() - last.len() % ALIGNED;
        let mut rest = last;
        if self.direct {
            self.direct = put(self.file, last.get(..whole).unwrap_or_default(), true)?;
            rest = last.get(whole..).unwrap_or_default();
            set_direct(self.file, false)?;
        }
        put(self.file, rest, false).map(|_| ())
    }

    fn hand_over(&mut self, piece: &mut Piece) -> io::Result<()> {
        if self.direct && self.worker.is_none() {
            self.worker = Worker::start(self.file)?;
        }
        let Some(worker) = &self.worker else {
            let written = put(self.file, piece.bytes(), self.direct);
            piece.filled = 0;
            self.direct = written?;
            return Ok(());
        };
        let empty = worker.spare.try_recv().or_else(|_| Piece::new(PIECE))?;
        let full = std::mem::replace(piece, empty);
        if worker.pieces.send(full).is_err() {
            // It ended early: with the reason why.
            let ended = self.worker.take().map(Worker::end);
            let error = ended.and_then(Result::err);
            return Err(error.unwrap_or_else(|| io::Error::other("its writing thread ended")));
        }
        Ok(())
    }
}

impl Output for Bulk<'_> {
    fn piece(&mut self) -> io::Result<Piece> {
        Piece::new(if self.direct { PIECE } else { SMALL_PIECE })
    }

    fn exchange(&mut self, piece: &mut Piece) -> io::Result<()> {
        if self.piece.is_none() && piece.room() == 0 {
            return self.hand_over(piece);
        }
        let written = self.write_all(piece.bytes());
        piece.filled = 0;
        written
    }
}

impl Write for Bulk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut piece = match self.piece.take() {
            Some(piece) => piece,
            None => self.piece()?,
        };
        if piece.room() == 0 {
            self.hand_over(&mut piece)?;
        }
        Ok(self.piece.insert(piece).fill(bytes))
    }

    /// What was written goes to the file at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Piece {
    fn new(size: usize) -> io::Result<Self> {
        let memory = MmapMut::map_anon(size)?;
        if size.is_multiple_of(PIECE) {
            // Where the kernel has no huge pages, small ones do.
            let _ = memory.advise(Advice::HugePage);
        }
        Ok(Self { memory, filled: 0 })
    }

    /// How many bytes it has.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// How many more it takes.
    pub fn room(&self) -> usize {
        self.memory.len() - self.filled
    }

    /// Takes as many bytes as there is room for: says how many.
    #[inline]
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        let place = self.memory.get_mut(self.filled..self.filled + count);
        let Some((place, bytes)) = place.zip(bytes.get(..count)) else {
            return 0;
        };
        place.copy_from_slice(bytes);
        self.filled += count;
        count
    }

    /// What it was filled with.
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(..self.filled).unwrap_or_default()
    }
}

impl Worker {
    fn start(file: &File) -> io::Result<Option<Self>> {
        let file = file.try_clone()?;
        let (pieces, full) = sync_channel::<Piece>(WAITING);
        let (emptied, spare) = sync_channel::<Piece>(WAITING + 1);
        let write = move || {
            let mut direct = true;
            for mut piece in full {
                direct = put(&file, piece.bytes(), direct)?;
                piece.filled = 0;
                // At the end nobody wants it back.
                let _ = emptied.try_send(piece);
            }
            Ok(direct)
        };
        let thread = std::thread::Builder::new()
            .name("birthmark-write".to_owned())
            .spawn(write);
        Ok(thread.ok().map(|thread| Self {
            pieces,
            spare,
            thread,
        }))
    }

    fn end(self) -> io::Result<bool> {
        drop(self.pieces);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("its writing thread ended")))
    }
}

/// Writes all bytes; says whether the next may be written directly too. A file system that
/// does not take them directly gets them through the page cache.
fn put(mut file: &File, mut bytes: &[u8], mut direct: bool) -> io::Result<bool> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if direct && error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                set_direct(file, false)?;
                direct = false;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(direct)
}

fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests read what was written")]

    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        let mut bytes = vec![0_u8; count];
        let mut state = 7_u32;
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
        bytes
    }

    #[test]
    fn bytes_of_any_length_are_written_as_they_are_directly_or_not() {
        let all = bytes(3 * PIECE + 5);
        let folders = [
            tempfile::tempdir().unwrap(),
            tempfile::tempdir_in(".").unwrap(),
        ];
        for folder in &folders {
            for count in [0, 1, ALIGNED, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5] {
                for expected in [0, LARGE] {
                    let path = folder.path().join("file");
                    let file = File::create(&path).unwrap();
                    let mut bulk = Bulk::new(&file, expected);
                    for part in all[..count].chunks(70_001) {
                        bulk.write_all(part).unwrap();
                    }
                    bulk.finish().unwrap();
                    assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT));
                    assert!(std::fs::read(&path).unwrap() == all[..count], "{count}");
                }
            }
        }
    }

    #[test]
    fn file_that_takes_no_unaligned_bytes_directly_gets_them_all_the_same() {
        let folder = tempfile::tempdir_in(".").unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"odd").unwrap();
        let all = bytes(2 * PIECE + 1);
        let mut bulk = Bulk::new(&file, LARGE);
        bulk.write_all(&all).unwrap();
        bulk.finish().unwrap();
        assert!(std::fs::read(&path).unwrap()[3..] == all);
    }

    #[test]
    fn failing_disk_is_an_error_that_says_why() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let mut bulk = Bulk::new(&file, LARGE);
        let written = bulk
            .write_all(&bytes(4 * PIECE))
            .and_then(|()| bulk.finish());
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
