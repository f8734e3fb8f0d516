//! The handle that `bgledger.Ledger` holds.

use crate::given::{Given, count, lookup, optional, span, text, time};
use crate::listening::{self, Heard};
use crate::raised::exception;
use crate::{patience, told};
use bgledger_core::config::Durability;
use bgledger_core::{
    Call, ClaimSpec, Create, Created, Envelope, Error, ExecutorSpec, Finish, Heartbeat, Json, Lookup, NotifyPolicy,
    ProgressRequest, Recorded, Show, Start, Status,
};
use bgledger_store::{Ledger, OpenOptions};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A handle on a ledger; shared between threads.
#[pyclass(frozen, name = "Handle", module = "bgledger._core")]
pub(crate) struct Handle {
    path: PathBuf,
    /// `None` once it was closed. Locked under the interpreter's lock alone and never across a call, so that no fork
    /// finds it locked.
    ledger: Mutex<Option<Ledger>>,
    is_roused: AtomicBool,
}

/// What a write that changes one task answers: changed, cancel requested, deadline passed, the task.
type Told<'py> = PyResult<(bool, bool, bool, Bound<'py, PyAny>)>;

/// Where a claim notes `(whether it was made now, the task's number)` before any code of Python runs: a signal's
/// exception may come instead of the answer, and then the caller knows what to end.
type Kept<'py> = Bound<'py, PyList>;

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
        let handle = |ledger: Ledger| Handle {
            path: ledger.path().into(),
            ledger: Mutex::new(Some(ledger)),
            is_roused: false.into(),
        };
        opened.map(handle).map_err(|error| exception(py, &error))
    }

    /// The file.
    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Lets go of the ledger, after the calls under way.
    fn close(&self, py: Python<'_>) {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(ledger));
    }

    /// One Request as JSON text, one Response as JSON text.
    #[pyo3(signature = (request, /))]
    fn answer(&self, py: Python<'_>, request: &str) -> PyResult<String> {
        let ledger = self.ledger(py)?;
        Ok(py.detach(move || ledger.answer(request)))
    }

    /// A `wait`, `watch` or `drain` as JSON text: the same as `answer`, but signals are heard meanwhile.
    #[pyo3(signature = (request, /))]
    fn await_answer(&self, py: Python<'_>, request: &str) -> PyResult<String> {
        patience::answer(py, self.ledger(py)?, request)
    }

    /// Blocks until something is recorded after a `seq`, or `rouse` is called, or so many milliseconds passed.
    /// Answers where to go on, and the numbers of the tasks that may have been taken from whoever runs them.
    #[pyo3(signature = (after, timeout, /))]
    fn listen(&self, py: Python<'_>, after: Option<u64>, timeout: i64) -> PyResult<Heard> {
        let ledger = self.ledger(py)?;
        let heard = py.detach(move || listening::listen(&ledger, after, timeout, &self.is_roused));
        heard.map_err(|error| exception(py, &error))
    }

    /// Has `listen` return.
    fn rouse(&self, py: Python<'_>) -> PyResult<()> {
        let ledger = self.ledger(py)?;
        self.is_roused.store(true, Ordering::SeqCst);
        py.detach(move || ledger.rouse());
        Ok(())
    }

    /// A Request with one command as JSON text whose answer is `(created, task)`: see `create` for less.
    #[pyo3(signature = (request, kept, /))]
    fn create_as<'py>(
        &self,
        py: Python<'py>,
        request: &str,
        kept: Option<&Kept<'py>>,
    ) -> PyResult<(bool, Bound<'py, PyAny>)> {
        let request = Envelope::parse(request).request.map_err(|error| exception(py, &error))?;
        let ledger = self.ledger(py)?;
        let answered = py.detach(move || ledger.request(request)).map_err(|error| exception(py, &error))?;
        match Create::reply(answered) {
            Some(created) => created_now(py, created, kept),
            None => Err(exception(py, &Error::internal("another command than create"))),
        }
    }

    /// Records a task that names what most name; starts it where asked. Answers `(created, task)`.
    #[pyo3(signature = (label, task, runtime, kind, run_id, session, agent, parent, notify, timeout, start, lease, kept, /))]
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
        kept: Option<&Kept<'py>>,
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
        created_now(py, self.call(py, create)?, kept)
    }

    /// Claims a task for this process.
    #[pyo3(signature = (task, lease, /))]
    fn start<'py>(&self, py: Python<'py>, task: &Given<'py>, lease: Option<i64>) -> Told<'py> {
        self.record(py, by_this_process(py, task, lease)?)
    }

    /// The same for one block of this process: what another block of it runs is refused like anybody else's.
    #[pyo3(signature = (task, lease, kept, /))]
    fn claim<'py>(
        &self,
        py: Python<'py>,
        task: &Given<'py>,
        lease: Option<i64>,
        kept: &Kept<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Recorded { changed, task: view, .. } = self.call(py, by_this_process(py, task, lease)?)?;
        if !changed {
            let task = &view.task;
            let executor = task.executor.clone().map(Box::new);
            let (number, attempt, started_at) = (task.number, task.attempt, task.attempt_started_at);
            return Err(exception(py, &Error::AlreadyRunning { number, attempt, executor, started_at }));
        }
        kept.append((true, view.task.number.0))?;
        told::task(py, view)
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
        told::task(py, self.call(py, Show::from(lookup))?.task)
    }
}

impl Handle {
    fn ledger(&self, py: Python<'_>) -> PyResult<Ledger> {
        let open = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || Error::NotAvailable { what: "the ledger".into(), why: "the handle is closed".into() };
        open.ok_or_else(|| exception(py, &closed()))
    }

    /// Carries out a call with the interpreter's lock released, also where it is the last to let go of the ledger.
    fn call<C: Call + Send>(&self, py: Python<'_>, call: C) -> PyResult<C::Reply>
    where
        C::Reply: Send,
    {
        let ledger = self.ledger(py)?;
        py.detach(move || ledger.call(call)).map_err(|error| exception(py, &error))
    }

    fn record<'py, C: Call<Reply = Recorded> + Send>(&self, py: Python<'py>, call: C) -> Told<'py> {
        let Recorded { changed, cancel_requested, deadline_passed, task } = self.call(py, call)?;
        Ok((changed, cancel_requested, deadline_passed, told::task(py, task)?))
    }
}

impl Drop for Handle {
    /// Who is last lets SQLite write what its journal holds, and waits for the disk: not under the interpreter's lock.
    fn drop(&mut self) {
        let ledger = self.ledger.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let _released = Python::try_attach(|py| py.detach(move || drop(ledger)));
    }
}

fn created_now<'py>(py: Python<'py>, answer: Created, kept: Option<&Kept<'py>>) -> PyResult<(bool, Bound<'py, PyAny>)> {
    if let Some(kept) = kept {
        kept.append((answer.created, answer.task.task.number.0))?;
    }
    Ok((answer.created, told::task(py, answer.task)?))
}

fn by_this_process(py: Python<'_>, task: &Given<'_>, lease: Option<i64>) -> PyResult<Start> {
    let lookup = lookup(py, "lookup", task)?;
    Ok(Start { lookup, executor: None, lease: span(lease), started_at: None, fill: Default::default() })
}

fn policy(py: Python<'_>, word: &str) -> PyResult<NotifyPolicy> {
    let unknown = || exception(py, &Error::invalid("notify", format!("{word:?}"), NotifyPolicy::EXPECTED));
    NotifyPolicy::from_word(word).ok_or_else(unknown)
}

fn ended(py: Python<'_>, word: &str) -> PyResult<Status> {
    let unknown = || exception(py, &Error::invalid("status", format!("{word:?}"), Status::EXPECTED));
    Status::from_word(word).ok_or_else(unknown)
}
