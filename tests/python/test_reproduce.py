"""Making artifacts again, in real processes: equal records, the first difference, refusals."""

import json
import shutil
import subprocess
import sys

import pytest

SAME = """
import json, random, sys
import birthmark as bm

with bm.session() as s:
    s.use("artifacts/numbers.json", role="numbers")
    numbers = json.load(open("artifacts/numbers.json"))
    random.seed(7)
    with s.jsonl("artifacts/out.jsonl", mode="a", seed=7) as out:
        for n in numbers:
            out.write({"n": n, "x": random.random()})
"""
CHANCE = """
import random
import birthmark as bm

with bm.session() as s:
    with s.jsonl("artifacts/out.jsonl") as out:
        out.write({"n": 1, "nested": {"same": True}})
        out.write({"n": 2, "nested": {"x": random.random()}})
"""


@pytest.fixture
def reproduce(repo, program):
    def run(*arguments, cwd=repo):
        done = subprocess.run(
            [program, "reproduce", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
        )
        return done

    return run


@pytest.fixture
def project(repo, git):
    """Commit a script and run it as users do."""

    def run(source, *, dirty=None):
        (repo / ".gitignore").write_text("artifacts/\n")
        (repo / "script.py").write_text(source)
        (repo / "artifacts").mkdir(exist_ok=True)
        (repo / "artifacts/numbers.json").write_text("[1, 2, 3]")
        git("add", ".")
        git("commit", "--quiet", "--message", "A script")
        if dirty:
            (repo / "script.py").write_text(dirty)
        subprocess.run([sys.executable, "script.py"], cwd=repo, check=True, capture_output=True)
        return repo

    return run


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "reproductions.jsonl"
    }


def test_a_seeded_script_gives_equal_records_and_touches_nothing(project, reproduce, tmp_path_factory):
    repo = project(SAME)
    before = tree(repo)
    folder = tmp_path_factory.mktemp("again") / "here"
    done = reproduce("artifacts/out.jsonl", "--yes", "--into", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nequal records\n" in done.stdout, done.stdout
    assert "code         exact: commit" in done.stdout
    assert "artifacts/numbers.json  as it was" in done.stdout
    assert tree(repo) == before
    (line,) = (repo / "artifacts/.birthmark/reproductions.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["verdict"] == "equal records" and kept["folder"] == str(folder)
    record = json.loads((folder / "artifacts/out.jsonl").read_text().splitlines()[0])
    assert record["metadata"]["session_id"] == kept["reproduced_by"] != kept["session_id"]


def test_the_code_that_ran_is_used_though_it_was_edited_before_and_after(project, reproduce, git):
    repo = project(SAME, dirty=SAME.replace("random.seed(7)", "random.seed(8)"))
    (repo / "script.py").write_text("raise SystemExit('not this')\n")
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exact: snapshot" in done.stdout


def test_chance_differs_and_the_first_place_is_named(project, reproduce):
    project(CHANCE)
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "differs: line 2, nested.x: " in done.stdout
    assert "none was recorded: it may differ by chance" in done.stdout
    done = reproduce("artifacts/out.jsonl", "--yes", "--ignore", "x", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["outcome"]["verdict"]) == (0, "equal records")


def test_a_changed_input_is_told_and_refused(project, reproduce):
    repo = project(SAME)
    (repo / "artifacts/numbers.json").write_text("[1, 2, 4]")
    for go in ("--dry-run", "--yes"):
        done = reproduce("artifacts/out.jsonl", go)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "artifacts/numbers.json  changed since" in done.stdout
        assert "neither here as it was nor in the code" in done.stdout


def test_a_secret_in_the_command_cannot_be_replayed_but_can_be_said_anew(project, repo, reproduce):
    project(CHANCE.replace("import random", "import random; random.seed(1)"))
    (repo / "artifacts/out.jsonl").unlink()
    token = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
    subprocess.run([sys.executable, "script.py", "--token", token], cwd=repo, check=True, capture_output=True)
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 2 and "was a secret" in done.stdout, done.stdout + done.stderr
    assert token not in done.stdout
    done = reproduce("artifacts/out.jsonl", "--yes", "--", sys.executable, "script.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_script_that_fails_the_second_time_has_not_made_it(project, reproduce):
    project(CHANCE)
    done = reproduce("artifacts/out.jsonl", "--yes", "--", sys.executable, "-c", "raise SystemExit(3)")
    assert done.returncode == 2
    assert "\ncould not be made: the command failed (exit 3)\n" in done.stdout


def test_what_a_killed_run_left_is_not_judged(project, repo, reproduce):
    killed = CHANCE.replace('        out.write({"n": 2', '        import os; os.kill(os.getpid(), 9)\n        out.write({"n": 2')
    with pytest.raises(subprocess.CalledProcessError):
        project(killed)
    assert (repo / "artifacts/out.jsonl").read_text().count("\n") == 1
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 2 and "never finished" in done.stderr, done.stdout + done.stderr


def test_nobody_to_ask_runs_nothing(project, reproduce):
    project(CHANCE)
    done = reproduce("artifacts/out.jsonl")
    assert done.returncode == 2 and "--yes" in done.stderr


def wheel(folder, name, version, source):
    """A wheel as pip takes it, made by hand."""
    import zipfile

    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for path_within, text in files.items():
            file.writestr(path_within, text)
    return path


@pytest.fixture
def old_environment(repo, git, tmp_path_factory, monkeypatch):
    """An artifact made in a venv with version 1 of a package; then version 2 came."""
    place = tmp_path_factory.mktemp("old")
    wheels, venv = place / "wheels", place / "venv"
    wheels.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    purelib = next((venv / "lib").iterdir()) / "site-packages"
    import birthmark

    (purelib / "birthmark").symlink_to(birthmark.__path__[0])
    for version in ("1.0", "2.0"):
        made = wheel(wheels, "tinypkg", version, f"VALUE = {version}\n")
        if version == "1.0":
            install(made, purelib)
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "requirements.txt").write_text(f"--find-links {wheels}\ntinypkg==1.0\n")
    (repo / "script.py").write_text(
        "import birthmark as bm, tinypkg, sys\n"
        "with bm.session() as s, s.jsonl('artifacts/out.jsonl') as out:\n"
        "    out.write({'value': tinypkg.VALUE})\n"
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    subprocess.run([venv / "bin/python", "script.py"], cwd=repo, check=True, capture_output=True)
    for old in purelib.glob("tinypkg*"):
        import shutil

        shutil.rmtree(old) if old.is_dir() else old.unlink()
    install(wheels / "tinypkg-2.0-py3-none-any.whl", purelib)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return wheels


def install(wheel, purelib):
    import zipfile

    zipfile.ZipFile(wheel).extractall(purelib)


def test_the_environment_of_then_is_built_from_its_pins_and_the_lock_files_places(old_environment, reproduce):
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 1 and "line 1, value: 2.0, not 1.0" in done.stdout, done.stdout + done.stderr
    assert "1 package changed: tinypkg 2.0, not 1.0" in done.stdout
    done = reproduce("artifacts/out.jsonl", "--yes", "--venv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 package as pinned, from the indexes of requirements.txt" in done.stdout
    assert "\nequal records\n" in done.stdout
    # The folder of wheels is what the lock file named.
    old_environment.rename(old_environment.with_name("gone"))
    done = reproduce("artifacts/out.jsonl", "--yes", "--venv")
    assert done.returncode == 2 and "the environment could not be built" in done.stderr, done.stdout + done.stderr


def test_python_makes_it_again_too(old_environment, repo):
    import birthmark as bm

    planned = bm.reproduce("artifacts/out.jsonl", dry_run=True)
    assert planned.verdict is None and planned.is_same is None and planned.plan["blockers"] == []
    assert "exact: commit" in str(planned)
    again = bm.reproduce("artifacts/out.jsonl")
    assert (again.is_same, again.verdict) == (False, "differs")
    again = bm.reproduce(repo / "artifacts/out.jsonl", venv=True)
    assert (again.is_same, again.exit_code) == (True, 0)
    assert json.loads(open(again.made).readline())["value"] == 1.0
    with pytest.raises(bm.UsageError):
        bm.reproduce("script.py")
    with pytest.raises(ValueError):
        bm.reproduce("artifacts/out.jsonl", tolerance=-1)
    traced = bm.trace("artifacts/out.jsonl")
    assert {one["verdict"] for one in traced["reproductions"]} == {"differs", "equal records"}


def test_seeds_that_were_seen_to_be_set_are_known(project, reproduce):
    project(SAME.replace(", seed=7", ""))
    plan = reproduce("artifacts/out.jsonl", "--dry-run")
    assert "random.seed 7" in plan.stdout


def test_the_two_are_linked_from_either_side(project, repo, reproduce, program, tmp_path_factory):
    project(SAME)
    folder = tmp_path_factory.mktemp("again") / "here"
    assert reproduce("artifacts/out.jsonl", "--yes", "--into", folder).returncode == 0
    trace = [program, "trace", "artifacts/out.jsonl"]
    here = subprocess.run(trace, capture_output=True, text=True, check=True)
    assert "made again" in here.stdout and "equal records" in here.stdout
    for more, told in ([], "its session is in another store"), (["--store", repo], "script.py"):
        there = subprocess.run([*trace, "--up", *more], cwd=folder, capture_output=True, text=True, check=True)
        (line,) = [line for line in there.stdout.splitlines() if "reproduction of" in line]
        assert told in " ".join(there.stdout.split()), there.stdout


def test_an_empty_input_is_held_against_what_it_was(repo, reproduce, program):
    (repo / "empty.txt").write_text("")
    for name in ("full.txt", "same.txt"):
        (repo / name).write_text("1\n")
    command = ["sh", "-c", "cat empty.txt full.txt same.txt > artifacts/both.txt"]
    subprocess.run([program, "run", "--", *command], cwd=repo, check=True, capture_output=True)
    plan = json.loads(reproduce("artifacts/both.txt", "--dry-run", "--json").stdout)["plan"]
    states = {one["name"]: one["state"] for one in plan["inputs"]}
    if not states:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    assert states == {"empty.txt": "here", "full.txt": "here", "same.txt": "here"}
    (repo / "empty.txt").write_text("no more\n")
    plan = json.loads(reproduce("artifacts/both.txt", "--dry-run", "--json").stdout)["plan"]
    states = {one["name"]: one["state"] for one in plan["inputs"]}
    assert states == {"empty.txt": "in the code", "full.txt": "here", "same.txt": "here"}


def test_a_copy_and_inputs_that_are_alike_are_made_again(repo, reproduce, program, git):
    (repo / ".gitignore").write_text("artifacts/\ndata/\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "No data")
    (repo / "data").mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (repo / "data" / name).write_text("the same\n")
    for command in ("cp data/a.txt artifacts/copy.txt", "paste data/b.txt data/c.txt > artifacts/both.txt"):
        words = [program, "run", "--", "sh", "-c", command]
        subprocess.run(words, cwd=repo, check=True, capture_output=True)
        made = command.rsplit(" ", 1)[-1]
        plan = reproduce(made, "--dry-run").stdout
        if "data/" not in plan.split("environment")[0]:
            pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
        assert "made by sh in session" in plan
        done = reproduce(made, "--yes")
        assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr


def test_code_of_a_repository_within_is_told_once_and_missed_when_it_is_gone(
    repo, reproduce, program, git, tmp_path_factory
):
    origin = tmp_path_factory.mktemp("origin")
    (origin / "lib.sh").write_text("echo from within\n")
    git("-C", origin, "init", "--quiet")
    git("-C", origin, "add", ".")
    git("-C", origin, "commit", "--quiet", "--message", "Within")
    git("clone", "--quiet", origin, "sub")
    command = ["sh", "-c", "sh sub/lib.sh > artifacts/out.txt"]
    subprocess.run([program, "run", "--", *command], cwd=repo, check=True, capture_output=True)
    listed = subprocess.run([program, "snapshot", "list"], cwd=repo, check=True, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == 2, listed.stdout
    done = reproduce("artifacts/out.txt", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr
    assert "other code ran" not in done.stderr
    # What is on a remote of its own is not in the store.
    shutil.rmtree(repo / "sub")
    plan = reproduce("artifacts/out.txt", "--dry-run")
    assert "NOT exact: repository sub is not here" in plan.stdout, plan.stdout
    shutil.rmtree(repo / ".git")
    for commit in (repo / "artifacts/.birthmark/bundles").iterdir():
        commit.unlink()
    plan = reproduce("artifacts/out.txt", "--dry-run")
    assert "the code that ran cannot be had" in plan.stdout, plan.stdout
    assert "copy the artifacts folder" in plan.stdout, plan.stdout


ASKS_GIT = """
import json, subprocess

def git(*words):
    return subprocess.run(["git", "-C", "sub", *words], capture_output=True, text=True).stdout

rows = json.load(open("data.json"))
said = [git("rev-parse", "HEAD"), git("status", "--short"), git("rev-parse", "--show-toplevel")[-4:]]
json.dump({"rows": rows, "said": said}, open("artifacts/out.json", "w"))
"""


def test_an_input_of_the_code_is_said_and_git_answers_in_a_repository_within(repo, reproduce, program, git):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "script.py").write_text(ASKS_GIT)
    (repo / "data.json").write_text("[1, 2]")
    (repo / "artifacts").mkdir()
    git("init", "--quiet", "sub")
    (repo / "sub/lib.txt").write_text("from within\n")
    git("-C", "sub", "add", ".")
    git("-C", "sub", "commit", "--quiet", "--message", "Within")
    (repo / "sub/lib.txt").write_text("edited\n")
    git("add", ".gitignore", "script.py", "data.json")
    git("commit", "--quiet", "--message", "A script")
    words = [program, "run", "--", sys.executable, "script.py"]
    subprocess.run(words, cwd=repo, check=True, capture_output=True)
    made = json.loads((repo / "artifacts/out.json").read_text())
    assert made["said"][1:] == [" M lib.txt\n", "sub\n"]
    (repo / "data.json").write_text("[3]")
    done = reproduce("artifacts/out.json", "--yes")
    assert "data.json  changed since: the code's is taken\n" in done.stdout, done.stdout
    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr


def test_an_edited_submodule_comes_back_from_copied_artifacts_and_clones(tmp_path_factory, git, program, monkeypatch):
    for name, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    world = tmp_path_factory.mktemp("world")
    for name in ("lib", "top"):
        git("init", "--quiet", "--bare", world / f"{name}.git")
        git("clone", "--quiet", (world / f"{name}.git").as_uri(), world / name)
    (world / "lib/lib.py").write_text("x = 1\n")
    (world / "lib/other.py").write_text("never edited: what is kept of the edit has it not\n")
    top = world / "top"
    (top / "main.py").write_text("from lib.lib import x\nopen('artifacts/out.txt', 'w').write(str(x))\n")
    (top / ".gitignore").write_text("artifacts/\n__pycache__/\n")
    for name in ("lib", "top"):
        if name == "top":
            git("-C", top, "submodule", "--quiet", "add", (world / "lib.git").as_uri(), "lib")
        git("-C", world / name, "add", ".")
        git("-C", world / name, "commit", "--quiet", "--message", name)
        git("-C", world / name, "push", "--quiet", "origin", "HEAD")
    (top / "lib/lib.py").write_text("x = 2\n")
    (top / "artifacts").mkdir()
    words = [program, "run", "--", sys.executable, "main.py"]
    subprocess.run(words, cwd=top, check=True, capture_output=True)

    def reproduced(clone, *how):
        shutil.copytree(world / "artifacts", clone / "artifacts")
        words = [program, "reproduce", "artifacts/out.txt", *how]
        return subprocess.run(words, cwd=clone, capture_output=True, text=True, timeout=300)

    shutil.move(top / "artifacts", world / "artifacts")
    shutil.rmtree(top)
    url = (world / "top.git").as_uri()
    git("clone", "--quiet", "--recurse-submodules", url, world / "whole")
    done = reproduced(world / "whole", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr
    # What the bundle of the submodule builds on is nowhere any more.
    git("clone", "--quiet", url, world / "bare")
    shutil.rmtree(world / "lib.git")
    shutil.rmtree(world / "whole")
    shutil.rmtree(world / "lib")
    done = reproduced(world / "bare", "--dry-run")
    assert done.returncode == 2
    assert "NOT exact: repository lib is not here" in done.stdout, done.stdout


@pytest.fixture
def plain(repo, git, program):
    """Scripts without the package, run one after the other by `birthmark run`; `in.txt` is no code."""
    (repo / ".gitignore").write_text("artifacts/\nin.txt\n")
    (repo / "artifacts").mkdir(exist_ok=True)
    (repo / "in.txt").write_text("kept out of git\n")

    def run(**scripts):
        for name, source in scripts.items():
            (repo / f"{name}.py").write_text(source)
        git("add", ".")
        git("commit", "--quiet", "--message", "Scripts")
        for name in scripts:
            words = [program, "run", "--", sys.executable, f"{name}.py"]
            subprocess.run(words, cwd=repo, check=True, capture_output=True)

    return run


def test_what_ran_later_and_made_equal_bytes_is_not_what_was_read(plain, repo, reproduce, birthmark):
    plain(
        two="open('artifacts/two.txt', 'w').write(open('in.txt').read() * 2)",
        three="open('artifacts/later.txt', 'w').write(open('in.txt').read())",
        four="open('artifacts/four.txt', 'w').write(open('artifacts/later.txt').read() * 4)",
    )
    came = " ".join(birthmark("trace", "--up", "artifacts/two.txt").split())
    assert "in.txt" in came and "later.txt" not in came and "three.py" not in came, came
    came = " ".join(birthmark("trace", "--up", "artifacts/later.txt").split())
    assert "three.py" in came and "copied from in.txt" in came, came
    came = " ".join(birthmark("trace", "--up", "artifacts/four.txt").split())
    assert "read artifacts/later.txt" in came and "three.py" in came, came
    for name in ("two", "later", "four"):
        done = reproduce(f"artifacts/{name}.txt", "--yes")
        assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr
    # The bytes lie elsewhere: they are laid out where they were read.
    (repo / "in.txt").unlink()
    done = reproduce("artifacts/two.txt", "--yes")
    assert "in.txt  as it was" in done.stdout, done.stdout + done.stderr
    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr


def test_of_equal_artifacts_the_one_that_was_asked_for_is_made_again(plain, repo, reproduce, birthmark):
    plain(**{name: f"open('artifacts/{name}.txt', 'w').write('equal')" for name in ("m1", "m2", "m3")})
    for name in ("m1", "m2", "m3"):
        done = reproduce(f"artifacts/{name}.txt", "--yes")
        assert f"made by {name}.py" in done.stdout, done.stdout
        assert done.stdout.endswith(f"artifacts/{name}.txt\n") and done.returncode == 0, done.stdout
        assert " ".join(birthmark("trace", f"artifacts/{name}.txt").split()).count("made by") == 1
    shutil.copy(repo / "artifacts/m1.txt", repo / "copy.txt")
    told = " ".join(birthmark("trace", "copy.txt").split())
    assert "! the same bytes were also made as artifacts/m1.txt, artifacts/m2.txt" in told, told


def test_an_input_whose_sorted_copy_is_equal_is_laid_out_itself(repo, git, program, reproduce):
    (repo / ".gitignore").write_text("artifacts/\nlog.jsonl\n")
    (repo / "log.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    (repo / "go.sh").write_text(
        "head -n 1 log.jsonl > artifacts/first.jsonl\nsort log.jsonl > artifacts/sorted.jsonl\n"
        "head -n 1 artifacts/sorted.jsonl > artifacts/least.jsonl\n"
    )
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    subprocess.run([program, "run", "--", "sh", "go.sh"], cwd=repo, check=True, capture_output=True)
    for name in ("first", "sorted", "least"):
        done = reproduce(f"artifacts/{name}.jsonl", "--yes")
        assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr


def test_a_command_that_fails_where_it_did_not_is_no_difference(plain, repo, reproduce, birthmark, monkeypatch):
    monkeypatch.setenv("NEED", "it")
    plain(s="import os; open('artifacts/s.txt', 'w').write(os.environ['NEED'])")
    monkeypatch.delenv("NEED")
    done = reproduce("artifacts/s.txt", "--yes")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "\ncould not be made: the command failed (exit 1); what it left is another\n" in done.stdout
    assert "could not be made" in birthmark("trace", "artifacts/s.txt")


def test_an_original_that_is_named_by_its_absolute_path_is_not_written(plain, repo, reproduce):
    target = repo / "artifacts/y.txt"
    plain(
        y=f"import time, tempfile; tempfile.TemporaryFile(); open({str(target)!r}, 'w').write(str(time.time_ns()))"
    )
    before = target.read_bytes()
    done = reproduce("artifacts/y.txt", "--yes")
    if "original     kept" not in done.stdout:
        pytest.skip("SKIPPED: this kernel cannot refuse writing")
    assert target.read_bytes() == before
    assert done.returncode == 2, done.stdout + done.stderr
    told = f"it writes to {target}, which lies in the original: not allowed"
    assert told in done.stdout, done.stdout + done.stderr


def test_an_input_that_changed_is_laid_out_as_it_is_where_that_was_asked(plain, repo, reproduce):
    plain(t="open('artifacts/t.txt', 'w').write(open('in.txt').read() * 3)")
    (repo / "in.txt").write_text("another\n")
    assert reproduce("artifacts/t.txt", "--yes").returncode == 2
    done = reproduce("artifacts/t.txt", "--yes", "--inexact")
    assert (done.returncode, done.stdout.splitlines()[-2][:8]) == (1, "differs:"), done.stdout + done.stderr


def test_a_command_that_ran_in_a_folder_of_no_commit_runs_in_it_again(repo, git, program, reproduce):
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "x.py").write_text("import os; open('../artifacts/x.txt', 'w').write(os.path.basename(os.getcwd()))\n")
    for name in ("artifacts", "sub"):
        (repo / name).mkdir()
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    words = [program, "run", "--", sys.executable, "../x.py"]
    subprocess.run(words, cwd=repo / "sub", check=True, capture_output=True)
    done = reproduce("artifacts/x.txt", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-2]) == (0, "identical"), done.stdout + done.stderr
    assert "not promised: variables that are never recorded" in done.stdout


def test_the_folder_of_a_reproduction_is_no_project_of_the_catalog_unless_it_is_named(
    project, reproduce, program, tmp_path_factory, monkeypatch
):
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    repo = project(SAME)
    known = lambda: json.loads(  # noqa: E731
        subprocess.run([program, "catalog", "list", "--json"], cwd=repo, capture_output=True, check=True).stdout
    )["projects"]
    before = [one["root"] for one in known()]
    done = reproduce("artifacts/out.jsonl", "--yes")
    assert done.returncode == 0, done.stderr
    assert [one["root"] for one in known()] == before == [str(repo)]
    folder = temporary / "named"
    assert reproduce("artifacts/out.jsonl", "--yes", "--into", folder).returncode == 0
    assert str(folder) in [one["root"] for one in known()]
