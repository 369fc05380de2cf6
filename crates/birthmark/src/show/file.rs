//! A file or folder: what it carries, or what stands beside it.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use birthmark_core::Timestamp;
use birthmark_core::birthmark::Fields;
use birthmark_core::json::{self, MarkKind, Where};
use birthmark_core::schema::SIDECAR_SUFFIX;
use birthmark_store::atomic;
use birthmark_store::digest::{FileError, open_still};
use birthmark_store::format::codec::Codec;
use birthmark_store::format::json::REPORT_LIMIT;
use birthmark_store::format::sidecar::Sidecar;
use birthmark_store::format::{FileKind, Input, Source};
use birthmark_store::layout::Layout;
use birthmark_store::reading;
use serde_json::Value;

use super::{Shown, What, columns, finish, gather, note, now, records, take_recorded};
use crate::error::{Error, Kind, Result};
use crate::lines;
use crate::project::Project;
use crate::{weights, wrote};

/// Entries of a folder among which a sidecar is looked for that lost its file.
const MOST_BESIDE: usize = 2_000;

fn open(path: &Path) -> Result<(File, u64)> {
    // A link is followed here: showing what it leads to does no harm.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (file, state) = open_still(&real).map_err(cannot_read)?;
    Ok((file, state.size))
}

fn cannot_read(error: FileError) -> Error {
    let hint = error.hint();
    let shown = Error::new(Kind::Io, "io", "cannot show it").with_source(error);
    match hint {
        Some(hint) => shown.with_hint(hint),
        None => shown,
    }
}

/// The text of a file of records, unpacked, and the size of the file as it lies.
fn open_text(path: &Path) -> Result<(Box<dyn Source>, u64)> {
    let (file, size) = open(path)?;
    let counted = Counted {
        file,
        done: reading::expect(size),
    };
    let text = lines::text_of(counted, Codec::of(path));
    Ok((text.map_err(|source| unread(path, &source))?, size))
}

/// A file of which whoever watches this thread's reading is told how far it is read.
struct Counted {
    file: File,
    done: Option<Arc<AtomicU64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.file.read(buffer)?;
        if let Some(done) = &self.done {
            done.fetch_add(got as u64, Ordering::Relaxed);
        }
        Ok(got)
    }
}

impl Source for Counted {
    fn file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

fn unread(path: &Path, source: &std::io::Error) -> Error {
    let text = format!("cannot read `{}`: {source}", path.display());
    let error = Error::new(Kind::Io, "io", text);
    match atomic::way_out(source) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

pub(super) fn show_file(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let sidecar = Layout::sidecar(path);
    let kind = FileKind::of(path);
    let within = if kind.is_some_and(FileKind::has_records) {
        show_records(project, path, now).map(Some)
    } else if let Some(kind) = kind.filter(|kind| kind.has_key()) {
        show_within(project, path, kind, now)
    } else {
        show_report(project, path, now)
    };
    // A file that carries nothing, or cannot be read, may have its birthmark beside it.
    let carries = matches!(&within, Ok(Some(shown)) if shown.what != What::Unstamped);
    if sidecar.is_file() && !carries {
        return show_sidecar(project, path, &sidecar, now);
    }
    if let Some(shown) = within? {
        return Ok(shown);
    }
    if let Some(shown) = show_log(project, path) {
        return Ok(shown);
    }
    let shown = unstamped(project, path, now);
    match weights::damaged(path).filter(|_| shown.what == What::Unstamped) {
        Some(error) => Err(error),
        None => Ok(shown),
    }
}

/// The log of another tool, by our names: all of it is declared.
fn show_log(project: &Project, path: &Path) -> Option<Shown> {
    use birthmark_core::evaluation::Tool;
    if !crate::evaluation::is_report(path).ok()? {
        return None;
    }
    let found = crate::evaluation::read(path).ok()??;
    if matches!(found.tool, Tool::Birthmark | Tool::Plain) {
        return None;
    }
    let mut shown = Shown::new(What::Report, project.stored_path(path));
    shown.size = path.metadata().ok().map(|found| found.len());
    shown.place = Some(found.tool.word());
    shown.foreign = true;
    shown.birthmark = found.birthmark.unwrap_or_default();
    shown.declared = shown.birthmark.keys().cloned().collect();
    shown.declared.retain(|name| name != "unknown");
    let own = shown.birthmark.clone();
    gather(&mut shown, &own);
    for problem in found.problems.iter().chain(&found.notes) {
        note(&mut shown, "log", problem);
    }
    Some(shown)
}

/// A file that carries nothing: perhaps a journal tells of it all the same.
fn unstamped(project: &Project, path: &Path, now: Timestamp) -> Shown {
    let mut shown = Shown::new(What::Unstamped, project.stored_path(path));
    shown.size = path
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|found| found.len());
    if observed(project, &mut shown, path, now) {
        return shown;
    }
    if path.is_dir() {
        shown.holds = wrote::below(project, &shown.name);
    }
    let why = match shown.holds {
        Some(_) => "nobody recorded the folder as one artifact",
        None => "the file carries none and no sidecar stands beside it",
    };
    note(&mut shown, "birthmark", why);
    shown.left_sidecar = left_sidecar(path);
    shown
}

/// The sidecar beside a file that tells of its bytes, and whose own file is not there: the file was
/// called otherwise, and its sidecar was not.
fn left_sidecar(path: &Path) -> Option<PathBuf> {
    let size = path.metadata().ok().filter(Metadata::is_file)?.len();
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let paths = entries
        .take(MOST_BESIDE)
        .filter_map(|entry| Some(entry.ok()?.path()));
    let tells = |sidecar: &PathBuf| {
        let subject = sidecar
            .to_str()
            .and_then(|text| text.strip_suffix(SIDECAR_SUFFIX));
        let is_left = subject.is_some_and(|subject| Path::new(subject).symlink_metadata().is_err());
        let said = is_left.then(|| Sidecar::read(sidecar).ok()).flatten();
        said.is_some_and(|said| {
            said.size == size && now::digest_of(path) == Some(said.digest.to_string())
        })
    };
    paths.into_iter().find(tells)
}

/// Fills in what the session that saw this file being made tells of it, if one did.
fn observed(project: &Project, shown: &mut Shown, path: &Path, now: Timestamp) -> bool {
    let lies = now::digest_of(path);
    let Some(wrote) = wrote::at(project, &shown.name, lies.as_deref()) else {
        return false;
    };
    let is_here = wrote.artifact.file == shown.name;
    // A file of a folder that is one artifact is that folder's, whatever else has its bytes.
    if !is_here && wrote::folder_of(project, path).is_some() {
        return false;
    }
    shown.what = What::Observed;
    shown.place = Some("journal");
    finish(project, shown, Some(wrote.session.as_str()), now);
    if !is_here {
        take_recorded(shown, &wrote.artifact);
    }
    // Of a checkpoint whose digest was never made nobody counted the bytes.
    let counted = shown.recorded.as_ref().filter(|one| one.digest.is_some());
    shown.size = shown.size.or(counted.map(|one| one.size));
    true
}

fn show_records(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let (mut text, size) = open_text(path)?;
    let found = records::read_all(&mut *text).map_err(|source| unread(path, &source))?;
    let stamped = found.records > found.unstamped;
    let what = if stamped {
        What::Records
    } else {
        What::Unstamped
    };
    let mut shown = Shown::new(what, project.stored_path(path));
    shown.size = Some(size);
    shown.records = Some(found.records);
    shown.unstamped = found.unstamped;
    shown.bad_lines = (found.bad_lines, found.first_bad);
    shown.place = found.kind.map(MarkKind::word);
    shown.foreign = found.foreign > 0;
    shown.birthmark = found.same;
    shown.varies = found.varies;
    if !stamped && observed(project, &mut shown, path, now) {
        return Ok(shown);
    }
    if !stamped {
        let why = match &shown.bad_lines {
            (bad @ 1.., Some((line, _))) => {
                let bad = crate::text::count(*bad, "line");
                format!("no record carries one; {bad} cannot be read as such, line {line} first")
            }
            _ => "no record carries one".to_owned(),
        };
        note(&mut shown, "birthmark", &why);
    }
    if found.truncated {
        note(
            &mut shown,
            "fields",
            "the records have more fields than are looked at",
        );
    }
    let id = last_session(&shown);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(shown)
}

/// The session of all records; of several that of the last record, which is who went on with the
/// file. Their ids tell no order within a second, nor between two clocks.
fn last_session(shown: &Shown) -> Option<String> {
    if let Some(id) = shown.birthmark.get("session_id") {
        return id.as_str().map(str::to_owned);
    }
    let mut varies = shown.varies.iter();
    let varying = varies.find(|varying| varying.name == "session_id")?;
    let id = varying.last.as_ref().or(varying.max.as_ref())?;
    id.as_str().map(str::to_owned)
}

pub(super) fn show_record(
    project: &Project,
    path: &Path,
    line: u64,
    now: Timestamp,
) -> Result<Shown> {
    let (mut text, size) = open_text(path)?;
    let one = records::read_one(&mut *text, line).map_err(|source| unread(path, &source))?;
    let Some(record) = one.record.filter(|_| !one.too_long && line > 0) else {
        let message = format!("`{}` has no line {line} that can be shown", path.display());
        return Err(Error::usage("no-line", message)
            .with_hint(format!("it has {}", crate::text::count(one.last, "line"))));
    };
    let place = json::find_birthmark(&record).map_err(|error| {
        let message = format!("line {line} of `{}` is no record: {error}", path.display());
        Error::new(Kind::Damaged, "record", message)
    })?;
    let mut shown = carried(project, path, What::Record, &record, place);
    shown.line = Some(line);
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(shown)
}

fn session_id(birthmark: &Fields) -> Option<String> {
    birthmark
        .get("session_id")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// What a record or report carries.
fn carried(project: &Project, path: &Path, what: What, record: &[u8], place: Where) -> Shown {
    let mut shown = Shown::new(what, project.stored_path(path));
    let Some(value) = place.value(record) else {
        shown.what = What::Unstamped;
        note(&mut shown, "birthmark", "it carries none");
        return shown;
    };
    shown.foreign = !place.is_ours();
    let kind = MarkKind::of(&place);
    let is_merged = kind == Some(MarkKind::Merged);
    let merged = || json::as_u64(json::get(value, &["merged"])?);
    let users = is_merged.then(merged).flatten().unwrap_or(0);
    let users = usize::try_from(users).unwrap_or(0);
    shown.place = kind.map(MarkKind::word);
    if kind == Some(MarkKind::Beside) {
        shown.older = older(record);
    }
    for (key, value) in json::members(value).skip(users) {
        let name = json::as_text_lossy(key).unwrap_or_default().into_owned();
        if !is_merged || name != "merged" {
            shown.birthmark.insert(name, columns::parse(value));
        }
    }
    shown
}

/// The birthmark under `metadata` of a record that carries a younger one under `birthmark`.
fn older(record: &[u8]) -> Option<Fields> {
    let older = json::get(record, &["metadata"])?;
    json::is_birthmark(older)
        .then(|| serde_json::from_slice(older).ok())
        .flatten()
}

/// A file with a key for its birthmark; none where the key is not there.
fn show_within(
    project: &Project,
    path: &Path,
    kind: FileKind,
    now: Timestamp,
) -> Result<Option<Shown>> {
    let (mut file, size) = open(path)?;
    let mut shown = None;
    let input = Input {
        name: path,
        bytes: &mut file,
    };
    kind.format().read(input, &mut |mark| {
        if let Ok(mark) = mark
            && mark.value().is_some()
        {
            shown = Some(carried(project, path, What::File, mark.record, mark.place));
        }
        false
    })?;
    let Some(mut shown) = shown else {
        return Ok(None);
    };
    shown.place = Some(kind.word());
    shown.birthmark.remove("joins");
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(Some(shown))
}

fn show_report(project: &Project, path: &Path, now: Timestamp) -> Result<Option<Shown>> {
    let head = birthmark_store::records::peek(path, 4_096)?;
    if json::without_bom(&head).trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    let (_, size) = open(path)?;
    let Ok(bytes) = atomic::read_limited(path, REPORT_LIMIT as u64) else {
        return Ok(None);
    };
    let record = json::without_bom(&bytes);
    let Ok(place) = json::find_birthmark(record) else {
        return Ok(None);
    };
    if place == Where::Absent {
        return Ok(None);
    }
    let mut shown = carried(project, path, What::Report, record, place);
    shown.size = Some(size);
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    Ok(Some(shown))
}

pub(super) fn show_folder(project: &Project, path: &Path, now: Timestamp) -> Result<Shown> {
    let sidecar = Layout::sidecar(path);
    if sidecar.is_file() {
        return show_sidecar(project, path, &sidecar, now);
    }
    if path.join(birthmark_store::layout::STORE_NAME).is_dir() {
        return Err(Error::usage(
            "folder",
            format!("`{}` is an artifacts folder", path.display()),
        )
        .with_hint("`birthmark session list` names its sessions; show one, or a file"));
    }
    Ok(unstamped(project, path, now))
}

pub(super) fn show_sidecar(
    project: &Project,
    subject: &Path,
    sidecar: &Path,
    now: Timestamp,
) -> Result<Shown> {
    let said = Sidecar::read(sidecar).map_err(|error| {
        let hint = error.hint();
        let shown = Error::new(Kind::Damaged, "sidecar", "cannot show it").with_source(error);
        match hint {
            Some(hint) => shown.with_hint(hint),
            None => shown,
        }
    })?;
    use birthmark_store::format::sidecar::SidecarKind;
    let what = if said.kind == SidecarKind::Folder {
        What::Folder
    } else {
        What::File
    };
    let mut shown = Shown::new(what, project.stored_path(subject));
    shown.place = Some("sidecar");
    shown.size = Some(said.size);
    shown.records = said.records;
    if let Value::Object(fields) = columns::parse(&said.birthmark) {
        shown.birthmark = fields;
    }
    shown.foreign = !json::is_birthmark(&said.birthmark);
    if subject.symlink_metadata().is_err() {
        note(&mut shown, "file", "the sidecar stands here without it");
    }
    let id = session_id(&shown.birthmark);
    finish(project, &mut shown, id.as_deref(), now);
    if shown.recorded.is_none() {
        shown
            .birthmark
            .insert("digest".to_owned(), Value::from(said.digest.to_string()));
    }
    Ok(shown)
}
