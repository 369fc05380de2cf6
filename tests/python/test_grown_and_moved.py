"""Files that grew, were moved or swapped by hand since: all commands tell the same of them, and no less than is known."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

GENERATE = """
import sys, birthmark as bm
with bm.session(params={"seed": int(sys.argv[1])}) as s:
    with s.jsonl(sys.argv[2], mode="a") as out:
        for i in range(5):
            out.write({"id": f"{sys.argv[1]}-{i}", "v": i})
"""
EVALUATE = """
import json, birthmark as bm
with bm.session() as s:
    rows = [json.loads(line) for line in open("artifacts/d.jsonl")]
    s.report("artifacts/e.json", {"summary": {"rows": len(rows)}}, dataset="artifacts/d.jsonl")
"""


@pytest.fixture
def project(repo, git, python):
    (repo / ".gitignore").write_text("artifacts/\n")
    for name, source in (("generate.py", GENERATE), ("evaluate.py", EVALUATE)):
        (repo / name).write_text(source)
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")

    def run(name, *arguments):
        import subprocess

        subprocess.run([sys.executable, name, *arguments], cwd=repo, check=True, capture_output=True)

    return run


def test_a_dataset_that_went_on_is_taken_as_it_was_read(project, birthmark, repo):
    project("generate.py", "1", "artifacts/d.jsonl")
    project("evaluate.py")
    project("generate.py", "3", "artifacts/d.jsonl")
    said = birthmark("verify", "artifacts/e.json")
    assert "input artifacts/d.jsonl grew since it was read" in " ".join(said.split()), said
    plan = birthmark("reproduce", "artifacts/e.json", "--dry-run")
    assert "artifacts/d.jsonl  grew since: its first" in plan, plan
    assert birthmark("reproduce", "artifacts/e.json", "--yes").splitlines()[-2].startswith(("identical", "equal"))
    # An edit within what was read is none of that.
    lines = (repo / "artifacts/d.jsonl").read_text().splitlines(keepends=True)
    (repo / "artifacts/d.jsonl").write_text("".join([lines[0].replace("1-0", "1-9"), *lines[1:]]))
    said = birthmark("verify", "artifacts/e.json")
    assert "input artifacts/d.jsonl changed since it was read" in " ".join(said.split()), said
    assert "CANNOT" in birthmark("reproduce", "artifacts/e.json", "--dry-run", status=2)


def shown(birthmark, name):
    return json.loads(birthmark("show", "--json", name))


def test_swapped_files_are_told_by_their_bytes(project, birthmark, repo):
    for n in "12":
        project("generate.py", n, f"artifacts/raw_{n}.jsonl")
    one, two = repo / "artifacts/raw_1.jsonl", repo / "artifacts/raw_2.jsonl"
    (repo / "t").write_bytes(one.read_bytes())
    one.write_bytes(two.read_bytes())
    two.write_bytes((repo / "t").read_bytes())
    (repo / "t").unlink()
    for name, other in (("artifacts/raw_1.jsonl", "artifacts/raw_2.jsonl"), ("artifacts/raw_2.jsonl", "artifacts/raw_1.jsonl")):
        page = birthmark("show", name)
        assert f"its bytes were recorded as {other}" in page, page
        assert "the session does not list this file" not in page, page
        assert shown(birthmark, name)["now"] == "as recorded"
        tree = " ".join(birthmark("trace", name).split())
        assert f"recorded as {other}" in tree and "later one" not in tree, tree
        said = " ".join(birthmark("verify", name, status=1).split())
        assert f"these are the bytes that were recorded as {other}" in said, said


FILTER = "import sys\nfor line in open('artifacts/x.jsonl'):\n    if '\"v\": 4' in line or '\"v\": 3' in line: sys.stdout.write(line)\n"


@pytest.fixture
def filtered(project, birthmark, repo, git):
    project("generate.py", "1", "artifacts/x.jsonl")
    (repo / "filter.py").write_text(FILTER)
    git("add", ".")
    git("commit", "--quiet", "--message", "Filter")
    birthmark("run", "--", "sh", "-c", f"{sys.executable} filter.py > artifacts/big.jsonl")


def test_a_record_of_a_filtered_file_is_that_of_the_file_it_was_born_in(filtered, birthmark):
    verdict = birthmark("reproduce", "artifacts/big.jsonl:1", "--yes").splitlines()[-2]
    assert verdict.startswith("equal records") and "changed" not in verdict, verdict


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_filtered_file_under_another_name_is_of_who_filtered_it(filtered, birthmark, repo, how):
    there, here = repo / "artifacts/big.jsonl", repo / "artifacts/other.jsonl"
    here.write_bytes(there.read_bytes())
    if how == "moved":
        there.unlink()
    told = shown(birthmark, "artifacts/other.jsonl")
    assert told["written_by"]["script_name"] == "sh" or "filter" in str(told["written_by"]), told["written_by"]
    assert (told["recorded"]["file"], told["now"]) == ("artifacts/big.jsonl", "as recorded")


def test_a_plain_file_under_another_name_is_of_who_made_it(project, birthmark, repo):
    birthmark("run", "--", "sh", "-c", "echo a > artifacts/plain.txt")
    (repo / "artifacts/plain.txt").rename(repo / "artifacts/renamed.txt")
    told = shown(birthmark, "artifacts/renamed.txt")
    assert told["kind"] == "observed" and told["recorded"]["file"] == "artifacts/plain.txt", told


NOTEBOOK = """
import birthmark as bm, os
os.makedirs("artifacts", exist_ok=True)
with bm.session(params={"seed": 3}) as s:
    with s.jsonl("artifacts/nb.jsonl", mode="w") as out:
        out.write({"id": 1})
    open("artifacts/plain.json", "w").write("{}")
"""


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nbconvert", "ipykernel", "nbformat")),
    reason="nbconvert and ipykernel are not installed",
)
def test_a_notebook_that_a_command_executes_is_the_code_of_all_that_it_makes(repo, git, birthmark):
    import nbformat

    (repo / ".gitignore").write_text("artifacts/\nout/\n")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(NOTEBOOK)]
    nbformat.write(notebook, repo / "nb.ipynb")
    git("add", ".")
    git("commit", "--quiet", "--message", "Notebook")
    jupyter = str(Path(sys.executable).with_name("jupyter"))
    birthmark("run", "--", jupyter, "nbconvert", "--to", "notebook", "--execute", "nb.ipynb", "--output-dir", "out")
    for name in ("artifacts/plain.json", "artifacts/nb.jsonl"):
        page = birthmark("show", name)
        assert "nb.ipynb" in page and "typed into" not in page, page
        assert birthmark("reproduce", name, "--yes").splitlines()[-2].startswith(("identical", "equal")), name


MODEL = """
import birthmark as bm, os
with bm.session() as s:
    os.makedirs("artifacts/best")
    open("artifacts/best/w.bin", "wb").write(b"weights")
    s.add("artifacts/best", artifact_type="model")
with bm.session() as s:
    s.report("artifacts/e.json", {"summary": {"accuracy": 0.5}}, models={"sft": "artifacts/best"})
"""


def test_a_model_that_was_overwritten_is_told_of_what_was_evaluated_with_it(repo, python, birthmark):
    python(MODEL)
    assert "input" not in birthmark("verify", "artifacts/e.json")
    (repo / "artifacts/best/w.bin").write_bytes(b"others")
    said = " ".join(birthmark("verify", "artifacts/e.json").split())
    assert "input artifacts/best changed since it was read" in said, said
