//! Which birthmark goes into which record.

use birthmark_core::Fields;
use birthmark_core::json::{self, OnExisting};
use birthmark_store::digest;
use birthmark_store::format::{Birthmarks, REPLACES};
use serde_json::Value;

use crate::error::Result;
use crate::records::carry_on;

/// The birthmarks of one file: the same for each record, but for what it replaces or carries on.
pub(crate) struct Marks {
    mark: Vec<u8>,
    fields: Fields,
    existing: OnExisting,
}

impl Marks {
    pub(crate) fn new(mark: &Fields, existing: OnExisting) -> Result<Self> {
        Ok(Self {
            mark: super::write::spelled(mark)?,
            fields: mark.clone(),
            existing,
        })
    }

    /// The birthmark that says what it replaces.
    fn over(&self, older: &[u8]) -> Option<Vec<u8>> {
        let mut fields = self.fields.clone();
        let format = fields.remove("birthmark");
        fields.insert(
            REPLACES.to_owned(),
            Value::from(digest::digest_bytes(older).to_string()),
        );
        if let Some(format) = format {
            fields.insert("birthmark".to_owned(), format);
        }
        serde_json::to_vec(&fields).ok()
    }
}

impl Birthmarks for Marks {
    fn write(&self, _line: u64, record: &[u8], out: &mut Vec<u8>) {
        let changed = match self.existing {
            OnExisting::Replace => older(record).and_then(|older| self.over(older)),
            OnExisting::Merge => carry_on(&self.mark, record),
            OnExisting::Error | OnExisting::Keep => None,
        };
        match changed {
            Some(mark) => out.extend_from_slice(&mark),
            None => out.extend_from_slice(&self.mark),
        }
    }

    fn same(&self) -> Option<&[u8]> {
        let is_same = matches!(self.existing, OnExisting::Error | OnExisting::Keep);
        is_same.then_some(self.mark.as_slice())
    }
}

fn older(record: &[u8]) -> Option<&[u8]> {
    let object = json::scan_object(record).ok()?;
    json::locate_birthmark(record, &object).value(record)
}
