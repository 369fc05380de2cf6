//! An evaluation report: written at once, or item by item so that a crash costs
//! nothing that was acknowledged.
//!
//! Item by item, the items stand in `<name>.part.jsonl`, each with its birthmark. At
//! the close they are put together under `results`, the report gets its name in one
//! rename, and the part goes. While the report is not there, its part is gone on
//! with, in any mode. Where both are there, mode "w" goes on only with a part that is
//! newer than the report: the items of a run that died writing it anew.

pub(crate) mod origins;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use birthmark_core::birthmark::{self, Fields};
use birthmark_core::event::{ArtifactSealed, ReportBegun, ReportLeft};
use birthmark_core::json::{self, OnExisting};
use birthmark_core::schema::PART_SUFFIX;
use birthmark_core::timestamp::Timestamp;
use birthmark_store::atomic::{self, Durability, PathContext};
use birthmark_store::records::{Count, Mode, RecordWriter};
use birthmark_store::running::RunningDigest;
use serde_json::Value;

use origins::Origins;

use crate::error::{Error, Result};
use crate::session::{CloseWithSession, Session, lock, now};
use crate::template::Templates;
use crate::text::neutral;

/// How a report is to be written.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// What to do with a report that is there.
    pub mode: Mode,
    /// The artifact's type.
    pub artifact_type: String,
    /// Provenance, params, `models`, `dataset` and own fields.
    pub given: Fields,
}

/// A report being made item by item. Clones are the same report.
#[derive(Clone)]
pub struct Report {
    shared: Arc<Shared>,
}

struct Shared {
    session: Session,
    path: PathBuf,
    part: PathBuf,
    options: ReportOptions,
    /// Beside the state, so that asking for it never waits for a writing thread.
    count: AtomicU64,
    state: Mutex<State>,
}

struct State {
    writer: Option<RecordWriter>,
    templates: Templates,
    birthmark: Vec<u8>,
}

impl Session {
    /// Writes a finished report: `body` is a JSON object as the door spelled it.
    pub fn report(&self, path: &Path, body: &[u8], options: &ReportOptions) -> Result<()> {
        self.check_report(path, options)?;
        let time = now();
        let birthmark = self.whole_birthmark(&options.artifact_type, &options.given, time);
        seal(self, path, options, body, (time, birthmark))
    }

    /// Refuses, before any work, what cannot become a report here.
    fn check_report(&self, path: &Path, options: &ReportOptions) -> Result<()> {
        self.check_live()?;
        crate::records::refuse_misleading_name(path)?;
        crate::template::check_given(&options.given)?;
        self.obey_policy(
            &self.project().stored_path(path),
            &options.artifact_type,
            &options.given,
            false,
        )?;
        check_place(path, options.mode, self.durability())
    }

    /// Begins a report that is made item by item, or goes on with its part.
    pub fn begin_report(&self, path: &Path, options: ReportOptions) -> Result<Report> {
        self.check_report(path, &options)?;
        let mut part = path.as_os_str().to_owned();
        part.push(PART_SUFFIX);
        let part = PathBuf::from(part);
        let mode = part_mode(path, &part, options.mode)?;
        let (writer, continued) = RecordWriter::open(&part, mode, self.durability())
            .map_err(|error| crate::held::explain(self.project(), &part, error))?;
        let base = self.base_fields(&options.artifact_type, &options.given);
        if continued.records > 0 {
            let mine = birthmark::compose([&base], birthmark::Scope::Whole);
            self.say_going_on(&part, continued.records, &mine)?;
        }
        self.record(ReportBegun {
            file: self.project().stored_path(path),
            part: self.project().stored_path(&part),
        })?;
        let state = State {
            writer: Some(writer),
            templates: Templates::new(base, birthmark::Scope::Whole),
            birthmark: Vec::new(),
        };
        let shared = Arc::new(Shared {
            session: self.clone(),
            path: path.to_owned(),
            part,
            options,
            count: AtomicU64::new(continued.records),
            state: Mutex::new(state),
        });
        self.begun_reports()
            .insert(shared.part.clone(), shared.path.clone());
        let weak: std::sync::Weak<Shared> = Arc::downgrade(&shared);
        self.close_at_end(weak);
        Ok(Report { shared })
    }

    /// Says which items are there, and what they were made with that is not so now.
    fn say_going_on(&self, part: &Path, items: u64, mine: &Fields) -> Result<()> {
        let mut origins = Origins::default();
        each_item(part, |item| origins.take(item))?;
        let kept = crate::talk::count(items, "item");
        let name = self.project().stored_path(part);
        let name = neutral(&name);
        self.say(&format!("birthmark: going on with {kept} in {name}"));
        let other = origins.other_than(mine);
        if !other.is_empty() {
            let told = other.join(", ");
            self.say(&format!(
                "birthmark: some were made with {told}: the report will say so, and be unknown in \
                 what differs; remove {name} to begin anew"
            ));
        }
        Ok(())
    }
}

/// Hands over each item of a part.
fn each_item<E: std::error::Error + Send + Sync + 'static>(
    part: &Path,
    mut take: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> Result<()> {
    let file = std::fs::File::open(part).at("read", part)?;
    let mut line = Vec::new();
    let mut reader = BufReader::new(file);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).at("read", part)? == 0 {
            return Ok(());
        }
        let item = line.trim_ascii_end();
        if item.is_empty() {
            continue;
        }
        take(item).map_err(|source| {
            Error::usage(
                "record",
                format!("an item of `{}` is not what was written", part.display()),
            )
            .with_source(source)
            .with_hint("mend the line or take it out, and run again")
        })?;
    }
}

fn check_place(path: &Path, mode: Mode, durability: Durability) -> Result<()> {
    if mode == Mode::New && path.symlink_metadata().is_ok() {
        let error = birthmark_store::records::RecordsError::Exists {
            path: path.to_owned(),
        };
        return Err(Error::from(error).with_hint("mode=\"w\" writes it anew"));
    }
    let folder = atomic::folder_of(path);
    Ok(atomic::create_folder_safely(folder, durability)?)
}

/// How the part is opened: gone on with, unless the report is there and is to be made anew. In
/// mode "a" the results of a report that is there become its part.
fn part_mode(path: &Path, part: &Path, mode: Mode) -> Result<Mode> {
    let Ok(report) = path.metadata() else {
        return Ok(Mode::GoOn);
    };
    let begun = part.metadata().ok();
    match (mode, begun) {
        (Mode::GoOn, None) => take_up(path, part).map(|()| Mode::GoOn),
        (Mode::Anew, Some(begun)) if begun.modified().ok() <= report.modified().ok() => {
            Ok(Mode::Anew)
        }
        _ => Ok(Mode::GoOn),
    }
}

/// Writes the results of a report as its part, all or nothing: each with the birthmark of the
/// report, unless it has its own.
fn take_up(path: &Path, part: &Path) -> Result<()> {
    const LIMIT: u64 = 4 << 30;
    let report = atomic::read_limited(path, LIMIT)?;
    let report = json::without_bom(&report);
    let results = json::get(report, &["results"]).unwrap_or(b"[]");
    let mut lines = Vec::with_capacity(2 * results.len());
    let (mark, mut item) = (mark_for_items(report), Vec::new());
    for place in json::elements(results) {
        item.clear();
        push_on_one_line(&mut item, place.of(results));
        let before = lines.len();
        let stamped = mark.as_ref().is_some_and(|mark| {
            json::stamp_record(&mut lines, &item, mark, OnExisting::Keep).is_ok()
        });
        if !stamped {
            lines.truncate(before);
            lines.extend_from_slice(&item);
        }
        lines.push(b'\n');
    }
    Ok(atomic::replace(part, &lines, Durability::Process)?)
}

/// The birthmark of a report, as its items have it; none where it has none of ours.
fn mark_for_items(report: &[u8]) -> Option<Vec<u8>> {
    let place = json::find_birthmark(report).ok()?;
    let mut memory = Vec::new();
    let own = place.own(report, &mut memory);
    let mut fields: Fields = serde_json::from_slice(own).ok()?;
    for aside in [origins::ITEMS_FROM, "merged"] {
        fields.remove(aside);
    }
    serde_json::to_vec(&fields).ok().filter(|_| place.is_ours())
}

/// A JSON text without its line ends and indents: raw ones stand only between its tokens.
fn push_on_one_line(out: &mut Vec<u8>, text: &[u8]) {
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = if number == 0 {
            line
        } else {
            line.trim_ascii_start()
        };
        out.extend_from_slice(line.trim_ascii_end());
        if line.ends_with(b",") {
            out.push(b' ');
        }
    }
}

impl Report {
    /// The report's file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Where its items stand meanwhile.
    pub fn part(&self) -> &Path {
        &self.shared.part
    }

    /// Items so far.
    pub fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Adds one item: a JSON object as the door spelled it. When this returns it
    /// survives the death of the process.
    pub fn add(&self, item: &[u8]) -> Result<()> {
        self.shared.session.check_owner()?;
        let mut state = lock(&self.shared.state);
        let state = &mut *state;
        let Some(writer) = state.writer.as_mut() else {
            let path = self.shared.path.display();
            return Err(
                Error::usage("file-closed", format!("report `{path}` is closed"))
                    .with_hint("begin it again with mode=\"a\""),
            );
        };
        state.birthmark.clear();
        state
            .templates
            .render(&mut state.birthmark, now(), &[], &[])?;
        writer.append(item, Some(&state.birthmark))?;
        self.shared.count.store(writer.records(), Ordering::Relaxed);
        Ok(())
    }

    /// Puts the report together: `head` is a JSON object with what stands beside the
    /// results (the summary first). The part goes when the report is there; after a failure
    /// it stays, and finishing may be tried again.
    pub fn finish(&self, head: &[u8]) -> Result<()> {
        if self.shared.session.is_fork() {
            return Ok(());
        }
        let mut state = lock(&self.shared.state);
        if state.writer.is_none() {
            return Ok(());
        }
        let Shared {
            session,
            path,
            part,
            options,
            ..
        } = &*self.shared;
        let time = now();
        let mut birthmark = session.whole_birthmark(&options.artifact_type, &options.given, time);
        let mut origins = Origins::default();
        each_item(part, |item| origins.take(item))?;
        let is_mixed = origins.tell(&mut birthmark);
        let body = self.assemble(head, is_mixed)?;
        seal(session, path, options, &body, (time, birthmark))?;
        state.writer = None;
        self.shared
            .session
            .begun_reports()
            .remove(&self.shared.part);
        atomic::remove(&self.shared.part)?;
        Ok(())
    }

    /// Leaves the part for a later run, because of an error.
    pub fn abandon(&self) {
        self.shared.leave();
    }

    /// `head` with `"results": [item, …]` as its last member; each with its own birthmark
    /// where they are `mixed`.
    fn assemble(&self, head: &[u8], mixed: bool) -> Result<Vec<u8>> {
        let mut results = b"[".to_vec();
        each_item(&self.shared.part, |item| {
            if results.len() > 1 {
                results.push(b',');
            }
            if mixed {
                results.extend_from_slice(item);
                return Ok(());
            }
            json::unstamp_record(&mut results, item).map(drop)
        })?;
        results.push(b']');
        let object = json::scan_object(head).map_err(|source| {
            Error::usage("report", "a report must be a JSON object").with_source(source)
        })?;
        let mut body = Vec::with_capacity(head.len() + results.len() + 16);
        json::splice_member(&mut body, head, &object, "results", &results);
        Ok(body)
    }
}

impl Shared {
    fn leave(&self) {
        if self.session.is_fork() {
            return;
        }
        // Not said under the lock: who says something may wait for another thread.
        let writer = lock(&self.state).writer.take();
        if let Some(writer) = writer {
            tell_left(&self.session, &self.path, &self.part, writer.records());
        }
    }
}

/// Says that a report waits, and notes it.
fn tell_left(session: &Session, path: &Path, part: &Path, items: u64) {
    session.begun_reports().remove(part);
    let kept = crate::talk::count(items, "item");
    let name = session.project().stored_path(part);
    // That it is said is what counts: the session may be over, and its journal closed.
    let _ = session.record(ReportLeft {
        file: session.project().stored_path(path),
        part: name.clone(),
        items,
    });
    let name = neutral(&name);
    session.say(&format!(
        "birthmark: kept {kept} in {name}; run again to go on"
    ));
}

/// At the end of a session: reports whose writer the script let go of without finishing them.
pub(crate) fn tell_of_dropped(session: &Session) {
    let begun = std::mem::take(&mut *session.begun_reports());
    for (part, path) in begun {
        if let Ok(items) = count_items(&part) {
            tell_left(session, &path, &part, items);
        }
    }
}

pub(crate) fn count_items(part: &Path) -> std::io::Result<u64> {
    let mut reader = BufReader::new(atomic::open_regular(part)?);
    let (mut items, mut line) = (0, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        // A line that a crash tore was never acknowledged.
        items += u64::from(line.ends_with(b"\n") && !line.trim_ascii().is_empty());
        line.clear();
    }
    Ok(items)
}

impl CloseWithSession for Shared {
    /// A report that nobody finished is not put together: its summary is not known.
    fn close_with_session(&self) -> Result<()> {
        self.leave();
        Ok(())
    }
}

/// Indents the body, puts the birthmark in, and gives the file its name in one rename.
fn seal(
    session: &Session,
    path: &Path,
    options: &ReportOptions,
    body: &[u8],
    (time, birthmark): (Timestamp, Fields),
) -> Result<()> {
    let mark = serde_json::to_vec(&birthmark).map_err(|source| {
        Error::usage("spelling", "cannot spell the birthmark as JSON").with_source(source)
    })?;
    let mut content = Vec::with_capacity(body.len() + body.len() / 4);
    json::push_indented(&mut content, body, b"\n", b"  ");
    content.push(b'\n');
    let mut stamped = Vec::with_capacity(content.len() + 2 * mark.len());
    json::stamp_report(&mut stamped, &content, &mark, OnExisting::Merge).map_err(|source| {
        let error = Error::usage("report", "cannot stamp the report");
        let hint = source.hint();
        let error = error.with_source(source);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })?;
    let count = count_of(&stamped, &content, result_count(&content));
    atomic::replace_with(path, Durability::Power, |file| file.write_all(&stamped))?;
    let (file, file_bytes) = session.project().stored_name(path);
    session.record_sealed(
        path,
        ArtifactSealed {
            file,
            file_bytes,
            artifact_type: options.artifact_type.clone(),
            format: "report".to_owned(),
            timestamp: time,
            size: count.size,
            records: None,
            digest: Some(count.digest.to_string()),
            content_digest: Some(count.content_digest.to_string()),
            birthmark,
            notes: items_note(count.records),
        },
    )?;
    session.fold_soon();
    Ok(())
}

fn count_of(stamped: &[u8], content: &[u8], records: u64) -> Count {
    let digest = |bytes: &[u8]| {
        let mut running = RunningDigest::default();
        running.update(bytes);
        running.digest()
    };
    Count {
        size: stamped.len() as u64,
        records,
        digest: digest(stamped),
        content_digest: digest(content),
    }
}

fn items_note(items: u64) -> Fields {
    let mut notes = Fields::new();
    notes.insert("items".to_owned(), Value::from(items));
    notes
}

fn result_count(content: &[u8]) -> u64 {
    let results = json::get(content, &["results"]).unwrap_or_default();
    json::elements(results).count() as u64
}
