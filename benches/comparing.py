"""Comparing two evaluations: a million items against a million, and the statistics over them.

The rival is what people write: both files with ``json``, a dict by id, McNemar's test and a paired
test of the scores by scipy, and the items that flipped.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from measure import Spread, Way, each_in_turns, in_turns, ratio, run_with_memory, spread
from report import Row, Section
from stamping import PROGRAM

TIME_BAR_S = 10.0
MEMORY_BAR_MIB = 512.0
SCRIPT = """
import json, sys
import numpy
from scipy import stats
a, b = ({item["id"]: item for item in json.load(open(name))["results"]} for name in sys.argv[1:])
ids = [one for one in a if one in b]
only_a = [one for one in ids if a[one]["passed"] and not b[one]["passed"]]
only_b = [one for one in ids if b[one]["passed"] and not a[one]["passed"]]
p = stats.binomtest(len(only_a), len(only_a) + len(only_b)).pvalue
x, y = (numpy.array([side[one]["score"] for one in ids]) for side in (a, b))
interval = stats.ttest_rel(y, x).confidence_interval()
print(p, interval, only_a[:6], only_b[:6])
"""
FACTS = {
    "git_commit": "a" * 40, "timestamp": "2026-01-01T00:00:00.000000+00:00", "artifact_type": "evaluation",
    "git_dirty": False, "script_name": "evaluate.py", "loader_version": "1", "quantization": "nf4",
    "template_disabled": True, "sentinel_tests_passed": True, "add_special_tokens": False, "temperature": 0.7,
    "top_p": 0.9, "do_sample": True, "max_new_tokens": 10, "eval_seed": 1,
}  # fmt: skip


def speed(data: Path, quick: bool) -> list[Section]:
    """Time and memory of the whole command, and how much longer the script takes."""
    count, rounds = (10_000, 2) if quick else (1_000_000, 5)
    folder = data / "comparing"
    folder.mkdir(parents=True, exist_ok=True)
    names = [_made(folder, name, seed, count) for name, seed in (("a", 1), ("b", 2))]
    section = Section(
        f"Comparing {count:,} items with {count:,}",
        [
            f"Two reports of {(folder / names[0]).stat().st_size >> 20} MiB, each item with a question, a pass and a"
            f" score; {rounds} rounds in turns; the files in the page cache.",
            "Ours checks that every item asks the same, and makes two paired tests with their intervals.",
        ],
    )
    ours: Way = lambda: run_with_memory([str(PROGRAM), "compare", *names, "--json"], folder)
    (folder / "script.py").write_text(SCRIPT)
    rival: Way = lambda: run_with_memory([sys.executable, "script.py", *names], folder)
    if subprocess.run([sys.executable, "-c", "import scipy"], stderr=-3).returncode:
        taken = each_in_turns({"ours": ours}, rounds)["ours"]
        section.rows.append(Row("a script with scipy", None, why_not="scipy is not installed"))
    else:
        pairs = in_turns([("scipy", rival, ours)], rounds)["scipy"]
        taken = [both[1] for both in pairs]
        name = "a script with json and scipy takes as long"
        section.rows.append(Row(name, ratio(pairs, "wall"), cpu=ratio(pairs, "cpu")))
    wall, cpu = (spread(taken, clock) for clock in ("wall", "cpu"))
    section.rows.append(Row("ours", wall, "s", TIME_BAR_S, at_most=True, cpu=cpu))
    memory = Spread.of([one.told["memory"] for one in taken])
    section.rows.append(Row("ours: memory at its peak", memory, "MiB", MEMORY_BAR_MIB, at_most=True))
    return [section]


def _made(folder: Path, name: str, seed: int, count: int) -> str:
    path = folder / f"{name}-{count}.json"
    if path.exists():
        return path.name
    draw = random.Random(seed)
    facts = {**FACTS, "model_name": name, "dataset": {"name": "d", "digest": "blake3:" + "c" * 64}}
    with path.with_suffix(".tmp").open("w") as out:
        out.write(f'{{"metadata": {json.dumps(facts)}, "results": [')
        for n in range(count):
            passed = "true" if draw.random() < 0.7 else "false"
            out.write(
                f'{"," if n else ""}{{"id": "item-{n:07d}", "question": "what is {n} and {n + 1}?", '
                f'"passed": {passed}, "score": {draw.random():.6f}}}'
            )
        out.write("]}")
    path.with_suffix(".tmp").rename(path)
    return path.name
