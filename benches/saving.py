"""How long a training waits for each checkpoint that it saves, with ``bm.TrainerCallback``.

The callback is driven by the events of a trainer, without torch: folders of many files are written
and rotated one behind the other, so that earlier ones are digested beside.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import world
from measure import Spread, run_module
from report import Row, Section

WAIT_BAR_MS = 5.0
FILES = 20
KEPT = 2


@dataclass
class Arguments:
    """What a trainer is told."""

    output_dir: str
    save_total_limit: int = KEPT


@dataclass
class State:
    """How far a training is."""

    global_step: int = 0
    epoch: float = 0.0
    is_world_process_zero: bool = True
    log_history: list[Any] = field(default_factory=list)


def speed(data: Path, quick: bool) -> list[Section]:
    """Milliseconds that the caller waits a save."""
    saves, size = (5, 10_000) if quick else (100, 1_000_000)
    folder = world.repository(data / "small", 10)
    section = Section(
        "Saving checkpoints: how long the training waits",
        [
            f"{saves} folders of {FILES} files of {size / 1e6:g} MB, {KEPT} of them kept; minimum, median and maximum"
            " of all saves. The training writes the next one meanwhile, and computes in Python.",
            "Earlier ones are digested beside, at most 256 MB a second, and what was rotated away is recorded.",
        ],
    )
    task = {"saves": saves, "size": size, "folder": str(folder / "checkpoints")}
    told = run_module("saving", folder, task)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    waits, nothing = (Spread.of([1e3 * wait for wait in told[name]]) for name in ("waits", "nothing"))
    section.rows.append(Row("on_save", waits, "ms", WAIT_BAR_MS, at_most=True))
    section.rows.append(Row("0.1 ms of Python, before the training begins: the machine's own noise", nothing, "ms"))
    return [section]


def main(task: dict[str, Any]) -> dict[str, Any]:
    """Save ``task["saves"]`` checkpoints; the seconds that each call took, and that nothing took."""
    import birthmark as bm

    top = Path(task["folder"])
    shutil.rmtree(top, ignore_errors=True)
    arguments, state, waits = Arguments(str(top)), State(), []
    bytes_ = bytes(range(256)) * (task["size"] // 256)
    nothing = []
    for _ in range(task["saves"]):
        begin = time.perf_counter()
        _compute(1e-4)
        nothing.append(time.perf_counter() - begin)
        _compute(0.05)
    with bm.session():
        callback = bm.TrainerCallback()
        callback.on_train_begin(arguments, state, object())
        for step in range(1, task["saves"] + 1):
            state.global_step = step
            checkpoint = top / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True)
            for number in range(FILES):
                (checkpoint / f"{number}.bin").write_bytes(bytes_)
            if step > KEPT:
                shutil.rmtree(top / f"checkpoint-{step - KEPT}")
            begin = time.perf_counter()
            callback.on_save(arguments, state, object())
            waits.append(time.perf_counter() - begin)
            _compute(0.05)
        callback.on_train_end(arguments, state, object())
    return {"waits": waits, "nothing": nothing}


def _compute(seconds: float) -> int:
    """Hold the interpreter, as a training loop does that is written in Python."""
    end, sums = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        sums += sum(range(100))
    return sums
