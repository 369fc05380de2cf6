"""The session: what a script does with Birthmark."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native, _talk
from ._params import gather
from ._writers import JsonlWriter, Report

if TYPE_CHECKING:
    from types import TracebackType

_current: Session | None = None
_lock = threading.RLock()


def current() -> Session | None:
    """Return the session that is open in this process, or None."""
    session = _current
    return session if session is not None and session.is_open else None


class Session:
    """One sitting on one machine. See :func:`birthmark.session`."""

    def __init__(
        self,
        planned: Iterable[str] = (),
        *,
        provenance: Any = None,
        params: Any = None,
        on_dirty: str | None = None,
        **fields: Any,
    ) -> None:
        self._planned = [planned] if isinstance(planned, str) else [str(one) for one in planned]
        self._given = gather(provenance, params, fields)
        self._on_dirty = on_dirty
        self._native: _native.Session | None = None
        self._outer: Session | None = None
        self._environ: dict[str, str | None] = {}

    # -- life

    @property
    def is_open(self) -> bool:
        """Whether it was begun and not ended, in this process."""
        if self._outer is not None:
            return self._outer.is_open
        return self._native is not None and not self._native.is_over

    def start(self) -> Session:
        """Begin the session. It ends by :meth:`end`, or with the interpreter."""
        global _current
        with _lock:
            if self.is_open:
                return self
            open_one = current()
            if open_one is not None and open_one is not self:
                # Entered again in the same process: the same session.
                self._outer = open_one
                open_one._live.plan(self._planned)
                return self
            script = _talk.running_script()
            self._outer = None
            self._native = _native.begin(
                anchor=_talk.anchor(),
                script=script,
                argv=_talk.argv(),
                interpreter=_talk.interpreter(),
                runtime=_talk.runtime(),
                planned=self._planned,
                given=self._given,
                on_dirty=self._on_dirty,
                talk=_talk.talker(),
            )
            self._export()
            _current = self
            atexit.register(self._at_exit)
        return self

    def end(self, outcome: str = "completed", error: str | None = None) -> None:
        """End the session, or leave it if somebody else began it. Twice does nothing.

        Args:
            outcome: ``"completed"``, ``"failed"`` or ``"interrupted"``.
            error: What went wrong, in one line.
        """
        global _current
        if self._outer is not None:
            self._outer = None
            return
        if self._native is None:
            return
        native = self._native
        atexit.unregister(self._at_exit)
        try:
            native.end(outcome, error)
        finally:
            self._restore()
            if _current is self:
                _current = None

    def _at_exit(self) -> None:
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if error is None:
            self.end()
        else:
            self._end_with(error)

    def _end_with(self, error: BaseException) -> None:
        if isinstance(error, SystemExit) and error.code in (None, 0):
            self.end()
        elif isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            self.end("interrupted", type(error).__name__)
        else:
            self.end("failed", f"{type(error).__name__}: {error}")

    def _export(self) -> None:
        """Children of this process join its session through the environment."""
        native = self._live
        exported = {
            "BIRTHMARK_SESSION": native.id,
            "BIRTHMARK_PARENT_RUN": native.run_id,
            "BIRTHMARK_DIR": os.fspath(native.artifacts),
        }
        for name, value in exported.items():
            self._environ[name] = os.environ.get(name)
            os.environ[name] = value

    def _restore(self) -> None:
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environ = {}

    def __enter__(self) -> Session:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
        elif self._outer is not None:
            self._outer = None
        else:
            self._end_with(error)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Use the session as a decorator: each call is a session."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            again = Session.__new__(Session)
            again.__dict__.update(self.__dict__, _native=None, _outer=None, _environ={})
            with again:
                return function(*args, **kwargs)

        return inside

    # -- what it is

    @property
    def _live(self) -> _native.Session:
        if self._outer is not None:
            return self._outer._live
        if self._native is None:
            from .errors import UsageError

            raise UsageError(
                "the session has not begun", "not-begun", "use `with bm.session() as s:`"
            )
        return self._native

    @property
    def id(self) -> str:
        """The session's id, such as ``20261122_223107_k3f9…``."""
        return self._live.id

    @property
    def run_id(self) -> str:
        """The id of this process's run."""
        return self._live.run_id

    @property
    def artifacts(self) -> Path:
        """The artifacts folder."""
        return Path(self._live.artifacts)

    @property
    def manifest(self) -> Path:
        """The session's manifest."""
        return Path(self._live.manifest)

    @property
    def rank(self) -> int:
        """This process's rank in its launch; 0 when alone."""
        return self._live.rank

    def birthmark(self, artifact_type: str = "artifact", **fields: Any) -> dict[str, Any]:
        """Return the whole birthmark that an artifact made now would have."""
        return self._live.birthmark(artifact_type, fields)

    def __repr__(self) -> str:
        if self._outer is None and self._native is None:
            return "<birthmark session, not begun>"
        state = "open" if self.is_open else "ended"
        return f"<birthmark session {self._live.short_id} {state}>"

    # -- what it makes

    def plan(self, *planned: str) -> None:
        """Plan more artifacts: ``"sft_*.jsonl (200 examples)"``."""
        self._live.plan([str(one) for one in planned])

    def jsonl(
        self,
        path: str | os.PathLike[str],
        *,
        artifact_type: str = "training_data",
        mode: str = "x",
        params: Any = None,
        provenance: Any = None,
        dataset: Any = None,
        inputs: Any = None,
        fields: str = "record",
        ensure_ascii: bool = True,
        nan: str = "keep",
        **own: Any,
    ) -> JsonlWriter:
        """Open a JSONL artifact for writing.

        Args:
            path: The file. It stands under its final name from the start.
            artifact_type: ``"training_data"``, ``"dataset"``, ``"evaluation"`` or your own.
            mode: As in ``open()``: ``"x"`` refuses an existing file, now, before any work;
                ``"w"`` begins it anew; ``"a"`` goes on, after cutting a torn last line aside.
            params: What was chosen: dict, dataclass, Namespace, pydantic model, msgspec
                Struct, or anything with ``to_dict()``.
            provenance: Of the model: a loader's dict, or whatever
                :func:`birthmark.model_provenance` takes.
            dataset: A path or dict; size, digest and last commit are filled in.
            inputs: What it is made from: a list of paths, names or dicts.
            fields: ``"record"`` keeps in each record what people filter by, ``"all"`` all.
            ensure_ascii: As for ``json.dumps``.
            nan: ``"keep"`` writes NaN as Python spells it, counted and warned of once;
                ``"error"`` raises ValueError; ``"null"`` writes null.
            own: More fields for the birthmark. Nearer wins over the session's.

        Returns:
            A writer, to be used in a ``with`` block.

        Raises:
            ArtifactExistsError: If the file is there and the mode is ``"x"``.
            UsageError: If a field is reserved or of the wrong type, or the file is in use.
            StoreError: If the file cannot be written.
        """
        given = _given(provenance, params, own, dataset=dataset, inputs=inputs)
        opened = self._live.open_records(
            Path(path),
            mode=mode,
            artifact_type=artifact_type,
            given=given,
            all_fields=_all_fields(fields),
            ensure_ascii=ensure_ascii,
            nan=nan,
        )
        return JsonlWriter(opened)

    def report(
        self,
        path: str | os.PathLike[str],
        report: Any = None,
        *,
        artifact_type: str = "evaluation",
        mode: str = "x",
        models: dict[str, Any] | None = None,
        dataset: Any = None,
        inputs: Any = None,
        params: Any = None,
        provenance: Any = None,
        ensure_ascii: bool = True,
        **own: Any,
    ) -> Report | None:
        """Write an evaluation report, at once or item by item.

        Args:
            path: The file.
            report: A finished dict: it is written at once, with its birthmark under
                ``metadata``, and None is returned. Without it, a :class:`Report` is returned.
            models: Role to model: name, path or None for *not evaluated*. Digests of those
                that lie here are filled in as ``model_digests``.
            dataset: A path or dict; size, digest and last commit are filled in.
            own: More fields, such as ``eval_seed=42``.

        The other arguments, and the errors, are those of :meth:`jsonl`.
        """
        given = _given(provenance, params, own, models=models, dataset=dataset, inputs=inputs)
        if report is None:
            opened = self._live.begin_report(
                Path(path),
                mode=mode,
                artifact_type=artifact_type,
                given=given,
                ensure_ascii=ensure_ascii,
            )
            return Report(opened)
        nan_count = self._live.write_report(
            Path(path),
            report,
            mode=mode,
            artifact_type=artifact_type,
            given=given,
            ensure_ascii=ensure_ascii,
        )
        say = _talk.talker()
        if nan_count and say is not None:
            say(f"birthmark: {Path(path).name}: {nan_count} values are NaN or infinite; "
                "written as Python spells them")
        return None

    def add(
        self,
        path: str | os.PathLike[str],
        artifact_type: str = "artifact",
        *,
        inputs: Any = None,
        params: Any = None,
        provenance: Any = None,
        **own: Any,
    ) -> Path | None:
        """Add a file or folder that is finished: a checkpoint, a table, a plot.

        It is digested and gets a sidecar ``<path>.birthmark.json``; it is not touched itself.
        On ranks other than 0 nothing is done.

        Returns:
            The sidecar's path, or None on other ranks.
        """
        given = _given(provenance, params, own, inputs=inputs)
        return self._live.add(Path(path), artifact_type, given)

    def use(self, what: Any, role: str | None = None) -> dict[str, Any]:
        """Record that something was read.

        Args:
            what: A path (digested), the id of a model or dataset on a hub, or an object with
                ``name_or_path``.
            role: What it was for: ``"training_data"``, ``"base_model"``, …

        Returns:
            The entry, fit for ``inputs=[…]``.
        """
        name = getattr(what, "name_or_path", None) or what
        return self._live.use_input(os.fspath(name), role)

    def removed(self, path: str | os.PathLike[str], reason: str = "removed") -> None:
        """Record that an artifact was removed on purpose, so that it is not *missing*."""
        self._live.removed(Path(path), reason)


def _given(provenance: Any, params: Any, own: dict[str, Any], **filled: Any) -> dict[str, Any]:
    given = gather(provenance, params, own)
    for name, value in filled.items():
        if value is not None:
            given[name] = _spelled(value)
    return given


def _spelled(value: Any) -> Any:
    """Paths as text, tuples as lists, so that the native half can fill them in."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_spelled(one) for one in value]
    return value


def _all_fields(word: str) -> bool:
    if word not in ("record", "all"):
        raise ValueError(f'fields must be "record" or "all", not {word!r}')
    return word == "all"
