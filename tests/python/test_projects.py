"""Whole projects run as people run them, most without a Birthmark call: lineage from end to end."""

import json
import subprocess
import sys

import pytest

DATA = """
import json, random
random.seed(3)
with open("artifacts/points.jsonl", "w") as out:
    for n in range(50):
        x = random.random()
        out.write(json.dumps({"x": x, "y": 2 * x + 1}) + "\\n")
"""
FIT = """
import json, numpy
rows = [json.loads(line) for line in open("artifacts/points.jsonl")]
x, y = ([row[name] for row in rows] for name in "xy")
slope, offset = numpy.polyfit(x, y, 1)
numpy.savez("artifacts/line.npz", slope=slope, offset=offset)
"""
SCORE = """
import json, numpy
line = numpy.load("artifacts/line.npz")
rows = [json.loads(row) for row in open("artifacts/points.jsonl")]
error = max(abs(line["slope"] * row["x"] + line["offset"] - row["y"]) for row in rows)
json.dump({"max_error": round(float(error), 6), "n": len(rows)}, open("artifacts/score.json", "w"))
"""


@pytest.fixture
def run(repo, program):
    """`birthmark run -- WORDS` in the project."""

    def run(*words, check=True):
        done = subprocess.run(
            [program, *map(str, words)], cwd=repo, capture_output=True, text=True, timeout=300
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def needs_preload(store):
    if any("preload" not in one["observed_by"] for one in store.events("lineage_observed")):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")


def test_three_steps_are_one_lineage_and_the_last_is_made_again(repo, run, git, store, tmp_path_factory):
    pytest.importorskip("numpy", reason="this test needs numpy")
    (repo / "artifacts").mkdir()
    (repo / ".gitignore").write_text("artifacts/\n")
    for name, text in (("data", DATA), ("fit", FIT), ("score", SCORE)):
        (repo / f"{name}.py").write_text(text)
    git("add", ".")
    git("commit", "--quiet", "--message", "Three steps")
    for name in ("data", "fit", "score"):
        run("run", "--", sys.executable, f"{name}.py")
    needs_preload(store)
    assert {one["state"] for one in store.events("lineage_observed")} == {"complete"}
    traced = run("trace", "artifacts/score.json", "--up").stdout
    order = [traced.index(name) for name in ("score.py", "line.npz", "fit.py", "points.jsonl", "data.py")]
    assert order[0] < min(order[1:]), traced
    down = run("trace", "artifacts/points.jsonl", "--down").stdout
    assert "line.npz" in down and "score.json" in down, down
    again = run("reproduce", "artifacts/score.json", "--yes", "--into", tmp_path_factory.mktemp("again") / "x")
    assert "identical" in again.stdout, again.stdout
    # Renamed, the table still belongs.
    (repo / "artifacts/points.jsonl").rename(repo / "artifacts/renamed.jsonl")
    assert "data.py" in run("trace", "artifacts/renamed.jsonl", "--up").stdout


POOL = """
import json, multiprocessing as mp, sys
import birthmark as bm

def load(n):
    return len(open(f"shards/{n}.txt").read())

if __name__ == "__main__":
    with bm.session() as s:
        with mp.get_context(sys.argv[1]).Pool(8) as pool:
            sizes = pool.map(load, range(16))
        with s.jsonl("artifacts/sizes.jsonl", mode="w") as out:
            out.write({"sizes": sizes})
"""


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_eight_workers_are_watched_under_run_and_what_is_not_seen_is_said_without(repo, run, store, python, how):
    (repo / "shards").mkdir()
    for n in range(16):
        (repo / f"shards/{n}.txt").write_text("x" * n)
    wanted = sorted(f"shards/{n}.txt" for n in range(16))
    python(POOL, how)
    read = sorted(one["input"]["file"] for one in store.events("artifact_used"))
    (lineage,) = store.events("lineage_observed")
    if how == "fork":
        assert (read, lineage["state"]) == (wanted, "complete")
    else:
        # Programs of their own: what they read is not seen, and that is said.
        assert lineage["state"] == "partial" and "programs that it started" in lineage["reasons"][0]
    run("run", "--", sys.executable, "script.py", how)
    watched = [one for one in store.events("lineage_observed") if "preload" in one["observed_by"]]
    if not watched:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    of_run = [one["input"]["file"] for one in store.events("artifact_used") if one["input"]["observed_by"] == "preload"]
    assert sorted(of_run) == wanted and watched[0]["state"] == "complete", watched


def test_a_shell_pipeline_is_one_run(repo, run, store):
    (repo / "words.txt").write_text("b\na\nb\n")
    (repo / "count.sh").write_text("sort words.txt | uniq -c | sort -rn > artifacts/counts.txt\n")
    (repo / "artifacts").mkdir()
    run("run", "--", "sh", "count.sh")
    needs_preload(store)
    assert [one["input"]["file"] for one in store.events("artifact_used")] == ["words.txt"]
    assert [one["file"] for one in store.events("artifact_sealed")] == ["artifacts/counts.txt"]
    (modules,) = store.events("modules_observed")
    assert [one["file"] for one in modules["files"]] == ["count.sh"]


def test_a_notebook_through_nbconvert_is_watched(repo, run, store):
    pytest.importorskip("nbconvert", reason="this test needs nbconvert and ipykernel")
    pytest.importorskip("ipykernel", reason="this test needs nbconvert and ipykernel")
    source = "import json\nrows = open('in.csv').read()\njson.dump(len(rows), open('artifacts/out.json', 'w'))"
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (repo / "book.ipynb").write_text(json.dumps(book))
    (repo / "in.csv").write_text("1,2\n")
    (repo / "artifacts").mkdir()
    words = ["-m", "nbconvert", "--to", "notebook", "--execute", "book.ipynb", "--output", "done.ipynb"]
    run("run", "--", sys.executable, *words)
    needs_preload(store)
    assert "in.csv" in [one["input"]["file"] for one in store.events("artifact_used")]
    assert "artifacts/out.json" in [one["file"] for one in store.events("artifact_sealed")]
