//! Digests against other programs, the vectors of `spec/`, and things that are
//! no files or do not hold still.
#![expect(clippy::disallowed_methods, reason = "tests build their own world")]
#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use birthmark_core::digest::Algorithm;
use birthmark_store::digest::{
    Digester, FileError, Pace, digest_bytes, digest_file, digest_file_as,
};
use birthmark_store::format::directory::{MemberKind, digest_tree, tree_bytes};
use serde_json::Value;

/// The tree bytes of a folder, built from the words of `spec/digests.md` alone.
const SPEC_IN_PYTHON: &str = r"
import json, os, stat, sys
root, digests = os.fsencode(sys.argv[1]), json.load(sys.stdin)
entries = {}
for folder, names, files in os.walk(root):
    for name in names + files:
        path = os.path.join(folder, name)
        state = os.lstat(path)
        key = os.path.relpath(path, root)
        if stat.S_ISLNK(state.st_mode):
            target = os.readlink(path)
            entries[key] = (b'l', len(target).to_bytes(8, 'little') + target)
        elif stat.S_ISDIR(state.st_mode):
            entries[key] = (b'd', b'')
        elif not name.endswith(b'.birthmark.json'):
            kind = b'x' if state.st_mode & 0o100 else b'f'
            rest = state.st_size.to_bytes(8, 'little') + bytes.fromhex(digests[os.fsdecode(key)])
            entries[key] = (kind, rest)
out = b'birthmark/tree/v1\n'
for key in sorted(entries):
    kind, rest = entries[key]
    out += kind + len(key).to_bytes(8, 'little') + key + rest
print(out.hex())
";

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Builds the folder that a vector describes.
fn build(root: &Path, members: &Value) {
    for member in members.as_array().unwrap() {
        let text = |name: &str| member.get(name).and_then(Value::as_str);
        let path = root.join(text("path").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text("kind").unwrap() {
            "folder" => fs::create_dir_all(&path).unwrap(),
            "link" => symlink(text("target").unwrap(), &path).unwrap(),
            kind => {
                fs::write(&path, text("content").unwrap()).unwrap();
                let mode = if kind == "executable" { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// The tree bytes by an independent reading of the spec.
fn tree_bytes_by_python(root: &Path) -> String {
    let tree = digest_tree(root).unwrap();
    let digests: serde_json::Map<_, _> = tree
        .members
        .iter()
        .filter_map(|member| match &member.kind {
            MemberKind::File { digest, .. } => Some((
                member.path.to_str()?.to_owned(),
                Value::from(hex(&digest.bytes)),
            )),
            _ => None,
        })
        .collect();
    let input = tempfile::NamedTempFile::new().unwrap();
    fs::write(input.path(), Value::from(digests).to_string()).unwrap();
    let output = Command::new("python3")
        .args(["-c", SPEC_IN_PYTHON])
        .arg(root)
        .stdin(File::open(input.path()).unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn files_have_the_digests_of_the_vectors() {
    let folder = tempfile::tempdir().unwrap();
    for vector in vectors()["files"].as_array().unwrap() {
        let path = folder.path().join("file");
        let unit = vector["unit"].as_str().unwrap();
        let times = usize::try_from(vector["times"].as_u64().unwrap()).unwrap();
        fs::write(&path, unit.repeat(times)).unwrap();
        let blake3 = digest_file(&path).unwrap();
        assert_eq!(
            blake3.digest.to_string(),
            vector["blake3"].as_str().unwrap()
        );
        assert_eq!(blake3.state.size, fs::metadata(&path).unwrap().len());
        let sha256 = digest_file_as(&path, Algorithm::Sha256, None).unwrap();
        assert_eq!(
            sha256.digest.to_string(),
            vector["sha256"].as_str().unwrap()
        );
        let output = Command::new("sha256sum").arg(&path).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with(&hex(&sha256.digest.bytes)));
    }
}

#[test]
fn folders_have_the_digests_of_the_vectors_and_python_reads_the_spec_alike() {
    let mut all = Vec::new();
    for vector in vectors()["trees"].as_array().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        build(folder.path(), &vector["members"]);
        let tree = digest_tree(folder.path()).unwrap();
        let bytes = hex(&tree_bytes(&tree.members));
        assert_eq!(
            bytes,
            vector["bytes"].as_str().unwrap(),
            "{}",
            vector["name"]
        );
        assert_eq!(tree.digest.to_string(), vector["digest"].as_str().unwrap());
        assert_eq!(
            tree_bytes_by_python(folder.path()),
            bytes,
            "{}",
            vector["name"]
        );
        all.push(tree.digest);
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "two different folders have one digest");
}

#[test]
fn a_sidecar_changes_no_tree_digest_and_all_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("a"), "1").unwrap();
    let digest = || digest_tree(root).unwrap().digest;
    let before = digest();
    fs::write(root.join("a.birthmark.json"), "{}").unwrap();
    assert_eq!(digest(), before);
    let mut seen = vec![before];
    let changes: [&dyn Fn(); 6] = [
        &|| fs::write(root.join("a"), "2").unwrap(),
        &|| fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o744)).unwrap(),
        &|| fs::rename(root.join("a"), root.join(".b")).unwrap(),
        &|| fs::create_dir(root.join("empty")).unwrap(),
        &|| symlink(".b", root.join("link")).unwrap(),
        &|| fs::create_dir(root.join("d.birthmark.json")).unwrap(),
    ];
    for change in changes {
        change();
        let now = digest();
        assert!(!seen.contains(&now));
        seen.push(now);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(
        Command::new("mkfifo")
            .arg(path("fifo"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    fs::write(path("file"), "x").unwrap();
    symlink("file", path("link")).unwrap();
    let began = Instant::now();
    for odd in [
        path("fifo"),
        path("socket"),
        PathBuf::from("/dev/zero"),
        folder.path().to_owned(),
    ] {
        let error = digest_file(&odd).unwrap_err();
        assert!(matches!(error, FileError::NotAFile { .. }), "{error}");
    }
    assert!(matches!(
        digest_file(&path("link")),
        Err(FileError::Link { .. })
    ));
    assert!(matches!(
        digest_file(&path("none")),
        Err(FileError::Path(_))
    ));
    assert!(matches!(
        digest_tree(folder.path()),
        Err(FileError::NotAFile { .. })
    ));
    symlink(folder.path(), path("to_folder")).unwrap();
    assert!(matches!(
        digest_tree(&path("to_folder")),
        Err(FileError::Link { .. })
    ));
    assert!(began.elapsed() < Duration::from_secs(1));
}

/// Digests a large file while `change` is done to it, once reading has begun.
fn digest_during(algorithm: Algorithm, change: impl FnOnce(&File) + Send) -> FileError {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 30).unwrap();
    let progress = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            change(&OpenOptions::new().append(true).open(file.path()).unwrap());
        });
        digest_file_as(file.path(), algorithm, Some(&progress)).unwrap_err()
    })
}

#[test]
fn a_file_that_changes_while_it_is_read_has_no_digest() {
    use std::io::Write;
    let append = |mut file: &File| file.write_all(b"more").unwrap();
    let shorten = |file: &File| file.set_len(10).unwrap();
    for error in [
        digest_during(Algorithm::Blake3, append),
        digest_during(Algorithm::Blake3, shorten),
        digest_during(Algorithm::Sha256, shorten),
    ] {
        assert!(
            matches!(error, FileError::ChangedWhileRead { .. }),
            "{error}"
        );
    }
}

#[test]
fn progress_ends_at_the_size_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40_usize {
        fs::write(
            folder.path().join(number.to_string()),
            vec![b'x'; number * 1000],
        )
        .unwrap();
    }
    File::create(folder.path().join("large"))
        .unwrap()
        .set_len((17 << 20) + 1)
        .unwrap();
    let progress = Arc::new(AtomicU64::new(0));
    let digester = Digester::default().telling(Some(Arc::clone(&progress)));
    let tree = digester.tree(folder.path()).unwrap();
    assert_eq!(progress.load(Ordering::Relaxed), tree.size);
    assert_eq!(tree.size, 780_000 + (17 << 20) + 1);
    let large = tree
        .members
        .iter()
        .find(|member| member.path == Path::new("large"))
        .unwrap();
    let zeros = digest_bytes(&vec![0; (17 << 20) + 1]);
    assert!(matches!(large.kind, MemberKind::File { digest, .. } if digest == zeros));
}

/// Writes `spec/vectors.json` anew: run it by name after a change of the format.
#[test]
#[ignore = "writes the vectors; run by hand when the format gets a new version"]
fn write_vectors() {
    let mut vectors = vectors();
    let folder = tempfile::tempdir().unwrap();
    for vector in vectors["files"].as_array_mut().unwrap() {
        let times = usize::try_from(vector["times"].as_u64().unwrap()).unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vector["unit"].as_str().unwrap().repeat(times)).unwrap();
        for algorithm in [Algorithm::Blake3, Algorithm::Sha256] {
            let digest = digest_file_as(&path, algorithm, None).unwrap().digest;
            vector[algorithm.name()] = digest.to_string().into();
        }
    }
    for vector in vectors["trees"].as_array_mut().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        build(folder.path(), &vector["members"]);
        let tree = digest_tree(folder.path()).unwrap();
        vector["bytes"] = hex(&tree_bytes(&tree.members)).into();
        vector["digest"] = tree.digest.to_string().into();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors.json");
    fs::write(path, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
}

/// A clock that is far enough ahead for every file to be settled.
fn later() -> i64 {
    i64::MAX / 2
}

/// A clock of long ago: no file is settled.
fn earlier() -> i64 {
    0
}

fn remembering(cache: &Path, now: fn() -> i64) -> Digester {
    Digester::default().remembering(cache.to_owned(), now)
}

/// Changes one byte, with times before and after that say nothing changed but the change time.
fn edit_in_secret(path: &Path, byte: u8) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[byte], 300_000).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn file_that_has_not_changed_is_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cache) = (dir.path().join("weights"), dir.path().join("cache"));
    fs::write(&path, vec![7; 600_000]).unwrap();
    let first = remembering(&cache, later);
    let digest = first.file(&path).unwrap();
    assert_eq!((digest, first.known()), (digest_file(&path).unwrap(), 0));
    let again = remembering(&cache, earlier);
    assert_eq!((again.file(&path).unwrap(), again.known()), (digest, 1));
    // The other algorithm is another question.
    let sha = first.file_as(&path, Algorithm::Sha256).unwrap();
    assert_eq!(sha, digest_file_as(&path, Algorithm::Sha256, None).unwrap());
    assert_eq!(again.file_as(&path, Algorithm::Sha256).unwrap(), sha);
    assert_eq!(again.known(), 2);
    // And so it is in a folder.
    let folder = dir.path().join("model");
    fs::create_dir(&folder).unwrap();
    fs::rename(&path, folder.join("weights")).unwrap();
    fs::write(folder.join("small"), "s").unwrap();
    let before = remembering(&cache, later);
    let tree = before.tree(&folder).unwrap();
    assert_eq!((&tree, before.known()), (&digest_tree(&folder).unwrap(), 0));
    let after = remembering(&cache, later);
    assert_eq!((after.tree(&folder).unwrap(), after.known()), (tree, 1));
}

#[test]
fn every_way_to_change_a_file_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cache) = (dir.path().join("data"), dir.path().join("cache"));
    let other = dir.path().join("other");
    fs::write(&path, vec![1; 600_000]).unwrap();
    let ways: [&dyn Fn(); 5] = [
        &|| edit_in_secret(&path, 2),
        &|| {
            fs::write(&other, vec![3; 600_000]).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            File::options()
                .append(true)
                .open(&other)
                .unwrap()
                .set_modified(modified)
                .unwrap();
            fs::rename(&other, &path).unwrap();
        },
        &|| {
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(500_000)
                .unwrap();
        },
        &|| {
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(600_000)
                .unwrap();
        },
        &|| fs::write(&path, vec![4; 600_000]).unwrap(),
    ];
    for (number, change) in ways.iter().enumerate() {
        remembering(&cache, later).file(&path).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        change();
        let digester = remembering(&cache, later);
        let found = digester.file(&path).unwrap();
        assert_eq!(found, digest_file(&path).unwrap(), "way {number}");
        assert_eq!(digester.known(), 0, "way {number}");
    }
}

#[test]
fn file_that_changed_a_moment_ago_is_read_again_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cache) = (dir.path().join("data"), dir.path().join("cache"));
    // As within one tick of the clock: written, digested and written again.
    for round in 0..200_u8 {
        fs::write(&path, vec![round; 300_001]).unwrap();
        let digester = remembering(&cache, earlier);
        let found = digester.file(&path).unwrap();
        assert_eq!(found.digest, digest_bytes(&vec![round; 300_001]));
        assert_eq!(digester.known(), 0);
    }
}

#[test]
fn content_digest_and_count_are_remembered_for_the_kind_of_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, cache) = (dir.path().join("data.jsonl"), dir.path().join("cache"));
    let line = format!("{{\"text\": \"{}\"}}\n", "x".repeat(1000));
    fs::write(&path, line.repeat(500)).unwrap();
    let first = remembering(&cache, later).content(&path).unwrap();
    assert_eq!(first.records, 500);
    assert_eq!(first.digest, digest_file(&path).unwrap().digest);
    let begin = Instant::now();
    assert_eq!(remembering(&cache, earlier).content(&path), Some(first));
    assert!(begin.elapsed() < Duration::from_secs(1));
    // Under another name it is read as another kind of file.
    let parquet = dir.path().join("data.parquet");
    fs::hard_link(&path, &parquet).unwrap();
    assert_eq!(remembering(&cache, later).content(&parquet), None);
}

#[test]
fn cache_that_cannot_be_used_costs_a_reading_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    fs::write(&path, vec![9; 400_000]).unwrap();
    let nowhere = path.join("no-folder");
    for _ in 0..2 {
        let digester = remembering(&nowhere, later);
        assert_eq!(digester.file(&path).unwrap(), digest_file(&path).unwrap());
        assert_eq!(digester.known(), 0);
    }
}

#[test]
fn pace_is_kept_over_several_files() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(dir.path().join(name), vec![1; 1_000_000]).unwrap();
    }
    let pace = Arc::new(Pace::at_most(10_000_000));
    let begin = Instant::now();
    let digester = Digester::default().paced(Some(Arc::clone(&pace)));
    let tree = digester.tree(dir.path()).unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(190),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(tree, digest_tree(dir.path()).unwrap());
    // At this pace it would take half an hour.
    let slow = Arc::new(Pace::at_most(1000));
    slow.lift();
    let lifted = Digester::default().paced(Some(slow));
    assert_eq!(lifted.tree(dir.path()).unwrap(), tree);
}
