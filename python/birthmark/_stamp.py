"""Files that other tools write: stamped after, or in the one call that writes them.

Nothing here imports pandas, Polars, pyarrow, datasets, torch or safetensors: they are
imported by whoever made the object, or when a function that needs one is called.

Those that write take the fields of :meth:`Session.add`, whether a session is open or not; other
options of :func:`stamp` are refused, since they are about a file that is there already.
"""

from __future__ import annotations

import os

from . import _native, _talk
from ._session import _given, _of_files, _paths, current
from .errors import ArtifactExistsError, BirthmarkError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from ._session import _Paths


#: Options of `stamp` for a file that is there: who writes it settles them.
_SETTLED = ("out", "in_place", "on_existing", "force", "quarantine", "longest_line")


def stamp(
    path: str | os.PathLike[str],
    artifact_type: str = "artifact",
    *,
    out: str | os.PathLike[str] | None = None,
    in_place: bool = False,
    on_existing: str = "error",
    force: bool = False,
    quarantine: str | os.PathLike[str] | None = None,
    sha256: bool = False,
    longest_line: int | None = None,
    set_file: _Paths = (),
    model_provenance: str | os.PathLike[str] | None = None,
    inputs: Any = None,
    dataset: Any = None,
    models: dict[str, Any] | None = None,
    params: Any = None,
    provenance: Any = None,
    **own: Any,
) -> dict[str, Any]:
    """Stamp a file or folder that is there already, as ``birthmark stamp`` does.

    What it says was asserted, not observed, and ``declared`` in the birthmark lists it.

    Args:
        path: The file or folder.
        artifact_type: ``"training_data"``, ``"evaluation"``, ``"model"``, ``"dataset"`` or your
            own.
        out: Write a stamped copy there; an existing file is refused without ``force``.
        in_place: Write into the file itself (JSON, JSONL, Parquet, safetensors). Without
            ``out`` and ``in_place`` a sidecar ``<path>.birthmark.json`` is written.
        on_existing: Where there is one already: ``"error"``, ``"merge"``, ``"replace"``, ``"keep"``.
        force: Overwrite ``out``; stamp in place what a session recorded, or what has other
            names, too (hard links).
        quarantine: Set lines that are no records aside into this file, byte for byte, instead of
            stopping at the first. It is not made where there is none; ``set_aside`` in the answer
            tells how many there were, and of the first ones where and why.
        sha256: Put SHA-256 into the sidecar too, for tools that know no BLAKE3.
        longest_line: Take lines of up to so many bytes, 64 MiB where nothing is said; each takes
            twice that of memory.
        set_file: Fields from a JSON, TOML or YAML file, or from several: a later one counts over
            the one before, and what is said here over all of them.
        model_provenance: What the model's loader said of itself: a JSON file.
        inputs: What it was made from: a path, name or dict, or a list of them.
        dataset: A path or dict; size, digest and last commit are filled in.
        models: Role to model: name, path or None.
        params: What was chosen, as for :meth:`Session.jsonl`.
        provenance: Of the model, as for :meth:`Session.jsonl`.
        own: More fields for the birthmark.

    Returns:
        What was done: ``wrote``, ``records``, ``metadata`` and so on; ``breaks`` and ``cannot_tell``
        list the rules of the project's policy that it does not meet, which are said on stderr too.

    Raises:
        UsageError: If it is not there, cannot carry a birthmark within, has one already, has
            several names (hard links) and shall be stamped in place, if a line of it is no
            record, or a file of fields holds none: then nothing was changed.
        ValueError: If ``out`` and ``in_place`` are both said, or ``longest_line`` is no size.
        ArtifactExistsError: If ``out`` or ``quarantine`` is there.
        StoreError: If it cannot be read or written.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(_no_path(path))
    if out is not None and in_place:
        raise ValueError("out writes a copy and in_place the file itself: say one of them")
    if longest_line is not None and longest_line < 1:
        raise ValueError(f"no line is {longest_line} bytes long")
    given, reasons = _given(
        provenance, params, own, inputs=inputs, dataset=dataset, models=models
    )
    stamped, unmet = _native.stamp(
        os.fspath(path),
        artifact_type=artifact_type,
        given=given,
        reasons=reasons,
        out=None if out is None else os.fspath(out),
        in_place=in_place,
        on_existing=on_existing,
        force=force,
        quarantine=None if quarantine is None else os.fspath(quarantine),
        sha256=sha256,
        longest_line=longest_line,
        set_file=_paths(set_file),
        model_provenance=None if model_provenance is None else os.fspath(model_provenance),
        argv=_talk.argv(),
    )
    talk = _talk.talker()
    if talk is not None:
        for line in unmet:
            talk(f"birthmark: {line}")
    return stamped


def _no_path(value: object) -> str:
    """Say what is done with an object that is no path."""
    kind = type(value).__name__
    return (
        f"bm.stamp takes the path of a file that is there, not {kind}: bm.to_parquet(frame, path) "
        "and bm.to_jsonl(frame, path) write a table and stamp it, bm.stamp_dataset a dataset, "
        "bm.stamp_batch records in memory"
    )


def to_parquet(
    frame: Any,
    path: str | os.PathLike[str],
    artifact_type: str = "dataset",
    *,
    mode: str = "x",
    rows: bool = False,
    writer: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Write a table to Parquet, born with its birthmark among the file's key-values.

    Args:
        frame: A pandas or Polars frame, a pyarrow table, or a Hugging Face ``Dataset``.
        path: The file, which must end in ``.parquet``.
        artifact_type: ``"dataset"``, ``"training_data"`` or your own.
        mode: ``"x"`` refuses an existing file, before any work; ``"w"`` replaces it.
        rows: Also put a column ``metadata`` into each row: the birthmark as JSON. The table is
            then written by pyarrow.
        writer: Arguments for the library that writes, such as ``{"compression": "zstd"}``.
        fields: As for :meth:`Session.add`: ``inputs``, ``params``, ``set_file``, your own.

    Returns:
        The file.

    Raises:
        ArtifactExistsError: If the file is there and the mode is ``"x"``.
        TypeError: If ``frame`` is none of these.
        UsageError: If the name does not end so, or a field is reserved or of the wrong type.
    """
    options = dict(writer or {})

    def write(temporary: str) -> None:
        table = frame
        if rows:
            table = _with_rows(frame, artifact_type, fields)
        family = _family(table)
        if family == "pyarrow":
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, temporary, **options)
        elif family == "polars":
            table.write_parquet(temporary, **options)
        else:
            table.to_parquet(temporary, **options)

    _family(frame)
    return _born(path, artifact_type, mode, ".parquet", write, fields)


def to_jsonl(
    frame: Any,
    path: str | os.PathLike[str],
    artifact_type: str = "training_data",
    *,
    mode: str = "x",
    on_existing: str = "merge",
    **fields: Any,
) -> Path:
    """Write the rows of a table as JSONL, each born with its birthmark.

    Rows that carry a birthmark already (what was read from a stamped file, filtered and sorted) are
    written as by :meth:`Records.write`: the older one stays under ``metadata``, ours goes under
    ``birthmark``, and says of model and params what the older one says, where nothing is given.

    Args:
        frame: A pandas or Polars frame, a pyarrow table, or a Hugging Face ``Dataset``. Values are
            spelled as by :meth:`Records.write`, floats with all their digits and times as
            ``isoformat`` has them; what is missing in a pandas frame is ``null``, and its index is
            left out (``frame.reset_index()`` makes it a column).
        path: The file: ``.jsonl``, or packed ``.jsonl.gz`` or ``.jsonl.zst``.
        artifact_type: ``"training_data"``, ``"dataset"`` or your own.
        mode: ``"x"`` refuses an existing file, before any work; ``"w"`` replaces it.
        on_existing: What becomes of birthmarks and ``metadata`` that rows have: ``"merge"`` keeps
            them beside ours, ``"replace"`` takes the older birthmark out, ``"keep"`` leaves such
            rows as they are, ``"error"`` writes nothing.
        fields: As for :meth:`Session.add`: ``inputs``, ``params``, ``set_file``, your own.

    Returns:
        The file.

    Raises:
        ArtifactExistsError: If the file is there and the mode is ``"x"``.
        TypeError: If ``frame`` is none of these, or holds what has no obvious form in JSON, such as
            bytes or a span of time.
        UsageError: If the name does not end so, or a field is reserved or of the wrong type.
        ValueError: If two columns have one name, or ``on_existing`` is none of the four words.
    """
    family = _family(frame)
    _check_existing(on_existing)
    if len(frame) == 0 and current() is None:
        raise UsageError(
            f"cannot stamp `{os.fspath(path)}`: the table has no row that could carry a birthmark",
            "empty",
            "write it within `with bm.session():`, which keeps it, or with bm.to_parquet",
        )

    def write(temporary: str) -> None:
        if family == "polars":
            frame.write_ndjson(temporary)
        else:
            from ._rows import write_rows

            write_rows(frame, family, temporary)

    endings = (".jsonl", ".ndjson", ".gz", ".zst")
    return _born(path, artifact_type, mode, endings, write, fields, on_existing)


def stamp_dataset(
    dataset: Any,
    path: str | os.PathLike[str],
    artifact_type: str = "dataset",
    *,
    mode: str = "x",
    on_existing: str = "merge",
    **fields: Any,
) -> Path:
    """Write a Hugging Face ``Dataset`` (or a frame), born with its birthmark.

    Args:
        dataset: The dataset. Its name, split and fingerprint go into the birthmark.
        path: ``.parquet``, ``.jsonl``, ``.jsonl.gz`` or ``.jsonl.zst``.
        artifact_type: ``"dataset"``, ``"training_data"`` or your own.
        mode: ``"x"`` refuses an existing file, before any work; ``"w"`` replaces it.
        on_existing: What becomes of birthmarks that rows of JSONL carry, as for :func:`to_jsonl`.
        fields: As for :meth:`Session.add`.

    Returns:
        The file.

    Raises:
        ArtifactExistsError: If the file is there and the mode is ``"x"``.
        TypeError: If ``dataset`` is none of these.
        ValueError: If ``on_existing`` is none of the four words.
    """
    _check_existing(on_existing)
    fingerprint = getattr(dataset, "_fingerprint", None)
    if fingerprint and "fingerprint" not in fields:
        fields["fingerprint"] = str(fingerprint)
    split = getattr(dataset, "split", None)
    if split is not None and "split" not in fields:
        fields["split"] = str(split)
    if os.fspath(path).endswith(".parquet"):
        return to_parquet(dataset, path, artifact_type, mode=mode, **fields)
    return to_jsonl(
        dataset, path, artifact_type, mode=mode, on_existing=on_existing, **fields
    )


def torch_save(
    obj: Any,
    path: str | os.PathLike[str],
    artifact_type: str = "model",
    *,
    saver: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """``torch.save``, whole or not at all, with a birthmark beside the file.

    Args:
        obj: What is saved.
        path: The file; one that is there is replaced, as by ``torch.save``.
        artifact_type: ``"model"`` or your own.
        saver: Arguments for ``torch.save``.
        fields: As for :meth:`Session.add`.
    """
    import torch

    _check(fields)
    with _beside(path) as temporary:
        torch.save(obj, temporary, **(saver or {}))
        os.replace(temporary, path)
    return _noted(path, artifact_type, fields)


def save_file(
    tensors: dict[str, Any],
    path: str | os.PathLike[str],
    artifact_type: str = "model",
    *,
    metadata: dict[str, str] | None = None,
    mode: str = "w",
    **fields: Any,
) -> Path:
    """``safetensors``' ``save_file``, with the birthmark in the file's own metadata.

    Args:
        tensors: Names to tensors, of torch or numpy.
        path: The file, which must end in ``.safetensors``.
        artifact_type: ``"model"`` or your own.
        metadata: As for ``save_file``; kept beside the birthmark.
        mode: ``"x"`` refuses an existing file, before any work; ``"w"`` replaces it.
        fields: As for :meth:`Session.add`.
    """
    kinds = {type(tensor).__module__.split(".")[0] for tensor in tensors.values()}
    try:
        if kinds <= {"numpy"}:
            from safetensors.numpy import save_file as save
        else:
            from safetensors.torch import save_file as save
    except ModuleNotFoundError as error:
        if error.name not in ("safetensors", "torch"):
            raise
        message = f"{error.name} is not installed here: `pip install {error.name}`"
        raise ModuleNotFoundError(message, name=error.name) from None

    def write(temporary: str) -> None:
        save(tensors, temporary, metadata=metadata)

    return _born(path, artifact_type, mode, ".safetensors", write, fields)


def save_pretrained(
    model: Any,
    folder: str | os.PathLike[str],
    artifact_type: str = "model",
    *,
    also: Any = (),
    saver: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """``model.save_pretrained(folder)``, with a birthmark beside the folder.

    Args:
        model: A model of transformers or PEFT, or anything with ``save_pretrained``. The model
            that it came from is an input with the role ``base``.
        folder: The folder.
        artifact_type: ``"model"`` or your own.
        also: What else is saved into it: a tokenizer, or a list of such.
        saver: Arguments for ``save_pretrained``.
        fields: As for :meth:`Session.add`.
    """
    _check(fields)
    model.save_pretrained(os.fspath(folder), **(saver or {}))
    for one in also if isinstance(also, (list, tuple)) else [also]:
        one.save_pretrained(os.fspath(folder))
    base = base_of(model)
    if base and fields.get("inputs") is None:
        fields["inputs"] = [base]
    return _noted(folder, artifact_type, fields)


def base_of(model: Any) -> dict[str, Any] | None:
    """The model that this one came from, as an input with the role ``base``."""
    adapters = getattr(model, "peft_config", None)
    config = None
    if isinstance(adapters, dict):
        config = next(iter(adapters.values()), None)
    name = getattr(config, "base_model_name_or_path", None)
    name = name or getattr(getattr(model, "config", None), "_name_or_path", None)
    if not isinstance(name, str) or not name:
        return None
    return {"role": "base", ("file" if os.path.exists(name) else "name"): name}


def _family(frame: Any) -> str:
    """The library that a table is of, by the name of its class."""
    for kind in type(frame).__mro__:
        family = kind.__module__.split(".")[0]
        if family in ("pandas", "polars", "pyarrow", "datasets") and kind.__name__ in (
            "DataFrame",
            "Table",
            "Dataset",
        ):
            return family
    raise TypeError(
        f"cannot write this {type(frame).__name__}: pass a pandas or Polars DataFrame, a pyarrow "
        "Table or a datasets Dataset"
    )


def _with_rows(frame: Any, artifact_type: str, fields: dict[str, Any]) -> Any:
    """A pyarrow table with the birthmark in each row."""
    import json

    import pyarrow as pa

    family = _family(frame)
    if family == "pandas":
        table = pa.Table.from_pandas(frame)
    elif family == "polars":
        table = frame.to_arrow()
    elif family == "datasets":
        table = pa.concat_tables(list(frame.with_format("arrow").iter(1024)))
    else:
        table = frame
    if "metadata" in table.column_names:
        raise ValueError("the table has a column `metadata` of its own")
    session = current()
    given, reasons = _told(fields)
    if session is not None:
        mark = session._live.birthmark(artifact_type, given, reasons)
    else:
        from . import capture

        mark = {**capture(artifact_type), **given}
    text = pa.array([json.dumps(mark, separators=(",", ":"))])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * table.num_rows, pa.int32()), text)
    return table.append_column("metadata", column)


class _beside:  # noqa: N801 - used as a function
    """A temporary name beside a file, with its ending; gone at the end."""

    def __init__(self, path: str | os.PathLike[str], ending: str = "") -> None:
        folder, name = os.path.split(os.path.abspath(path))
        unique = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._path = os.path.join(folder, f".birthmark-{unique}-{name}{ending}")
        os.makedirs(folder, exist_ok=True)

    def __enter__(self) -> str:
        return self._path

    def __exit__(self, *error: object) -> None:
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass


def _born(
    path: str | os.PathLike[str],
    artifact_type: str,
    mode: str,
    endings: str | tuple[str, ...],
    write: Callable[[str], None],
    fields: dict[str, Any],
    on_existing: str = "error",
) -> Path:
    """Let a library write a file beside the target, and put it there with its birthmark."""
    from pathlib import Path

    target = os.fspath(path)
    _check(fields, "sha256")
    if mode not in ("x", "w"):
        raise ValueError(f'mode must be "x" or "w", not {mode!r}')
    if not target.endswith(endings) or not _native.carries_within(target):
        wanted = endings if isinstance(endings, str) else endings[0]
        raise UsageError(
            f"the name of `{target}` does not say what it is", "no-format", f"let it end in {wanted}"
        )
    if mode == "x" and os.path.lexists(target):
        raise ArtifactExistsError(
            f"`{target}` is there already", "file-exists", 'say mode="w" to replace it'
        )
    plain = target
    for packed in (".gz", ".zst"):
        plain = plain.removesuffix(packed)
    ending = os.path.splitext(plain)[1]
    with _beside(target, ending) as temporary:
        write(temporary)
        session = current()
        try:
            if session is not None:
                given, reasons = _told(fields)
                session._live.seal(temporary, target, artifact_type, given, reasons, on_existing)
            else:
                replaces, how = mode == "w", on_existing
                stamp(temporary, artifact_type, out=target, force=replaces, on_existing=how, **fields)
        except BirthmarkError as error:
            # Nobody ever named the file beside it.
            said = error.message.replace(temporary, target)
            raise type(error)(said, error.code, error.hint) from None
    return Path(target)


def _check_existing(word: str) -> None:
    if word not in ("error", "merge", "replace", "keep"):
        raise ValueError(f'on_existing must be "error", "merge", "replace" or "keep", not {word!r}')


def _noted(path: str | os.PathLike[str], artifact_type: str, fields: dict[str, Any]) -> Path:
    """Give what was written a sidecar: by the session that is open, else by a stamp."""
    from pathlib import Path

    session = current()
    if session is not None:
        session.add(path, artifact_type, **fields)
    else:
        stamp(path, artifact_type, on_existing="replace", **fields)
    return Path(path)


def _check(fields: dict[str, Any], *more: str) -> None:
    """Refuse, before anything is written, what would else be taken for a field of that name, and
    files of fields that hold none.
    """
    for name in (*_SETTLED, *more):
        if name in fields:
            why = "SHA-256 goes into a sidecar" if name == "sha256" else "it is of bm.stamp alone"
            raise TypeError(f"{name}= is no argument here: {why}")
    _of_files(fields.get("set_file", ()), fields.get("model_provenance"))


def _told(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    own = dict(fields)
    files = _of_files(own.pop("set_file", ()), own.pop("model_provenance", None))
    params, provenance = own.pop("params", None), own.pop("provenance", None)
    filled = {name: own.pop(name, None) for name in ("inputs", "dataset", "models")}
    given, reasons = _given(provenance, params, own, **filled)
    return {**files, **given}, reasons
