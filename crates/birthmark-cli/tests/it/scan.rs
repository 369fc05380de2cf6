//! `birthmark scan`: what it says, and what it never shows.

use crate::world::World;

#[test]
fn secret_in_a_record_is_named_and_never_printed() {
    let world = World::new();
    let token = "hf_EXAMPLEexampleEXAMPLEexampleEXAMPLE";
    world.repo.write(
        "artifacts/a.jsonl",
        format!("{{\"a\": 1}}\n{{\"t\": \"{token}\"}}\n"),
    );
    world.snapshot("scan_leak", ["scan"]);
    assert!(!world.birthmark(["scan", "--json"]).contains(token));
}

#[test]
fn secrets_in_packed_text_are_seen_and_a_torn_end_hides_none() {
    let world = World::new();
    let token = "hf_EXAMPLEexampleEXAMPLEexampleEXAMPLE";
    let filler = (0..20_000).fold(String::new(), |text, number| {
        text + &format!("{{\"n\": {number}}}\n")
    });
    let text = format!("{{\"a\": 1}}\n{{\"t\": \"{token}\"}}\n{filler}");
    world.repo.write("artifacts/a.jsonl", text);
    let path = world.repo.path().join("artifacts/a.jsonl");
    let packed = std::process::Command::new("gzip").arg(&path).status();
    assert!(packed.unwrap().success());
    let scan = || {
        let output = world.output(["scan", "artifacts", "--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), answer)
    };
    let (code, whole) = scan();
    assert_eq!((code, &whole["count"]), (Some(1), &1.into()), "{whole}");
    let secret = &whole["leaks"][0]["secrets"][0];
    assert_eq!(
        (&secret["line"], &secret["offset"]),
        (&2.into(), &16.into())
    );
    let path = path.with_extension("jsonl.gz");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (code, torn) = scan();
    assert_eq!((code, &torn["count"]), (Some(1), &1.into()), "{torn}");
    assert_eq!(torn["unreadable"].as_array().unwrap().len(), 1, "{torn}");
}

#[test]
fn what_holds_none_says_what_was_not_looked_at() {
    let world = World::new();
    world.repo.write("artifacts/a.jsonl", "{\"a\": 1}\n");
    world.snapshot("scan_none", ["scan", "artifacts"]);
    world.snapshot("scan_nothing", ["scan", "nowhere"]);
}
