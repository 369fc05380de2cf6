"""Stamping a file that is there already: JSONL, plain and packed, and digests of large files.

Everybody checks that each line is a JSON object and writes the same birthmark into each record,
so all write as many bytes; ours digests what it writes and what it read, beside.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import world
from measure import Spread, Way, in_turns, ratio, run, run_with_memory
from report import Row, Section

PROGRAM = Path(sys.executable).with_name("birthmark")
HERE = Path(__file__).resolve().parent
FIELDS = {f"field_{n}": "value" * 5 for n in range(8)}
RIVALS = {
    "json": "import json\nloads, dumps = json.loads, lambda r: json.dumps(r).encode()",
    "orjson": "from orjson import loads, dumps",
    "msgspec": "import msgspec\ndecoder = msgspec.json.Decoder(dict[str, msgspec.Raw])\n"
    "loads, dumps = decoder.decode, msgspec.json.encode",
}
LOOP = """
import sys
{library}
mark = {mark!r}
if "{name}" == "msgspec":
    mark = msgspec.Raw(msgspec.json.encode(mark))
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
    for line in source:
        record = loads(line)
        record["metadata"] = mark
        out.write(dumps(record))
        out.write(b"\\n")
"""


def speed(data: Path, quick: bool) -> list[Section]:
    """Ratios to what reads, changes and writes each line, and to what only copies."""
    size, rounds = (4 << 20, 2) if quick else (1 << 30, 5)
    folder = world.repository(data / "stamping", 10)
    shutil.rmtree(folder / "artifacts", ignore_errors=True)
    source = _made(folder / "in.jsonl", size)
    return [_plain(folder, source, rounds), _packed(folder, quick), _digests(folder, source, rounds)]


def _stamp(folder: Path, name: str, cores: int | None = None) -> Way:
    out = f"out-{name}"
    command = [
        str(PROGRAM), "stamp", name, "--type", "t", "--out", out, "--force",
        "--set-file", "mark.json",
    ]  # fmt: skip
    (folder / "mark.json").write_text(json.dumps(FIELDS))
    return lambda: run_with_memory(command, folder, cores)


def _mark(folder: Path) -> dict[str, object]:
    """The birthmark that ours puts into each record."""
    (folder / "one.jsonl").write_text("{}\n")
    _stamp(folder, "one.jsonl")()
    record: dict[str, dict[str, object]] = json.loads((folder / "out-one.jsonl").read_text())
    return record["metadata"]


def _plain(folder: Path, source: Path, rounds: int) -> Section:
    mark = _mark(folder)
    section = Section(
        "Stamping JSONL: how many times as long others take",
        [
            f"{source.stat().st_size >> 20} MiB of records of about 900 B, a birthmark of {len(json.dumps(mark))} B put into each;"
            f" {rounds} rounds in turns; the file in the page cache.",
            "Ours checks every line, makes two BLAKE3 digests and syncs the file to the disk; the others do neither.",
            "The bars are of CPU time. Ours writes past the page cache: the copying there is what the others' kernel time is.",
            "What two cores gain is judged by `stamp - <in >/dev/null`, which leaves the disk out; beside it the same with the file"
            " written and synced, and how long the disk takes for as many bytes of zeros, written directly by dd.",
        ],
    )  # fmt: skip
    ours = _stamp(folder, source.name)
    to_nothing = f"{PROGRAM} stamp - --type t --set-file mark.json <{source.name} >/dev/null"
    piped = lambda cores: lambda: run_with_memory(["sh", "-c", to_nothing], folder, cores)  # noqa: E731
    cores = sorted(os.sched_getaffinity(0))
    at_once = " & ".join(f"taskset -c {core} {to_nothing}" for core in (cores[0], cores[-1]))
    pairs = [
        ("one core", _stamp(folder, source.name, 1), ours),
        ("one core, to nothing", piped(1), piped(None)),
        ("two copies", lambda: run_with_memory(["sh", "-c", f"{at_once} & wait"], folder), piped(1)),
    ]
    ours()
    zeros = [
        "dd", "if=/dev/zero", "of=out-dd", "bs=1M", f"count={(folder / f'out-{source.name}').stat().st_size >> 20}",
        "oflag=direct", "conv=fsync", "status=none",
    ]  # fmt: skip
    pairs.append(("zeros", lambda: run_with_memory(zeros, folder), ours))
    for name, library in RIVALS.items():
        if name != "json" and subprocess.run([sys.executable, "-c", f"import {name}"], stderr=-3).returncode:
            section.rows.append(Row(name, None, why_not=f"{name} is not installed"))
            continue
        script = folder / f"with_{name}.py"
        script.write_text(LOOP.format(library=library, mark=mark, name=name))
        command = [sys.executable, str(script), source.name, f"out-{name}"]
        pairs.append((name, lambda command=command: run_with_memory(command, folder), ours))
    pairs.append(("cp", lambda: run_with_memory(["cp", source.name, "out-cp"], folder), ours))
    taken = in_turns(pairs, rounds)
    for name, bar in [("json", None), ("orjson", 4.0), ("msgspec", 2.0), ("cp", None)]:
        if name in taken:
            by_cpu = ratio(taken[name], "cpu")
            section.rows.append(Row(f"{name}, by CPU", by_cpu, bar=bar))
            section.rows.append(Row(f"{name}, by the clock", ratio(taken[name], "wall")))
    section.rows.append(Row("ours on one core, written to nothing", ratio(taken["one core, to nothing"], "wall"), bar=1.7))
    # Two that share nothing but the machine: what its cores lose to each other no program gains.
    limit = Spread.of([2 * one.wall / two.wall for two, one in taken["two copies"]])
    section.rows.append(Row("two copies at once, each on its core: what two cores give here", limit))
    section.rows.append(Row("ours on one core, written to the disk", ratio(taken["one core"], "wall")))
    section.rows.append(Row("the disk alone, zeros of the same size", ratio(taken["zeros"], "wall")))
    whole = [one for name, one in taken.items() if name not in ("one core, to nothing", "two copies")]
    memory = Spread.of([both[1].told["memory"] for one in whole for both in one])
    section.rows.append(Row("ours: memory at its peak", memory, "MiB", 32.0, at_most=True))
    return section


def _packed(folder: Path, quick: bool) -> Section:
    size, rounds = (4 << 20, 2) if quick else (128 << 20, 5)
    section = Section(
        "Stamping packed JSONL: how many times as long unpacking, stamping and packing by pipes takes",
        [f"{size >> 20} MiB of text; {rounds} rounds in turns."],
    )
    text = _made(folder / "small.jsonl", size)
    for tool, ending, pack in [("gzip", "gz", ["gzip", "-kf"]), ("zstd", "zst", ["zstd", "-qkf"])]:
        if shutil.which(tool) is None:
            section.rows.append(Row(tool, None, why_not=f"{tool} is not installed"))
            continue
        subprocess.run([*pack, text.name], cwd=folder, check=True)
        name = f"{text.name}.{ending}"
        script = f"{tool} -dc {name} | {PROGRAM} stamp - --type t --set-file mark.json | {tool} -c > out-pipe"
        pair = (tool, lambda script=script: run_with_memory(["sh", "-c", script], folder), _stamp(folder, name))
        taken = in_turns([pair], rounds)[tool]
        section.rows.append(Row(f".{ending}", ratio(taken, "wall"), cpu=ratio(taken, "cpu")))
        memory = Spread.of([ours.told["memory"] for _, ours in taken])
        section.rows.append(Row(f".{ending}: memory at its peak", memory, "MiB", 32.0, at_most=True))
    return section


def _digests(folder: Path, source: Path, rounds: int) -> Section:
    section = Section(
        "Digests: how many times as long others take", [f"{source.stat().st_size >> 20} MiB in the page cache."]
    )
    # Read each time: that an unchanged file is not read again is asked for itself below.
    code = f"import os; os.environ['BIRTHMARK_DIGEST_CACHE'] = 'off'; import birthmark; birthmark.digest_file({source.name!r})"
    ours = lambda: run_with_memory([sys.executable, "-c", code], folder)  # noqa: E731
    read = f"f = open({source.name!r}, 'rb', 0); b = bytearray(1 << 20)\nwhile f.readinto(b): pass"
    hashed = f"import hashlib; hashlib.file_digest(open({source.name!r}, 'rb'), 'sha256')"
    pairs = [
        ("reading alone", lambda: run_with_memory([sys.executable, "-c", read], folder), ours),
        ("hashlib's sha256", lambda: run_with_memory([sys.executable, "-c", hashed], folder), ours),
    ]
    for name, taken in in_turns(pairs, rounds).items():
        section.rows.append(Row(name, ratio(taken, "wall"), bar=0.85 if name == "reading alone" else None))
    again = (
        f"import birthmark, json, time; birthmark.digest_file({source.name!r}); t = time.perf_counter(); "
        f"birthmark.digest_file({source.name!r}); t = time.perf_counter() - t; "
        "print(json.dumps({'told': {'again': t * 1000}}, separators=(',', ':')))"
    )
    times = [run([sys.executable, "-c", again], folder).told["again"] for _ in range(rounds)]
    section.rows.append(Row("an unchanged file again", Spread.of(times), "ms", 1.0, at_most=True))
    return section


def _made(path: Path, size: int) -> Path:
    """Records of prompts and answers, with numbers and escapes, made once."""
    if path.exists() and abs(path.stat().st_size - size) < size // 20:
        return path
    chance = random.Random(42)
    words = [f"{'abcdefghij'[n % 10] * (n % 7 + 1)}{n}" for n in range(500)]
    lines = []
    for n in range(2000):
        record = {"id": n, "prompt": " ".join(chance.choices(words, k=30)),
                  "answer": "\n".join(chance.choices(words, k=60)), "score": chance.random(),
                  "tokens": [chance.randrange(50_000) for _ in range(10)]}  # fmt: skip
        lines.append(json.dumps(record) + "\n")
    block = "".join(lines).encode()
    with open(path, "wb") as out:
        while out.tell() < size:
            out.write(block)
    return path
