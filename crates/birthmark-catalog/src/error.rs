//! Why the catalog could not answer.

use std::path::PathBuf;

/// Why the catalog could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The folder of the catalog lies on a network file system, where SQLite loses data.
    #[error("cannot keep the catalog at `{path}`: it lies on a network file system ({kind})")]
    Network {
        /// Where it would be.
        path: PathBuf,
        /// What kind of file system that is.
        kind: &'static str,
    },
    /// The operating system did not let us.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The engine did not do it.
    #[error("cannot use the catalog at `{path}`")]
    Engine {
        /// The catalog's file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// A statement of the user's was refused, is wrong, or took too long.
    #[error("{0}")]
    Statement(String),
}

impl CatalogError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Network { .. } => "catalog-network",
            Self::Io { .. } => "catalog-io",
            Self::Engine { .. } => "catalog-engine",
            Self::Statement(_) => "sql",
        }
    }

    /// What the user can do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Network { .. } => {
                Some("set XDG_CACHE_HOME to a folder on a disk of this machine".to_owned())
            }
            Self::Io {
                action: "lock",
                source,
                ..
            } => Some(match source.raw_os_error() {
                Some(_) => {
                    "files cannot be locked there: set XDG_CACHE_HOME to a folder on a disk of this machine"
                        .to_owned()
                }
                None => "another process builds it anew; try again".to_owned(),
            }),
            Self::Io { .. } => {
                Some("set XDG_CACHE_HOME to a folder that can be written".to_owned())
            }
            Self::Engine { .. } if self.is_full() => Some(
                "free some space, or set XDG_CACHE_HOME to another disk; the catalog is as it was"
                    .to_owned(),
            ),
            Self::Engine { .. } if self.is_unwritable() => Some(
                "look at the disk, and at `ulimit -f`, or set XDG_CACHE_HOME to another disk; the catalog is as it was"
                    .to_owned(),
            ),
            Self::Engine { .. } if self.is_busy() => {
                Some("another process is writing to it; try again".to_owned())
            }
            Self::Engine { .. } => Some("`birthmark catalog rebuild` builds it anew".to_owned()),
            Self::Statement(_) => None,
        }
    }

    fn sqlite(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Engine { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }

    /// Whether the file is no whole catalog.
    pub fn is_corrupt(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(self.sqlite(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        self.sqlite() == Some(rusqlite::ErrorCode::DiskFull)
    }

    /// Whether the disk, or a limit, refused what was to be written.
    pub fn is_unwritable(&self) -> bool {
        use rusqlite::ErrorCode::{ReadOnly, SystemIoFailure};
        matches!(self.sqlite(), Some(SystemIoFailure | ReadOnly))
    }

    /// Whether another process held it for too long.
    pub fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        matches!(self.sqlite(), Some(DatabaseBusy | DatabaseLocked))
    }
}
