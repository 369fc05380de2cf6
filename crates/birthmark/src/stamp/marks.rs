//! Which birthmark goes into which record.

use birthmark_core::Fields;
use birthmark_core::json::{self, OnExisting};
use birthmark_store::digest;
use birthmark_store::format::{Birthmarks, REPLACES};
use serde_json::Value;

use crate::error::Result;

/// The birthmarks of one file: the same for each record, but for what it replaces.
pub(super) struct Marks {
    mark: Vec<u8>,
    fields: Fields,
    replacing: bool,
}

impl Marks {
    pub(super) fn new(mark: &Fields, existing: OnExisting) -> Result<Self> {
        let replacing = existing == OnExisting::Replace;
        Ok(Self {
            mark: super::write::spelled(mark)?,
            fields: mark.clone(),
            replacing,
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
        let older = if self.replacing { older(record) } else { None };
        match older.and_then(|older| self.over(older)) {
            Some(mark) => out.extend_from_slice(&mark),
            None => out.extend_from_slice(&self.mark),
        }
    }

    fn same(&self) -> Option<&[u8]> {
        (!self.replacing).then_some(self.mark.as_slice())
    }
}

fn older(record: &[u8]) -> Option<&[u8]> {
    let object = json::scan_object(record).ok()?;
    json::locate_birthmark(record, &object).value(record)
}
