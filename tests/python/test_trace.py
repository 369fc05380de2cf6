"""Lineage over real processes: data, a fit with numpy, a score; each a script of its own."""

import shutil
import subprocess

import pytest
from conftest import records

import birthmark as bm

DATA = """
import random
import birthmark as bm

random.seed(7)
with bm.session() as s:
    with s.jsonl("artifacts/points.jsonl", artifact_type="dataset", mode="w", seed=7) as out:
        for _ in range(20):
            x = random.random()
            out.write({"x": x, "y": 3 * x + 1})
"""
FIT = """
import json
import numpy as np
import birthmark as bm

with bm.session() as s:
    s.use("artifacts/points.jsonl", role="training data")
    rows = [json.loads(line) for line in open("artifacts/points.jsonl")]
    np.save("artifacts/line.npy", np.polyfit([r["x"] for r in rows], [r["y"] for r in rows], 1))
    s.add("artifacts/line.npy", artifact_type="model")
"""
SCORE = """
import json
import numpy as np
import birthmark as bm

with bm.session() as s:
    a, b = np.load("artifacts/line.npy")
    rows = [json.loads(line) for line in open("artifacts/points.jsonl")]
    error = float(np.mean([(a * r["x"] + b - r["y"]) ** 2 for r in rows]))
    s.report("artifacts/score.json", {"mse": error}, models={"line": "artifacts/line.npy"},
             dataset="artifacts/points.jsonl", eval_seed=1)
"""


@pytest.fixture
def three_steps(repo, git, python):
    """The project, after its three scripts ran."""
    pytest.importorskip("numpy")
    for name, source in (("data", DATA), ("fit", FIT), ("score", SCORE)):
        (repo / f"{name}.py").write_text(source)
    git("add", ".")
    git("commit", "--quiet", "--message", "Three steps")
    for source in (DATA, FIT, SCORE):
        python(source)
    return repo


def files(traced, way):
    nodes = {node["id"]: node for node in traced["nodes"]}
    return {nodes[name]["file"] for name in traced[way] if nodes[name]["kind"] == "artifact"}


def test_from_the_score_back_to_the_data_and_forth_again(three_steps):
    up = bm.trace("artifacts/score.json")
    everything = {"artifacts/points.jsonl", "artifacts/line.npy", "artifacts/score.json"}
    assert files(up, "up") == everything
    # What was only seen to be read has the role `read`.
    roles = {edge["role"] for edge in up["edges"] if edge["role"] not in (None, "read")}
    assert roles == {"training data", "line", "dataset"}
    assert files(bm.trace("artifacts/points.jsonl"), "down") == everything


def test_a_laptop_with_a_copied_store_and_renamed_files_sees_the_same(three_steps, tmp_path_factory, program):
    laptop = tmp_path_factory.mktemp("laptop")
    shutil.copytree(three_steps / "artifacts", laptop / "from the pod")
    mine = laptop / "my copy.jsonl"
    shutil.copy(three_steps / "artifacts/points.jsonl", mine)
    shutil.rmtree(three_steps / "artifacts")
    traced = bm.trace(mine, stores=[laptop / "from the pod"])
    assert traced["found_by"] == "digest"
    assert "artifacts/score.json" in files(traced, "down")
    plain = laptop / "plain.jsonl"
    subprocess.run([program, "unstamp", mine, "--out", plain], check=True, capture_output=True)
    assert all("metadata" not in record for record in records(plain))
    said = subprocess.run(
        [program, "trace", plain, "--store", laptop / "from the pod"], capture_output=True, text=True, cwd=laptop
    )
    assert said.returncode == 0, said.stderr
    assert "artifacts/score.json" in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_what_nobody_tells_of_is_an_error(repo):
    (repo / "x.bin").write_bytes(b"x")
    with pytest.raises(bm.UsageError, match="nothing here tells of"):
        bm.trace("x.bin")
