"""The first messages, with the installed package and a host that is this test."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import subprocess
import sys

import msgspec
import pytest

WELCOME = {
    "protocol": 1,
    "version": "0.1.0",
    "lane_bytes": 4096 + 2 * 1024 * 1024,
    "worker": 0,
    "generation": 1,
    "max_concurrency": 8,
    "spin_ns": 0,
    "max_body": 1 << 20,
}


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory):
    probe = [sys.executable, "-c", "import pyproc_worker._native"]
    if subprocess.run(probe, cwd=tmp_path_factory.mktemp("cwd"), capture_output=True, check=False).returncode:
        pytest.skip("the wheel is not installed")


class Host:
    """A worker that has been started, and what it says."""

    def __init__(self, folder, script, *arguments):
        self.socket, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        path = folder / "worker.py"
        path.write_text(script)
        self.process = subprocess.Popen(
            [sys.executable, *(arguments or [path])],
            cwd=folder,
            env={**os.environ, "PYPROC_CONTROL_FD": str(worker.fileno())},
            pass_fds=[worker.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        worker.close()

    def welcome(self, **changes):
        memory = os.memfd_create("lane", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, WELCOME["lane_bytes"])
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self.bell, bell = socket.socketpair()
        ringer, self.heard = socket.socketpair()
        message = msgspec.msgpack.encode({"Welcome": {**WELCOME, **changes}})
        fds = array.array("i", [memory, bell.fileno(), ringer.fileno()])
        self.socket.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        os.close(memory)
        bell.close()
        ringer.close()

    def messages(self):
        """Everything that the worker says until it ends or is ready."""
        while message := self.socket.recv(65536):
            decoded = msgspec.msgpack.decode(message)
            yield decoded
            if "Ready" in decoded:
                return

    def end(self):
        self.socket.close()
        with contextlib.suppress(AttributeError):
            self.bell.close()
            self.heard.close()
        return (*self.process.communicate(timeout=60), self.process.returncode)


@pytest.fixture
def start(tmp_path):
    hosts = []

    def start(script, *arguments):
        hosts.append(Host(tmp_path, script, *arguments))
        return hosts[-1]

    yield start
    for host in hosts:
        host.end()


SCRIPT = """
import logging, os, sys
from pyproc_worker import expose, run_worker

@expose(timeout="10m")
def predict(req: dict[str, int]) -> int:
    "Predicts."
    return 1

if __name__ == "__main__":
    print("loading", os.environ.get("PYPROC_CONTROL_FD"))
    logging.getLogger("app").warning("careful")
    run_worker()
"""


def test_functions_and_ready(start):
    host = start(SCRIPT)
    host.welcome()
    messages = list(host.messages())
    logs = [message["Log"] for message in messages if "Log" in message]
    assert [(log["message"], log["stream"], log["level"]) for log in logs] == [
        ("loading None", "Stdout", "Info"),
        ("careful", None, "Warn"),
    ]
    functions = [message["Function"] for message in messages if "Function" in message]
    assert [f["name"] for f in functions] == ["predict", "health"]
    assert functions[0]["timeout_ns"] == 600 * 10**9
    assert functions[0]["signature"] == "(req: dict[str, int]) -> int"
    assert functions[0]["doc"] == "Predicts."
    ready = messages[-1]["Ready"]
    assert ready["protocol"] == 1
    assert ready["pid"] == host.process.pid
    assert ready["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_end_of_the_host_ends_the_worker(start):
    host = start(SCRIPT)
    host.welcome()
    assert "Ready" in list(host.messages())[-1]
    assert host.end()[2] == -9


def test_shutdown(start):
    host = start(SCRIPT + "    print('after', flush=True)\n")
    host.welcome()
    assert "Ready" in list(host.messages())[-1]
    host.socket.send(msgspec.msgpack.encode("Shutdown"))
    assert msgspec.msgpack.decode(host.socket.recv(65536))["Log"]["message"] == "after"
    assert host.process.wait(60) == 0


def test_a_protocol_of_the_future(start):
    host = start(SCRIPT)
    host.welcome(protocol=99, version="9.9.9")
    (rejected,) = host.messages()
    reason = rejected["Rejected"]["reason"]
    version = rejected["Rejected"]["version"]
    assert reason == (
        f"pyproc-worker {version} (protocol 1) and pyproc 9.9.9 (protocol 99) cannot work together: "
        "install the pyproc-worker of version 9.9.9"
    )
    _, stderr, status = host.end()
    assert stderr.rstrip().endswith(reason)
    assert status == 1


def test_an_exception_while_loading(start):
    host = start("import pyproc_worker\ndef f(): raise ValueError('no model')\nf()\n")
    host.welcome()
    failed = next(message["StartFailed"] for message in host.messages() if "StartFailed" in message)
    assert (failed["type"], failed["message"]) == ("ValueError", "no model")
    assert failed["traceback"].startswith("Traceback (most recent call last):\n")
    assert failed["traceback"].count("worker.py") == 2


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            "import pyproc_worker as p\np.run_worker()\n",
            "pyproc_worker.NoFunctionError",
            "worker.py exposes no function: put @expose above one",
        ),
        (
            "import pyproc_worker as p\n@p.expose\ndef f(): yield 1\n",
            "pyproc_worker.ExposeError",
            "`f` ({script}:2) is a generator, which cannot be exposed yet; return a list instead",
        ),
    ],
)
def test_what_cannot_be_served(start, tmp_path, script, kind, message):
    host = start(script)
    host.welcome()
    failed = next(m["StartFailed"] for m in host.messages() if "StartFailed" in m)
    assert (failed["type"], failed["message"]) == (kind, message.format(script=tmp_path / "worker.py"))
    assert host.process.wait(60) == 1


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        ("math", "pyproc_worker.NoFunctionError", "math exposes no function: put @expose above one, or name one as"),
        ("math:hypott", "pyproc_worker.TargetError", "module `math` has no function `hypott`; did you mean `hypot`?"),
        ("no_such", "pyproc_worker.TargetError", "there is no module `no_such` in /"),
    ],
)
def test_targets_that_cannot_be_served(start, target, kind, message):
    host = start("", "-m", "pyproc_worker", target)
    host.welcome()
    failed = next(m["StartFailed"] for m in host.messages() if "StartFailed" in m)
    assert failed["type"] == kind
    assert failed["message"].startswith(message)


@pytest.mark.parametrize("descriptor", ["77", "-1"])
def test_a_descriptor_that_is_no_socket(tmp_path, descriptor):
    environment = {**os.environ, "PYPROC_CONTROL_FD": descriptor}
    command = [sys.executable, "-c", "import pyproc_worker"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"descriptor {descriptor} is no connection to a pool" in done.stderr
    assert done.returncode == 1
