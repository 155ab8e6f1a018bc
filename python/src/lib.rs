//! The native half of `pyproc_worker`.
