"""Tables of other libraries as JSONL: nothing of a value is lost on the way."""

from __future__ import annotations

import json

import pytest

import birthmark as bm

FLOATS = [1e-11, 6.6e-10, 1 / 3, 0.1 + 0.2, 1e300, 5e-324]


def records(path):
    read = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "metadata"} for record in read]


def test_a_pandas_frame_keeps_all_digits_times_and_zones(repo):
    pd = pytest.importorskip("pandas")
    times = pd.to_datetime(["2026-01-02 03:04:05.123456789"] * 6).tz_localize("Europe/Berlin")
    frame = pd.DataFrame({"f": FLOATS, "t": times, "n": range(6), "s": ["ü/", None, "c", "", "d", "e"]})
    frame["short"] = pd.Series([0.1] * 6, dtype="float32")
    frame["maybe"] = pd.Series([1, None, 2**62 + 1, 3, 4, 5], dtype="Int64")
    frame["kind"] = pd.Categorical(["a", "b", None, "a", "a", "b"])
    path = bm.to_jsonl(frame, repo / "a.jsonl")
    made = records(path)
    assert [record["f"] for record in made] == FLOATS
    assert {record["t"] for record in made} == {"2026-01-02T03:04:05.123456789+01:00"}
    assert [record["s"] for record in made] == ["ü/", None, "c", "", "d", "e"]
    assert {record["short"] for record in made} == {0.1}
    assert [record["maybe"] for record in made] == [1, None, 2**62 + 1, 3, 4, 5]
    assert [record["kind"] for record in made] == ["a", "b", None, "a", "a", "b"]
    assert [record["n"] for record in made] == list(range(6))


def test_more_rows_than_are_taken_at_once_come_in_their_order(repo):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": range(10_000)}, index=range(10_000, 0, -1))
    made = records(bm.to_jsonl(frame, repo / "many.jsonl"))
    assert [record["n"] for record in made] == list(range(10_000))


def test_what_has_no_obvious_form_is_refused_with_its_row_and_nothing_is_left(repo):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"n": [1, 2], "raw": ["x", b"\x00"]})
    with pytest.raises(TypeError, match=r"row 2: .*raw"):
        bm.to_jsonl(frame, repo / "a.jsonl")
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ValueError, match="the column 'a' is there twice"):
        bm.to_jsonl(twice, repo / "a.jsonl")
    assert not list(repo.glob("*.jsonl*"))


def test_a_dataset_and_a_pyarrow_table_keep_all_digits(repo):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"f": FLOATS, "n": [2**53 + 1] * 6})
    assert records(bm.to_jsonl(table, repo / "arrow.jsonl")) == table.to_pylist()
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_dict({"f": FLOATS, "x": [{"y": [f]} for f in FLOATS]})
    assert records(bm.stamp_dataset(dataset, repo / "set.jsonl")) == list(dataset)


def test_a_polars_frame_keeps_all_digits(repo):
    pl = pytest.importorskip("polars")
    made = records(bm.to_jsonl(pl.DataFrame({"f": FLOATS}), repo / "polars.jsonl"))
    assert [record["f"] for record in made] == FLOATS
