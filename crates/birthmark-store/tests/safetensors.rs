//! Weights: the birthmark in the header, the tensors' bytes as they were, and hostile
//! headers refused.
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::path::Path;

use birthmark_store::digest::digest_bytes;
use birthmark_store::format::safetensors::Safetensors;
use birthmark_store::format::{
    ArtifactFormat, FormatError, Input, OnExisting, Same, Stamped, Unstamped,
};
use proptest::prelude::*;

const MARK: &str =
    r#"{"git_commit": "0a1b", "note": "a \"b\" \\ ü 😀", "birthmark": "birthmark/v1"}"#;

fn with_input<T>(mut bytes: &[u8], run: impl FnOnce(Input<'_>) -> T) -> T {
    run(Input {
        name: Path::new("model.safetensors"),
        bytes: &mut bytes,
    })
}

fn stamp(bytes: &[u8], existing: OnExisting) -> Result<(Vec<u8>, Stamped), FormatError> {
    let mut out = Vec::new();
    let stamped = with_input(bytes, |input| {
        Safetensors.stamp(input, &mut out, &Same(MARK.as_bytes()), existing)
    })?;
    assert_eq!(
        (stamped.size, stamped.digest),
        (out.len() as u64, digest_bytes(&out))
    );
    Ok((out, stamped))
}

fn unstamp(bytes: &[u8]) -> Result<(Vec<u8>, Unstamped), FormatError> {
    let mut out = Vec::new();
    let unstamped = with_input(bytes, |input| Safetensors.unstamp(input, &mut out))?;
    assert_eq!(unstamped.digest, digest_bytes(&out));
    Ok((out, unstamped))
}

fn read(bytes: &[u8]) -> Result<Option<String>, FormatError> {
    let mut found = None;
    with_input(bytes, |input| {
        Safetensors.read(input, &mut |mark| {
            found = mark
                .unwrap()
                .value()
                .map(|value| String::from_utf8(value.to_vec()).unwrap());
            true
        })
    })?;
    Ok(found)
}

fn file(header: &str, tensors: &[u8]) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        tensors,
    ]
    .concat()
}

/// Where the tensors begin.
fn start(bytes: &[u8]) -> usize {
    8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

const TENSOR: &str = r#""w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;

#[test]
fn what_was_stamped_comes_back_to_the_byte_and_the_tensors_never_move() {
    for (header, place) in [
        (format!("{{{TENSOR}}}"), "metadata"),
        (format!("{{{TENSOR}}}   "), "metadata"),
        (
            format!(r#"{{"__metadata__":{{"format":"pt"}},{TENSOR}}}"#),
            "merged",
        ),
        (format!(r#"{{"__metadata__":{{}},{TENSOR}}}"#), "merged"),
        (
            format!(r#"{{ {TENSOR} , "__metadata__" : {{ "c2pa:manifest": "x" }} }} "#),
            "merged",
        ),
        (format!(r#"{{{TENSOR},"__metadata__":{{ }}}}"#), "merged"),
    ] {
        let tensors = b"\x00\xFF{}\"\\ab";
        let bytes = file(&header, tensors);
        let (stamped, sums) = stamp(&bytes, OnExisting::Error).unwrap();
        assert_eq!(sums.places.merged, u64::from(place == "merged"), "{header}");
        assert_eq!(sums.content_digest, Some(digest_bytes(&bytes)));
        assert_eq!(&stamped[start(&stamped)..], tensors, "{header}");
        assert_eq!(start(&stamped) % 8, start(&bytes) % 8, "aligned as before");
        let inside: serde_json::Value =
            serde_json::from_slice(&stamped[8..start(&stamped)]).unwrap();
        let text = inside["__metadata__"]["birthmark"].as_str().unwrap();
        let mark: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(mark["note"], "a \"b\" \\ ü 😀");
        assert!(read(&stamped).unwrap().unwrap().contains("0a1b"));
        let (back, cuts) = unstamp(&stamped).unwrap();
        assert!(back == bytes, "{header}");
        assert_eq!(cuts.removed, 1);
        let (same, cuts) = unstamp(&bytes).unwrap();
        assert!(same == bytes && cuts.removed == 0);
    }
    let (stamped, _) = stamp(&file("{}", b""), OnExisting::Error).unwrap();
    assert_eq!(unstamp(&stamped).unwrap().0, file("{}", b""));
}

#[test]
fn an_older_birthmark_is_kept_replaced_or_an_error() {
    let bytes = file(
        &format!(r#"{{"__metadata__":{{"a":"b"}},{TENSOR}}}"#),
        &[7; 8],
    );
    let (once, _) = stamp(&bytes, OnExisting::Error).unwrap();
    for existing in [OnExisting::Error, OnExisting::Merge] {
        let error = stamp(&once, existing).unwrap_err();
        assert!(
            matches!(error, FormatError::AlreadyStamped { .. }),
            "{error}"
        );
    }
    let (kept, sums) = stamp(&once, OnExisting::Keep).unwrap();
    assert!(kept == once && sums.places.kept == 1 && sums.content_digest.is_none());
    let (replaced, sums) = stamp(&once, OnExisting::Replace).unwrap();
    assert!(replaced == once && sums.places.replaced == 1);
    let foreign = file(
        &format!(r#"{{"__metadata__":{{"birthmark":"a mole"}},{TENSOR}}}"#),
        &[7; 8],
    );
    let error = stamp(&foreign, OnExisting::Replace).unwrap_err();
    assert!(matches!(error, FormatError::NoPlace { .. }), "{error}");
    assert!(unstamp(&foreign).unwrap().0 == foreign);
}

#[test]
fn hostile_headers_are_refused_with_a_word() {
    let huge = [&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat();
    let large = [&100_000_001_u64.to_le_bytes()[..], b"{}"].concat();
    let fat = file(
        &format!(r#"{{"__metadata__":{{"x":"{}"}}}}"#, "y".repeat(99_000_000)),
        b"",
    );
    for (bytes, word) in [
        (huge, "9223372036854775808"),
        (large, "100000001"),
        (fat, "99000"),
        (b"1234".to_vec(), "shorter than 8"),
        ([&50_u64.to_le_bytes()[..], b"{}"].concat(), "2 of 50"),
        (file(" {}", b""), "no safetensors"),
        (file("[]", b""), "no safetensors"),
        (
            file(r#"{"__metadata__":{},"__metadata__":{}}"#, b""),
            "second time",
        ),
        (file(r#"{"__metadata__":1}"#, b""), "no object"),
        (file(r#"{"w":{"dtype":"F32"}}"#, b""), "no place"),
        (file(r#"{"w":{"data_offsets":[0,1e9]}}"#, b""), "no place"),
        (file(r#"{"w":NaN}"#, b""), "byte"),
        (
            file(&format!("{{{TENSOR}}}"), &[0; 7]),
            "8 bytes of tensors, and it has 7",
        ),
        (file(&format!("{{{TENSOR}}}"), &[0; 9]), "it has 9"),
    ] {
        let error = stamp(&bytes, OnExisting::Error).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

proptest! {
    #[test]
    fn any_header_of_tensors_and_keys_comes_back(
        keys in proptest::collection::btree_map("[a-z]{1,6}", any::<String>(), 0..5),
        with in any::<bool>(),
        pad in 0_usize..9,
        tensors in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let keys = serde_json::to_string(&keys).unwrap();
        let metadata = if with { format!(r#","__metadata__":{keys}"#) } else { String::new() };
        let header = format!(
            r#"{{"w":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}{metadata}}}{1}"#,
            tensors.len(), " ".repeat(pad)
        );
        let bytes = file(&header, &tensors);
        let (stamped, _) = stamp(&bytes, OnExisting::Error).unwrap();
        prop_assert!(unstamp(&stamped).unwrap().0 == bytes);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), short in any::<bool>()) {
        if short && bytes.len() > 8 {
            let length = (bytes.len() - 8) as u64;
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        let _ = stamp(&bytes, OnExisting::Merge);
        let _ = unstamp(&bytes);
    }
}
