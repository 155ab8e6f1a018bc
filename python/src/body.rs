//! A large body as Python sees it: memory that is only mapped for reading, free again when the last
//! reference to it goes.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyproc_ipc::store::RequestView;

use crate::object::Object;

/// The owner of one turn of a request segment; what handlers get is a `memoryview` of it.
#[pyclass(frozen, module = "pyproc_worker._native")]
pub(crate) struct SegmentBody {
    view: RequestView,
}

impl SegmentBody {
    /// Makes the `memoryview`.
    pub(crate) fn memoryview(py: Python<'_>, view: RequestView) -> PyResult<Object> {
        let owner = Bound::new(py, Self { view })?;
        // SAFETY: the GIL is held, `owner` lives and exports a buffer; the result is a new reference.
        let view = unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyMemoryView_FromObject(owner.as_ptr()))
        }?;
        Ok(Object::from_py(view.unbind()))
    }
}

#[pymethods]
impl SegmentBody {
    /// Exports the bytes, read-only.
    ///
    /// # Safety
    /// Called by Python, with a structure to fill in.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = slf.get().view.bytes();
        // SAFETY: the buffer keeps a reference to `slf`, whose bytes stay where they are, and is
        // marked read-only, as the mapping is. On failure an exception is set.
        let result = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len() as ffi::Py_ssize_t,
                1,
                flags,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(slf.py()))
        }
    }
}
