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


USES = "import json, tool, fresh\njson.dump([tool.VALUE, fresh.VALUE], open('artifacts/out.json', 'w'))\n"
INSERTS = "import sys\nsys.path.insert(0, {path!r})\n" + USES


@pytest.fixture
def reproduce(program):
    def run(*words, check=True):
        done = subprocess.run(
            [program, "reproduce", "artifacts/out.json", *words], capture_output=True, text=True, timeout=300
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def ran(repo, git, program, source, store, env=None):
    import os

    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "artifacts").mkdir()
    (repo / "script.py").write_text(source)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    words = [program, "run", "--", sys.executable, "script.py"]
    subprocess.run(words, check=True, timeout=120, env={**os.environ, **(env or {})})
    if "preload" not in store.events("lineage_observed")[0]["observed_by"]:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    assert json.loads((repo / "artifacts/out.json").read_text()) == [2, 3]


@pytest.mark.parametrize("how", ["PYTHONPATH", "sys.path", "gone"])
def test_a_reproduction_imports_the_code_of_then_and_not_of_now(
    repo, library, store, git, program, reproduce, how, tmp_path_factory
):
    source, env = (USES, {"PYTHONPATH": str(library)}) if how == "PYTHONPATH" else (INSERTS.format(path=str(library)), {})
    ran(repo, git, program, source, store, env)
    if how == "gone":
        import shutil

        shutil.rmtree(library)
    else:
        for name in ("tool.py", "fresh.py"):
            (library / name).write_text("VALUE = 'of now'\n")
        (library / "newer.py").write_text("")
    plan = json.loads(reproduce("--dry-run", "--json").stdout)["plan"]
    (beside,) = plan["code_beside"]
    assert (beside["root"], beside["inexact"], beside["files"]) == (str(library), [], 2)
    folder = tmp_path_factory.mktemp("again") / "here"
    again = json.loads(reproduce("--yes", "--json", "--into", folder).stdout)["outcome"]
    assert (again["verdict"], again["other_code"]) == ("identical", [])
    laid = folder.with_name("here-beside") / library.name
    assert (laid / "tool.py").read_text() == "VALUE = 2\n" and not (laid / "newer.py").exists()
    assert git("status", "--short", cwd=laid).split() == ["M", "tool.py", "??", "fresh.py"]


def test_a_project_that_is_installed_in_place_is_led_to_its_own_code_of_then(
    repo, store, git, program, reproduce, tmp_path_factory
):
    """Its installation leads to the user's tree, which went on."""
    (repo / "src/own").mkdir(parents=True)
    for name, value in (("__init__", ""), ("part", "VALUE = 2\n"), ("other", "VALUE = 3\n")):
        (repo / f"src/own/{name}.py").write_text(value)
    source = "import sys\nsys.path.append({path!r})\nimport own.part as tool, own.other as fresh\n" + USES.replace(
        ", tool, fresh", ""
    )
    ran(repo, git, program, source.format(path=str(repo / "src")), store)
    (repo / "src/own/part.py").write_text("VALUE = 'of now'\n")
    again = json.loads(reproduce("--yes", "--json").stdout)["outcome"]
    assert (again["verdict"], again["other_code"]) == ("identical", [])


def test_code_that_was_not_kept_is_said_and_refused(repo, library, store, git, program, reproduce, monkeypatch):
    monkeypatch.setenv("BIRTHMARK_ON_DIRTY", "warn")
    ran(repo, git, program, INSERTS.format(path=str(library)), store)
    (library / "tool.py").write_text("VALUE = 'of now'\n")
    done = reproduce("--yes", check=False)
    assert done.returncode == 2 and f"{library} is not exactly what ran" in done.stdout, done.stdout + done.stderr
    done = reproduce("--yes", "--inexact", check=False)
    assert done.returncode == 1 and "other code ran" in done.stderr, done.stdout + done.stderr


def test_a_package_without_init_that_lay_beside_the_project_is_found_where_it_was_laid_out(
    repo, git, program, store, reproduce
):
    library = repo / "work" / "library"  # a repository within the tree, though not beneath the script
    (library / "src/space/deep").mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", cwd=library)
    for name, value in (("tool", 2), ("fresh", 3)):
        (library / f"src/space/deep/{name}.py").write_text(f"VALUE = {value}\n")
    git("add", ".", cwd=library)
    git("commit", "--quiet", "--message", "A library", cwd=library)
    (repo / ".git/info/exclude").write_text("work/\n")
    source = "import os, sys\nsys.path.append(os.path.join(os.getcwd(), 'work/library/src'))\n"
    source += "from space.deep import tool, fresh\n" + USES.replace(", tool, fresh", "")
    ran(repo, git, program, source, store)
    (library / "src/space/deep/tool.py").write_text("VALUE = 'of now'\n")
    again = json.loads(reproduce("--yes", "--json").stdout)["outcome"]
    assert (again["verdict"], again["other_code"]) == ("identical", [])


def test_edited_code_of_another_repository_is_told_by_show_and_verify(repo, committed, library, birthmark):
    source = LATE + '    s.report("artifacts/r.json", {{"summary": {{"accuracy": 1}}}})\n'
    committed(source.format(path=str(library)))
    for what in ("artifacts/r.json", "last"):
        line = next(line for line in birthmark("show", what).splitlines() if line.startswith("beside"))
        assert str(library) in line and "dirty, snapshot" in line
    said = " ".join(birthmark("verify", "artifacts/r.json").split())
    assert f"code of another repository ran: {library}" in said
    (told,) = json.loads(birthmark("show", "artifacts/r.json", "--json"))["code_beside"]
    assert (told["git_dirty"], told["files"]) == (True, ["tool.py"])


def test_a_snapshot_that_is_not_exact_is_told_so_by_show_and_verify(repo, committed, birthmark, python, git):
    source = "import birthmark as bm\nwith bm.session() as s:\n    s.report('artifacts/r.json', {'summary': {'accuracy': 1}})\n"
    (repo / "keys.py").write_text('TOKEN = "hf_' + "aB3" * 11 + 'x"\n')
    committed(source)
    for what in ("artifacts/r.json", "last"):
        assert "NOT exact: left out keys.py" in birthmark("show", what)
    said = " ".join(birthmark("verify", "artifacts/r.json").split())
    assert "its snapshot is NOT exact: left out keys.py" in said
    # Also where one stands elsewhere, and names the file by its path.
    away = repo.parent
    told = json.loads(birthmark("-C", str(away), "snapshot", "show", str(repo / "artifacts/r.json"), "--json"))
    assert told["snapshot"]["exact"] is False and told["lives"]["store"], told
