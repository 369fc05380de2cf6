"""What a run read and nobody can read any more is an input all the same, and its lineage is never called complete."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

MAKE = """
import birthmark as bm
with bm.session(params={"seed": 1}) as s:
    with s.jsonl("artifacts/x.jsonl", mode="w") as out:
        for n in range(10):
            out.write({"id": n})
"""
DEDUP = """
import birthmark as bm, json
with bm.session() as s:
    rows = [json.loads(line) for line in open("artifacts/x.jsonl")]
    with s.jsonl("artifacts/x.jsonl", mode="w") as out:
        for row in rows:
            if row["id"] % 2:
                out.write({"id": row["id"]})
"""
PLAIN = 'lines = open("artifacts/x.jsonl").readlines()\nopen("artifacts/x.jsonl", "w").writelines(lines[:3])\n'
QUEUE = """
import os
text = open("artifacts/q.txt").read()
os.remove("artifacts/q.txt")
open("artifacts/out.txt", "w").write(text * 2)
"""


@pytest.fixture
def made(repo, git, birthmark):
    (repo / ".gitignore").write_text("artifacts/\ndata/\n")
    for name, source in (("make.py", MAKE), ("dedup.py", DEDUP), ("plain.py", PLAIN), ("queue.py", QUEUE)):
        (repo / name).write_text(source)
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")
    subprocess.run([sys.executable, "make.py"], cwd=repo, check=True, capture_output=True)
    return repo


def lineage(birthmark) -> dict:
    return next(one for one in json.loads(birthmark("show", "last", "--json"))["session"]["lineage"] if one)


def squeezed(text: str) -> str:
    return " ".join(text.split())


WAYS = {
    "session": [sys.executable, "dedup.py"],
    "watched": ["birthmark", "run", "--", sys.executable, "plain.py"],
    "both": ["birthmark", "run", "--", sys.executable, "dedup.py"],
    "sed": ["birthmark", "run", "--", "sed", "-i", "s/1/7/", "artifacts/x.jsonl"],
    "sort": ["birthmark", "run", "--", "sh", "-c", "sort -r artifacts/x.jsonl > artifacts/t && mv artifacts/t artifacts/x.jsonl"],
    "pipe": ["birthmark", "run", "--", "sh", "-c", "tac < artifacts/x.jsonl | head -3 > t; cat t > artifacts/x.jsonl; rm t"],
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_read_and_written_anew_leads_to_who_made_it(made, birthmark, program, way):
    command = [str(program) if word == "birthmark" else word for word in WAYS[way]]
    subprocess.run(command, cwd=made, check=True, capture_output=True)
    told = lineage(birthmark)
    assert told["state"] == "partial" and "artifacts/x.jsonl" in str(told["reasons"]), told
    tree = squeezed(birthmark("trace", "artifacts/x.jsonl"))
    assert "make.py" in tree, tree
    plan = subprocess.run([program, "reproduce", "artifacts/x.jsonl", "--dry-run"], cwd=made, capture_output=True, text=True)
    assert plan.returncode != 0 and "artifacts/x.jsonl" in plan.stdout, plan.stdout


@pytest.mark.parametrize("second", ["sort -r artifacts/y > artifacts/z", "sort -r artifacts/y > t; mv t artifacts/y"])
def test_what_a_run_wrote_before_it_read_it_is_no_input(made, birthmark, program, second):
    (made / "data").mkdir()
    (made / "data/in.txt").write_text("1\n2\n")
    for _ in range(2):
        # The second time all files are there, as in every pipeline that runs again.
        command = f"cp data/in.txt artifacts/y; {second}"
        subprocess.run([program, "run", "--", "sh", "-c", command], cwd=made, check=True, capture_output=True)
        assert lineage(birthmark)["state"] == "complete", lineage(birthmark)
    used = json.loads(birthmark("show", "last", "--json"))["session"]["used"]
    assert [one["file"] for one in used] == ["data/in.txt"]


def test_a_file_that_a_run_made_and_filtered_is_its_own(made, birthmark):
    birthmark("run", "--", "sh", "-c", "seq 9 > artifacts/n.txt; sed -i s/1/7/ artifacts/n.txt; cat artifacts/n.txt > artifacts/m.txt")
    told = lineage(birthmark)
    assert told["state"] == "complete", told


def test_going_on_with_a_file_loses_nothing(made, birthmark, python):
    more = MAKE.replace('mode="w"', 'mode="a"').replace("range(10)", "out.todo([{'id': n} for n in range(15)], key='id')").replace('{"id": n}', "n")
    python(more)
    assert lineage(birthmark)["state"] == "complete", lineage(birthmark)
    birthmark("run", "--", sys.executable, "script.py")
    assert lineage(birthmark)["state"] == "complete", lineage(birthmark)


def test_what_was_read_and_removed_is_an_input(made, birthmark):
    birthmark("run", "--", "sh", "-c", "echo q > artifacts/q.txt")
    birthmark("run", "--", sys.executable, "queue.py")
    told = lineage(birthmark)
    assert told["state"] == "partial" and "artifacts/q.txt" in str(told["reasons"]), told
    tree = squeezed(birthmark("trace", "artifacts/out.txt"))
    assert "artifacts/q.txt" in tree and "made by sh" in tree, tree


SLOW = """
import sys, time
text = open("data/in.txt").read()
open("read", "w").close()
while open("data/in.txt").read() == text: time.sleep(0.01)
open("artifacts/o.txt", "w").write(text)
"""


def test_what_somebody_changed_while_the_run_went_on_is_not_taken_for_what_it_read(made, birthmark, program):
    (made / "data").mkdir()
    (made / "data/in.txt").write_text("old")
    (made / "slow.py").write_text(SLOW)
    time.sleep(0.1)
    running = subprocess.Popen([program, "run", "--", sys.executable, "slow.py"], cwd=made, stderr=subprocess.DEVNULL)
    while not (made / "read").exists():
        time.sleep(0.01)
    with open(made / "data/in.txt", "w") as file:
        file.write("new and other")
    assert running.wait(60) == 0
    told = lineage(birthmark)
    assert told["state"] == "partial" and "data/in.txt" in str(told["reasons"]), told
    (used,) = [one for one in json.loads(birthmark("show", "last", "--json"))["session"]["used"] if one["file"] == "data/in.txt"]
    assert used["digest"] is None and "changed" in used["digest_unknown"], used


@pytest.fixture(params=["disk", "memory"])
def stage(request, tmp_path_factory):
    """A place outside of the project that data are staged to before a job begins."""
    if request.param == "disk":
        yield tmp_path_factory.mktemp("stage")
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield pathlib.Path(folder)


@pytest.mark.parametrize("how", ["run", "session"])
def test_what_was_staged_before_is_read_and_what_came_meanwhile_is_not(made, birthmark, program, stage, monkeypatch, how):
    (stage / "train.csv").write_text("a,b\n")
    time.sleep(0.1)
    monkeypatch.setenv("TMPDIR", str(stage))
    script = "import tempfile, os\nx = open(os.environ['TMPDIR'] + '/train.csv').read()\n"
    script += "with tempfile.NamedTemporaryFile('w+') as f:\n    f.write(x); f.flush(); open(f.name).read()\n"
    script += "open('artifacts/o.txt', 'w').write(x)\n"
    (made / "stage.py").write_text(script)
    (made / "within.py").write_text("import birthmark as bm, runpy\nwith bm.session():\n    runpy.run_path('stage.py')\n")
    command = [sys.executable, "within.py"] if how == "session" else [program, "run", "--", sys.executable, "stage.py"]
    subprocess.run(command, cwd=made, check=True, capture_output=True)
    told = lineage(birthmark)
    used = [one["file"] for one in json.loads(birthmark("show", "last", "--json"))["session"]["used"]]
    assert used == [str(stage / "train.csv")], (used, told)
    assert told["state"] == "complete" or how == "session", told


def test_a_database_and_what_polars_reads_are_not_passed_over(made, birthmark, python):
    import sqlite3

    (made / "data").mkdir()
    with sqlite3.connect(made / "data/in.db") as base:
        base.execute("create table t (a)")
    base.close()
    time.sleep(0.1)
    python(
        "import birthmark as bm, sqlite3\nwith bm.session() as s:\n"
        "    base = sqlite3.connect('data/in.db'); n = len(list(base.execute('select * from t'))); base.close()\n"
        "    s.report('artifacts/r.json', {'summary': {'n': n}})\n"
    )
    used = [one["file"] for one in json.loads(birthmark("show", "last", "--json"))["session"]["used"]]
    assert used == ["data/in.db"], used
    (made / "polars.py").write_text("")
    python("import birthmark as bm, polars\nwith bm.session() as s: s.report('artifacts/p.json', {'summary': {}})\n")
    assert "polars" in str(lineage(birthmark)["reasons"])


def test_a_process_that_goes_on_after_the_command_is_told(made, birthmark, program):
    command = [program, "run", "--", "sh", "-c", "sleep 3 > /dev/null 2>&1 & echo now > artifacts/now.txt"]
    subprocess.run(command, cwd=made, check=True, capture_output=True, env={**os.environ, "BIRTHMARK_QUIET": "1"})
    told = lineage(birthmark)
    assert told["state"] == "partial" and "goes on after its end" in str(told["reasons"]), told
