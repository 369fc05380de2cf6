//! The catalog: opened, kept up to date, asked.
//!
//! It lies in the user's cache folder, one file for all projects, so that a question may
//! span them and the same artifact seen in two places is seen as one. Before each question
//! `refresh` looks at what may have changed; [`Depth::All`] looks at everything.
//!
//! # Invariants
//!
//! * A catalog that is damaged or of another version is begun anew, said in one line;
//!   nothing in it is known from anywhere but the files.
//! * Nothing is written but the catalog's own files.

mod items;
mod lies;
mod records;
mod refresh;
mod scan;
mod sessions;
mod tree;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use birthmark_catalog::engine::{Cell, Engine, Extent, Found, ProjectRow};
use birthmark_catalog::{CatalogError, Local};

use crate::error::{Error, Kind, Result};
use crate::project::Project;

pub(crate) use records::{look, records_of, rows_of};
pub use refresh::{Depth, Refreshed};

/// Rows of an answer whose files are looked at.
const SHOWN: usize = 4_000;

impl From<CatalogError> for Error {
    fn from(error: CatalogError) -> Self {
        let kind = match &error {
            CatalogError::Statement(_) | CatalogError::Network { .. } => Kind::Usage,
            error if error.is_corrupt() => Kind::Damaged,
            _ => Kind::Io,
        };
        let (code, hint) = (error.code(), error.hint());
        let shown = Self::new(kind, code, error.to_string());
        let shown = match std::error::Error::source(&error) {
            Some(source) => shown.with_source(std::io::Error::other(source.to_string())),
            None => shown,
        };
        match hint {
            Some(hint) => shown.with_hint(hint),
            None => shown,
        }
    }
}

/// The folder of the catalog: `$XDG_CACHE_HOME/birthmark`, else `~/.cache/birthmark`.
pub fn folder() -> Result<PathBuf> {
    crate::digests::cache_folder().ok_or_else(|| {
        Error::usage(
            "no-home",
            "cannot tell where the catalog shall lie: HOME is not set",
        )
        .with_hint("set XDG_CACHE_HOME")
    })
}

/// An open catalog.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) engine: Local,
    folder: PathBuf,
    /// Lines for the person: that it was begun anew, and why.
    pub said: Vec<String>,
    /// The names that were asked for last, until something is taken in.
    names: RefCell<Option<(Option<i64>, Rc<Names>)>>,
}

/// The names that a project knows, or all of them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Of fields.
    pub(crate) fields: Vec<String>,
    /// Of metrics.
    pub(crate) metrics: Vec<String>,
}

impl Names {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.fields.iter().chain(&self.metrics)
    }
}

impl Catalog {
    /// Opens it, begun anew where that is needed.
    pub fn open() -> Result<Self> {
        Self::open_at(folder()?)
    }

    /// Opens the one that is there, if there is one.
    pub(crate) fn open_there() -> Option<Self> {
        let folder = folder().ok().filter(|folder| Local::is_in(folder))?;
        Self::open_at(folder).ok()
    }

    /// The same in a folder of one's choice.
    pub fn open_at(folder: PathBuf) -> Result<Self> {
        let engine = Local::open(&folder)?;
        let said = engine
            .renewed()
            .map(|why| format!("the catalog is built anew: {why}"));
        Ok(Self {
            engine,
            folder,
            said: said.into_iter().collect(),
            names: RefCell::default(),
        })
    }

    /// The catalog's file.
    pub fn path(&self) -> &std::path::Path {
        self.engine.path()
    }

    /// All that it says, the same text for the same files.
    pub fn dump(&self) -> Result<String> {
        Ok(self.engine.dump()?)
    }

    /// The projects that it knows.
    pub fn projects(&self) -> Result<Vec<ProjectRow>> {
        Ok(self.engine.projects()?)
    }

    /// How much it knows of each of them, in the same order.
    pub fn extents(&self) -> Result<Vec<Extent>> {
        Ok(self.engine.extents()?)
    }

    /// The names that a project knows, or all of them: read once for a question, however many
    /// parts of it ask for them.
    pub(crate) fn names(&self, project: Option<i64>) -> Result<Rc<Names>> {
        if let Some((of, known)) = self.names.borrow().as_ref()
            && *of == project
        {
            return Ok(Rc::clone(known));
        }
        let (fields, metrics) = self.engine.names(project)?;
        let names = Rc::new(Names { fields, metrics });
        *self.names.borrow_mut() = Some((project, Rc::clone(&names)));
        Ok(names)
    }

    /// Takes in the projects of this machine in which sessions began.
    pub fn learn(&mut self) -> Result<()> {
        for (root, artifacts) in crate::projects::there() {
            self.engine.project(&root, &artifacts)?;
        }
        Ok(())
    }

    /// The row of a project, added if it is new.
    pub fn row_of(&mut self, project: &Project) -> Result<ProjectRow> {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let artifacts = text(project.layout.artifacts());
        Ok(self.engine.project(&text(project.root()), &artifacts)?)
    }

    /// Brings what is known of a project up to date. Where the catalog turns out to be
    /// damaged on the way, it is begun anew, once.
    pub fn refresh(&mut self, project: &Project, depth: Depth) -> Result<Refreshed> {
        self.names.take();
        match refresh::refresh(self, project, depth) {
            Err(error) if error.kind() == Kind::Damaged && error.code() == "catalog-engine" => {
                self.renew("it was damaged")?;
                refresh::refresh(self, project, depth)
            }
            other => other,
        }
    }

    /// Looks at the files of an answer, where a project has more than every question looks at;
    /// whether any is not as it was.
    pub(crate) fn look_at(&mut self, project: &Project, found: &Found) -> Result<bool> {
        let mut files: HashMap<&str, Vec<String>> = HashMap::new();
        for row in found.rows.iter().take(SHOWN) {
            if let Some((_, Cell::Value(file))) = row.fields.first() {
                let of = files.entry(row.root.as_str()).or_default();
                of.push(file.as_str().to_owned());
            }
        }
        let mut is_changed = false;
        for row in self.projects()? {
            let Some(files) = files.get(row.root.as_str()) else {
                continue;
            };
            is_changed |= if Path::new(&row.artifacts) == project.layout.artifacts() {
                refresh::look_at(self, project, files)?
            } else {
                refresh::look_at(self, &project_of(&row)?, files)?
            };
        }
        if is_changed {
            self.names.take();
        }
        Ok(is_changed)
    }

    /// Forgets all that is known of a project and looks at everything anew.
    pub fn rebuild(&mut self, project: &Project) -> Result<Refreshed> {
        let row = self.row_of(project)?;
        match self.engine.clear(row.id) {
            Err(error) if error.is_corrupt() => self.renew("it was damaged")?,
            other => other?,
        }
        self.refresh(project, Depth::All)
    }

    /// Forgets a project. Its files are not touched.
    pub fn forget(&mut self, project: &ProjectRow) -> Result<()> {
        crate::projects::forget(&project.artifacts);
        self.names.take();
        Ok(self.engine.forget(project.id)?)
    }

    fn renew(&mut self, why: &str) -> Result<()> {
        // The file is let go of before it is removed, and so is its lock.
        self.engine = Local::in_memory()?;
        Local::discard(&self.folder)?;
        self.engine = Local::open(&self.folder)?;
        self.said.push(format!("the catalog is built anew: {why}"));
        Ok(())
    }
}

/// The project of a row, as it is now.
pub fn project_of(row: &ProjectRow) -> Result<Project> {
    let project = Project::find(row.root.as_ref())?;
    if project.layout.artifacts() == std::path::Path::new(&row.artifacts)
        && project.root() == std::path::Path::new(&row.root)
    {
        return Ok(project);
    }
    // A store that was merely copied, or whose project says now that it lies elsewhere.
    Ok(Project {
        layout: birthmark_store::Layout::new(&row.root, &row.artifacts),
        config: project.config,
    })
}
