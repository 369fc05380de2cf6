"""The build backend: one wheel with the package `birthmark` and the program `birthmark`.

Purpose: maturin builds the extension module; what it cannot do is put the program of another
crate beside it. So the program is built first and laid into `build-data/scripts`, which maturin
takes into the wheel and pip onto the PATH; the library that `birthmark run` preloads goes into
`lib/birthmark` of the same installation. Everything else is maturin's (PEP 517 and PEP 660).

Limits: a source archive is made of what git tracks, so only in a clone.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import maturin

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "build-data"
PROGRAM = "birthmark"
PRELOAD = "birthmark_preload"


def get_requires_for_build_wheel(config_settings=None):
    """Nothing beyond `pyproject.toml`: a compiler is asked for, never fetched."""
    _need_cargo()
    return []


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    _need_cargo()
    _make_data_folder()
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _build_program()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    _build_program()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    """Pack what git tracks, with the metadata that the wheel will have."""
    _need_cargo()
    _make_data_folder()
    with tempfile.TemporaryDirectory() as scratch:
        folder = maturin.prepare_metadata_for_build_wheel(scratch, config_settings)
        metadata = (Path(scratch) / folder / "METADATA").read_bytes()
    base = folder.removesuffix(".dist-info")
    archive = Path(sdist_directory) / f"{base}.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name in _tracked_files():
            tar.add(ROOT / name, f"{base}/{name}", recursive=False)
        entry = tarfile.TarInfo(f"{base}/PKG-INFO")
        entry.size = len(metadata)
        tar.addfile(entry, io.BytesIO(metadata))
    return archive.name


def _tracked_files():
    command = ["git", "ls-files", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"a source archive can only be made in a git clone: {error}")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _make_data_folder():
    scripts = DATA / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    return scripts


def _build_program():
    """Build the program as it is released, and the library, and lay them where maturin looks."""
    _need_cargo()
    command = ["cargo", "build", "--release", "--locked", "--package", "birthmark-cli"]
    command += ["--package", "birthmark-preload", "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("the program `birthmark` could not be built: see what cargo says above")
    scripts = _make_data_folder()
    libraries = DATA / "data" / "lib" / "birthmark"
    libraries.mkdir(parents=True, exist_ok=True)
    for old in [*scripts.iterdir(), *libraries.iterdir()]:
        old.unlink()
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    program = Path(_executable(messages))
    shutil.copy2(program, scripts / program.name)
    for library in _libraries(messages):
        shutil.copy2(library, libraries / library.name)


def _executable(messages):
    """The path that cargo gives in its messages, wherever the target folder is."""
    for message in messages:
        if message.get("executable") and message["target"]["name"] == PROGRAM:
            return message["executable"]
    sys.exit("cargo built no program `birthmark`")


def _libraries(messages):
    """The library to be preloaded, on Linux, which alone has such a thing in this form."""
    for message in messages:
        if message.get("target", {}).get("name") == PRELOAD and sys.platform == "linux":
            yield from (Path(name) for name in message["filenames"] if name.endswith(".so"))


def _need_cargo():
    """Say what is missing, in place of a traceback out of the middle of a build."""
    wanted = re.search(r'^rust-version = "(\d+)\.(\d+)', (ROOT / "Cargo.toml").read_text(), re.M)
    least = tuple(map(int, wanted.groups()))
    text = "{}.{}".format(*least)
    if shutil.which("cargo") is None:
        sys.exit(
            f"birthmark is built from source and needs cargo (Rust {text} or later, stable), "
            "which is not on the PATH: install Rust with rustup or your system's packages"
        )
    said = subprocess.run(["cargo", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if found and tuple(map(int, found.groups())) < least:
        sys.exit(f"birthmark needs Rust {text} or later, and here is {said.strip()}: `rustup update`")
