"""What a session sees by itself: seeds that are set, models and datasets that are loaded by name.

Purpose: a thin wrapper round each seed setter of ``random``, ``numpy``, ``torch`` and ``transformers``,
and round what every ``from_pretrained`` and ``load_dataset`` comes through (see ``_loads``); put in
when the session begins, or when the library is imported later, and taken out at its end.

Invariants: a wrapper hands everything on and raises what the function raises; what fails on our
side is never seen. Libraries that the script does not use are not imported. A wrapper that
somebody kept notes nothing once the session is over.

Limits: a seed setter that was taken out of its module before the session (``from random import
seed``) is not wrapped; the loaders are, since it is what they call. What libraries open in C is
seen under ``birthmark run`` only.
"""

from __future__ import annotations

import os
import sys

from . import _native, _talk
from ._loads import LOADERS, Loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

#: Module to the seed setters in it, and the module that shows them under another name.
_SETTERS = {
    "random": ("seed",),
    "numpy.random": ("seed", "default_rng"),
    "torch": ("manual_seed",),
    "transformers.trainer_utils": ("set_seed",),
}
_SHOWN_IN = {"transformers.trainer_utils": "transformers"}
#: Modules that are loaded once processes are started that share no memory with this one; the
#: interpreter's audit events do not tell of them.
_STARTERS = (
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_forkserver",
    "joblib.externals.loky.backend.popen_loky_posix",
    "loky.backend.popen_loky_posix",
)
#: Libraries that open files in C, where the audit hook does not see them.
_IN_C = ("pyarrow", "safetensors", "xllamacpp", "llama_cpp", "h5py", "datasets", "tokenizers")


class Watch:
    """The wrappers of one session."""

    def __init__(self) -> None:
        self.seeds: dict[str, Any] = {}
        self.loads = Loads()
        self._undo: list[tuple[Any, str, Any, Any]] = []
        self._finder = _Finder(self)
        self._noted = False
        self._on = False

    def start(self) -> None:
        self._on = True
        self._noted = "BIRTHMARK_SEEN" not in os.environ and _native.watch()
        for name in (*_SETTERS, *LOADERS):
            module = sys.modules.get(name)
            if module is not None:
                self.wrap(module)
        sys.meta_path.insert(0, self._finder)

    def stop(self, session: _native.Session) -> None:
        self._on = False
        self._take_out()
        if self.seeds:
            session.record_seeds(self.seeds)
        loads = self.loads.told()
        if self._noted:
            session.record_watch(loads, readers_in_c(), _talk.module_files(), started_processes())
        elif loads:
            session.record_loads(loads)

    def _take_out(self) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for owner, name, wrapper, original in reversed(self._undo):
            # Whoever wrapped it after us keeps what he made.
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)
        self._undo.clear()

    def wrap(self, module: ModuleType) -> None:
        """Wrap what is wanted of a module that was just imported, or long ago."""
        if not self._on:
            return
        for name in _SETTERS.get(module.__name__, ()):
            original = getattr(module, name, None)
            if original is not None:
                wrapper = self._noting_seed(f"{module.__name__}.{name}", original)
                self._put(module, name, wrapper, original)
                shown = sys.modules.get(_SHOWN_IN.get(module.__name__, ""))
                if shown is not None and vars(shown).get(name) is original:
                    self._put(shown, name, wrapper, original)
        for path, kind in LOADERS.get(module.__name__, ()):
            for owner, name in _owners(module, path):
                original = vars(owner).get(name)
                wrapper = self._around(path, kind, original)
                if wrapper is not None:
                    self._put(owner, name, wrapper, original)

    def _put(self, owner: Any, name: str, wrapper: Any, original: Any) -> None:
        setattr(owner, name, wrapper)
        self._undo.append((owner, name, wrapper, original))

    def _noting_seed(self, called: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def setter(*args: Any, **kwargs: Any) -> Any:
            try:
                seed = args[0] if args else next(iter(kwargs.values()), None)
                # A generator without a seed of its own sets none.
                if self._on and not (seed is None and called.endswith("default_rng")):
                    self.seeds[called] = seed if type(seed) in (int, float, str, type(None)) else repr(seed)[:200]
            except Exception:  # noqa: BLE001 - never the script's business
                pass
            return original(*args, **kwargs)

        return _like(setter, original)

    def _around(self, path: str, kind: str, original: Any) -> Any:
        """The wrapper of a loader: a function, or a class or static method as it was."""
        static = type(original) in (classmethod, staticmethod)
        function = original.__func__ if static else original
        if not callable(function):
            return None
        loads = self.loads

        def loader(*args: Any, **kwargs: Any) -> Any:
            if not self._on:
                return function(*args, **kwargs)
            outermost = loads.enter(kind)
            try:
                result = function(*args, **kwargs)
            finally:
                loads.leave(kind, outermost)
            if outermost:
                loads.note(kind, path, args, kwargs, result)
            return result

        wrapper = _like(loader, function)
        return type(original)(wrapper) if static else wrapper


def _owners(module: ModuleType, path: str) -> list[tuple[Any, str]]:
    """What holds the function of a path, and its name there."""
    owner, _, name = path.rpartition(".")
    if owner == "*":
        classes = [one for one in vars(module).values() if isinstance(one, type)]
        return [(one, name) for one in classes if one.__module__ == module.__name__]
    holder = getattr(module, owner, None) if owner else module
    return [] if holder is None else [(holder, name)]


def _like(wrapper: Any, original: Any) -> Any:
    from functools import update_wrapper

    try:
        return update_wrapper(wrapper, original)
    except Exception:  # noqa: BLE001 - a function without the usual attributes
        return wrapper


class _Finder:
    """Wraps what is wanted of a module once it was imported; finds nothing itself."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _SETTERS and name not in LOADERS:
            return None
        spec = self._found(name, path, target)
        loader = getattr(spec, "loader", None)
        if loader is None or not hasattr(loader, "exec_module"):
            return None
        execute, watch = loader.exec_module, self._watch

        def exec_module(module: ModuleType) -> None:
            execute(module)
            try:
                watch.wrap(module)
            except Exception:  # noqa: BLE001 - the import is the script's, the wrapper ours
                pass

        try:
            loader.exec_module = exec_module
        except AttributeError:
            return None
        return spec

    def _found(self, name: str, path: Any, target: Any) -> Any:
        """As the other finders have it: an editable installation has one of its own."""
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                return spec
        return None


def readers_in_c() -> list[str]:
    """Loaded libraries whose files the audit hook does not see."""
    return [name for name in _IN_C if name in sys.modules]


def started_processes() -> bool:
    """Whether workers were started (``spawn``, ``forkserver``, loky) whose files are not seen here."""
    return any(name in sys.modules for name in _STARTERS)
