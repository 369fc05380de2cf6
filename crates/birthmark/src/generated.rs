//! Which files outside the artifacts folder Birthmark's sessions made, and which were stamped.
//!
//! An untracked file that a journal names as generated must not make the tree dirty.
//! Reading every journal at every start would grow with what is stored, so the
//! names of such files are also kept in one list: a path from the root a line, with
//! its own bytes but for the backslash (`\\`) and the line end (`\n`). After a zero byte stands
//! how the file was left: size, time of change in nanoseconds, digest or `-`. Of a path that
//! stands there twice the last line counts. A file that is no longer as it was left is no
//! artifact any more, but the user's: it counts as untracked, and a snapshot keeps it.
//! The list is derived: losing it costs only that such files count as untracked.
//!
//! What was stamped without a session no journal tells of. Its list, of the same form, is how
//! `find` knows of it, and `unstamp` that nobody edited it since: the digest there is that of the
//! bytes without birthmarks, of files that carry them within. Losing it costs that such a file
//! must be told by `catalog add` or be stamped again, and that an edit is not seen. It is the
//! user's, and tracked or not as git says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use birthmark_capture::git::Left;
use birthmark_core::digest::{Algorithm, Digest};
use birthmark_store::{Layout, PathError, atomic};

use crate::project::{Project, is_in_a_project};

const LIST_LIMIT: u64 = 64 << 20;
/// From so many lines on, what is gone is looked for.
const MANY: usize = 64;

/// What sessions made.
const GENERATED: &str = "generated";
/// What was stamped without a session.
const STAMPED: &str = "stamped";

/// The paths on the list: from the root, or absolute where they lie outside of it; and how
/// each was left, where that is known.
pub(crate) fn read(layout: &Layout) -> HashMap<PathBuf, Option<Left>> {
    let bytes = listed(layout, GENERATED);
    lines(&bytes).collect()
}

/// What was stamped outside of the artifacts folder without a session, from the root.
pub(crate) fn stamped(layout: &Layout) -> HashSet<PathBuf> {
    let bytes = listed(layout, STAMPED);
    let paths = lines(&bytes).map(|(path, _)| path);
    paths
        .filter(|path| !layout.root().join(path).starts_with(layout.artifacts()))
        .collect()
}

/// Whether one of these digests is that which a file had without its birthmarks when it was stamped
/// without a session, as the list of the project tells that `file` lies in; none where it tells
/// nothing of this file.
pub(crate) fn was_stamped_as(project: &Project, file: &Path, digests: &[Digest]) -> Option<bool> {
    let here = place(&project.layout, file).is_relative();
    let other = (!here).then(|| Project::find(atomic::folder_of(file)).ok());
    let layout = match &other {
        None => &project.layout,
        Some(other) => &other.as_ref()?.layout,
    };
    let place = place(layout, file);
    let wanted = digests.iter().map(Digest::to_string);
    let wanted: HashSet<String> = wanted.collect();
    let bytes = listed(layout, STAMPED);
    let mut is_listed = None;
    for (path, left) in lines(&bytes) {
        let Some(digest) = left.and_then(|left| left.digest) else {
            continue;
        };
        if wanted.contains(&digest) {
            return Some(true);
        }
        if path == place {
            is_listed = Some(false);
        }
    }
    is_listed
}

/// The digest of a file that looks changed, as journals spell it.
pub(crate) fn digest_of(path: &Path) -> Option<String> {
    let digest = crate::digests::of(path, Algorithm::Blake3).ok()?;
    Some(digest.to_string())
}

fn listed(layout: &Layout, list: &str) -> Vec<u8> {
    atomic::read_limited(&layout.store().join(list), LIST_LIMIT).unwrap_or_default()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (PathBuf, Option<Left>)> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(2, |byte| *byte == 0);
            let name = parts.next().unwrap_or_default();
            let path = PathBuf::from(OsString::from_vec(unescape(name)));
            (path, parts.next().and_then(parse_left))
        })
}

fn parse_left(text: &[u8]) -> Option<Left> {
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    Some(Left {
        size: words.next()?.parse().ok()?,
        modified_ns: words.next()?.parse().ok()?,
        digest: words.next().filter(|word| *word != "-").map(str::to_owned),
    })
}

fn line(path: &Path, left: Option<&Left>) -> Vec<u8> {
    let mut line = escape(path.as_os_str().as_bytes());
    if let Some(left) = left {
        let digest = left.digest.as_deref().unwrap_or("-");
        line.extend(format!("\0{} {} {digest}", left.size, left.modified_ns).bytes());
    }
    line.push(b'\n');
    line
}

/// Puts on the list, whatever it holds, what is not finished or is a folder; not what lies in
/// the artifacts folder. What can fail here is left: see the head of this file.
pub(crate) fn note(layout: &Layout, path: &Path) {
    put_on(GENERATED, layout, with(&outside(layout, &[path]), |_| None));
}

/// Puts a finished artifact on the list, as it was left.
pub(crate) fn note_sealed(layout: &Layout, path: &Path, size: u64, digest: Option<&str>) {
    let left =
        |_: &Path| Left::now(path, digest.map(str::to_owned)).filter(|left| left.size == size);
    put_on(GENERATED, layout, with(&outside(layout, &[path]), left));
}

/// The same for many files whose digests are not at hand, with the list read once.
pub(crate) fn note_all(layout: &Layout, paths: &[PathBuf]) {
    let left = |path: &Path| Left::now(&layout.root().join(path), None);
    put_on(GENERATED, layout, with(&outside(layout, paths), left));
}

fn with(paths: &[PathBuf], left: impl Fn(&Path) -> Option<Left>) -> Vec<(PathBuf, Option<Left>)> {
    let one = |path: &PathBuf| (path.clone(), left(path));
    paths.iter().map(one).collect()
}

/// A file that was stamped, and the digest of its bytes without birthmarks where it carries them.
pub(crate) type Written = (PathBuf, Option<Digest>);

/// Puts what was stamped on the list of the project that it lies in, which need not be that
/// of the caller.
pub(crate) fn note_stamped(project: &Project, written: &[Written]) {
    let (here, others): (Vec<Written>, Vec<Written>) = placed(&project.layout, written)
        .into_iter()
        .partition(|(path, _)| path.is_relative());
    note_here(&project.layout, &here);
    let mut folders: BTreeMap<PathBuf, Vec<Written>> = BTreeMap::new();
    for one in others {
        let folder = atomic::folder_of(&one.0).to_owned();
        folders.entry(folder).or_default().push(one);
    }
    for (folder, written) in folders {
        if let Ok(other) = Project::find(&folder) {
            let mut written = placed(&other.layout, &written);
            written.retain(|(path, _)| path.is_relative());
            note_here(&other.layout, &written);
        }
    }
}

/// The same by their paths from the root; of the artifacts folder, whose files `find` knows
/// anyway, those alone of which there is a digest.
fn placed(layout: &Layout, written: &[Written]) -> Vec<Written> {
    let is_wanted = |(path, digest): &Written| {
        digest.is_some() || !layout.root().join(path).starts_with(layout.artifacts())
    };
    let places = written
        .iter()
        .map(|(path, digest)| (place(layout, path), *digest));
    places.filter(is_wanted).collect()
}

/// Where there is no store yet it is begun, but not in a folder that is no project.
fn note_here(layout: &Layout, written: &[Written]) {
    let is_wanted = || layout.exists() || is_in_a_project(layout.root());
    if written.is_empty() || !is_wanted() || begin_store(layout).is_err() {
        return;
    }
    let left = |(path, digest): &Written| {
        let digest = digest.as_ref()?.to_string();
        Left::now(&layout.root().join(path), Some(digest))
    };
    let lines = written.iter().map(|one| (one.0.clone(), left(one)));
    put_on(STAMPED, layout, lines.collect());
}

/// Makes the store where it is not there.
pub(crate) fn begin_store(layout: &Layout) -> Result<(), PathError> {
    atomic::create_folder(&layout.store())?;
    if !layout.gitignore().exists() {
        atomic::create_new(&layout.gitignore(), b"*\n")?;
    }
    Ok(())
}

fn outside(layout: &Layout, paths: &[impl AsRef<Path>]) -> Vec<PathBuf> {
    paths
        .iter()
        .map(|path| whole(path.as_ref()))
        .filter(|path| !path.starts_with(layout.artifacts()))
        .map(|path| from_root(layout, &path))
        .collect()
}

/// The path from the root, however it was named.
fn place(layout: &Layout, path: &Path) -> PathBuf {
    from_root(layout, &whole(path))
}

fn whole(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    crate::project::plain(&path)
}

fn put_on(list: &str, layout: &Layout, paths: Vec<(PathBuf, Option<Left>)>) {
    if paths.is_empty() {
        return;
    }
    if let Ok(file) = atomic::open_append(&layout.store().join(list), false) {
        let _ = rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive);
        let _ = put(file, layout, paths);
    }
}

/// With the list locked: whoever comes meanwhile waits. It grows with what is there, not with
/// what ever was: each time that its lines have doubled, what is gone or was told again is
/// taken off.
fn put(mut file: File, layout: &Layout, paths: Vec<(PathBuf, Option<Left>)>) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let before = lines(&bytes).count();
    let mut listed: HashMap<PathBuf, Option<Left>> = lines(&bytes).collect();
    let mut text = Vec::new();
    let mut after = before;
    for (path, left) in paths {
        if listed.get(&path) != Some(&left) {
            text.extend(line(&path, left.as_ref()));
            after += 1;
            listed.insert(path, left);
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    // A power of two was reached on the way.
    let doubled = before.checked_ilog2() != after.checked_ilog2();
    if after >= MANY && doubled {
        text.clear();
        for (path, left) in &listed {
            if layout.root().join(path).symlink_metadata().is_ok() {
                text.extend(line(path, left.as_ref()));
            }
        }
        file.set_len(0)?;
    }
    file.write_all(&text)
}

/// The path from the root; also where the root is reached by another name.
fn from_root(layout: &Layout, path: &Path) -> PathBuf {
    if let Ok(inside) = path.strip_prefix(layout.root()) {
        return inside.to_owned();
    }
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    let (Some(folder), Some(name)) = (folder, path.file_name()) else {
        return path.to_owned();
    };
    let root = layout.root().canonicalize().unwrap_or_default();
    match folder.strip_prefix(root) {
        Ok(inside) => inside.join(name),
        Err(_) => folder.join(name),
    }
}

fn escape(name: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len() + 1);
    for byte in name {
        match byte {
            b'\\' => line.extend(b"\\\\"),
            b'\n' => line.extend(b"\\n"),
            byte => line.push(*byte),
        }
    }
    line
}

fn unescape(line: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(line.len());
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        match (byte, if *byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'n')) => name.push(b'\n'),
            (_, Some(other)) => name.push(*other),
            (byte, None) => name.push(*byte),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_come_back_from_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
        std::fs::create_dir_all(layout.store()).unwrap();
        let names: [&[u8]; 4] = [b"a b", b"line\nend\\n", b"\xff\\", b"deep/\x1b[31m"];
        let paths = names.map(|name| dir.path().join(std::ffi::OsStr::from_bytes(name)));
        for path in paths.iter().chain(&paths) {
            note(&layout, path);
        }
        note(&layout, &layout.artifacts().join("inside"));
        let from_root = names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec())));
        assert_eq!(
            read(&layout),
            HashMap::from(from_root.map(|path| (path, None)))
        );
        let bytes = atomic::read_limited(&layout.store().join(GENERATED), LIST_LIMIT).unwrap();
        assert_eq!(bytes.split(|byte| *byte == b'\n').count(), 5, "each once");
    }

    #[test]
    fn list_grows_with_what_is_there_and_not_with_what_ever_was() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
        std::fs::create_dir_all(layout.store()).unwrap();
        let kept = dir.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        note(&layout, &kept);
        for gone in 0..1000 {
            note(&layout, &dir.path().join(format!("checkpoint-{gone}")));
        }
        let listed = read(&layout);
        assert!(listed.len() <= 2 * MANY, "{}", listed.len());
        assert!(listed.contains_key(Path::new("kept")));
    }
}
