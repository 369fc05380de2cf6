"""`bm.find` and `bm.sql`: answers held against a plain loop, and against DuckDB where it is installed."""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Writer

import birthmark as bm

FIELDS = ["temperature", "seed", "model_name", "note"]
VALUES = [None, True, 0, 1, 7, 0.5, 0.7, 2**53 + 1, "alpha", "Alphabet", "7", "b c"]


def random_files(rng: random.Random) -> dict[str, list[dict]]:
    files = {}
    for number in range(rng.randrange(1, 7)):
        marks = []
        for _ in range(rng.randrange(1, 4)):
            base = {name: rng.choice(VALUES) for name in FIELDS if rng.random() < 0.7}
            for n in range(rng.choice([1, 3, 40, 270])):
                marks.append({**base, "seed": n} if "seed" in base and rng.random() < 0.5 else dict(base))
        files[f"f{number}.jsonl"] = marks
    return files


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def holds(mark: dict, field: str, op: str, limit: int) -> bool | None:
    """The truth of one condition, as the language says it in words."""
    value = mark.get(field)
    if op == "has":
        return value is not None
    if value is None:
        return None
    if op == "=":
        return value == limit if is_number(value) else value == str(limit) if isinstance(value, str) else False
    if op == "~":
        shown = value if isinstance(value, str) else json.dumps(value)
        return str(limit) in shown.lower()
    if not is_number(value):
        return None
    return value < limit if op == "<" else value >= limit


def both(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def test_an_answer_without_rows_has_its_columns(repo):
    rows = bm.sql("SELECT file, size AS bytes FROM artifacts WHERE 0")
    assert (list(rows), rows.total, rows.columns()) == ([], 0, ["file", "bytes"])
    assert "<th>bytes</th>" in rows._repr_html_()
    pyarrow = pytest.importorskip("pyarrow")
    assert rows.to_arrow().schema == pyarrow.schema({"file": pyarrow.string(), "bytes": pyarrow.int64()})


def test_a_column_without_a_value_is_of_the_type_that_its_table_declares(project: Path, write: Writer) -> None:
    write("a.jsonl", [{"seed": 1}, {"seed": 2}])
    statement = (
        "SELECT a.run_id, a.size AS bytes, NULL AS said, m.number, r.temperature"
        " FROM records r JOIN artifacts a USING (file) LEFT JOIN metrics m ON 0"
    )
    pyarrow = pytest.importorskip("pyarrow")
    for end, count in (("", 2), (" WHERE 0", 0)):
        rows = bm.sql(statement + end)
        assert len(rows) == count
        # What was worked out, and a field of records, may be of any type.
        assert rows.to_arrow().schema == pyarrow.schema(
            {
                "run_id": pyarrow.string(),
                "bytes": pyarrow.int64(),
                "said": pyarrow.null(),
                "number": pyarrow.float64(),
                "temperature": pyarrow.null(),
            }
        )


def test_columns_of_one_name_are_told_apart_and_typed_in_frames_too(repo) -> None:
    rows = bm.sql("SELECT size, size, run_id FROM artifacts WHERE 0")
    assert rows.columns() == ["size", "size_2", "run_id"]
    pytest.importorskip("pandas")
    assert [str(of) for of in rows.to_pandas().dtypes] == ["int64", "int64", "object"]
    polars = pytest.importorskip("polars")
    assert list(rows.to_polars().schema.values()) == [polars.Int64, polars.Int64, polars.String]


def test_answers_are_those_of_a_plain_loop(project: Path, write: Writer) -> None:
    rng = random.Random(6)
    for _ in range(6):
        for old in (project / "artifacts").glob("*.jsonl"):
            old.unlink()
        files = random_files(rng)
        for name, marks in files.items():
            write(name, marks)
        for _ in range(12):
            left, right = [(rng.choice(FIELDS), rng.choice(["=", "<", ">=", "~", "has"]), rng.choice([0, 1, 7, 30, 2**53])) for _ in range(2)]
            negated = rng.random() < 0.5
            text = " ".join(f"has:{f}" if op == "has" else f"{f}{op}{n}" for f, op, n in (left, right))
            text = f"NOT ({text})" if negated else text

            def truth(mark: dict) -> bool | None:
                answer = both(holds(mark, *left), holds(mark, *right))
                return answer if answer is None or not negated else not answer

            rows = bm.find(text)
            found = {Path(row["file"]).name for row in rows}
            want = {name for name, marks in files.items() if any(truth(mark) for mark in marks)}
            assert found == want, text
            unknown = sum(name not in want and any(truth(mark) is None for mark in marks) for name, marks in files.items())
            assert rows.unknown == unknown, text
            picked = bm.sql("SELECT file, line FROM records", records=text)
            wanted = sum(truth(mark) is True for marks in files.values() for mark in marks)
            assert len(picked) == wanted, text


def test_answers_are_those_of_duckdb(project: Path, write: Writer) -> None:
    try:
        import duckdb
    except ImportError:
        warnings.warn("SKIPPED: duckdb is not installed, so its answers were not compared", stacklevel=1)
        pytest.skip("duckdb is not installed")
    rng = random.Random(7)
    files = random_files(rng)
    for name, marks in files.items():
        write(name, marks)
    table = "read_json('artifacts/*.jsonl', format='newline_delimited', columns={'metadata': 'JSON'}, filename=true)"
    for field in ("seed", "temperature"):
        for op in ("<", ">=", "="):
            for limit in (0, 1, 7, 30):
                kind = f"json_type(metadata->'{field}') IN ('UBIGINT', 'BIGINT', 'DOUBLE')"
                number = f"TRY_CAST(metadata->>'{field}' AS DECIMAL(38, 10)) {op} {limit}"
                text = f" OR (json_type(metadata->'{field}') = 'VARCHAR' AND metadata->>'{field}' = '{limit}')" if op == "=" else ""
                query = f"SELECT DISTINCT filename FROM {table} WHERE ({kind} AND {number}){text}"
                want = {Path(row[0]).name for row in duckdb.sql(query).fetchall()}
                assert {Path(row["file"]).name for row in bm.find(f"{field}{op}{limit}")} == want, (field, op, limit)


def frames() -> Iterator[tuple[str, str]]:
    """The libraries of tables that are here, each with the method that gives its table."""
    for module, method in (("pandas", "to_pandas"), ("polars", "to_polars"), ("pyarrow", "to_arrow")):
        try:
            __import__(module)
        except ImportError:
            warnings.warn(f"SKIPPED: {module} is not installed", stacklevel=1)
            continue
        yield module, method


def test_rows_are_dicts_and_become_tables_where_asked(project: Path, write: Writer) -> None:
    write("a.jsonl", [{"seed": n, "model_name": "m", "big": 2**70} for n in range(3)])
    rows = bm.find("model~M", columns=["seed", "big"])
    assert (len(rows), rows.total, rows.among) == (1, 1, 1)
    assert rows[0]["seed"] == {"min": 0, "max": 2}
    assert rows[0]["big"] == 2**70, "not one digit is lost"
    assert "<th>file</th>" in rows._repr_html_()
    counted = bm.sql("SELECT name, count(*) AS n FROM params GROUP BY 1 ORDER BY 1")
    assert {"name": "model_name", "n": 1} in counted
    for module, method in frames():
        assert getattr(counted, method)().shape == (len(counted), 2)
        assert getattr(rows, method)().shape[0] == 1


def test_column_of_whole_and_other_numbers_is_one_of_numbers(project: Path, write: Writer) -> None:
    write("a.jsonl", [{"temperature": 1}])
    write("b.jsonl", [{"temperature": 0.5}])
    rows = bm.find("", columns=["temperature"], sort="temperature")
    for module, method in frames():
        column = getattr(rows, method)()["temperature"]
        values = column.to_pylist() if module == "pyarrow" else column.to_list()
        assert values == [0.5, 1.0] and {type(value) for value in values} == {float}


def test_name_that_no_artifact_has_is_an_error_and_has_may_ask_for_any(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = {"git_commit": "c", "artifact_type": "t", "temperature": 0.5, "birthmark": "birthmark/v1"}
    (project / "artifacts" / "a.json").write_text(json.dumps({"metadata": mark}))
    with pytest.raises(bm.UsageError, match="no artifact has a field `zemperature`"):
        bm.find("zemperature>1", folder=project)
    assert len(bm.find("NOT has:zemperature", folder=project)) == 1
    assert "no artifact has a field `zemperature`" in capsys.readouterr().err


def test_frame_without_its_library_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ModuleNotFoundError, match="pip install polars"):
        bm.find("", folder=project).to_polars()


def test_errors_point_at_the_character_and_nothing_is_written_by_sql(project: Path) -> None:
    with pytest.raises(bm.UsageError, match="seed>") as caught:
        bm.find("seed>")
    assert caught.value.code == "filter"
    for statement in ("DELETE FROM _facts", "ATTACH 'x' AS y", "PRAGMA journal_mode=DELETE"):
        with pytest.raises(bm.UsageError):
            bm.sql(statement)
    with pytest.raises(bm.UsageError, match="longer than"):
        bm.sql("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c", timeout=0.2)
    with pytest.raises(ValueError, match="what must be"):
        bm.find("", what="records")  # type: ignore[arg-type]
    assert not os.path.exists("x")
