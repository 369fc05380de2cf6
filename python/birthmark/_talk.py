"""What a session says, and which script it speaks for.

Runs at the start of every session, so it imports nothing that takes milliseconds.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any


def say(line: str) -> None:
    """Print one line on stderr; never raises."""
    try:
        print(line, file=sys.stderr, flush=True)
    except Exception:  # noqa: BLE001 - talk must never harm the run
        pass


def one_line(error: BaseException) -> str:
    """An exception as one line: its class and its message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def talker() -> Callable[[str], None] | None:
    """Return :func:`say`, or None when ``BIRTHMARK_QUIET`` asks for silence."""
    return None if os.environ.get("BIRTHMARK_QUIET", "0") not in ("", "0") else say


def is_interactive() -> bool:
    """Whether this is a shell or notebook, where an error does not end the program."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def running_script() -> str | None:
    """The script that runs, absolute; None in a shell or notebook and for ``-c``."""
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    if name is None or is_interactive():
        return None
    try:
        path = os.path.abspath(name)
    except OSError:
        return None
    return path if os.path.isfile(path) else None


def anchor() -> str:
    """Whose repository counts: the script's, or that of the working folder.

    A program that was installed (``bin/pytest``, a console script) lies in no repository of the
    person who runs it: for it the working folder counts.
    """
    script = running_script()
    installed = (os.path.join(sys.prefix, "bin", ""), os.path.join(sys.prefix, "lib", ""))
    if script is not None and not script.startswith(installed):
        return script
    try:
        return os.getcwd()
    except OSError:
        return "/"


def argv() -> list[str]:
    """The command line as it was given to Python."""
    return list(getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv])


_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}


def interpreter() -> dict[str, Any]:
    """What the native half needs to know of this Python."""
    name = sys.implementation.name
    return {
        "version": sys.version,
        "executable": sys.executable or None,
        "implementation": _IMPLEMENTATIONS.get(name, name),
        "sys_path": [entry for entry in sys.path if isinstance(entry, str) and entry],
    }


def module_files() -> list[str]:
    """The files of all modules that are loaded, but for those of the installation and ours."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    installed = (sys.prefix + "/lib/", sys.base_prefix + "/lib/", own)
    files = []
    for module in list(sys.modules.values()):
        # A lazy module's own attributes would import it.
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and file.endswith((".py", ".pyc", ".so")) and not file.startswith(installed):
            files.append(file)
    return files


def runtime() -> dict[str, Any]:
    """What torch says of itself and its devices, if it is imported already.

    CUDA is asked only where the script has initialised it: doing so here would take seconds and
    forbid the script to fork.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is None:
            return {}
        facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda}
        if torch.cuda.is_initialized():
            devices = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
            facts["gpus"] = [
                {"name": device.name, "memory_bytes": device.total_memory} for device in devices
            ]
        return facts
    except Exception as error:  # noqa: BLE001 - a probe never raises
        return {"unknown": f"torch did not answer: {type(error).__name__}"}


_BAR_AFTER = 1.0
_BAR_EVERY = 0.5


def progress(items: Iterable[Any], total: int | None, done: int) -> Iterator[Any]:
    """Yield ``items``, with a line of progress on a terminal once it takes over a second."""
    if not _can_draw():
        yield from items
        return
    start = shown = time.monotonic()
    drawn = False
    try:
        for count, item in enumerate(items):
            now = time.monotonic()
            if now - start > _BAR_AFTER and now - shown > _BAR_EVERY:
                _draw(count, total, done, now - start)
                shown, drawn = now, True
            yield item
    finally:
        if drawn:
            _put("\r\x1b[K")


def draw_reading(far: str, seconds_left: int) -> None:
    """Show how far long reading is, over what was shown before; an empty text takes it away.

    Called by the native half, from whatever thread waits: a thread beside the script's own draws
    nothing over what the script draws.
    """
    threading = sys.modules.get("threading")
    beside = threading is not None and threading.current_thread() is not threading.main_thread()
    if beside or not _can_draw():
        return
    _put(f"\r\x1b[Kbirthmark: {far}, {_duration(seconds_left)} left" if far else "\r\x1b[K")


def _can_draw() -> bool:
    return talker() is not None and bool(getattr(sys.stderr, "isatty", lambda: False)())


def _draw(count: int, total: int | None, done: int, elapsed: float) -> None:
    rate = count / elapsed
    text = f"birthmark: {done + count}"
    if total is not None:
        text += f" of {done + total}"
        if rate > 0:
            text += f", {_duration((total - count) / rate)} left"
    _put(f"\r\x1b[K{text}, {rate:.1f}/s")


def _put(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:  # noqa: BLE001 - talk must never harm the run
        pass


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
