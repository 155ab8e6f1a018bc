"""`logging` records and lines written to stdout and stderr travel to the host with the ids of call, request and trace.

What is written beside Python (C code, child processes) goes through the pipes of descriptors 1 and 2,
which the host reads too; only the ids are missing then.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import Any, Final, TextIO, cast

from pyproc_worker import _host
from pyproc_worker._call import current_origin

STDOUT: Final = 1
STDERR: Final = 2

_LINE_LIMIT: Final = 8 * 1024


class HostHandler(logging.Handler):
    """Sends records to the host, which has its own idea of time, colour and format."""

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record; its exception and stack follow the message."""
        try:
            message = self.format(record)
            sent = _host.send_log(record.levelno, record.name, message, current_origin(), 0)
            if not sent and sys.__stderr__ is not None:
                sys.__stderr__.write(message + "\n")
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


class HostStream(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`: whole lines go to the host with the ids of what they belong to.

    Args:
        pipe: The stream that it stands for; written to when there is no host.
        number: `STDOUT` or `STDERR`.
    """

    def __init__(self, pipe: TextIO, number: int) -> None:
        super().__init__()
        self._pipe = pipe
        self._number = number
        self._partial = threading.local()

    def write(self, text: str, /) -> int:
        """Takes text; what does not end with a line break waits for the rest or for `flush`."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        rest: str = getattr(self._partial, "text", "") + text
        if "\n" in text or len(rest) > _LINE_LIMIT:
            *lines, rest = rest.split("\n")
            if len(rest) > _LINE_LIMIT:
                lines, rest = [*lines, rest], ""
            self._partial.text = rest
            for line in lines:
                self._send(line)
        else:
            self._partial.text = rest
        return len(text)

    def flush(self) -> None:
        """Sends what waits for its line break."""
        rest: str = getattr(self._partial, "text", "")
        if rest:
            self._partial.text = ""
            self._send(rest)
        self._pipe.flush()

    def _send(self, line: str) -> None:
        level = logging.INFO if self._number == STDOUT else logging.WARNING
        origin = current_origin()
        for start in range(0, max(len(line), 1), _LINE_LIMIT):
            part = line[start : start + _LINE_LIMIT]
            if not _host.send_log(level, "", part, origin, self._number):
                self._pipe.write(part + "\n")

    def fileno(self) -> int:
        """The descriptor of the pipe, for those who write to it directly."""
        return self._pipe.fileno()

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def writable(self) -> bool:
        """It can be written."""
        return True

    @property
    def buffer(self) -> Any:
        """The binary stream of the pipe."""
        return self._pipe.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the pipe."""
        return self._pipe.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How the pipe encodes what its encoding does not know."""
        return self._pipe.errors

    @property
    def line_buffering(self) -> bool:
        """Lines leave at once."""
        return True

    @property
    def name(self) -> str:
        """The name that the stream had."""
        return cast("str", self._pipe.name)

    @property
    def mode(self) -> str:
        """The mode that the stream had."""
        return self._pipe.mode

    def reconfigure(self, **options: Any) -> None:
        """Reconfigures the pipe."""
        cast("io.TextIOWrapper", self._pipe).reconfigure(**options)


def install_streams() -> None:
    """Puts `HostStream` in the place of stdout and stderr, and catches what `logging` says unconfigured."""
    for name, number in (("stdout", STDOUT), ("stderr", STDERR)):
        pipe: TextIO | None = getattr(sys, name)
        if pipe is not None:
            setattr(sys, name, HostStream(pipe, number))
    logging.lastResort = HostHandler(logging.WARNING)


def install_handler() -> None:
    """Sends the root logger's records to the host, instead of the terminal that the worker does not have."""
    root = logging.getLogger()
    level = logging.NOTSET
    terminals = {id(stream) for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}
    for handler in list(root.handlers):
        if isinstance(handler, HostHandler):
            return
        if type(handler) is logging.StreamHandler:
            terminal = cast("logging.StreamHandler[Any]", handler)
            if id(terminal.stream) in terminals:
                level = terminal.level
                root.removeHandler(terminal)
    root.addHandler(HostHandler(level))
