"""Models and datasets that are loaded by name stand in the lineage by that name and revision."""

import json
import subprocess
import sys

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"

#: Small packages of the shape that the real ones have, as far as Birthmark looks at it.
PACKAGES = {
    "huggingface_hub/__init__.py": "",
    "huggingface_hub/constants.py": "import os\nHF_HUB_CACHE = os.environ['FAKE_HUB']\n",
    "transformers/__init__.py": "import huggingface_hub.constants\n",
    "transformers/modeling_utils.py": """
class PreTrainedModel:
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, config=None, revision="main", **kwargs):
        if "none" in pretrained_model_name_or_path:
            raise OSError(f"no model {pretrained_model_name_or_path}")
        return cls()
class TinyForCausalLM(PreTrainedModel):
    pass
""",
    "transformers/tokenization_utils_base.py": """
class PreTrainedTokenizerBase:
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, revision="main", **kwargs):
        return cls()
""",
    "transformers/models/__init__.py": "",
    "transformers/models/auto/__init__.py": """
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
""",
    "transformers/models/auto/auto_factory.py": """
class _BaseAutoModelClass:
    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        from transformers.modeling_utils import TinyForCausalLM
        kwargs["revision"] = "resolved"
        return TinyForCausalLM.from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
""",
    "transformers/models/auto/modeling_auto.py": """
import types
from transformers.models.auto.auto_factory import _BaseAutoModelClass
class AutoModelForCausalLM(_BaseAutoModelClass):
    # The real ones have a copy of the function each.
    f = _BaseAutoModelClass.from_pretrained.__func__
    from_pretrained = classmethod(types.FunctionType(f.__code__, f.__globals__))
""",
    "datasets/__init__.py": """
from datasets.load import load_dataset, load_dataset_builder, load_from_disk
from datasets.arrow_dataset import Dataset
""",
    "datasets/arrow_dataset.py": """
class Dataset:
    @staticmethod
    def load_from_disk(dataset_path, keep_in_memory=None):
        return Dataset()
""",
    "datasets/builder.py": """
import os, types
class DatasetBuilder:
    def __init__(self, path, name, data_files, revision):
        hub = data_files is None
        self.config = types.SimpleNamespace(name=name or "default", data_files=None)
        if data_files is not None:
            self.config.data_files = {"train": [os.path.abspath(one) for one in data_files]}
        else:
            self.config.data_files = {"train": [f"hf://datasets/{path}@x/train.parquet"]}
        self.repo_id = path if hub else None
        self.hash = "%s" if hub else "d78d59"
        kind = path.replace("/", "___")
        self.cache_dir = os.path.join(os.environ["FAKE_HUB"], f"{kind}/default/0.0.0/{self.hash}")
        os.makedirs(self.cache_dir, exist_ok=True)
        arrow = os.path.join(self.cache_dir, "train.arrow")
        if not os.path.exists(arrow):
            open(arrow, "w").write("rows")
            open(os.path.join(self.cache_dir, "dataset_info.json"), "w").write('{"dataset_name": "x"}')
    def as_dataset(self, split=None, in_memory=False):
        return [1, 2]
    def as_streaming_dataset(self, split=None):
        return iter([1, 2])
""" % COMMIT,
    "datasets/load.py": """
from datasets.builder import DatasetBuilder
from datasets.arrow_dataset import Dataset
def load_dataset_builder(path, name=None, data_files=None, revision=None):
    return DatasetBuilder(path, name, data_files, revision)
def load_dataset(path, name=None, split=None, data_files=None, revision=None, streaming=False):
    builder = load_dataset_builder(path=path, name=name, data_files=data_files, revision=revision)
    if streaming:
        return builder.as_streaming_dataset(split=split)
    return builder.as_dataset(split=split)
def load_from_disk(dataset_path):
    return Dataset.load_from_disk(dataset_path)
""",
}
IMPORTS = """
from datasets import load_dataset, load_from_disk
from transformers.models.auto import AutoModelForCausalLM
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.modeling_utils import PreTrainedModel
"""
LOADS = """
    load_dataset("json", data_files=["train.jsonl"], split="train")
    load_dataset("acme/set", "easy", revision="v2")
    load_dataset("acme/set", "easy", revision="v2", streaming=True)
    load_from_disk("saved")
    AutoModelForCausalLM.from_pretrained("acme/tiny", revision="v1")
    PreTrainedTokenizerBase.from_pretrained("acme/tiny", revision="v1")
    PreTrainedModel.from_pretrained("local_model")
    PreTrainedModel.from_pretrained("acme/elsewhere")
    try:
        PreTrainedModel.from_pretrained("acme/none")
    except OSError as error:
        assert str(error) == "no model acme/none"
    else:
        raise AssertionError("it failed without us")
"""


@pytest.fixture
def packages(repo, git, tmp_path_factory, monkeypatch):
    """The packages outside of the project, a hub's cache, and data in the project."""
    place, hub = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("hub")
    for name, text in PACKAGES.items():
        path = place / "lib/python3.99/site-packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    model = hub / "models--acme--tiny"
    (model / "refs").mkdir(parents=True)
    (model / "refs/v1").write_text(COMMIT)
    (model / "snapshots" / COMMIT).mkdir(parents=True)
    (model / "snapshots" / COMMIT / "model.safetensors").write_text("weights")
    for folder in ("saved", "local_model"):
        (repo / folder).mkdir()
        (repo / folder / "data").write_text(folder)
    (repo / "train.jsonl").write_text('{"a": 1}\n')
    monkeypatch.setenv("PYTHONPATH", str(place / "lib/python3.99/site-packages"))
    monkeypatch.setenv("FAKE_HUB", str(hub))
    return hub


def by_name(store):
    used = [event["input"] for event in store.events("artifact_used")]
    return {one.get("name") or one["file"]: one for one in used}


def script(early):
    session = "with bm.session() as s:"
    inside = IMPORTS.strip().replace("\n", "\n    ")
    if early:
        return f"import birthmark as bm\n{IMPORTS}\n{session}{LOADS}"
    return f"import birthmark as bm\n{session}\n    {inside}{LOADS}"


@pytest.mark.parametrize("early", [True, False], ids=["imported before", "imported within"])
def test_what_is_loaded_by_name_is_an_input_by_that_name(repo, packages, committed, store, early):
    committed(script(early))
    seen = by_name(store)
    assert sorted(seen) == [
        "acme/elsewhere", "acme/set", "acme/tiny", "local_model", "saved", "train.jsonl",
    ]
    model = seen["acme/tiny"]
    assert (model["role"], model["model_revision"], model["asked_revision"]) == ("model", COMMIT, "v1")
    assert model["called"] == [
        "AutoModelForCausalLM.from_pretrained", "PreTrainedTokenizerBase.from_pretrained",
    ]
    assert model["file"] == str(packages / "models--acme--tiny/snapshots" / COMMIT)
    assert model["digest"].startswith("blake3:")
    hub = seen["acme/set"]
    assert (hub["role"], hub["version_sha"], hub["asked_revision"]) == ("dataset", COMMIT, "v2")
    assert (hub["config"], hub["file"]) == ("easy", str(packages / "acme___set/default/0.0.0" / COMMIT))
    local = seen["train.jsonl"]
    assert (local["role"], local["split"], local["called"]) == ("dataset", "train", ["datasets.load_dataset"])
    assert local["cached_in"].startswith(str(packages / "json"))
    assert seen["local_model"]["role"] == "model" and seen["saved"]["role"] == "dataset"
    lost = seen["acme/elsewhere"]
    assert (lost["digest"], lost["digest_unknown"]) == (None, "cannot tell where it lies")
    assert len(store.events("artifact_used")) == len(seen), "each once"


def test_under_run_a_name_is_told_once_and_its_files_are_not(repo, packages, program, store):
    (repo / "script.py").write_text(script(early=False))
    done = subprocess.run(
        [program, "run", "--", sys.executable, "script.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(by_name(store)) == len(store.events("artifact_used")) == 6
    (lineage,) = store.events("lineage_observed")
    if "preload" not in lineage["observed_by"]:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    assert lineage["state"] == "complete"


def test_without_a_session_the_caches_themselves_name_what_they_hold(repo, packages, program, store):
    cache = packages / "acme___set/default/0.0.0" / COMMIT
    cache.mkdir(parents=True)
    (cache / "dataset_info.json").write_text('{"dataset_name": "set"}')
    (cache / "set-train.arrow").write_text("rows")
    weights = packages / "models--acme--tiny/snapshots" / COMMIT / "model.safetensors"
    words = ["cat", weights, cache / "set-train.arrow", cache / "dataset_info.json"]
    subprocess.run([program, "run", "--", *words], check=True, capture_output=True, timeout=120)
    if "preload" not in store.events("lineage_observed")[0]["observed_by"]:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    seen = by_name(store)
    assert sorted(seen) == ["acme/set", "acme/tiny"]
    assert seen["acme/set"]["version_sha"] == seen["acme/tiny"]["model_revision"] == COMMIT


def test_wrappers_are_gone_with_the_session_and_note_nothing_after(repo, packages, python, store):
    python(
        "import birthmark as bm, datasets, transformers.modeling_utils as m\n"
        "before = datasets.load.load_dataset_builder, vars(m.PreTrainedModel)['from_pretrained']\n"
        "with bm.session(lineage=True):\n"
        "    kept = m.PreTrainedModel.from_pretrained\n"
        "    assert vars(m.PreTrainedModel)['from_pretrained'] is not before[1]\n"
        "after = datasets.load.load_dataset_builder, vars(m.PreTrainedModel)['from_pretrained']\n"
        "assert before == after\n"
        "kept('local_model')\n"
        "with bm.session(lineage=False):\n"
        "    assert vars(m.PreTrainedModel)['from_pretrained'] is before[1]\n"
    )
    assert store.events("artifact_used") == []


def test_a_library_of_another_shape_is_left_alone(repo, packages, python, store):
    python(
        "import sys, types\n"
        "odd = types.ModuleType('datasets.load')\n"
        "odd.load_dataset_builder = 7\n"
        "class PreTrainedModel: from_pretrained = None\n"
        "other = types.ModuleType('transformers.modeling_utils')\n"
        "other.PreTrainedModel = PreTrainedModel\n"
        "sys.modules.update({'datasets.load': odd, 'transformers.modeling_utils': other})\n"
        "import birthmark as bm\n"
        "with bm.session(): pass\n"
        "assert odd.load_dataset_builder == 7\n"
    )
    assert len(store.events("lineage_observed")) == 1


def test_the_real_datasets_from_its_cache_is_seen(repo, python, store, tmp_path_factory):
    pytest.importorskip("datasets", reason="this test needs datasets")
    (repo / "train.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    home = tmp_path_factory.mktemp("hf")
    source = (
        "import birthmark as bm\nfrom datasets import load_dataset\n"
        "with bm.session():\n"
        "    assert len(load_dataset('json', data_files='train.jsonl', split='train')) == 2\n"
    )
    for _ in range(2):  # the second time from its cache, without opening the file
        python(source, env={"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"})
    used = [event["input"] for event in store.events("artifact_used")]
    assert [(one["role"], one["file"]) for one in used] == [("dataset", "train.jsonl")] * 2
    assert used[0]["digest"] == used[1]["digest"]
    assert json.dumps(used).count("cached_in") == 2
