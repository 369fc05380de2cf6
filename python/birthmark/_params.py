"""What users pass as params, as a plain dict.

Params come as a dict, a dataclass, an ``argparse.Namespace``, a pydantic model, a msgspec
Struct, or anything with ``to_dict()``. Engines name the same thing in different
ways; the field's own name is written beside the engine's, which is kept.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

# The engine's name of a thing -> the field's. vLLM and OpenAI; llama.cpp; Hugging Face.
SYNONYMS = {
    "max_tokens": "max_new_tokens",
    "n_predict": "max_new_tokens",
    "temp": "temperature",
}


def as_dict(params: Any) -> dict[str, Any]:
    """Return ``params`` as a dict of field names, with synonyms written beside.

    Raises:
        TypeError: If it is none of the accepted kinds.
    """
    fields = _plain(params)
    for given, name in SYNONYMS.items():
        if given in fields and name not in fields:
            fields[name] = fields[given]
    return fields


def _plain(params: Any) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return dict(params)
    if dataclasses.is_dataclass(params) and not isinstance(params, type):
        # Not asdict(): it copies what it holds, and some engines hold locks.
        return {f.name: getattr(params, f.name) for f in dataclasses.fields(params)}
    struct_fields = getattr(type(params), "__struct_fields__", None)
    if struct_fields is not None:
        return {name: getattr(params, name) for name in struct_fields if not name.startswith("_")}
    for method in ("model_dump", "to_dict"):
        dump = getattr(params, method, None)
        if callable(dump):
            return dict(dump())
    argparse = sys.modules.get("argparse")
    if argparse is not None and isinstance(params, argparse.Namespace):
        return dict(vars(params))
    raise TypeError(
        "params must be a dict, dataclass, Namespace, pydantic model, msgspec Struct or have "
        f"to_dict(), not {type(params).__name__}"
    )


def as_provenance(provenance: Any) -> dict[str, Any]:
    """Return provenance as a dict; of a loader's, the reasons for its nulls too."""
    if provenance is None:
        return {}
    from ._provenance import is_model, model_provenance

    if not isinstance(provenance, Mapping) and is_model(provenance):
        provenance = model_provenance(provenance)
    return dict(provenance)


def gather(provenance: Any, params: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Join provenance, params and own fields; the nearer one wins: fields over params over
    provenance."""
    return {**as_provenance(provenance), **as_dict(params), **fields}
