//! `birthmark bundle`: what git makes of the file.

use std::process::Command;

use crate::world::World;

#[test]
fn repositories_within_come_out_of_the_file_as_is_said() {
    let world = World::new();
    world.repo.write("sub/lib.py", "x = 1\n");
    let sub = world.at("sub");
    for args in [
        &["init", "-q"][..],
        &["add", "lib.py"],
        &["commit", "-qm", "lib"],
    ] {
        world.repo.git_in(&sub, args.iter().copied());
    }
    world.repo.write("sub/lib.py", "x = 2\n");
    world.repo.write("train.py", "import lib\n");
    world.birthmark(["run", "--", "true"]);
    let said = world.birthmark(["bundle", "last", "--out", "all.bundle"]);
    let away = tempfile::tempdir().unwrap();
    let clone = away.path().join("clone");
    let lines: Vec<&str> = said
        .lines()
        .filter_map(|line| line.find("git ").and_then(|at| line.get(at..)))
        .filter(|line| line.contains("FOLDER"))
        .collect();
    assert_eq!(lines.len(), 2, "{said}");
    for line in lines {
        let line = line.replace("FOLDER", &clone.to_string_lossy());
        let done = Command::new("sh")
            .args(["-c", &line])
            .current_dir(world.path())
            .status();
        assert!(done.unwrap().success(), "{line}");
    }
    let read = |name: &str| std::fs::read_to_string(clone.join(name)).unwrap();
    assert_eq!(read("sub/lib.py"), "x = 2\n");
    assert_eq!(read("train.py"), "import lib\n");
}
