//! A birthmark laid over the one before.

use super::Marks;
use super::beginning::common_beginning;
use super::kind::MarkKind;
use crate::json::error::ScanError;
use crate::json::scan::{MAX_DEPTH, Member, Object, Scanner, Span, scan_text, scan_text_by};

impl Marks {
    /// Scans a record; what stands under the key of the birthmark before is laid over it,
    /// and given where that is this record's birthmark.
    pub(super) fn scan_over(&mut self, text: &str) -> Result<(Object, Option<Member>), ScanError> {
        let Some(key) = self.kind.and_then(MarkKind::key) else {
            return Ok((scan_text(text)?, None));
        };
        let record = text.as_bytes();
        let mut laid = None;
        let object = scan_text_by(text, |scanner, name| {
            let is_key = name
                .of(record)
                .get(1..)
                .and_then(|name| name.strip_suffix(b"\""));
            if is_key == Some(key.as_bytes())
                && let Some(length) = self.lay_over(record.get(scanner.at..).unwrap_or_default())
            {
                laid = Some(scanner.at);
                scanner.at += length;
                return Ok(());
            }
            scanner.value()
        })?;
        let found = match self.kind {
            Some(MarkKind::Beside) => object.birthmark,
            _ if object.birthmark.is_none() => object.metadata,
            _ => None,
        };
        let member = found
            .filter(|found| found.times == 1 && Some(found.member.value.start) == laid)
            .map(|found| found.member);
        Ok((object, member))
    }

    /// Whether the whole of `raw`, which is known to be JSON, has the shape of the one before.
    pub(super) fn lies_over_whole(&mut self, raw: &[u8]) -> bool {
        self.lay_over(raw) == Some(raw.len())
    }

    /// Lays what `text` begins with over the birthmark before: its length where it has the
    /// same shape. Nothing is taken on until [`Marks::accept`].
    fn lay_over(&mut self, text: &[u8]) -> Option<usize> {
        self.changed.clear();
        self.places.clear();
        let (mut before, mut now, mut member) = (0, 0, 0);
        loop {
            let (old, new) = (self.raw.get(before..)?, text.get(now..)?);
            let same = common_beginning(old, new);
            let reached = before + same;
            // A value is equal where the byte behind it is too.
            while let Some(place) = self.values.get(member)
                && place.end < reached
            {
                member += 1;
            }
            let Some(place) = self.values.get(member) else {
                return (reached == self.raw.len()).then_some(now + same);
            };
            // What names the format is never taken on sight.
            if reached < place.start
                || self
                    .names
                    .get(member)
                    .is_none_or(|name| name == "birthmark")
            {
                return None;
            }
            let start = place.start - before + now;
            let end = scalar_end(text, start)?;
            self.changed.push(member);
            self.places.push(Span { start, end });
            (before, now, member) = (place.end, end, member + 1);
        }
    }

    /// Takes on what was laid over the one before.
    pub(super) fn accept(&mut self, raw: &[u8]) {
        let mut moved = false;
        for (at, (member, place)) in self.changed.iter().zip(&self.places).enumerate() {
            let Some(value) = self.values.get(*member).copied() else {
                continue;
            };
            if let Some(habit) = self.habits.get_mut(*member) {
                habit.change(self.records);
            }
            if self.were.len() == at {
                self.were.push(Vec::new());
            }
            if let Some(was) = self.were.get_mut(at) {
                was.clear();
                was.extend_from_slice(value.of(&self.raw));
            }
            moved |= value != *place;
            if !moved && let Some(old) = self.raw.get_mut(value.start..value.end) {
                old.copy_from_slice(place.of(raw));
            }
        }
        if moved {
            self.raw.clear();
            self.raw.extend_from_slice(raw);
            self.move_values();
        }
    }

    /// Where the values stand when those that changed stand where they do.
    fn move_values(&mut self) {
        let mut changed = self.changed.iter().zip(&self.places).peekable();
        let (mut before, mut now) = (0, 0);
        for (member, value) in self.values.iter_mut().enumerate() {
            if let Some((_, place)) = changed.next_if(|(changed, _)| **changed == member) {
                (before, now) = (value.end, place.end);
                *value = *place;
            } else {
                value.start = value.start - before + now;
                value.end = value.end - before + now;
            }
        }
    }
}

/// The end of the string, finite number, `true`, `false` or `null` that begins at `start`;
/// none at anything else.
fn scalar_end(text: &[u8], start: usize) -> Option<usize> {
    let mut scanner = Scanner::new(text, MAX_DEPTH);
    scanner.at = start;
    scanner.finite_scalar().then_some(scanner.at)
}
