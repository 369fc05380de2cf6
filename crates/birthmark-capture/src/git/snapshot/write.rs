//! Writing objects and the reference that keeps them.
//!
//! * A few objects are written loose, each under its final name in one rename; many go into
//!   one pack, since each loose one is a file to be synced. Only those that are not there.
//! * Git does not sync loose objects by default: we do, and the folders they stand in,
//!   before the reference that names them.
//! * The reference is made in one step, and never moved once it is there. No log of it is
//!   kept, whatever the settings.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use birthmark_core::snapshot::{COMMITS, REFERENCES};
use gix::ObjectId;
use gix::objs::{Kind, Write as _};
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};

use super::super::ask;
use super::super::open::Repository;
use super::pack::{Pack, Packed};

/// So many objects are loose; more go into a pack.
const MOST_LOOSE: usize = 64;
/// So many bytes are held back while it is not known whether there will be a pack.
const MOST_HELD: usize = 8 << 20;

/// Writes objects to one repository; what is in the other one is not written again.
pub(super) struct Writer<'a> {
    /// Where the objects of the commit are read from.
    pub(super) source: &'a gix::Repository,
    /// Where new ones go: the same, or a bare repository that borrows from it.
    target: &'a gix::Repository,
    /// Those that are neither there nor written yet.
    held: Vec<(ObjectId, Kind, Vec<u8>)>,
    held_bytes: usize,
    /// The ids that are held, or in the pack.
    waiting: HashSet<ObjectId>,
    /// Those that were written loose.
    loose: Vec<ObjectId>,
    /// Where all others go, once there are many.
    pack: Option<Pack>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(source: &'a gix::Repository, target: &'a gix::Repository) -> Self {
        Self {
            source,
            target,
            held: Vec::new(),
            held_bytes: 0,
            waiting: HashSet::new(),
            loose: Vec::new(),
            pack: None,
        }
    }

    /// The id of an object, without writing it.
    pub(super) fn id(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, String> {
        gix::objs::compute_hash(self.target.object_hash(), kind, bytes)
            .map_err(|error| format!("an object cannot be hashed: {error}"))
    }

    /// Writes an object unless it is there. It can be read after [`Writer::finish`].
    pub(super) fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, String> {
        let id = self.id(kind, bytes)?;
        if self.target.objects.exists_without_refresh(&id) || !self.waiting.insert(id) {
            return Ok(id);
        }
        if let Some(pack) = &mut self.pack {
            pack.add(id, kind, bytes)?;
            return Ok(id);
        }
        self.held.push((id, kind, bytes.to_vec()));
        self.held_bytes += bytes.len();
        if self.held.len() > MOST_LOOSE {
            self.begin_pack()?;
        } else if self.held_bytes > MOST_HELD {
            self.write_loose()?;
        }
        Ok(id)
    }

    fn begin_pack(&mut self) -> Result<(), String> {
        let mut pack = Pack::begin(self.target)?;
        for (id, kind, bytes) in self.held.drain(..) {
            pack.add(id, kind, &bytes)?;
        }
        self.held_bytes = 0;
        self.pack = Some(pack);
        Ok(())
    }

    fn write_loose(&mut self) -> Result<(), String> {
        for (id, kind, bytes) in self.held.drain(..) {
            self.target
                .objects
                .write_buf_with_known_id(kind, &bytes, id)
                .map_err(|error| format!("an object cannot be written: {}", root_cause(&error)))?;
            self.loose.push(id);
        }
        self.held_bytes = 0;
        Ok(())
    }

    /// Writes what is held back. The loose ones are not synced yet.
    pub(super) fn finish(mut self) -> Result<Written, String> {
        self.write_loose()?;
        Ok(Written {
            loose: self.loose,
            pack: self.pack.map(Pack::finish).transpose()?,
        })
    }
}

/// Objects that are there, and that nothing names yet.
#[derive(Debug, Default)]
pub(super) struct Written {
    loose: Vec<ObjectId>,
    pack: Option<Packed>,
}

impl Written {
    /// Syncs them, then makes the reference that keeps them.
    pub(super) fn settle(
        self,
        repository: &Repository,
        name: &str,
        commit: ObjectId,
    ) -> Result<(), String> {
        sync_objects(&repository.git, &self.loose)
            .and_then(|()| self.pack.as_ref().map_or(Ok(()), Packed::sync))
            .map_err(|error| format!("the objects cannot be synced: {error}"))?;
        name_commit(repository, name, commit)
    }
}

fn root_cause(error: &gix::Error) -> String {
    super::super::text::display_path(error.to_string().as_bytes())
}

/// Makes loose objects survive a power cut.
fn sync_objects(git: &gix::Repository, written: &[ObjectId]) -> std::io::Result<()> {
    let objects = git.objects.store_ref().path().to_owned();
    let mut folders = BTreeSet::from([objects.clone()]);
    for id in written {
        let hex = id.to_string();
        let (folder, name) = hex.split_at(2);
        let folder = objects.join(folder);
        match File::open(folder.join(name)) {
            Ok(file) => file.sync_all()?,
            // Somebody packed it meanwhile; what packs syncs.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        folders.insert(folder);
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the reference `name` for `commit`. One that is there and names the same commit is
/// as good.
pub(super) fn name_commit(
    repository: &Repository,
    name: &str,
    commit: ObjectId,
) -> Result<(), String> {
    if repository.reftable {
        return ask::create_reference(repository, name, commit);
    }
    let cannot = |why: &str| format!("the reference {name} cannot be made: {why}");
    let full = FullName::try_from(name).map_err(|_| cannot("its name is none"))?;
    let mut git = repository.git.clone();
    git.refs.write_reflog = gix::refs::store::WriteReflog::Disable;
    let edit = RefEdit {
        change: Change::Update {
            log: LogChange {
                mode: RefLog::AndReference,
                force_create_reflog: false,
                message: gix::bstr::BString::default(),
            },
            expected: PreviousValue::ExistingMustMatch(Target::Object(commit)),
            new: Target::Object(commit),
        },
        name: full,
        deref: false,
    };
    git.edit_references_as([edit], None)
        .map_err(|error| cannot(&root_cause(&error)))?;
    sync_reference(&repository.git, name).map_err(|error| cannot(&error.to_string()))
}

/// The references below a prefix, with what they name.
pub(in crate::git) fn references(
    repository: &Repository,
    prefix: &str,
) -> Result<Vec<(String, String)>, String> {
    if repository.reftable {
        return ask::references(repository, prefix);
    }
    let unreadable = |error: gix::Error| root_cause(&error);
    let platform = repository.git.references().map_err(unreadable)?;
    let mut found = Vec::new();
    for reference in platform.prefixed(prefix).map_err(unreadable)? {
        // One reference that is broken hides no other.
        let Ok(reference) = reference else { continue };
        let name = String::from_utf8_lossy(reference.name().as_bstr()).into_owned();
        if let Some(id) = reference.try_id() {
            found.push((name, id.to_string()));
        }
    }
    Ok(found)
}

/// Takes a reference of ours away, if it names `commit`.
pub(super) fn delete_reference(
    repository: &Repository,
    name: &str,
    commit: ObjectId,
) -> Result<(), String> {
    let cannot = |why: &str| format!("the reference {name} cannot be taken away: {why}");
    if !name.starts_with(REFERENCES) && !name.starts_with(COMMITS) {
        return Err(cannot("it is not Birthmark's"));
    }
    if repository.reftable {
        return ask::delete_reference(repository, name, commit);
    }
    let full = FullName::try_from(name).map_err(|_| cannot("its name is none"))?;
    let mut git = repository.git.clone();
    git.refs.write_reflog = gix::refs::store::WriteReflog::Disable;
    let edit = RefEdit {
        change: Change::Delete {
            expected: PreviousValue::MustExistAndMatch(Target::Object(commit)),
            log: RefLog::AndReference,
        },
        name: full,
        deref: false,
    };
    git.edit_references_as([edit], None)
        .map_err(|error| cannot(&root_cause(&error)))?;
    Ok(())
}

/// Syncs a reference's file and the folders that it stands in.
fn sync_reference(git: &gix::Repository, name: &str) -> std::io::Result<()> {
    let common = git.common_dir().to_owned();
    let path = common.join(name);
    match File::open(&path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let folders: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != common)
        .map(Path::to_owned)
        .collect();
    folders.iter().try_for_each(|folder| sync_folder(folder))
}
