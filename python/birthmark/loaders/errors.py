"""What can go wrong while a model is loaded; each error says what to do now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sentinels import Sentinel


class LoaderError(RuntimeError):
    """A model could not be loaded or asked."""


class MissingEngineError(LoaderError, ImportError):
    """The package that runs this kind of model is not installed; the message says which and how."""


class ContaminatedModelError(LoaderError):
    """A sentinel saw a chat template or special tokens between prompt and model."""

    def __init__(self, failed: list[Sentinel]) -> None:
        self.failed = failed
        seen = "; ".join(f"{sentinel.name}: {sentinel.evidence}" for sentinel in failed)
        super().__init__(f"what the model evaluates is not what was sent: {seen}")
