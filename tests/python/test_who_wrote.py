"""A later run filters or rewrites what carries birthmarks: all commands tell one story of it.

The records were born where their birthmarks say; the file was written by the run that wrote it.
"""

import json
import subprocess
import sys

import pytest

GEN = """
import birthmark as bm
with bm.session(params={"temperature": 0.5}) as s:
    with s.jsonl("artifacts/d.jsonl") as o:
        for i in range(20):
            o.write({"id": i, "score": i / 20}, seed=i)
    s.report("artifacts/e.json", {"summary": {"accuracy": 0.5}, "results": []})
"""
FILTER = """
import json
good = [l for l in open("artifacts/d.jsonl") if json.loads(l)["score"] > .5]
open("artifacts/f.jsonl", "w").writelines(good)
report = json.load(open("artifacts/e.json"))
report["summary"]["accuracy"] = 0.9
json.dump(report, open("artifacts/e.json", "w"))
"""


@pytest.fixture
def filtered(repo, program):
    """gen.py made d.jsonl and e.json, clean; filt.py made f.jsonl of one and rewrote the other,
    dirty. Gives how to ask."""
    (repo / "gen.py").write_text(GEN)
    (repo / "filt.py").write_text(FILTER)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "two scripts")
    subprocess.run([sys.executable, "gen.py"], cwd=repo, check=True, capture_output=True)
    with (repo / "filt.py").open("a") as file:
        file.write("# edited\n")
    done = ask_program(repo, program, "run", "--", sys.executable, "filt.py")
    assert done.returncode == 0, done.stderr

    def ask(*words):
        return ask_program(repo, program, *words).stdout

    return ask


def git(repo, *words):
    return subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True, text=True).stdout


def ask_program(repo, program, *words):
    return subprocess.run([program, *words], cwd=repo, capture_output=True, text=True, timeout=60)


def shown(filtered, name):
    return json.loads(filtered("show", "--json", name))


@pytest.mark.parametrize("name", ["artifacts/e.json", "artifacts/f.jsonl"])
def test_show_tells_who_wrote_the_file_beside_where_its_records_were_born(filtered, repo, name):
    head = git(repo, "rev-parse", "HEAD").strip()
    told = shown(filtered, name)
    assert (told["metadata"]["script_name"], told["metadata"]["git_dirty"]) == ("gen.py", False)
    wrote = told["written_by"]
    assert (wrote["script_name"], wrote["git_dirty"]) == ("filt.py", True)
    assert wrote["git_commit"] == head and wrote["git_snapshot"]
    assert told["now"] == "as recorded" and told["recorded"]["digest"]
    assert "digest" not in told["unknown"]
    page = " ".join(filtered("show", name).split())
    commit, snapshot = head[:7], wrote["git_snapshot"][:7]
    assert f"written by filt.py, {commit} dirty, snapshot {snapshot}" in page
    assert "gen.py" in page and "edited since" not in page


def test_what_its_own_run_wrote_is_written_by_nobody_else(filtered):
    told = shown(filtered, "artifacts/d.jsonl")
    assert told["written_by"] is None and "written" not in filtered("show", "artifacts/d.jsonl")


def test_the_code_of_a_file_is_its_writers_and_of_a_record_where_it_was_born(filtered):
    wrote = shown(filtered, "artifacts/f.jsonl")["written_by"]
    for name in ["artifacts/e.json", "artifacts/f.jsonl"]:
        assert f"snapshot {wrote['git_snapshot'][:7]}" in filtered("snapshot", "show", name)
    assert "the tree was clean" in filtered("snapshot", "show", "artifacts/f.jsonl:1")


def test_verify_looks_at_the_code_of_who_wrote_it(filtered):
    for name in ["artifacts/e.json", "artifacts/f.jsonl"]:
        told = json.loads(filtered("verify", "--json", name))
        texts = [reason["text"] for item in told["items"] for reason in item["reasons"]]
        assert any("filt.py wrote it: the tree was dirty" in text for text in texts), texts
    assert "dirty" not in filtered("verify", "artifacts/d.jsonl")


def test_what_was_edited_by_hand_since_is_told_as_that(filtered, repo):
    with (repo / "artifacts/e.json").open("a") as file:
        file.write("\n")
    told = shown(filtered, "artifacts/e.json")
    assert (told["now"], told["written_by"]["script_name"]) == ("edited", "filt.py")


def found(filtered, *words):
    return json.loads(filtered("find", "--json", *words))["rows"]


def test_find_goes_by_who_wrote_the_file_and_by_where_its_records_were_born(filtered):
    columns = ["--columns", "file,script_name,git_dirty,git_snapshot,accuracy,state"]
    rows = {row["file"]: row for row in found(filtered, *columns)}
    wrote = {name: rows[f"artifacts/{name}"] for name in ["e.json", "f.jsonl"]}
    for row in wrote.values():
        assert (row["script_name"], row["git_dirty"], row["state"]) == ("filt.py", True, "sealed")
        assert row["git_snapshot"]
    assert wrote["e.json"]["accuracy"] == 0.9
    assert rows["artifacts/d.jsonl"]["script_name"] == "gen.py"

    def files(*words):
        return {row["file"] for row in found(filtered, *words)}

    both = {"artifacts/e.json", "artifacts/f.jsonl"}
    assert files("dirty=true") == files("script=filt.py") == both
    assert files("accuracy=0.9", "dirty=true") == {"artifacts/e.json"}
    assert "artifacts/e.json" not in files("dirty=false") | files("script=gen.py")
    born = filtered("find", "--records", "script=gen.py", "file~f.jsonl")
    assert len(born.splitlines()) == 9
    assert filtered("find", "--records", "script=filt.py") == ""
    for question in ["script=filt.py", "dirty=true"]:
        runs = found(filtered, "--runs", question)
        assert [run["script_name"] for run in runs] == ["filt.py"], question


def test_once_its_own_run_wrote_it_anew_a_file_is_that_runs_alone(filtered, repo):
    assert found(filtered, "dirty=true")
    for name in ["d.jsonl", "e.json"]:
        (repo / "artifacts" / name).unlink()
    subprocess.run([sys.executable, "gen.py"], cwd=repo, check=True, capture_output=True)
    rows = found(filtered, "file~e.json", "--columns", "script_name,accuracy")
    assert [(row["script_name"], row["accuracy"]) for row in rows] == [("gen.py", 0.5)]
    assert shown(filtered, "artifacts/e.json")["written_by"] is None


def test_find_gives_what_a_hand_moved_to_the_run_that_wrote_its_bytes(filtered, repo):
    asked = ["--columns", "file,script_name,git_dirty,run"]
    before = {row["file"]: row for row in found(filtered, *asked)}["artifacts/f.jsonl"]
    (repo / "artifacts/f.jsonl").rename(repo / "artifacts/moved.jsonl")

    def moved():
        return {row["file"]: row for row in found(filtered, *asked)}["artifacts/moved.jsonl"]

    for name in ("script_name", "git_commit", "git_dirty", "run_id", "session_id", "timestamp", "digest"):
        assert before[name] and moved()[name] == before[name], name
    assert moved()["state"] == "stamped"
    assert {row["file"] for row in found(filtered, "script=filt.py")} == {"artifacts/e.json", "artifacts/moved.jsonl"}
    told = shown(filtered, "artifacts/moved.jsonl")["written_by"]
    assert (told["script_name"], told["run_id"]) == ("filt.py", moved()["run_id"])
    filtered("catalog", "rebuild")
    assert moved()["script_name"] == "filt.py"
    # Once nobody tells of it any longer, its records alone do.
    store = repo / "artifacts/.birthmark/sessions"
    (session,) = [row["session_id"] for row in found(filtered, "--sessions", "outcome=completed script=filt.py")]
    away = repo / "away"
    (store / session).rename(away)
    (manifest,) = (repo / "artifacts").glob(f"session_manifest_{session}*.json")
    manifest.unlink()
    assert moved()["script_name"] == "gen.py"
    away.rename(store / session)
    assert moved()["script_name"] == "filt.py"
