"""A plan names what stood around a run: variables, stdin, loose modules; and whether it is so now."""

import json
import os
import platform
import subprocess
import sys

import pytest


@pytest.fixture
def call(repo, program, monkeypatch):
    """Call the program with an environment and a stdin of its own."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (repo / "artifacts").mkdir()

    def call(*words, stdin=subprocess.DEVNULL, code=0, **env):
        done = subprocess.run(
            [program, *words], cwd=repo, env={**os.environ, **env}, stdin=stdin, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return call


def seen(repo):
    journals = (repo / "artifacts/.birthmark/sessions").glob("*/*.jsonl")
    if not any('"preload"' in journal.read_text() for journal in journals):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")


def around(call, artifact, **env):
    return json.loads(call("reproduce", "--dry-run", "--json", artifact, **env))["plan"]["around"]


def test_variables_that_say_how_it_computes_are_given_as_they_were(repo, call, git):
    (repo / "src").mkdir()
    (repo / "src/mine.py").write_text("X = 1\n")
    script = "import mine, os; open('artifacts/x.txt', 'w').write(f'{mine.X} {hash(chr(97))} {os.environ[chr(84) + chr(90)]}')\n"
    (repo / "main.py").write_text(script)
    git("add", ".")
    git("commit", "--quiet", "--message", "Main")
    call("run", "--", sys.executable, "main.py", PYTHONPATH="src", PYTHONHASHSEED="0", TZ="UTC", HF_HOME="/nowhere")
    told = around(call, "artifacts/x.txt", TZ="CET")
    assert told["variables_given"] == {"PYTHONPATH": "src", "PYTHONHASHSEED": "0", "TZ": "UTC"}
    assert told["variables_differ"] == ["HF_HOME is not set, was /nowhere"]
    plan = call("reproduce", "--dry-run", "artifacts/x.txt")
    assert "variables    given as they were: PYTHONHASHSEED, PYTHONPATH, TZ\n" in plan
    assert "\nidentical\n" in call("reproduce", "--yes", "artifacts/x.txt")


def test_a_file_that_was_stdin_is_an_input_and_is_given_again(repo, call):
    (repo / "words.txt").write_text("b\na\nc\n")
    with (repo / "words.txt").open() as words:
        call("run", "--", "sort", "-o", "artifacts/s.txt", stdin=words, OMP_NUM_THREADS="2")
    seen(repo)
    plan = call("reproduce", "--dry-run", "artifacts/s.txt")
    assert "inputs       words.txt  as it was\n" in plan
    assert "stdin        the file words.txt\n" in plan
    assert "variables    given as they were: OMP_NUM_THREADS\n" in plan
    assert "variables    as they were: " in call("reproduce", "--dry-run", "artifacts/s.txt", OMP_NUM_THREADS="2")
    assert "\nidentical\n" in call("reproduce", "--yes", "artifacts/s.txt")


def test_what_was_no_file_is_said_to_be_gone(repo, call):
    call("run", "--", "sh", "-c", "cat > artifacts/n.txt; echo 1 > artifacts/n.txt")
    assert around(call, "artifacts/n.txt")["stdin"] == "nothing"
    read, write = os.pipe()
    os.write(write, b"x\n")
    os.close(write)
    call("run", "--", "sh", "-c", "cat > artifacts/p.txt", stdin=read)
    os.close(read)
    assert "stdin        a pipe: what came through it was not recorded\n" in call("reproduce", "--dry-run", "artifacts/p.txt")
    # Something else that comes out proves nothing, unless it is piped in again.
    told = call("reproduce", "--yes", "artifacts/p.txt", code=2)
    assert "\ncannot tell: its stdin was a pipe, and what came through it was not given again (differs: " in told
    read, write = os.pipe()
    os.write(write, b"x\n")
    os.close(write)
    assert "\nidentical\n" in call("reproduce", "--yes", "artifacts/p.txt", stdin=read)
    os.close(read)


def test_modules_of_no_repository_are_named_with_what_became_of_them(repo, call, git, tmp_path_factory):
    place = tmp_path_factory.mktemp("loose")
    (place / "helper.py").write_text("X = 1\n")
    (place / "tinypkg-1.0.dist-info").mkdir()
    (place / "tinypkg-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: tinypkg\nVersion: 1.0\n")
    (repo / "main.py").write_text("import helper; open('artifacts/x.txt', 'w').write(str(helper.X))\n")
    git("add", "main.py")
    git("commit", "--quiet", "--message", "Main")
    call("run", "--", sys.executable, "main.py", PYTHONPATH=str(place))
    seen(repo)
    name = str(place / "helper.py")
    assert around(call, "artifacts/x.txt")["loose_modules"] == [{"file": name, "state": "as it was"}]
    # Packages that `PYTHONPATH` brings are the run's as well.
    plan = json.loads(call("reproduce", "--dry-run", "--json", "artifacts/x.txt", PYTHONPATH=str(place)))["plan"]
    assert plan["environment_differs"] == []
    (place / "helper.py").write_text("X = 2\n")
    told = json.loads(call("reproduce", "--dry-run", "--json", "artifacts/x.txt", code=2))["plan"]
    assert told["around"]["loose_modules"] == [{"file": name, "state": "changed since"}]
    assert told["blockers"] == [f"`{name}`, which ran, is changed since"]
    assert "  changed since\n" in call("reproduce", "--dry-run", "artifacts/x.txt", code=2)
    assert "helper.py ran, and no commit holds it" in " ".join(call("show", "artifacts/x.txt").split())
    assert "helper.py ran, and no commit holds it" in " ".join(call("verify", "artifacts/x.txt").split())
    # What the watch itself gives to Python is neither code of the run nor a variable of it.
    folder = repo / "artifacts/.birthmark/sessions"
    assert not any("birthmark-python-" in journal.read_text() for journal in folder.glob("*/*.jsonl"))


EVALUATE = """
import sys
import birthmark as bm
with bm.session() as s:
    sys.path.insert(0, {path!r})
    import metric
    s.report(sys.argv[1], {{"summary": {{"accuracy": metric.VALUE}}}})
"""


def test_other_code_of_no_repository_is_not_comparable(repo, committed, program, tmp_path_factory):
    place = tmp_path_factory.mktemp("loose")
    for value, name in ((1, "a"), (1, "b"), (2, "c")):
        (place / "metric.py").write_text(f"VALUE = {value}\n")
        committed(EVALUATE.format(path=str(place)), f"artifacts/{name}.json")

    def compare(other):
        words = [program, "compare", "artifacts/a.json", f"artifacts/{other}.json"]
        return subprocess.run(words, cwd=repo, capture_output=True, text=True)

    assert "2 modules loaded" in compare("b").stdout and "metric.py" not in compare("b").stdout
    assert compare("c").returncode == 1 and "metric.py" in compare("c").stdout, compare("c").stdout


def test_a_store_of_an_artifacts_folder_of_before_is_named(repo, committed, program):
    committed("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/r.json', {'summary': {'accuracy': 1}})\n")

    def said(command):
        done = subprocess.run([program, command], cwd=repo, capture_output=True, text=True)
        return " ".join((done.stdout + done.stderr).split())

    (repo / "birthmark.toml").write_text('artifacts = "out"\n')
    assert 'sessions lie in artifacts: set artifacts there, or stores = ["artifacts"]' in said("list")
    assert "sessions lie in artifacts" in said("doctor")
    (repo / "birthmark.toml").write_text('artifacts = "out"\nstores = ["artifacts"]\n')
    assert "sessions lie in" not in said("doctor") + said("list")


@pytest.mark.parametrize("command", [["sh", "-c", "python3 work.py"], ["make", "all"], ["env", sys.executable, "work.py"]])
def test_a_python_that_another_program_starts_is_the_environment(repo, program, call, monkeypatch, command):
    # Of a shim that stands for a Python nothing can be told.
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    (repo / "work.py").write_text("import json\nopen('artifacts/o.txt', 'w').write('1')\n")
    (repo / "Makefile").write_text("all:\n\tpython3 work.py\n")
    subprocess.run([program, "run", "--", *command], cwd=repo, check=True, capture_output=True)
    environment = json.loads(call("show", "last", "--json"))["session"]["environment"]
    assert environment["python"].startswith(platform.python_version()) and environment["packages_object"], environment
    assert "environment  equal" in call("reproduce", "--dry-run", "artifacts/o.txt")


def test_a_program_without_a_python_has_none(repo, program, call):
    subprocess.run([program, "run", "--", "sh", "-c", "echo 1 > artifacts/o.txt"], cwd=repo, check=True)
    assert json.loads(call("show", "last", "--json"))["session"]["environment"]["python"] is None


def again(call, artifact):
    return call("reproduce", "--yes", artifact)


@pytest.mark.parametrize("mode", ["x", "a", "w"])
def test_what_the_run_itself_made_is_not_laid_out_before_it(repo, committed, call, mode):
    committed(
        "import birthmark as bm\n"
        "with bm.session() as s:\n"
        f"    with s.jsonl('artifacts/d.jsonl', mode={mode!r}) as out:\n"
        "        for n in range(5):\n"
        "            out.write({'n': n})\n"
        "    rows = open('artifacts/d.jsonl').readlines()\n"
        "    s.report('artifacts/r.json', {'summary': {'n': len(rows)}}, dataset='artifacts/d.jsonl')\n"
    )
    assert "d.jsonl" not in call("reproduce", "--dry-run", "artifacts/r.json")
    assert "equal" in again(call, "artifacts/r.json").splitlines()[-2]


def test_a_word_that_leads_out_of_the_repository_is_found(repo, committed, program, call):
    beside = repo.parent / f"{repo.name}.ext.json"
    beside.write_text("{}")
    committed("import sys\nopen('artifacts/o.txt', 'w').write(open(sys.argv[1]).read())\n", beside)
    subprocess.run([program, "run", "--", sys.executable, "script.py", f"../{beside.name}"], cwd=repo, check=True, capture_output=True)
    assert "identical" in again(call, "artifacts/o.txt")


def test_what_a_command_said_into_an_artifact_is_said_into_it_again(repo, committed, program, call):
    committed("print('A B')\n")
    for how in ("w", "a"):
        with open(repo / f"artifacts/{how}.txt", how) as out:
            subprocess.run([program, "run", "--", sys.executable, "script.py"], cwd=repo, check=True, stdout=out, stderr=subprocess.DEVNULL)
        assert "identical" in again(call, f"artifacts/{how}.txt")


def test_an_input_elsewhere_that_is_another_now_cannot_be_read_again(repo, committed, program, call, tmp_path_factory):
    place = tmp_path_factory.mktemp("elsewhere") / "x"
    place.write_text("one")
    committed(f"open('artifacts/o.txt', 'w').write(open({str(place)!r}).read())\n")
    subprocess.run([program, "run", "--", sys.executable, "script.py"], cwd=repo, check=True, capture_output=True)
    place.write_text("two")
    told = json.loads(call("reproduce", "--dry-run", "--json", "artifacts/o.txt", code=2))
    assert any("its bytes lie at artifacts/o.txt" in one for one in told["plan"]["blockers"]), told["plan"]["blockers"]


def test_a_parameter_that_is_no_number_ends_no_run(repo, committed, python):
    given = python(
        "import birthmark as bm, json, math\n"
        "with bm.session(params={'clip': math.nan, 'most': math.inf, 'lr': 0.1}) as s:\n"
        "    s.jsonl('artifacts/d.jsonl').write({'n': 1})\n"
        "print(json.dumps(json.loads(open('artifacts/d.jsonl').readline())['metadata']))\n"
    )
    told = json.loads(given.stdout.splitlines()[-1])
    assert (told["clip"], told["most"], told["lr"]) == ("NaN", "Infinity", 0.1), told
