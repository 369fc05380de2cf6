"""What it costs to note every opening: a script that opens 10,000 small files and does nothing else.

Purpose: the bar of 3 % of lineage under ``birthmark run``, without the digests, which are made after a run.

Invariants: bare and watched in turns; the CPU time of the script alone.

Limits: Linux; the library is that of the installed wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Spent, Spread, Way, each_in_turns, spread
from report import Row, Section

LIBRARY = Path(sys.prefix) / "lib" / "birthmark" / "libbirthmark_preload.so"
MAKE = "for i in range({0}): open(f'{{i}}.txt', 'w').write('x' * 1000)\n"
READ = """
import time
begun = time.process_time()
for i in range({0}):
    with open(f"{{i}}.txt") as file:
        file.read()
print(time.process_time() - begun)
"""


def speed(data: Path, quick: bool) -> list[Section]:
    """The script bare and watched."""
    files, rounds = (100, 2) if quick else (10_000, 41)
    section = Section(
        "Lineage: noting every opening",
        [
            f"A script that opens and reads {files:,} files of 1,000 bytes; {rounds} rounds in turns; CPU time of the script.",
            "Digests are made after a run and are not in this.",
        ],
    )
    if not LIBRARY.exists():
        section.rows.append(Row("watched, as a multiple of bare", None, why_not=f"{LIBRARY.name} is not installed"))
        return [section]
    folder = data / f"lineage-{files}"
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-c", MAKE.format(files)], cwd=folder, check=True)
    taken = each_in_turns({"bare": _way(folder, files), "watched": _way(folder, files, LIBRARY)}, rounds)
    of = [b.cpu / a.cpu for a, b in zip(taken["bare"], taken["watched"], strict=True)]
    section.rows.append(Row("watched, as a multiple of bare", Spread.of(of), "x", 1.03, at_most=True))
    for name, spent in taken.items():
        section.rows.append(Row(f"{name}: an opening", spread(spent, "cpu", 1e6 / files), "us"))
    return [section]


def _way(folder: Path, files: int, library: Path | None = None) -> Way:
    def once() -> Spent:
        env = dict(os.environ)
        with tempfile.TemporaryDirectory() as notes:
            if library is not None:
                env.update(LD_PRELOAD=str(library), BIRTHMARK_SEEN=notes)
            command = [sys.executable, "-c", READ.format(files)]
            said = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout
            noted = any(Path(notes).iterdir())
        if noted != (library is not None):
            raise RuntimeError("the library was not loaded")
        return Spent(float(said), float(said))

    return once
