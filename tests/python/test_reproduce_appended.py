"""Files that several runs added to: each run is made again by itself, and held against its own records."""

import json
import subprocess
import sys

import pytest

ADDS = """
import random, sys
import birthmark as bm

random.seed(int(sys.argv[2]))
with bm.session() as s:
    with s.jsonl("artifacts/eval.jsonl", mode="a") as out:
        for n in range(int(sys.argv[1])):
            out.write({"n": out.count, "x": random.random()})
"""
PLAIN = """
import json, random, sys

random.seed(int(sys.argv[1]))
with open("artifacts/plain.jsonl", "a") as out:
    for n in range(3):
        out.write(json.dumps({"n": n, "x": random.random()}) + "\\n")
"""


@pytest.fixture
def appended(repo, git):
    """Three runs add to one file; a hand takes a record out before the last of them."""
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "adds.py").write_text(ADDS)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    for records, seed in ((2, 1), (3, 2)):
        adds(repo, records, seed)
    file = repo / "artifacts/eval.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:1] + lines[2:]))
    adds(repo, 1, 3)
    return file


def adds(repo, records, seed):
    words = [sys.executable, "adds.py", str(records), str(seed)]
    subprocess.run(words, cwd=repo, check=True, capture_output=True)


def plan_of(birthmark, what, status=0):
    return json.loads(birthmark("reproduce", what, "--dry-run", "--json", status=status))["plan"]


def test_the_last_run_goes_on_with_what_it_found_and_is_held_against_its_own_records(appended, birthmark):
    before = appended.read_bytes()
    told = birthmark("reproduce", "artifacts/eval.jsonl", "--dry-run")
    assert "goes on      with 4 records that no session here made: as it was\n" in told, told
    assert "made again   the last of 3 runs that wrote to it (FILE:LINE asks for another)\n" in told
    assert "compared     its own 1 record\n" in told
    done = birthmark("reproduce", "artifacts/eval.jsonl", "--yes", "--json")
    answer = json.loads(done)
    assert answer["outcome"]["verdict"] == "equal records", done
    # What `out.count` was then it is again: the file went on.
    made = open(answer["outcome"]["made"], "rb").read().splitlines()
    assert made[:4] == before.splitlines()[:4]
    assert json.loads(made[4])["n"] == 4
    assert appended.read_bytes() == before


def test_a_line_names_its_run_though_the_file_was_edited_by_hand(appended, birthmark):
    first = plan_of(birthmark, "artifacts/eval.jsonl:1")
    assert first["goes_on"]["own_records"] == 2
    assert first["command"][-2:] == ["2", "1"]
    done = birthmark("reproduce", "artifacts/eval.jsonl:1", "--yes")
    assert "equal records: as it was recorded; the file was changed since\n" in done, done
    # Of what the second went on with a record is gone.
    blocked = plan_of(birthmark, "artifacts/eval.jsonl:3", status=2)
    assert blocked["goes_on"]["before"] == "changed since"
    assert blocked["command"][-2:] == ["3", "2"]
    # Its script counts what is there: begun anew, it is not what it was.
    done = birthmark("reproduce", "artifacts/eval.jsonl:3", "--yes", "--inexact", status=1)
    assert "differs: line 2, n: 0, not 2 (as they lie in the file, which was changed since)\n" in done, done


def test_what_a_hand_wrote_is_nobodys(appended, birthmark, program, repo):
    with appended.open("a") as out:
        out.write('{"by": "hand"}\n')
    words = [program, "reproduce", "artifacts/eval.jsonl:6", "--dry-run"]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2
    assert "line 6 of `artifacts/eval.jsonl` names no run" in done.stderr, done.stderr
    assert plan_of(birthmark, "artifacts/eval.jsonl:5")["command"][-2:] == ["1", "3"]


def test_trace_leads_over_the_edit_to_the_runs_before_it(appended, birthmark):
    told = birthmark("trace", "artifacts/eval.jsonl", "--up")
    runs = [line for line in told.splitlines() if "made by  adds.py" in line]
    assert len(runs) == 3, told
    assert "went on from  artifacts/eval.jsonl  4 records" in told, told
    changed = told[told.index("changed from") :]
    assert "(by its name alone)" in changed.split("made by")[0], told


def test_runs_that_append_without_a_writer_of_ours_are_told_apart_by_the_bytes(repo, git, birthmark, program):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "plain.py").write_text(PLAIN)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    (repo / "artifacts").mkdir()
    for seed in "123":
        words = [program, "run", "--", sys.executable, "plain.py", seed]
        subprocess.run(words, cwd=repo, check=True, capture_output=True)
    for line, seed, had in ((2, "1", 0), (5, "2", 3), (9, "3", 6)):
        plan = plan_of(birthmark, f"artifacts/plain.jsonl:{line}")
        assert (plan["command"][-1], plan["goes_on"]["records"]) == (seed, had), plan
    answer = json.loads(birthmark("reproduce", "artifacts/plain.jsonl", "--yes", "--json"))
    assert answer["outcome"]["verdict"] == "identical"


IDLE = """
import os, birthmark as bm
with bm.session() as s:
    with s.jsonl("artifacts/out.jsonl", mode="a") as out:
        for item in out.todo([{"id": n} for n in range(20)], key="id"):
            out.write({**item, "text": os.urandom(8).hex()})
"""


def test_a_run_that_found_all_done_did_not_make_it(repo, git, birthmark, program):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "make.py").write_text(IDLE)
    git("add", ".")
    git("commit", "--quiet", "--message", "Make")
    start = [sys.executable, "make.py"]
    subprocess.run(start, cwd=repo, check=True, capture_output=True)
    first = json.loads(birthmark("show", "--json", "artifacts/out.jsonl"))["metadata"]["session_id"]
    (repo / "make.py").write_text(IDLE + "# edited\n")
    subprocess.run(start, cwd=repo, check=True, capture_output=True)
    for _ in range(2):
        done = subprocess.run([program, "reproduce", "artifacts/out.jsonl", "--yes"], cwd=repo, capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout.splitlines()[-2].startswith("differs"), done.stdout
        assert f"in session {first[:20]}" in done.stdout, done.stdout
    assert "made again  identical" not in birthmark("trace", "artifacts/out.jsonl")
