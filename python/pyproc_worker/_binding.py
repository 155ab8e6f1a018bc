"""Binds objects and arrays to several parameters, checking each against its annotation."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from pyproc_worker._errors import BadArgument
from pyproc_worker._parameters import UNCHECKED, decode_custom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyproc_worker._parameters import Parameter, Parameters

_Unset: Final = msgspec.UNSET
_MSGPACK_MAPS: Final = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
_MSGPACK_ARRAYS: Final = frozenset({*range(0x90, 0xA0), 0xDC, 0xDD})
_JSON_SPACE: Final = b" \t\r\n"

_any_msgpack: Final = msgspec.msgpack.Decoder().decode
_any_json: Final = msgspec.json.Decoder().decode


class Binding:
    """One function and the two shapes in which its arguments can come.

    msgspec decodes a body straight into a struct whose fields are the parameters: types, missing and
    unknown names are checked in one pass, without a dictionary in between.
    """

    def __init__(self, function: Callable[..., Any], parameters: Parameters) -> None:
        self._function = function
        self._parameters = parameters
        self._positional = parameters.positional
        self._keyword_only = parameters.keyword_only
        self.object_type: Any = _struct(parameters.named, by_name=True)
        self.array_type: Any = _struct(self._positional, by_name=False)
        self._decode_msgpack_object = msgspec.msgpack.Decoder(self.object_type, dec_hook=decode_custom).decode
        self._decode_msgpack_array = msgspec.msgpack.Decoder(self.array_type, dec_hook=decode_custom).decode
        self._decode_json_object = msgspec.json.Decoder(self.object_type, dec_hook=decode_custom).decode
        self._decode_json_array = msgspec.json.Decoder(self.array_type, dec_hook=decode_custom).decode
        self.call_decoded = self._caller()

    def decode_msgpack(self, body: bytes | memoryview) -> Any:
        """Decodes a MessagePack object or array into the struct of its shape."""
        first = body[0] if body else None
        try:
            if first in _MSGPACK_MAPS:
                return self._decode_msgpack_object(body)
            if first in _MSGPACK_ARRAYS and self._positional:
                return self._decode_msgpack_array(body)
        except msgspec.ValidationError as error:
            raise self._explain(error, _any_msgpack(body)) from None
        raise self._wrong_shape(_any_msgpack(body))

    def decode_json(self, body: bytes | memoryview) -> Any:
        """Decodes a JSON object or array into the struct of its shape."""
        first = next((byte for byte in body if byte not in _JSON_SPACE), None)
        try:
            if first == ord("{"):
                return self._decode_json_object(body)
            if first == ord("[") and self._positional:
                return self._decode_json_array(body)
        except msgspec.ValidationError as error:
            raise self._explain(error, _any_json(body)) from None
        raise self._wrong_shape(_any_json(body))

    def call_with_object(self, value: Mapping[str, Any]) -> Any:
        """Calls by name; names that are no parameter go to `**kw`, or are refused without it."""
        names = {parameter.name for parameter in self._parameters.named}
        known = {name: item for name, item in value.items() if name in names}
        extra = {name: item for name, item in value.items() if name not in names}
        for name in extra:
            if not self._parameters.var_keyword or not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise self._unknown(f"$.{name}")
        try:
            decoded = msgspec.convert(known, self.object_type, dec_hook=decode_custom)
        except msgspec.ValidationError as error:
            raise self._explain(error, value) from None
        positional = [self._value_of(decoded, parameter) for parameter in self._positional]
        named = {parameter.name: self._value_of(decoded, parameter) for parameter in self._keyword_only}
        return self._function(*positional, **named, **extra)

    def call_with_array(self, values: list[Any]) -> Any:
        """Calls by position; what exceeds the parameters goes to `*args`, or is refused without it."""
        known = len(self._positional)
        if len(values) > known and self._parameters.var_positional is None:
            raise BadArgument("$", f"at most {known} items", f"{len(values)}")
        arguments: list[Any] = []
        for index, parameter in enumerate(self._positional):
            if index < len(values):
                arguments.append(_convert(values[index], parameter, f"$[{index}]"))
            elif parameter.required:
                raise BadArgument(f"$[{index}]", f"a value for {parameter.name}", "nothing")
            else:
                arguments.append(parameter.default)
        for parameter in self._keyword_only:
            if parameter.required:
                raise self._missing(parameter)
        return self._function(*arguments, *values[known:])

    def call_empty(self) -> Any:
        """Calls with the defaults alone."""
        for parameter in self._parameters.named:
            if parameter.required:
                raise BadArgument("$", f"a value for {parameter.name}", "no body")
        return self._function()

    def _caller(self) -> Callable[[Any], Any]:
        """The way from a decoded struct to the function, as short as its parameters allow."""
        function, positional, keyword_only = self._function, self._positional, self._keyword_only
        if len(positional) > 1 and not keyword_only and all(p.required for p in positional):
            values = attrgetter(*(p.name for p in positional))
            return lambda decoded: function(*values(decoded))

        def call(decoded: Any) -> Any:
            return function(
                *[self._value_of(decoded, parameter) for parameter in positional],
                **{parameter.name: self._value_of(decoded, parameter) for parameter in keyword_only},
            )

        return call

    def _value_of(self, decoded: Any, parameter: Parameter) -> Any:
        value = getattr(decoded, parameter.name, _Unset)
        if value is not _Unset:
            return value
        if parameter.required:
            raise self._missing(parameter)
        return parameter.default

    def _explain(self, error: msgspec.ValidationError, value: Any) -> BadArgument:
        """The mistake in a body that is well-formed: `value` is what it holds."""
        mistake = BadArgument.from_validation(error)
        if mistake.expected == "no such field" and mistake.path.count(".") == 1:
            return self._unknown(mistake.path)
        if mistake.expected.startswith("array of at "):
            length = mistake.expected.removeprefix("array of ").replace(" length", "")
            return BadArgument(mistake.path, f"{length} items", f"{len(value)}" if mistake.path == "$" else mistake.got)
        return mistake

    def _unknown(self, path: str) -> BadArgument:
        names = [parameter.name for parameter in self._parameters.named]
        expected = f"one of {', '.join(names)}" if len(names) > 1 else "".join(names)
        return BadArgument(path, expected, "an unknown name")

    def _missing(self, parameter: Parameter) -> BadArgument:
        return BadArgument(f"$.{parameter.name}", "a value", "nothing")

    def _wrong_shape(self, value: Any) -> BadArgument:
        expected = "object or array" if self._positional else "object"
        return BadArgument("$", expected, kind_of(value))


def kind_of(value: Any) -> str:
    """What a decoded value is, as an error names it."""
    kind: str = type(cast("object", value)).__name__
    return {"dict": "object", "list": "array", "NoneType": "null"}.get(kind, kind)


def type_name(kind: Any) -> str:
    """The name of a type as an error shows it."""
    return kind.__qualname__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)


def _convert(value: Any, parameter: Parameter, path: str) -> Any:
    if parameter.type is UNCHECKED:
        return value
    try:
        return msgspec.convert(value, parameter.type, dec_hook=decode_custom)
    except msgspec.ValidationError as error:
        raise BadArgument.from_validation(error).below(path) from None


def _struct(parameters: tuple[Parameter, ...], *, by_name: bool) -> Any:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in parameters:
        if parameter.required:
            fields.append((parameter.name, parameter.type))
        else:
            kind = Any if parameter.type is UNCHECKED else parameter.type | msgspec.UnsetType
            fields.append((parameter.name, kind, _Unset))
    struct = cast("Any", msgspec.defstruct)
    return struct(
        "_Arguments" if by_name else "_Positional",
        fields,
        kw_only=by_name,
        array_like=not by_name,
        forbid_unknown_fields=True,
        rename=None,
    )
