"""Verifying: a million records, fifty commits, every record checked; and one file among many sessions.

The yardstick is a validated scan of the same file, by the same program: ``birthmark find --records``
for digits that the seed of no record holds, which no index can tell, so that every line is read, checked to be
JSON, and its birthmark looked at; it takes no digest and asks no git. Verifying does all that, and two digests,
the commits, the sessions and their journals.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import world
from measure import Spent, Spread, Way, in_turns, ratio, run_module, run_with_memory
from report import Row, Section
from stamping import PROGRAM

COMMITS = 50


def speed(data: Path, quick: bool) -> list[Section]:
    """The bars of verifying, and how its cost and memory grow."""
    counts, rounds = ([1_000, 5_000], 2) if quick else ([1_000, 100_000, 1_000_000], 5)
    return [*_many_records(data, counts, rounds), _one_of_many(data, quick)]


def _many_records(data: Path, counts: list[int], rounds: int) -> list[Section]:
    folder = world.repository(data / "verifying", 10)
    ways: dict[int, tuple[Way, Way]] = {}
    for count in counts:
        file = f"artifacts/{count}.jsonl"
        if not (folder / file).exists():
            run_module("verifying", folder, {"count": count, "file": file}, "make")
        verify = [str(PROGRAM), "verify", file]
        scan = [str(PROGRAM), "find", "--records", f"file~{Path(file).stem} seed~99999999"]
        ways[count] = (_way(scan, folder), _way(verify, folder))
    taken = in_turns([(str(count), *both) for count, both in ways.items()], rounds)
    most = counts[-1]
    size = (folder / f"artifacts/{most}.jsonl").stat().st_size
    section = Section(
        f"Verifying a file of {most:,} records with {COMMITS} commits",
        [
            f"{size >> 20} MiB of about 1.4 KB a record; {rounds} rounds in turns; the file in the page cache.",
            "The scan checks that each line is JSON and looks at its birthmark; it takes no digest and asks no git.",
        ],
    )  # fmt: skip
    both = taken[str(most)]
    section.rows.append(Row("speed of the validated scan that is reached", ratio(both, "wall"), "x", 0.5, cpu=ratio(both, "cpu")))
    ours = [one for _, one in both]
    section.rows.append(Row("time", Spread.of([one.wall for one in ours]), "s"))
    section.rows.append(Row("memory at its peak", _memory(ours), "MiB", 64.0, at_most=True))
    growth = Section("Verifying: what a record costs, by how many there are", ["Bar: at most 20 % more than at 100,000."])
    for count in counts:
        spent = [one for _, one in taken[str(count)]]
        growth.rows.append(Row(f"{count:,} records: memory at its peak", _memory(spent), "MiB"))
    if len(counts) > 2:
        middle, last = ([one.cpu for _, one in taken[str(count)]] for count in counts[1:3])
        grown = [b / counts[2] / (a / counts[1]) for a, b in zip(middle, last, strict=True)]
        growth.rows.append(Row("cost of a record, of that at 100,000", Spread.of(grown), "x", 1.2, at_most=True))
    return [section, growth]


def _way(command: list[str], folder: Path) -> Way:
    return lambda: run_with_memory(command, folder, passing=(0, 1, 2))


def _memory(spent: list[Spent]) -> Spread:
    return Spread.of([one.told["memory"] for one in spent])


def _one_of_many(data: Path, quick: bool) -> Section:
    """One file in a store of many sessions."""
    counts, rounds = ([10, 50], 2) if quick else ([100, 10_000], 7)
    section = Section(
        "Verifying one small file, by how many sessions are stored",
        [f"{rounds} rounds in turns. The journals are searched for its name, and those that hold it are read."],
    )
    for count in counts:
        folder = data / f"verifying-{count}"
        if not (folder / "artifacts").exists():
            world.repository(folder, 10)
            subprocess.run([sys.executable, "train.py", "make"], cwd=folder, check=True, capture_output=True)
            run_module("verifying", folder, {"count": 100, "file": "artifacts/one.jsonl"}, "make")
            world.full_store(folder, count)
        one = _way([str(PROGRAM), "verify", "artifacts/one.jsonl"], folder)
        everything = _way([str(PROGRAM), "verify"], folder)
        both = in_turns([("one", everything, one)], rounds)["one"]
        section.rows.append(Row(f"{count:,} sessions: one file", Spread.of([b.wall * 1e3 for _, b in both]), "ms"))
        section.rows.append(Row(f"{count:,} sessions: all, as a multiple of one file", ratio(both, "wall")))
    return section


def make(task: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: a file that as many sessions went on with, each on a commit of its own."""
    import birthmark as bm

    folder, cycle, share = Path.cwd(), world.records(2_000), task["count"] // COMMITS
    for number in range(COMMITS):
        world.git(folder, "commit", "--quiet", "--allow-empty", "--message", f"step {number}")
        with bm.session() as session, session.jsonl(
            task["file"], mode="a", provenance=world.PROVENANCE, params=world.PARAMS
        ) as out:  # fmt: skip
            for place in range(number * share, (number + 1) * share):
                out.write(cycle[place % len(cycle)], seed=place)
    return {}
