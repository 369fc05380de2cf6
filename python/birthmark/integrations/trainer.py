"""Checkpoints of a trainer (transformers, TRL, accelerate) are born with their birthmark.

The callback listens to the trainer's events and does nothing in them but put a folder's
name into a queue. Beside the training a thread records that the checkpoint is there
(``digest_state: pending``), waits until all its shards are, digests it at the lowest
priority and at a bounded rate, writes its sidecar, and records what rotation removed.

Nothing here imports transformers; where the script has imported it, the callback is of its class.

Invariants:

* No fault of ours ever reaches the trainer: it is said, once, and the training goes on.
* Only the process that is rank 0 of the world does anything.
* What has the lowest priority never holds the interpreter: it would hold up the training as well.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from .. import _native
from .._session import Session, current
from .._stamp import base_of
from .._talk import say

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL = 0.5
"""Seconds between two looks at a folder that is still being written."""
_LATE_POLL = 0.1
"""The same when the process is about to end."""
_PATIENCE = 600.0
"""Seconds after which a folder whose shards never come is digested as it is."""
_LAST_PATIENCE = 30.0
"""Seconds that the end of a session waits for digests after the training failed."""
_TERMINATED_PATIENCE = 5.0
"""The same after the process was asked to end (SIGTERM), as a launcher does when a rank died."""


class _Job:
    __slots__ = ("folder", "fields")

    def __init__(self, folder: str, fields: dict[str, Any]) -> None:
        self.folder = folder
        self.fields = fields


class Events:
    """What the trainer calls. Made by :func:`birthmark.TrainerCallback`."""

    def __init__(
        self, artifact_type: str = "model", digest_rate: int | None = None, **fields: Any
    ) -> None:
        self._artifact_type = artifact_type
        self._rate = digest_rate
        self._pace: _native.Pace | None = None
        self._fields = fields
        self._session: Session | None = None
        self._own: Session | None = None
        self._params: Any = None
        self._inputs = fields.pop("inputs", None)
        self._kept: list[str] = []
        self._before: tuple[str, list[str], Any] | None = None
        self._noted: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_late = threading.Event()

    # -- the trainer's events

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Take the arguments of the training as params, and the model as input."""
        if not getattr(state, "is_world_process_zero", True):
            return
        try:
            self._begin(args, more.get("model"))
        except Exception as error:  # noqa: BLE001 - never harm the training
            say(f"birthmark: checkpoints will have no birthmark: {one_line(error)}")
            self._session = None

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A checkpoint was saved; what is to be done is done beside the training."""
        if self._session is None or not getattr(state, "is_world_process_zero", True):
            return
        step = int(getattr(state, "global_step", 0))
        folder = os.path.join(args.output_dir, f"checkpoint-{step}")
        fields: dict[str, Any] = {"step": step}
        epoch = getattr(state, "epoch", None)
        if epoch is not None:
            fields["epoch"] = float(epoch)
        self._noted.put(_Job(os.path.abspath(folder), fields))

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Wait until every checkpoint has its digest, and end a session of our own."""
        self.finish()

    # -- for scripts

    def finish(self) -> None:
        """Wait until every checkpoint that was saved has its digest."""
        self._wait(None)
        own, self._own = self._own, None
        self._session = None
        if own is not None:
            try:
                own.end()
            except Exception as error:  # noqa: BLE001 - never harm the training
                say(f"birthmark: cannot record the end of the session: {one_line(error)}")

    def _at_end(self, completed: bool) -> Callable[[], None] | None:
        """The session ends and no event told of it, as where the training failed: what it saved
        is what is wanted then."""
        if completed:
            self._wait(None)
            return None
        self._is_late.set()
        with _Patience() as patience:
            self._wait(patience)
        return patience.terminate if patience.is_terminated else None

    def _wait(self, patience: _Patience | None) -> None:
        threads, self._threads = self._threads, []
        if not threads:
            return
        self._noted.put(None)
        if self._pace is not None:
            self._pace.lift()
        for thread in threads:
            while thread.is_alive() and (patience is None or patience.is_left):
                thread.join(_LATE_POLL)

    # -- beside the training

    def _begin(self, args: Any, model: Any) -> None:
        if self._threads:
            return
        self._session = current()
        if self._session is None:
            self._own = self._session = Session().start()
        self._params = args
        if self._inputs is None:
            base = base_of(model)
            self._inputs = None if base is None else [base]
        output = os.path.abspath(args.output_dir)
        self._kept = there = _checkpoints(output)
        limit = getattr(args, "save_total_limit", None)
        self._before = output, list(there), limit
        self._pace = None if self._rate is None else _native.Pace(int(self._rate))
        life = self._session._life
        if life is not None:
            life.before_end(self._at_end)
        for work in (self._note, self._digest):
            thread = threading.Thread(target=work, name="birthmark-checkpoints", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _told(self, job: _Job) -> dict[str, Any]:
        told = {"params": self._params, **self._fields, **job.fields}
        if self._inputs is not None:
            told["inputs"] = self._inputs
        return told

    def _note(self) -> None:
        """Record each checkpoint at once, before any is digested."""
        self._look_back()
        while (job := self._noted.get()) is not None:
            self._try(job, self._expect)
            self._jobs.put(job)
        self._jobs.put(None)

    def _look_back(self) -> None:
        """Find what earlier runs made, and was rotated away before they could say so."""
        try:
            if self._session is not None and self._before is not None:
                output, there, limit = self._before
                recorded = [os.fspath(path) for path in self._session._live.recorded_in(output)]
                self._kept += _rotated(output, there, limit, recorded)
        except Exception as error:  # noqa: BLE001 - never harm the training
            say(f"birthmark: cannot tell what earlier runs left: {one_line(error)}")

    def _digest(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._try(job, self._add)
            self._look_for_removed()
        self._look_for_removed()

    def _try(self, job: _Job, work: Any) -> None:
        try:
            work(job)
        except Exception as error:  # noqa: BLE001 - never harm the training
            if os.path.isdir(job.folder):
                name = os.path.basename(job.folder)
                say(f"birthmark: {name} has no birthmark: {one_line(error)}")

    def _expect(self, job: _Job) -> None:
        from .._stamp import _told

        session = self._session
        if session is not None and os.path.isdir(job.folder):
            given, reasons = _told(self._told(job))
            session._live.expect(job.folder, self._artifact_type, given, reasons)
            self._kept.append(job.folder)

    def _add(self, job: _Job) -> None:
        session = self._session
        if session is None or not _settled(job.folder, self._is_late):
            return
        from .._stamp import _told

        given, reasons = _told(self._told(job))
        session._live.add(job.folder, self._artifact_type, given, reasons, self._pace, nice=True)

    def _look_for_removed(self) -> None:
        session = self._session
        for folder in [folder for folder in self._kept if not os.path.exists(folder)]:
            self._kept.remove(folder)
            try:
                sidecar = folder + ".birthmark.json"
                if os.path.exists(sidecar):
                    os.unlink(sidecar)
                if session is not None:
                    session.removed(folder, "rotation")
            except Exception as error:  # noqa: BLE001 - never harm the training
                say(f"birthmark: cannot record that {folder} is gone: {one_line(error)}")


class _Patience:
    """How long the end of a failed training waits. A SIGTERM that nobody handles does not cut off
    what is being recorded: it shortens the waiting, and takes effect after the end."""

    def __init__(self) -> None:
        self._end = time.monotonic() + _LAST_PATIENCE
        self._before: Any = None
        self.is_terminated = False

    @property
    def is_left(self) -> bool:
        return time.monotonic() < self._end

    def __enter__(self) -> _Patience:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, self._shorten)
        return self

    def __exit__(self, *error: object) -> None:
        # What comes from now on finds the end being recorded, which takes milliseconds.
        if self._before is not None and not self.is_terminated:
            signal.signal(signal.SIGTERM, self._before)

    def _shorten(self, *told: object) -> None:
        if not self.is_terminated:
            self.is_terminated = True
            self._end = min(self._end, time.monotonic() + _TERMINATED_PATIENCE)

    def terminate(self) -> None:
        """End by the signal, as would have been done."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _checkpoints(folder: str) -> list[str]:
    """What an earlier run, which this one may go on with, left to be rotated away."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    steps = [name for name in names if name.startswith("checkpoint-") and name[11:].isdigit()]
    return [path for path in (os.path.join(folder, name) for name in steps) if os.path.isdir(path)]


def _rotated(folder: str, there: list[str], limit: Any, recorded: list[str]) -> list[str]:
    """What an earlier run rotated away and was killed before it could say so: it is recorded, or its
    sidecar stands alone, it is older than one that is there, and as many are there as the trainer
    keeps.
    """
    if not isinstance(limit, int) or not 0 < limit <= len(there):
        return []
    ending = ".birthmark.json"
    newest = max(int(path.rpartition("-")[2]) for path in there)
    names = {name.removesuffix(ending) for name in os.listdir(folder) if name.endswith(ending)}
    names |= {os.path.basename(path) for path in recorded}
    steps = sorted(name for name in names if name.startswith("checkpoint-") and name[11:].isdigit())
    paths = [os.path.join(folder, name) for name in steps if int(name[11:]) < newest]
    return [path for path in paths if path not in there and not os.path.lexists(path)]


def _settled(folder: str, is_late: threading.Event) -> bool:
    """Wait until all shards are there and nothing is written any more; False if it is gone, or if
    it is late and shards are missing: whoever was to write them is dead."""
    end = time.monotonic() + _PATIENCE
    before = None
    while True:
        now = _picture(folder)
        if now is None:
            return False
        if now == before:
            missing = _missing_shards(folder)
            if not missing or is_late.is_set():
                return not missing
        if time.monotonic() > end:
            return True
        before = now
        if is_late.wait(_POLL):
            time.sleep(_LATE_POLL)


def _picture(folder: str) -> dict[str, tuple[int, int]] | None:
    found: dict[str, tuple[int, int]] = {}
    try:
        for place, _, names in os.walk(folder, onerror=_raise):
            for name in names:
                path = os.path.join(place, name)
                state = os.stat(path, follow_symlinks=False)
                found[path] = (state.st_size, state.st_mtime_ns)
    except FileNotFoundError:
        return None if not os.path.isdir(folder) else {}
    return found


def _raise(error: OSError) -> None:
    raise error


def _missing_shards(folder: str) -> list[str]:
    """The shards that an index names and that are not there."""
    import json

    missing: set[str] = set()
    for name in os.listdir(folder):
        if name.endswith(".index.json"):
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    shards = set(json.load(file)["weight_map"].values())
            except (OSError, ValueError, KeyError, AttributeError):
                # An index that cannot be read yet is still being written.
                missing.add(name)
                continue
            missing.update(one for one in shards if not os.path.exists(os.path.join(folder, one)))
    return sorted(missing)


def callback(
    artifact_type: str = "model", digest_rate: int | None = None, **fields: Any
) -> Any:
    """A callback for a trainer: see :func:`birthmark.TrainerCallback`."""
    transformers = sys.modules.get("transformers")
    base = getattr(transformers, "TrainerCallback", None)
    bases = (Events,) if base is None else (Events, base)
    return type("BirthmarkCallback", bases, {} if base else {"__getattr__": _quiet})(
        artifact_type, digest_rate, **fields
    )


def _quiet(self: Any, name: str) -> Any:
    """Events that say nothing to us, where no base class has them."""
    if name.startswith("on_"):
        return lambda *args, **more: None
    raise AttributeError(name)
