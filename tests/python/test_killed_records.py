"""What a killed run left uncounted stays unproved, whoever goes on with it; a stop in order is no death."""

import subprocess
import sys

SCRIPT = """
import os, signal, sys
import birthmark as bm
with bm.session() as s:
    with s.jsonl("artifacts/sft.jsonl", mode="a", artifact_type="training_data") as out:
        for n in range(6):
            out.write({"id": n, "text": f"answer {n}"})
        if sys.argv[1:]:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
"""


def run(repo, *words):
    (repo / "make.py").write_text(SCRIPT)
    return subprocess.run([sys.executable, "make.py", *words], cwd=repo, capture_output=True, text=True, timeout=120)


def last(said):
    head, end = said.rsplit("\nnot proved: ", 1)
    return head, " ".join(end.split())


def test_what_a_killed_run_left_uncounted_is_counted_apart_and_stays_so(repo, birthmark):
    assert run(repo, "SIGKILL").returncode == -9
    path = repo / "artifacts" / "sft.jsonl"
    path.write_text(path.read_text().replace("answer 3", "ANSWER 3"))
    head, open_ends = last(birthmark("verify", "artifacts/sft.jsonl"))
    assert "as recorded: 0 of 1" in head and "proved in part only: 1" in head, head
    assert open_ends.startswith("bytes of 1 file that a run wrote and never counted"), open_ends
    for _ in range(2):
        done = run(repo)
        assert done.returncode == 0, done.stderr
        head, open_ends = last(birthmark("verify", "artifacts/sft.jsonl", "--deep"))
        assert "proved in part only: 1" in head, head
        assert "no count had reached them" in " ".join(head.split()), head
        assert open_ends.startswith("bytes of 1 file that a run wrote and never counted"), open_ends


def test_what_was_closed_before_it_went_on_is_proved_whole(repo, birthmark):
    for _ in range(2):
        assert run(repo).returncode == 0
    head, open_ends = last(birthmark("verify", "artifacts/sft.jsonl"))
    assert "in part" not in head and "never counted" not in open_ends, head + open_ends


def test_salvage_tells_a_stop_in_order_from_a_death(repo, birthmark):
    assert run(repo, "SIGINT").returncode != 0
    said = birthmark("salvage")
    assert "ended in order" in said and "without a word" not in said, said


def test_salvage_tells_a_death(repo, birthmark):
    assert run(repo, "SIGKILL").returncode == -9
    assert "died without a word" in birthmark("salvage", status=1)
