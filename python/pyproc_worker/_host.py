"""The connection to the host, if there is one.

The only module that imports the native half, and only in a process that a pool has started: everything
else works, and is tested, without it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import FrameType, ModuleType

CONTROL_FD: Final = "PYPROC_CONTROL_FD"
"""The environment variable by which a pool passes the control socket."""

DUMP: Final = signal.SIGRTMAX - 3
"""Makes faulthandler write every thread's stack to stderr, without the GIL."""

_STDERR: Final = 2


class _Connection:
    """What this process has; a class, so that there is one place to look for its state."""

    native: Any = None
    pid: int = 0


def connect() -> bool:
    """Takes the control socket that a pool has passed.

    Returns:
        Whether there was one.

    Raises:
        RuntimeError: If pool and package can not work together.
    """
    # Taken out of the environment, so that no child of this process takes itself for a worker.
    descriptor = os.environ.pop(CONTROL_FD, None)
    if descriptor is None:
        return False
    from pyproc_worker import _native  # noqa: PLC0415 - only a worker needs it

    # Ctrl-C is for the host, which then stops its workers in order. A handler, since a signal that is
    # ignored would be ignored by the programs that this process starts, too.
    signal.signal(signal.SIGINT, _nothing)
    faulthandler.enable(file=_STDERR, all_threads=True)
    faulthandler.register(DUMP, file=_STDERR, all_threads=True, chain=False)
    _native.connect(int(descriptor))
    _Connection.native = _native
    _Connection.pid = os.getpid()
    os.register_at_fork(after_in_child=_forget)
    return True


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """Handles a signal by doing nothing about it."""


def _forget() -> None:
    """A forked child is not the worker: its lines go to the pipes, its calls are nobody's."""
    native, _Connection.native = _Connection.native, None
    if native is not None:
        native.forget()


def native() -> ModuleType | None:
    """The native half, None in a process that is not a worker."""
    return _Connection.native


def running_call() -> tuple[int, int, str | None] | None:
    """Id, deadline (monotonic ns, 0 for none) and context of the plain function that runs in the main thread."""
    return None if _Connection.native is None else _Connection.native.running_call()


def is_cancelled(call: int) -> bool:
    """Whether the host has cancelled this call."""
    return _Connection.native is not None and _Connection.native.is_cancelled(call)


def send_log(
    level: int, logger: str, message: str, origin: tuple[int, str | None, str | None, str | None], stream: int
) -> bool:
    """Sends one line to the host.

    Args:
        level: The level in the numbers of `logging`.
        logger: The logger's name, empty for a stream.
        message: The line.
        origin: The call in which it was written, 0 for none, and the ids of its request, trace and span.
        stream: 1 for stdout, 2 for stderr, 0 for `logging`.

    Returns:
        Whether there is a host that took it.
    """
    native = _Connection.native
    if native is None:
        return False
    try:
        return native.log(level, logger, message, origin, stream)
    except UnicodeEncodeError:
        # Lone surrogates (file names), which stderr shows like this, too.
        logger, message = (text.encode("utf-8", "backslashreplace").decode() for text in (logger, message))
        return native.log(level, logger, message, origin, stream)
