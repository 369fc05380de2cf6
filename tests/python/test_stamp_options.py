"""bm.stamp has what ``birthmark stamp`` has, and what stamping in place keeps of a file."""

import inspect
import json
import os
import re

import pytest

import birthmark as bm


def test_every_option_of_the_command_is_an_argument_of_the_same_name(birthmark):
    options = set(re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", birthmark("stamp", "--help"), re.M))
    # Said by the arguments' values, by other arguments, or of no use to a script.
    other_words = {"type", "set", "set-text", "recursive"}
    terminal = {"json", "color", "help", "quiet"}
    wanted = {option.replace("-", "_") for option in options - other_words - terminal}
    assert {"out", "quarantine", "longest_line", "set_file", "model_provenance"} <= wanted
    assert wanted <= set(inspect.signature(bm.stamp).parameters)


def test_lines_that_are_no_records_are_set_aside_where_that_is_wanted(repo):
    path = repo / "mixed.jsonl"
    whole = b'{"a": 1}\nno record\n{"a": 2}\n[3]\n'
    path.write_bytes(whole)
    with pytest.raises(bm.UsageError, match="line 2"):
        bm.stamp(path, "training_data", in_place=True)
    with pytest.raises(bm.UsageError, match="set aside only"):
        bm.stamp(path, "training_data", quarantine=repo / "bad.txt")
    assert path.read_bytes() == whole
    done = bm.stamp(path, "training_data", in_place=True, quarantine=repo / "bad.txt")
    assert (done["records"], done["set_aside"]["lines"]) == (2, 2)
    assert [first["line"] for first in done["set_aside"]["first"]] == [2, 4]
    assert (repo / "bad.txt").read_bytes() == b"no record\n[3]\n"
    assert [json.loads(line)["a"] for line in path.open()] == [1, 2]
    path.write_bytes(whole)
    with pytest.raises(bm.ArtifactExistsError):
        bm.stamp(path, "training_data", in_place=True, quarantine=repo / "bad.txt")
    assert path.read_bytes() == whole


def test_a_line_may_be_as_long_as_was_said(repo):
    path = repo / "long.jsonl"
    path.write_text(json.dumps({"text": "x" * 5_000}) + "\n")
    with pytest.raises(bm.UsageError):
        bm.stamp(path, "training_data", in_place=True, longest_line=4_096)
    with pytest.raises(ValueError, match="no line"):
        bm.stamp(path, "training_data", in_place=True, longest_line=0)
    assert bm.stamp(path, "training_data", in_place=True, longest_line=8_192)["records"] == 1


def test_fields_are_taken_from_files_as_the_command_takes_them(repo, birthmark):
    (repo / "run.toml").write_text("temperature = 0.7\nseed = 1\n")
    (repo / "more.yaml").write_text("seed: 2\nnote: from yaml\n")
    (repo / "loader.json").write_text(json.dumps({"model_name": "m-7b", "seed": 0}))
    for name in ("a.jsonl", "b.jsonl"):
        (repo / name).write_text('{"a": 1}\n')
    said = bm.stamp(
        repo / "a.jsonl",
        "training_data",
        set_file=[repo / "run.toml", "more.yaml"],
        model_provenance=repo / "loader.json",
        note="said here",
    )["metadata"]
    assert (said["temperature"], said["seed"], said["model_name"]) == (0.7, 2, "m-7b")
    assert said["note"] == "said here"
    command = "stamp b.jsonl --type training_data --json --set-file run.toml --set-file more.yaml"
    words = [*command.split(), "--model-provenance", "loader.json", "--set", "note=said here"]
    typed = json.loads(birthmark(*words))
    typed = (typed[0] if isinstance(typed, list) else typed)["metadata"]
    assert typed["declared"] == said["declared"]
    assert {name: typed[name] for name in ("temperature", "seed", "model_name", "note")} == {
        name: said[name] for name in ("temperature", "seed", "model_name", "note")
    }
    with pytest.raises(bm.UsageError, match="run.toml.* has none of"):
        bm.stamp(repo / "a.jsonl", "training_data", model_provenance="run.toml")
    with pytest.raises(bm.BirthmarkError, match="none.json"):
        bm.stamp(repo / "a.jsonl", "training_data", set_file="none.json")


def test_arguments_that_exclude_each_other_are_refused(repo):
    path = repo / "a.jsonl"
    path.write_text('{"a": 1}\n')
    with pytest.raises(ValueError, match="one of them"):
        bm.stamp(path, "training_data", in_place=True, out=repo / "b.jsonl")
    with pytest.raises(bm.UsageError, match="sidecar only"):
        bm.stamp(path, "training_data", in_place=True, sha256=True)
    assert path.read_text() == '{"a": 1}\n'


def test_a_file_of_several_names_parts_from_the_others_only_where_that_is_forced(repo, program):
    path, other = repo / "a.jsonl", repo / "backup.jsonl"
    path.write_text('{"a": 1}\n')
    os.link(path, other)
    with pytest.raises(bm.UsageError, match=r"2 names \(hard links\)"):
        bm.stamp(path, "training_data", in_place=True)
    assert path.samefile(other)
    # Beside it, and into a copy, nothing parts.
    bm.stamp(path, "training_data", out=repo / "copy.jsonl")
    bm.stamp(path, "training_data")
    assert path.samefile(other)
    (repo / "a.jsonl.birthmark.json").unlink()
    bm.stamp(path, "training_data", in_place=True, force=True)
    assert other.read_text() == '{"a": 1}\n'
    assert "metadata" in path.read_text()


def test_mode_and_notes_stay_and_the_time_is_that_of_the_stamping(repo):
    path = repo / "a.jsonl"
    path.write_text('{"a": 1}\n')
    path.chmod(0o640)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    try:
        os.setxattr(path, "user.note", b"kept")
    except OSError:
        pytest.skip("SKIPPED: the file system has no attributes")
    done = bm.stamp(path, "training_data", in_place=True)
    after = path.stat()
    assert after.st_mode & 0o7777 == 0o640
    assert os.getxattr(path, "user.note") == b"kept"
    # make and rsync see that its bytes are others; when it was made stands in the birthmark.
    assert after.st_mtime > 1_600_000_000
    assert done["metadata"]["timestamp"].startswith("2020-09-13T12:26:40")


def test_what_birthmark_itself_writes_is_no_artifact(repo):
    with bm.session() as s, s.jsonl("artifacts/a.jsonl") as out:
        out.write({"a": 1})
    (manifest,) = (repo / "artifacts").glob("session_manifest_*.json")
    store = repo / "artifacts/.birthmark"
    before = manifest.read_bytes()
    for path in (manifest, store, next((store / "sessions").rglob("*.jsonl"))):
        for in_place in (False, True):
            with pytest.raises(bm.UsageError, match="not an artifact"):
                bm.stamp(path, "dataset", in_place=in_place)
    assert manifest.read_bytes() == before
    assert not list((repo / "artifacts").glob("*.birthmark.json"))


def test_a_file_that_is_named_twice_is_stamped_once(repo, birthmark):
    (repo / "b.jsonl").write_text('{"a": 1}\n')
    said = birthmark("stamp", "b.jsonl", "./b.jsonl", "b*", "--type", "dataset", "--in-place", "--json")
    assert said.count('"wrote"') == 1
    (record,) = map(json.loads, (repo / "b.jsonl").open())
    assert "metadata" not in record["metadata"]


def test_a_copy_needs_a_name_and_a_folder_that_is_there(repo):
    path = repo / "c.jsonl"
    path.write_text('{"a": 1}\n')
    (repo / "folder").mkdir()
    with pytest.raises(bm.UsageError, match="is a folder"):
        bm.stamp(path, "dataset", out="folder")
    with pytest.raises(bm.UsageError, match="its folder is not there"):
        bm.stamp(path, "dataset", out="nowhere/c.jsonl")
