"""A copy that a hand changed is no record of its session; what was only stamped since still is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

GEN = """
import birthmark as bm

with bm.session(params={"temperature": 0.5}) as s:
    items = [{"id": i, "passed": i % 2 == 0} for i in range(20)]
    s.report("artifacts/e.json", {"summary": {"accuracy": 0.5}, "results": items})
    with s.jsonl("artifacts/d.jsonl") as out:
        for i in range(20):
            out.write({"id": i, "score": i / 20}, seed=i)
"""


def reasons(compared: str, code: str) -> list[str]:
    pair = json.loads(compared)
    pair = pair["pairs"][0] if "pairs" in pair else pair
    return [reason["weight"] for reason in pair["reasons"] if reason["code"] == code]


def test_copy_that_was_forged_passes_no_gate_and_an_honest_one_is_compared(repo: Path, committed, birthmark) -> None:
    committed(GEN)
    made = (repo / "artifacts/e.json").read_text()
    forged = json.loads(made)
    for item in forged["results"]:
        item["passed"] = True
    forged["summary"]["accuracy"] = 1.0
    (repo / "artifacts/forged.json").write_text(json.dumps(forged))
    (repo / "artifacts/copy.json").write_text(made)
    lines = (repo / "artifacts/d.jsonl").read_text().splitlines(keepends=True)
    (repo / "artifacts/forged.jsonl").write_text("".join(lines[:-1]) + lines[-1].replace("0.95", "0.1"))
    gate = ("--metric", "accuracy", "--no-worse-than", "0", "--accept", "template_disabled", "--json")
    compared = birthmark("compare", "artifacts/e.json", "artifacts/forged.json", *gate, status=2)
    assert reasons(compared, "not-as-recorded") == ["cannot tell"]
    compared = birthmark("compare", "artifacts/e.json", "artifacts/copy.json", "--json", status=2)
    assert reasons(compared, "not-as-recorded") == []
    compared = birthmark("compare", "artifacts/d.jsonl", "artifacts/forged.jsonl", "--json")
    assert reasons(compared, "not-as-recorded") == ["caveat"]


def test_what_a_run_made_and_was_stamped_since_is_as_recorded(repo: Path, birthmark) -> None:
    (repo / "artifacts").mkdir()
    (repo / "artifacts/.gitignore").write_text("*\n")
    make = (
        "open('artifacts/a.json', 'w').write('{\"n\": 1}');"
        "open('artifacts/a.jsonl', 'w').write('{\"n\": 1}\\n{\"n\": 2}\\n');"
        "open('artifacts/a.csv', 'w').write('1,2\\n')"
    )
    birthmark("run", "--", sys.executable, "-c", make)
    birthmark("stamp", "--type", "table", "artifacts/a.json", "artifacts/a.csv")
    birthmark("stamp", "--type", "training_data", "--in-place", "--force", "artifacts/a.jsonl")
    told = json.loads(birthmark("verify", "--json"))
    assert told["totals"]["failed"] == 0, told
    codes = {item["name"]: {reason["code"] for reason in item["reasons"]} for item in told["items"]}
    assert "stamped-since" in codes["artifacts/a.jsonl"], codes
    birthmark("policy", "check")
    # The stamp hides no edit.
    path = repo / "artifacts/a.jsonl"
    path.write_text(path.read_text().replace('"n": 2', '"n": 3'))
    birthmark("verify", "artifacts/a.jsonl", status=1)
    path = repo / "artifacts/a.csv"
    path.write_text("1,3\n")
    birthmark("verify", "artifacts/a.csv", status=1)
