"""What the capture costs: the import, a session's start and end, the commands.

Two kinds of cost are kept apart: what the caller waits for, and all the work that is done,
beside the run too, as CPU time of the whole process less that of one that does not begin a session.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import world
from measure import Spent, Spread, Way, each_in_turns, environment, in_turns, ratio, run, run_module, spread
from report import Row, Section

IMPORT_BAR_MS = 25.0
SMALL_BAR_MS = 40.0
WAIT_BAR_MS = 50.0
WORK_BAR = 1.5
PROGRAM = Path(sys.executable).with_name("birthmark")
GIT_STATUS = ["git", "status", "--porcelain"]


def probe(folder: Path, what: str) -> Way:
    """A run of ``train.py`` in ``folder``."""
    return lambda: run([sys.executable, "train.py", what], folder)


def less(taken: dict[str, list[Spent]], one: str, other: str, clock: str, scale: float = 1e3) -> Spread:
    """By how much ``one`` takes longer than ``other``, round by round; in milliseconds."""
    pairs = zip(taken[one], taken[other], strict=True)
    return Spread.of([(a.of(clock) - b.of(clock)) * scale for a, b in pairs])


def small(data: Path, quick: bool) -> list[Section]:
    """The import, and a session in a small repository."""
    rounds = 2 if quick else 15
    folder = world.repository(data / "small", 10)
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    names = ("nothing", "import", "start", "session", "long", "first")
    ways: dict[str, Way] = {name: probe(folder, name) for name in names}
    ways["git"] = lambda: _origins_git_calls(folder)
    taken = each_in_turns(ways, rounds)
    imports = _imports(taken, folder)
    imports.notes.insert(0, f"Runs of `train.py`, {rounds} rounds in turns; milliseconds of this machine.")
    return [imports, _small_session(taken)]


def _imports(taken: dict[str, list[Spent]], folder: Path) -> Section:
    section = Section("Import: over a bare Python")
    over, cpu = (less(taken, "import", "nothing", clock) for clock in ("wall", "cpu"))
    section.rows.append(Row("import birthmark", over, "ms", IMPORT_BAR_MS, at_most=True, cpu=cpu))
    times = sorted(_importtime(folder) for _ in range(3))
    section.rows.append(Row("the same by -X importtime", Spread.of(times), "ms", IMPORT_BAR_MS, at_most=True))
    pairs = list(zip(taken["import"], taken["nothing"], strict=True))
    section.rows.append(Row("as a multiple of the bare Python", ratio(pairs, "wall"), cpu=ratio(pairs, "cpu")))
    return section


def _importtime(folder: Path) -> float:
    """Milliseconds of the import and all that it imports, as Python counts them."""
    command = [sys.executable, "-X", "importtime", "-c", "import birthmark"]
    said = subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True, text=True)
    found = re.search(r"\|\s*(\d+) \| birthmark$", said.stderr, re.MULTILINE)
    assert found is not None, said.stderr
    return int(found[1]) / 1e3


def _origins_git_calls(folder: Path) -> Spent:
    """Commit, branch and status, as the origin's helper asks for them at the start."""
    calls = (["git", "rev-parse", "HEAD"], ["git", "rev-parse", "--abbrev-ref", "HEAD"], GIT_STATUS)
    spent = [run(call, folder) for call in calls]
    return Spent(sum(one.wall for one in spent), sum(one.cpu for one in spent))


def _small_session(taken: dict[str, list[Spent]]) -> Section:
    section = Section(
        "A session in a small repository (11 files)",
        [
            "In all: until every look beside the run (code, packages, GPUs) has ended. Work: CPU time of the "
            "whole process, its threads and children, less that of one that only imports.",
        ],
    )
    add = section.rows.append
    add(Row("start: the caller waits", _told(taken["start"], "start"), "ms", SMALL_BAR_MS, at_most=True))
    add(Row("start: in all", _told(taken["start"], "looks"), "ms", SMALL_BAR_MS, at_most=True))
    add(Row("start: work", less(taken, "start", "import", "cpu"), "ms", SMALL_BAR_MS, at_most=True))
    add(Row("first file opened right after the start: waits", _told(taken["first"], "opening"), "ms"))
    add(Row("end: the caller waits", _told(taken["long"], "end"), "ms"))
    add(Row("start, looks and end: work", less(taken, "long", "import", "cpu"), "ms"))
    bare = less(taken, "session", "nothing", "cpu")
    add(Row("import, start and end: work over a bare Python", bare, "ms"))
    waits = [Spent(a.told["start"] + a.told["end"], 0) for a in taken["session"]]
    pairs = list(zip(taken["git"], waits, strict=True))
    add(Row("the origin's three git calls, as a multiple of start and end", ratio(pairs, "wall")))
    return section


def _told(taken: list[Spent], name: str) -> Spread:
    return spread([Spent(0, 0, 1, one.told) for one in taken], name, 1e3)


def large(data: Path, quick: bool) -> list[Section]:
    """A session in a repository of 100,000 files."""
    files, rounds = (2_000, 2) if quick else (100_000, 7)
    folder = world.repository(data / f"files-{files}", files)
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    names = ("import", "start", "session", "long", "first")
    ways: dict[str, Way] = {name: probe(folder, name) for name in names}
    ways["status"] = lambda: run(GIT_STATUS, folder)
    taken = each_in_turns(ways, rounds)
    section = Section(
        f"A session in a repository of {files:,} files",
        [
            f"{rounds} rounds in turns; work as above, over that of one `git status` in the same round.",
            "The bars are those of the start. The end looks at every tracked file once more, for what was edited "
            "meanwhile.",
        ],
    )
    add = section.rows.append
    add(Row("start: the caller waits", _told(taken["start"], "start"), "ms", WAIT_BAR_MS, at_most=True))
    end = "end of a run that outlasts the looks: the caller waits"
    add(Row(end, _told(taken["long"], "end"), "ms"))
    add(Row("start: work, in `git status`", _in_statuses(taken, "start"), "x", WORK_BAR, at_most=True))
    add(Row("start and end: work, in `git status`", _in_statuses(taken, "long"), "x"))
    looks = [Spent(one.told["looks"], 0) for one in taken["start"]]
    pairs = list(zip(looks, taken["status"], strict=True))
    add(Row("start until the looks have ended, in `git status`", ratio(pairs, "wall"), "x"))
    add(Row("end right after the start: the caller waits", _told(taken["session"], "end"), "ms"))
    add(Row("first file opened right after the start: waits", _told(taken["first"], "opening"), "ms"))
    return [section]


def _in_statuses(taken: dict[str, list[Spent]], what: str) -> Spread:
    rounds = zip(taken[what], taken["import"], taken["status"], strict=True)
    return Spread.of([(a.cpu - b.cpu) / c.cpu for a, b, c in rounds])


def commands(data: Path, quick: bool) -> list[Section]:
    """The front page, show and verify."""
    count, rounds = (200, 2) if quick else (10_000, 9)
    folder = world.repository(data / "commands", 10)
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    run_module("capture", folder, {"count": count}, "make_file")
    file = "artifacts/made.jsonl"
    pairs = [
        ("birthmark", [str(PROGRAM)], [sys.executable, "-c", "pass"], "a bare Python"),
        ("birthmark show FILE", [str(PROGRAM), "show", file], ["jq", ".metadata.git_commit", file], "jq over FILE"),
        ("birthmark verify FILE", [str(PROGRAM), "verify", file], ["sha256sum", file], "sha256sum FILE"),
        ("birthmark verify", [str(PROGRAM), "verify"], ["sha256sum", file], "sha256sum FILE"),
    ]
    pairs = [(name, ours, theirs, what) for name, ours, theirs, what in pairs if shutil.which(theirs[0])]
    # A warning (unpushed, unsigned) may be an exit status of 1: the time is that of the whole answer.
    taken = in_turns(
        [(name, _command(ours, folder), _command(theirs, folder)) for name, ours, theirs, _ in pairs], rounds
    )
    section = Section(
        f"Commands, on a file of {count:,} records",
        [f"{rounds} rounds in turns; wall time of the whole program, in milliseconds of this machine."],
    )
    for name, _, _, what in pairs:
        both = taken[name]
        ours = [a for a, _ in both]
        section.rows.append(Row(name, spread(ours, "wall", 1e3), "ms", cpu=spread(ours, "cpu", 1e3)))
        section.rows.append(Row(f"  as a multiple of {what}", ratio(both, "wall"), cpu=ratio(both, "cpu")))
    return [section]


def _command(command: list[str], folder: Path) -> Way:
    return lambda: run(command, folder, passing=(0, 1))


def make_file(task: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own: a file for ``show`` and ``verify``."""
    import birthmark as bm

    with bm.session() as session, session.jsonl(
        "artifacts/made.jsonl", provenance=world.PROVENANCE, params=world.PARAMS
    ) as out:  # fmt: skip
        for number, record in enumerate(world.records(task["count"])):
            out.write(record, seed=number)
    return {}


def stored(data: Path, quick: bool) -> list[Section]:
    """Whether the start grows with what is stored."""
    counts, rounds = ([0, 10, 50], 2) if quick else ([0, 100, 10_000], 11)
    folders = {count: _store(data, count) for count in counts}
    ways = {f"{what} {count}": probe(folders[count], what) for count in counts for what in ("import", "start")}
    taken = each_in_turns(ways, rounds)
    section = Section(
        "Start, by how many sessions are stored",
        [
            f"{rounds} rounds in turns. Each stored session made one file outside the artifacts folder, "
            "gone by now as checkpoints go by rotation. "
            "Bar: at most 20 % more than with none.",
        ],
    )
    none = taken[f"start {counts[0]}"]
    for count in counts:
        now = taken[f"start {count}"]
        section.rows.append(Row(f"{count:,} sessions: the caller waits", _told(now, "start"), "ms"))
        work = less(taken, f"start {count}", f"import {count}", "cpu")
        section.rows.append(Row(f"{count:,} sessions: work", work, "ms"))
        if count:
            both = zip(now, none, strict=True)
            waits = [(Spent(a.told["start"], a.cpu), Spent(b.told["start"], b.cpu)) for a, b in both]
            row = Row(f"{count:,} sessions: of none", ratio(waits, "wall"), "x", 1.2, True, ratio(waits, "cpu"))
            section.rows.append(row)
    return [section]


def _store(data: Path, count: int) -> Path:
    """A small repository whose store holds ``count`` sessions."""
    folder = data / f"sessions-{count}"
    if (folder / "artifacts").exists() and len(list((folder / "artifacts/.birthmark/sessions").iterdir())) < count:
        shutil.rmtree(folder)
    world.repository(folder, 10)
    if count and not (folder / "artifacts").exists():
        run([sys.executable, "train.py", "make"], folder)
        world.full_store(folder, count)
    if not count:
        shutil.rmtree(folder / "artifacts", ignore_errors=True)
    return folder
