"""Renaming, linking and copying a file do not cut its lineage."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def watched(repo, program, git):
    """Run a line of shell under `birthmark run`, after a script that made `data/a.csv`."""
    (repo / "make.py").write_text("import sys; open(sys.argv[1], 'w').write('x,y\\n1,2\\n')\n")
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
