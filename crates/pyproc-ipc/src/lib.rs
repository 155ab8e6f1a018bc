//! pyproc-ipc.
