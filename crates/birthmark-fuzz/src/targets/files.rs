//! Each format that an artifact may have.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use birthmark_store::bulk::Output;
use birthmark_store::format::zip::Zip;
use birthmark_store::format::{FileKind, Input, OnExisting, Same, gguf};

use super::Run;
use crate::watch::write;

const MARK: &[u8] = br#"{"git_commit":"0123456789012345678901234567890123456789","timestamp":"2026-01-01T00:00:00.000000+00:00","artifact_type":"a","birthmark":"birthmark/v1"}"#;

/// Reads, stamps, unstamps and digests a file, as far as it lets itself.
fn whole(path: &Path) {
    let Some(kind) = FileKind::of(path) else {
        return;
    };
    let format = kind.format();
    with(path, |input| {
        drop(format.read(input, &mut |mark| {
            let _ = mark.map(|mark| mark.value().map(<[u8]>::len));
            true
        }));
    });
    let content = with(path, |input| format.content_digest(input).ok()).flatten();
    let stamped = beside(path, "stamped");
    let Some(done) = rewritten(path, &stamped, |input, out| {
        format
            .stamp(input, out, &Same(MARK), OnExisting::Error)
            .is_ok()
    }) else {
        return;
    };
    if !done {
        return;
    }
    let again = with(&stamped, |input| format.content_digest(input).ok()).flatten();
    if let (Some(before), Some(after)) = (content, again) {
        assert_eq!(
            before.digest, after.digest,
            "stamping left the content as it was"
        );
    }
    let _ = rewritten(&stamped, &beside(path, "bare"), |input, out| {
        format.unstamp(input, out).is_ok()
    });
}

fn beside(path: &Path, name: &str) -> PathBuf {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}-{file}"))
}

fn with<T>(path: &Path, read: impl FnOnce(Input<'_>) -> T) -> Option<T> {
    let mut file = File::open(path).ok()?;
    Some(read(Input {
        name: path,
        bytes: &mut file,
    }))
}

fn rewritten(
    path: &Path,
    to: &Path,
    make: impl FnOnce(Input<'_>, &mut dyn Output) -> bool,
) -> Option<bool> {
    let mut out = Limited {
        left: 64 << 20,
        bytes: Vec::new(),
    };
    let done = with(path, |input| make(input, &mut out))?;
    write(to, &out.bytes);
    Some(done)
}

/// A writer that is full some time.
struct Limited {
    left: usize,
    bytes: Vec<u8>,
}

impl Output for Limited {}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.left {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn file(folder: &Path, name: &str) -> Run {
    let path = folder.join(name);
    Box::new(move |bytes| {
        write(&path, bytes);
        whole(&path);
    })
}

pub(super) fn jsonl(folder: &Path) -> Run {
    file(folder, "a.jsonl")
}

pub(super) fn gzip(folder: &Path) -> Run {
    file(folder, "a.jsonl.gz")
}

pub(super) fn zstd(folder: &Path) -> Run {
    file(folder, "a.jsonl.zst")
}

pub(super) fn report(folder: &Path) -> Run {
    file(folder, "a.json")
}

pub(super) fn parquet(folder: &Path) -> Run {
    file(folder, "a.parquet")
}

pub(super) fn safetensors(folder: &Path) -> Run {
    file(folder, "a.safetensors")
}

/// Damaged text in sound packing: what a checksum would otherwise keep from the reader.
pub(super) fn packed_text(folder: &Path) -> Run {
    let (gz, zst) = (folder.join("a.jsonl.gz"), folder.join("a.jsonl.zst"));
    Box::new(move |bytes| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        if packer.write_all(bytes).is_ok()
            && let Ok(packed) = packer.finish()
        {
            write(&gz, &packed);
            whole(&gz);
        }
        if let Ok(packed) = ::zstd::encode_all(bytes, 1) {
            write(&zst, &packed);
            whole(&zst);
        }
    })
}

pub(super) fn gguf(_: &Path) -> Run {
    Box::new(|bytes| {
        let mut input = bytes;
        let _ = gguf::read(&mut input as &mut dyn Read);
    })
}

pub(super) fn zip(folder: &Path) -> Run {
    let path = folder.join("a.eval");
    Box::new(move |bytes| {
        write(&path, bytes);
        let Ok(mut archive) = Zip::open(&path) else {
            return;
        };
        for entry in archive.entries.clone().into_iter().take(50) {
            let _ = archive.read(&entry, 8 << 20);
        }
        let _ = birthmark::evaluation::read(&path);
    })
}

fn evaluation_at(path: &Path) {
    let _ = birthmark::evaluation::is_report(path);
    if let Ok(Some(found)) = birthmark::evaluation::read(path) {
        let _ = format!("{found:?}");
    }
}

pub(super) fn evaluation(folder: &Path) -> Run {
    let path = folder.join("results.json");
    Box::new(move |bytes| {
        write(&path, bytes);
        evaluation_at(&path);
    })
}

/// Damaged members of a sound log of Inspect.
pub(super) fn inspect(folder: &Path) -> Run {
    let path = folder.join("a.eval");
    Box::new(move |bytes| {
        let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
        let names = ["header.json", "summaries.json", "samples/1_epoch_1.json"];
        let members: Vec<(&str, &[u8])> = names
            .into_iter()
            .map(|name| (name, parts.next().unwrap_or(b"{}")))
            .collect();
        write(&path, &stored_zip(&members));
        evaluation_at(&path);
    })
}

/// A zip file whose members are stored as they are.
fn stored_zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let small = |number: usize| u16::try_from(number).unwrap_or(0).to_le_bytes();
    let long = |number: usize| u32::try_from(number).unwrap_or(0).to_le_bytes();
    for (name, bytes) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut about = Vec::new();
        about.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x5a]);
        about.extend(crc.sum().to_le_bytes());
        about.extend(long(bytes.len()));
        about.extend(long(bytes.len()));
        about.extend(small(name.len()));
        about.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&about);
        directory.extend([0; 10]);
        directory.extend(long(out.len()));
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&about);
        out.extend(name.as_bytes());
        out.extend(*bytes);
    }
    let at = out.len();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(small(members.len()));
    out.extend(small(members.len()));
    out.extend(long(directory.len()));
    out.extend(long(at));
    out.extend([0, 0]);
    out
}

/// One file under many names: what looks at any file, looks at it.
pub(super) fn any_file(folder: &Path) -> Run {
    let project = birthmark::Project::find(folder).ok();
    let names = [
        "a.jsonl",
        "a.json",
        "a.txt",
        "a.safetensors",
        "a.parquet",
        "a.gguf",
        "a.pt",
    ];
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let mut turn = 0;
    Box::new(move |bytes| {
        let Some(project) = &project else { return };
        turn = (turn + 1) % paths.len();
        let Some(path) = paths.get(turn) else { return };
        write(path, bytes);
        let now = birthmark_core::Timestamp::from_micros(1_750_000_000_000_000);
        let _ = birthmark::read::read(path, None);
        let _ = birthmark::read::read(path, Some(2));
        let _ = birthmark::show::show(project, path, Some(1), now);
        let options = birthmark::verify::Options::at(now);
        let _ = birthmark::verify::verify(project, std::slice::from_ref(path), &options);
        let _ = birthmark::dataset::digests(path);
        let _ = birthmark::scan::scan(project, std::slice::from_ref(path)).render();
    })
}
