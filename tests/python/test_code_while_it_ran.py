"""Code that changes while a run goes on, and code that no commit holds: what counts is what was loaded, and when."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

W = """
import os, time
{session}
open("artifacts/began", "w").close()
while not os.path.exists("artifacts/go"):
    time.sleep(0.02)
import h
open("artifacts/loaded", "w").close()
while not os.path.exists("artifacts/end"):
    time.sleep(0.02)
open("artifacts/o.txt", "w").write(h.V)
"""
SESSION = "import birthmark as bm; s = bm.session().start()"


@pytest.fixture(params=["run", "session"])
def steps(request, repo: Path, git, program):
    """A run that waits before it loads `h` and before it ends, and what is done while it waits."""
    (repo / ".gitignore").write_text("artifacts/\n__pycache__/\n")
    (repo / "artifacts").mkdir(exist_ok=True)
    (repo / "w.py").write_text(W.format(session=SESSION if request.param == "session" else ""))
    (repo / "h.py").write_text("V = 'a'\n")
    (repo / "other.py").write_text("V = 'x'\n")
    (repo / "warm.py").write_text("import h\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")

    def go(before=lambda: None, after=lambda: None) -> str:
        command = [program, "run", "--", sys.executable, "w.py"] if request.param == "run" else [sys.executable, "w.py"]
        running = subprocess.Popen(command, cwd=repo, stderr=subprocess.PIPE, text=True)
        for mark, change, let in (("began", before, "go"), ("loaded", after, "end")):
            deadline = time.monotonic() + 60
            while not (repo / "artifacts" / mark).exists():
                assert running.poll() is None and time.monotonic() < deadline, running.communicate()
                time.sleep(0.02)
            change()
            (repo / "artifacts" / let).touch()
        said = running.communicate(timeout=120)[1]
        assert running.returncode == 0, said
        for mark in ("began", "go", "loaded", "end"):
            (repo / "artifacts" / mark).unlink()
        return said

    return go


def plan(repo: Path, program) -> tuple[int, str]:
    done = subprocess.run([program, "reproduce", "artifacts/o.txt", "--dry-run"], cwd=repo, capture_output=True, text=True)
    return done.returncode, next(line for line in done.stdout.splitlines() if line.startswith("code"))


def put(path: Path, text: str):
    return lambda: path.write_text(text)


@pytest.mark.parametrize("compiled", [False, True])
def test_what_was_exchanged_and_put_back_is_not_called_exact(steps, repo, program, birthmark, compiled):
    if compiled:
        subprocess.run([sys.executable, "warm.py"], cwd=repo, check=True)
    steps(before=put(repo / "h.py", "V = 'sneaky'\n"), after=put(repo / "h.py", "V = 'a'\n"))
    assert (repo / "artifacts/o.txt").read_text() == "sneaky"
    status, code = plan(repo, program)
    assert (status, code) == (2, "code         NOT exact: while it ran, h.py was written anew")
    assert "h.py was written anew while it ran" in birthmark("show", "artifacts/o.txt")
    assert "clean at first" in birthmark("list")
    judged = " ".join(birthmark("verify", "artifacts/o.txt").split())
    assert "the code changed while its run went on: h.py was written anew" in judged


def test_a_branch_that_was_checked_out_meanwhile_is_seen(steps, repo, program, git):
    git("checkout", "--quiet", "-b", "other")
    (repo / "h.py").write_text("V = 'other'\n")
    git("commit", "--quiet", "--all", "--message", "Other")
    git("checkout", "--quiet", "-")
    git("checkout", "--quiet", "-")
    git("checkout", "--quiet", "-")
    steps(before=lambda: git("checkout", "--quiet", "other"), after=lambda: git("checkout", "--quiet", "-"))
    assert plan(repo, program)[0] == 2


def test_what_was_edited_before_it_was_loaded_is_not_in_the_commit(steps, repo, program, birthmark):
    said = steps(before=put(repo / "h.py", "V = 'edited'\n"))
    assert "h.py changed" in said
    status, code = plan(repo, program)
    assert status == 2 and "NOT exact: while it ran, h.py changed" in code
    assert "h.py ran, and no commit holds it" in birthmark("show", "artifacts/o.txt")


@pytest.mark.parametrize("what", ["loaded before", "never loaded", "committed", "committed dirt", "touched", "written the same"])
def test_what_ran_did_not_change_is_exact(steps, repo, program, birthmark, git, what):
    changes = {
        "loaded before": {"after": put(repo / "h.py", "V = 'later'\n")},
        "never loaded": {"before": put(repo / "other.py", "V = 'later'\n")},
        "committed": {"before": lambda: git("commit", "--quiet", "--allow-empty", "--message", "Meanwhile")},
        "committed dirt": {"after": lambda: git("commit", "--quiet", "--all", "--message", "Meanwhile")},
        "touched": {"after": lambda: os.utime(repo / "h.py")},
        "written the same": {"before": put(repo / "h.py", "V = 'a'\n")},
    }
    if what == "committed dirt":
        (repo / "h.py").write_text("V = 'dirt'\n")
    steps(**changes[what])
    status, code = plan(repo, program)
    assert (status, "exact: " in code) == (0, True), code
    shown = birthmark("show", "artifacts/o.txt")
    assert "clean at first" not in shown and "no commit holds" not in shown
    assert ("what ran is what it began with" in " ".join(shown.split())) == (what not in ("touched", "written the same")), shown
    assert "the code changed" not in birthmark("verify", "artifacts/o.txt")


def test_a_module_that_the_run_wrote_itself_is_made_again(repo, git, program):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "artifacts").mkdir(exist_ok=True)
    (repo / "w.py").write_text(
        "open('made.py', 'w').write('V = 7\\n')\nimport made\nopen('artifacts/o.txt', 'w').write(str(made.V))\n"
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")
    subprocess.run([program, "run", "--", sys.executable, "w.py"], cwd=repo, check=True, capture_output=True)
    assert plan(repo, program)[0] == 0
    again = subprocess.run([program, "reproduce", "artifacts/o.txt", "--yes"], cwd=repo, capture_output=True, text=True)
    assert again.returncode == 0 and "identical" in again.stdout, again.stdout + again.stderr


@pytest.mark.parametrize("kind", ["run", "session"])
@pytest.mark.parametrize("compiled", ["bytecode", "extension"])
def test_compiled_code_that_git_ignores_is_told(repo, git, program, birthmark, kind, compiled):
    (repo / ".gitignore").write_text("artifacts/\n*.so\n*.pyc\n")
    (repo / "artifacts").mkdir(exist_ok=True)
    if compiled == "bytecode":
        (repo / "lib.py").write_text("V = 1\n")
        py_compile.compile(str(repo / "lib.py"), cfile=str(repo / "lib.pyc"))
        (repo / "lib.py").unlink()
        file, name = "lib.pyc", "lib"
    else:
        # One that the standard library brings stands for one that was built in place.
        built = sysconfig.get_config_var("DESTSHARED") or ""
        source = Path(built, "_lsprof" + sysconfig.get_config_var("EXT_SUFFIX"))
        if not source.is_file():
            pytest.skip("this Python brings no compiled module to copy")
        shutil.copy(source, repo)
        file, name = source.name, "_lsprof"
    session = "import birthmark as bm; bm.session().start()\n" if kind == "session" else ""
    (repo / "w.py").write_text(f"{session}import {name}\nopen('artifacts/o.txt', 'w').write('1')\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Scripts")
    command = [program, "run", "--", sys.executable, "w.py"] if kind == "run" else [sys.executable, "w.py"]
    said = subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True).stderr
    assert f"{file} ran, and no commit or snapshot holds it" in " ".join(said.split())
    assert f"{file} ran, and no commit holds it" in " ".join(birthmark("show", "artifacts/o.txt").split())
    status, code = plan(repo, program)
    assert status == 2 and "NOT exact" in code


@pytest.mark.parametrize("name", ["w.sh", "w.py"])
def test_what_was_written_just_before_it_ran_did_not_change(repo, git, program, name):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "artifacts").mkdir(exist_ok=True)
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    words = ["sh"] if name == "w.sh" else [sys.executable]
    source = {"w.sh": "echo {} > artifacts/o.txt\n", "w.py": "open('artifacts/o.txt', 'w').write('{}')\n"}[name]
    for number in range(5):
        (repo / name).write_text(source.format(number))
        subprocess.run([program, "run", "--", *words, name], cwd=repo, check=True, capture_output=True)
        status, code = plan(repo, program)
        assert (status, "exact: snapshot" in code) == (0, True), code
