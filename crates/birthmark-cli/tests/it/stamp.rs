//! `birthmark stamp`.

use serde_json::{Value, json};

use crate::world::World;

fn declared(mark: &Value) -> Vec<&str> {
    mark["declared"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect()
}

#[test]
fn alone_it_writes_a_sidecar_and_says_what_was_only_declared() {
    let world = World::new();
    world.repo.write("weights.bin", "0123");
    world.snapshot(
        "stamp_sidecar",
        [
            "stamp",
            "weights.bin",
            "--type",
            "model",
            "--set",
            "model_name=7",
        ],
    );
    let mark = &world.json("weights.bin.birthmark.json")["metadata"];
    assert_eq!(mark["model_name"], "7");
    assert_eq!(mark["git_commit"], world.repo.head());
    let names = declared(mark);
    for name in ["git_commit", "timestamp", "artifact_type", "model_name"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(mark.get("session_id").is_none() && mark.get("run_id").is_none());
    assert!(mark["stamped_at"].is_string());
    let sessions = world.at("artifacts/.birthmark/sessions");
    assert!(!sessions.exists(), "no session was opened");
    assert_eq!(world.read("weights.bin"), b"0123");
}

#[test]
fn timestamp_is_the_files_own_time() {
    let world = World::new();
    let path = world.repo.write("a.json", "{}");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_micros(1_600_000_000_123_456);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    world.birthmark(["stamp", "a.json", "--type", "evaluation", "--in-place"]);
    let mark = &world.json("a.json")["metadata"];
    assert_eq!(mark["timestamp"], "2020-09-13T12:26:40.123456+00:00");
    assert_ne!(mark["timestamp"], mark["stamped_at"]);
}

#[test]
fn folder_gets_one_sidecar_with_a_tree_digest() {
    let world = World::new();
    world.repo.write("ckpt/config.json", "{}");
    world.repo.write("ckpt/model.bin", "00");
    world.birthmark(["stamp", "ckpt", "--type", "model"]);
    let sidecar = world.json("ckpt.birthmark.json");
    assert_eq!(sidecar["kind"], "folder");
    assert_eq!(sidecar["members"].as_array().unwrap().len(), 2);
}

#[test]
fn each_record_of_jsonl_is_stamped_and_the_rest_of_the_line_is_untouched() {
    let world = World::new();
    world
        .repo
        .write("a.jsonl", "{\"n\": 9007199254740993, \"x\": 1.50}\n{}\n");
    world.snapshot(
        "stamp_jsonl",
        ["stamp", "a.jsonl", "--type", "training_data", "--in-place"],
    );
    let text = String::from_utf8(world.read("a.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"n\": 9007199254740993, \"x\": 1.50, \"metadata\": {"));
    for line in lines {
        let record: Value = serde_json::from_str(line).unwrap();
        let mark = &record["metadata"];
        assert_eq!(mark["birthmark"], "birthmark/v1");
        assert!(
            mark.get("git_branch").is_none(),
            "records carry what people filter by"
        );
    }
}

#[test]
fn one_bad_line_stops_everything_and_is_named() {
    let world = World::new();
    let cases = [
        ("not_json", "{\"a\": 1}\n{'a': 2}\n"),
        ("not_an_object", "{\"a\": 1}\n[1, 2]\n"),
        ("cut_short", "{\"a\": 1}\n{\"a\": "),
        (
            "has_metadata",
            "{\"a\": 1}\n{\"metadata\": {\"mine\": 1}}\n",
        ),
        ("control_character", "{\"a\": 1}\n{\"a\": \"\x01\"}\n"),
    ];
    for (name, text) in cases {
        let path = format!("{name}.jsonl");
        world.repo.write(&path, text);
        world.snapshot(
            &format!("stamp_{name}"),
            ["stamp", &path, "--type", "t", "--in-place"],
        );
        assert_eq!(world.read(&path), text.as_bytes(), "{name}");
        let out = format!("{name}.copy.jsonl");
        world.birthmark(["stamp", &path, "--type", "t", "--out", &out]);
        assert!(!world.at(&out).exists(), "{name}");
    }
    let litter = std::fs::read_dir(world.path()).unwrap();
    let litter = litter.filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".birthmark-")
    });
    assert_eq!(litter.count(), 0);
}

#[test]
fn second_stamp_is_refused_until_told_what_to_do() {
    let world = World::new();
    world.repo.write("a.jsonl", "{\"a\": 1}\n");
    let stamp = ["stamp", "a.jsonl", "--type", "t", "--in-place"];
    world.birthmark(stamp);
    world.snapshot("stamp_twice", stamp);
    let before = world.read("a.jsonl");
    world.birthmark(stamp.into_iter().chain(["--on-existing", "keep"]));
    assert_eq!(world.read("a.jsonl"), before);
    world.snapshot(
        "stamp_replace",
        stamp.into_iter().chain(["--on-existing", "replace"]),
    );

    world.birthmark(["stamp", "train.py", "--type", "code"]);
    world.snapshot(
        "stamp_sidecar_twice",
        ["stamp", "train.py", "--type", "code"],
    );
    world.snapshot(
        "stamp_sidecar_keep",
        [
            "stamp",
            "train.py",
            "--type",
            "code",
            "--on-existing",
            "keep",
        ],
    );
}

#[test]
fn fields_come_from_files_too_and_the_command_line_counts_over_them() {
    let world = World::new();
    world.repo.write("a.json", "{}");
    world.repo.write(
        "loader.json",
        r#"{"model_name": "m", "quantization": null, "template_disabled": true}"#,
    );
    world
        .repo
        .write("params.toml", "temperature = 0.7\nseed = 1\n");
    world.birthmark([
        "stamp",
        "a.json",
        "--type",
        "evaluation",
        "--in-place",
        "--model-provenance",
        "loader.json",
        "--set-file",
        "params.toml",
        "--set",
        "seed=2",
        "--set",
        "tags=[\"x\", 1]",
        "--set-text",
        "build=007",
    ]);
    let mark = &world.json("a.json")["metadata"];
    assert_eq!(mark["model_name"], "m");
    assert_eq!(mark["template_disabled"], true);
    assert_eq!(
        (&mark["temperature"], &mark["seed"]),
        (&json!(0.7), &json!(2))
    );
    assert_eq!(
        (&mark["tags"], &mark["build"]),
        (&json!(["x", 1]), &json!("007"))
    );
    world.snapshot(
        "stamp_no_provenance",
        [
            "stamp",
            "a.json",
            "--type",
            "t",
            "--model-provenance",
            "a.json",
        ],
    );
    world.snapshot(
        "stamp_bad_fields",
        ["stamp", "a.json", "--type", "t", "--set-file", "train.py"],
    );
}

#[test]
fn secrets_in_fields_never_reach_the_disk() {
    let world = World::new();
    world.repo.write("a.json", "{}");
    world.birthmark([
        "stamp",
        "a.json",
        "--type",
        "t",
        "--in-place",
        "--set",
        "api_key=hunter2hunter2hunter2",
    ]);
    let text = String::from_utf8(world.read("a.json")).unwrap();
    assert!(
        !text.contains("hunter2") && text.contains("[redacted:"),
        "{text}"
    );
}

#[test]
fn open_session_is_joined_and_vouches_for_the_file() {
    let world = World::new();
    world.birthmark(["session", "start", "--set", "seed=42"]);
    world.repo.write("a.json", "{}");
    let stamped = world.birthmark_json([
        "stamp",
        "a.json",
        "--type",
        "evaluation",
        "--in-place",
        "--json",
    ]);
    let mark = &world.json("a.json")["metadata"];
    assert_eq!(stamped[0]["joined"], mark["session_id"]);
    assert_eq!(mark["seed"], 42);
    assert!(
        declared(mark).contains(&"seed"),
        "the session did not watch it being made"
    );
    let sealed = world.event("artifact_sealed");
    assert_eq!(
        (&sealed["file"], &sealed["notes"]["stamped"]),
        (&json!("a.json"), &json!(true))
    );
    assert!(
        world
            .birthmark(["session", "end"])
            .contains("made 1 artifact")
    );
}

#[test]
fn file_with_a_sidecar_gets_no_second_birthmark_that_says_something_else() {
    let world = World::new();
    world.repo.write("a.jsonl", "{\"a\": 1}\n");
    world.birthmark("stamp a.jsonl --type dataset --set seed=1".split(' '));
    let (bytes, beside) = (world.read("a.jsonl"), world.read("a.jsonl.birthmark.json"));
    let into = ["stamp", "a.jsonl", "--type", "training_data", "--in-place"];
    world.snapshot("stamp_in_place_beside_sidecar", into);
    for more in ["merge", "keep"] {
        world.birthmark(into.into_iter().chain(["--on-existing", more]));
        assert_eq!(world.read("a.jsonl"), bytes, "{more}");
        assert_eq!(world.read("a.jsonl.birthmark.json"), beside, "{more}");
    }
    let copy = [
        "stamp",
        "a.jsonl",
        "--type",
        "training_data",
        "--out",
        "b.jsonl",
    ];
    world.snapshot("stamp_copy_of_one_with_sidecar", copy);
    assert!(!world.at("b.jsonl").exists());

    let instead = ["--on-existing", "replace"];
    world.birthmark(copy.into_iter().chain(instead));
    assert_eq!(
        world.json("b.jsonl")["metadata"]["artifact_type"],
        "training_data"
    );
    assert_eq!(
        world.read("a.jsonl.birthmark.json"),
        beside,
        "it is of the file"
    );

    let whole = into.into_iter().chain(instead);
    world.snapshot("stamp_in_place_of_sidecar", whole);
    assert_eq!(
        world.json("a.jsonl")["metadata"]["artifact_type"],
        "training_data"
    );
    assert!(!world.at("a.jsonl.birthmark.json").exists());
    world.birthmark(["unstamp", "a.jsonl", "--in-place"]);
    assert_eq!(world.read("a.jsonl"), bytes);
}

#[test]
fn copy_that_overwrites_a_file_does_not_stand_beside_the_sidecar_of_that() {
    let world = World::new();
    world.repo.write("a.jsonl", "{\"a\": 1}\n");
    world.repo.write("b.jsonl", "{\"b\": 1}\n");
    world.birthmark("stamp b.jsonl --type dataset".split(' '));
    world.birthmark("stamp a.jsonl --type dataset --out b.jsonl --force".split(' '));
    assert_eq!(world.json("b.jsonl")["a"], 1);
    assert!(!world.at("b.jsonl.birthmark.json").exists());
}

#[test]
fn file_of_a_format_without_place_goes_by_sidecar_only() {
    let world = World::new();
    world.snapshot(
        "stamp_no_format",
        ["stamp", "train.py", "--type", "code", "--in-place"],
    );
    world.snapshot("stamp_missing", ["stamp", "nix.json", "--type", "t"]);
    world.repo.write("a.json", "{}");
    world.repo.write("b.json", "mine");
    world.snapshot(
        "stamp_out_exists",
        ["stamp", "a.json", "--type", "t", "--out", "b.json"],
    );
    assert_eq!(world.read("b.json"), b"mine");
    world.birthmark([
        "stamp", "a.json", "--type", "t", "--out", "b.json", "--force",
    ]);
    assert_eq!(world.json("b.json")["metadata"]["artifact_type"], "t");
    world.snapshot(
        "stamp_out_format",
        ["stamp", "a.json", "--type", "t", "--out", "c.txt"],
    );
    world.snapshot(
        "stamp_onto_itself",
        ["stamp", "a.json", "--type", "t", "--out", "./a.json"],
    );
}

#[test]
fn bad_lines_go_aside_byte_for_byte_and_are_told() {
    let world = World::new();
    let text = "{\"a\": 1}\r\n{'b': 2}\r\n\n[3]\n{\"c\": 3}\n{\"torn\": ";
    world.repo.write("a.jsonl", text);
    let args = [
        "stamp",
        "a.jsonl",
        "--type",
        "t",
        "--in-place",
        "--quarantine",
        "bad.txt",
    ];
    world.snapshot("stamp_quarantine", args);
    assert_eq!(world.read("bad.txt"), b"{'b': 2}\r\n[3]\n{\"torn\": \n");
    world.birthmark(["unstamp", "a.jsonl", "--in-place"]);
    assert_eq!(world.read("a.jsonl"), b"{\"a\": 1}\r\n\n{\"c\": 3}\n");
    world.snapshot("stamp_quarantine_exists", args);
    world.repo.write("good.jsonl", "{}\n");
    world.birthmark([
        "stamp",
        "good.jsonl",
        "--type",
        "t",
        "--in-place",
        "--quarantine",
        "none.txt",
    ]);
    assert!(!world.at("none.txt").exists(), "nothing was set aside");
    // Another fault than that of the line's own text still stops everything.
    world.repo.write("b.jsonl", "{\"metadata\": 1}\n");
    let picture = world.birthmark([
        "stamp",
        "b.jsonl",
        "--type",
        "t",
        "--in-place",
        "--quarantine",
        "none.txt",
    ]);
    assert!(picture.starts_with("exit status: 2"), "{picture}");
}

#[test]
fn patterns_and_folders_name_many_files_and_one_unfit_stops_all() {
    let world = World::new();
    for number in 0..20 {
        world.repo.write(
            format!("data/{}/{number}.jsonl", number % 3),
            "{\"a\": 1}\n",
        );
    }
    world.repo.write("data/0/notes.txt", "x");
    world.repo.write("data/.hidden.jsonl", "{}\n");
    let stamped = |picture: &str| picture.matches("stamped  ").count();
    let some = world.birthmark(["stamp", "data/1/*.jsonl", "--type", "t", "--in-place"]);
    assert_eq!(stamped(&some), 7, "{some}");
    let all = world.birthmark([
        "stamp",
        "data",
        "-r",
        "--type",
        "t",
        "--in-place",
        "--on-existing",
        "keep",
    ]);
    assert_eq!(stamped(&all), 13, "{all}");
    assert_eq!(all.matches("kept     data/1/").count(), 7, "{all}");
    let order: Vec<&str> = all
        .lines()
        .filter(|line| line.starts_with("stamped") || line.starts_with("kept"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert!(order.is_sorted(), "told in order: {all}");
    assert_eq!(world.read("data/.hidden.jsonl"), b"{}\n");
    world.snapshot(
        "stamp_no_match",
        ["stamp", "nothing/*.jsonl", "--type", "t"],
    );
    world.repo.write("ok.jsonl", "{}\n");
    let picture = world.birthmark([
        "stamp",
        "ok.jsonl",
        "gone.jsonl",
        "--type",
        "t",
        "--in-place",
    ]);
    assert!(picture.starts_with("exit status: 2"), "{picture}");
    assert_eq!(
        world.read("ok.jsonl"),
        b"{}\n",
        "looked at before the first is written"
    );
}

#[test]
fn records_are_stamped_in_a_pipe() {
    use std::io::Write;
    use std::process::Stdio;
    let world = World::new();
    let run = |text: &str| {
        let mut child = world
            .command(["stamp", "-", "--type", "t", "--set", "seed=7"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let done = run("{\"a\": 1.50}\n{\"b\": NaN}");
    let lines: Vec<&str> = std::str::from_utf8(&done.stdout).unwrap().lines().collect();
    assert!(
        lines[0].starts_with("{\"a\": 1.50, \"metadata\": {"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("{\"b\": NaN, \"metadata\": {"),
        "{lines:?}"
    );
    assert!(done.status.success());
    let done = run("{\"a\": 1}\nnot json\n");
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("line 2, byte 9"), "{said}");
    world.snapshot("stamp_pipe_alone", ["stamp", "-", "a.jsonl", "--type", "t"]);
}

#[test]
fn fields_come_from_yaml_without_tags() {
    let world = World::new();
    world.repo.write("a.bin", "0");
    world.repo.write(
        "params.yaml",
        "seed: 42\ntemperature: 0.70\nextra:\n  - a\n  - 1e-5\n",
    );
    world.birthmark([
        "stamp",
        "a.bin",
        "--type",
        "model",
        "--set-file",
        "params.yaml",
    ]);
    let mark = &world.json("a.bin.birthmark.json")["metadata"];
    assert_eq!(mark["seed"], 42);
    assert_eq!(mark["extra"].to_string(), r#"["a",1e-5]"#);
    world.repo.write(
        "evil.yml",
        "a: 1\nb: !!python/object/apply:os.system ['touch pwned']\n",
    );
    world.snapshot(
        "stamp_yaml_tag",
        [
            "stamp",
            "a.bin",
            "--type",
            "model",
            "--set-file",
            "evil.yml",
        ],
    );
    assert!(!world.at("pwned").exists());
}

#[test]
fn adapter_names_its_base_and_a_missing_shard_is_said() {
    let world = World::new();
    let config = r#"{"base_model_name_or_path": "org/base", "revision": "abc", "r": 8}"#;
    world.repo.write("lora/adapter_config.json", config);
    world.repo.write("lora/adapter_model.safetensors", "x");
    world.birthmark(["stamp", "lora", "--type", "model"]);
    let mark = &world.json("lora.birthmark.json")["metadata"];
    let base = json!([{"role": "base", "name": "org/base", "model_revision": "abc"}]);
    assert_eq!(mark["inputs"], base);
    let index = r#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    world.repo.write("ckpt/model.safetensors.index.json", index);
    world.repo.write("ckpt/m-1.safetensors", "1");
    let picture = world.birthmark(["stamp", "ckpt", "--type", "model"]);
    assert!(picture.contains("lacks 1 shard"), "{picture}");
    let sidecar = world.json("ckpt.birthmark.json");
    assert_eq!(
        sidecar["metadata"]["missing_shards"],
        json!(["m-2.safetensors"])
    );
    assert_eq!(sidecar["members"].as_array().unwrap().len(), 2);
}

#[test]
fn model_in_gguf_says_what_it_is() {
    let world = World::new();
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let pair =
        |key: &str, value: &str| [text(key), 8_u32.to_le_bytes().to_vec(), text(value)].concat();
    let counts = [3_u32.to_le_bytes().to_vec(), 2_u64.to_le_bytes().to_vec()].concat();
    let pairs = [
        pair("general.name", "Tiny"),
        pair("general.architecture", "llama"),
        [
            text("general.file_type"),
            [4_u32, 15].map(u32::to_le_bytes).concat(),
        ]
        .concat(),
    ]
    .concat();
    let bytes = [b"GGUF", &counts[..], &3_u64.to_le_bytes(), &pairs].concat();
    std::fs::write(world.at("m.gguf"), bytes).unwrap();
    world.birthmark(["stamp", "m.gguf", "--type", "model"]);
    let told = &world.json("m.gguf.birthmark.json")["metadata"]["gguf"];
    assert_eq!(told["name"], "Tiny");
    assert_eq!(told["architecture"], "llama");
    assert_eq!(told["quantization"], "Q4_K_M");
}

#[test]
fn model_in_gguf_that_cannot_be_read_is_unknown_with_its_reason() {
    let world = World::new();
    let header = |version: u32, keys: u64, rest: &[u8]| {
        [
            &b"GGUF"[..],
            &version.to_le_bytes(),
            &0_u64.to_le_bytes(),
            &keys.to_le_bytes(),
            rest,
        ]
        .concat()
    };
    for (name, bytes, why) in [
        (
            "keys.gguf",
            header(3, 1 << 60, b""),
            "1152921504606846976 keys",
        ),
        (
            "text.gguf",
            header(3, 1, &(1_u64 << 63).to_le_bytes()),
            "it is cut short at byte 32",
        ),
        (
            "short.gguf",
            b"GGUF\x03\0".to_vec(),
            "it is cut short at byte 6",
        ),
        ("later.gguf", header(99, 0, b""), "version 99 is not known"),
        ("other.gguf", b"hello".to_vec(), "it is no GGUF"),
    ] {
        std::fs::write(world.at(name), bytes).unwrap();
        let picture = world.birthmark(["stamp", name, "--type", "model"]);
        assert!(picture.starts_with("exit status: 0"), "{picture}");
        assert!(
            picture.contains("is unknown") && picture.contains(why),
            "{picture}"
        );
        let mark = &world.json(&format!("{name}.birthmark.json"))["metadata"];
        assert!(mark["gguf"].is_null(), "{mark}");
        let reason = mark["unknown"]["gguf"].as_str().unwrap();
        assert!(reason.contains(why), "{reason}");
        let checked = world.birthmark(["verify", name]);
        assert!(checked.starts_with("exit status: 0"), "{checked}");
    }
}

#[test]
fn sha256_in_a_sidecar_is_what_sha256sum_checks_and_an_edited_one_fails() {
    let world = World::new();
    world.repo.write("model.bin", "weights");
    world.repo.write("folder/a.bin", "a");
    world.repo.write("folder/deep/b.bin", "b");
    for name in ["model.bin", "folder"] {
        let picture = world.birthmark(["stamp", name, "--type", "model", "--sha256"]);
        assert!(picture.starts_with("exit status: 0"), "{picture}");
        let sidecar = world.json(&format!("{name}.birthmark.json"));
        let list = sidecar["members"].as_array().cloned();
        let listed = list.unwrap_or_else(|| vec![sidecar.clone()]);
        for one in &listed {
            let file = one["file"].as_str().unwrap();
            let whole = if name == "folder" {
                world.at("folder").join(file)
            } else {
                world.at(file)
            };
            let said = std::process::Command::new("sha256sum")
                .arg(whole)
                .output()
                .unwrap();
            let theirs = String::from_utf8(said.stdout).unwrap();
            assert_eq!(one["sha256"], format!("sha256:{}", &theirs[..64]));
        }
        assert_eq!(listed.len(), if name == "folder" { 2 } else { 1 });
        let checked = world.birthmark(["verify", name]);
        assert!(checked.starts_with("exit status: 0"), "{checked}");
        // Of every digest of this kind the last digit becomes another.
        let text = String::from_utf8(world.read(&format!("{name}.birthmark.json"))).unwrap();
        let at = text.rfind("\"sha256:").unwrap() + "\"sha256:".len() + 63;
        let other = if text.as_bytes()[at] == b'0' {
            "1"
        } else {
            "0"
        };
        let edited = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        std::fs::write(world.at(&format!("{name}.birthmark.json")), edited).unwrap();
        let checked = world.birthmark(["verify", name]);
        assert!(checked.starts_with("exit status: 1"), "{checked}");
        assert!(checked.contains("the SHA-256 is not that of"), "{checked}");
    }
    let within = world.birthmark([
        "stamp",
        "model.bin",
        "--type",
        "model",
        "--sha256",
        "--in-place",
    ]);
    assert!(within.starts_with("exit status: 2"), "{within}");
}
