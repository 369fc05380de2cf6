//! Zip files of strangers: members come back whole or not at all, and nothing in a file makes
//! the reader panic, hang, fill the memory or leave the file.
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::io::Write;

use birthmark_store::format::zip::{FREE, Zip, ZipError};
use proptest::prelude::*;

/// What a test wants in a zip: a name, bytes, and whether they are deflated.
type Member = (String, Vec<u8>, bool);

fn little(out: &mut Vec<u8>, number: u64, length: usize) {
    out.extend_from_slice(&number.to_le_bytes()[..length]);
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// The fields that a local header and a record of the directory share, from the method on.
fn common(out: &mut Vec<u8>, member: &Member, packed: u64) {
    let (name, bytes, deflate) = member;
    little(out, if *deflate { 8 } else { 0 }, 2);
    little(out, 0, 4);
    little(out, u64::from(crc32fast::hash(bytes)), 4);
    little(out, packed, 4);
    little(out, bytes.len() as u64, 4);
    little(out, name.len() as u64, 2);
    little(out, 0, 2);
}

/// A zip file, put together by hand.
fn zip(members: &[Member]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        let packed = if member.2 {
            deflated(&member.1)
        } else {
            member.1.clone()
        };
        let offset = file.len() as u64;
        file.extend_from_slice(b"PK\x03\x04\x14\0\0\0");
        common(&mut file, member, packed.len() as u64);
        file.extend_from_slice(member.0.as_bytes());
        file.extend_from_slice(&packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\0\x14\0\0\0");
        common(&mut directory, member, packed.len() as u64);
        directory.extend_from_slice(&[0; 10]);
        little(&mut directory, offset, 4);
        directory.extend_from_slice(member.0.as_bytes());
    }
    let start = file.len() as u64;
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    little(&mut file, members.len() as u64, 2);
    little(&mut file, members.len() as u64, 2);
    little(&mut file, directory.len() as u64, 4);
    little(&mut file, start, 4);
    little(&mut file, 0, 2);
    file
}

/// A member's name, and its bytes.
type Read = (String, Result<Vec<u8>, ZipError>);

/// All members of a file, each with what came of reading it.
fn read(bytes: &[u8]) -> Result<Vec<Read>, ZipError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut zip = Zip::open(file.path())?;
    let entries = zip.entries.clone();
    let members = entries.iter().map(|entry| {
        let bytes = zip.read(entry, 1 << 20);
        (entry.name.clone(), bytes)
    });
    Ok(members.collect())
}

fn members() -> impl Strategy<Value = Vec<Member>> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<u8>(), 0..5_000_usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    prop::collection::vec(
        ("[a-z]{1,8}(/[a-z]{1,8}\\.json)?", bytes, any::<bool>()),
        0..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_packed_comes_back(members in members()) {
        let found = read(&zip(&members)).unwrap();
        prop_assert_eq!(found.len(), members.len());
        for ((name, bytes, _), (found, read)) in members.iter().zip(found) {
            prop_assert_eq!(name, &found);
            prop_assert_eq!(bytes, &read.unwrap());
        }
    }

    #[test]
    fn a_file_that_is_cut_is_refused(members in members(), share in 0.0..1.0_f64) {
        let whole = zip(&members);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a small file")]
        let at = (whole.len() as f64 * share) as usize;
        // Its end record is at its end, so no cut leaves it whole.
        prop_assert!(read(&whole[..at]).is_err());
    }

    #[test]
    fn flipped_bytes_give_what_was_packed_or_an_error(
        members in members(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6),
    ) {
        let mut file = zip(&members);
        for (place, flip) in flips {
            let place = place.index(file.len());
            file[place] ^= flip;
        }
        for (_, bytes) in read(&file).into_iter().flatten() {
            // A flipped CRC and a flipped byte that agree are one in four thousand million.
            if let Ok(bytes) = bytes {
                prop_assert!(members.iter().any(|(_, packed, _)| *packed == bytes));
            }
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(junk in prop::collection::vec(any::<u8>(), 0..400), members in members()) {
        let _ = read(&junk);
        let mut file = junk;
        file.extend(zip(&members));
        let _ = read(&file);
    }

    #[test]
    fn a_name_that_leads_out_refuses_the_whole(members in members(), name in "(\\.\\./|/|a/\\.\\./\\.\\./|C:\\\\)[a-z]{1,5}") {
        let mut members = members;
        members.push((name, b"x".to_vec(), false));
        prop_assert!(matches!(read(&zip(&members)), Err(ZipError::Path(_))));
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let size = usize::try_from(FREE).unwrap() * 2;
    let bomb = zip(&[("bomb.json".to_owned(), vec![b' '; size], true)]);
    assert!(bomb.len() < size / 900, "{}", bomb.len());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bomb).unwrap();
    let mut zip = Zip::open(file.path()).unwrap();
    let entry = zip.entry("bomb.json").unwrap();
    let refused = zip.read(&entry, 1 << 30);
    assert!(matches!(refused, Err(ZipError::TooLarge { .. })));
}

#[test]
fn a_header_that_lies_about_its_size_is_refused() {
    let honest = zip(&[("a.json".to_owned(), vec![b' '; 100_000], true)]);
    // The length in the directory, 24 bytes into its record.
    let record = memchr::memmem::rfind(&honest, b"PK\x01\x02").unwrap();
    for claim in [0_u32, 10, 99_999, 100_001] {
        let mut lying = honest.clone();
        lying[record + 24..record + 28].copy_from_slice(&claim.to_le_bytes());
        let (_, bytes) = read(&lying).unwrap().remove(0);
        assert!(matches!(bytes, Err(ZipError::Member(_))), "{claim}");
    }
}

#[test]
fn places_beyond_any_file_are_refused() {
    let mut file = zip(&[("a.json".to_owned(), b"{}".to_vec(), false)]);
    let record = memchr::memmem::rfind(&file, b"PK\x01\x02").unwrap();
    // A zip64 field of the member says that it lies at the end of all numbers.
    let mut extra = vec![1, 0, 8, 0];
    extra.extend_from_slice(&u64::MAX.to_le_bytes());
    file[record + 42..record + 46].copy_from_slice(&u32::MAX.to_le_bytes());
    file[record + 30] = u8::try_from(extra.len()).unwrap();
    let at = record + 46 + "a.json".len();
    file.splice(at..at, extra);
    let end = memchr::memmem::rfind(&file, b"PK\x05\x06").unwrap();
    let length = u32::try_from(end - record).unwrap();
    file[end + 12..end + 16].copy_from_slice(&length.to_le_bytes());
    let (_, bytes) = read(&file).unwrap().remove(0);
    assert!(bytes.is_err());
}
