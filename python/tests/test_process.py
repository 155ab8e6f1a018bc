"""What a worker says when no pool has started it, and what stands beside the calls."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyproc_worker import _host, current_call
from pyproc_worker._call import Call, coroutine_call, running_event, with_cancel_event
from pyproc_worker._logs import STDERR, HostHandler, HostStream, install_handler

HERE = Path(__file__).parent.parent


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=HERE, timeout=60, check=False, **options
    )


def test_started_by_hand(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(HERE)!r})\nimport pyproc_worker as p\np.run_worker()\n")
    done = run(str(script))
    assert done.returncode == 2
    assert done.stderr == (
        "worker.py is a worker of pyproc: a Rust program starts it through pyproc::Pool, "
        "or you do with `pyproc call worker.py FUNCTION`.\n"
    )


def test_the_module_started_by_hand():
    done = run("-m", "pyproc_worker", "math:hypot")
    assert done.returncode == 2
    assert "`pyproc call math:hypot`" in done.stderr
    assert run("-m", "pyproc_worker").stderr.startswith("usage: python -m pyproc_worker MODULE")


def test_arguments_of_the_older_run_worker_are_ignored_with_a_warning(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "import pyproc_worker as p\np.run_worker(socket_path='/x', codec_type='json')\n"
    )
    done = run(str(script))
    assert "run_worker() ignores socket_path, codec_type" in done.stderr


def test_importing_costs_no_native_module():
    done = run("-c", "import sys, pyproc_worker; print('pyproc_worker._native' in sys.modules)")
    assert done.stdout == "False\n"


@pytest.fixture
def sent(monkeypatch):
    lines = []

    def log(level, logger, message, origin, stream):
        lines.append((level, logger, message, origin, stream))
        return True

    monkeypatch.setattr(_host, "send_log", log)
    return lines


def test_lines_of_a_stream(sent):
    pipe = io.StringIO()
    stream = HostStream(pipe, STDERR)
    print("one", "line", file=stream)
    print("a\nb\nc", end="", file=stream)
    assert [line[2] for line in sent] == ["one line", "a", "b"]
    stream.flush()
    stream.flush()
    assert [line[2] for line in sent] == ["one line", "a", "b", "c"]
    assert sent[0] == (logging.WARNING, "", "one line", (0, None, None, None), STDERR)
    stream.write("x" * 20_000 + "\n")
    assert "".join(line[2] for line in sent[4:]) == "x" * 20_000
    assert max(len(line[2]) for line in sent) <= 8192
    print(file=stream)
    assert sent[-1][2] == ""
    assert pipe.getvalue() == ""
    with pytest.raises(TypeError):
        stream.write(b"x")
    assert stream.writable()
    assert not stream.isatty()


def test_without_a_host_lines_go_to_the_pipe():
    pipe = io.StringIO()
    print("hello", file=HostStream(pipe, STDERR))
    assert pipe.getvalue() == "hello\n"


def test_logging(sent):
    root = logging.getLogger()
    before = list(root.handlers)
    root.handlers.clear()
    try:
        terminal = logging.StreamHandler(sys.stderr)
        kept = logging.StreamHandler(io.StringIO())
        terminal.setLevel(logging.ERROR)
        root.addHandler(terminal)
        root.addHandler(kept)
        install_handler()
        install_handler()
        assert [type(handler) for handler in root.handlers] == [logging.StreamHandler, HostHandler]
        assert root.handlers[0] is kept
        logging.getLogger("app.db").error("slow %s", "query")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("app").exception("broken")
        logging.getLogger("app").warning("below the level that the worker had chosen")
    finally:
        root.handlers[:] = before
    assert sent[0] == (logging.ERROR, "app.db", "slow query", (0, None, None, None), 0)
    assert sent[1][2].startswith("broken\nTraceback")
    assert len(sent) == 2


def test_no_call():
    assert current_call() is None


def test_the_call_of_a_coroutine():
    token = coroutine_call.set(Call(7, time.monotonic_ns() + 10**9))
    try:
        call = current_call()
        assert call.id == 7
        assert 0.9 < call.remaining <= 1
        assert not call.cancelled
        call.mark_cancelled()
        assert call.cancelled
        assert Call(1, 1).remaining == 0.0
        assert Call(1, 0).remaining is None
    finally:
        coroutine_call.reset(token)


def test_cancel_event():
    seen = []

    def work(req, cancel_event):
        seen.append(running_event() is cancel_event)
        running_event().set()
        return cancel_event.is_set()

    assert with_cancel_event(work, is_async=False)(1)
    assert seen == [True]
    assert running_event() is None
