"""What a session says, and which script it speaks for."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def say(line: str) -> None:
    """Print one line on stderr; never raises."""
    try:
        print(line, file=sys.stderr, flush=True)
    except Exception:  # noqa: BLE001 - talk must never harm the run
        pass


def talker() -> Any:
    """Return :func:`say`, or None when ``BIRTHMARK_QUIET`` asks for silence."""
    return None if os.environ.get("BIRTHMARK_QUIET", "0") not in ("", "0") else say


def running_script() -> Path | None:
    """The script that runs, absolute; None in a shell or notebook and for ``-c``."""
    main = sys.modules.get("__main__")
    name = getattr(main, "__file__", None)
    if name is None or getattr(sys, "ps1", None) is not None:
        return None
    path = Path(name)
    try:
        path = path if path.is_absolute() else Path.cwd() / path
        return path if path.is_file() else None
    except OSError:
        return None


def anchor() -> Path:
    """Whose repository counts: the script's, or that of the working folder."""
    script = running_script()
    if script is not None:
        return script
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def argv() -> list[str]:
    """The command line as it was given to Python."""
    return list(getattr(sys, "orig_argv", None) or [sys.executable, *sys.argv])


def interpreter() -> dict[str, Any]:
    """What the native half needs to know of this Python."""
    return {
        "version": sys.version,
        "executable": sys.executable or None,
        "implementation": platform.python_implementation(),
        "sys_path": [entry for entry in sys.path if isinstance(entry, str) and entry],
    }


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
    if talker() is None or not getattr(sys.stderr, "isatty", lambda: False)():
        yield from items
        return
    start = shown = time.monotonic()
    drawn = False
    for count, item in enumerate(items):
        now = time.monotonic()
        if now - start > _BAR_AFTER and now - shown > _BAR_EVERY:
            _draw(count, total, done, now - start)
            shown, drawn = now, True
        yield item
    if drawn:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _draw(count: int, total: int | None, done: int, elapsed: float) -> None:
    rate = count / elapsed
    text = f"birthmark: {done + count}"
    if total is not None:
        text += f" of {done + total}"
        if rate > 0:
            text += f", {_duration((total - count) / rate)} left"
    sys.stderr.write(f"\r\x1b[K{text}, {rate:.1f}/s")
    sys.stderr.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main_thread() -> bool:
    """Whether this is the interpreter's main thread."""
    return threading.current_thread() is threading.main_thread()
