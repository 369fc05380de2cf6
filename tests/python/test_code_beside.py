"""Code that is imported from other repositories is kept as the script's own is."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def library(tmp_path_factory, git):
    """Another repository, dirty: a tracked module that was edited, and one that is new."""
    root = tmp_path_factory.mktemp("library")
    git("init", "--quiet", "--initial-branch=main", cwd=root)
    (root / "tool.py").write_text("VALUE = 1\n")
    git("add", ".", cwd=root)
    git("commit", "--quiet", "--message", "A library", cwd=root)
    (root / "tool.py").write_text("VALUE = 2\n")
    (root / "fresh.py").write_text("VALUE = 3\n")
    return root


LATE = """
import sys
import birthmark as bm
with bm.session() as s:
    sys.path.insert(0, {path!r})
    import tool
    assert tool.VALUE == 2
"""
EARLY = """
import sys
sys.path.insert(0, {path!r})
import tool
import birthmark as bm
with bm.session() as s:
    pass
"""


def holds(git, library, commit):
    assert git("show", f"{commit}:tool.py", cwd=library) == "VALUE = 2"
    assert git("show", f"{commit}:fresh.py", cwd=library) == "VALUE = 3"
    assert git("rev-parse", f"{commit}^", cwd=library) == git("rev-parse", "HEAD", cwd=library)


def test_a_module_that_was_loaded_before_is_kept_when_the_run_begins(repo, committed, library, store, git):
    committed(EARLY.format(path=str(library)))
    (local,) = store.events("environment_observed")[0]["environment"]["local_code"]
    assert (local["root"], local["git_dirty"], local["unknown"]) == (str(library), True, None)
    assert local["git_commit"] == git("rev-parse", "HEAD", cwd=library)
    holds(git, library, local["git_snapshot"])
    (taken,) = store.events("snapshot_taken")
    assert (taken["path"], taken["commit"]) == (str(library), local["git_snapshot"])
    modules = {one["root"]: one for one in store.events("modules_observed")}
    assert [one["file"] for one in modules[str(library)]["files"]] == ["tool.py"]
    assert "code" not in modules[str(library)], "told already"
    assert git("status", "--short", cwd=library).split() == ["M", "tool.py", "??", "fresh.py"]


def test_a_module_that_was_imported_later_is_kept_when_the_run_ends(repo, committed, library, store, git, program):
    committed(LATE.format(path=str(library)))
    assert "local_code" not in store.events("environment_observed")[0]["environment"]
    modules = {one["root"]: one for one in store.events("modules_observed")}
    code = modules[str(library)]["code"]
    assert (code["root"], code["git_dirty"]) == (str(library), True)
    holds(git, library, code["git_snapshot"])
    assert "code" not in modules["."]
    shown = subprocess.run([program, "show", "last"], capture_output=True, text=True, check=True)
    assert f"kept as snapshot {code['git_snapshot'][:7]}" in shown.stdout


@pytest.mark.parametrize("how", ["PYTHONPATH", "sys.path"])
def test_under_run_code_of_other_repositories_is_kept_once(repo, library, store, git, program, monkeypatch, how):
    if how == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(library))
        (repo / "script.py").write_text("import tool\nassert tool.VALUE == 2\n")
    else:
        (repo / "script.py").write_text(f"import sys\nsys.path.insert(0, {str(library)!r})\nimport tool\n")
    subprocess.run([program, "run", "--", sys.executable, "script.py"], check=True, timeout=120)
    if "preload" not in store.events("lineage_observed")[0]["observed_by"]:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    found = [one for one in store.events("snapshot_taken") if one["path"] == str(library)]
    assert len(found) == 1
    holds(git, library, found[0]["commit"])


def test_its_code_leaves_with_the_artifacts(repo, committed, library, store, git, program, tmp_path_factory):
    committed(LATE.format(path=str(library)))
    (taken,) = store.events("snapshot_taken")
    import shutil

    shutil.rmtree(library)
    into = tmp_path_factory.mktemp("back") / "library"
    done = subprocess.run(
        [program, "snapshot", "restore", taken["commit"], "--into", into], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name: path.read_text() for path in into.glob("*.py")} == {
        "tool.py": "VALUE = 2\n",
        "fresh.py": "VALUE = 3\n",
    }


def test_a_home_folder_that_is_a_repository_is_named_and_not_kept(repo, committed, library, store, monkeypatch):
    monkeypatch.setenv("HOME", str(library))
    committed(EARLY.format(path=str(library)))
    (local,) = store.events("environment_observed")[0]["environment"]["local_code"]
    assert (local["git_snapshot"], local["unknown"]) == (None, "a home folder is not kept")
    assert store.events("snapshot_taken") == []


def test_a_package_that_is_installed_in_place_is_kept(repo, committed, library, store, git, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("installed")
    info = place / "tool-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(
        json.dumps({"url": library.as_uri(), "dir_info": {"editable": True}})
    )
    monkeypatch.setenv("PYTHONPATH", str(place))
    committed("import birthmark as bm\nwith bm.session(): pass\n")
    (found,) = store.events("environment_observed")[0]["environment"]["editable_code"]
    assert (found["package"], found["root"]) == ("tool", str(library))
    holds(git, library, found["git_snapshot"])
