"""A folder of which many files were read is one input, and those that were read are told from the rest."""

import json
import shutil
import subprocess

import pytest

COUNT = """
import glob, json
total = sum(int(open(name).read()) for name in sorted(glob.glob("data/*.txt")))
json.dump({"total": total}, open("artifacts/total.json", "w"))
"""
FILES = 300


@pytest.fixture
def counted(repo, git, program):
    """300 small files, read by one script; `data` is in no commit."""
    (repo / ".gitignore").write_text("artifacts/\ndata/\n")
    (repo / "count.py").write_text(COUNT)
    for folder in ("artifacts", "data"):
        (repo / folder).mkdir(exist_ok=True)
    for n in range(FILES):
        (repo / f"data/{n:03}.txt").write_text(str(n))
    (repo / "data/README").write_text("nobody reads this")
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    subprocess.run([program, "run", "--", "python3", "count.py"], cwd=repo, check=True, capture_output=True)
    return repo


@pytest.fixture
def call(counted, program):
    def call(*arguments, code=0):
        done = subprocess.run([program, *map(str, arguments)], cwd=counted, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    return call


def input_of(call, code=0):
    """The one input that the plan names."""
    plan = json.loads(call("reproduce", "--dry-run", "--json", "artifacts/total.json", code=code))["plan"]
    (told,) = plan["inputs"]
    return told


def test_what_nobody_read_changes_nothing_and_is_not_brought(counted, call):
    (counted / "data/README").write_text("edited")
    (counted / "data/new.txt").write_text("1000000")
    assert "data" not in call("verify", "artifacts/total.json").replace("data-", "")
    assert input_of(call)["state"] == "here"
    # A script that reads whatever lies there finds what it found then.
    assert "identical" in call("reproduce", "--yes", "artifacts/total.json")


def test_what_was_read_and_changed_is_named(counted, call):
    (counted / "data/007.txt").write_text("8")
    (counted / "data/123.txt").unlink()
    assert "read: data 300 files" in call("show", "artifacts/total.json")
    which = "2 of the 300 files that were read: 007.txt, 123.txt (gone)"
    assert f"input data ({which}) changed since it was read" in " ".join(call("verify", "artifacts/total.json").split())
    told = input_of(call, code=2)
    assert (told["state"], told["differing"]) == ("changed since", which)
    refused = " ".join(call("reproduce", "--yes", "artifacts/total.json", code=2).split())
    assert which in refused


def test_without_the_list_nothing_is_guessed(counted, call):
    (read,) = json.loads(call("show", "artifacts/total.json", "--json"))["session"]["used"]
    digest = read["files_read_object"].removeprefix("blake3:")
    objects = (counted / "artifacts/.birthmark/objects").rglob("*")
    (kept,) = [path for path in objects if path.parent.name + path.name == digest]
    kept.unlink()
    assert "input data" not in call("verify", "artifacts/total.json")
    (counted / "data/README").write_text("edited")
    said = " ".join(call("verify", "artifacts/total.json").split())
    assert "the list of its files that were read is not here" in said


def test_the_code_may_hold_what_was_read(counted, call, git, program):
    (counted / ".gitignore").write_text("artifacts/\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "With its data")
    (counted / "artifacts/total.json").unlink()
    subprocess.run([program, "run", "--", "python3", "count.py"], cwd=counted, check=True, capture_output=True)
    shutil.rmtree(counted / "data")
    assert input_of(call)["state"] == "in the code"
    assert "identical" in call("reproduce", "--yes", "artifacts/total.json")
