//! What changes in a block: where something goes, and what comes in its place.
//!
//! A worker says so, and the one that writes copies: so each byte is copied once, to where it
//! is hashed and written from.

use std::io;

use birthmark_core::json::{self, Gap, OnExisting, Placed, Span, StampError, Stamper, Stamping};

use super::super::Birthmarks;
use super::super::lines::{Line, Lines};

/// The changes of one block, in order.
#[derive(Default)]
pub(super) struct Edits {
    list: Vec<Edit>,
    /// Records that were written anew, one behind the other.
    text: Vec<u8>,
    /// How far the text belongs to edits.
    told: usize,
    /// Memory for a birthmark.
    mark: Vec<u8>,
    stamper: Stamper,
}

struct Edit {
    gone: Span,
    new: New,
}

enum New {
    /// The member that all records get.
    Member(Gap),
    /// A place in the text.
    Text(Span),
}

impl Edits {
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.text.clear();
        self.told = 0;
    }

    /// Puts a birthmark into the record of a line: the one that is the `same` for all, or one of
    /// its own. After an error nothing changes in it.
    pub(super) fn stamp(
        &mut self,
        line: &Line<'_>,
        same: Option<&[u8]>,
        birthmarks: &dyn Birthmarks,
        existing: OnExisting,
    ) -> Result<Placed, StampError> {
        let (record, text) = (line.record, &mut self.text);
        let placed = if let Some(mark) = same {
            let stamper = &mut self.stamper;
            let stamp = if line.is_unknown {
                Stamper::stamp_anew
            } else {
                Stamper::stamp_or_point
            };
            match stamp(stamper, text, line.text()?, mark, existing)? {
                Stamping::Fill(gap) => {
                    self.put_member(line, gap);
                    return Ok(Placed::Metadata);
                }
                Stamping::Written(placed) => placed,
            }
        } else {
            self.mark.clear();
            birthmarks.write(line.number, record, &mut self.mark);
            json::stamp_record(text, record, &self.mark, existing)?
        };
        self.put_text(line.span());
        Ok(placed)
    }

    /// Puts the one member into each record whose form is known, from the next line on: how many
    /// records that are.
    pub(super) fn put_members(&mut self, lines: &mut Lines<'_>) -> u64 {
        let Self { list, stamper, .. } = self;
        let before = list.len();
        lines.skip_known(|text, at, number| {
            stamper.run(text, at, |gap| {
                let gone = Span {
                    start: gap.at,
                    end: gap.at,
                };
                let new = New::Member(gap);
                list.push(Edit { gone, new });
                *number += 1;
            })
        });
        (list.len() - before) as u64
    }

    /// Leaves something of a line's record out.
    pub(super) fn cut(&mut self, line: &Line<'_>, gone: Span) {
        if gone.start < gone.end {
            self.put_text(Span {
                start: line.at + gone.start,
                end: line.at + gone.end,
            });
        }
    }

    /// The member that all records get goes into a gap of a record.
    fn put_member(&mut self, line: &Line<'_>, gap: Gap) {
        let at = line.at + gap.at;
        let gone = Span { start: at, end: at };
        self.list.push(Edit {
            gone,
            new: New::Member(gap),
        });
    }

    /// What was written to the text since the last edit, which may be nothing, takes the place
    /// of `gone` of the block.
    pub(super) fn put_text(&mut self, gone: Span) {
        let (start, end) = (self.told, self.text.len());
        self.told = end;
        self.list.push(Edit {
            gone,
            new: New::Text(Span { start, end }),
        });
    }

    /// Hands over the changed block, bit by bit.
    pub(super) fn apply(
        &self,
        block: &[u8],
        member: &[u8],
        mut put: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut from = 0;
        for Edit { gone, new } in &self.list {
            put(block.get(from..gone.start).unwrap_or_default())?;
            put(match new {
                New::Member(gap) => gap.fill(member),
                New::Text(span) => span.of(&self.text),
            })?;
            from = gone.end;
        }
        put(block.get(from..).unwrap_or_default())
    }
}
