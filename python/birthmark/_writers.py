"""Writers of artifacts: :class:`JsonlWriter` and :class:`Report`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from . import _native
from ._talk import progress

if TYPE_CHECKING:
    from types import TracebackType


def _identity(key: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    if callable(key):
        return key
    return lambda item: item[key]


def _hashable(value: Any) -> Any:
    """A value as it comes back from JSON, fit for a set."""
    if isinstance(value, (str, bytes)) or value is None:
        return value
    return _native._encode(value)


class _Todo:
    """Mixin: which items are not yet in the file."""

    def todo(self, items: Iterable[Any], key: str | Callable[[Any], Any] = "id") -> Iterator[Any]:
        """Yield the items that are not yet in the file, in order.

        An item is there when a record has the same value under ``key``. Of items that
        share a value, as many are left out as there are records with it.

        Args:
            items: What is to be done.
            key: The name under which both item and record hold the item's identity; or a
                function of the item, whose value stands in the record under ``"id"``.

        Raises:
            KeyError: If an item has no ``key``.
        """
        name = key if isinstance(key, str) else "id"
        done: dict[Any, int] = {}
        for text in self.done(name):  # type: ignore[attr-defined]
            value = _hashable(json.loads(text))
            done[value] = done.get(value, 0) + 1
        there = sum(done.values())
        identity = _identity(key)

        def left() -> Iterator[Any]:
            for item in items:
                value = _hashable(identity(item))
                if done.get(value, 0) > 0:
                    done[value] -= 1
                else:
                    yield item

        total = len(items) - there if hasattr(items, "__len__") else None  # type: ignore[arg-type]
        return progress(left(), total, there)


class JsonlWriter(_native.Records, _Todo):
    """A JSONL artifact being written: every record is born with its birthmark.

    Made by :meth:`Session.jsonl`. Use it in a ``with`` block, or call :meth:`close`.
    When :meth:`write` returns, the record survives the death of the process.
    """

    def __enter__(self) -> JsonlWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(None if error is None else f"{type(error).__name__}: {error}")

    def close(self, error: str | None = None) -> None:
        """Close the file and record its size, records and digests. Twice does nothing."""
        super().close(error)
        if self.nan_count and not getattr(self, "_said_nan", False):
            self._said_nan = True
            from ._talk import talker

            say = talker()
            if say is not None:
                places = ", ".join(self.nan_paths[:3])
                say(
                    f"birthmark: {self.path.name}: {self.nan_count} values are NaN or infinite "
                    f"(first: {places}); written as Python spells them"
                )

    def __repr__(self) -> str:
        return f"<JsonlWriter {self.path} {self.count} records>"


class Report(_native.Report, _Todo):
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

    def __new__(cls, opened: _native.Report) -> Report:
        self = super().__new__(cls, opened)
        self.summary = {}
        self.fields = {}
        return self

    @property
    def results(self) -> list[Any]:
        """All items that were added, those of an interrupted run included."""
        return [json.loads(text) for text in self.items()]

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

    def close(self) -> None:
        """Put the report together. Twice does nothing."""
        self.finish({"summary": self.summary, **self.fields})

    def __repr__(self) -> str:
        return f"<Report {self.path} {self.count} items>"
