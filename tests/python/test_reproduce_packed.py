"""What cannot be told by bytes alone: packed text, files that a hand changed, a kernel that refuses nothing."""

import ctypes
import json
import subprocess
import sys

import pytest

LANDLOCK = (444, 445, 446)  # of every architecture: create a ruleset, add a rule, restrict oneself


@pytest.fixture
def run(repo, git, program):
    """Commit scripts and run each by `birthmark run`."""
    (repo / ".gitignore").write_text("artifacts/\n")
    (repo / "artifacts").mkdir(exist_ok=True)

    def run(**scripts):
        for name, source in scripts.items():
            (repo / f"{name}.py").write_text(source)
        git("add", ".")
        git("commit", "--quiet", "--allow-empty", "--message", "Scripts")
        for name in scripts:
            subprocess.run(
                [program, "run", "--", sys.executable, f"{name}.py"], cwd=repo, check=True, capture_output=True
            )

    return run


@pytest.fixture
def reproduce(repo, program):
    def run(*arguments, **options):
        command = [program, "reproduce", *map(str, arguments)]
        return subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=300, **options)

    return run


def test_text_that_was_packed_at_another_time_is_equal(run, repo, reproduce):
    pack = "import gzip, time; gzip.GzipFile('artifacts/{0}', 'wb', mtime=time.time_ns() % 2**31).write({1})"
    run(
        t=pack.format("t.txt.gz", "b'some text\\n' * 99"),
        r=pack.format("r.jsonl.gz", "b'{\"n\": 1}\\n' * 9"),
        c=pack.format("c.txt.gz", "str(time.time_ns()).encode()"),
    )
    done = reproduce("artifacts/t.txt.gz", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nequal content: equal text, packed differently from byte " in done.stdout, done.stdout
    assert "(the time in its header)\n" in done.stdout, done.stdout
    done = reproduce("artifacts/r.jsonl.gz", "--yes")
    assert (done.returncode, "\nequal records\n" in done.stdout) == (0, True), done.stdout + done.stderr
    done = reproduce("artifacts/c.txt.gz", "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\ndiffers: byte " in done.stdout and " of what is packed\n" in done.stdout, done.stdout


def test_what_a_hand_changed_between_two_runs_is_told_and_never_taken_for_what_the_first_left(
    run, repo, reproduce, birthmark, program
):
    run(a="open('artifacts/d.txt', 'w').write('made\\n' * 3)")
    (repo / "artifacts/d.txt").write_text("by hand\n")
    run(b="open('artifacts/s.txt', 'w').write(open('artifacts/d.txt').read() * 2)")
    came = " ".join(birthmark("trace", "--up", "artifacts/s.txt").split())
    assert "! not what a.py in session" in came, came
    assert "left there: changed by something that was not recorded changed from artifacts/d.txt" in came, came
    assert "made by a.py" in came, came
    (read,) = (
        node
        for node in json.loads(birthmark("trace", "--up", "--json", "artifacts/s.txt"))["nodes"]
        if node.get("changed_since")
    )
    assert (read["file"], read["changed_since"]["script_name"]) == ("artifacts/d.txt", "a.py")
    left = read["changed_since"]["digest"]
    assert left != read["digest"]

    assert "! artifacts/d.txt: not what a.py in session" in birthmark("show", "artifacts/s.txt")
    (shown,) = json.loads(birthmark("show", "--json", "artifacts/s.txt"))["inputs_changed"]
    assert (shown["file"], shown["changed_since"]["digest"]) == ("artifacts/d.txt", left)
    planned = reproduce("artifacts/s.txt", "--dry-run").stdout
    assert "inputs       artifacts/d.txt  as it was\n               ! not what a.py in session" in planned
    (told,) = json.loads(reproduce("artifacts/s.txt", "--dry-run", "--json").stdout)["plan"]["inputs"]
    assert told["changed_since"] == shown["changed_since"]

    changed = "changed since a.py in session"
    nobody = "made it; what lies there now was made by no session known here"
    told = " ".join(birthmark("trace", "artifacts/d.txt").split())
    assert f"! {changed}" in told and nobody in told and "made by a.py" in told, told
    done = reproduce("artifacts/d.txt", "--yes")
    assert done.returncode == 2 and changed in done.stderr and nobody in done.stderr, done.stdout + done.stderr
    assert f"birthmark reproduce {left}" in done.stderr
    done = reproduce(left, "--yes")
    # The original is gone: its digest alone proves that this is what a.py had left.
    assert (done.returncode, "\nidentical\n" in done.stdout) == (0, True), done.stdout + done.stderr

    (repo / "artifacts/d.txt").write_text("by hand again, and read by nobody\n")
    told = " ".join(birthmark("trace", "artifacts/d.txt").split())
    assert f"! {changed}" in told and nobody in told, told
    assert "! artifacts/d.txt is not what was recorded" in reproduce("artifacts/d.txt", "--dry-run").stdout


def without_landlock():
    """Deny this process and what it starts the kernel's means to refuse writing, as older kernels do."""

    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]

    load, equal, give, enosys = 0x20, 0x15, 0x06, 0x00050000 | 38
    denied = [Filter(equal, len(LANDLOCK) - at, 0, number) for at, number in enumerate(LANDLOCK)]
    lines = [Filter(load, 0, 0, 0), *denied, Filter(give, 0, 0, 0x7FFF0000), Filter(give, 0, 0, enosys)]
    lines = (Filter * len(lines))(*lines)
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(Program(len(lines), lines)))):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "the filter was refused")


@pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: of Linux alone")
def test_where_the_kernel_refuses_nothing_a_copy_is_kept_and_what_changed_is_told(run, repo, reproduce):
    target = repo / "artifacts/y.txt"
    run(y=f"import time; open({str(target)!r}, 'w').write(str(time.time_ns()))", n="open('artifacts/n.txt', 'w').write('n')")
    before = target.read_bytes()
    done = reproduce("artifacts/y.txt", "--yes", preexec_fn=without_landlock)
    assert "original     NOT kept by this system" in done.stdout, done.stdout + done.stderr
    assert f"birthmark: the command changed `artifacts/y.txt`\n" in done.stderr, done.stderr
    kept = done.stderr.partition("as it was before it is kept at `")[2].partition("`")[0]
    assert open(kept, "rb").read() == before != target.read_bytes()
    assert done.returncode == 1, done.stdout + done.stderr
    # What keeps to its folder changes nothing, and nothing is told.
    done = reproduce("artifacts/n.txt", "--yes", "--json", preexec_fn=without_landlock)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["outcome"]["verdict"]) == (0, "identical"), done.stdout + done.stderr
    assert (answer["plan"]["original_kept"], answer["outcome"]["original_changed"]) == ("looked at after", [])
