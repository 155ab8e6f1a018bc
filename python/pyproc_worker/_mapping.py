"""How a body becomes a call, fixed once when a function is loaded.

A `Mapping` is what the native loop runs: decode a body to one value, give that value to `target`. Where
the body is the single parameter, `target` is the function itself and nothing stands between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from pyproc_worker._binding import Binding, kind_of, type_name
from pyproc_worker._errors import BadArgument, ExposeError
from pyproc_worker._parameters import (
    UNCHECKED,
    Parameter,
    Parameters,
    array_constructor,
    decode_custom,
    raw_constructor,
)
from pyproc_worker._schema import JSON, NOTHING, UNKNOWN, arguments_schema, whole_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyproc_worker._schema import Schema

_any_msgpack: Final = msgspec.msgpack.Decoder().decode
_any_json: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Mapping:
    """The way from a body to a result.

    Attributes:
        description: The mapping in words, as `pyproc list` shows it.
        decode_msgpack: Decodes a MessagePack body.
        decode_json: Decodes a JSON body.
        decode_raw: Takes a raw body; raises `BadArgument` where the function has no use for one.
        target: Calls the function with the one decoded value.
        call_empty: Calls the function when there is no body.
        wants_raw: Whether every body is taken undecoded, whatever its content type.
        schema: The JSON schema of the body.
    """

    description: str
    decode_msgpack: Callable[[bytes | memoryview], Any]
    decode_json: Callable[[bytes | memoryview], Any]
    decode_raw: Callable[[bytes | memoryview], Any]
    target: Callable[[Any], Any]
    call_empty: Callable[[], Any]
    wants_raw: bool
    schema: Schema


def map_body(function: Callable[..., Any], parameters: Parameters | None, *, whole: bool) -> Mapping:
    """Decides how bodies become arguments of a function.

    Args:
        function: What is called; given its `cancel_event` already.
        parameters: Its parameters, None when Python does not know them.
        whole: Whether the function asked for the whole body as its one argument.

    Raises:
        ExposeError: If it asked for the whole body and cannot take one argument.
    """
    if whole:
        return _whole(function, _sole_parameter(parameters))
    if parameters is None:
        return _unknown(function)
    if parameters.var_positional is not None:
        return _variadic(function, parameters)
    if not parameters.named and not parameters.var_keyword:
        return _nothing(function)
    if len(parameters.positional) == 1 and not any(p.required for p in parameters.keyword_only):
        return _whole(function, parameters.positional[0])
    return _arguments(function, parameters)


def _sole_parameter(parameters: Parameters | None) -> Parameter | None:
    """The parameter that takes the whole body because the function said so."""
    if parameters is None or (not parameters.positional and parameters.var_positional is not None):
        return None
    others = (*parameters.positional[1:], *parameters.keyword_only)
    if not parameters.positional or any(parameter.required for parameter in others):
        raise ExposeError(f'body="whole" needs a function that can be called with one argument, not {parameters.text}')
    return parameters.positional[0]


def _whole(function: Callable[..., Any], parameter: Parameter | None) -> Mapping:
    name = parameter.name if parameter else "*"
    annotation = parameter.annotation if parameter else UNCHECKED
    schema: Schema = whole_schema(parameter) if parameter else {}
    call_empty: Callable[[], Any] = function
    if parameter is not None and parameter.required:
        call_empty = _missing(f"a body for {name}")
    if raw := raw_constructor(annotation):
        return Mapping(
            f"the bytes of the body as `{name}`",
            raw,
            raw,
            raw,
            function,
            call_empty,
            wants_raw=True,
            schema=schema,
        )
    description = f"the whole body as `{name}`"
    if array := array_constructor(annotation):
        return Mapping(
            description,
            lambda body: array(_any_msgpack(body), False),
            lambda body: array(_any_json(body), False),
            lambda body: array(body, True),
            function,
            call_empty,
            wants_raw=False,
            schema=schema,
        )
    kind = parameter.type if parameter else UNCHECKED
    if kind is UNCHECKED:
        return Mapping(
            description,
            _any_msgpack,
            _any_json,
            memoryview,
            function,
            call_empty,
            wants_raw=False,
            schema=schema,
        )
    return Mapping(
        description,
        msgspec.msgpack.Decoder(kind, dec_hook=decode_custom).decode,
        msgspec.json.Decoder(kind, dec_hook=decode_custom).decode,
        _no_raw(type_name(kind)),
        function,
        call_empty,
        wants_raw=False,
        schema=schema,
    )


def _nothing(function: Callable[..., Any]) -> Mapping:
    def target(value: Any) -> Any:
        if value is None or value == {}:
            return function()
        raise BadArgument("$", "no arguments", kind_of(value))

    return _untyped("no body, null or {}", target, function, "no arguments", NOTHING)


def _unknown(function: Callable[..., Any]) -> Mapping:
    def target(value: Any) -> Any:
        if type(value) is list:
            return function(*cast("list[Any]", value))
        return function(value)

    description = "array by position, anything else as the one argument"
    return Mapping(description, _any_msgpack, _any_json, memoryview, target, function, wants_raw=False, schema=UNKNOWN)


def _variadic(function: Callable[..., Any], parameters: Parameters) -> Mapping:
    binding = Binding(function, parameters)
    named = bool(parameters.named)

    def target(value: Any) -> Any:
        if type(value) is list:
            return binding.call_with_array(cast("list[Any]", value))
        if named and type(value) is dict:
            return binding.call_with_object(cast("dict[str, Any]", value))
        return binding.call_with_array([value])

    description = "array by position, object by name" if named else "array by position, anything else as one argument"
    anything: Schema = {**JSON, "default": []}
    schema = arguments_schema(parameters, binding.object_type, binding.array_type) if named else anything
    return _untyped(description, target, binding.call_empty, "an object or array", schema)


def _arguments(function: Callable[..., Any], parameters: Parameters) -> Mapping:
    binding = Binding(function, parameters)
    names = ", ".join(f"`{p.name}`" for p in parameters.named)
    extra = " and any other name" if parameters.var_keyword else ""
    by_position = bool(parameters.positional)
    description = f"object by name ({names or 'any name'}{extra if names else ''})"
    description += ", array by position" if by_position else ""
    schema = arguments_schema(parameters, binding.object_type, binding.array_type)

    if not parameters.var_keyword:
        return Mapping(
            description,
            binding.decode_msgpack,
            binding.decode_json,
            _no_raw("an object or array"),
            binding.call_decoded,
            binding.call_empty,
            wants_raw=False,
            schema=schema,
        )

    def target(value: Any) -> Any:
        if type(value) is dict:
            return binding.call_with_object(cast("dict[str, Any]", value))
        if type(value) is list and by_position:
            return binding.call_with_array(cast("list[Any]", value))
        raise BadArgument("$", "object or array" if by_position else "object", kind_of(value))

    return _untyped(description, target, binding.call_empty, "an object or array", schema)


def _untyped(
    description: str, target: Callable[[Any], Any], call_empty: Callable[[], Any], wanted: str, schema: Schema
) -> Mapping:
    return Mapping(
        description,
        _any_msgpack,
        _any_json,
        _no_raw(wanted),
        target,
        call_empty,
        wants_raw=False,
        schema=schema,
    )


def _no_raw(expected: str) -> Callable[[bytes | memoryview], Any]:
    def refuse(body: bytes | memoryview) -> Any:
        raise BadArgument("$", expected, f"{memoryview(body).nbytes} raw bytes")

    return refuse


def _missing(expected: str) -> Callable[[], Any]:
    def refuse() -> Any:
        raise BadArgument("$", expected, "nothing")

    return refuse
