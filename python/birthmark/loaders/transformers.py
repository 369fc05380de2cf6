"""Hugging Face models, through an installed transformers and torch.

Purpose: complete token ids with the chat template taken off the tokenizer, and
report the generation settings in force, those of the model's own
`generation_config` included.

Invariants: torch and transformers are imported here, when a model is opened.
`tokenizer.chat_template` is set to None, so that applying it raises; a copy of
the text is kept only so that a sentinel can show that it would differ.
Code from a model's repository is never trusted.

Limits: one sequence at a time. 4-bit `nf4` needs bitsandbytes and a GPU.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .digest import digest_file
from .errors import LoaderError, MissingEngineError
from .llama import Answer

if TYPE_CHECKING:
    from .clean import CleanModelLoader, Provenance

_DTYPES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}
_NAMES = {f"torch.{full}": short for short, full in _DTYPES.items()}


def open_transformers(loader: CleanModelLoader, provenance: Provenance) -> TransformersEngine:
    """Open the folder or hub id of `loader` and note quantization, revision and digest."""
    _require(loader.quantization)
    import torch
    import transformers

    where = {"revision": loader.model_revision, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(loader.model, **where)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            loader.model, **where, **_weights(loader.quantization, torch, transformers), **loader.options
        )
    except (OSError, ValueError) as error:
        raise LoaderError(f"transformers cannot load {loader.model}: {error}") from error
    model.eval()
    provenance.learn("quantization", quantization_of(model), "the model states neither a quantization nor a dtype")
    _identify(loader, model, provenance)
    return TransformersEngine(model, tokenizer, loader.n_ctx)


def _require(quantization: str | None) -> None:
    needed = ["torch", "transformers"] + (["bitsandbytes", "accelerate"] if quantization == "nf4" else [])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingEngineError(
            f"{' and '.join(missing)} missing, needed for a Hugging Face model; try: pip install {' '.join(missing)}"
            "   (a GGUF file needs only xllamacpp)"
        )


def _weights(quantization: str | None, torch: Any, transformers: Any) -> dict[str, Any]:
    """Arguments of `from_pretrained` for the quantization that was asked for."""
    if quantization is None:
        return {}
    if quantization == "nf4":
        compute = torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float16
        config = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute
        )
        return {"quantization_config": config, "device_map": "auto"}
    if quantization not in _DTYPES:
        raise LoaderError(f"quantization {quantization!r} is not one of nf4, {', '.join(_DTYPES)}")
    older = tuple(int(part) for part in transformers.__version__.split(".")[:2]) < (4, 56)
    return {"torch_dtype" if older else "dtype": getattr(torch, _DTYPES[quantization])}


def quantization_of(model: Any) -> str | None:
    """What the loaded model itself says: `nf4`, `fp4`, `int8`, another method's name, or its dtype."""
    config = getattr(getattr(model, "config", None), "quantization_config", None)
    if config is None:
        dtype = str(getattr(model, "dtype", ""))
        return _NAMES.get(dtype, dtype.removeprefix("torch.") or None)
    said = config if isinstance(config, dict) else config.to_dict()
    if said.get("load_in_4bit"):
        return str(said.get("bnb_4bit_quant_type") or "int4")
    if said.get("load_in_8bit"):
        return "int8"
    method, bits = said.get("quant_method"), said.get("bits")
    method = getattr(method, "value", method)
    return f"{method}-{bits}bit" if method and bits else (str(method) if method else None)


def _identify(loader: CleanModelLoader, model: Any, provenance: Provenance) -> None:
    """Revision for a model of the hub; digest for a folder with one file of weights."""
    folder = Path(loader.model)
    if not folder.is_dir():
        revision = getattr(model.config, "_commit_hash", None) or loader.model_revision
        provenance.learn("model_revision", revision, "transformers did not keep the revision")
        return
    weights = sorted(folder.glob("*.safetensors"))
    if len(weights) == 1:
        provenance.learn("model_digest", digest_file(weights[0]))
    else:
        provenance.learn(
            "model_digest",
            None,
            f"{len(weights)} safetensors files in the folder: give it to `s.use`, which digests all",
        )


class TransformersEngine:
    """A causal language model and its tokenizer, with the chat template off."""

    def __init__(self, model: Any, tokenizer: Any, n_ctx: int) -> None:
        import transformers

        self.name = f"transformers {transformers.__version__}"
        self._model, self._tokenizer, self._n_ctx = model, tokenizer, n_ctx
        template = getattr(tokenizer, "chat_template", None)
        self.chat_template = template if isinstance(template, str) else None
        tokenizer.chat_template = None
        added = getattr(tokenizer, "added_tokens_decoder", {})
        self.special_tokens = {i: str(token) for i, token in added.items() if getattr(token, "special", False)}

    def tokenize(self, text: str, add_special_tokens: bool = False, parse_special: bool = False) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=add_special_tokens, split_special_tokens=not parse_special)
        return [int(i) for i in encoded["input_ids"]]

    def render_template(self, text: str) -> str:
        """The user turn `text` in the template that was taken off; only a sentinel asks for it."""
        turns = [{"role": "user", "content": text}]
        return str(
            self._tokenizer.apply_chat_template(
                turns, chat_template=self.chat_template, tokenize=False, add_generation_prompt=True
            )
        )

    def complete(self, ids: list[int], settings: dict[str, Any]) -> Answer:
        import torch
        import transformers

        asked = dict(settings)
        transformers.set_seed(asked.pop("seed"))
        stop = asked.pop("stop", [])
        if stop:
            asked["stop_strings"], asked["tokenizer"] = stop, self._tokenizer
        prompt = torch.tensor([ids], device=self._model.device)
        seen: list[list[int]] = []
        hook = self._model.register_forward_pre_hook(_note_first(seen), with_kwargs=True)
        try:
            with torch.inference_mode():
                out = self._model.generate(
                    prompt, attention_mask=torch.ones_like(prompt), pad_token_id=self._pad(), **asked
                )
        finally:
            hook.remove()
        new = out[0].tolist()[len(ids) :]
        text = _before_stop(self._decode(new, skip_special_tokens=True), stop)
        if not seen:
            return Answer(text, None, len(new), None, self._in_force(settings))
        return Answer(text, len(seen[0]), len(new), self._decode(seen[0]), self._in_force(settings))

    def _decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return str(
            self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False)
        )

    def _in_force(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The library's defaults, the model's own settings over them, and over both what was asked."""
        config = self._model.generation_config
        library: dict[str, Any] = getattr(config, "_get_default_generation_params", dict)()
        stated = {name: value for name, value in config.to_dict().items() if value is not None}
        return {**library, **stated, **settings}

    def _pad(self) -> int | None:
        config = self._model.generation_config
        end = config.eos_token_id
        end = end[0] if isinstance(end, list) else end
        pad: int | None = end if config.pad_token_id is None else config.pad_token_id
        return pad

    def close(self) -> None:
        self._model = self._tokenizer = None


def _note_first(seen: list[list[int]]) -> Any:
    """A hook that keeps the token ids of the first forward pass: what the model really evaluates."""

    def note(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        if not seen and ids is not None:
            seen.append(ids[0].tolist())

    return note


def _before_stop(text: str, stop: list[str]) -> str:
    """`text` up to the first stop string, which transformers leaves in."""
    cuts = [at for at in (text.find(word) for word in stop) if at >= 0]
    return text[: min(cuts)] if cuts else text
