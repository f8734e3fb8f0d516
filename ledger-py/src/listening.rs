//! What one thread of the process hears for all that it runs: it sleeps in the store until somebody records something.

use bgledger_core::{Error, Event, Request, Response, Seq, Span, Watch};
use bgledger_store::Ledger;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where to go on, and the tasks to look at.
pub(crate) type Heard = (u64, Vec<u64>);

/// Waits for the first event after a `seq`, or from the ledger's end; shorter when it is roused.
pub(crate) fn listen(
    ledger: &Ledger,
    after: Option<u64>,
    timeout: i64,
    is_roused: &AtomicBool,
) -> Result<Heard, Error> {
    let watch = Watch { after: after.map(Seq), timeout: Some(Span::clamped(timeout)), ..Watch::default() };
    let goes_on = || !is_roused.swap(false, Ordering::SeqCst);
    let answered = ledger.request_while(Request::Watch(watch), &goes_on)?;
    let Response::Watch(events) = answered else {
        return Err(Error::internal("another reply"));
    };
    let taken = events.events.iter().filter(|told| may_be_taken(&told.event)).map(|told| told.number.0);
    Ok((events.next.0, taken.collect()))
}

/// Whether who runs the task should look: cancel was requested, it ended, or another attempt began.
fn may_be_taken(event: &Event) -> bool {
    match event {
        Event::CancelRequested(_)
        | Event::Finished(_)
        | Event::Settled(_)
        | Event::Expired(_)
        | Event::Reaped(_)
        | Event::Unknown { .. } => true,
        Event::Started(started) => started.attempt > 1,
        Event::Created(_)
        | Event::Progress(_)
        | Event::ProgressUnrecorded(_)
        | Event::Heartbeat(_)
        | Event::CancelTold
        | Event::Recovered
        | Event::NotifyChanged(_) => false,
    }
}
