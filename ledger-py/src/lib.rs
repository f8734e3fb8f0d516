//! The extension module `bgledger._core`: the store's handle for Python, and nothing that Python can say itself.
//!
//! Two ways lead through it. [`ledger::Handle::answer`] takes a Request as JSON text and gives a Response as JSON
//! text: every command goes this way. The five calls that agents make all day have typed paths beside it that build no
//! JSON. No rule, default or bound is here. The interpreter's lock is released around every call into the store.

mod given;
mod ledger;
mod listening;
mod patience;
mod raised;
mod told;

/// The extension module.
#[pyo3::pymodule]
mod _core {
    use bgledger_core::{CONTAINER_LEASE, Span};
    use bgledger_store::platform;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::ledger::Handle;

    #[pymodule_export]
    use crate::told::Told;

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    /// The longest length of time, in milliseconds.
    #[pymodule_export]
    const LONGEST_SPAN: i64 = Span::MAX.ms();

    /// The lease that a task takes unless told: none, or in a container a minute. In milliseconds.
    #[pyfunction]
    fn default_lease() -> Option<i64> {
        platform::in_container().then(|| CONTAINER_LEASE.ms())
    }

    /// Where the ledger is unless told.
    #[pyfunction]
    fn default_path() -> PyResult<std::path::PathBuf> {
        bgledger_store::Ledger::default_path()
            .map_err(|error| Python::attach(|py| crate::raised::exception(py, &error)))
    }

    /// The milliseconds of a text such as `90s` or `2h 30m`; `None` if it is none.
    #[pyfunction]
    fn span(text: &str) -> Option<i64> {
        Span::parse(text).map(Span::ms)
    }
}
