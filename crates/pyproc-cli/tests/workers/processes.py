"""Functions about processes of the container that a worker runs in."""

import os
import pathlib
import signal
import subprocess
import time

from pyproc_worker import expose, run_worker


@expose
def orphan() -> int:
    """Leaves a process that has no parent any more and ends soon; its number."""
    shell = subprocess.run(["sh", "-c", "sleep 0.1 >/dev/null & echo $!"], capture_output=True, check=True)
    return int(shell.stdout)


@expose
def is_there(process: int) -> bool:
    """Whether it has not been reaped."""
    return os.path.exists(f"/proc/{process}")


@expose
def kill_gateway() -> None:
    """Ends the process that started this worker."""
    os.kill(os.getppid(), signal.SIGKILL)


@expose
def between(begun: str, end: str) -> str:
    """Makes the first file, and ends when the second is there."""
    pathlib.Path(begun).touch()
    while not os.path.exists(end):
        time.sleep(0.01)
    return "done"


if __name__ == "__main__":
    run_worker()
