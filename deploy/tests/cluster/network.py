"""A network of its own: ports are free in it, and nothing but loopback can be reached."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

NEEDED = ("unshare", "nsenter", "setpriv", "ip", "openssl")


def missing() -> list[str]:
    """Programs that are needed and not there."""
    return [program for program in NEEDED if not shutil.which(program)]


class Network:
    """Processes in one network namespace; all of them end with the test run, however it ends."""

    def __init__(self, logs: Path, link: Path | None = None) -> None:
        """With a link to its namespace: a network that another process has made and will end."""
        self.logs = logs
        self._processes: list[subprocess.Popen[bytes]] = []
        if link:
            self.link = link
            return
        holder = self.start("network", "unshare", "--net", "sleep", "infinity", inside=False)
        self.link = Path(f"/proc/{holder.pid}/ns/net")
        own = Path("/proc/self/ns/net").readlink()
        wait_until("the network", lambda: self.link.readlink() != own)
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def entered(self, *command: str | Path) -> list[str]:
        """The command line that runs a command in here."""
        return ["nsenter", f"--net={self.link}", "--", *map(str, command)]

    def add_address(self, address: str) -> None:
        """An address that processes in here can listen at and reach."""
        self.run("ip", "address", "add", f"{address}/32", "dev", "lo")

    def start(self, log: str, *command: str | Path, inside: bool = True, **more: Any) -> subprocess.Popen[bytes]:
        """Starts what runs until the end; what it writes goes to a file of this name."""
        line = self.entered(*command) if inside else list(map(str, command))
        with (self.logs / f"{log}.log").open("ab") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *line],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **more,
            )
        self._processes.append(process)
        return process

    def log(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.logs / f"{name}.log").read_text(errors="replace")[-4000:]

    def attempt(self, *command: str | Path, text: str | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in here that may fail."""
        return subprocess.run(
            self.entered(*command), input=text, capture_output=True, text=True, check=False, timeout=120, **more
        )

    def run(self, *command: str | Path, text: str | None = None, **more: Any) -> str:
        """Runs a command in here that has to succeed; what it printed."""
        done = self.attempt(*command, text=text, **more)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        return done.stdout


def wait_until(what: str, is_so: Callable[[], bool], why: Callable[[], str] = str, seconds: float = 90) -> None:
    """Looks until it is so. The limit is against hangs: it says what was waited for, and why it may not come."""
    watchdog = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < watchdog, f"waited for {what}\n{why()}"
        time.sleep(0.05)
