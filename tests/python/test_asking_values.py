"""What varies within a file, and what a list holds: found, shown and counted by each value."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest
from conftest import Writer

import birthmark as bm


def counted(program: Path, project: Path, *asked: str) -> dict[str, int]:
    done = subprocess.run([program, "find", *asked, "--csv"], cwd=project, capture_output=True, text=True, check=True)
    rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
    return {row[0]: int(row[-1]) for row in rows}


def test_texts_that_vary_are_told_and_counted_one_by_one_where_they_are_few(project: Path, write: Writer, program: Path) -> None:
    write("few.jsonl", [{"lang": "fr"}, {"lang": "DE"}, {"lang": "fr"}, {}])
    # Each record is a group of its own here, beyond those that a table looks at.
    write("long.jsonl", [{"lang": "DE", "step": n, "more": {str(n): n}} for n in range(300)] + [{"lang": "it"}])
    write("many.jsonl", [{"lang": f"l{n:02}"} for n in range(40)])
    write("one.jsonl", [{"lang": "DE", "temperature": t} for t in (0.2, 0.7)])
    rows = {row["file"]: row for row in bm.find("", columns=["lang", "temperature"])}
    assert rows["artifacts/few.jsonl"]["lang"] == {"min": "DE", "max": "fr", "values": ["DE", "fr"]}
    assert rows["artifacts/long.jsonl"]["lang"]["values"] == ["DE", "it"]
    assert rows["artifacts/many.jsonl"]["lang"] == {"min": "l00", "max": "l39"}
    assert rows["artifacts/one.jsonl"]["lang"] == "DE"
    assert rows["artifacts/one.jsonl"]["temperature"] == {"min": 0.2, "max": 0.7}
    many = "varies (many values)"
    assert counted(program, project, "--group-by", "lang") == {"DE": 3, "fr": 1, "it": 1, many: 1}
    for value in ("DE", "fr", "it"):
        assert len(bm.find(f"lang={value}")) == counted(program, project, "--group-by", "lang")[value]
    assert counted(program, project, "--group-by", "temperature") == {"0.2": 1, "0.7": 1, "": 3}
    table = subprocess.run(
        [program, "find", "--columns", "file,lang,temperature"], cwd=project, capture_output=True, text=True, check=True
    ).stdout
    assert "DE, fr" in table and many in table and "0.2..0.7" in table
    done = subprocess.run(
        [program, "find", "--columns", "file,lang,temperature", "--csv"], cwd=project, capture_output=True, text=True, check=True
    )
    cells = {row[0]: row[1:] for row in csv.reader(io.StringIO(done.stdout))}
    assert json.loads(cells["artifacts/few.jsonl"][0]) == ["DE", "fr"]
    assert cells["artifacts/one.jsonl"] == ["DE", "0.2..0.7"] and cells["artifacts/many.jsonl"][0] == "l00..l39"


def test_list_is_found_by_each_of_what_it_holds_however_it_is_asked(project: Path, write: Writer, program: Path) -> None:
    write("a.jsonl", [{"tags": ["x", "y"], "k": n} for n in range(3)])
    write("b.jsonl", [{"tags": ["y", 7]}, {"tags": "x"}, {"tags": ["z"]}])
    write("c.jsonl", [{"tags": []}])
    write("d.jsonl", [{}])
    # So many lists that no zone keeps them.
    write("e.jsonl", [{"tags": [f"t{n}", "x"]} for n in range(50)])
    files = lambda ask: sorted(row["file"][10] for row in bm.find(ask))  # noqa: E731
    assert files("tags=x") == ["a", "b", "e"]
    assert files("tags=t17") == ["e"] and files("tags=t99") == []
    assert files("tags=7") == ["b"] and files("tags=z OR tags=t3") == ["b", "e"]
    assert files("NOT tags=x") == ["b", "c"], "b has records without it; d has no tags"
    assert files("tags!=y") == ["b", "c", "e"]
    records = lambda ask: bm.sql("SELECT count(*) AS n FROM records", records=ask)[0]["n"]  # noqa: E731
    assert (records("tags=x"), records("NOT tags=x"), records("tags=y")) == (54, 3, 4)
    counts = counted(program, project, "--group-by", "tags")
    assert counts.pop("varies (many values)") == 1
    assert counts == {"x": 2, "y": 2, "7": 1, "z": 1, "[]": 1, "": 1}


def test_columns_that_are_no_names_are_refused(project: Path) -> None:
    with pytest.raises(TypeError, match="not 1"):
        bm.find(columns=[1])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"columns=\['seed'\]"):
        bm.find(columns="seed")


def test_list_or_object_that_becomes_something_else_in_the_next_record_is_noticed(project: Path, write: Writer) -> None:
    values = [[1], "x", {"a": 1, "b": {"c": 2}}, 7, {"a": 5}, None, ["x"], True, {}, "x", [], 7]
    write("v.jsonl", [{"t": value, "u": n // 3} for n, value in enumerate(values)])
    rows = bm.sql('SELECT line, t, "t.a" AS a, "t.b.c" AS c FROM records ORDER BY line')
    for row, value in zip(rows, values, strict=True):
        told = json.loads(row["t"]) if isinstance(value, (list, dict)) else row["t"]
        assert told == value, row
        held = value if isinstance(value, dict) else {}
        assert (row["a"], row["c"]) == (held.get("a"), held.get("b", {}).get("c")), row
    for ask, lines in {"t=7": [4, 12], "t.a=5": [5], "t.a=1": [3], "t=x": [2, 7, 10], "t=1": [1], "t=true": [8], "has:t.b.c": [3]}.items():
        found = bm.sql("SELECT line FROM records", records=ask)
        assert [row["line"] for row in found] == lines, ask
        assert len(bm.find(ask)) == 1
