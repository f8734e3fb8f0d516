//! Calls that wait: when a signal comes the interpreter hears it, so that Ctrl-C ends a wait.

use bgledger_core::{Applied, Call, Drain, Envelope, Error, Lookup, Request, Response, Show, Span, Wait, Watch};
use bgledger_store::Ledger;
use bgledger_store::platform::monotonic_ms;
use pyo3::prelude::*;
use std::cell::RefCell;

/// How long a signal may go unheard that came the very moment before the wait began.
const SLICE: Span = Span::clamped(500);

/// Carries out a request that waits. A signal ends it with what the interpreter makes of it.
fn listening<C: Call>(py: Python<'_>, ledger: &Ledger, call: C) -> PyResult<Result<C::Reply, Error>> {
    let request = call.into_request();
    let (answered, raised) = py.detach(|| {
        let raised = RefCell::new(None);
        let goes_on = || match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(error) => {
                *raised.borrow_mut() = Some(error);
                false
            }
        };
        let answered = ledger.request_while(request, &goes_on);
        (answered, raised.into_inner())
    });
    match raised {
        Some(error) => Err(error),
        None => Ok(answered.and_then(|response| C::reply(response).ok_or_else(|| Error::internal("another reply")))),
    }
}

/// One Request that waits as JSON text, one Response as JSON text. Others are answered at once.
pub(crate) fn answer(py: Python<'_>, ledger: Ledger, text: &str) -> PyResult<String> {
    let Envelope { id, now, request } = Envelope::parse(text);
    let result = match request {
        Ok(Request::Wait(given)) if now.is_none() => wait(py, &ledger, given)?.map(Response::Wait),
        Ok(Request::Watch(given)) if now.is_none() => watch(py, &ledger, given)?.map(Response::Watch),
        Ok(Request::Drain(given)) if now.is_none() => drain(py, &ledger, given)?.map(Response::Drain),
        _ => return Ok(py.detach(move || ledger.answer(text))),
    };
    // Closed meanwhile, this may be the last that holds it.
    py.detach(move || drop(ledger));
    let applied = Applied { id: id.as_ref(), result: result.as_ref() };
    serde_json::to_string(&applied).map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))
}

/// Blocks until tasks end. What a lookup names is settled once.
fn wait(py: Python<'_>, ledger: &Ledger, mut given: Wait) -> PyResult<Result<<Wait as Call>::Reply, Error>> {
    let settled = py.detach(|| {
        let named = given.lookups.iter().map(|lookup| ledger.call(Show::from(lookup.clone())));
        named.map(|shown| Ok(Lookup::Number(shown?.task.task.number))).collect::<Result<Vec<_>, Error>>()
    });
    match settled {
        Ok(settled) => given.lookups = settled,
        Err(error) => return Ok(Err(error)),
    }
    let began = monotonic_ms();
    loop {
        let (timeout, is_last) = slice(began, given.timeout);
        let answered = listening(py, ledger, Wait { timeout: Some(timeout), ..given.clone() })?;
        match answered {
            Err(Error::WaitTimedOut { .. }) if !is_last => py.check_signals()?,
            Err(Error::WaitTimedOut { pending, awaited, .. }) => {
                let waited_ms = u64::try_from(monotonic_ms().saturating_sub(began)).unwrap_or_default();
                return Ok(Err(Error::WaitTimedOut { pending, awaited, waited_ms }));
            }
            answered => return Ok(answered),
        }
    }
}

/// Answers with events after a cursor, which is settled once. That some are gone is told with whatever comes after.
fn watch(py: Python<'_>, ledger: &Ledger, mut given: Watch) -> PyResult<Result<<Watch as Call>::Reply, Error>> {
    let (began, whole) = (monotonic_ms(), given.timeout.unwrap_or(Span::ZERO));
    given.timeout = None;
    let mut truncated = false;
    loop {
        let mut answered = listening(py, ledger, given.clone())?;
        let (timeout, _) = slice(began, Some(whole));
        if let Ok(events) = &mut answered {
            truncated |= events.truncated;
            events.truncated = truncated;
        }
        match &answered {
            Ok(events) if events.events.is_empty() && timeout > Span::ZERO => {
                given.after = Some(events.next);
                given.timeout = Some(timeout);
                py.check_signals()?;
            }
            Ok(_) | Err(_) => return Ok(answered),
        }
    }
}

/// Blocks until nothing is left that may run. Each slice looks anew: that an executor died strikes no bell.
fn drain(py: Python<'_>, ledger: &Ledger, given: Drain) -> PyResult<Result<<Drain as Call>::Reply, Error>> {
    let (began, whole) = (monotonic_ms(), given.timeout.unwrap_or(Span::ZERO));
    loop {
        let (timeout, _) = slice(began, Some(whole));
        let answered = listening(py, ledger, Drain { timeout: Some(timeout), ..given.clone() })?;
        match &answered {
            Ok(left) if !left.drained && timeout > Span::ZERO => py.check_signals()?,
            Ok(_) | Err(_) => return Ok(answered),
        }
    }
}

/// How long to wait next, and whether that is all that is left.
fn slice(began: i64, whole: Option<Span>) -> (Span, bool) {
    let Some(whole) = whole else { return (SLICE, false) };
    let left = Span::clamped(whole.ms().saturating_sub(monotonic_ms().saturating_sub(began)));
    (left.min(SLICE), left <= SLICE)
}
