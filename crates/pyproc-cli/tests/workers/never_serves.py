"""A worker that forgets to call run_worker()."""

from pyproc_worker import expose


@expose
def double(req):
    return req * 2
