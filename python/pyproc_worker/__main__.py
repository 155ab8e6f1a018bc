"""`python -m pyproc_worker MODULE[:FUNCTION]`: how a pool starts a worker from a module."""

from __future__ import annotations

import sys
from typing import Final

from pyproc_worker import _host
from pyproc_worker._run import run_functions
from pyproc_worker._target import load_target

_USAGE: Final = 2


def main(arguments: list[str]) -> int:
    """Runs a worker.

    Args:
        arguments: The command line without the program: the target, and arguments for its module.

    Returns:
        The exit status.
    """
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m pyproc_worker MODULE[:FUNCTION] [ARGUMENT]...", file=sys.stderr)
        return _USAGE
    target = arguments[0]
    if _host.native() is None:
        print(
            f"{target} is started as a worker by a Rust program through pyproc::Pool, "
            f"or by you with `pyproc call {target}`.",
            file=sys.stderr,
        )
        return _USAGE
    sys.argv = list(arguments)
    run_functions(load_target(target))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
