//! Many records at once: bytes in, bytes out, and nothing else. What works on more data than
//! one machine holds calls this in each of its workers.
//!
//! The records lie as Arrow lays variable-length values: one run of bytes, and offsets of
//! which there is one more than there are records. So a column goes in and a column comes
//! out, and nothing of a record is spelled anew.
//!
//! # Invariants
//!
//! * No file, no clock, no state: the same batch and birthmark give the same bytes.
//! * A record that cannot be stamped fails the batch, by its place in it.
//! * What is empty or white space is no record, and stays as it is.

use super::{OnExisting, StampError, stamp_record, unstamp_record};

/// Records, as Arrow lays them.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offsets: &'a [i64],
}

/// Records that were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// All of them, one behind the other.
    pub bytes: Vec<u8>,
    /// Where each begins, and where the last ends.
    pub offsets: Vec<i64>,
}

/// Why a batch could not be worked on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The offsets go backwards, or beyond the bytes.
    #[error("the offsets of record {0} are not within the batch")]
    Offsets(usize),
    /// A record cannot be stamped or unstamped.
    #[error("record {index} of the batch: {source}")]
    Record {
        /// Which, from 0.
        index: usize,
        /// Why not.
        source: StampError,
    },
}

impl<'a> Records<'a> {
    /// The records between `offsets`, which must grow and end within `bytes`.
    pub fn new(bytes: &'a [u8], offsets: &'a [i64]) -> Result<Self, BatchError> {
        let records = Self { bytes, offsets };
        for index in 0..records.len() {
            records.get(index).ok_or(BatchError::Offsets(index))?;
        }
        Ok(records)
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn get(self, index: usize) -> Option<&'a [u8]> {
        let place = |index| usize::try_from(*self.offsets.get(index)?).ok();
        self.bytes.get(place(index)?..place(index + 1)?)
    }

    fn each(
        self,
        mut change: impl FnMut(&mut Vec<u8>, &[u8]) -> Result<(), StampError>,
        more: usize,
    ) -> Result<Batch, BatchError> {
        let mut batch = Batch {
            bytes: Vec::with_capacity(self.bytes.len() + more * self.len()),
            offsets: Vec::with_capacity(self.offsets.len()),
        };
        batch.offsets.push(0);
        for index in 0..self.len() {
            let record = self.get(index).ok_or(BatchError::Offsets(index))?;
            if record.trim_ascii().is_empty() {
                batch.bytes.extend_from_slice(record);
            } else {
                change(&mut batch.bytes, record)
                    .map_err(|source| BatchError::Record { index, source })?;
            }
            let end = i64::try_from(batch.bytes.len());
            batch
                .offsets
                .push(end.map_err(|_| BatchError::Offsets(index))?);
        }
        Ok(batch)
    }
}

/// Puts `birthmark`, which must pass [`super::check_birthmark`], into each record.
pub fn stamp_batch(
    records: Records<'_>,
    birthmark: &[u8],
    existing: OnExisting,
) -> Result<Batch, BatchError> {
    // The key, its quotes, a comma and a colon.
    let more = birthmark.len() + 16;
    let stamp = |out: &mut Vec<u8>, record: &[u8]| {
        stamp_record(out, record, birthmark, existing).map(|_| ())
    };
    records.each(stamp, more)
}

/// Cuts the birthmark of ours out of each record that has one.
pub fn unstamp_batch(records: Records<'_>) -> Result<Batch, BatchError> {
    records.each(|out, record| unstamp_record(out, record).map(|_| ()), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARK: &[u8] = br#"{"git_commit":"c0ffee","birthmark":"birthmark/v1"}"#;

    fn laid(records: &[&str]) -> (Vec<u8>, Vec<i64>) {
        let mut offsets = vec![0];
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend_from_slice(record.as_bytes());
            offsets.push(i64::try_from(bytes.len()).unwrap());
        }
        (bytes, offsets)
    }

    #[test]
    fn each_record_is_stamped_and_what_is_none_stays() {
        let (bytes, offsets) = laid(&["{\"a\": 1}", "", "{}", "  "]);
        let records = Records::new(&bytes, &offsets).unwrap();
        let batch = stamp_batch(records, MARK, OnExisting::Error).unwrap();
        let made = Records::new(&batch.bytes, &batch.offsets).unwrap();
        let text = |index| std::str::from_utf8(made.get(index).unwrap()).unwrap();
        assert!(
            text(0).starts_with("{\"a\": 1, \"metadata\": {\"git_commit\""),
            "{}",
            text(0)
        );
        assert_eq!((text(1), text(3)), ("", "  "));
        let back = unstamp_batch(made).unwrap();
        assert_eq!((back.bytes, back.offsets), (bytes, offsets));
    }

    #[test]
    fn bad_record_is_named_by_its_place() {
        let (bytes, offsets) = laid(&["{}", "[1]"]);
        let records = Records::new(&bytes, &offsets).unwrap();
        let error = stamp_batch(records, MARK, OnExisting::Error).unwrap_err();
        assert!(
            error.to_string().starts_with("record 1 of the batch: "),
            "{error}"
        );
    }

    #[test]
    fn offsets_of_no_batch_are_refused() {
        for offsets in [&[0, 3][..], &[1, 0], &[-1, 1], &[0, i64::MAX]] {
            assert!(Records::new(b"{}", offsets).is_err(), "{offsets:?}");
        }
        assert!(Records::new(b"", &[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn unstamping_gives_the_batch_back(values in prop::collection::vec("[a-z\"\\\\é]{0,9}", 0..20)) {
            let records: Vec<String> = values
                .iter()
                .map(|value| serde_json::json!({ "v": value }).to_string())
                .collect();
            let records: Vec<&str> = records.iter().map(String::as_str).collect();
            let (bytes, offsets) = laid(&records);
            let before = Records::new(&bytes, &offsets).unwrap();
            let batch = stamp_batch(before, MARK, OnExisting::Error).unwrap();
            let back = unstamp_batch(Records::new(&batch.bytes, &batch.offsets).unwrap()).unwrap();
            prop_assert_eq!((back.bytes, back.offsets), (bytes, offsets));
        }
    }
}
