"""Writers: what stands in the files, what is refused, and what no fault may cost."""

import argparse
import dataclasses
import json
import math
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest
from conftest import records

import birthmark as bm
from test_encode import random_value

SECRET = "hf_" + "A1b2C3d4E5f6G7h8I9j0" * 2


@pytest.fixture
def s(repo, monkeypatch):
    """An open session in a clean repository."""
    with bm.session() as opened:
        yield opened


def spliced(record, line):
    """The line that the record must become: its own JSON with the birthmark before the brace."""
    own = json.dumps(record)
    birthmark = line[len(own) - 1 :].removeprefix(", ").removeprefix('"metadata": ').rstrip("\n")
    gap = "" if own == "{}" else ", "
    return own[:-1] + gap + '"metadata": ' + birthmark[:-1] + "}\n", birthmark[:-1]


# -- bytes


def test_own_bytes_are_those_of_json_dumps_with_the_birthmark_spliced_in(s):
    rng = random.Random(20261122)
    many = [{f"k{n}": random_value(rng) for n in range(rng.randrange(6))} for _ in range(300)]
    with s.jsonl("artifacts/a.jsonl") as out:
        for record in many:
            before = json.dumps(record)
            assert out.write(record) is None
            assert json.dumps(record) == before
    with open("artifacts/a.jsonl", newline="") as file:
        lines = file.readlines()
    assert len(lines) == len(many)
    for record, line in zip(many, lines):
        whole, birthmark = spliced(record, line)
        assert line == whole
        assert json.loads(birthmark)["birthmark"] == "birthmark/v1"


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.safetensors"])
def test_a_name_that_says_packed_is_refused_since_plain_text_is_written(s, name):
    for write in (lambda: s.jsonl(f"artifacts/{name}"), lambda: s.report(f"artifacts/{name}", {"summary": {}})):
        with pytest.raises(bm.UsageError, match="plain text is written here"):
            write()
    assert not os.path.exists(f"artifacts/{name}")


def test_ensure_ascii_off_writes_utf8(s):
    with s.jsonl("artifacts/a.jsonl", ensure_ascii=False) as out:
        out.write({"a": "日本"})
    assert '{"a": "日本", "metadata": '.encode() in open("artifacts/a.jsonl", "rb").read()


def test_all_fields_stand_in_each_record_where_asked_for(s):
    for name, fields in (("some", "record"), ("all", "all")):
        with s.jsonl(f"artifacts/{name}.jsonl", fields=fields, model_revision="abc") as out:
            out.write({})
    (some,), (every,) = records("artifacts/some.jsonl"), records("artifacts/all.jsonl")
    assert "git_remote" not in some["metadata"] and "model_revision" not in some["metadata"]
    assert "git_remote" in every["metadata"] and every["metadata"]["model_revision"] == "abc"


# -- modes


def test_existing_file_is_refused_before_work_and_anew_and_gone_on_with(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({"n": 1})
    with pytest.raises(bm.ArtifactExistsError) as error:
        s.jsonl("artifacts/a.jsonl")
    assert isinstance(error.value, FileExistsError) and 'mode="a"' in error.value.hint
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        assert (out.count, out.continued) == (1, 1)
        out.write({"n": 2})
        assert out.count == 2
    assert [r["n"] for r in records("artifacts/a.jsonl")] == [1, 2]
    with s.jsonl("artifacts/a.jsonl", mode="w") as out:
        out.write({"n": 3})
    assert [r["n"] for r in records("artifacts/a.jsonl")] == [3]
    assert out.count == 1


def test_second_opener_is_refused_in_any_process(s, python):
    out = s.jsonl("artifacts/a.jsonl")
    for mode in "wa":
        with pytest.raises(bm.UsageError, match="another writer") as error:
            s.jsonl("artifacts/a.jsonl", mode=mode)
        assert error.value.code == "file-in-use"
        assert f"process {os.getpid()} on " in str(error.value)
    source = "import birthmark as bm\nwith bm.session() as s: s.jsonl('artifacts/a.jsonl', mode='a')"
    told = " ".join(python(source, check=False).stderr.split())
    assert f"another writer: session {s.id[-4:]}" in told or f"process {os.getpid()}" in told
    out.write({})
    out.close()
    assert len(records("artifacts/a.jsonl")) == 1


def test_link_and_folder_in_the_place_of_a_file_are_refused(s):
    os.makedirs("artifacts/folder")
    os.symlink("elsewhere.jsonl", "artifacts/link.jsonl")
    for name in ("folder", "link.jsonl"):
        for mode in "xwa":
            with pytest.raises(bm.BirthmarkError):
                s.jsonl(f"artifacts/{name}", mode=mode)
    assert not os.path.exists("artifacts/elsewhere.jsonl")


def test_writer_that_nobody_closed_is_sealed_when_it_goes(s, store):
    out = s.jsonl("artifacts/a.jsonl")
    out.write({})
    del out
    (sealed,) = store.events("artifact_sealed")
    assert sealed["records"] == 1
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        out.write({})


# -- fields of one record


def test_fields_of_a_record_stand_in_its_birthmark(s):
    with s.jsonl("artifacts/a.jsonl", seed=1, model_name="m") as out:
        out.write({}, seed=43, note={"deep": [1, 2.50]})
        out.write({}, note=None, seed=44)
        out.write({})
        out.write({}, model_name="other", model_revision="r1", inputs=[{"name": "x"}])
    marks = [r["metadata"] for r in records("artifacts/a.jsonl")]
    assert [mark["seed"] for mark in marks] == [43, 44, 1, 1]
    assert marks[0]["note"] == {"deep": [1, 2.5]}
    assert marks[1]["note"] is None and "note" not in marks[2]
    assert marks[3]["model_name"] == "other"
    # What records leave out by default stands where this record was given it.
    assert marks[3]["model_revision"] == "r1" and marks[3]["inputs"] == [{"name": "x"}]


def test_many_different_fields_in_any_order_are_each_right(s):
    rng = random.Random(3)
    names = [f"f{n}" for n in range(12)]
    wanted = []
    with s.jsonl("artifacts/a.jsonl") as out:
        for n in range(2000):
            chosen = rng.sample(names, rng.randrange(len(names)))
            fields = {name: rng.choice([n, str(n), None, [n], n / 7]) for name in chosen}
            out.write({"n": n}, **fields)
            wanted.append(fields)
    for fields, record in zip(wanted, records("artifacts/a.jsonl")):
        assert {k: v for k, v in record["metadata"].items() if k in names} == fields


def test_field_that_is_nan_becomes_null_with_its_reason(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({}, temperature=math.nan, seed=1)
        out.write({}, scores=[1.0, math.inf])
        out.write_many([{}, {}], temperature=-math.inf)
    first, second, *rest = [r["metadata"] for r in records("artifacts/a.jsonl")]
    assert first["temperature"] is None and first["seed"] == 1
    assert first["unknown"]["temperature"] == "it was NaN or infinite"
    assert second["scores"] == [1.0, None] and second["unknown"]["scores"]
    assert [mark["unknown"]["temperature"] for mark in rest] == ["it was NaN or infinite"] * 2
    with pytest.raises(ValueError, match="temperature"):
        s.jsonl("artifacts/b.jsonl", temperature=math.nan)


def test_wrong_types_and_reserved_names_are_refused_and_nothing_is_written(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        for field in (
            {"seed": 1.5}, {"seed": "1"}, {"temperature": True}, {"do_sample": 1},
            {"git_commit": "x"}, {"git_own": 1}, {"session_id": "x"}, {"timestamp": "x"},
            {"unknown": {}}, {"declared": []}, {"birthmark": "x"}, {"script_sha": "x"},
        ):
            with pytest.raises(bm.UsageError) as error:
                out.write({}, **field)
            assert next(iter(field)) in str(error.value)
        # Also where another field of the record was no number.
        with pytest.raises(bm.UsageError, match="reserved"):
            out.write({}, temperature=math.nan, git_commit="x")
        with pytest.raises(TypeError):
            out.write({}, own=object())
        out.write({"n": 1}, seed=None, temperature=1)
    (only,) = records("artifacts/a.jsonl")
    assert only["metadata"]["seed"] is None


def test_secrets_in_fields_never_reach_the_disk(s, repo):
    with s.jsonl("artifacts/a.jsonl", note=f"token {SECRET}", api_key="hunter2hunter2") as out:
        out.write({"kept": SECRET}, own=SECRET, nested={"password": "hunter2hunter2", "n": 1})
    s.report("artifacts/r.json", {"a": 1}, own=SECRET)
    (record,) = records("artifacts/a.jsonl")
    # A user's own record is never altered.
    assert record["kept"] == SECRET
    assert record["metadata"]["own"].startswith("[redacted:")
    assert record["metadata"]["nested"]["n"] == 1
    for path in (repo / "artifacts").rglob("*"):
        if path.is_file() and path.name != "a.jsonl":
            assert SECRET.encode() not in path.read_bytes(), path
            assert b"hunter2hunter2" not in path.read_bytes(), path
    assert "hunter2hunter2" not in open("artifacts/a.jsonl").read()


def test_secret_in_a_field_that_no_reader_can_take_apart_is_not_written(s):
    deep = SECRET
    for _ in range(200):
        deep = [deep]
    with s.jsonl("artifacts/a.jsonl") as out:
        with pytest.raises(ValueError, match="levels"):
            out.write({"n": 0}, deep=deep)
        out.write({"n": 1}, own=f"\ud800 {SECRET}", half="\ud800 is kept")
    text = open("artifacts/a.jsonl").read()
    assert SECRET not in text
    (record,) = records("artifacts/a.jsonl")
    assert record["metadata"]["own"] is None
    assert "secret" in record["metadata"]["unknown"]["own"]
    assert record["metadata"]["half"] == "\ud800 is kept"


def test_what_no_json_can_say_is_refused_by_the_name_of_its_field(s):
    with s.jsonl("artifacts/a.jsonl") as out, pytest.raises(TypeError, match=r"^own: cannot write a set"):
        out.write({"n": 1}, own={1, 2})
    with pytest.raises(ValueError, match=r"params\['stop'\]: half a surrogate pair"):
        s.report("artifacts/r.json", {"a": 1}, params={"stop": "\udcff"})
    assert not os.path.exists("artifacts/r.json")


# -- many at once


def test_many_records_of_a_generator_are_written_in_order(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        assert out.write_many(({"n": n, "text": "x" * 1000} for n in range(5000)), seed=7) == 5000
        assert out.write_many([]) == 0
    found = records("artifacts/a.jsonl")
    assert [r["n"] for r in found] == list(range(5000))
    assert {r["metadata"]["seed"] for r in found} == {7}


def test_error_in_the_middle_of_many_keeps_all_that_came_before(s):
    def broken():
        for n in range(10):
            yield {"n": n}
        raise RuntimeError("the engine died")

    with s.jsonl("artifacts/a.jsonl") as out:
        with pytest.raises(RuntimeError, match="engine died"):
            out.write_many(broken())
        with pytest.raises(TypeError, match=r"record\[\"n\"\]|object"):
            out.write_many([{"n": 10}, {"n": object()}, {"n": 11}])
        with pytest.raises(TypeError):
            out.write_many([{"n": 12}, 13])
        with pytest.raises(bm.UsageError, match="reserved"):
            out.write_many([{"n": 99}], git_commit="x")
        out.write({"n": 14})
    assert [r["n"] for r in records("artifacts/a.jsonl")] == [*range(11), 12, 14]


def test_writer_may_be_used_while_it_writes(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        class Odd:
            def to_dict(self):
                out.write({"inner": 1})
                return {"outer": out.count}

        out.write(Odd())
        out.write_many({"n": out.count} for _ in range(3))
    assert len(records("artifacts/a.jsonl")) == 5


# -- going on


def test_todo_leaves_out_what_is_there(s):
    items = [{"id": n} for n in range(10)]
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        for item in out.todo(items):
            if item["id"] == 4:
                break
            out.write(item)
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        assert [item["id"] for item in out.todo(items)] == [4, 5, 6, 7, 8, 9]
        assert [item["id"] for item in out.todo(iter(items))] == [4, 5, 6, 7, 8, 9]


@dataclasses.dataclass
class Item:
    id: str


@pytest.mark.parametrize(
    ("there", "items", "key", "left"),
    [
        ([1, 1, 2], [1, 1, 1, 2, 3], "id", [1, 3]),  # of duplicates as many as there are
        (["1"], [1, "1", 1.0, True], "id", [1, 1.0, True]),  # types are told apart
        ([1.5, None, True], [1.5, None, True, 2], "id", [2]),
        ([[1, "a"], {"x": 1}], [(1, "a"), {"x": 1}, [2]], "id", [[2]]),
        (["é\n\"", "\ud800"], ["é\n\"", "\ud800", "e"], "id", ["e"]),
        ([2**70, -(2**65)], [2**70, 5], "id", [5]),
    ],
)
def test_keys_of_any_type_are_matched_as_json_has_them(s, there, items, key, left):
    with s.jsonl("artifacts/a.jsonl") as out:
        for value in there:
            out.write({"other": 0, "id": value})
        found = [item["id"] for item in out.todo([{"id": value} for value in items], key)]
    assert found == left and [type(x) for x in found] == [type(x) for x in left]


def test_key_may_be_a_function_or_an_attribute(s):
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({"id": "a:1"})
        pairs = [("a", 1), ("a", 2)]
        assert list(out.todo(pairs, key=lambda pair: f"{pair[0]}:{pair[1]}")) == [("a", 2)]
        assert list(out.todo([Item("a:1"), Item("b")], key="id")) == [Item("b")]
        with pytest.raises(KeyError):
            list(out.todo([{}], key="id"))


def test_key_that_no_record_has_is_said_aloud(s, capfd):
    with s.jsonl("artifacts/a.jsonl") as out:
        assert len(list(out.todo([{"id": 1}]))) == 1
        assert "none of its" not in capfd.readouterr().err
        out.write({"uid": 1})
        assert len(list(out.todo([{"id": 1}], key="id"))) == 1
    assert "none of its 1 records has `id`" in capfd.readouterr().err


def test_torn_tail_is_cut_aside_and_said(s, store, capfd):
    with s.jsonl("artifacts/a.jsonl") as out:
        out.write({"id": 1})
        out.write({"id": 2})
    size = os.path.getsize("artifacts/a.jsonl")
    with open("artifacts/a.jsonl", "r+b") as file:
        file.truncate(size - 10)
    with s.jsonl("artifacts/a.jsonl", mode="a") as out:
        assert [item["id"] for item in out.todo([{"id": 1}, {"id": 2}])] == [2]
        out.write({"id": 2})
    assert [r["id"] for r in records("artifacts/a.jsonl")] == [1, 2]
    assert open("artifacts/a.jsonl.torn").read().startswith('{"id": 2, "metadata": ')
    assert "torn last line" in capfd.readouterr().err
    assert store.events("artifact_sealed")[-1]["notes"]["torn_bytes"] > 0


# -- records with metadata of their own


def test_metadata_of_a_record_is_never_lost(s, capfd):
    own = [
        {"metadata": {"source": "hub", "n": 1.50}},
        {"metadata": {"git_commit": "theirs"}},
        {"metadata": "words"},
        {"metadata": None, "x": 1},
        {"metadata": [1]},
        {"metadata": 1, "birthmark": 2},
        {"a": '"metadata": {}'},
        {"nested": {"metadata": {"x": 1}}},
    ]
    with s.jsonl("artifacts/a.jsonl") as out:
        for record in own:
            out.write(record)
        out.write_many(own)
    found = records("artifacts/a.jsonl")
    for record, line in zip(own * 2, found):
        for key, value in record.items():
            if key == "metadata" and isinstance(value, dict):
                assert {**line["metadata"], **value} == line["metadata"]
            else:
                assert line[key] == value
    merged, clash, words = found[:3]
    assert merged["metadata"]["birthmark"] == "birthmark/v1"
    assert clash["birthmark"]["birthmark"] == "birthmark/v1"
    assert words["birthmark"]["artifact_type"] == "training_data"
    said = [line for line in capfd.readouterr().err.splitlines() if "metadata" in line]
    assert len(said) == 1
    assert bm.read("artifacts/a.jsonl", line=2)["birthmark"] == "birthmark/v1"


# -- NaN


def test_nan_is_written_as_python_does_counted_and_said_once(s, store, capfd):
    with s.jsonl("artifacts/a.jsonl") as out:
        for _ in range(3):
            out.write({"logprob": -math.inf, "x": [math.nan]})
        assert out.nan_count == 6
    assert records("artifacts/a.jsonl")[0]["logprob"] == -math.inf
    said = [line for line in capfd.readouterr().err.splitlines() if "NaN" in line]
    assert said == [
        "birthmark: a.jsonl: 6 values are NaN or infinite, written as Python does "
        '(first: record["logprob"], record["x"][0])'
    ]
    assert store.events("artifact_sealed")[0]["notes"]["nan_count"] == 6


def test_nan_is_an_error_or_null_on_request(s, capfd):
    with s.jsonl("artifacts/e.jsonl", nan="error") as out:
        with pytest.raises(ValueError, match=r'record\["x"\]'):
            out.write({"x": math.nan})
        out.write({"x": 1})
    with s.jsonl("artifacts/n.jsonl", nan="null") as out:
        out.write({"x": math.nan})
    assert [r["x"] for r in records("artifacts/e.jsonl")] == [1]
    assert [r["x"] for r in records("artifacts/n.jsonl")] == [None]
    assert "n.jsonl: 1 value is NaN or infinite, written as null" in capfd.readouterr().err


# -- threads


@pytest.mark.parametrize("lone", [False, True])
def test_threads_share_a_writer(s, lone, capfd):
    out = s.jsonl("artifacts/a.jsonl")
    halt = threading.Event()

    def work(thread):
        for n in range(500):
            if lone:
                out.write({"t": thread, "n": n, "metadata": {"own": n}}, seed=n)
            else:
                out.write({"t": thread, "n": n, "big": "x" * (n * 300 % 90_000)}, seed=n)
            assert out.count > 0

    def look():
        while not halt.is_set():
            repr(out)
            assert out.nan_count == 0

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    watcher = threading.Thread(target=look)
    for thread in [*threads, watcher]:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "the threads wait for each other"
    halt.set()
    watcher.join(10)
    assert not watcher.is_alive()
    out.close()
    found = records("artifacts/a.jsonl")
    assert sorted((r["t"], r["n"]) for r in found) == [(t, n) for t in range(8) for n in range(500)]
    assert all(r["metadata"]["seed"] == r["n"] for r in found)


def test_busy_thread_does_not_hold_up_a_writer(s):
    halt = threading.Event()

    def spin():
        while not halt.is_set():
            sum(range(1000))

    busy = threading.Thread(target=spin)
    busy.start()
    try:
        with s.jsonl("artifacts/a.jsonl") as out:
            began = time.monotonic()
            for n in range(2000):
                out.write({"n": n})
            took = time.monotonic() - began
    finally:
        halt.set()
        busy.join()
    # Were the interpreter given away at each record, each would wait 5 ms: 10 s in all.
    assert took < 5


# -- where the disk says no


def disk_full(path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no file system may be mounted here: {done.stderr.decode()}")


def test_full_disk_costs_no_record_that_was_acknowledged(s, tmp_path):
    small = tmp_path / "small"
    disk_full(small)
    try:
        out = s.jsonl(small / "a.jsonl")
        written = 0
        with pytest.raises(bm.StoreError, match="No space left|no space left") as error:
            for n in range(10_000):
                out.write({"n": n, "pad": "x" * 3000})
                written = n + 1
        assert error.value.hint == f"free some space; the {written} records written so far stay in it"
        assert out.count == written
        with pytest.raises(bm.StoreError):
            out.write_many({"n": n, "pad": "x" * 3000} for n in range(1000))
        assert [r["n"] for r in records(small / "a.jsonl")] == list(range(written))
        (small / "pad").write_bytes(b"")
        out.close()
        shutil.copy(small / "a.jsonl", tmp_path / "kept.jsonl")
        os.remove(small / "a.jsonl")
        shutil.copy(tmp_path / "kept.jsonl", small / "a.jsonl")
        with s.jsonl(small / "a.jsonl", mode="a") as out:
            assert out.count == written
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_full_disk_under_the_store_loses_no_record_and_is_made_up_for(repo, tmp_path, store):
    small = tmp_path / "artifacts"
    disk_full(small)
    s = bm.session().start()
    try:
        out = s.jsonl("out.jsonl")
        while not store.events("environment_observed"):
            time.sleep(0.01)
        with pytest.raises(OSError), open(small / "pad", "wb", buffering=0) as pad:
            while True:
                pad.write(bytes(4096))
        for n in range(300):
            out.write({"n": n})
        with pytest.raises(bm.StoreError):
            for n in range(300):  # an event may still fit into the last page
                s.plan(f"plan {n}")
        with pytest.raises(bm.StoreError):
            out.close()
        assert len(records("out.jsonl")) == 300
        with pytest.raises(bm.StoreError):
            s.end()
        assert s.is_open and bm.current() is s
        os.remove(small / "pad")
        out.close()
        (sealed,) = store.events("artifact_sealed")
        assert sealed["records"] == 300
        s.end()
        assert store.events("session_ended")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_script_that_fills_the_disk_of_its_store_says_how_it_ended(repo, python, store, birthmark):
    disk_full(repo / "artifacts")
    try:
        done = python(
            """
import birthmark as bm
with bm.session() as s:
    out = s.jsonl("out.jsonl")
    out.write({"n": 1})
    pad = open("artifacts/pad", "wb", buffering=0)
    try:
        while True:
            pad.write(bytes(4096))
    except OSError:
        pass
    try:
        for n in range(300):
            s.plan(f"plan {n}")
    except bm.StoreError:
        out.write({"n": 2})
""",
            check=False,
        )
        assert "No space left" in done.stderr
        (ended,) = store.events("run_ended")
        assert "No space left" in ended["unrecorded"]
        assert store.events("session_ended")
        assert [record["n"] for record in records(repo / "out.jsonl")] == [1, 2]
        told = birthmark("show", "last")
        assert "not all that was done could be recorded" in " ".join(told.split()), told
    finally:
        subprocess.run(["umount", "-l", str(repo / "artifacts")], check=True)


def test_folder_that_cannot_be_written_is_refused_at_entry(repo, python):
    if os.geteuid() != 0:
        os.mkdir("artifacts", 0o555)
        run = lambda source: python(source, check=False)
    else:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not here, and root may write anywhere")
        os.chmod(repo, 0o755)
        os.mkdir("artifacts")

        def run(source):
            (repo / "script.py").write_text(source)
            for folder in (repo, *repo.parents):
                if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o005:
                    folder.chmod(folder.stat().st_mode | 0o055)
            return subprocess.run(
                ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "script.py"],
                capture_output=True, text=True,
            )

    done = run("import birthmark as bm\nwith bm.session() as s: print('worked')\n")
    if "ModuleNotFoundError" in done.stderr or "Permission denied: '" in done.stderr:
        pytest.skip("another user cannot even import birthmark here")
    assert done.stdout == "" and "StoreError" in done.stderr
    assert "BIRTHMARK_DIR" in done.stderr


def test_limit_on_file_size_is_an_error_and_not_a_death(committed):
    source = """
import resource
import birthmark as bm
with bm.session() as s:
    s.birthmark()
    with s.jsonl("artifacts/a.jsonl") as out:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        written = 0
        try:
            while True:
                out.write({"n": written, "pad": "x" * 700})
                written += 1
        except bm.StoreError as error:
            print(written)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        out.write({"n": written})
"""
    written = int(committed(source).stdout)
    assert [r["n"] for r in records("artifacts/a.jsonl")] == list(range(written + 1))


def test_descriptors_do_not_leak(s):
    before = len(os.listdir("/proc/self/fd"))
    for n in range(64):
        with s.jsonl(f"artifacts/{n}.jsonl") as out:
            out.write({})
        s.report(f"artifacts/{n}.json", {})
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_memory_stays_flat(committed):
    source = """
import resource
import birthmark as bm
record = {"text": "x" * 700}
with bm.session() as s, s.jsonl("artifacts/a.jsonl") as out:
    for n in range(20_000):
        out.write(record, seed=n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(80_000):
        out.write(record, seed=n)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    assert int(committed(source).stdout) < 16 * 1024  # KiB


# -- reports


def test_report_at_once_has_its_birthmark_on_top_and_its_own_order(s, store):
    body = {"summary": {"base_accuracy": 0.85, "nan": math.nan}, "results": [{"id": 1}, {"id": 2}], "é": "ü"}
    assert s.report("artifacts/r.json", body, eval_seed=42) is None
    report = json.loads(open("artifacts/r.json").read())
    assert [key for key in report if key != "metadata"] == list(body)
    assert report["results"] == body["results"] and report["é"] == "ü"
    assert report["metadata"]["eval_seed"] == 42
    assert report["metadata"]["artifact_type"] == "evaluation"
    (sealed,) = store.events("artifact_sealed")
    assert sealed["notes"]["items"] == 2
    with pytest.raises(bm.ArtifactExistsError):
        s.report("artifacts/r.json", body)
    s.report("artifacts/r.json", {"summary": 2}, mode="w")
    assert json.loads(open("artifacts/r.json").read())["summary"] == 2
    for wrong in ([1], "x", 1):
        with pytest.raises(TypeError):
            s.report("artifacts/q.json", wrong)
    assert not os.path.exists("artifacts/q.json")


def test_report_item_by_item_is_put_together_on_leaving(s, capfd):
    with s.report("artifacts/r.json", eval_seed=42) as r:
        for item in r.todo([{"id": n} for n in range(3)]):
            r.add({**item, "score": item["id"] / 2 if item["id"] else math.nan})
        assert len(r.results) == r.count == 3
        assert len(records("artifacts/r.json.part.jsonl")) == 3
        r.summary["base_accuracy"] = 0.5
        r.fields["note"] = "own"
    report = json.loads(open("artifacts/r.json").read())
    assert list(report)[:3] == ["summary", "note", "results"] or list(report)[0] == "summary"
    assert report["summary"] == {"base_accuracy": 0.5} and report["note"] == "own"
    assert [item["id"] for item in report["results"]] == [0, 1, 2]
    assert "metadata" not in report["results"][0]
    assert not os.path.exists("artifacts/r.json.part.jsonl")
    assert r.count == 3
    assert "r.json: 1 value is NaN" in capfd.readouterr().err
    r.close()
    with pytest.raises(bm.UsageError, match="is closed"):
        r.add({})


def test_exception_leaves_the_part_and_the_next_run_goes_on(s, capfd):
    items = [{"id": n} for n in range(5)]
    with pytest.raises(RuntimeError), s.report("artifacts/r.json") as r:
        for item in r.todo(items):
            if item["id"] == 3:
                raise RuntimeError
            r.add(item)
    assert not os.path.exists("artifacts/r.json")
    assert "kept 3 items in artifacts/r.json.part.jsonl; run again to go on" in capfd.readouterr().err
    for mode in "xwa":
        r = s.report("artifacts/r.json", mode=mode)
        assert r.count == 3
        r.abandon()
    with s.report("artifacts/r.json") as r:
        for item in r.todo(items):
            r.add(item)
    assert [i["id"] for i in json.loads(open("artifacts/r.json").read())["results"]] == [0, 1, 2, 3, 4]


def test_session_shows_its_report_as_left_until_it_is_put_together(s, birthmark):
    s.report("artifacts/left.json").add({"id": 1})
    s.end()
    told = birthmark("show", s.id)
    assert "left     1 item in artifacts/left.json.part.jsonl" in told, told
    assert json.loads(birthmark("show", s.id, "--json"))["summary"]["reports_left"] == [
        {"file": "artifacts/left.json", "part": "artifacts/left.json.part.jsonl", "items": 1}
    ]
    with bm.session() as later, later.report("artifacts/left.json") as report:
        report.add({"id": 2})
    assert "left  " not in birthmark("show", s.id)


def evaluate(path, temperature, model, ids, commit=None, mode="x"):
    """One run over a report, in a process of its own, that dies after its items unless it may finish."""
    code = f"""
import os, birthmark as bm
with bm.session(params={{"temperature": {temperature}, "top_p": 0.9}}, provenance={{"model_name": {model!r}}}) as s:
    with s.report({path!r}, mode={mode!r}, eval_seed=1) as r:
        for item in r.todo([{{"id": n}} for n in {list(ids)}], key="id"):
            r.add({{**item, "ok": {temperature} < 0.5}})
        {'os._exit(9)' if commit is None else 'r.summary["n"] = len(r.results)'}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == (9 if commit is None else 0), done.stderr
    return done.stderr


def test_items_of_a_run_that_died_keep_how_they_were_made_when_another_goes_on(repo, git, birthmark):
    path = "artifacts/e.json"
    evaluate(path, 0.1, "model-A", range(3))
    first = git("rev-parse", "HEAD")
    (repo / "lib.py").write_text("x = 2\n")
    git("add", "-A")
    git("commit", "-qm", "v2")
    said = evaluate(path, 0.9, "model-B", range(5), commit=True)
    assert "going on with 3 items" in said and 'temperature 0.1 (now 0.9)' in said and "model-A" in said
    report = json.loads((repo / path).read_text())
    mark = report["metadata"]
    assert mark["temperature"] is None and mark["model_name"] is None and mark["top_p"] == 0.9
    assert mark["unknown"]["temperature"] == "the report holds 3 items with 0.1, 2 items with 0.9"
    [other] = mark["items_from"]
    assert (other["items"], other["git_commit"]) == (3, first) and mark["git_commit"] != first
    assert other["differs"]["model_name"] == "model-A"
    made = [(item["metadata"]["temperature"], item["metadata"]["git_commit"]) for item in report["results"]]
    assert made == [(0.1, first)] * 3 + [(0.9, mark["git_commit"])] * 2
    shown = birthmark("show", path)
    assert "3 items of session" in shown and f"at commit {first[:7]}" in shown and "temperature 0.1" in shown
    # Taken up again when it is finished, nothing of that is lost.
    evaluate(path, 0.9, "model-B", range(6), commit=True, mode="a")
    again = json.loads((repo / path).read_text())
    assert [item["metadata"]["temperature"] for item in again["results"]] == [0.1] * 3 + [0.9] * 3
    assert again["metadata"]["temperature"] is None and sum(one["items"] for one in again["metadata"]["items_from"]) == 5


def test_a_report_that_is_gone_on_with_the_same_settings_names_the_run_before_and_nothing_else(repo):
    path = "artifacts/e.json"
    evaluate(path, 0.1, "model-A", range(3))
    said = evaluate(path, 0.1, "model-A", range(5), commit=True)
    assert "going on with 3 items" in said and "made with" not in said
    report = json.loads((repo / path).read_text())
    assert report["metadata"]["temperature"] == 0.1 and "metadata" not in report["results"][0]
    [other] = report["metadata"]["items_from"]
    assert other["items"] == 3 and other["session_id"] != report["metadata"]["session_id"] and "differs" not in other


def test_finished_report_is_gone_on_with_in_mode_a_and_made_anew_in_mode_w(s):
    items = [{"id": n, "text": "line\nfeed, {", "x": [{"y": math.inf}]} for n in range(4)]
    with s.report("artifacts/r.json", mode="a") as r:
        for item in r.todo(items[:2]):
            r.add(item)
        r.summary["n"] = 2
    with s.report("artifacts/r.json", mode="a") as r:
        left = list(r.todo(items))
        assert [item["id"] for item in left] == [2, 3]
        for item in left:
            r.add(item)
        r.summary["n"] = 4
    report = json.loads(open("artifacts/r.json").read())
    assert report["results"] == items and report["summary"] == {"n": 4}
    with s.report("artifacts/r.json", mode="w") as r:
        assert r.count == 0
        r.add({"id": "new"})
    assert json.loads(open("artifacts/r.json").read())["results"] == [{"id": "new"}]


def test_items_of_a_run_that_died_writing_anew_are_gone_on_with(s):
    s.report("artifacts/r.json", {"results": []})
    os.utime("artifacts/r.json", (1, 1))
    with pytest.raises(RuntimeError), s.report("artifacts/r.json", mode="w") as r:
        r.add({"id": 1})
        raise RuntimeError
    with s.report("artifacts/r.json", mode="w") as r:
        assert r.count == 1
    assert json.loads(open("artifacts/r.json").read())["results"] == [{"id": 1}]


def test_summary_that_json_cannot_say_keeps_the_items(s):
    r = s.report("artifacts/r.json")
    r.add({"id": 1})
    r.summary["x"] = object()
    with pytest.raises(TypeError):
        r.close()
    r.summary["x"] = 1
    r.close()
    assert json.loads(open("artifacts/r.json").read())["results"] == [{"id": 1}]


def test_killed_evaluation_goes_on_where_it_was(committed):
    source = """
import os, signal, sys
import birthmark as bm
with bm.session() as s, s.report("artifacts/r.json", eval_seed=1) as r:
    for item in r.todo([{"id": n} for n in range(20)]):
        if item["id"] == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        r.add(item)
    r.summary["n"] = r.count
"""
    for stop in ("5", "11", "-1"):
        committed(source, stop, check=False)
    report = json.loads(open("artifacts/r.json").read())
    assert [item["id"] for item in report["results"]] == list(range(20))
    assert report["summary"] == {"n": 20}


# -- what it was made from


def test_dataset_is_filled_in_from_the_file_it_names(s, repo, git):
    (repo / "data").mkdir()
    (repo / "data" / "test.json").write_text(json.dumps([{"q": n} for n in range(12)]))
    git("add", "data")
    git("commit", "--quiet", "--message", "Data")
    s.report("artifacts/a.json", {}, dataset="data/test.json")
    s.report("artifacts/b.json", {}, dataset={"name": "held_out", "source": repo / "data" / "test.json"})
    a, b = (json.loads(open(f"artifacts/{n}.json").read())["metadata"]["dataset"] for n in "ab")
    assert a["name"] == "test" and b["name"] == "held_out"
    for dataset in (a, b):
        assert dataset["source"] == "data/test.json" and dataset["size"] == 12
        assert dataset["version_sha"] == git("rev-parse", "HEAD")
        assert dataset["digest"] == bm.digest_file("data/test.json")
    s.report("artifacts/c.json", {}, dataset={"name": "n", "size": 5, "source": "on/the/hub"})
    c = json.loads(open("artifacts/c.json").read())["metadata"]["dataset"]
    assert c == {"name": "n", "size": 5, "source": "on/the/hub"}


@pytest.mark.parametrize("state", ["untracked", "edited"])
def test_dataset_that_no_commit_has_is_null_with_its_reason(s, repo, git, state):
    (repo / "test.jsonl").write_text('{"q": 1}\n')
    if state == "edited":
        git("add", "test.jsonl")
        git("commit", "--quiet", "--message", "Data")
        (repo / "test.jsonl").write_text('{"q": 1}\n{"q": 2}\n')
    with s.jsonl("artifacts/a.jsonl", dataset="test.jsonl", fields="all") as out:
        out.write({})
    mark = records("artifacts/a.jsonl")[0]["metadata"]
    assert mark["dataset"]["version_sha"] is None
    assert mark["unknown"]["dataset.version_sha"]
    assert mark["dataset"]["size"] == (1 if state == "untracked" else 2)


def test_dataset_of_a_session_is_filled_in_too(repo):
    (repo / "test.jsonl").write_text('{"q": 1}\n')
    with bm.session(dataset="test.jsonl") as s:
        assert s.birthmark()["dataset"]["digest"] == bm.digest_file("test.jsonl")


def test_inputs_and_models_are_told_by_their_digests(s, repo):
    (repo / "data.jsonl").write_text('{"q": 1}\n')
    (repo / "ckpt").mkdir()
    (repo / "ckpt" / "w.bin").write_bytes(b"weights")
    s.report(
        "artifacts/r.json", {},
        models={"base": "Qwen/Qwen2.5-32B", "sft": repo / "ckpt", "dpo": None},
        inputs=["data.jsonl", "org/on-the-hub", {"role": "adapter", "file": "ckpt"}],
    )
    mark = json.loads(open("artifacts/r.json").read())["metadata"]
    assert mark["models"]["dpo"] is None
    assert mark["model_digests"] == {"sft": bm.digest_file("ckpt")}
    data, hub, adapter = mark["inputs"]
    assert data["file"] == "data.jsonl" and data["digest"] == bm.digest_file("data.jsonl")
    assert hub == {"name": "org/on-the-hub"}
    assert adapter["role"] == "adapter" and adapter["digest"] == bm.digest_file("ckpt")
    with pytest.raises(bm.UsageError, match="input"):
        s.report("artifacts/q.json", {}, inputs=[3])


def test_added_file_and_folder_get_sidecars_and_are_not_touched(s, repo, store):
    (repo / "table.csv").write_text("a,b\n1,2\n")
    (repo / "ckpt").mkdir()
    (repo / "ckpt" / "w.bin").write_bytes(b"weights")
    before = (repo / "table.csv").stat()
    sidecar = s.add("table.csv", artifact_type="dataset", seed=1)
    assert sidecar == repo / "table.csv.birthmark.json"
    assert (repo / "table.csv").stat().st_mtime_ns == before.st_mtime_ns
    assert s.add(repo / "ckpt", "model", inputs="table.csv") == repo / "ckpt.birthmark.json"
    assert bm.read("table.csv")["seed"] == 1
    assert bm.read("ckpt")["inputs"][0]["file"] == "table.csv"
    sealed = {event["file"]: event for event in store.events("artifact_sealed")}
    assert sealed["ckpt"]["digest"] == bm.digest_file("ckpt")
    with pytest.raises(bm.UsageError, match="not there"):
        s.add("missing.bin")
    s.removed("ckpt", "rotation")
    (removed,) = store.events("artifact_removed")
    assert (removed["file"], removed["reason"]) == ("ckpt", "rotation")


def test_what_was_used_is_recorded(s, repo, store):
    (repo / "data.jsonl").write_text('{"q": 1}\n')

    class Model:
        name_or_path = "org/model"

    class Info:
        dataset_name = "squad"
        config_name = "plain"

    class Dataset:
        info = Info()
        split = "train"
        num_rows = 7
        _fingerprint = "abc123"

    entry = s.use("data.jsonl", role="training_data")
    assert entry["file"] == "data.jsonl" and entry["role"] == "training_data"
    assert s.use(Model(), role="base_model") == {"role": "base_model", "name": "org/model"}
    assert s.use(Dataset()) == {
        "name": "squad", "config": "plain", "split": "train", "size": 7, "fingerprint": "abc123",
    }
    assert len(store.events("artifact_used")) == 3
    with pytest.raises(TypeError, match="path or name"):
        s.use(object())


# -- params


@dataclasses.dataclass
class Config:
    temperature: float = 0.7
    max_tokens: int = 150
    hook: object = print


class Generation:
    """As the generation settings of a large library."""

    def to_dict(self):
        return {"temperature": 0.7, "max_new_tokens": 150, "max_tokens": None}


def pydantic_params():
    pydantic = pytest.importorskip("pydantic", reason="pip install 'birthmark[test]'")

    class Params(pydantic.BaseModel):
        temperature: float = 0.7
        max_tokens: int = 150

    return Params()


def msgspec_params():
    msgspec = pytest.importorskip("msgspec", reason="pip install 'birthmark[test]'")

    class Params(msgspec.Struct):
        temperature: float = 0.7
        max_tokens: int = 150
        _real: int = 1

    return Params()


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"temperature": 0.7, "max_tokens": 150},
        Config,
        lambda: argparse.Namespace(temperature=0.7, n_predict=150, func=print),
        Generation,
        pydantic_params,
        msgspec_params,
    ],
)
def test_params_come_as_anything_that_has_fields(s, make):
    mark = None
    with s.jsonl("artifacts/a.jsonl", params=make()) as out:
        out.write({})
    mark = records("artifacts/a.jsonl")[0]["metadata"]
    assert mark["temperature"] == 0.7
    assert mark["max_new_tokens"] == 150
    assert "_real" not in mark


def test_what_json_cannot_say_is_null_with_its_reason_in_objects_and_an_error_in_dicts(s):
    mark = s.birthmark(**{}) and None
    with s.jsonl("artifacts/a.jsonl", params=Config()) as out:
        out.write({})
    mark = records("artifacts/a.jsonl")[0]["metadata"]
    assert mark["hook"] is None and "builtin_function" in mark["unknown"]["hook"]
    with pytest.raises(TypeError):
        s.jsonl("artifacts/b.jsonl", params={"hook": print})
    for wrong in (3, "temperature=1", Config, [1]):
        with pytest.raises(TypeError, match="params must be"):
            s.jsonl("artifacts/b.jsonl", params=wrong)
    with pytest.raises(TypeError, match="name of a field"):
        s.jsonl("artifacts/b.jsonl", params={1: 2})
    assert not os.path.exists("artifacts/b.jsonl")


def test_nearer_wins(repo):
    given = {"model_name": "m", "unknown": {"quantization": "the engine does not say"}}
    with bm.session(provenance=given, params={"temperature": 0.1, "top_p": 0.9}, seed=1) as s:
        with s.jsonl("artifacts/a.jsonl", params={"temperature": 0.2}, temperature=0.3) as out:
            out.write({})
            out.write({}, temperature=0.4, quantization="nf4")
    first, second = (r["metadata"] for r in records("artifacts/a.jsonl"))
    assert (first["temperature"], first["top_p"], first["seed"]) == (0.3, 0.9, 1)
    assert first["quantization"] is None
    assert first["unknown"]["quantization"] == "the engine does not say"
    assert first["unknown"]["loader_version"] == "not given"
    assert (second["temperature"], second["quantization"]) == (0.4, "nf4")
    assert "quantization" not in second["unknown"]


def test_provenance_of_whatever_stands_for_a_model(s, repo):
    (repo / "model").mkdir()
    (repo / "model" / "w.bin").write_bytes(b"w")

    class Loader:
        def provenance(self):
            return {"model_name": "m", "quantization": "nf4", "template_disabled": True}

    class Config:
        model = "Qwen/Qwen2.5-32B"
        quantization = "bitsandbytes"
        revision = "abc"

    class Engine:
        model_config = Config()

    class Llm:
        llm_engine = Engine()

    class Transformers:
        name_or_path = "org/m"
        dtype = "torch.bfloat16"

        class config:
            _commit_hash = "def"
            quantization_config = None

            def to_dict(self):
                return {}

    def mark(x):
        return s.birthmark(**{k: v for k, v in bm.model_provenance(x).items() if k != "unknown"})

    assert mark(Loader())["quantization"] == "nf4"
    assert mark(Llm())["model_revision"] == "abc" and mark(Llm())["model_name"] == "Qwen/Qwen2.5-32B"
    assert mark(Transformers())["quantization"] == "bf16"
    assert mark("model")["model_digest"] == bm.digest_file("model")
    assert mark("org/name")["model_name"] == "org/name"
    told = bm.model_provenance("org/name")
    assert told["quantization"] is None and told["unknown"]["quantization"]
    with pytest.raises(TypeError):
        bm.model_provenance(object())
    with s.jsonl("artifacts/a.jsonl", provenance="org/name") as out:
        out.write({})
    assert records("artifacts/a.jsonl")[0]["metadata"]["unknown"]["quantization"] == told["unknown"]["quantization"]


def test_writing_goes_on_in_the_file_of_another_session(repo):
    for n in range(2):
        with bm.session() as s, s.jsonl("artifacts/a.jsonl", mode="a") as out:
            out.write({"n": n})
    one, two = records("artifacts/a.jsonl")
    assert one["metadata"]["session_id"] != two["metadata"]["session_id"]


def test_error_that_stopped_the_writing_is_noted(s, store):
    with pytest.raises(RuntimeError), s.jsonl("artifacts/a.jsonl") as out:
        out.write({})
        raise RuntimeError(f"no {SECRET}\nat all")
    (sealed,) = store.events("artifact_sealed")
    assert sealed["notes"]["stopped_by"].startswith("RuntimeError: no [redacted")
    assert "\n" not in sealed["notes"]["stopped_by"]
