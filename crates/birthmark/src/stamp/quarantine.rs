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
    /// Whether the last line lacks its end: so far, or as it stood in the file.
    is_open: bool,
    pub(super) sum: SetAside,
}

impl Quarantine {
    pub(super) fn open(path: &Path, force: bool) -> Result<Self> {
        if path.exists() && !force {
            return Err(exists(path).with_hint("say --force to overwrite it"));
        }
        Ok(Self {
            temp: Some(BufWriter::new(atomic::temp_beside(path)?)),
            is_open: false,
            sum: SetAside {
                file: path.to_owned(),
                lines: 0,
                first: Vec::new(),
            },
        })
    }

    pub(super) fn take(&mut self, bad: &Bad<'_>) -> io::Result<()> {
        if let Some(error) = &bad.error {
            self.end_line()?;
            self.sum.lines += 1;
            if self.sum.first.len() < MOST_NAMED {
                let why = error.to_string();
                self.sum.first.push((bad.line, bad.offset, why));
            }
        }
        self.is_open = !bad.bytes.ends_with(b"\n");
        match &mut self.temp {
            Some(temp) => temp.write_all(bad.bytes),
            None => Ok(()),
        }
    }

    /// A line that had no end gets one.
    fn end_line(&mut self) -> io::Result<()> {
        let is_open = std::mem::take(&mut self.is_open);
        match self.temp.as_mut().filter(|_| is_open) {
            Some(temp) => temp.write_all(b"\n"),
            None => Ok(()),
        }
    }

    /// Gives the file its name.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.end_line()?;
        let Some(temp) = self.temp.take().filter(|_| self.sum.lines > 0) else {
            return Ok(());
        };
        let temp = temp.into_inner().map_err(io::IntoInnerError::into_error)?;
        atomic::settle(temp, &self.sum.file, Durability::Power).map_err(|error| error.source)
    }
}
