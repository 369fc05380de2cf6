"""CleanModelLoader: a model for raw completion only, and proof that no chat template sneaks in.

Purpose: load, run the sentinels, and hand back the model with its provenance.

Invariants: a prompt reaches the model as the token ids of its own text, and
each completion is checked for that. `provenance` holds what was observed; a
value that could not be learned is None, and `provenance.unknown` says why.

Limits: engines are imported when they are used, never before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ContaminatedModelError, LoaderError
from .sampling import effective
from .sentinels import Sentinel, all_passed, run_sentinels
from .version import loader_version

#: The engines draw a random seed when they are given this one or a negative one.
_RANDOM_SEED = 0xFFFF_FFFF


class Provenance(dict[str, Any]):
    """The origin's keys and a few more; `unknown` maps a key that is None to the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: dict[str, str] = {}

    def learn(self, key: str, value: Any, reason: str | None = None) -> None:
        """Set `key`; a None is kept with its `reason`."""
        self[key] = value
        if value is None:
            self.unknown[key] = reason or "not known"


@dataclass(frozen=True)
class Completion:
    """One completion and what was in force for it."""

    text: str
    #: Prompt tokens that the engine evaluated; equal to those that were sent.
    prompt_tokens: int | None
    new_tokens: int
    #: Effective sampling settings, the engine's defaults written out.
    params: dict[str, Any]
    #: The prompt as the engine saw it, or None where it does not say.
    engine_prompt: str | None = None


class CleanModel:
    """A loaded model: completion on token ids, and nothing else."""

    def __init__(self, engine: Any) -> None:
        #: What runs the model; for sentinels, not for prompts.
        self.engine = engine
        #: What the loader saw while it looked for a template.
        self.sentinels: list[Sentinel] = []

    @property
    def sentinel_tests(self) -> list[dict[str, Any]]:
        """The sentinels with their evidence, as JSON for a report."""
        return [sentinel.as_dict() for sentinel in self.sentinels]

    def generate(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 150,
        do_sample: bool = True,
        temperature: float | None = None,
        seed: int = 0,
        stop: Iterable[str] = (),
        check: bool = True,
        **more: Any,
    ) -> Completion:
        """Complete `prompt` as it stands. `more` are the engine's own settings, such as `top_p`.

        Raises :class:`ContaminatedModelError` if the engine evaluated another number of tokens than were sent.
        """
        if not 0 <= seed < _RANDOM_SEED:
            raise ValueError(f"seed {seed} is not in 0..{_RANDOM_SEED - 1}: the engine would draw one of its own")
        asked = _asked(max_new_tokens, do_sample, temperature, stop, more)
        ids = self.engine.tokenize(prompt)
        answer = self.engine.complete(ids, {**asked, "seed": seed})
        if check and answer.prompt_tokens not in (None, len(ids)):
            evidence = {"sent": len(ids), "evaluated": answer.prompt_tokens}
            raise ContaminatedModelError([Sentinel("tokens_evaluated_equal_tokens_sent", False, evidence)])
        params = {**effective(asked, answer.settings), "seed": seed}
        return Completion(answer.text, answer.prompt_tokens, answer.new_tokens, params, answer.engine_prompt)

    def sampling_params(
        self,
        *,
        max_new_tokens: int = 150,
        do_sample: bool = True,
        temperature: float | None = None,
        stop: Iterable[str] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """What would be in force for these settings, asked of the engine with one token: for `bm.session(params=…)`."""
        asked = _asked(max_new_tokens, do_sample, temperature, stop, more)
        answer = self.engine.complete(self.engine.tokenize("1"), {**asked, "max_new_tokens": 1, "seed": 0})
        return {**effective(asked, answer.settings), "max_new_tokens": max_new_tokens}

    def close(self) -> None:
        """Let go of the engine and its memory."""
        self.engine.close()


def _asked(
    max_new_tokens: int, do_sample: bool, temperature: float | None, stop: Iterable[str], more: dict[str, Any]
) -> dict[str, Any]:
    asked = {"do_sample": do_sample, "max_new_tokens": max_new_tokens, **more}
    if temperature is not None:
        asked["temperature"] = temperature
    if stop:
        asked["stop"] = [stop] if isinstance(stop, str) else list(stop)
    return asked


class CleanModelLoader:
    """Loads `model` with its chat template out of the way.

    `model` is a GGUF file, or a folder or hub id for Hugging Face transformers. `model_name` is
    recorded; without it, the file or hub id is. `model_revision` picks a revision on the hub.
    `quantization` (`"nf4"`, `"fp16"`, `"bf16"`, `"fp32"`) is asked of transformers; a GGUF file
    has its own. `options` go to the engine (for xllamacpp: fields of `CommonParams`).
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        model_name: str | None = None,
        model_revision: str | None = None,
        quantization: str | None = None,
        n_ctx: int = 2048,
        n_threads: int | None = None,
        **options: Any,
    ) -> None:
        self.model = os.fspath(model)
        self.model_name = model_name
        self.model_revision = model_revision
        self.quantization = quantization
        self.n_ctx, self.n_threads, self.options = n_ctx, n_threads, options

    def load(self, *, strict: bool = True) -> tuple[CleanModel, Provenance]:
        """Load, run the sentinels, and give (model, provenance).

        Raises :class:`ContaminatedModelError` if a sentinel fails; with `strict=False` the model is
        handed back all the same, and its provenance says that the template is not disabled.
        """
        provenance = Provenance()
        engine = self.open(provenance)
        model = CleanModel(engine)
        model.sentinels = run_sentinels(model)
        failed = [sentinel for sentinel in model.sentinels if sentinel.passed is False]
        if failed and strict:
            model.close()
            raise ContaminatedModelError(failed)
        self._describe(provenance, model)
        return model, provenance

    def open(self, provenance: Provenance) -> Any:
        """Open the engine and note in `provenance` what only it can know. Subclasses may wrap it."""
        if self.is_gguf():
            return self._open_gguf(provenance)
        from .transformers import open_transformers

        return open_transformers(self, provenance)

    def is_gguf(self) -> bool:
        """Whether `model` is a GGUF file, by its name or its first bytes."""
        path = Path(self.model)
        if path.suffix.lower() == ".gguf":
            return True
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"

    def _open_gguf(self, provenance: Provenance) -> Any:
        from .gguf import GgufError, read_gguf
        from .llama import open_gguf

        path = Path(self.model)
        if not path.is_file():
            raise LoaderError(f"there is no GGUF file {path}; try: an absolute path, or download it first")
        if self.quantization is not None:
            raise LoaderError("quantization is a matter of the GGUF file; choose the file, and leave it out here")
        try:
            header = read_gguf(path)
        except GgufError as error:
            raise LoaderError(f"cannot load {error}") from None
        quantization = header.quantization() or _from_file_name(path)
        provenance.learn("quantization", quantization, "neither tensors, metadata nor file name tell it")
        provenance.learn("model_digest", *_digest(path))
        return open_gguf(str(path), self.n_ctx, self.n_threads, self.options)

    def _describe(self, provenance: Provenance, model: CleanModel) -> None:
        from .digest import digest_text

        version, edited, reason = loader_version(type(self))
        provenance.learn("loader_version", version, reason)
        if edited:
            provenance["loader_edited"] = True
        passed = all_passed(model.sentinels)
        unjudged = [sentinel.name for sentinel in model.sentinels if sentinel.passed is None]
        reason = f"not judged: {', '.join(unjudged)}"
        provenance.learn("template_disabled", passed, reason)
        provenance.learn("sentinel_tests_passed", passed, reason)
        count = sum(sentinel.passed is True for sentinel in model.sentinels)
        provenance["sentinel_tests"] = f"{count} of {len(model.sentinels)}"
        provenance["add_special_tokens"] = False
        provenance["model_name"] = self.model_name or _default_name(self.model)
        if self.model_revision is not None:
            provenance.setdefault("model_revision", self.model_revision)
        template = model.engine.chat_template
        if template is not None:
            provenance["chat_template_digest"] = digest_text(template)
        provenance["engine"] = model.engine.name


def _default_name(model: str) -> str:
    """A hub id as it is; of a file or folder only the last part, since paths are of one machine."""
    path = Path(model)
    return path.name if path.exists() else model


def _from_file_name(path: Path) -> str | None:
    from .gguf import FILE_TYPES

    last = path.stem.replace("-", ".").rsplit(".", 1)[-1].upper()
    return last if last in FILE_TYPES.values() else None


def _digest(path: Path) -> tuple[str | None, str | None]:
    from .digest import digest_file

    try:
        return digest_file(path), None
    except OSError as error:
        return None, f"{path.name} could not be read: {error}"
