"""What the tests share."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pyproc_worker._errors import describe_error
from pyproc_worker._expose import exposure_of
from pyproc_worker._function import Function


class Caller:
    """Does with one function what the native loop does."""

    def __init__(self, function: Any, **options: Any) -> None:
        self.function = Function(exposure_of(function, **{"name": "f", **options}), 0)

    def msgpack(self, value: Any) -> Any:
        return self._call(self.function.decode_msgpack, msgspec.msgpack.encode(value))

    def json(self, text: str) -> Any:
        return self._call(self.function.decode_json, text.encode())

    def raw(self, body: bytes) -> Any:
        return self._call(self.function.decode_raw, body)

    def empty(self) -> Any:
        try:
            return self.function.call_empty()
        except BaseException as error:
            return self._describe(error, "call")

    def both(self, value: Any) -> Any:
        """The same outcome from MessagePack and from JSON."""
        one, two = self.msgpack(value), self.json(json.dumps(value))
        assert one == two
        return one

    def _call(self, decode: Any, body: Any) -> Any:
        phase = "decode"
        try:
            value = decode(memoryview(body))
            assert decode(body) is not None or value is None
            phase = "call"
            return self.function.target(value)
        except BaseException as error:
            return self._describe(error, phase)

    @staticmethod
    def _describe(error: BaseException, phase: Any) -> tuple[str, ...]:
        described = msgspec.msgpack.decode(describe_error(error, phase))
        return tuple(described.values())


@pytest.fixture
def caller() -> type[Caller]:
    return Caller
