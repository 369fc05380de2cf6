"""Files that other tools wrote are stamped, read back by those tools, and unstamped."""

from __future__ import annotations

import gzip
import json
import subprocess

import pytest

MARKS = ("--type", "model", "--set", "seed=7")


@pytest.fixture
def birthmark(repo, program):
    """Call the program in the project; its status must be ``status``."""

    def call(*args, status=0):
        done = subprocess.run(
            [program, *args], cwd=repo, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return call


def test_weights_by_safetensors_keep_their_tensors_and_keys(repo, birthmark):
    np = pytest.importorskip("numpy")
    safetensors = pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    tensors = {"w": np.arange(600, dtype=np.float32).reshape(20, 30), "b": np.ones(7, np.int8)}
    for name, keys in [("a", {"format": "pt", "c2pa:manifest": "x"}), ("b", None)]:
        path = repo / f"{name}.safetensors"
        save_file(tensors, path, metadata=keys)
        original = path.read_bytes()
        birthmark("stamp", path.name, *MARKS, "--in-place")
        with safetensors.safe_open(path, "np") as read:
            metadata = read.metadata()
            assert json.loads(metadata.pop("birthmark"))["seed"] == 7
            assert metadata == (keys or {})
            for key, tensor in tensors.items():
                assert (read.get_tensor(key) == tensor).all()
        assert path.read_bytes()[-len(original) + 300 :] == original[300:]
        birthmark("unstamp", path.name, "--in-place")
        assert path.read_bytes() == original


def test_packed_jsonl_is_read_by_python_and_verified_in_its_session(repo, birthmark):
    text = "".join(json.dumps({"id": n, "x": float("nan"), "u": "é/"}) + "\n" for n in range(500))
    with gzip.open(repo / "a.jsonl.gz", "wt") as out:
        out.write(text)
    birthmark("session", "start")
    birthmark("stamp", "a.jsonl.gz", *MARKS, "--in-place")
    birthmark("session", "end")
    with gzip.open(repo / "a.jsonl.gz", "rt") as read:
        records = [json.loads(line) for line in read]
    assert [record["id"] for record in records] == list(range(500))
    assert {record["metadata"]["seed"] for record in records} == {7}
    assert "FAILED" not in birthmark("verify", "a.jsonl.gz")
    data = gzip.decompress((repo / "a.jsonl.gz").read_bytes())
    (repo / "a.jsonl.gz").write_bytes(gzip.compress(data.replace(b'"id": 7,', b'"id": 8,')))
    verdict = birthmark("verify", "a.jsonl.gz", status=1)
    assert "bytes changed" in verdict
    assert "its text without birthmarks is not what was recorded" in verdict
