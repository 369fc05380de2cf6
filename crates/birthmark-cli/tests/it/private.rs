//! Who may read what a run leaves, under each umask and setting.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::world::World;

/// The widest modes of files and folders that a run leaves under a umask.
fn widest(settings: &str, umask: &str) -> (u32, u32) {
    let world = World::new();
    world.repo.write("birthmark.toml", settings);
    let program = env!("CARGO_BIN_EXE_birthmark");
    let script = format!(
        "umask {umask}; '{program}' run -- true && echo x > t.csv && '{program}' stamp t.csv --type table"
    );
    let done = Command::new("sh")
        .args(["-c", &script])
        .current_dir(world.repo.path())
        .env("BIRTHMARK_QUIET", "1")
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let (mut files, mut folders) = (0, 0);
    let mut look = vec![world.repo.path().join("artifacts")];
    while let Some(path) = look.pop() {
        let about = path.symlink_metadata().unwrap();
        let mode = about.permissions().mode() & 0o777;
        if about.is_dir() {
            folders |= mode;
            look.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            files |= mode;
        }
    }
    let sidecar = world.repo.path().join("t.csv.birthmark.json");
    files |= mode_of(&sidecar);
    (files, folders)
}

fn mode_of(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_shared_as_the_umask_shares_and_never_writable_by_others() {
    assert_eq!(widest("", "022"), (0o644, 0o755));
    assert_eq!(widest("", "027"), (0o640, 0o750));
    assert_eq!(widest("", "077"), (0o600, 0o700));
}

#[test]
fn a_umask_that_keeps_nothing_is_nobodys_choice() {
    assert_eq!(widest("", "000"), (0o600, 0o700));
    assert_eq!(widest("share = \"umask\"\n", "000"), (0o644, 0o755));
}

#[test]
fn settings_share_less_or_with_the_group() {
    assert_eq!(widest("share = \"nobody\"\n", "022"), (0o600, 0o700));
    assert_eq!(widest("share = \"group\"\n", "002"), (0o660, 0o770));
    assert_eq!(widest("share = \"group\"\n", "022"), (0o640, 0o750));
}
