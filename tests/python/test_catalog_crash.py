"""The catalog after kills in the middle of a build, and after several builders at once, is that of a fresh one."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("birthmark")
FILES = 150
QUESTIONS = [
    "SELECT file, format, state, there, records, digest FROM artifacts",
    "SELECT a.file, g.number, g.first_line, g.records, g.varies FROM record_groups g JOIN artifacts a USING (artifact_id)",
    "SELECT a.file, p.name, p.value FROM params p JOIN artifacts a USING (artifact_id)",
    "SELECT a.file, m.name, m.value FROM metrics m JOIN artifacts a USING (artifact_id)",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if not PROGRAM.exists():
        pytest.skip("the program is not installed beside this Python")
    root = tmp_path / "project"
    (root / "artifacts").mkdir(parents=True)
    (root / "birthmark.toml").write_text("")
    for number in range(FILES):
        folder = root / "artifacts" / f"d{number % 12}"
        folder.mkdir(exist_ok=True)
        mark = {"git_commit": "c", "artifact_type": "evaluation", "seed": number, "birthmark": "birthmark/v1"}
        (folder / f"e{number}.json").write_text(json.dumps({"summary": {"acc": number / FILES}, "metadata": mark}))
        marks = ({**mark, "seed": n, "model_name": f"m{number % 3}", "note": number} for n in range(50))
        lines = [json.dumps({"id": n, "metadata": mark}) for n, mark in enumerate(marks)]
        (folder / f"r{number}.jsonl").write_text("\n".join(lines) + "\n")
    return root


def ask(project: Path, cache: Path) -> subprocess.Popen[str]:
    surroundings = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [PROGRAM, "find", "--count"], cwd=project, env=surroundings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def whole(running: subprocess.Popen[str]) -> None:
    said, talk = running.communicate()
    assert (running.returncode, said) == (0, f"{FILES * 2}\n"), talk


def told(cache: Path) -> list[list[str]]:
    with sqlite3.connect(cache / "birthmark" / "catalog.db") as db:
        return [sorted(map(str, db.execute(question))) for question in QUESTIONS]


def test_catalog_is_that_of_a_fresh_one_after_kills_and_with_many_builders(project: Path, tmp_path: Path) -> None:
    whole(ask(project, tmp_path / "fresh"))
    truth = told(tmp_path / "fresh")
    assert [len(rows) > FILES - 1 for rows in truth] == [True] * 4

    chance = random.Random(3)
    for _ in range(12):
        running = ask(project, tmp_path / "killed")
        time.sleep(chance.random() * 0.3)
        running.kill()
        running.communicate()
    whole(ask(project, tmp_path / "killed"))
    assert told(tmp_path / "killed") == truth

    builders = [ask(project, tmp_path / "many") for _ in range(4)]
    for running in builders:
        whole(running)
    assert told(tmp_path / "many") == truth


def test_catalog_without_room_says_so_and_goes_on_where_there_is_room(project: Path, tmp_path: Path) -> None:
    whole(ask(project, tmp_path / "fresh"))
    cache = tmp_path / "tight"
    for room in (8, 64, 200):
        limit = f"ulimit -f {room}; exec '{PROGRAM}' find --count"
        done = subprocess.run(
            ["bash", "-c", limit], cwd=project, env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "cannot use the catalog" in done.stderr and "the catalog is as it was" in done.stderr
    whole(ask(project, cache))
    assert told(cache) == told(tmp_path / "fresh")
