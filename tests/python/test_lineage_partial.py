"""That more may have been read than is listed stands wherever the list stands."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

WHY = "of the command goes on after its end, and is not watched any more"


def call(program, repo: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([program, *words], cwd=repo, capture_output=True, text=True, timeout=60)


def test_what_is_known_in_part_is_said_so(repo: Path, program, birthmark) -> None:
    (repo / "artifacts").mkdir()
    (repo / "go.sh").write_text("cat script.py > artifacts/fg.txt\nsleep 5 < /dev/null > /dev/null 2>&1 &\n")
    (repo / "script.py").write_text("1\n")
    done = subprocess.run([program, "run", "--", "sh", "go.sh"], cwd=repo, capture_output=True, text=True, timeout=60)
    assert "birthmark: lineage partial: process " in done.stderr and WHY in " ".join(done.stderr.split())
    for words in (("show", "artifacts/fg.txt"), ("show", "last"), ("trace", "artifacts/fg.txt")):
        told = " ".join(birthmark(*words).split())
        assert "partial" in told and WHY in told, told
    plan = subprocess.run([program, "reproduce", "--dry-run", "artifacts/fg.txt"], cwd=repo, capture_output=True, text=True)
    assert "and perhaps more: process" in plan.stdout and WHY in plan.stdout
    plan = subprocess.run([program, "reproduce", "--dry-run", "--json", "artifacts/fg.txt"], cwd=repo, capture_output=True)
    assert WHY in json.loads(plan.stdout)["plan"]["lineage_partial"][0]


def test_a_damaged_journal_does_not_hide_what_the_manifest_has(repo: Path, program, birthmark) -> None:
    (repo / "artifacts").mkdir()
    (repo / "in.txt").write_text("1\n")
    subprocess.run([program, "run", "--", "cp", "in.txt", "artifacts/o.txt"], cwd=repo, check=True, capture_output=True)
    (journal,) = (repo / "artifacts/.birthmark/sessions").glob("*/*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"seq":2', '"seq":2 ')
    journal.write_text("".join(lines))
    assert [row["status"] for row in json.loads(birthmark("list", "--json"))] == ["completed"]
    told = " ".join(birthmark("show", "artifacts/o.txt").split())
    assert "as recorded" in told and "from read: in.txt" in told and "line 3" in told, told
    came = birthmark("trace", "artifacts/o.txt")
    assert "in.txt" in came and "cp" in came, came
    assert "in.txt  as it was" in call(program, repo, "reproduce", "--dry-run", "artifacts/o.txt").stdout
    (row,) = json.loads(birthmark("find", "o.txt", "--json"))["rows"]
    assert row["file"] == "artifacts/o.txt"
    assert "line 3" in call(program, repo, "salvage").stdout
    # It is proved by nobody, and verify says what is wrong.
    assert "FAILED" in birthmark("verify", status=1)


def test_a_folder_that_nobody_recorded_as_one_tells_what_it_holds(repo: Path, program, birthmark) -> None:
    (repo / "artifacts").mkdir()
    (repo / "part.sh").write_text("for g in a b; do mkdir -p artifacts/part/g=$g; echo $g > artifacts/part/g=$g/0.csv; done\n")
    subprocess.run([program, "run", "--", "sh", "part.sh"], cwd=repo, check=True, capture_output=True)
    holds = "2 artifacts, made by part.sh in session"
    told = " ".join(birthmark("show", "artifacts/part", status=1).split())
    assert f"holds {holds}" in told and "one of them: birthmark show artifacts/part/g=a/0.csv" in told
    shown = json.loads(birthmark("show", "--json", "artifacts/part", status=1))["holds"]
    assert shown["artifacts"] == 2 and shown["made_by"][0]["script_name"] == "part.sh"
    for words in (("trace", "artifacts/part"), ("reproduce", "--dry-run", "artifacts/part")):
        done = call(program, repo, *words)
        assert done.returncode == 2 and holds in done.stderr and "as artifacts/part/g=a/0.csv" in done.stderr, done.stderr


def test_a_snapshot_without_its_session_is_not_called_clean(repo: Path, program, birthmark, git) -> None:
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "artifacts").mkdir()
    (repo / "new.txt").write_text("1\n")
    subprocess.run([program, "run", "--", "true"], cwd=repo, check=True, capture_output=True)
    (snapshot,) = git("for-each-ref", "--format=%(objectname)", "refs/birthmark/snapshots").split()
    shutil.rmtree(repo / "artifacts")
    told = birthmark("snapshot", "show", snapshot[:9])
    assert told.startswith(f"snapshot {snapshot[:7]}: of a dirty tree; what it holds is not told here"), told
    head = git("rev-parse", "HEAD").strip()
    assert birthmark("snapshot", "show", head).startswith(f"commit {head[:7]}: no session here tells of it")


def test_a_submodule_that_was_not_checked_out_when_it_ran_is_not_missed(repo: Path, program, git, tmp_path_factory) -> None:
    place = tmp_path_factory.mktemp("modules")
    own = {"cwd": place, "check": True, "capture_output": True}
    subprocess.run(["git", "init", "--quiet", "sub"], **own)
    (place / "sub/f.txt").write_text("1\n")
    for words in (["add", "."], ["-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "F"]):
        subprocess.run(["git", "-C", "sub", *words], **own)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(place / "sub"), "sub")
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "go.sh").write_text("ls sub > artifacts/o.txt\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "A submodule")
    subprocess.run(["git", "clone", "--quiet", str(repo), "clone"], **own)
    clone = place / "clone"
    (clone / "artifacts").mkdir()
    assert call(program, clone, "run", "--", "sh", "go.sh").returncode == 0
    again = call(program, clone, "reproduce", "--yes", "artifacts/o.txt")
    assert again.returncode == 0 and "exact: commit" in again.stdout and "\nidentical\n" in again.stdout, again
    # Where it was checked out, it is missed when it is gone.
    git("-c", "protocol.file.allow=always", "-C", str(clone), "submodule", "--quiet", "update", "--init")
    assert call(program, clone, "run", "--", "sh", "go.sh").returncode == 0
    for gone in (clone / ".git/modules/sub", clone / "sub"):
        shutil.rmtree(gone)
    plan = call(program, clone, "reproduce", "--dry-run", "artifacts/o.txt")
    assert plan.returncode == 2 and "repository sub is not here" in plan.stdout, plan
