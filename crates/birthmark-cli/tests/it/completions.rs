//! Completion of a filter, in a real bash.

use std::path::Path;
use std::process::Command;

use crate::world::{PROGRAM, World};

/// Says what bash would offer for a line of which `|` is the cursor.
const ASK: &str = r#"
source /dev/stdin <<<"$(birthmark completions bash)"
COMP_LINE="$1" COMP_POINT=${#1}
# As readline parts it: by blanks, and by the characters that end a word.
mapfile -t COMP_WORDS < <(printf '%s' "$1" | grep -oE "'[^']*'?|[^ =:<>']+|[=:<>]+")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_birthmark_or_filter birthmark "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn offered(world: &World, line: &str) -> Vec<String> {
    let folder = Path::new(PROGRAM).parent().expect("a folder");
    let output = Command::new("bash")
        .args(["-c", ASK, "bash", line])
        .current_dir(world.path())
        .env_clear()
        .env("HOME", world.repo.home())
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("LANG", "C.UTF-8")
        .output()
        .expect("bash starts");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_fields_and_values_from_the_catalog() {
    let world = World::new();
    world.repo.write(
        "artifacts/e.json",
        r#"{"summary": {"accuracy": 0.75}, "metadata": {"git_commit": "c", "model_name": "Qwen/Qwen2.5-32B", "my_own": "two words", "birthmark": "birthmark/v1"}}"#,
    );
    world.birthmark(["find"]);
    assert_eq!(
        offered(&world, "birthmark find 'model_n"),
        ["model_name=", "model_name~"]
    );
    assert_eq!(
        offered(&world, "birthmark find 'seed=1 (model=Qw"),
        ["seed=1 (model=Qwen/Qwen2.5-32B"]
    );
    // Without quotes the shell parts the word: what stands before is not said again.
    assert_eq!(
        offered(&world, "birthmark find model=Qw"),
        ["Qwen/Qwen2.5-32B"]
    );
    assert_eq!(
        offered(&world, "birthmark find 'my_own=tw"),
        ["my_own=\"two words\""]
    );
    assert_eq!(
        offered(&world, "birthmark find accur"),
        ["accuracy=", "accuracy~"]
    );
    assert_eq!(offered(&world, "birthmark find --sort my_"), ["my_own"]);
    assert_eq!(offered(&world, "birthmark find --sort -my_"), ["-my_own"]);
    assert_eq!(
        offered(&world, "birthmark find --columns file,my_"),
        ["file,my_own"]
    );
    assert_eq!(
        offered(&world, "birthmark find --group-by model_name,my_"),
        ["model_name,my_own"]
    );
    assert!(offered(&world, "birthmark find --sort --gro").contains(&"--group-by".to_owned()));
    assert_eq!(
        offered(&world, "birthmark find 'file=art"),
        ["file=artifacts/e.json"]
    );
    assert_eq!(
        offered(&world, "birthmark find 'state=st"),
        ["state=stamped"]
    );
    world.birthmark(["run", "--", "true"]);
    world.birthmark(["find"]);
    assert_eq!(
        offered(&world, "birthmark find 'hostn"),
        ["hostname=", "hostname~"]
    );
    assert_eq!(
        offered(&world, "birthmark find --runs 'outc"),
        ["outcome=", "outcome~"]
    );
    assert_eq!(
        offered(&world, "birthmark find --runs 'outcome=c"),
        ["outcome=completed"]
    );
    assert!(!offered(&world, "birthmark find 'outc").contains(&"outcome=".to_owned()));
    assert_eq!(offered(&world, "birthmark find 'has:dri"), ["has:drift"]);
    // Elsewhere the usual completion goes on.
    assert!(offered(&world, "birthmark find --group").contains(&"--group-by".to_owned()));
    assert!(offered(&world, "birthmark verif").contains(&"verify".to_owned()));
}

#[test]
fn other_shells_ask_for_the_filter_too() {
    let world = World::new();
    for (shell, asked) in [
        ("zsh", "'*:filter:_birthmark_filter'"),
        (
            "fish",
            "birthmark __filter (string match -r -- '^--(?:all|runs|sessions)$' (commandline -opc)) --",
        ),
    ] {
        let script = String::from_utf8(world.output(["completions", shell]).stdout).expect("text");
        assert!(script.contains(asked), "{shell}");
    }
}
