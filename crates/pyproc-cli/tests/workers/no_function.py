"""A worker that exposes nothing."""

from pyproc_worker import run_worker

run_worker()
