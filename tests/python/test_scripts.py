"""Whole scripts as people write them, with stand-ins for the engines and nothing else."""

import json
import subprocess
import sys

import pytest
from conftest import records

import birthmark as bm

# As vLLM has them: a Struct of params, an engine that knows its model, batches of outputs.
ENGINE = '''
"""A stand-in for an engine: its shapes, not its weights."""
import msgspec


class SamplingParams(msgspec.Struct, omit_defaults=True):
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    max_tokens: int | None = 16
    logits_processors: object = None
    _all_stop_token_ids: set = msgspec.field(default_factory=set)


class Completion(msgspec.Struct):
    text: str
    cumulative_logprob: float


class Output(msgspec.Struct):
    prompt: str
    outputs: list


class Config:
    model = "Qwen/Qwen2.5-32B"
    quantization = "bitsandbytes"
    revision = None


class LLM:
    def __init__(self, *args, **kwargs):
        self.llm_engine = type("Engine", (), {"model_config": Config()})()

    def generate(self, prompts, params):
        many = range(params.n)
        return [
            Output(p["prompt"], [Completion(f" {p['id']} {k}", float("-inf") if k else -1.5) for k in many])
            for p in prompts
        ]
'''

GENERATE = """
import os, signal, sys
import birthmark as bm
from engine import LLM, SamplingParams

def chunks(items, size):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

def to_records(prompts, outputs):
    for p, o in zip(prompts, outputs):
        for k, c in enumerate(o.outputs):
            yield {"id": p["id"], "prompt": o.prompt, "completion": c.text, "logprob": c.cumulative_logprob}

prompts = [{"id": n, "prompt": f"p{n}"} for n in range(50)]
llm = LLM("Qwen/Qwen2.5-32B", quantization="bitsandbytes")
sp = SamplingParams(temperature=0.7, top_p=0.95, max_tokens=150, seed=42, n=1, logits_processors=[print])
prov = bm.model_provenance(llm)
dies_at = int(sys.argv[1])
with bm.session(planned=["sft_*.jsonl (50 examples)"], provenance=prov, params=sp) as s, \\
        s.jsonl("artifacts/sft_stage1.jsonl", mode="a") as out:
    for number, batch in enumerate(chunks(out.todo(prompts, key="id"), 8)):
        if number == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        out.write_many(to_records(batch, llm.generate(batch, sp)))
"""

# As transformers has them: arguments with to_dict(), checkpoints that are rotated away.
TRAIN = """
import os, shutil
import birthmark as bm

class TrainingArguments:
    def to_dict(self):
        return {"output_dir": "checkpoints/sft", "learning_rate": 2e-5, "seed": 42, "hub_token": "<HUB_TOKEN>"}

class Trainer:
    class model:
        name_or_path = "Qwen/Qwen2.5-0.5B"
        dtype = "torch.bfloat16"

def save(step):
    path = f"checkpoints/sft/checkpoint-{step}"
    os.makedirs(path)
    with open(path + "/model.safetensors", "wb") as file:
        file.write(bytes([step % 251]) * 10_000)
    return path

kept = []
with bm.session(planned=["sft_model checkpoint", "checkpoint-600"],
                provenance=Trainer.model, params=TrainingArguments()) as s:
    s.use("data.jsonl", role="training_data")
    for step in (200, 400, 600):
        kept.append(save(step))
        s.add(kept[-1], artifact_type="model", inputs=["data.jsonl"], step=step)
        if len(kept) > 2:
            gone = kept.pop(0)
            shutil.rmtree(gone)
            s.removed(gone, "rotation")
    shutil.copytree(kept[-1], "sft_model")
    s.add("sft_model", artifact_type="model", inputs=["data.jsonl"])
"""

EVALUATE = """
import os, signal, sys
import birthmark as bm

items = [{"id": f"q{n}", "answer": n % 3} for n in range(12)]
dies_at = sys.argv[1]
def score(item):
    if item["id"] == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"id": item["id"], "correct": item["answer"] == 0}

with bm.session() as s:
    with s.report("artifacts/evaluation_stage1.json", models={"base": "Qwen/Qwen2.5-32B", "sft": "sft_model"},
                  dataset="data/test_instructions.json", eval_seed=42, temperature=0.7) as r:
        for item in r.todo(items, key="id"):
            r.add(score(item))
        r.summary["base_accuracy"] = sum(one["correct"] for one in r.results) / r.count
"""


@pytest.fixture
def project(repo, git):
    pytest.importorskip("msgspec", reason="pip install 'birthmark[test]'")
    (repo / "engine.py").write_text(ENGINE)
    for name, source in (("generate.py", GENERATE), ("train.py", TRAIN), ("evaluate.py", EVALUATE)):
        (repo / name).write_text(source)
    (repo / "data").mkdir()
    (repo / "data" / "test_instructions.json").write_text(json.dumps([{"id": n} for n in range(12)]))
    (repo / "data.jsonl").write_text('{"prompt": "p"}\n')
    (repo / ".gitignore").write_text("__pycache__/\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "A project")

    def run(name, *arguments, dies=False):
        done = subprocess.run(
            [sys.executable, name, *map(str, arguments)], cwd=repo, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == (-9 if dies else 0), done.stderr
        return done

    return run


def test_data_generation_in_batches_dies_and_goes_on(project, store):
    project("generate.py", 3, dies=True)
    assert len(records("artifacts/sft_stage1.jsonl")) == 24
    said = project("generate.py", -1).stderr
    found = records("artifacts/sft_stage1.jsonl")
    assert [record["id"] for record in found] == list(range(50))
    assert "planned 1, made 1" in said and "unplanned" not in said and "missing" not in said
    mark = found[0]["metadata"]
    assert mark["model_name"] == "Qwen/Qwen2.5-32B" and mark["quantization"] == "bitsandbytes"
    assert (mark["temperature"], mark["top_p"], mark["seed"]) == (0.7, 0.95, 42)
    assert mark["max_tokens"] == mark["max_new_tokens"] == 150
    assert mark["logits_processors"] is None and mark["unknown"]["logits_processors"]
    assert mark["unknown"]["template_disabled"] == "cannot be seen from a vLLM engine"
    assert "_all_stop_token_ids" not in mark
    assert mark["git_dirty"] is False
    assert len(store.manifests()[-1]["artifacts_generated"]) == 1


def test_checkpoints_that_are_rotated_away_are_not_missing(project, store, git):
    said = project("train.py").stderr
    assert "planned 2, made 2" in said and "missing" not in said
    mark = bm.read("sft_model")
    assert mark["learning_rate"] == 2e-5 and mark["seed"] == 42
    assert mark["model_name"] == "Qwen/Qwen2.5-0.5B" and mark["quantization"] == "bf16"
    assert mark["inputs"][0]["digest"] == bm.digest_file("data.jsonl")
    made = {entry["file"]: entry for entry in store.manifest()["artifacts_generated"]}
    assert "sft_model" in made and "checkpoints/sft/checkpoint-600" in made
    # Its own files make the tree no dirtier for whoever runs next.
    assert bm.capture()["git_dirty"] is False


def test_evaluation_dies_and_goes_on(project):
    project("evaluate.py", "q7", dies=True)
    assert len(records("artifacts/evaluation_stage1.json.part.jsonl")) == 7
    said = project("evaluate.py", "none").stderr
    assert "going on with 7 items" in said
    report = json.loads(open("artifacts/evaluation_stage1.json").read())
    assert [item["id"] for item in report["results"]] == [f"q{n}" for n in range(12)]
    assert report["summary"] == {"base_accuracy": 4 / 12}
    assert report["metadata"]["dataset"]["size"] == 12
    assert report["metadata"]["dataset"]["version_sha"]
    assert report["metadata"]["eval_seed"] == 42
