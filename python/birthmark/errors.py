"""The exceptions of Birthmark, grouped by what a handler would do.

Every one has a ``code``, a stable name for programs (only ever added to), and a
``hint``, what to do now, or None. ``str()`` gives the message and the hint.
"""

from __future__ import annotations

__all__ = [
    "ArtifactExistsError",
    "BirthmarkError",
    "DamagedError",
    "RefusedError",
    "StoreError",
    "UsageError",
]


class BirthmarkError(Exception):
    """Any error of Birthmark."""

    def __init__(self, message: str, code: str = "error", hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.message = message
        self.code = code
        self.hint = hint


class UsageError(BirthmarkError, ValueError):
    """The call asks for something that cannot be: a reserved field, an unknown session."""


class ArtifactExistsError(UsageError, FileExistsError):
    """The file is there already, and ``mode`` is ``"x"``."""

    def __str__(self) -> str:
        return str(self.args[0])


class RefusedError(BirthmarkError):
    """The project's settings forbid it: ``on_dirty = "refuse"`` and the tree is dirty."""


class StoreError(BirthmarkError, OSError):
    """The operating system did not let us read or write."""

    def __str__(self) -> str:
        return str(self.args[0])


class DamagedError(BirthmarkError):
    """A stored file is not what it must be."""
