"""What is measured on: records, repositories and stores, made anew and always the same.

Limits: the large repository and the full store are made once and kept in the data folder,
since making them takes longer than measuring.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from measure import environment

PROBE = Path(__file__).with_name("probe.py")

# As the origin's loader gives them.
PROVENANCE = {
    "loader_version": "5f970c2e8a1b4d0c9e7f6a5b4c3d2e1f0a9b8c7d",
    "model_name": "Qwen/Qwen2.5-32B",
    "quantization": "nf4",
    "template_disabled": True,
    "sentinel_tests_passed": True,
    "add_special_tokens": False,
}
# With these a birthmark has about 827 bytes; with none about 560.
PARAMS = {
    "temperature": 0.7,
    "top_p": 0.95,
    "top_k": 40,
    "max_new_tokens": 150,
    "do_sample": True,
    "seed": 42,
    "repetition_penalty": 1.1,
    "stop": ["\nEND", "\nInstruction:"],
    "engine": "vllm 0.11.0",
    "dtype": "bfloat16",
    "prompt_template": "plain_completion_v3",
    "instructions": "data/seed_instructions.json",
    "stage": "stage1_sft",
    "min_p": 0.05,
    "presence_penalty": 0.0,
    "sampler": "nucleus",
}

WORDS = (
    "the a model data answer list write name three why water light small explain sentence tree code "
    "number city river order first between people question where example story simple because"
).split()


def records(count: int) -> list[dict[str, Any]]:
    """Records as the origin's generator makes them, 678 bytes of JSON on average."""
    chance = random.Random(7)
    return [_record(chance, number) for number in range(count)]


def _record(chance: random.Random, number: int) -> dict[str, Any]:
    instruction = " ".join(chance.choices(WORDS, k=9)).capitalize() + "."
    response = " ".join(chance.choices(WORDS, k=15)) + "."
    return {
        "id": f"seed_instruction_{number:06}",
        "instruction": instruction,
        "type": chance.choice(["list", "explain", "write", "answer"]),
        "response": response,
        "formatted_text": f"Instruction: {instruction}\nResponse: {response}\nEND",
        "prompt": f"Instruction: {instruction}\nResponse:",
        "completion": f" {response}\nEND",
        "logprob": round(-chance.random() * 40, 6),
        "tokens": chance.randrange(20, 150),
    }


def git(folder: Path, *arguments: str) -> str:
    """Run git in ``folder`` as somebody who is nobody."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=environment(), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(folder: Path, files: int) -> Path:
    """A clean repository of one commit with ``files`` files and the script ``train.py``."""
    ready = folder / ".git" / "bench-ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
        for number in range(files):
            place = folder / f"part{number // 10_000:02}" / f"set{number // 100 % 100:02}"
            if number % 100 == 0:
                place.mkdir(parents=True)
            (place / f"file{number % 100:02}.txt").write_text(f"{number}\n")
    script = folder / "train.py"
    if not script.exists() or script.read_bytes() != PROBE.read_bytes():
        shutil.copyfile(PROBE, script)
        git(folder, "add", "--all", "--", ".", ":!artifacts", ":!checkpoints")
        git(folder, "commit", "--quiet", "--message", "all of it")
        git(folder, "status")  # writes down in the index what it saw, as in any used clone
        ready.touch()
    return folder


def full_store(root: Path, sessions: int) -> None:
    """Fill the store of the project ``root`` up to ``sessions`` ended ones, each whole by its sums.

    Each made one file, outside the artifacts folder, as checkpoints are, which is no longer there. One real session
    must be there to copy.
    """
    store = root / "artifacts" / ".birthmark"
    # Of sessions of the same second none is the first by name.
    journals = (journal for session in (store / "sessions").iterdir() for journal in session.iterdir())
    journal = next(journal for journal in journals if MADE in journal.read_text())
    model = journal.parent
    lines = journal.read_text().splitlines()
    manifest = (root / "artifacts" / f"session_manifest_{model.name}.json").read_text()
    listed = open(store / "generated", "a")
    with listed, tempfile.TemporaryDirectory() as scratch:
        for number in range(len(list((store / "sessions").iterdir())), sessions):
            name = re.sub(r"_\w{13}$", f"_{number:013}", model.name)
            made = f"checkpoints/run_{number}.bin"
            folder = store / "sessions" / name
            folder.mkdir()
            copied = (one.replace(model.name, name).replace(MADE, made) for one in lines)
            sums, text = _chained(copied, Path(scratch) / "line")
            (folder / journal.name).write_text(text)
            told = json.loads(manifest.replace(model.name, name).replace(MADE, made))
            for head in told["heads"].values():
                head["sum"] = sums
            (root / "artifacts" / f"session_manifest_{name}.json").write_text(json.dumps(told, indent=2) + "\n")
            listed.write(f"{made}\n")


MADE = "checkpoints/run_0.bin"


def _chained(lines: Any, scratch: Path) -> tuple[str, str]:
    """Journal lines with the sums that they must have: the last sum, and the text."""
    from birthmark import digest_file

    above, text = None, []
    for line in lines:
        body = line[: line.rindex(',"sum":"')]
        if above is not None:
            body = re.sub(r'"prev":"[^"]*"', f'"prev":"{above}"', body, count=1)
        scratch.write_text(body)
        above = digest_file(scratch)
        text.append(f'{body},"sum":"{above}"}}\n')
    return above or "", "".join(text)
