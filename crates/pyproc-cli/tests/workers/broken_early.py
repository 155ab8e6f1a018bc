"""A worker that cannot be imported; it fails before pyproc_worker is there to say so."""

import no_such_module
from pyproc_worker import run_worker

no_such_module.prepare()
run_worker()
