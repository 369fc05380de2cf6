"""Records that carry a birthmark are read, filtered and written again: by the writer, or as a table.

The older birthmark tells where a record was born, the younger one who wrote it; `jq`, `show` and
`find` tell alike which model and params made it.
"""

import json

import birthmark as bm
import pytest


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def stamped(repo):
    """Six records of a model and seeds, stamped by a session that is over."""
    with bm.session(params={"temperature": 0.7}, provenance={"model_name": "teacher"}) as s:
        with s.jsonl("artifacts/x.jsonl") as out:
            for number in range(6):
                out.write({"id": number}, seed=number)
    return repo / "artifacts" / "x.jsonl"


def test_what_passes_through_the_writer_is_of_the_model_that_made_it(stamped, repo, birthmark):
    records = lines(stamped)
    with bm.session() as s:
        with s.jsonl("artifacts/one.jsonl") as out:
            out.write(records[2])
        with s.jsonl("artifacts/many.jsonl") as out:
            out.write_many(records[3:])
    (one,) = lines(repo / "artifacts" / "one.jsonl")
    assert one["metadata"] == records[2]["metadata"]
    both = ("model_name", "seed", "temperature")
    assert [one["birthmark"][name] for name in both] == ["teacher", 2, 0.7]
    assert one["birthmark"]["session_id"] == s.id != one["metadata"]["session_id"]
    assert "model_name" not in one["birthmark"]["unknown"]
    seeds = [record["birthmark"]["seed"] for record in lines(repo / "artifacts" / "many.jsonl")]
    assert seeds == [3, 4, 5]
    found = birthmark("find", "model~teacher", "--columns", "file,seed")
    assert [line.split()[0] for line in found.splitlines() if "artifacts/" in line] == [
        "artifacts/many.jsonl", "artifacts/one.jsonl", "artifacts/x.jsonl"
    ]  # fmt: skip
    told = birthmark("show", "artifacts/one.jsonl:1")
    assert "model    teacher" in told and "seed 2  temperature 0.7" in told
    born = records[2]["metadata"]["session_id"][:20]
    (line,) = [line for line in told.splitlines() if line.startswith("born")]
    assert born in line
    assert json.loads(birthmark("show", "--json", "artifacts/one.jsonl:1"))["born"]["seed"] == 2


def test_a_run_that_says_which_model_it_used_is_not_mixed_with_the_older_one(stamped, repo):
    with bm.session(provenance={"model_name": "student"}) as s:
        with s.jsonl("artifacts/again.jsonl") as out:
            out.write(lines(stamped)[1])
    (again,) = lines(repo / "artifacts" / "again.jsonl")
    assert again["birthmark"]["model_name"] == "student"
    assert "seed" not in again["birthmark"] and "temperature" not in again["birthmark"]


@pytest.mark.parametrize("within", [True, False])
def test_a_table_of_stamped_records_is_written(stamped, repo, within):
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pylist(lines(stamped)[2:4])
    path = repo / "artifacts" / "table.jsonl"

    def write(**more):
        if not within:
            return bm.to_jsonl(table, path, mode="w", **more)
        with bm.session():
            return bm.to_jsonl(table, path, mode="w", **more)

    write()
    merged = lines(path)
    assert [record["metadata"]["seed"] for record in merged] == [2, 3]
    assert [record["birthmark"]["seed"] for record in merged] == [2, 3]
    assert merged[0]["birthmark"]["model_name"] == "teacher"
    write(on_existing="keep")
    assert [sorted(record) for record in lines(path)] == [["id", "metadata"]] * 2
    write(on_existing="replace")
    replaced = lines(path)
    assert [sorted(record) for record in replaced] == [["id", "metadata"]] * 2
    assert replaced[0]["metadata"]["model_name"] is None
    with pytest.raises(bm.UsageError) as refused:
        write(on_existing="error")
    assert str(path) in str(refused.value) and ".birthmark-" not in str(refused.value)
    assert 'on_existing="keep"' in refused.value.hint
    assert lines(path) == replaced
    with pytest.raises(ValueError, match="on_existing must be"):
        write(on_existing="marge")
