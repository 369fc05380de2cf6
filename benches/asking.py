"""Asking the catalog: through groups, by scan, when nothing changed, and in a large archive.

Purpose: the bars of questions: a filter over a million records, a scan of a gigabyte against DuckDB, Polars and jq,
the first build, the cost of an idle question, and 100,000 sessions with 1,000,000 artifacts.

Invariants: every rival answers the same question with the same count, which is checked.

Limits: rivals that are not installed are named and left out; the archive is made once, in minutes, and
read by the catalog once, in minutes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import archive
from measure import Spent, Spread, Way, environment, in_turns, ratio, spread
from report import Row, Section

PROGRAM = Path(sys.executable).with_name("birthmark")
HALF = 500_000_000
# Sessions of an archive.
ARCHIVES = [1_000, 10_000, 100_000]
DUCKDB = """
import duckdb, sys
duckdb.sql("SET memory_limit = '4GB'; SET enable_progress_bar = false")
sql = "SELECT count(*) FROM read_ndjson(?, columns={metadata: 'STRUCT(draw BIGINT)'}) WHERE metadata.draw < ?"
print(duckdb.execute(sql, [sys.argv[1], int(sys.argv[2])]).fetchone()[0])
"""
POLARS = """
import polars as pl, sys
lines = pl.scan_ndjson(sys.argv[1], schema={"metadata": pl.Struct({"draw": pl.Int64})})
found = lines.filter(pl.col("metadata").struct.field("draw") < int(sys.argv[2])).select(pl.len())
print(found.collect(engine="streaming").item())
"""
IN_PROCESS = """
import birthmark as bm, json, sys, time, os
from resource import getrusage, RUSAGE_SELF
bm.find(sys.argv[1])
taken = []
for _ in range(int(sys.argv[2])):
    before, began = getrusage(RUSAGE_SELF), time.perf_counter()
    bm.find(sys.argv[1])
    wall, after = time.perf_counter() - began, getrusage(RUSAGE_SELF)
    taken.append([wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime])
print(json.dumps(taken))
"""

# What somebody would do who has the files alone; and the same question of the catalog.
LOOP = """
import json, sys
from pathlib import Path
found = 0
for journal in Path(sys.argv[1], "artifacts", ".birthmark", "sessions").glob("*/*.jsonl"):
    given, code, holds = {}, {}, False
    for event in map(json.loads, journal.open()):
        given = event.get("given", given)
        code = event["fields"] if event["event"] == "code_observed" else code
        if event["event"] == "artifact_sealed":
            accuracy = json.loads(Path(sys.argv[1], event["file"]).read_text())["summary"]["accuracy"]
            holds |= "llama" in given["model_name"].lower() or accuracy > 0.9
    found += holds and not code["git_dirty"]
print(found)
"""
RUNS = """
import birthmark as bm, sys
print(len(bm.find(sys.argv[1], what="runs", columns=["git_commit", "model_name", "run_start", "exit_code"])))
"""


def speed(data: Path, quick: bool) -> list[Section]:
    """All but the archive."""
    return [
        *_groups_and_scan(data / "asking", quick),
        _idle(data / "asking", quick),
    ]


def _answers(folder: Path, *arguments: str, cache: Path) -> Way:
    return lambda: _run([str(PROGRAM), *arguments], folder, cache)


def _run(command: list[str], folder: Path, cache: Path) -> Spent:
    """Wall and CPU time, the peak of the memory, and what it printed."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=folder, env=environment(BIRTHMARK_QUIET="1", XDG_CACHE_HOME=str(cache)),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command} gave {child.returncode}")
    told = {"memory": used.ru_maxrss / 1024, "said": said.decode().strip()}
    return Spent(wall, used.ru_utime + used.ru_stime, told=told)


def _groups_and_scan(folder: Path, quick: bool) -> list[Section]:
    counts, rounds = ([500, 2_000], 2) if quick else ([1_000, 100_000, 1_000_000], 7)
    section = Section(
        "Asking: a filter over records, through groups",
        [
            f"{rounds} rounds; milliseconds of this machine. One file of records of about 1 KB with their birthmark,"
            " of three models in turn, each with a seed and a time of its own.",
            "The question: `model~qwen temperature=0.5..`. A command that does nothing (`birthmark --version`) stands beside.",
        ],
    )
    question = "model~qwen temperature=0.5.."
    projects = [_stamped(folder / f"records-{count}", count) for count in counts]
    for count, project in zip(counts, projects, strict=True):
        cache = folder / f"cache-{count}"
        _run([str(PROGRAM), "find", question, "--count"], project, cache)
        nothing = _answers(project, "--version", cache=cache)
        taken = in_turns([("find", _answers(project, "find", question, cache=cache), nothing)], rounds)["find"]
        ours = [one for one, _ in taken]
        last = count == counts[-1]
        section.rows.append(
            Row(f"{count:,} records: the command", spread(ours, "wall", 1e3), "ms", 60.0 if last else None, True,
                cpu=spread(ours, "cpu", 1e3))
        )  # fmt: skip
        inside = _in_process(project, question, cache, rounds)
        section.rows.append(
            Row(f"{count:,} records: in process", spread(inside, "wall", 1e3), "ms", 20.0 if last else None, True,
                cpu=spread(inside, "cpu", 1e3))
        )  # fmt: skip
        if last:
            idle = [one for _, one in taken]
            section.rows.append(Row("a command that does nothing", spread(idle, "wall", 1e3), "ms", cpu=spread(idle, "cpu", 1e3)))
    return [section, _scan(projects[-1], folder / f"cache-{counts[-1]}", quick), _build(projects[-1], folder, quick)]


def _in_process(project: Path, question: str, cache: Path, rounds: int) -> list[Spent]:
    done = _run([sys.executable, "-c", IN_PROCESS, question, str(rounds)], project, cache)
    return [Spent(wall, cpu) for wall, cpu in json.loads(done.told["said"])]


SAMPLES = """
import birthmark as bm, json, sys, time
from resource import getrusage, RUSAGE_SELF
before, began = getrusage(RUSAGE_SELF), time.perf_counter()
rows = bm.sql("SELECT file, line, model_name, seed, record ->> 'tokens' AS tokens FROM records WHERE seed < ?".replace("?", sys.argv[1]))
wall, after = time.perf_counter() - began, getrusage(RUSAGE_SELF)
print(json.dumps([len(rows), wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime]))
"""


def _samples(project: Path, cache: Path, quick: bool) -> Row:
    """Samples out of a log, as rows in Python: what took others hours."""
    count, taken = 100 if quick else 200_000, []
    for _ in range(2 if quick else 3):
        said = json.loads(_run([sys.executable, "-c", SAMPLES, str(count)], project, cache).told["said"])
        assert said[0] == count, said
        taken.append(Spent(said[1], said[2]))
    return Row(f"{count:,} samples as rows in Python", spread(taken, "wall", 1.0), "s", cpu=spread(taken, "cpu", 1.0))


def _scan(project: Path, cache: Path, quick: bool) -> Section:
    rounds = 2 if quick else 3
    path = project / "artifacts" / "records.jsonl"
    section = Section(
        "Asking: by scan, where every record must be read; how many times as much others take",
        [
            f"{path.stat().st_size >> 20} MiB, {rounds} rounds in turns (jq one), the file in the page cache. The question:"
            f" of how many records is the birthmark's `draw`, which is another in each, below {HALF:,}.",
            "Ours checks every line; DuckDB and Polars are told the type of the one field they need. The bars are of CPU time.",
        ],
    )
    statement = f"SELECT count(*) AS n FROM records WHERE draw < {HALF}"
    ours = _answers(project, "sql", "--csv", "--timeout", "600", statement, cache=cache)
    truth = int(ours().told["said"].split("\n")[-1])
    rivals = {
        "duckdb": [sys.executable, "-c", DUCKDB, str(path), str(HALF)],
        "polars": [sys.executable, "-c", POLARS, str(path), str(HALF)],
        "jq": ["sh", "-c", f"jq -c 'select(.metadata.draw < {HALF}) | 1' '{path}' | wc -l"],
    }
    bars = {"duckdb": 2.0, "polars": None, "jq": 10.0}
    memory: list[float] = []
    for name, command in rivals.items():
        module = name if name != "jq" else None
        if module and subprocess.run([sys.executable, "-c", f"import {module}"], stderr=-3).returncode:
            section.rows.append(Row(name, None, why_not=f"{name} is not installed"))
            continue
        if not module and shutil.which("jq") is None:
            section.rows.append(Row(name, None, why_not="jq is not installed"))
            continue
        said = _run(command, project, cache).told["said"]
        assert int(said) == truth, f"{name} counted {said}, we {truth}"
        way = lambda command=command: _run(command, project, cache)  # noqa: E731
        taken = in_turns([(name, way, ours)], 1 if name == "jq" else rounds)[name]
        section.rows.append(Row(f"{name}, by CPU", ratio(taken, "cpu"), bar=bars[name]))
        section.rows.append(Row(f"{name}, by the clock", ratio(taken, "wall")))
        theirs = Spread.of([one.told["memory"] for one, _ in taken])
        section.rows.append(Row(f"{name}: memory at its peak", theirs, "MiB"))
        memory += [one.told["memory"] for _, one in taken]
    again = [ours() for _ in range(rounds)]
    memory += [one.told["memory"] for one in again]
    section.rows.append(_samples(project, cache, quick))
    size = path.stat().st_size / 1e6
    section.rows.append(Row("ours, MB a second of CPU", Spread.of([size / one.cpu for one in again]), "MB/s"))
    section.rows.append(Row("ours: memory at its peak", Spread.of(memory), "MiB", 64.0, at_most=True))
    return section


def _build(project: Path, folder: Path, quick: bool) -> Section:
    rounds = 2 if quick else 3
    cache = folder / "cache-build"
    section = Section(
        "Asking: the first build of the catalog, as a share of the speed of the scan",
        [f"{rounds} rounds in turns, on the same file; by CPU time. The build makes the digest of the file beside."],
    )

    def build() -> Spent:
        shutil.rmtree(cache, ignore_errors=True)
        return _run([str(PROGRAM), "catalog", "refresh"], project, cache)

    statement = f"SELECT count(*) FROM records WHERE draw < {HALF}"
    scan = _answers(project, "sql", "--timeout", "600", statement, cache=folder / f"cache-{project.name.split('-')[1]}")
    taken = in_turns([("build", scan, build)], rounds)["build"]
    share = [(a, b) for a, b in taken]
    by_cpu, by_clock = ratio(share, "cpu"), ratio(share, "wall")
    percent = [Spread(one.least * 100, one.median * 100, one.most * 100) for one in (by_cpu, by_clock)]
    section.rows.append(Row("by CPU", percent[0], "%", 60.0))
    section.rows.append(Row("by the clock", percent[1], "%"))
    memory = Spread.of([one.told["memory"] for _, one in taken])
    section.rows.append(Row("memory at its peak", memory, "MiB", 64.0, at_most=True))
    return section


def _idle(folder: Path, quick: bool) -> Section:
    counts, rounds = ([20, 100], 2) if quick else ([100, 1_000, 10_000], 9)
    section = Section(
        "Asking: what a question costs when nothing changed, by the number of files",
        [f"{rounds} rounds; milliseconds over a command that does nothing. `birthmark find --count seed=7`."],
    )
    for count in counts:
        project, cache = _many(folder / f"files-{count}", count), folder / f"cache-files-{count}"
        _run([str(PROGRAM), "find", "--count", "seed=7"], project, cache)
        pair = ("find", _answers(project, "find", "--count", "seed=7", cache=cache), _answers(project, "--version", cache=cache))
        taken = in_turns([pair], rounds)["find"]
        over = [Spent(max(a.wall - b.wall, 0), max(a.cpu - b.cpu, 0)) for a, b in taken]
        bar = 20.0 if count == counts[-1] else None
        section.rows.append(Row(f"{count:,} files", spread(over, "wall", 1e3), "ms", bar, True, cpu=spread(over, "cpu", 1e3)))
    return section


def large(data: Path, quick: bool) -> list[Section]:
    """The archive of many sessions: the largest takes half an hour to be made and to be read, the
    variable ``BIRTHMARK_BENCH_SESSIONS`` leaves it out."""
    largest = int(os.environ.get("BIRTHMARK_BENCH_SESSIONS", ARCHIVES[-1]))
    return [_archive(data / "asking", quick, largest), _runs(data / "asking", quick)]


def _runs(folder: Path, quick: bool) -> Section:
    """Runs as a table: what takes others a quarter of an hour."""
    count, rounds = (50, 2) if quick else (30_000, 3)
    section = Section(
        f"Asking: {count:,} runs",
        [f"{rounds} rounds; runs whose model is a llama or whose accuracy is above 0.9, and whose code was not dirty."],
    )
    question = "(model~llama OR accuracy>0.9) NOT dirty=true"
    try:
        import blake3  # noqa: F401
    except ImportError:
        section.rows.append(Row("all that match, by the command", None, why_not="blake3 is not installed"))
        return section
    project, cache = archive.made(folder / f"runs-{count}", count, 1), folder / f"cache-runs-{count}"
    ways = {
        "50 of them, by the command": _answers(project, "find", "--runs", "-n", "50", question, cache=cache),
        "all, as CSV by the command": _answers(project, "find", "--runs", "--csv", question, cache=cache),
        "all, as rows in Python, its start included":
            lambda: _run([sys.executable, "-c", RUNS, question], project, cache),
        "a loop of Python over the journals and reports counts them":
            lambda: _run([sys.executable, "-c", LOOP, str(project)], project, cache),
    }  # fmt: skip
    total = _answers(project, "find", "--runs", "--count", question, cache=cache)().told["said"]
    for title, way in ways.items():
        taken = [way() for _ in range(rounds)]
        lines = taken[0].told["said"].splitlines()
        assert lines == [total] or len(lines) == int(total) + 1 or title.startswith("50"), f"{title}: {lines[:1]}, and not {total}"
        section.rows.append(Row(title, spread(taken, "wall", 1.0), "s", cpu=spread(taken, "cpu", 1.0)))
    return section


def _archive(folder: Path, quick: bool, largest: int) -> Section:
    sizes, rounds = ([20, 100], 2) if quick else ([size for size in ARCHIVES if size <= largest], 7)
    section = Section(
        "Asking: an archive of sessions with ten artifacts each",
        [f"{rounds} rounds; milliseconds of the whole command. `list` shows 20, `find` 50."],
    )
    questions = {
        "list": ["list"],
        "find": ["find", "-n", "50"],
        "find by model and temperature": ["find", "-n", "50", "model~llama temperature=0.9.."],
        "find a param that one artifact has": ["find", "rare=17"],
        "find by metric": ["find", "-n", "50", "accuracy>0.9995"],
        "find by what is known of the machine": ["find", "-n", "50", "gpu=H100 type=evaluation"],
        "find a word": ["find", "-n", "50", "smollm"],
        "find a word in the names of files": ["find", "-n", "50", "file~00042"],
        "find with OR and NOT": ["find", "-n", "50", "(model~llama OR accuracy>0.9) NOT dirty=true"],
        "find in a span of time": ["find", "-n", "50", "since:2024-01-03 until:2024-06-01"],
        "find what nearly all have, by a number that each has alone": ["find", "-n", "50", "eval_seed=1000.."],
        "find, sorted by a metric": ["find", "-n", "50", "model~llama", "--sort", "-accuracy"],
        "count by model": ["find", "--group-by", "model"],
        "find runs": ["find", "--runs", "-n", "50", "model~llama accuracy>0.9"],
        "which commit produced the number": ["find", "accuracy=0.8125 model~llama seed=500..520", "--columns", "file,git_commit"],
    }
    try:
        import blake3  # noqa: F401
    except ImportError:
        section.rows.append(Row("list", None, why_not="blake3 is not installed"))
        return section
    for size in sizes:
        project, cache = archive.made(folder / f"archive-{size}", size, 10), folder / f"cache-archive-{size}"
        _run([str(PROGRAM), "find", "--count"], project, cache)
        for name, question in questions.items():
            way = _answers(project, *question, cache=cache)
            way()
            taken = [way() for _ in range(rounds)]
            bar = 100.0 if size == ARCHIVES[-1] else None
            title = f"{size:,} sessions: {name}"
            section.rows.append(Row(title, spread(taken, "wall", 1e3), "ms", bar, True, cpu=spread(taken, "cpu", 1e3)))
    return section


def _stamped(project: Path, count: int) -> Path:
    """A project with one file of so many stamped records, of three models in turn."""
    path = project / "artifacts" / "records.jsonl"
    if path.exists():
        return project
    path.parent.mkdir(parents=True, exist_ok=True)
    (project / "birthmark.toml").touch()
    chance = random.Random(5)
    words = [f"{'abcdefghij'[n % 10] * (n % 7 + 1)}{n}" for n in range(500)]
    texts = [" ".join(chance.choices(words, k=60)) for _ in range(500)]
    models = ("Qwen/Qwen2.5-32B", "meta-llama/Llama-3.1-8B", "HuggingFaceTB/SmolLM2-135M")
    ready = path.with_suffix(".part.jsonl")
    with open(ready, "w") as out:
        for n in range(count):
            mark = {
                "git_commit": f"{n * 10 // count:040x}", "timestamp": f"2026-01-{n * 28 // count + 1:02}T00:{n // 60_000 % 60:02}:{n // 1_000 % 60:02}.{n % 1_000:03}000+00:00",
                "artifact_type": "training_data", "git_dirty": False, "script_name": "generate.py",
                "loader_version": "5f970c2e8a1b4d0c9e7f6a5b4c3d2e1f0a9b8c7d", "model_name": models[n * 3 // count], "quantization": "nf4",
                "template_disabled": True, "temperature": 0.7 if n * 2 < count else 0.2, "max_new_tokens": 150,
                "do_sample": True, "seed": n, "draw": chance.randrange(2 * HALF), "session_id": "20260101_000000_aaaaaaaaaaaaa",
                "run_id": "aaaaaaaaaaaaa", "birthmark": "birthmark/v1",
            }  # fmt: skip
            out.write(json.dumps({"id": n, "prompt": texts[n % 500], "tokens": n % 97, "metadata": mark}) + "\n")
    ready.rename(path)
    return project


def _many(project: Path, count: int) -> Path:
    """A project with so many small stamped files, a hundred a folder."""
    if (project / "ready").exists():
        return project
    (project / "artifacts").mkdir(parents=True, exist_ok=True)
    (project / "birthmark.toml").touch()
    for n in range(count):
        folder = project / "artifacts" / f"part_{n // 100:03}"
        folder.mkdir(exist_ok=True)
        mark = {"git_commit": "c", "timestamp": "2026-01-01T00:00:00.000000+00:00", "artifact_type": "t", "seed": n, "birthmark": "birthmark/v1"}
        (folder / f"{n:05}.json").write_text(json.dumps({"summary": {}, "metadata": mark}))
    (project / "ready").touch()
    return project
