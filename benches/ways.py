"""The ways of writing records with their provenance: ours, and what users would otherwise do.

Runs in a process of its own (``main``). Every way writes the same records to a new file and takes
its time from the first record to the closed file; ``os.write`` of one line a record, since only
then is a record safe from ``kill -9`` when the call returns.

Limits: each way is written as fast as its users could reasonably write it: one flat loop, names
bound before it, records that are there already, and the collector of garbage spared our own data.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import birthmark as bm

import world
from measure import Spent, Stretch, in_turns

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

CYCLE = 2_000  # different records; they are written again and again
GIT_RECORDS = 30  # of the way that asks git for every record

Record = dict[str, Any]


def get_git_sha() -> str:
    """As the origin's helper has it."""
    return subprocess.check_output(["git", "rev-parse", "HEAD"]).decode().strip()


def create_artifact_metadata(
    commit: str, provenance: Record, script_name: str, artifact_type: str, **extra: Any
) -> Record:
    """As the origin's helper has it, with the commit handed in."""
    metadata = {
        "git_commit": commit,
        "timestamp": datetime.now().isoformat(),
        "loader_version": provenance["loader_version"],
        "model_name": provenance["model_name"],
        "quantization": provenance["quantization"],
        "template_disabled": provenance["template_disabled"],
        "script_name": script_name,
        "artifact_type": artifact_type,
    }
    metadata.update(extra)
    return metadata


class Ways:
    """All ways over the same records. Each has copies of its own: some write into them."""

    def __init__(self, session: bm.Session, count: int) -> None:
        self.session, self.count, self.files = session, count, 0
        self.commit = get_git_sha()
        first, self.sizes = self._sample()
        own = ("git_commit", "timestamp", "loader_version", "model_name", "quantization",
               "template_disabled", "script_name", "artifact_type")  # fmt: skip
        self.base = first
        self.extra = {name: value for name, value in first.items() if name not in own}

    def _sample(self) -> tuple[Record, tuple[int, int]]:
        """The birthmark of one record of ours, and the mean sizes of record and line."""
        sample = world.records(CYCLE)
        path = self._path()
        with self._open(path) as out:
            out.write_many(sample)
        lines = path.read_text().splitlines()
        path.unlink()
        bare = sum(len(json.dumps(record)) for record in sample) / CYCLE
        return json.loads(lines[0])["metadata"], (round(bare), round(sum(map(len, lines)) / CYCLE) + 1)

    def _path(self) -> Path:
        self.files += 1
        return Path(f"artifacts/written_{self.files:05}.jsonl").absolute()

    def _records(self, count: int) -> list[Record]:
        cycle = world.records(min(CYCLE, count))
        return (cycle * (count // len(cycle) + 1))[:count]

    def _open(self, path: Path) -> bm.JsonlWriter:
        return self.session.jsonl(path, provenance=world.PROVENANCE, params=world.PARAMS)

    def theirs(self, loop: Callable[[int, list[Record]], None], count: int = 0) -> Callable[[], Spent]:
        """A way of others: ``loop`` gets the file's descriptor and the records."""
        records = self._records(count or self.count)

        def way() -> Spent:
            path = self._path()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o644)
            with Stretch() as stretch:
                loop(descriptor, records)
                os.close(descriptor)
            path.unlink()
            return Spent(stretch.wall, stretch.cpu, len(records))

        return way

    def ours(self, loop: Callable[[bm.JsonlWriter, list[Record]], Any]) -> Callable[[], Spent]:
        """A way of ours; the digests, and the line in the journal at the close, are included."""
        records = self._records(self.count)

        def way() -> Spent:
            path = self._path()
            out = self._open(path)
            with Stretch() as stretch:
                loop(out, records)
                out.close()
            path.unlink()
            return Spent(stretch.wall, stretch.cpu, len(records))

        return way

    # -- the loops of others

    def git_each(self, descriptor: int, records: list[Record]) -> None:
        for record in records:
            record["metadata"] = create_artifact_metadata(
                get_git_sha(), world.PROVENANCE, Path(__file__).name, "training_data", **self.extra
            )
            os.write(descriptor, (json.dumps(record) + "\n").encode())

    def json_dumps(self, descriptor: int, records: list[Record]) -> None:
        commit, extra = self.commit, self.extra
        for record in records:
            record["metadata"] = create_artifact_metadata(
                commit, world.PROVENANCE, "train.py", "training_data", **extra
            )
            os.write(descriptor, (json.dumps(record) + "\n").encode())

    def helper_path(self, descriptor: int, records: list[Record]) -> None:
        commit, extra, dumps, line = self.commit, self.extra, orjson.dumps, orjson.OPT_APPEND_NEWLINE
        for record in records:
            record["metadata"] = create_artifact_metadata(
                commit, world.PROVENANCE, Path(__file__).name, "training_data", **extra
            )
            os.write(descriptor, dumps(record, option=line))

    def helper(self, descriptor: int, records: list[Record]) -> None:
        commit, extra, dumps, line = self.commit, self.extra, orjson.dumps, orjson.OPT_APPEND_NEWLINE
        for record in records:
            record["metadata"] = create_artifact_metadata(
                commit, world.PROVENANCE, "train.py", "training_data", **extra
            )
            os.write(descriptor, dumps(record, option=line))

    def inline(self, descriptor: int, records: list[Record]) -> None:
        base, dumps, line, write = self.base, orjson.dumps, orjson.OPT_APPEND_NEWLINE, os.write
        now = datetime.now
        for record in records:
            record["metadata"] = {**base, "timestamp": now().isoformat()}
            write(descriptor, dumps(record, option=line))

    def limit(self, descriptor: int, records: list[Record]) -> None:
        """No way to write records: what is left when their bytes are there already."""
        write, join = os.write, b"".join
        for text in self._texts(len(records)):
            write(descriptor, join((text, b', "metadata": ', self._mark, b"}\n")))

    def _texts(self, count: int) -> list[bytes]:
        if not hasattr(self, "_ready"):
            cycle = [json.dumps(record)[:-1].encode() for record in world.records(CYCLE)]
            self._ready = (cycle * (count // CYCLE + 1))[:count]
            self._mark = json.dumps(self.base, separators=(",", ":")).encode()
        return self._ready


def write(out: bm.JsonlWriter, records: list[Record]) -> None:
    for record in records:
        out.write(record)


def write_seed(out: bm.JsonlWriter, records: list[Record]) -> None:
    for number, record in enumerate(records):
        out.write(record, seed=number)


def write_many(out: bm.JsonlWriter, records: list[Record]) -> None:
    out.write_many(records)


def write_many_seed(out: bm.JsonlWriter, records: list[Record]) -> None:
    out.write_many(records, seed=42)


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Measure all pairs ``task["rounds"]`` times over ``task["count"]`` records."""
    with bm.session() as session:
        ways = Ways(session, task["count"])
        ours, limit = ways.ours(write), ways.theirs(ways.limit)
        ways._texts(task["count"])
        pairs = [
            ("git", ways.theirs(ways.git_each, GIT_RECORDS), ours),
            ("json", ways.theirs(ways.json_dumps), ours),
        ]
        if orjson is not None:
            pairs += [
                ("helper_path", ways.theirs(ways.helper_path), ours),
                ("helper", ways.theirs(ways.helper), ours),
                ("inline", ways.theirs(ways.inline), ours),
            ]
        pairs += [
            ("limit", limit, ours),
            ("limit_seed", limit, ways.ours(write_seed)),
            ("limit_many", limit, ways.ours(write_many)),
            ("limit_many_seed", limit, ways.ours(write_many_seed)),
        ]
        gc.collect()
        gc.freeze()
        taken = in_turns(pairs, task["rounds"])
        files = ways.files
    rounds = {name: [(vars(a), vars(b)) for a, b in both] for name, both in taken.items()}
    return {"rounds": rounds, "sizes": ways.sizes, "files": files}


def curve(task: dict[str, Any]) -> dict[str, Any]:
    """Write ``task["count"]`` records to one file; the cost of one, and how memory grew."""
    with bm.session() as session:
        ways = Ways(session, task["count"])
        records = world.records(CYCLE)
        path = ways._path()
        gc.collect()
        gc.freeze()
        if task["ours"]:
            out = ways._open(path)
            before = _memory("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
            with Stretch() as stretch:
                for _ in range(task["count"] // CYCLE):
                    write(out, records)
                out.close()
        else:
            ways._texts(CYCLE)
            before = _memory("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            with Stretch() as stretch:
                for _ in range(task["count"] // CYCLE):
                    ways.limit(descriptor, records)
                os.close(descriptor)
        grown = _memory("VmHWM") - before
        path.unlink()
    return {"wall": stretch.wall, "cpu": stretch.cpu, "units": task["count"], "told": {"grown": grown}}


def _memory(name: str) -> int:
    """Bytes, from the kernel: ``VmRSS`` is what is held now, ``VmHWM`` the most since it was reset."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
