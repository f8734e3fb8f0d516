//! Where a notice goes: a command, or a web address. Knows nothing of the ledger: it is handed a body and says what
//! became of it.

mod address;
mod exec;
mod webhook;

pub(crate) use exec::Exec;
pub(crate) use webhook::{Secret, Webhook};

use std::time::Duration;

/// One notice on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    /// Its name everywhere: whoever records it with the effect has it once.
    pub(crate) key: &'a str,
    /// The notice as JSON.
    pub(crate) body: &'a str,
    /// When it is sent, in seconds since 1970 UTC.
    pub(crate) sent_at: i64,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// The other side has it.
    Yes,
    /// This one did not go through: it is tried again later.
    Refused(String),
    /// None will go through until somebody mends the sink.
    Broken(String),
}

/// A place to deliver to.
pub(crate) trait Sink {
    /// Delivers one notice within a time.
    fn deliver(&self, parcel: Parcel<'_>, within: Duration) -> Delivered;
}
