"""Who watched a run was killed: what the run read and made is unknown, and said to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def test_session_whose_watcher_was_killed_says_that_its_lineage_is_unknown(repo: Path, program: str, birthmark) -> None:
    (repo / "artifacts").mkdir()
    slow = "import time; open('artifacts/k.txt', 'w').write('1'); time.sleep(60)"
    watched = subprocess.Popen(
        [program, "run", "--", sys.executable, "-c", slow], cwd=repo, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not (repo / "artifacts/k.txt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(watched.pid, signal.SIGKILL)
        watched.wait()
    finally:
        os.killpg(watched.pid, signal.SIGKILL)
    shown = birthmark("show", "last")
    assert "lineage (what watched a run of it died" in shown.replace("\n         ", " "), shown
