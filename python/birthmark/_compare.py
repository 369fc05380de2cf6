"""May these be compared? The answer of ``birthmark compare``, for Python."""

from __future__ import annotations

import os

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MATCHES = ("id", "digest", "position")


class Comparison:
    """What came of a comparison. It prints as the page that the program shows."""

    __slots__ = ("_html", "_markdown", "_page", "data")

    def __init__(self, data: dict[str, Any], page: str, markdown: str, html: str) -> None:
        #: Everything, as ``birthmark compare --json`` prints it.
        self.data = data
        self._page, self._markdown, self._html = page, markdown, html

    @property
    def verdict(self) -> str:
        """``comparable``, ``comparable with caveats``, ``not comparable`` or ``cannot tell``."""
        return str(self.data["verdict"])

    @property
    def exit_status(self) -> int:
        """0 comparable and every gate holds, 1 not, 2 cannot tell."""
        return int(self.data["exit_status"])

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """Why, the strongest first: ``weight``, ``code``, ``field``, ``text``."""
        return list(self.data["reasons"] or [])

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The metrics of every pair, with their paired tests."""
        return [score for pair in self.data["pairs"] for score in pair["scores"]]

    def to_markdown(self) -> str:
        """Return the answer as Markdown, for a pull request."""
        return self._markdown

    def to_html(self) -> str:
        """Return the answer as one HTML page with plots that needs nothing else."""
        return self._html

    def __str__(self) -> str:
        return self._page

    def __repr__(self) -> str:
        return f"<birthmark comparison: {self.verdict}>"

    def _repr_markdown_(self) -> str:
        return self._markdown


def compare(
    *targets: str | os.PathLike[str],
    subject: str | Iterable[str] = (),
    accept: str | Iterable[str] = (),
    match: str | None = None,
    seed: int = 0,
    metric: str | None = None,
    no_worse_than: float | None = None,
    lower_is_better: str | Iterable[str] = (),
    higher_is_better: str | Iterable[str] = (),
    require_comparable: bool = False,
) -> Comparison:
    """Say whether evaluations may be compared, what moved, and whether the difference is real.

    One report is compared with itself: the systems inside of it. More than two are held
    against the first. Datasets, checkpoints, sessions and single records (``"file.jsonl:3"``)
    are compared in the same way.

    Passes and fails are tested with McNemar's exact test, p = min(1, 2 sum C(n, k) / 2^n for
    k = 0 .. min(b, c), n = b + c) (McNemar 1947, Edwards 1948), and get Tango's score interval
    (Statistics in Medicine 17, 1998). Other numbers are tested with a permutation of signs
    (Fisher 1935; sampled: p = (hits + 1) / (samples + 1), Phipson and Smyth 2010) and get the
    percentile interval of a bootstrap over pairs (Efron 1979). Several tests are corrected by
    Holm (1979). Effect sizes are Cohen's g = max(b, c) / n - 1/2 and d = mean / deviation of
    the differences (Cohen 1988).

    Args:
        targets: Files, folders or sessions; ``"report.json#role"`` names one system.
        subject: Fields that are meant to differ, instead of the model.
        accept: Fields whose move is taken knowingly; the verdict says so.
        match: How items are matched: ``"id"``, ``"digest"`` or ``"position"``.
        seed: Of what the statistics draw at random.
        metric: The metric that ``no_worse_than`` is about; all of them by default.
        no_worse_than: A gate: how much worse the last may be than the first.
        lower_is_better: Metrics of which less is better, whatever their names say.
        higher_is_better: Metrics of which more is better. Of a metric whose name tells neither the
            gate does not say that it holds.
        require_comparable: A gate: caveats count as no.

    Raises:
        UsageError: If there is nothing to compare, or it is of two kinds.
        DamagedError: If a report cannot be read.
    """
    if match is not None and match not in _MATCHES:
        raise ValueError(f"match must be one of {', '.join(_MATCHES)}, not {match!r}")
    names = [os.fspath(target) for target in targets]
    directions = (_words(lower_is_better), _words(higher_is_better))
    data, page, markdown, html = _native.compare(
        names,
        _words(subject),
        _words(accept),
        match,
        seed,
        metric,
        no_worse_than,
        directions,
        require_comparable,
    )
    import json  # here, so that importing birthmark does not

    return Comparison(json.loads(data), page, markdown, html)


def _words(words: str | Iterable[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)
