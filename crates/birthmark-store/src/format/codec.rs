//! Packed text: gzip and Zstandard around the lines of a JSONL file.
//!
//! What is written is one gzip member or one Zstandard frame, whatever its size,
//! since some readers stop, without a word, after the first. Gzip is packed in
//! pieces by all processors, each piece a run of deflate blocks that ends on a
//! whole byte; Zstandard has threads of its own.
//!
//! # Invariants
//!
//! * Reading holds at most one window in memory, and ends with an error where the
//!   text grows out of proportion to what was packed: see [`Codec::most_ratio`].
//! * A stream that is cut short is an error, never a short file.
//! * Zeros behind a gzip stream are padding, as to `gzip` itself; anything else there is an error
//!   that says so, where `gzip` warns of it and drops it.
//!
//! # Limitations
//!
//! * Zstandard streams with a window of more than 128 MiB (`--long=28` and more)
//!   are refused, as by most programs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use birthmark_core::digest::{Algorithm, Digest};
use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::stream::raw::CParameter;
use zstd::stream::{read, write};

use crate::bulk::{self, Output};

/// Text that is smaller than this may have any ratio, in bytes.
const SMALL: u64 = 64 << 20;
/// A gzip header without name and time, so that the same text gives the same bytes.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last, empty deflate block.
const GZIP_LAST: [u8; 2] = [3, 0];
/// What one thread of Zstandard packs at a time, in bytes: small, as each job is held in
/// memory several times.
const ZSTD_JOB: u32 = 1 << 20;
/// What is written before it is hashed, in bytes: a subtree of BLAKE3's tree, since those are
/// hashed quickest. Each piece is a whole number of such parts.
const AT_ONCE: usize = 128 << 10;
/// More threads than this wait for the thread that feeds them.
const MOST_THREADS: usize = 8;

/// How a file's text is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// The codec of a file, by the end of its name.
    pub fn of(path: &Path) -> Self {
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// Text may be this many times larger than its packed form, and no more. Records
    /// that share a birthmark pack well: some hundred times by either.
    pub const fn most_ratio(self) -> u64 {
        match self {
            Self::Plain => 1,
            Self::Gzip => 1_000,
            Self::Zstd => 10_000,
        }
    }

    /// The text of `input`.
    pub fn unpack<'a>(
        self,
        input: Box<dyn Read + Send + 'a>,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        if self == Self::Plain {
            return Ok(input);
        }
        let packed = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            input: BufReader::with_capacity(AT_ONCE, input),
            count: Arc::clone(&packed),
        };
        let text: Box<dyn Read + Send + 'a> = if self == Self::Gzip {
            Box::new(Members(Some(GzDecoder::new(counted))))
        } else {
            Box::new(read::Decoder::with_buffer(counted)?)
        };
        Ok(Box::new(Guarded {
            text,
            packed,
            unpacked: 0,
            most: self.most_ratio(),
        }))
    }

    /// What a worker makes of some text before it is written.
    pub(super) fn pack(self, text: &[u8], piece: &mut Piece) -> io::Result<()> {
        piece.packed.clear();
        if self != Self::Gzip {
            return Ok(());
        }
        piece.sum = crc32fast::Hasher::new();
        piece.sum.update(text);
        deflate(text, &mut piece.packed)
    }
}

/// Why packed text cannot be read to its end.
#[derive(Debug, thiserror::Error)]
enum Unpackable {
    #[error("the packed text is cut short")]
    CutShort,
    #[error("it unpacks to more than {most} times its size, as only a bomb does")]
    Bomb { most: u64 },
    #[error("its text is whole, and behind it stands what is no gzip: {bytes} bytes")]
    Behind { bytes: u64 },
    /// In the words of who unpacks.
    #[error("{0}")]
    Damaged(String),
}

/// What can be done about packed text that this error is of.
pub(crate) fn way_out(error: &io::Error) -> Option<&'static str> {
    let why = error.get_ref()?.downcast_ref::<Unpackable>()?;
    Some(match why {
        Unpackable::CutShort => {
            "copy it again from where it is whole; `gzip -dc` or `zstd -dc` gives what is there"
        }
        Unpackable::Bomb { .. } => {
            "if you trust it, unpack it (`gzip -dc`, `zstd -dc`) and name what comes out"
        }
        Unpackable::Behind { .. } => {
            "`gzip -dc` gives the text, and drops what stands behind it with a warning; pack that anew"
        }
        Unpackable::Damaged(_) => {
            "copy it again from where it is whole; if it is no packed text, name it otherwise"
        }
    })
}

/// Counts what is taken out of it: what was read ahead says nothing of what was unpacked.
struct Counted<'a> {
    input: BufReader<Box<dyn Read + Send + 'a>>,
    count: Arc<AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.count.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.count.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// The members of a gzip stream, one behind the other; none at the end.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let got = member.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            let rest = self.0.take().map(GzDecoder::into_inner);
            if let Some(mut rest) = rest
                && another_begins(&mut rest)?
            {
                self.0 = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Whether another member follows behind one that is whole. Else what follows is read to its end.
fn another_begins(rest: &mut impl BufRead) -> io::Result<bool> {
    if rest.fill_buf()?.first() == GZIP_HEADER.first() {
        return Ok(true);
    }
    let (mut bytes, mut is_padding) = (0_u64, true);
    loop {
        crate::stop::check()?;
        let next = rest.fill_buf()?;
        let count = next.len();
        if count == 0 {
            break;
        }
        is_padding &= next.iter().all(|byte| *byte == 0);
        bytes += count as u64;
        rest.consume(count);
    }
    if is_padding {
        return Ok(false);
    }
    Err(io::Error::other(Unpackable::Behind { bytes }))
}

struct Guarded<'a> {
    text: Box<dyn Read + Send + 'a>,
    packed: Arc<AtomicU64>,
    unpacked: u64,
    most: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.text.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), Unpackable::CutShort),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                io::Error::new(error.kind(), Unpackable::Damaged(error.to_string()))
            }
            _ => error,
        })?;
        self.unpacked += got as u64;
        if self.unpacked > SMALL && self.unpacked / self.most > self.packed.load(Ordering::Relaxed)
        {
            return Err(io::Error::other(Unpackable::Bomb { most: self.most }));
        }
        Ok(got)
    }
}

/// A run of deflate blocks, none of them the last, that ends on a whole byte.
fn deflate(text: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut compress = Compress::new(Compression::default(), false);
    out.reserve(text.len() / 3 + 64);
    loop {
        let done = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = text.get(done..).unwrap_or_default();
        let status = compress.compress_vec(rest, out, FlushCompress::Sync)?;
        let all_in = compress.total_in() == text.len() as u64;
        if status == Status::StreamEnd || (all_in && out.len() < out.capacity()) {
            return Ok(());
        }
        out.reserve(64 << 10);
    }
}

/// Some packed text, and what is to be known of it.
#[derive(Default)]
pub(super) struct Piece {
    packed: Vec<u8>,
    sum: crc32fast::Hasher,
}

/// Takes text in order and writes it packed.
pub(super) enum Packer<'a> {
    Plain(Tee<'a>),
    Gzip {
        tee: Tee<'a>,
        sum: crc32fast::Hasher,
        length: u64,
    },
    Zstd(write::Encoder<'static, Tee<'a>>),
}

impl<'a> Packer<'a> {
    pub(super) fn new(codec: Codec, output: &'a mut dyn Output) -> io::Result<Self> {
        let mut tee = Tee::new(output)?;
        Ok(match codec {
            Codec::Plain => Self::Plain(tee),
            Codec::Gzip => {
                tee.write_all(&GZIP_HEADER)?;
                Self::Gzip {
                    tee,
                    sum: crc32fast::Hasher::new(),
                    length: 0,
                }
            }
            Codec::Zstd => {
                let mut encoder = write::Encoder::new(tee, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                let threads = std::thread::available_parallelism()
                    .map_or(1, usize::from)
                    .min(MOST_THREADS);
                // A machine that gives no threads packs by itself.
                let _ = encoder.multithread(u32::try_from(threads).unwrap_or(1));
                encoder.set_parameter(CParameter::JobSize(ZSTD_JOB))?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Where text that is not packed goes, bit by bit.
    pub(super) fn plain(&mut self) -> Option<&mut Tee<'a>> {
        match self {
            Self::Plain(tee) => Some(tee),
            Self::Gzip { .. } | Self::Zstd(_) => None,
        }
    }

    /// Writes `text`, of which [`Codec::pack`] made `piece`.
    pub(super) fn put(&mut self, text: &[u8], piece: &Piece) -> io::Result<()> {
        match self {
            Self::Plain(tee) => tee.write_all(text),
            Self::Gzip { tee, sum, length } => {
                sum.combine(&piece.sum);
                *length += text.len() as u64;
                tee.write_all(&piece.packed)
            }
            Self::Zstd(encoder) => encoder.write_all(text),
        }
    }

    /// Ends the stream where it is, by an error that counts for more than another here: through
    /// a pipe all that comes before the error has gone out.
    pub(super) fn break_off(self) {
        if let Self::Plain(tee) = self {
            let _ = tee.finish();
        }
    }

    /// Ends the stream: how many bytes were written, and their digest.
    pub(super) fn finish(self) -> io::Result<(u64, Digest)> {
        let tee = match self {
            Self::Plain(tee) => tee,
            Self::Gzip {
                mut tee,
                sum,
                length,
            } => {
                tee.write_all(&GZIP_LAST)?;
                tee.write_all(&sum.finalize().to_le_bytes())?;
                // The format keeps the length modulo 2^32.
                let short = u32::try_from(length & u64::from(u32::MAX)).unwrap_or_default();
                tee.write_all(&short.to_le_bytes())?;
                tee
            }
            Self::Zstd(encoder) => encoder.finish()?,
        };
        tee.finish()
    }
}

/// Writes, and digests what it writes.
pub(super) struct Tee<'a> {
    output: &'a mut dyn Output,
    piece: bulk::Piece,
    /// How far the piece was hashed.
    hashed: usize,
    hasher: blake3::Hasher,
    length: u64,
}

impl<'a> Tee<'a> {
    pub(super) fn new(output: &'a mut dyn Output) -> io::Result<Self> {
        let piece = output.piece()?;
        Ok(Self {
            output,
            piece,
            hashed: 0,
            hasher: blake3::Hasher::new(),
            length: 0,
        })
    }

    /// Takes all bytes.
    #[inline]
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        loop {
            let left = self.hashed + AT_ONCE - self.piece.filled();
            if bytes.len() < left {
                self.piece.fill(bytes);
                return Ok(());
            }
            let (now, later) = bytes.split_at(left);
            self.piece.fill(now);
            bytes = later;
            self.part_is_full()?;
        }
    }

    /// What was just copied lies in the processor's own cache still when it is hashed.
    fn part_is_full(&mut self) -> io::Result<()> {
        let new = self.piece.bytes().get(self.hashed..);
        self.hasher.update(new.unwrap_or_default());
        self.hashed = self.piece.filled();
        if self.piece.room() > 0 {
            return Ok(());
        }
        self.hashed = 0;
        self.output.exchange(&mut self.piece)
    }

    /// Of all that was written so far.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = self.hasher.clone();
        hasher.update(self.piece.bytes().get(self.hashed..).unwrap_or_default());
        Digest {
            algorithm: Algorithm::Blake3,
            bytes: *hasher.finalize().as_bytes(),
        }
    }

    /// Ends the stream: how many bytes were written, and their digest.
    pub(super) fn finish(self) -> io::Result<(u64, Digest)> {
        self.output.write_all(self.piece.bytes())?;
        Ok((self.length, self.digest()))
    }
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        Ok(bytes.len())
    }

    /// What was written goes out with its piece, or at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
