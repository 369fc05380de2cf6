"""`reproduce`: make an artifact again, and hold it against the one that was made."""

from __future__ import annotations

import os
import sys

from . import _native, _talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Reproduction:
    """What was promised before anything ran, and how it came out.

    Attributes:
        plan: Code, inputs, environment, seeds and command, as ``birthmark reproduce --json`` has them;
            ``plan["blockers"]`` says why it cannot be tried.
        verdict: ``"identical"``, ``"equal records"``, ``"equal content"``, ``"differs"``, ``"not made"``,
            ``"could not be made"``, ``"made, but failed"``, ``"cannot tell"``; None for a plan alone.
        place: Where it differs first, or what the verdict rests on.
        in_hand_as_recorded: Whether the file that was named is what was recorded, which is what the
            verdict is about; None where no file was named.
        folder: The folder it was made in.
        made: The file or folder that was made there.
        session_id: The session of the reproduction.
        exit_code: Exit status of the command.
        built_differs: With ``venv=True``, what differs in the environment that was built.
    """

    def __init__(self, plan: dict[str, Any], text: str, outcome: dict[str, Any] | None) -> None:
        outcome = outcome or {}
        self.plan = plan
        self.verdict: str | None = outcome.get("verdict")
        self.place: str | None = outcome.get("place")
        in_hand = plan.get("in_hand") or {}
        self.in_hand_as_recorded: bool | None = in_hand.get("as_recorded")
        self.folder: str | None = outcome.get("folder")
        self.made: str | None = outcome.get("made")
        self.session_id: str | None = outcome.get("session_id")
        self.exit_code: int | None = outcome.get("exit_code")
        self.built_differs: list[str] | None = outcome.get("built_differs")
        self._text = text

    @property
    def is_same(self) -> bool | None:
        """Whether the bytes or the records are the same; None for a plan alone, and where that cannot be told.

        False also where the file that was named is no longer what was recorded.
        """
        if self.verdict in (None, "cannot tell"):
            return None
        is_equal = self.verdict in ("identical", "equal records", "equal content")
        return is_equal and self.in_hand_as_recorded is not False

    def __str__(self) -> str:
        """The plan as ``birthmark reproduce`` shows it, and the verdict."""
        if self.verdict is None:
            return self._text
        return f"{self._text}\n{self.verdict}" + (f": {self.place}" if self.place else "")

    def __repr__(self) -> str:
        return f"<birthmark reproduction of {self.plan['file']!r}: {self.verdict or 'planned'}>"


def reproduce(
    artifact: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    into: str | os.PathLike[str] | None = None,
    venv: bool = False,
    tolerance: float = 0.0,
    ignore: str | Iterable[str] = (),
    inexact: bool = False,
    stores: Iterable[str | os.PathLike[str]] = (),
    command: Iterable[str] = (),
) -> Reproduction:
    """Make an artifact again in a folder and session of its own, and compare.

    Nothing of yours is overwritten. What can be promised is in ``plan`` of the answer; with
    ``dry_run=True`` that is all, and nothing runs.

    Args:
        artifact: A file or folder that a session made, ``FILE:LINE``, or a digest.
        dry_run: Only say what can be promised.
        into: The folder to make it in. Default: a new one in the temporary folder.
        venv: Build a venv from what was installed then; pip may take the network.
        tolerance: How far numbers may lie apart, relative to their size.
        ignore: Members of records that may differ, such as a time.
        inexact: Go on although code or inputs are not what they were.
        stores: Other stores to ask: artifacts folders, or projects.
        command: The command to run instead of the recorded one.

    Raises:
        UsageError: If it cannot be tried: nothing recorded made it, or code or inputs are not here.

    Example:
        ``assert bm.reproduce("artifacts/sft.jsonl").is_same``
    """
    import json

    text = _native.reproduce_json(
        os.fspath(artifact),
        dry_run=dry_run,
        into=None if into is None else os.fspath(into),
        venv=venv,
        tolerance=tolerance,
        ignore=[ignore] if isinstance(ignore, str) else list(ignore),
        inexact=inexact,
        stores=[os.fspath(store) for store in stores],
        command=[os.fspath(word) for word in command],
        program=_program(),
        talk=_talk.talker(),
    )
    answer = json.loads(text)
    return Reproduction(answer["plan"], answer["text"], answer["outcome"])


def _program() -> str:
    """The program that the wheel brought: beside this Python, else wherever it is found."""
    beside = os.path.join(os.path.dirname(sys.executable), "birthmark")
    if os.access(beside, os.X_OK):
        return beside
    import shutil

    found = shutil.which("birthmark")
    if found is None:
        from .errors import UsageError

        raise UsageError(
            "the program `birthmark` is not here, and it runs the command again",
            "no-program",
            "install the wheel, which brings it",
        )
    return found
