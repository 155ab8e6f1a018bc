"""Results become bytes here: MessagePack, JSON, or the bytes that they already are."""

from __future__ import annotations

import datetime
import math
import sys
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BytesLike = bytes | bytearray | memoryview
"""What can be answered as a raw body without being looked at."""


def _plain_value(value: Any) -> Any:
    """Turns what msgspec does not know into what it knows.

    That is NumPy's scalars and arrays, and values of types derived from those that it knows, which
    libraries like to return: pypdf's strings, pandas' timestamps.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return _microseconds(value).tolist() if value.dtype.kind in "mM" else value.tolist()
        if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
            return None if numpy.isnat(value) else _microseconds(value).item()
        if isinstance(value, numpy.floating):
            return float(cast("float", value))
        if isinstance(value, numpy.generic):
            plain: Any = value.item()
            if not isinstance(plain, numpy.generic):
                return plain
    if isinstance(value, _DERIVABLE):
        return _underived(value)
    kind = type(cast("object", value))
    raise TypeError(
        f"a value of type `{kind.__module__}.{kind.__qualname__}` cannot be encoded".replace("`builtins.", "`")
    )


_DERIVABLE: Final = (str, bytes, int, float, datetime.date, datetime.time, datetime.timedelta)
"""Types of which msgspec encodes the values themselves, but not those of derived types."""


def _underived(value: Any) -> Any:
    """The plain value that a value of a derived type is, whatever its own conversions would give."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(memoryview(value))
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime.timedelta):
        return datetime.timedelta(value.days, value.seconds, value.microseconds)
    if value != value:  # noqa: PLR0124 - pandas' NaT says that it is a moment
        return None
    base = next(base for base in (datetime.datetime, datetime.date, datetime.time) if isinstance(value, base))
    return base.fromisoformat(value.isoformat())


def _microseconds(value: Any) -> Any:
    # Nanoseconds would come out as bare integers.
    return value.astype("M8[us]" if value.dtype.kind == "M" else "m8[us]")


encode_msgpack: Final[Callable[[Any], bytes]] = msgspec.msgpack.Encoder(enc_hook=_plain_value).encode
"""Encodes a result as MessagePack; NumPy's scalars and arrays become numbers and lists."""

_encode_json: Final = msgspec.json.Encoder(enc_hook=_plain_value).encode


def encode_json(value: Any) -> bytes:
    """Encodes a result as JSON, which has no NaN and no infinity.

    Raises:
        ValueError: If the value holds one of them.
        TypeError: If the value, or something in it, cannot be encoded.
    """
    body = _encode_json(value)
    # msgspec writes them as null, so a body without null needs no second look.
    if b"null" in body:
        _refuse_non_finite(msgspec.to_builtins(value, enc_hook=_plain_value, str_keys=True), "$")
    return body


def _refuse_non_finite(value: Any, path: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} at {path} cannot be written as JSON")
    elif isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            _refuse_non_finite(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(cast("Iterable[Any]", value)):
            _refuse_non_finite(item, f"{path}[{index}]")


def encode_raw(value: Any) -> BytesLike:
    """The bytes of a bytes-like result or of an array, to be copied once, by the lane.

    Raises:
        TypeError: If the value has no bytes of its own.
    """
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, memoryview):
        view = cast("memoryview[int]", value)
        return view if view.c_contiguous else view.tobytes()
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
        array: Any = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8)
        return memoryview(array)
    kind = type(cast("object", value)).__qualname__
    raise TypeError(f"the caller asked for raw bytes and the function returned `{kind}`")
