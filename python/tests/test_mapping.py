"""The table of the design: how a body becomes arguments."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
import numpy as np
import pytest

from pyproc_worker._errors import ExposeError


def test_without_a_signature_an_array_is_positional_and_anything_else_one_argument(caller):
    hypot = caller(math.hypot)
    assert hypot.both([3, 4]) == 5.0
    biggest = caller(max)
    assert biggest.both([1, 7, 3]) == 7
    assert caller(int).both("12") == 12
    assert caller(int).empty() == 0


def test_without_parameters_only_nothing_is_accepted(caller):
    f = caller(lambda: "ok")
    assert f.empty() == "ok"
    assert f.both(None) == "ok"
    assert f.both({}) == "ok"
    assert f.both([]) == ("bad_argument", "$", "no arguments", "array")
    assert f.both({"a": 1}) == ("bad_argument", "$", "no arguments", "object")
    assert f.raw(b"x") == ("bad_argument", "$", "no arguments", "1 raw bytes")


@pytest.mark.parametrize("value", [None, 1, "x", [1, 2], {"a": 1}, {}, []])
def test_one_parameter_is_the_whole_body(caller, value):
    assert caller(lambda req: req).both(value) == value
    assert caller(lambda req, *, option=1: req).both(value) == value
    assert caller(lambda req, **kw: (req, kw)).both(value) == (value, {})


def test_one_parameter_and_no_wrapper(caller):
    def predict(req):
        return req

    assert caller(predict).function.target is predict


def test_one_parameter_without_a_body(caller):
    assert caller(lambda req=7: req).empty() == 7
    assert caller(lambda req: req).empty() == ("bad_argument", "$", "a body for req", "nothing")


def test_methods_partials_and_callable_objects(caller):
    class Model:
        def predict(self, req):
            return req * 2

        def __call__(self, req: int):
            return req * 3

    assert caller(Model().predict).both(4) == 8
    assert caller(Model()).both(4) == 12
    assert caller(Model()).both("x") == ("bad_argument", "$", "int", "str")
    assert caller(functools.partial(lambda a, b: a - b, 10)).both(4) == 6


def test_several_parameters_by_name_and_by_position(caller):
    f = caller(lambda a, b: (a, b))
    assert f.both({"a": 1, "b": 2}) == (1, 2)
    assert f.both({"b": 2, "a": 1}) == (1, 2)
    assert f.both([1, 2]) == (1, 2)
    assert f.json(' \n {"a": 1, "b": 2}') == (1, 2)
    assert f.both({"a": 1}) == ("bad_argument", "$.b", "a value", "nothing")
    assert f.both([1]) == ("bad_argument", "$", "at least 2 items", "1")
    assert f.both([1, 2, 3]) == ("bad_argument", "$", "at most 2 items", "3")
    assert f.both({"a": 1, "b": 2, "c": 3}) == ("bad_argument", "$.c", "one of a, b", "an unknown name")
    assert f.both(3) == ("bad_argument", "$", "object or array", "int")
    assert f.both(None) == ("bad_argument", "$", "object or array", "null")
    assert f.empty() == ("bad_argument", "$", "a value for a", "no body")
    assert f.raw(b"abc") == ("bad_argument", "$", "an object or array", "3 raw bytes")


def test_defaults(caller):
    default = object()
    f = caller(lambda a=1, b=default, *, c=3: (a, b, c))
    # One of two parameters that take a position: the body is arguments, not the argument.
    assert f.empty() == (1, default, 3)
    assert f.both({}) == (1, default, 3)
    assert f.both([]) == (1, default, 3)
    assert f.both({"b": 5}) == (1, 5, 3)
    assert f.both({"c": None}) == (1, default, None)
    assert f.both([8, 9]) == (8, 9, 3)


def test_keyword_only_and_positional_only(caller):
    f = caller(lambda a, b=2, /, *, c: (a, b, c))
    assert f.both({"a": 1, "c": 3}) == (1, 2, 3)
    assert f.both([1]) == ("bad_argument", "$.c", "a value", "nothing")
    g = caller(lambda *, c, d=4: (c, d))
    assert g.both({"c": 3}) == (3, 4)
    assert g.both([3]) == ("bad_argument", "$", "object", "array")


def test_unknown_names_go_to_keywords(caller):
    f = caller(lambda a, b=2, **kw: (a, b, kw))
    assert f.both({"a": 1, "z": 9}) == (1, 2, {"z": 9})
    assert f.both([1, 5]) == (1, 5, {})
    assert f.both({"z": 9}) == ("bad_argument", "$.a", "a value", "nothing")
    assert f.both([1, 2, 3]) == ("bad_argument", "$", "at most 2 items", "3")
    assert f.both(7) == ("bad_argument", "$", "object or array", "int")
    only = caller(lambda **kw: kw)
    assert only.both({"a": 1}) == {"a": 1}
    assert only.empty() == {}
    assert only.both([1]) == ("bad_argument", "$", "object", "array")


def test_variable_positional(caller):
    f = caller(lambda *args: args)
    assert f.both([1, 2]) == (1, 2)
    assert f.both({"a": 1}) == ({"a": 1},)
    assert f.both(5) == (5,)
    assert f.empty() == ()
    g = caller(lambda a, *args, b=3: (a, args, b))
    assert g.both([1, 2, 3]) == (1, (2, 3), 3)
    assert g.both({"a": 1, "b": 2}) == (1, (), 2)
    assert g.both({"a": 1, "x": 2}) == ("bad_argument", "$.x", "one of a, b", "an unknown name")
    assert g.both([]) == ("bad_argument", "$[0]", "a value for a", "nothing")


def test_a_decorator_that_hides_the_signature_still_gets_the_body(caller):
    def hidden(*args, **kwargs):
        return args, kwargs

    assert caller(hidden).both({"value": 42}) == (({"value": 42},), {})


def test_whole(caller):
    f = caller(lambda a, b=2: (a, b), whole=True)
    assert f.both([1, 2]) == ([1, 2], 2)
    assert f.both({"b": 1}) == ({"b": 1}, 2)
    assert caller(lambda *args: args, whole=True).both([1]) == ([1],)
    assert caller(sorted, whole=True).both([2, 1]) == [1, 2]
    with pytest.raises(ExposeError, match=r'body="whole" needs a function that can be called with one argument'):
        caller(lambda a, b: a, whole=True)
    with pytest.raises(ExposeError, match="one argument"):
        caller(lambda: 1, whole=True)


def test_raw_bodies(caller):
    def size(body: bytes) -> int:
        assert type(body) is bytes
        return len(body)

    def view(body: memoryview) -> int:
        assert type(body) is memoryview
        assert body.readonly
        return body.nbytes

    assert caller(size).raw(b"abc") == 3
    assert caller(size).json('"abc"') == 5
    assert caller(size).function.wants_raw
    assert caller(view).raw(b"abc") == 3
    assert caller(view).empty() == ("bad_argument", "$", "a body for body", "nothing")

    def optional(body: bytes | None = None):
        return body

    assert caller(optional).raw(b"x") == b"x"
    assert caller(optional).empty() is None

    def two(a: bytes, b: int):
        return a, b

    assert not caller(two).function.wants_raw
    assert caller(two).msgpack([b"x", 1]) == (b"x", 1)
    assert caller(two).json('["eA==", 1]') == (b"x", 1)
    assert bytes(caller(lambda body: body).raw(b"abc")) == b"abc"


def test_arrays(caller):
    def total(values: np.ndarray) -> float:
        return values.sum().item()

    assert caller(total).both([1.5, 2]) == 3.5
    assert caller(total).raw(bytes([1, 2])) == 3

    def typed(values: np.typing.NDArray[np.float32]) -> str:
        assert not values.flags.writeable or values.base is None
        return f"{values.dtype}{values.shape}"

    assert caller(typed).both([1, 2]) == "float32(2,)"
    assert caller(typed).raw(np.zeros(3, np.float32).tobytes()) == "float32(3,)"
    assert caller(typed).both([None, 1]) == "float32(2,)"
    assert caller(typed).both([]) == "float32(0,)"


Floats = np.typing.NDArray[np.float64]


@dataclass
class Series:
    values: Floats
    unit: str


def test_arrays_are_arrays_wherever_they_stand(caller):
    def scaled(values: Floats, by: int, offsets: Floats | None = None) -> Any:
        return (values * by + (0 if offsets is None else offsets)).tolist()

    assert caller(scaled).both([[1, 2], 3]) == [3.0, 6.0]
    assert caller(scaled).both({"values": [1, 2], "by": 3, "offsets": [1, 1]}) == [4.0, 7.0]
    assert caller(scaled).both({"values": [1, 2], "by": 3, "offsets": None}) == [3.0, 6.0]
    assert caller(scaled).msgpack([np.ones(2).tobytes(), 3]) == [3.0, 3.0]

    def sums(many: list[Floats]) -> Any:
        return [values.sum() for values in many]

    assert caller(sums).both([[1, 2], [3]]) == [3.0, 3.0]

    def described(series: Series, *more: Any, **named: Any) -> str:
        return f"{series.values.dtype} {series.unit}"

    assert caller(described).both([{"values": [1], "unit": "m"}]) == "float64 m"
    assert caller(described).both({"series": {"values": [1], "unit": "m"}, "other": 1}) == "float64 m"


def test_what_no_array_can_hold_is_a_wrong_argument(caller):
    def bytes_of(values: np.typing.NDArray[np.uint8]) -> Any:
        return values.tolist()

    def mistake(body: Any) -> tuple[str, str, str]:
        code, path, expected, got = caller(bytes_of).both(body)
        assert (code, expected) == ("bad_argument", "an array of uint8")
        return path, got

    assert caller(bytes_of).both([1, 255]) == [1, 255]
    assert mistake([1.7]) == ("$", "one that is refused: it has values of type float64")
    assert mistake(["1"]) == ("$", "one that is refused: it has values of type <U1")
    assert mistake([300])[1].startswith("one that is refused: ")
    assert mistake([[1], [2, 3]])[1].startswith("one that is refused: ")

    def deeper(many: list[Floats]) -> Any:
        return many

    assert caller(deeper).both([[1.0], ["x"]])[:3] == ("bad_argument", "$[1]", "an array of float64")
    assert caller(lambda values: values).both([1.7]) == [1.7]

    def floats(values: Floats) -> Any:
        return values

    assert caller(floats).raw(b"abc")[:3] == ("bad_argument", "$", "an array of float64")


class Point(msgspec.Struct):
    x: int
    y: float = 0.5


@dataclass
class Size:
    width: int
    tags: list[str]


class Options(TypedDict, total=False):
    depth: int


def test_annotated_parameters_are_validated(caller):
    def point(p: Point) -> Any:
        return p

    f = caller(point)
    assert f.both({"x": 1}) == Point(1)
    assert f.both({"x": "1"}) == ("bad_argument", "$.x", "int", "str")
    assert f.both({}) == ("bad_argument", "$.x", "a value", "nothing")
    assert f.both([1]) == ("bad_argument", "$", "object", "array")
    assert f.raw(b"ab") == ("bad_argument", "$", "Point", "2 raw bytes")

    def several(p: Point, size: Size, options: Options | None = None, mode: Literal["a", "b"] = "a") -> Any:
        return p, size, options, mode

    g = caller(several)
    assert g.both([{"x": 1}, {"width": 2, "tags": []}]) == (Point(1), Size(2, []), None, "a")
    named = {"p": {"x": 1}, "size": {"width": 2, "tags": ["t"]}, "options": {"depth": 1}, "mode": "b"}
    assert g.both(named) == (Point(1), Size(2, ["t"]), {"depth": 1}, "b")
    named["size"] = {"width": 2, "tags": [1]}
    assert g.both(named) == ("bad_argument", "$.size.tags[0]", "str", "int")
    assert g.both([{"x": 1}, {"width": 2, "tags": []}, {"depth": "x"}]) == ("bad_argument", "$[2].depth", "int", "str")
    named = {"p": {"x": 1}, "size": {"width": 2, "tags": []}, "mode": "c"}
    assert g.both(named) == ("bad_argument", "$.mode", "a valid enum value", "'c'")

    def rest(a: int, *args: Any, **kw: Any) -> Any:
        return a, args, kw

    h = caller(rest)
    assert h.both(["x"]) == ("bad_argument", "$[0]", "int", "str")
    assert h.both({"a": "x"}) == ("bad_argument", "$.a", "int", "str")


def test_annotations_that_nobody_knows_do_not_matter(caller):
    class Frame:
        pass

    def f(frame: Frame):
        return frame

    def g(a: DataFrame, b: int = 1):  # noqa: F821
        return a, b

    assert caller(f).both({"a": 1}) == {"a": 1}
    assert caller(g).both([[1], 2]) == ([1], 2)
    assert caller(g).both([[1], "x"]) == ("bad_argument", "$[1]", "int", "str")


@pytest.mark.parametrize("body", [b"{", b"", b"nope", b'{"a": "\xff"}', b'{"a": 1} x'])
def test_what_is_not_json_is_malformed(caller, body):
    for function in (lambda req: req, lambda a, b: a, lambda: 1, lambda *a: a):
        f = caller(function)
        assert f._call(f.function.decode_json, body)[0] == "malformed"


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x81\xa1", b"\x01\x02", b"\x91\xa1\xff"])
def test_what_is_not_messagepack_is_malformed(caller, body):
    for function in (lambda req: req, lambda a, b: a, lambda: 1, lambda *a: a):
        f = caller(function)
        assert f._call(f.function.decode_msgpack, body)[0] == "malformed"


def test_cancel_event_is_given_and_not_part_of_the_body(caller):
    def f(req, cancel_event):
        return req, cancel_event.is_set()

    assert caller(f).both({"a": 1}) == ({"a": 1}, False)
    assert "cancel_event" not in caller(f).function.body_mapping


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, "no body, null or {}"),
        (lambda req: 1, "the whole body as `req`"),
        (lambda a, b: 1, "object by name (`a`, `b`), array by position"),
        (lambda *, a: 1, "object by name (`a`)"),
        (lambda a, **kw: 1, "the whole body as `a`"),
        (lambda a, b, **kw: 1, "object by name (`a`, `b` and any other name), array by position"),
        (lambda **kw: 1, "object by name (any name)"),
        (lambda *args: 1, "array by position, anything else as one argument"),
        (lambda a, *args: 1, "array by position, object by name"),
        (max, "array by position, anything else as the one argument"),
    ],
)
def test_the_mapping_in_words(caller, function, words):
    assert caller(function).function.body_mapping == words
