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


# Options of the program that calls have too, and what they are there.
_OPTIONS = {
    "--on-existing": "on_existing=",
    "--force": "force=True",
    "--in-place": "in_place=True",
    "--out": "out=",
    "--longest-line": "longest_line=",
    "--quarantine": "quarantine=",
}


def _in_python(text: str) -> str:
    """Advice in the words of a call. A command that is told whole is left as it is."""
    if "--" not in text or "birthmark " in text.replace("the birthmark ", ""):
        return text
    words: list[str] = []
    for word in text.split(" "):
        bare = word.strip("`,;:.()")
        option = _OPTIONS.get(bare)
        if words and words[-1].endswith("on_existing=") and bare.isalpha():
            # Its word comes next: `--on-existing replace`.
            words[-1] += word.replace(bare, f'"{bare}"')
        else:
            words.append(word if option is None else word.replace(bare, option))
    return " ".join(words)


class BirthmarkError(Exception):
    """Any error of Birthmark."""

    def __init__(self, message: str, code: str = "error", hint: str | None = None) -> None:
        message, hint = _in_python(message), None if hint is None else _in_python(hint)
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
