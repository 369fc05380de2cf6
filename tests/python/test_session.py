"""Sessions: what they say, write and end as, in real processes and real repositories."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from conftest import Store, records

import birthmark as bm

# Word for word from the document that asked for the manifest.
PLANNED = [
    "sft_training_data_*.jsonl (200 examples)",
    "sft_model checkpoint",
    "evaluation_comprehensive_*.json",
]
MANIFEST_KEYS = [
    "session_id", "session_start", "git_commit", "git_branch", "git_dirty",
    "environment", "planned_artifacts", "artifacts_generated",
]
ENVIRONMENT_KEYS = [
    "hostname", "python", "torch", "transformers", "cuda", "gpu", "gpu_memory_gb",
]
TRAINING_KEYS = {
    "git_commit", "timestamp", "loader_version", "model_name", "quantization",
    "template_disabled", "seed", "temperature", "max_new_tokens", "do_sample",
    "script_name", "artifact_type", "session_id",
}
EVALUATION_KEYS = {
    "git_commit", "timestamp", "loader_version", "model_name", "quantization",
    "template_disabled", "models", "temperature", "do_sample", "max_new_tokens", "eval_seed",
    "dataset", "script_name", "artifact_type", "session_id",
}
PROVENANCE = {
    "loader_version": "0123456789abcdef0123456789abcdef01234567",
    "template_disabled": True,
    "model_name": "Qwen/Qwen2.5-32B",
    "quantization": "nf4",
    "sentinel_tests_passed": True,
    "add_special_tokens": False,
}

WORK = f"""
import birthmark as bm

provenance = {PROVENANCE!r}
planned = {PLANNED!r}
with bm.session(planned=planned, provenance=provenance, temperature=0.7, do_sample=True) as s:
    with s.jsonl("artifacts/sft_training_data_stage1.jsonl", max_new_tokens=150) as out:
        for n in range(3):
            out.write({{"prompt": f"p{{n}}"}}, seed=42 + n)
    s.report(
        "artifacts/evaluation_comprehensive_1.json",
        {{"summary": {{"base_accuracy": 0.85}}, "results": [{{"id": 1}}]}},
        models={{"base": "Qwen/Qwen2.5-32B", "sft": "checkpoints/sft", "dpo": None}},
        dataset={{"name": "held_out_test_set", "size": 12, "source": "data/test.json"}},
        max_new_tokens=150,
        eval_seed=42,
    )
    import os
    os.makedirs("checkpoints/sft_model")
    with open("checkpoints/sft_model/weights.bin", "wb") as file:
        file.write(bytes(100))
    s.add("checkpoints/sft_model", artifact_type="model", inputs=["artifacts/sft_training_data_stage1.jsonl"])
"""

HELD = """
import birthmark as bm, sys, time
s = bm.session().start()
print(s.id, flush=True)
"""


def outcome(store):
    """How the only session ended, by its journals: the last session_ended, or None."""
    ends = store.events("session_ended")
    return ends[-1]["outcome"] if ends else None


# -- what stands on the disk


def test_manifest_has_the_origins_keys_and_words(committed, store):
    committed(WORK)
    manifest = store.manifest()
    assert [key for key in manifest if key in MANIFEST_KEYS] == MANIFEST_KEYS
    assert manifest["planned_artifacts"] == PLANNED
    assert list(manifest["environment"])[:7] == ENVIRONMENT_KEYS
    assert manifest["environment"]["python"] == sys.version
    assert manifest["git_dirty"] is False
    start = datetime.fromisoformat(manifest["session_start"])
    assert manifest["session_id"].startswith(start.strftime("%Y%m%d_%H%M%S_"))
    made = {entry["file"]: entry for entry in manifest["artifacts_generated"]}
    assert set(made) == {
        "artifacts/sft_training_data_stage1.jsonl",
        "artifacts/evaluation_comprehensive_1.json",
        "checkpoints/sft_model",
    }
    assert made["checkpoints/sft_model"]["type"] == "model"
    for entry in made.values():
        datetime.fromisoformat(entry["timestamp"])


def test_artifacts_have_the_origins_keys_for_their_kind(committed, store, git):
    committed(WORK)
    session = store.manifest()["session_id"]
    marks = [r["metadata"] for r in records("artifacts/sft_training_data_stage1.jsonl")]
    assert all(TRAINING_KEYS <= set(mark) for mark in marks)
    assert [mark["seed"] for mark in marks] == [42, 43, 44]
    report = json.loads(open("artifacts/evaluation_comprehensive_1.json").read())
    evaluation = report["metadata"]
    assert EVALUATION_KEYS <= set(evaluation)
    assert list(report)[0] == "summary"
    assert evaluation["models"] == {"base": "Qwen/Qwen2.5-32B", "sft": "checkpoints/sft", "dpo": None}
    model = bm.read("checkpoints/sft_model")
    assert model["artifact_type"] == "model"
    assert model["inputs"][0]["file"] == "artifacts/sft_training_data_stage1.jsonl"
    for mark in [*marks, evaluation, model]:
        assert mark["session_id"] == session
        assert mark["git_commit"] == git("rev-parse", "HEAD")
        assert mark["script_name"] == "script.py"
        assert mark["birthmark"] == "birthmark/v1"
        assert {**mark, **PROVENANCE} == mark


def test_origins_one_liners_run_unchanged(committed, repo):
    committed(WORK)
    text = """
        jq '.metadata.git_commit' artifacts/sft_training_data_*.jsonl | head -1
        jq '.metadata.git_commit' artifacts/evaluation_*.json | head -1
        git cat-file -t $(jq -r '.metadata.git_commit' artifacts/evaluation_*.json | head -1)
    """
    done = subprocess.run(["sh", "-ec", text], cwd=repo, check=True, capture_output=True, text=True)
    first, second, kind = done.stdout.split()
    assert first == second == f'"{subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()}"'
    assert kind == "commit"


@pytest.mark.parametrize("out", ["artifacts/a.jsonl", "checkpoints/run1/a.jsonl", "top.jsonl"])
def test_two_runs_in_a_clean_repository_both_say_clean(committed, repo, store, git, out):
    source = f"""
import birthmark as bm, pathlib
with bm.session() as s:
    with s.jsonl({out!r}, mode="a") as o:
        o.write({{"a": 1}})
    pathlib.Path("ckpt").mkdir(exist_ok=True)
    pathlib.Path("ckpt/w.bin").write_bytes(b"x")
    s.add("ckpt", artifact_type="model")
"""
    for _ in range(2):
        assert " clean, " in committed(source).stderr
    assert [manifest["git_dirty"] for manifest in store.manifests()] == [False, False]
    assert [record["metadata"]["git_dirty"] for record in records(out)] == [False, False]
    # And it is not true of everything: a file of the user's own does count.
    (repo / "mine.py").write_text("pass\n")
    assert "1 new file (mine.py)" in committed(source).stderr
    assert not [line for line in git("status", "--short").splitlines() if ".birthmark/" in line]


# -- what it says


def test_clean_session_says_three_lines_at_most(committed):
    done = committed(WORK)
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"birthmark: session \d{8}_\d{6}_\w{4} · main [0-9a-f]{7} clean, not pushed", lines[0])
    assert len(lines) <= 4, lines
    assert done.stdout == ""


def test_dirty_line_names_three_files_at_most(committed, repo, git):
    for name in "abcdef":
        (repo / f"{name}.py").write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Files")
    for name in "abcdef":
        (repo / f"{name}.py").write_text("2\n")
    (repo / "new.py").write_text("")
    script = "import birthmark as bm\nwith bm.session(): pass\n"
    (dirty,) = [line for line in committed(script).stderr.splitlines() if ": dirty: " in line]
    named = re.search(r"\((.*?)\)", dirty).group(1).split(", ")
    assert "6 edited, 1 new file" in dirty
    assert len(named) <= 3 and named[-1].startswith("+")


def test_quiet_says_nothing(committed):
    assert committed(WORK, env={"BIRTHMARK_QUIET": "1"}).stderr == ""


def test_refusal_comes_at_entry_before_any_work(committed, repo, git):
    (repo / "birthmark.toml").write_text('artifacts = "artifacts"\n\non_dirty = "refuse"\n')
    git("add", ".")
    git("commit", "--quiet", "--message", "Settings")
    source = """
import birthmark as bm
with bm.session() as s:
    print("worked")
"""
    assert committed(source).stdout == "worked\n"
    (repo / "README.md").write_text("Edited.\n")
    refused = committed(source, check=False)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert (
        'RefusedError: refused: birthmark.toml line 3 says on_dirty = "refuse"; '
        "commit, or BIRTHMARK_ON_DIRTY=warn for once\n"
    ) in refused.stderr
    assert "README.md" in refused.stderr
    assert len(Store(repo).manifests()) == 1
    for_once = committed(source, env={"BIRTHMARK_ON_DIRTY": "warn"})
    assert for_once.stdout == "worked\n"


def test_script_may_refuse_and_the_person_may_overrule(repo, python):
    source = "import birthmark as bm\nwith bm.session(on_dirty='refuse'): print('worked')\n"
    assert "refused: the session says" in python(source, check=False).stderr
    assert python(source, env={"BIRTHMARK_ON_DIRTY": "warn"}).stdout == "worked\n"


def test_representation_is_one_line(repo, capfd):
    assert repr(bm.session()) == "<birthmark session, not begun>"
    with bm.session() as s:
        assert repr(s) == f"<birthmark session {s.id[:20]} open>"
        with s.jsonl("artifacts/a.jsonl") as out:
            out.write({})
            assert repr(out) == f"<JsonlWriter {repo}/artifacts/a.jsonl 1 records>"
        with s.report("artifacts/r.json") as report:
            report.add({})
            assert repr(report) == f"<Report {repo}/artifacts/r.json 1 items>"
    assert repr(s).endswith(" ended>")


# -- how it is entered


def test_entered_again_it_is_the_same_session(repo, store):
    with bm.session(planned=["a.json"]) as outer:
        with bm.session(planned=["b.json"]) as inner:
            assert inner.id == outer.id and bm.current() is inner
            inner.report("artifacts/b.json", {"a": 1})
        with outer:
            pass
        assert outer.is_open and bm.current() is outer
    assert bm.current() is None
    manifest = store.manifest()
    assert manifest["planned_artifacts"] == ["a.json", "b.json"]
    assert outcome(store) == "completed"


def test_error_in_an_inner_session_that_is_caught_is_no_failure(repo, store):
    with bm.session():
        with pytest.raises(ZeroDivisionError), bm.session():
            _ = 1 / 0
        assert bm.current() is not None
    assert outcome(store) == "completed"


def test_end_that_could_not_be_recorded_at_first_stays_what_it_was(committed, store):
    source = """
import birthmark as bm, os
try:
    with bm.session() as s:
        # No manifest can take the place of a folder that holds something.
        os.unlink(s.manifest)
        os.makedirs(os.path.join(s.manifest, "in the way"))
        raise RuntimeError("it failed")
except RuntimeError:
    print("caught")
"""
    done = committed(source)
    assert done.stdout == "caught\n"
    assert done.stderr.count("cannot record the end of the session") == 1, done.stderr
    assert "it stands in the journal, and not in the manifest" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert {end["outcome"] for end in store.events("session_ended")} == {"failed"}


def test_decorated_function_is_a_session_each_call(repo, store):
    @bm.session(planned=["a.json"], seed=1)
    def main(x, *, y):
        """Do it."""
        return x + y, bm.current().id

    (three, first), (_, second) = main(1, y=2), main(1, y=3)
    assert three == 3 and first != second
    assert main.__name__ == "main" and main.__doc__ == "Do it."
    assert bm.current() is None and len(store.manifests()) == 2


def test_decorated_coroutine_is_a_session_until_it_is_done(repo):
    import asyncio

    @bm.session()
    async def main():
        await asyncio.sleep(0)
        return bm.current() is not None

    assert asyncio.run(main()) is True
    assert bm.current() is None


def test_bare_decorator_says_what_to_write():
    with pytest.raises(TypeError, match=r"@bm\.session\(\)"):
        bm.session(lambda: None)


def test_started_session_ends_with_the_interpreter(committed, store):
    committed(HELD + "s.report('artifacts/r.json', {})\nout = s.jsonl('artifacts/a.jsonl')\nout.write({})\n")
    assert outcome(store) == "completed"
    assert {sealed["file"] for sealed in store.events("artifact_sealed")} == {
        "artifacts/r.json", "artifacts/a.jsonl",
    }


def test_started_session_can_be_ended_and_ended_again(repo, store):
    s = bm.session().start()
    assert bm.current() is s
    assert os.environ["BIRTHMARK_SESSION"] == s.id
    s.end()
    s.end()
    assert bm.current() is None
    assert "BIRTHMARK_SESSION" not in os.environ
    assert outcome(store) == "completed"


# -- how it ends


@pytest.mark.parametrize(
    ("body", "code", "expected", "error"),
    [
        ("pass", 0, "completed", None),
        ("raise ValueError('no\\n such thing')", 1, "failed", "ValueError: no such thing"),
        ("raise KeyboardInterrupt", -2, "interrupted", "KeyboardInterrupt"),
        ("sys.exit(3)", 3, "failed", "SystemExit: 3"),
        ("sys.exit('words')", 1, "failed", "SystemExit: words"),
        ("sys.exit(0)", 0, "completed", None),
        ("os._exit(0)", 0, None, None),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, None, None),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, None, None),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11, None, None),
    ],
)
def test_end_is_told_by_the_journal_as_it_was(committed, store, body, code, expected, error):
    source = f"""
import os, signal, sys
import birthmark as bm
with bm.session() as s:
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({{"a": 1}})
        {body}
"""
    done = committed(source, check=False)
    assert done.returncode in (code, 130 if code == -2 else code)
    assert outcome(store) == expected
    ends = store.events("run_ended")
    if expected is None:
        assert ends == [] and store.events("session_ended") == []
    else:
        assert ends[0].get("error") == error
        assert ends[0]["outcome"] == expected
        if body.startswith("sys.exit"):
            assert ends[0]["exit_code"] == code
    assert len(records("artifacts/a.jsonl")) == 1


@pytest.mark.parametrize("body", ["raise ValueError('x')", "1 / 0"])
def test_uncaught_error_after_start_is_a_failure(committed, store, body):
    assert committed(HELD + body, check=False).returncode == 1
    assert outcome(store) == "failed"


def test_secrets_in_the_error_never_reach_the_disk(committed, store, repo):
    token = "hf_" + "A1b2C3d4E5f6G7h8I9j0" * 2
    source = f"import birthmark as bm\nwith bm.session(note='{token}'): raise ValueError('{token}')\n"
    committed(source, check=False)
    for path in (repo / "artifacts").rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


# -- what changes under it


def test_drift_is_recorded_and_said(committed, store, repo):
    source = """
import subprocess
import birthmark as bm
with bm.session():
    bm.current().birthmark()
    with open("README.md", "a") as file:
        file.write("More.\\n")
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", "Moved"], check=True)
    with open("script.py", "a") as file:
        file.write("# edited\\n")
"""
    said = committed(source).stderr
    (drift,) = store.events("drift")
    text = " ".join(drift["changes"])
    assert re.search(r"HEAD moved from [0-9a-f]{7} to [0-9a-f]{7}", text)
    assert "script.py changed" in text
    assert "while it ran, " in said


def test_data_that_another_edits_is_drift_too(committed, store):
    source = """
import subprocess
import birthmark as bm
with bm.session():
    bm.current().birthmark()
    # What a session sees its script write is an output.
    subprocess.run(["sh", "-c", "echo More >> README.md"], check=True)
"""
    assert "README.md changed" in committed(source).stderr
    (drift,) = store.events("drift")
    assert drift["changes"] == ["README.md changed"]


def test_names_that_act_on_a_terminal_are_escaped_and_lines_stay_lines(committed, repo):
    source = """
import birthmark as bm
with bm.session() as s, s.jsonl("artifacts/a\\x1b[31m\\nbirthmark: forged.jsonl") as out:
    out.write({"n": 1})
"""
    (repo / "edited.py").write_text("")
    lines = committed(source).stderr.splitlines()
    assert all(line.startswith(("birthmark: ", "           ")) for line in lines), lines
    assert not any(line.startswith("birthmark: forged") for line in lines)
    assert "\x1b" not in "".join(lines) and "\\x1b[31m\\nbirthmark: forged" in "".join(lines)
    assert not any("\\n  " in line for line in lines), lines


def test_without_drift_nothing_is_said_of_it(committed, store):
    assert "while it ran" not in committed(WORK).stderr
    assert store.events("drift") == []


# -- where git is not as usual


MARK = """
import birthmark as bm, json, os
with bm.session() as s:
    print(json.dumps(s.birthmark("training_data")))
"""


def mark_of(done):
    return json.loads(done.stdout)


def test_detached_head_has_no_branch(committed, git):
    committed(MARK)
    git("checkout", "--quiet", "--detach")
    mark = mark_of(committed(MARK))
    assert mark["git_branch"] is None and mark["git_commit"] == git("rev-parse", "HEAD")
    assert mark["git_dirty"] is False


def test_unborn_head_has_no_commit_and_says_why(tmp_path, git, python):
    git("init", "--quiet", "--initial-branch=main")
    mark = mark_of(python(MARK))
    assert mark["git_commit"] is None and mark["unknown"]["git_commit"]
    assert mark["git_branch"] == "main"


def test_no_repository_is_unknown_and_never_clean(tmp_path, python):
    done = python(MARK)
    mark = mark_of(done)
    assert mark["git_commit"] is None and mark["git_dirty"] is None
    assert mark["unknown"]["git_commit"] and mark["unknown"]["git_dirty"]
    assert "no commit" in done.stderr and "clean" not in done.stderr


def test_variables_of_git_that_point_elsewhere_are_not_believed(committed, git, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    git("init", "--quiet", cwd=other)
    git("commit", "--quiet", "--allow-empty", "--message", "Other", cwd=other)
    committed(MARK)
    env = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    script = "script.py"
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    assert mark_of(done)["git_commit"] == git("rev-parse", "HEAD")


def test_script_run_from_elsewhere_speaks_for_its_own_repository(committed, repo, git, store):
    committed(MARK)
    done = subprocess.run(
        [sys.executable, str(repo / "script.py")], cwd="/", capture_output=True, text=True, check=True
    )
    assert mark_of(done)["git_commit"] == git("rev-parse", "HEAD")
    assert len(store.manifests()) == 2


# -- children


def test_children_join_as_runs_of_their_own(committed, store):
    source = """
import multiprocessing, os, subprocess, sys
import birthmark as bm

def work(n):
    with bm.session() as s:
        with s.jsonl(f"artifacts/child_{n}.jsonl") as out:
            out.write({"n": n})
        return s.id, s.run_id

if __name__ == "__main__":
    with bm.session() as s:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            told = pool.map(work, range(3))
        assert {session for session, _ in told} == {s.id}, told
        assert s.run_id not in {run for _, run in told}
        code = "import birthmark as bm\\nwith bm.session() as s: print(s.id)"
        for folder in (".", "/"):
            printed = subprocess.run([sys.executable, "-c", code], check=True, cwd=folder,
                                     capture_output=True, text=True)
            assert printed.stdout.strip() == s.id
            assert printed.stderr == "", printed.stderr
        assert s.is_open
    print("done")
"""
    done = committed(source)
    assert done.stdout == "done\n"
    assert done.stderr.count("birthmark: session ") == 1
    made = {entry["file"] for entry in store.manifest()["artifacts_generated"]}
    assert made == {f"artifacts/child_{n}.jsonl" for n in range(3)}
    assert len(store.events("session_ended")) == 1
    (parent,) = {line["run_id"] for line in store.events("writer_opened") if line["parent_run"] is None}
    others = [line["parent_run"] for line in store.events("writer_opened") if line["parent_run"]]
    assert len(others) >= 5 and set(others) == {parent}


def test_forked_child_is_refused_with_a_word_and_ends_nothing(committed, store):
    source = """
import os, sys
import birthmark as bm
with bm.session() as s:
    out = s.jsonl("artifacts/a.jsonl")
    report = s.report("artifacts/r.json")
    out.write({"a": 1})
    report.add({"a": 1})
    child = os.fork()
    if child == 0:
        assert bm.current() is None and not s.is_open
        for use in (lambda: out.write({}), lambda: out.write_many([{}]), lambda: s.plan("x"),
                    lambda: report.add({}), lambda: s.jsonl("artifacts/b.jsonl"),
                    lambda: s.report("artifacts/q.json", {}), lambda: s.use("x")):
            try:
                use()
            except bm.BirthmarkError as error:
                assert "forked child" in str(error) and error.hint, error
            else:
                os._exit(7)
        out.close()
        report.close()
        sys.exit(0)  # runs what atexit has
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert s.is_open
    out.write({"a": 2})
    report.add({"a": 2})
    report.close()
    out.close()
"""
    committed(source)
    assert [record["a"] for record in records("artifacts/a.jsonl")] == [1, 2]
    assert len(json.loads(open("artifacts/r.json").read())["results"]) == 2
    assert outcome(store) == "completed"
    assert len(store.events("session_ended")) == 1


def test_forked_child_may_have_a_session_of_its_own(committed, store):
    source = """
import os
import birthmark as bm
with bm.session() as s:
    child = os.fork()
    if child == 0:
        with bm.session() as mine, mine.jsonl("artifacts/child.jsonl") as out:
            out.write({"a": mine.id == s.id})
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert s.is_open
"""
    committed(source)
    assert records("artifacts/child.jsonl")[0]["a"] is True
    assert outcome(store) == "completed"


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_session_of_a_worker_ends_with_it_and_its_files_are_sealed(committed, store, birthmark, how):
    committed(
        "import multiprocessing as mp, sys\n"
        "import birthmark as bm\n"
        "def work(number):\n"
        "    session = bm.session(); session.start()\n"
        '    out = session.jsonl(f"artifacts/{number}.jsonl")\n'
        '    out.write({"n": number})\n'
        "    if number == 3: raise ValueError('of the worker')\n"
        'if __name__ == "__main__":\n'
        "    with bm.session():\n"
        "        context = mp.get_context(sys.argv[1])\n"
        "        workers = [context.Process(target=work, args=(n,)) for n in range(4)]\n"
        "        for worker in workers: worker.start()\n"
        "        for worker in workers: worker.join()\n",
        how,
    )
    made = {one["file"]: one["state"] for one in store.manifest()["artifacts_generated"]}
    assert made == {f"artifacts/{number}.jsonl": "sealed" for number in range(4)}
    items = json.loads(birthmark("verify", "--json"))["items"]
    assert "never closed" not in json.dumps(items), items
    ends = store.events("run_ended")
    assert sorted(one["outcome"] for one in ends) == ["completed"] * 4 + ["failed"], ends
    assert [one for one in ends if "of the worker" in json.dumps(one)]


def test_file_can_be_opened_again_while_a_forked_child_lives(committed):
    source = """
import os, time
import birthmark as bm
with bm.session() as s:
    out = s.jsonl("artifacts/a.jsonl")
    out.write({})
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    out.close()
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        out.write({})
    os.kill(child, 9)
    os.waitpid(child, 0)
"""
    committed(source)
    assert len(records("artifacts/a.jsonl")) == 2


# -- misuse


def test_misuse_is_answered_with_what_to_do(repo):
    s = bm.session()
    with pytest.raises(bm.UsageError, match="has not begun") as error:
        s.jsonl("artifacts/a.jsonl")
    assert error.value.code == "not-begun" and "with bm.session()" in error.value.hint
    with s:
        out = s.jsonl("artifacts/a.jsonl")
        out.write({})
    with pytest.raises(bm.UsageError, match="is closed") as error:
        out.write({})
    assert error.value.code == "file-closed" and 'mode="a"' in error.value.hint
    with pytest.raises(bm.UsageError, match="session is over"):
        s.jsonl("artifacts/b.jsonl")
    with bm.session() as s:
        for wrong in ({"mode": "r"}, {"fields": "some"}, {"nan": "zero"}):
            with pytest.raises(ValueError, match="must be"):
                s.jsonl("artifacts/c.jsonl", **wrong)
        with pytest.raises(ValueError, match="outcome"):
            s.end("fine")
        assert s.is_open
    with pytest.raises(bm.UsageError, match="on_dirty must be"):
        bm.session(on_dirty="maybe").start()
    for field in ("git_commit", "session_id", "timestamp", "unknown", "git_mine"):
        with pytest.raises(bm.UsageError, match="reserved"):
            bm.session(**{field: "x"}).start()
    with pytest.raises(bm.UsageError, match="temperature"):
        bm.session(temperature="hot").start()
    assert bm.current() is None


def test_unknown_session_in_the_environment_is_an_error(repo, monkeypatch):
    monkeypatch.setenv("BIRTHMARK_SESSION", "20200101_000000_0000000000000")
    with pytest.raises(bm.UsageError, match="BIRTHMARK_SESSION") as error:
        bm.session().start()
    assert "unset BIRTHMARK_SESSION" in error.value.hint


def test_session_starts_soon_on_a_small_repository(committed):
    source = """
import time
began = time.perf_counter()
import birthmark as bm
imported = time.perf_counter()
s = bm.session().start()
started = time.perf_counter()
s.end()
print(imported - began, started - imported)
"""
    pairs = [tuple(map(float, committed(source).stdout.split())) for _ in range(5)]
    # Loose on purpose: machines that build beside are slow. `make bench` has the real bars.
    assert min(start for _, start in pairs) < 0.5
    assert min(load for load, _ in pairs) < 0.5


def test_end_waits_for_nobody(committed):
    began = time.monotonic()
    committed("import birthmark as bm\nwith bm.session(): pass\n")
    assert time.monotonic() - began < 20


def test_capture_and_read_open_no_session(repo, git):
    captured = bm.capture("evaluation")
    assert captured["git_commit"] == git("rev-parse", "HEAD")
    assert captured["artifact_type"] == "evaluation"
    assert list(captured["environment"])[:7] == ENVIRONMENT_KEYS
    assert bm.read("README.md") is None
    assert not (repo / "artifacts").exists()
    with pytest.raises(bm.StoreError):
        bm.read("no-such-file.jsonl")


def test_child_of_a_killed_session_is_left_alone(committed, store):
    """A session whose process was killed is over for whoever still has its variables."""
    done = committed(HELD + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", check=False)
    assert done.returncode == -signal.SIGKILL
    again = committed(HELD)
    assert again.stdout.strip() != done.stdout.strip()
    assert len(store.manifests()) == 2


def test_progress_is_drawn_on_a_terminal_after_a_second(committed, repo):
    import pty

    source = """
import birthmark as bm, time
with bm.session() as s, s.jsonl("artifacts/a.jsonl", mode="a") as out:
    for item in out.todo([{"id": n} for n in range(16)]):
        time.sleep(0.12)
        out.write(item)
"""
    committed("pass")
    (repo / "script.py").write_text(source)
    ours, theirs = pty.openpty()
    done = subprocess.Popen([sys.executable, "script.py"], stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 1024):
            said += chunk
    except OSError:
        pass  # how the end of a terminal looks
    assert done.wait() == 0
    drawn = re.findall(rb"birthmark: (\d+) of 16, \d+ s left, [\d.]+/s", said)
    assert drawn and all(8 <= int(count) <= 15 for count in drawn), said
    assert b"\x1b[K" in said.rpartition(b"/s")[2], "the line is not taken away again"


def test_variables_set_while_a_session_looks_crash_nothing(repo, git, committed, tmp_path_factory):
    """Before glibc 2.41 a reader of the environment may crash when another thread sets a variable."""
    inner = tmp_path_factory.mktemp("inner")
    git("init", "--quiet", cwd=inner)
    git("commit", "--quiet", "--allow-empty", "--message", "Begin", cwd=inner)
    commit = git("rev-parse", "HEAD", cwd=inner)
    for n in range(40):  # each is opened, which asks for HOME, beside the script
        shutil.copytree(inner, repo / f"sub{n}")
        git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub{n}")
    source = """
import os
import birthmark as bm
for n in range(20):
    with bm.session():
        for k in range(3000):
            os.environ[f"OWN_{n}_{k}"] = "x" * (k % 200)
        for k in range(3000):
            del os.environ[f"OWN_{n}_{k}"]
print("alive")
"""
    done = committed(source, env={"BIRTHMARK_QUIET": "1"})
    assert done.stdout == "alive\n", done.stderr


def test_a_variable_set_between_two_sessions_is_obeyed(repo, committed, store, tmp_path_factory):
    """The libraries are answered from what was read when a session began, and not from before."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n")
    (home / "ignored").write_text("*.log\n")
    (repo / "a.log").write_text("1")
    committed(
        "import os\n"
        "import birthmark as bm\n"
        "with bm.session():\n"
        "    pass\n"
        f'os.environ["HOME"] = {str(home)!r}\n'
        "with bm.session():\n"
        "    pass\n"
    )
    assert [one["git_dirty"] for one in store.manifests()] == [True, False]


@pytest.mark.parametrize(
    "call",
    [
        's.add("big.bin", artifact_type="model")',
        's.use("big.bin")',
        's.report("artifacts/r.json", {"a": 1}, dataset="big.bin")',
        's.jsonl("artifacts/r.jsonl", inputs=["big.bin"])',
    ],
)
def test_interrupt_ends_a_long_digest_and_nothing_is_recorded_of_it(committed, store, call):
    done = committed(
        "import os, signal, threading, time\n"
        "import birthmark as bm\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background\n"
        'open("big.bin", "wb").truncate(1 << 40)\n'
        "with bm.session() as s:\n"
        "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    began = time.monotonic()\n"
        "    try:\n"
        f"        {call}\n"
        "    except KeyboardInterrupt:\n"
        '        print("interrupted in time", time.monotonic() - began < 20)\n'
        '    s.report("artifacts/after.json", {"a": 1})\n'
    )
    assert "interrupted in time True" in done.stdout, done.stdout + done.stderr
    made = [one["file"] for one in store.manifest()["artifacts_generated"]]
    assert made == ["artifacts/after.json"]
    assert store.manifest()["used"] == []


def test_long_digest_shows_how_far_it_is_on_a_terminal_alone(repo):
    """The file is larger than anybody reads in that time: it is interrupted, and the line is gone."""
    import pty

    script = repo / "add.py"
    script.write_text(
        "import os, signal, sys, threading\n"
        "import birthmark as bm\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        'with open("big.bin", "wb") as file: file.truncate(1 << 40)\n'
        "with bm.session() as s:\n"
        "    threading.Timer(2.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        '    try: s.add("big.bin", artifact_type="model")\n'
        "    except KeyboardInterrupt: pass\n"
    )
    shown = {}
    for how, more in [("terminal", {}), ("quiet", {"BIRTHMARK_QUIET": "1"}), ("pipe", {})]:
        ours, theirs = pty.openpty() if how != "pipe" else os.pipe()
        running = subprocess.Popen([sys.executable, "add.py"], cwd=repo, stderr=theirs, env={**os.environ, **more})
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 4096):
                said += piece
        except OSError:
            pass  # the terminal is gone
        os.close(ours)
        assert running.wait() == 0
        shown[how] = said.decode()
    line = re.compile(r"\r\x1b\[Kbirthmark: [\d.]+ [kMG]B of 1\.1 TB, [\d.]+ [kMG]B/s, .* left")
    drawn = list(line.finditer(shown["terminal"]))
    assert drawn, shown["terminal"]
    assert shown["terminal"].rindex("\r\x1b[K") > drawn[-1].start(), "the line was left there"
    assert "\x1b[K" not in shown["quiet"] + shown["pipe"]


def test_durability_is_an_argument_and_no_field(repo, store):
    with pytest.raises(ValueError, match="durability must be"):
        bm.session(durability="disk")
    with bm.session(durability="power", seed=1) as s:
        assert s._live.durability == "power"
        with s.jsonl("artifacts/a.jsonl") as out:
            out.write({"n": 1})
        with bm.session(durability="power"):
            pass
        with pytest.raises(bm.UsageError, match="one for the whole process"):
            bm.session(durability="process").start()
    assert "durability" not in bm.read("artifacts/a.jsonl")
    with bm.session() as plain:
        assert plain._live.durability == "process"
