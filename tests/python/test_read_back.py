"""What was stamped is read by the tools that people read it with, as they read the original.

Each tool reads the file before and after: the same records, and the birthmark beside them. A
tool that is not installed is skipped aloud: pip install pandas polars duckdb pyarrow datasets.
"""

import gzip
import importlib
import json
import random
import shutil
import subprocess
import warnings

import pytest

LINES = [
    '{"id": 1, "text": "plain", "n": 0.10, "big": 9007199254740993}',
    '{"id":2,"text":"\\u00e9\\/slash\\ud83d\\ude00 \u2028","n":1E2,"big":2}',
    '  {"text": "a\\tb \\"q\\" \\\\", "id": 3, "n": -0.5, "big": 3 }  ',
    '{"id":4,"text":"","n":1e-7,"big":-9223372036854775808}',
]


def by_pandas(module, path):
    frame = module.read_json(path, lines=True, encoding="utf-8-sig")
    return frame.astype(object).to_dict("records")


def by_polars(module, path):
    return module.read_ndjson(path).to_dicts()


def by_duckdb(module, path):
    found = module.sql(f"SELECT * FROM read_json('{path}', format='newline_delimited')")
    return [dict(zip(found.columns, row)) for row in found.fetchall()]


def by_pyarrow(module, path):
    return importlib.import_module("pyarrow.json").read_json(path).to_pylist()


def by_datasets(module, path):
    return list(
        module.load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / f"cache-{random.random()}"))
    )


def by_jq(_, path):
    done = subprocess.run(["jq", "-c", "."], stdin=open(path, "rb"), check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_python(_, path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line]


READERS = {
    "pandas": by_pandas,
    "polars": by_polars,
    "duckdb": by_duckdb,
    "pyarrow": by_pyarrow,
    "datasets": by_datasets,
    "jq": by_jq,
    "json": by_python,
}
# Polars takes no byte order mark; neither does it without Birthmark.
NO_MARK = {"polars"}


def reader(name):
    """The reader, or a skip that is seen."""
    there = shutil.which(name) is not None if name == "jq" else True
    module = None
    if name not in ("jq", "json"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            there = False
    if not there:
        warnings.warn(f"{name} is not installed: what is stamped was not read by it", stacklevel=2)
        pytest.skip(f"SKIPPED: {name} is not installed")
    return lambda path: READERS[name](module, path)


@pytest.fixture
def stamp(repo, program):
    def call(name, *more):
        done = subprocess.run(
            [program, "stamp", name, "--type", "t", "--set", "seed=7", "--set-text", "text=é/\u2028\"", "--in-place", *more],
            cwd=repo, capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr

    return call


def normal(rows):
    """Rows as JSON has them: readers give numbers and times in classes of their own."""
    plain = lambda value: value.isoformat() if hasattr(value, "isoformat") else float(value)  # noqa: E731
    spelled = [json.dumps(row, sort_keys=True, default=plain) for row in rows]
    return [json.loads(text) for text in spelled]


@pytest.mark.parametrize("shape", ["plain", "crlf and byte order mark", "no last line end"])
@pytest.mark.parametrize("name", READERS)
def test_records_of_any_spelling_are_read_as_before(name, shape, repo, stamp):
    read = reader(name)
    if shape.startswith("crlf") and name in NO_MARK:
        pytest.skip("it takes no byte order mark at all")
    path = repo / "a.jsonl"
    text = "\n".join(LINES) + "\n"
    if shape.startswith("crlf"):
        text = "\ufeff" + text.replace("\n", "\r\n")
    path.write_bytes((text if shape != "no last line end" else text[:-1]).encode())
    before = normal(read(path))
    assert [row["id"] for row in before] == [1, 2, 3, 4]
    stamp("a.jsonl")
    after = normal(read(path))
    assert [row.pop("metadata")["seed"] for row in after] == [7] * len(LINES)
    assert after == before


@pytest.mark.parametrize("name", READERS)
def test_what_datasets_writes_comes_back_to_the_byte_and_is_read_by_all(name, repo, stamp, program):
    datasets = pytest.importorskip("datasets", reason="SKIPPED: datasets is not installed")
    read = reader(name)
    rows = {"id": list(range(50)), "text": [f"https://a/b/{n}?é\n" for n in range(50)]}
    datasets.Dataset.from_dict(rows).to_json(repo / "d.jsonl")
    original = (repo / "d.jsonl").read_bytes()
    assert rb"https:\/\/a\/b\/1" in original, "it escapes the slash"
    stamp("d.jsonl")
    made = read(repo / "d.jsonl")
    assert [row["text"] for row in made] == rows["text"]
    assert {row["metadata"]["seed"] for row in made} == {7}
    subprocess.run([program, "unstamp", "d.jsonl", "--out", "u.jsonl"], cwd=repo, check=True, capture_output=True)
    assert (repo / "u.jsonl").read_bytes() == original


@pytest.mark.parametrize("name", ["pandas", "polars", "duckdb", "datasets"])
def test_packed_records_are_read_as_before(name, repo, stamp):
    read = reader(name)
    path = repo / "a.jsonl.gz"
    path.write_bytes(gzip.compress("".join(line.strip() + "\n" for line in LINES).encode()))
    before = normal(read(path))
    stamp("a.jsonl.gz")
    after = normal(read(path))
    assert [row.pop("metadata")["seed"] for row in after] == [7] * len(LINES)
    assert after == before
