use serde_json::json;

use super::*;

fn ran(run: &str, line: &str) -> Command {
    Command {
        run: run.to_owned(),
        argv: line.split(' ').map(str::to_owned).collect(),
        script: Some("ev.py".to_owned()),
        made: vec![format!("artifacts/{run}.json")],
        watched: true,
        variables_known: true,
        ..Command::default()
    }
}

fn told(a: &Command, b: &Command, rows: &[Row]) -> Vec<String> {
    let side = |command: &Command| Side {
        command: Some(command.clone()),
        ..Side::default()
    };
    let options = Options {
        evaluation: true,
        ..Options::default()
    };
    let (_, reasons) = judge(&side(a), &side(b), rows, &options);
    assert!(reasons.iter().all(|reason| reason.weight == Weight::Caveat));
    reasons.into_iter().map(|reason| reason.text).collect()
}

fn lines(a: &str, b: &str) -> Vec<String> {
    told(&ran("a", a), &ran("b", b), &[])
}

#[test]
fn an_argument_that_differs_is_named() {
    let plain = "python ev.py artifacts/a.json";
    for (other, wanted) in [
        ("--scorer fuzzy", "--scorer fuzzy only in B"),
        ("--fuzzy", "--fuzzy only in B"),
        ("--sample-seed=5", "--sample-seed 5 only in B"),
        ("scorer=fuzzy", "scorer fuzzy only in B"),
        ("fuzzy", "fuzzy only in B"),
    ] {
        let line = format!("python ev.py artifacts/b.json {other}");
        assert_eq!(
            lines(plain, &line),
            [format!("the commands differ: {wanted}")]
        );
    }
    assert_eq!(
        lines(
            "python ev.py --scorer exact --out artifacts/a.json -k 5",
            "python ev.py --scorer fuzzy --out artifacts/b.json -k -5"
        ),
        ["the commands differ: --scorer exact -> fuzzy, -k 5 -> -5"]
    );
    assert_eq!(
        lines("python -O ev.py", "python -u ev.py"),
        ["the commands differ: -O only in A"]
    );
}

#[test]
fn where_the_output_goes_and_how_the_run_is_called_is_no_difference() {
    for (a, b) in [
        (
            "python ev.py artifacts/a.json",
            "python ev.py artifacts/b.json",
        ),
        ("python ev.py a.json", "python ./ev.py b.json"),
        (
            "python ev.py --out artifacts/a.json -k 5",
            "/usr/bin/python3 -u ev.py -k 5.0 --out=artifacts/b.json",
        ),
        (
            "python ev.py --save /data/p/artifacts/a.json",
            "python ev.py --save ./artifacts/b.json",
        ),
        (
            "python ev.py --to artifacts/a",
            "python ev.py --to artifacts/b",
        ),
        (
            "python ev.py --run-id x1 --k 1",
            "python ev.py --run_id x2 --k 1",
        ),
        (
            "python ev.py --save=artifacts/a.json",
            "python ev.py --save=artifacts/b.json",
        ),
        ("python ev.py out=a", "python ev.py out=b"),
    ] {
        assert_eq!(lines(a, b), Vec::<String>::new(), "{a} | {b}");
    }
    let shell = |name: &str| {
        let mut command = ran(name, "bash -c");
        command.script = None;
        command
            .argv
            .push(format!("python ev.py > artifacts/{name}.json"));
        command
    };
    assert_eq!(told(&shell("a"), &shell("b"), &[]), Vec::<String>::new());
}

#[test]
fn what_a_field_or_a_digest_tells_is_told_once() {
    let a = ran(
        "a",
        "python ev.py --model x --temperature 0.20 artifacts/a.json",
    );
    let b = ran(
        "b",
        "python ev.py --model y --temperature 0.7 artifacts/b.json",
    );
    let row = |field: &str, a: Value, b: Value| Row {
        field: field.to_owned(),
        class: Class::Subject,
        state: State::Moved,
        a: Some(a),
        b: Some(b),
        not_counted: None,
        remark: None,
    };
    let rows = [
        row("model_name", json!("x"), json!("y")),
        row("temperature", json!(0.2), json!(0.7)),
    ];
    assert_eq!(told(&a, &b, &rows), Vec::<String>::new());
    assert_eq!(
        told(&a, &b, &rows[..1]),
        ["the commands differ: --temperature 0.20 -> 0.7"]
    );
    let mut a = ran("a", "python ev.py --prompts data/p1.txt");
    let mut b = ran("b", "python ev.py --prompts data/p2.txt");
    a.read
        .insert("data/p1.txt".to_owned(), Some("blake3:1".to_owned()));
    b.read
        .insert("data/p2.txt".to_owned(), Some("blake3:1".to_owned()));
    assert_eq!(told(&a, &b, &[]), Vec::<String>::new());
    b.read
        .insert("data/p2.txt".to_owned(), Some("blake3:2".to_owned()));
    assert_eq!(told(&a, &b, &[]).len(), 1);
}

#[test]
fn seeds_that_the_runs_were_seen_to_set_are_held_against_each_other() {
    let line = "python ev.py";
    let (mut a, mut b) = (ran("a", line), ran("b", line));
    a.seeds.insert("random.Random".to_owned(), json!(0));
    b.seeds.insert("random.Random".to_owned(), json!(5));
    b.hash_seed = Some("1".to_owned());
    assert_eq!(
        told(&a, &b, &[]),
        ["the seeds differ: random.Random 0 -> 5, PYTHONHASHSEED not set -> 1"]
    );
    b.hash_seed = None;
    b.seeds.remove("random.Random");
    assert_eq!(
        told(&a, &b, &[]),
        ["the seeds differ: random.Random 0 -> not set"]
    );
    b.watched = false;
    assert_eq!(told(&a, &b, &[]), Vec::<String>::new());
    // An object's address is another in each process, and no seed.
    for (side, address) in [(&mut a, "0x7FAD"), (&mut b, "0x7FAE")] {
        side.seeds.clear();
        let seeds = json!([7, format!("Generator(PCG64) at {address}")]);
        side.seeds
            .insert("numpy.random.default_rng".to_owned(), seeds);
    }
    assert_eq!(told(&a, &b, &[]), Vec::<String>::new());
}

#[test]
fn two_reports_of_one_run_have_nothing_between_them() {
    let a = ran("a", "python ev.py");
    let mut b = ran("a", "python ev.py --fuzzy");
    assert_eq!(told(&a, &b, &[]), Vec::<String>::new());
    b.run = "b".to_owned();
    assert_eq!(told(&a, &b, &[]).len(), 1);
}
