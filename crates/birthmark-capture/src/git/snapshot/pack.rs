//! Many new objects as one pack, instead of a file for each.
//!
//! * A pack appears whole or not at all: it is written and synced under a name that git takes
//!   for a leftover (`tmp_pack_*`) and clears away by itself, then pack and index are renamed,
//!   the index last, since by that git knows the pack.
//! * Until a reference names what is in it, a `.keep` file beside it says to `git gc` and
//!   `git repack`, whoever runs them meanwhile, that it stays: as `git fetch` does it.
//! * Objects are whole, without deltas; git makes deltas when it packs anew.
//!
//! Limits: a process that dies before the reference is made leaves a pack, and perhaps its
//! `.keep` file; one that is an hour old goes when the next pack is made.

use std::fs::{File, Permissions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::hash::Kind as Format;
use gix::objs::Kind;
use tempfile::NamedTempFile;

use super::super::bundle::pack::entry;
use super::write::sync_folder;
use crate::clock;

/// What stands in the `.keep` file of a pack that nothing names yet.
const KEEP: &[u8] = b"birthmark: a snapshot is being made\n";
/// When such a file belongs to nobody any more, in microseconds.
const FORGOTTEN: i64 = 3_600_000_000;
/// Magic and version of a pack, before the number of its objects.
const PACK_HEAD: &[u8; 8] = b"PACK\0\0\0\x02";
/// Magic and version of an index.
const INDEX_HEAD: &[u8; 8] = b"\xfftOc\0\0\0\x02";
/// Offsets from here on stand in a table of their own.
const LARGE_OFFSET: u64 = 1 << 31;

/// Where an object stands in the pack.
struct Placed {
    id: ObjectId,
    crc: u32,
    offset: u64,
}

/// A pack that is being written. Dropped, it is gone.
pub(super) struct Pack {
    format: Format,
    file: BufWriter<NamedTempFile>,
    length: u64,
    placed: Vec<Placed>,
    buffer: Vec<u8>,
}

impl Pack {
    /// Begins one among the packs of a repository.
    pub(super) fn begin(git: &gix::Repository) -> Result<Self, String> {
        let folder = git.objects.store_ref().path().join("pack");
        let begin = || {
            std::fs::create_dir_all(&folder)?;
            let mut file = BufWriter::new(temporary(&folder, "tmp_pack_")?);
            file.write_all(PACK_HEAD)?;
            file.write_all(&[0; 4])?;
            Ok(file)
        };
        Ok(Self {
            format: git.object_hash(),
            file: begin().map_err(cannot)?,
            length: 12,
            placed: Vec::new(),
            buffer: Vec::new(),
        })
    }

    /// Writes one object, which must not be in it yet.
    pub(super) fn add(&mut self, id: ObjectId, kind: Kind, bytes: &[u8]) -> Result<(), String> {
        self.buffer.clear();
        entry(kind, bytes, &mut self.buffer)?;
        self.file.write_all(&self.buffer).map_err(cannot)?;
        self.placed.push(Placed {
            id,
            crc: crc32fast::hash(&self.buffer),
            offset: self.length,
        });
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    /// Puts it among the packs, synced, and with a `.keep` file beside it.
    pub(super) fn finish(mut self) -> Result<Packed, String> {
        self.placed.sort_unstable_by_key(|one| one.id);
        let count = u32::try_from(self.placed.len()).map_err(|_| "there are too many objects")?;
        let file = self
            .file
            .into_inner()
            .map_err(|error| cannot(error.into_error()))?;
        let sum = seal(&file, count, self.format)?;
        let folder = file.path().parent().unwrap_or(Path::new("")).to_owned();
        let index = index(&self.placed, sum, self.format)?;
        publish(&folder, file, &index, sum).map_err(cannot)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn cannot(error: std::io::Error) -> String {
    format!("a pack cannot be written: {error}")
}

/// A file that goes when it is dropped, by a name that git knows for a leftover.
fn temporary(folder: &Path, prefix: &str) -> std::io::Result<NamedTempFile> {
    // Nothing in a pack is written twice, so git lets nobody write.
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o444));
    builder.tempfile_in(folder)
}

/// Says in the head how many objects there are, and writes the hash of all of it behind them.
fn seal(file: &NamedTempFile, count: u32, format: Format) -> Result<ObjectId, String> {
    let mut file = file.as_file();
    file.seek(SeekFrom::Start(8)).map_err(cannot)?;
    file.write_all(&count.to_be_bytes()).map_err(cannot)?;
    file.seek(SeekFrom::Start(0)).map_err(cannot)?;
    let mut hasher = gix::hash::hasher(format);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut chunk = vec![0; 1 << 18];
    loop {
        match reader.read(&mut chunk).map_err(cannot)? {
            0 => break,
            read => hasher.update(chunk.get(..read).unwrap_or_default()),
        }
    }
    let sum = hasher.try_finalize();
    let sum = sum.map_err(|error| format!("a pack cannot be hashed: {error}"))?;
    file.write_all(sum.as_slice()).map_err(cannot)?;
    file.sync_all().map_err(cannot)?;
    Ok(sum)
}

/// The index of a pack, version 2: how many ids begin with up to each byte, the ids in
/// order, the sum of each entry's bytes, where it stands, and both hashes.
fn index(placed: &[Placed], pack: ObjectId, format: Format) -> Result<Vec<u8>, String> {
    let mut bytes = INDEX_HEAD.to_vec();
    let mut until = [0_u32; 256];
    for one in placed {
        until[usize::from(one.id.first_byte())] += 1;
    }
    let mut sum = 0;
    for count in until {
        sum += count;
        bytes.extend(sum.to_be_bytes());
    }
    for one in placed {
        bytes.extend(one.id.as_slice());
    }
    for one in placed {
        bytes.extend(one.crc.to_be_bytes());
    }
    let mut large = Vec::new();
    for one in placed {
        let short = u32::try_from(one.offset)
            .ok()
            .filter(|_| one.offset < LARGE_OFFSET);
        let word = short.unwrap_or_else(|| {
            let row = u32::try_from(large.len() / 8).unwrap_or(0);
            large.extend(one.offset.to_be_bytes());
            row | 1 << 31
        });
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(large);
    bytes.extend(pack.as_slice());
    let mut hasher = gix::hash::hasher(format);
    hasher.update(&bytes);
    let sum = hasher.try_finalize();
    let sum = sum.map_err(|error| format!("an index of a pack cannot be hashed: {error}"))?;
    bytes.extend(sum.as_slice());
    Ok(bytes)
}

/// Gives pack and index their names. A pack of this name that is there has the same bytes.
fn publish(
    folder: &Path,
    pack: NamedTempFile,
    index: &[u8],
    sum: ObjectId,
) -> std::io::Result<Packed> {
    let mut file = temporary(folder, "tmp_idx_")?;
    file.write_all(index)?;
    file.as_file().sync_all()?;
    remove_forgotten(folder);
    let keep = keep(&folder.join(format!("pack-{sum}.keep")))?;
    for (file, ending) in [(pack, "pack"), (file, "idx")] {
        let name = folder.join(format!("pack-{sum}.{ending}"));
        if !name.exists() {
            file.persist(name)?;
        }
    }
    Ok(Packed {
        folder: folder.to_owned(),
        _keep: keep,
    })
}

/// Makes the `.keep` file; `None` where another process has one there.
fn keep(path: &Path) -> std::io::Result<Option<Keep>> {
    match File::create_new(path) {
        Ok(mut file) => {
            let keep = Keep(path.to_owned());
            file.write_all(KEEP)?;
            Ok(Some(keep))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the `.keep` files of processes away that died before they could.
fn remove_forgotten(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_keep = path.extension().is_some_and(|ending| ending == "keep");
        if is_keep && is_forgotten(&path) {
            // One that cannot be removed keeps a pack longer than it must: no harm.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn is_forgotten(keep: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = keep.symlink_metadata() else {
        return false;
    };
    let age = clock::now_micros().saturating_sub(meta.mtime().saturating_mul(1_000_000));
    meta.is_file()
        && meta.len() == KEEP.len() as u64
        && age > FORGOTTEN
        && std::fs::read(keep).is_ok_and(|bytes| bytes == KEEP)
}

/// A pack that is there. While this value lives, nobody's `git gc` takes it.
#[derive(Debug)]
pub(super) struct Packed {
    folder: PathBuf,
    _keep: Option<Keep>,
}

impl Packed {
    /// Makes its name survive a power cut; the bytes are synced already.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        sync_folder(&self.folder)
    }
}

/// A `.keep` file of ours, which goes with this value.
#[derive(Debug)]
struct Keep(PathBuf);

impl Drop for Keep {
    fn drop(&mut self) {
        // What cannot be removed now goes when the next pack is made.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_tells_where_each_object_stands_beyond_two_gigabytes_too() {
        for format in [Format::Sha1, Format::Sha256] {
            let offsets = [12, LARGE_OFFSET - 1, LARGE_OFFSET, 12 << 30];
            let id = |number: usize| {
                let mut bytes = vec![0; format.len_in_bytes()];
                bytes[0] = u8::try_from(number * 80).unwrap();
                ObjectId::from_bytes_or_panic(&bytes)
            };
            let placed: Vec<Placed> = offsets
                .iter()
                .enumerate()
                .map(|(number, offset)| Placed {
                    id: id(number),
                    crc: 7,
                    offset: *offset,
                })
                .collect();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pack-1.idx");
            std::fs::File::create_new(&path)
                .unwrap()
                .write_all(&index(&placed, id(3), format).unwrap())
                .unwrap();
            let read = gix::odb::pack::index::File::at(&path, format).unwrap();
            for (number, offset) in offsets.iter().enumerate() {
                let row = read.lookup(id(number)).unwrap();
                assert_eq!(read.pack_offset_at_index(row), *offset);
                assert_eq!(read.crc32_at_index(row), Some(7));
            }
            assert_eq!(
                read.lookup(id(0)).map(|row| read.oid_at_index(row)),
                Some(&*id(0))
            );
        }
    }
}
