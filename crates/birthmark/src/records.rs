//! A JSONL artifact being written: every record is born with its birthmark.

mod older;
mod read;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use birthmark_core::birthmark::{Fields, Scope};
use birthmark_core::event::{ArtifactOpened, ArtifactProgress, ArtifactSealed};
use birthmark_core::json::Placed;
use birthmark_store::Durability;
use birthmark_store::atomic::UNCHANGED;
use birthmark_store::format::FileKind;
use birthmark_store::format::codec::Codec;
use birthmark_store::line_sums::LineSums;
use birthmark_store::records::{Count, Mode, RecordWriter, RecordsError};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::policy::Watch;
use crate::session::{CloseWithSession, Session, lock, now};
use crate::template::{RecordField, Templates};
use crate::text::neutral;

/// The journal is told how far a file has come after so many bytes …
const PROGRESS_BYTES: u64 = 64 << 20;
/// … or after so long.
const PROGRESS_TIME: Duration = Duration::from_secs(10);
/// A record of at most so many bytes is handed to the operating system in no time.
const SMALL_RECORD: usize = 64 << 10;
/// The clock is asked once in so many records.
const CLOCK_EVERY: u64 = 256;

/// How a JSONL artifact is to be written.
#[derive(Debug, Clone)]
pub struct RecordsOptions {
    /// What to do with a file that is there.
    pub mode: Mode,
    /// The artifact's type.
    pub artifact_type: String,
    /// Provenance, params and own fields of this file.
    pub given: Fields,
    /// Whether records carry all fields, not only those that people filter by.
    pub all_fields: bool,
}

pub(crate) use older::carry_on;
pub use read::{clean_lines, values_of};

/// What was found in a file that goes on.
pub use birthmark_store::records::Continued;

/// A JSONL artifact being written. Clones write to the same file.
#[derive(Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

struct Shared {
    session: Session,
    file: String,
    path: PathBuf,
    artifact_type: String,
    given: Fields,
    continued: Continued,
    /// Beside the state, so that asking for it never waits for a writing thread.
    count: AtomicU64,
    state: Mutex<State>,
}

struct State {
    writer: Option<RecordWriter>,
    /// Closed, but the journal did not take it yet.
    unsealed: Option<(Count, LineSums)>,
    templates: Templates,
    birthmark: Vec<u8>,
    told_bytes: u64,
    told_at: Instant,
    warned_of_clash: bool,
    /// The policy, where the project has one.
    watch: Option<Watch>,
    notes: Fields,
}

/// Refuses a name that says of the file what it will not be: text is written, as it comes.
pub(crate) fn refuse_misleading_name(path: &Path) -> Result<()> {
    let said = match FileKind::of(path) {
        _ if Codec::of(path) != Codec::Plain => "packed",
        Some(FileKind::Parquet) => "Parquet",
        Some(FileKind::Safetensors) => "safetensors",
        _ => return Ok(()),
    };
    let shown = neutral(&path.to_string_lossy()).into_owned();
    let plain = path.with_extension("");
    let plain = neutral(&plain.to_string_lossy()).into_owned();
    let hint = if said == "packed" {
        format!("write `{plain}`, and pack it when it is whole: each record keeps its birthmark")
    } else {
        "write the file with its own library, then `s.add` or `birthmark stamp` it".to_owned()
    };
    let message =
        format!("{shown}: the name says {said}, and plain text is written here as it comes");
    Err(Error::usage("misleading-name", message).with_hint(hint))
}

impl Session {
    /// Opens a JSONL artifact. Refused here, before any work: an existing file in mode "x", a
    /// second writer, fields of the wrong type, a name that says packed.
    pub fn records(&self, path: &Path, options: RecordsOptions) -> Result<Records> {
        self.check_live()?;
        refuse_misleading_name(path)?;
        crate::template::check_given(&options.given)?;
        let (file, file_bytes) = self.project().stored_name(path);
        self.obey_policy(&file, &options.artifact_type, &options.given, true)?;
        let (writer, continued) = RecordWriter::open(path, options.mode, self.durability())
            .map_err(|error| crate::held::explain(self.project(), path, error))?;
        let scope = if options.all_fields {
            Scope::Whole
        } else {
            Scope::Record
        };
        let base = self.base_fields(&options.artifact_type, &options.given);
        self.record(ArtifactOpened {
            file: file.clone(),
            file_bytes,
            artifact_type: options.artifact_type.clone(),
            format: "jsonl".to_owned(),
            birthmark: self.whole_birthmark(&options.artifact_type, &options.given, now()),
            continued_bytes: continued.bytes,
            continued_records: continued.records,
            continued_digest: continued.digests.as_ref().map(|(own, _)| own.to_string()),
            continued_content_digest: continued.digests.as_ref().map(|(_, own)| own.to_string()),
        })?;
        crate::generated::note(&self.project().layout, path);
        let mut notes = Fields::new();
        if let Some((bytes, aside)) = &continued.torn {
            notes.insert("torn_bytes".to_owned(), Value::from(*bytes));
            let aside = self.project().stored_path(aside);
            notes.insert("torn_aside".to_owned(), Value::from(aside.clone()));
            let (file, aside) = (neutral(&file), neutral(&aside));
            self.say(&format!(
                "birthmark: {file}: cut {bytes} bytes of a torn last line aside, to {aside}"
            ));
        }
        let whole = || self.birthmark(&options.artifact_type, &options.given);
        let has_policy = self.has_policy();
        let state = State {
            told_bytes: writer.size(),
            writer: Some(writer),
            unsealed: None,
            templates: Templates::new(base, scope),
            birthmark: Vec::new(),
            told_at: Instant::now(),
            warned_of_clash: false,
            watch: has_policy
                .then(whole)
                .and_then(|whole| Watch::new(self, &file, &whole)),
            notes,
        };
        let shared = Arc::new(Shared {
            session: self.clone(),
            file,
            path: path.to_owned(),
            artifact_type: options.artifact_type,
            given: options.given,
            count: AtomicU64::new(continued.records),
            continued,
            state: Mutex::new(state),
        });
        let weak: std::sync::Weak<Shared> = Arc::downgrade(&shared);
        self.close_at_end(weak);
        Ok(Records { shared })
    }

    /// Refuses a forked child.
    pub(crate) fn check_owner(&self) -> Result<()> {
        if self.is_fork() {
            return Err(Error::usage(
                "forked-child",
                "cannot write in a forked child of the session's process",
            )
            .with_hint("write in the parent, or begin a session in the child"));
        }
        Ok(())
    }

    pub(crate) fn check_live(&self) -> Result<()> {
        self.check_owner()?;
        if self.is_over() {
            return Err(Error::usage("session-over", "the session is over")
                .with_hint("open the file inside `with bm.session(): …`"));
        }
        Ok(())
    }
}

impl Records {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The session it is written in.
    pub fn session(&self) -> &Session {
        &self.shared.session
    }

    /// What was there before, when it goes on.
    pub fn continued(&self) -> &Continued {
        &self.shared.continued
    }

    /// Records so far; those that were there before are counted.
    pub fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Appends one record: a JSON object without its line end, as the door spelled it. When
    /// this returns the record survives the death of the process. `reasons` are for
    /// fields of this record that are null because they could not be told.
    pub fn append(
        &self,
        record: &[u8],
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<()> {
        let mut state = self.state()?;
        self.append_to(&mut state, record, fields, reasons)
    }

    /// As [`append`](Self::append) where it surely takes no time: the record is small, nobody
    /// else is writing, and nothing has to be synced. `None`, with nothing done, elsewhere.
    pub fn try_append(
        &self,
        record: &[u8],
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Option<Result<()>> {
        if record.len() > SMALL_RECORD || self.shared.session.durability() != Durability::Process {
            return None;
        }
        let mut state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.append_to(&mut state, record, fields, reasons))
    }

    fn append_to(
        &self,
        state: &mut State,
        record: &[u8],
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<()> {
        let Some(writer) = state.writer.as_mut() else {
            return Err(self.closed());
        };
        state.birthmark.clear();
        let is_new = state
            .templates
            .render(&mut state.birthmark, now(), fields, reasons)?;
        if let Some(both) = carry_on(&state.birthmark, record) {
            state.birthmark = both;
        }
        if let Some(watch) = &mut state.watch
            && (is_new || watch.looks_at(fields))
        {
            let judged = watch.judge(&state.birthmark, 1);
            judged.inspect_err(|_| state.templates.forget_form())?;
        }
        let placed = writer.append(record, Some(&state.birthmark));
        let placed = placed.map_err(|error| stays(error, writer.records()))?;
        self.wrote(state, &[placed]);
        Ok(())
    }

    /// The state, for writing. A forked child is refused before it waits for a lock that a
    /// thread of its parent may have held.
    fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.shared.session.check_owner()?;
        Ok(lock(&self.shared.state))
    }

    /// What follows from records that were written: nothing here may fail, since they were.
    fn wrote(&self, state: &mut State, placed: &[Placed]) {
        if !state.warned_of_clash
            && let Some(placed) = placed.iter().find(|placed| **placed != Placed::Metadata)
        {
            state.warned_of_clash = true;
            self.warn_of_metadata(*placed);
        }
        let Some(writer) = state.writer.as_mut() else {
            return;
        };
        let before = self.shared.count.swap(writer.records(), Ordering::Relaxed);
        let due = writer.size() - state.told_bytes >= PROGRESS_BYTES
            || (before / CLOCK_EVERY != writer.records() / CLOCK_EVERY
                && state.told_at.elapsed() >= PROGRESS_TIME);
        if due {
            let count = writer.progress();
            state.told_bytes = count.size;
            state.told_at = Instant::now();
            // A journal that cannot take it now is told again at the next mark.
            let _ = self.shared.session.record(ArtifactProgress {
                file: self.shared.file.clone(),
                size: count.size,
                records: count.records,
                digest: count.digest.to_string(),
            });
            self.shared.session.fold_soon();
        }
    }

    /// Appends many records by one write: all of them or, after a failure, none. The fields
    /// are shared by all of them.
    pub fn append_all(
        &self,
        records: &[&[u8]],
        fields: &[RecordField<'_>],
        reasons: &[(String, String)],
    ) -> Result<()> {
        let mut state = self.state()?;
        let state = &mut *state;
        let Some(writer) = state.writer.as_mut() else {
            return Err(self.closed());
        };
        let mut marks = Vec::new();
        let (mut ends, mut is_new) = (vec![0], false);
        for record in records {
            let start = marks.len();
            is_new |= state.templates.render(&mut marks, now(), fields, reasons)?;
            if let Some(both) = marks.get(start..).and_then(|own| carry_on(own, record)) {
                marks.truncate(start);
                marks.extend_from_slice(&both);
            }
            ends.push(marks.len());
        }
        if let Some(watch) = &mut state.watch
            && (is_new || watch.looks_at(fields))
            && let Some(first) = ends.get(1).and_then(|end| marks.get(..*end))
        {
            let judged = watch.judge(first, records.len());
            judged.inspect_err(|_| state.templates.forget_form())?;
        }
        let stamped = records
            .iter()
            .zip(ends.windows(2))
            .map(|(record, ends)| (*record, Some(&marks[ends[0]..ends[1]])));
        let placed = writer.append_all(stamped);
        let placed = placed.map_err(|error| stays(error, writer.records()))?;
        self.wrote(state, &placed);
        Ok(())
    }

    fn warn_of_metadata(&self, placed: Placed) {
        let file = neutral(&self.shared.file);
        let how = match placed {
            Placed::Merged => "it is kept, ours is merged into it",
            Placed::Kept => {
                "no place is left for a birthmark; such a record is written without one"
            }
            _ => "it is kept, ours is under `birthmark`",
        };
        self.shared.session.say(&format!(
            "birthmark: {file}: a record has a `metadata` of its own: {how}"
        ));
    }

    /// Adds to what the journal will say of the writing.
    pub fn note(&self, name: &str, value: Value) {
        lock(&self.shared.state)
            .notes
            .insert(name.to_owned(), value);
    }

    fn closed(&self) -> Error {
        Error::usage(
            "file-closed",
            format!("`{}` is closed", self.shared.path.display()),
        )
        .with_hint("open it again with mode=\"a\"")
    }

    /// Closes the file and seals it in the journal. Doing it twice does nothing; after a
    /// failure it may be tried again. `error` is what stopped the writing, if something did.
    pub fn close(&self, error: Option<&str>) -> Result<()> {
        let reason = error.map(|error| {
            let redactor = birthmark_capture::process::redactor();
            ("stopped_by", redactor.text(error).into_owned())
        });
        self.shared.close(reason)
    }
}

/// What could not be written: what can be done about it, and what stays.
fn stays(error: RecordsError, records: u64) -> Error {
    let error = Error::from(error);
    let way_out = error.hint().and_then(|hint| hint.strip_suffix(UNCHANGED));
    let before = crate::text::count(records, "record");
    match way_out.map(|way_out| format!("{way_out}the {before} written so far stay in it")) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

impl Shared {
    /// Closes the file, if it is open, and seals it, if the journal has not yet taken it.
    fn close(&self, reason: Option<(&str, String)>) -> Result<()> {
        if self.session.is_fork() {
            return Ok(());
        }
        let mut state = lock(&self.state);
        if let Some(writer) = state.writer.take() {
            state.unsealed = Some(writer.close()?);
            if let Some((name, text)) = reason {
                state.notes.insert(name.to_owned(), Value::from(text));
            }
        }
        if let Some((count, line_sums)) = &state.unsealed {
            self.seal(count, line_sums, state.notes.clone())?;
        }
        state.unsealed = None;
        Ok(())
    }

    fn seal(&self, count: &Count, line_sums: &LineSums, mut notes: Fields) -> Result<()> {
        let time = now();
        let kept = line_sums.keep(&self.session.project().layout, self.session.durability())?;
        notes.insert("line_sums".to_owned(), kept);
        let (file, file_bytes) = self.session.project().stored_name(&self.path);
        self.session.record_sealed(
            &self.path,
            ArtifactSealed {
                file,
                file_bytes,
                artifact_type: self.artifact_type.clone(),
                format: "jsonl".to_owned(),
                timestamp: time,
                size: count.size,
                records: Some(count.records),
                digest: Some(count.digest.to_string()),
                content_digest: Some(count.content_digest.to_string()),
                birthmark: self
                    .session
                    .whole_birthmark(&self.artifact_type, &self.given, time),
                notes,
            },
        )?;
        self.session.fold_soon();
        Ok(())
    }
}

impl CloseWithSession for Shared {
    fn close_with_session(&self) -> Result<()> {
        self.close(Some(("closed_by", "the end of the session".to_owned())))
    }
}

impl Drop for Shared {
    /// A writer that nobody closed is sealed when the last one lets go of it.
    fn drop(&mut self) {
        // There is nobody to tell: every record is in the file, and verify tells the rest.
        let _ = self.close(Some(("closed_by", "nobody".to_owned())));
    }
}
