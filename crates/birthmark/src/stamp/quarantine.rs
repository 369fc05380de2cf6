//! Lines that are no records, set aside into a file of their own, byte for byte.
//!
//! # Invariants
//!
//! * The file is whole and safe before the file that the lines were in is replaced, and
//!   is not made where there is no such line.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use birthmark_store::atomic::Temp;
use birthmark_store::format::Bad;
use birthmark_store::{Durability, atomic};

use super::SetAside;
use super::refuse::exists;
use crate::error::Result;

/// Lines that are named in the answer.
const MOST_NAMED: usize = 3;

pub(super) struct Quarantine {
    temp: Option<BufWriter<Temp>>,
    pub(super) sum: SetAside,
}

impl Quarantine {
    pub(super) fn open(path: &Path, force: bool) -> Result<Self> {
        if path.exists() && !force {
            return Err(exists(path).with_hint("say --force to overwrite it"));
        }
        Ok(Self {
            temp: Some(BufWriter::new(atomic::temp_beside(path)?)),
            sum: SetAside {
                file: path.to_owned(),
                lines: 0,
                first: Vec::new(),
            },
        })
    }

    pub(super) fn take(&mut self, bad: &Bad<'_>) -> io::Result<()> {
        self.sum.lines += 1;
        if self.sum.first.len() < MOST_NAMED {
            let why = bad.error.to_string();
            self.sum.first.push((bad.line, bad.offset, why));
        }
        let Some(temp) = &mut self.temp else {
            return Ok(());
        };
        temp.write_all(bad.bytes)?;
        if bad.bytes.ends_with(b"\n") {
            return Ok(());
        }
        temp.write_all(b"\n")
    }

    /// Gives the file its name.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Some(temp) = self.temp.take().filter(|_| self.sum.lines > 0) else {
            return Ok(());
        };
        let temp = temp.into_inner().map_err(io::IntoInnerError::into_error)?;
        atomic::settle(temp, &self.sum.file, Durability::Power).map_err(|error| error.source)
    }
}
