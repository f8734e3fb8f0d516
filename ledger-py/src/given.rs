//! What Python gives, as the core's types. What does not fit is refused by `bgledger._given`, which names the argument.

use crate::raised::exception;
use bgledger_core::{Lookup, Millis, Span, TaskNumber};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// What Python gave for one argument.
pub(crate) type Given<'py> = Bound<'py, PyAny>;

/// A text.
pub(crate) fn text(name: &str, given: &Given<'_>) -> PyResult<String> {
    match given.cast::<PyString>().ok().and_then(|text| text.to_str().ok().map(String::from)) {
        Some(text) => Ok(text),
        None => refused("text", name, given),
    }
}

/// A text or nothing.
pub(crate) fn optional(name: &str, given: &Given<'_>) -> PyResult<Option<String>> {
    if given.is_none() { Ok(None) } else { text(name, given).map(Some) }
}

/// A count or nothing.
pub(crate) fn count(name: &str, given: &Given<'_>) -> PyResult<Option<u64>> {
    if given.is_none() {
        return Ok(None);
    }
    match given.extract::<u64>() {
        Ok(count) if !given.is_instance_of::<pyo3::types::PyBool>() => Ok(Some(count)),
        Ok(_) | Err(_) => refused("count", name, given),
    }
}

/// A task's number, or what else names it.
pub(crate) fn lookup(py: Python<'_>, name: &str, given: &Given<'_>) -> PyResult<Lookup> {
    // A failed conversion costs as much as a small call.
    if given.is_instance_of::<PyString>() {
        return Lookup::parse(&text(name, given)?).map_err(|error| exception(py, &error));
    }
    match given.extract::<u64>() {
        Ok(number) => Ok(Lookup::Number(TaskNumber(number))),
        Err(_) => refused("lookup", name, given),
    }
}

/// Milliseconds that `bgledger._given` has looked at.
pub(crate) fn span(ms: Option<i64>) -> Option<Span> {
    ms.map(Span::clamped)
}

/// A time that `bgledger._given` has looked at.
pub(crate) fn time(ms: Option<i64>) -> Option<Millis> {
    ms.map(Millis::clamped)
}

/// Lets the Python side say what is wrong with an argument.
fn refused<T>(kind: &str, name: &str, given: &Given<'_>) -> PyResult<T> {
    static GIVEN: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let py = given.py();
    let module = GIVEN.get_or_try_init(py, || py.import("bgledger._given").map(Bound::unbind))?;
    module.bind(py).getattr(kind)?.call1((name, given))?;
    Err(pyo3::exceptions::PyTypeError::new_err(format!("{name} does not fit")))
}
