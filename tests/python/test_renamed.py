"""Renaming, linking and copying a file do not cut its lineage."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def watched(repo, program, git):
    """Run a line of shell under `birthmark run`, after a script that made `data/a.csv`."""
    (repo / "make.py").write_text(
        "import os, sys; os.makedirs('data', exist_ok=True); open(sys.argv[1], 'w').write('x,y\\n1,2\\n')\n"
    )
    (repo / "data").mkdir()
    (repo / "artifacts").mkdir()
    git("add", "make.py")
    git("commit", "--quiet", "--message", "Make")

    def run(*words):
        words = words if len(words) > 1 else ("sh", "-c", *words)
        words = [program, "run", "--", *words]
        done = subprocess.run(words, cwd=repo, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    run(sys.executable, "make.py", "data/a.csv")
    journals = (repo / "artifacts/.birthmark/sessions").glob("*/*.jsonl")
    if not any('"preload"' in journal.read_text() for journal in journals):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    return run


def origins(birthmark, path):
    """The roles and names from a file up to who made it, as `trace` draws them."""
    traced = json.loads(birthmark("trace", "--up", path, "--json"))
    names = {node["id"]: node.get("file") or node.get("script_name") for node in traced["nodes"]}
    at, way = traced["roots"][0], []
    while True:
        derived = [
            edge
            for edge in traced["edges"]
            if edge["from"] == at and edge["relation"] == "was_derived_from"
        ]
        if not derived:
            made = [edge for edge in traced["edges"] if edge["from"] == at and edge["to"][0] == "r"]
            return way + [names[edge["to"]] for edge in made]
        (edge,) = derived
        at = edge["to"]
        way.append((edge["role"], names[at]))


def test_what_a_run_renamed_linked_or_copied_still_comes_from_who_made_it(repo, watched, birthmark):
    watched("mv data/a.csv artifacts/b.csv")
    watched("mv artifacts/b.csv t; mv t data/c.csv; ln data/c.csv data/d.csv; cp data/d.csv data/e.csv")
    watched("mv data moved")
    first = [("renamed", "artifacts/b.csv"), ("renamed", "data/a.csv"), "make.py"]
    assert origins(birthmark, "moved/c.csv") == [("renamed", "data/c.csv"), *first]
    assert origins(birthmark, "moved/d.csv") == [("renamed", "data/d.csv"), *first]
    assert origins(birthmark, "moved/e.csv") == [
        ("renamed", "data/e.csv"),
        ("copied", "artifacts/b.csv"),
        *first[1:],
    ]
    page = birthmark("trace", "--up", "moved/c.csv")
    assert "renamed from  data/c.csv" in page
    told = birthmark("verify")
    assert "moved: a run renamed it, it is moved/c.csv now" in " ".join(told.split())
    assert "FAILED" not in told and "input moved" not in told


def test_what_a_run_wrote_and_put_in_its_place_is_its_own(repo, watched, birthmark):
    watched("cat data/a.csv > data/t; echo 3,4 >> data/t; mv data/t data/a.csv")
    traced = json.loads(birthmark("trace", "--up", "data/a.csv", "--json"))
    assert "renamed" not in json.dumps(traced)


@pytest.mark.parametrize(
    ("call", "role"),
    [
        ("os.rename(a, b)", "renamed"),
        ("os.replace(os.path.abspath(a), b)", "renamed"),
        ("shutil.move(a, b)", "renamed"),
        ("os.link(a, b)", "linked"),
        ("shutil.copy2(a, b)", "copied"),
    ],
)
def test_a_session_of_its_own_sees_them_too(repo, watched, birthmark, python, call, role):
    python(
        "import os, shutil, birthmark as bm\n"
        "with bm.session():\n"
        f"    a, b = 'data/a.csv', 'artifacts/b.csv'; {call}\n"
    )
    assert origins(birthmark, "artifacts/b.csv") == [(role, "data/a.csv"), "make.py"]


EXCHANGE = (
    "import ctypes, os\n"
    "call = ctypes.CDLL(None, use_errno=True).renameat2\n"
    "assert call(-100, b'data/a.csv', -100, b'data/z.csv', 2) == 0, os.strerror(ctypes.get_errno())\n"
)


def test_two_files_that_were_exchanged_at_once_keep_their_makers(repo, watched, birthmark):
    (repo / "other.py").write_text("open('data/z.csv', 'w').write('3,4\\n')\n")
    watched(sys.executable, "other.py")
    watched(sys.executable, "-c", EXCHANGE)
    assert origins(birthmark, "data/z.csv") == [("renamed", "data/a.csv"), "make.py"]
    assert origins(birthmark, "data/a.csv") == [("renamed", "data/z.csv"), "other.py"]
    # What was written first and then put in place so is the run's own; what lay there is not.
    swap = "open('data/z.csv', 'w').write('new')\n" + EXCHANGE
    watched(sys.executable, "-c", swap)
    assert "renamed" not in birthmark("trace", "--up", "data/a.csv", "--json")
    assert origins(birthmark, "data/z.csv")[0] == ("renamed", "data/a.csv")


def test_what_was_renamed_is_made_again_by_who_made_it(repo, watched, birthmark, program):
    watched("mv", "data/a.csv", "artifacts/b.csv")
    watched("mv", "artifacts/b.csv", "artifacts/c.csv")
    words = [program, "reproduce", "--yes", "artifacts/c.csv"]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0] == "artifacts/c.csv"
    assert told[1].startswith("renamed from artifacts/b.csv by mv in session ")
    assert told[2].startswith("renamed from data/a.csv by mv in session ")
    assert told[3].startswith("made by make.py in session ")
    assert "\nidentical\n" in done.stdout and "/data/a.csv" in told[-1], done.stdout
    assert "made again  identical" in birthmark("trace", "artifacts/c.csv")
    plan = json.loads(birthmark("reproduce", "--dry-run", "--json", "artifacts/c.csv"))["plan"]
    assert [one["from"] for one in plan["renamed"]] == ["artifacts/b.csv", "data/a.csv"]


def test_what_a_hand_moved_or_copied_is_found_by_its_new_name(repo, watched, birthmark):
    watched("echo seen > artifacts/seen.txt")
    (repo / "artifacts/kept").mkdir()
    (repo / "artifacts/seen.txt").rename(repo / "artifacts/kept/later.txt")
    (repo / "artifacts/copy.txt").write_text("seen\n")
    (repo / "artifacts/other.txt").write_text("else\n")
    (row,) = json.loads(birthmark("find", "file~later", "--json"))["rows"]
    (run,) = json.loads(birthmark("find", "--runs", "file~later", "--json"))["rows"]
    assert (row["state"], row["run_id"]) == ("sealed", run["run_id"])
    assert birthmark("find", "file~copy OR file~other", "--count").strip() == "1"
    assert birthmark("find", "file~artifacts/seen", "--count").strip() == "0"
