"""Results as bytes."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from pyproc_worker._encode import encode_json, encode_msgpack, encode_raw


@dataclass
class Box:
    score: float


PLAIN = [
    (np.float64(1.5), 1.5),
    (np.float32(0.5), 0.5),
    (np.float16(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.int8(-3), -3),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.array(5), 5),
    (np.array([]), []),
    (np.array(["a", None], dtype=object), ["a", None]),
    ({"a": np.arange(3), "b": (np.int64(1),)}, {"a": [0, 1, 2], "b": [1]}),
    (Box(np.float64(0.25)), {"score": 0.25}),
    ({np.int64(3)}, [3]),
    (None, None),
    ([], []),
]


@pytest.mark.parametrize(("value", "plain"), PLAIN)
def test_numpy_becomes_numbers_and_lists(value, plain):
    assert msgspec.msgpack.decode(encode_msgpack(value)) == plain
    assert json.loads(encode_json(value)) == plain


def test_dates_stay_dates():
    moment = np.datetime64("2024-05-06T07:08:09.123456789", "ns")
    assert json.loads(encode_json(moment)) == "2024-05-06T07:08:09.123456"
    assert json.loads(encode_json(np.array([moment]))) == ["2024-05-06T07:08:09.123456"]
    assert json.loads(encode_json(np.timedelta64(1500, "ms"))) == "PT1.5S"
    assert json.loads(encode_json(np.datetime64("NaT", "s"))) is None
    assert json.loads(encode_json(datetime.date(2024, 5, 6))) == "2024-05-06"


def derived(base, *arguments):
    """A value of a type derived from `base` whose own conversions are of no use."""
    text = {"__str__": lambda _: "no", "__repr__": lambda _: "no"}
    return type("Derived", (base,), text)(*arguments)


@pytest.mark.parametrize(
    "value",
    [
        "Grüße",
        b"\xff",
        2**63,
        0.1,
        datetime.date(2024, 5, 6),
        datetime.time(7, 8, 9, 10),
        datetime.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    ],
)
@pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
def test_values_of_derived_types_are_what_they_are_derived_from(encode, value):
    kind = type(value)
    given = derived(kind, value) if kind in (str, bytes, int, float) else derived(kind, *value.__reduce__()[1])
    assert encode({"a": [given]}) == encode({"a": [value]})


def test_what_pandas_returns():
    pandas = pytest.importorskip("pandas")
    moment = pandas.Timestamp("2024-05-06T07:08:09.123456789", tz="Europe/Vienna")
    assert json.loads(encode_json(moment)) == "2024-05-06T07:08:09.123456+02:00"
    assert json.loads(encode_json(pandas.Timedelta("1.5s"))) == "PT1.5S"
    assert json.loads(encode_json([pandas.NaT])) == [None]
    assert json.loads(encode_json(pandas.Series([1, 2]).to_dict())) == {"0": 1, "1": 2}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (derived(float, math.nan), "nan at $"),
        (math.nan, "nan at $"),
        ({"a": [1, math.inf]}, "inf at $.a[1]"),
        ([None, {"b": -math.inf}], "-inf at $[1].b"),
        ({"x": np.array([1.0, np.nan])}, "nan at $.x[1]"),
        (Box(math.nan), "nan at $.score"),
    ],
)
def test_json_has_no_nan(value, place):
    with pytest.raises(ValueError, match="cannot be written as JSON") as error:
        encode_json(value)
    assert str(error.value) == f"{place} cannot be written as JSON"
    assert encode_msgpack(value)


def test_null_and_the_word_are_no_nan():
    assert encode_json({"a": None, "b": "null"}) == b'{"a":null,"b":"null"}'


@pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
def test_what_cannot_be_encoded_is_named(encode):
    with pytest.raises(TypeError, match="a value of type `complex` cannot be encoded"):
        encode({"a": 1j})
    with pytest.raises(TypeError, match=r"a value of type `test_encode.Thing` cannot be encoded"):
        encode([Thing()])


class Thing:
    pass


def test_raw_results_are_not_copied():
    data = bytes(100)
    assert encode_raw(data) is data
    array = bytearray(5)
    assert encode_raw(array) is array
    view = memoryview(array)
    assert encode_raw(view) is view
    assert encode_raw(memoryview(b"abcd")[::2]) == b"ac"
    numbers = np.arange(4, dtype=np.int32)
    raw = encode_raw(numbers)
    assert bytes(raw) == numbers.tobytes()
    numbers[0] = 7
    assert raw[0] == 7
    assert bytes(encode_raw(np.arange(6).reshape(2, 3).T)) == np.arange(6).reshape(2, 3).T.tobytes()
    assert bytes(encode_raw(np.array([]))) == b""
    with pytest.raises(TypeError, match="asked for raw bytes and the function returned `dict`"):
        encode_raw({})
    with pytest.raises(TypeError, match="`ndarray`"):
        encode_raw(np.array([object()]))
