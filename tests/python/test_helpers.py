"""The five helpers: scripts of the document that asked for them run with one changed import."""

import json
import os
import subprocess
import sys
from datetime import datetime

import birthmark as bm

# The usage section, as a script; only the import is ours.
SCRIPT = """
import json, os
from pathlib import Path
from birthmark.provenance_helper import create_artifact_metadata, create_session_manifest

SFT_CHECKPOINT = Path("checkpoints/sft")
provenance = {
    'loader_version': '0' * 40,
    'template_disabled': True,
    'model_name': "Qwen/Qwen2.5-32B",
    'quantization': "nf4",
    'sentinel_tests_passed': True,
    'add_special_tokens': False
}
test_examples = list(range(12))

class Generator:
    provenance = provenance
    seed = 42

    def example(self):
        example = {'prompt': 'p', 'completion': ' r\\nEND'}
        example['metadata'] = create_artifact_metadata(
            provenance=self.provenance,
            script_name=Path(__file__).name,
            artifact_type='training_data',
            seed=self.seed,
            temperature=0.7,
            max_new_tokens=150
        )
        return example

os.makedirs('artifacts', exist_ok=True)
with open('artifacts/sft_training_data_1.jsonl', 'w') as f:
    f.write(json.dumps(Generator().example()) + '\\n')

report = {'summary': {'base_accuracy': 0.85}}
report['metadata'] = create_artifact_metadata(
    provenance=provenance,
    script_name=Path(__file__).name,
    artifact_type='evaluation',
    models={'base': 'Qwen/Qwen2.5-32B', 'sft': str(SFT_CHECKPOINT)},
    dataset={'name': 'held_out_test', 'size': len(test_examples)},
    temperature=0.7,
    eval_seed=42
)
with open('artifacts/evaluation_1.json', 'w') as f:
    json.dump(report, f)

manifest, session_id = create_session_manifest(
    planned_artifacts=[
        'sft_training_data_*.jsonl (200 examples)',
        'sft_model checkpoint',
        'evaluation_*.json'
    ]
)
with open(f'artifacts/session_manifest_{session_id}.json', 'w') as f:
    json.dump(manifest, f, indent=2)
manifest['artifacts_generated'].append({'file': 'x', 'type': 'training_data', 'timestamp': 'now'})
"""


def made():
    data = json.loads(open("artifacts/sft_training_data_1.jsonl").read())
    report = json.loads(open("artifacts/evaluation_1.json").read())
    (name,) = [name for name in os.listdir("artifacts") if name.startswith("session_manifest_")]
    return data["metadata"], report["metadata"], json.loads(open(f"artifacts/{name}").read()), name


def test_script_of_the_document_runs_in_a_repository(committed, git):
    done = committed(SCRIPT)
    assert done.stderr == done.stdout == ""
    data, report, manifest, name = made()
    head = git("rev-parse", "HEAD")
    assert list(data) == [
        "git_commit", "timestamp", "loader_version", "model_name", "quantization",
        "template_disabled", "script_name", "artifact_type", "seed", "temperature", "max_new_tokens",
    ]
    assert data["git_commit"] == report["git_commit"] == manifest["git_commit"] == head
    assert data["script_name"] == "script.py" and data["quantization"] == "nf4"
    assert report["models"] == {"base": "Qwen/Qwen2.5-32B", "sft": "checkpoints/sft"}
    assert report["dataset"] == {"name": "held_out_test", "size": 12}
    assert list(manifest) == [
        "session_id", "session_start", "git_commit", "git_branch", "git_dirty",
        "environment", "planned_artifacts", "artifacts_generated",
    ]
    assert list(manifest["environment"])[:7] == [
        "hostname", "python", "torch", "transformers", "cuda", "gpu", "gpu_memory_gb",
    ]
    assert name == f"session_manifest_{manifest['session_id']}.json"
    assert manifest["git_branch"] == "main" and manifest["git_dirty"] is False
    assert manifest["session_id"] == datetime.fromisoformat(manifest["session_start"]).strftime("%Y%m%d_%H%M%S")
    assert len(data["timestamp"]) == 32 and datetime.fromisoformat(data["timestamp"]).tzinfo
    check = "git cat-file -t $(jq -r '.metadata.git_commit' artifacts/evaluation_*.json | head -1)"
    assert subprocess.check_output(["sh", "-c", check], text=True) == "commit\n"


def test_script_of_the_document_runs_outside_a_repository(tmp_path, python, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python(SCRIPT)
    data, report, manifest, _ = made()
    for metadata in (data, report):
        assert metadata["git_commit"] is None and metadata["unknown"]["git_commit"]
    assert manifest["git_commit"] is manifest["git_branch"] is manifest["git_dirty"] is None
    assert manifest["unknown"]["git_dirty"]


def test_helpers_say_what_git_says(repo, git, monkeypatch):
    assert bm.get_git_sha() == git("rev-parse", "HEAD")
    assert bm.get_git_branch() == "main"
    assert bm.check_git_dirty() is False
    (repo / "new.py").write_text("")
    assert bm.check_git_dirty() is True
    git("checkout", "--quiet", "--detach")
    assert bm.get_git_branch() is None
    assert not (repo / "artifacts").exists(), "the helpers write nothing"


def test_outside_a_repository_helpers_say_none_and_never_false(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bm.get_git_sha() is bm.get_git_branch() is bm.check_git_dirty() is None
    assert list(tmp_path.iterdir()) == []


def test_missing_provenance_is_null_with_its_reason(repo):
    mark = bm.create_artifact_metadata({"model_name": "m"}, "x.py", "training_data", quantization="nf4")
    assert mark["model_name"] == "m" and mark["quantization"] == "nf4"
    assert mark["loader_version"] is None and mark["unknown"]["loader_version"] == "not given"
    assert "quantization" not in mark["unknown"]
    told = bm.model_provenance("org/model")
    mark = bm.create_artifact_metadata(told, "x.py", "training_data")
    assert mark["unknown"]["quantization"] == told["unknown"]["quantization"]
    assert bm.create_artifact_metadata(None, "x.py", "evaluation")["model_name"] is None


def test_positional_arguments_are_the_origins(repo):
    mark = bm.create_artifact_metadata({}, "gen.py", "model")
    assert (mark["script_name"], mark["artifact_type"]) == ("gen.py", "model")
    manifest, session_id = bm.create_session_manifest(["a"])
    assert manifest["planned_artifacts"] == ["a"] and manifest["session_id"] == session_id
    assert bm.create_session_manifest()[0]["planned_artifacts"] == []


def test_helpers_are_quick_enough_for_every_record(repo):
    source = """
import time
import birthmark as bm
began = time.perf_counter()
for n in range(200):
    bm.create_artifact_metadata({}, "x.py", "training_data", seed=n)
print((time.perf_counter() - began) / 200)
"""
    (repo / "script.py").write_text(source)
    took = float(subprocess.check_output([sys.executable, "script.py"], text=True))
    assert took < 0.05
