"""The guide for rented machines, run as it is written.

Every `console` block of docs/rented-machine.md is run in order, on stand-ins that are real: a bare
repository is the remote, folders are the machines, and the volume belongs to another user where
that can be arranged. Only the model is left out: the project gets a loader that echoes, so that
the guide runs in seconds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "rented-machine.md"
PROJECT = ROOT / "examples" / "instruction_following"
REMOTE = "git@github.com:you/instruction_following.git"
DATA = "artifacts/sft_training_data_stage1.jsonl"

LOADER = '''"""A model that echoes: this test is about machines, not about models."""


class Completion:
    def __init__(self, text):
        self.text = text


class Model:
    sentinel_tests = []

    def generate(self, prompt, *, seed, **settings):
        return Completion(f" {prompt.splitlines()[-2]} ({seed})")

    def sampling_params(self, **settings):
        return {"do_sample": True, **settings}


class CleanModelLoader:
    def __init__(self, model=None):
        pass

    def load(self):
        keys = ("loader_version", "quantization", "model_digest", "template_disabled", "sentinel_tests_passed")
        return Model(), {"model_name": "echo", "sentinel_tests": "0 of 0", "add_special_tokens": False, **dict.fromkeys(keys)}
'''


def commands(text):
    """(where, command) of each line with a prompt in the `console` blocks, in order."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            where, prompt, command = line.partition("$ ")
            assert prompt and where in ("laptop", "pod"), f"a line without its machine: {line!r}"
            yield where, command


class World:
    """A laptop, a pod with a volume, and a remote between them."""

    def __init__(self, folder):
        self.volume, self.remote = folder / "workspace", folder / "remote.git"
        self.at = {"laptop": folder / "laptop" / "instruction_following", "pod": folder / "pod"}
        self.homes = {where: folder / f"home-{where}" for where in self.at}
        for path in (self.volume, self.at["pod"], *self.homes.values()):
            path.mkdir(parents=True)
        self.others_volume = hasattr(os, "geteuid") and os.geteuid() == 0
        # What `rsync` calls instead of ssh: the same command on this machine.
        self.shell = folder / "ssh-here"
        self.shell.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
        self.shell.chmod(0o755)
        # Where there is no rsync, `cp` stands in for the one thing that the guide asks of it.
        self.bin = folder / "bin"
        self.bin.mkdir()
        if shutil.which("rsync") is None:
            copier = self.bin / "rsync"
            copier.write_text('#!/bin/sh\nmkdir -p "$3" && exec cp -a "${2#pod:}." "$3"\n')
            copier.chmod(0o755)
        self.lay_out()

    def lay_out(self):
        laptop = self.at["laptop"]
        shutil.copytree(PROJECT, laptop, ignore=shutil.ignore_patterns("artifacts", "__pycache__"))
        (laptop / "scripts/utils/clean_model_loader.py").write_text(LOADER)
        for command in (
            f"git init --quiet --bare --initial-branch main {self.remote}",
            "git init --quiet --initial-branch main && git add . && git commit --quiet --message start",
            f"git remote add origin {self.remote}",
        ):
            said = self.run("laptop", command)
            assert said.returncode == 0, said.stderr

    def environment(self, where):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BIRTHMARK_", "XDG_"))}
        who = {
            f"GIT_{a}_{b}": v
            for a in ("AUTHOR", "COMMITTER")
            for b, v in (("NAME", "test"), ("EMAIL", "test@localhost"))
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], str(self.bin)])
        here = {
            "HOME": str(self.homes[where]),
            "PATH": path,
            "RSYNC_RSH": str(self.shell),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {**kept, **who, **here}

    def run(self, where, command):
        """Run `command` where it belongs; the folder it ends in is where the next one starts."""
        command = command.replace(REMOTE, str(self.remote)).replace("/workspace", str(self.volume))
        end = self.homes[where] / "folder"
        script = f"{command}\nstatus=$?\npwd > {end}\nexit $status"
        said = subprocess.run(
            ["bash", "-c", script],
            cwd=self.at[where],
            env=self.environment(where),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if end.exists():
            self.at[where] = Path(end.read_text().strip())
        return said

    def give_volume_away(self):
        """The volume is mounted with the ids of whoever wrote it: here, of user 1000."""
        if self.others_volume:
            for path in (self.volume, *self.volume.rglob("*")):
                os.chown(path, 1000, 1000, follow_symlinks=False)


def without_packages(command):
    """`pip install` is the one thing that is not run: what it would bring is here already."""
    return re.sub(r"pip install -r requirements\.txt", "true", command)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    missing = [
        name
        for name in ("git", "jq", "bash", "birthmark")
        if shutil.which(name, path=where_programs_are()) is None
    ]
    if missing and os.environ.get("BIRTHMARK_REQUIRE_GUIDE"):
        pytest.fail(f"{missing} not installed")
    if missing:
        pytest.skip(f"NOT RUN: {missing} not installed")
    return World(tmp_path_factory.mktemp("rented"))


def where_programs_are():
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture(scope="module")
def walked(world):
    """The whole guide, run; what each command said."""
    said = {}
    for where, command in commands(GUIDE.read_text()):
        done = world.run(where, without_packages(command))
        assert done.returncode == 0, f"{where}$ {command}\n{done.stdout}{done.stderr}"
        said[where, command] = done.stdout + done.stderr
        if command.startswith("git clone"):
            world.give_volume_away()
    return said


def answer(walked, where, start):
    found = [said for (place, command), said in walked.items() if place == where and command.startswith(start)]
    assert found, f"the guide has no {start!r} on the {where}"
    return found


def test_the_guide_names_a_machine_for_every_command():
    assert len(list(commands(GUIDE.read_text()))) >= 20


def test_every_command_of_the_guide_works(walked):
    assert answer(walked, "laptop", "git cat-file")[0].strip() == "commit"


def test_the_records_carry_the_commit_that_the_laptop_pushed(walked, world):
    head = world.run("laptop", "git rev-parse HEAD").stdout.strip()
    records = [json.loads(line) for line in (world.at["laptop"] / DATA).read_text().splitlines()]
    assert len(records) == len({record["id"] for record in records}) == 12
    assert {record["metadata"]["git_commit"] for record in records} == {head}
    assert {record["metadata"]["git_dirty"] for record in records} == {False}, (
        "a volume of another owner is no reason not to know"
    )


def test_all_is_one_session_with_its_plan_kept(walked, world):
    manifests = list((world.at["laptop"] / "artifacts").glob("session_manifest_*.json"))
    assert len(manifests) == 1
    manifest = json.loads(manifests[0].read_text())
    records = [json.loads(line) for line in (world.at["laptop"] / DATA).read_text().splitlines()]
    assert {record["metadata"]["session_id"] for record in records} == {manifest["session_id"]}
    # What the shell planned comes first; what the scripts plan themselves is added.
    assert manifest["planned_artifacts"][:2] == [
        "sft_training_data_*.jsonl (12 examples)",
        "evaluation_*.json",
    ]
    made = {Path(one["file"]).name for one in manifest["artifacts_generated"]}
    assert {"sft_training_data_stage1.jsonl", "evaluation_instruction_following.json"} <= made


def test_what_came_home_is_verified_and_a_changed_byte_is_seen(walked, world):
    assert "fail" not in answer(walked, "laptop", "birthmark verify")[0].lower()
    file = world.at["laptop"] / DATA
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"Instruction", b"instruction", 1))
    try:
        assert world.run("laptop", "birthmark verify artifacts").returncode == 1
    finally:
        file.write_bytes(whole)


def test_nothing_was_written_into_the_repository(walked, world):
    for where in ("laptop", "pod"):
        status = world.run(where, "git status --porcelain")
        assert (status.returncode, status.stdout) == (0, ""), where
