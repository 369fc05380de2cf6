"""On what machine it was measured: without that a result means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path


def facts(data: Path) -> dict[str, str]:
    """CPU, cores, memory, kernel, Python, file system and date; what is not known is "unknown"."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{_memory_gib():.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "git": _said("git", "--version").removeprefix("git version "),
        "file system": _file_system(data),
        "measured": _measured(),
    }


class Others:
    """What share of all cores others took since this was made.

    The load average cannot tell: it counts us too, and lags by minutes. Where others fill a core,
    work that we do on a thread beside runs on the core of the caller, and wall time is CPU time.
    """

    def __init__(self) -> None:
        self._all, self._idle, self._own = _ticks()

    def share(self) -> float:
        """From 0 to 1; time that the host took from a virtual machine counts as others'."""
        whole, idle, own = (now - then for now, then in zip(_ticks(), (self._all, self._idle, self._own), strict=True))
        return max(0.0, (whole - idle - own) / whole) if whole > 0 else 0.0


def _ticks() -> tuple[float, float, float]:
    """Seconds of all cores, of those idle ones, and of this process with its children."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    cores = [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in line.split()[1:9]]
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(cores), cores[3] + cores[4], sum(one.ru_utime + one.ru_stime for one in used)


def _measured() -> str:
    """The commit that the installed wheel was built from, as ``make bench`` wrote it down then."""
    try:
        return "commit " + (Path(sys.prefix) / "measured-commit").read_text().strip()
    except OSError:
        return "a wheel of an unknown commit"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {key.strip(): value.strip() for key, value in named.items()}
    hashing = "with" if "sha_ni" in names.get("flags", "").split() else "without"
    return f"{names.get('model name', 'unknown')}, {hashing} SHA instructions"


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _file_system(folder: Path) -> str:
    return _said("stat", "--file-system", "--format=%T", str(folder))
