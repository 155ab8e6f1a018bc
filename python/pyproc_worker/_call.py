"""The call that runs now, as the code inside it sees it: `current_call()` and `cancel_event`."""

from __future__ import annotations

import functools
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from pyproc_worker import _host
from pyproc_worker._trace import ids, parts

if TYPE_CHECKING:
    from collections.abc import Callable


class Call:
    """A call from the Rust program.

    Args:
        call: Its id.
        deadline_ns: Monotonic nanoseconds at which its caller stops waiting; 0 for never.
        context: What it belongs to, as its record carries it; None for nothing.
    """

    __slots__ = ("_cancelled", "_context", "_deadline_ns", "_id")

    def __init__(self, call: int, deadline_ns: int, context: str | None = None) -> None:
        self._id = call
        self._deadline_ns = deadline_ns
        self._context = context
        self._cancelled = False

    @property
    def id(self) -> int:
        """The call's id, as the Rust program's log shows it."""
        return self._id

    @property
    def remaining(self) -> float | None:
        """Seconds until the caller stops waiting, not below 0; None when it waits for ever."""
        if self._deadline_ns == 0:
            return None
        return max(0.0, (self._deadline_ns - time.monotonic_ns()) / 1e9)

    @property
    def cancelled(self) -> bool:
        """Whether the caller no longer waits."""
        return self._cancelled or _host.is_cancelled(self._id)

    @property
    def traceparent(self) -> str | None:
        """The W3C `traceparent` that the caller has sent with the call; None without one."""
        return None if self._context is None else parts(self._context)[0]

    @property
    def tracestate(self) -> str | None:
        """The W3C `tracestate` that goes with it; None without one."""
        return None if self._context is None else parts(self._context)[1]

    @property
    def request_id(self) -> str | None:
        """The id that the caller has given the call: behind the gateway, the request's `X-Request-Id`."""
        return None if self._context is None else parts(self._context)[2]

    @property
    def origin(self) -> tuple[int, str | None, str | None, str | None]:
        """The ids of call, request, trace and span, for a line that is written now."""
        return self._id, *ids(self._context)

    def mark_cancelled(self) -> None:
        """Notes that the caller no longer waits."""
        self._cancelled = True

    def __repr__(self) -> str:
        return f"<Call {self._id:#x} remaining={self.remaining} cancelled={self.cancelled}>"


coroutine_call: Final[ContextVar[Call | None]] = ContextVar("pyproc_call", default=None)
"""The call of the coroutine that runs now, inherited by the tasks and threads that asyncio starts for it."""


def current_call() -> Call | None:
    """The call that this code runs for.

    Returns:
        The call; None outside of calls, and in threads that a plain function has started.
    """
    call = coroutine_call.get()
    if call is None and threading.get_ident() == threading.main_thread().ident:
        running = _host.running_call()
        if running is not None:
            return Call(*running)
    return call


def current_origin() -> tuple[int, str | None, str | None, str | None]:
    """The ids of call (0 for none), request, trace and span that this code runs for; for log lines."""
    call = current_call()
    return (0, *ids(None)) if call is None else call.origin


class _Events:
    """The events of functions that asked for one."""

    running: threading.Event | None = None
    made: threading.Event | None = None


def with_cancel_event(function: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """Passes a fresh `cancel_event` at every call; a function that has one is told through it, not interrupted.

    Args:
        function: A function with a parameter of that name.
        is_async: Whether it is a coroutine function, whose event is needed for longer than the call that makes it.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        _Events.running = threading.Event()
        try:
            return function(*args, cancel_event=_Events.running, **kwargs)
        finally:
            _Events.running = None

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        _Events.made = threading.Event()
        return function(*args, cancel_event=_Events.made, **kwargs)

    return make if is_async else call


def running_event() -> threading.Event | None:
    """The event of the plain function that runs now, if it asked for one."""
    return _Events.running


def take_made_event() -> threading.Event | None:
    """The event of the coroutine that was made last, if it asked for one."""
    event, _Events.made = _Events.made, None
    return event
