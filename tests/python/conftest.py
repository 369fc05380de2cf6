"""The world of the tests: nobody's git settings, no open session, a home of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

#: Writes a file of records, as the fixture `write` does.
Writer = Callable[..., None]


@pytest.fixture(autouse=True)
def own_world(tmp_path_factory, monkeypatch):
    """Keep the tests apart from the person who runs them, and from CI's own variables."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("BIRTHMARK_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    # Reproductions stay where they were laid, for who asked for them.
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.invalid")
    yield
    birthmark = sys.modules.get("birthmark")
    left = None if birthmark is None else birthmark._life.living()
    if left is not None:
        left.end("failed", "the test left it open")


@pytest.fixture
def git(tmp_path):
    """Run git in the project of the test: ``git("status", "--short")`` gives its output."""

    def run(*arguments, cwd=tmp_path):
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def repo(tmp_path, git, monkeypatch):
    """A project with one commit, which is also the working folder."""
    git("init", "--quiet", "--initial-branch=main")
    (tmp_path / "README.md").write_text("A project.\n")
    git("add", "README.md")
    git("commit", "--quiet", "--message", "Begin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def program():
    """The path of the program `birthmark` that the wheel brought."""
    beside = Path(sys.executable).with_name("birthmark")
    found = str(beside) if beside.exists() else shutil.which("birthmark")
    if found is None:
        pytest.fail("the program `birthmark` is not installed: run `make test`")
    return found


@pytest.fixture
def birthmark(repo, program):
    """Call the program in the project; its status must be ``status``."""

    def call(*args, status=0):
        done = subprocess.run(
            [program, *args], cwd=repo, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without a repository, with an empty artifacts folder and a catalog of its own."""
    (tmp_path / "birthmark.toml").write_text("")
    (tmp_path / "artifacts").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(project):
    """Write a file of records, one for each birthmark: what every birthmark has is added."""

    def run(name, marks, folder=project / "artifacts"):
        common = {"git_commit": "c", "artifact_type": "t", "birthmark": "birthmark/v1"}
        lines = (json.dumps({"n": n, "metadata": {**common, **mark}}) for n, mark in enumerate(marks))
        (folder / name).write_text("\n".join(lines) + "\n")

    return run


@pytest.fixture
def birthmark_in(project, program):
    """Call the program in `project`; gives the finished process, whatever its status."""

    def call(*args, cwd=project, env=None):
        return subprocess.run(
            [program, *args],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return call


@pytest.fixture
def python(tmp_path):
    """Run a script in a process of its own, as users do; gives the finished process."""

    def run(source, *arguments, cwd=tmp_path, check=True, env=None):
        script = Path(cwd) / "script.py"
        script.write_text(source)
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **(env or {})},
        )
        if check and done.returncode != 0:
            pytest.fail(f"the script ended with {done.returncode}:\n{done.stderr}")
        return done

    return run


@pytest.fixture
def committed(repo, git, python):
    """Commit a script as its author would, and run it: the tree is clean when it begins."""

    def run(source, *arguments, **options):
        script = repo / "script.py"
        if not script.exists() or script.read_text() != source:
            script.write_text(source)
            git("add", "script.py")
            git("commit", "--quiet", "--message", "A script")
        return python(source, *arguments, **options)

    return run


class Store:
    """What stands on the disk of a project: manifests and journals, read as anybody can."""

    def __init__(self, root):
        self.artifacts = Path(root) / "artifacts"

    def manifests(self):
        """All manifests, oldest first."""
        found = [json.loads(path.read_text()) for path in self.artifacts.glob("session_manifest_*.json")]
        return sorted(found, key=lambda manifest: manifest["session_start"])

    def manifest(self):
        """The only manifest."""
        (only,) = self.manifests()
        return only

    def journals(self):
        """The lines of every journal, each a list of events, oldest first."""
        paths = self.artifacts.glob(".birthmark/sessions/*/*.jsonl")
        return sorted((records(path) for path in paths), key=lambda lines: lines[0]["time"])

    def events(self, kind):
        """All events of a kind."""
        return [line for journal in self.journals() for line in journal if line["event"] == kind]


def records(path):
    """The records of a JSONL file. Every line must be whole."""
    text = Path(path).read_text()
    assert text == "" or text.endswith("\n"), f"{path} ends in the middle of a line"
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def store(tmp_path):
    """The store of the test's project."""
    return Store(tmp_path)
