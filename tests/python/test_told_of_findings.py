"""What is said of an answer is what is so: counts under it, orders, names that are no values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def records(repo: Path, name: str, fields: list[dict]) -> None:
    lines = []
    for n, own in enumerate(fields):
        mark = {"git_commit": "c", "artifact_type": "t", **own, "birthmark": "birthmark/v1"}
        lines.append(json.dumps({"n": n, "metadata": mark}))
    (repo / "artifacts").mkdir(exist_ok=True)
    (repo / "artifacts" / name).write_text("\n".join(lines) + "\n")


def told(program: Path, repo: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], cwd=repo, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stderr


def out(program: Path, repo: Path, *arguments: str, env: dict | None = None) -> str:
    done = subprocess.run([program, *arguments], cwd=repo, capture_output=True, text=True, env=env)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture
def seeds(repo: Path) -> Path:
    records(repo, "all.jsonl", [{"seed": n} for n in range(5, 25)])
    records(repo, "none.jsonl", [{"temperature": 0.5}] * 40)
    records(repo, "some.jsonl", [{"seed": 100 + n} if n % 5 else {} for n in range(40)])
    records(repo, "many.jsonl", [{"seed": 300 + n} if n % 3 else {} for n in range(300)])
    return repo


def test_unknown_records_are_counted_also_where_groups_are_skipped(seeds: Path, program: Path) -> None:
    unknown = 40 + 8 + 100
    for filter in ("seed=5", "seed=5 OR seed=6", "seed>=0", "seed<0", "NOT seed=5"):
        said = told(program, seeds, "find", "--records", filter)
        assert f" {unknown} more are unknown." in said, (filter, said)
    said = told(program, seeds, "find", "--records", "-n", "2")
    assert said.startswith("2 records written out of 1 file, and no more looked for"), said


def test_artifacts_that_lack_a_field_in_part_are_told_so(seeds: Path, program: Path) -> None:
    assert "3 more have records without seed: 'NOT has:seed'." in told(program, seeds, "find", "seed=5")
    assert out(program, seeds, "find", "NOT has:seed", "--count") == "3\n"


def test_what_has_it_under_another_name_is_what_that_condition_finds(seeds: Path, program: Path) -> None:
    records(seeds, "eval.jsonl", [{"eval_seed": 3}])
    said = told(program, seeds, "find", "seed>=200 OR type=t")
    assert "eval_seed" not in said, said
    assert "1 has it as eval_seed: 'eval_seed=3'." in told(program, seeds, "find", "seed=3")


def test_what_varies_is_sorted_by_its_least_or_greatest(seeds: Path, program: Path) -> None:
    def names(*more: str) -> list[str]:
        table = out(program, seeds, "find", "--csv", "--columns", "file", *more)
        return [Path(line).stem for line in table.splitlines()[1:]]

    assert names("--sort", "seed") == ["all", "some", "many", "none"]
    assert names("--sort", "-seed") == ["many", "some", "all", "none"]
    assert names("--sort", "-seed", "-n", "2") == ["many", "some"]


def test_names_of_now_are_found_and_what_is_no_value_is_told(repo: Path, git, program: Path) -> None:
    (repo / "s.py").write_text('import os\nos.makedirs("artifacts", exist_ok=True)\nopen("artifacts/a.txt", "w").write("1")\n')
    (repo / ".gitignore").write_text("artifacts/\n")
    git("add", "s.py", ".gitignore")
    git("commit", "--quiet", "--message", "Write")
    out(program, repo, "run", "--set", "accuracy=0.5", "--", sys.executable, "s.py")
    for filter in ("commit=HEAD", "session=last"):
        assert out(program, repo, "find", filter, "--count") == "1\n", filter
    assert "there is: false" in told(program, repo, "find", "dirty=0")
    assert "has:accuracy" in told(program, repo, "find", "accuracy")
    assert "a whole number" not in told(program, repo, "find", "-n", "1")
    diff = out(program, repo, "snapshot", "diff", "HEAD", "last")
    assert "HEAD" not in diff, diff
    (repo / "artifacts/a.txt").unlink()
    done = subprocess.run([program, "show", "artifacts/a.txt"], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2 and "birthmark trace" in done.stderr, done.stderr


def test_limit_that_is_no_number_is_refused_as_such(repo: Path, program: Path) -> None:
    done = subprocess.run([program, "find", "-n", "-1"], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2 and "-- -1" not in done.stderr and "'-1'" in done.stderr, done.stderr


def test_field_of_some_records_is_shown_as_such(repo: Path, program: Path) -> None:
    records(repo, "r.jsonl", [{"seed": 43}, {}, {}])
    assert "seed 43 (in 1 of 3 records)" in out(program, repo, "show", "artifacts/r.jsonl")


def test_lists_of_a_report_stand_on_one_line(repo: Path, program: Path) -> None:
    (repo / "artifacts").mkdir()
    mark = {"git_commit": "c", "artifact_type": "t", "tags": ["x", "y"], "birthmark": "birthmark/v1"}
    (repo / "artifacts/r.json").write_text(json.dumps({"summary": {}, "metadata": mark}, indent=2))
    assert '["x","y"]' in out(program, repo, "find", "--columns", "file,tags")
    assert len(out(program, repo, "find", "--columns", "file,tags", "--csv").splitlines()) == 2


@pytest.mark.parametrize("back", ["-3s", "-1d"])
def test_session_that_recorded_these_bytes_is_shown_also_where_the_clock_stepped_back(
    repo: Path, program: Path, back: str
) -> None:
    import shutil

    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    (repo / "w.py").write_text('import os, sys\nos.makedirs("artifacts", exist_ok=True)\nopen("artifacts/w.json", "w").write(sys.argv[1])\n')
    out(program, repo, "run", "--", sys.executable, "w.py", '{"x": "A"}')
    first = out(program, repo, "session", "list", "--json")
    done = subprocess.run(
        ["faketime", "-f", back, program, "run", "--", sys.executable, "w.py", '{"x": "B"}'],
        cwd=repo, capture_output=True, text=True, env={**os.environ, "FAKETIME_DONT_RESET": "1"},
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(out(program, repo, "show", "artifacts/w.json", "--json"))
    shown = shown[0] if isinstance(shown, list) else shown
    assert shown["now"] == "as recorded"
    assert shown["session"]["session_id"] not in first
