"""May I compare these two? Reports that scripts made, with what their runs really loaded."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import birthmark as bm
import pytest

EVALUATE = """
import importlib, json, os, sys
import birthmark as bm

name, right = sys.argv[1], int(os.environ["RIGHT"])
provenance = {"loader_version": "1", "model_name": name, "quantization": "nf4", "template_disabled": True,
              "sentinel_tests_passed": True, "add_special_tokens": False}
params = {"temperature": 0.7, "do_sample": True, "top_p": 0.9, "max_new_tokens": 10}
with bm.session(provenance=provenance, params=params) as s:
    scorer = importlib.import_module("scor" + "er", None)  # no import line tells it
    prompt = open("prompts/few.txt").read()
    with s.report(f"artifacts/{name}.json", models={"base": name}, dataset="data/test.json", eval_seed=42) as r:
        for n, item in enumerate(json.load(open("data/test.json"))):
            r.add({"id": item["id"], "question": item["q"], "passed": scorer.score(n, right)})
        r.summary["base_accuracy"] = right / 12
"""


@pytest.fixture
def project(repo, git):
    """A project with an evaluation whose scorer is named only at run time."""
    for folder in ("data", "prompts", "scripts"):
        (repo / folder).mkdir()
    (repo / "scripts" / "evaluate.py").write_text(textwrap.dedent(EVALUATE))
    (repo / "scripts" / "scorer.py").write_text("def score(n, right):\n    return n < right\n")
    (repo / "scripts" / "train.py").write_text("print('training')\n")
    (repo / "prompts" / "few.txt").write_text("Be brief.\n")
    items = [{"id": f"t-{n:02}", "q": f"question {n}"} for n in range(12)]
    (repo / "data" / "test.json").write_text(json.dumps(items))
    git("add", "--all")
    git("commit", "--quiet", "--message", "Evaluate")
    return repo


def evaluate(project, name, right=5, **variables):
    done = subprocess.run(
        [sys.executable, "scripts/evaluate.py", name],
        cwd=project,
        env={**os.environ, "BIRTHMARK_QUIET": "1", "RIGHT": str(right), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return project / "artifacts" / f"{name}.json"


def change(git, path, text, commit=True):
    path.write_text(path.read_text() + text)
    if commit:
        git("commit", "--quiet", "--all", "--message", f"Change {path.name}")


def reason(answer, code):
    return next(one for one in answer["reasons"] if one["code"] == code)


def asked(*targets, **options):
    return bm.compare(*targets, **options).data


def test_a_commit_that_changed_nothing_that_was_loaded_is_no_caveat(project, git):
    a = evaluate(project, "a")
    change(git, project / "README.md", "More.\n")
    change(git, project / "scripts" / "train.py", "print('more')\n")
    b = evaluate(project, "b", right=8)
    answer = asked(a, b)
    assert answer["verdict"] == "comparable", answer["reasons"]
    assert "the 2 modules that were loaded are the same" in reason(answer, "code-moved")["text"]
    pair = answer["pairs"][0]
    assert pair["loaded"]["same"] == 2
    parts = {one["file"]: one["part"] for one in pair["code"]["files"]}
    assert parts == {"README.md": "for people", "scripts/train.py": "not loaded"}
    test = pair["scores"][0]["paired"]
    assert (test["pairs"], test["only_b"], test["p"]) == (12, 3, 0.25)


def test_a_module_that_no_import_line_names_is_known_to_have_been_loaded(project, git):
    a = evaluate(project, "a")
    change(git, project / "scripts" / "scorer.py", "LIMIT = 3\n")
    b = evaluate(project, "b")
    answer = asked(a, b)
    assert answer["verdict"] == "not comparable"
    assert "scripts/scorer.py" in reason(answer, "code-moved")["text"]
    assert asked(a, b, accept="code")["verdict"] == "comparable with caveats"


def test_a_dirty_tree_that_nothing_kept_is_known_by_what_it_loaded(project, git):
    clean = evaluate(project, "clean")
    change(git, project / "scripts" / "scorer.py", "LIMIT = 3\n", commit=False)
    dirty = [evaluate(project, name, BIRTHMARK_ON_DIRTY="warn") for name in ("a", "b")]
    assert asked(*dirty)["verdict"] == "comparable"
    assert asked(clean, dirty[0])["verdict"] == "not comparable"
    git("checkout", "--quiet", ".")
    change(git, project / "README.md", "More.\n", commit=False)
    readme = evaluate(project, "readme", BIRTHMARK_ON_DIRTY="warn")
    assert asked(clean, readme)["verdict"] == "comparable"
    change(git, project / "prompts" / "few.txt", "Be long.\n", commit=False)
    prompt = evaluate(project, "prompt", BIRTHMARK_ON_DIRTY="warn")
    answer = asked(clean, prompt)
    assert answer["verdict"] != "comparable"
    assert "prompts/few.txt" in json.dumps(answer["reasons"])


def test_a_snapshot_is_the_code_that_is_compared(project, git):
    clean = evaluate(project, "clean")
    change(git, project / "scripts" / "train.py", "print('more')\n", commit=False)
    idle = evaluate(project, "idle")
    assert json.loads(idle.read_text())["metadata"]["git_snapshot"]
    assert asked(clean, idle)["verdict"] == "comparable"
    change(git, project / "scripts" / "scorer.py", "LIMIT = 3\n", commit=False)
    assert asked(clean, evaluate(project, "moved"))["verdict"] == "not comparable"


def test_a_module_that_git_does_not_hold_is_compared_too(project, git):
    (project / ".gitignore").write_text("local.py\n")
    script = project / "scripts" / "scorer.py"
    script.write_text("from local import LIMIT\n\ndef score(n, right):\n    return n < right\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Local settings")
    (project / "scripts" / "local.py").write_text("LIMIT = 1\n")
    a = evaluate(project, "a")
    (project / "scripts" / "local.py").write_text("LIMIT = 2\n")
    b = evaluate(project, "b")
    answer = asked(a, b)
    assert answer["verdict"] == "not comparable"
    assert "scripts/local.py (both at" in reason(answer, "code-moved")["text"]


def test_modules_are_enough_where_the_clone_is_elsewhere(project, git, tmp_path_factory):
    a = evaluate(project, "a")
    change(git, project / "scripts" / "train.py", "print('more')\n")
    evaluate(project, "b")
    away = tmp_path_factory.mktemp("away")
    shutil.copytree(project / "artifacts", away / "artifacts")
    answer = asked(away / "artifacts" / a.name, away / "artifacts" / "b.json")
    assert answer["verdict"] == "comparable with caveats"
    assert "the 2 modules that were loaded are the same on both sides" in answer["reasons"][0]["text"]


def test_a_file_that_both_read_with_other_bytes_is_said(project, git):
    (project / ".gitignore").write_text("prompts/\n")
    git("rm", "-r", "--quiet", "--cached", "prompts")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message", "Prompts are elsewhere")
    a = evaluate(project, "a")
    (project / "prompts" / "few.txt").write_text("Be long.\n")
    answer = asked(a, evaluate(project, "b"))
    assert answer["verdict"] == "cannot tell"
    assert reason(answer, "read")["text"] == "both read prompts/few.txt, with other bytes in it"
    assert asked(a, project / "artifacts" / "b.json", accept="read")["exit_status"] == 0


def test_an_answer_shows_itself_in_a_terminal_a_notebook_and_a_page(project):
    evaluate(project, "a"), evaluate(project, "b", right=8)
    answer = bm.compare("artifacts/a.json", "artifacts/b.json")
    assert repr(answer) == "<birthmark comparison: comparable>"
    assert str(answer).startswith("COMPARABLE")
    assert max(map(len, str(answer).splitlines())) <= 80
    assert answer._repr_markdown_() == answer.to_markdown()
    assert "| accuracy |" in answer.to_markdown().replace("`", "")
    page = answer.to_html()
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    (score,) = answer.scores
    assert score["sentence"].startswith("8 of 12 against 5 of 12: 3 items flipped, all one way; p = 0.25")
    assert json.loads(json.dumps(answer.data)) == answer.data


def test_systems_gates_and_words_are_the_programs(project):
    a, b = evaluate(project, "a", right=8), evaluate(project, "b", right=6)
    worse = bm.compare(a, b, metric="accuracy", no_worse_than=0.1)
    assert (worse.verdict, worse.exit_status) == ("comparable", 1)
    assert bm.compare(a, b, metric="accuracy", no_worse_than=0.2).exit_status == 0
    assert bm.compare(f"{a}#base", f"{b}#base").verdict == "comparable"
    as_a_loss = bm.compare(a, b, metric="accuracy", no_worse_than=0.1, lower_is_better="accuracy")
    assert as_a_loss.exit_status == 0
    with pytest.raises(bm.errors.UsageError, match="no system `dpo`"):
        bm.compare(f"{a}#dpo", b)
    with pytest.raises(bm.errors.UsageError, match="no field `temprature`"):
        bm.compare(a, b, accept="temprature")
    with pytest.raises(ValueError, match="match must be one of"):
        bm.compare(a, b, match="name")


def test_sessions_checkpoints_and_records_are_compared_in_the_same_way(project):
    a, b = evaluate(project, "a"), evaluate(project, "b")
    sessions = [json.loads(path.read_text())["metadata"]["session_id"] for path in (a, b)]
    answer = bm.compare(*sessions)
    assert (answer.data["kind"], answer.verdict) == ("session", "comparable")
    for name, weights in (("one", b"1" * 64), ("two", b"2" * 64)):
        folder = project / name
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        with bm.session() as s:
            s.add(folder, artifact_type="model", model_name="m")
    answer = bm.compare("one", "two")
    assert answer.data["kind"] == "artifact"
    assert any(one["text"] == "content: different, by digest" for one in answer.reasons)
    with bm.session() as s, s.jsonl("artifacts/d.jsonl", artifact_type="training_data") as out:
        for seed in (1, 2):
            out.write({"text": "same"}, seed=seed)
    answer = bm.compare("artifacts/d.jsonl:1", "artifacts/d.jsonl:2")
    assert (answer.data["kind"], answer.verdict) == ("record", "not comparable")
    assert answer.reasons[0]["text"] == "seed moved (1 -> 2)"


SAMPLED = """
import argparse, random, birthmark as bm

ap = argparse.ArgumentParser()
ap.add_argument("out")
ap.add_argument("--scorer", default="exact")
ap.add_argument("--sample-seed", type=int, default=0)
a = ap.parse_args()
prov = {"model_name": "m", "template_disabled": True, "quantization": "none", "loader_version": "1",
        "sentinel_tests_passed": True, "add_special_tokens": False}
params = {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 10, "do_sample": False}
with bm.session(params=params, provenance=prov) as s:
    rng = random.Random(a.sample_seed)
    results = [{"id": n, "passed": a.scorer == "fuzzy" or rng.random() < 0.5} for n in range(20)]
    s.report(a.out, {"summary": {}, "results": results}, dataset="data/test.json", eval_seed=42)
"""


@pytest.mark.parametrize(
    ("more", "variables", "told"),
    [
        ([], {}, None),
        (["--scorer", "fuzzy"], {}, "the commands differ: --scorer fuzzy only in B"),
        (["--sample-seed", "5"], {}, "the seeds differ: random.Random 0 -> 5"),
        ([], {"PYTHONHASHSEED": "1"}, "the seeds differ: PYTHONHASHSEED not set -> 1"),
    ],
)
def test_how_two_evaluations_were_started_is_held_against_each_other(project, git, more, variables, told):
    (project / "scripts" / "sampled.py").write_text(SAMPLED)
    git("add", "--all")
    git("commit", "--quiet", "--message", "Sample")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    for out, words, extra in [("a", [], {}), ("b", more, variables)]:
        command = [sys.executable, "scripts/sampled.py", f"artifacts/{out}.json", *words]
        subprocess.run(command, cwd=project, env={**environment, "BIRTHMARK_QUIET": "1", **extra}, check=True)
    answer = asked(project / "artifacts" / "a.json", project / "artifacts" / "b.json")
    texts = [reason["text"] for reason in answer["reasons"] if reason["field"].startswith("run.")]
    assert (told in texts) if told else texts == []
    assert (answer["verdict"] == "comparable") == (told is None)
