"""Provenance of a model in the origin's keys, from whatever stands for the model.

What cannot be seen is None, and ``unknown`` says why. Nothing is imported that is not
imported already.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEYS = (
    "loader_version",
    "model_name",
    "quantization",
    "template_disabled",
    "sentinel_tests_passed",
    "add_special_tokens",
)


def is_model(x: Any) -> bool:
    """Whether :func:`model_provenance` can say more of ``x`` than nothing."""
    return (
        isinstance(x, (str, os.PathLike))
        or hasattr(x, "provenance")
        or hasattr(x, "llm_engine")
        or hasattr(x, "name_or_path")
        or hasattr(getattr(x, "config", None), "to_dict")
    )


def model_provenance(x: Any) -> dict[str, Any]:
    """Return the origin's provenance keys for a model.

    Args:
        x: A loader or model with ``provenance``, a path (GGUF file, checkpoint folder), a hub
            id, a vLLM engine (``vllm.LLM``) or a transformers model or tokenizer.

    Returns:
        A dict with the six keys ``loader_version``, ``model_name``, ``quantization``,
        ``template_disabled``, ``sentinel_tests_passed``, ``add_special_tokens``, and more where
        it is known (``model_revision``, ``model_digest``, ``chat_template_digest``). What cannot
        be seen is None, and ``unknown`` maps its name to the reason.

    Raises:
        TypeError: If ``x`` stands for no model.
        OSError: If ``x`` is a path that is there and cannot be read.

    Example:
        >>> model_provenance("Qwen/Qwen2.5-32B")["model_name"]
        'Qwen/Qwen2.5-32B'
    """
    known: dict[str, Any] = dict.fromkeys(KEYS)
    if isinstance(x, (str, os.PathLike)):
        known.update(_of_name(os.fspath(x)))
        seen = "a name or path"
    elif hasattr(x, "provenance"):
        given = x.provenance() if callable(x.provenance) else x.provenance
        known.update(given)
        known["unknown"] = {**getattr(given, "unknown", {}), **known.get("unknown", {})}
        seen = "what the loader told"
    elif hasattr(x, "llm_engine"):
        known.update(_of_vllm(x))
        seen = "a vLLM engine"
    elif is_model(x):
        known.update(_of_transformers(x))
        seen = f"a {type(x).__name__}"
    else:
        raise TypeError(f"cannot tell which model a {type(x).__name__} is")
    told = known.pop("unknown", {})
    unknown = {
        name: str(told.get(name, f"cannot be seen from {seen}"))
        for name, value in known.items()
        if value is None
    }
    if unknown:
        known["unknown"] = unknown
    return known


def _of_name(name: str) -> dict[str, Any]:
    if not os.path.exists(name):
        return {"model_name": name}
    from . import digest_file

    whole = os.path.normpath(os.path.abspath(name))
    known: dict[str, Any] = {
        "model_name": os.path.basename(whole),
        "model_digest": digest_file(name),
    }
    if whole.endswith(".gguf"):
        from .loaders.gguf import GgufError, read_gguf

        try:
            known["quantization"] = read_gguf(name).quantization()
        except GgufError as error:
            known["unknown"] = {"quantization": str(error)}
    return known


def _of_vllm(llm: Any) -> dict[str, Any]:
    config = getattr(llm.llm_engine, "model_config", None)
    if config is None:
        config = getattr(getattr(llm.llm_engine, "vllm_config", None), "model_config", None)
    known: dict[str, Any] = {
        "model_name": getattr(config, "model", None),
        "quantization": getattr(config, "quantization", None) or _dtype(config),
    }
    revision = getattr(config, "revision", None)
    if revision is not None:
        known["model_revision"] = revision
    return known


def _of_transformers(x: Any) -> dict[str, Any]:
    config = getattr(x, "config", None)
    name = getattr(x, "name_or_path", None) or getattr(config, "_name_or_path", None)
    known: dict[str, Any] = {"model_name": name or None}
    revision = getattr(config, "_commit_hash", None)
    if revision is not None:
        known["model_revision"] = revision
    quantized = getattr(config, "quantization_config", None)
    if quantized is not None:
        known["quantization"] = _quantization(quantized)
    else:
        known["quantization"] = _dtype(x) or _dtype(config)
    if hasattr(x, "chat_template"):
        known["template_disabled"] = x.chat_template is None
    return known


def _quantization(config: Any) -> str | None:
    fields = config if isinstance(config, dict) else getattr(config, "__dict__", {})
    if fields.get("load_in_4bit") or fields.get("_load_in_4bit"):
        return fields.get("bnb_4bit_quant_type") or "4bit"
    if fields.get("load_in_8bit") or fields.get("_load_in_8bit"):
        return "int8"
    method = fields.get("quant_method")
    return None if method is None else str(getattr(method, "value", method))


def _dtype(x: Any) -> str | None:
    dtype = getattr(x, "dtype", None) or getattr(x, "torch_dtype", None)
    if dtype is None:
        return None
    name = str(dtype).rsplit(".", 1)[-1]
    return {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}.get(name, name)
