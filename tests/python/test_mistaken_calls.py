"""What a call says that was meant for another function, or for a line that is not there."""

from __future__ import annotations

import os

import pytest

import birthmark as bm


class DataFrame:
    """Stands for a table of whatever package."""


def test_stamp_of_a_table_names_the_functions_that_write_one() -> None:
    with pytest.raises(TypeError, match="DataFrame: bm.to_parquet"):
        bm.stamp(DataFrame())  # type: ignore[arg-type]


def test_reading_a_line_that_is_not_there_is_no_answer_of_unstamped(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert bm.read(path, 1) is None
    assert bm.read(path, 2) is None
    for line in (-1, 0, 4, 3000):
        with pytest.raises(bm.UsageError, match=f"no line {line}"):
            bm.read(path, line)


def test_reading_what_is_no_file_is_no_answer_of_unstamped(tmp_path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    os.symlink("nowhere", tmp_path / "b.jsonl")
    for name in ("a.jsonl", "b.jsonl"):
        with pytest.raises(bm.StoreError, match="cannot read"):
            bm.read(tmp_path / name)


def test_fault_of_a_line_is_told_once(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')
    with pytest.raises(bm.DamagedError) as error:
        bm.read(path)
    assert str(error.value).count("invalid UTF-8") == 1
