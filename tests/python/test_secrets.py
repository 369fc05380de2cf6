"""Secrets of every known kind, planted wherever Birthmark looks, and sought in all it wrote."""

import json
import os
import random
import string
import subprocess
import sys

import pytest

import birthmark as bm

DICE = random.Random(7)


def of(length, letters=string.ascii_letters + string.digits):
    return "".join(DICE.choice(letters) for _ in range(length))


def kinds():
    """A secret of each kind that has a shape of its own."""
    hexes, upper = "0123456789abcdef", string.ascii_uppercase + string.digits
    segment = lambda n: of(n, string.ascii_letters + string.digits + "-_")  # noqa: E731
    return {
        "hugging face": "hf_" + of(34),
        "hugging face organisation": "api_org_" + of(34),
        "openai": "sk-" + of(48),
        "openai project": "sk-proj-" + of(74),
        "anthropic": "sk-ant-api03-" + segment(93) + "AA",
        "aws key id": "AKIA" + of(16, string.ascii_uppercase + "234567"),
        "aws session key id": "ASIA" + of(16, string.ascii_uppercase + "234567"),
        "github": "ghp_" + of(36),
        "github oauth": "gho_" + of(36),
        "github app": "ghs_" + of(36),
        "github fine": "github_pat_" + of(22) + "_" + of(59),
        "gitlab": "glpat-" + of(20),
        "slack bot": f"xoxb-{of(12, string.digits)}-{of(12, string.digits)}-{of(24)}",
        "slack user": f"xoxp-{of(12, string.digits)}-{of(12, string.digits)}-{of(12, string.digits)}-{of(32, hexes)}",
        "npm": "npm_" + of(36),
        "pypi": "pypi-AgEIcHlwaS5vcmc" + of(70),
        "runpod": "rpa_" + of(42, upper),
        "google": "AIza" + of(35),
        "jwt": f"eyJ{of(33)}.eyJ{of(60)}.{segment(43)}",
        "stripe": "sk_live_" + of(24),
        "replicate": "r8_" + of(37),
        "groq": "gsk_" + of(52),
        "digitalocean": "dop_v1_" + of(64, hexes),
        "databricks": "dapi" + of(32, hexes),
        "sendgrid": f"SG.{of(22)}.{of(43)}",
    }


def named():
    """Secrets without a shape, told by their names."""
    return {
        "wandb_api_key": of(40, "0123456789abcdef"),
        "password": of(14),
        "aws_secret_access_key": of(40),
        "client_secret": of(30),
        "auth_token": of(25),
    }


SCRIPT = """
import json, os, sys
import birthmark as bm
kinds, named = json.load(open(sys.argv[1]))
everything = {f"p{n}": f"{kind}: {secret}" for n, (kind, secret) in enumerate(kinds.items())}
everything.update(named)
everything["list"] = [{"deep": secret} for secret in kinds.values()]
with bm.session(provenance={"model_name": "m", **named}, params=everything, planned=["a.jsonl", "x_" + kinds["hugging face"]]) as s:
    with s.jsonl("artifacts/a.jsonl", **{"own_" + k: v for k, v in named.items()}) as out:
        out.write({"n": 1}, **everything)
        out.write_many([{"n": 2}], **everything)
    s.report("artifacts/r.json", {"a": 1}, dataset={"name": "d", "source": "https://u:" + named["password"] + "@h/d", **named})
    open("model.bin", "w").write("x")
    s.add("model.bin", artifact_type="model", **everything)
    s.use("hub/model", role="base " + kinds["hugging face"])
    s.plan("y_" + kinds["gitlab"])
    s.removed("model.bin", "moved with " + kinds["hugging face"])
    raise RuntimeError("failed with " + " ".join([*kinds.values(), *(f"{k}={v}" for k, v in named.items())]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="looks at /proc")
def test_no_planted_secret_stands_in_anything_that_was_written(repo, git, program, tmp_path_factory):
    shaped, told = kinds(), named()
    everything = [*shaped.values(), *told.values()]
    outside = tmp_path_factory.mktemp("given")
    (outside / "given.json").write_text(json.dumps([shaped, told]))
    (repo / "train.py").write_text(SCRIPT)
    git("add", ".")
    git("commit", "--quiet", "--message", "A script")
    git("remote", "add", "origin", f"https://user:{shaped['github']}@example.invalid/o/r.git?access_token={told['auth_token']}")
    argv = [f"--k{n}={secret}" for n, secret in enumerate(shaped.values())]
    argv += [part for name, secret in told.items() for part in (f"--{name.replace('_', '-')}", secret)]
    argv += list(shaped.values())
    environment = {f"X{n}": secret for n, secret in enumerate(shaped.values())}
    environment.update({name.upper(): secret for name, secret in told.items()})
    environment.update({"RUNPOD_POD_ID": "abc", "SLURM_JOB_NAME": shaped["openai"], "PYTHONPATH": ""})
    script = [sys.executable, "train.py", str(outside / "given.json"), *argv]
    for command in (
        script,
        [program, "run", "--set", f"note={shaped['npm']}", "--set", f"password={told['password']}", "--", *script],
        [program, "session", "start", "--set", f"note={shaped['pypi']}", "--planned", "x.json"],
        [program, "session", "end"],
        [program, "stamp", "README.md", "--type", "doc", "--set", f"note={shaped['jwt']}", "--set", f"password={told['password']}"],
        [program, "declare"],
        [program, "doctor", "--json"],
    ):
        for path in (repo / "artifacts").glob("a.jsonl"):
            path.unlink()
        for path in (repo / "artifacts").glob("r.json"):
            path.unlink()
        done = subprocess.run(
            command, cwd=repo, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
        )
        if "train.py" in command:
            # The script's own traceback is its own; what Birthmark says is not.
            said = [line for line in done.stderr.splitlines() if line.startswith("birthmark")]
            assert said, done.stderr
        else:
            assert done.returncode == 0, done.stderr
            said = [done.stdout, done.stderr]
        for kind, secret in zip([*shaped, *told], everything, strict=True):
            assert secret not in "\n".join(said), (kind, command[1:3])
    written = [p for p in repo.rglob("*") if p.is_file() and ".git" not in p.relative_to(repo).parts]
    written = [p for p in written if p.name not in ("train.py",)]
    assert len(written) > 8
    for path in written:
        content = path.read_bytes()
        for kind, secret in zip([*shaped, *told], everything, strict=True):
            assert secret.encode() not in content, (kind, path.name)
