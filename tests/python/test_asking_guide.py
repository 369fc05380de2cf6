"""The page on asking, run as it is written: each command prints what the page shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "asking.md"
ACCURACY = [0.5625, 0.75, 0.6875, 0.8125, 0.5, 0.625]
MODELS = ["Qwen/Qwen2.5-32B", "meta-llama/Llama-3.1-8B", "HuggingFaceTB/SmolLM2-135M"]
PROGRAM = Path(sys.executable).with_name("birthmark")


def make(folder: Path) -> None:
    """Six evaluations and a file of 600 records, by hand, so that their bytes are always the same."""
    (folder / "birthmark.toml").write_text("")
    (folder / "artifacts").mkdir()
    for number in range(6):
        model = MODELS[number // 2]
        mark = {
            "git_commit": f"{number + 1:x}" * 40, "timestamp": f"2025-10-0{number + 1}T09:00:00.000000+00:00",
            "artifact_type": "evaluation", "git_dirty": number == 4, "model_name": model, "seed": 42 + number,
        }  # fmt: skip
        if number != 5:
            mark["temperature"] = 0.7
        report = {"summary": {"accuracy": ACCURACY[number]}, "metadata": {**mark, "birthmark": "birthmark/v1"}}
        (folder / "artifacts" / f"evaluation_{number}.json").write_text(json.dumps(report))
    lines = []
    for number in range(600):
        mark = {
            "git_commit": "a" * 40, "timestamp": f"2025-10-01T10:{number // 60:02}:{number % 60:02}.000000+00:00",
            "artifact_type": "training_data", "git_dirty": False, "model_name": MODELS[number * 3 // 600],
            "temperature": 0.7 if number < 400 else 0.2, "seed": number, "birthmark": "birthmark/v1",
        }  # fmt: skip
        lines.append(json.dumps({"id": number, "length": number * 37 % 101, "metadata": mark}))
    (folder / "artifacts" / "sft.jsonl").write_text("\n".join(lines) + "\n")


def blocks() -> list[tuple[str, str]]:
    """Each command of the page, with what the page shows below it."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not installed beside this Python")
def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    make(tmp_path)
    surroundings = {"HOME": str(tmp_path), "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "TZ": "UTC", "COLUMNS": "110"}
    seen = []
    for command, shown in blocks():
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout + done.stderr == shown, command
        seen.append(command)
    assert len(seen) > 8
