//! pyproc.
