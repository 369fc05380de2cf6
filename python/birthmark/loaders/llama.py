"""GGUF models through an installed llama.cpp binding: xllamacpp or llama_cpp.

Purpose: complete token ids, say what was evaluated and which settings were
in force, and render the chat template only to show that it would differ.

Invariants: prompts go to the engine as token ids, so nothing can be wrapped
round them. Settings are those that the engine reports, never a list of ours.
The engine listens on the loopback address only, and no proxy is asked.

Limits: one sequence at a time; text only.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import struct
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from .errors import LoaderError, MissingEngineError
from .gguf import Gguf, read_gguf

_CONTROL_TOKEN = 3
_TOKENS, _TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_HOW = (
    "no llama.cpp binding is installed for this GGUF model; "
    "try: pip install xllamacpp   (or: pip install llama-cpp-python, which compiles)"
)


@dataclass(frozen=True)
class Answer:
    """What an engine gave back for one prompt."""

    text: str
    #: Prompt tokens that the engine says it evaluated; None where it does not say.
    prompt_tokens: int | None
    new_tokens: int
    #: The prompt as the engine saw it, turned back into text; None where it does not say.
    engine_prompt: str | None
    #: Every setting that the engine says was in force.
    settings: dict[str, Any] = field(repr=False)


def open_gguf(path: str, n_ctx: int, n_threads: int | None, options: dict[str, Any]) -> Any:
    """Open the GGUF file at `path` with whichever binding is installed."""
    header = read_gguf(path, keep=(_TOKENS, _TYPES))
    if importlib.util.find_spec("xllamacpp") is not None:
        return XllamaEngine(path, header, n_ctx, n_threads, options)
    if importlib.util.find_spec("llama_cpp") is not None:
        return LlamaCppEngine(path, header, n_ctx, n_threads, options)
    raise MissingEngineError(_HOW)


def special_tokens(header: Gguf) -> dict[int, str]:
    """The control tokens of the model's vocabulary by their number."""
    tokens, kinds = header.metadata.get(_TOKENS), header.metadata.get(_TYPES)
    if not isinstance(tokens, list) or not isinstance(kinds, list):
        return {}
    return {i: text for i, (text, kind) in enumerate(zip(tokens, kinds, strict=False)) if kind == _CONTROL_TOKEN}


def plain_float(value: Any) -> Any:
    """A 32-bit float as the shortest decimal that means it: 0.7, not 0.699999988079071."""
    if not isinstance(value, float) or value != value or value in (float("inf"), float("-inf")):
        return value
    single = struct.pack("<f", value)
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == single:
            return short
    return value


class XllamaEngine:
    """A llama.cpp server inside this process, through `xllamacpp`."""

    def __init__(self, path: str, header: Gguf, n_ctx: int, n_threads: int | None, options: dict[str, Any]) -> None:
        import xllamacpp

        self.name = f"xllamacpp {_version('xllamacpp')}"
        self.chat_template = header.chat_template
        self.special_tokens = special_tokens(header)
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = n_ctx, 1, False, -1
        if n_threads is not None:
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_threads
        for name, value in options.items():
            if not hasattr(params, name):
                raise LoaderError(
                    f"xllamacpp knows no option `{name}`; its options are the fields of xllamacpp.CommonParams"
                )
            setattr(params, name, value)
        try:
            self._server = xllamacpp.Server(params)
        except Exception as error:
            raise LoaderError(
                f"xllamacpp cannot load {path}: {error}; is the file whole, and of a kind that it knows?"
            ) from error
        # No proxy may stand between this process and its own engine.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with self._open(request, timeout=3600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode("utf-8", "replace")
            raise LoaderError(f"the engine refused {path}: {_message(said)}") from None

    def tokenize(self, text: str, add_special_tokens: bool = False, parse_special: bool = False) -> list[int]:
        body = {"content": text, "add_special": add_special_tokens, "parse_special": parse_special}
        return list(self._ask("/tokenize", body)["tokens"])

    def render_template(self, text: str) -> str:
        """The user turn `text` in the model's chat template; only a sentinel asks for it."""
        return str(self._ask("/apply-template", {"messages": [{"role": "user", "content": text}]})["prompt"])

    def complete(self, ids: list[int], settings: dict[str, Any]) -> Answer:
        said = self._ask("/completion", {"prompt": ids, "cache_prompt": True, **_llama_names(settings)})
        in_force = {name: plain_float(value) for name, value in said["generation_settings"].items()}
        return Answer(said["content"], said["tokens_evaluated"], said["tokens_predicted"], said.get("prompt"), in_force)

    def close(self) -> None:
        self._server = None


class LlamaCppEngine:
    """A model in this process, through `llama_cpp` (llama-cpp-python)."""

    def __init__(self, path: str, header: Gguf, n_ctx: int, n_threads: int | None, options: dict[str, Any]) -> None:
        import llama_cpp

        self.name = f"llama-cpp-python {_version('llama-cpp-python') or getattr(llama_cpp, '__version__', '')}".strip()
        self.chat_template = header.chat_template
        self.special_tokens = special_tokens(header)
        self._template_ends = (
            header.metadata.get("tokenizer.ggml.bos_token_id"),
            header.metadata.get("tokenizer.ggml.eos_token_id"),
        )
        try:
            self._llama = llama_cpp.Llama(model_path=path, n_ctx=n_ctx, n_threads=n_threads, verbose=False, **options)
        except Exception as error:
            raise LoaderError(f"llama_cpp cannot load {path}: {error}") from error

    def tokenize(self, text: str, add_special_tokens: bool = False, parse_special: bool = False) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=add_special_tokens, special=parse_special))

    def render_template(self, text: str) -> str:
        """The user turn `text` in the model's chat template; only a sentinel asks for it."""
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        begin, end = (self.special_tokens.get(i, "") if isinstance(i, int) else "" for i in self._template_ends)
        formatter = Jinja2ChatFormatter(template=self.chat_template or "", eos_token=end, bos_token=begin)
        return str(formatter(messages=[{"role": "user", "content": text}]).prompt)

    def complete(self, ids: list[int], settings: dict[str, Any]) -> Answer:
        asked = {{"n_predict": "max_tokens"}.get(name, name): value for name, value in _llama_names(settings).items()}
        said = self._llama.create_completion(prompt=ids, **asked)
        usage = said["usage"]
        in_force = {**_defaults(self._llama.create_completion), **asked}
        seen = self._evaluated(usage["prompt_tokens"])
        return Answer(said["choices"][0]["text"], usage["prompt_tokens"], usage["completion_tokens"], seen, in_force)

    def _evaluated(self, count: int) -> str | None:
        """The first `count` tokens that the engine holds as evaluated, as text."""
        held = getattr(self._llama, "_input_ids", None)
        if held is None or len(held) < count:
            return None
        return str(self._llama.detokenize([int(i) for i in held[:count]], special=True).decode("utf-8", "replace"))

    def close(self) -> None:
        close = getattr(self._llama, "close", None)
        if close is not None:
            close()


def _llama_names(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings under llama.cpp's names; greedy is a temperature of 0 there."""
    named = {"n_predict" if name == "max_new_tokens" else name: value for name, value in settings.items()}
    if not named.pop("do_sample", True):
        named["temperature"] = 0.0
    return named


def _defaults(function: Any) -> dict[str, Any]:
    """The plain defaults in the signature of the engine's own function."""
    found = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in found if isinstance(p.default, (int, float, str, list)) and p.name != "model"}


def _message(said: str) -> str:
    try:
        return str(json.loads(said)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return said


def _version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
