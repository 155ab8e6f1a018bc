"""The Python side of pyproc: functions that a Rust program calls as if they were its own.

from pyproc_worker import expose, run_worker

@expose
def predict(req):
    return {"result": req["value"] * 2}

if __name__ == "__main__":
    run_worker()
"""

import sysconfig

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise ImportError("pyproc-worker does not support free-threaded Python yet: use a build with the GIL")

from pyproc_worker import _host
from pyproc_worker._call import Call, current_call
from pyproc_worker._errors import DeadlineExceeded, ExposeError, NoFunctionError
from pyproc_worker._expose import expose
from pyproc_worker._logs import install_streams
from pyproc_worker._report import install_report
from pyproc_worker._run import run_worker

if _host.connect():
    install_streams()
    install_report()

__all__ = ["Call", "DeadlineExceeded", "ExposeError", "NoFunctionError", "current_call", "expose", "run_worker"]
