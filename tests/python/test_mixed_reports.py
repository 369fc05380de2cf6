"""A report that a run went on with after another one, of other code or params, died."""

import json
import shutil

import birthmark as bm

EVALUATE = """
import os, sys
import birthmark as bm
stop = int(sys.argv[1])
with bm.session(params={"temperature": stop / 10}) as s:
    with s.report("artifacts/r.json") as r:
        for item in r.todo([{"id": n} for n in range(5)]):
            if r.count >= stop:
                os._exit(9)
            r.add({"id": item["id"]})
"""


def test_a_report_of_dirty_and_clean_code_is_found_by_both_and_called_neither(
    repo, committed, python, git, birthmark
):
    (repo / "helper.py").write_text("V = 1\n")
    git("add", "helper.py")
    git("commit", "--quiet", "--message", "A helper")
    (repo / "helper.py").write_text("V = 2\n")
    committed(EVALUATE, "3", check=False)
    git("commit", "--quiet", "--all", "--message", "More")
    committed(EVALUATE, "5")
    mark = bm.read("artifacts/r.json")
    assert mark["git_dirty"] is None and mark["git_snapshot"] is None
    reason = "the report holds 3 items with true, 2 items with false"
    assert mark["unknown"]["git_dirty"] == reason
    for asked, is_found in {
        "dirty=true": True,
        "dirty=false": True,
        "temperature=0.3": True,
        "temperature=0.5": True,
        "temperature=0.4": False,
        "dirty=true temperature=0.3": True,
        "dirty=true temperature=0.5": False,
    }.items():
        assert bool(bm.find(asked)) is is_found, asked
    code = next(line for line in birthmark("show", "artifacts/r.json").splitlines() if line.startswith("code "))
    assert ", clean in part, " in code, code
    at = f"at snapshot {mark['items_from'][0]['git_snapshot'][:7]}"
    for words in (["show"], ["trace"], ["verify"]):
        said = birthmark(*words, "artifacts/r.json")
        assert at in " ".join(said.split()), words
    shutil.copy("artifacts/r.json", "artifacts/copy.json")
    said = birthmark("compare", "artifacts/r.json", "artifacts/copy.json", "--json", status=2)
    told = [reason["text"] for reason in json.loads(said)["reasons"]]
    assert f"items of A were made by other code: 3 {at}" in told


def test_a_report_that_a_killed_run_left_waits_and_is_told_of(repo, committed, python, birthmark):
    committed(EVALUATE, "3", check=False)
    part = "artifacts/r.json.part.jsonl"
    with open(part, "ab") as file:
        file.write(b'{"id": 3, "torn')
    told = birthmark("show", "last")
    assert f"left     3 items in {part}" in told, told
    judged = json.loads(birthmark("verify", "--json"))
    (waits,) = [item for item in judged["items"] if item["name"] == part]
    codes = {one["code"] for one in waits["reasons"]}
    assert "unfinished-report" in codes and "not-listed" not in codes
    assert waits["word"] == "caveat"
    committed(EVALUATE, "5")
    assert "left " not in birthmark("show", "last")
    birthmark("verify", "artifacts/r.json")


def test_trace_leads_to_the_run_that_made_items_of_a_report(repo, committed, birthmark):
    (repo / "data.txt").write_text("x")
    read = EVALUATE.replace("    with s.report", "    open('data.txt').read()\n    with s.report")
    committed(read, "5")
    first = json.loads(birthmark("show", "--json", "last"))["file"]
    again = read.replace('"artifacts/r.json"', '"artifacts/r.json", mode="a"')
    committed(again.replace("open('data.txt').read()", "pass"), "5")
    told = " ".join(birthmark("trace", "artifacts/r.json").split())
    _, _, by_items = told.partition("5 items by script.py")
    assert first[:20] in by_items, told
    assert "read data.txt" in by_items
