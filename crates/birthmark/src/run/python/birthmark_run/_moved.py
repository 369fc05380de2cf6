"""Modules of other repositories, found where a reproduction laid their code out.

Purpose: what Python finds below a repository's old place, by whatever way (``PYTHONPATH``, an editable
installation, a path that the script puts in by itself), is taken from the new place instead.
What it finds nowhere is looked for in the folders that modules were imported from then.

Limits: what is not in the code of then (a compiled extension that git ignores) is taken from the old
place; so are files of the other repository that a script opens by their path.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location


class _Moved:
    def __init__(self, roots):
        self._roots = [(os.path.realpath(old), new) for old, new in roots]

    def find_spec(self, name, path=None, target=None):
        finders = list(sys.meta_path)
        for finder in finders[finders.index(self) + 1 :]:
            find = getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                return self._turned(name, spec)
        return None

    def _turned(self, name, spec):
        places = spec.submodule_search_locations
        turned = None if places is None else [self._there(place) or place for place in places]
        origin = self._there(spec.origin) if spec.has_location and spec.origin else None
        if origin is not None:
            return spec_from_file_location(name, origin, submodule_search_locations=turned)
        if not spec.has_location and turned is not None and turned != list(places):
            found = ModuleSpec(name, None, is_package=True)
            found.submodule_search_locations = turned
            return found
        return spec

    def _there(self, place):
        """Where what lies below an old root lies now, if it does: a build or an environment in it does not."""
        real = os.path.realpath(place)
        for old, new in self._roots:
            if real == old or real.startswith(old + os.sep):
                there = new + real[len(old) :]
                return there if os.path.exists(there) else None
        return None


class _Fallback:
    """Looks where modules were imported from then, after everything else."""

    def __init__(self, folders):
        self._folders = folders

    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, self._folders) if path is None else None


def move(told):
    sys.meta_path.insert(0, _Moved(told["roots"]))
    sys.meta_path.append(_Fallback(told["folders"]))
