"""Digests of model files and of chat templates, in Birthmark's form `algorithm:hex`.

Invariants: Birthmark's own digest is taken where its native part is there;
without it SHA-256, and the prefix says which.
"""

from __future__ import annotations

import hashlib
import os


def digest_file(path: str | os.PathLike[str]) -> str:
    """The digest of the bytes of the file at `path`. Raises OSError."""
    try:
        from birthmark import digest_file as native
    except ImportError:
        return _sha256_file(path)
    return str(native(os.fspath(path)))


def digest_text(text: str) -> str:
    """The SHA-256 of `text` in UTF-8: anybody can check it against a tokenizer's own file."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sha256_file(path: str | os.PathLike[str]) -> str:
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return "sha256:" + state.hexdigest()
