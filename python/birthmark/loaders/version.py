"""Which version of the loader's own code is running.

Purpose: `loader_version`, the git commit of the loader code where that code is
tracked in a repository, else the version of the installed package.

Invariants: nothing of the repository is executed: git is asked for object ids
only, without its environment variables, within a time limit; whether the file
was edited is decided by hashing it here. What cannot be learned is None, with
the reason.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
from pathlib import Path

_TIME_LIMIT_S = 5


def loader_version(loader: type) -> tuple[str | None, bool | None, str | None]:
    """(version, edited since that commit, reason if the version is None) of the code that defines `loader`."""
    try:
        file = Path(inspect.getfile(loader)).resolve()
    except (TypeError, OSError):
        return _package(loader, "the loader was not defined in a file")
    commit, blob, reason = _tracked(file)
    if commit is None:
        return _package(loader, reason)
    return commit, _edited(file, blob), None


def _tracked(file: Path) -> tuple[str | None, str, str]:
    """(commit, blob id, reason) of a file that the commit checked out beside it holds."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_NO_LAZY_FETCH"] = "1"
    # A volume that belongs to another user is usual on a rented machine; reading ids runs nothing of it.
    command = ["git", "-c", "safe.directory=*", "-C", str(file.parent), "rev-parse", "HEAD", f"HEAD:./{file.name}"]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, env=environment, check=False
        )
    except FileNotFoundError:
        return None, "", "git is not installed"
    except (OSError, subprocess.SubprocessError, UnicodeError) as error:
        return None, "", f"git did not answer: {error}"
    ids = said.stdout.split()
    if said.returncode != 0 or len(ids) != 2:
        first = (said.stderr.strip().splitlines() or ["git gave no commit"])[0]
        return None, "", f"{file.name} is in no commit: {first}"
    return ids[0], ids[1], ""


def _edited(file: Path, blob: str) -> bool | None:
    """Whether the file's bytes are not those of `blob`; None if it cannot be read."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    algorithm = hashlib.sha256 if len(blob) == 64 else hashlib.sha1
    forms = (data, data.replace(b"\r\n", b"\n"))
    return all(algorithm(b"blob %d\0" % len(form) + form).hexdigest() != blob for form in forms)


def _package(loader: type, reason: str) -> tuple[str | None, bool | None, str | None]:
    """Birthmark's own version for its own loader; an unknown version for anybody else's."""
    if not loader.__module__.startswith("birthmark."):
        return None, None, reason
    import birthmark

    version = getattr(birthmark, "__version__", None)
    if version is None:
        return None, None, "the installed birthmark package does not state its version"
    revision = getattr(birthmark, "__revision__", None)
    return f"birthmark {version}" + (f" ({revision})" if revision else ""), None, None
