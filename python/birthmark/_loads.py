"""Models and datasets as a script loads them: the names and revisions that it asked for.

Purpose: to tell what each call of a loader was asked for, and where that lies, so that lineage
has the name beside the digest, and has a dataset also where it comes from a cache that no hook sees.

Invariants: only the outermost call counts (a processor loads its tokenizer); a name is told as it
was called with, and a revision as resolved only where the cache says so. Nothing is imported.

Limits: what is wrapped is what all loaders of a library come through, so a library that loads in
another way is seen by the files that it opens.
"""

from __future__ import annotations

import os
import sys
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Module to what is wrapped in it, each with what it loads; ``*`` is every class of the module's own.
LOADERS = {
    "transformers.modeling_utils": (("PreTrainedModel.from_pretrained", "model"),),
    "transformers.tokenization_utils_base": (("PreTrainedTokenizerBase.from_pretrained", "tokenizer"),),
    "transformers.processing_utils": (("ProcessorMixin.from_pretrained", "processor"),),
    "transformers.models.auto.modeling_auto": (("*.from_pretrained", "model"),),
    "transformers.models.auto.tokenization_auto": (("AutoTokenizer.from_pretrained", "tokenizer"),),
    "transformers.models.auto.processing_auto": (("AutoProcessor.from_pretrained", "processor"),),
    "diffusers.pipelines.pipeline_utils": (("DiffusionPipeline.from_pretrained", "model"),),
    "peft.peft_model": (("PeftModel.from_pretrained", "adapter"),),
    "datasets.load": (("load_dataset_builder", "builder"),),
    "datasets.builder": (
        ("DatasetBuilder.as_dataset", "built"),
        ("DatasetBuilder.as_streaming_dataset", "built"),
    ),
    "datasets.arrow_dataset": (("Dataset.load_from_disk", "disk"),),
    "datasets.dataset_dict": (("DatasetDict.load_from_disk", "disk"),),
}
#: Calls that are told, at most.
_MOST = 1000
_HEX = frozenset("0123456789abcdef")


class Loads:
    """What was loaded in one session."""

    def __init__(self) -> None:
        self._told: dict[Any, dict[str, Any]] = {}
        # Each builder with what it was asked for, held so that no other takes its place.
        self._asked: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._inside = _local()

    def enter(self, kind: str) -> bool:
        """Go into a loader; whether it is the outermost of its library in this thread."""
        library = _library(kind)
        outermost = not getattr(self._inside, library, False)
        setattr(self._inside, library, True)
        return outermost

    def leave(self, kind: str, outermost: bool) -> None:
        """Come out of a loader."""
        if outermost:
            setattr(self._inside, _library(kind), False)

    def note(self, kind: str, path: str, args: Any, kwargs: Any, result: Any) -> None:
        """Take up a call that has come back. Never raises."""
        try:
            if kind == "builder":
                if len(self._asked) < _MOST:
                    self._asked[id(result)] = (result, _asked_of_builder(args, kwargs))
            elif kind == "built":
                self._built(args[0], kwargs, path)
            elif kind == "disk":
                self._from_disk(args, kwargs, path)
            else:
                self._pretrained(kind, args, kwargs, result)
        except Exception:  # noqa: BLE001 - never the script's business
            pass

    def told(self) -> list[dict[str, Any]]:
        """Every call, each once, as the session records it."""
        self._asked.clear()
        return list(self._told.values())

    def _tell(self, load: dict[str, Any]) -> dict[str, Any] | None:
        """Take a load up; what is now known of it, unless there are too many."""
        load = {name: value for name, value in load.items() if value not in (None, [], "")}
        key = (load.get("name"), load.get("revision"), load.get("asked_revision"), tuple(load.get("files", ())))
        known = self._told.get(key)
        if known is None:
            if len(self._told) >= _MOST:
                return None
            self._told[key] = load
            return load
        # The weights say what it was, not the tokenizer that was loaded with them.
        if load["role"] == "model":
            known["role"] = "model"
        for word in load["called"]:
            if word not in known["called"]:
                known["called"].append(word)
        for name, value in load.items():
            known.setdefault(name, value)
        return known

    # -- from_pretrained

    def _pretrained(self, kind: str, args: Any, kwargs: Any, result: Any) -> None:
        # A class method: the class comes first. An adapter is loaded onto a model.
        place = 2 if kind == "adapter" else 1
        name = args[place] if len(args) > place else _first(kwargs, "pretrained_model_name_or_path", "model_id")
        if name is None or not isinstance(name, (str, os.PathLike)):
            return
        name = os.fspath(name)
        asked = kwargs.get("revision")
        load: dict[str, Any] = {
            "role": kind,
            "called": [f"{args[0].__name__}.from_pretrained"],
            "subfolder": kwargs.get("subfolder") or None,
        }
        if os.path.exists(name):
            load["files"] = [os.path.abspath(name)]
        else:
            config = getattr(result, "config", None)
            found = getattr(config, "_commit_hash", None)
            revision, folder = _in_hub_cache(name, found or asked, kwargs.get("cache_dir"))
            load.update(name=name, revision=revision, files=folder and [folder])
            load["asked_revision"] = asked if asked != revision else None
        self._tell(load)

    # -- datasets

    def _built(self, builder: Any, kwargs: Any, path: str) -> None:
        asked = self._asked.get(id(builder), (None, {}))[1]
        called = "datasets.load_dataset" if asked else f"{type(builder).__name__}.{path.rsplit('.', 1)[-1]}"
        config = builder.config
        split = kwargs.get("split")
        cache = getattr(builder, "cache_dir", None)
        load: dict[str, Any] = {
            "role": "dataset",
            "called": [called],
            "split": None if split is None else str(split),
            "config": None if config.name == "default" else config.name,
            "cached_in": cache if isinstance(cache, str) and os.path.isdir(cache) else None,
        }
        files = _data_files(config)
        local = [os.path.abspath(file) for file in files if "://" not in file]
        if local and len(local) == len(files):
            load.update(files=local)
        else:
            name = asked.get("path") or getattr(builder, "repo_id", None)
            if name is None:
                return
            load.update(name=name, files=load.pop("cached_in") and [cache])
            revision = getattr(builder, "hash", None)
            load["revision"] = revision if _is_commit(revision) else None
            wanted = asked.get("revision")
            load["asked_revision"] = str(wanted) if wanted is not None and wanted != revision else None
        self._tell(load)

    def _from_disk(self, args: Any, kwargs: Any, path: str) -> None:
        place = args[0] if args else _first(kwargs, "dataset_path", "dataset_dict_path")
        place = os.fspath(place)
        if os.path.isdir(place):
            self._tell({"role": "dataset", "called": [f"datasets.{path}"], "files": [os.path.abspath(place)]})


def _library(kind: str) -> str:
    return "datasets_builder" if kind == "builder" else "datasets" if kind in ("built", "disk") else "hub"


def _first(kwargs: Any, *names: str) -> Any:
    return next((kwargs[name] for name in names if name in kwargs), None)


def _asked_of_builder(args: Any, kwargs: Any) -> dict[str, Any]:
    path = args[0] if args else kwargs.get("path")
    return {"path": None if path is None else os.fspath(path), "revision": kwargs.get("revision")}


def _data_files(config: Any) -> list[str]:
    """The files of every split, as the builder resolved them."""
    found = getattr(config, "data_files", None)
    if not found:
        return []
    lists = found.values() if hasattr(found, "values") else [found]
    files: list[str] = []
    for one in lists:
        files.extend([one] if isinstance(one, str) else [os.fspath(file) for file in one])
    return files


def _is_commit(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 40 and set(text) <= _HEX


def _in_hub_cache(name: str, revision: Any, cache: Any) -> tuple[str | None, str | None]:
    """The commit that a revision of a hub's model is, and where it lies; as the cache says it."""
    if cache is None:
        constants = sys.modules.get("huggingface_hub.constants")
        cache = getattr(constants, "HF_HUB_CACHE", None)
    if cache is None:
        return (revision if _is_commit(revision) else None), None
    place = os.path.join(os.fspath(cache), "models--" + name.replace("/", "--"))
    commit = revision
    if not _is_commit(revision):
        try:
            with open(os.path.join(place, "refs", str(revision or "main"))) as file:
                commit = file.read(64).strip()
        except OSError:
            return None, None
    if not _is_commit(commit):
        return None, None
    folder = os.path.join(place, "snapshots", commit)
    return commit, folder if os.path.isdir(folder) else None
