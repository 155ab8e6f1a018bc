"""Tells the host why a worker could not start, before the process ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyproc_worker import _host
from pyproc_worker._errors import StartError, describe_exception

if TYPE_CHECKING:
    from types import TracebackType


def install_report() -> None:
    """Reports the exception that ends this process, unless calls were already welcome by then."""
    before = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        native = _host.native()
        if native is not None and not issubclass(kind, KeyboardInterrupt):
            described = describe_exception(error.with_traceback(None if isinstance(error, StartError) else trace))
            native.start_failed(described["type"], described["message"], described["traceback"])
        before(kind, error, error.__traceback__)

    sys.excepthook = report
