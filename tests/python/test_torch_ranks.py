"""Real ranks that talk by torch.distributed, where torch is installed: one session, whatever dies."""

import json
import os
import signal
import socket
import subprocess
import sys

import birthmark as bm
import pytest

pytest.importorskip("torch", reason="SKIPPED: torch is not installed: no real ranks are run")

RANK = """
import json, os, signal, sys
import torch, torch.distributed as dist
import birthmark as bm

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
dies = len(sys.argv) > 1 and rank == int(sys.argv[1])
with bm.session(planned=["data_*.jsonl", "model checkpoint"]) as s:
    with s.jsonl(f"artifacts/data_{rank}.jsonl") as out:
        for n in range(50):
            out.write({"rank": rank, "n": n})
            if dies and n == 29:
                os.kill(os.getpid(), signal.SIGKILL)
    folder = "artifacts/model"
    os.makedirs(folder, exist_ok=True)
    names = [f"model-{n}-of-{world}.bin" for n in range(world)]
    torch.save(torch.ones(8) * rank, f"{folder}/{names[rank]}")
    if rank == 0:
        index = {"weight_map": {f"w{n}": name for n, name in enumerate(names)}}
        with open(f"{folder}/pytorch_model.bin.index.json", "w") as file:
            json.dump(index, file)
    dist.barrier()
    given = [f"artifacts/data_{n}.jsonl" for n in range(world)]
    s.add(folder, artifact_type="model", inputs=given)
    if rank == 0:
        s.report("artifacts/eval.json", {"loss": 0.5})
"""

TRAINER = """
import sys, torch, transformers
import birthmark as bm

shape = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
         "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 16}
torch.manual_seed(0)
model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
data = [{"input_ids": row, "labels": row} for row in torch.randint(0, 32, (32, 8))]
given = transformers.TrainingArguments(
    "artifacts/run", max_steps=6, save_steps=2, save_total_limit=2, per_device_train_batch_size=2,
    use_cpu=True, ddp_backend="gloo", report_to=[], disable_tqdm=True)
transformers.Trainer(model, given, train_dataset=data, callbacks=[bm.TrainerCallback()]).train()
"""


@pytest.fixture
def launch(repo, git):
    """Start ranks of a script, committed, wait for them, and give their exit statuses."""

    def run(source, count, *arguments):
        (repo / "train.py").write_text(source)
        git("add", ".")
        git("commit", "--quiet", "--message", "Training")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        world = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1",
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none"}  # fmt: skip
        command = [sys.executable, "train.py", *map(str, arguments)]
        ranks = [
            subprocess.Popen(
                command,
                cwd=repo,
                env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(count)
        ]
        said = [rank.communicate(timeout=110)[1] for rank in ranks]
        return [rank.returncode for rank in ranks], "\n".join(said)

    return run


def manifest_of(repo):
    [manifest] = (repo / "artifacts").glob("session_manifest_*.json")
    return json.loads(manifest.read_text())


def test_four_ranks_make_their_shards_in_one_session(repo, launch, birthmark):
    statuses, said = launch(RANK, 4)
    assert statuses == [0] * 4, said
    manifest = manifest_of(repo)
    assert manifest["outcome"] == "completed"
    files = {one["file"] for one in manifest["artifacts_generated"]}
    shards = {f"artifacts/data_{n}.jsonl" for n in range(4)}
    assert files == shards | {"artifacts/model", "artifacts/eval.json"}
    sidecar = json.loads((repo / "artifacts/model.birthmark.json").read_text())
    assert len(sidecar["members"]) == 5, "written before all shards were there"
    assert "as recorded" in birthmark("verify")
    traced = birthmark("trace", "artifacts/model")
    assert all(shard in traced for shard in shards), traced


def test_rank_that_is_killed_loses_no_record_and_fails_the_session(repo, launch, birthmark):
    statuses, said = launch(RANK, 4, 2)
    assert statuses[2] == -signal.SIGKILL, said
    assert all(status != 0 for status in statuses), said
    counts = [(repo / f"artifacts/data_{n}.jsonl").read_text().count("\n") for n in range(4)]
    assert counts == [50, 50, 30, 50]
    [session] = json.loads(birthmark("session", "list", "--json"))
    # Interrupted, where the rank that died is the one that began it.
    assert session["status"] in ("failed", "interrupted"), session
    manifest = manifest_of(repo)
    assert "artifacts/model" not in {one["file"] for one in manifest["artifacts_generated"]}
    said = birthmark("verify", "artifacts/data_2.jsonl")
    assert "it was never closed" in said
    assert "unfinished" in birthmark("trace", "artifacts/data_2.jsonl")


def test_trainer_of_two_ranks_makes_one_artifact_a_save(repo, launch, birthmark):
    pytest.importorskip("transformers", reason="SKIPPED: transformers is not installed")
    statuses, said = launch(TRAINER, 2)
    assert statuses == [0, 0], said
    listed = manifest_of(repo)["artifacts_generated"]
    steps = sorted(one["file"] for one in listed if one.get("status") != "removed")
    for step in (4, 6):
        folder = repo / f"artifacts/run/checkpoint-{step}"
        assert bm.read(folder)["step"] == step
        sidecar = json.loads((repo / f"artifacts/run/checkpoint-{step}.birthmark.json").read_text())
        names = {member["file"] for member in sidecar["members"]}
        assert {"rng_state_0.pth", "rng_state_1.pth"} <= names, names
    assert steps[-2:] == ["artifacts/run/checkpoint-4", "artifacts/run/checkpoint-6"], listed
    assert len(steps) == len(set(steps)) <= 3, listed
    assert "as recorded" in birthmark("verify")
