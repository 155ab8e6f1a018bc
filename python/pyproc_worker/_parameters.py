"""What a function's signature says: its parameters, and which types msgspec can check for them."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from pyproc_worker._errors import BadArgument

if TYPE_CHECKING:
    from collections.abc import Callable

CANCEL_EVENT: Final = "cancel_event"
"""A parameter of this name is given by pyproc, not by the caller."""

UNCHECKED: Final[Any] = Any
"""The type of a parameter that takes whatever the caller sends."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that the caller can fill.

    Attributes:
        name: Its name.
        type: What msgspec decodes for it; `Any` if unannotated or of a type that msgspec does not know.
        annotation: The annotation as it was resolved; `inspect.Parameter.empty` without one, its text where
            its names are not defined.
        default: The default, or `inspect.Parameter.empty`.
        by_position: Whether an array can fill it; an object always can.
    """

    name: str
    type: Any
    annotation: Any
    default: Any
    by_position: bool

    @property
    def required(self) -> bool:
        """Whether the caller has to give it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one function.

    Attributes:
        named: Those that have a name of their own, in order.
        var_positional: The name of `*args`, or None.
        var_keyword: Whether there is `**kw`.
        cancel_event: Whether pyproc has to pass an event.
        returns: The annotation of the result, as a parameter's.
        text: The signature as Python prints it.
    """

    named: tuple[Parameter, ...]
    var_positional: str | None
    var_keyword: bool
    cancel_event: bool
    returns: Any
    text: str

    @property
    def positional(self) -> tuple[Parameter, ...]:
        """Those that an array can fill."""
        return tuple(parameter for parameter in self.named if parameter.by_position)

    @property
    def keyword_only(self) -> tuple[Parameter, ...]:
        """Those that only an object can fill."""
        return tuple(parameter for parameter in self.named if not parameter.by_position)


def inspect_parameters(function: Callable[..., Any]) -> Parameters | None:
    """Reads a signature.

    Returns:
        The parameters, or None when Python knows none, as for some C functions.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    hints = _Hints(function)
    named: list[Parameter] = []
    var_positional: str | None = None
    var_keyword = cancel_event = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            var_positional = name
        elif parameter.kind is parameter.VAR_KEYWORD:
            var_keyword = True
        elif name == CANCEL_EVENT and parameter.kind is not parameter.POSITIONAL_ONLY:
            cancel_event = True
        else:
            annotation = hints.resolve(parameter.annotation)
            by_position = parameter.kind is not parameter.KEYWORD_ONLY
            checked = checked_type(annotation)
            named.append(Parameter(name, checked, annotation, parameter.default, by_position))
    returns = hints.resolve(signature.return_annotation)
    shown = signature.replace(
        parameters=[it.replace(annotation=_bare(hints.resolve(it.annotation))) for it in signature.parameters.values()],
        return_annotation=_bare(returns),
    )
    return Parameters(tuple(named), var_positional, var_keyword, cancel_event, returns, str(shown))


def checked_type(annotation: Any) -> Any:
    """The type that msgspec decodes for an annotation, `Any` where it would not know how."""
    if annotation in {Any, object, inspect.Parameter.empty}:
        return UNCHECKED
    if array_constructor(annotation) is not None:
        return _without_alias(annotation)
    try:
        kind = msgspec.inspect.type_info(annotation)
        msgspec.msgpack.Decoder(annotation)
    except Exception:  # noqa: BLE001 - whatever a foreign annotation does, the function stays callable
        return UNCHECKED
    return UNCHECKED if isinstance(kind, msgspec.inspect.CustomType) else annotation


def decode_custom(kind: Any, value: Any) -> Any:
    """Decodes what lies deeper in an annotated type and is not msgspec's own: NumPy arrays."""
    build = _array_constructor(kind)
    if build is None:
        return value
    try:
        return build(value, isinstance(value, (bytes, bytearray, memoryview)))
    except BadArgument as error:
        # msgspec adds where it is to an error of this kind.
        raise ValueError(f"Expected `{error.expected}`, got `{error.got}`") from None


def raw_constructor(annotation: Any) -> Callable[[Any], Any] | None:
    """How a raw body becomes the value of a parameter annotated as bytes, or None if it is not."""
    members = _members(_without_alias(annotation)) - {types.NoneType}
    buffer: Any = getattr(collections.abc, "Buffer", memoryview)
    if not members or not members <= {bytes, bytearray, memoryview, buffer}:
        return None
    for kind in (bytes, bytearray):
        if kind in members:
            return kind
    return memoryview


def array_constructor(annotation: Any) -> Callable[[Any, bool], Any] | None:
    """How a body becomes a NumPy array for a parameter annotated as one, or None if it is not.

    Returns:
        A function of the body or the decoded value and whether it is raw bytes; it raises `BadArgument`.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    annotation = _without_alias(annotation)
    kind = typing.get_origin(annotation) or annotation
    if not (isinstance(kind, type) and issubclass(kind, numpy.ndarray)):
        return None
    dtype: Any = None
    for argument in typing.get_args(annotation):
        if typing.get_origin(argument) is numpy.dtype and isinstance(typing.get_args(argument)[0], type):
            scalar = typing.get_args(argument)[0]
            dtype = None if inspect.isabstract(scalar) else _dtype(numpy, scalar)

    def build(value: Any, raw: bool) -> Any:
        try:
            if raw:
                return numpy.frombuffer(value, dtype=dtype or numpy.uint8)
            return _array(numpy, value, dtype)
        except (ValueError, TypeError, OverflowError) as error:
            expected = f"an array of {dtype}" if dtype else "an array"
            raise BadArgument("$", expected, f"one that is refused: {error}") from None

    return build


_array_constructor = functools.cache(array_constructor)


def _array(numpy: Any, value: Any, dtype: Any) -> Any:
    """An array of this type, of values that lose nothing by it: NumPy itself cuts and parses what it is given."""
    plain = numpy.asarray(value)
    if dtype is None or plain.dtype == dtype:
        return plain
    # Decimals are no integers and text is no number, while null may be one that is missing.
    fitting = {"i": "biuO", "u": "biuO", "f": "biufO", "c": "biufcO"}.get(dtype.kind)
    if fitting is not None and plain.size and plain.dtype.kind not in fitting:
        raise TypeError(f"it has values of type {plain.dtype}")
    return numpy.asarray(value, dtype=dtype)


def _dtype(numpy: Any, scalar: Any) -> Any:
    try:
        return numpy.dtype(scalar)
    except TypeError:
        return None


def _without_alias(annotation: Any) -> Any:
    """What a `type` statement stands for, which NumPy's own `NDArray` is one of."""
    while (value := getattr(typing.get_origin(annotation) or annotation, "__value__", None)) is not None:
        arguments = typing.get_args(annotation)
        annotation = value[arguments] if arguments else value
    return annotation


def _bare(annotation: Any) -> Any:
    """An annotation without what is only for the schema."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _members(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return set(typing.get_args(annotation))
    return {annotation} if isinstance(annotation, type) else set()


class _Hints:
    """Resolves annotations one by one, so that one unknown name does not lose the others."""

    def __init__(self, function: Callable[..., Any]) -> None:
        inner: Any = inspect.unwrap(function)
        while hasattr(inner, "func") and not hasattr(inner, "__globals__"):
            inner = inner.func
        if isinstance(inner, type) or not hasattr(inner, "__globals__"):
            inner = getattr(inner, "__init__" if isinstance(inner, type) else "__call__", inner)
        inner = getattr(inner, "__func__", inner)
        self._globals = cast("dict[str, Any]", getattr(inner, "__globals__", {}))

    def resolve(self, annotation: Any) -> Any:
        if isinstance(annotation, str):
            try:
                return eval(annotation, dict(self._globals))  # noqa: S307 - the worker's own source text
            except Exception:  # noqa: BLE001 - names that only a type checker sees
                return annotation
        return annotation
