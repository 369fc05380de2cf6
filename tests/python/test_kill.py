"""kill -9 at any moment: nothing acknowledged is lost, and nothing needs a hand.

The child acknowledges each record on a pipe after `write` returned; the parent kills it at a
moment of chance and looks at what lies there.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

from conftest import Store, records

KILLS = 1_000 if os.environ.get("BIRTHMARK_LONG_TESTS") else 200
AT_ONCE = 8
MOST = 0.03  # seconds from the beginning of a session to the kill, at most

# Forked for each round from a process that has imported everything: a kill costs milliseconds,
# and each child is a session of its own.
WRITER = """
import os, signal, sys, time
import birthmark as bm

def work(go, told, path, many):
    os.dup2(told, 1)
    os.read(go, 1)
    with bm.session() as s, s.jsonl(path, mode="a") as out:
        n = out.count
        os.write(1, f"start {n}\\n".encode())
        while True:
            if many:
                out.write_many([{"id": n + k, "pad": "x" * (n * 37 % 1500)} for k in range(3)])
                n += 3
            else:
                out.write({"id": n, "pad": "x" * (n * 37 % 1500)}, seed=n)
                n += 1
            os.write(1, f"{n}\\n".encode())
            if n % 4 == 0:
                time.sleep(1e-4)  # not at full speed, or the checks take minutes

for line in sys.stdin:
    path, many, told, go = line.split()
    go, told = os.open(go, os.O_RDONLY), os.open(told, os.O_WRONLY)
    child = os.fork()
    if child == 0:
        try:
            work(go, told, path, many == "1")
        finally:
            os._exit(9)
    os.close(go); os.close(told)
    print(child, flush=True)
    # Nobody here may outlive a parent that was told to stop.
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def acknowledged(text):
    """The records there after the last whole line that the child told."""
    lines = text.rpartition("\n")[0].splitlines()
    return int(lines[-1].split()[-1]) if lines else 0


def check(path, least, seen=0):
    """Whole lines only before the tail, in order, nothing missing."""
    data = path.read_bytes() if path.exists() else b""
    whole, _, tail = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    assert len(lines) >= least, f"{least - len(lines)} acknowledged records are lost"
    # Those before were read after the kill before.
    for number, line in list(enumerate(lines))[seen:]:
        record = json.loads(line)
        assert record["id"] == number
        assert record["metadata"]["birthmark"] == "birthmark/v1"
    return len(lines), len(tail)


def check_journals(store):
    """Every whole line of every journal is JSON and follows from the one above."""
    for path in store.artifacts.glob(".birthmark/sessions/*/*.jsonl"):
        data = path.read_bytes()
        lines = data.split(b"\n")[:-1]
        above = None
        for number, line in enumerate(lines):
            event = json.loads(line)
            assert (event["seq"], event["prev"]) == (number, above), path
            above = event["sum"]


def kill_in_turn(repo, worker, rng, rounds):
    """One writer after the other on files that go on, each killed."""
    process = subprocess.Popen(
        [sys.executable, str(repo / "writer.py")],
        cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "BIRTHMARK_QUIET": "1"},
    )
    told, go = repo / f"told{worker}", repo / f"go{worker}"
    os.mkfifo(told)
    os.mkfifo(go)
    torn, known = 0, {}
    try:
        for n in range(rounds):
            path = repo / "artifacts" / f"{worker}_{n % 5}.jsonl"
            there = known.get(path, 0)
            process.stdin.write(f"{path} {n % 2} {told} {go}\n")
            process.stdin.flush()
            with open(go, "wb", buffering=0) as start, open(told, "rb", buffering=0) as answers:
                child = int(process.stdout.readline())
                start.write(b"g")
                began = answers.read(1)
                time.sleep(rng.random() * MOST)
                os.kill(child, signal.SIGKILL)
                text = (began + answers.read()).decode()
            assert process.stdout.readline() == "gone\n"
            known[path], tail = check(path, max(there, acknowledged(text)), there)
            torn += tail > 0
    finally:
        process.stdin.close()
        process.wait(30)
    return torn


def test_nothing_acknowledged_is_lost_to_200_kills(repo, git, store):
    import threading

    (repo / "writer.py").write_text(WRITER)
    git("add", "writer.py")
    git("commit", "--quiet", "--message", "A writer")
    failures = []

    def work(worker):
        try:
            kill_in_turn(repo, worker, random.Random(worker), KILLS // AT_ONCE)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    check_journals(store)
    # No session needs a hand: the manifests are whole, and the files can be gone on with.
    assert all(manifest["session_id"] for manifest in store.manifests())
    import birthmark as bm

    with bm.session() as s:
        for path in sorted((repo / "artifacts").glob("*_*.jsonl")):
            with s.jsonl(path, mode="a") as out:
                there = out.count
                out.write({"id": there})
            assert [r["id"] for r in records(path)] == list(range(there + 1))
    assert s.manifest.exists() and len(Store(repo).events("session_ended")) == 1


def test_kill_while_a_session_begins_leaves_a_store_that_works(repo, git, store):
    """At moments around the beginning, where manifest, folders and journals are made."""
    source = "import birthmark as bm\nfor n in range(9): bm.session().start().end()\n"
    (repo / "script.py").write_text(source)
    rng = random.Random(7)
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "script.py"], stderr=subprocess.DEVNULL)
        time.sleep(0.03 + rng.random() * 0.15)
        process.kill()
        process.wait()
    check_journals(store)
    for manifest in store.manifests():
        assert manifest["planned_artifacts"] == []
    subprocess.run([sys.executable, "script.py"], check=True, stderr=subprocess.DEVNULL)


MANY = """
import itertools, os, sys, threading
import birthmark as bm

mode, path = sys.argv[1:]

def forever(write, first):
    for n in itertools.count(first):
        write({"id": f"{threading.get_ident()}:{n}", "pad": "x" * (n * 37 % 1500)})
        os.write(1, f"{threading.get_ident()}:{n}\\n".encode())

with bm.session() as s:
    if mode == "report":
        with s.report(path, mode="a") as r:
            forever(r.add, r.count)
    out = s.jsonl(path, mode="a")
    if mode == "fork" and os.fork() == 0:
        # A child that inherited the writer lives on, and may not write.
        try:
            out.write({"id": "child"})
        except bm.BirthmarkError:
            os.close(1)
            import time; time.sleep(0.1)
        os._exit(0)
    threads = 4 if mode == "threads" else 1
    for _ in range(threads):
        threading.Thread(target=forever, args=(out.write, out.count), daemon=True).start()
    threading.Event().wait()
"""


def test_reports_threads_and_forks_lose_nothing_acknowledged_to_kills(repo, git, store):
    (repo / "many.py").write_text(MANY)
    git("add", "many.py")
    git("commit", "--quiet", "--message", "Many writers")
    rng, known = random.Random(3), {}
    for n in range(30):
        mode = ("report", "threads", "fork")[n % 3]
        name = {"report": "r.json", "threads": "t.jsonl", "fork": "f.jsonl"}[mode]
        process = subprocess.Popen(
            [sys.executable, "many.py", mode, f"artifacts/{name}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "BIRTHMARK_QUIET": "1"},
        )
        began = process.stdout.readline()
        assert began, f"{mode}: it ended without a record"
        time.sleep(rng.random() * 0.05)
        process.kill()
        text = (began + process.stdout.read()).decode()
        process.wait(30)
        acks = set(text.rpartition("\n")[0].split("\n"))
        file = repo / "artifacts" / (f"{name}.part.jsonl" if mode == "report" else name)
        whole = file.read_bytes().rpartition(b"\n")[0].split(b"\n")
        ids = [json.loads(line)["id"] for line in whole]
        assert "child" not in ids
        there = known.get(file, 0)
        assert len(ids) >= there, "what was there before is lost"
        assert acks <= set(ids[there:]), f"{mode}: {len(acks - set(ids))} acknowledged are lost"
        # Another process may have another thread of the same number, but not in one run.
        assert len(ids[there:]) == len(set(ids[there:])), f"{mode}: written twice"
        known[file] = len(ids)
    check_journals(store)
