"""What a run removes is told apart from what is missing."""

import json
import subprocess
import sys

import pytest


def events(repo):
    """All lines of all journals."""
    journals = (repo / "artifacts/.birthmark/sessions").glob("*/*.jsonl")
    return [json.loads(line) for journal in journals for line in journal.read_text().splitlines()]


@pytest.fixture
def made(repo, program, git):
    """Three plain files, a folder and a stamped file in `artifacts`, and how a line of shell is run."""
    (repo / "artifacts").mkdir()
    (repo / ".gitignore").write_text("artifacts/.birthmark\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Begin")

    def run(line):
        done = subprocess.run(
            [program, "run", "--", "sh", "-c", line], cwd=repo, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr

    run("cd artifacts; for f in a b c; do echo $f > $f.txt; done; mkdir -p d/e; echo 1 > d/e/1; echo 2 > d/2")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Results are committed")
    if not any("preload" in line.get("observed_by", "") for line in events(repo)):
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    return run


def script(repo, code):
    """Run a script in a session of its own."""
    (repo / "s.py").write_text(code)
    done = subprocess.run([sys.executable, "s.py"], cwd=repo, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def words(repo, program):
    """The verdicts of `verify`, by file, with the codes of their reasons."""

    def call(*of):
        of = [program, "verify", *of, "--json"]
        done = subprocess.run(of, cwd=repo, capture_output=True, text=True)
        items = json.loads(done.stdout)["items"]
        return {item["name"]: (item["word"], [one["code"] for one in item["reasons"]]) for item in items}

    return call


def test_what_a_command_removed_fails_no_verify(repo, made, birthmark, words):
    made("rm artifacts/a.txt; rm -r artifacts/d; mv artifacts/c.txt artifacts/e.txt")
    assert not any(word == "failed" for word, _ in words().values())
    for file in ("artifacts/a.txt", "artifacts/d/e/1", "artifacts/d/2"):
        assert words(file)[file] == ("caveat", ["removed"])
    assert not any(line["event"] == "drift" for line in events(repo)), "git tracks them"
    page = birthmark("trace", "artifacts/a.txt")
    assert "removed by sh in session" in page, page
    # Made anew it is there again, and removed by nobody.
    made("echo again > artifacts/a.txt")
    assert words()["artifacts/a.txt"][0] == "caveat"
    assert "removed" not in birthmark("trace", "artifacts/a.txt")
    # A hand's removal stays what it was.
    made("echo new > artifacts/new.txt")
    (repo / "artifacts/new.txt").unlink()
    assert words()["artifacts/new.txt"] == ("failed", ["file-missing"])


def test_what_a_script_removed_in_its_session_fails_no_verify(repo, made, words):
    script(
        repo,
        """import birthmark as bm, os, pathlib, shutil
with bm.session():
    os.remove("artifacts/a.txt"); pathlib.Path("artifacts/b.txt").unlink(); shutil.rmtree("artifacts/d")
    os.remove("artifacts/c.txt"); open("artifacts/c.txt", "w").write("anew")
    try: os.remove("artifacts/none.txt")
    except FileNotFoundError: pass
""",
    )
    for file in ("a.txt", "b.txt", "d/e/1", "d/2"):
        assert words(f"artifacts/{file}")[f"artifacts/{file}"] == ("caveat", ["removed"])
    told = words()
    assert told["artifacts/c.txt"][0] == "caveat" and not any(word == "failed" for word, _ in told.values()), told
    assert not any("none.txt" in name for name in told)


def test_a_checkpoint_that_a_script_rotates_away_is_removed(repo, words):
    script(
        repo,
        """import birthmark as bm, os, shutil
with bm.session() as s:
    for step in range(4):
        os.makedirs(f"artifacts/ckpt-{step}"); open(f"artifacts/ckpt-{step}/w.bin", "w").write(str(step))
        s.add(f"artifacts/ckpt-{step}", type="model")
        if step > 1: shutil.rmtree(f"artifacts/ckpt-{step - 2}")
""",
    )
    for file in ("artifacts/ckpt-0", "artifacts/ckpt-1"):
        assert words(file)[file] == ("caveat", ["removed"])
    told = words()
    assert not any(word == "failed" for word, _ in told.values()), told


def test_a_file_that_a_hand_packed_is_packed_and_not_missing(repo, words):
    script(
        repo,
        """import birthmark as bm
with bm.session(params={"seed": 1}) as s, s.jsonl("artifacts/y.jsonl") as out:
    for i in range(100): out.write({"id": i})
""",
    )
    subprocess.run(["gzip", "artifacts/y.jsonl"], cwd=repo, check=True)
    told = words()
    assert "packed" in told["artifacts/y.jsonl"][1] and "packed" in told["artifacts/y.jsonl.gz"][1], told
    assert not any(word == "failed" for word, _ in told.values()), told


RENAMES = """
import os
import birthmark as bm

with bm.session() as s:
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({"i": 1})
    os.rename("artifacts/a.jsonl", "artifacts/b.jsonl")
    s.report("artifacts/r1.json", {"summary": {"n": 1}})
    os.replace("artifacts/r1.json", "artifacts/r2.json")
"""


@pytest.mark.parametrize("kind", ["run", "session"])
def test_what_the_script_itself_called_otherwise_is_not_missed(repo, program, birthmark, kind):
    (repo / "ren.py").write_text(RENAMES)
    (repo / "artifacts").mkdir(exist_ok=True)
    command = [program, "run", "--", sys.executable, "ren.py"] if kind == "run" else [sys.executable, "ren.py"]
    said = subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True).stderr
    assert "made 2 artifacts" in said, said
    told = birthmark("verify")
    assert "FAILED" not in told, told
    reasons = {line["file"]: line["reason"] for line in events(repo) if line["event"] == "artifact_removed"}
    called = "a run called it artifacts/{}".format
    assert reasons == {"artifacts/a.jsonl": called("b.jsonl"), "artifacts/r1.json": called("r2.json")}
    came = birthmark("trace", "artifacts/b.jsonl")
    assert "ren.py" in came, came
