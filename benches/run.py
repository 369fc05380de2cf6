"""The benchmark: what Birthmark costs, in ratios to what users would otherwise use.

    make bench                          measure everything, and write RESULTS.md: half an hour, most of it for the
                                        largest archive (BIRTHMARK_BENCH_SESSIONS=10000 leaves that out)
    python benches/run.py --quick       that everything runs, in seconds; its figures mean nothing

Purpose: to measure the bars that the project set itself, and to say of each whether it is passed.

Invariants: rivals and we run in turns, several rounds; ratios are shown with their minimum, median
and maximum; nothing is asserted about time, so the exit status is 0 whatever the figures are.

Limits: Linux only (it reads ``/proc``); a busy machine widens the spread and takes the core of what
runs beside; the share that others took is noted with each table.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import asking
import capture
import comparing
import lineage
import machine
import saving
import stamping
import verifying
import writing
from report import Section, as_markdown, as_text, counted

HERE = Path(__file__).resolve().parent
PARTS = {
    "writing": writing.speed,
    "records": writing.growth,
    "saving": saving.speed,
    "stamping": stamping.speed,
    "verifying": verifying.speed,
    "capture": capture.small,
    "large": capture.large,
    "commands": capture.commands,
    "sessions": capture.stored,
    "comparing": comparing.speed,
    "lineage": lineage.speed,
    "asking": asking.speed,
    "archive": asking.large,
}


def main() -> None:
    """Measure, print, and write down."""
    wanted = _arguments()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="birthmark-bench-") as scratch:
        data = Path(scratch) if wanted.quick else wanted.data
        data.mkdir(parents=True, exist_ok=True)
        facts, others = machine.facts(data), machine.Others()
        left, sections = wanted.only or list(PARTS), []
        missing = [part for part in PARTS if part not in left]
        for part in list(left):
            sections += _measure(part, data.resolve(), wanted.quick)
            left.remove(part)
            facts["others meanwhile"] = f"{others.share():.0%} of all cores"
            facts["took"] = f"{time.monotonic() - begin:.0f} s"
            if wanted.results is not None:
                # After each part: a run that is cut short keeps what it measured.
                _write_down(wanted.results, facts, sections, missing + left)
    print(counted(sections))
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    if wanted.quick:
        print("a quick run: it shows that everything runs, and its figures mean nothing")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="measure this part (repeatable)")
    parser.add_argument("--results", type=Path, help="write the results to this Markdown file")
    parser.add_argument(
        "--data", type=Path, default=HERE.parent / "target" / "bench-data",
        help="where repositories are made, once",
    )  # fmt: skip
    wanted = parser.parse_args()
    if wanted.results is not None and wanted.quick:
        parser.error("the figures of a quick run mean nothing: leave --quick out")
    return wanted


def _measure(part: str, data: Path, quick: bool) -> list[Section]:
    print(f"measuring: {part} ...", file=sys.stderr, flush=True)
    others = machine.Others()
    sections = PARTS[part](data, quick)
    share = others.share()
    for section in sections:
        section.notes.append(f"Meanwhile others took {share:.0%} of all cores{_so(share)}.")
        print(as_text(section), flush=True)
    return sections


def _so(share: float) -> str:
    """What follows for wall times when a whole core is others'."""
    if share < 0.5 / len(os.sched_getaffinity(0)):
        return ""
    return ": what runs beside the caller had hardly a core of its own, and wall times are too long"


def _write_down(path: Path, facts: dict[str, str], sections: list[Section], missing: list[str]) -> None:
    lines = [
        "# Results of the benchmark",
        "",
        "Made by `make bench`; do not edit. Ratios were taken side by side in one run, in turns; absolute",
        "figures hold for this machine in this hour only. A bar is judged by the median.",
        "",
        f"**{counted(sections)}.**",
        "",
        *(f"* {name}: {value}" for name, value in facts.items()),
        *([f"* not measured in this run: {', '.join(missing)}"] if missing else []),
        "",
    ]
    for section in sections:
        lines.extend(as_markdown(section))
    path.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
