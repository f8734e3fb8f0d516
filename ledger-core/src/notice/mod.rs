//! Which notices a transition owes, and to whom; what becomes of each is [`delivery`].

mod delivery;
mod subscriber;

pub use delivery::{
    Notice, NoticeClaim, NoticeCommand, NoticeDecision, NoticeId, NoticeState, SILENCED, Since, decide_notice, message,
};
pub use subscriber::{Filter, Subscriber};

use crate::{Error, Event, Millis, NotifyPolicy, Span, Task, bounds, text};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a transition owes. The notice's key is (task, the event's `seq`, recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The transition opened a new outcome generation: older notices that nobody claimed are withdrawn.
    pub withdraws: bool,
    /// The policy became silent: what waits to be told is dismissed.
    pub silences: bool,
    /// The places, among the transition's events, of those that owe a notice.
    pub events: Vec<usize>,
}

/// Who gets a notice, as one text: `session:KEY`, `owner:NAME` or `subscriber:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(pub String);

impl Recipient {
    const KINDS: [&'static str; 3] = ["session:", "owner:", "subscriber:"];

    /// The session that asked, else the session in which the work runs, else the owner.
    pub fn of(task: &Task) -> Recipient {
        Recipient(match task.requester_session.as_ref().or(task.session.as_ref()) {
            Some(session) => format!("session:{session}"),
            None => format!("owner:{}", task.owner),
        })
    }

    /// Reads a recipient; says what was expected.
    pub fn parse(field: &str, name: &str) -> Result<Recipient, Error> {
        bounds::text(field, name, bounds::RECIPIENT_BYTES)?;
        match Recipient::KINDS.into_iter().find_map(|kind| name.strip_prefix(kind)) {
            Some(rest) if !rest.is_empty() => Ok(Recipient(name.into())),
            Some(_) | None => {
                Err(Error::invalid(field, text::quote(name), "session:KEY, owner:NAME or subscriber:NAME"))
            }
        }
    }

    /// The subscriber that is meant, if one is.
    pub fn subscriber(&self) -> Option<&str> {
        self.0.strip_prefix("subscriber:")
    }

    /// The owner that is meant, if one is.
    pub fn owner(&self) -> Option<&str> {
        self.0.strip_prefix("owner:")
    }
}

/// The notices owed by events that led to `task`. The policy is the one in force after them.
///
/// `told` says whether somebody has heard of an earlier end: who wants to hear of ends then hears of a recovery too,
/// which takes that end back.
pub fn owed(task: &Task, events: &[Event], told: bool) -> Owed {
    if is_import(task, events) {
        return Owed { withdraws: false, silences: false, events: Vec::new() };
    }
    let opens = events.iter().rposition(|event| event.ending().is_some() || matches!(event, Event::Recovered));
    let first = opens.unwrap_or(0);
    let owes = |event: &Event| match task.notify {
        NotifyPolicy::Silent => false,
        NotifyPolicy::StateChanges => is_state_change(event),
        NotifyPolicy::DoneOnly | NotifyPolicy::Other(_) => {
            event.ending().is_some() || (told && *event == Event::Recovered)
        }
    };
    let silenced = |event: &Event| *event == Event::NotifyChanged(NotifyPolicy::Silent);
    let silences = task.notify == NotifyPolicy::Silent && events.iter().any(silenced);
    let places = events.iter().enumerate().filter(|(place, event)| *place >= first && owes(event));
    Owed { withdraws: opens.is_some(), silences, events: places.map(|(place, _)| place).collect() }
}

/// Whether a transition records what happened elsewhere: whoever was to hear of it has heard there, or never will.
fn is_import(task: &Task, events: &[Event]) -> bool {
    task.origin.is_some() && matches!(events.first(), Some(Event::Created(_)))
}

/// When a notice of progress is due, and whether the one before it is withdrawn: at most one an interval, and the
/// newest of those that wait.
///
/// `before` is the newest notice of progress that the recipient is owed about the task: since when, and whether it
/// still waits for its first claim.
pub fn pace(before: Option<(Millis, bool)>, interval: Span, now: Millis) -> (Millis, bool) {
    match before {
        Some((owed_at, true)) => (owed_at, true),
        Some((owed_at, false)) => (now.max(owed_at.plus(interval)), false),
        None => (now, false),
    }
}

fn is_state_change(event: &Event) -> bool {
    match event {
        Event::Started(_)
        | Event::Progress(_)
        | Event::Finished(_)
        | Event::Settled(_)
        | Event::Expired(_)
        | Event::Reaped(_)
        | Event::Recovered => true,
        Event::Created(_)
        | Event::ProgressUnrecorded(_)
        | Event::Heartbeat(_)
        | Event::CancelRequested(_)
        | Event::CancelTold
        | Event::NotifyChanged(_)
        | Event::Unknown { .. } => false,
    }
}
