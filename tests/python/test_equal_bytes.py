"""Equal bytes that a session makes several times: as many artifacts, however one asks."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import birthmark as bm

SCRIPT = """
import os, sys
os.makedirs("artifacts", exist_ok=True)
open("artifacts/" + sys.argv[1], "w").write(sys.argv[2])
"""
ALIKE = ["acc 0.5\n", "acc 0.6\n"]


class Asked:
    """The project, asked by every door."""

    def __init__(self, program: Path, root: Path) -> None:
        self.program, self.root = program, root

    def birthmark(self, *arguments: str, among: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run([self.program, *arguments], cwd=self.root, capture_output=True, text=True)
        assert done.returncode in among, done.stderr
        return done.stdout

    def agrees(self, text: str, truth: dict[str, dict], places: int) -> None:
        """Holds every answer against what a plain loop found: by file, the fields."""
        rows = bm.find(text, columns=["seed"])
        assert {row["file"]: row["seed"] for row in rows} == {file: made["seed"] for file, made in truth.items()}, text
        assert len(rows) == len(truth)
        models = Counter(str(made["model_name"]) for made in truth.values())
        assert Counter(str(row["model_name"]) for row in rows) == models, text
        counted = self.birthmark("find", text, "--count", among=(0, 1))
        assert int(counted) == len(truth), text
        table = list(csv.DictReader(io.StringIO(self.birthmark("find", text, "--csv", "--columns", "file,seed", among=(0, 1)))))
        assert sorted(row["file"] for row in table) == sorted(truth), text
        groups = json.loads(self.birthmark("find", text, "--group-by", "model", "--json", among=(0, 1)))
        assert {str(one["value"]): one["count"] for one in groups} == models, text
        if not text:
            assert bm.sql("SELECT count(*) AS n FROM artifacts")[0]["n"] == len(truth) + places


def test_runs_of_one_session_that_write_the_same_are_each_found(repo: Path, git, program: Path) -> None:
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "s.py").write_text(SCRIPT)
    git("add", ".gitignore", "s.py")
    git("commit", "--quiet", "--message", "Write a score")
    asked, dice = Asked(program, repo), random.Random(20)
    asked.birthmark("session", "start")
    made: dict[str, dict] = {}
    copies: dict[str, str] = {}
    for n in range(7):
        step = dice.choice(["run", "again", "records", "copy", "edit"]) if n > 2 else "run"
        plain = [file for file in made if file.endswith(".txt")]
        told = [file for file in made if file.endswith(".jsonl")]
        if step == "copy" and told:
            # Of a copy that no run made the bytes say all: it is the same artifact.
            of = dice.choice(told)
            copy = f"artifacts/copy_{n}.jsonl"
            shutil.copy(repo / of, repo / copy)
            copies[copy] = of
        elif step in ("records", "copy"):
            with bm.session() as session, session.jsonl(f"artifacts/r{n}.jsonl", artifact_type="score") as out:
                out.write({"acc": 0.5}, seed=n, model_name=f"m{n % 3}")
            made[f"artifacts/r{n}.jsonl"] = {"seed": n, "model_name": f"m{n % 3}"}
        elif step == "edit":
            # Copied over what a run had made: still that artifact.
            file = dice.choice(plain)
            (repo / file).write_text(dice.choice(ALIKE))
        else:
            file = dice.choice(plain) if step == "again" else f"artifacts/score_{n}.txt"
            given = ["--set", f"seed={n}", "--set", f"model_name=m{n % 3}"]
            asked.birthmark("run", *given, "--", sys.executable, "s.py", Path(file).name, dice.choice(ALIKE))
            made[file] = {"seed": n, "model_name": f"m{n % 3}"}
        if n % 4 == 0:
            asked.birthmark("catalog", "rebuild")
        asked.agrees("", made, len(copies))
        limit = dice.randrange(9)
        for text, holds in (
            (f"seed>={limit}", lambda one: one["seed"] >= limit),
            (f"model=m{n % 3}", lambda one: one["model_name"] == f"m{n % 3}"),
            (f"NOT model=m1 OR seed={limit}", lambda one: one["model_name"] != "m1" or one["seed"] == limit),
        ):
            asked.agrees(text, {file: one for file, one in made.items() if holds(one)}, len(copies))


def test_files_stamped_by_hand_with_other_fields_are_not_the_same(repo: Path, program: Path) -> None:
    (repo / "artifacts").mkdir()
    asked = Asked(program, repo)
    for n in (1, 2):
        (repo / f"artifacts/w{n}.bin").write_bytes(b"weights")
        asked.birthmark("stamp", f"artifacts/w{n}.bin", "--type", "model", "--set", f"seed={n}")
    for name in ("artifacts/w1.bin", "artifacts/w1.bin.birthmark.json"):
        shutil.copy(repo / name, repo / name.replace("w1", "w3"))
    rows = bm.find("", columns=["seed"])
    assert sorted(row["seed"] for row in rows) == [1, 2]
