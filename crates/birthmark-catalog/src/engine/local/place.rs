//! The file of the catalog: where it may lie, who uses it, and when it is thrown away.
//!
//! Every user of the file holds a shared lock on `catalog.lock`. Whoever finds that the
//! file is no whole catalog, or is one of another version, takes the lock for itself,
//! removes the file with what SQLite keeps beside it, and begins anew; so nobody ever
//! meets one file's write-ahead log beside another's pages.

mod older;

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, OFlags};

use crate::error::CatalogError;
use crate::tables::{APPLICATION, BEFORE, LATEST, SCHEMA, VERSION, views};

/// How long one process waits for another.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Pages that are kept in memory for a question, and where much is taken in, which touches indexes
/// everywhere: in KiB, as SQLite is told it.
const USUAL: i32 = -32_000;
pub(super) const ROOMY: i32 = -128_000;
/// The name of the catalog's file.
pub(super) const NAME: &str = "catalog.db";

/// An open catalog file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Why it was begun anew, if it was.
    pub(super) renewed: Option<&'static str>,
    /// Held as long as the file is open.
    _lock: Option<File>,
}

/// Opens the catalog in `folder`, made where it is not there.
pub(super) fn open(folder: &Path) -> Result<Opened, CatalogError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| CatalogError::Io {
            action: "create folder",
            path: folder.to_owned(),
            source,
        })?;
    refuse_network(folder)?;
    let path = folder.join(NAME);
    let lock = lock(folder)?;
    hold(&lock, folder, FlockOperation::LockShared)?;
    match connect(&path, false) {
        Ok(connection) => {
            return Ok(Opened {
                connection,
                path,
                renewed: None,
                _lock: Some(lock),
            });
        }
        Err(Unfit::Error(error)) => return Err(error),
        Err(Unfit::Renew(_) | Unfit::Unmade) => {}
    }
    hold(&lock, folder, FlockOperation::LockExclusive)?;
    // Another may have begun it anew while this one waited.
    let (connection, renewed) = match connect(&path, true) {
        Ok(connection) => (connection, None),
        Err(Unfit::Unmade) => return Err(Unfit::Unmade.into_error(&path)),
        Err(Unfit::Error(error)) => return Err(error),
        Err(Unfit::Renew(why)) => {
            remove(&path)?;
            let connection = connect(&path, true).map_err(|unfit| unfit.into_error(&path))?;
            (connection, Some(why))
        }
    };
    hold(&lock, folder, FlockOperation::LockShared)?;
    Ok(Opened {
        connection,
        path,
        renewed,
        _lock: Some(lock),
    })
}

/// Removes a catalog that turned out to be damaged while it was used. The connection to
/// it must be closed.
pub(super) fn discard(folder: &Path) -> Result<(), CatalogError> {
    let lock = lock(folder)?;
    hold(&lock, folder, FlockOperation::LockExclusive)?;
    remove(&folder.join(NAME))
}

fn lock(folder: &Path) -> Result<File, CatalogError> {
    let path = folder.join("catalog.lock");
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        // A pipe in its place is an error, and nothing to wait for.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .map_err(|source| CatalogError::Io {
            action: "open",
            path,
            source,
        })
}

fn hold(lock: &File, folder: &Path, how: FlockOperation) -> Result<(), CatalogError> {
    let now = match how {
        FlockOperation::LockExclusive => FlockOperation::NonBlockingLockExclusive,
        _ => FlockOperation::NonBlockingLockShared,
    };
    let steps = 400;
    for _ in 0..steps {
        match rustix::fs::flock(lock, now) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(PATIENCE / steps),
            Err(errno) => {
                return Err(CatalogError::Io {
                    action: "lock",
                    path: folder.join("catalog.lock"),
                    source: errno.into(),
                });
            }
        }
    }
    Err(CatalogError::Io {
        action: "lock",
        path: folder.join("catalog.lock"),
        source: std::io::Error::other("other processes are using the catalog"),
    })
}

fn remove(path: &Path) -> Result<(), CatalogError> {
    // The log first: it must never be met beside another file.
    for ending in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let file = PathBuf::from(name);
        match fs::remove_file(&file) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CatalogError::Io {
                    action: "remove",
                    path: file,
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Why a file could not be taken as the catalog.
enum Unfit {
    /// It is not there, was not made to its end, or is of the version before: only who has it
    /// alone may make it.
    Unmade,
    Renew(&'static str),
    Error(CatalogError),
}

impl Unfit {
    fn into_error(self, path: &Path) -> CatalogError {
        match self {
            Self::Error(error) => error,
            Self::Unmade => Self::Renew("it could not be made").into_error(path),
            Self::Renew(why) => CatalogError::Io {
                action: "begin",
                path: path.to_owned(),
                source: std::io::Error::other(why),
            },
        }
    }
}

/// Opens the file; makes it, if this process has it `alone`.
fn connect(path: &Path, alone: bool) -> Result<Connection, Unfit> {
    let failed = |source: rusqlite::Error| {
        let error = CatalogError::Engine {
            path: path.to_owned(),
            source,
        };
        if error.is_corrupt() {
            Unfit::Renew("it was damaged")
        } else {
            Unfit::Error(error)
        }
    };
    if let Some(why) = unreadable(path) {
        return Err(Unfit::Renew(why));
    }
    if alone {
        make_private(path).map_err(Unfit::Error)?;
    } else if !path.metadata().is_ok_and(|found| found.len() > 0) {
        return Err(Unfit::Unmade);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    settle(&connection).map_err(failed)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (version, application) = (
        number("user_version").map_err(failed)?,
        number("application_id").map_err(failed)?,
    );
    match (version, application) {
        (VERSION, APPLICATION) => Ok(connection),
        (BEFORE, APPLICATION) if alone => {
            older::step_up(&connection).map_err(failed)?;
            Ok(connection)
        }
        (BEFORE, APPLICATION) => Err(Unfit::Unmade),
        (0, 0) if alone => {
            begin(&connection).map_err(failed)?;
            Ok(connection)
        }
        (0, 0) => Err(Unfit::Unmade),
        (_, APPLICATION) => Err(Unfit::Renew("it was of another version")),
        _ => Err(Unfit::Renew("it was no catalog")),
    }
}

/// Why nobody can read what lies there, whatever is in it: SQLite would wait for a pipe for ever.
fn unreadable(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Ok(found) if !found.is_file() => Some("it was no file"),
        Ok(_) => {
            let denied = File::open(path).is_err_and(|why| is_denied(&why));
            denied.then_some("it could not be read")
        }
        // A link that leads nowhere.
        Err(_) if path.is_symlink() => Some("it was no file"),
        Err(_) => None,
    }
}

fn is_denied(why: &std::io::Error) -> bool {
    why.kind() == std::io::ErrorKind::PermissionDenied
}

/// The file must be its owner's alone before anything is in it.
fn make_private(path: &Path) -> Result<(), CatalogError> {
    let made = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    made.map(drop).map_err(|source| CatalogError::Io {
        action: "open",
        path: path.to_owned(),
        source,
    })
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    // All of it can be built anew, so a power cut may cost it; a kill never does.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "cache_size", USUAL)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(512);
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    equip(connection)
}

/// What every catalog needs of its connection.
fn equip(connection: &Connection) -> rusqlite::Result<()> {
    // Else a statement is planned anew whenever a value is bound that a partial index is about.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    super::functions::register(connection)
}

/// Makes the tables.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    // Kept in the file; to change it, it must be nobody else's.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(LATEST)?;
        transaction.execute_batch(&views(None))?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

/// A catalog in memory, for tests.
pub(super) fn in_memory() -> Result<Opened, CatalogError> {
    let failed = |source| CatalogError::Engine {
        path: PathBuf::from(":memory:"),
        source,
    };
    let connection = Connection::open_in_memory().map_err(failed)?;
    equip(&connection).map_err(failed)?;
    connection.execute_batch(SCHEMA).map_err(failed)?;
    connection.execute_batch(LATEST).map_err(failed)?;
    connection.execute_batch(&views(None)).map_err(failed)?;
    Ok(Opened {
        connection,
        path: PathBuf::from(":memory:"),
        renewed: None,
        _lock: None,
    })
}

/// File systems that are somewhere else: their locks and shared memory cannot be trusted.
const NETWORKS: [(u64, &str); 13] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x517B, "SMB"),
    (0x0BD0_0BD0, "Lustre"),
    (0x00C3_6400, "Ceph"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0xAAD7_AAEA, "PanFS"),
    (0x6B41_4653, "AFS"),
    (0x5346_414F, "AFS"),
    (0x7461_636F, "OCFS2"),
    (0x0102_1997, "9p"),
];

/// Refuses a folder on a network file system.
fn refuse_network(folder: &Path) -> Result<(), CatalogError> {
    let Ok(found) = rustix::fs::statfs(folder) else {
        return Ok(());
    };
    let kind = match found.f_type.cast_unsigned() & 0xFFFF_FFFF {
        FUSE => mounted(folder).filter(is_far).map(|_| "FUSE"),
        other => network(other),
    };
    match kind {
        Some(kind) => Err(CatalogError::Network {
            path: folder.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

/// A program of the user's, behind which there may be anything.
const FUSE: u64 = 0x6573_5546;
/// Such programs that name no host in what they mount: object stores, mostly.
const FAR: [&str; 10] = [
    "blobfuse",
    "blobfuse2",
    "cvmfs2",
    "gcsfuse",
    "geesefs",
    "goofys",
    "mountpoint-s3",
    "s3fs",
    "seaweedfs",
    "weed",
];

/// Whether such a mount is somewhere else: `mfs#host:9421` (the kernel writes `\043` for `#`),
/// `user@host:/folder`, `remote:bucket`.
fn is_far(mount: &(String, String)) -> bool {
    let (kind, source) = mount;
    let program = kind.strip_prefix("fuse.").unwrap_or_default();
    let names_host =
        !source.starts_with('/') && [":", "#", "\\043"].iter().any(|mark| source.contains(mark));
    FAR.contains(&program) || names_host
}

/// The type and the source of the mount that a folder lies on.
fn mounted(folder: &Path) -> Option<(String, String)> {
    let device = rustix::fs::stat(folder).ok()?.st_dev;
    let device = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let of = |line: &str| {
        let (place, what) = line.split_once(" - ")?;
        let mut what = what.split(' ').map(str::to_owned);
        (place.split(' ').nth(2)? == device).then_some(())?;
        Some((what.next()?, what.next()?))
    };
    table.lines().rev().find_map(of)
}

fn network(kind: u64) -> Option<&'static str> {
    let kind = kind & 0xFFFF_FFFF;
    NETWORKS
        .iter()
        .find(|(number, _)| *number == kind)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn file_and_folder_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("birthmark");
        let opened = open(&folder).unwrap();
        assert_eq!(opened.renewed, None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a damaged file")]
    fn damaged_and_foreign_files_are_begun_anew_and_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        for junk in [
            &b"this is no database at all, but a text of some length"[..],
            &[0xFF; 9000],
        ] {
            fs::write(dir.path().join(NAME), junk).unwrap();
            fs::write(dir.path().join("catalog.db-wal"), junk).unwrap();
            let opened = open(dir.path()).unwrap();
            assert_eq!(opened.renewed, Some("it was damaged"));
            let tables: i64 = opened
                .connection
                .query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))
                .unwrap();
            assert_eq!(tables, 0);
        }
        let opened = open(dir.path()).unwrap();
        opened
            .connection
            .pragma_update(None, "user_version", 99)
            .unwrap();
        drop(opened);
        assert_eq!(
            open(dir.path()).unwrap().renewed,
            Some("it was of another version")
        );
    }

    #[test]
    fn what_is_asked_of_one_after_the_other_is_planned_once() {
        let db = in_memory().unwrap().connection;
        // Of each of these columns an index holds a part alone.
        for sql in [
            "SELECT id FROM _artifacts WHERE project = ? AND state = ?",
            "SELECT id FROM _groups WHERE artifact = ? AND number >= ?",
            "SELECT t.file FROM _told t JOIN _sessions s ON s.id = t.session LEFT JOIN _runs r ON r.session = t.session
             WHERE t.project = ? AND t.format = ? ORDER BY t.timestamp",
        ] {
            let mut statement = db.prepare(sql).unwrap();
            for number in 0..9_i64 {
                let rows = statement.query_map([number, number], |row| row.get::<_, i64>(0));
                assert_eq!(rows.unwrap().count(), 0);
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }

    #[test]
    fn what_is_no_file_is_replaced_and_never_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let dir = tempfile::tempdir().unwrap();
        let (file, lock) = (dir.path().join(NAME), dir.path().join("catalog.lock"));
        let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        pipe(&file);
        assert_eq!(open(dir.path()).unwrap().renewed, Some("it was no file"));
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("nowhere/at/all", &file).unwrap();
        assert_eq!(open(dir.path()).unwrap().renewed, Some("it was no file"));
        assert_eq!(open(dir.path()).unwrap().renewed, None);
        fs::remove_file(&file).unwrap();
        // Whatever is in a folder is not ours to remove.
        fs::create_dir(&file).unwrap();
        let why = open(dir.path()).unwrap_err().to_string();
        assert!(why.starts_with("cannot remove"), "{why}");
        fs::remove_file(&lock).unwrap();
        pipe(&lock);
        let why = open(dir.path()).unwrap_err().to_string();
        assert!(why.starts_with("cannot open"), "{why}");
    }

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        assert_eq!(network(0x6969), Some("NFS"));
        assert_eq!(network(0xFFFF_FFFF_FF53_4D42), Some("CIFS"));
        assert_eq!(network(0xEF53), None);
    }

    #[test]
    fn what_a_program_mounts_is_known_by_the_host_that_it_names() {
        let far = |kind: &str, source: &str| is_far(&(kind.to_owned(), source.to_owned()));
        assert!(far("fuse", "mfs#eu.example:9421"));
        assert!(far("fuse.sshfs", "user@pod:/data"));
        assert!(far("fuse.rclone", "remote:bucket"));
        assert!(far("fuse.gcsfuse", "bucket"));
        assert!(!far("fuse.fuse-overlayfs", "fuse-overlayfs"));
        assert!(!far("fuse.gocryptfs", "/home/user/a:b"));
        assert!(!far("fuseblk", "/dev/sdb1"));
        let dir = tempfile::tempdir().unwrap();
        let (kind, _) = mounted(dir.path()).unwrap();
        assert!(!kind.is_empty());
    }
}
