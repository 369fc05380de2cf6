"""Runs that joined one session have a code of their own, and every command tells the same of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import birthmark as bm

MAKE = """
import sys
import birthmark as bm
with bm.session() as s, s.jsonl(f"artifacts/d{sys.argv[1]}.jsonl", seed=int(sys.argv[1])) as out:
    out.write({"i": 1})
"""


@pytest.fixture
def joined(repo: Path, git, birthmark, python) -> dict[str, str]:
    """A session of four runs: on a clean commit, with an edit (one of them makes nothing), on the next commit."""
    (repo / "gen.py").write_text(MAKE)
    (repo / "look.py").write_text("import birthmark as bm\nwith bm.session() as s:\n    pass\n")
    (repo / "script.py").write_text(MAKE)
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")
    first = git("rev-parse", "HEAD")
    birthmark("session", "start")
    python(MAKE, "1")
    (repo / "gen.py").write_text(MAKE + "# edited\n")
    python(MAKE, "2")
    birthmark("run", "--", "python3", "-c", "pass")
    git("commit", "--quiet", "--all", "--message", "Edited")
    python(MAKE, "3")
    birthmark("session", "end")
    return {"first": first, "second": git("rev-parse", "HEAD")}


def test_code_that_changed_while_it_ran_is_never_called_clean(repo, committed, python, git, birthmark) -> None:
    # What a shell did, and a session in a script does not see.
    source = "import os\n" + MAKE + '    os.system("echo \\\\# edited >> script.py") if sys.argv[1] == "1" else None\n'
    committed(source, "1")
    git("commit", "--quiet", "--all", "--message", "Edited")
    python(source, "2")
    commit = git("rev-parse", "HEAD~")[:7]
    changed = ["script.py changed"]
    for words, mark in {
        ("list",): f"{commit} clean at first",
        ("session", "list"): f"{commit} clean at first",
        ("find",): f"{commit} clean at first",
        ("find", "--sessions"): f"{commit} clean at first",
        ("find", "--runs"): f"{commit} clean at first",
        ("find", "--columns", "file,commit"): "(clean at first)",
    }.items():
        assert birthmark(*words).count(mark) == 1, words
    for what in ("artifacts", "sessions", "runs"):
        (found,) = bm.find("has:drift", what=what)
        assert found["drift"] == changed, what
        assert [found] == list(bm.find('drift="script.py changed"', what=what)) == list(bm.find("drift~script.py", what=what))
        assert [row["drift"] for row in bm.find("NOT has:drift", what=what)] == [None], what
    assert "has no drift" not in birthmark("find", "has:drift")
    assert [row["drift"] for row in json.loads(birthmark("list", "--json"))] == [[], changed]
    # A metric of that name is what is asked for, and hides no mark.
    (repo / "r.py").write_text('import birthmark as bm\nwith bm.session() as s:\n    s.report("artifacts/r.json", {"summary": {"drift": 0.5}})\n')
    python((repo / "r.py").read_text())
    (found,) = bm.find("drift>0.3")
    assert found["file"] == "artifacts/r.json"
    assert birthmark("find").count("clean at first") == 1


def test_each_run_has_its_own_code_and_a_session_of_several_is_none_of_them(joined, birthmark) -> None:
    first, second = joined["first"], joined["second"]
    (listed,) = json.loads(birthmark("list", "--json"))
    codes = [(code["git_commit"], code["git_dirty"]) for code in listed["codes"]]
    # One tree that was kept as two snapshots is two codes.
    assert list(dict.fromkeys(codes)) == [(first, False), (first, True), (second, False)]
    assert (listed["git_commit"], listed["git_dirty"]) == (None, True)
    assert "2 commits, clean in part" in birthmark("list")
    shown = birthmark("show", "last")
    assert "code     2 commits, clean in part" in shown
    runs = [line.split("  ") for line in shown.splitlines() if line.startswith("run  ")]
    assert [line[-1] if "snapshot" not in line[-1] else line[-2] for line in runs] == [
        f"{first[:7]} clean",
        f"{first[:7]} dirty",
        f"{first[:7]} dirty",
        f"{second[:7]} clean",
    ]
    runs = {row["run_id"]: row for row in bm.find(what="runs")}
    by_sql = bm.sql("SELECT run_id, script_name, argv, git_commit, git_dirty, git_snapshot FROM runs")
    assert len(by_sql) == len(runs) > 4
    for row in by_sql:
        assert row["git_commit"] == runs[row["run_id"]]["git_commit"]
        assert bool(row["git_dirty"]) == runs[row["run_id"]]["git_dirty"] == (row["git_snapshot"] is not None)
    made = {row["file"]: runs[row["run_id"]] for row in bm.find("")}
    told = [(made[f"artifacts/d{n}.jsonl"][name]) for n in (1, 2, 3) for name in ("git_commit", "git_dirty")]
    assert told == [first, False, first, True, second, False]
    (row,) = bm.sql("SELECT git_commit, git_dirty FROM sessions")
    assert (row["git_commit"], row["git_dirty"]) == (None, 1)
    (row,) = bm.find(what="sessions")
    assert row["git_commit"]["values"] == sorted([first, second]) and row["git_dirty"]["values"] == [False, True]


def test_runs_and_sessions_are_found_by_a_code_that_ran(joined, birthmark) -> None:
    first, second = joined["first"], joined["second"]

    def count(what: str, asked: str) -> int:
        return int(birthmark("find", asked, what, "--count"))

    # What made nothing is found too: the command under `run`.
    assert count("--runs", "dirty=true") == 2 + 0
    assert count("--runs", f"commit={second}") == 1
    assert count("--runs", f"commit={second[:3]} dirty=true") == 0
    assert count("--runs", "since:today") == count("--runs", "session=last") == len(bm.find(what="runs"))
    for asked, holds in {
        "dirty=true": 1,
        "dirty=false": 1,
        f"commit={first} dirty=true": 1,
        f"commit={second} dirty=false": 1,
        f"commit={second} dirty=true": 0,
        "has:git_snapshot": 1,
        f"commit={second} has:git_snapshot": 0,
        "commit=ffffff0": 0,
    }.items():
        assert count("--sessions", asked) == holds, asked
    table = birthmark("find", "--runs")
    assert f"{first[:7]} dirty" in table and "COMMIT" in table
    assert f"{first[:7]} dirty" in birthmark("find", "dirty=true")
    chosen = birthmark("find", "--columns", "file,commit,snapshot")
    assert f"{first} (dirty)" in chosen and second in chosen


def test_snapshot_that_some_records_have_is_one_value(project, write, birthmark_in) -> None:
    snapshot = "9a53" * 10
    write("mixed.jsonl", [{"git_dirty": False}, {"git_dirty": True, "git_snapshot": snapshot}])
    write("nulls.jsonl", [{"git_dirty": False, "git_snapshot": None}, {"git_dirty": True, "git_snapshot": snapshot}])
    for row in bm.find("", columns=["git_snapshot"]):
        assert row["git_snapshot"] == snapshot, row
    table = birthmark_in("find", "--columns", "file,snapshot").stdout
    assert ".." not in table and table.count(snapshot) == 2
    assert "(clean in part)" in birthmark_in("find", "--columns", "file,commit").stdout


SWEEP = """
import sys
import birthmark as bm
lr, tag = float(sys.argv[1]), sys.argv[2]
with bm.session(params={"lr": lr, "tag": tag}) as s:
    if lr == 0.3:
        raise SystemExit(3)
    s.report(f"artifacts/r{lr}.json", {"summary": {"accuracy": lr}}, mode="w")
"""


def test_what_each_run_was_given_is_its_own_also_where_it_made_nothing(repo, git, birthmark, program) -> None:
    (repo / "t.py").write_text(SWEEP)
    (repo / ".gitignore").write_text("artifacts/\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "A sweep")
    birthmark("session", "start", "--set", "seed=5", "--set", "tag=x")

    def run(*words):
        subprocess.run(words, cwd=repo, capture_output=True, check=False)

    run(sys.executable, "t.py", "0.1", "y")
    run(sys.executable, "t.py", "0.3", "z")
    run(program, "run", "--set", "tag=w", "--", sys.executable, "t.py", "0.5", "v")
    rows = bm.find(what="runs", columns=["tag", "lr", "seed"], sort="timestamp")
    told = [(row["tag"], row["lr"], row["seed"], row["outcome"]) for row in rows]
    assert told[1:] == [
        ("y", 0.1, 5, "completed"),
        ("z", 0.3, 5, "failed"),
        ("w", None, 5, "completed"),
        ("v", 0.5, 5, "completed"),
    ]
    assert told[0][:3] == ("x", None, 5)
    for asked, count in {"tag=y": 1, "tag=x": 1, "lr=0.3": 1, "lr=0.3 outcome=failed": 1, "has:lr": 3, "NOT has:lr": 2, "seed=5": 5}.items():
        assert int(birthmark("find", "--runs", asked, "--count")) == count, asked
    for asked, count in {"tag=z": 1, "tag=x": 1, "lr=0.3 tag=z": 1, "lr=0.3 tag=y": 0}.items():
        assert int(birthmark("find", "--sessions", asked, "--count")) == count, asked
    counted = birthmark("find", "--runs", "--group-by", "tag", "--csv").splitlines()
    assert sorted(counted[1:]) == [f"{tag},1" for tag in "vwxyz"], counted
    # It is journaled, and in the manifest, of the run that brought it.
    (manifest,) = (repo / "artifacts").glob("session_manifest_*.json")
    given = [run.get("given") for run in json.loads(manifest.read_text())["runs"]]
    assert given == [None, {"lr": 0.1, "tag": "y"}, {"lr": 0.3, "tag": "z"}, {"tag": "w"}, {"lr": 0.5, "tag": "v"}]
    shown = birthmark("show", "last")
    assert "given tag z lr 0.3" in " ".join(shown.split())
    birthmark("session", "end")
    birthmark("verify")
    before = birthmark("find", "--runs", "--json", "--columns", "tag,lr,seed")
    birthmark("catalog", "rebuild")
    assert before == birthmark("find", "--runs", "--json", "--columns", "tag,lr,seed")


def test_run_that_is_the_command_itself_has_its_exit_code_and_no_other_has(repo, committed, birthmark) -> None:
    committed(SWEEP.replace("raise SystemExit(3)", "pass"), "0.5", "a")
    script = [sys.executable, "script.py"]
    birthmark("run", "--", *script, "0.6", "b")
    birthmark("run", "--", "sh", "-c", f"{sys.executable} script.py 0.7 c; exit 4", status=4)
    birthmark("run", "--", *script, "0.3", "d")
    assert [row["tag"] for row in bm.find("exit_code=0 accuracy>0.55", what="runs", columns=["tag"])] == ["b"]
    told = {row["tag"]: row["exit_code"] for row in bm.find("has:lr", what="runs", columns=["tag"])}
    assert told == {"a": None, "b": 0, "c": None, "d": 0}
    assert bm.find("exit_code=4", what="runs", columns=["lr"])[0]["lr"] is None


def test_list_says_how_to_see_the_rest_of_what_was_listed(joined, birthmark, python, program, repo) -> None:
    python(MAKE, "4")
    for words in (["list"], ["list", "--all"]):
        done = subprocess.run([program, *words, "-n", "1"], cwd=repo, capture_output=True, text=True, check=True)
        assert f"1 more: birthmark {' '.join(words)} -n 2" in done.stderr
