//! The native half of `pyproc_worker`: takes calls from the lane, runs them, answers them.
//!
//! What a body means, what a result looks like as bytes and what an exception says is decided in
//! Python, once per function, as callables that this module calls. It looks nothing up while it runs.

mod answer;
mod body;
mod connection;
mod coroutines;
mod object;
mod serve;
mod table;
mod worker;

use pyo3::prelude::*;

/// The module `pyproc_worker._native`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::connection::{
        connect, forget, interrupt_pending, is_cancelled, log, running_call, start_failed,
    };
    #[pymodule_export]
    use crate::coroutines::Started;
    #[pymodule_export]
    use crate::worker::Worker;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
