"""What the benchmark says: rows of a table, on the terminal and in ``RESULTS.md``.

Invariants: a row shows minimum, median and maximum; a bar is judged by the median, and a row
whose spread lies on both sides of its bar says so. What was not measured is named, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from measure import Spread


@dataclass
class Row:
    """One measurement. ``bar`` is the least, or with ``at_most`` the most, that is good enough."""

    name: str
    spread: Spread | None
    unit: str = "x"
    bar: float | None = None
    at_most: bool = False
    cpu: Spread | None = None
    why_not: str = ""

    @property
    def verdict(self) -> str:
        if self.spread is None:
            return "not measured"
        if self.bar is None:
            return ""
        if not self._good(self.spread.median):
            return "SHORT OF THE BAR"
        mixed = not (self._good(self.spread.least) and self._good(self.spread.most))
        return "PASS at the median, not in every round" if mixed else "PASS"

    def _good(self, value: float) -> bool:
        assert self.bar is not None
        return value <= self.bar if self.at_most else value >= self.bar

    def cells(self) -> list[str]:
        if self.spread is None:
            return [self.name, self.why_not, "", "", self.verdict]
        bar = "" if self.bar is None else f"{'<=' if self.at_most else '>='} {_number(self.bar, self.unit)}"
        return [self.name, _three(self.spread, self.unit), _three(self.cpu, self.unit), bar, self.verdict]


@dataclass
class Section:
    """A table, with what has to be known to read it."""

    title: str
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


HEAD = ["", "min / median / max", "the same by CPU", "bar", ""]


def _number(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}"
    return f"{text}{unit}" if unit in ("x", "%") else f"{text} {unit}"


def _three(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return ""
    values = [_number(value, "").strip() for value in (spread.least, spread.median, spread.most)]
    return f"{' / '.join(values)}{unit if unit in ('x', '%') else f' {unit}'}"


def as_text(section: Section) -> str:
    """The section for a terminal."""
    table = [HEAD, *(row.cells() for row in section.rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in table]
    return "\n".join([section.title, *(f"  {note}" for note in section.notes), "", *lines, ""])


def as_markdown(section: Section) -> Iterator[str]:
    """The section for ``RESULTS.md``, line by line."""
    yield f"## {section.title}"
    yield ""
    for note in section.notes:
        yield f"* {note}"
    yield ""
    yield "| " + " | ".join(HEAD) + " |"
    yield "|" + " --- |" * len(HEAD)
    for row in section.rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |"
    yield ""


def counted(sections: list[Section]) -> str:
    """How many bars were passed, in one line."""
    verdicts = [row.verdict for section in sections for row in section.rows if row.verdict]
    passed = sum(verdict.startswith("PASS") for verdict in verdicts)
    short = sum(verdict.startswith("SHORT") for verdict in verdicts)
    left_out = sum(verdict == "not measured" for verdict in verdicts)
    return f"{passed} bars passed, {short} short of the bar, {left_out} rows not measured"
