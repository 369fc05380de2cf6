"""What `import birthmark` costs and does: little, and nothing."""

import json
import os
import subprocess
import sys

LOOK = """
import json, os, sys, threading
before = set(sys.modules)
import birthmark
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "threads": threading.active_count(),
    "tasks": len(os.listdir("/proc/self/task")),
    "files": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}")),
    "here": os.listdir("."),
}))
"""


def look(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_import_brings_in_nothing_but_the_package(tmp_path):
    seen = look(tmp_path)
    others = {name for name in seen["modules"] if name.split(".")[0] != "birthmark"}
    # `atexit` and `_contextvars` are built in, `__future__` a page of names. Everything else waits until it is needed.
    assert others <= {"atexit", "_contextvars", "__future__"}, others
    assert not [name for name in seen["modules"] if "loaders" in name or "integrations" in name]


def test_import_starts_no_thread_and_opens_no_file(tmp_path):
    seen = look(tmp_path)
    assert seen["threads"] == seen["tasks"] == 1
    assert seen["here"] == []
    assert not [name for name in seen["files"] if "birthmark" in name]


def test_session_without_an_engine_imports_no_engine(committed):
    done = committed(
        "import birthmark as bm, sys\n"
        "with bm.session() as s:\n"
        "    with s.jsonl('artifacts/a.jsonl') as out: out.write({'a': 1}, seed=1)\n"
        "    s.report('artifacts/r.json', {})\n"
        "heavy = {'torch', 'transformers', 'numpy', 'asyncio', 'inspect', 'dataclasses', 'typing', 'json'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert done.stdout == "[]\n"


def test_import_is_quick(tmp_path):
    """Loose on purpose; the bar of 25 ms over bare Python is measured by `make bench`."""
    source = "import time; t = time.perf_counter(); import birthmark; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", source]
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    best = min(float(subprocess.check_output(command, text=True, env=env)) for _ in range(6))
    assert best < 0.1


def test_every_public_name_is_there_and_has_its_docstring():
    import birthmark as bm

    assert len(set(bm.__all__)) == len(bm.__all__)
    for name in bm.__all__:
        thing = getattr(bm, name)
        if name == "__version__":
            continue
        assert thing.__doc__, name
        for attribute, value in vars(thing).items() if isinstance(thing, type) else ():
            if callable(value) and not attribute.startswith("_"):
                assert value.__doc__, f"{name}.{attribute}"


def test_stubs_name_what_the_module_has():
    import ast
    from pathlib import Path

    from birthmark import _native

    tree = ast.parse(Path(_native.__file__).with_name("_native.pyi").read_text())

    def public(body):
        defined = (ast.FunctionDef, ast.ClassDef)
        return {node.name: node for node in body if isinstance(node, defined)}

    stubs = public(tree.body)
    there = {name for name in dir(_native) if not name.startswith("__")}
    assert set(stubs) == there
    for name, node in stubs.items():
        assert ast.get_docstring(node), name
        if isinstance(node, ast.ClassDef):
            members = public(node.body)
            members.pop("__new__", None)
            own = {one for one in vars(getattr(_native, name)) if not one.startswith("__")}
            assert set(members) == own, name
            for member, inner in members.items():
                assert ast.get_docstring(inner), f"{name}.{member}"


def test_examples_in_the_docstrings_are_true(tmp_path, monkeypatch):
    import doctest
    import importlib

    monkeypatch.chdir(tmp_path)
    tried = 0
    for name in ("birthmark", "birthmark._session", "birthmark._provenance", "birthmark._params"):
        outcome = doctest.testmod(importlib.import_module(name))
        assert outcome.failed == 0, name
        tried += outcome.attempted
    assert tried >= 4
    assert list(tmp_path.iterdir()) == []
