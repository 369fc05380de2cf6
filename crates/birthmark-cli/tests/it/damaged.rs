//! Files that are cut short, damaged or made to harm, and what is none: each verb says what
//! failed, why, and what to do now.

use std::process::{Command, Stdio};

use crate::world::{World, picture};

fn gzip(world: &World, text: &[u8], name: &str) {
    world.repo.write(name, "");
    let out = std::fs::File::create(world.at(name)).unwrap();
    let mut gzip = Command::new("gzip")
        .args(["-9", "-n", "-c"])
        .stdin(Stdio::piped())
        .stdout(out)
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut gzip.stdin.take().unwrap(), text).unwrap();
    assert!(gzip.wait().unwrap().success());
}

fn cut(world: &World, name: &str) {
    let whole = world.read(name);
    std::fs::write(world.at(name), &whole[..whole.len() / 2]).unwrap();
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do_now() {
    let world = World::new();
    let lines: Vec<String> = (0..2_000).map(|n| format!("{{\"n\": {n}}}\n")).collect();
    let text = lines.concat();
    gzip(&world, text.as_bytes(), "cut.jsonl.gz");
    cut(&world, "cut.jsonl.gz");
    gzip(&world, &vec![b' '; 256 << 20], "bomb.jsonl.gz");
    gzip(&world, text.as_bytes(), "junk.jsonl.gz");
    let whole = world.read("junk.jsonl.gz");
    std::fs::write(world.at("junk.jsonl.gz"), [&whole[..], b"junk"].concat()).unwrap();
    for (name, bytes) in [
        ("none.jsonl.gz", &b"{\"n\": 1}\n{\"n\": 2}\n"[..]),
        ("cut.safetensors", b"\x64\0\0\0\0\0\0\0{\"a\":"),
        ("cut.parquet", b"PAR1 rows"),
        ("cut.json", b"{\"loss\": [1, 2"),
        ("list.json", b"[1, 2]"),
        ("cut.gguf", b"GGUF\x03\0"),
        ("other.gguf", b"no weights at all"),
    ] {
        std::fs::write(world.at(name), bytes).unwrap();
    }
    let made = Command::new("mkfifo").arg(world.at("pipe.jsonl")).status();
    assert!(made.unwrap().success());
    let mut all = String::new();
    for name in [
        "cut.jsonl.gz",
        "bomb.jsonl.gz",
        "none.jsonl.gz",
        "junk.jsonl.gz",
        "cut.safetensors",
        "cut.parquet",
        "cut.json",
        "list.json",
        "cut.gguf",
        "other.gguf",
        "pipe.jsonl",
        "/dev/zero",
    ] {
        let copy = &format!("copy-{}", name.trim_start_matches('/').replace('/', "-"));
        for words in [
            &["stamp", name, "--type", "t", "--out", copy][..],
            &["show", name],
            &["verify", name],
            &["unstamp", name, "--out", copy],
        ] {
            let output = world.command(words).output().unwrap();
            assert!(!world.at(copy).exists(), "{words:?}");
            let said = picture(&output);
            all += &format!("$ birthmark {}\n{said}\n", words.join(" "));
        }
    }
    world.check("damaged", &all);
}
