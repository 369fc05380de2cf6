//! What became of each file, said as it is done; and of many how many failed.

use std::path::Path;

use birthmark::stamp::Stamped;
use birthmark::text;
use birthmark::weights::{GGUF, MISSING};
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::{Answer, Failure};
use crate::signals;
use crate::ui::Ui;

/// What was done, said as it is done.
pub(super) struct Said<'a> {
    ui: &'a mut Ui,
    json: Option<Vec<Value>>,
    total: usize,
    told: usize,
    failed: usize,
    /// The first that could not be done or said, where it is the only thing to say.
    first: Option<Failure>,
    hints: Vec<String>,
}

impl<'a> Said<'a> {
    /// Of so many files.
    pub(super) fn new(ui: &'a mut Ui, total: usize, json: bool) -> Self {
        Self {
            ui,
            json: json.then(Vec::new),
            total,
            told: 0,
            failed: 0,
            first: None,
            hints: Vec::new(),
        }
    }

    /// Of the next file.
    pub(super) fn tell(&mut self, file: &Path, result: birthmark::error::Result<Stamped>) {
        self.told += 1;
        let said = match result {
            Err(error) => {
                self.failed += 1;
                self.fail(file, error)
            }
            Ok(stamped) => self.done(&stamped),
        };
        if let Err(failure) = said
            && self.first.is_none()
        {
            self.first = Some(failure);
        }
    }

    fn done(&mut self, stamped: &Stamped) -> Result<(), Failure> {
        if let Some(all) = &mut self.json {
            all.push(stamped.to_json());
            return Ok(());
        }
        // What was done stands before what failed.
        self.ui.people(&line(stamped))?;
        self.ui.flush()?;
        beside(self.ui, stamped);
        Ok(())
    }

    /// Of many files each that failed is said at once, and a hint that is the same for many once.
    fn fail(&mut self, file: &Path, error: birthmark::Error) -> Result<(), Failure> {
        let code = error.code();
        let mut failure = Failure::from(error);
        if self.total == 1 {
            return Err(failure);
        }
        if let Some(all) = &mut self.json {
            all.push(json!({
                "file": file.to_string_lossy(),
                "error": {"code": code, "message": failure.message, "hint": failure.hint},
            }));
        }
        match &failure.hint {
            Some(hint) if self.hints.contains(hint) => failure.hint = None,
            Some(hint) => self.hints.push(hint.clone()),
            None => {}
        }
        self.ui.failure(&failure);
        Ok(())
    }

    /// The answer for all of them.
    pub(super) fn end(self) -> Answer {
        if let Some(failure) = self.first {
            return Err(failure);
        }
        if let Some(all) = self.json {
            self.ui.json(&Value::from(all))?;
        }
        let left = self.total - self.told.min(self.total);
        if self.failed + left == 0 {
            return Ok(ExitStatus::Yes);
        }
        let files = text::count(self.total as u64, "file");
        let done = self.told - self.failed;
        let mut failure = if left > 0 || signals::stopped_by().is_some() {
            Failure::new(format!(
                "it was interrupted when {done} of {files} were done"
            ))
        } else {
            Failure::new(format!(
                "{} of {files} failed, {done} are done",
                self.failed
            ))
        };
        failure.status = ExitStatus::No;
        Err(failure.with_hint("what failed is as it was"))
    }
}

/// Says what is to be known beside the line of a file.
pub(super) fn beside(ui: &mut Ui, stamped: &Stamped) {
    for line in stamped.unmet.said_of(&stamped.file.to_string_lossy()) {
        ui.talk(&format!("warning: {line}"));
    }
    if let Some(Value::Array(missing)) = stamped.birthmark.get(MISSING) {
        let shards = text::count(missing.len() as u64, "shard");
        let file = stamped.file.display();
        ui.talk(&format!(
            "warning: {file} lacks {shards} that its index names"
        ));
    }
    if let Some(sidecar) = &stamped.removed {
        let sidecar = text::neutral(&sidecar.to_string_lossy()).into_owned();
        ui.talk(&format!("removed  {sidecar}  it was of the bytes before"));
    }
    let unknown = stamped.birthmark.get("unknown");
    if let Some(why) = unknown
        .and_then(|reasons| reasons.get(GGUF))
        .and_then(Value::as_str)
    {
        let file = stamped.file.display();
        ui.talk(&format!(
            "warning: {file}: what the model says of itself is unknown: {why}"
        ));
    }
    let Some(aside) = stamped.aside.as_ref().filter(|aside| aside.lines > 0) else {
        return;
    };
    let lines = text::count(aside.lines, "line");
    let file = aside.file.display();
    ui.talk(&format!(
        "warning: {lines} set aside into {file}, being no records"
    ));
    for (_, _, why) in &aside.first {
        ui.talk(&format!("  {why}"));
    }
}

fn line(stamped: &Stamped) -> String {
    let wrote = text::neutral(&stamped.wrote.to_string_lossy()).into_owned();
    if stamped.kept {
        return format!("kept     {wrote}");
    }
    let records = stamped.places.records();
    if records > 0 && stamped.places.kept == records {
        let kept = text::count(records, "record");
        return format!("kept     {wrote}  {kept} as they were");
    }
    let mut line = format!("stamped  {wrote}");
    if records > 1 {
        line = format!("{line}  {}", text::count(records, "record"));
    }
    let places = stamped.places;
    for (count, word) in [
        (places.merged, "merged into a metadata of your own"),
        (places.beside, "under `birthmark`, since metadata was taken"),
        (places.replaced, "in place of an older one"),
        (places.kept, "kept as they were"),
    ] {
        if count > 0 {
            line = format!("{line}, {count} {word}");
        }
    }
    match &stamped.made_in {
        Some(session) => format!("{line}  (made in session {})", session.short()),
        None => format!("{line}  (declared, not observed)"),
    }
}
