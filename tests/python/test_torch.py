"""Checkpoints of a real training, and what torch and transformers save, where they are installed."""

import json
import time

import birthmark as bm
import pytest

torch = pytest.importorskip("torch", reason="SKIPPED: torch is not installed: no real checkpoint is made")


@pytest.fixture
def tiny():
    """A model of transformers with some thousand weights, and data to train it with."""
    transformers = pytest.importorskip(
        "transformers", reason="SKIPPED: transformers is not installed: no real Trainer is run"
    )
    shape = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
             "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 16}  # fmt: skip
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    torch.manual_seed(0)
    data = [{"input_ids": row, "labels": row} for row in torch.randint(0, 32, (24, 8))]
    return transformers, model, data


def listed(session):
    manifest = json.loads(session.manifest.read_text())
    return {one["file"]: one for one in manifest["artifacts_generated"]}


def verified(program, repo, *paths):
    import subprocess

    done = subprocess.run(
        [program, "verify", *paths, "--json"], cwd=repo, capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    words = {item["name"]: (item["word"], item["reasons"]) for item in report["items"]}
    assert done.returncode == 0, words
    return words


def test_real_trainer_makes_checkpoints_with_their_origin(repo, tiny, program):
    pytest.importorskip("accelerate", reason="SKIPPED: accelerate is not installed: no real Trainer is run")
    transformers, model, data = tiny
    waits = []

    class Timed(transformers.TrainerCallback):
        """How long each save took, from one callback before ours to one after."""

        def on_save(self, *args, **more):
            waits.append(time.perf_counter())

    class Later(Timed):
        """The same, of a class of its own, as the Trainer wants it."""

    arguments = transformers.TrainingArguments(
        output_dir="out", max_steps=6, save_steps=2, save_total_limit=2, per_device_train_batch_size=4,
        learning_rate=1e-3, report_to=[], logging_steps=100, use_cpu=True, seed=7,
    )  # fmt: skip
    with bm.session() as session:
        trainer = transformers.Trainer(
            model=model, args=arguments, train_dataset=data,
            callbacks=[Timed(), bm.TrainerCallback(inputs=["README.md"]), Later()],
        )  # fmt: skip
        trainer.train()
    found = listed(session)
    assert found["out/checkpoint-2"]["state"] == "removed", found
    for step in (4, 6):
        entry = found[f"out/checkpoint-{step}"]
        assert entry["digest"].startswith("blake3:") and entry["state"] == "sealed", entry
        mark = bm.read(repo / f"out/checkpoint-{step}")
        assert (mark["step"], mark["learning_rate"], mark["seed"]) == (step, 1e-3, 7), mark
        assert mark["inputs"][0]["file"] == "README.md"
    verified(program, repo, "out/checkpoint-4", "out/checkpoint-6")
    # Waits are of the machine too; that they were milliseconds is asked of the best one.
    both = zip(waits[0::2], waits[1::2])
    assert min(after - before for before, after in both) < 0.005


def test_torch_save_is_loaded_by_torch_and_verified(repo, program):
    state = {"w": torch.arange(6.0).reshape(2, 3), "step": 3}
    with bm.session() as session:
        bm.torch_save(state, "state.pt", seed=42)
        bm.torch_save({"w": torch.zeros(1)}, "other.pt", saver={"_use_new_zipfile_serialization": False})
    again = torch.load("state.pt", weights_only=True)
    assert torch.equal(again["w"], state["w"]) and again["step"] == 3
    assert bm.read("state.pt")["seed"] == 42
    assert set(listed(session)) == {"state.pt", "other.pt"}
    verified(program, repo, "state.pt", "other.pt")


def test_torch_save_that_fails_leaves_the_older_file(repo):
    with bm.session():
        bm.torch_save({"w": torch.ones(1)}, "state.pt")
        before = (repo / "state.pt").read_bytes()
        with pytest.raises(Exception, match="pickle|local object"):
            bm.torch_save({"f": lambda: None}, "state.pt")
    assert (repo / "state.pt").read_bytes() == before
    assert sorted(p.name for p in repo.glob("state*")) == ["state.pt", "state.pt.birthmark.json"]


def test_save_file_keeps_torch_tensors_and_foreign_metadata(repo, program):
    safetensors = pytest.importorskip("safetensors.torch", reason="SKIPPED: safetensors is not installed")
    tensors = {"w": torch.arange(4, dtype=torch.bfloat16), "b": torch.ones(3)}
    with bm.session():
        bm.save_file(tensors, "w.safetensors", metadata={"format": "pt"}, seed=1)
    again = safetensors.load_file("w.safetensors")
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)
    from safetensors import safe_open

    with safe_open("w.safetensors", "pt") as file:
        assert file.metadata()["format"] == "pt"
    verified(program, repo, "w.safetensors")


def test_save_pretrained_is_loaded_by_transformers_and_names_its_base(repo, tiny, program):
    transformers, model, _ = tiny
    with bm.session() as session:
        bm.save_pretrained(model, "base", saver={"max_shard_size": "8KB"})
        base = transformers.LlamaForCausalLM.from_pretrained("base")
        bm.save_pretrained(base, "derived")
    again = transformers.LlamaForCausalLM.from_pretrained("derived")
    first, second = model.state_dict(), again.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    (origin,) = bm.read("derived")["inputs"]
    assert origin["role"] == "base" and origin["file"] == "base"
    assert origin["digest"] == listed(session)["base"]["digest"]
    verified(program, repo, "base", "derived")
