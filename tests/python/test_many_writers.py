"""Many writers at once in one session: processes, and two machines with one folder.

Nothing is lost, nothing interleaved, and who reads meanwhile sees a beginning of it.
The counts are a small part of the long ones: BIRTHMARK_LONG_TESTS=1.
"""

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
from conftest import records

WRITERS = 64
EACH = 1_000 if os.environ.get("BIRTHMARK_LONG_TESTS") else 50

# One process imports everything, and forks the others before any session begins: each of them
# is a run and a writer of its own.
FORKED = """
import os, sys
import birthmark as bm

count, each = int(sys.argv[1]), int(sys.argv[2])
children = []
for worker in range(count):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with bm.session() as s, s.jsonl(f"artifacts/rank_{worker:02}.jsonl") as out:
                for n in range(each):
                    out.write({"worker": worker, "n": n, "pad": "x" * (n * 37 % 900)}, seed=n)
            status = 0
        finally:
            os._exit(status)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def watch(folder, done, seen, faults):
    """Read all files again and again: each time a longer beginning, of whole records."""
    known = {}
    while not done.is_set():
        for path in sorted(folder.glob("rank_*.jsonl")):
            whole = path.read_bytes().rpartition(b"\n")[0]
            lines = whole.split(b"\n") if whole else []
            if len(lines) < known.get(path, 0):
                faults.append(f"{path.name} went back from {known[path]} to {len(lines)}")
            for number, line in list(enumerate(lines))[known.get(path, 0):]:
                if json.loads(line)["n"] != number:
                    faults.append(f"{path.name}: record {number} is another")
            known[path] = len(lines)
        seen.append(sum(known.values()))


def ask(birthmark, done, faults):
    """What the program says meanwhile can always be said."""
    while not done.is_set():
        listed = json.loads(birthmark("session", "list", "--json"))
        if len(listed) != 1 or listed[0]["damaged"]:
            faults.append(f"meanwhile: {listed}")


def test_64_processes_in_one_session_lose_nothing_and_are_seen_to_grow(repo, git, birthmark, store):
    (repo / "many.py").write_text(FORKED)
    git("add", "many.py")
    git("commit", "--quiet", "--message", "Many")
    birthmark("session", "start")
    done, seen, faults = threading.Event(), [], []
    watchers = [
        threading.Thread(target=watch, args=(repo / "artifacts", done, seen, faults)),
        threading.Thread(target=ask, args=(birthmark, done, faults)),
    ]
    for watcher in watchers:
        watcher.start()
    try:
        subprocess.run(
            [sys.executable, "many.py", str(WRITERS), str(EACH)],
            cwd=repo, check=True, timeout=600, capture_output=True,
        )
    finally:
        done.set()
        for watcher in watchers:
            watcher.join()
    assert not faults, faults[:5]
    assert seen == sorted(seen)
    birthmark("session", "end")
    runs = set()
    for worker in range(WRITERS):
        made = records(repo / f"artifacts/rank_{worker:02}.jsonl")
        assert [(record["worker"], record["n"]) for record in made] == [
            (worker, n) for n in range(EACH)
        ]
        runs |= {record["metadata"]["run_id"] for record in made}
        assert len({record["metadata"]["session_id"] for record in made}) == 1
    assert len(runs) == WRITERS, "each is a run of its own"
    generated = store.manifest()["artifacts_generated"]
    assert len(generated) == WRITERS
    assert {entry["records"] for entry in generated} == {EACH}
    assert "as recorded" in birthmark("verify", "last")


ON_A_HOST = """
import sys, time
import birthmark as bm

name, each = sys.argv[1], int(sys.argv[2])
with bm.session() as s, s.jsonl(f"artifacts/{name}.jsonl") as out:
    for n in range(each):
        out.write({"host": name, "n": n})
    print(s.id, flush=True)
    sys.stdin.readline()
"""


def on_host(name, boot, command, **more):
    """The command as on a machine of its own: another name, another boot."""
    script = (
        f"hostname {name} && mount --bind {boot} /proc/sys/kernel/random/boot_id && exec \"$@\""
    )
    return ["unshare", "--uts", "--mount", "sh", "-c", script, "sh", *command]


def can_be_two_hosts(folder):
    boot = folder / "boot"
    boot.write_text("00000000-0000-4000-8000-000000000000\n")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(on_host("elsewhere", boot, ["true"]), capture_output=True)
    return tried.returncode == 0


def test_two_machines_write_into_one_session_of_a_shared_folder(
    repo, git, birthmark, store, program, tmp_path_factory
):
    outside = tmp_path_factory.mktemp("hosts")
    if not can_be_two_hosts(outside):
        pytest.skip("SKIPPED: a second host needs root and unshare")
    (repo / "one.py").write_text(ON_A_HOST)
    git("add", "one.py")
    git("commit", "--quiet", "--message", "One")
    birthmark("session", "start")
    (listed,) = json.loads(birthmark("session", "list", "--json"))
    session = listed["session_id"]

    def begin(name, boot_id, **environment):
        boot = outside / f"boot-{name}"
        boot.write_text(boot_id + "\n")
        command = on_host(name, boot, [sys.executable, "one.py", name, str(10 * EACH)])
        return subprocess.Popen(
            command, cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )

    boots = {name: f"{n}" * 8 + "-0000-4000-8000-000000000000" for n, name in enumerate(["pod-a", "pod-b", "pod-c"], 1)}
    both = [
        begin(name, boots[name], BIRTHMARK_SESSION=session) for name in ("pod-a", "pod-b")
    ]
    # Without a word a machine does not join what another one opened.
    alone = begin("pod-c", boots["pod-c"])
    assert [process.stdout.readline().strip() for process in both] == [session] * 2
    other = alone.stdout.readline().strip()
    assert other not in ("", session)
    # They have written, and are heard of from here, though nobody can look whether they live.
    said = birthmark("session", "status", session)
    assert "pod-a" in said and "pod-b" in said, said
    for process in [*both, alone]:
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(120) == 0
    birthmark("session", "end")
    for name in ("pod-a", "pod-b", "pod-c"):
        made = records(repo / f"artifacts/{name}.jsonl")
        assert [record["n"] for record in made] == list(range(10 * EACH))
    by_id = {manifest["session_id"]: manifest for manifest in store.manifests()}
    assert set(by_id) == {session, other}
    files = {entry["file"] for entry in by_id[session]["artifacts_generated"]}
    assert files == {"artifacts/pod-a.jsonl", "artifacts/pod-b.jsonl"}
    assert "as recorded" in birthmark("verify", session)


# One process after the other comes, records and goes; what each took is told.
ONE_AFTER_THE_OTHER = """
import os, resource, sys
import birthmark as bm

def used():
    so_far = resource.getrusage(resource.RUSAGE_CHILDREN)
    return so_far.ru_utime + so_far.ru_stime

for worker in range(int(sys.argv[1])):
    before = used()
    for manifest in sys.argv[2:]:
        os.utime(manifest)  # as if somebody had folded just now
    child = os.fork()
    if child == 0:
        try:
            with bm.session() as s, s.jsonl(f"artifacts/{os.getpid()}.jsonl") as out:
                out.write({"worker": worker})
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print(used() - before)
"""


def test_a_worker_in_a_session_of_many_does_not_read_what_the_others_wrote(
    repo, git, birthmark, store
):
    (repo / "workers.py").write_text(ONE_AFTER_THE_OTHER)
    git("add", "workers.py")
    git("commit", "--quiet", "--message", "Workers")

    def cpu(*manifest):
        command = [sys.executable, "workers.py", "4", *manifest]
        ran = subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True)
        return min(map(float, ran.stdout.split()))

    birthmark("session", "start")
    among_few = cpu()
    (folder,) = (repo / "artifacts/.birthmark/sessions").iterdir()
    journals = sorted(folder.glob("*.jsonl"), key=lambda journal: journal.stat().st_size)
    for n in range(800):
        shutil.copy(journals[-1], folder / f"another-{n:03}.jsonl")
    cpu()  # the first of them folds
    (manifest,) = (repo / "artifacts").glob("session_manifest_*.json")
    assert len(store.manifest()["heads"]) > 800, "it is folded"
    among_many = cpu(str(manifest))
    assert among_many < 4 * among_few, (among_few, among_many)
    birthmark("session", "end")
    written = set(store.manifest()["heads"])
    assert written == {journal.stem for journal in folder.glob("*.jsonl")}, "nobody is left out"
