//! Which notices a transition owes, and to whom; what becomes of each is [`delivery`].

mod delivery;

pub use delivery::{Notice, NoticeClaim, NoticeCommand, NoticeDecision, NoticeId, NoticeState, decide_notice, message};

use crate::{Event, NotifyPolicy, Task};
use alloc::format;
use alloc::string::String;

/// What a transition owes. The notice's key is (task, the event's `seq`, recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The transition opened a new outcome generation: older notices that nobody claimed are withdrawn.
    pub withdraws: bool,
    /// The places, among the transition's events, of those that owe a notice.
    pub events: alloc::vec::Vec<usize>,
    /// Who gets them.
    pub recipient: Recipient,
}

/// Who gets a notice, as one text: `session:KEY` or `owner:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(pub String);

impl Recipient {
    /// The session that asked, else the session in which the work runs, else the owner.
    pub fn of(task: &Task) -> Recipient {
        Recipient(match task.requester_session.as_ref().or(task.session.as_ref()) {
            Some(session) => format!("session:{session}"),
            None => format!("owner:{}", task.owner),
        })
    }
}

/// The notices owed by events that led to `task`. The policy is the one in force after them.
pub fn owed(task: &Task, events: &[Event]) -> Owed {
    let opens = events.iter().rposition(|event| event.ending().is_some() || matches!(event, Event::Recovered));
    let first = opens.unwrap_or(0);
    let owes = |event: &Event| match task.notify {
        NotifyPolicy::Silent => false,
        NotifyPolicy::StateChanges => is_state_change(event),
        NotifyPolicy::DoneOnly | NotifyPolicy::Other(_) => event.ending().is_some(),
    };
    let events = events.iter().enumerate().filter(|(place, event)| *place >= first && owes(event));
    Owed {
        withdraws: opens.is_some(),
        events: events.map(|(place, _)| place).collect(),
        recipient: Recipient::of(task),
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
