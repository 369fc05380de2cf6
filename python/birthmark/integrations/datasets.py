"""Hugging Face ``datasets``: loading stamped files of any sessions together."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

_CHUNK = 8 << 20


def features(paths: Iterable[str]) -> Any:
    """Return ``datasets.Features`` that fit all records of stamped JSONL files.

    The birthmark (``metadata``) is one JSON column; the types of all other columns are
    inferred from all records of all files, nulls and late columns included.
    """
    import pyarrow as pa
    from datasets import Features, Json
    from pyarrow import json as pa_json

    schemas = []
    stamped = False
    for path in paths:
        for chunk, has_metadata in _chunks(path):
            stamped = stamped or has_metadata
            schemas.append(pa_json.read_json(io.BytesIO(chunk)).schema)
    schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    found = dict(Features.from_arrow_schema(schema))
    if stamped:
        found["metadata"] = Json()
    return Features(found)


def _chunks(path: str) -> Iterator[tuple[bytes, bool]]:
    """The records without ``metadata``, some megabytes at a time."""
    lines: list[bytes] = []
    size, stamped = 0, False
    with open(path, "rb") as file:
        for line in file:
            if not line.strip():
                continue
            record = json.loads(line)
            stamped = record.pop("metadata", None) is not None or stamped
            lines.append(json.dumps(record).encode() + b"\n")
            size += len(line)
            if size >= _CHUNK:
                yield b"".join(lines), stamped
                lines, size = [], 0
    if lines:
        yield b"".join(lines), stamped
