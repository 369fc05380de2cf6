//! Content-addressed blobs: package lists, lock files, bundles.
//!
//! A blob's name is its BLAKE3 digest, so the same list is kept once however many
//! sessions had it, and a blob can be checked by reading it.

use birthmark_core::digest::{Algorithm, Digest};

use crate::atomic::{self, Durability, PathContext, PathError};
use crate::layout::Layout;

/// The largest blob that is read back whole.
const OBJECT_LIMIT: u64 = 1 << 30;

/// Keeps `bytes`; answers with their digest. With [`Durability::Power`] they, and each folder of
/// the store that leads to them, survive a power cut when it returns, whoever put them there.
pub fn put(layout: &Layout, bytes: &[u8], durability: Durability) -> Result<Digest, PathError> {
    let digest = Digest {
        algorithm: Algorithm::Blake3,
        bytes: *blake3::hash(bytes).as_bytes(),
    };
    let path = layout.object(&digest);
    if !path.exists() {
        atomic::create_folder_safely(atomic::folder_of(&path), durability)?;
        atomic::create_new(&path, bytes)?;
    }
    if durability == Durability::Power {
        // Another process may have made any of it, and synced nothing.
        atomic::sync_file(&path)?;
        let store = layout.store();
        let folders = path.ancestors().skip(1);
        for folder in folders.take_while(|folder| folder.starts_with(&store)) {
            atomic::sync_folder(folder)?;
        }
    }
    Ok(digest)
}

/// Reads a blob back; an error when it is not there or not what its name says.
pub fn get(layout: &Layout, digest: &Digest) -> Result<Vec<u8>, PathError> {
    let path = layout.object(digest);
    let bytes = atomic::read_limited(&path, OBJECT_LIMIT)?;
    if blake3::hash(&bytes).as_bytes() == &digest.bytes {
        return Ok(bytes);
    }
    Err(std::io::Error::other(
        "its bytes are not what its name says",
    ))
    .at("read", &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_is_kept_once_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("artifacts"));
        let digest = put(&layout, b"numpy 2.3.4\n", Durability::Process).unwrap();
        assert_eq!(
            put(&layout, b"numpy 2.3.4\n", Durability::Process).unwrap(),
            digest
        );
        assert_eq!(get(&layout, &digest).unwrap(), b"numpy 2.3.4\n");
        atomic::replace(&layout.object(&digest), b"numpy 9\n", Durability::Process).unwrap();
        assert!(get(&layout, &digest).is_err());
    }
}
