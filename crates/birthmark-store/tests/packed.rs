//! Packed JSONL: stamped and unstamped to the byte of its text, read by the tools of
//! others, and no bomb.
#![expect(clippy::disallowed_methods, reason = "tests build their own world")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use birthmark_store::digest::digest_bytes;
use birthmark_store::format::codec::Codec;
use birthmark_store::format::jsonl::{Jsonl, PACKED_LINE_LIMIT};
use birthmark_store::format::{
    ArtifactFormat, FormatError, Input, Mark, OnExisting, Same, Stamped, Unstamped, format_of,
};
use proptest::prelude::*;

const MARK: &[u8] = br#"{"git_commit": "0a1b", "birthmark": "birthmark/v1"}"#;

fn input(bytes: &mut &[u8], each: impl FnOnce(Input<'_>)) {
    each(Input {
        name: Path::new("data.jsonl.gz"),
        bytes,
    });
}

fn stamp(format: Jsonl, mut bytes: &[u8]) -> Result<(Vec<u8>, Stamped), FormatError> {
    let (mut out, mut done) = (Vec::new(), None);
    input(&mut bytes, |input| {
        done = Some(format.stamp(input, &mut out, &Same(MARK), OnExisting::Error));
    });
    let stamped = done.unwrap()?;
    assert_eq!(
        (stamped.size, stamped.digest),
        (out.len() as u64, digest_bytes(&out))
    );
    Ok((out, stamped))
}

fn unstamp(format: Jsonl, mut bytes: &[u8]) -> Result<(Vec<u8>, Unstamped), FormatError> {
    let (mut out, mut done) = (Vec::new(), None);
    input(&mut bytes, |input| {
        done = Some(format.unstamp(input, &mut out));
    });
    done.unwrap().map(|unstamped| (out, unstamped))
}

fn unpack(codec: Codec, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    codec.unpack(Box::new(bytes))?.read_to_end(&mut text)?;
    Ok(text)
}

fn python(code: &str, stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3")
        .args(["-c", code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut pipe, bytes) = (child.stdin.take().unwrap(), stdin.to_vec());
    let feeder = std::thread::spawn(move || pipe.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{code}");
    output.stdout
}

const PACK: &str =
    "import sys,gzip; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read()))";
const UNPACK: &str =
    "import sys,gzip; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
/// Reads one member and says what follows it.
const ONE_MEMBER: &str = "import sys,zlib; d=zlib.decompressobj(31); \
    sys.stdout.buffer.write(d.decompress(sys.stdin.buffer.read())); assert d.eof and not d.unused_data";

fn text(records: usize) -> Vec<u8> {
    let mut text = b"\xEF\xBB\xBF".to_vec();
    for number in 0..records {
        let end = if number % 3 == 0 { "\r\n" } else { "\n" };
        text.extend(
            format!(
                "{{\"n\": {number}, \"big\": 9007199254740993, \"x\": NaN, \"t\": \"{}\"}}{end}",
                (number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 7
            )
            .bytes(),
        );
    }
    text.extend_from_slice(b"\n{}");
    text
}

#[test]
fn text_of_others_is_stamped_and_comes_back_to_the_byte() {
    for records in [0, 3, 40_000] {
        let text = text(records);
        let packed = python(PACK, &text);
        let gzip = Jsonl::packed(Codec::Gzip, Codec::Gzip);
        let (stamped, sums) = stamp(gzip, &packed).unwrap();
        assert_eq!(sums.places.metadata, records as u64 + 1);
        assert_eq!(sums.content_digest, Some(digest_bytes(&text)));
        let seen = python(UNPACK, &stamped);
        assert!(seen == python(ONE_MEMBER, &stamped), "one member");
        assert_eq!(seen, unpack(Codec::Gzip, &stamped).unwrap());
        assert_eq!(seen, stamp(Jsonl::default(), &text).unwrap().0);
        let (back, cuts) = unstamp(Jsonl::packed(Codec::Gzip, Codec::Plain), &stamped).unwrap();
        assert!(back == text, "{records}");
        assert_eq!(cuts.digest, digest_bytes(&text));
        let (packed_back, cuts) = unstamp(gzip, &stamped).unwrap();
        assert!(python(UNPACK, &packed_back) == text);
        assert_eq!(cuts.digest, digest_bytes(&text));
    }
}

#[test]
fn content_digest_does_not_depend_on_how_the_text_is_packed() {
    let text = text(5_000);
    let all = [Codec::Plain, Codec::Gzip, Codec::Zstd];
    for writes in all {
        let (stamped, _) = stamp(Jsonl::packed(Codec::Plain, writes), &text).unwrap();
        for again in all {
            let (back, cuts) = unstamp(Jsonl::packed(writes, again), &stamped).unwrap();
            assert_eq!(cuts.digest, digest_bytes(&text));
            assert!(
                unpack(again, &back).unwrap() == text,
                "{writes:?} {again:?}"
            );
        }
        let (once, twice) = (
            stamp(Jsonl::packed(Codec::Plain, writes), &text).unwrap().0,
            stamp(Jsonl::packed(Codec::Plain, writes), &text).unwrap().0,
        );
        assert!(once == twice, "the same text gives the same bytes");
    }
}

#[test]
fn zstandard_is_one_frame_with_a_checksum() {
    let (stamped, _) = stamp(Jsonl::packed(Codec::Plain, Codec::Zstd), &text(60_000)).unwrap();
    let first = zstd::zstd_safe::find_frame_compressed_size(&stamped).unwrap();
    assert_eq!(
        first,
        stamped.len(),
        "some readers stop after the first frame"
    );
    let mut broken = stamped.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 4;
    assert!(unpack(Codec::Zstd, &broken).is_err());
}

#[test]
fn several_members_and_frames_are_read_as_one_text() {
    let (one, two) = (text(10), text(20));
    let both = [&one[..], b"\n", &two[3..]].concat();
    let gzip = [
        python(PACK, &one),
        python(PACK, b"\n"),
        python(PACK, &two[3..]),
    ]
    .concat();
    assert!(unpack(Codec::Gzip, &gzip).unwrap() == both);
    let frame = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
    let frames = [frame(&one), frame(b"\n"), frame(&two[3..])].concat();
    assert!(unpack(Codec::Zstd, &frames).unwrap() == both);
}

#[test]
fn what_stands_behind_a_gzip_stream_is_padding_where_it_is_zeros_and_else_is_said() {
    let (text, packed) = (text(10), python(PACK, &text(10)));
    for zeros in [1, 7, 512, 300_000] {
        let padded = [packed.clone(), vec![0; zeros]].concat();
        assert!(unpack(Codec::Gzip, &padded).unwrap() == text, "{zeros}");
    }
    for junk in [
        b"x".as_slice(),
        b"junk",
        b"\0\0\x01\0",
        vec![7; 300_000].as_slice(),
    ] {
        let error = unpack(Codec::Gzip, &[&packed[..], junk].concat()).unwrap_err();
        let told = format!("no gzip: {} bytes", junk.len());
        assert!(error.to_string().ends_with(&told), "{error}");
    }
}

#[test]
fn a_stream_that_is_cut_short_is_an_error_at_every_cut() {
    let packed = python(PACK, &text(30));
    let zstd = zstd::encode_all(text(30).as_slice(), 3).unwrap();
    for (codec, bytes) in [(Codec::Gzip, packed), (Codec::Zstd, zstd)] {
        for length in 1..bytes.len() {
            let format = Jsonl::packed(codec, codec);
            let error = stamp(format, &bytes[..length]).unwrap_err();
            assert!(matches!(error, FormatError::Read { .. }), "{error}");
        }
    }
}

#[test]
fn a_bomb_is_refused_in_little_memory() {
    // Little that unpacks to 5 GB: zeros, and lines of their own.
    let lines = format!("{{\"a\": \"{}\"}}\n", "x".repeat(20_000)).repeat(50);
    for line in [vec![0; 1 << 20].as_slice(), lines.as_bytes()] {
        let piece = zstd::encode_all(line.repeat(64).as_slice(), 1).unwrap();
        let bomb = piece.repeat(80);
        let text = Codec::Zstd.unpack(Box::new(bomb.as_slice()));
        let error = std::io::copy(&mut text.unwrap(), &mut std::io::sink()).unwrap_err();
        assert!(error.to_string().contains("only a bomb"), "{error}");
    }
    let zeros = zstd::encode_all(vec![0; 70 << 20].as_slice(), 1).unwrap();
    let error = stamp(Jsonl::packed(Codec::Zstd, Codec::Plain), &zeros).unwrap_err();
    assert!(matches!(error, FormatError::Read { .. }), "{error}");
    let noise: Vec<u8> = (0..PACKED_LINE_LIMIT as u64 / 4)
        .flat_map(|n| (n.wrapping_mul(0x9E37_79B9) >> 9 & 0x0F0F_0F0F | 0x4040_4040).to_le_bytes())
        .collect();
    let noise = zstd::encode_all(noise.as_slice(), 1).unwrap();
    let error = stamp(Jsonl::packed(Codec::Zstd, Codec::Plain), &noise).unwrap_err();
    assert!(
        matches!(error, FormatError::TooLong { line: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_bomb_is_refused_by_what_was_unpacked_of_it_and_not_by_what_was_read_ahead() {
    let bomb = zstd::encode_all(vec![b'\n'; 256 << 20].as_slice(), 1).unwrap();
    let mut text = Codec::Zstd.unpack(Box::new(bomb.as_slice())).unwrap();
    let (mut piece, mut unpacked) = (vec![0; 1 << 20], 0);
    while let Ok(got) = text.read(&mut piece) {
        assert!(got > 0, "{unpacked} bytes were unpacked");
        unpacked += got;
    }
    assert!(unpacked <= 65 << 20, "{unpacked} bytes were unpacked");
}

#[test]
fn lines_are_numbered_through_any_number_of_blank_ones() {
    let blank = ["\n", "\r\n", " \t\n"]
        .map(|line| line.repeat(100_001))
        .concat();
    let text = format!("{{\"a\": 1}}\n{blank}{{\"a\": 2}}\r\n{blank}  {{\"a\": 3}}\n{blank}");
    let wanted = [1, 300_005, 600_009];
    let mut numbers = Vec::new();
    let bytes = &mut text.as_bytes();
    let name = Path::new("a.jsonl");
    let input = Input { name, bytes };
    let mut take = |mark: Result<Mark<'_>, FormatError>| {
        numbers.push(mark.unwrap().line);
        true
    };
    Jsonl::default().read(input, &mut take).unwrap();
    assert_eq!(numbers, wanted);
    let error = stamp(Jsonl::default(), format!("{text}no record").as_bytes()).unwrap_err();
    assert!(
        matches!(error, FormatError::NotJson { line: 900_013, .. }),
        "{error}"
    );
}

#[test]
fn a_fault_is_named_by_its_line_and_its_byte_of_the_text() {
    let packed = python(PACK, b"{\"a\": 1}\n{'a': 1}\n");
    let error = stamp(Jsonl::packed(Codec::Gzip, Codec::Gzip), &packed).unwrap_err();
    assert!(
        matches!(
            error,
            FormatError::NotJson {
                line: 2,
                offset: 10,
                ..
            }
        ),
        "{error}"
    );
    assert!(format_of(Path::new("a.JSONL.GZ")).is_some());
    assert!(format_of(Path::new("a.ndjson.zst")).is_some());
    assert!(format_of(Path::new("a.json.gz")).is_none());
    assert!(format_of(Path::new("a.gz")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        for (codec, start) in [(Codec::Gzip, &[0x1f, 0x8b, 8][..]), (Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd][..])] {
            let bytes = if magic { [start, &bytes].concat() } else { bytes.clone() };
            let _ = stamp(Jsonl::packed(codec, codec), &bytes);
        }
    }
}
