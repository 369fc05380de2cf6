"""What a session says of its work is what it did: where, how much, from what, and what it replaced."""

import json
import subprocess
import sys

import pytest

GEN = """
import sys
import birthmark as bm
with bm.session() as s:
    with s.jsonl("artifacts/sft.jsonl", mode="a") as out:
        for n in range(int(sys.argv[1])):
            out.write({"n": n})
"""


@pytest.fixture
def call(repo, program):
    """Run the program's words in the project; gives status, stdout and stderr."""

    def call(*words, cwd=repo):
        return subprocess.run(
            [program, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120
        )

    return call


def test_data_that_a_run_only_saw_is_refused_here_and_in_a_clone(repo, call, git, tmp_path_factory):
    (repo / "birthmark.toml").write_text('[policy]\ntraining_data = ["seed set"]\n')
    git("add", ".")
    git("commit", "--quiet", "--message", "Policy")
    assert call("run", "--", "sh", "-c", "echo '{\"a\":1}' > artifacts/ran.jsonl").returncode == 0
    git("add", "-A")
    git("commit", "--quiet", "--message", "Data")
    clone = tmp_path_factory.mktemp("clone") / "c"
    git("clone", "--quiet", str(repo), str(clone))
    for place in (repo, clone):
        for words in (["verify", "artifacts", "--require-stamped"], ["policy", "check", "artifacts"]):
            done = call(*words, cwd=place)
            assert done.returncode == 1, done.stdout
            assert "it carries no birthmark" in done.stdout
            assert "verified    artifacts/ran.jsonl" not in done.stdout
        done = call("verify", "artifacts", cwd=place)
        assert done.returncode == 0, done.stdout
        assert "caveat      artifacts/ran.jsonl" in done.stdout


def test_a_script_of_no_project_works_for_the_working_folders(repo, call, store, tmp_path_factory):
    beside = tmp_path_factory.mktemp("elsewhere")
    script = beside / "gen.py"
    script.write_text(GEN)
    done = subprocess.run(
        [sys.executable, str(script), "2"], cwd=repo, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "lies in no project" in done.stderr
    assert str(repo) in done.stderr
    (alone,) = store.manifests()
    assert alone["git_commit"] is not None
    again = subprocess.os.path.relpath(script, repo)
    assert call("run", "--", sys.executable, again, "2").returncode == 0
    both = store.manifests()
    assert len(both) == 2, "the script joins the session of the runner"
    assert len(both[1]["runs"]) == 2
    assert not (beside / "artifacts").exists()


def test_only_new_records_are_said_to_be_made(committed, call):
    assert "made 20 records in artifacts/sft.jsonl\n" in committed(GEN, "20").stderr
    assert "made 10 records in artifacts/sft.jsonl (30 in the file)" in committed(GEN, "10").stderr
    assert "10 records, 30 in the file" in call("show", "last").stdout
    assert "made 0 records in artifacts/sft.jsonl (30 in the file)" in committed(GEN, "0").stderr


MISTYPED = """
import birthmark as bm
with bm.session() as s:
    s.report("artifacts/r.json", {"x": 1}, dataset="data/typo.jsonl")
    with open("m.bin", "w") as out:
        out.write("m")
    s.add("m.bin", inputs=["artifacts/typo.jsonl", "openai/gsm8k"])
"""


def test_inputs_that_are_not_there_are_said_at_once_and_kept_as_unknown(committed, repo, call):
    said = committed(MISTYPED).stderr
    assert "dataset `data/typo.jsonl`: it is not there" in said
    assert "input `artifacts/typo.jsonl`: it is not there" in said
    assert "gsm8k" not in said, "the name of a dataset is no path"
    mark = json.loads((repo / "artifacts/r.json").read_text())["metadata"]
    assert "it is not there" in mark["unknown"]["dataset.digest"]
    assert "it is not there" in call("show", "artifacts/r.json").stdout
    inputs = json.loads((repo / "m.bin.birthmark.json").read_text())["metadata"]["inputs"]
    assert "it is not there" in inputs[0]["unknown"]["digest"]
    assert inputs[1] == {"name": "openai/gsm8k"}


ADD = """
import sys
import birthmark as bm
with bm.session() as s:
    with open("m.bin", "w") as out:
        out.write(sys.argv[1])
    s.add("m.bin")
"""


def test_a_second_birthmark_keeps_the_first_or_says_which_it_replaces(committed, repo, store, call):
    committed(ADD, "one")
    first = (repo / "m.bin.birthmark.json").read_bytes()
    assert "it is kept" in committed(ADD, "one").stderr
    assert (repo / "m.bin.birthmark.json").read_bytes() == first
    assert len(store.manifests()[1]["artifacts_generated"]) == 1, "it was made again"
    assert call("verify").returncode == 0
    assert "replaced" in committed(ADD, "two").stderr
    notes = store.events("artifact_sealed")[-1]["notes"]
    before = json.loads(first)
    assert notes["replaced"] == {
        "session_id": before["metadata"]["session_id"],
        "digest": before["digest"],
    }
    assert call("verify", "m.bin").returncode == 0


def test_own_writes_of_tracked_artifacts_are_no_drift(committed, repo, git, store):
    committed(GEN, "3")
    git("add", "-A")
    git("commit", "--quiet", "--message", "Artifacts are tracked")
    assert "while it ran" not in committed(GEN, "3").stderr
    assert store.events("drift") == []


OUTPUTS = """
import json, os, sys
import birthmark as bm
with bm.session(params={"n": int(sys.argv[1])}) as s:
    s.report("artifacts/r.json", {"summary": {"accuracy": int(sys.argv[1]) / 10}}, mode="w")
    os.makedirs("results", exist_ok=True)
    for path in ("artifacts/table.csv", "results/table.tex"):
        with open(path, "w") as out:
            out.write(sys.argv[1])
"""


def test_outputs_that_git_tracks_are_no_drift_and_can_be_made_again(committed, repo, git, store, call):
    committed(OUTPUTS, "1")
    git("add", "-A", ":!artifacts/.birthmark")
    git("commit", "--quiet", "--message", "Results are committed")
    assert "while it ran" not in committed(OUTPUTS, "2").stderr
    watched = call("run", "--", "sh", "-c", "printf 3 > results/table.tex; printf 3 > artifacts/table.csv")
    assert "while it ran" not in watched.stderr
    watched = call("run", "--", "sh", "-c", "mv artifacts/table.csv artifacts/t.csv; mv artifacts/t.csv artifacts/table.csv")
    assert "while it ran" not in watched.stderr
    assert store.events("drift") == []
    for file in ("artifacts/r.json", "results/table.tex"):
        done = call("reproduce", "--yes", file)
        assert done.returncode == 0, done.stdout + done.stderr


NOTEBOOK = """
import json, sys
import birthmark as bm
with bm.session():
    bm.current().birthmark()
    with open("nb.ipynb") as file:
        book = json.load(file)
    book["cells"][0][sys.argv[1]] = ["print(2)"]
    with open("nb.ipynb", "w") as file:
        json.dump(book, file)
"""


@pytest.mark.parametrize(("what", "is_drift"), [("outputs", False), ("source", True)])
def test_what_a_notebooks_cells_put_out_is_no_drift(committed, repo, git, store, what, is_drift):
    cell = {"cell_type": "code", "metadata": {}, "source": ["print(1)"], "outputs": [], "execution_count": None}
    (repo / "nb.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    git("add", "nb.ipynb")
    assert ("nb.ipynb changed" in committed(NOTEBOOK, what).stderr) == is_drift
    assert bool(store.events("drift")) == is_drift


def test_a_stream_sent_into_a_file_is_named_where_its_log_is_asked_for(repo, call, program):
    with open(repo / "log.txt", "w") as out:
        subprocess.run([program, "run", "--", "echo", "hello"], cwd=repo, stdout=out, check=True)
    assert (repo / "log.txt").read_text() == "hello\n"
    done = call("session", "log", "--stream", "stdout")
    assert done.returncode == 1
    assert "stdout was sent into a file, and is there: log.txt" in done.stderr + done.stdout
    assert "log.txt" in call("show", "last").stdout


def test_stamps_that_would_say_nothing_or_two_things_are_refused(committed, repo, call):
    (repo / "empty.jsonl").touch()
    done = call("stamp", "empty.jsonl", "--in-place", "--type", "training_data")
    assert done.returncode != 0
    assert "is empty" in done.stderr
    assert call("stamp", "empty.jsonl", "--type", "training_data").returncode == 0
    committed(GEN, "2")
    done = call("stamp", "artifacts/sft.jsonl", "--type", "training_data", "--set", "x=42")
    assert done.returncode != 0
    assert "carries a birthmark within" in done.stderr
    assert not (repo / "artifacts/sft.jsonl.birthmark.json").exists()


@pytest.mark.parametrize("wrong", ['on_drity = "warn"\n', "artifacts = \n"])
def test_a_misspelled_setting_stops_no_run_and_is_said_loudly(committed, repo, call, wrong):
    (repo / "birthmark.toml").write_text(wrong)
    said = committed(GEN, "2").stderr
    assert "WARNING" in said
    assert "birthmark.toml` line 1" in said
    if "drity" in wrong:
        assert "did you mean `on_dirty`?" in said
    assert call("run", "--", "true").returncode == 0
    for words in (["list"], ["session", "list"], ["find"], ["doctor"]):
        done = call(*words)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("warning: ") == 1
    assert call("verify", "artifacts").returncode == 2, "what judges needs its settings"


@pytest.mark.parametrize(
    "text",
    [
        '[policy]\nenforce = "refuse"\ntraining_data = ["seed se"]\n',
        '[policy]\nenforce = "refuse"\ntraining_data = [\n',
        'on_drity = "refuse"\n',
    ],
)
def test_what_may_refuse_and_cannot_be_read_is_never_passed_by(committed, repo, text):
    (repo / "birthmark.toml").write_text(text)
    done = committed(GEN, "2", check=False)
    assert done.returncode == 1
    assert "birthmark.toml" in done.stderr
    assert not (repo / "artifacts/sft.jsonl").exists()


def test_a_wrong_setting_takes_none_of_the_others_away(committed, repo):
    (repo / "birthmark.toml").write_text(
        'artefacts = "out"\n[policy]\nenforce = "refuse"\ntraining_data = ["seed set"]\n'
    )
    said = committed(GEN, "2", check=False).stderr
    assert "WARNING" in said
    assert "refused" in said and "seed is missing" in said, "the policy is still in force"
