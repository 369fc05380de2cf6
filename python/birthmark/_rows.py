"""The rows of a table as records, with nothing of them lost.

The writers of pandas, and of datasets by it, are not used for JSONL: they round floats to ten decimals
and times to milliseconds, and say so nowhere. That of Polars spells all there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import _native

#: Rows that are taken out of a table at once.
CHUNK = 4096


def write_rows(frame: Any, family: str, path: str) -> None:
    """Write each row of a table of pandas, pyarrow or datasets as one line of JSON.

    Args:
        frame: The table.
        family: The library that it is of.
        path: The file, which is made.

    Raises:
        TypeError: If a value has no obvious form in JSON; the message names the row and the column.
        ValueError: If two columns have one name.
    """
    with open(path, "wb") as file:
        for number, row in enumerate(_rows(frame, family), 1):
            try:
                line = _native._encode(row, False)
            except (TypeError, ValueError) as error:
                raise type(error)(f"row {number}: {error}") from error
            file.write(line + b"\n")


def _rows(frame: Any, family: str) -> Iterator[dict[Any, Any]]:
    if family == "pandas":
        return _of_pandas(frame)
    if family == "datasets":
        return _of_arrow(frame.with_format("arrow").iter(CHUNK))
    return _of_arrow(frame.to_batches(max_chunksize=CHUNK))


def _of_arrow(batches: Iterable[Any]) -> Iterator[dict[Any, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _of_pandas(frame: Any) -> Iterator[dict[Any, Any]]:
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"the column {twice!r} is there twice: a record can have it once only")
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK]
        columns = [_cells(part.iloc[:, place]) for place in range(part.shape[1])]
        if not columns:
            yield from ({} for _ in range(len(part)))
        for cells in zip(*columns, strict=True):
            yield dict(zip(part.columns, cells, strict=True))


def _cells(column: Any) -> list[Any]:
    """The values of a column; what is missing is None, as for pandas' own ``to_json``."""
    # As they are: a float32 that became a Python float would be spelled with digits it never had.
    is_short = str(column.dtype) in ("float32", "float16")
    cells = list(column.to_numpy()) if is_short else column.tolist()
    missing = column.isna()
    if missing.any():
        cells = [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
    return cells
