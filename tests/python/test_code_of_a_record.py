"""Records of one file that several codes made: each has its own, and the file has none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
import birthmark as bm

with bm.session() as s:
    with s.jsonl(sys.argv[1], mode="a") as out:
        out.write({"p": 1}, seed=1)
"""


def run(repo: Path, file: str) -> None:
    subprocess.run([sys.executable, "t.py", file], cwd=repo, check=True, capture_output=True)


def test_line_of_a_clean_run_has_its_commit_where_the_next_run_was_dirty(repo: Path, git, birthmark) -> None:
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "t.py").write_text(SCRIPT)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    head, file = git("rev-parse", "HEAD"), "artifacts/a.jsonl"
    birthmark("session", "start")
    run(repo, file)
    (repo / "t.py").write_text(SCRIPT + "# edit\n")
    run(repo, file)
    birthmark("session", "end")
    first = json.loads(birthmark("snapshot", "show", f"{file}:1", "--json"))
    second = json.loads(birthmark("snapshot", "show", f"{file}:2", "--json"))
    assert (first["commit"], first["is_snapshot"]) == (head, False)
    assert second["is_snapshot"] and second["commit"] != head
    birthmark("snapshot", "restore", f"{file}:1", "--into", "../clean")
    assert (repo.parent / "clean" / "t.py").read_text() == SCRIPT
    assert "t.py" in birthmark("snapshot", "diff", f"{file}:1", f"{file}:2", status=1)
    compared = birthmark("compare", f"{file}:1", f"{file}:2", "--json", status=1)
    assert head[:7] in compared


def test_file_of_several_codes_names_no_one_of_them(repo: Path, git, birthmark) -> None:
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "t.py").write_text(SCRIPT)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    (repo / "t.py").write_text(SCRIPT + "# 1\n")
    run(repo, "artifacts/a.jsonl")
    git("commit", "--quiet", "--all", "--message", "Another")
    run(repo, "artifacts/a.jsonl")
    birthmark("snapshot", "show", "artifacts/a.jsonl", status=2)
    birthmark("bundle", "artifacts/a.jsonl", "--out", "../x.bundle", status=2)
    birthmark("snapshot", "show", "artifacts/a.jsonl:1")


def test_snapshot_that_is_not_here_is_called_one(repo: Path, git, birthmark, program: str) -> None:
    (repo / "t.py").write_text("open('artifacts/o.txt', 'w').write('1')\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    (repo / "t.py").write_text("open('artifacts/o.txt', 'w').write('2')\n")
    (repo / "artifacts").mkdir()
    birthmark("run", "--", sys.executable, "t.py")
    git("add", "artifacts")
    git("commit", "--quiet", "--message", "Made")
    there = repo.parent / "there"
    git("clone", "--quiet", "--no-local", ".", str(there))
    said = subprocess.run(
        [program, "snapshot", "show", "artifacts/o.txt"], cwd=there, capture_output=True, text=True
    )
    assert "of a dirty tree" in said.stdout, said
    shown = subprocess.run([program, "show", "artifacts/o.txt"], cwd=there, capture_output=True, text=True)
    assert "a snapshot is on no remote" in shown.stdout, shown


def test_module_that_git_ignores_is_told_by_all_who_are_asked_for_the_code(repo: Path, git, birthmark) -> None:
    (repo / ".gitignore").write_text("artifacts/\nlocal_cfg.py\n")
    (repo / "local_cfg.py").write_text("X = 1\n")
    (repo / "kept.py").write_text("Y = 1\n")
    (repo / "t.py").write_text(
        "import kept, local_cfg; open('artifacts/o.txt', 'w').write(str(local_cfg.X))\n"
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    (repo / "artifacts").mkdir()
    said = subprocess.run(
        [Path(sys.executable).with_name("birthmark"), "run", "--", sys.executable, "t.py"],
        cwd=repo,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "local_cfg.py ran, and no commit or snapshot holds it" in said.stderr
    assert "kept.py" not in said.stderr
    for asked in (["show"], ["verify"], ["snapshot", "show"]):
        told = birthmark(*asked, "artifacts/o.txt")
        assert "local_cfg.py ran" in told and "kept.py" not in told, told
    birthmark("snapshot", "restore", "artifacts/o.txt", "--into", "../out", status=1)


def test_commit_is_found_from_manifests_alone(repo: Path, git, birthmark) -> None:
    (repo / "t.py").write_text("open('artifacts/o.txt', 'w').write('1')\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    (repo / "artifacts").mkdir()
    birthmark("run", "--", sys.executable, "t.py")
    shutil.rmtree(repo / "artifacts/.birthmark")
    commit = git("rev-parse", "HEAD")
    assert "artifacts/o.txt" in birthmark("find", f"commit={commit[:7]}", "script=t.py", "dirty=false")
    assert commit[:7] in birthmark("show", "artifacts/o.txt")
    birthmark("verify", status=0)
