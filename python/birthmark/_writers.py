"""Writers of artifacts: :class:`JsonlWriter` and :class:`Report`."""

from __future__ import annotations

import os

from . import _native
from ._talk import one_line, progress, say, talker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Any, Protocol

    class _Done(Protocol):
        @property
        def path(self) -> os.PathLike[str]: ...
        @property
        def count(self) -> int: ...
        def done(self, key: str) -> list[str]: ...


def say_nan(
    path: str | os.PathLike[str], count: int, places: list[str], nan: str = "keep"
) -> None:
    """Say once of a file that it has values that JSON has no number for, and what was written."""
    talk = talker()
    if count and talk is not None:
        values = "1 value is" if count == 1 else f"{count} values are"
        written = "written as null" if nan == "null" else "written as Python does"
        talk(
            f"birthmark: {os.path.basename(path)}: {values} NaN or infinite, {written} "
            f"(first: {', '.join(places[:3])})"
        )


def _identity(key: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    if callable(key):
        return key
    return lambda item: item[key] if hasattr(item, "__getitem__") else getattr(item, key)


def _hashable(value: Any) -> Any:
    """A value as it comes back from JSON, fit for a set."""
    return value if type(value) is str else _native._encode(value)


def _todo(
    writer: _Done, items: Iterable[Any], key: str | Callable[[Any], Any]
) -> Iterator[Any]:
    import json

    name = key if isinstance(key, str) else "id"
    texts = writer.done(name)
    done: dict[Any, int] = {}
    for text in texts:
        value = _hashable(json.loads(text))
        done[value] = done.get(value, 0) + 1
    talk = talker()
    if not texts and writer.count and talk is not None:
        talk(
            f"birthmark: {os.path.basename(writer.path)}: none of its {writer.count} records has "
            f"`{name}`, so all items are still to do"
        )
    identity = _identity(key)

    def left() -> Iterator[Any]:
        for item in items:
            value = _hashable(identity(item))
            if done.get(value, 0) > 0:
                done[value] -= 1
            else:
                yield item

    size = getattr(items, "__len__", None)
    total = None if size is None else max(size() - len(texts), 0)
    return progress(left(), total, len(texts))


class JsonlWriter(_native.Records):
    """A JSONL artifact being written: every record is born with its birthmark.

    Made by :meth:`Session.jsonl`. Use it in a ``with`` block, or call :meth:`close`.
    When :meth:`write` returns, the record survives the death of the process. Threads may
    share a writer: each record is one line.
    """

    def __init__(self, opened: _native.Records) -> None:
        self._said_nan = False
        self._nan = "keep"

    def todo(self, items: Iterable[Any], key: str | Callable[[Any], Any] = "id") -> Iterator[Any]:
        """Yield the items that are not yet in the file, in order.

        An item is there when a record has the same value under ``key``. Of items that
        share a value, as many are left out as there are records with it. On a terminal a
        line of progress is drawn once it takes over a second.

        Args:
            items: What is to be done: dicts, or objects with an attribute ``key``.
            key: The name under which both item and record hold the item's identity; or a
                function of the item, whose value stands in the record under ``"id"``.

        Raises:
            KeyError: If an item has no ``key``.
        """
        return _todo(self, items, key)

    def close(self, error: str | None = None) -> None:
        """Close the file and record its size, records and digests. Twice does nothing.

        Args:
            error: What stopped the writing, if something did.

        Raises:
            StoreError: If it cannot be recorded. Every record is in the file all the same, and
                closing may be tried again.
        """
        super().close(error)
        if not self._said_nan:
            self._said_nan = True
            say_nan(self.path, self.nan_count, self.nan_paths, self._nan)

    def __enter__(self) -> JsonlWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close(one_line(error))
        except Exception as other:  # noqa: BLE001 - the script's own error comes first
            say(f"birthmark: cannot record the end of {self.path}: {one_line(other)}")

    def __repr__(self) -> str:
        return f"<JsonlWriter {self.path} {self.count} records>"


class Report(_native.Report):
    """An evaluation report made item by item.

    Made by :meth:`Session.report` without a finished dict. Each item is on disk, in
    ``<name>.part.jsonl``, when :meth:`add` returns; leaving the ``with`` block puts the
    report together. After a crash, run again: :meth:`todo` goes on.

    Attributes:
        summary: A dict, the report's ``summary``: metrics by name.
        fields: A dict of whatever else shall stand at the top of the report.
    """

    summary: dict[str, Any]
    fields: dict[str, Any]

    def __init__(self, opened: _native.Report) -> None:
        self.summary = {}
        self.fields = {}
        self._said_nan = False

    @property
    def results(self) -> list[Any]:
        """All items that were added, those of an interrupted run included.

        Read from the disk each time. Empty once the report is put together.
        """
        import json

        return [json.loads(text) for text in self.items()]

    def todo(self, items: Iterable[Any], key: str | Callable[[Any], Any] = "id") -> Iterator[Any]:
        """Yield the items whose result is not yet there, in order.

        As :meth:`JsonlWriter.todo`, over the items of the report.
        """
        return _todo(self, items, key)

    def close(self) -> None:
        """Put the report together. Twice does nothing.

        Raises:
            TypeError: If ``summary`` or ``fields`` holds what JSON cannot say. The items stay
                where they are.
            ValueError: If ``fields`` has ``results``, or a second ``summary``; likewise.
            StoreError: If it cannot be written; likewise.
        """
        self.finish({"summary": self.summary, **self._checked_fields()})
        if not self._said_nan:
            self._said_nan = True
            say_nan(self.path, self.nan_count, self.nan_paths)

    def _checked_fields(self) -> dict[str, Any]:
        """``fields``, if they leave the places alone that the report fills itself."""
        taken = {"results": "the items that were added stand there"}
        if self.summary:
            taken["summary"] = "`summary` of the report stands there"
        for name, why in taken.items():
            if name in self.fields:
                raise ValueError(f"fields[{name!r}] cannot be set: {why}")
        return self.fields

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def __repr__(self) -> str:
        return f"<Report {self.path} {self.count} items>"
