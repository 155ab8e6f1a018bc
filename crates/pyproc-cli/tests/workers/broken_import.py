"""A worker that cannot be imported."""

from pyproc_worker import run_worker  # isort: skip
import no_such_module

no_such_module.prepare()
run_worker()
