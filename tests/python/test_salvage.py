"""What was deleted of the store: made again where it can be, and else said to be lost."""

import json
import subprocess
import sys

SCRIPT = """
import birthmark as bm
with bm.session() as s:
    with s.jsonl("artifacts/sft.jsonl", artifact_type="training_data") as out:
        for n in range(2000):
            out.write({"id": n})
"""


def made(repo):
    (repo / "make.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "make.py"], cwd=repo, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (journal,) = (repo / "artifacts" / ".birthmark" / "sessions").glob("*/*.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    return {event["event"]: event for event in events}


def path_of(repo, digest):
    hex_ = digest.removeprefix("blake3:")
    return repo / "artifacts" / ".birthmark" / "objects" / hex_[:2] / hex_[2:]


def test_sums_of_lines_are_taken_anew_from_a_file_that_is_as_it_was(repo, birthmark):
    sums = path_of(repo, made(repo)["artifact_sealed"]["notes"]["line_sums"]["object"])
    before = sums.read_bytes()
    sums.unlink()
    told = birthmark("salvage", status=1)
    assert "the sums of the lines of artifacts/sft.jsonl" in told and "takes them anew" in told, told
    assert not sums.exists()
    told = birthmark("salvage", "--repair")
    assert "repaired" in told and sums.read_bytes() == before, told
    assert "nothing is left" in birthmark("salvage")
    # Of a file that is another now they cannot be had: it is said what that costs.
    sums.unlink()
    data = repo / "artifacts" / "sft.jsonl"
    data.write_text(data.read_text().replace('"id": 7,', '"id": 8,'))
    told = birthmark("salvage", "--repair")
    assert "no longer what it was" in told and not sums.exists(), told


def test_what_nobody_else_has_is_said_to_be_lost(repo, birthmark):
    environment = made(repo)["environment_observed"]["environment"]
    path_of(repo, environment["packages_object"]).unlink()
    told = birthmark("salvage")
    assert "what session" in told and "kept of its packages" in told, told
    assert "nothing can make it anew" in told and "copy it from a backup" in told, told
