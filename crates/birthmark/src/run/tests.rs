//! How a command is found, and how its end is told.

use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "fixtures")]
fn script_is_the_first_word_that_is_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train.py"), "").unwrap();
    let script = |words: &[&str]| {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        script_of(&words, dir.path())
    };
    let wanted = Some(dir.path().join("train.py"));
    assert_eq!(script(&["python", "-u", "train.py", "--x"]), wanted);
    assert_eq!(script(&["torchrun", "--nproc", "2", "train.py"]), wanted);
    assert_eq!(script(&["python", "-m", "train"]), wanted);
    assert_eq!(script(&["python", "-m", "gone", "train.py"]), wanted);
    std::fs::create_dir(dir.path().join("pkg")).unwrap();
    std::fs::write(dir.path().join("pkg/__main__.py"), "").unwrap();
    std::fs::write(dir.path().join("pkg/one.py"), "").unwrap();
    let within = |name: &str| Some(dir.path().join("pkg").join(name));
    assert_eq!(
        script(&["python", "-m", "pkg.one", "train.py"]),
        within("one.py")
    );
    assert_eq!(script(&["python", "-m", "pkg"]), within("__main__.py"));
    assert_eq!(script(&["python", "-m"]), None);
    assert_eq!(script(&["python", "gone.py"]), None);
}

#[test]
fn programs_are_found_as_a_shell_finds_them() {
    assert!(find(OsStr::new("sh")).is_ok());
    let Err(NotRun::Program(code, _)) = find(OsStr::new("no-such-program")) else {
        panic!()
    };
    assert_eq!(code, NOT_FOUND);
    let Err(NotRun::Program(code, _)) = find(OsStr::new("/etc/passwd")) else {
        panic!()
    };
    assert_eq!(code, NOT_EXECUTABLE);
    let Err(NotRun::Program(code, _)) = find(OsStr::new("/etc/nothing")) else {
        panic!()
    };
    assert_eq!(code, NOT_FOUND);
}

#[test]
fn a_script_says_in_its_first_lines_which_python_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path();
    let told = |text: String| {
        let path = bin.join("tool");
        #[expect(clippy::disallowed_methods, reason = "a fixture")]
        std::fs::write(&path, text).unwrap();
        program::is_script_of(&path, bin)
    };
    let python = bin.join("python3.11");
    let python = python.display();
    assert!(told(format!("#!{python}\nimport x\n")));
    assert!(told(format!(
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    )));
    assert!(!told("#!/usr/bin/python3\n".to_owned()));
    assert!(!told(format!("#!/bin/sh\necho\n{python}\n")));
    assert!(!told(format!("{python}\n")));
    assert!(!program::is_script_of(&bin.join("gone"), bin));
}

#[test]
fn codes_are_those_of_a_shell() {
    assert_eq!(code_of(Some(ExitStatus::from_raw(3 << 8))), 3);
    assert_eq!(code_of(Some(ExitStatus::from_raw(9))), 137);
    assert_eq!(
        end_of(Some(ExitStatus::from_raw(9)), false).outcome,
        Outcome::Interrupted
    );
    assert_eq!(
        end_of(Some(ExitStatus::from_raw(11)), false).outcome,
        Outcome::Failed
    );
    assert_eq!(
        end_of(Some(ExitStatus::from_raw(1 << 8)), true).outcome,
        Outcome::Interrupted
    );
    assert_eq!(
        end_of(Some(ExitStatus::from_raw(0)), true).outcome,
        Outcome::Completed
    );
}
