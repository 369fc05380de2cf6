"""What a Python under ``birthmark run`` tells by itself: seeds that are set, what is loaded by name.

Purpose: each is appended as one line to the files that ``BIRTHMARK_TOLD`` names (of this run, and of
those that it is within) as soon as it is known, so that a killed process has told it too. In a reproduction, modules of other repositories are
found where their code of then was laid out (see ``_moved``).

Invariants: nothing here raises into the script, and nothing but the standard library is used.

Limits: a process tells at most some dozen seeds; of one that sets a new seed for each record
the last is told at its end. Seeds of workers (forked, or started by multiprocessing) are not told:
they follow from those of the process that started them.
"""

from __future__ import annotations

import json
import os
import sys

from ._loads import Loads
from ._wrap import Wrappers

#: Seeds that are told while the process runs.
_MOST = 32


class Teller:
    """The files that are told to."""

    def __init__(self):
        self._places = os.environ.get("BIRTHMARK_TOLD", "").split(os.pathsep)

    def tell(self, what):
        try:
            line = json.dumps({"pid": os.getpid(), **what}, default=str) + "\n"
        except Exception:
            return
        for place in self._places:
            self._append(place, line.encode())

    def _append(self, place, line):
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            file = os.open(place, flags, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except Exception:
            pass


class _ToldLoads(Loads):
    def __init__(self, teller):
        super().__init__()
        self._teller = teller

    def _tell(self, load):
        known = super()._tell(load)
        if known is not None:
            self._teller.tell({"load": known, "key": id(known)})
        return known


class _ToldWrappers(Wrappers):
    def __init__(self):
        super().__init__()
        self._teller = Teller()
        self._pid = os.getpid()
        self._told = 0
        self.loads = _ToldLoads(self._teller)
        words = getattr(sys, "orig_argv", [])
        self._worker = any("multiprocessing" in word or "popen_loky" in word for word in words)

    def note_seed(self, called, seed):
        seed = self._joined(called, seed)
        if self._worker or os.getpid() != self._pid or self.seeds.get(called, self) == seed:
            return
        self.seeds[called] = seed
        self._told += 1
        if self._told < _MOST:
            self._teller.tell({"seeds": {called: seed}})
        elif self._told == _MOST:
            import atexit

            atexit.register(lambda: os.getpid() == self._pid and self._teller.tell({"seeds": self.seeds}))

    def found(self, name, path, target):
        """The spec of a module that is being imported, to be wrapped once it is."""
        return self._finder.find_spec(name, path, target)


def begin():
    """Note from now on."""
    wrappers = _ToldWrappers()
    wrappers.start()
    return wrappers


def move(told):
    """Have modules found where a reproduction laid them out."""
    from ._moved import move

    move(json.loads(told))
