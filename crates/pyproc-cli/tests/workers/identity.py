"""What a worker was given, and how it ends."""

import ctypes
import os
import pathlib

from pyproc_worker import expose, run_worker

if "STARTED" in os.environ:
    pathlib.Path(os.environ["STARTED"]).touch()


@expose
def core_limits() -> list[str]:
    """The limit of core files, soft and hard, and which mappings would be part of one."""
    limits = pathlib.Path("/proc/self/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    return [*line.split()[4:6], pathlib.Path("/proc/self/coredump_filter").read_text().strip()]


@expose
def crash() -> None:
    """Reads where nothing is: SIGSEGV."""
    ctypes.string_at(0)


if __name__ == "__main__":
    run_worker()
