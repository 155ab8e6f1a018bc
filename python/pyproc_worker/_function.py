"""The function table: everything that the native loop needs to know, as plain attributes."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from pyproc_worker._call import with_cancel_event
from pyproc_worker._expose import Exposure, exposure_of
from pyproc_worker._mapping import map_body
from pyproc_worker._parameters import inspect_parameters
from pyproc_worker._schema import encoded, result_schema

if TYPE_CHECKING:
    from collections.abc import Iterable


class Function:
    """One exposed function, loaded: its announcement to the host and its way through a call.

    Args:
        exposure: The function and what its author said about it.
        number: What call records name it by.

    Raises:
        ExposeError: If bodies can not become its arguments in the way that its author asked for.
    """

    def __init__(self, exposure: Exposure, number: int) -> None:
        parameters = inspect_parameters(exposure.function)
        function = exposure.function
        if parameters is not None and parameters.cancel_event:
            function = with_cancel_event(function, is_async=exposure.is_async)
        mapping = map_body(function, parameters, whole=exposure.whole)

        self.number = number
        self.name = exposure.name
        self.is_async = exposure.is_async
        self.timeout_ns = exposure.timeout_ns
        self.signature = parameters.text.replace("__main__.", "") if parameters is not None else "(...)"
        self.doc = inspect.getdoc(exposure.function)
        self.body_mapping = mapping.description
        self.parameters = encoded(mapping.schema)
        self.returns = encoded(result_schema(parameters.returns if parameters is not None else inspect.Parameter.empty))

        self.decode_msgpack = mapping.decode_msgpack
        self.decode_json = mapping.decode_json
        self.decode_raw = mapping.decode_raw
        self.target = mapping.target
        self.call_empty = mapping.call_empty
        self.wants_raw = mapping.wants_raw


def load(exposures: Iterable[Exposure], *, health: bool = True) -> list[Function]:
    """Makes the function table.

    Args:
        exposures: What the worker's own code exposes.
        health: Whether the built-in `health` is there too; a function of that name wins over it.
    """
    chosen = list(exposures)
    if health and all(exposure.name != "health" for exposure in chosen):
        chosen.append(exposure_of(_health, name="health"))
    return [Function(exposure, number) for number, exposure in enumerate(chosen)]


def _health(request: object = None) -> dict[str, Any]:  # noqa: ARG001 - callers of the older pyproc send a body
    """Says that the worker answers (built in)."""
    return {"status": "healthy", "pid": os.getpid()}
