//! The exposed functions, looked up once: what the loop calls stands here as owned references.

use pyo3::intern;
use pyo3::prelude::*;
use pyproc_ipc::message::FunctionInfo;

/// One function's way through a call.
pub(crate) struct Entry {
    pub(crate) name: Py<PyAny>,
    pub(crate) decode_msgpack: Py<PyAny>,
    pub(crate) decode_json: Py<PyAny>,
    pub(crate) decode_raw: Py<PyAny>,
    pub(crate) target: Py<PyAny>,
    pub(crate) call_empty: Py<PyAny>,
    pub(crate) wants_raw: bool,
    pub(crate) is_async: bool,
}

/// What all functions share.
pub(crate) struct Codec {
    pub(crate) encode_msgpack: Py<PyAny>,
    pub(crate) encode_json: Py<PyAny>,
    pub(crate) encode_raw: Py<PyAny>,
    pub(crate) describe_error: Py<PyAny>,
    /// Calls a function as part of a trace.
    pub(crate) call_traced: Py<PyAny>,
}

impl Entry {
    /// Reads a `pyproc_worker._function.Function`.
    pub(crate) fn new(function: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = function.py();
        Ok(Self {
            name: function.getattr(intern!(py, "name"))?.unbind(),
            decode_msgpack: function.getattr(intern!(py, "decode_msgpack"))?.unbind(),
            decode_json: function.getattr(intern!(py, "decode_json"))?.unbind(),
            decode_raw: function.getattr(intern!(py, "decode_raw"))?.unbind(),
            target: function.getattr(intern!(py, "target"))?.unbind(),
            call_empty: function.getattr(intern!(py, "call_empty"))?.unbind(),
            wants_raw: function.getattr(intern!(py, "wants_raw"))?.extract()?,
            is_async: function.getattr(intern!(py, "is_async"))?.extract()?,
        })
    }
}

/// What the host is told about a `pyproc_worker._function.Function`.
pub(crate) fn describe(function: &Bound<'_, PyAny>) -> PyResult<FunctionInfo> {
    Ok(FunctionInfo {
        number: function.getattr("number")?.extract()?,
        name: function.getattr("name")?.extract()?,
        is_async: function.getattr("is_async")?.extract()?,
        timeout_ns: function.getattr("timeout_ns")?.extract()?,
        signature: function.getattr("signature")?.extract()?,
        doc: function.getattr("doc")?.extract()?,
        body_mapping: function.getattr("body_mapping")?.extract()?,
        parameters: function.getattr("parameters")?.extract()?,
        returns: function.getattr("returns")?.extract()?,
    })
}
