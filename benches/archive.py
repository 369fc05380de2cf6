"""A large store to ask: many sessions, each with its journal whole by its sums, and what they made.

Purpose: the 100,000 sessions and 1,000,000 artifacts that the bars of asking speak of, made in minutes: the
journals are put together as text, with the sums that they must have.

Limits: needs the package ``blake3``; a session has one run; made once and kept in the data folder.
"""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
MODELS = ("Qwen/Qwen2.5-32B", "Qwen/Qwen2.5-7B", "meta-llama/Llama-3.1-8B", "HuggingFaceTB/SmolLM2-135M")
BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)
FOLDER = 1_000  # files in one


def made(root: Path, sessions: int, each: int) -> Path:
    """A project whose store holds ``sessions`` that made ``each`` reports; one report has the param ``rare``."""
    ready = root / "ready"
    if ready.exists():
        return root
    (root / "artifacts" / ".birthmark" / "sessions").mkdir(parents=True, exist_ok=True)
    (root / "birthmark.toml").touch()
    chance = random.Random(11)
    for number in range(sessions):
        _session(root, chance, number, each, rare=number == sessions // 2)
    ready.touch()
    return root


def _session(root: Path, chance: random.Random, number: int, each: int, rare: bool) -> None:
    start = BEGIN + timedelta(minutes=7 * number)
    name = f"{start:%Y%m%d_%H%M%S}_" + "".join(chance.choices(ALPHABET, k=13))
    run = "".join(chance.choices(ALPHABET, k=13))
    journal = _Journal(start)
    process = {"host": f"pod-{number % 50}", "boot_id": "b", "pid": 7, "pid_start": 1, "pid_namespace": "n"}
    journal.add("writer_opened", {"format": "birthmark/journal/v1", "program": "0.1.0", "session_id": name,
                "session_uuid": None, "run_id": run, **process, "parent_run": None})  # fmt: skip
    code = {"git_commit": f"{number // 20:040x}", "git_branch": "main", "git_dirty": chance.random() < 0.2,
            "git_remote": None, "git_pushed": True, "script_name": f"evaluate_{number % 30}.py"}  # fmt: skip
    given = {"model_name": chance.choice(MODELS), "temperature": chance.randrange(11) / 10, "seed": number}
    journal.add("session_started", {"session_start": _text(start), "opened_by": "script", "planned_artifacts": [], "given": given})
    journal.add("run_started", {"script_name": code["script_name"], "argv": ["python"], "process": {}, "rank": 0, "world_size": 1})
    journal.add("code_observed", {"fields": code, "details": {}})
    environment = {"hostname": process["host"], "python": "3.11.7", "gpu": "H100" if number % 3 else None}
    journal.add("environment_observed", {"environment": environment})
    for place in range(each):
        journal.add("artifact_sealed", _report(root, chance, (name, run), number * each + place, {**code, **given}, rare and not place, journal.time))
    journal.add("run_ended", {"outcome": "completed", "duration_s": 1.5})
    journal.add("session_ended", {"outcome": "completed"})
    folder = root / "artifacts" / ".birthmark" / "sessions" / name
    folder.mkdir(exist_ok=True)
    (folder / f"{process['host']}-7-0.jsonl").write_text(journal.text())


def _report(
    root: Path, chance: random.Random, ids: tuple[str, str], number: int, known: dict[str, Any], rare: bool, time: datetime
) -> dict[str, Any]:
    import blake3

    folder = root / "artifacts" / f"part_{number // FOLDER:04}"
    if number % FOLDER == 0:
        folder.mkdir(exist_ok=True)
    mark = {"git_commit": known["git_commit"], "timestamp": _text(time), "artifact_type": "evaluation", **known,
            "eval_seed": number, "session_id": ids[0], "run_id": ids[1], "birthmark": "birthmark/v1"}  # fmt: skip
    if rare:
        mark["rare"] = 17
    text = json.dumps({"summary": {"accuracy": round(chance.random(), 4)}, "metadata": mark}).encode()
    path = folder / f"evaluation_{number:07}.json"
    path.write_bytes(text)
    return {"file": str(path.relative_to(root)), "type": "evaluation", "format": "report", "timestamp": _text(time),
            "size": len(text), "records": None, "digest": f"blake3:{blake3.blake3(text).hexdigest()}",
            "content_digest": None, "birthmark": mark, "notes": {"items": 0}}  # fmt: skip


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")


class _Journal:
    """The lines of one journal, each with the sum of the one above."""

    def __init__(self, start: datetime) -> None:
        self.lines: list[str] = []
        self.above: str | None = None
        self.time = start

    def add(self, event: str, fields: dict[str, Any]) -> None:
        import blake3

        self.time += timedelta(seconds=5)
        whole = {"seq": len(self.lines), "prev": self.above, "time": _text(self.time), "event": event, **fields}
        body = json.dumps(whole, separators=(",", ":"))[:-1]
        self.above = f"blake3:{blake3.blake3(body.encode()).hexdigest()}"
        self.lines.append(f'{body},"sum":"{self.above}"}}\n')

    def text(self) -> str:
        return "".join(self.lines)
