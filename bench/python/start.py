"""A worker that takes long to import."""

from imports import pid
from pyproc_worker import expose, run_worker

expose(pid)

if __name__ == "__main__":
    run_worker()
