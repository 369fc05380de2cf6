"""A batch of records in memory: the same bytes in whatever shape they come, and back again."""

import json

import birthmark as bm
import pytest

MARK = {"git_commit": "c" * 40, "artifact_type": "training_data", "birthmark": "birthmark/v1"}
RECORDS = ['{"a": 1e400, "b": 9007199254740993}', '{"t": "é \\ud800", "a": NaN}', "{}"]


def test_list_of_text_and_of_bytes_is_stamped_and_given_back():
    made = bm.stamp_batch(RECORDS, MARK)
    assert all(json.loads(one)["metadata"] == MARK for one in made)
    assert made[0].startswith('{"a": 1e400, "b": 9007199254740993, "metadata"')
    assert bm.unstamp_batch(made) == RECORDS
    as_bytes = bm.stamp_batch([one.encode() for one in RECORDS], MARK)
    assert [one.decode() for one in as_bytes] == made
    assert bm.stamp_batch([None, "{}", ""], MARK)[::2] == [None, ""]
    assert bm.stamp_batch([], MARK) == []


def test_lines_keep_their_ends_and_a_byte_order_mark():
    text = "\ufeff".encode() + b'{"a": 1}\r\n\n{"b": 2}\n \n{"c": 3}'
    made = bm.stamp_batch(text, MARK)
    assert made.count(b'"metadata"') == 3 and made.count(b"\r\n") == 1
    assert bm.unstamp_batch(made) == text
    assert bm.stamp_batch(b"", MARK) == b""


def test_bad_record_and_no_birthmark_are_named():
    with pytest.raises(ValueError, match="record 1 of the batch: "):
        bm.stamp_batch(["{}", "[]"], MARK)
    made = bm.stamp_batch(["{}"], MARK)
    with pytest.raises(ValueError, match="has a birthmark already"):
        bm.stamp_batch(made, MARK)
    assert bm.stamp_batch(made, MARK, on_existing="keep") == made
    with pytest.raises(ValueError, match="no birthmark"):
        bm.stamp_batch(["{}"], {"git_commit": "c"})


def test_what_capture_gives_is_a_birthmark_for_a_batch(repo):
    (made,) = bm.stamp_batch(['{"a": 1}'], bm.capture())
    assert json.loads(made)["metadata"]["git_commit"]


def test_nothing_is_read_or_written(repo, python):
    done = python(
        "import sys, birthmark as bm\n"
        f"mark, records = {MARK!r}, ['{{}}'] * 3\n"
        "bm.stamp_batch(records, mark)\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, _: seen.append(event))\n"
        "bm.stamp_batch(records, mark)\n"
        "print([event for event in seen if event.startswith(('open', 'os.', 'socket'))])\n",
        cwd=repo,
    )
    assert done.stdout == "[]\n"
    assert not (repo / "artifacts").exists()


class TestArrow:
    @pytest.fixture
    def pa(self):
        return pytest.importorskip("pyarrow", reason="SKIPPED: pyarrow is not installed")

    @pytest.mark.parametrize("name", ["string", "large_string", "binary", "large_binary"])
    def test_column_comes_back_as_it_was(self, pa, name):
        values = [RECORDS[0], None, RECORDS[1], "{}", None]
        if "binary" in name:
            values = [None if one is None else one.encode() for one in values]
        column = pa.array(values, getattr(pa, name)())
        for part in (column, column[1:], column[2:4], column[:0], pa.chunked_array([column, column[3:]])):
            made = bm.stamp_batch(part, MARK)
            assert (made.type, len(made), made.null_count) == (part.type, len(part), part.null_count)
            made.validate(full=True)
            assert all(json.loads(one)["metadata"] == MARK for one in made.to_pylist() if one)
            assert bm.unstamp_batch(made).equals(part)

    def test_other_types_are_refused(self, pa):
        with pytest.raises(TypeError, match="must be text or binary, not int64"):
            bm.stamp_batch(pa.array([1]), MARK)

    def test_polars_column_comes_through_the_c_interface(self, pa):
        pl = pytest.importorskip("polars", reason="SKIPPED: polars is not installed")
        made = bm.stamp_batch(pl.Series("r", ['{"a": 1}', None]), MARK)
        assert json.loads(made.to_pylist()[0])["a"] == 1 and made.to_pylist()[1] is None
        assert pl.Series(made).to_list() == made.to_pylist()
