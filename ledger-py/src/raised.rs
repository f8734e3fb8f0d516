//! Errors as Python raises them.

use bgledger_core::Error;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The exception of an error: `bgledger._errors.raised` makes it from the error's JSON.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    static RAISED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = serde_json::to_string(&error.body())
        .map_err(|fault| pyo3::exceptions::PyRuntimeError::new_err(fault.to_string()))
        .and_then(|body| RAISED.import(py, "bgledger._errors", "raised")?.call1((body,)));
    made.map_or_else(|fault| fault, PyErr::from_value)
}
