"""What a run read, made and loaded is found without a call that says so."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def ran(repo, program):
    """Run words under `birthmark run`; gives the events of its session by kind."""

    def run(*words, check=True):
        done = subprocess.run(
            [program, "run", "--", *words], cwd=repo, capture_output=True, text=True, timeout=120
        )
        assert not check or done.returncode == 0, done.stderr
        return events(repo)

    return run


def events(repo):
    sessions = (repo / "artifacts/.birthmark/sessions").iterdir()
    folder = max(sessions, key=lambda session: session.stat().st_mtime_ns)
    found = {}
    for journal in folder.glob("*.jsonl"):
        for line in journal.read_text().splitlines():
            event = json.loads(line)
            found.setdefault(event["event"], []).append(event)
    return found


def inputs(found):
    return {used["input"]["file"]: used["input"] for used in found.get("artifact_used", [])}


def made(found):
    return [sealed["file"] for sealed in found.get("artifact_sealed", [])]


def needs_preload(found):
    if "preload" not in found["lineage_observed"][0]["observed_by"]:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")


def test_readers_in_c_are_seen_and_noise_is_not(repo, ran):
    pq = pytest.importorskip("pyarrow.parquet", reason="this test needs pyarrow")
    safetensors = pytest.importorskip("safetensors.numpy", reason="this test needs safetensors")
    import numpy
    import pyarrow

    pq.write_table(pyarrow.table({"a": [1, 2]}), repo / "data.parquet")
    safetensors.save_file({"w": numpy.zeros(3)}, repo / "w.safetensors")
    numpy.save(repo / "x.npy", numpy.zeros(3))
    (repo / "plain.txt").write_text("text\n")
    (repo / "train.py").write_text(
        "import numpy, pyarrow.parquet as pq\n"
        "from safetensors import safe_open\n"
        "pq.read_table('data.parquet')\n"
        "with safe_open('w.safetensors', 'np') as f: f.get_tensor('w')\n"
        "numpy.load('x.npy'); open('plain.txt').read()\n"
        "open('out.csv', 'w').write('1')\n"
    )
    found = ran(sys.executable, "train.py")
    needs_preload(found)
    seen = inputs(found)
    assert sorted(seen) == ["data.parquet", "plain.txt", "w.safetensors", "x.npy"]
    assert seen["w.safetensors"]["role"] == "model"
    assert all(one["digest"].startswith("blake3:") for one in seen.values())
    assert made(found) == ["out.csv"]
    lineage = found["lineage_observed"][0]
    assert (lineage["state"], lineage.get("reasons")) == ("complete", None)
    assert lineage["left_out"]["packages"] > 50


def test_a_model_in_gguf_that_was_read_is_told_by_its_own_header(repo, ran, program):
    def text(words):
        return len(words).to_bytes(8, "little") + words.encode()

    pairs = [
        text("general.name") + (8).to_bytes(4, "little") + text("Tiny 1M"),
        text("general.architecture") + (8).to_bytes(4, "little") + text("llama"),
        text("general.file_type") + (4).to_bytes(4, "little") + (15).to_bytes(4, "little"),
    ]
    head = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + len(pairs).to_bytes(8, "little")
    (repo / "m.gguf").write_bytes(head + b"".join(pairs))
    (repo / "broken.gguf").write_bytes(head)
    found = ran("sh", "-c", "cat m.gguf broken.gguf | wc -c > artifacts/size.txt")
    needs_preload(found)
    seen = inputs(found)
    told = seen["m.gguf"]["gguf"]
    assert (told["name"], told["architecture"], told["quantization"]) == ("Tiny 1M", "llama", "Q4_K_M")
    assert seen["broken.gguf"]["gguf"] is None
    assert seen["broken.gguf"]["unknown"]["gguf"] == "its header cannot be read: it is cut short at byte 24"
    page = subprocess.run([program, "show", "artifacts/size.txt"], cwd=repo, capture_output=True, text=True)
    assert "model: m.gguf Tiny 1M Q4_K_M blake3:" in page.stdout


def test_modules_that_were_loaded_are_listed_with_their_blobs(repo, ran, git):
    (repo / "lib").mkdir()
    (repo / "lib/__init__.py").write_text("")
    (repo / "lib/used.py").write_text("X = 1\n")
    (repo / "lib/unused.py").write_text("X = 2\n")
    (repo / "main.py").write_text("import importlib\nimportlib.import_module('lib.' + 'used')\n")
    for _ in range(2):  # the second time from bytecode
        found = ran(sys.executable, "main.py")
        needs_preload(found)
        (modules,) = found["modules_observed"]
        assert modules["root"] == "."
        blobs = {one["file"]: one["blob"] for one in modules["files"]}
        assert sorted(blobs) == ["lib/__init__.py", "lib/used.py", "main.py"]
        assert blobs["lib/used.py"] == git("hash-object", "lib/used.py")


def test_children_threads_and_killed_workers_are_seen(repo, ran):
    for number in range(8):
        (repo / f"part{number}.txt").write_text(str(number))
    (repo / "load.py").write_text(
        "import multiprocessing as mp, os, signal, subprocess, sys\n"
        "def load(n):\n"
        "    return open(f'part{n}.txt').read()\n"
        "if __name__ == '__main__':\n"
        "    for how in ('fork', 'spawn'):\n"
        "        with mp.get_context(how).Pool(8) as pool:\n"
        "            assert pool.map(load, range(8)) == [str(n) for n in range(8)]\n"
        "    killed = \"open('last.txt'); import os; os.kill(os.getpid(), 9)\"\n"
        "    subprocess.run([sys.executable, '-c', killed])\n"
    )
    (repo / "last.txt").write_text("read before it was killed\n")
    found = ran(sys.executable, "load.py")
    needs_preload(found)
    assert sorted(inputs(found)) == ["last.txt"] + [f"part{n}.txt" for n in range(8)]


def test_shell_pipelines_are_seen(repo, ran):
    (repo / "words.txt").write_text("b\na\nb\n")
    found = ran("sh", "-c", "sort < words.txt | uniq -c > tmp.txt; mv tmp.txt counts.txt")
    needs_preload(found)
    assert list(inputs(found)) == ["words.txt"]
    assert made(found) == ["counts.txt"]
    assert found["lineage_observed"][0]["state"] == "complete"


def test_what_could_not_be_watched_is_said(repo, ran):
    (repo / "a.txt").write_text("a\n")
    found = ran("sh", "-c", "cat a.txt; env -i /bin/cat a.txt")
    needs_preload(found)
    lineage = found["lineage_observed"][0]
    assert lineage["state"] == "partial"
    assert "/bin/cat was started without the watch" in lineage["reasons"][0]


def test_looking_for_a_library_of_the_system_leaves_nothing_unseen(repo, ran):
    found = ran(sys.executable, "-c", "import ctypes.util; ctypes.util.find_library('z')")
    needs_preload(found)
    lineage = found["lineage_observed"][0]
    assert (lineage["state"], lineage.get("reasons")) == ("complete", None)


def test_rules_of_the_project_leave_files_out(repo, ran):
    (repo / "birthmark.toml").write_text('[lineage]\nignore = ["*.tmp", "scratch/**"]\n')
    (repo / "scratch").mkdir()
    for name in ("kept.txt", "x.tmp", "scratch/y.txt"):
        (repo / name).write_text("x")
    found = ran("sh", "-c", "cat kept.txt x.tmp scratch/y.txt > z.tmp")
    needs_preload(found)
    assert (list(inputs(found)), made(found)) == (["kept.txt"], [])
    assert found["lineage_observed"][0]["left_out"]["ignore"] == 2
    (repo / "birthmark.toml").write_text("[lineage]\non = false\n")
    found = ran("sh", "-c", "cat kept.txt")
    assert "lineage_observed" not in found


def test_checkpoint_is_one_input_and_one_artifact(repo, ran):
    (repo / "base").mkdir()
    (repo / "base/config.json").write_text("{}")
    for shard in (1, 2):
        (repo / f"base/model-{shard}.safetensors").write_text("w")
    found = ran("sh", "-c", "mkdir tuned; cat base/* > /dev/null; cp base/* tuned/")
    needs_preload(found)
    (used,) = found["artifact_used"]
    assert (used["input"]["role"], used["input"]["file"]) == ("model", "base")
    assert used["input"]["files_read"] == 3
    assert made(found) == ["tuned"]
    # The copy has the digest of what it is a copy of.
    assert found["artifact_sealed"][0]["digest"] == used["input"]["digest"]


def test_the_program_is_not_harmed_where_notes_cannot_be_kept(repo, program, tmp_path):
    (repo / "a.txt").write_text("a\n")
    library = [*_libraries(program)]
    if not library:
        pytest.skip("SKIPPED: the library to be preloaded is not beside the program")
    for folder in ("/nowhere", "/proc", str(tmp_path / ("x" * 200)), ""):
        done = subprocess.run(
            ["sh", "-c", "cat a.txt; cat missing"],
            env={"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(library[0]), "BIRTHMARK_SEEN": folder},
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.returncode) == ("a\n", 1)
        assert done.stderr == "cat: missing: No such file or directory\n"


def _libraries(program):
    from pathlib import Path

    name = "libbirthmark_preload.so"
    bin = Path(program).resolve().parent
    return (path for path in (bin / name, bin.parent / "lib/birthmark" / name) if path.exists())


SESSION = """
import random, sys
import birthmark as bm
def load(n):
    return open(f"part{n}.txt").read()
with bm.session(**eval(sys.argv[1])) as s:
    random.seed(42)
    before = random.seed
    import multiprocessing as mp, mmap, lib.used
    open("plain.txt").read()
    with mp.get_context("fork").Pool(2) as pool:
        pool.map(load, range(3))
    open("out.csv", "w").write("1")
    try:
        open("missing.txt")
    except FileNotFoundError:
        pass
assert random.seed is not before and random.seed.__self__ is not None
"""


@pytest.fixture
def files(repo):
    for name in ("plain.txt", "part0.txt", "part1.txt", "part2.txt"):
        (repo / name).write_text(name)
    (repo / "lib").mkdir()
    (repo / "lib/used.py").write_text("X = 1\n")


def test_session_of_its_own_sees_what_python_opens(repo, python, files, git):
    python(SESSION, "{}")
    found = events(repo)
    assert sorted(inputs(found)) == ["part0.txt", "part1.txt", "part2.txt", "plain.txt"]
    assert made(found) == ["out.csv"]
    assert found["seeds_observed"][0]["seeds"] == {"random.seed": 42}
    (modules,) = found["modules_observed"]
    blobs = {one["file"]: one["blob"] for one in modules["files"]}
    assert blobs["lib/used.py"] == git("hash-object", "lib/used.py")
    assert sorted(blobs) == ["lib/used.py", "script.py"]
    lineage = found["lineage_observed"][0]
    assert (lineage["state"], lineage["observed_by"]) == ("complete", ["audit", "maps"])


def test_session_is_not_watched_where_that_is_not_wanted(repo, python, files):
    python(SESSION.replace("assert random.seed is not before and", "assert"), "{'lineage': False}")
    found = events(repo)
    for kind in ("lineage_observed", "modules_observed", "seeds_observed", "artifact_used"):
        assert kind not in found


def test_session_under_run_is_watched_once(repo, ran, files):
    (repo / "script.py").write_text(SESSION)
    found = ran(sys.executable, "script.py", "{}")
    needs_preload(found)
    assert len(found["lineage_observed"]) == 1
    assert sorted(inputs(found)) == ["part0.txt", "part1.txt", "part2.txt", "plain.txt"]
    assert len(found["artifact_used"]) == 4
    assert found["seeds_observed"][0]["seeds"] == {"random.seed": 42}


def test_libraries_that_open_in_c_and_programs_make_it_partial(repo, python):
    pytest.importorskip("pyarrow", reason="this test needs pyarrow")
    python(
        "import birthmark as bm\n"
        "with bm.session():\n"
        "    import subprocess, pyarrow\n"
        "    subprocess.run(['true'])\n"
    )
    lineage = events(repo)["lineage_observed"][0]
    assert lineage["state"] == "partial"
    assert lineage["reasons"] == [
        "what pyarrow opened and closed is seen under `birthmark run` only",
        "what the programs that it started opened is seen under `birthmark run` only",
    ]


def test_seeds_of_libraries_that_are_imported_later_are_seen(repo, python):
    python(
        "import birthmark as bm\n"
        "with bm.session():\n"
        "    import numpy\n"
        "    numpy.random.seed(7)\n"
        "    numpy.random.seed(seed=8)\n"
        "    try: numpy.random.seed(-1)\n"
        "    except ValueError: print('as ever')\n"
        "numpy.random.seed(9)\n"
    )
    assert events(repo)["seeds_observed"][0]["seeds"] == {"numpy.random.seed": -1}


GENERATORS = """
import inspect, pickle, random
import numpy
from numpy.random import default_rng
{before}
    one, two = default_rng(5), numpy.random.default_rng(seed=6)
    assert default_rng is numpy.random.default_rng is pickle.loads(pickle.dumps(default_rng))
    assert default_rng.__doc__ and default_rng.__name__ == "default_rng"
    numpy.random.default_rng(), numpy.random.default_rng(5), random.Random(), random.SystemRandom(4)
    again = pickle.loads(pickle.dumps(random.Random(7)))
    assert again.random() == random.Random(x=7).random() and isinstance(again, random.Random)
    assert one.random() == numpy.random.Generator(numpy.random.PCG64(5)).random()
    assert list(inspect.signature(random.Random).parameters) == ["x"]
{after}
"""


def test_each_seed_of_each_generator_is_a_fact(repo, python, birthmark):
    wanted = {"numpy.random.default_rng": [5, 6], "random.Random": 7}
    before = "import birthmark as bm\nkept = default_rng, random.Random.__init__\nwith bm.session():"
    after = "assert kept == (default_rng, random.Random.__init__), 'as they were'"
    python(GENERATORS.format(before=before, after=after))
    assert events(repo)["seeds_observed"][0]["seeds"] == wanted
    (repo / "plain.py").write_text(GENERATORS.format(before="if True:", after=""))
    birthmark("run", "--", sys.executable, "plain.py")
    assert events(repo)["seeds_observed"][-1]["seeds"] == wanted


LIBRARY_WITH_DICE = """
import random
import numpy
inner = numpy.random.default_rng(615681484984984)
numpy.random.default_rng(inner), random.Random(77)

def shuffled(seed):
    return numpy.random.default_rng(seed)
"""
MADE_FROM = """
import numpy
from numpy.random import PCG64, RandomState, SeedSequence, default_rng
{before}
    import with_dice
    default_rng(default_rng(RandomState(1))), default_rng(PCG64()), default_rng(SeedSequence())
    default_rng(PCG64(5)), default_rng(SeedSequence(6)), default_rng(numpy.int64(7)), with_dice.shuffled(8)
    default_rng(SeedSequence(9).spawn(2)[1])
"""


def test_what_a_library_does_when_it_is_imported_and_who_hands_a_generator_on_sets_no_seed(repo, python, birthmark):
    library = repo / "venv/site-packages/with_dice.py"
    library.parent.mkdir(parents=True)
    library.write_text(LIBRARY_WITH_DICE)
    wanted = {"numpy.random.default_rng": [5, 6, 7, 8, "SeedSequence(9, spawn_key=(1,))"]}
    find_it = f"import sys; sys.path.append({str(library.parent)!r})\n"
    python(find_it + MADE_FROM.format(before="import birthmark as bm\nwith bm.session():"))
    assert events(repo)["seeds_observed"][0]["seeds"] == wanted
    (repo / "plain.py").write_text(find_it + MADE_FROM.format(before="if True:"))
    birthmark("run", "--", sys.executable, "plain.py")
    assert events(repo)["seeds_observed"][-1]["seeds"] == wanted
