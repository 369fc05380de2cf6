"""`find` and `sql`: everything that was ever made, asked from Python."""

from __future__ import annotations

import os

from . import _native, _talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    _List = list[dict[str, Any]]
else:
    _List = list  # `import birthmark` brings in no other module, `typing` included


class Rows(_List):
    """Rows of an answer: a list of dicts that a notebook shows as a table.

    Attributes:
        total: How many were found, also those beyond the limit.
        among: Among how many.
        unknown: How many were left out since it is unknown whether they match.
        lacking: For the fields of the filter, how many of those left out lack them.
        edited: How many artifacts match that were edited since they were recorded.
    """

    def __init__(
        self,
        rows: Iterable[dict[str, Any]],
        *,
        total: int,
        among: int | None = None,
        unknown: int = 0,
        lacking: dict[str, int] | None = None,
        edited: int = 0,
        columns: Iterable[str] = (),
        types: Iterable[str | None] = (),
    ) -> None:
        super().__init__(rows)
        self.total = total
        self.among = among
        self.unknown = unknown
        self.lacking = lacking or {}
        self.edited = edited
        self._columns = tuple(columns)
        # As the tables declare them: what a column without a value is of.
        self._types = dict(zip(self._columns, types, strict=False))

    def columns(self) -> list[str]:
        """The names of all columns: as a statement has them, else in the order in which they first stand in a row."""
        return list(dict.fromkeys((*self._columns, *(name for row in self for name in row))))

    def _by_column(self) -> dict[str, list[Any]]:
        return {name: [_plain(row.get(name)) for row in self] for name in self.columns()}

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`; pandas must be installed."""
        pandas = _needed("pandas")

        columns = self._by_column()
        # Each column keeps the values that it has: pandas would make 2**70 a float.
        types = self._types
        series = {name: pandas.Series(own, dtype=_dtype(own, types.get(name))) for name, own in columns.items()}
        return pandas.DataFrame(series)

    def to_polars(self) -> Any:
        """The rows as a `polars.DataFrame`; polars must be installed."""
        polars = _needed("polars")

        empty = {"INTEGER": polars.Int64, "REAL": polars.Float64, "TEXT": polars.String}
        columns = self._by_column()
        schema = {name: empty.get(self._empty(name, column) or "") for name, column in columns.items()}
        return polars.DataFrame({name: _one_kind(column) for name, column in columns.items()}, schema=schema)

    def to_arrow(self) -> Any:
        """The rows as a `pyarrow.Table`; pyarrow must be installed."""
        pyarrow = _needed("pyarrow")

        empty = {"INTEGER": pyarrow.int64(), "REAL": pyarrow.float64(), "TEXT": pyarrow.string()}
        columns = self._by_column()
        arrays = {
            name: pyarrow.array(_one_kind(column), type=empty.get(self._empty(name, column) or ""))
            for name, column in columns.items()
        }
        return pyarrow.table(arrays)

    def _empty(self, name: str, column: list[Any]) -> str | None:
        """What a column without a value is of, where its table says it."""
        return self._types.get(name) if all(value is None for value in column) else None

    def _repr_html_(self) -> str:
        import html

        shown = self[:50]
        columns = list(dict.fromkeys((*self._columns, *(name for row in shown for name in row))))
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(row.get(name)))}</td>" for name in columns) + "</tr>"
            for row in shown
        )
        foot = f"{self.total} found" if self.among is None else f"{self.total} found in {self.among}"
        if self.unknown:
            foot += f", {self.unknown} more are unknown"
        if self.edited:
            foot += f", {self.edited} edited since recorded"
        if len(self) > len(shown):
            foot += f"; {len(shown)} shown"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{foot}.</p>"


def _needed(name: str) -> Any:
    """The library of a frame; an error that says what to install where there is none."""
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        message = f"{name} is not installed here: `pip install {name}`; the rows are a list of dicts without it"
        raise ModuleNotFoundError(message, name=name) from None


def _cell(value: Any) -> str:
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value of one cell: what is nested becomes JSON text."""
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _dtype(column: list[Any], declared: str | None) -> str | None:
    kinds = {type(value) for value in column if value is not None}
    if not kinds and declared in ("INTEGER", "REAL"):
        kinds = {int if declared == "INTEGER" else float}
    if kinds == {bool} and None not in column:
        return "bool"
    if kinds == {int}:
        small = all(value is None or -(2**63) <= value < 2**63 for value in column)
        return ("Int64" if None in column else "int64") if small else "object"
    return "float64" if kinds == {float} or _are_floats(kinds, column) else "object"


def _are_floats(kinds: set[type], column: list[Any]) -> bool:
    """Whether a column of whole and other numbers loses no digit as one of floats."""
    whole = (value for value in column if type(value) is int)
    return kinds == {int, float} and all(abs(value) <= 2**53 for value in whole)


def _one_kind(column: list[Any]) -> list[Any]:
    """A column for tables that hold one kind a column: values of several become text."""
    import json

    kinds = {type(value) for value in column if value is not None}
    if kinds <= {int} and any(value is not None and not -(2**63) <= value < 2**63 for value in column):
        kinds = {int, str}
    if len(kinds) <= 1:
        return column
    if _are_floats(kinds, column):
        return [value if value is None else float(value) for value in column]
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in column]


def _check_folder(folder: str | os.PathLike[str] | None) -> None:
    """A folder that is not there holds no project: nothing found would be no answer."""
    if folder is not None and not os.path.isdir(folder):
        raise FileNotFoundError(f"no folder `{os.fspath(folder)}`")


def find(
    filter: str = "",
    *,
    what: Literal["artifacts", "sessions", "runs"] = "artifacts",
    columns: Iterable[str] = (),
    sort: str | None = None,
    limit: int | None = None,
    all: bool = False,
    gone: bool = False,
    folder: str | os.PathLike[str] | None = None,
) -> Rows:
    """Find artifacts by what they were made with.

    Args:
        filter: Conditions side by side, as for ``birthmark find``:
            ``"model~qwen quantization=nf4 temperature=0.5.. since:yesterday"``.
        what: ``artifacts``, or the ``sessions`` or ``runs`` that made them.
        columns: Fields that are wanted beside the usual ones.
        sort: A field, the least first; with ``-`` before it the greatest. Default: the newest first.
        limit: So many rows at most.
        all: In all projects that the catalog knows, and not in this one alone.
        gone: Also what is no longer there.
        folder: A folder of the project. Default: the working folder.

    Returns:
        The rows, with the stored field names. Of a field that varies from record to record
        stands ``{"min": …, "max": …}``, with ``"values": […]`` of texts where they are at most 32.

    Raises:
        UsageError: If the filter cannot be read (the message points at the character), or if no artifact
            has a field of a name in it; ``has:name`` may ask for any.
        FileNotFoundError: If there is no such folder.
        ValueError: If ``what`` is no such word, or ``limit`` no number.

    Example:
        ``bm.find("type=evaluation", columns=["base_accuracy"]).to_pandas()``
    """
    import json

    if what not in ("artifacts", "sessions", "runs"):
        raise ValueError(f"what must be artifacts, sessions or runs, not {what!r}")
    _check_folder(folder)
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise ValueError(f"limit must be a whole number, 0 or more, not {limit!r}")
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names, not the text {columns!r}: columns=[{columns!r}]")
    columns = list(columns)
    for column in columns:
        if not isinstance(column, str):
            raise TypeError(f"columns must be names of fields, not {column!r}")
    text = _native.find_json(
        filter,
        what=what,
        everywhere=all,
        gone=gone,
        sort=sort,
        limit=limit,
        columns=columns,
        folder=folder,
    )
    answer = json.loads(text)
    talk = _talk.talker()
    for line in (*answer["said"], *answer["also"]) if talk else ():
        talk(line)
    return Rows(
        answer["rows"],
        total=answer["found"],
        among=answer["among"],
        unknown=answer["unknown"],
        lacking=answer["lacking"],
        edited=answer["edited"],
    )


def sql(
    statement: str,
    *,
    records: str = "",
    all: bool = False,
    timeout: float = 10.0,
    folder: str | os.PathLike[str] | None = None,
) -> Rows:
    """Ask any question that SQL can ask.

    Args:
        statement: One SELECT over the tables ``sessions``, ``runs``, ``artifacts``, ``record_groups``,
            ``params``, ``metrics``, ``packages``, ``edges`` and ``records``; a record has its fields as
            columns (``seed``, ``model_name``), and ``record``, ``metadata``, ``file`` and ``line``.
        records: Only records that match this filter. Default: all.
        all: Of all projects that the catalog knows, and not of this one alone.
        timeout: Stop after so many seconds.
        folder: A folder of the project. Default: the working folder.

    Returns:
        The rows, with the names of the columns as the statement has them, also where there is no row.

    Raises:
        UsageError: If the statement is wrong, does more than read, or takes too long.

    Example:
        ``bm.sql("SELECT model_name, count(*) AS n FROM artifacts GROUP BY 1")``
    """
    import json

    text = _native.sql_json(statement, records=records, everywhere=all, timeout=timeout, folder=folder)
    answer = json.loads(text)
    rows = answer["rows"]
    return Rows(rows, total=len(rows), columns=answer["columns"], types=answer["types"])
