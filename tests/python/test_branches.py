"""Results that are committed with the code: git puts earlier states of them back, and takes them away."""

from __future__ import annotations

import json

import birthmark as bm


def evaluate(name, accuracy):
    with bm.session() as s:
        s.report(f"artifacts/{name}.json", {"summary": {"accuracy": accuracy}}, mode="w")
    return s.id


def commit(git, text):
    git("add", "-A")
    git("commit", "--quiet", "--message", text)


def codes(birthmark, status=0):
    report = json.loads(birthmark("verify", "--json", status=status))
    return {reason["code"] for item in report["items"] for reason in item["reasons"]}


def test_results_of_another_branch_are_not_checked_out_and_earlier_ones_are_as_recorded(repo, git, birthmark):
    git("checkout", "--quiet", "-b", "exp")
    first = evaluate("e", 0.5)
    evaluate("only", 0.7)
    commit(git, "exp")
    git("checkout", "--quiet", "main")
    assert "not-checked-out" in codes(birthmark) and not (repo / "artifacts/only.json").exists()

    evaluate("e", 0.9)
    commit(git, "main")
    git("checkout", "--quiet", "exp")
    assert {"earlier-state", "not-checked-out"} <= codes(birthmark)
    told = json.loads(birthmark("show", "--json", "artifacts/e.json"))
    assert (told["metadata"]["session_id"], told["now"]) == (first, "as recorded")
    (found,) = json.loads(birthmark("find", "e.json", "--json"))["rows"]
    assert (found["state"], found["session_id"]) == ("sealed", first)

    (repo / "artifacts/only.json").unlink()
    git("checkout", "--quiet", "main")
    git("branch", "--quiet", "-D", "exp")
    assert "file-missing" in codes(birthmark, status=1)
