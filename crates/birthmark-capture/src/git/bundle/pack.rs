//! A pack of whole objects.

use std::collections::HashSet;
use std::io::Write;

use gix::ObjectId;
use gix::objs::Kind;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;

use super::super::database::Database;
use super::End;

/// Writes the pack behind what is in `bytes`; fails where that grows over `limit`.
pub(super) fn write(
    sources: &[(&Database, &[ObjectId])],
    limit: u64,
    end: End<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), String> {
    let start = bytes.len();
    let format = sources.first().map(|(database, _)| database.hash_kind());
    let format = format.unwrap_or(gix::hash::Kind::Sha1);
    // Repositories within each other may hold the same object.
    let mut seen = HashSet::new();
    let mut objects = Vec::new();
    for (database, ids) in sources {
        if database.hash_kind() != format {
            return Err("repositories of several formats do not fit one bundle".to_owned());
        }
        let new = ids.iter().filter(|id| seen.insert(**id));
        objects.extend(new.map(|id| (database, *id)));
    }
    let count = u32::try_from(objects.len()).map_err(|_| "there are too many objects")?;
    bytes.extend(b"PACK");
    bytes.extend(2_u32.to_be_bytes());
    bytes.extend(count.to_be_bytes());
    for (database, id) in objects {
        end.check("the bundle could not be written in time")?;
        let (kind, data) = database.find(id)?;
        let held = gix::objs::compute_hash(format, kind, &data);
        if !held.is_ok_and(|held| held == id) {
            return Err(format!("the object {id} is damaged"));
        }
        entry(kind, &data, bytes)?;
        if bytes.len() as u64 > limit {
            return Err(format!("it would be over {} MB", limit / 1_000_000));
        }
    }
    let mut hasher = gix::hash::hasher(format);
    hasher.update(&bytes[start..]);
    let sum = hasher
        .try_finalize()
        .map_err(|error| format!("the pack cannot be hashed: {error}"))?;
    bytes.extend(sum.as_slice());
    Ok(())
}

/// The number that a pack has for a kind of object.
pub(super) fn number_of(kind: Kind) -> u8 {
    match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    }
}

/// Writes one whole object behind what is in `bytes`.
pub(in crate::git) fn entry(kind: Kind, data: &[u8], bytes: &mut Vec<u8>) -> Result<(), String> {
    // Four bits of the size stand with the kind, then seven a byte, the lowest first.
    let mut size = data.len() as u64;
    let mut byte = number_of(kind) << 4 | u8::try_from(size & 0x0f).unwrap_or(0);
    size >>= 4;
    while size > 0 {
        bytes.push(byte | 0x80);
        byte = u8::try_from(size & 0x7f).unwrap_or(0);
        size >>= 7;
    }
    bytes.push(byte);
    let cannot = |error: std::io::Error| format!("an object cannot be compressed: {error}");
    let mut compressor = deflate::Write::new(bytes, Compression::BEST_SPEED);
    compressor.write_all(data).map_err(cannot)?;
    compressor.flush().map_err(cannot)
}
