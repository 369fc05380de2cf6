"""What a session sees by itself: seeds that are set, modules that are loaded.

Purpose: a thin wrapper round each seed setter of ``random``, ``numpy``, ``torch`` and ``transformers``,
put in when the session begins, or when the library is imported later, and taken out at its end.

Invariants: a wrapper hands everything on and raises what the function raises; what fails on our
side is never seen. Libraries that the script does not use are not imported.

Limits: a function that was taken out of its module before the session (``from random import
seed``) is not wrapped. What libraries open in C is seen under ``birthmark run`` only.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder  # type: ignore[import-not-found]

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

#: Module to the seed setters in it.
_SETTERS = {
    "random": ("seed",),
    "numpy.random": ("seed",),
    "torch": ("manual_seed",),
    "transformers.trainer_utils": ("set_seed",),
}
#: Libraries that open files in C, where the audit hook does not see them.
_IN_C = ("pyarrow", "safetensors", "xllamacpp", "llama_cpp", "h5py", "datasets", "tokenizers")


class Watch:
    """The wrappers of one session."""

    def __init__(self) -> None:
        self.seeds: dict[str, Any] = {}
        self._undo: list[tuple[ModuleType, str, Any, Any]] = []
        self._finder = _Finder(self)
        self._noted = False

    def start(self) -> None:
        self._noted = "BIRTHMARK_SEEN" not in os.environ and _native.watch()
        for name in _SETTERS:
            module = sys.modules.get(name)
            if module is not None:
                self.wrap(module)
        sys.meta_path.insert(0, self._finder)

    def stop(self, session: _native.Session) -> None:
        self._take_out()
        if self.seeds:
            session.record_seeds(self.seeds)
        if self._noted:
            session.record_watch(readers_in_c(), module_files())

    def _take_out(self) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for module, name, wrapper, original in self._undo:
            # Whoever wrapped it after us keeps what he made.
            if getattr(module, name, None) is wrapper:
                setattr(module, name, original)
        self._undo.clear()

    def wrap(self, module: ModuleType) -> None:
        for name in _SETTERS.get(module.__name__, ()):
            original = getattr(module, name, None)
            if original is not None:
                wrapper = self._noting(f"{module.__name__}.{name}", original)
                setattr(module, name, wrapper)
                self._undo.append((module, name, wrapper, original))

    def _noting(self, called: str, original: Callable[..., Any]) -> Callable[..., Any]:
        from functools import update_wrapper

        def setter(*args: Any, **kwargs: Any) -> Any:
            try:
                seed = args[0] if args else next(iter(kwargs.values()), None)
                self.seeds[called] = seed if type(seed) in (int, float, str, type(None)) else repr(seed)[:200]
            except Exception:  # noqa: BLE001 - never the script's business
                pass
            return original(*args, **kwargs)

        try:
            return update_wrapper(setter, original)
        except Exception:  # noqa: BLE001 - a function without the usual attributes
            return setter


class _Finder:
    """Wraps a module's seed setters once it was imported; finds nothing itself."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _SETTERS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        loader = getattr(spec, "loader", None)
        if loader is None or not hasattr(loader, "exec_module"):
            return None
        execute, watch = loader.exec_module, self._watch

        def exec_module(module: ModuleType) -> None:
            execute(module)
            watch.wrap(module)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            return None
        return spec


def readers_in_c() -> list[str]:
    """Loaded libraries whose files the audit hook does not see."""
    return [name for name in _IN_C if name in sys.modules]


def module_files() -> list[str]:
    """The files of all modules that are loaded, but for those of the installation and ours."""
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    installed = (sys.prefix + "/lib/", sys.base_prefix + "/lib/", own)
    files = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and not file.startswith(installed):
            files.append(file)
    return files
