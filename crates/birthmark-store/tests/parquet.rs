//! Tables: bytes of any kind are refused without a panic, and only files are read.
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::{Seek, Write};
use std::path::Path;

use birthmark_store::digest::digest_bytes;
use birthmark_store::format::parquet::Parquet;
use birthmark_store::format::{ArtifactFormat, FormatError, Input, OnExisting, Same};
use proptest::prelude::*;

const MARK: &[u8] = br#"{"git_commit": "0a1b", "birthmark": "birthmark/v1"}"#;
/// version 1, schema [], rows 0, groups [], created by "x".
const FOOTER: &[u8] = b"\x15\x02\x19\x0c\x16\x00\x19\x0c\x28\x01x\x00";

fn table(rows: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", rows, footer, &length, b"PAR1"].concat()
}

fn on_disk(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn stamp(bytes: &[u8], existing: OnExisting) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("a.parquet"),
        bytes: &mut on_disk(bytes),
    };
    let stamped = Parquet.stamp(input, &mut out, &Same(MARK), existing)?;
    assert_eq!(stamped.digest, digest_bytes(&out));
    if let Some(content) = stamped.content_digest {
        assert_eq!(content, digest_bytes(bytes));
    }
    Ok(out)
}

fn unstamp(bytes: &[u8]) -> Result<(Vec<u8>, u64), FormatError> {
    let mut out = Vec::new();
    let input = Input {
        name: Path::new("a.parquet"),
        bytes: &mut on_disk(bytes),
    };
    let done = Parquet.unstamp(input, &mut out)?;
    assert_eq!(done.digest, digest_bytes(&out));
    Ok((out, done.removed))
}

#[test]
fn second_footer_that_is_no_second_footer_is_cut_in_place() {
    let plain = table(b"rows", FOOTER);
    let stamped = stamp(&plain, OnExisting::Error).unwrap();
    assert!(stamped.starts_with(&plain));
    assert_eq!(unstamp(&stamped).unwrap(), (plain.clone(), 1));
    // The footer alone, as another tool would carry it on.
    let footer = &stamped[plain.len()..stamped.len() - 8];
    let carried = table(b"other rows", footer);
    assert_eq!(
        unstamp(&carried).unwrap(),
        (table(b"other rows", FOOTER), 1)
    );
    // One byte of the first footer differs: it is not what the second came from.
    let mut forged = stamped.clone();
    forged[4 + 4 + 1] = 4;
    let (back, removed) = unstamp(&forged).unwrap();
    assert_eq!(removed, 1);
    assert_eq!(back.len(), plain.len() + FOOTER.len() + 8);
    let again = stamp(&stamped, OnExisting::Replace).unwrap();
    assert_eq!(again, stamped);
    let kept = stamp(&stamped, OnExisting::Keep).unwrap();
    assert_eq!(kept, stamped);
    assert!(matches!(
        stamp(&stamped, OnExisting::Merge),
        Err(FormatError::AlreadyStamped { .. })
    ));
}

#[test]
fn sealed_tables_and_pipes_are_refused() {
    let sealed = [&FOOTER[..FOOTER.len() - 1], b"\x2c\x00\x00"].concat();
    let error = stamp(&table(b"", &sealed), OnExisting::Error).unwrap_err();
    assert!(error.to_string().contains("encrypted"), "{error}");
    let bytes = table(b"", FOOTER);
    let input = Input {
        name: Path::new("a.parquet"),
        bytes: &mut bytes.as_slice(),
    };
    let error = Parquet.unstamp(input, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("pipe"), "{error}");
}

proptest! {
    #[test]
    fn any_footer_is_read_without_a_panic(footer in proptest::collection::vec(any::<u8>(), 0..120), rows in proptest::collection::vec(any::<u8>(), 0..40)) {
        let bytes = table(&rows, &footer);
        if let Ok(stamped) = stamp(&bytes, OnExisting::Error) {
            prop_assert_eq!(unstamp(&stamped).unwrap().0, bytes);
        }
    }

    #[test]
    fn a_table_with_one_byte_changed_is_read_without_a_panic(at in 0_usize..200, byte in any::<u8>()) {
        let mut bytes = stamp(&table(b"rows", FOOTER), OnExisting::Error).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = unstamp(&bytes);
        let _ = stamp(&bytes, OnExisting::Replace);
    }
}
