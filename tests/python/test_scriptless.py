"""Code that stood in no file, and what the runs of one session read."""

import subprocess
import sys

import birthmark as bm

SCRIPT = (
    "import birthmark as bm\n"
    "with bm.session() as s: s.report('artifacts/r.json', {'summary': {'a': 1}, 'results': []})\n"
)
NOWHERE = "the code came through stdin, and is kept nowhere"


def test_code_that_came_through_stdin_is_called_kept_nowhere(repo, birthmark):
    subprocess.run([sys.executable, "-"], input=SCRIPT, text=True, check=True)
    assert bm.read("artifacts/r.json")["unknown"]["script_name"] == f"no script: {NOWHERE}"
    assert NOWHERE in birthmark("show", "artifacts/r.json")
    assert NOWHERE in birthmark("verify", "artifacts/r.json")
    plan = birthmark("reproduce", "--dry-run", "artifacts/r.json", status=2)
    assert f"NOT exact: {NOWHERE}" in plan


def test_code_of_the_command_line_has_its_reason_and_is_kept_there(repo, birthmark):
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
    reason = bm.read("artifacts/r.json")["unknown"]["script_name"]
    assert reason == "no script: the code is in the command line"
    assert "kept nowhere" not in birthmark("verify", "artifacts/r.json")


def test_show_names_what_the_run_of_a_file_read_and_not_what_others_read(repo, committed, birthmark):
    for name in ("alpha", "beta"):
        (repo / f"{name}.json").write_text(f'{{"{name}": 1}}')
    committed(
        "import sys, subprocess, birthmark as bm\n"
        "if len(sys.argv) == 1:\n"
        "    with bm.session():\n"
        "        for name in ('alpha', 'beta'):\n"
        "            subprocess.run([sys.executable, __file__, name], check=True)\n"
        "else:\n"
        "    with bm.session() as s:\n"
        "        name = sys.argv[1]\n"
        "        open(name + '.json').read()\n"
        "        s.report(f'artifacts/{name}.json', {'summary': {'a': 1}, 'results': []})\n"
    )
    alpha = birthmark("show", "artifacts/alpha.json")
    assert "read: alpha.json" in alpha and "beta.json" not in alpha


def test_an_edit_that_git_was_told_not_to_see_is_dirty(repo, committed, git, python, birthmark):
    done = committed("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/a.json', {'a': 1})\n")
    assert " clean" in done.stderr
    git("update-index", "--assume-unchanged", "script.py")
    done = python("import birthmark as bm\nwith bm.session() as s: s.report('artifacts/b.json', {'a': 2})\n")
    assert git("status", "--short", "--untracked-files=no") == ""
    assert "hidden from git (script.py)" in done.stderr and " clean" not in done.stderr
    mark = bm.read("artifacts/b.json")
    assert mark["git_dirty"] is True and mark["git_snapshot"] is not None
    assert [one["file"] for one in bm.find("dirty=true")] == ["artifacts/b.json"]
    assert "dirty, snapshot" in birthmark("show", "artifacts/b.json")
