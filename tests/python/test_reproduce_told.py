"""What a plan and a verdict promise is so: of the code that ran, of the file in hand, of the inputs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

SCORE = "import json; json.dump({'accuracy': 0.61}, open('artifacts/score.json', 'w'))"
SUM = "open('artifacts/sum.txt', 'w').write(str(sum(map(int, open('{file}')))))"


@pytest.fixture
def project(repo, git):
    """Commit files; `artifacts/` is ignored and there."""

    def begin(**files):
        (repo / ".gitignore").write_text("artifacts/\ndata/\n")
        (repo / "artifacts").mkdir(exist_ok=True)
        (repo / "data").mkdir(exist_ok=True)
        for name, source in files.items():
            (repo / name.replace("__", ".")).write_text(source)
        git("add", ".")
        git("commit", "--quiet", "--message", "Scripts")
        return repo

    return begin


@pytest.fixture
def run(repo, program):
    """Run words under `birthmark run`."""

    def words(*command):
        done = subprocess.run([program, "run", "--", *command], cwd=repo, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return words


def code_line(told):
    return next(line for line in told.splitlines() if line.startswith("code"))


ADD = "import birthmark as bm\nwith bm.session() as s: s.add({what!r}, artifact_type='model')\n"


def test_code_that_was_added_as_an_artifact_is_dirt_and_comes_back(project, run, birthmark, program):
    repo = project(add__py=ADD.format(what="run.sh"))
    (repo / "run.sh").write_text("echo 1 > artifacts/o.txt\n")
    subprocess.run([sys.executable, "add.py"], cwd=repo, check=True, capture_output=True)
    (repo / "run.sh").write_text("echo 2 > artifacts/o.txt\n")
    said = run("sh", "run.sh")
    assert "dirty: 1 new (run.sh)" in said or "dirty: 1" in said, said
    doctor = subprocess.run([program, "doctor"], cwd=repo, capture_output=True, text=True).stdout
    assert "1 new file (run.sh)" in doctor and "clean" not in doctor, doctor
    assert "clean" not in birthmark("show", "artifacts/o.txt")
    told = birthmark("reproduce", "artifacts/o.txt", "--yes")
    assert "code         exact: snapshot" in told and "\nidentical\n" in told, told


def test_a_module_that_was_added_within_a_folder_comes_back(project, run, birthmark):
    repo = project(
        add__py=ADD.format(what="weights"),
        train__py="import weights.net; open('artifacts/o.txt', 'w').write(weights.net.NAME)",
    )
    (repo / "weights").mkdir()
    (repo / "weights/config.json").write_text("{}")
    (repo / "weights/model.bin").write_text("w")
    (repo / "weights/__init__.py").write_text("")
    (repo / "weights/net.py").write_text("NAME = 'net'")
    subprocess.run([sys.executable, "add.py"], cwd=repo, check=True, capture_output=True)
    run(sys.executable, "train.py")
    told = birthmark("reproduce", "artifacts/o.txt", "--yes")
    assert "code         exact: snapshot" in told and "\nidentical\n" in told, told


def test_data_that_a_session_made_outside_of_the_artifacts_is_still_no_dirt(project, run, birthmark):
    repo = project(add__py=ADD.format(what="out.csv"), train__py="open('artifacts/o.txt', 'w').write('1')")
    (repo / "out.csv").write_text("1\n")
    subprocess.run([sys.executable, "add.py"], cwd=repo, check=True, capture_output=True)
    run(sys.executable, "train.py")
    assert "clean" in birthmark("show", "artifacts/o.txt")


def test_code_that_git_ignores_ran_and_is_in_no_commit(project, run, birthmark):
    repo = project(train__py="import sys; sys.path.append('data'); import helper; open('artifacts/o.txt', 'w').write(helper.X)")
    (repo / "data/helper.py").write_text("X = '1'")
    run(sys.executable, "train.py")
    told = birthmark("reproduce", "artifacts/o.txt", "--dry-run", status=2)
    assert code_line(told).endswith("NOT exact: data/helper.py, which ran, is not in it"), told


def test_a_file_that_was_falsified_is_not_confirmed(project, run, birthmark):
    repo = project(s__py=SCORE)
    run(sys.executable, "s.py")
    file = repo / "artifacts/score.json"
    whole = file.read_text()
    told = birthmark("reproduce", "artifacts/score.json", "--yes")
    assert "\nidentical\n" in told and "!" not in told, told
    file.write_text('{"accuracy": 0.93}')
    told = birthmark("reproduce", "artifacts/score.json", "--dry-run")
    assert told.startswith("! artifacts/score.json is not what was recorded\n"), told
    done = birthmark("reproduce", "artifacts/score.json", "--yes", status=1)
    assert "\nidentical\n" in done, done
    assert done.endswith("! artifacts/score.json is not what was recorded: the verdict is not about it\n"), done
    answer = json.loads(birthmark("reproduce", "artifacts/score.json", "--yes", "--json", status=1))
    assert answer["plan"]["in_hand"]["as_recorded"] is False
    assert (answer["outcome"]["verdict"], answer["outcome"]["confirmed"]) == ("identical", False)
    file.write_text(whole)
    answer = json.loads(birthmark("reproduce", "artifacts/score.json", "--yes", "--json"))
    assert answer["plan"]["in_hand"]["as_recorded"] is True and answer["outcome"]["confirmed"] is True


WRITES = """
import sys
import birthmark as bm

with bm.session() as s:
    if sys.argv[1] == "report":
        s.report("artifacts/f.json", {"accuracy": 0.61})
    else:
        with s.jsonl("artifacts/f.jsonl") as out:
            out.write({"n": 1, "text": "said"})
            out.write({"n": 2, "text": "said"})
"""


@pytest.mark.parametrize(("kind", "name"), [("report", "f.json"), ("records", "f.jsonl")])
def test_an_edited_report_or_record_is_not_confirmed(project, birthmark, kind, name):
    import birthmark as bm

    repo = project(s__py=WRITES)
    subprocess.run([sys.executable, "s.py", kind], cwd=repo, check=True, capture_output=True)
    file = repo / "artifacts" / name
    assert bm.reproduce(file).is_same is True
    file.write_text(file.read_text().replace("0.61", "0.93").replace("said", "sold"))
    again = bm.reproduce(file)
    assert (again.verdict, again.is_same, again.in_hand_as_recorded) == ("equal records", False, False)
    told = birthmark("reproduce", f"artifacts/{name}", "--yes", status=1)
    assert told.startswith(f"! artifacts/{name} is not what was recorded\n"), told


def test_drift_makes_the_code_inexact_in_plan_trace_and_verify(project, repo, program, birthmark):
    project(
        w__py="import time; open('artifacts/began', 'w').close(); time.sleep(4); import h;"
        " open('artifacts/o.txt', 'w').write(h.V)",
        h__py="V = 'a'",
    )
    running = subprocess.Popen([program, "run", "--", sys.executable, "w.py"], cwd=repo, stderr=subprocess.PIPE)
    while not (repo / "artifacts/began").exists():
        time.sleep(0.05)
    (repo / "h.py").write_text("V = 'bb'")
    assert b"h.py changed" in running.communicate(timeout=60)[1]
    told = birthmark("reproduce", "artifacts/o.txt", "--dry-run", status=2)
    assert code_line(told).startswith("code         NOT exact: while it ran, h.py changed"), told
    came = " ".join(birthmark("trace", "artifacts/o.txt").split())
    assert "! while it ran, h.py changed" in came, came
    judged = birthmark("verify", "artifacts/o.txt")
    assert "the code changed while its run went on: h.py changed" in " ".join(judged.split()), judged


RESUMED = """
import os, time
import birthmark as bm

with bm.session() as s:
    with s.report("artifacts/rep.json") as r:
        for item in r.todo([{"id": n} for n in range(6)]):
            r.add({"id": item["id"], "score": SCALE * item["id"]})
            if item["id"] == 3 and SCALE == 1:
                os.kill(os.getpid(), 9)
"""


def test_items_of_other_code_make_it_inexact_in_plan_trace_and_verify(project, repo, git, birthmark):
    project(rep__py="SCALE = 1" + RESUMED)
    killed = subprocess.run([sys.executable, "rep.py"], cwd=repo, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (repo / "rep.py").write_text("SCALE = 2" + RESUMED)
    old = git("rev-parse", "HEAD")[:7]
    git("commit", "--quiet", "--all", "--message", "Another scale")
    subprocess.run([sys.executable, "rep.py"], cwd=repo, check=True, capture_output=True)
    wanted = f", at commit {old}"
    told = birthmark("reproduce", "artifacts/rep.json", "--dry-run", status=2)
    assert "NOT exact: 4 items of session" in code_line(told) and wanted in code_line(told), told
    came = " ".join(birthmark("trace", "artifacts/rep.json").split())
    assert "! 4 items of session" in came and wanted in came, came
    judged = " ".join(birthmark("verify", "artifacts/rep.json").split())
    assert "made with other code: 4 items of session" in judged and wanted in judged, judged


NANS = """
import random, time
import birthmark as bm

with bm.session() as s:
    with s.jsonl("artifacts/r.jsonl") as out:
        for i in range(5):
            out.write({"id": i, "x": 1 + random.random() * 1e-7, "t": time.time(), "nan": float("nan"), "inf": [float("-inf")]})
"""


def test_records_with_nan_are_compared(project, repo, birthmark):
    project(s__py=NANS)
    subprocess.run([sys.executable, "s.py"], cwd=repo, check=True, capture_output=True)
    near = ("--ignore", "t", "--tolerance", "1e-5")
    told = birthmark("reproduce", "artifacts/r.jsonl", "--yes", *near)
    assert "\nequal records: numbers within 0.00001, without t\n" in told, told
    told = birthmark("reproduce", "artifacts/r.jsonl", "--yes", "--ignore", "t", status=1)
    assert "\ndiffers: line 1, x: " in told, told


def test_an_input_that_was_renamed_by_hand_is_found_by_its_bytes(project, repo, run, birthmark):
    project(sum__py=SUM.format(file="data/in.txt"))
    (repo / "data/in.txt").write_text("1\n2\n")
    run(sys.executable, "sum.py")
    (repo / "data/in.txt").rename(repo / "data/moved.txt")
    told = birthmark("reproduce", "artifacts/sum.txt", "--yes")
    assert "data/in.txt  as it was, its bytes lie at data/moved.txt" in told and "\nidentical\n" in told, told
    # An artifact too, that a run had made.
    (repo / "make.py").write_text("open('artifacts/n.txt', 'w').write('4\\n5\\n')")
    (repo / "sum.py").write_text(SUM.format(file="artifacts/n.txt"))
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "More"], cwd=repo, check=True)
    run(sys.executable, "make.py")
    run(sys.executable, "sum.py")
    (repo / "artifacts/n.txt").rename(repo / "artifacts/m.txt")
    told = birthmark("reproduce", "artifacts/sum.txt", "--yes")
    assert "artifacts/n.txt  as it was, its bytes lie at artifacts/m.txt" in told and "\nidentical\n" in told, told


def test_an_empty_file_that_a_run_made_is_what_was_recorded(project, run, birthmark):
    project()
    run("sh", "-c", ": > artifacts/done")
    told = birthmark("trace", "artifacts/done")
    assert "!" not in told and "made by  sh" in told, told
    assert "!" not in birthmark("reproduce", "artifacts/done", "--yes")


BOTH = """
import json, sqlite3, mmap
base = sqlite3.connect("data/s.db")
rows = base.execute("select a from t").fetchall()
with open("data/raw.bin", "r+b") as file:
    raw = list(mmap.mmap(file.fileno(), 0)[:])
text = open("data/in.txt", "r+").read()
json.dump([rows, raw, text], open("artifacts/rd.json", "w"))
"""


@pytest.fixture
def both(project, repo):
    import sqlite3

    project(rd__py=BOTH)
    with sqlite3.connect(repo / "data/s.db") as base:
        base.execute("create table t(a)")
        base.execute("insert into t values (1)")
    base.close()
    (repo / "data/raw.bin").write_bytes(b"\1\2")
    (repo / "data/in.txt").write_text("said")
    time.sleep(0.1)
    return repo


def needs_preload(program):
    library = "libbirthmark_preload.so"
    places = [os.path.dirname(os.path.realpath(program)), os.path.join(sys.prefix, "lib/birthmark")]
    if not any(os.path.exists(os.path.join(place, library)) for place in places):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")


def used(repo):
    found = {}
    for journal in (repo / "artifacts/.birthmark/sessions").rglob("*.jsonl"):
        for line in map(json.loads, journal.read_text().splitlines()):
            if line["event"] == "artifact_used":
                found[line["input"]["file"]] = line["input"]["digest"]
            if line["event"] == "lineage_observed":
                found[""] = (line["state"], line.get("reasons"))
    return found


def test_what_is_opened_for_both_and_not_written_is_read(both, run, birthmark, program):
    needs_preload(program)
    run(sys.executable, "rd.py")
    found = used(both)
    assert found.pop("") == ("complete", None)
    assert sorted(found) == ["data/in.txt", "data/raw.bin", "data/s.db"]
    assert all(digest.startswith("blake3:") for digest in found.values())
    told = birthmark("reproduce", "artifacts/rd.json", "--yes")
    assert "\nidentical\n" in told, told
    import sqlite3

    with sqlite3.connect(both / "data/s.db") as base:
        base.execute("update t set a = 999")
    base.close()
    judged = " ".join(birthmark("verify").split())
    assert "input data/s.db changed since it was read" in judged, judged


def test_what_is_read_and_written_at_once_makes_the_lineage_partial(both, run, program):
    needs_preload(program)
    (both / "rd.py").write_text(
        BOTH + "base.execute('update t set a = 2'); base.commit()\n"
        "own = open('data/new.txt', 'w+'); own.write('x'); own.seek(0); own.read(); own.close()\n"
        "fresh = sqlite3.connect('data/fresh.db'); fresh.execute('create table u(b)'); fresh.commit()\n"
        "open('data/over.txt', 'w').write('1'); open('data/over.txt').read()\n"
    )
    (both / "data/over.txt").write_text("0")
    run(sys.executable, "rd.py")
    found = used(both)
    # What it made itself, or wrote over before it read it, was no input.
    wanted = "what was read of a file that was written, too, is not known: data/s.db"
    assert found.pop("") == ("partial", [wanted])
    assert sorted(found) == ["data/in.txt", "data/raw.bin"]


def test_what_a_command_had_made_before_it_failed_confirms_nothing(project, run, program, repo):
    project(
        two__py="import os, sys\nopen('artifacts/one.txt', 'w').write('1')\n"
        "open('artifacts/two.txt', 'w').write('no' if os.environ.get('FAIL') else '2')\n"
        "sys.exit(3 if os.environ.get('FAIL') else 0)\n"
    )
    run(sys.executable, "two.py")
    for name, told in [
        ("one", "made, but failed: the command failed (exit 3); what it had made by then is identical"),
        ("two", "could not be made: the command failed (exit 3); what it left is another"),
    ]:
        words = [program, "reproduce", "--yes", f"artifacts/{name}.txt"]
        env = {**os.environ, "FAIL": "1"}
        done = subprocess.run(words, cwd=repo, capture_output=True, text=True, env=env)
        assert (done.returncode, told in done.stdout) == (2, True), done.stdout


def test_a_reproduction_that_cannot_be_laid_out_leaves_no_folder(project, run, program, repo, tmp_path_factory):
    project(copy__py="open('artifacts/c.txt', 'w').write(open('data/in.txt').read().upper())")
    (repo / "data/in.txt").write_text("a")
    run(sys.executable, "copy.py")
    (repo / "data/in.txt").unlink()
    place = tmp_path_factory.mktemp("tmp")
    for go in ("--dry-run", "--yes"):
        words = [program, "reproduce", go, "artifacts/c.txt"]
        env = {**os.environ, "TMPDIR": str(place)}
        done = subprocess.run(words, cwd=repo, capture_output=True, text=True, env=env)
        assert done.returncode == 2 and "`data/in.txt`, which it read, is neither here" in done.stdout, done.stdout
    assert list(place.iterdir()) == []


def test_a_bundle_in_the_tree_makes_it_not_dirty(project, run, birthmark, repo, program):
    project(one__py="open('artifacts/one.txt', 'w').write('1')")
    run(sys.executable, "one.py")
    birthmark("bundle", "last")
    assert len(list(repo.glob("*.bundle"))) == 1
    assert "clean" in run(sys.executable, "one.py")


def test_a_record_and_its_file_tell_of_the_same_seed(project, run, repo, python, birthmark):
    project()
    python(
        "import birthmark as bm\n"
        "with bm.session() as s, s.jsonl('artifacts/r.jsonl') as out:\n"
        "    for seed in (1, 2): out.write({'x': seed}, seed=seed)\n"
    )
    assert "seed 1 (of the first record)" in birthmark("reproduce", "--dry-run", "artifacts/r.jsonl")
    assert "seed 2 (of the record)" in birthmark("reproduce", "--dry-run", "artifacts/r.jsonl:2")


def test_a_folder_that_was_there_before_the_run_is_there_for_the_reproduction(project, run, repo, program):
    write = "open({0!r} + '/x.txt', 'w').write('1')\n"
    project(old__py=write.format("by_hand/deep"), own__py="import os; os.mkdir('own')\n" + write.format("own"))
    (repo / "by_hand/deep").mkdir(parents=True)
    for script, made in [("old.py", "by_hand/deep/x.txt"), ("own.py", "own/x.txt")]:
        run(sys.executable, script)
        words = [program, "reproduce", "--yes", made]
        done = subprocess.run(words, cwd=repo, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


LINKED = """
import os, birthmark as bm
with bm.session() as s:
    open("ckpt/model.bin", "w").write(os.urandom(4).hex())
    s.add("ckpt/model.bin", artifact_type="model")
    open("ckpt/log.txt", "a").write("line\\n")
"""


@pytest.mark.parametrize("tracked", [True, False])
def test_what_lies_below_a_link_of_the_code_is_not_written(repo, git, program, tmp_path_factory, tracked):
    scratch = tmp_path_factory.mktemp("scratch")
    (repo / "ckpt").symlink_to(scratch)
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "train.py").write_text(LINKED)
    git("add", "train.py", ".gitignore", *(["ckpt"] if tracked else []))
    git("commit", "--quiet", "--message", "Train")
    subprocess.run([sys.executable, "train.py"], cwd=repo, check=True, capture_output=True)
    names = ("model.bin", "model.bin.birthmark.json")
    before = [(scratch / name).read_bytes() for name in names]
    words = [program, "reproduce", "ckpt/model.bin", "--yes"]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True)
    assert done.stdout.splitlines()[-2].startswith("differs"), done.stdout + done.stderr
    assert [(scratch / name).read_bytes() for name in names] == before
    verified = subprocess.run([program, "verify", "ckpt/model.bin"], cwd=repo, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout


def test_what_is_written_below_a_link_and_recorded_by_nobody_is_refused(repo, git, program, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("scratch")
    (scratch / "weights.bin").write_text("weights")
    (repo / "data").symlink_to(scratch)
    (repo / ".gitignore").write_text("artifacts/\n")
    script = "import sys\nif 'again' in sys.argv: pass\nopen('artifacts/o.txt', 'w').write(open('data/weights.bin').read())\n"
    (repo / "make.py").write_text(script + "import os\nif os.path.exists('/proc/self') and 'reproduce' in os.getcwd():\n    open('data/weights.bin', 'w').write('gone')\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Make")
    (repo / "artifacts").mkdir()
    subprocess.run([program, "run", "--", sys.executable, "make.py"], cwd=repo, check=True, capture_output=True)
    words = [program, "reproduce", "artifacts/o.txt", "--yes"]
    subprocess.run(words, cwd=repo, capture_output=True, text=True)
    assert (scratch / "weights.bin").read_text() == "weights"
