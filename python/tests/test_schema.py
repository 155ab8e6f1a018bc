"""JSON schemas: what is described, and what is said to be unknown."""

import collections
import dataclasses
import datetime
import enum
import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from pyproc_worker._expose import exposure_of
from pyproc_worker._function import Function

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    next: int | None = None


class User(msgspec.Struct):
    """Somebody."""

    name: Annotated[str, msgspec.Meta(min_length=1, description="as written")]
    age: int = 0


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Options(TypedDict):
    deep: NotRequired[bool]
    name: str


class Either(TypedDict):
    one: User | Point
    more: NotRequired["list[Either]"]


class Pair(NamedTuple):
    left: int
    right: str = "x"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Foreign:
    pass


def described(function):
    """The two schemas of a function."""
    loaded = Function(exposure_of(function, name="f"), 0)
    return json.loads(loaded.parameters), json.loads(loaded.returns)


def gives(annotation):
    def function():
        pass

    function.__annotations__["return"] = annotation
    return described(function)[1]


def unknown(why):
    return {"$comment": f"pyproc: {why}"}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (None, {"type": "null"}),
        (Any, {}),
        (object, {}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (datetime.date, {"type": "string", "format": "date"}),
        (Annotated[datetime.datetime, msgspec.Meta(tz=True)], {"type": "string", "format": "date-time"}),
        (Literal["a", 1, None], {"enum": [None, 1, "a"]}),
        (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Annotated[int, msgspec.Meta(ge=0)], {"type": "integer", "minimum": 0}),
        (npt.NDArray[np.float64], {"type": "array"}),
        (np.float32, {"type": "number"}),
        (np.int8, {"type": "integer"}),
        (np.bool_, {"type": "boolean"}),
        (collections.Counter, {"type": "object"}),
        (list[Foreign], {"type": "array", "items": unknown("`Foreign` has no JSON schema")}),
        (Callable[[int], int], unknown("`Callable` has no JSON schema")),
        ("Nowhere", unknown("`Nowhere` is not defined where the function is")),
    ],
)
def test_results(annotation, schema):
    assert gives(annotation) == schema


@pytest.mark.parametrize(
    ("annotation", "name", "properties"),
    [
        (Page[User], "Page_User_", ["items", "next"]),
        (Point, "Point", ["x", "y"]),
        (Options, "Options", ["deep", "name"]),
    ],
)
def test_classes_are_described_by_name(annotation, name, properties):
    schema = gives(annotation)
    assert schema["$ref"] == f"#/$defs/{name}"
    assert list(schema["$defs"][name]["properties"]) == properties


def test_tuples_and_enumerations():
    assert gives(Pair)["$defs"]["Pair"]["prefixItems"] == [{"type": "integer"}, {"type": "string", "default": "x"}]
    assert gives(Colour)["$defs"]["Colour"]["enum"] == ["blue", "red"]


def test_docstrings_and_descriptions_are_kept():
    user = gives(User)["$defs"]["User"]
    assert user["description"] == "Somebody."
    assert user["properties"]["name"] == {"type": "string", "minLength": 1, "description": "as written"}


def test_what_msgspec_does_not_decode_is_described_part_by_part():
    both = {"anyOf": [{"$ref": "#/$defs/User"}, {"$ref": "#/$defs/Point"}]}
    assert gives(User | Point) == both | {"$defs": gives(list[User | Point])["$defs"]}
    assert gives(list[User | Point])["items"] == both
    assert gives(dict[str, User | Point])["additionalProperties"] == both
    assert gives(tuple[User | Point, int])["prefixItems"] == [both, {"type": "integer"}]
    either = gives(Either)
    assert either["properties"]["one"] == both
    assert either["properties"]["more"]["items"] == unknown("`Either` has no JSON schema")


def test_two_classes_of_one_name_are_told_apart():
    def other():
        class User(msgspec.Struct):
            x: int

        return User

    schema = gives(tuple[User | Point, other()])
    references = [schema["prefixItems"][0]["anyOf"][0]["$ref"], schema["prefixItems"][1]["$ref"]]
    properties = [list(schema["$defs"][reference.split("/")[2]]["properties"]) for reference in references]
    assert properties == [["name", "age"], ["x"]]


def test_a_whole_body():
    def one(point: Point):
        pass

    def with_default(limit: int = 3):
        pass

    def anything(req):
        pass

    def foreign(model: Foreign):
        pass

    assert described(one)[0]["$ref"] == "#/$defs/Point"
    assert described(with_default)[0] == {"type": "integer", "default": 3}
    assert described(anything) == (unknown("no annotation"), unknown("no annotation"))
    assert described(foreign)[0] == unknown("`Foreign` has no JSON schema")


def test_bytes_and_arrays_take_raw_bodies():
    raw = {"type": "string", "contentMediaType": "application/octet-stream"}

    def size(body: bytes) -> int:
        return len(body)

    def maybe(body: memoryview | None = None):
        pass

    def mean(values: npt.NDArray[np.float64]) -> float:
        return float(values.mean())

    assert described(size)[0] == raw
    assert described(maybe)[0] == raw | {"default": None}
    assert described(mean)[0] == {"anyOf": [{"type": "array"}, raw]}


def test_arguments_by_name_and_by_position():
    def add(a: int, b: Point | None = None, *, c: Foreign = 3):
        pass

    schema, _ = described(add)
    by_name, by_position = schema["anyOf"]
    point = {"anyOf": [{"$ref": "#/$defs/Point"}, {"type": "null"}]}
    assert by_name == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": point | {"default": None},
            "c": unknown("`Foreign` has no JSON schema") | {"default": 3},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert by_position == {
        "type": "array",
        "prefixItems": [{"type": "integer"}, point],
        "minItems": 1,
        "maxItems": 2,
    }
    assert list(schema["$defs"]) == ["Point"]
    assert "default" not in schema


def test_arguments_that_may_all_be_left_out():
    def options(*, a: int = 1, b: object = Foreign()):
        pass

    properties = {"a": {"type": "integer", "default": 1}, "b": {}}
    assert described(options)[0] == {
        "type": "object",
        "properties": properties,
        "required": [],
        "additionalProperties": False,
        "default": {},
    }


def test_arguments_without_end():
    def rest(a: int, *more):
        pass

    def names(**names):
        pass

    def all_of_it(*more):
        pass

    by_name, by_position = described(rest)[0]["anyOf"]
    assert by_name["required"] == ["a"]
    assert by_position == {"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 1}
    assert described(names)[0]["additionalProperties"] is True
    assert described(all_of_it)[0]["default"] == []
    by_name, by_position = described(print)[0]["anyOf"]
    assert list(by_name["properties"]) == ["sep", "end", "file", "flush"]
    assert by_position["type"] == "array"


def test_no_arguments_and_no_signature():
    def nothing() -> None:
        pass

    assert described(nothing)[0] == {"type": ["null", "object"], "maxProperties": 0, "default": {}}
    assert described(math.hypot)[0] == unknown("Python does not know its parameters") | {"default": []}


def test_positional_only_and_unresolvable_names():
    def mixed(a, /, b: "Nowhere", c: "int" = 1):  # noqa: F821
        pass

    by_name, by_position = described(mixed)[0]["anyOf"]
    assert by_name["properties"] == {
        "a": unknown("no annotation"),
        "b": unknown("`Nowhere` is not defined where the function is"),
        "c": {"type": "integer", "default": 1},
    }
    assert by_position["minItems"] == 2
