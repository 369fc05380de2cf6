"""Files that other tools wrote are stamped, read back by those tools, and unstamped."""

from __future__ import annotations

import gzip
import json
import os

import birthmark as bm
import pytest

MARKS = ("--type", "model", "--set", "seed=7")


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


def test_tables_by_pyarrow_keep_their_rows_and_the_keys_of_others(repo, birthmark):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"id": list(range(5000)), "text": [f"é{n}" for n in range(5000)]})
    keyed = table.replace_schema_metadata({"huggingface": "{}", "c2pa:manifest": "x"})
    many = table.replace_schema_metadata({f"k{n}": "v" * n for n in range(40)})
    empty = pa.table({"id": pa.array([], pa.int64())})
    for name, data in [("a", keyed), ("b", table), ("c", many), ("d", empty)]:
        path = repo / f"{name}.parquet"
        pq.write_table(data, path, row_group_size=1000, store_schema=name != "b")
        original = path.read_bytes()
        before = pq.read_metadata(path)
        birthmark("stamp", path.name, *MARKS, "--in-place")
        after = pq.read_metadata(path)
        keys = dict(after.metadata)
        assert json.loads(keys.pop(b"birthmark"))["seed"] == 7
        assert keys == dict(before.metadata or {})
        assert after.num_row_groups == before.num_row_groups
        assert after.created_by == before.created_by
        assert pq.read_table(path).equals(data)
        assert path.read_bytes().startswith(original)
        assert "seed 7" in birthmark("show", path.name)
        birthmark("unstamp", path.name, "--out", "u.parquet")
        assert (repo / "u.parquet").read_bytes() == original
        (repo / "u.parquet").unlink()
    birthmark("stamp", "c.parquet", *MARKS, "--in-place", "--on-existing", "replace")
    assert (repo / "c.parquet").read_bytes().count(b"birthmark/v1") == 1
    birthmark("unstamp", "c.parquet", "--in-place", status=2)
    # Another tool writes the table anew and carries the key on.
    pq.write_table(pq.read_table(repo / "b.parquet"), repo / "e.parquet")
    assert b"birthmark" in pq.read_metadata(repo / "e.parquet").metadata
    birthmark("unstamp", "e.parquet", "--out", "f.parquet")
    assert b"birthmark" not in pq.read_metadata(repo / "f.parquet").metadata
    assert pq.read_table(repo / "f.parquet").equals(table)


def test_other_readers_of_tables_agree(repo, birthmark):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"n": [1, 2, 3], "t": ["a", None, "c"]}, index=[5, 6, 7])
    frame.to_parquet(repo / "p.parquet")
    birthmark("stamp", "p.parquet", *MARKS, "--in-place")
    assert pd.read_parquet(repo / "p.parquet").equals(frame)
    try:
        import polars
    except ImportError:
        pass
    else:
        assert polars.read_parquet(repo / "p.parquet")["n"].to_list() == [1, 2, 3]
        polars.DataFrame({"n": [1, 2]}).write_parquet(repo / "q.parquet")
        birthmark("stamp", "q.parquet", *MARKS, "--in-place")
        assert polars.read_parquet(repo / "q.parquet")["n"].to_list() == [1, 2]
    try:
        import duckdb
    except ImportError:
        return
    for name in ("p.parquet", "q.parquet"):
        if (repo / name).exists():
            path = str(repo / name)
            rows = duckdb.sql(f"SELECT sum(n) FROM '{path}'").fetchall()
            assert rows[0][0] in (6, 3)
            keys = duckdb.sql(f"SELECT key FROM parquet_kv_metadata('{path}')").fetchall()
            assert (b"birthmark",) in keys


def test_hostile_tables_are_refused_and_stay_as_they_are(repo, birthmark):
    footer = b"\x19\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
    bombs = {
        "short": b"PAR1",
        "nothing": b"PAR1" + bytes(4) + b"PAR1",
        "long": b"PAR1" + b"\xff\xff\xff\xff" + b"PAR1",
        "bomb": b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1",
        "encrypted": b"PARE" + bytes(20) + b"PARE",
        "torn": b"PAR1" + bytes(50),
        "text": b"id,name\n1,a\n2,bb\n",
    }
    for name, data in bombs.items():
        path = repo / f"{name}.parquet"
        path.write_bytes(data)
        birthmark("stamp", path.name, *MARKS, "--in-place", status=2)
        assert path.read_bytes() == data


def test_a_file_that_was_packed_since_is_held_against_its_text(repo, birthmark):
    with bm.session() as session, session.jsonl("artifacts/a.jsonl") as out:
        for number in range(20):
            out.write({"n": number})
    text = (repo / "artifacts/a.jsonl").read_bytes()
    (repo / "artifacts/b.jsonl.gz").write_bytes(gzip.compress(text))
    said = birthmark("verify", "artifacts/b.jsonl.gz")
    assert "its text was recorded as artifacts/a.jsonl, and is packed here" in " ".join(said.split())
    (repo / "artifacts/c.jsonl.gz").write_bytes(gzip.compress(text.replace(b'"n": 7', b'"n": 8')))
    assert "cannot tell" in birthmark("verify", "artifacts/c.jsonl.gz", status=2)


def test_what_cannot_be_read_is_said_with_what_to_do_now(repo):
    whole = gzip.compress(b'{"n": 1}\n' * 1000)
    cases = {
        "cut.jsonl.gz": (whole[:20], "copy it again"),
        "cut.json": (b'{"a": [1', "make it or copy it again"),
        "cut.safetensors": (b"\x64" + bytes(7) + b"{", "copy it again"),
        "cut.parquet": (b"PAR1 rows", "copy it again"),
        "cut.gguf": (b"GGUF\x03\0", "copy it again"),
    }
    for name, (data, hint) in cases.items():
        (repo / name).write_bytes(data)
        with pytest.raises(bm.errors.DamagedError, match=hint):
            bm.read(repo / name)
    os.mkfifo(repo / "pipe.jsonl")
    for path in (repo / "pipe.jsonl", "/dev/zero"):
        with pytest.raises(bm.errors.StoreError, match="into a file, and name that"):
            bm.read(path)
    (repo / "list.json").write_text("[1, 2]")
    assert bm.read(repo / "list.json") is None
