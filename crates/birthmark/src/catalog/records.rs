//! The records of a stretch of a file: one after the other, or as rows that several threads make.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use birthmark_catalog::engine::local::sql::{RecordRow, Rows, Wanted};
use birthmark_catalog::engine::{Known, Looked, Stretch};
use birthmark_catalog::filter::Filter;
use birthmark_catalog::groups;
use birthmark_catalog::value::Value;
use birthmark_core::json::Followed;
use birthmark_store::format::codec::Codec;
use birthmark_store::format::jsonl::Jsonl;
use birthmark_store::format::{FileKind, FormatError, Input, Mark};

use crate::project::lies_at;

/// What a record is known by: its own birthmark, else what is known of its group.
struct One<'a> {
    own: &'a [u8],
    members: &'a Followed,
    known: &'a Known,
}

impl birthmark_catalog::filter::Record for One<'_> {
    fn get(&self, field: &str) -> Option<Value> {
        let name = field.strip_prefix("field.").unwrap_or(field);
        groups::field(self.members, self.own, name).or_else(|| self.known.get(field).cloned())
    }
}

/// Takes a record, its birthmark without the user's members, the members of that, and whether
/// the filter holds; false ends the reading.
pub(crate) type EachRecord<'a> = dyn FnMut(&Mark<'_>, &[u8], &Followed, Option<bool>) -> bool + 'a;

/// Hands over the records of a stretch that have a birthmark, with the bytes of each.
pub(crate) fn records_of(
    stretch: &Stretch,
    known: &Known,
    filter: &Filter,
    each: &mut EachRecord<'_>,
) -> io::Result<()> {
    let path = lies_at(Path::new(&stretch.root), &stretch.file);
    let mut file = birthmark_store::atomic::open_regular(&path)?;
    let Some(kind) = FileKind::of(&path).filter(|kind| kind.has_records()) else {
        return Ok(());
    };
    // Packed text can only be read from its beginning.
    let whole = kind != FileKind::Records(Codec::Plain);
    let (mut memory, mut members) = (Vec::new(), Followed::default());
    let mut take = |mark: Result<Mark<'_>, FormatError>| {
        let Ok(mark) = mark else { return true };
        if whole && mark.offset >= stretch.end {
            return false;
        }
        if mark.value().is_none() {
            return true;
        }
        let own = mark.place.own(mark.record, &mut memory);
        match mark.changes {
            Some(changes) => members.change(mark.record, changes),
            None => members.anew(own),
        }
        if whole && mark.offset < stretch.start {
            return true;
        }
        let members = &members;
        let holds = if stretch.all {
            Some(true)
        } else {
            filter.ask(&One {
                own,
                members,
                known,
            })
        };
        let line = if whole {
            mark.line
        } else {
            stretch.line + mark.line - 1
        };
        each(&Mark { line, ..mark }, own, members, holds)
    };
    let read = if whole {
        let input = Input {
            name: &path,
            bytes: &mut file,
        };
        kind.format().read(input, &mut take)
    } else {
        file.seek(SeekFrom::Start(stretch.start))?;
        let part = file.take(stretch.end.saturating_sub(stretch.start));
        let mut part: Box<dyn Read + Send> = Box::new(part);
        let input = Input {
            name: &path,
            bytes: &mut part,
        };
        kind.format().read(input, &mut take)
    };
    read.map(drop).map_err(io::Error::other)
}

/// Looks into a stretch until a record matches.
pub(crate) fn look(stretch: &Stretch, known: &Known, filter: &Filter) -> Looked {
    let mut looked = Looked::default();
    let read = records_of(stretch, known, filter, &mut |_, _, _, holds| {
        looked.holds = holds == Some(true);
        looked.unknown |= holds.is_none();
        !looked.holds
    });
    // What cannot be read is unknown.
    looked.unknown |= read.is_err();
    looked
}

/// What a thread makes of the records of a block.
#[derive(Default)]
struct Made {
    members: Followed,
    memory: Vec<u8>,
    rows: Rows,
    /// Whether one was behind the stretch.
    is_past: bool,
}

/// Hands over rows of the records of a stretch that have a birthmark and match the filter, some at
/// a time and in order, with the number that is to be added to their lines.
pub(crate) fn rows_of(
    stretch: &Stretch,
    known: &Known,
    filter: &Filter,
    wanted: &Wanted,
    take: &mut dyn FnMut(&mut Rows, u64) -> bool,
) -> io::Result<()> {
    let path = lies_at(Path::new(&stretch.root), &stretch.file);
    let mut file = birthmark_store::atomic::open_regular(&path)?;
    let Some(FileKind::Records(codec)) = FileKind::of(&path) else {
        return Ok(());
    };
    let lines = Jsonl::packed(codec, codec);
    // Packed text can only be read from its beginning.
    let is_part = codec == Codec::Plain;
    let each = |made: &mut Made, mark: Mark<'_>| {
        let is_behind = !is_part && mark.offset >= stretch.end;
        let is_before = !is_part && mark.offset < stretch.start;
        made.is_past |= is_behind;
        if !is_behind {
            made.take(&mark, (known, filter), wanted, is_before, stretch.all);
        }
    };
    let before = if is_part {
        stretch.line.saturating_sub(1)
    } else {
        0
    };
    let mut hand_over = |made: &mut Made, lines: u64| {
        let wants_more = take(&mut made.rows, before + lines);
        wants_more && !std::mem::take(&mut made.is_past)
    };
    let mut part;
    let input = Input {
        name: &path,
        bytes: if is_part {
            file.seek(SeekFrom::Start(stretch.start))?;
            part = file.take(stretch.end.saturating_sub(stretch.start));
            &mut part
        } else {
            &mut file
        },
    };
    let read = lines.read_apart(input, each, &mut hand_over);
    read.map_err(io::Error::other)
}

impl Made {
    fn take(
        &mut self,
        mark: &Mark<'_>,
        (known, filter): (&Known, &Filter),
        wanted: &Wanted,
        is_before: bool,
        all: bool,
    ) {
        let Some(metadata) = mark.value() else {
            return;
        };
        let Self {
            members,
            memory,
            rows,
            ..
        } = self;
        let own = mark.place.own(mark.record, memory);
        match mark.changes {
            Some(changes) => members.change(mark.record, changes),
            None => members.anew(own),
        }
        let members = &*members;
        let one = One {
            own,
            members,
            known,
        };
        if is_before || !(all || filter.ask(&one) == Some(true)) {
            return;
        }
        let row = RecordRow {
            line: mark.line,
            record: mark.record,
            metadata,
            own,
            members,
        };
        wanted.put(rows, &row);
    }
}
