"""What a session sees by itself: seeds that are set, models and datasets that are loaded by name.

Purpose: the wrappers of ``_wrap`` for the length of a session, and what the audit hook and the
memory map saw meanwhile.

Limits: those of ``_wrap``. What libraries open in C is seen under ``birthmark run`` only.
"""

from __future__ import annotations

import os
import sys

from . import _native, _talk
from ._wrap import Wrappers

#: Modules that are loaded once processes are started that share no memory with this one; the
#: interpreter's audit events do not tell of them.
_STARTERS = (
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_forkserver",
    "joblib.externals.loky.backend.popen_loky_posix",
    "loky.backend.popen_loky_posix",
)
#: Libraries that open files in C, where the audit hook does not see them.
_IN_C = (
    *("pyarrow", "polars", "duckdb", "datasets", "lance", "deltalake", "h5py", "tables", "netCDF4"),
    *("safetensors", "xllamacpp", "llama_cpp", "vllm", "tokenizers", "sentencepiece"),
    *("xgboost", "lightgbm", "catboost", "faiss"),
    *("cv2", "torchvision.io", "torchaudio", "torchcodec", "decord", "soundfile", "rasterio", "osgeo"),
)


class Watch(Wrappers):
    """What one session sees."""

    def __init__(self) -> None:
        super().__init__()
        self._noted = False

    def start(self) -> None:
        self._noted = "BIRTHMARK_SEEN" not in os.environ and _native.watch()
        super().start()

    def end(self, session: _native.Session) -> None:
        """Stop, and have the session record what was seen."""
        self.stop()
        if self.seeds:
            session.record_seeds(self.seeds)
        loads = self.loads.told()
        if self._noted:
            session.record_watch(loads, readers_in_c(), _talk.module_files(), started_processes())
        elif loads:
            session.record_loads(loads)


def readers_in_c() -> list[str]:
    """Loaded libraries whose files the audit hook does not see."""
    return [name for name in _IN_C if name in sys.modules]


def started_processes() -> bool:
    """Whether workers were started (``spawn``, ``forkserver``, loky) whose files are not seen here."""
    return any(name in sys.modules for name in _STARTERS)
