//! A policy: held at the opening of a writer, and wherever a birthmark is verified.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests build their own world, and a world that cannot be built must fail"
)]

mod world;

use std::fs;
use std::sync::{Arc, Mutex};

use birthmark::error::Kind;
use birthmark::records::RecordsOptions;
use birthmark::report::ReportOptions;
use birthmark::session::{Begin, RunEnd, Session, begin};
use birthmark::verify::{Report, Word, codes};
use birthmark_core::birthmark::Fields;
use birthmark_core::event::{OpenedBy, Outcome};
use birthmark_store::records::Mode;
use world::{World, fields, now, provenance, told};

const POLICY: &str = "[policy]\nenforce = \"ENFORCE\"\ntraining_data = [\n\
    \"template_disabled = true\",\n\"seed required\",\n\"git_branch = main\"]\n\
    evaluation = [\"dataset.digest required\"]\n";

fn world(enforce: &str) -> World {
    let world = World::new();
    fs::write(
        world.repo.path().join("birthmark.toml"),
        POLICY.replace("ENFORCE", enforce),
    )
    .unwrap();
    world.repo.git(["add", "birthmark.toml"]);
    world.repo.git(["commit", "-q", "-m", "Policy"]);
    world
}

/// A session that keeps what it says.
fn session(world: &World, template_disabled: bool) -> (Session, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&said);
    let mut options = Begin::at(world.repo.path(), OpenedBy::Script);
    options.given = provenance();
    options
        .given
        .insert("template_disabled".to_owned(), template_disabled.into());
    options.talk = Some(Arc::new(move |line: &str| {
        kept.lock().unwrap().push(line.to_owned());
    }));
    (begin(options).unwrap(), said)
}

fn options() -> RecordsOptions {
    RecordsOptions {
        mode: Mode::New,
        artifact_type: "training_data".to_owned(),
        given: Fields::new(),
        all_fields: false,
    }
}

fn texts(report: &Report, code: &str) -> Vec<String> {
    report
        .items
        .iter()
        .flat_map(|item| &item.reasons)
        .filter(|reason| reason.code == code)
        .map(|reason| reason.text.clone())
        .collect()
}

#[test]
fn what_a_rule_forbids_is_refused_before_any_work() {
    let world = world("refuse");
    let (session, _) = session(&world, false);
    let error = session
        .records(&world.path("sft.jsonl"), options())
        .err()
        .unwrap();
    assert_eq!(error.kind(), Kind::Refused);
    assert_eq!(error.code(), "policy");
    let message = error.to_string();
    assert!(
        message.contains("rule `template_disabled = true` (birthmark.toml line 4)")
            && message.contains("template_disabled is false"),
        "{message}"
    );
    assert!(
        !message.contains("seed"),
        "a record may still bring it: {message}"
    );
    assert!(!world.path("sft.jsonl").exists());

    let report = ReportOptions {
        mode: Mode::New,
        artifact_type: "evaluation".to_owned(),
        given: fields(serde_json::json!({"eval_seed": 1})),
    };
    let body = b"{\"summary\": {}}";
    let refused = session.report(&world.path("e.json"), body, &report);
    assert_eq!(refused.unwrap_err().code(), "policy");
    assert!(!world.path("e.json").exists());
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
}

#[test]
fn a_warning_is_said_once_and_verify_fails() {
    let world = world("warn");
    let (session, said) = session(&world, true);
    let out = session
        .records(&world.path("sft.jsonl"), options())
        .unwrap();
    for _ in 0..3 {
        out.append(b"{\"a\": 1}", &[], &[]).unwrap();
    }
    out.close(None).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let warned: Vec<String> = said
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line.contains("breaks"))
        .cloned()
        .collect();
    assert_eq!(
        warned,
        [
            "birthmark: artifacts/sft.jsonl: a record breaks rule `seed required` \
             (birthmark.toml line 5): seed is missing"
        ]
    );
    let report = world.verify_all();
    assert_eq!(report.exit_code(), 1, "{}", told(&report));
    assert_eq!(
        texts(&report, "policy-broken"),
        ["rule `seed required` (birthmark.toml line 5): seed is missing"]
    );
}

/// What a session said that holds `part`.
fn lines_with(said: &Mutex<Vec<String>>, part: &str) -> Vec<String> {
    let said = said.lock().unwrap();
    said.iter()
        .filter(|line| line.contains(part))
        .cloned()
        .collect()
}

#[test]
fn what_cannot_be_told_is_said_at_the_opening_in_the_words_of_verify_and_not_refused() {
    let world = world("refuse");
    let rules = "[policy]\nenforce = \"refuse\"\ntraining_data = [\n\"git_dirty = false\",\n\
        \"temperature = 0..1\",\n\"top_p = 1\"]\n";
    fs::write(world.repo.path().join("birthmark.toml"), rules).unwrap();
    fs::write(world.repo.path().join(".git/index"), "no index").unwrap();
    let (session, said) = session(&world, true);
    let out = session
        .records(&world.path("sft.jsonl"), options())
        .unwrap();
    let untold = lines_with(&said, "cannot tell rule");
    assert_eq!(untold.len(), 1, "{untold:?}");
    let rule =
        "cannot tell rule `git_dirty = false` (birthmark.toml line 4): git_dirty is unknown: ";
    assert!(
        untold[0].starts_with(&format!("birthmark: artifacts/sft.jsonl: {rule}")),
        "{untold:?}"
    );
    // A field of a record's own is told with the first record, and once.
    let reasons = [("temperature".to_owned(), "not a number".to_owned())];
    for _ in 0..3 {
        let own = [("temperature", b"null".as_slice()), ("top_p", b"1")];
        out.append(b"{\"a\": 1}", &own, &reasons).unwrap();
    }
    out.close(None).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let untold = lines_with(&said, "cannot tell rule");
    assert_eq!(
        untold[1..],
        [
            "birthmark: artifacts/sft.jsonl: a record: cannot tell rule `temperature = 0..1` \
             (birthmark.toml line 5): temperature is unknown: not a number"
        ]
    );
    assert!(lines_with(&said, "breaks").is_empty(), "{said:?}");
    // It says of itself what `verify` says of the file.
    let report = world.verify_all();
    let told_by_verify = texts(&report, "policy-cannot-tell");
    for line in &untold {
        let (_, rule) = line.split_once("cannot tell ").unwrap();
        assert!(told_by_verify.iter().any(|text| text == rule), "{rule}");
    }
    assert_eq!(report.exit_code(), 2, "{}", told(&report));
}

#[test]
fn records_are_judged_with_what_stands_once_in_the_session() {
    let world = world("refuse");
    let (session, said) = session(&world, true);
    world.records(&session, "sft.jsonl", Mode::New, 3);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    // `git_branch` stands in no record.
    let report = world.verify_all();
    assert_eq!(report.exit_code(), 0, "{}", told(&report));
    assert!(!codes(&report).contains_key("policy-broken"));
    assert!(!said.lock().unwrap().join("\n").contains("breaks"));
}

#[test]
fn one_record_that_breaks_a_rule_is_named_by_its_line() {
    let world = world("warn");
    let (session, _) = session(&world, true);
    let out = session
        .records(&world.path("sft.jsonl"), options())
        .unwrap();
    for number in 0..5 {
        let template: &[u8] = if number == 3 { b"null" } else { b"true" };
        let reasons = [("template_disabled".to_owned(), "not asked".to_owned())];
        let reasons = if number == 3 { &reasons[..] } else { &[] };
        let own = [("seed", b"7".as_slice()), ("template_disabled", template)];
        out.append(b"{\"a\": 1}", &own, reasons).unwrap();
    }
    out.close(None).unwrap();
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let report = world.verify_all();
    let reason = report
        .items
        .iter()
        .flat_map(|item| &item.reasons)
        .find(|reason| reason.code == "policy-cannot-tell")
        .unwrap_or_else(|| panic!("{}", told(&report)));
    assert_eq!((reason.line, reason.records), (Some(4), 1));
    assert_eq!(report.exit_code(), 2, "{}", told(&report));
}

#[test]
fn check_keeps_what_concerns_the_policy_and_wants_birthmarks() {
    let world = world("warn");
    let (session, _) = session(&world, true);
    world.records(&session, "sft.jsonl", Mode::New, 2);
    session.end(RunEnd::plain(Outcome::Completed)).unwrap();
    let check = || birthmark::policy::check(&world.project(), &[world.artifacts()], now()).unwrap();
    assert_eq!(check().word(), Some(Word::Verified), "{}", told(&check()));
    // What cannot be read fails too: nothing passes by being broken.
    fs::write(world.path("torn.jsonl"), "{\"a\": 1").unwrap();
    assert_eq!(check().exit_code(), 1, "{}", told(&check()));
    fs::remove_file(world.path("torn.jsonl")).unwrap();
    fs::write(world.path("old.json"), "{\"a\": 1}").unwrap();
    assert_eq!(check().exit_code(), 1);
    assert_eq!(texts(&check(), "unstamped"), ["it has no birthmark"]);
}

fn stamped(
    world: &World,
    names: &[&str],
    seed: Option<u32>,
) -> Vec<birthmark::error::Result<birthmark::stamp::Stamped>> {
    let mut options = birthmark::stamp::StampOptions::new("training_data");
    options.given = fields(serde_json::json!({"template_disabled": true}));
    if let Some(seed) = seed {
        options.given.insert("seed".to_owned(), seed.into());
    }
    let files: Vec<_> = names.iter().map(|name| world.path(name)).collect();
    let mut results = Vec::new();
    let ended =
        birthmark::stamp::many::stamp_all(&world.project(), &files, &options, &mut |_, result| {
            results.push(result);
        });
    if let Err(error) = ended {
        results.push(Err(error));
    }
    results
}

#[test]
fn what_is_stamped_after_its_birth_is_held_to_the_policy_too() {
    let world = world("refuse");
    fs::create_dir_all(world.artifacts()).unwrap();
    for name in ["a.csv", "b.csv"] {
        fs::write(world.path(name), "x\n").unwrap();
    }
    let results = stamped(&world, &["a.csv", "b.csv"], None);
    let [Err(error)] = results.as_slice() else {
        panic!("{results:?}")
    };
    assert_eq!(error.kind(), Kind::Refused);
    let said = error.to_string();
    for part in [
        "artifacts/a.csv",
        "`seed required`",
        "birthmark.toml line 5",
        "seed is missing",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!world.path("a.csv.birthmark.json").exists());
    let results = stamped(&world, &["a.csv", "b.csv"], Some(3));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(world.path("b.csv.birthmark.json").exists());
}

#[test]
fn stamping_says_what_it_breaks_where_the_policy_only_warns() {
    let world = world("warn");
    fs::create_dir_all(world.artifacts()).unwrap();
    fs::write(world.path("a.csv"), "x\n").unwrap();
    let results = stamped(&world, &["a.csv"], None);
    let breaks = &results[0].as_ref().unwrap().unmet.breaks;
    assert_eq!(breaks.len(), 1, "{breaks:?}");
    assert!(
        breaks[0].contains("`seed required` (birthmark.toml line 5)"),
        "{breaks:?}"
    );
    fs::write(world.path("b.csv"), "x\n").unwrap();
    fs::write(
        world.repo.path().join("birthmark.toml"),
        "[policy]\n\"*\" = [\"git_dirty = false\"]\n",
    )
    .unwrap();
    fs::write(world.repo.path().join(".git/index"), "no index").unwrap();
    let results = stamped(&world, &["b.csv"], None);
    let unmet = &results[0].as_ref().unwrap().unmet;
    assert!(unmet.breaks.is_empty(), "{unmet:?}");
    assert!(
        unmet.cannot_tell[0].contains("git_dirty is unknown"),
        "{unmet:?}"
    );
}

#[test]
fn what_is_imported_is_held_to_the_policy_too() {
    let world = world("refuse");
    let log = world.repo.path().join("results.json");
    let report = serde_json::json!({"results": {"arc": {"acc,none": 0.5}}, "configs": {"arc": {"task": "arc"}},
        "config": {"model": "hf", "model_args": "pretrained=x"}, "n-samples": {"arc": {"original": 1, "effective": 1}}});
    fs::write(&log, report.to_string()).unwrap();
    let error = birthmark::import::import(&log, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(
        error.to_string().contains("dataset.digest required"),
        "{error}"
    );
    assert!(!birthmark_store::Layout::sidecar(&log).exists());
}
