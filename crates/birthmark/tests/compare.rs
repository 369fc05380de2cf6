//! May these be compared? A matrix of pairs in which one field moved, the logs of other tools,
//! and input that is broken.

#![recursion_limit = "256"]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests build their own world, and stop when it cannot be built"
)]

use std::path::{Path, PathBuf};

use birthmark::compare::{Compared, Options, Target, compare};
use birthmark_core::Timestamp;
use birthmark_core::compare::{Match, Verdict};
use serde_json::{Value, json};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn report(&self, name: &str, report: &Value) -> PathBuf {
        self.write(name, serde_json::to_vec(report).unwrap())
    }
}

fn options() -> Options {
    Options::at(Timestamp::from_micros(1_764_000_000_000_000))
}

fn asked(paths: &[&Path], options: &Options) -> Compared {
    let targets: Vec<Target> = paths
        .iter()
        .map(|path| Target::from(path.to_path_buf()))
        .collect();
    compare(&targets, options).unwrap_or_else(|error| panic!("{}", error.whole()))
}

fn refused(paths: &[&Path]) -> String {
    let targets: Vec<Target> = paths
        .iter()
        .map(|path| Target::from(path.to_path_buf()))
        .collect();
    compare(&targets, &options()).expect_err("refused").whole()
}

/// A report that knows all of itself.
fn whole() -> Value {
    let items: Vec<Value> = (0..12)
        .map(|n| json!({"id": format!("t-{n:02}"), "instruction": format!("question {n}"), "passed": n < 5}))
        .collect();
    json!({
        "summary": {"accuracy": 5.0 / 12.0, "n": 12},
        "metadata": {
            "git_commit": "a".repeat(40), "timestamp": "2026-11-22T12:00:00.000000+00:00",
            "artifact_type": "evaluation", "git_branch": "main", "git_dirty": false, "git_snapshot": null,
            "git_remote": "https://host/repo", "git_pushed": true, "script_name": "evaluate.py", "script_sha": "1".repeat(40),
            "loader_version": "1.2", "model_name": "m", "model_revision": "r", "model_digest": format!("blake3:{}", "d".repeat(64)),
            "quantization": "nf4", "template_disabled": false, "sentinel_tests_passed": true, "add_special_tokens": false,
            "chat_template_digest": format!("blake3:{}", "e".repeat(64)),
            "seed": 1, "eval_seed": 42, "temperature": 0.7, "top_p": 0.95, "top_k": 40, "min_p": 0.05,
            "max_new_tokens": 150, "do_sample": true, "stop": ["END"], "repetition_penalty": 1.0,
            "dataset": {"name": "held_out", "size": 12, "source": "data/test.json", "version_sha": "b".repeat(40),
                        "digest": format!("blake3:{}", "c".repeat(64))},
            "inputs": [{"role": "base", "name": "m"}], "scorer": "exact", "my_own": 1,
            "session_id": "20261122_120000_abcdefghjkmnp", "run_id": "r1", "stamped_at": null, "birthmark": "birthmark/v1",
            "environment": {"python": "3.11", "torch": "2.9.1", "gpu": "RTX 4090", "hostname": "pod-1"},
        },
        "results": items,
    })
}

/// Compares the report with itself after a change, and gives verdict, first reason's field and code.
fn after(change: impl Fn(&mut Value)) -> (Verdict, String, String) {
    let folder = Folder::new();
    let mut report = whole();
    let a = folder.report("a.json", &report);
    change(&mut report);
    let b = folder.report("b.json", &report);
    let compared = asked(&[&a, &b], &options());
    let first = compared.pairs[0].judgement.reasons.first();
    let field = first.map(|reason| reason.field.clone()).unwrap_or_default();
    let text = first.map(|reason| reason.text.clone()).unwrap_or_default();
    (compared.verdict(), field, text)
}

#[test]
fn two_reports_that_say_the_same_are_comparable() {
    let (verdict, _, text) = after(|_| {});
    assert_eq!(verdict, Verdict::Comparable, "{text}");
}

#[test]
fn one_moved_field_gives_its_verdict_and_its_name() {
    use Verdict::{Caveats, Comparable, NotComparable};
    let matrix: [(&str, Value, Verdict); 38] = [
        ("model_name", json!("other"), Comparable),
        ("model_revision", json!("other"), Comparable),
        (
            "model_digest",
            json!(format!("blake3:{}", "0".repeat(64))),
            Comparable,
        ),
        ("quantization", json!("fp16"), Comparable),
        (
            "inputs",
            json!([{"role": "base", "name": "other"}]),
            Comparable,
        ),
        ("git_branch", json!("other"), Comparable),
        ("git_remote", json!("other"), Comparable),
        ("git_pushed", json!(false), Comparable),
        (
            "timestamp",
            json!("2026-11-23T12:00:00.000000+00:00"),
            Comparable,
        ),
        (
            "session_id",
            json!("20261123_120000_abcdefghjkmnp"),
            Comparable,
        ),
        ("run_id", json!("r2"), Comparable),
        (
            "stamped_at",
            json!("2026-11-23T12:00:00.000000+00:00"),
            Comparable,
        ),
        ("my_own", json!(2), Caveats),
        ("artifact_type", json!("training_data"), NotComparable),
        ("script_name", json!("other.py"), Comparable),
        ("script_sha", json!("2".repeat(40)), NotComparable),
        ("loader_version", json!("1.3"), NotComparable),
        ("template_disabled", json!(true), NotComparable),
        ("sentinel_tests_passed", json!(false), NotComparable),
        ("add_special_tokens", json!(true), NotComparable),
        (
            "chat_template_digest",
            json!(format!("blake3:{}", "0".repeat(64))),
            NotComparable,
        ),
        ("seed", json!(2), NotComparable),
        ("eval_seed", json!(43), NotComparable),
        ("temperature", json!(0.2), NotComparable),
        ("top_p", json!(0.9), NotComparable),
        ("top_k", json!(50), NotComparable),
        ("min_p", json!(0.1), NotComparable),
        ("max_new_tokens", json!(151), NotComparable),
        ("do_sample", json!(false), NotComparable),
        ("stop", json!(["END", "\n"]), NotComparable),
        ("repetition_penalty", json!(1.1), NotComparable),
        ("scorer", json!("f1"), NotComparable),
        // Written in another way, and worth the same.
        ("temperature", json!(0.70), Comparable),
        ("max_new_tokens", json!(150.0), Comparable),
        // Missing on one side.
        ("temperature", Value::Null, Verdict::CannotTell),
        ("template_disabled", Value::Null, Verdict::CannotTell),
        ("eval_seed", Value::Null, Verdict::CannotTell),
        ("model_name", Value::Null, Comparable),
    ];
    for (field, value, wanted) in matrix {
        let (verdict, named, text) = after(|report| report["metadata"][field] = value.clone());
        assert_eq!(verdict, wanted, "{field} = {value}: {text}");
        if wanted != Comparable {
            assert_eq!(named, field, "{text}");
        }
    }
}

#[test]
fn the_dataset_is_what_it_holds_not_what_it_is_called() {
    let other = format!("blake3:{}", "0".repeat(64));
    let data =
        |change: &dyn Fn(&mut Value)| after(|report| change(&mut report["metadata"]["dataset"]));
    let (verdict, ..) = data(&|data| data["name"] = json!("renamed"));
    assert_eq!(verdict, Verdict::Comparable);
    let (verdict, field, text) = data(&|data| data["digest"] = json!(other));
    assert_eq!(
        (verdict, field.as_str()),
        (Verdict::NotComparable, "dataset")
    );
    assert!(text.contains("though both are called held_out"), "{text}");
    let (verdict, ..) = data(&|data| {
        data.as_object_mut().unwrap().remove("digest");
    });
    // Every item asks the same, so the content is known all the same.
    assert_eq!(verdict, Verdict::Caveats);
    let (verdict, ..) = data(&|data| {
        data["digest"] = json!(other);
        data["content_digest"] = json!(format!("blake3:{}", "c".repeat(64)));
    });
    assert_eq!(verdict, Verdict::Comparable);
}

#[test]
fn one_changed_item_is_named() {
    let (verdict, field, text) =
        after(|report| report["results"][3]["instruction"] = json!("another"));
    assert_eq!((verdict, field.as_str()), (Verdict::NotComparable, "items"));
    assert!(text.contains("t-03 asks something else in B"), "{text}");
    let (verdict, _, text) = after(|report| {
        report["results"].as_array_mut().unwrap().pop();
        report["summary"]["accuracy"] = json!(5.0 / 11.0);
    });
    assert_eq!(verdict, Verdict::NotComparable);
    assert!(text.contains("1 only in A (t-11), 11 in both"), "{text}");
}

#[test]
fn what_cannot_matter_is_not_counted() {
    let folder = Folder::new();
    let mut report = whole();
    report["metadata"]["do_sample"] = json!(false);
    let a = folder.report("a.json", &report);
    report["metadata"]["temperature"] = json!(0.2);
    report["metadata"]["top_p"] = Value::Null;
    let b = folder.report("b.json", &report);
    let compared = asked(&[&a, &b], &options());
    assert_eq!(compared.verdict(), Verdict::Comparable);
    let rows = &compared.pairs[0].judgement.rows;
    let row = rows.iter().find(|row| row.field == "temperature").unwrap();
    assert_eq!(
        row.not_counted.as_deref(),
        Some("do_sample is false on both sides")
    );
}

#[test]
fn defaults_written_out_equal_defaults_left_out_where_the_engine_has_told_them() {
    let folder = Folder::new();
    let mut report = whole();
    let a = folder.report("a.json", &report);
    report["metadata"].as_object_mut().unwrap().remove("top_k");
    let bare = folder.report("bare.json", &report);
    report["metadata"]["engine_defaults"] = json!({"top_k": 40});
    let told = folder.report("told.json", &report);
    report["metadata"]["engine_defaults"] = json!({"top_k": 50});
    let other = folder.report("other.json", &report);
    let verdict = |b: &Path| asked(&[&a, b], &options()).verdict();
    assert_eq!(verdict(&bare), Verdict::CannotTell);
    assert_eq!(
        verdict(&told),
        Verdict::Caveats,
        "engine_defaults stand on one side alone"
    );
    assert_eq!(verdict(&other), Verdict::NotComparable);
}

#[test]
fn required_fields_missing_on_both_sides_cannot_be_told_and_others_are_caveats() {
    for (field, wanted) in [
        ("template_disabled", Verdict::CannotTell),
        ("temperature", Verdict::CannotTell),
        ("max_new_tokens", Verdict::CannotTell),
        ("top_p", Verdict::Caveats),
        ("loader_version", Verdict::Caveats),
    ] {
        let folder = Folder::new();
        let mut report = whole();
        let mark = report["metadata"].as_object_mut().unwrap();
        mark.remove(field);
        if field == "template_disabled" {
            mark.remove("chat_template_digest");
        }
        let a = folder.report("a.json", &report);
        let b = folder.report("b.json", &report);
        let compared = asked(&[&a, &b], &options());
        assert_eq!(compared.verdict(), wanted, "{field}");
        assert_eq!(compared.pairs[0].judgement.reasons[0].field, field);
    }
}

#[test]
fn a_dirty_tree_that_nothing_kept_cannot_be_told() {
    let (verdict, field, _) = after(|report| report["metadata"]["git_dirty"] = json!(true));
    assert_eq!(
        (verdict, field.as_str()),
        (Verdict::CannotTell, "git_dirty")
    );
    let (verdict, _, text) =
        after(|report| report["metadata"]["git_commit"] = json!("f".repeat(40)));
    assert_eq!(
        verdict,
        Verdict::CannotTell,
        "no repository is here: {text}"
    );
}

#[test]
fn settings_of_the_project_put_a_field_into_another_class() {
    let folder = Folder::new();
    folder.write(
        "birthmark.toml",
        "[compare]\nenvironment = [\"loader_version\"]\nsubject = [\"temperature\"]\n",
    );
    let mut report = whole();
    let a = folder.report("a.json", &report);
    report["metadata"]["loader_version"] = json!("2");
    report["metadata"]["temperature"] = json!(0.1);
    let b = folder.report("b.json", &report);
    assert_eq!(asked(&[&a, &b], &options()).verdict(), Verdict::Caveats);
}

#[test]
fn what_is_meant_to_differ_can_be_said_and_then_the_model_must_not() {
    let folder = Folder::new();
    let mut report = whole();
    let a = folder.report("a.json", &report);
    report["metadata"]["temperature"] = json!(0.1);
    let b = folder.report("b.json", &report);
    report["metadata"]["model_name"] = json!("other");
    let c = folder.report("c.json", &report);
    let mut meant = options();
    meant.subject = vec!["temperature".to_owned()];
    assert_eq!(asked(&[&a, &b], &meant).verdict(), Verdict::Comparable);
    assert_eq!(asked(&[&a, &c], &meant).verdict(), Verdict::NotComparable);
}

#[test]
fn several_are_held_against_the_first_and_corrected() {
    let folder = Folder::new();
    let mut report = whole();
    let paths: Vec<PathBuf> = (0..4)
        .map(|n| {
            report["metadata"]["model_name"] = json!(format!("m{n}"));
            for (place, item) in report["results"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .enumerate()
            {
                item["passed"] = json!(place < 5 + 2 * n);
            }
            report["summary"]["accuracy"] =
                json!(f64::from(5 + 2 * u32::try_from(n).unwrap()) / 12.0);
            folder.report(&format!("{n}.json"), &report)
        })
        .collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let compared = asked(&paths, &options());
    assert_eq!((compared.pairs.len(), compared.looks), (3, 3));
    let last = compared.pairs[2].scores[0].1.rows[0].test.as_ref().unwrap();
    assert_eq!((last.p, last.p_corrected), (0.031_25, Some(0.093_75)));
    assert_eq!(compared.verdict(), Verdict::Comparable);
}

#[test]
fn broken_scores_and_ids_are_left_out_and_said() {
    let folder = Folder::new();
    let report = whole();
    let a = folder.report("a.json", &report);
    let spelled = serde_json::to_string(&report).unwrap();
    let nan = spelled.replacen("\"passed\":true", "\"passed\":NaN", 1);
    let b = folder.write("b.json", nan);
    let compared = asked(&[&a, &b], &options());
    let test = compared.pairs[0].scores[0].1.rows[0].test.as_ref().unwrap();
    assert_eq!((test.pairs, test.left_out), (11, 1));
    let twice = folder.write("c.json", spelled.replace("t-04", "t-03"));
    let compared = asked(&[&a, &twice], &options());
    let texts: Vec<&str> = compared.pairs[0]
        .judgement
        .reasons
        .iter()
        .map(|r| r.text.as_str())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("stand more than once, the first of them t-03")),
        "{texts:?}"
    );
    let summary = spelled.replace("\"accuracy\":0.4166666666666667", "\"accuracy\":NaN");
    let d = folder.write("d.json", summary);
    let compared = asked(&[&a, &d], &options());
    assert!(compared.pairs[0].judgement.verdict <= Verdict::Caveats);
    let lie = folder.write(
        "e.json",
        spelled.replace("\"accuracy\":0.4166666666666667", "\"accuracy\":0.9"),
    );
    let compared = asked(&[&a, &lie], &options());
    let texts: Vec<&str> = compared.pairs[0]
        .judgement
        .reasons
        .iter()
        .map(|r| r.text.as_str())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("summary of B says accuracy 0.9, its items 0.417")),
        "{texts:?}"
    );
}

#[test]
fn items_without_ids_are_matched_by_what_they_ask_and_by_position_only_on_request() {
    let folder = Folder::new();
    let mut report = whole();
    for item in report["results"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("id");
    }
    let a = folder.report("a.json", &report);
    report["results"].as_array_mut().unwrap().reverse();
    let b = folder.report("b.json", &report);
    let compared = asked(&[&a, &b], &options());
    assert_eq!(compared.pairs[0].matching.how, Some(Match::Digest));
    assert!(
        compared.pairs[0].scores[0].1.rows[0]
            .test
            .as_ref()
            .unwrap()
            .flips
            .is_empty()
    );
    for item in report["results"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("instruction");
    }
    let bare = folder.report("bare.json", &report);
    let compared = asked(&[&a, &bare], &options());
    assert_eq!(compared.pairs[0].matching.how, None);
    let mut by_position = options();
    by_position.match_by = Some(Match::Position);
    let compared = asked(&[&a, &bare], &by_position);
    assert_eq!(compared.pairs[0].matching.pairs.len(), 12);
    assert!(compared.verdict() >= Verdict::Caveats);
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[test]
fn real_logs_of_inspect_are_read_in_both_forms() {
    let (a, b) = (fixture("inspect/a.eval"), fixture("inspect/b.eval"));
    let compared = asked(&[&a, &b], &options());
    // Inspect keeps no digest of the dataset, and every item asks the same.
    assert_eq!(compared.verdict(), Verdict::Caveats);
    let rows = &compared.pairs[0].scores[0].1.rows;
    let names: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    assert_eq!(names, ["match/accuracy", "closeness/mean"]);
    assert!(
        rows.iter()
            .all(|row| row.test.as_ref().is_ok_and(|test| test.pairs == 5))
    );
    let compared = asked(&[&a, &fixture("inspect/c.json")], &options());
    assert_eq!(compared.verdict(), Verdict::NotComparable);
    assert_eq!(
        compared.pairs[0].judgement.reasons[0].text,
        "temperature moved (0.7 -> 0.2)"
    );
    assert_eq!(
        compared.parties[0].sources["max_new_tokens"],
        "eval.model_generate_config.max_tokens"
    );
}

#[test]
fn results_of_lm_eval_are_read_with_the_samples_beside_them() {
    let folder = |name: &str| {
        let files = std::fs::read_dir(fixture(&format!("lm_eval/{name}"))).unwrap();
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == "json"))
            .unwrap()
    };
    let compared = asked(&[&folder("a"), &folder("b")], &options());
    let pair = &compared.pairs[0];
    let texts: Vec<&str> = pair
        .judgement
        .reasons
        .iter()
        .map(|r| r.text.as_str())
        .collect();
    assert_eq!(compared.verdict(), Verdict::Caveats, "{texts:?}");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("CUDA was not available")),
        "{texts:?}"
    );
    let test = pair.scores[0].1.rows[0].test.as_ref().unwrap();
    assert_eq!(
        (
            pair.scores[0].1.rows[0].metric.as_str(),
            test.pairs,
            test.only_b
        ),
        ("arc_easy/acc", 6, 2)
    );
    let value = |name: &str| {
        let row = pair.judgement.rows.iter().find(|row| row.field == name);
        row.and_then(|row| row.a.clone())
    };
    assert_eq!(value("model_revision"), Some(json!("main")));
    assert_eq!(value("quantization"), Some(json!("4bit")));
    assert_eq!(value("template_disabled"), Some(json!(true)));
    assert_eq!(value("decoding"), Some(json!("none")));
}

#[test]
fn trainer_state_with_nan_is_read_and_nothing_is_tested() {
    let state = fixture("trainer/a.json");
    let compared = asked(&[&state, &state], &options());
    let rows = &compared.pairs[0].scores[0].1.rows;
    assert!(
        rows.iter()
            .any(|row| row.metric == "eval_loss" && row.lower_is_better == Some(true))
    );
}

#[test]
fn import_writes_a_declared_birthmark_beside_the_log_and_leaves_the_log() {
    let folder = Folder::new();
    let log = folder.write(
        "log.eval",
        std::fs::read(fixture("inspect/a.eval")).unwrap(),
    );
    let before = std::fs::read(&log).unwrap();
    let imported = birthmark::import::import(&log, false).unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), before);
    let mark = &imported.birthmark;
    assert!(
        mark["git_commit"].is_null()
            && mark["unknown"]["git_commit"]
                .as_str()
                .unwrap()
                .starts_with("written short")
    );
    let declared = mark["declared"].as_array().unwrap();
    assert!(declared.contains(&json!("temperature")) && declared.contains(&json!("timestamp")));
    assert!(!imported.kept && birthmark::import::import(&log, false).unwrap().kept);
    let other = folder.write(
        "other.eval",
        std::fs::read(fixture("inspect/b.eval")).unwrap(),
    );
    let compared = asked(&[&log, &other], &options());
    let texts: Vec<&str> = compared.pairs[0]
        .judgement
        .reasons
        .iter()
        .map(|r| r.text.as_str())
        .collect();
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("declared, not observed")),
        "{texts:?}"
    );
}

#[test]
fn a_zip_with_a_path_out_of_it_and_a_cut_one_are_refused() {
    let folder = Folder::new();
    let whole = std::fs::read(fixture("inspect/a.eval")).unwrap();
    let good = folder.write("good.eval", &whole);
    let cut = folder.write("cut.eval", &whole[..whole.len() - 40]);
    assert!(
        refused(&[&good, &cut]).contains("its end is missing"),
        "{}",
        refused(&[&good, &cut])
    );
    let mut out = whole.clone();
    let name = b"samples/c0_epoch_1.json";
    let evil = b"../../../c0_epoch_1.jso";
    let mut at = 0;
    while let Some(found) = out[at..].windows(name.len()).position(|part| part == name) {
        out[at + found..at + found + name.len()].copy_from_slice(evil);
        at += found + 1;
    }
    let out = folder.write("out.eval", &out);
    assert!(
        refused(&[&good, &out]).contains("leads out of the file"),
        "{}",
        refused(&[&good, &out])
    );
    let mut flipped = whole;
    let middle = 200;
    flipped[middle] ^= 0x55;
    let flipped = folder.write("flipped.eval", &flipped);
    let targets = [Target::from(good), Target::from(flipped)];
    // A member that is not read may be damaged; one that is read may not.
    let _ = compare(&targets, &options());
}

#[test]
fn datasets_are_identical_equal_or_different_by_record() {
    let folder = Folder::new();
    let line = |n: u32, marked: bool, text: &str| {
        let mark = json!({"git_commit": "a".repeat(40), "timestamp": format!("2026-11-22T12:00:{:02}.000000+00:00", n % 60),
                          "artifact_type": "training_data", "git_dirty": false, "temperature": 0.7, "seed": n, "birthmark": "birthmark/v1"});
        let record = if marked {
            json!({"id": format!("r{n}"), "text": text, "metadata": mark})
        } else {
            json!({"id": format!("r{n}"), "text": text})
        };
        format!("{record}\n")
    };
    let file = |name: &str, lines: Vec<String>| folder.write(name, lines.concat());
    let marked = file("a.jsonl", (0..50).map(|n| line(n, true, "x")).collect());
    let bare = file("b.jsonl", (0..50).map(|n| line(n, false, "x")).collect());
    let changed = file(
        "c.jsonl",
        (2..53)
            .map(|n| line(n, true, if n == 7 { "y" } else { "x" }))
            .collect(),
    );
    let turned = file(
        "d.jsonl",
        (0..50).rev().map(|n| line(n, true, "x")).collect(),
    );
    let found = |a: &Path, b: &Path| asked(&[a, b], &options()).pairs[0].records.clone().unwrap();
    assert!(found(&marked, &marked).identical);
    let equal = found(&marked, &bare);
    assert!(equal.equal && !equal.identical);
    assert!(found(&marked, &turned).reordered);
    let other = found(&marked, &changed);
    assert_eq!(
        (other.added.0, other.removed.0, other.changed.0, other.same),
        (3, 2, 1, 47)
    );
    assert_eq!(other.changed.1, ["r7 (line 6)"]);
}

#[test]
fn pages_hold_nothing_of_the_data_that_acts() {
    let folder = Folder::new();
    let mut report = whole();
    let evil = "<script>alert(1)</script>\u{1b}[31m|`*";
    report["metadata"]["model_name"] = json!(evil);
    report["results"][0]["id"] = json!(evil);
    let a = folder.report("a.json", &report);
    report["metadata"]["model_name"] = json!("other");
    report["results"][0]["passed"] = json!(false);
    let b = folder.report("b.json", &report);
    let compared = asked(&[&a, &b], &options());
    for page in [
        birthmark::compare::html(&compared),
        birthmark::compare::markdown(&compared),
        birthmark::compare::render(&compared, 80),
    ] {
        assert!(!page.contains('\u{1b}'), "{page}");
    }
    let html = birthmark::compare::html(&compared);
    assert!(!html.contains("<script") && html.contains("&lt;script"));
    assert!(
        html.contains("Content-Security-Policy")
            && !html.contains("http://")
            && !html.contains("https://")
    );
    assert!(!birthmark::compare::markdown(&compared).contains("<script"));
}
