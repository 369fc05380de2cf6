"""What a GGUF file says about itself: metadata, tensor types, quantization.

Purpose: learn a model's quantization, chat template and special tokens from the
file, with the standard library alone.

Invariants: the header is never trusted. Every count, length and nesting depth
is checked against a limit and against the size of the file before anything is
allocated; a file that breaks one raises :class:`GgufError` that says where.
Tensor data is never read.

Limits: GGUF versions 2 and 3, little-endian. Of an array only its type and
count are kept, unless its key is asked for.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

MAX_METADATA = 65_536
MAX_TENSORS = 1_000_000
MAX_KEY_BYTES = 65_535
MAX_STRING_BYTES = 16 << 20
MAX_ARRAY_ITEMS = 1 << 24
MAX_DEPTH = 4
MAX_DIMENSIONS = 8

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

#: Names of tensor types by their number in the file.
TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
    23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip

#: Names of mixes by `general.file_type`: what the maker of the file called it.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip


class GgufError(ValueError):
    """The file is not a GGUF file that can be read; the message says where."""


@dataclass(frozen=True)
class ArrayInfo:
    """An array whose items were passed over."""

    item_type: int
    count: int


@dataclass(frozen=True)
class Gguf:
    """The header of one GGUF file."""

    version: int
    #: Key to value. An array is a list if it was asked for, else an :class:`ArrayInfo`.
    metadata: dict[str, Any]
    #: (name, type name, number of elements) of each tensor, in file order.
    tensors: list[tuple[str, str, int]] = field(repr=False)

    @property
    def chat_template(self) -> str | None:
        """The chat template that the file carries, or None."""
        text = self.metadata.get("tokenizer.chat_template")
        return text if isinstance(text, str) else None

    def dominant_type(self) -> str | None:
        """The type that holds most elements of the block weights (embeddings and norms apart)."""
        totals: dict[str, int] = {}
        outside: dict[str, int] = {}
        for name, kind, elements in self.tensors:
            if name.startswith(("token_embd", "output.")) or "norm" in name:
                outside[kind] = outside.get(kind, 0) + elements
            else:
                totals[kind] = totals.get(kind, 0) + elements
        totals = totals or outside
        return max(totals, key=lambda kind: totals[kind]) if totals else None

    def quantization(self) -> str | None:
        """The quantization by the tensors' own types, such as `Q4_1` or `Q4_K_M`.

        The finer name of `general.file_type` is taken only where the tensors bear it out: a
        converter that copies metadata leaves a stale one behind.
        """
        said = self.metadata.get("general.file_type")
        named = FILE_TYPES.get(said) if isinstance(said, int) else None
        found = self.dominant_type()
        if found is None:
            return named
        return named if named is not None and _bears_out(found, named) else found


def _bears_out(found: str, named: str) -> bool:
    """Whether tensors mostly of type `found` may rightly be called the mix `named`."""
    if found == named or named.startswith(found + "_"):
        return True
    bits = re.match(r"IQ\d", found)
    return bits is not None and named.startswith(bits[0])


class _Reader:
    """Reads little-endian values and refuses what the file cannot hold."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.at = file, size, 0

    def take(self, count: int, what: str) -> bytes:
        if count > self.size - self.at:
            raise GgufError(f"{what} at byte {self.at} needs {count} bytes, the file has {self.size - self.at} more")
        data = self.file.read(count)
        if len(data) != count:
            raise GgufError(f"{what} at byte {self.at}: the file became shorter while it was read")
        self.at += count
        return data

    def skip(self, count: int, what: str) -> None:
        if count > self.size - self.at:
            raise GgufError(f"{what} at byte {self.at} needs {count} bytes, the file has {self.size - self.at} more")
        self.file.seek(count, os.SEEK_CUR)
        self.at += count

    def number(self, code: str, what: str) -> Any:
        packed = struct.Struct("<" + code)
        return packed.unpack(self.take(packed.size, what))[0]

    def limited(self, code: str, limit: int, what: str) -> int:
        value = int(self.number(code, what))
        if value > limit:
            raise GgufError(f"{what} before byte {self.at} is {value}, more than the limit of {limit}")
        return value

    def text(self, limit: int, what: str) -> str:
        length = self.limited("Q", limit, f"length of {what}")
        return self.take(length, what).decode("utf-8", "replace")

    def value(self, kind: int, key: str, keep: bool, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind], f"value of {key!r}")
        if kind == _STRING:
            return self.text(MAX_STRING_BYTES, f"value of {key!r}")
        if kind == _ARRAY:
            return self.array(key, keep, depth)
        raise GgufError(f"value of {key!r} has the unknown type {kind}")

    def array(self, key: str, keep: bool, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            raise GgufError(f"value of {key!r} is nested deeper than {MAX_DEPTH}")
        kind = self.number("I", f"item type of {key!r}")
        count = self.limited("Q", MAX_ARRAY_ITEMS, f"item count of {key!r}")
        if kind in _SCALARS:
            return self.scalars(_SCALARS[kind], kind, count, key, keep)
        if keep:
            return [self.value(kind, key, True, depth + 1) for _ in range(count)]
        for _ in range(count):
            if kind == _STRING:
                self.skip(self.limited("Q", MAX_STRING_BYTES, f"item of {key!r}"), f"item of {key!r}")
            else:
                self.value(kind, key, False, depth + 1)
        return ArrayInfo(kind, count)

    def scalars(self, code: str, kind: int, count: int, key: str, keep: bool) -> Any:
        width = struct.calcsize("<" + code)
        if not keep:
            self.skip(width * count, f"items of {key!r}")
            return ArrayInfo(kind, count)
        return list(struct.unpack(f"<{count}{code}", self.take(width * count, f"items of {key!r}")))


def read_gguf(path: str | os.PathLike[str], keep: Iterable[str] = ()) -> Gguf:
    """Read the header of the GGUF file at `path`; `keep` names the arrays whose items are wanted.

    Raises :class:`GgufError` where the file is not one, is cut short, or breaks a limit.
    """
    wanted = frozenset(keep)
    with Path(path).open("rb") as file:
        reader = _Reader(file, os.fstat(file.fileno()).st_size)
        try:
            return _read(reader, wanted)
        except GgufError as error:
            raise GgufError(f"{os.fspath(path)}: {error}") from None


def _read(reader: _Reader, wanted: frozenset[str]) -> Gguf:
    if reader.take(min(4, reader.size), "magic") != b"GGUF":
        raise GgufError("does not start with GGUF")
    version = reader.number("I", "version")
    if version not in (2, 3):
        reason = "is big-endian" if version and version & 0xFFFF == 0 else f"has format version {version}"
        raise GgufError(f"{reason}; versions 2 and 3, little-endian, are read")
    tensor_count = reader.limited("Q", MAX_TENSORS, "tensor count")
    metadata: dict[str, Any] = {}
    for _ in range(reader.limited("Q", MAX_METADATA, "metadata count")):
        key = reader.text(MAX_KEY_BYTES, "metadata key")
        metadata[key] = reader.value(reader.number("I", f"type of {key!r}"), key, key in wanted)
    return Gguf(version, metadata, [_tensor(reader) for _ in range(tensor_count)])


def _tensor(reader: _Reader) -> tuple[str, str, int]:
    name = reader.text(MAX_KEY_BYTES, "tensor name")
    elements = 1
    for _ in range(reader.limited("I", MAX_DIMENSIONS, f"dimensions of {name!r}")):
        elements *= reader.number("Q", f"dimension of {name!r}")
    kind = reader.number("I", f"type of {name!r}")
    reader.skip(8, f"offset of {name!r}")
    return name, TENSOR_TYPES.get(kind, f"type_{kind}"), elements
