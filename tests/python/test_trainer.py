"""The callback of a trainer, driven by the same events, without transformers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import birthmark as bm
import pytest


@dataclass
class Arguments:
    output_dir: str
    learning_rate: float = 1e-4
    save_total_limit: int = 2
    hub_token: str | None = "hf_" + "a" * 34


@dataclass
class State:
    global_step: int = 0
    epoch: float = 0.0
    is_world_process_zero: bool = True


class Config:
    _name_or_path = "org/base-model"


class Model:
    config = Config()


@dataclass
class Trainer:
    """Saves and rotates as the real one does, and calls as it does."""

    arguments: Arguments
    callback: object
    state: State = field(default_factory=State)
    waited: list = field(default_factory=list)

    def event(self, name, **more):
        start = time.perf_counter()
        getattr(self.callback, name)(self.arguments, self.state, object(), **more)
        return time.perf_counter() - start

    def train(self, folder, steps, shards=2):
        self.event("on_train_begin", model=Model())
        kept = sorted(one for one in folder.glob("checkpoint-*") if one.is_dir())
        for step in steps:
            self.state.global_step, self.state.epoch = step, step / 10
            self.event("on_step_end")
            checkpoint = folder / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True)
            names = [f"model-{n}-of-{shards}.safetensors" for n in range(shards)]
            weights = {f"w{n}": name for n, name in enumerate(names)}
            index = {"weight_map": weights}
            (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
            for name in names:
                (checkpoint / name).write_bytes(bytes(100_000))
            kept.append(checkpoint)
            while len(kept) > self.arguments.save_total_limit:
                shutil.rmtree(kept.pop(0))
            self.waited.append(self.event("on_save"))
            time.sleep(0.3)  # the training goes on
        self.event("on_train_end")


def artifacts(session):
    manifest = json.loads(session.manifest.read_text())
    return {one["file"]: one for one in manifest["artifacts_generated"]}


def test_each_checkpoint_is_an_artifact_and_rotation_removes(repo):
    with bm.session() as session:
        out = repo / "checkpoints"
        trainer = Trainer(Arguments(str(out)), bm.TrainerCallback())
        trainer.train(out, [10, 20, 30])
    assert min(trainer.waited) < 0.005, trainer.waited
    found = artifacts(session)
    assert found["checkpoints/checkpoint-10"]["state"] == "removed", found
    for step in (20, 30):
        entry = found[f"checkpoints/checkpoint-{step}"]
        assert entry["digest"].startswith("blake3:"), entry
        sidecar = json.loads((out / f"checkpoint-{step}.birthmark.json").read_text())
        mark = sidecar["metadata"]
        assert (mark["step"], mark["epoch"]) == (step, step / 10)
        assert mark["learning_rate"] == 1e-4
        assert mark["inputs"] == [{"role": "base", "name": "org/base-model"}]
        assert len(sidecar["members"]) == 3
        assert "hf_aaaa" not in json.dumps(sidecar)
    assert "missing" not in json.dumps(found)


def test_rotation_by_a_training_that_goes_on_removes_what_an_earlier_one_saved(repo, birthmark):
    out = repo / "checkpoints"
    for steps in ([10, 20], [30, 40, 50]):
        with bm.session():
            Trainer(Arguments(str(out)), bm.TrainerCallback()).train(out, steps)
    assert sorted(one.name for one in out.iterdir()) == [
        f"checkpoint-{step}{ending}" for step in (40, 50) for ending in ("", ".birthmark.json")
    ]
    items = json.loads(birthmark("verify", "--json"))["items"]
    words = {item["name"]: item["word"] for item in items}
    assert "failed" not in words.values(), words
    told = json.dumps(items)
    assert "removed checkpoints/checkpoint-20" in told and "went on with" not in told, told


def test_what_a_killed_training_rotated_away_unsaid_is_removed_by_the_one_that_goes_on(
    repo, birthmark
):
    out = repo / "checkpoints"
    with bm.session():
        Trainer(Arguments(str(out)), bm.TrainerCallback()).train(out, [10, 20])
    # Rotation by a run that is killed before it has told of it; and what a hand took away.
    shutil.rmtree(out / "checkpoint-10")
    (out / "checkpoint-30").mkdir()
    with bm.session():
        callback = bm.TrainerCallback()
        Trainer(Arguments(str(out), save_total_limit=3), callback).train(out, [])
    assert (out / "checkpoint-10.birthmark.json").exists(), "fewer are there than are kept"
    with bm.session():
        Trainer(Arguments(str(out)), bm.TrainerCallback()).train(out, [40])
    assert not (out / "checkpoint-10.birthmark.json").exists()
    items = json.loads(birthmark("verify", "--json"))["items"]
    words = {item["name"]: item["word"] for item in items}
    assert "failed" not in words.values(), words


def test_what_was_killed_before_it_had_a_sidecar_and_rotated_away_is_removed(repo, birthmark):
    out = repo / "checkpoints"
    for step in (10, 20):
        (out / f"checkpoint-{step}").mkdir(parents=True)
        (out / f"checkpoint-{step}" / "model.bin").write_bytes(bytes(10))
    # Killed between the save and the digest: it is recorded, and nothing stands beside it.
    with bm.session() as s:
        s._live.expect(out / "checkpoint-10", "model", {}, {})
        s._live.expect(out / "checkpoint-20", "model", {}, {})
    shutil.rmtree(out / "checkpoint-10")
    (out / "checkpoint-30").mkdir()
    with bm.session() as again:
        Trainer(Arguments(str(out)), bm.TrainerCallback()).train(out, [40])
    items = json.loads(birthmark("verify", "--json"))["items"]
    words = {item["name"]: item["word"] for item in items}
    assert "failed" not in words.values(), words
    assert f"session {again.id[:20]} removed checkpoints/checkpoint-10" in json.dumps(items)
    gone = birthmark("find", "--gone", "--columns", "file,state").splitlines()
    states = {line.split()[0]: line.split()[-1] for line in gone if "checkpoint-" in line}
    assert states["checkpoints/checkpoint-10"] == states["checkpoints/checkpoint-20"] == "removed"
    assert states["checkpoints/checkpoint-40"] == "sealed"


def test_other_ranks_and_other_events_do_nothing(repo):
    callback = bm.TrainerCallback()
    trainer = Trainer(Arguments(str(repo / "c")), callback, State(is_world_process_zero=False))
    trainer.train(repo / "c", [1])
    assert not (repo / "artifacts").exists()
    for event in ("on_init_end", "on_log", "on_evaluate", "on_prediction_step", "on_push_begin"):
        assert getattr(callback, event)(None, None, None) is None


def test_session_of_its_own_ends_with_the_training(repo):
    out = repo / "checkpoints"
    Trainer(Arguments(str(out)), bm.TrainerCallback(seed=7)).train(out, [5])
    assert bm.current() is None
    assert bm.read(out / "checkpoint-5")["seed"] == 7


def test_checkpoint_is_read_at_a_bounded_rate_while_the_training_goes_on(repo):
    out = repo / "checkpoints"
    callback = bm.TrainerCallback(digest_rate=500_000)
    trainer = Trainer(Arguments(str(out)), callback)
    with bm.session():
        trainer.event("on_train_begin", model=None)
        folder = out / "checkpoint-1"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(bytes(2_000_000))
        trainer.state.global_step = 1
        trainer.event("on_save")
        sidecar = out / "checkpoint-1.birthmark.json"
        # It is looked at for half a second, then takes four: never done in two.
        time.sleep(2)
        assert not sidecar.exists()
        begin = time.monotonic()
        while not sidecar.exists():
            assert time.monotonic() < begin + 60
            time.sleep(0.05)
        trainer.event("on_train_end")


def test_end_of_the_training_does_not_wait_at_that_rate(repo):
    out = repo / "checkpoints"
    callback = bm.TrainerCallback(digest_rate=1_000)
    trainer = Trainer(Arguments(str(out)), callback)
    begin = time.monotonic()
    with bm.session():
        trainer.train(out, [1])
    # At a thousand bytes a second it would be minutes.
    assert time.monotonic() < begin + 60
    assert bm.read(out / "checkpoint-1")["step"] == 1


def test_shard_that_comes_late_is_waited_for(repo):
    import threading

    out = repo / "checkpoints"
    callback = bm.TrainerCallback()
    trainer = Trainer(Arguments(str(out)), callback)
    folder = out / "checkpoint-1"
    folder.mkdir(parents=True)
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "one.safetensors").write_bytes(b"1")
    late = threading.Timer(1.2, lambda: (folder / "two.safetensors").write_bytes(b"2"))
    with bm.session():
        trainer.event("on_train_begin", model=None)
        trainer.state.global_step = 1
        trainer.event("on_save")
        late.start()
        trainer.event("on_train_end")
    sidecar = json.loads((out / "checkpoint-1.birthmark.json").read_text())
    names = [member["file"] for member in sidecar["members"]]
    assert names == ["model.safetensors.index.json", "one.safetensors", "two.safetensors"]


@pytest.mark.parametrize("within", [True, False])
def test_training_that_fails_leaves_each_whole_checkpoint_with_its_digest(
    repo, python, program, within
):
    script = """
        import json, pathlib, sys, types
        import birthmark as bm
        def train():
            callback = bm.TrainerCallback()
            state = types.SimpleNamespace(global_step=3, epoch=1.0, is_world_process_zero=True)
            args = types.SimpleNamespace(output_dir="c", to_dict=lambda: {"learning_rate": 0.1})
            callback.on_train_begin(args, state, None)
            for step, shards in [(3, ["w", "v"]), (4, ["w"])]:
                state.global_step = step
                folder = pathlib.Path(f"c/checkpoint-{step}")
                folder.mkdir(parents=True)
                weights = {"weight_map": {"a": "w", "b": "v"}}
                (folder / "model.index.json").write_text(json.dumps(weights))
                for shard in shards:
                    (folder / shard).write_text(shard)
                callback.on_save(args, state, None)
            raise MemoryError("out of memory")
        if WITHIN:
            with bm.session():
                train()
        else:
            train()
    """
    script = textwrap.dedent(script).replace("WITHIN", repr(within))
    begin = time.monotonic()
    done = python(script, cwd=repo, check=False)
    assert "out of memory" in done.stderr
    assert time.monotonic() < begin + 25
    assert bm.read(repo / "c/checkpoint-3")["step"] == 3
    # The other rank's shard of this one never came: nothing speaks for it.
    assert bm.read(repo / "c/checkpoint-4") is None
    said = subprocess.run(
        [program, "verify", "c/checkpoint-3", "c/checkpoint-4"],
        cwd=repo, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 2, said.stdout
    assert said.stdout.count("its digest was never recorded") == 1, said.stdout
    [manifest] = (repo / "artifacts").glob("session_manifest_*.json")
    assert json.loads(manifest.read_text())["outcome"] == "failed"


def test_launcher_that_ends_a_failed_training_cuts_off_no_record_of_it(repo, python, program):
    script = """
        import os, pathlib, signal, threading, types
        import birthmark as bm
        from birthmark.integrations import trainer
        settled = trainer._settled
        def slowly(folder, is_late):
            is_late.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            return settled(folder, is_late)
        trainer._settled = slowly
        callback = bm.TrainerCallback()
        state = types.SimpleNamespace(global_step=3, epoch=1.0, is_world_process_zero=True)
        args = types.SimpleNamespace(output_dir="c", to_dict=lambda: {"learning_rate": 0.1})
        callback.on_train_begin(args, state, None)
        pathlib.Path("c/checkpoint-3").mkdir(parents=True)
        pathlib.Path("c/checkpoint-3/w").write_text("w")
        callback.on_save(args, state, None)
        raise MemoryError("out of memory")
    """
    done = python(textwrap.dedent(script), cwd=repo, check=False)
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert bm.read(repo / "c/checkpoint-3")["step"] == 3
    [manifest] = (repo / "artifacts").glob("session_manifest_*.json")
    assert json.loads(manifest.read_text())["outcome"] == "failed"


def test_training_that_dies_leaves_its_checkpoint_pending(repo, python, program):
    script = """
        import os, pathlib, types
        import birthmark as bm
        from birthmark.integrations import trainer
        trainer._settled = lambda *given: __import__("time").sleep(60)
        session = bm.session().start()
        callback = bm.TrainerCallback()
        state = types.SimpleNamespace(global_step=3, epoch=1.0, is_world_process_zero=True)
        args = types.SimpleNamespace(output_dir="c", to_dict=lambda: {"learning_rate": 0.1})
        pathlib.Path("c/checkpoint-3").mkdir(parents=True)
        pathlib.Path("c/checkpoint-3/w").write_text("w")
        callback.on_train_begin(args, state, None)
        callback.on_save(args, state, None)
        while not any("pending" in p.read_text() for p in pathlib.Path("artifacts/.birthmark/sessions").rglob("*.jsonl")):
            pass
        os._exit(9)
    """
    python(textwrap.dedent(script), cwd=repo, check=False)
    done = subprocess.run(
        [program, "verify", "c/checkpoint-3"], cwd=repo, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout
    assert "its digest was never recorded" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own elsewhere")
def test_digests_have_the_lowest_priority_and_hold_up_no_interpreter(repo):
    def niceness(task):
        # The name of a thread may hold spaces, and ends with a parenthesis.
        return int(Path(f"/proc/self/task/{task}/stat").read_text().rpartition(")")[2].split()[16])

    with bm.session():
        out = repo / "checkpoints"
        callback = bm.TrainerCallback(digest_rate=4_000_000)
        arguments, state = Arguments(str(out)), State()
        callback.on_train_begin(arguments, state, object())
        state.global_step = 10
        (out / "checkpoint-10").mkdir(parents=True)
        (out / "checkpoint-10" / "model.safetensors").write_bytes(bytes(12_000_000))
        callback.on_save(arguments, state, object())
        ours = {threading.main_thread().native_id} | {thread.native_id for thread in callback._threads}
        seen, end = set(), time.monotonic() + 60
        while 19 not in seen and time.monotonic() < end:
            for task in os.listdir("/proc/self/task"):
                with contextlib.suppress(OSError):
                    seen.add(niceness(task))
            assert all(niceness(thread) < 19 for thread in ours)
            time.sleep(0.01)
        assert 19 in seen, seen
        callback.on_train_end(arguments, state, object())
