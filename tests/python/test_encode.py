"""The record encoder, against `json.dumps` and, beyond it, against what it promises."""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import gc
import json
import math
import pathlib
import random
import struct
import sys
import threading
import types
import typing
import uuid
from unittest import mock

import pytest

from birthmark._native import _encode, _encode_record

STRINGS = [
    "", "plain", "with \"quotes\" and \\", "line\nfeed\r\t\b\f", "\x00\x01\x1f\x7f\x80",
    "naïve café", "日本語のテキスト", "emoji 😀 and 👩‍🚀", "\u2028\u2029", "\ud800", "a\udfffb",
    "\ud83d\ude00 apart", "x" * 15 + '"', "x" * 16 + "\\", "x" * 31 + "é", "x" * 1000, "\ufeff",
    "</script>", "é" * 33, "\n" * 17,
]
FLOATS = [
    0.0, -0.0, 0.1, 1.0, 1e15, 1e16, 9999999999999998.0, 123456789012345.6, 1e-4, 1e-5, 9.9e-5,
    3.25e-05, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 1e22, 1e23, 2**-44, 1e100,
    -1.5e-7, 3e-05, 100000.0, 0.00012345,
]
INTS = [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 2**70, 10**400]
NOT_FINITE = [math.nan, math.inf, -math.inf]


def random_value(rng, depth=0):
    """Any value that `json.dumps` writes."""
    leaf = depth > 4 or rng.random() < 0.6
    kind = rng.randrange(7) if leaf else rng.randrange(7, 10)
    if kind == 0:
        return rng.choice(STRINGS)
    if kind == 1:
        return "".join(chr(rng.choice((0x20, 0x80, 0x800, 0x11000)) + rng.randrange(96))
                       for _ in range(rng.randrange(40)))
    if kind == 2:
        return struct.unpack("d", rng.randbytes(8))[0]
    if kind == 3:
        return rng.choice(FLOATS + NOT_FINITE)
    if kind == 4:
        return rng.choice(INTS)
    if kind == 5:
        return rng.randrange(-(10**rng.randrange(1, 25)), 10**6)
    if kind == 6:
        return rng.choice((None, True, False))
    if kind == 7:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(6))]
    if kind == 8:
        return tuple(random_value(rng, depth + 1) for _ in range(rng.randrange(4)))
    keys = STRINGS + [1, 2.5, None, True, -7, 1e-9, math.nan, "metadata", 2**80]
    return {rng.choice(keys): random_value(rng, depth + 1) for _ in range(rng.randrange(8))}


def python_utf8(value):
    """What `json.dumps` writes with `ensure_ascii` off; UTF-8 has no lone surrogates."""
    text = json.dumps(value, ensure_ascii=False)
    escaped = (f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text)
    return "".join(escaped).encode()


# What json.dumps writes


def test_random_values_are_written_as_python_does():
    rng = random.Random(20)
    for _ in range(5000):
        value = random_value(rng)
        assert _encode(value) == json.dumps(value).encode()
        assert _encode(value, ensure_ascii=False) == python_utf8(value)


@pytest.mark.parametrize("value", STRINGS + FLOATS + INTS + NOT_FINITE, ids=lambda v: repr(v)[:20])
def test_each_awkward_value_is_written_as_python_does(value):
    for place in (value, [value], {"k": value}, {"k": [value], "after": value}):
        assert _encode(place) == json.dumps(place).encode()
        assert _encode(place, ensure_ascii=False) == python_utf8(place)


def test_every_character_is_written_as_python_does():
    text = "".join(map(chr, range(0x3000))) + "\ud7ff\ud800\udfff\ue000\uffff\U00010000\U0010ffff"
    assert _encode(text) == json.dumps(text).encode()
    assert _encode(text, ensure_ascii=False) == python_utf8(text)
    for character in text:
        assert _encode(character) == json.dumps(character).encode()


def test_a_special_character_is_found_at_every_place_of_a_string():
    for length in range(1, 70):
        for at in range(length):
            for special in '"\\\n\x7f\x1fé😀\ud800':
                text = "a" * at + special + "b" * (length - at - 1)
                assert _encode(text) == json.dumps(text).encode()


def test_floats_at_every_power_of_two_have_the_digits_of_repr():
    for exponent in range(-1074, 1024):
        value = math.ldexp(1.0, exponent)
        for near in (value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)):
            assert _encode(near) == repr(near).encode()


def test_random_floats_have_the_digits_of_repr():
    rng = random.Random(3)
    values = [struct.unpack("d", rng.randbytes(8))[0] for _ in range(50_000)]
    values += [rng.uniform(-1, 1) * 10 ** rng.randrange(-20, 20) for _ in range(50_000)]
    finite = [value for value in values if math.isfinite(value)]
    assert _encode(finite) == json.dumps(finite).encode()


def test_keys_are_coerced_as_python_does():
    value = {1: "a", 2.5: "b", None: "c", True: "d", False: "e", 1e-7: "f", 2**90: "g",
             math.inf: "h", "1": "twice"}
    assert _encode(value) == json.dumps(value).encode()


def test_subclasses_are_written_as_python_does():
    class Text(str):
        def __str__(self):
            return "another text"

    class Whole(int):
        def __repr__(self):
            return "no number"

    class Real(float):
        def __repr__(self):
            return "no number"

    class Color(str, enum.Enum):
        RED = "red"

    class Level(enum.IntEnum):
        HIGH = 3

    class Lists(list):
        def __iter__(self):
            return iter(["its", "own"])

    class Point(typing.NamedTuple):
        x: int
        y: float

    ordered = collections.OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    for value in (
        Text("t"), Whole(7), Whole(2**80), Real(0.5), Real("nan"), Color.RED, Level.HIGH,
        Lists([1]), Lists(), Point(1, 2.5), ordered, collections.Counter("abca"),
        collections.defaultdict(list, a=[1]), {Text("k"): 1, Color.RED: 2, Level.HIGH: 3},
        collections.OrderedDict(), (), ((),), [[]], [{}], {"a": ()},
    ):
        assert _encode(value) == json.dumps(value).encode()
        assert _encode({"in": [value]}) == json.dumps({"in": [value]}).encode()


def test_a_dict_subclass_is_asked_for_its_items():
    class Upper(dict):
        def items(self):
            return [(key.upper(), value) for key, value in super().items()]

    assert _encode(Upper(a=1)) == json.dumps(Upper(a=1)).encode() == b'{"A": 1}'


def test_what_json_refuses_for_its_length_is_refused_here_too():
    if not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python writes integers of any length")
    huge = 10**5000
    with pytest.raises(ValueError):
        json.dumps(huge)
    with pytest.raises(TypeError, match=r'value\["n"\].*int.*ValueError'):
        _encode({"n": huge})
    sys.set_int_max_str_digits(0)
    try:
        assert _encode({"n": huge}) == json.dumps({"n": huge}).encode()
    finally:
        sys.set_int_max_str_digits(4300)


# NaN


def test_nan_is_kept_counted_and_its_place_told():
    record = {"a": math.nan, "b": [1.0, {"c": -math.inf}], "d": [math.inf] * 5}
    written, count, paths, _ = _encode_record(record)
    assert written == json.dumps(record).encode()
    assert count == 7
    assert paths == ['record["a"]', 'record["b"][1]["c"]', 'record["d"][0]']


def test_nan_can_be_an_error_with_its_place():
    with pytest.raises(ValueError, match=r'record\["b"\]\[1\]: NaN is no JSON number'):
        _encode_record({"a": 1, "b": [0, math.nan]}, nan="error")


def test_nan_can_become_null_and_is_still_counted():
    written, count, paths, _ = _encode_record({"a": math.nan, "b": [math.inf]}, nan="null")
    assert written == b'{"a": null, "b": [null]}'
    assert (count, paths) == (2, ['record["a"]', 'record["b"][0]'])


def test_nan_as_a_key_is_text_and_not_counted():
    written, count, _, _ = _encode_record({math.nan: 1}, nan="error")
    assert (written, count) == (json.dumps({math.nan: 1}).encode(), 0)


def test_an_unknown_word_for_nan_is_refused():
    with pytest.raises(ValueError, match='"keep", "error" or "null", not "drop"'):
        _encode(1, nan="drop")


# Records


@pytest.mark.parametrize("value", [[1], "text", 1, None, (("a", 1),)])
def test_a_record_must_be_an_object(value):
    with pytest.raises(TypeError, match="a record must be a dict"):
        _encode_record(value)


def test_the_place_of_the_records_own_metadata_is_told():
    for own in ({"k": "v"}, "text", None, [1]):
        record = {"a": {"metadata": 1}, "metadata": own, "z": 2}
        written, _, _, (start, end) = _encode_record(record)
        assert json.loads(written[start:end]) == own
    assert _encode_record({"a": {"metadata": 1}, "b": [{"metadata": 2}]})[3] is None


def test_metadata_of_an_object_that_became_a_record_is_found():
    class Item:
        def to_dict(self):
            return {"metadata": {"k": 1}}

    written, _, _, (start, end) = _encode_record(Item())
    assert written[start:end] == b'{"k": 1}'


# Depth, circles, and what changes under way


def test_a_circle_is_an_error_with_its_place():
    record = {"a": [1]}
    record["a"].append(record)
    with pytest.raises(ValueError, match=r'record\["a"\]\[1\]: circular reference'):
        _encode_record(record)


def test_the_same_object_twice_is_no_circle():
    shared = {"x": [1]}
    assert _encode([shared, shared, {"y": shared}]) == json.dumps([shared, shared, {"y": shared}]).encode()


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def test_what_is_nested_too_deep_is_an_error_and_no_crash():
    for value in (nested(100_000), {"deep": nested(100_000)}):
        with pytest.raises(RecursionError):
            _encode(value)


def test_depth_that_python_writes_is_written():
    value = nested(900)
    assert _encode(value) == json.dumps(value).encode()


def test_depth_ends_without_a_crash_where_pythons_limit_was_raised():
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(RecursionError, match="10000"):
            _encode(nested(100_000))
    finally:
        sys.setrecursionlimit(old)


def test_depth_ends_without_a_crash_in_a_thread():
    seen = []

    def work():
        try:
            _encode(nested(100_000))
        except RecursionError as error:
            seen.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(seen) == 1


def test_the_depth_left_is_the_same_after_an_error():
    for _ in range(3000):
        with pytest.raises(TypeError):
            _encode([[[{1, 2}]]])


def test_a_record_that_changes_while_it_is_written_is_no_crash():
    for change in ("clear", "grow"):

        class Spoiler:
            def to_dict(self):
                if change == "clear":
                    record.clear()
                else:
                    record.update((f"new{i}", i) for i in range(5000))
                gc.collect()
                return {"done": True}

        record = {"first": ["x" * 50], "spoiler": Spoiler(), "later": ["y" * 50] * 3, "z": "w" * 99}
        written = json.loads(_encode(record))
        assert written["later"] == ["y" * 50] * 3 and written["z"] == "w" * 99


def test_a_list_that_shrinks_while_it_is_written_is_no_crash():
    items = []

    class Spoiler:
        def to_dict(self):
            items.clear()
            gc.collect()
            return {}

    items[:] = [Spoiler(), "gone", ["gone"]]
    assert _encode(items) == b"[{}]"


def test_finalizers_that_change_a_record_are_no_crash():
    class Finalizer:
        def __init__(self, record):
            self.record, self.me = record, self

        def __del__(self):
            self.record.clear()

    threshold = gc.get_threshold()
    try:
        for _ in range(50):
            record = {f"k{i}": "v" * i + str(i) for i in range(20)}
            record["bad \ud800"] = "worse \udfff"
            record.update((f"l{i}", "w" * i + str(i)) for i in range(20))
            Finalizer(record)
            gc.set_threshold(1)
            _encode(record)
            gc.set_threshold(*threshold)
    finally:
        gc.set_threshold(*threshold)


def test_many_threads_write_at_once():
    rng = random.Random(5)
    values = [random_value(rng) for _ in range(300)]
    expected = [json.dumps(value).encode() for value in values]
    wrong = []

    def work():
        wrong.extend(1 for value, text in zip(values, expected) if _encode(value) != text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_references_are_given_back():
    key, value = "key of its own " * 2, ["value"]
    record = {key: value, "nan": math.nan, "n": {"m": (value, value)}}
    before = (sys.getrefcount(key), sys.getrefcount(value))
    for _ in range(100):
        _encode(record)
        with pytest.raises(TypeError):
            _encode({**record, "bad": b""})
    assert (sys.getrefcount(key), sys.getrefcount(value)) == before


# Beyond json.dumps


class Color(enum.Enum):
    RED = "red"
    NONE = None


@dataclasses.dataclass
class Sampling:
    temperature: float = 0.7
    stop: list = dataclasses.field(default_factory=lambda: ["\n"])
    kind: typing.ClassVar[str] = "not written"


class WithToDict:
    def to_dict(self):
        return {"a": [pathlib.PurePosixPath("/x")]}


class Pathlike:
    def __fspath__(self):
        return "/some/where"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (pathlib.Path("/a/b.json"), '"/a/b.json"'),
        (pathlib.PureWindowsPath("c:\\x"), '"c:\\\\x"'),
        (Pathlike(), '"/some/where"'),
        (datetime.datetime(2026, 11, 22, 12, 0, 0, 5), '"2026-11-22T12:00:00.000005"'),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), '"2026-01-01T00:00:00+00:00"'),
        (datetime.date(2026, 11, 22), '"2026-11-22"'),
        (datetime.time(1, 2), '"01:02:00"'),
        (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("-1E+3"), "-1E+3"),
        (decimal.Decimal("NaN"), "NaN"),
        (decimal.Decimal("-Infinity"), "-Infinity"),
        (decimal.Decimal("NaN123"), "NaN"),
        (Color.RED, '"red"'),
        (Color.NONE, "null"),
        (Sampling(), '{"temperature": 0.7, "stop": ["\\n"]}'),
        (WithToDict(), '{"a": ["/x"]}'),
        (argparse.Namespace(lr=3e-05, n=1), '{"lr": 3e-05, "n": 1}'),
        (types.SimpleNamespace(a=1), '{"a": 1}'),
        (types.MappingProxyType({"a": 1}), '{"a": 1}'),
        (collections.UserDict(a=(1,)), '{"a": [1]}'),
        (collections.ChainMap({"a": 1}), '{"a": 1}'),
        (collections.UserList([1, 2]), "[1, 2]"),
        (collections.deque([1, 2]), "[1, 2]"),
        (range(3), "[0, 1, 2]"),
        ({pathlib.Path("/k"): 1, Color.RED: 2, uuid.UUID(int=1): 3},
         '{"/k": 1, "red": 2, "00000000-0000-0000-0000-000000000001": 3}'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_refuses_is_written_in_the_obvious_way(value, written):
    with pytest.raises((TypeError, ValueError)):
        json.dumps(value)
    assert _encode(value).decode() == written
    assert _encode({"in": [value, 1]}).decode() == f'{{"in": [{written}, 1]}}'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"bytes", r"cannot write a bytes as JSON; use \.decode\(\)"),
        (bytearray(b""), "cannot write a bytearray as JSON"),
        (memoryview(b""), "cannot write a memoryview as JSON"),
        ({1}, r"cannot write a set as JSON, since a set has no order; use sorted"),
        (frozenset(), "cannot write a frozenset as JSON"),
        (1j, "cannot write a complex as JSON"),
        (datetime.timedelta(1), r"cannot write a timedelta as JSON; use \.total_seconds"),
        (fractions.Fraction(1, 3), "cannot write a Fraction as JSON"),
        ((n for n in ()), r"cannot write a generator as JSON; use list"),
        ({}.keys(), r"cannot write a dict_keys as JSON; use list"),
        (object(), "cannot write an object as JSON"),
        (int, "cannot write a type as JSON"),
        (json, "cannot write a module as JSON"),
        (len, "cannot write a builtin_function_or_method as JSON"),
        (WithToDict, "cannot write a type as JSON"),
        (Sampling, "cannot write a type as JSON"),
        (mock.Mock(), "cannot write a Mock as JSON"),
        (Ellipsis, "cannot write an ellipsis as JSON"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_obvious_form_is_refused_with_its_place(value, message):
    with pytest.raises(TypeError, match=r'^value\["a"\]\[3\]\["b"\]: ' + message):
        _encode({"ok": 1, "a": [0, 1, 2, {"b": value}]})


@pytest.mark.parametrize("key", [(1, 2), b"k", object(), frozenset()])
def test_a_key_with_no_obvious_form_is_refused_with_its_place(key):
    with pytest.raises(TypeError, match=r'^value\["a"\]: a key must be a str, int'):
        _encode({"a": {"ok": 1, key: 2}})


def test_an_error_inside_user_code_names_the_place_and_keeps_its_cause():
    class Broken:
        def to_dict(self):
            raise KeyError("missing")

    with pytest.raises(TypeError, match=r"value\[0\]: cannot write a Broken .*KeyError") as caught:
        _encode([Broken()])
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_interrupt_inside_user_code_goes_through():
    class Interrupted:
        def to_dict(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _encode(Interrupted())


def test_a_to_dict_that_gives_no_dict_is_refused():
    class Odd:
        def to_dict(self):
            return self

    with pytest.raises(TypeError, match="its to_dict.. gives no dict"):
        _encode(Odd())


def test_a_mapping_that_contains_itself_is_a_circle():
    class Odd(collections.UserDict):
        pass

    odd = Odd()
    odd["me"] = [odd]
    with pytest.raises(ValueError, match="circular reference"):
        _encode(odd)


# Libraries, where they are installed


def test_numpy_scalars_keep_their_worth():
    np = pytest.importorskip("numpy")
    for value, written in [
        (np.float32(0.1), "0.1"), (np.float16(0.1), "0.1"), (np.float32(0.95), "0.95"),
        (np.float32(1e20), "1e+20"), (np.float32("-inf"), "-Infinity"), (np.float32(3), "3.0"),
        (np.float64(0.1), "0.1"), (np.float32("nan"), "NaN"), (np.int64(-5), "-5"),
        (np.uint64(2**64 - 1), "18446744073709551615"), (np.int8(-128), "-128"),
        (np.bool_(True), "true"), (np.str_("é"), '"\\u00e9"'),
        (np.datetime64("2026-11-22T01:02:03.123456789"), '"2026-11-22T01:02:03.123456789"'),
        (np.dtype("float32"), '"float32"'),
    ]:
        assert _encode([value]).decode() == f"[{written}]"
    assert _encode({np.int64(3): 1, np.str_("k"): 2, np.float32(0.5): 3, np.bool_(True): 4}) == (
        b'{"3": 1, "k": 2, "0.5": 3, "true": 4}'
    )


def test_narrow_numpy_floats_are_the_shortest_decimal_that_is_them_again():
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(0)
    for kind, bits in ((np.float32, np.uint32), (np.float16, np.uint16)):
        values = rng.integers(0, np.iinfo(bits).max, 2000, dtype=bits).view(kind)
        for value in values[np.isfinite(values)]:
            written = _encode(value).decode()
            assert kind(float(written)) == value
            assert float(written) == float(str(value))


def test_numpy_arrays_are_nested_lists():
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(0)
    for array in (rng.random((3, 4)), rng.random(5, dtype=np.float32), np.arange(6).reshape(1, 6, 1),
                  np.zeros((0, 3)), np.array(1.5), np.array([True, False]),
                  np.array(["a", "é"]), np.array([1, "x", None], dtype=object)):
        assert _encode(array) == json.dumps(array.tolist()).encode()
    dates = np.array(["2026-11-22T00:00:00"], dtype="datetime64[ns]")
    assert _encode(dates) == b'["2026-11-22T00:00:00.000000000"]'


def test_numpy_values_with_no_obvious_form_are_refused():
    np = pytest.importorskip("numpy")
    for value in (np.longdouble("0.1"), np.complex64(1j), np.timedelta64(1, "s"), np.bytes_(b"x"),
                  np.array([1j]), np.array([1], dtype="timedelta64[s]"), np.float32):
        with pytest.raises(TypeError, match=r'^value\["v"\]'):
            _encode({"v": value})


def test_nan_in_an_array_is_counted_with_its_place():
    np = pytest.importorskip("numpy")
    _, count, paths, _ = _encode_record({"a": np.array([[1.0, np.nan]])})
    assert (count, paths) == (1, ['record["a"][0][1]'])


def test_torch_values_are_written():
    torch = pytest.importorskip("torch")
    value = {"dtype": torch.float16, "device": torch.device("cpu"), "loss": torch.tensor(0.5),
             "shape": torch.zeros(2, 3).shape, "ids": torch.tensor([[1, 2]]),
             "weight": torch.nn.Parameter(torch.ones(1))}
    assert _encode(value) == (
        b'{"dtype": "torch.float16", "device": "cpu", "loss": 0.5, "shape": [2, 3],'
        b' "ids": [[1, 2]], "weight": [1.0]}'
    )


def test_pydantic_models_are_dumped():
    pydantic = pytest.importorskip("pydantic")

    class Params(pydantic.BaseModel):
        temperature: float = 0.7
        when: datetime.date = datetime.date(2026, 11, 22)

    assert _encode([Params()]) == b'[{"temperature": 0.7, "when": "2026-11-22"}]'


def test_msgspec_structs_are_written_under_their_encoded_names():
    msgspec = pytest.importorskip("msgspec")

    class Params(msgspec.Struct, rename="camel"):
        max_tokens: int = 5
        path: pathlib.Path = pathlib.Path("/x")

    assert _encode(Params()) == b'{"maxTokens": 5, "path": "/x"}'


def test_attrs_classes_are_written():
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class Params:
        a: int = 1

    assert _encode(Params()) == b'{"a": 1}'


def test_nothing_is_imported_to_know_a_value(python):
    done = python(
        "import sys\n"
        "from birthmark._native import _encode\n"
        "before = set(sys.modules)\n"
        "_encode({'a': [1, 'x', 1.5, None, (1,)], 'b': range(2)})\n"
        "try: _encode(object())\n"
        "except TypeError: pass\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    assert done.stdout.strip() == "[]"
