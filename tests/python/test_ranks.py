"""The ranks of one launch: one session, found without talking; only rank 0 talks."""

import json
import os
import subprocess
import sys

import pytest
from conftest import Store, records

# What torchrun does, without torch: set the variables, start the ranks, wait for them.
LAUNCHER = """
import os, subprocess, sys
count, port, *command = sys.argv[1:]
ranks = []
for rank in range(int(count)):
    env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=count,
               LOCAL_WORLD_SIZE=count, MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
               TORCHELASTIC_RUN_ID="none")
    ranks.append(subprocess.Popen([sys.executable, *command], env=env))
sys.exit(max(rank.wait() for rank in ranks))
"""

RANK = """
import json, os, sys, time
import birthmark as bm
rank = int(os.environ["RANK"])
time.sleep(rank * float(sys.argv[1]))
with bm.session(planned=["shard_*.jsonl", "model checkpoint"]) as s:
    assert s.rank == rank
    with s.jsonl(f"artifacts/shard_{s.id}_{rank}.jsonl") as out:
        for n in range(5):
            out.write({"rank": rank, "n": n})
    time.sleep((7 - rank) * float(sys.argv[2]))
    if rank == 0:
        os.makedirs("model", exist_ok=True)
        open("model/w.bin", "wb").close()
    added = s.add("model", artifact_type="model")
    assert (added is None) == (rank > 0)
"""


@pytest.fixture
def launch(repo, git):
    """Start the ranks of a script, committed, and give what they said."""
    (repo / "launcher.py").write_text(LAUNCHER)
    (repo / "train.py").write_text(RANK)
    git("add", ".")
    git("commit", "--quiet", "--message", "Training")

    def run(*arguments, count=8, port=29500, wait=True):
        command = [sys.executable, "launcher.py", str(count), str(port), "train.py", *map(str, arguments)]
        started = subprocess.Popen(command, cwd=repo, stderr=subprocess.PIPE, text=True)
        if not wait:
            return started
        said = started.communicate(timeout=120)[1]
        assert started.returncode == 0, said
        return said

    return run


def check_one_session(manifest, ranks=8):
    made = [entry["file"] for entry in manifest["artifacts_generated"]]
    shards = [f"artifacts/shard_{manifest['session_id']}_{rank}.jsonl" for rank in range(ranks)]
    assert sorted(made) == sorted([*shards, "model"])
    for rank, shard in enumerate(shards):
        found = records(shard)
        assert [record["n"] for record in found] == list(range(5))
        for record in found:
            assert record["metadata"]["session_id"] == manifest["session_id"]
            assert record["metadata"]["git_dirty"] is False, record


def test_ranks_are_one_session_20_times_of_20(launch, repo):
    for done in range(1, 21):
        said = launch(0, 0)
        assert said.count("birthmark: session ") == 1, said
        # Begun, its code, the model that is there already, made, planned: each once.
        assert len(said.splitlines()) <= 5, said
        store = Store(repo)
        manifests = store.manifests()
        assert len(manifests) == done
    for manifest in manifests:
        check_one_session(manifest)
    assert len(store.events("session_started")) == 20
    assert len(store.events("session_ended")) == 20
    runs = store.events("run_started")
    assert sorted(run["rank"] for run in runs) == sorted(list(range(8)) * 20)
    assert {run["world_size"] for run in runs} == {8}


@pytest.mark.parametrize("waits", [(0.1, 0), (0, 0.1), (0.08, 0.08)])
def test_ranks_that_come_and_go_at_very_different_times_are_one_session(launch, repo, waits):
    for _ in range(2):
        launch(*waits)
    manifests = Store(repo).manifests()
    assert len(manifests) == 2
    for manifest in manifests:
        check_one_session(manifest)


def test_launches_at_the_same_time_on_the_same_port_are_two_sessions(launch, repo):
    started = [launch(0.01, 0.01, wait=False) for _ in range(2)]
    for one in started:
        said = one.communicate(timeout=120)[1]
        assert one.returncode == 0, said
    manifests = Store(repo).manifests()
    assert len(manifests) == 2
    for manifest in manifests:
        assert len(manifest["artifacts_generated"]) == 9


def test_one_rank_alone_is_a_session_of_its_own(launch, repo):
    launch(0, 0, count=1)
    check_one_session(Store(repo).manifest(), ranks=1)


def test_unrelated_scripts_at_the_same_time_are_two_sessions(repo, git):
    (repo / "script.py").write_text(
        "import birthmark as bm, time\nwith bm.session() as s:\n    print(s.id); time.sleep(0.5)\n"
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    started = [
        subprocess.Popen([sys.executable, "script.py"], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    ids = {one.communicate(timeout=60)[0].strip() for one in started}
    assert len(ids) == 4
    assert {manifest["session_id"] for manifest in Store(repo).manifests()} == ids


def test_many_sessions_begun_at_once_have_ids_of_their_own(repo):
    source = """
import json, os
import birthmark as bm
ids = []
for _ in range(8):
    with bm.session() as s:
        ids.append(s.id)
print(json.dumps(ids))
"""
    (repo / "script.py").write_text(source)
    env = {**os.environ, "BIRTHMARK_QUIET": "1"}
    started = [
        subprocess.Popen([sys.executable, "script.py"], stdout=subprocess.PIPE, text=True, env=env)
        for _ in range(6)
    ]
    ids = [name for one in started for name in json.loads(one.communicate(timeout=60)[0])]
    assert len(set(ids)) == 48
