"""What users pass as params and provenance, as plain dicts.

Params come as a dict, a dataclass, an ``argparse.Namespace``, a pydantic model, a msgspec
Struct, or anything with ``to_dict()``. Engines name the same thing in different
ways; the field's own name is written beside the engine's, which is kept.

Objects made by others often hold what no JSON can tell (callbacks, the function of a
subcommand). Such a value becomes None, with the reason; in a dict, which was written by
hand, it is an error.
"""

from __future__ import annotations

import sys

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# The engine's name of a thing -> the field's. vLLM and OpenAI; llama.cpp; Hugging Face.
SYNONYMS = {
    "max_tokens": "max_new_tokens",
    "n_predict": "max_new_tokens",
    "temp": "temperature",
}


def gather(
    provenance: Any, params: Any, fields: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Join provenance, params and own fields; the nearer one wins: fields over params over
    provenance.

    Returns:
        ``(given, reasons)``: the fields, and why some of them are None.

    Raises:
        TypeError: If ``params`` or ``provenance`` is none of the accepted kinds.
    """
    given, reasons = as_provenance(provenance)
    chosen, why = as_dict(params)
    given.update(chosen)
    reasons.update(why)
    given.update(fields)
    return given, {name: why for name, why in reasons.items() if given.get(name) is None}


def as_dict(params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return ``params`` as a dict of field names, synonyms beside, and reasons for nulls.

    Raises:
        TypeError: If it is none of the accepted kinds.
    """
    if params is None:
        return {}, {}
    by_hand, fields = _plain(params)
    reasons: dict[str, str] = {}
    if not by_hand:
        for name, value in fields.items():
            if not _is_sayable(value):
                fields[name] = None
                reasons[name] = f"JSON cannot say a {type(value).__name__}"
    for given, name in SYNONYMS.items():
        if fields.get(given) is not None and fields.get(name) is None:
            fields[name] = fields[given]
    return fields, reasons


def _plain(params: Any) -> tuple[bool, dict[str, Any]]:
    """Whether it was written by hand, and its fields."""
    if isinstance(params, dict):
        return True, _named(params)
    if isinstance(params, type):
        raise TypeError(f"params must be an object, not the class {params.__name__}")
    kind = type(params)
    names = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "__struct_fields__", None)
    if names is not None:
        # Not asdict(): it copies what it holds, and some engines hold locks.
        return False, {name: getattr(params, name) for name in names if not name.startswith("_")}
    for method in ("model_dump", "to_dict"):
        dump = getattr(params, method, None)
        if callable(dump):
            return False, _named(dump())
    argparse = sys.modules.get("argparse")
    if argparse is not None and isinstance(params, argparse.Namespace):
        return False, dict(vars(params))
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__"):
        return True, _named(params)
    raise TypeError(
        "params must be a dict, dataclass, Namespace, pydantic model, msgspec Struct or have "
        f"to_dict(), not {kind.__name__}"
    )


def _named(fields: Any) -> dict[str, Any]:
    named = dict(fields)
    for name in named:
        if not isinstance(name, str):
            raise TypeError(f"the name of a field must be a str, not {name!r}")
    return named


def _is_sayable(value: Any) -> bool:
    if value is None or type(value) in (bool, int, float, str):
        return True
    try:
        _native._encode(value)
    except (TypeError, RecursionError):
        return False
    return True


def as_provenance(provenance: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return provenance as a dict, and of its nulls the reasons that were told with it.

    Raises:
        TypeError: If it is neither a mapping nor stands for a model.
    """
    if provenance is None:
        return {}, {}
    if not hasattr(type(provenance), "keys"):
        from ._provenance import model_provenance

        provenance = model_provenance(provenance)
    known = _named(provenance)
    # A loader's provenance has the reasons as an attribute, a birthmark as a field.
    reasons = dict(getattr(provenance, "unknown", None) or {})
    reasons.update(known.pop("unknown", None) or {})
    return known, {name: str(why) for name, why in reasons.items()}
