//! The few steps between Python objects that every call takes, as directly as the C API has them.
//!
//! Everything here needs the GIL, which the `Python` token stands for.

use std::ffi::c_char;
use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::prelude::*;

/// A reference that this side owns.
pub(crate) struct Object(NonNull<ffi::PyObject>);

impl Object {
    /// Takes a new reference; null is an exception that is set.
    #[inline]
    fn from_new(_py: Python<'_>, pointer: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(pointer).map(Self)
    }

    /// The object, still owned here.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// Makes a `bytes` object by copying.
    #[inline]
    pub(crate) fn bytes(py: Python<'_>, bytes: &[u8]) -> Option<Self> {
        // A slice is never longer than isize::MAX.
        let length = bytes.len() as ffi::Py_ssize_t;
        // SAFETY: the GIL is held; `length` bytes can be read.
        let pointer =
            unsafe { ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast::<c_char>(), length) };
        Self::from_new(py, pointer)
    }

    /// Hands the object to PyO3.
    pub(crate) fn into_py(self, py: Python<'_>) -> Py<PyAny> {
        let pointer = self.0.as_ptr();
        std::mem::forget(self);
        // SAFETY: an owned reference to a live object.
        unsafe { Bound::from_owned_ptr(py, pointer) }.unbind()
    }

    /// Takes the object from PyO3.
    pub(crate) fn from_py(object: Py<PyAny>) -> Self {
        // SAFETY: `into_ptr` gives an owned reference, which is never null.
        Self(unsafe { NonNull::new_unchecked(object.into_ptr()) })
    }

    /// Is it `bytes`, `bytearray` or `memoryview` itself?
    #[inline]
    pub(crate) fn is_bytes_like(&self) -> bool {
        // SAFETY: a live object, and the addresses of static types.
        unsafe {
            let kind = ffi::Py_TYPE(self.as_ptr());
            kind == &raw mut ffi::PyBytes_Type
                || kind == &raw mut ffi::PyByteArray_Type
                || kind == &raw mut ffi::PyMemoryView_Type
        }
    }

    /// The content of a `bytes` object, which cannot change; None for any other.
    #[inline]
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        // SAFETY: a live object; the pointer and length describe its content, which lives as long.
        unsafe {
            if ffi::PyBytes_CheckExact(self.as_ptr()) == 0 {
                return None;
            }
            let data = ffi::PyBytes_AsString(self.as_ptr()).cast::<u8>();
            let length = ffi::PyBytes_Size(self.as_ptr());
            Some(std::slice::from_raw_parts(data, length.cast_unsigned()))
        }
    }
}

impl Drop for Object {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: an owned reference. The GIL is held: whoever gives it up has it back before it
        // returns (`WithoutGil`), and no object is handed to another thread.
        unsafe { ffi::Py_DECREF(self.0.as_ptr()) }
    }
}

/// Calls with one argument; None when an exception is set.
#[inline]
pub(crate) fn call1(py: Python<'_>, callable: &Py<PyAny>, argument: &Object) -> Option<Object> {
    // SAFETY: the GIL is held, all objects live, and the list of arguments ends with null.
    let result = unsafe {
        ffi::PyObject_CallFunctionObjArgs(
            callable.as_ptr(),
            argument.as_ptr(),
            ptr::null_mut::<ffi::PyObject>(),
        )
    };
    Object::from_new(py, result)
}

/// Calls without arguments; None when an exception is set.
#[inline]
pub(crate) fn call0(py: Python<'_>, callable: &Py<PyAny>) -> Option<Object> {
    // SAFETY: the GIL is held and the callable lives.
    Object::from_new(py, unsafe { ffi::PyObject_CallNoArgs(callable.as_ptr()) })
}

/// The bytes of an object that has them, held still for as long as this lives.
pub(crate) struct Buffer {
    view: Box<ffi::Py_buffer>,
}

impl Buffer {
    /// Asks for a contiguous buffer.
    pub(crate) fn of(py: Python<'_>, object: &Object) -> PyResult<Self> {
        let mut view = Box::new(ffi::Py_buffer::new());
        // SAFETY: the GIL is held; the structure is filled in by the call, or left alone on failure.
        let result =
            unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, ffi::PyBUF_SIMPLE) };
        if result == 0 {
            Ok(Self { view })
        } else {
            Err(PyErr::fetch(py))
        }
    }

    /// The bytes, to be let go of before the GIL is given up: Python code of other threads may then
    /// write to them.
    pub(crate) fn bytes(&self, _py: Python<'_>) -> &[u8] {
        if self.view.len <= 0 {
            return &[];
        }
        // SAFETY: a simple buffer is contiguous and stays where it is until it is released. Nobody
        // writes to it while the GIL is held.
        unsafe {
            std::slice::from_raw_parts(self.view.buf.cast::<u8>(), self.view.len.cast_unsigned())
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: filled in by `PyObject_GetBuffer`, released once, with the GIL (see `Object`).
        unsafe { ffi::PyBuffer_Release(&raw mut *self.view) }
    }
}

/// The GIL, given up for as long as this lives.
pub(crate) struct WithoutGil(*mut ffi::PyThreadState);

impl WithoutGil {
    /// Gives it up. No Python object may be touched until this is dropped.
    pub(crate) fn new(_py: Python<'_>) -> Self {
        // SAFETY: the GIL is held.
        Self(unsafe { ffi::PyEval_SaveThread() })
    }
}

impl Drop for WithoutGil {
    fn drop(&mut self) {
        // SAFETY: the state that `PyEval_SaveThread` gave, in the thread that called it.
        unsafe { ffi::PyEval_RestoreThread(self.0) }
    }
}
