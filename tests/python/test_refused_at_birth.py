"""What could not be read back is refused when it is written, in the words of Python."""

import os
import sys

import pytest

import birthmark as bm


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("field", "why"),
    [({1: "a", "1": "b"}, "second time"), (nested(140), "levels"), ([{"a": {2: 1, "2": 1}}], "second time")],
)
def test_a_field_that_no_birthmark_can_hold_is_refused_by_name(repo, birthmark, field, why):
    with bm.session() as s:
        with s.jsonl("artifacts/k.jsonl") as out:
            out.write({"a": 1}, fine={"1": [1]})
            with pytest.raises(ValueError, match=rf"odd.*{why}"):
                out.write({"a": 2}, odd=field)
        with pytest.raises(ValueError, match=rf"odd.*({why}|nested too deep)"):
            s.report("artifacts/r.json", {"a": 1}, odd=field)
        with pytest.raises(ValueError, match=rf"odd.*({why}|nested too deep)"):
            bm.session(odd=field).start()
    assert "as recorded" in birthmark("verify", "artifacts/k.jsonl")


def test_a_name_that_does_not_say_what_is_in_the_file_is_refused(repo):
    with bm.session() as s:
        for name in ("x.json", "x.csv", "x"):
            with pytest.raises(bm.UsageError, match=r"holds records.*\n.*\.jsonl"):
                s.jsonl(f"artifacts/{name}")
        for name in ("r.jsonl", "r.txt", "r"):
            with pytest.raises(bm.UsageError, match=r"holds a report.*\n.*\.json"):
                s.report(f"artifacts/{name}", {"a": 1})
        os.mkdir("artifacts/d.jsonl")
        with pytest.raises(bm.UsageError, match="is a folder"):
            s.jsonl("artifacts/d.jsonl")
    assert not any(name.startswith(("x", "r")) for name in os.listdir("artifacts"))


def test_fields_of_a_report_leave_its_own_places_alone(repo):
    with bm.session() as s:
        for name, value in (("results", [1]), ("summary", {"a": 2})):
            report = s.report(f"artifacts/{name}.json")
            report.add({"id": 1})
            report.fields[name] = value
            report.summary["b"] = 1
            with pytest.raises(ValueError, match=name):
                report.close()
            del report.fields[name]
            report.close()
        with s.report("artifacts/own.json") as report:
            report.fields["summary"] = {"a": 2}
    assert bm.read("artifacts/results.json") and bm.read("artifacts/own.json")


def test_write_many_says_which_record_it_was_and_how_many_are_written(repo):
    with bm.session() as s, s.jsonl("artifacts/m.jsonl") as out:
        with pytest.raises(TypeError, match=r"record 2 of these.*1 before it is written"):
            out.write_many([{"a": 1}, {"a": b"x"}, {"a": 3}])
        assert out.count == 1


def test_a_batch_of_what_is_no_text_says_what_to_do():
    mark = bm.capture()
    with pytest.raises(TypeError, match=r"record 1 of the batch is a dict.*json.dumps"):
        bm.stamp_batch(['{"a": 1}', {"a": 1}], mark)
    for one in ('{"a": 1}', {"a": 1}):
        with pytest.raises(TypeError, match="put one record into a list"):
            bm.stamp_batch(one, mark)
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        bm.stamp_batch(['{"a": 1}'], {**mark, "seed": "x"})


def test_a_question_to_no_folder_or_with_no_limit_is_refused(repo, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        bm.find("", folder=tmp_path / "nope")
    for limit in (-1, True, "3"):
        with pytest.raises(ValueError, match="limit must be"):
            bm.find("", limit=limit)


def test_names_of_no_file_are_not_taken_for_the_end_of_a_session(repo):
    with bm.session() as s:
        pass
    with pytest.raises(bm.UsageError, match="no file or session"):
        bm.compare(s.id[-3:], s.id[-3:])


def test_hints_are_in_the_words_of_a_call(repo):
    (repo / "a.json").write_text('{"a": 1}')
    bm.stamp("a.json")
    with pytest.raises(bm.BirthmarkError) as told:
        bm.stamp("a.json")
    assert '"replace"' in told.value.hint and "on_existing" in told.value.hint
    assert "--" not in str(told.value)


def test_a_library_that_is_missing_is_named_with_what_to_install(repo, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ModuleNotFoundError):
        bm.save_file({}, "artifacts/m.safetensors")
