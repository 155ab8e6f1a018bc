"""JSON schemas of bodies and results, for whoever calls from elsewhere: `pyproc list`, OpenAPI.

A schema never claims more than what holds. A part of which nothing is known is the schema that every value
fits, with a `$comment` that begins with `MARK` and says why; whoever shows the schema makes a warning of it.
A body that may be left out has a `default` at the top: leaving it out is the same as sending that.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import sys
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import msgspec

from pyproc_worker._binding import type_name
from pyproc_worker._parameters import UNCHECKED, array_constructor, raw_constructor

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyproc_worker._parameters import Parameter, Parameters

Schema = dict[str, Any]
"""A JSON schema of draft 2020-12."""

MARK: Final = "pyproc: "
"""What the `$comment` of a part that is not described begins with."""

RAW: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
"""Bytes as they are, in no encoding: only a raw body fits."""

JSON: Final[Schema] = {"type": ["array", "boolean", "null", "number", "object", "string"]}
"""Any value, but no raw body."""

UNKNOWN: Final[Schema] = {"$comment": f"{MARK}Python does not know its parameters", "default": []}
"""The body of a function without a signature."""

NOTHING: Final[Schema] = {"type": ["null", "object"], "maxProperties": 0, "default": {}}
"""The body of a function without parameters."""

_REFERENCES: Final = "#/$defs/{name}"


def encoded(schema: Schema) -> str:
    """A schema as text."""
    return msgspec.json.encode(schema).decode()


def result_schema(annotation: Any) -> Schema:
    """What a function gives, by its annotation."""
    if annotation is inspect.Parameter.empty:
        return _unknown("no annotation")
    if annotation is object:
        return {}
    try:
        leaves: list[Any] = []
        shape = _shape(annotation, leaves, frozenset())
        schemas, definitions = msgspec.json.schema_components(leaves, schema_hook=_given, ref_template=_REFERENCES)
        return _with_definitions(shape(list(schemas)), definitions)
    except Exception:  # noqa: BLE001 - whatever a foreign annotation does, the function stays callable
        return _unknown(f"`{_shown(annotation)}` has no JSON schema")


def whole_schema(parameter: Parameter) -> Schema:
    """The body of a function that takes it as this one argument."""
    if raw_constructor(parameter.annotation) is not None:
        schema = dict(RAW)
    elif array_constructor(parameter.annotation) is not None:
        schema = {"anyOf": [{"type": "array"}, RAW]}
    elif parameter.type is UNCHECKED:
        schema = _unchecked(parameter)
    else:
        (schema,), definitions = msgspec.json.schema_components(
            [parameter.type], schema_hook=_taken, ref_template=_REFERENCES
        )
        schema = _with_definitions(schema, definitions)
    return _with_default(schema, parameter)


def arguments_schema(parameters: Parameters, object_type: Any, array_type: Any) -> Schema:
    """The body of a function of several arguments.

    Args:
        parameters: Its parameters.
        object_type: The struct whose fields they are, by name.
        array_type: The same by position.
    """
    try:
        (by_name, by_position), definitions = msgspec.json.schema_components(
            [object_type, array_type], schema_hook=_taken, ref_template=_REFERENCES
        )
        by_name, by_position = (_own(schema, definitions) for schema in (by_name, by_position))
    except Exception:  # noqa: BLE001 - whatever a foreign annotation does, the function stays callable
        return _unknown("the arguments have no JSON schema")
    properties = by_name["properties"]
    for parameter in parameters.named:
        if parameter.type is UNCHECKED:
            properties[parameter.name] = _unchecked(parameter)
        properties[parameter.name] = _with_default(properties[parameter.name], parameter)
    by_name["additionalProperties"] = parameters.var_keyword
    if parameters.var_positional is not None:
        by_position.pop("maxItems")
    # An array leaves out what only an object can name.
    ways: list[Schema] = []
    if parameters.named or parameters.var_keyword:
        ways.append(by_name)
    fillable = bool(parameters.positional) or parameters.var_positional is not None
    if fillable and not any(parameter.required for parameter in parameters.keyword_only):
        ways.append(by_position)
    schema: Schema = ways[0] if len(ways) == 1 else {"anyOf": ways}
    if not any(parameter.required for parameter in parameters.named):
        schema["default"] = {}
    return _with_definitions(schema, definitions)


def _own(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """What stands behind the reference to a struct that is ours, and that nobody knows by name."""
    own = definitions.pop(schema["$ref"].rpartition("/")[2])
    del own["title"]
    return own


def _unchecked(parameter: Parameter) -> Schema:
    """A parameter whose value nothing looks at."""
    annotation = parameter.annotation
    if annotation in {Any, object}:
        return {}
    if annotation is inspect.Parameter.empty:
        return _unknown("no annotation")
    if isinstance(annotation, str):
        return _unknown(f"`{annotation}` is not defined where the function is")
    return _unknown(f"`{_shown(annotation)}` has no JSON schema")


def _with_default(schema: Schema, parameter: Parameter) -> Schema:
    if parameter.required:
        return schema
    try:
        default = msgspec.to_builtins(parameter.default, str_keys=True)
        msgspec.json.encode(default)
    except Exception:  # noqa: BLE001 - a default need not be a value that callers could send
        return schema
    return schema | {"default": default}


def _with_definitions(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    return schema | {"$defs": definitions} if definitions else schema


def _unknown(why: str) -> Schema:
    return {"$comment": MARK + why}


def _shown(annotation: Any) -> str:
    return type_name(annotation).replace("__main__.", "").replace("typing.", "")


def _taken(kind: type) -> Schema:
    """A type inside of a parameter's that is not msgspec's own: nothing looks at the value."""
    if kind is object:
        # msgspec takes an empty schema for none at all.
        return JSON
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        return {"type": "array"}
    return _unknown(f"`{kind.__qualname__}` has no JSON schema")


def _given(kind: type) -> Schema:
    """A type in a result that is not msgspec's own, as the encoder writes its values."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        for base, name in (
            (numpy.ndarray, "array"),
            (numpy.bool_, "boolean"),
            (numpy.integer, "integer"),
            (numpy.floating, "number"),
        ):
            if issubclass(kind, base):
                return {"type": name}
    for base, name in ((dict, "object"), (str, "string"), (int, "integer"), (float, "number")):
        if issubclass(kind, base):
            return {"type": name}
    return _taken(cast("Any", kind))


def _shape(annotation: Any, leaves: list[Any], within: frozenset[Any]) -> Callable[[list[Schema]], Schema]:
    """Takes an annotation apart as far as is needed to describe its parts.

    Args:
        annotation: The type.
        leaves: Gets the types that msgspec describes; all at once, so that their names are told apart.
        within: The types around it, which are not entered again.

    Returns:
        What makes the schema from those of the leaves.
    """
    if _is_described(annotation):
        place = len(leaves)
        leaves.append(annotation)
        return lambda schemas: schemas[place]

    def part(inner: Any) -> Callable[[list[Schema]], Schema]:
        return _shape(inner, leaves, within | {annotation})

    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in within:
        pass
    elif origin in {Annotated, typing.Required, typing.NotRequired}:
        return part(arguments[0])
    elif origin in {typing.Union, types.UnionType}:
        union = [part(inner) for inner in arguments]
        return lambda schemas: {"anyOf": [shape(schemas) for shape in union]}
    elif isinstance(origin, type) and issubclass(origin, tuple) and arguments[-1:] != (...,):
        items = [part(inner) for inner in arguments]
        return lambda schemas: {"type": "array", "prefixItems": [shape(schemas) for shape in items]}
    elif isinstance(origin, type) and issubclass(origin, collections.abc.Mapping) and len(arguments) > 1:
        value = part(arguments[1])
        return lambda schemas: {"type": "object", "additionalProperties": value(schemas)}
    elif isinstance(origin, type) and issubclass(origin, collections.abc.Collection) and arguments:
        item = part(arguments[0])
        return lambda schemas: {"type": "array", "items": item(schemas)}
    elif (fields := _fields(annotation)) is not None:
        properties = {name: part(inner) for name, inner in fields.items()}
        return lambda schemas: {
            "title": annotation.__name__,
            "type": "object",
            "properties": {name: shape(schemas) for name, shape in properties.items()},
        }
    unknown = f"`{_shown(annotation)}` has no JSON schema"
    if isinstance(annotation, str):
        unknown = f"`{annotation}` is not defined where the function is"
    return lambda _schemas: _unknown(unknown)


def _is_described(annotation: Any) -> bool:
    try:
        msgspec.json.schema(annotation, schema_hook=_given)
    except Exception:  # noqa: BLE001 - whatever a foreign annotation does, the function stays callable
        return False
    return True


def _fields(kind: Any) -> dict[str, Any] | None:
    """The fields of a class that is written as an object, by the names that they have there."""
    if not isinstance(kind, type):
        return None
    hints = typing.get_type_hints(kind, include_extras=True)
    described: Any = cast("Any", kind)
    if issubclass(kind, msgspec.Struct):
        return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    if dataclasses.is_dataclass(described):
        return {field.name: hints[field.name] for field in dataclasses.fields(described)}
    if typing.is_typeddict(described):
        return hints
    return None
