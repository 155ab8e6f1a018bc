"""Workers that expose coroutines: calls become tasks of one event loop.

Plain functions of such a worker run in the loop's thread, one at a time, between the tasks.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from pyproc_worker._call import Call, coroutine_call, take_made_event
from pyproc_worker._errors import DeadlineExceeded
from pyproc_worker._trace import await_traced, is_traced

if TYPE_CHECKING:
    import threading
    from collections.abc import Coroutine

    from pyproc_worker._native import Started, Worker

_TURN_NS: Final = 5_000_000
"""How long one look into the ring may keep the tasks waiting."""


async def serve(worker: Worker) -> None:
    """Answers calls until the host ends this worker."""
    await _Server(worker, asyncio.get_running_loop()).run()


class _Server:
    """One event loop, one lane.

    Args:
        worker: The lane.
        loop: The loop that runs.
    """

    def __init__(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker = worker
        self._loop = loop
        self._running: dict[int, _Running] = {}
        self._stopped = loop.create_future()
        self._scheduled = False
        # Not that of the task which asks for a look: plain functions, and the tasks that begin then, would inherit it.
        self._context = contextvars.copy_context()

    async def run(self) -> None:
        """Serves until the host says that it is over, then waits for what still runs."""
        bell = self._worker.bell_fd()
        wake = self._worker.wake_fd()
        self._loop.add_reader(bell, self._rung)
        self._loop.add_reader(wake, self._woken, wake)
        self._schedule()
        try:
            await self._stopped
        finally:
            self._loop.remove_reader(bell)
            self._loop.remove_reader(wake)
        await asyncio.gather(*(running.task for running in self._running.values()), return_exceptions=True)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._look, context=self._context)

    def _rung(self) -> None:
        self._worker.woken()
        self._look()

    def _woken(self, wake: int) -> None:
        """The attendant has something: cancelled calls, or the end."""
        os.eventfd_read(wake)
        for call in self._worker.take_cancelled():
            if running := self._running.get(call):
                running.cancel()
        if self._worker.stopping() and not self._stopped.done():
            self._stopped.set_result(None)

    def _look(self) -> None:
        """Starts what the ring holds.

        The host sends no more coroutines than may run at the same time. A limit here would keep plain calls waiting
        behind them.
        """
        self._scheduled = False
        until = time.monotonic_ns() + _TURN_NS
        while True:
            started = self._worker.next()
            if started is None:
                # With nothing else to do, the next call may be worth a short wait.
                if (self._running or not self._worker.spin()) and self._worker.prepare_sleep():
                    return
            elif started is not True:
                self._start(started)
            if time.monotonic_ns() > until:
                self._schedule()
                return

    def _start(self, started: Started) -> None:
        call, coroutine, context = started.call, started.coroutine, started.context
        running = self._running[call] = _Running(Call(call, started.deadline_ns, context), take_made_event())
        if context is not None and is_traced(context):
            coroutine = await_traced(context, started.function, coroutine)
        answer = self._answer(started, running, coroutine)
        running.task = _task(self._loop, answer)

    async def _answer(self, started: Started, running: _Running, coroutine: Coroutine[Any, Any, Any]) -> None:
        coroutine_call.set(running.call)
        try:
            try:
                result = await coroutine
            except asyncio.CancelledError as error:
                self._worker.fail(started, DeadlineExceeded() if running.call.cancelled else error)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it ends this call and no other
                self._worker.fail(started, error)
            else:
                self._worker.finish(started, result)
        except BaseException as error:  # noqa: BLE001 - the lane is broken: the worker ends with this
            if not self._stopped.done():
                self._stopped.set_exception(error)
        finally:
            del self._running[started.call]
            self._schedule()


if sys.version_info >= (3, 12):

    def _task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs to the first real wait at once: a coroutine that waits for nothing costs no turn of the loop."""
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:

    def _task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return loop.create_task(coroutine)


class _Running:
    """A coroutine that has been started and not yet answered.

    Args:
        call: What the code inside sees of it.
        event: Its `cancel_event`, if it asked for one.
    """

    task: asyncio.Task[None]

    def __init__(self, call: Call, event: threading.Event | None) -> None:
        self.call = call
        self._event = event

    def cancel(self) -> None:
        """Tells the coroutine that nobody waits for it any more."""
        self.call.mark_cancelled()
        if self._event is not None:
            self._event.set()
        else:
            self.task.cancel()
