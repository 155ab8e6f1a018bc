"""`run_worker()`: from a loaded module to a worker that answers calls."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pyproc_worker import _export, _host
from pyproc_worker._call import running_event
from pyproc_worker._encode import encode_json, encode_msgpack, encode_raw
from pyproc_worker._errors import DeadlineExceeded, NoFunctionError, describe_error
from pyproc_worker._expose import registry
from pyproc_worker._function import Function, load
from pyproc_worker._logs import install_handler
from pyproc_worker._trace import call_traced, prepare

if TYPE_CHECKING:
    from types import FrameType

INTERRUPT: Final = signal.SIGRTMAX - 2
"""Asks the main thread to look whether its call has been cancelled."""

_USAGE: Final = 2


def run_worker(socket_path: str | None = None, **ignored: Any) -> None:
    """Answers calls until the pool ends this worker; the one thing that a worker's script has to call.

    Args:
        socket_path: Accepted for scripts that were written for the older pyproc, and ignored.
        **ignored: The same.

    Raises:
        NoFunctionError: If no function is exposed.
        RuntimeError: If it is not called from the main thread.
    """
    if socket_path is not None or ignored:
        names = (["socket_path"] if socket_path is not None else []) + sorted(ignored)
        warnings.warn(
            f"run_worker() ignores {', '.join(names)}: the pool passes everything that a worker needs",
            stacklevel=2,
        )
    if _host.native() is None:
        _explain()
    exposures = registry.exposures()
    if not exposures:
        raise NoFunctionError(f"{_script()} exposes no function: put @expose above one")
    run_functions(load(exposures))


def run_functions(functions: list[Function]) -> None:
    """Announces functions to the host and answers calls of them until the pool ends this worker.

    Raises:
        RuntimeError: If it is not called from the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("run_worker() has to be called from the main thread, where signals arrive")
    native: Any = _host.native()
    install_handler()
    finish = _export.start()
    prepare()
    signal.signal(INTERRUPT, _interrupt)
    worker = native.Worker(functions, encode_msgpack, encode_json, encode_raw, describe_error, call_traced)
    # What has been loaded stays: no collection of garbage needs to look at it again.
    gc.freeze()
    worker.announce()
    try:
        _serve(worker, functions)
    finally:
        finish()


def _serve(worker: Any, functions: list[Function]) -> None:
    if any(function.is_async for function in functions):
        # Half of what importing this package would cost, for workers that need it.
        import asyncio  # noqa: PLC0415

        from pyproc_worker._coroutines import serve  # noqa: PLC0415

        asyncio.run(serve(worker))
    else:
        worker.serve()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Ends the call that runs now if, and only if, it is the one that the host has cancelled."""
    native: Any = _host.native()
    if native is None or not native.interrupt_pending():
        return
    event = running_event()
    if event is None:
        raise DeadlineExceeded("the caller no longer waits for this call")
    event.set()


def _explain() -> NoReturn:
    print(
        f"{_script()} is a worker of pyproc: a Rust program starts it through pyproc::Pool, "
        f"or you do with `pyproc call {_script()} FUNCTION`.",
        file=sys.stderr,
    )
    raise SystemExit(_USAGE)


def _script() -> str:
    return os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "this program"
