//! What becomes of a notice: the one place that says how it is claimed, acknowledged, refused and given up.
//!
//! A consumer claims notices under a lease, then acknowledges or refuses each. A crash returns them when the lease runs
//! out. What is refused too often, or never answered, ends as a dead letter, which people list, retry, drop or dismiss.

use crate::{Error, Event, Millis, Seq, Span, Status, Task, TaskNumber, bounds, text};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a notice stands. The numbers are stored and stable for ever.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// Waits to be claimed.
    Pending = 1,
    /// A consumer has it under a lease.
    Claimed = 2,
    /// A consumer acknowledged it.
    Delivered = 3,
    /// Somebody decided that it need not be delivered.
    Dismissed = 4,
    /// Given up: a dead letter.
    Dead = 5,
}

impl NoticeState {
    /// Every state, in the order of their numbers.
    pub const ALL: [NoticeState; 5] =
        [NoticeState::Pending, NoticeState::Claimed, NoticeState::Delivered, NoticeState::Dismissed, NoticeState::Dead];

    /// The word people and JSON use.
    pub const fn as_str(self) -> &'static str {
        match self {
            NoticeState::Pending => "pending",
            NoticeState::Claimed => "claimed",
            NoticeState::Delivered => "delivered",
            NoticeState::Dismissed => "dismissed",
            NoticeState::Dead => "dead",
        }
    }

    /// The state of a word.
    pub fn from_word(word: &str) -> Option<NoticeState> {
        NoticeState::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The state of a stored number.
    pub fn from_code(code: u8) -> Option<NoticeState> {
        NoticeState::ALL.into_iter().find(|state| *state as u8 == code)
    }
}

/// A notice's name within its ledger: `34/session:chat`; the event's `seq` alone where one recipient has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoticeId {
    /// The event that owes it.
    pub seq: Seq,
    /// Who gets it; `None`: whoever it is.
    pub recipient: Option<String>,
}

impl NoticeId {
    const EXPECTED: &'static str = "a notice such as 34 or 34/session:chat";

    /// Reads the name; says what was expected.
    pub fn parse(text: &str) -> Result<NoticeId, Error> {
        let wrong = || Error::invalid("notice", text::quote(text), NoticeId::EXPECTED);
        let (seq, recipient) = match text.split_once('/') {
            Some((_, "")) => return Err(wrong()),
            Some((seq, recipient)) => (seq, Some(recipient)),
            None => (text, None),
        };
        let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        let seq =
            seq.parse::<i64>().ok().filter(|_| digits).and_then(|seq| u64::try_from(seq).ok()).ok_or_else(wrong)?;
        recipient.map_or(Ok(()), |recipient| bounds::text("notice", recipient, bounds::RECIPIENT_BYTES))?;
        Ok(NoticeId { seq: Seq(seq), recipient: recipient.map(Into::into) })
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recipient {
            Some(recipient) => write!(f, "{}/{recipient}", self.seq.0),
            None => write!(f, "{}", self.seq.0),
        }
    }
}

impl Serialize for NoticeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NoticeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Seq(u64),
            Text(String),
        }
        let wrong = || serde::de::Error::custom(format_args!("not that, expected {}", NoticeId::EXPECTED));
        let text = match Given::deserialize(deserializer).map_err(|_| wrong())? {
            Given::Seq(seq) => seq.to_string(),
            Given::Text(text) => text,
        };
        NoticeId::parse(&text).map_err(|_| wrong())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NoticeId {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "NoticeId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer"], "description": NoticeId::EXPECTED})
    }
}

/// A message that the ledger owes somebody about a task. Its key is (task, `seq`, recipient).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// The task.
    pub number: TaskNumber,
    /// The event that owes it.
    pub seq: Seq,
    /// Who gets it: `session:KEY` or `owner:NAME`.
    pub recipient: String,
    /// The outcome it speaks of: an end or a recovery opens another one.
    pub generation: u32,
    /// Where it stands.
    pub state: NoticeState,
    /// How often it was claimed.
    pub attempts: u32,
    /// When it may be claimed, or claimed again: the end of the lease while it is claimed.
    pub due_at: Millis,
    /// Who has it, or had it last.
    pub claim: Option<NoticeClaim>,
    /// Why it was refused, given up or dismissed.
    pub reason: Option<String>,
}

/// A consumer's hold on a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticeClaim {
    /// What the consumer names to answer: one for all notices claimed together.
    pub token: String,
    /// Who it says it is.
    pub consumer: Option<String>,
}

impl Notice {
    /// As it is once its task is pruned: given up, whatever it waits for.
    #[must_use]
    pub fn unclaimed(&self, now: Millis) -> Notice {
        let reason = match self.state {
            NoticeState::Dead => self.reason.clone(),
            NoticeState::Pending | NoticeState::Claimed | NoticeState::Delivered | NoticeState::Dismissed => {
                Some(UNCLAIMED.into())
            }
        };
        Notice { state: NoticeState::Dead, due_at: now, reason, ..self.clone() }
    }

    fn silenced(&self) -> Notice {
        Notice { state: NoticeState::Dismissed, claim: None, reason: Some(SILENCED.into()), ..self.clone() }
    }

    /// The name within the ledger.
    pub fn id(&self) -> NoticeId {
        NoticeId { seq: self.seq, recipient: Some(self.recipient.clone()) }
    }
}

/// What may be asked of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeCommand {
    /// Take it, for so long, if it is due.
    Claim(NoticeClaim, Span),
    /// It was delivered, says who holds this claim.
    Ack(String),
    /// It could not be delivered, says who holds this claim, and why.
    Nack(String, String),
    /// Try again, from the beginning.
    Retry,
    /// Forget a dead letter, or one that was dismissed.
    Drop,
    /// It need not be delivered.
    Dismiss(Option<String>),
    /// Its recipient has read what it speaks of.
    Read,
}

/// Why a notice is dead that nobody claimed before its task was pruned.
const UNCLAIMED: &str = "unclaimed";
/// Why a notice is dismissed whose task is to tell nobody any more.
pub const SILENCED: &str = "silenced";
/// What a notice that nobody answers for is given up with.
const UNANSWERED: &str = "claimed too often and never answered";
/// The pause after the first refusal; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 5_000;
/// The longest pause.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

/// What a command on a notice leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeDecision {
    /// It stays as it is.
    Unchanged,
    /// It becomes this.
    Becomes(Notice),
    /// It goes: it was dropped, or the task has another outcome by now, which has a notice of its own.
    Withdrawn,
}

/// What a notice's task has come to since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The outcome that it is in.
    pub generation: u32,
    /// Whether it is to tell nobody any more: who is being told may still say so, and nobody else is told.
    pub silent: bool,
}

/// Decides a command on a notice. Pure.
///
/// The order of the checks is the order of precedence of the refusals.
pub fn decide_notice(
    notice: &Notice,
    command: &NoticeCommand,
    since: Since,
    now: Millis,
) -> Result<NoticeDecision, Error> {
    let outdated = notice.generation < since.generation;
    let mut next = notice.clone();
    match command {
        NoticeCommand::Claim(claim, lease) => {
            let open = matches!(notice.state, NoticeState::Pending | NoticeState::Claimed);
            if !open || notice.due_at > now {
                return Ok(NoticeDecision::Unchanged);
            }
            if outdated {
                return Ok(NoticeDecision::Withdrawn);
            }
            if since.silent {
                return Ok(NoticeDecision::Becomes(notice.silenced()));
            }
            if notice.attempts >= bounds::NOTICE_ATTEMPTS {
                (next.state, next.reason) = (NoticeState::Dead, Some(UNANSWERED.into()));
                return Ok(NoticeDecision::Becomes(next));
            }
            (next.state, next.attempts) = (NoticeState::Claimed, notice.attempts.saturating_add(1));
            (next.due_at, next.claim) = (now.plus(*lease), Some(claim.clone()));
        }
        NoticeCommand::Ack(token) => {
            held(notice, token)?;
            if notice.state == NoticeState::Delivered {
                return Ok(NoticeDecision::Unchanged);
            }
            (next.state, next.reason) = (NoticeState::Delivered, None);
        }
        NoticeCommand::Nack(token, reason) => {
            held(notice, token)?;
            if notice.state == NoticeState::Delivered {
                return Err(settled(notice, "it was acknowledged"));
            }
            if outdated {
                return Ok(NoticeDecision::Withdrawn);
            }
            if since.silent {
                return Ok(NoticeDecision::Becomes(notice.silenced()));
            }
            next.reason = Some(reason.clone());
            match notice.attempts >= bounds::NOTICE_ATTEMPTS {
                true => next.state = NoticeState::Dead,
                false => {
                    (next.state, next.claim) = (NoticeState::Pending, None);
                    next.due_at = now.plus(pause(notice.attempts));
                }
            }
        }
        NoticeCommand::Retry => match notice.state {
            NoticeState::Delivered => return Err(settled(notice, "there is nothing to try again")),
            NoticeState::Claimed if notice.due_at > now => return Err(settled(notice, "a consumer has it")),
            _ if outdated => {
                return Err(settled(notice, "the task has another outcome by now, with a notice of its own"));
            }
            _ if since.silent => return Err(settled(notice, "the task is to tell nobody: change its policy first")),
            NoticeState::Pending | NoticeState::Claimed | NoticeState::Dismissed | NoticeState::Dead => {
                (next.state, next.attempts, next.due_at) = (NoticeState::Pending, 0, now);
                (next.claim, next.reason) = (None, None);
            }
        },
        NoticeCommand::Drop => match notice.state {
            NoticeState::Dismissed | NoticeState::Dead => return Ok(NoticeDecision::Withdrawn),
            NoticeState::Delivered => return Err(settled(notice, "it was acknowledged")),
            NoticeState::Pending | NoticeState::Claimed => return Err(settled(notice, "dismiss it first")),
        },
        NoticeCommand::Dismiss(reason) => match notice.state {
            NoticeState::Delivered => return Err(settled(notice, "it was acknowledged")),
            NoticeState::Dismissed => return Ok(NoticeDecision::Unchanged),
            NoticeState::Pending | NoticeState::Claimed | NoticeState::Dead => {
                (next.state, next.claim, next.reason) = (NoticeState::Dismissed, None, reason.clone());
            }
        },
        NoticeCommand::Read => match notice.state {
            NoticeState::Delivered | NoticeState::Dismissed => return Ok(NoticeDecision::Unchanged),
            NoticeState::Pending | NoticeState::Dead if outdated => return Ok(NoticeDecision::Withdrawn),
            // Whoever holds it may still acknowledge it.
            NoticeState::Pending | NoticeState::Claimed | NoticeState::Dead => {
                (next.state, next.reason) = (NoticeState::Delivered, None);
            }
        },
    }
    Ok(if next == *notice { NoticeDecision::Unchanged } else { NoticeDecision::Becomes(next) })
}

/// Refuses whoever does not hold the notice: it was claimed again, or its claim was answered.
fn held(notice: &Notice, token: &str) -> Result<(), Error> {
    let holds = matches!(notice.state, NoticeState::Claimed | NoticeState::Delivered)
        && notice.claim.as_ref().is_some_and(|claim| claim.token == token);
    match holds || crate::planted("acknowledge_any_lease") {
        true => Ok(()),
        false => Err(Error::StaleClaim { notice: notice.id().to_string(), state: notice.state, due_at: notice.due_at }),
    }
}

fn settled(notice: &Notice, problem: &str) -> Error {
    Error::NoticeSettled { notice: notice.id().to_string(), state: notice.state, problem: problem.into() }
}

/// How long a refused notice waits, by how often it was tried.
fn pause(attempts: u32) -> Span {
    let doublings = attempts.saturating_sub(1).min(20);
    Span::clamped(FIRST_PAUSE_MS.saturating_mul(1_i64 << doublings).min(LONGEST_PAUSE_MS))
}

/// A notice in words, for people: `#12 read the feeds: succeeded (9 feeds)`. The shape is stable: number, label, what
/// happened, and in brackets what was said of it. An end that takes back an earlier one says so:
/// `#12 read the feeds: succeeded after being lost (9 feeds)`. It is not escaped for a terminal.
///
/// `generation` is the outcome that the notice speaks of; `task` may be in a later one.
pub fn message(task: &Task, event: &Event, generation: u32) -> String {
    let error = || task.error.as_ref().and_then(|error| error.message.clone());
    let (what, said) = match event {
        Event::Progress(progress) | Event::ProgressUnrecorded(progress) => ("progress", progress.text.clone()),
        Event::Recovered => ("lives after all", None),
        Event::Finished(ending) | Event::Settled(ending) | Event::Expired(ending) | Event::Reaped(ending) => {
            let is_newest = generation == task.generation;
            let told = is_newest.then(|| error().or_else(|| task.summary.clone())).flatten();
            (ending.status.as_str(), told.or_else(|| ending.reason.clone()))
        }
        Event::Started(_) => (Status::Running.as_str(), None),
        Event::Created(_)
        | Event::Heartbeat(_)
        | Event::CancelRequested(_)
        | Event::CancelTold
        | Event::NotifyChanged(_)
        | Event::Unknown { .. } => (task.status.as_str(), None),
    };
    let corrects = generation > 1 && event.ending().is_some_and(|ending| ending.status.is_final());
    let after = if corrects { " after being lost" } else { "" };
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    format!("{} {}: {what}{after}{said}", task.number, task.label)
}
