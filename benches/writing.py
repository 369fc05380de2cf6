"""How fast records are written, and what a million of them cost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import world
from measure import Spent, Spread, each_in_turns, ratio, run_module, spread
from report import Row, Section

# Name, what it is, and how many times as fast we have to be.
RIVALS: list[tuple[str, str, float | None]] = [
    ("git", "the origin's way: a git call a record", None),
    ("json", "the helper, commit looked up once, json.dumps", None),
    ("helper_path", "the same with orjson, and Path(__file__).name a record", 3.0),
    ("helper", "the same with orjson, name ready", 3.0),
    ("inline", "the dict merged inline, orjson", 1.6),
]
VARIANTS = [
    ("limit", "write(record)", 40.0),
    ("limit_seed", "write(record, seed=n)", 40.0),
    ("limit_many", "write_many(records)", None),
    ("limit_many_seed", "write_many(records, seed=42)", None),
]
MEMORY_BAR_MIB = 32.0


def speed(data: Path, quick: bool) -> list[Section]:
    """Ratios to each rival, and shares of the limit."""
    count, rounds = (1_000, 2) if quick else (20_000, 11)
    told = _in_repository(data, "ways", {"count": count, "rounds": rounds})
    taken = {name: [(Spent(**a), Spent(**b)) for a, b in both] for name, both in told["rounds"].items()}
    bare, line = told["sizes"]
    common = f"{count:,} records of {bare} B, {line} B a line with the birthmark; {rounds} rounds in turns"
    return [_rivals(taken, common), _shares(taken, common)]


def _rivals(taken: dict[str, list[Any]], common: str) -> Section:
    section = Section(
        "Writing records: how many times as long others take",
        [
            f"{common}; from the first record to the closed file.",
            "Everybody hands each record to the operating system by one write before going on.",
            "Ours makes three sums beside (two BLAKE3 digests, a CRC a line); the others make none.",
        ],
    )
    for name, what, bar in RIVALS:
        if name in taken:
            pairs = taken[name]
            section.rows.append(Row(what, ratio(pairs, "wall"), bar=bar, cpu=ratio(pairs, "cpu")))
        else:
            section.rows.append(Row(what, None, bar=bar, why_not="orjson is not installed"))
    for name, what, bar in RIVALS:
        if bar is not None and name in taken:
            room = _room(taken[name], taken["limit"])
            section.rows.append(Row(f"  the limit, against: {what}", room))
    section.notes.append(
        "The limit (see below) against the same: where it is under a bar, no writer that hands over each record "
        "could pass it on this machine."
    )
    return section


def _room(rival: list[tuple[Spent, Spent]], limit: list[tuple[Spent, Spent]]) -> Spread:
    """How many times as long as the limit a rival takes, by way of ours in the same round."""
    rounds = zip(rival, limit, strict=True)
    return Spread.of([(a.wall / ours.wall) / (b.wall / same.wall) for (a, ours), (b, same) in rounds])


def _shares(taken: dict[str, list[Any]], common: str) -> Section:
    section = Section(
        "Writing records: share of the limit",
        [
            f"{common}. The limit: bytes ready, joined, one `os.write` a record, no digest.",
            "`write_many` writes a megabyte at a time, so it may pass what is a limit for single writes.",
        ],
    )
    for name, what, bar in VARIANTS:
        by_wall, by_cpu = (_percent(ratio(taken[name], clock)) for clock in ("wall", "cpu"))
        section.rows.append(Row(what, by_wall, "%", bar, cpu=by_cpu))
    return section


def growth(data: Path, quick: bool) -> list[Section]:
    """Cost of a record and memory, by the number of records in the file."""
    counts, rounds = ([2_000, 4_000], 1) if quick else ([10_000, 100_000, 1_000_000], 3)
    folder = _repository(data)

    def way(count: int, ours: bool) -> Any:
        return lambda: Spent(**run_module("ways", folder, {"count": count, "ours": ours}, "curve"))

    ways = {f"{count} {ours}": way(count, ours) for count in counts for ours in (True, False)}
    taken = each_in_turns(ways, rounds)
    cost = Section(
        "Writing records: what one costs, by how many there are",
        [
            f"As a share of what one costs in a file of {counts[1]:,}; bar: flat within 20 %. "
            f"{rounds} rounds in turns, a process each; the close of the file is included.",
            "The limit's own curve stands beside it: what it varies by is the kernel's part.",
        ],
    )
    memory = Section(
        "Writing records: how memory grows",
        ["The most that the process ever held while writing, over what it held just before."],
    )
    for count in counts:
        ours, limits = taken[f"{count} True"], taken[f"{count} False"]
        cost.rows.append(_curve(f"{count:,} records", ours, taken[f"{counts[1]} True"], 120.0))
        cost.rows.append(_curve(f"{count:,} by the limit", limits, taken[f"{counts[1]} False"], None))
        grown = spread([Spent(0, 0, 1, spent.told) for spent in ours], "grown", 1 / 2**20)
        memory.rows.append(Row(f"{count:,} records", grown, "MiB", MEMORY_BAR_MIB, at_most=True))
    return [cost, memory]


def _curve(name: str, taken: list[Spent], middle: list[Spent], bar: float | None) -> Row:
    """What a record costs, of the median of what one costs at the middle of the curve."""
    by_wall, by_cpu = (
        _percent(spread(taken, clock, 1 / spread(middle, clock).median)) for clock in ("wall", "cpu")
    )
    return Row(name, by_wall, "%", bar, at_most=True, cpu=by_cpu)


def _percent(share: Spread) -> Spread:
    return Spread(*(100 * value for value in (share.least, share.median, share.most)))


def _repository(data: Path) -> Path:
    folder = world.repository(data / "small", 10)
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    return folder


def _in_repository(data: Path, module: str, task: dict[str, Any]) -> dict[str, Any]:
    return run_module(module, _repository(data), task)
