"""bm.stamp has what ``birthmark stamp`` has, and what stamping in place keeps of a file."""

import contextlib
import inspect
import json
import os
import re
import shutil

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


class _Weights:
    """Something that saves itself into a folder."""

    def save_pretrained(self, folder):
        os.makedirs(folder)
        with open(os.path.join(folder, "weights.bin"), "wb") as file:
            file.write(bytes(9))


def _companions(folder):
    """What each function that writes and stamps in one call makes of the fields that it is given."""
    pa = pytest.importorskip("pyarrow")
    np = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    table = pa.table({"a": [1, 2]})
    weights = {"w": np.zeros(2)}
    return {
        "to_parquet": lambda **more: bm.to_parquet(table, folder / "t.parquet", **more),
        "rows": lambda **more: bm.to_parquet(table, folder / "r.parquet", rows=True, **more),
        "to_jsonl": lambda **more: bm.to_jsonl(table, folder / "t.jsonl", **more),
        "stamp_dataset": lambda **more: bm.stamp_dataset(table, folder / "d.jsonl.gz", **more),
        "save_file": lambda **more: bm.save_file(weights, folder / "w.safetensors", **more),
        "save_pretrained": lambda **more: bm.save_pretrained(_Weights(), folder / "m", **more),
    }


@pytest.mark.parametrize("in_session", [False, True])
def test_what_writes_takes_the_same_fields_whether_a_session_is_open_or_not(repo, in_session):
    (repo / "run.yaml").write_text("temperature: 0.7\nseed: 1\nnote: from the file\n")
    (repo / "loader.json").write_text(json.dumps({"model_name": "m-7b", "seed": 0}))
    folder = repo / "out"
    folder.mkdir()
    fields = {"set_file": "run.yaml", "model_provenance": "loader.json", "params": {"seed": 2}}
    with bm.session() if in_session else contextlib.nullcontext():
        for name, write in _companions(folder).items():
            refused = [{"out": "x"}, {"force": True}]
            if name not in ("to_jsonl", "stamp_dataset"):
                refused.append({"on_existing": "keep"})
            for more in refused:
                with pytest.raises(TypeError, match="no argument here"):
                    write(**more)
            with pytest.raises(bm.BirthmarkError, match="none.yaml"):
                write(set_file="none.yaml")
            assert not list(folder.iterdir()), name
            path = write(**fields, note="said here")
            mark = bm.read(path)
            wanted = (0.7, 2, "m-7b", "said here")
            assert tuple(map(mark.get, ("temperature", "seed", "model_name", "note"))) == wanted, name
            assert "set_file" not in mark and "model_provenance" not in mark, name
            if name == "rows":
                import pyarrow.parquet

                (first, _) = pyarrow.parquet.read_table(path)["metadata"].to_pylist()
                assert json.loads(first)["temperature"] == 0.7
                assert json.loads(first)["seed"] == 2
            shutil.rmtree(folder)
            folder.mkdir()
        (repo / "b.bin").write_bytes(b"b")
        if in_session:
            bm.current().add("b.bin", **fields)
            assert bm.read("b.bin")["temperature"] == 0.7


def test_a_table_without_rows_is_told_of_by_its_own_name(repo):
    pa = pytest.importorskip("pyarrow")
    empty = pa.table({"a": pa.array([], pa.int64())})
    with pytest.raises(bm.UsageError, match="cannot stamp `e.jsonl`: the table has no row") as told:
        bm.to_jsonl(empty, "e.jsonl")
    assert ".birthmark-" not in str(told.value) and "--" not in str(told.value)
    assert not [path for path in repo.iterdir() if path.name.startswith((".birthmark", "e."))]
    bm.to_parquet(empty, "e.parquet")
    assert bm.read("e.parquet")["artifact_type"] == "dataset"
    with bm.session():
        assert bm.to_jsonl(empty, "e.jsonl").read_bytes() == b""


def test_advice_is_in_the_words_of_a_call_after_any_sign(repo):
    (repo / "a.bin").write_bytes(b"a")
    with pytest.raises(bm.UsageError, match="leave out in_place=True and out=: the birthmark") as told:
        bm.stamp("a.bin", in_place=True)
    assert "--" not in str(told.value)


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
