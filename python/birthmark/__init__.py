"""Birthmark: where every AI artifact came from.

Every file that a script makes is born with its provenance: the git commit as the safety
net, and everything that anybody will want to filter, compare or understand by.

    import birthmark as bm

    with bm.session(planned=["sft_*.jsonl (200 examples)"], provenance=prov) as s:
        with s.jsonl("artifacts/sft_stage1.jsonl", mode="a", temperature=0.7) as out:
            for item in out.todo(items, key="id"):
                out.write(make(item), seed=42 + item["n"])

Nothing here imports torch or opens a connection. What a session wraps of other libraries, to see
seeds and names, is put back at its end.
"""

from __future__ import annotations

import os

from . import _native, _talk
from ._asking import Rows, find, sql
from ._compare import Comparison, compare
from ._provenance import model_provenance
from ._reproduce import Reproduction, reproduce
from ._session import Session, current
from ._batch import stamp_batch, unstamp_batch
from ._stamp import (
    save_file,
    save_pretrained,
    stamp,
    stamp_dataset,
    to_jsonl,
    to_parquet,
    torch_save,
)
from ._writers import JsonlWriter, Report
from .errors import (
    ArtifactExistsError,
    BirthmarkError,
    DamagedError,
    RefusedError,
    StoreError,
    UsageError,
)
from .provenance_helper import (
    check_git_dirty,
    create_artifact_metadata,
    create_session_manifest,
    get_git_branch,
    get_git_sha,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__version__ = _native.version()

__all__ = [
    "ArtifactExistsError",
    "BirthmarkError",
    "Comparison",
    "DamagedError",
    "JsonlWriter",
    "RefusedError",
    "Report",
    "Reproduction",
    "Rows",
    "Session",
    "StoreError",
    "TrainerCallback",
    "UsageError",
    "__version__",
    "capture",
    "check_git_dirty",
    "compare",
    "create_artifact_metadata",
    "create_session_manifest",
    "current",
    "digest_file",
    "find",
    "get_git_branch",
    "get_git_sha",
    "hf_features",
    "model_provenance",
    "read",
    "reproduce",
    "save_file",
    "save_pretrained",
    "session",
    "stamp",
    "stamp_batch",
    "stamp_dataset",
    "to_jsonl",
    "to_parquet",
    "torch_save",
    "sql",
    "trace",
    "unstamp_batch",
]


def session(
    planned: Iterable[str] = (),
    *,
    provenance: Any = None,
    params: Any = None,
    on_dirty: str | None = None,
    lineage: bool | None = None,
    durability: str | None = None,
    **fields: Any,
) -> Session:
    """Return a session: a context manager, a decorator, or an object to start and end.

    Entered, it begins a session, or joins the one that this process belongs to: the one
    named by ``BIRTHMARK_SESSION``, the one that the ranks of a launch share, or the one opened
    by ``birthmark session start``. Within a session of the same process it is that session
    again, and what is given here is nearer for what is made through it: also in threads and
    tasks, each of which has its own.

    Args:
        planned: What it means to make, a line each: ``"sft_*.jsonl (200 examples)"``.
        provenance: Of the model, inherited by every artifact: a loader's dict, or whatever
            :func:`model_provenance` takes.
        params: What was chosen, inherited by every artifact.
        on_dirty: ``"snapshot"``, ``"warn"`` or ``"refuse"``; the default is the project's. The variable
            ``BIRTHMARK_ON_DIRTY`` wins over both, for once.
        lineage: Whether to see by itself what is read, made and loaded, and which seeds are
            set; the default is the project's, which is to do so.
        durability: ``"process"``: what was acknowledged survives the death of the process;
            ``"power"``: also a power cut, each record synced. The default is the project's.
        fields: More fields for every birthmark. Nearer wins.

    Raises:
        RefusedError: On entry, if the tree is dirty and that is to be refused.
        UsageError: On entry, if a field is reserved or of the wrong type, or if ``on_dirty`` or
            ``lineage`` differs from those of the session that it lies in.
        StoreError: On entry, if the artifacts folder cannot be written.
        TypeError: If ``params`` or ``provenance`` is none of the accepted kinds, or a plan is
            no text.

    Example:
        >>> import birthmark as bm
        >>> bm.session(planned=["a.json"])
        <birthmark session, not begun>
    """
    if callable(planned):
        raise TypeError("use it as `@bm.session()`, with brackets")
    return Session(
        planned,
        provenance=provenance,
        params=params,
        on_dirty=on_dirty,
        lineage=lineage,
        durability=durability,
        **fields,
    )


def capture(artifact_type: str = "artifact") -> dict[str, Any]:
    """Return what a birthmark made here and now would hold, with code and environment.

    Opens no session and writes nothing. What cannot be told is None, with its reason in
    ``unknown``.

    Args:
        artifact_type: As in a birthmark.

    Returns:
        The birthmark's fields, and beside them ``code`` (counts, changed files) and
        ``environment`` (the origin's seven keys first).
    """
    return _native.capture(
        anchor=_talk.anchor(),
        script=_talk.running_script(),
        interpreter=_talk.interpreter(),
        artifact_type=artifact_type,
    )


def read(path: str | os.PathLike[str], line: int | None = None) -> dict[str, Any] | None:
    """Return the birthmark of a file, folder, or one record (``line``, from 1).

    Of a JSONL file without ``line``, that of its first record. None when there is none.

    Args:
        path: The file or folder. A sidecar beside it counts.
        line: The record's line in a JSONL file, from 1.

    Raises:
        StoreError: If the file cannot be read.
        DamagedError: If it is not what its name says.
    """
    return _native.read(os.fspath(path), line)


def trace(
    artifact: str | os.PathLike[str], *, stores: Iterable[str | os.PathLike[str]] = ()
) -> dict[str, Any]:
    """Return where an artifact came from and what came of it, as ``birthmark trace --json``.

    Args:
        artifact: A file or folder, whatever it is called by now; ``FILE:LINE``; the beginning
            of a digest; a session.
        stores: Other stores to ask: artifacts folders or projects.

    Returns:
        ``nodes`` (artifacts and runs) and the ``edges`` between them, each from the later to
        the earlier; ``roots``, ``up`` and ``down`` hold names of nodes.

    Raises:
        UsageError: If nothing here tells of it.
    """
    return _native.trace(os.fspath(artifact), [os.fspath(store) for store in stores])


def digest_file(path: str | os.PathLike[str], algorithm: str = "blake3") -> str:
    """Return the digest ``blake3:<hex>`` of a file, or the tree digest of a folder.

    A file that has not changed since its digest was last asked for is not read again.

    Args:
        path: The file or folder.
        algorithm: ``"blake3"``, or ``"sha256"`` for a file, as model hubs and Git LFS name it.

    Raises:
        OSError: If it cannot be read, or changed while it was read.
    """
    return _native.digest_file(os.fspath(path), algorithm)


def hf_features(*paths: str | os.PathLike[str]) -> Any:
    """Return the ``features`` with which ``datasets`` loads stamped files of any sessions.

        load_dataset("json", data_files=files, features=bm.hf_features(*files))

    Args:
        paths: Stamped JSONL files.

    Two files may differ in their params, or in which fields are null; inferred types
    then clash. Here ``metadata`` is one JSON column, and all other columns are inferred from
    the records of all the files.

    Raises:
        ImportError: If Hugging Face ``datasets`` is not installed.
    """
    from .integrations.datasets import features

    return features([os.fspath(path) for path in paths])


def TrainerCallback(  # noqa: N802 - a class to users
    artifact_type: str = "model", *, digest_rate: int | None = 256_000_000, **fields: Any
) -> Any:
    """Return a callback for a trainer of transformers, TRL or accelerate.

        trainer = Trainer(..., callbacks=[bm.TrainerCallback()])

    Each checkpoint becomes an artifact with its step, the arguments of the training as params,
    and the model that was trained as input. It is recorded at once and digested beside the
    training, after all its shards are there; what rotation deletes is *removed*, not
    *missing*. The open session is used, or one begun for the training. Only rank 0 acts, and no
    fault of ours reaches the trainer.

    Args:
        artifact_type: ``"model"`` or your own.
        digest_rate: Checkpoints are read at most at so many bytes a second while the training
            goes on, and as fast as can be after its end; None for no bound.
        fields: More fields for each birthmark, such as ``inputs=["data/train.jsonl"]``.
    """
    from .integrations.trainer import callback

    return callback(artifact_type, digest_rate, **fields)
