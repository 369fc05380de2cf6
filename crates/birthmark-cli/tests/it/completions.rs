//! Completion of a filter, in a real bash, and in a real zsh and fish where they are installed.

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
    with_fields(&world);
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

/// Says what fish would offer for a line.
const FISH: &str = "birthmark completions fish | source; complete -C $argv[1]";

/// Says what lines become in zsh, by a key, once the tabulator was pressed.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell 'PS1= PS2= RPS1=; unsetopt zle_bracketed_paste prompt_cr prompt_sp; autoload -U compinit; compinit -u -D
source <(birthmark completions zsh)
told() { print -r -- "@@$BUFFER@@"; BUFFER= }; zle -N told; bindkey "^X" told; print -r "re""ady"'
zpty -r shell said '*ready*'
for line in "$@"; do
    zpty -w -n shell "$line"$'\t\x18'
    zpty -r shell said '*@@*@@*'
    said="${said#*@@}"
    print -r -- "${said%%@@*}"
done
zpty -d shell
"#;

/// What another shell answers; none where it is not installed.
fn answered(world: &World, shell: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let folder = Path::new(PROGRAM).parent().expect("a folder");
    let output = Command::new(shell)
        .args(arguments)
        .current_dir(world.path())
        .env_clear()
        .env("HOME", world.repo.home())
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("LANG", "C.UTF-8")
        .env("TERM", "dumb")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).expect("text");
    Some(text.lines().map(str::to_owned).collect())
}

fn with_fields(world: &World) {
    world.repo.write(
        "artifacts/e.json",
        r#"{"summary": {"accuracy": 0.75}, "metadata": {"git_commit": "c", "model_name": "Qwen/Qwen2.5-32B", "my_own": "two words", "birthmark": "birthmark/v1"}}"#,
    );
    world.birthmark(["find"]);
}

#[test]
fn fish_completes_fields_and_values_from_the_catalog() {
    let world = World::new();
    with_fields(&world);
    for (line, expected) in [
        ("find 'model_n", &["model_name=", "model_name~"][..]),
        ("find model=Qw", &["model=Qwen/Qwen2.5-32B"]),
        (
            "find 'seed=1 (model=Qw",
            &["seed=1 (model=Qwen/Qwen2.5-32B"],
        ),
        ("find --sort my_", &["my_own"]),
        ("find --sort -my_", &["-my_own"]),
        ("find --columns file,my_", &["file,my_own"]),
        ("find --columns=file,my_", &["--columns=file,my_own"]),
        ("find --group-by model_name,my_", &["model_name,my_own"]),
        ("find --runs 'outcome=c", &["outcome=completed"]),
        ("__", &[]),
    ] {
        let line = format!("birthmark {line}");
        let Some(said) = answered(&world, "fish", &["-c", FISH, &line]) else {
            return;
        };
        let words: Vec<&str> = said
            .iter()
            .filter_map(|line| line.split('\t').next())
            .collect();
        assert_eq!(words, expected, "{line}");
    }
}

#[test]
fn zsh_completes_fields_and_values_from_the_catalog() {
    let world = World::new();
    with_fields(&world);
    let lines = [
        ("find 'model_n", "find 'model_name"),
        ("find 'has:model_n", "find 'has:model_name"),
        ("find model=Qw", "find model=Qwen/Qwen2.5-32B"),
        (
            "find 'seed=1 (model=Qw",
            "find 'seed=1 (model=Qwen/Qwen2.5-32B",
        ),
        ("find --sort my_", "find --sort my_own"),
        ("find --sort -my_", "find --sort -my_own"),
        ("find --columns file,my_", "find --columns file,my_own"),
        ("find --columns=file,my_", "find --columns=file,my_own"),
        (
            "find --group-by model_name,my_",
            "find --group-by model_name,my_own",
        ),
        ("find --runs 'outcome=c", "find --runs 'outcome=completed"),
        ("__f", "__f"),
        ("verif", "verify "),
    ];
    let typed: Vec<String> = lines
        .iter()
        .map(|(line, _)| format!("birthmark {line}"))
        .collect();
    let mut arguments = vec!["-f", "-c", ZSH, "zsh"];
    arguments.extend(typed.iter().map(String::as_str));
    let Some(said) = answered(&world, "zsh", &arguments) else {
        return;
    };
    let expected: Vec<String> = lines
        .iter()
        .map(|(_, line)| format!("birthmark {line}"))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn other_shells_ask_for_the_filter_too() {
    let world = World::new();
    for (shell, asked) in [
        (
            "zsh",
            &[
                "'*:filter:_birthmark_filter'",
                ":FIELD:_birthmark_order'",
                "'*--columns=[Fields to show, with commas between them]:FIELDS:_birthmark_fields'",
                "commas between them]:FIELDS:_birthmark_fields' \\",
            ][..],
        ),
        (
            "fish",
            &["birthmark __filter --fields $scope --", "-l $option -x"],
        ),
    ] {
        let script = String::from_utf8(world.output(["completions", shell]).stdout).expect("text");
        for asked in asked {
            assert!(script.contains(asked), "{shell}: {asked}");
        }
        assert!(!script.contains("__relay"), "{shell}");
    }
}
