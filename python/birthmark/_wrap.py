"""Thin wrappers round what sets seeds and what loads models and datasets by name.

Purpose: a wrapper round each seed setter of ``random``, ``numpy``, ``torch`` and ``transformers``, and
round what every ``from_pretrained`` and ``load_dataset`` comes through (see ``_loads``); put in
when it is started, or when the library is imported later, and taken out when it is stopped.

Invariants: a wrapper hands everything on and raises what the function raises; what fails on our
side is never seen. Libraries that the script does not use are not imported. A wrapper that
somebody kept notes nothing once it was stopped. Only the standard library is used: under
``birthmark run`` this file is given to Pythons that have no Birthmark (see ``crates/birthmark/src/run/python``).

Limits: a seed setter that was taken out of its module before (``from random import seed``) is not
wrapped; the loaders are, since it is what they call.
"""

from __future__ import annotations

import sys

from ._loads import LOADERS, Loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

#: Module to the seed setters in it, and the module that shows them under another name.
SETTERS = {
    "random": ("seed",),
    "numpy.random": ("seed", "default_rng"),
    "torch": ("manual_seed",),
    "transformers.trainer_utils": ("set_seed",),
}
_SHOWN_IN = {"transformers.trainer_utils": "transformers"}


class Wrappers:
    """The wrappers, and what they noted."""

    def __init__(self) -> None:
        self.seeds: dict[str, Any] = {}
        self.loads = Loads()
        self._undo: list[tuple[Any, str, Any, Any]] = []
        self._finder = _Finder(self)
        self._on = False

    def start(self) -> None:
        self._on = True
        for name in (*SETTERS, *LOADERS):
            module = sys.modules.get(name)
            if module is not None:
                self.wrap(module)
        sys.meta_path.insert(0, self._finder)

    def stop(self) -> None:
        self._on = False
        self._take_out()

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
        for name in SETTERS.get(module.__name__, ()):
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

    def note_seed(self, called: str, seed: Any) -> None:
        """Take up a seed that was set; the last one counts."""
        self.seeds[called] = seed

    def _put(self, owner: Any, name: str, wrapper: Any, original: Any) -> None:
        setattr(owner, name, wrapper)
        self._undo.append((owner, name, wrapper, original))

    def _noting_seed(self, called: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def setter(*args: Any, **kwargs: Any) -> Any:
            try:
                seed = args[0] if args else next(iter(kwargs.values()), None)
                # A generator without a seed of its own sets none.
                if self._on and not (seed is None and called.endswith("default_rng")):
                    self.note_seed(called, seed if type(seed) in (int, float, str, type(None)) else repr(seed)[:200])
            except Exception:  # noqa: BLE001 - never the script's business
                pass
            return original(*args, **kwargs)

        wrapper = _like(setter, original)
        # It is pickled by the place that it stands in, so that workers get their own.
        wrapper.__module__, _, wrapper.__qualname__ = called.rpartition(".")
        if hasattr(original, "__self__"):
            wrapper.__self__ = original.__self__
        return wrapper

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

    def __init__(self, watch: Wrappers) -> None:
        self._watch = watch
        # Two of a kind, of a session within a command that is watched too, ask each other.
        self._looking: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if (name not in SETTERS and name not in LOADERS) or name in self._looking:
            return None
        self._looking.add(name)
        try:
            spec = self._found(name, path, target)
        finally:
            self._looking.discard(name)
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
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                return spec
        return None
