//! Reading a bundle of our own.
//!
//! Nothing in it is believed: sizes are bounded by what is there, every object is hashed to
//! its id, and the sum of the pack must hold.

use std::collections::HashMap;

use gix::ObjectId;
use gix::objs::Kind;
use gix::zlib::{Decompress, FlushDecompress, Status};

/// No object of a bundle is larger.
const LARGEST: u64 = 2 << 30;

/// An object of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub(in super::super) kind: Kind,
    pub(in super::super) bytes: Vec<u8>,
}

/// A bundle that was read.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// Commits that it needs.
    pub prerequisites: Vec<String>,
    /// What it names: reference and commit.
    pub references: Vec<(String, String)>,
    pub(in super::super) format: gix::hash::Kind,
    pub(in super::super) objects: HashMap<ObjectId, Packed>,
}

/// Reads a whole bundle.
pub fn unpack(bytes: &[u8]) -> Result<Unpacked, String> {
    let mut lines = Lines { rest: bytes };
    let mut format = gix::hash::Kind::Sha1;
    match lines.next()? {
        b"# v2 git bundle" | b"# v3 git bundle" => {}
        _ => return Err("it is no git bundle".to_owned()),
    }
    let (mut prerequisites, mut references) = (Vec::new(), Vec::new());
    loop {
        let line = std::str::from_utf8(lines.next()?).map_err(|_| "its head is no text")?;
        if line.is_empty() {
            break;
        } else if let Some(name) = line.strip_prefix("@object-format=") {
            format = match name {
                "sha1" => gix::hash::Kind::Sha1,
                "sha256" => gix::hash::Kind::Sha256,
                other => return Err(format!("its objects are {other}, which is not known")),
            };
        } else if let Some(option) = line.strip_prefix('@') {
            return Err(format!("it wants {option}, which is not known"));
        } else if let Some(needed) = line.strip_prefix('-') {
            let id = needed.split(' ').next().unwrap_or(needed);
            prerequisites.push(id.to_owned());
        } else if let Some((id, name)) = line.split_once(' ') {
            references.push((name.to_owned(), id.to_owned()));
        } else {
            return Err("its head is damaged".to_owned());
        }
    }
    Ok(Unpacked {
        objects: objects(lines.rest, format)?,
        prerequisites,
        references,
        format,
    })
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a [u8], String> {
        let end = self
            .rest
            .iter()
            .take(1 << 16)
            .position(|byte| *byte == b'\n');
        let end = end.ok_or("its head is cut off")?;
        let (line, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        Ok(line)
    }
}

fn objects(pack: &[u8], format: gix::hash::Kind) -> Result<HashMap<ObjectId, Packed>, String> {
    let damaged = || "its pack is damaged".to_owned();
    let body = pack
        .len()
        .checked_sub(format.len_in_bytes())
        .ok_or_else(damaged)?;
    let (body, sum) = pack.split_at(body);
    let mut hasher = gix::hash::hasher(format);
    hasher.update(body);
    if hasher.try_finalize().map_err(|_| damaged())?.as_slice() != sum {
        return Err(damaged());
    }
    let head = body.get(..12).ok_or_else(damaged)?;
    if !head.starts_with(b"PACK\0\0\0\x02") {
        return Err("its pack is of another version".to_owned());
    }
    let count = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    let mut rest = &body[12..];
    let mut objects = HashMap::new();
    for _ in 0..count {
        let object = entry(&mut rest)?;
        let id = gix::objs::compute_hash(format, object.kind, &object.bytes);
        objects.insert(id.map_err(|_| damaged())?, object);
    }
    if !rest.is_empty() {
        return Err(damaged());
    }
    Ok(objects)
}

fn entry(rest: &mut &[u8]) -> Result<Packed, String> {
    let damaged = || "its pack is damaged".to_owned();
    let mut next = || -> Result<u8, String> {
        let (byte, after) = rest.split_first().ok_or_else(damaged)?;
        *rest = after;
        Ok(*byte)
    };
    let first = next()?;
    let (mut size, mut shift, mut byte) = (u64::from(first & 0x0f), 4_u32, first);
    while byte & 0x80 != 0 {
        byte = next()?;
        if shift > 53 {
            return Err(damaged());
        }
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
    }
    let kind = match (first >> 4) & 7 {
        1 => Kind::Commit,
        2 => Kind::Tree,
        3 => Kind::Blob,
        4 => Kind::Tag,
        _ => return Err("its pack holds deltas, and none of ours does".to_owned()),
    };
    if size > LARGEST {
        return Err("an object in it is too large".to_owned());
    }
    let bytes = inflate(rest, size)?;
    Ok(Packed { kind, bytes })
}

/// Inflates one stream of exactly `size` bytes. Memory grows with what comes out, not with
/// what is claimed.
fn inflate(rest: &mut &[u8], size: u64) -> Result<Vec<u8>, String> {
    let damaged = || "its pack is damaged".to_owned();
    let mut state = Decompress::new();
    let mut out = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state
            .decompress(rest, &mut buffer, FlushDecompress::None)
            .map_err(|_| damaged())?;
        let read = usize::try_from(state.total_in() - before_in).map_err(|_| damaged())?;
        let made = usize::try_from(state.total_out() - before_out).map_err(|_| damaged())?;
        *rest = rest.get(read..).ok_or_else(damaged)?;
        out.extend_from_slice(&buffer[..made]);
        if out.len() as u64 > size {
            return Err(damaged());
        }
        match status {
            Status::StreamEnd if out.len() as u64 == size => return Ok(out),
            Status::StreamEnd => return Err(damaged()),
            _ if read == 0 && made == 0 => return Err(damaged()),
            _ => {}
        }
    }
}
