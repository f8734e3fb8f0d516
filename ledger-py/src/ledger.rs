//! The handle that `bgledger.Ledger` holds.

use crate::given::{Given, count, lookup, optional, span, text, time};
use crate::raised::exception;
use crate::{patience, told};
use bgledger_core::config::Durability;
use bgledger_core::{
    Call, ClaimSpec, Create, Envelope, Error, ExecutorSpec, Finish, Heartbeat, Json, Lookup, NotifyPolicy,
    ProgressRequest, Recorded, Show, Start, Status,
};
use bgledger_store::{Ledger, OpenOptions};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// A handle on a ledger; shared between threads.
#[pyclass(frozen, name = "Handle", module = "bgledger._core")]
pub(crate) struct Handle {
    ledger: Ledger,
}

/// What a write that changes one task answers: changed, cancel requested, deadline passed, the task.
type Told<'py> = PyResult<(bool, bool, bool, Bound<'py, PyAny>)>;

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "Python gives each argument by its place: no map is built on the way")]
impl Handle {
    /// Opens the ledger at a path. What is `None` is the store's default.
    #[new]
    #[pyo3(signature = (path, owner, durability, readonly, busy_timeout, allow_network_fs, scripted))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        owner: Option<String>,
        durability: Option<&str>,
        readonly: bool,
        busy_timeout: Option<u64>,
        allow_network_fs: bool,
        scripted: bool,
    ) -> PyResult<Handle> {
        let unknown = || Error::invalid("durability", format!("{durability:?}"), Durability::EXPECTED);
        let durability = durability.map(|word| Durability::from_word(word).ok_or_else(unknown)).transpose();
        let durability = durability.map_err(|error| exception(py, &error))?;
        let mut options = OpenOptions { owner, durability, readonly, allow_network_fs, ..OpenOptions::default() };
        if let Some(busy_timeout) = busy_timeout {
            options.busy_timeout = Duration::from_millis(busy_timeout);
        }
        if scripted {
            // As the conformance tests open every face.
            options.test_clock = true;
            options.runtime = bgledger_core::runtime::CLI.into();
            options.executor = ExecutorSpec::External;
        }
        let opened = py.detach(|| Ledger::open(&path, options));
        opened.map(|ledger| Handle { ledger }).map_err(|error| exception(py, &error))
    }

    /// The file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.ledger.path().into()
    }

    /// One Request as JSON text, one Response as JSON text.
    #[pyo3(signature = (request, /))]
    fn answer(&self, py: Python<'_>, request: &str) -> String {
        py.detach(|| self.ledger.answer(request))
    }

    /// A `wait` or `watch` as JSON text: the same as `answer`, but signals are heard meanwhile.
    #[pyo3(signature = (request, /))]
    fn await_answer(&self, py: Python<'_>, request: &str) -> PyResult<String> {
        patience::answer(py, &self.ledger, request)
    }

    /// A Request with one command as JSON text whose answer is `(created, task)`: see `create` for less.
    #[pyo3(signature = (request, /))]
    fn create_as<'py>(&self, py: Python<'py>, request: &str) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let request = Envelope::parse(request).request.map_err(|error| exception(py, &error))?;
        let answered = py.detach(|| self.ledger.request(request)).map_err(|error| exception(py, &error))?;
        match Create::reply(answered) {
            Some(created) => Ok((created.created, told::task(py, &created.task)?)),
            None => Err(exception(py, &Error::internal("another command than create"))),
        }
    }

    /// Records a task that names what most name; starts it where asked. Answers `(created, task)`.
    #[pyo3(signature = (label, task, runtime, kind, run_id, session, agent, parent, notify, timeout, start, lease, /))]
    fn create<'py>(
        &self,
        py: Python<'py>,
        label: &Given<'py>,
        task: &Given<'py>,
        runtime: &Given<'py>,
        kind: &Given<'py>,
        run_id: &Given<'py>,
        session: &Given<'py>,
        agent: &Given<'py>,
        parent: &Given<'py>,
        notify: &Given<'py>,
        timeout: Option<i64>,
        start: bool,
        lease: Option<i64>,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let create = Create {
            label: text("label", label)?,
            task: optional("task", task)?,
            runtime: optional("runtime", runtime)?,
            kind: optional("kind", kind)?,
            run_id: optional("run_id", run_id)?,
            session: optional("session", session)?,
            agent: optional("agent", agent)?,
            parent: if parent.is_none() { None } else { Some(lookup(py, "parent", parent)?) },
            notify: optional("notify", notify)?.map(|word| policy(py, &word)).transpose()?,
            timeout: span(timeout),
            start: start.then(|| ClaimSpec { lease: span(lease), ..ClaimSpec::default() }),
            ..Create::default()
        };
        let created = self.call(py, create)?;
        Ok((created.created, told::task(py, &created.task)?))
    }

    /// Claims a task for this process.
    #[pyo3(signature = (task, lease, /))]
    fn start<'py>(&self, py: Python<'py>, task: &Given<'py>, lease: Option<i64>) -> Told<'py> {
        let lookup = lookup(py, "lookup", task)?;
        let start = Start { lookup, executor: None, lease: span(lease), started_at: None, fill: Default::default() };
        self.record(py, start)
    }

    /// Reports how far the work is.
    #[pyo3(signature = (task, attempt, nonce, text, current, total, unit, /))]
    fn progress<'py>(
        &self,
        py: Python<'py>,
        task: &Given<'py>,
        attempt: Option<u32>,
        nonce: Option<String>,
        text: &Given<'py>,
        current: &Given<'py>,
        total: &Given<'py>,
        unit: &Given<'py>,
    ) -> Told<'py> {
        let progress = ProgressRequest {
            lookup: lookup(py, "lookup", task)?,
            attempt,
            nonce,
            text: optional("text", text)?,
            current: count("current", current)?,
            total: count("total", total)?,
            unit: optional("unit", unit)?,
            waiting_on: None,
            usage: None,
            artifacts: Default::default(),
            lease: None,
            fill: Default::default(),
        };
        self.record(py, progress)
    }

    /// Says that the work lives.
    #[pyo3(signature = (task, attempt, nonce, lease, /))]
    fn heartbeat<'py>(
        &self,
        py: Python<'py>,
        task: &Given<'py>,
        attempt: Option<u32>,
        nonce: Option<String>,
        lease: Option<i64>,
    ) -> Told<'py> {
        let lookup = lookup(py, "lookup", task)?;
        self.record(py, Heartbeat { lookup, attempt, nonce, lease: span(lease) })
    }

    /// Ends a task by its executor's word.
    #[pyo3(signature = (task, attempt, nonce, status, summary, result, ended_at, /))]
    fn finish<'py>(
        &self,
        py: Python<'py>,
        task: &Given<'py>,
        attempt: Option<u32>,
        nonce: Option<String>,
        status: &str,
        summary: &Given<'py>,
        result: Option<&str>,
        ended_at: Option<i64>,
    ) -> Told<'py> {
        let result = result.map(Json::parse).transpose();
        let result = result.map_err(|problem| exception(py, &Error::invalid("result", problem, "JSON")))?;
        let finish = Finish {
            lookup: lookup(py, "lookup", task)?,
            attempt,
            nonce,
            status: ended(py, status)?,
            outcome: None,
            reason: None,
            error: None,
            summary: optional("summary", summary)?,
            result,
            exit_code: None,
            signal: None,
            output: None,
            artifacts: Default::default(),
            usage: None,
            ended_at: time(ended_at),
        };
        self.record(py, finish)
    }

    /// One task.
    #[pyo3(signature = (task, /))]
    fn show<'py>(&self, py: Python<'py>, task: &Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let lookup: Lookup = lookup(py, "lookup", task)?;
        told::task(py, &self.call(py, Show { lookup })?.task)
    }
}

impl Handle {
    /// Carries out a call with the interpreter's lock released.
    fn call<C: Call + Send>(&self, py: Python<'_>, call: C) -> PyResult<C::Reply>
    where
        C::Reply: Send,
    {
        py.detach(|| self.ledger.call(call)).map_err(|error| exception(py, &error))
    }

    fn record<'py, C: Call<Reply = Recorded> + Send>(&self, py: Python<'py>, call: C) -> Told<'py> {
        let Recorded { changed, cancel_requested, deadline_passed, task } = self.call(py, call)?;
        Ok((changed, cancel_requested, deadline_passed, told::task(py, &task)?))
    }
}

fn policy(py: Python<'_>, word: &str) -> PyResult<NotifyPolicy> {
    let unknown = || exception(py, &Error::invalid("notify", format!("{word:?}"), NotifyPolicy::EXPECTED));
    NotifyPolicy::from_word(word).ok_or_else(unknown)
}

fn ended(py: Python<'_>, word: &str) -> PyResult<Status> {
    let unknown = || exception(py, &Error::invalid("status", format!("{word:?}"), Status::EXPECTED));
    Status::from_word(word).ok_or_else(unknown)
}
