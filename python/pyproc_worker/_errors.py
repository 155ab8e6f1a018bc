"""What went wrong with a call, as the bytes that travel to the Rust side.

Nothing here knows about lanes or records: an exception goes in, a MessagePack map comes out.
"""

from __future__ import annotations

import os
import re
import traceback
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

if TYPE_CHECKING:
    from types import TracebackType

_HERE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MESSAGE_LIMIT: Final = 8 * 1024
_TRACEBACK_LIMIT: Final = 20 * 1024
_EXPECTED: Final = re.compile(r"(?s)^Expected (?P<expected>.*?)(?:, got (?P<got>.*))?$")
_INVALID: Final = re.compile(r"(?s)^Invalid (?P<expected>.*?)(?: (?P<got>['\d].*))?$")
_MISSING: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$")
_UNKNOWN: Final = re.compile(r"^Object contains unknown field `(?P<name>.*)`$")
_encode: Final = msgspec.msgpack.Encoder().encode


class DeadlineExceeded(BaseException):
    """The call that runs now is past its limit, or its caller no longer waits.

    Raised in the middle of a plain function by pyproc, again and again until the call ends. It is a
    `BaseException` so that a handler's `except Exception` does not swallow it.
    """


class StartError(Exception):
    """There is nothing to serve; the message says why, and no stack would say more."""

    __module__ = "pyproc_worker"


class NoFunctionError(StartError):
    """The worker's module exposes nothing."""

    __module__ = "pyproc_worker"


class TargetError(StartError):
    """The module has no such function."""

    __module__ = "pyproc_worker"


class ExposeError(StartError):
    """A function cannot be exposed, or not in the way that its author asked for."""

    __module__ = "pyproc_worker"


class BadArgument(Exception):  # noqa: N818 - named like the error that the caller sees
    """The body does not fit the function's parameters.

    Args:
        path: Where in the body, `$` being the body itself.
        expected: What the function takes there.
        got: What the body has there.
    """

    def __init__(self, path: str, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path = path
        self.expected = expected
        self.got = got

    @classmethod
    def from_validation(cls, error: msgspec.ValidationError) -> BadArgument:
        """Takes msgspec's sentence apart."""
        sentence, _, place = str(error).rpartition(" - at `")
        path = place.removesuffix("`") if sentence else "$"
        sentence = sentence or str(error)
        if match := _MISSING.match(sentence):
            return cls(f"{path}.{match['name']}", "a value", "nothing")
        if match := _UNKNOWN.match(sentence):
            return cls(f"{path}.{match['name']}", "no such field", "one")
        if match := _EXPECTED.match(sentence):
            got = _plain(match["got"] or "something else")
            # What MessagePack's decoder says where JSON's says null.
            return cls(path, _plain(match["expected"]), "null" if got == "None" else got)
        if match := _INVALID.match(sentence):
            return cls(path, f"a valid {_plain(match['expected'])}", match["got"] or "something else")
        return cls(path, "a valid value", f"one that is refused: {_plain(sentence)}")

    def below(self, path: str) -> BadArgument:
        """The same mistake, when the value that was looked at lies at `path` of the body."""
        return BadArgument(path + self.path[1:], self.expected, self.got)


def describe_error(error: BaseException, phase: Literal["decode", "call", "encode"]) -> bytes:
    """Encodes an exception as the body of an error record; never raises.

    Args:
        error: What was raised.
        phase: The part of the call that raised it.
    """
    try:
        return _encode(_describe(error, phase))
    except BaseException:  # noqa: BLE001 - an exception whose own methods raise must not end the worker
        return _encode(
            {"code": "python", "type": _type_name(error), "message": "", "traceback": ""},
        )


def _describe(error: BaseException, phase: str) -> dict[str, str]:
    if isinstance(error, BadArgument):
        return {"code": "bad_argument", "path": error.path, "expected": error.expected, "got": error.got}
    if phase == "decode":
        if isinstance(error, msgspec.ValidationError):
            return _describe(BadArgument.from_validation(error), phase)
        if isinstance(error, (msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
            return {"code": "malformed", "message": _text(error)}
    if phase == "encode":
        return {"code": "bad_result", "message": _text(error)}
    return {"code": "python", **describe_exception(error)}


def describe_exception(error: BaseException) -> dict[str, str]:
    """Type, message and traceback of an exception, without the frames of this package."""
    return {
        "type": _type_name(error),
        "message": _text(error),
        "traceback": _shorten(_format(error), _TRACEBACK_LIMIT),
    }


def _format(error: BaseException) -> str:
    try:
        _trim(error, set())
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - the user's __str__, __repr__ or __notes__ may do anything
        frames = "".join(traceback.format_tb(error.__traceback__))
        return f"Traceback (most recent call last):\n{frames}{_type_name(error)}\n"


def _trim(error: BaseException | None, seen: set[int]) -> None:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = _theirs(error.__traceback__)
        if isinstance(error, BaseExceptionGroup):
            for inner in cast("BaseExceptionGroup[Any]", error).exceptions:
                _trim(inner, seen)
        _trim(error.__cause__, seen)
        error = error.__context__


def _theirs(frames: TracebackType | None) -> TracebackType | None:
    """Without our frames at either end; all of it where there are no others."""
    first = frames
    while first is not None and _is_ours(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    last = frame = first
    while frame is not None:
        if not _is_ours(frame.tb_frame.f_code.co_filename):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None
    return first


def _is_ours(filename: str) -> bool:
    return filename.startswith((_HERE, "<frozen importlib", "<frozen runpy"))


def _type_name(error: BaseException) -> str:
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module in {"builtins", "__main__"} else f"{module}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the user's __str__ may do anything
        text = "(the exception's own text could not be made)"
    # Lone surrogates (file names) cannot be written as UTF-8.
    return _shorten(text.encode("utf-8", "backslashreplace").decode(), _MESSAGE_LIMIT)


def _shorten(text: str, limit: int) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _plain(text: str) -> str:
    return text.replace("`", "")
