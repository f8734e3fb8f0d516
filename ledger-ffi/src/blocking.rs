//! Calls that wait: the ledger is asked slice by slice, so that whoever closes the handle meanwhile ends them soon.

use crate::boundary::Fault;
use bgledger_core::{
    Call, Error, Events, Lookup, Millis, Request, Response, Show, Span, TaskNumber, Tasks, Wait, Watch,
};
use bgledger_store::{Ledger as Store, platform};

/// How long a call blocks inside the store before it looks whether its handle is still open.
const SLICE_MS: i64 = 200;

/// How a call that may wait asks the ledger.
pub(crate) struct Waiting<'a> {
    pub(crate) store: &'a Store,
    /// The time of a test clock.
    pub(crate) now: Option<Millis>,
    /// Refuses a handle that is closed.
    pub(crate) is_open: &'a dyn Fn() -> Result<(), Fault>,
}

impl Waiting<'_> {
    /// Asks once.
    pub(crate) fn request(&self, request: Request) -> Result<Response, Error> {
        match self.now {
            Some(now) => self.store.request_at(request, now),
            None => self.store.request(request),
        }
    }

    fn call<C: Call>(&self, call: C) -> Result<C::Reply, Error> {
        C::reply(self.request(call.into_request())?).ok_or_else(|| Error::internal("a reply of another call"))
    }

    /// What a lookup names now: which task it is stays the same while somebody waits for it.
    fn settled(&self, lookup: Lookup) -> Result<TaskNumber, Error> {
        match lookup {
            Lookup::Number(number) => Ok(number),
            Lookup::Id(_) | Lookup::Run(_) | Lookup::Session(_) | Lookup::Text(_) => {
                Ok(self.call(Show { lookup })?.task.task.number)
            }
        }
    }

    /// Blocks until tasks have ended.
    pub(crate) fn wait(&self, wait: Wait) -> Result<Tasks, Fault> {
        let began = platform::monotonic_ms();
        Request::Wait(wait.clone()).check()?;
        let settled = wait.lookups.into_iter().map(|lookup| self.settled(lookup).map(Lookup::Number));
        let lookups: Vec<Lookup> = settled.collect::<Result<_, _>>()?;
        loop {
            let slice = slice(began, wait.timeout);
            let timeout = Some(slice.unwrap_or(Span::ZERO));
            let error = match self.call(Wait { lookups: lookups.clone(), any: wait.any, timeout }) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            match (error, slice) {
                (Error::WaitTimedOut { .. }, Some(_)) => (self.is_open)()?,
                (Error::WaitTimedOut { pending, awaited, .. }, None) => {
                    let waited_ms = u64::try_from(platform::monotonic_ms() - began).unwrap_or(0);
                    return Err(Error::WaitTimedOut { pending, awaited, waited_ms }.into());
                }
                (error, _) => return Err(error.into()),
            }
        }
    }

    /// Blocks until there are events: without end if `timeout` is `None`.
    pub(crate) fn watch(&self, watch: Watch, timeout: Option<Span>) -> Result<Events, Fault> {
        let began = platform::monotonic_ms();
        let lookup = watch.lookup.map(|lookup| self.settled(lookup).map(Lookup::Number)).transpose()?;
        let mut after = watch.after;
        loop {
            let slice = slice(began, timeout);
            let found = self.call(Watch { lookup: lookup.clone(), after, limit: watch.limit, timeout: slice })?;
            if !found.events.is_empty() || slice.is_none() {
                return Ok(found);
            }
            (self.is_open)()?;
            after = Some(found.next);
        }
    }
}

/// How much of a time is left: a slice of it, or nothing more.
fn slice(began: i64, timeout: Option<Span>) -> Option<Span> {
    let left = timeout.map_or(SLICE_MS, |timeout| timeout.ms().saturating_sub(platform::monotonic_ms() - began));
    Span::from_ms(left.min(SLICE_MS)).filter(|_| left > 0)
}
