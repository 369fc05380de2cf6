"""Stamping a batch of records in memory: no file, no session, no look at the machine.

What works on more data than one machine holds (Spark, Ray, Dask, `datasets.map`) calls this in
each of its workers, with a birthmark that the driver made once (:func:`birthmark.capture`).

Limits: of an Arrow array the bytes are copied once on the way in.
"""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping
    from typing import Any


_SHORT = 2**31 - 1
"""Bytes that a column of the short types can hold."""


def stamp_batch(records: Any, birthmark: Mapping[str, Any], *, on_existing: str = "error") -> Any:
    """Return the records, each with the birthmark; the same gives the same, always.

    Args:
        records: JSON objects as text: a list of ``str`` or ``bytes``; ``bytes`` with one record
            a line; or an Arrow column of text or binary (pyarrow, or of anything that
            exports the Arrow C data interface, as Polars does).
        birthmark: What :func:`birthmark.capture` gives, or another with ``birthmark`` in it.
        on_existing: ``"error"``, ``"merge"``, ``"replace"`` or ``"keep"``, as for
            :func:`birthmark.stamp`.

    Returns:
        What was given, of the same kind; Arrow columns as pyarrow's. Nulls and empty lines
        stay what they are, and no byte of a record is spelled anew.

    Raises:
        ValueError: If a record is no JSON object or has a birthmark already (it is named by its
            place), or ``birthmark`` is none.
        TypeError: If the records are no text.
    """
    import json

    spelled = json.dumps(birthmark, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return _each(records, spelled.encode(), on_existing)


def unstamp_batch(records: Any) -> Any:
    """Return the records as they were before :func:`stamp_batch`, byte for byte."""
    return _each(records, None, "error")


def _each(records: Any, birthmark: bytes | None, on_existing: str) -> Any:
    if isinstance(records, (bytes, bytearray, memoryview)):
        return _lines(bytes(records), birthmark, on_existing)
    if isinstance(records, (str, dict)):
        raise TypeError(
            f"records must be a list of JSON texts, bytes with one record a line, or an Arrow column, "
            f"not a {type(records).__name__}: put one record into a list"
        )
    if isinstance(records, (list, tuple)):
        return _list(records, birthmark, on_existing)
    return _arrow(records, birthmark, on_existing)


def _batch(
    parts: list[bytes], birthmark: bytes | None, on_existing: str
) -> tuple[bytes, array[int]]:
    from array import array
    from itertools import accumulate

    offsets = array("q", accumulate(map(len, parts), initial=0))
    made, ends = _native.batch(b"".join(parts), offsets.tobytes(), birthmark, on_existing)
    places = array("q")
    places.frombytes(ends)
    return made, places


def _list(records: Any, birthmark: bytes | None, on_existing: str) -> list[Any]:
    for place, one in enumerate(records):
        if not isinstance(one, (str, bytes, bytearray, memoryview, type(None))):
            raise TypeError(
                f"record {place} of the batch is a {type(one).__name__}, and records are JSON texts: "
                "json.dumps(record)"
            )
    parts = [b"" if one is None else one.encode() if isinstance(one, str) else one for one in records]
    made, ends = _batch(parts, birthmark, on_existing)
    given = zip(records, (made[a:b] for a, b in zip(ends, ends[1:])))
    return [None if was is None else now.decode() if isinstance(was, str) else now for was, now in given]


def _lines(text: bytes, birthmark: bytes | None, on_existing: str) -> bytes:
    mark = b"\xef\xbb\xbf" if text.startswith(b"\xef\xbb\xbf") else b""
    # A line end is no part of a record: each stands as a part of its own between two records.
    parts: list[bytes] = []
    for line in _by_newline(text[len(mark) :]):
        record = line.rstrip(b"\r\n")
        parts += (record, line[len(record) :])
    return mark + _batch(parts, birthmark, on_existing)[0]


def _by_newline(text: bytes) -> list[bytes]:
    """Lines as JSONL has them: a carriage return alone ends none."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def _arrow(records: Any, birthmark: bytes | None, on_existing: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(records, pa.ChunkedArray):
        chunks = [_arrow(chunk, birthmark, on_existing) for chunk in records.chunks]
        return pa.chunked_array(chunks, type=None if chunks else records.type)
    if hasattr(records, "__arrow_c_stream__") and not hasattr(records, "__arrow_c_array__"):
        return _arrow(pa.chunked_array(records), birthmark, on_existing)
    column = records if isinstance(records, pa.Array) else pa.array(records)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    view = getattr(pa.types, "is_string_view", lambda _: False)(column.type)
    if not (text or view or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise TypeError(f"records must be text or binary, not {column.type}")
    wide = pa.large_string() if text or view else pa.large_binary()
    filled = column.cast(wide).fill_null("" if text or view else b"")
    if filled.offset:
        # A slice lies within the buffers of its array: this lays it out for itself.
        filled = pa.concat_arrays([filled, pa.array([], wide)])
    _, offsets, data = filled.buffers()
    places = b"" if offsets is None else offsets.to_pybytes()[: 8 * (len(filled) + 1)]
    bytes_ = b"" if data is None else data.to_pybytes()
    made, ends = _native.batch(bytes_, places, birthmark, on_existing)
    stamped = pa.Array.from_buffers(wide, len(column), [None, pa.py_buffer(ends), pa.py_buffer(made)])
    if column.null_count:
        stamped = pc.if_else(column.is_valid(), stamped, pa.scalar(None, wide))
    # Text of the short type holds two gigabytes at most.
    return stamped if len(made) > _SHORT else stamped.cast(column.type)
