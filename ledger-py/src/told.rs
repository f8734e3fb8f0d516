//! What the ledger tells, as the dataclasses of `bgledger._types`.

use bgledger_core::{
    Artifact, Cancel, Executor, Failure, Group, Json, Metadata, Millis, Output, ProgressPoint, Span, Status, Task,
    TaskView, Usage,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use pyo3::{IntoPyObjectExt, intern};
use std::collections::BTreeMap;

/// The makers of `bgledger._types`.
struct Makers {
    task: Py<PyAny>,
    /// Every field of a task, absent.
    absent: Py<PyDict>,
    cancel: Py<PyAny>,
    progress: Py<PyAny>,
    failure: Py<PyAny>,
    output: Py<PyAny>,
    artifact: Py<PyAny>,
    usage: Py<PyAny>,
    executor: Py<PyAny>,
    group: Py<PyAny>,
    time: Py<PyAny>,
    span: Py<PyAny>,
    json: Py<PyAny>,
    statuses: Vec<(Status, Py<PyAny>)>,
}

impl Makers {
    fn of(py: Python<'_>) -> PyResult<&'static Makers> {
        static MAKERS: PyOnceLock<Makers> = PyOnceLock::new();
        MAKERS.get_or_try_init(py, || {
            let types = py.import("bgledger._types")?;
            let class = |name: &str| types.getattr(name).map(Bound::unbind);
            let status = types.getattr("Status")?;
            let statuses = Status::ALL.into_iter().map(|each| Ok((each, status.call1((each.as_str(),))?.unbind())));
            Ok(Makers {
                task: types.getattr("Task")?.getattr("_told")?.unbind(),
                absent: types.getattr("ABSENT")?.cast_into::<PyDict>()?.unbind(),
                cancel: class("Cancel")?,
                progress: class("Progress")?,
                failure: class("Failure")?,
                output: class("Output")?,
                artifact: class("Artifact")?,
                usage: class("Usage")?,
                executor: class("Executor")?,
                group: class("Group")?,
                time: class("time_of_ms")?,
                span: class("span_of_ms")?,
                json: class("json_of_text")?,
                statuses: statuses.collect::<PyResult<_>>()?,
            })
        })
    }
}

/// A task, whose other fields are made once the first of them is asked for: most that record look at none.
pub(crate) fn task(py: Python<'_>, view: TaskView) -> PyResult<Bound<'_, PyAny>> {
    let (number, id) = (view.task.number.0, view.task.id.to_string());
    Makers::of(py)?.task.bind(py).call1((Told(view), number, id))
}

/// What the ledger told of a task.
#[pyclass(frozen, module = "bgledger._core")]
pub(crate) struct Told(TaskView);

#[pymethods]
impl Told {
    /// Every field of `bgledger.Task` by its name.
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Teller { py, makers: Makers::of(py)?, last: None }.fields(&self.0)
    }
}

/// Tells one task: its times are often the same, and made once.
struct Teller<'py> {
    py: Python<'py>,
    makers: &'static Makers,
    last: Option<(Millis, Bound<'py, PyAny>)>,
}

/// Sets fields under their names; what is absent stands there already.
macro_rules! tell {
    ($fields:ident, $py:ident, $($name:ident $(: $value:expr)?),*) => {
        $(
            let value = tell!(@ $name $($value)?).into_bound_py_any($py)?;
            if !value.is_none() {
                $fields.set_item(intern!($py, stringify!($name)), value)?;
            }
        )*
    };
    (@ $name:ident) => { $name };
    (@ $name:ident $value:expr) => { $value };
}

type Made<'py> = PyResult<Option<Bound<'py, PyAny>>>;

impl<'py> Teller<'py> {
    /// Every field by its name. A field that the core's record gains is missed here by the compiler.
    fn fields(mut self, view: &TaskView) -> PyResult<Bound<'py, PyDict>> {
        let py = self.py;
        let TaskView { task, delivery, liveness } = view;
        let Task {
            number,
            id,
            key,
            runtime,
            kind,
            source_id,
            run_id,
            owner,
            requester_session,
            session,
            agent,
            requester_agent,
            parent,
            root,
            flow,
            retry_of,
            label,
            task: text,
            metadata,
            notify,
            status,
            outcome,
            reason,
            cancel,
            waiting_on,
            progress,
            error,
            summary,
            result,
            exit_code,
            signal,
            output,
            artifacts,
            usage,
            usage_before: _,
            created_at,
            started_at,
            ended_at,
            updated_at,
            executor,
            attempt,
            attempt_started_at,
            lease,
            lease_expires_at,
            lease_clock: _,
            heartbeat_at,
            progress_at,
            queue_timeout,
            timeout,
            revision,
            generation,
            progress_reports,
            origin,
        } = &**task;
        let fields = self.makers.absent.bind(py).copy()?;
        tell!(fields, py, number: number.0, id: id.to_string(), key, runtime, kind, source_id, run_id, owner);
        tell!(fields, py, requester_session, session, agent, requester_agent);
        tell!(fields, py, parent: name(parent), root: name(root), flow: name(flow), retry_of: name(retry_of));
        tell!(fields, py, label, task: text, metadata: self.metadata(metadata)?, notify: notify.as_str());
        tell!(fields, py, status: self.status(*status), outcome, reason, cancel: self.cancel(cancel.as_ref())?);
        tell!(fields, py, waiting_on, progress: self.progress(progress.as_ref())?, error: self.failure(error.as_ref())?);
        tell!(fields, py, summary, result: self.json(result.as_ref())?, exit_code, signal);
        tell!(fields, py, output: self.output(output.as_ref())?, artifacts: self.artifacts(artifacts)?);
        tell!(fields, py, usage: self.usage(usage.as_ref())?);
        tell!(fields, py, created_at: self.time(Some(*created_at))?, started_at: self.time(*started_at)?);
        tell!(fields, py, ended_at: self.time(*ended_at)?, updated_at: self.time(Some(*updated_at))?);
        tell!(fields, py, executor: self.executor(executor.as_ref())?, attempt);
        tell!(fields, py, attempt_started_at: self.time(*attempt_started_at)?, lease: self.span(*lease)?);
        tell!(fields, py, lease_expires_at: self.time(*lease_expires_at)?, heartbeat_at: self.time(*heartbeat_at)?);
        tell!(fields, py, progress_at: self.time(*progress_at)?, queue_timeout: self.span(*queue_timeout)?);
        tell!(fields, py, timeout: self.span(*timeout)?, revision, generation, progress_reports);
        tell!(fields, py, origin: self.json(origin.as_ref())?, delivery: delivery.as_str(), liveness);
        Ok(fields)
    }

    fn status(&self, status: Status) -> Option<&'py Bound<'py, PyAny>> {
        let found = self.makers.statuses.iter().find(|(each, _)| *each == status);
        found.map(|(_, member)| member.bind(self.py))
    }

    fn time(&mut self, at: Option<Millis>) -> Made<'py> {
        let Some(at) = at else { return Ok(None) };
        if let Some((_, made)) = self.last.as_ref().filter(|(last, _)| *last == at) {
            return Ok(Some(made.clone()));
        }
        let made = self.makers.time.bind(self.py).call1((at.get(),))?;
        self.last = Some((at, made.clone()));
        Ok(Some(made))
    }

    fn span(&self, span: Option<Span>) -> Made<'py> {
        span.map(|span| self.makers.span.bind(self.py).call1((span.ms(),))).transpose()
    }

    fn json(&self, json: Option<&Json>) -> Made<'py> {
        json.map(|json| self.makers.json.bind(self.py).call1((json.as_str(),))).transpose()
    }

    fn metadata(&self, metadata: &Metadata) -> PyResult<Bound<'py, PyDict>> {
        let map = PyDict::new(self.py);
        metadata.iter().try_for_each(|(name, value)| map.set_item(name, self.json(Some(value))?))?;
        Ok(map)
    }

    fn cancel(&mut self, cancel: Option<&Cancel>) -> Made<'py> {
        let Some(Cancel { requested_at, by, why, told_at }) = cancel else { return Ok(None) };
        let (requested_at, told_at) = (self.time(Some(*requested_at))?, self.time(*told_at)?);
        self.makers.cancel.bind(self.py).call1((requested_at, by, why, told_at)).map(Some)
    }

    fn progress(&self, progress: Option<&ProgressPoint>) -> Made<'py> {
        let Some(ProgressPoint { text, current, total, unit }) = progress else { return Ok(None) };
        self.makers.progress.bind(self.py).call1((text, current, total, unit)).map(Some)
    }

    fn failure(&self, failure: Option<&Failure>) -> Made<'py> {
        let Some(Failure { kind, message, detail }) = failure else { return Ok(None) };
        self.makers.failure.bind(self.py).call1((kind, message, detail)).map(Some)
    }

    fn output(&self, output: Option<&Output>) -> Made<'py> {
        let Some(Output { tail, bytes, truncated }) = output else { return Ok(None) };
        self.makers.output.bind(self.py).call1((tail, bytes, truncated)).map(Some)
    }

    fn artifacts(&self, artifacts: &BTreeMap<String, Artifact>) -> PyResult<Bound<'py, PyDict>> {
        let map = PyDict::new(self.py);
        for (name, Artifact { uri, size, sha256, media_type }) in artifacts {
            map.set_item(name, self.makers.artifact.bind(self.py).call1((uri, size, sha256, media_type))?)?;
        }
        Ok(map)
    }

    fn usage(&self, usage: Option<&Usage>) -> Made<'py> {
        let Some(Usage { tokens_in, tokens_out, tokens_cached, cost, tool_calls }) = usage else { return Ok(None) };
        let costs = PyDict::new(self.py);
        cost.iter().try_for_each(|(currency, micros)| costs.set_item(currency, micros))?;
        let told = (tokens_in, tokens_out, tokens_cached, costs, tool_calls);
        self.makers.usage.bind(self.py).call1(told).map(Some)
    }

    fn executor(&self, executor: Option<&Executor>) -> Made<'py> {
        let Some(Executor { machine, boot, pid_namespace, pid, started, nonce, group }) = executor else {
            return Ok(None);
        };
        let group =
            group.map(|Group { id, started }| self.makers.group.bind(self.py).call1((id, started))).transpose()?;
        let told = (machine, boot, pid_namespace, pid, started, nonce, group);
        self.makers.executor.bind(self.py).call1(told).map(Some)
    }
}

fn name(id: &Option<impl ToString>) -> Option<String> {
    id.as_ref().map(ToString::to_string)
}
