"""The session: what a script does with Birthmark."""

from __future__ import annotations

import os

from . import _life, _native, _talk
from ._params import gather
from ._writers import JsonlWriter, Report, say_nan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
    _Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]



def current() -> Session | None:
    """Return the session that this thread or task is in, or None.

    For callbacks and libraries, which have no session handed to them. In a session within
    another one it is the inner one. A thread that entered none is in that of the main thread.
    A forked child has none: there it is None.

    Example:
        >>> current() is None
        True
    """
    near = _life.entered()
    if near is not None:
        return near
    life = _life.living()
    return None if life is None else life.shared()


class Session:
    """One sitting on one machine: a context manager, a decorator, or started and ended.

    Made by :func:`birthmark.session`, which says what the arguments mean.

    Within another one of the same process it is the same session: one id, one run, one
    manifest. What it was given is nearer, for what is made through it; it ends with the
    outermost ``with``. Children started with ``subprocess`` or ``multiprocessing`` join it
    through the environment, each as a run of its own.
    """

    def __init__(
        self,
        planned: Iterable[str] = (),
        *,
        provenance: Any = None,
        params: Any = None,
        on_dirty: str | None = None,
        lineage: bool | None = None,
        durability: str | None = None,
        **fields: Any,
    ) -> None:
        self._planned = _plans((planned,) if isinstance(planned, str) else planned)
        self._given, self._reasons = gather(provenance, params, _spelled_all(fields))
        if lineage is not None and not isinstance(lineage, bool):
            raise TypeError(f"lineage must be True, False or None, not {lineage!r}")
        if durability not in (None, "process", "power"):
            raise ValueError(f'durability must be "process" or "power", not {durability!r}')
        self._on_dirty = on_dirty
        self._durability = durability
        self._lineage = lineage
        self._forget()

    def _forget(self) -> None:
        self._life: _life.Life | None = None
        self._native: _native.Session | None = None
        self._outer: Session | None = None
        self._depth = 0
        self._in_main = False
        self._is_borrowed = False

    # -- life

    @property
    def is_open(self) -> bool:
        """Whether it was begun and not ended, in this process."""
        life = self._life
        if life is None or life.native.is_over:
            return False
        return self._is_borrowed or self in life.open

    def start(self) -> Session:
        """Begin the session, or join the one that this process belongs to.

        It ends by :meth:`end`, or with the interpreter. A script that calls ``sys.exit`` with
        an error should use ``with``: Python does not tell the exit status to what runs at
        its end.

        Raises:
            RefusedError: If the tree is dirty and that is to be refused.
            UsageError: If a field is reserved or of the wrong type, or in a session within
                another one ``on_dirty``, ``lineage`` or ``durability`` differs.
            StoreError: If the artifacts folder cannot be written.
        """
        with _life.lock:
            if self.is_open:
                return self
            self._forget()
            life = _life.living()
            if life is None:
                self._native = self._begin()
                life = _life.Life(self._native)
                wanted = self._native.wants_lineage if self._lineage is None else self._lineage
                life.begin_watch(wanted)
            else:
                self._outer = life.around()
                self._native = self._within(life)
            self._life = life
            self._in_main = _life.is_main()
            life.enter(self)
            _life.enter(self)
        return self

    def _begin(self) -> _native.Session:
        return _native.begin(
            anchor=_talk.anchor(),
            script=_talk.running_script(),
            argv=_talk.argv(),
            interpreter=_talk.interpreter(),
            modules=_talk.module_files(),
            runtime=_talk.runtime(),
            planned=self._planned,
            given=self._given,
            reasons=self._reasons,
            on_dirty=self._on_dirty,
            durability=self._durability,
            talk=_talk.talker(),
        )

    def _within(self, life: _life.Life) -> _native.Session:
        if self._lineage is not None and self._lineage != life.is_watched:
            from .errors import UsageError

            raise UsageError(
                "what is read and made is watched for the whole process: lineage cannot differ in "
                "a session within another one",
                "lineage",
                "say lineage= where the first session begins",
            )
        if self._durability not in (None, life.native.durability):
            from .errors import UsageError

            raise UsageError(
                f"durability is one for the whole process: it is \"{life.native.durability}\" in the "
                "session that is open",
                "durability",
                "say durability= where the first session begins",
            )
        outer = life.native if self._outer is None else self._outer._live
        return outer.within(
            planned=self._planned,
            given=self._given,
            reasons=self._reasons,
            on_dirty=self._on_dirty,
            beside=self._outer is None,
        )

    def _is_around(self, main: bool) -> bool:
        """Whether others are within it that are not by their own context: what the main thread
        started for the whole program, and for other threads also what it is in."""
        return self._in_main and (not main or self._depth == 0)

    def _among(self, told: list[Session]) -> Session:
        """One that tells only what several agree on."""
        borrowed = self._again()
        borrowed._life = self._life
        borrowed._native = self._live.among([one._live for one in told])
        borrowed._is_borrowed = True
        return borrowed

    def end(
        self, outcome: str = "completed", error: str | None = None, exit_code: int | None = None
    ) -> None:
        """End the session, or leave it if somebody else is in it. Twice does nothing.

        Files that are still open are closed and sealed when it ends.

        Args:
            outcome: ``"completed"``, ``"failed"`` or ``"interrupted"``.
            error: What went wrong, in one line; secrets are taken out of it.
            exit_code: The exit status of the script, where it is known.

        Raises:
            ValueError: If there is no such outcome.
            StoreError: If the end cannot be recorded.
        """
        self._depth = 0
        if self._life is None:
            return
        with _life.lock:
            self._life.leave(self, outcome, error, exit_code)
        if _life.nearest() is self:
            _life.enter(_life.entered())

    def __enter__(self) -> Session:
        self.start()
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth > 0:
            return
        if error is None:
            self.end()
            return
        try:
            self.end(*_life.told(error))
        except Exception as other:  # noqa: BLE001 - the script's own error comes first
            _life.say_no_end(other)

    def __call__(self, function: F) -> F:
        """Use the session as a decorator: each call of ``function`` is a session, until its body
        is done: also that of a generator or coroutine, which runs later.

        Example:
            >>> @Session(planned=["a.json"])
            ... def main(): ...
        """
        from ._decorate import decorated

        return decorated(self._again, function)

    def _again(self) -> Session:
        """A session with the same arguments, not begun."""
        again = Session.__new__(type(self))
        again.__dict__.update(self.__dict__)
        again._forget()
        return again

    # -- what it is

    @property
    def _live(self) -> _native.Session:
        if self._native is None:
            from .errors import UsageError

            raise UsageError(
                "the session has not begun", "not-begun", "use `with bm.session() as s:`"
            )
        return self._native

    @property
    def id(self) -> str:
        """The session's id, such as ``20261122_223107_k3f9tq2mz8v4a``."""
        return self._live.id

    @property
    def run_id(self) -> str:
        """The id of this process's run."""
        return self._live.run_id

    @property
    def artifacts(self) -> Path:
        """The artifacts folder, absolute."""
        return self._live.artifacts

    @property
    def manifest(self) -> Path:
        """The session's manifest, absolute."""
        return self._live.manifest

    @property
    def rank(self) -> int:
        """This process's rank in its launch; 0 when alone."""
        return self._live.rank

    def birthmark(self, artifact_type: str = "artifact", **fields: Any) -> dict[str, Any]:
        """Return the whole birthmark that an artifact made now would have.

        Args:
            artifact_type: ``"training_data"``, ``"evaluation"``, ``"model"``, ``"dataset"`` or
                your own.
            fields: More fields. Nearer wins over the session's.

        Raises:
            UsageError: If a field is reserved or of the wrong type.
        """
        return self._live.birthmark(artifact_type, _spelled_all(fields), {})

    def __repr__(self) -> str:
        if self._native is None:
            return "<birthmark session, not begun>"
        state = "open" if self.is_open else "ended"
        return f"<birthmark session {self._live.short_id} {state}>"

    # -- what it makes

    def plan(self, *planned: str) -> None:
        """Plan more artifacts: ``s.plan("sft_*.jsonl (200 examples)")``.

        Raises:
            StoreError: If it cannot be recorded.
        """
        self._live.plan(_plans(planned))

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
            inputs: What it is made from: a path, name or dict, or a list of them.
            fields: ``"record"`` keeps in each record what people filter by, ``"all"`` all.
            ensure_ascii: As for ``json.dumps``.
            nan: ``"keep"`` writes NaN as Python spells it, counted and warned of once;
                ``"error"`` raises ValueError; ``"null"`` writes null.
            own: More fields for the birthmark. Nearer wins over the session's.

        Returns:
            A writer, to be used in a ``with`` block.

        Raises:
            ArtifactExistsError: If the file is there and the mode is ``"x"``.
            UsageError: If a field is reserved or of the wrong type, the file is in use, or the
                session is over.
            StoreError: If the file cannot be written.
            ValueError: If ``mode``, ``fields`` or ``nan`` is no such word.
        """
        _check_name(path, (".jsonl", ".ndjson"), "records, one a line")
        all_fields = _all_fields(fields)
        given, reasons = _given(provenance, params, own, dataset=dataset, inputs=inputs)
        opened = self._live.open_records(
            os.fspath(path),
            mode=mode,
            artifact_type=artifact_type,
            given=given,
            reasons=reasons,
            all_fields=all_fields,
            ensure_ascii=ensure_ascii,
            nan=nan,
        )
        writer = JsonlWriter(opened)
        writer._nan = nan
        return writer

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
            artifact_type: ``"evaluation"`` or your own.
            mode: ``"x"`` refuses an existing report, now, before any work; ``"w"`` writes it
                anew; ``"a"`` takes its results up and goes on. Items of a run that died
                are gone on with in any mode while the report is not there.
            models: Role to model: name, path or None for *not evaluated*. Digests of those
                that lie here are filled in as ``model_digests``.
            dataset: A path or dict; size, digest and last commit are filled in.
            inputs: What else was read: a path, name or dict, or a list of them.
            params: As for :meth:`jsonl`.
            provenance: As for :meth:`jsonl`.
            ensure_ascii: As for ``json.dumps``.
            own: More fields, such as ``eval_seed=42``.

        Raises:
            ArtifactExistsError: If the report is there and the mode is ``"x"``.
            UsageError: If a field is reserved or of the wrong type, or the session is over.
            StoreError: If it cannot be written.
            ValueError: If ``mode`` is no such word.
        """
        _check_name(path, (".json",), "a report")
        given, reasons = _given(
            provenance, params, own, models=models, dataset=dataset, inputs=inputs
        )
        if report is None:
            opened = self._live.begin_report(
                os.fspath(path),
                mode=mode,
                artifact_type=artifact_type,
                given=given,
                reasons=reasons,
                ensure_ascii=ensure_ascii,
            )
            return Report(opened)
        count, places = self._live.write_report(
            os.fspath(path),
            report,
            mode=mode,
            artifact_type=artifact_type,
            given=given,
            reasons=reasons,
            ensure_ascii=ensure_ascii,
        )
        say_nan(os.fspath(path), count, places)
        return None

    def add(
        self,
        path: str | os.PathLike[str],
        artifact_type: str = "artifact",
        *,
        sha256: bool = False,
        inputs: Any = None,
        dataset: Any = None,
        models: dict[str, Any] | None = None,
        params: Any = None,
        provenance: Any = None,
        set_file: _Paths = (),
        model_provenance: str | os.PathLike[str] | None = None,
        **own: Any,
    ) -> Path | None:
        """Add a file or folder that is finished: a checkpoint, a table, a plot.

        It is digested and gets a sidecar ``<path>.birthmark.json``; it is not touched itself.
        On ranks other than 0 nothing is done.

        Args:
            path: The file or folder.
            artifact_type: ``"model"``, ``"dataset"`` or your own.
            sha256: Put SHA-256 into the sidecar too, for tools that know no BLAKE3.
            inputs: What it was made from: a path, name or dict, or a list of them.
            dataset: As for :meth:`report`.
            models: As for :meth:`report`.
            params: As for :meth:`jsonl`.
            provenance: As for :meth:`jsonl`.
            set_file: As for :func:`birthmark.stamp`.
            model_provenance: As for :func:`birthmark.stamp`.
            own: More fields for the birthmark.

        Returns:
            The sidecar's path, or None on other ranks.

        Raises:
            UsageError: If it is not there, a field is reserved or of the wrong type, a file of
                fields holds none, or the session is over.
            StoreError: If it cannot be read, or its sidecar not written.
        """
        given, reasons = _given(
            provenance, params, own, inputs=inputs, dataset=dataset, models=models
        )
        given = {**_of_files(set_file, model_provenance), **given}
        return self._live.add(os.fspath(path), artifact_type, given, reasons, sha256=sha256)

    def use(self, what: Any, role: str | None = None) -> dict[str, Any]:
        """Record that something was read.

        Args:
            what: A path (digested), the id of a model or dataset on a hub, an object with
                ``name_or_path``, or a Hugging Face ``Dataset``.
            role: What it was for: ``"training_data"``, ``"base_model"``, …

        Returns:
            The entry, fit for ``inputs=[…]``.

        Raises:
            TypeError: If ``what`` has no name.
            UsageError: If the session is over.
            StoreError: If it cannot be recorded.
        """
        name, more = _name_of(what)
        return self._live.use_input(name, role, more)

    def removed(self, path: str | os.PathLike[str], reason: str = "removed") -> None:
        """Record that an artifact was removed on purpose, so that it is not *missing*.

        Args:
            path: Where it was.
            reason: Why, such as ``"rotation"``.
        """
        self._live.removed(os.fspath(path), reason)


def _name_of(what: Any) -> tuple[str, dict[str, Any]]:
    """The path or name of something that was read, and what else tells which it is."""
    if isinstance(what, (str, os.PathLike)):
        return os.fspath(what), {}
    name = getattr(what, "name_or_path", None)
    if name:
        return str(name), {}
    info = getattr(what, "info", None)
    name = getattr(info, "dataset_name", None)
    if name:
        parts = {
            "config": getattr(info, "config_name", None),
            "split": getattr(what, "split", None),
            "size": getattr(what, "num_rows", None),
            "fingerprint": getattr(what, "_fingerprint", None),
        }
        told = {key: value for key, value in parts.items() if value is not None}
        return str(name), {k: v if isinstance(v, int) else str(v) for k, v in told.items()}
    raise TypeError(f"cannot tell the name of this {type(what).__name__}: pass its path or name")


def _given(
    provenance: Any, params: Any, own: dict[str, Any], **filled: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    given, reasons = gather(provenance, params, _spelled_all(own))
    given.update((name, _spelled(value)) for name, value in filled.items() if value is not None)
    return given, reasons


def _of_files(
    set_file: _Paths, model_provenance: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """The fields that stand in files: they are less near than all that a call says."""
    loader = None if model_provenance is None else os.fspath(model_provenance)
    return _native.fields_of_files(_paths(set_file), loader)


def _paths(given: _Paths) -> list[str]:
    """One path, or several."""
    one = isinstance(given, (str, bytes, os.PathLike))
    return [os.fspath(path) for path in ([given] if one else given)]


def _check_name(path: str | os.PathLike[str], endings: tuple[str, ...], what: str) -> None:
    """Readers tell by a file's name what is in it: under another it would count as damaged."""
    from .errors import UsageError

    name = os.fspath(path)
    # Of those that carry a birthmark in another way the native half knows more to say.
    others = (".gz", ".zst", ".zstd", ".parquet", ".safetensors")
    if not name.lower().endswith(endings + others):
        raise UsageError(
            f"the name of `{name}` does not say that it holds {what}",
            "no-format",
            f"let it end in {endings[0]}",
        )
    if os.path.isdir(name):
        raise UsageError(f"`{name}` is a folder", "is-folder", "give it another name")


def _plans(planned: Iterable[str]) -> list[str]:
    plans = list(planned)
    for plan in plans:
        if not isinstance(plan, (str, os.PathLike)):
            raise TypeError(f"a plan is a text such as 'a_*.jsonl (200 examples)', not {plan!r}")
    return [str(plan) for plan in plans]


def _spelled_all(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _spelled(value) for name, value in fields.items()}


def _spelled(value: Any) -> Any:
    """Paths as text, tuples as lists, so that the native half can fill them in."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_spelled(one) for one in value]
    if type(value) is dict:
        return {name: _spelled(one) for name, one in value.items()}
    return value


def _all_fields(word: str) -> bool:
    if word not in ("record", "all"):
        raise ValueError(f'fields must be "record" or "all", not {word!r}')
    return word == "all"
