//! Which project a script or a shell belongs to: its root, its artifacts folder,
//! its settings.
//!
//! The root is the nearest folder upwards with a `birthmark.toml`; else git's top
//! level; else the folder itself. Nothing is created here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use birthmark_capture::git::Repository;
use birthmark_capture::process;
use birthmark_core::{Finding, base64};
use birthmark_store::Layout;
use birthmark_store::config::{CONFIG_NAME, Config, OnDirty, Setting, parse_on_dirty};
use birthmark_store::layout::STORE_NAME;

use crate::error::{Error, Result};

/// Folders that hold nothing of the user's making.
pub(crate) const PASSED_BY: [&str; 5] = [".git", ".hg", ".venv", "__pycache__", "node_modules"];

/// The artifacts folder where nobody says otherwise.
const ARTIFACTS: &str = "artifacts";

/// A project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Where its files stand.
    pub layout: Layout,
    /// What it wants, with `BIRTHMARK_*` variables taken in.
    pub config: Config,
}

impl Project {
    /// The project that `folder` belongs to.
    pub fn find(folder: &Path) -> Result<Self> {
        Self::find_by(folder, |root| Ok(Config::read(root)?))
    }

    /// The same for who must go on although a setting is wrong, and the line that says which.
    /// Where what may refuse to run cannot be read, this is an error too.
    pub fn find_leniently(folder: &Path) -> Result<(Self, Option<String>)> {
        let mut wrong = None;
        let project = Self::find_by(folder, |root| {
            let (config, error) = Config::read_leniently(root)?;
            wrong =
                error.map(|error| format!("{error}; what cannot be read there has its default"));
            Ok(config)
        })?;
        Ok((project, wrong))
    }

    fn find_by(folder: &Path, read: impl FnOnce(&Path) -> Result<Config>) -> Result<Self> {
        let mut folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        if folder.components().any(|part| part == Component::ParentDir) {
            // One project has one name, also where it was typed as `../other`.
            folder = folder.canonicalize().unwrap_or(folder);
        }
        let root = root_of(&folder);
        let mut config = read(&root)?;
        obey_variables(&mut config)?;
        birthmark_store::modes::share_with(config.share.value);
        let artifacts = match &config.artifacts.value {
            Some(chosen) => root.join(chosen),
            None => root.join(ARTIFACTS),
        };
        Ok(Self {
            layout: Layout::new(root, plain(&artifacts)),
            config,
        })
    }

    /// The project of the current working folder.
    pub fn here() -> Result<Self> {
        Self::find(&here()?)
    }

    /// The same, although a setting is wrong; see [`Self::find_leniently`].
    pub fn here_leniently() -> Result<(Self, Option<String>)> {
        Self::find_leniently(&here()?)
    }

    /// The project's root.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// The folders of the project above a file or folder, the nearest first; neither the root
    /// nor the artifacts folder.
    pub(crate) fn folders_above(&self, path: &Path) -> Vec<PathBuf> {
        let whole = absolute(path);
        let above = whole.ancestors().skip(1).map(Path::to_owned);
        let within = above.take_while(|folder| folder.starts_with(self.root()));
        let artifacts = self.layout.artifacts();
        within
            .filter(|folder| folder != self.root() && folder != artifacts)
            .collect()
    }

    /// Folders of the root, or the root, that hold a store and are neither the artifacts folder nor named by the
    /// setting `stores`: that folder was called otherwise before. From the root, sorted.
    pub fn other_stores(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root()).into_iter().flatten();
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        // The root itself, where an artifacts folder was copied to a place of its own.
        let folders = folders.chain([self.root().to_owned()]);
        let named = &self.config.stores.value;
        let is_named = |folder: &Path| named.iter().any(|one| self.root().join(one) == folder);
        let has_store = |folder: &PathBuf| {
            *folder != self.layout.artifacts()
                && !is_named(folder)
                && folder.join(STORE_NAME).join("sessions").is_dir()
        };
        let mut found: Vec<String> = folders
            .filter(has_store)
            .map(|folder| self.stored_path(&folder))
            .collect();
        found.sort();
        found
    }

    /// How `path` is stored: relative to the root, with `/`; absolute when it lies outside.
    pub fn stored_path(&self, path: &Path) -> String {
        self.stored_name(path).0
    }

    /// The same, and in base64 the bytes of a name that is not UTF-8: its text is then
    /// escaped, and several names may have the same.
    pub fn stored_name(&self, path: &Path) -> (String, Option<String>) {
        let stored = self.within(path);
        if let Some(text) = stored.to_str() {
            return (text.to_owned(), None);
        }
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(stored.as_os_str());
        (escape(bytes), Some(base64::encode(bytes)))
    }

    /// The path from the root to `path`; `.` for the root itself.
    fn within(&self, path: &Path) -> PathBuf {
        let path = absolute(path);
        let inside = path
            .strip_prefix(self.root())
            .ok()
            .map(Path::to_owned)
            .or_else(|| {
                // The same folder reached by another name, through a symbolic link.
                let folder = path.parent()?.canonicalize().ok()?;
                let root = self.root().canonicalize().ok()?;
                Some(folder.strip_prefix(root).ok()?.join(path.file_name()?))
            });
        let stored = inside.unwrap_or(path);
        if stored.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            stored
        }
    }

    /// Where a stored path lies.
    pub fn resolve(&self, stored: &str) -> PathBuf {
        lies_at(self.root(), stored)
    }
}

/// Where a stored path lies below a root: as it stands there or, where nothing does, by the bytes
/// that are escaped in it.
pub(crate) fn lies_at(root: &Path, stored: &str) -> PathBuf {
    let path = root.join(stored);
    if !stored.contains(ESCAPE) || path.symlink_metadata().is_ok() {
        return path;
    }
    let bytes = root.join(OsStr::from_bytes(&unescape(stored)));
    if bytes.symlink_metadata().is_ok() {
        bytes
    } else {
        path
    }
}

/// Whether a stored path leads to a place within the root.
pub(crate) fn is_within(stored: impl AsRef<Path>) -> bool {
    let mut parts = stored.as_ref().components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

fn here() -> Result<PathBuf> {
    match process::working_folder() {
        Finding::Found(folder) => Ok(folder),
        Finding::Absent => Err(no_folder("it is gone")),
        Finding::Unknown(reason) => Err(no_folder(&reason)),
    }
}

fn no_folder(reason: &str) -> Error {
    Error::usage(
        "no-folder",
        format!("cannot tell the working folder: {reason}"),
    )
    .with_hint("change to a folder that exists")
}

fn root_of(folder: &Path) -> PathBuf {
    for up in folder.ancestors() {
        if up.join(CONFIG_NAME).is_file() {
            return up.to_owned();
        }
        if up.join(".git").exists() {
            break;
        }
    }
    match Repository::discover(folder) {
        Finding::Found(repository) => repository
            .root()
            .map_or_else(|| folder.to_owned(), |top| nearest_name(folder, top)),
        Finding::Absent | Finding::Unknown(_) => folder.to_owned(),
    }
}

/// Whether a folder lies in a project: a repository, or below a settings file.
pub(crate) fn is_in_a_project(folder: &Path) -> bool {
    // By its one name: the ancestors of `here/../other` are not those of `other`.
    let absolute = || std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let folder = folder.canonicalize().unwrap_or_else(|_| absolute());
    let marks = |up: &Path| up.join(CONFIG_NAME).is_file() || up.join(".git").exists();
    folder.ancestors().any(marks) || matches!(Repository::discover(&folder), Finding::Found(_))
}

/// The ancestor of `folder` that is `top`, in the words of `folder`: git may answer
/// with another name of the same folder.
fn nearest_name(folder: &Path, top: &Path) -> PathBuf {
    let same = |up: &&Path| birthmark_store::records::same_file(up, top);
    folder.ancestors().find(same).unwrap_or(top).to_owned()
}

fn obey_variables(config: &mut Config) -> Result<()> {
    if let Some(folder) = process::variable("BIRTHMARK_DIR").filter(|folder| !folder.is_empty()) {
        let folder = std::path::absolute(&folder).unwrap_or_else(|_| PathBuf::from(&folder));
        config.artifacts = Setting {
            value: Some(folder),
            from: Some("BIRTHMARK_DIR".to_owned()),
        };
    }
    if let Some(word) = process::variable("BIRTHMARK_ON_DIRTY") {
        config.on_dirty = Setting {
            value: on_dirty(&word)?,
            from: Some("BIRTHMARK_ON_DIRTY".to_owned()),
        };
    }
    Ok(())
}

/// Reads a word of `on_dirty`, wherever it was said.
pub fn on_dirty(word: &str) -> Result<OnDirty> {
    parse_on_dirty(word).ok_or_else(|| {
        let allowed = birthmark_store::config::ON_DIRTY_WORDS;
        Error::usage(
            "on-dirty",
            format!("on_dirty must be {allowed}, not `{word}`"),
        )
    })
}

/// The path from the root on, without `.` and `..`, by its text alone.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    plain(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The path without `.` and `..`, by its text alone.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    plain.push(part);
                }
            }
            part => plain.push(part),
        }
    }
    plain
}

/// What a byte in hexadecimal is written behind.
const ESCAPE: &str = "\\x";

/// A name as text: bytes that are not UTF-8 are written `\xNN`, all else stays.
fn escape(name: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{ESCAPE}{byte:02x}");
        }
    }
    text
}

/// The bytes of a name that [`escape`] wrote as text.
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split(ESCAPE);
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part.get(..2).map(|hex| u8::from_str_radix(hex, 16));
        match byte {
            // What is ASCII was never escaped.
            Some(Ok(byte)) if byte >= 0x80 => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            _ => {
                bytes.extend_from_slice(ESCAPE.as_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_text_is_found_by_its_text_and_no_other_name_is() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join(OsStr::from_bytes(b"caf\xe9\\x41.json"));
        let text = escape(b"caf\xe9\\x41.json");
        assert_eq!(text, r"caf\xe9\x41.json");
        let plain = dir.path().join(&text);
        assert_eq!(lies_at(dir.path(), &text), plain, "neither is there");
        #[expect(clippy::disallowed_methods, reason = "a fixture")]
        std::fs::write(&odd, "").unwrap();
        assert_eq!(lies_at(dir.path(), &text), odd);
        #[expect(clippy::disallowed_methods, reason = "a fixture")]
        std::fs::write(&plain, "").unwrap();
        assert_eq!(
            lies_at(dir.path(), &text),
            plain,
            "its own name comes first"
        );
    }

    #[test]
    fn settings_file_marks_the_root_and_names_the_artifacts_folder() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a fixture")]
        std::fs::write(dir.path().join("birthmark.toml"), "artifacts = \"out\"\n").unwrap();
        let project = Project::find(&deep).unwrap();
        assert_eq!(project.root(), dir.path());
        assert_eq!(project.layout.artifacts(), dir.path().join("out"));
        assert_eq!(project.stored_path(&deep.join("../x.json")), "a/x.json");
    }

    #[test]
    fn names_of_any_bytes_are_stored_so_that_they_can_be_found_again() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let project = Project::find(dir.path()).unwrap();
        for name in ["a\u{1b}[31m\n.jsonl", "\u{202e}x", "\\x1b", "漢字"] {
            let stored = project.stored_name(&dir.path().join(name));
            assert_eq!(stored, (name.to_owned(), None), "kept as it is");
        }
        let bytes = b"b\xff\n";
        let path = dir.path().join(std::ffi::OsStr::from_bytes(bytes));
        let (text, kept) = project.stored_name(&path);
        assert_eq!(text, "b\\xff\n");
        assert_eq!(
            base64::decode(&kept.unwrap()).unwrap(),
            bytes,
            "from the root"
        );
    }

    #[test]
    fn folder_outside_everything_is_its_own_root() {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::find(dir.path()).unwrap();
        assert_eq!(project.root(), dir.path());
        assert_eq!(
            project.stored_path(Path::new("/elsewhere/x")),
            "/elsewhere/x"
        );
    }
}
