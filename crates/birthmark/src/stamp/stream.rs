//! JSONL through a pipe: stamped as it goes by, in a memory that does not grow.
//!
//! There is no file, so there is no time of its making but now, no session takes note of
//! it, and a bad line ends the output where it is: who must have all or nothing names a
//! file.

use std::io::Write;
use std::path::Path;

use birthmark_core::birthmark::{self, Scope};
use birthmark_store::format::{FileKind, Input, Source, codec::Codec};

use super::compose::{self, Code};
use super::{StampOptions, Stamped, marks, prepared};
use crate::error::Result;
use crate::project::Project;
use crate::session;

/// Stamps each record of `input` on its way to `output`.
pub fn stream(
    project: &Project,
    input: &mut dyn Source,
    mut output: &mut dyn Write,
    options: &StampOptions,
) -> Result<Stamped> {
    let options = prepared(project, options)?;
    let name = Path::new("-");
    let code = Code::of(project);
    let mark = compose::compose(&code, session::now(), &options, None, None);
    let unmet = crate::policy::unmet(&project.config.policy, "-", &mark, false)?;
    let record = birthmark::compose([&mark], Scope::Record);
    let marks = marks::Marks::new(&record, options.on_existing)?;
    let input = Input { name, bytes: input };
    let lines = FileKind::Records(Codec::Plain);
    let format = lines
        .into(lines, options.longest_line)
        .unwrap_or_else(|| lines.out_of(None, options.longest_line));
    let written = format.stamp(input, &mut output, &marks, options.on_existing)?;
    let mut stamped = Stamped::of(name);
    stamped.places = written.places;
    stamped.birthmark = mark;
    stamped.unmet = unmet;
    Ok(stamped)
}
