"""Files and folders whose names are no text are found like any other."""

from __future__ import annotations

import json
import os

import birthmark as bm

MAKE = r"""
import os
import birthmark as bm
os.makedirs(b"artifacts/d\xff", exist_ok=True)
with bm.session(params={"seed": 1}) as s:
    for name in (b"artifacts/caf\xe9.jsonl", b"artifacts/d\xff/in.jsonl", b"beside\xfe.jsonl"):
        with s.jsonl(os.fsdecode(name)) as out:
            out.write({"i": 1})
"""


def test_file_whose_name_is_no_text_is_there_until_it_is_gone(repo, committed, birthmark) -> None:
    committed(MAKE)
    names = [r"artifacts/caf\xe9.jsonl", r"artifacts/d\xff/in.jsonl", r"beside\xfe.jsonl"]

    def states():
        return {row["file"]: row["state"] for row in bm.find("", sort="file")}

    assert states() == dict.fromkeys(names, "sealed")
    assert [json.loads(line)["i"] for line in birthmark("find", "--records", "seed=1").splitlines()] == [1, 1, 1]
    assert [row["n"] for row in bm.sql("SELECT count(*) AS n FROM records WHERE seed = 1")] == [3]
    assert birthmark("find", "--count", "--gone") == birthmark("find", "--count")
    with open(b"artifacts/caf\xe9.jsonl", "ab") as file:
        file.write(b'{"i": 2}\n')
    with open(b"artifacts/d\xff/in.jsonl", "ab") as file:
        file.write(b'{"i": 2}\n')
    assert states() == {names[0]: "edited", names[1]: "edited", names[2]: "sealed"}
    os.rename(b"artifacts/d\xff", b"artifacts/e\xff")
    assert set(states()) == {names[0], r"artifacts/e\xff/in.jsonl", names[2]}
    os.unlink(b"artifacts/caf\xe9.jsonl")
    os.unlink(b"beside\xfe.jsonl")
    assert set(states()) == {r"artifacts/e\xff/in.jsonl"}
    now = birthmark("find", "--json", "--gone")
    birthmark("catalog", "rebuild")
    assert birthmark("find", "--json", "--gone") == now
