//! Calls that wait. Whoever closes the handle meanwhile rouses them, and they end.

use crate::boundary::Fault;
use bgledger_core::{
    Call, Error, Events, Lookup, Millis, Request, Response, Show, Span, TaskNumber, Tasks, Wait, Watch,
};
use bgledger_store::Ledger as Store;
use std::cell::RefCell;

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
                Ok(self.call(Show::from(lookup))?.task.task.number)
            }
        }
    }

    /// Asks what may wait, until there is an answer or the handle is closed.
    fn call_while_open<C: Call>(&self, call: C) -> Result<C::Reply, Fault> {
        let closed = RefCell::new(None);
        let goes_on = || match (self.is_open)() {
            Ok(()) => true,
            Err(fault) => {
                *closed.borrow_mut() = Some(fault);
                false
            }
        };
        let answered = match self.now {
            Some(now) => self.store.request_at(call.into_request(), now),
            None => self.store.request_while(call.into_request(), &goes_on),
        };
        if let Some(fault) = closed.into_inner() {
            return Err(fault);
        }
        Ok(C::reply(answered?).ok_or_else(|| Error::internal("a reply of another call"))?)
    }

    /// Blocks until tasks have ended.
    pub(crate) fn wait(&self, wait: Wait) -> Result<Tasks, Fault> {
        Request::Wait(wait.clone()).check()?;
        let settled = wait.lookups.into_iter().map(|lookup| self.settled(lookup).map(Lookup::Number));
        let lookups: Vec<Lookup> = settled.collect::<Result<_, _>>()?;
        self.call_while_open(Wait { lookups, ..wait })
    }

    /// Blocks until there are events: without end if `timeout` is `None`.
    pub(crate) fn watch(&self, watch: Watch, timeout: Option<Span>) -> Result<Events, Fault> {
        let lookup = watch.lookup.map(|lookup| self.settled(lookup).map(Lookup::Number)).transpose()?;
        let timeout = timeout.or(Some(Span::clamped(i64::MAX)));
        self.call_while_open(Watch { lookup, timeout, ..watch })
    }
}
