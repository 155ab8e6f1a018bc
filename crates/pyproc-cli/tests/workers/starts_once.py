"""A worker that comes up once, and afterwards finds the file that it has left."""

import os

from pyproc_worker import expose, run_worker

MARK = os.environ["STARTS_ONCE_MARK"]
if os.path.exists(MARK):
    raise RuntimeError("cannot connect with password=hunter2")
with open(MARK, "x", encoding="utf-8"):
    pass


@expose
def hello() -> str:
    return "hello"


@expose
def die() -> None:
    os._exit(3)


if __name__ == "__main__":
    run_worker()
