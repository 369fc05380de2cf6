"""Stamped files of different sessions load together with Hugging Face datasets.

    pip install 'birthmark[test-datasets]'
"""

import math
import warnings

import pytest

import birthmark as bm

try:
    import datasets
except ImportError:
    datasets = None
    warnings.warn("Hugging Face datasets is not installed: pip install 'birthmark[test-datasets]'", stacklevel=1)

pytestmark = pytest.mark.skipif(
    datasets is None, reason="Hugging Face datasets is missing: pip install 'birthmark[test-datasets]'"
)


@pytest.fixture
def two_files(repo, git):
    """Two sessions: detached HEAD and on a branch, other params, other types, nulls first."""
    git("checkout", "--quiet", "--detach")
    with bm.session() as s, s.jsonl("artifacts/a.jsonl", fields="all") as out:
        out.write({"prompt": "p", "score": None, "n": 1}, temperature=0.7)
        out.write({"prompt": "q", "score": None, "n": 2})
    git("checkout", "--quiet", "main")
    with bm.session(seed=1, quantization="nf4") as s, s.jsonl("artifacts/b.jsonl", fields="all") as out:
        out.write({"prompt": "r", "score": 0.5, "n": 3, "late": ["x"]}, own={"deep": 1})
    return ["artifacts/a.jsonl", "artifacts/b.jsonl"]


def load(files, tmp_path, **options):
    return datasets.load_dataset(
        "json", data_files=files, split="train", cache_dir=str(tmp_path / "cache"), **options
    )


def test_files_of_different_sessions_load_together(two_files, tmp_path):
    loaded = load(two_files, tmp_path, features=bm.hf_features(*two_files))
    assert loaded["prompt"][:] == ["p", "q", "r"]
    assert loaded["score"][:] == [None, None, 0.5]
    assert loaded["n"][:] == [1, 2, 3]
    first, _, last = (row["metadata"] for row in loaded)
    assert first["temperature"] == pytest.approx(0.7) and first["git_branch"] is None
    assert last["own"] == {"deep": 1} and last["quantization"] == "nf4"


def test_they_do_not_without_it(two_files, tmp_path):
    """Why `hf_features` exists; when this fails, it may go."""
    with pytest.raises(Exception):  # noqa: B017 - whatever datasets raises
        rows = load(two_files, tmp_path)
        assert rows[0]["metadata"]["git_branch"] is None
        assert rows[2]["metadata"]["own"] == {"deep": 1}
        assert "own" not in rows[0]["metadata"]


def test_files_without_birthmarks_are_left_as_they_are(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2.5, "b": "x"}\n')
    features = bm.hf_features(tmp_path / "a.jsonl")
    assert set(features) == {"a", "b"}


def test_records_with_nan_load_too(repo, tmp_path):
    with bm.session() as s, s.jsonl("artifacts/a.jsonl") as out:
        out.write({"x": math.nan})
        out.write({"x": 1.0})
    features = bm.hf_features("artifacts/a.jsonl")
    assert features["x"].dtype in ("float64", "double")
