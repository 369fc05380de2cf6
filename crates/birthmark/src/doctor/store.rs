//! Where artifacts and journals would be written: may they, and will they last?

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use birthmark_capture::{clock, host, probe, process};
use birthmark_core::Finding;
use birthmark_store::atomic;
use serde_json::{Value, json};

use super::Risk;
use crate::project::Project;
use crate::{talk, text};

/// What a look at the file system may take: one that hangs is told, not waited for.
const LOOK: Duration = Duration::from_secs(2);
/// Less than this is soon full, in bytes.
const LITTLE: u64 = 1_000_000_000;
/// Less than this that is kept for code is not worth a word, and more than that a warning.
const SOME: u64 = 1_000_000;
const MUCH: u64 = 1_000_000_000;

/// The store's folder.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where it is, or will be made.
    pub path: PathBuf,
    /// Its path from the project's root, for people.
    pub name: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether it can be written, or made.
    pub writable: Finding<bool>,
    /// Bytes that may still be written.
    pub free_bytes: Finding<u64>,
    /// The kind of file system.
    pub file_system: Finding<FileSystem>,
    /// How far the file system's clock is ahead of ours, in microseconds, where a file
    /// could be made.
    pub clock_ahead_micros: Option<i64>,
    /// Bytes that the store takes for code which no remote has.
    pub code_bytes: u64,
}

/// A kind of file system, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Its name.
    pub name: &'static str,
    /// Where the bytes end up.
    pub place: Place,
}

/// Where bytes end up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A disk of this machine, or of its container.
    Local,
    /// Another machine.
    Network,
    /// Memory: gone at the next boot.
    Memory,
}

impl Store {
    pub(super) fn look(project: &Project) -> Self {
        let path = project.layout.store();
        let (exists, near) = (path.is_dir(), nearest(&path));
        let of = near.clone();
        let look = probe::with_time_limit("the file system", LOOK, move || {
            (Ok(writable(&of, exists)), free(&of), file_system(&of))
        });
        let (written, free_bytes, file_system) = match look {
            Finding::Found(seen) => seen,
            Finding::Absent => (
                Err("it is not there".to_owned()),
                Finding::Absent,
                Finding::Absent,
            ),
            Finding::Unknown(why) => (
                Err(why.clone()),
                Finding::Unknown(why.clone()),
                Finding::Unknown(why),
            ),
        };
        let (writable, clock_ahead_micros) = match written {
            Ok((writable, ahead)) => (Finding::Found(writable), ahead),
            Err(why) => (Finding::Unknown(why), None),
        };
        let folder = process::working_folder();
        let folder = folder.found().map_or(project.root(), |folder| folder);
        let name = talk::to_type(project.root(), &project.stored_path(&path), folder);
        Self {
            path,
            name,
            exists,
            writable,
            free_bytes,
            file_system,
            clock_ahead_micros,
            code_bytes: crate::snapshot::kept_bytes(&project.layout),
        }
    }

    pub(super) fn risks(&self) -> Vec<Risk> {
        let mut risks = Vec::new();
        if self.writable != Finding::Found(true) {
            let advice = "make it writable, or set BIRTHMARK_DIR to another folder";
            risks.push(Risk::new("store", "no session could begin", advice));
        }
        if self.free_bytes.found().is_some_and(|free| *free < LITTLE) {
            risks.push(Risk::new("store", "soon full", "free some space"));
        }
        if self.code_bytes >= MUCH {
            let advice = "let git ignore data that is no code (`birthmark snapshot list`)";
            let text = format!("{} of it are snapshots", text::bytes(self.code_bytes));
            risks.push(Risk::new("store", text, advice));
        }
        match self.file_system.found().map(|found| found.place) {
            Some(Place::Memory) => {
                let advice = "set BIRTHMARK_DIR to a folder on a disk";
                risks.push(Risk::new(
                    "store",
                    "in memory: gone at the next boot",
                    advice,
                ));
            }
            Some(Place::Network) => {
                let advice = "give each process a file of its own";
                risks.push(Risk::new(
                    "store",
                    "locks may not hold on a network",
                    advice,
                ));
            }
            Some(Place::Local) | None => {}
        }
        risks
    }

    pub(super) fn to_json(&self) -> Value {
        let reasons: Vec<&str> = [
            self.writable.reason(),
            self.free_bytes.reason(),
            self.file_system.reason(),
        ]
        .into_iter()
        .flatten()
        .collect();
        json!({
            "path": self.path.to_string_lossy(),
            "exists": self.exists,
            "writable": self.writable.found(),
            "free_bytes": self.free_bytes.found(),
            "file_system": self.file_system.found().map(|found| found.name),
            "network": self.file_system.found().map(|found| found.place == Place::Network),
            "code_bytes": self.code_bytes,
            "clock_ahead_s": self.clock_ahead_micros.map(|micros| micros / 1_000_000),
            "unknown": reasons,
        })
    }

    /// `artifacts/.birthmark, local disk, 214 GB free`; how much code it keeps, where that is some.
    pub(super) fn phrase(&self) -> String {
        let place = match self.file_system.found() {
            Some(FileSystem {
                place: Place::Local,
                ..
            }) => "local disk".to_owned(),
            Some(FileSystem {
                place: Place::Memory,
                name,
            }) => format!("memory ({name})"),
            Some(FileSystem {
                place: Place::Network,
                name,
            }) => format!("network ({name})"),
            None => "a file system that did not answer".to_owned(),
        };
        let free = match &self.free_bytes {
            Finding::Found(free) => format!("{} free", text::bytes(*free)),
            _ => "space unknown".to_owned(),
        };
        let written = match &self.writable {
            Finding::Found(true) if self.exists => "",
            Finding::Found(true) => ", made by the first session",
            Finding::Found(false) => ", cannot be written",
            _ => ", may not be writable",
        };
        let code = match self.code_bytes {
            ..SOME | MUCH.. => String::new(),
            some => format!(", {} of it code", text::bytes(some)),
        };
        format!("{}, {place}, {free}{code}{written}", self.name)
    }
}

/// The nearest folder upwards that is there.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|up| up.is_dir())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// Whether the folder can be written, and how far its clock is ahead. Where the store is
/// not there yet the permissions are asked, and nothing is made.
fn writable(folder: &Path, exists: bool) -> (bool, Option<i64>) {
    if !exists {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        return (rustix::fs::access(folder, access).is_ok(), None);
    }
    let Ok(temp) = atomic::temp_beside(&folder.join("doctor")) else {
        return (false, None);
    };
    let modified = temp
        .as_file()
        .metadata()
        .and_then(|metadata| metadata.modified());
    let theirs = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let theirs = theirs.and_then(|time| i64::try_from(time.as_micros()).ok());
    (true, theirs.map(|theirs| theirs - clock::now_micros()))
}

fn free(folder: &Path) -> Finding<u64> {
    host::disk_space(folder).map(|(free, _)| free)
}

/// Names by the kernel's numbers (`statfs(2)`), of those that matter here.
const NAMED: [(u64, &str, Place); 14] = [
    (0x6969, "NFS", Place::Network),
    (0x517b, "SMB", Place::Network),
    (0xff53_4d42, "CIFS", Place::Network),
    (0xfe53_4d42, "SMB2", Place::Network),
    (0x0bd0_0bd0, "Lustre", Place::Network),
    (0x00c3_6400, "Ceph", Place::Network),
    (0x4750_4653, "GPFS", Place::Network),
    (0x6573_5546, "FUSE", Place::Network),
    (0x5346_414f, "AFS", Place::Network),
    (0x0102_1997, "9P", Place::Network),
    (0x1983_0326, "BeeGFS", Place::Network),
    (0xaad7_aaea, "PanFS", Place::Network),
    (0x0102_1994, "tmpfs", Place::Memory),
    (0x8584_58f6, "ramfs", Place::Memory),
];

fn file_system(folder: &Path) -> Finding<FileSystem> {
    let stat = match rustix::fs::statfs(folder) {
        Ok(stat) => stat,
        Err(error) => return Finding::unknown(error.to_string()),
    };
    // The kernel's number has 32 bits; its C type differs between machines.
    let Ok(kind) = u64::try_from(i128::from(stat.f_type) & 0xffff_ffff) else {
        return Finding::unknown("its kind has no number");
    };
    let known = NAMED.iter().find(|(number, _, _)| *number == kind);
    Finding::Found(known.map_or(
        FileSystem {
            name: "disk",
            place: Place::Local,
        },
        |known| FileSystem {
            name: known.1,
            place: known.2,
        },
    ))
}
