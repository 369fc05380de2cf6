"""A session as this process lives it: begun or joined once, ended by the last who is in it.

A process takes part in one session. ``with bm.session(...)`` within another one, or in another
thread meanwhile, is that session again, with nearer fields; which of them is current is a
matter of the thread or task.

* A thread or task is in the session that it entered, or in that of the task that made it.
* A thread that entered none is in the one that the main thread is in, however deep; and
  everybody is in what the main thread began by ``start()``.
* Threads that each enter one of their own lie beside each other: nothing of what one was given
  is inherited by another, and the session goes on until the last of them has left it.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys

from . import _native, _talk
from .errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from typing import Any

    from ._session import Session
    from ._watch import Watch

else:
    from _contextvars import ContextVar  # built in; `contextvars` is a file of its own

lock = _thread.RLock()
_nearest: ContextVar[Session | None] = ContextVar("birthmark_session", default=None)
_living: Life | None = None
_MAIN = _thread.get_ident()


def living() -> Life | None:
    """The session that this process takes part in, if it is not over."""
    life = _living
    return life if life is not None and not life.native.is_over else None


def entered() -> Session | None:
    """The nearest session that this thread or task is in by itself."""
    session = _nearest.get()
    while session is not None and not session.is_open:
        session = session._outer
    return session


def nearest() -> Session | None:
    """What :func:`enter` was last told here, whether it is still open or not."""
    return _nearest.get()


def enter(session: Session | None) -> None:
    """Let a session be the nearest one of this thread or task."""
    _nearest.set(session)


def is_main() -> bool:
    """Whether this is the thread that the program began with."""
    threading = sys.modules.get("threading")
    main = _MAIN if threading is None else threading.main_thread().ident
    return _thread.get_ident() == main


class Life:
    """What one process has of a session, whoever is in it."""

    def __init__(self, native: _native.Session) -> None:
        global _living
        self.native = native
        #: Those who are in it, in the order in which they entered.
        self.open: list[Session] = []
        self._watch: Watch | None = None
        self._finalizer: Any = None
        self._failed: tuple[str, str | None, int | None] | None = None
        self._ended_so: tuple[str, str | None, int | None] | None = None
        self._environ: dict[str, str | None] = {}
        self._handed_on: str | None = None
        self._before_end: list[Callable[[bool], Callable[[], None] | None]] = []
        # Whether nobody will try to end it again.
        self._last = False
        self._export()
        _living = self
        atexit.register(self._at_exit)
        self._end_with_worker()

    # -- who is in it

    def outermost(self) -> list[Session]:
        """Those that are in it and not within another one that is open."""
        return [one for one in self.open if one._outer is None or one._outer not in self.open]

    def around(self) -> Session | None:
        """The session that a new one of this thread or task lies in."""
        near = entered()
        if near is not None:
            return near
        main = is_main()
        return _one_of([one for one in self.open if one._is_around(main)])

    def shared(self) -> Session | None:
        """The session of a thread or task that entered none."""
        return self.around() or _one_of(self.open)

    def nearest(self) -> Session | None:
        """The session that a child process joins."""
        return _one_of([one for one in self.open if one._in_main]) or _one_of(self.open)

    def enter(self, session: Session) -> None:
        """Somebody is in it."""
        self.open.append(session)
        self._hand_on()

    def leave(
        self, session: Session, outcome: str, error: str | None, exit_code: int | None
    ) -> None:
        """Somebody has left it; the last one ends it."""
        if session not in self.open:
            return
        if session in self.outermost():
            if len(self.outermost()) == 1:
                self.end(*(self._failed or (outcome, error, exit_code)))
                return
            if outcome != "completed" and self._failed is None:
                self._failed = (outcome, error, exit_code)
        self.open.remove(session)
        self._hand_on()

    # -- its end

    def end(
        self, outcome: str = "completed", error: str | None = None, exit_code: int | None = None
    ) -> None:
        """End it, whoever is in it."""
        global _living
        rest = self._finish(outcome == "completed")
        self._end_watch()
        how = self._ended_so or (outcome, error, exit_code)
        try:
            self.native.end(*how, self._last)
        except StoreError:
            # What could not be recorded at first is what is recorded at the exit.
            self._ended_so = how
            raise
        # Reached only when it is over: after a failure it is tried once more at the exit.
        atexit.unregister(self._at_exit)
        if self._finalizer is not None:
            self._finalizer.cancel()
            self._finalizer = None
        self._restore()
        self.open.clear()
        if _living is self:
            _living = None
        for after in rest:
            after()

    def before_end(self, work: Callable[[bool], Callable[[], None] | None]) -> None:
        """Do ``work`` before it ends, while things can still be recorded. It is told whether the
        session completed, and may answer what is to be done after the end."""
        self._before_end.append(work)

    def _finish(self, completed: bool) -> list[Callable[[], None]]:
        works, self._before_end = self._before_end, []
        rest: list[Callable[[], None]] = []
        for work in [] if self.native.is_over else works:
            try:
                after = work(completed)
                if after is not None:
                    rest.append(after)
            except KeyboardInterrupt:
                break
            except Exception as error:  # noqa: BLE001 - the end itself comes first
                _talk.say(f"birthmark: not all was recorded: {_talk.one_line(error)}")
        return rest

    def end_with(self, error: BaseException) -> None:
        """End it because of an error."""
        self.end(*told(error))

    def begin_watch(self, wanted: bool) -> None:
        """See what is read, made and loaded; under ``birthmark run`` that sees more already."""
        if not wanted:
            return
        from ._watch import Watch

        try:
            self._watch = Watch()
            self._watch.start()
        except Exception as error:  # noqa: BLE001 - capture never harms the run
            _talk.say(f"birthmark: cannot watch what is read: {_talk.one_line(error)}")

    @property
    def is_watched(self) -> bool:
        """Whether it sees by itself what is read and made."""
        return self._watch is not None

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is None or self.native.is_over:
            return
        try:
            watch.end(self.native)
        except Exception as error:  # noqa: BLE001 - the end itself comes first
            _talk.say(f"birthmark: cannot record what was read: {_talk.one_line(error)}")

    def _at_exit(self) -> None:
        self._last = True
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        try:
            if error is None or _talk.is_interactive():
                self.end()
            else:
                self.end_with(error)
        except Exception as other:  # noqa: BLE001 - nobody is left who could handle it
            say_no_end(other)

    def _end_with_worker(self) -> None:
        """End with a forked worker of multiprocessing too, such as that of a DataLoader.

        It ends past what is registered for the interpreter's exit, and has finalizers of its own.
        """
        process = sys.modules.get("multiprocessing.process")
        if process is None or process.parent_process() is None:
            return
        from multiprocessing import util

        def end() -> None:
            self._last = True
            error = sys.exc_info()[1]
            if error is None:
                self.end()
            else:
                self.end_with(error)

        # Below 0: after the worker's own children were waited for.
        self._finalizer = util.Finalize(None, end, exitpriority=-1)

    # -- what children of this process are told

    def _export(self) -> None:
        """Children of this process join its session through the environment."""
        self._set("BIRTHMARK_SESSION", self.native.id)
        self._set("BIRTHMARK_PARENT_RUN", self.native.run_id)
        self._set("BIRTHMARK_DIR", os.fspath(self.native.artifacts))

    def _hand_on(self) -> None:
        """Children inherit what the nearest session was given."""
        near = self.nearest()
        handed_on = None if near is None else near._live.handed_on
        text = None if handed_on is None else handed_on[1]
        if text != self._handed_on:
            self._handed_on = text
            self._set("BIRTHMARK_GIVEN", text)

    def _set(self, name: str, value: str | None) -> None:
        self._environ.setdefault(name, os.environ.get(name))
        _put(name, value)

    def _restore(self) -> None:
        for name, value in self._environ.items():
            _put(name, value)
        self._environ = {}


def _one_of(told: list[Session]) -> Session | None:
    """The innermost session; where they lie beside each other, one that tells only what they
    agree on."""
    if not told:
        return None
    chain = all(inner._outer is outer for outer, inner in zip(told, told[1:]))
    return told[-1] if chain else told[0]._among(told)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


_said_no_end: str | None = None


def say_no_end(error: BaseException) -> None:
    """Say why the end of a session could not be recorded; what was said is not said again when it
    fails so once more."""
    global _said_no_end
    message = getattr(error, "message", None)
    line = _talk.one_line(error) if message is None else " ".join(str(message).split())
    if line != _said_no_end:
        _said_no_end = line
        _talk.say(f"birthmark: cannot record the end of the session: {line}")


def told(error: BaseException) -> tuple[str, str | None, int | None]:
    """The outcome of a session that an error ended, what went wrong, and the exit status."""
    if isinstance(error, SystemExit):
        # A status that is no number is printed, and the process ends with 1.
        code = error.code
        status = 0 if code is None else code if isinstance(code, int) else 1
        if status == 0:
            return "completed", None, 0
        return "failed", f"SystemExit: {code}", status
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        return "interrupted", type(error).__name__, None
    return "failed", _talk.one_line(error), None
