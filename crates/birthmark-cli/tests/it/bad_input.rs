//! A world that does not play along: each time a clear error, and the files untouched.

use std::os::unix::fs::PermissionsExt;

use birthmark_testing::repo::{TestRepo, is_root};

use crate::world::{World, picture};

#[test]
fn settings_that_cannot_be_are_named_by_line() {
    let world = World::new();
    world
        .repo
        .write("birthmark.toml", "# ours\non_dirt = \"warn\"\n");
    world.snapshot("config_show", ["show", "train.py"]);
    // A run is not stopped by it, and neither is what only reads.
    for args in [&["run", "--", "true"][..], &["doctor"], &["list"]] {
        let output = world.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", picture(&output));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("line 2: unknown setting `on_dirt` (did you mean `on_dirty`?)"),
            "{said}"
        );
    }
}

#[test]
fn refused_dirty_tree_runs_nothing() {
    let world = World::new();
    world
        .repo
        .write("birthmark.toml", "on_dirty = \"refuse\"\n");
    world.repo.commit_all("settings");
    world.repo.write("train.py", "lr = 2\n");
    world.snapshot("run_refused", ["run", "--", "touch", "ran"]);
    assert!(!world.at("ran").exists() && !world.at("artifacts").exists());
    let output = world
        .command(["run", "--", "true"])
        .env("BIRTHMARK_ON_DIRTY", "warn")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", picture(&output));
}

#[test]
fn unknown_session_in_the_environment_is_named() {
    let world = World::new();
    let output = world
        .command(["run", "--", "true"])
        .env("BIRTHMARK_SESSION", "zzz")
        .output()
        .unwrap();
    world.check("run_unknown_session", &picture(&output));
    world.repo.write("a.json", "{}");
    let output = world
        .command(["stamp", "a.json", "--type", "t", "--in-place"])
        .env("BIRTHMARK_SESSION", "zzz")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", picture(&output));
    assert_eq!(world.read("a.json"), b"{}");
}

#[test]
fn unborn_repository_and_no_repository_run_all_the_same() {
    World::of(TestRepo::unborn()).snapshot("run_unborn", ["run", "--", "true"]);
    let world = World::new();
    std::fs::remove_dir_all(world.at(".git")).unwrap();
    world.snapshot("run_no_repository", ["run", "--", "true"]);
}

#[test]
fn links_fifos_and_folders_are_not_stamped_in_place() {
    let world = World::new();
    world.repo.write("a.jsonl", "{}\n");
    std::os::unix::fs::symlink("a.jsonl", world.at("link.jsonl")).unwrap();
    world.snapshot(
        "stamp_link",
        ["stamp", "link.jsonl", "--type", "t", "--in-place"],
    );
    assert!(world.at("link.jsonl").is_symlink());
    let made = std::process::Command::new("mkfifo")
        .arg(world.at("fifo.jsonl"))
        .status();
    assert!(made.unwrap().success());
    world.snapshot(
        "stamp_fifo",
        ["stamp", "fifo.jsonl", "--type", "t", "--in-place"],
    );
    // Whoever asks what it is does not wait for somebody to write into it.
    for name in ["fifo.jsonl", "fifo.bin", "fifo.json", "fifo.eval"] {
        if name != "fifo.jsonl" {
            let made = std::process::Command::new("mkfifo")
                .arg(world.at(name))
                .status();
            assert!(made.unwrap().success());
        }
        for verb in [
            &["show", name][..],
            &["verify", name],
            &["trace", name],
            &["scan", name],
            &["unstamp", name, "--out", "u"],
            &["stamp", name, "--type", "t"],
            &["import", name],
            &["salvage", name],
            &["compare", name, name],
        ] {
            let code = within_a_minute(world.command(verb));
            assert!(matches!(code, Some(1 | 2)), "{verb:?}: {code:?}");
        }
    }
    std::fs::create_dir(world.at("folder.jsonl")).unwrap();
    world.snapshot(
        "stamp_folder",
        ["stamp", "folder.jsonl", "--type", "t", "--in-place"],
    );
}

/// The exit status; none where the program had to be stopped.
fn within_a_minute(mut command: std::process::Command) -> Option<i32> {
    use std::process::Stdio;
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let begin = std::time::Instant::now();
    while begin.elapsed().as_secs() < 60 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

#[test]
fn folder_that_cannot_be_written_is_named() {
    let world = World::new();
    let name = "stamp_read_only";
    if is_root() {
        // Root may write anywhere but on a file system that is read-only.
        let Some(_mount) = Mount::new(&world, "ro", "size=1m,mode=755") else {
            return;
        };
        world.repo.write("ro/a.json", "{}");
        Mount::remount_read_only(&world, "ro");
        let picture = world.birthmark(["stamp", "ro/a.json", "--type", "t"]);
        assert!(
            picture.starts_with("exit status: 2") && picture.contains("cannot write"),
            "{picture}"
        );
        return;
    }
    world.repo.write("ro/a.json", "{}");
    std::fs::set_permissions(world.at("ro"), std::fs::Permissions::from_mode(0o555)).unwrap();
    world.snapshot(name, ["stamp", "ro/a.json", "--type", "t"]);
}

/// The program as somebody who may look into this world and change nothing in it.
fn as_nobody(world: &World, args: &[&str]) -> Option<String> {
    let program = world.repo.outside().join("birthmark");
    // By a program of its own: a test that forks meanwhile would hold our descriptor open, and
    // a file that is open for writing cannot be run.
    if !program.exists() {
        let copied = std::process::Command::new("cp")
            .args([crate::world::PROGRAM.as_ref(), program.as_os_str()])
            .status()
            .unwrap();
        assert!(copied.success());
    }
    for path in [world.repo.outside(), world.path(), &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = std::process::Command::new("setpriv");
    let output = command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(args)
        .current_dir(world.path())
        .env("HOME", "/nonexistent")
        .output()
        .ok()?;
    Some(crate::world::picture(&output))
}

#[test]
fn what_another_user_may_not_read_or_write_is_named_with_what_to_do() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let secret = world.repo.write("secret.jsonl", "{\"a\": 1}\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    for args in [
        &["stamp", "secret.jsonl", "--type", "t", "--in-place"][..],
        &["show", "secret.jsonl"],
        &["verify", "secret.jsonl"],
    ] {
        let Some(said) = as_nobody(&world, args) else {
            return;
        };
        assert!(said.starts_with("exit status: 2"), "{args:?}: {said}");
        assert!(said.contains("cannot read"), "{args:?}: {said}");
        assert!(!said.contains("writable"), "{args:?}: {said}");
    }
    let git = birthmark_testing::repo::fingerprint(&world.repo.git_dir());
    for args in [
        &["stamp", "train.py", "--type", "t"][..],
        &["session", "start"],
        &["run", "--", "true"],
        &["declare"],
        &["init"],
    ] {
        let said = as_nobody(&world, args).unwrap();
        assert!(said.starts_with("exit status: 2"), "{args:?}: {said}");
        let hint = said.contains("hint: make the folder `");
        assert!(hint && !said.contains("at path"), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read(&secret).unwrap(), b"{\"a\": 1}\n");
    assert!(!world.at("artifacts").exists(), "nothing was made");
    assert_eq!(
        git,
        birthmark_testing::repo::fingerprint(&world.repo.git_dir())
    );
}

#[test]
fn full_disk_changes_nothing() {
    let world = World::new();
    if !is_root() {
        return;
    }
    let Some(_mount) = Mount::new(&world, "small", "size=64k") else {
        return;
    };
    let text = "{\"a\": 1}\n".repeat(2_000);
    world.repo.write("small/a.jsonl", &text);
    let stamped = world.birthmark(["stamp", "small/a.jsonl", "--type", "t", "--in-place"]);
    assert!(
        stamped.starts_with("exit status: 2") && stamped.contains("No space left"),
        "{stamped}"
    );
    assert_eq!(world.read("small/a.jsonl"), text.as_bytes());
    let left: Vec<_> = std::fs::read_dir(world.at("small")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    world.repo.write("small/filler", "x");
    while std::fs::OpenOptions::new()
        .append(true)
        .open(world.at("small/filler"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 1024]))
        .is_ok()
    {}
    let output = world
        .command(["run", "--", "touch", "ran"])
        .env("BIRTHMARK_DIR", world.at("small/artifacts"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", picture(&output));
    assert!(
        !world.at("ran").exists(),
        "nothing ran that could not be recorded"
    );
}

#[test]
fn run_that_fills_the_disk_of_its_store_says_how_it_ended_and_what_is_not_known() {
    let world = World::new();
    if !is_root() {
        return;
    }
    let Some(_mount) = Mount::new(&world, "artifacts", "size=2m") else {
        return;
    };
    let script = "n=0; while [ $n -lt 80 ]; do echo $n > artifacts/$n.txt; n=$((n + 1)); done
                  /bin/cat /dev/zero > artifacts/filler 2> /dev/null; exit 3";
    let ran = world.output(["run", "--", "sh", "-c", script]);
    let said = picture(&ran);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("could be recorded"), "{said}");
    assert!(said.contains("No space left"), "{said}");
    let shown = world.birthmark(["show", "last"]);
    for told in [
        "status   failed",
        "artifacts (not all that was done",
        "lineage (",
    ] {
        assert!(shown.contains(told), "{shown}");
    }
    let told = world.birthmark(["show", "last", "--json"]);
    assert!(told.contains("recorded: No space left"), "{told}");
    let verified = world.birthmark(["verify"]);
    assert!(
        verified.contains("not all that it did could be"),
        "{verified}"
    );
}

/// A small file system of memory, gone with this value.
struct Mount(std::path::PathBuf);

impl Mount {
    /// None where this machine lets nobody mount; said aloud, so that it is seen.
    fn new(world: &World, name: &str, options: &str) -> Option<Self> {
        use std::io::Write;
        let path = world.at(name);
        std::fs::create_dir(&path).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: this test needs to mount a tmpfs"
        );
        None
    }

    fn remount_read_only(world: &World, name: &str) {
        let done = std::process::Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(world.at(name))
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[test]
fn what_cannot_be_read_as_its_name_says_has_its_birthmark_beside_it() {
    let world = World::new();
    let too_long = [&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat();
    let footer = b"PAR1\xff\xff\xff\xff\xff\xff\xff\x7fPAR1".to_vec();
    for (name, bytes) in [
        ("weights.safetensors", too_long),
        ("table.parquet", footer),
        ("data.jsonl.gz", b"\x1f\x8b\x08\0no gzip".to_vec()),
        ("data.jsonl.zst", b"no zstd".to_vec()),
    ] {
        std::fs::write(world.at(name), bytes).unwrap();
        let before = world.output(["show", name]);
        assert_eq!(before.status.code(), Some(2), "{}", picture(&before));
        for args in [
            &["stamp", name, "--type", "model"][..],
            &["show", name],
            &["verify", name],
        ] {
            let output = world.output(args);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{args:?}: {}",
                picture(&output)
            );
        }
        let shown = world.birthmark_json(["show", name, "--json"]);
        assert_eq!(shown["metadata"]["artifact_type"], "model", "{shown}");
        // And it fails when the bytes change, as any file does.
        let mut changed = world.read(name);
        changed.push(b'x');
        std::fs::write(world.at(name), changed).unwrap();
        let output = world.output(["verify", name]);
        assert_eq!(output.status.code(), Some(1), "{}", picture(&output));
    }
}
