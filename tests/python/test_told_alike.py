"""What became of a file is told alike by every command that is asked."""

import json
import os
import shutil
import subprocess
import sys

import pytest

RECORDS = """
import sys
import birthmark as bm
with bm.session() as s, s.jsonl("artifacts/d.jsonl", mode="a") as w:
    w.write_many([{"n": n} for n in range(int(sys.argv[1]))], seed=1)
"""


@pytest.fixture
def grown(repo, committed):
    """A file of records to which two sessions added."""
    for count in ("2", "3"):
        committed(RECORDS, count)
    return repo / "artifacts/d.jsonl"


def told(*words, program, cwd, code=0):
    done = subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_birthmark_that_was_edited_in_a_record_is_no_promise_of_reproduce(grown, birthmark, program, repo):
    lines = grown.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace('"seed":1', '"seed":9').replace('"seed": 1', '"seed": 9')
    grown.write_text("".join(lines))
    birthmark("verify", "artifacts/d.jsonl", status=1)
    warning = "! the birthmarks of artifacts/d.jsonl are not those that were recorded"
    assert birthmark("reproduce", "--dry-run", "artifacts/d.jsonl").startswith(warning)
    made = birthmark("reproduce", "--yes", "artifacts/d.jsonl", status=1)
    assert "equal records" in made and f"{warning}: the verdict is not about them" in made
    plan = json.loads(birthmark("reproduce", "--dry-run", "--json", "artifacts/d.jsonl"))["plan"]
    assert plan["in_hand"]["as_recorded"] is False and plan["in_hand"]["other_birthmarks"] is True


def test_records_whose_birthmarks_were_taken_out_are_what_was_recorded(grown, birthmark, repo):
    birthmark("unstamp", "artifacts/d.jsonl", "--out", "plain.jsonl")
    assert "!" not in birthmark("reproduce", "--dry-run", "plain.jsonl").splitlines()[0]


def test_ends_that_git_put_together_are_told_by_trace_as_by_verify(repo, committed, birthmark):
    committed(RECORDS, "2")
    path = repo / "artifacts/d.jsonl"
    both = path.read_bytes()
    committed(RECORDS, "1")
    ours = path.read_bytes()
    path.write_bytes(both)
    committed(RECORDS, "3")
    theirs = path.read_bytes()
    path.write_bytes(theirs + ours[len(both) :])
    apart = "two sessions added to it apart, and their ends were put together"
    for command in ("verify", "trace"):
        assert apart in " ".join(birthmark(command, "artifacts/d.jsonl").split())
    path.write_bytes(theirs + ours[len(both) :].replace(b"seed", b"sead"))
    assert apart not in " ".join(birthmark("trace", "artifacts/d.jsonl").split())


def test_a_file_that_went_on_is_made_again_under_the_name_that_it_had(grown, birthmark):
    grown.rename(grown.with_name("e.jsonl"))
    plan = birthmark("reproduce", "--dry-run", "artifacts/d.jsonl")
    assert "CANNOT" not in plan and "goes on      with 2 records" in plan
    assert "equal records" in birthmark("reproduce", "--yes", "artifacts/d.jsonl")


@pytest.fixture
def deployed(repo, git, birthmark, tmp_path_factory):
    """The project as it lies on a machine without its repository."""
    (repo / "h.py").write_text("V = 1\n")
    (repo / "w.py").write_text("import h; open('artifacts/o.txt', 'w').write(str(h.V))\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Code")
    birthmark("declare")
    place = tmp_path_factory.mktemp("pod") / "work"
    shutil.copytree(repo, place, ignore=shutil.ignore_patterns(".git"))
    (place / "artifacts").mkdir(exist_ok=True)
    return place


def run(place, program):
    command = [program, "run", "--", sys.executable, "w.py"]
    return subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stderr


def test_declared_code_is_clean_as_long_as_it_is_what_was_declared(deployed, program):
    assert "dirty" not in run(deployed, program)
    shown = json.loads(told("show", "--json", "artifacts/o.txt", program=program, cwd=deployed))
    assert shown["recorded_metadata"]["git_dirty"] is False
    (deployed / "h.py").write_text("V = 2\n")
    assert "dirty: h.py changed since the code was declared" in " ".join(run(deployed, program).split())
    shown = json.loads(told("show", "--json", "artifacts/o.txt", program=program, cwd=deployed))
    assert shown["recorded_metadata"]["git_dirty"] is True and "git_dirty" in shown["recorded_metadata"]["declared"]
    # What is not deployed did not run.
    (deployed / "h.py").write_text("V = 1\n")
    os.unlink(deployed / "README.md")
    assert "dirty" not in run(deployed, program)


def test_a_declaration_that_lists_no_files_cannot_tell(deployed, program):
    path = deployed / "declaration.birthmark.json"
    declared = json.loads(path.read_text())
    del declared["files"], declared["files_complete"]
    path.write_text(json.dumps(declared))
    said = " ".join(run(deployed, program).split())
    why = "declared clean; whether it was edited since is not known"
    assert f"cannot tell whether the tree is dirty: {why}" in said
    shown = json.loads(told("show", "--json", "artifacts/o.txt", program=program, cwd=deployed))
    assert shown["recorded_metadata"]["git_dirty"] is None and shown["recorded_metadata"]["unknown"]["git_dirty"] == why


def test_what_stands_behind_a_damaged_line_of_a_journal_cannot_be_told(repo, committed, birthmark):
    committed("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/r.json', {'summary': {'n': 1}})\n")
    committed(
        "import birthmark as bm\n"
        "with bm.session() as s:\n"
        "    for name in 'ab':\n"
        "        open(f'artifacts/{name}.txt', 'w').write(name)\n"
        "        s.add(f'artifacts/{name}.txt')\n"
    )
    (journal,) = (
        path for path in (repo / "artifacts/.birthmark/sessions").glob("*/*.jsonl") if "a.txt" in path.read_text()
    )
    lines = journal.read_text().splitlines(keepends=True)
    sealed = next(n for n, line in enumerate(lines) if '"event":"artifact_sealed"' in line)
    lines[sealed] = lines[sealed].replace('"size":1', '"size":2')
    journal.write_text("".join(lines))
    for name in "ab":
        said = " ".join(birthmark("verify", f"artifacts/{name}.txt", status=2).split())
        assert "recorded of it stands behind a damaged line of its journal" in said, said
    # All of it says which line.
    assert "its bytes do not match its sum" in " ".join(birthmark("verify", status=1).split())
    (repo / "artifacts/c.txt").write_text("c")
    assert birthmark("verify", "artifacts/c.txt", status=2).startswith("unstamped ")


@pytest.mark.parametrize("name", ["d.jsonl", "r.json", "x.bin", "checkpoint"])
def test_what_was_moved_to_another_disk_and_linked_is_judged_there(name, repo, committed, birthmark, tmp_path_factory):
    committed(
        "import os\n"
        "import birthmark as bm\n"
        "with bm.session() as s:\n"
        "    with s.jsonl('artifacts/d.jsonl') as w: w.write({'n': 1})\n"
        "    s.report('artifacts/r.json', {'summary': {'n': 1}})\n"
        "    open('artifacts/x.bin', 'w').write('x')\n"
        "    os.mkdir('artifacts/checkpoint')\n"
        "    open('artifacts/checkpoint/w.bin', 'w').write('w')\n"
        "    s.add('artifacts/checkpoint')\n"
    )
    place = repo / "artifacts" / name
    lies = tmp_path_factory.mktemp("disk") / "blob"
    shutil.move(place, lies)
    place.symlink_to(lies)
    asked = f"artifacts/{name}"
    said = " ".join(birthmark("verify", asked).split())
    assert "as recorded: 1 of 1" in said
    assert f"it is a symbolic link to {lies}, which was looked at" in said
    assert "changed" not in birthmark("trace", asked) + birthmark("show", asked)
    birthmark("reproduce", "--dry-run", asked)
    if name == "x.bin":
        lies.write_text("y")
        birthmark("verify", asked, status=1)
    if name != "checkpoint":
        lies.unlink()
        said = " ".join(birthmark("verify", asked, status=1).split())
        assert f"it is a symbolic link to {lies}, where nothing lies" in said
        assert "no file of this name lies here now" in birthmark("trace", asked)


def test_a_sidecar_that_was_left_behind_is_named_with_what_brings_it_along(repo, birthmark):
    (repo / "artifacts").mkdir()
    (repo / "artifacts/x.txt").write_text("x")
    birthmark("stamp", "artifacts/x.txt", "--type", "model")
    (repo / "artifacts/x.txt").rename(repo / "artifacts/y.txt")
    words = "mv artifacts/x.txt.birthmark.json artifacts/y.txt.birthmark.json"
    assert words in birthmark("show", "artifacts/y.txt", status=1)
    said = " ".join(birthmark("verify").split())
    assert "as recorded" in said and f"artifacts/y.txt has the bytes that its sidecar tells of; `{words}`" in said
    subprocess.run(words.split(), cwd=repo, check=True)
    assert birthmark("show", "artifacts/y.txt").startswith("model")
    (repo / "artifacts/y.txt").unlink()
    birthmark("verify", status=1)


def test_an_artifacts_folder_of_its_own_says_how_its_sessions_are_asked(repo, committed, program, tmp_path_factory):
    committed("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/r.json', {'summary': {'n': 1}})\n")
    place = tmp_path_factory.mktemp("else") / "bare"
    shutil.copytree(repo / "artifacts", place)
    done = subprocess.run([program, "list"], cwd=place, capture_output=True, text=True)
    said = " ".join((done.stdout + done.stderr).split())
    assert 'sessions lie in this folder itself: set artifacts = "." in birthmark.toml' in said
    (place / "birthmark.toml").write_text('artifacts = "."\n')
    assert "script.py" in told("list", program=program, cwd=place)


def test_code_of_no_repository_is_told_to_be_gone(project, program):
    (project / "t.py").write_text("open('artifacts/o.txt', 'w').write('x')\n")
    run_there = [program, "run", "--", sys.executable, "t.py"]
    subprocess.run(run_there, cwd=project, check=True, capture_output=True)
    said = told("reproduce", "--dry-run", "artifacts/o.txt", program=program, cwd=project, code=2)
    assert "try: it is gone for this run; `git init` and a commit keep the code of the next" in " ".join(said.split())


def test_code_that_is_traced_is_told_how_to_ask_what_it_made(repo, committed, program):
    committed("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/r.json', {'summary': {'n': 1}})\n")
    done = subprocess.run([program, "trace", "script.py"], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2 and "`birthmark find script.py` tells what it made" in " ".join(done.stderr.split())
    assert "artifacts/r.json" in told("find", "script.py", program=program, cwd=repo)
    done = subprocess.run([program, "show", "nofile"], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2 and "the nearest" not in done.stderr and "birthmark list" in done.stderr
