"""That more may have been read than is listed stands wherever the list stands."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

WHY = "of the command goes on after its end, and is not watched any more"


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
