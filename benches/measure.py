"""Measuring in turns, since only ratios taken side by side in one run count.

Purpose: run two ways A B, B A, A B, ... and keep for each round the ratio of the two, so that
a machine that grows slower or busier meanwhile slows both.

Invariants: the first round warms caches up and is thrown away; wall and CPU time are taken
of the same stretch; the CPU time of a process counts its threads and its children.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass
class Spent:
    """Seconds of one stretch of work, and what it told (``units`` says how much was done)."""

    wall: float
    cpu: float
    units: int = 1
    told: dict[str, Any] = field(default_factory=dict)

    def of(self, clock: str) -> float:
        """Seconds a unit, by ``clock``: "wall", "cpu", or something that was told, in seconds."""
        return (getattr(self, clock) if clock in ("wall", "cpu") else self.told[clock]) / self.units


@dataclass
class Spread:
    """Minimum, median and maximum over the rounds."""

    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(min(values), statistics.median(values), max(values))


def median_within(values: Sequence[float]) -> Spread:
    """The median, and between which two values that of all possible rounds lies with 95 % certainty.

    By the order of the values alone, whatever they are spread like: a single round that was disturbed moves
    the end of a minimum-to-maximum spread, and this hardly.
    """
    ordered, count = sorted(values), len(values)
    chance, below = 0.0, 0
    while below < (count - 1) // 2 and chance + math.comb(count, below) / 2**count <= 0.025:
        chance += math.comb(count, below) / 2**count
        below += 1
    rank = max(below - 1, 0)
    return Spread(ordered[rank], statistics.median(ordered), ordered[-1 - rank])


class Stretch:
    """Wall and CPU time of a ``with`` block, in this process and all its threads."""

    def __enter__(self) -> Stretch:
        self._cpu, self._wall = _own_cpu(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall = time.perf_counter() - self._wall
        self.cpu = _own_cpu() - self._cpu


def _own_cpu() -> float:
    """CPU seconds of this process and of the children that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


Way = Callable[[], Spent]
Pair = tuple[str, Way, Way]


def in_turns(pairs: Sequence[Pair], rounds: int) -> dict[str, list[tuple[Spent, Spent]]]:
    """Run each pair ``rounds`` times, in turns and in changing order; the first time is for nothing.

    Returns:
        By the name of the pair, what both took in each round.
    """
    taken: dict[str, list[tuple[Spent, Spent]]] = {name: [] for name, *_ in pairs}
    for number in range(rounds + 1):
        for name, first, second in pairs:
            if number % 2:
                one = first()
                other = second()
            else:
                other = second()
                one = first()
            if number:
                taken[name].append((one, other))
    return taken


def each_in_turns(ways: dict[str, Way], rounds: int) -> dict[str, list[Spent]]:
    """Run several ways in turns, forwards and backwards; the first time is for nothing."""
    taken: dict[str, list[Spent]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            spent = ways[name]()
            if number:
                taken[name].append(spent)
    return taken


def ratio(pairs: Sequence[tuple[Spent, Spent]], clock: str) -> Spread:
    """How many times what the second takes the first takes, round by round.

    The kernel counts a very short stretch as no CPU time at all: that is taken as a millionth.
    """
    return Spread.of([a.of(clock) / max(b.of(clock), 1e-6) for a, b in pairs])


def spread(taken: Sequence[Spent], clock: str, scale: float = 1.0) -> Spread:
    """What one way takes, times ``scale``."""
    return Spread.of([spent.of(clock) * scale for spent in taken])


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: nothing of ours or git's is inherited."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BIRTHMARK_", "GIT_", "PYTHON"))}
    quiet_git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**kept, **quiet_git, **more}


def run(command: Sequence[str], folder: Path, passing: Sequence[int] = (0,)) -> Spent:
    """Run a program to its end; a last line of JSON that it prints is what it told.

    Raises:
        RuntimeError: If its exit status is none of ``passing``: its time would mean nothing.
    """
    begin = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    out, complaint = child.stdout.read(), child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    child.stderr.close()
    if child.returncode not in passing:
        raise RuntimeError(
            f"{' '.join(command)} gave {child.returncode}: {complaint.decode(errors='replace')[-2000:]}"
        )
    lines = out.strip().splitlines()
    told = json.loads(lines[-1]) if lines and lines[-1].startswith(b"{\"told\"") else {}
    return Spent(wall, used.ru_utime + used.ru_stime, told=told.get("told", {}))


def run_with_memory(
    command: Sequence[str], folder: Path, cores: int | None = None, passing: Sequence[int] = (0,)
) -> Spent:
    """As ``run``, on so many cores, with the peak of the memory in MiB; what it prints is not kept."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    begin = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=folder, env=environment(BIRTHMARK_QUIET="1"), stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )  # fmt: skip
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in passing:
        raise RuntimeError(f"{command} gave {child.returncode}")
    return Spent(wall, used.ru_utime + used.ru_stime, told={"memory": used.ru_maxrss / 1024})


def run_module(module: str, folder: Path, task: dict[str, Any], function: str = "main") -> dict[str, Any]:
    """Run ``function(task)`` of a module beside this one, in a process of its own in ``folder``.

    It runs as ``-c``, so that Birthmark takes ``folder`` for the project and not this one.

    Returns:
        What it returned, through JSON.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); import json, {module}; "
        f"print(json.dumps({module}.{function}(json.loads(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(task)],
        cwd=folder, env=environment(BIRTHMARK_QUIET="1"), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
