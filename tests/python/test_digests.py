"""Digests that are remembered: an unchanged file is not read again, a changed one always is."""

import hashlib
import json
import os
import subprocess
import time

import birthmark as bm
import pytest


def settled(path, seconds=0.2):
    """Let a file grow old enough that a later change must show in its times."""
    time.sleep(seconds)
    return path


def reads(function):
    """How many bytes this process read meanwhile."""
    before = int(open("/proc/self/io").readline().split()[1])
    answer = function()
    return answer, int(open("/proc/self/io").readline().split()[1]) - before


def test_unchanged_file_is_not_read_again_and_a_changed_one_is(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(8 << 20))
    settled(weights)
    first, once = reads(lambda: bm.digest_file(weights))
    again, twice = reads(lambda: bm.digest_file(weights))
    assert first == again and once > 8 << 20 and twice < 100_000, (once, twice)
    times = weights.stat()
    with open(weights, "r+b") as file:
        file.seek(5_000_000)
        file.write(b"changed")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed, _ = reads(lambda: bm.digest_file(weights))
    assert changed != first


def test_sha256_stands_beside_blake3_and_is_remembered_too(tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(1 << 20))
    settled(weights)
    told = bm.digest_file(weights, algorithm="sha256")
    assert told == "sha256:" + hashlib.sha256(weights.read_bytes()).hexdigest()
    assert bm.digest_file(weights).startswith("blake3:")
    again, read = reads(lambda: bm.digest_file(weights, "sha256"))
    assert again == told and read < 100_000
    with pytest.raises(ValueError, match="tree digest is of BLAKE3"):
        bm.digest_file(tmp_path, "sha256")
    with pytest.raises(ValueError, match="no algorithm `md5`"):
        bm.digest_file(weights, "md5")
    with pytest.raises(OSError, match="No such file"):
        bm.digest_file(tmp_path / "gone")


def test_verify_says_what_it_took_from_memory_and_deep_reads_it(repo, program):
    weights = repo / "weights.bin"
    weights.write_bytes(os.urandom(1 << 20))
    with bm.session() as session:
        settled(weights)
        session.add(weights, "model")

    def verify(*more):
        done = subprocess.run(
            [program, "verify", "weights.bin", *more], cwd=repo, capture_output=True, text=True
        )
        assert done.returncode == 0, done
        return " ".join(done.stdout.split())  # its last line is broken at the width

    assert "the bytes of 1 file that looks as when last read (--deep reads them)" in verify()
    assert "as when last read" not in verify("--deep")
    told = json.loads(verify("--json"))
    assert any("--deep" in line for line in told["not_proved"]), told


def test_memory_can_be_turned_off_and_removed(tmp_path, monkeypatch):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(os.urandom(1 << 20))
    settled(weights)
    digest = bm.digest_file(weights)
    table = os.path.join(os.environ["XDG_CACHE_HOME"], "birthmark", "digests.v1")
    assert os.path.getsize(table) <= 4 << 20
    os.remove(table)
    assert bm.digest_file(weights) == digest
    with open(table, "r+b") as file:
        file.write(os.urandom(os.path.getsize(table)))
    assert bm.digest_file(weights) == digest
