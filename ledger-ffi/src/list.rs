//! Lists that are fetched page by page and handed out one after the other.

use crate::boundary::Fault;
use crate::code::Misuse;
use crate::handle;
use crate::ledger::{Ledger, LedgerBox};
use bgledger_core::{Error, FlowList, FlowView, List, TaskView};
use bgledger_store::{Ledger as Store, platform};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many are fetched at once.
const PAGE: u32 = 500;

/// A request that is answered page by page.
pub(crate) trait Paged: Clone + Debug {
    type Item: Debug;
    /// Fetches at most so many, says where to go on, and what of the page cannot be read.
    fn fetch(self, store: &Store, limit: u32) -> Result<Page<Self::Item>, Error>;
    /// The same from where a page ended.
    fn going_on(self, after: String) -> Self;
}

/// The items, where to go on, and what cannot be read.
type Page<T> = (Vec<T>, Option<String>, Option<String>);

impl Paged for List {
    type Item = TaskView;

    fn fetch(self, store: &Store, limit: u32) -> Result<Page<TaskView>, Error> {
        let page = store.call(List { limit: Some(limit), ..self })?;
        let odd = page.unreadable.first().map(|odd| format!("{} cannot be read: {}", odd.number, odd.problem));
        Ok((page.tasks, page.next, odd))
    }

    fn going_on(self, after: String) -> List {
        List { after: Some(after), ..self }
    }
}

impl Paged for FlowList {
    type Item = FlowView;

    fn fetch(self, store: &Store, limit: u32) -> Result<Page<FlowView>, Error> {
        let page = store.call(FlowList { limit: Some(limit), ..self })?;
        let odd = page.unreadable.first().map(|odd| format!("{} cannot be read: {}", odd.number, odd.problem));
        Ok((page.flows, page.next, odd))
    }

    fn going_on(self, after: String) -> FlowList {
        FlowList { after: Some(after), ..self }
    }
}

/// What the handle of a list stands for.
#[derive(Debug)]
pub(crate) struct Listed<R: Paged> {
    pid: u32,
    ledger: usize,
    pages: Mutex<Pages<R>>,
}

#[derive(Debug)]
struct Pages<R: Paged> {
    ready: VecDeque<R::Item>,
    /// The request for the next page, if there is one.
    next: Option<R>,
    /// How many may still be fetched.
    left: u64,
    /// What could not be read: told once, at the end.
    odd: Option<Error>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses what a forked child inherited: another thread of the parent may have been inside it.
pub(crate) fn own(pid: u32) -> Result<(), Fault> {
    match pid == platform::own_pid() {
        true => Ok(()),
        false => Err(Fault::Misuse(Misuse::BadHandle, "it belongs to the process that was forked".into())),
    }
}

impl<R: Paged> Listed<R> {
    /// What is all there.
    pub(crate) fn whole(ledger: *const Ledger, items: Vec<R::Item>) -> Listed<R> {
        Listed::new(ledger, Pages { ready: items.into(), next: None, left: 0, odd: None })
    }

    /// At most so many of what a request finds. Its first page is fetched at once.
    pub(crate) fn begin(ledger: *const Ledger, store: &Store, request: R, limit: u64) -> Result<Listed<R>, Fault> {
        let mut pages = Pages { ready: VecDeque::new(), next: Some(request), left: limit, odd: None };
        pages.fetch(store)?;
        Ok(Listed::new(ledger, pages))
    }

    fn new(ledger: *const Ledger, pages: Pages<R>) -> Listed<R> {
        Listed { pid: platform::own_pid(), ledger: ledger.addr(), pages: Mutex::new(pages) }
    }

    /// The next one.
    pub(crate) fn next(&self) -> Result<Option<R::Item>, Fault> {
        own(self.pid)?;
        let mut pages = lock(&self.pages);
        // A page may be empty although there are more.
        while pages.ready.is_empty() && pages.next.is_some() {
            let open: Arc<LedgerBox> = handle::get(std::ptr::without_provenance::<Ledger>(self.ledger))?;
            pages.fetch(&open.store)?;
        }
        match pages.ready.pop_front() {
            Some(item) => Ok(Some(item)),
            None => pages.odd.take().map_or(Ok(None), |odd| Err(odd.into())),
        }
    }
}

impl<R: Paged> Pages<R> {
    fn fetch(&mut self, store: &Store) -> Result<(), Fault> {
        let Some(request) = self.next.take() else { return Ok(()) };
        let size = u32::try_from(self.left).unwrap_or(PAGE).min(PAGE);
        let (items, next, odd) = match request.clone().fetch(store, size) {
            Ok(page) => page,
            Err(error) => {
                self.next = Some(request);
                return Err(error.into());
            }
        };
        if let Some(problem) = odd {
            let path = store.path().display().to_string();
            self.odd.get_or_insert(Error::Corrupt { path, problem });
        }
        self.left = self.left.saturating_sub(items.len() as u64);
        self.ready.extend(items);
        self.next = next.filter(|_| self.left > 0).map(|after| request.going_on(after));
        Ok(())
    }
}
