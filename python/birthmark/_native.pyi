"""The native half of Birthmark: what the package is built on.

Private: use :mod:`birthmark`. The classes here are the bases of
:class:`birthmark.JsonlWriter` and :class:`birthmark.Report`, and their methods are public
there. Numbers are counts unless a unit is named; sizes are in bytes; digests are text of the
form ``blake3:<64 hex digits>``; paths may be ``str`` or :class:`os.PathLike`.

Errors of the hall are raised as the classes of :mod:`birthmark.errors`.
"""

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, final

_AnyPath = str | PathLike[str]

def version() -> str:
    """Return the version of the package, such as ``"0.1.0"``."""

def watch() -> bool:
    """Begin to note what this process opens; False where the system refuses.

    A hook of the interpreter's audit events, which cannot be taken out again: after the end of
    the watch it does nothing. Forked children note into the same memory.
    """

def reproduce_json(
    artifact: str,
    /,
    *,
    dry_run: bool,
    into: str | None,
    venv: bool,
    tolerance: float,
    ignore: list[str],
    inexact: bool,
    stores: list[str],
    command: list[str],
    program: str,
    talk: Callable[[str], None] | None,
) -> str:
    """Plan and outcome of a reproduction as JSON text: see `birthmark.reproduce`."""

def find_json(
    filter: str,
    /,
    *,
    what: str,
    everywhere: bool,
    gone: bool,
    sort: str | None,
    limit: int | None,
    columns: list[str],
    folder: _AnyPath | None,
) -> str:
    """The answer to a filter as JSON text: see `birthmark.find`."""

def sql_json(
    statement: str,
    /,
    *,
    records: str,
    everywhere: bool,
    timeout: float,
    folder: _AnyPath | None,
) -> str:
    """The rows of a statement as JSON text: see `birthmark.sql`."""

def begin(
    *,
    anchor: _AnyPath,
    script: _AnyPath | None,
    argv: list[str],
    interpreter: dict[str, Any],
    modules: list[str],
    runtime: dict[str, Any],
    planned: list[str],
    given: dict[str, Any],
    reasons: dict[str, str],
    on_dirty: str | None,
    durability: str | None,
    talk: Callable[[str], None] | None,
) -> Session:
    """Begin a session, or join the one that this process belongs to.

    Returns as soon as the first events are in the journal; code and machine are looked at
    beside the run. Waits at most 40 ms for the code, so that its first line can tell.

    Args:
        anchor: The script or folder whose repository counts.
        script: The script that runs, absolute.
        argv: Command line; secrets are taken out before it is written.
        interpreter: The Python that runs: ``version``, ``executable``, ``implementation``,
            ``sys_path``.
        modules: Files of the modules that are loaded: their repositories are code that runs.
        runtime: What torch says of itself, or nothing.
        planned: Plans, word for word.
        given: Fields inherited by every artifact. NaN is an error here.
        reasons: Why some of them are None, by name.
        on_dirty: ``"snapshot"``, ``"warn"``, ``"refuse"`` or None for the project's setting.
        talk: Takes one line for the person, without its line end; None for silence.

    Raises:
        RefusedError: If the tree is dirty (or that cannot be told) and that is to be refused.
        UsageError: If a field is reserved or of the wrong type, ``on_dirty`` is no such word,
            or ``BIRTHMARK_SESSION`` names no session.
        StoreError: If the artifacts folder cannot be written.
        TypeError: If a field is not what JSON can say.
        ValueError: If a field is NaN or infinite.
    """

@final
class Session:
    """A session of this process, begun or joined. Made by :func:`begin`."""

    @property
    def id(self) -> str:
        """Its id: ``YYYYmmdd_HHMMSS`` (UTC), ``_``, and 13 characters of chance."""
    @property
    def short_id(self) -> str:
        """The id as screens show it, with 4 characters of chance: a prefix of the id."""
    @property
    def run_id(self) -> str:
        """The run of this process: 13 characters."""
    @property
    def root(self) -> Path:
        """The project's root, absolute. Stored paths are relative to it."""
    @property
    def artifacts(self) -> Path:
        """The artifacts folder, absolute."""
    @property
    def durability(self) -> str:
        """What its records survive: ``"process"`` or ``"power"``."""
    @property
    def manifest(self) -> Path:
        """The manifest, absolute."""
    @property
    def rank(self) -> int:
        """The rank of this process in its launch; 0 when alone."""
    @property
    def handed_on(self) -> tuple[str, str] | None:
        """The variable that hands its fields on to children, and its value; None where the
        session's journal tells them."""
    def within(
        self,
        *,
        planned: list[str],
        given: dict[str, Any],
        reasons: dict[str, str],
        on_dirty: str | None,
        beside: bool,
    ) -> Session:
        """Return the same session with nearer fields, for what is made through it.

        Args:
            planned: Plans more.
            given: Fields that lie over those of this session.
            reasons: Why some of them are None, by name.
            on_dirty: As for :func:`begin`.
            beside: Whether nothing that was given to this session is inherited.

        Raises:
            RefusedError: If the tree is dirty and that is to be refused.
            UsageError: If a field is reserved or of the wrong type, or ``on_dirty`` differs
                from what was done when the session began.
            StoreError: If the plans cannot be recorded.
            TypeError: If a field is not what JSON can say.
            ValueError: If a field is NaN or infinite.
        """
    def among(self, open: list[Session], /) -> Session:
        """Return the same session for one who is in none of those that are open: a field in
        which they differ is None, with the reason."""
    @property
    def is_over(self) -> bool:
        """Whether it was left or ended by this process, or this is a forked child."""

    def birthmark(
        self, artifact_type: str, given: dict[str, Any], reasons: dict[str, str], /
    ) -> dict[str, Any]:
        """Return the whole birthmark that an artifact made now would have.

        Waits for the look at the code, 2.5 s at most.

        Raises:
            UsageError: If a field is reserved or of the wrong type.
        """

    def plan(self, planned: list[str], /) -> None:
        """Add plans.

        Raises:
            StoreError: If they cannot be recorded.
        """

    def open_records(
        self,
        path: _AnyPath,
        *,
        mode: str,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        all_fields: bool,
        ensure_ascii: bool,
        nan: str,
    ) -> Records:
        """Open a JSONL artifact, to be wrapped as :class:`birthmark.JsonlWriter`.

        Args:
            path: The file, relative to the working folder.
            mode: ``"x"``, ``"w"`` or ``"a"``, as in ``open()``.
            artifact_type: Its type.
            given: Fields of the artifact. ``dataset``, ``inputs`` and the digests of ``models``
                are filled in from the files they name.
            reasons: Why some of them are None, by name.
            all_fields: Whether records carry the whole birthmark.
            ensure_ascii: As for ``json.dumps``.
            nan: ``"keep"``, ``"error"`` or ``"null"``.

        Raises:
            ArtifactExistsError: If the file is there and the mode is ``"x"``.
            UsageError: If a field is reserved or of the wrong type, another writer has the
                file, this is a forked child, or the session is over.
            StoreError: If the file cannot be written.
            ValueError: If ``mode`` or ``nan`` is no such word.
        """

    def begin_report(
        self,
        path: _AnyPath,
        *,
        mode: str,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        ensure_ascii: bool,
    ) -> Report:
        """Begin a report that is made item by item, or go on with one.

        Arguments and errors are those of :meth:`open_records`.
        """

    def write_report(
        self,
        path: _AnyPath,
        body: Any,
        *,
        mode: str,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        ensure_ascii: bool,
    ) -> tuple[int, list[str]]:
        """Write a finished report.

        Arguments and errors are those of :meth:`open_records`; ``body`` becomes a JSON object.

        Returns:
            How many values were NaN or infinite, and where the first of them stand.
        """

    def add(
        self,
        path: _AnyPath,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        pace: Pace | None = None,
        /,
        *,
        sha256: bool = False,
        nice: bool = False,
    ) -> Path | None:
        """Digest a file or folder, read at that pace, write its sidecar and record it.

        With ``nice`` by a thread of the lowest priority; the caller, who waits, keeps its own.

        Returns:
            The sidecar's path; None on ranks other than 0, which do nothing.

        Raises:
            UsageError: If it is not there, or a field is reserved or of the wrong type.
            StoreError: If it cannot be read (or changes while it is read), or the sidecar not
                written.
        """

    def use_input(self, what: str, role: str | None, more: dict[str, Any], /) -> dict[str, Any]:
        """Record that a path (digested) or a name was read; ``more`` stands beside it.

        Returns:
            The entry, fit for ``inputs``.
        """

    def seal(
        self,
        from_path: _AnyPath,
        to_path: _AnyPath,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        on_existing: str,
        /,
    ) -> Path:
        """Put a file that another tool made to its place, with its birthmark within."""

    def expect(
        self,
        path: _AnyPath,
        artifact_type: str,
        given: dict[str, Any],
        reasons: dict[str, str],
        /,
    ) -> None:
        """Record that a file or folder is there whose digest is still to come."""

    def removed(self, path: _AnyPath, reason: str, /) -> None:
        """Record that an artifact was removed on purpose."""

    def recorded_in(self, folder: _AnyPath, /) -> list[Path]:
        """What earlier sessions made directly in a folder, and nobody removed since."""

    @property
    def wants_lineage(self) -> bool:
        """Whether the project wants to know what is read and made."""

    def record_watch(
        self, loads: list[dict[str, Any]], readers: list[str], modules: list[str], started: bool
    ) -> None:
        """End the watch, and record what was seen: inputs, files made, code loaded.

        Args:
            loads: What was loaded by name: ``role``, ``called``, and what else is known of
                ``name``, ``revision``, ``asked_revision``, ``files``, ``cached_in``, ``split``,
                ``config``, ``subfolder``.
            readers: Loaded libraries that open files in C, which the hook does not see.
            modules: Files of the modules that are loaded.
            started: Whether processes were started that audit events do not tell of.
        """

    def record_loads(self, loads: list[dict[str, Any]]) -> None:
        """Record what was loaded by name, where somebody else watches the files."""

    def record_seeds(self, seeds: dict[str, Any]) -> None:
        """Record the seeds that were set, by the function that was called."""

    def end(
        self, outcome: str, error: str | None, exit_code: int | None, last: bool, /
    ) -> None:
        """End the run of this process, and the session if it was begun here.

        Open files are closed first. Twice, or in a forked child, does nothing.

        Args:
            outcome: ``"completed"``, ``"failed"`` or ``"interrupted"``.
            error: What went wrong, in one line; secrets are taken out.
            exit_code: The script's exit status, where it is known.
            last: Nobody will try again: on a full disk the end goes into the room that is held
                back for it, and says what could not be recorded.

        Raises:
            ValueError: If there is no such outcome.
            StoreError: If it cannot be recorded.
        """

class Records:
    """A JSONL artifact being written. See :class:`birthmark.JsonlWriter`."""

    def __new__(cls, opened: Records, /) -> Records:
        """Take over what :meth:`Session.open_records` opened."""
    @property
    def path(self) -> Path:
        """The file, absolute."""
    @property
    def count(self) -> int:
        """Records in the file so far, those that were there before included."""
    @property
    def continued(self) -> int:
        """Records that were there when it was opened."""
    @property
    def nan_count(self) -> int:
        """Values that were NaN or infinite so far."""
    @property
    def nan_paths(self) -> list[str]:
        """Where the first of them stood, such as ``record["logprobs"][3]``; at most 3."""

    def write(self, record: Any, /, **fields: Any) -> None:
        """Write one record. When this returns it survives the death of the process.

        The record itself is not changed: its birthmark is spliced into its line as
        ``metadata``, just before the closing brace. What ``json.dumps`` writes is written byte
        for byte, and NumPy and Torch values, paths, dates, dataclasses, pydantic and msgspec
        objects besides.

        Args:
            record: A dict, or something that becomes a JSON object.
            fields: Fields of this record, such as ``seed=43``. One that is NaN is written as
                null, with the reason. Secrets of known shape are taken out.

        Raises:
            TypeError: If JSON cannot say the record, or it is no object. Nothing is written.
            ValueError: If it holds NaN and the file was opened with ``nan="error"``.
            UsageError: If a field is reserved or of the wrong type, the file is closed, or this
                is a forked child.
            StoreError: If the operating system does not take it. Nothing of it stays, and it
                may be tried again.
        """

    def write_many(self, records: Iterable[Any], /, **fields: Any) -> int:
        """Write many records, a megabyte to a write; ``fields`` are shared by all of them.

        Args:
            records: Any iterable; it is consumed as it is written.
            fields: As for :meth:`write`.

        Returns:
            How many were written.

        Raises:
            Exception: Whatever ``records`` raises, and what :meth:`write` raises. All records
                before the one at fault are in the file.
        """

    def done(self, key: str, /) -> list[str]:
        """Return the JSON texts of the values under ``key``, one for each record that has it.

        Raises:
            StoreError: If the file cannot be read.
        """

    def close(self, error: str | None = None) -> None:
        """Close the file and record its size, records and digests. Twice does nothing."""

class Report:
    """A report being made. See :class:`birthmark.Report`."""

    def __new__(cls, opened: Report, /) -> Report:
        """Take over what :meth:`Session.begin_report` opened."""
    @property
    def path(self) -> Path:
        """The report's file, absolute."""
    @property
    def count(self) -> int:
        """Items so far, those of an interrupted run included."""
    @property
    def nan_count(self) -> int:
        """Values that were NaN or infinite so far."""
    @property
    def nan_paths(self) -> list[str]:
        """Where the first of them stood; at most 3."""

    def add(self, item: Any, /) -> None:
        """Add one item. When this returns it survives the death of the process.

        Args:
            item: A dict, or something that becomes a JSON object.

        Raises:
            TypeError: If JSON cannot say it, or it is no object. Nothing is written.
            UsageError: If the report is closed, or this is a forked child.
            StoreError: If the operating system does not take it.
        """

    def done(self, key: str, /) -> list[str]:
        """As :meth:`Records.done`, over the items."""

    def items(self) -> list[str]:
        """Return the items so far as JSON texts, without their birthmarks."""

    def finish(self, head: dict[str, Any], /) -> None:
        """Put the report together: ``head``, then ``results``, then the birthmark.

        Raises:
            TypeError: If JSON cannot say ``head``. The items stay where they are.
            UsageError: If ``head`` has ``results`` of its own, or an item was damaged.
            StoreError: If it cannot be written. The items stay where they are.
        """

    def abandon(self) -> None:
        """Leave the items for a later run."""

def capture(
    anchor: _AnyPath,
    script: _AnyPath | None,
    interpreter: dict[str, Any],
    artifact_type: str = "artifact",
) -> dict[str, Any]:
    """Return what a birthmark made here and now would hold, with no session.

    Beside the fields of a birthmark stand ``code`` (counts, changed files) and ``environment``
    (the origin's seven keys first; ``gpu_memory_gb`` in 10^9 bytes).
    """

def code_fields(anchor: _AnyPath, status: bool) -> dict[str, Any]:
    """Return the ``git_*`` and ``script_*`` fields at a script or folder.

    Args:
        anchor: The script or folder.
        status: Whether to look if the tree is dirty: takes up to 2 s in a huge one.
    """

def trace(artifact: _AnyPath, stores: list[str]) -> dict[str, Any]:
    """Return where an artifact came from and what came of it."""

@final
class Pace:
    """How fast files are read for their digests, while something else runs beside."""

    def __new__(cls, bytes_per_second: int) -> Pace: ...
    def lift(self) -> None:
        """From now on as fast as it can be."""

def digest_file(path: _AnyPath, algorithm: str) -> str:
    """Return the digest of a file (``blake3`` or ``sha256``), or the tree digest of a folder.

    Raises:
        UsageError: If it is a folder and not asked for by ``blake3``.
        OSError: If it cannot be read, or changed while it was read.
    """

def read(path: _AnyPath, line: int | None = None) -> dict[str, Any] | None:
    """Return the birthmark of a file, folder, or record (``line``, from 1), or None.

    Raises:
        StoreError: If the file cannot be read.
        DamagedError: If it is not what its name says.
    """

def _encode(obj: Any, ensure_ascii: bool = True, nan: str = "keep") -> bytes:
    """Return ``obj`` as JSON bytes, as ``json.dumps`` writes it.

    Raises:
        TypeError: If JSON cannot say it.
        ValueError: If it holds NaN and ``nan`` is ``"error"``.
    """

def _encode_record(
    obj: Any, ensure_ascii: bool = True, nan: str = "keep"
) -> tuple[bytes, int, list[str], tuple[int, int] | None]:
    """Return an object as JSON bytes, and what was seen.

    Returns:
        ``(text, nan_count, nan_paths, metadata)``; the last is where the value of a
        ``metadata`` of its own lies in ``text``, as ``(start, end)`` in bytes.
    """

def stamp(
    path: _AnyPath,
    /,
    *,
    artifact_type: str,
    given: dict[str, Any],
    reasons: dict[str, str],
    out: _AnyPath | None,
    in_place: bool,
    on_existing: str,
    force: bool,
    quarantine: _AnyPath | None,
    sha256: bool,
    longest_line: int | None,
    set_file: list[str],
    model_provenance: _AnyPath | None,
    argv: list[str],
) -> tuple[dict[str, Any], list[str]]:
    """Stamp a file or folder that is there already.

    Returns:
        What was done, as JSON has it, and a line for each rule of the project that is not met.
    """

def fields_of_files(
    set_file: list[str], model_provenance: _AnyPath | None, /
) -> dict[str, Any]:
    """Return the fields of JSON, TOML and YAML files, and of what a model's loader said of itself."""

def batch(
    bytes_: bytes, offsets: bytes, birthmark: bytes | None, on_existing: str, /
) -> tuple[bytes, bytes]:
    """Stamp records that lie as Arrow lays them, or cut their birthmarks out without one.

    Returns:
        Their bytes, and their offsets of eight bytes each.

    Raises:
        ValueError: If a record cannot be, by its place, or ``birthmark`` is none.
    """

def carries_within(path: _AnyPath, /) -> bool:
    """Whether files of this name carry their birthmark within."""

def compare(
    targets: list[str],
    subject: list[str],
    accept: list[str],
    match_by: str | None,
    seed: int,
    metric: str | None,
    no_worse_than: float | None,
    directions: tuple[list[str], list[str]],
    require_comparable: bool,
) -> tuple[str, str, str, str]:
    """Compare, and give the answer as JSON, a page for a terminal, Markdown and HTML."""
