"""Thin wrappers round what sets seeds and what loads models and datasets by name.

Purpose: a wrapper round each seed setter of ``random``, ``numpy``, ``torch`` and ``transformers``, and
round what every ``from_pretrained`` and ``load_dataset`` comes through (see ``_loads``); put in
when it is started, or when the library is imported later, and taken out when it is stopped.

Invariants: a wrapper hands everything on and raises what the function raises; what fails on our
side is never seen. Libraries that the script does not use are not imported. A wrapper that
somebody kept notes nothing once it was stopped. Only the standard library is used: under
``birthmark run`` this file is given to Pythons that have no Birthmark (see ``crates/birthmark/src/run/python``).

Of what makes a generator (``default_rng``, ``random.Random``) each seed counts, of what sets the seed of
one for all the last. A library that makes generators of its own while it is imported (scipy does) sets no
seed of the script's, nor does who hands a generator on.

Limits: a seed setter that another module than the script took out of its own before (``from random import
seed``) is not wrapped; the loaders are, since it is what they call. Generators that are classes of C
(``RandomState``, ``PCG64``, ``torch.Generator``) are left alone, and their seeds are not known.
"""

from __future__ import annotations

import os
import sys
from operator import index

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
#: What makes a generator each time that it is called: all of their seeds count.
_MAKERS = frozenset(["numpy.random.default_rng", "random.Random"])
#: Folders of what is installed, and that of the standard library.
_LIBRARIES = ("site-packages", "dist-packages")
_STANDARD = os.__file__.rpartition("/")[0] + "/"
#: At most so many of them.
_MOST_SEEDS = 32


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
                script = sys.modules.get("__main__")
                for taken in [] if script is None else [*vars(script)]:
                    if vars(script).get(taken) is original:
                        self._put(script, taken, wrapper, original)
        if module.__name__ == "random":
            self._wrap_random(module)
        for path, kind in LOADERS.get(module.__name__, ()):
            for owner, name in _owners(module, path):
                original = vars(owner).get(name)
                wrapper = self._around(path, kind, original)
                if wrapper is not None:
                    self._put(owner, name, wrapper, original)

    def _wrap_random(self, module: ModuleType) -> None:
        """``random.Random`` is a class of Python's own: what is given to its ``__init__`` is noted."""
        original = vars(module.Random).get("__init__")
        if original is None:
            return

        def __init__(generator: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                seed = args[0] if args else kwargs.get("x")
                if self._on and seed is not None and not isinstance(generator, module.SystemRandom):
                    self.note_maker("random.Random", seed)
            except Exception:  # noqa: BLE001 - never the script's business
                pass
            return original(generator, *args, **kwargs)

        self._put(module.Random, "__init__", _like(__init__, original), original)

    def note_seed(self, called: str, seed: Any) -> None:
        """Take up a seed that was set."""
        self.seeds[called] = self._joined(called, seed)

    def note_maker(self, called: str, given: Any) -> None:
        """Take up the seed of a generator, where it was given one and by no import of a library."""
        seed = _of_generator(given)
        if seed is not None and not self._is_known(called, seed) and not _within_an_import():
            self.note_seed(called, seed)

    def _is_known(self, called: str, seed: Any) -> bool:
        known = self.seeds.get(called)
        return known is not None and (seed == known or (type(known) is list and seed in known))

    def _joined(self, called: str, seed: Any) -> Any:
        """The last one; of generators all of them, a list where they are several."""
        if called not in _MAKERS or called not in self.seeds:
            return seed
        known = self.seeds[called]
        known = known if type(known) is list else [known]
        if seed not in known and len(known) < _MOST_SEEDS:
            known = [*known, seed]
        return known if len(known) > 1 else known[0]

    def _put(self, owner: Any, name: str, wrapper: Any, original: Any) -> None:
        setattr(owner, name, wrapper)
        self._undo.append((owner, name, wrapper, original))

    def _noting_seed(self, called: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def setter(*args: Any, **kwargs: Any) -> Any:
            try:
                seed = args[0] if args else next(iter(kwargs.values()), None)
                if self._on and called in _MAKERS:
                    self.note_maker(called, seed)
                elif self._on:
                    self.note_seed(called, _plain(seed))
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


def _plain(seed: Any) -> Any:
    if type(seed) in (int, float, str, type(None)):
        return seed
    try:
        return index(seed)  # a number of numpy's, or a bool
    except TypeError:
        return repr(seed)[:200]


def _of_generator(given: Any) -> Any:
    """The seed that a generator is made from; ``None`` where it is given none of its own."""
    if type(given).__module__.partition(".")[0] != "numpy":
        return _plain(given)
    # PCG64(5) and its like were made from a SeedSequence, which has the number that it began with.
    sequence = getattr(given, "seed_seq", given)
    if hasattr(sequence, "entropy"):
        return _of_sequence(_plain(sequence.entropy), tuple(sequence.spawn_key))
    # What tells of itself by its address is a generator that is handed on.
    return None if " at 0x" in repr(given) else _plain(given)


def _of_sequence(entropy: Any, spawned: tuple[Any, ...]) -> Any:
    # Without a number of one's own the system gives 128 bits, which nobody set.
    if type(entropy) is int and entropy.bit_length() > 64:
        return None
    return f"SeedSequence({entropy}, spawn_key={spawned})" if spawned else entropy


def _within_an_import() -> bool:
    """Whether a module of a library is being imported by this thread."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
            file = frame.f_code.co_filename
            return any(f"/{part}/" in file for part in _LIBRARIES) or file.startswith(_STANDARD)
        frame = frame.f_back
    return False


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
