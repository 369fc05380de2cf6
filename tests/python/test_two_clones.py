"""Two clones go on with one file, each by itself, and one copy is laid over the other.

What lies there is whole, as the session that wrote it left it; what the other wrote is in no file
any more, and is told of.
"""

import json

import birthmark as bm
import pytest


def write(path, mark, count=3):
    with bm.session() as s, s.jsonl(path, mode="a") as out:
        for number in range(count):
            out.write({"id": f"{mark}-{number}"})
    return s.id


@pytest.fixture
def forked(repo):
    """Three records; one session went on with them, another one too; the file is the second's.
    Gives both sessions and the bytes that the first of them left."""
    path = repo / "artifacts" / "d.jsonl"
    write("artifacts/d.jsonl", "both")
    before = path.read_bytes()
    here = write("artifacts/d.jsonl", "here")
    left = path.read_bytes()
    path.write_bytes(before)
    there = write("artifacts/d.jsonl", "there")
    return here, there, left


def reasons(birthmark, *words):
    told = json.loads(birthmark("verify", "--json", *words))
    return {item["name"]: {one["code"]: one["text"] for one in item["reasons"]} for item in told["items"]}


def test_what_the_other_clone_wrote_is_told_and_nobody_is_accused(forked, birthmark):
    here, there, _ = forked
    told = reasons(birthmark)
    assert "bytes-changed" not in told["artifacts/d.jsonl"]
    lost = told["artifacts/d.jsonl"]["forked"]
    assert lost.startswith(f"3 records that session {here[:20]} wrote are not in it: session {there[:20]} ")
    assert "by itself, from the same 3 records as this one" in told[here]["later-session"]
    shown = birthmark("show", "artifacts/d.jsonl")
    assert "as recorded" in shown and f"3 records that session {here[:20]} wrote are not in it" in shown
    assert "are not in it; both went on" in " ".join(birthmark("trace", "artifacts/d.jsonl").split())


def test_it_stays_told_when_somebody_goes_on(forked, birthmark):
    here, there, _ = forked
    write("artifacts/d.jsonl", "later")
    lost = reasons(birthmark)["artifacts/d.jsonl"]["forked"]
    assert here[:20] in lost and there[:20] in lost


def test_the_first_clones_file_laid_over_the_others_is_as_that_one_left_it(forked, repo, birthmark):
    here, _, left = forked
    (repo / "artifacts" / "d.jsonl").write_bytes(left)
    told = reasons(birthmark, "artifacts/d.jsonl")["artifacts/d.jsonl"]
    assert "bytes-changed" not in told and {"earlier-state", "order-not-proved"} & set(told)


def test_records_that_a_hand_cut_off_before_a_run_went_on_are_no_fork(repo, birthmark):
    path = repo / "artifacts" / "d.jsonl"
    write("artifacts/d.jsonl", "whole", 6)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    write("artifacts/d.jsonl", "later")
    told = birthmark("verify", "--json", "artifacts/d.jsonl", status=1)
    assert "bytes-changed" in told


def test_who_went_on_last_is_told_also_of_sessions_of_one_second(repo, birthmark):
    # Their ids are in no order then.
    for number in range(6):
        last = write("artifacts/d.jsonl", f"round-{number}")
        shown = json.loads(birthmark("show", "artifacts/d.jsonl", "--json"))
        assert shown["session"]["session_id"] == last and shown["now"] == "as recorded", number
