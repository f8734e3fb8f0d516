//! A checksum over what a task was created as. It stands in the task's first event, so that the history bears the row's
//! descriptive fields out without repeating them. It finds damage and edits; it keeps no secret.

use crate::command::Birth;
use crate::event::{Event, Fill};
use crate::{FlowId, Metadata, Span, Task, TaskId};
use alloc::format;
use alloc::string::String;

/// What is summed: everything that only the row says, but for the number and the key, which an import may change.
struct Described<'a> {
    texts: [Option<&'a str>; 12],
    tasks: [Option<TaskId>; 3],
    flow: Option<FlowId>,
    spans: [Option<Span>; 2],
    metadata: &'a Metadata,
}

/// The checksum of a birth.
pub(crate) fn of_birth(birth: &Birth) -> String {
    let flow = birth.joins().ok().flatten();
    let described = Described {
        texts: [
            Some(&birth.runtime),
            birth.kind.as_deref(),
            birth.source_id.as_deref(),
            birth.run_id.as_deref(),
            Some(&birth.owner),
            birth.requester_session.as_deref(),
            birth.session.as_deref(),
            birth.agent.as_deref(),
            birth.requester_agent.as_deref(),
            Some(&birth.label),
            birth.task.as_deref(),
            birth.origin.as_ref().map(crate::Json::as_str),
        ],
        tasks: [birth.family.map(|family| family.parent), birth.family.map(|family| family.root), birth.retry_of],
        flow,
        spans: [birth.queue_timeout, birth.timeout],
        metadata: &birth.metadata,
    };
    described.sum()
}

/// Whether a row is what its history says that it was created as: what was filled in later was not there then.
pub(crate) fn bears_out<'a>(row: &Task, history: impl Iterator<Item = &'a Event>) -> bool {
    let (mut recorded, mut later) = (None, Fill::default());
    for event in history {
        match event {
            Event::Created(opening) => recorded = opening.checksum.as_ref(),
            Event::Started(started) => later.add(&started.fill),
            Event::Progress(progress) | Event::ProgressUnrecorded(progress) => later.add(&progress.fill),
            Event::Heartbeat(_)
            | Event::CancelRequested(_)
            | Event::CancelTold
            | Event::Finished(_)
            | Event::Settled(_)
            | Event::Expired(_)
            | Event::Reaped(_)
            | Event::Recovered
            | Event::NotifyChanged(_)
            | Event::Unknown { .. } => {}
        }
    }
    recorded.is_none_or(|recorded| *recorded == of_row(row, &later))
}

fn of_row(row: &Task, later: &Fill) -> String {
    let described = Described {
        texts: [
            Some(&row.runtime),
            at_birth(&row.kind, &later.kind),
            at_birth(&row.source_id, &later.source_id),
            at_birth(&row.run_id, &later.run_id),
            Some(&row.owner),
            at_birth(&row.requester_session, &later.requester_session),
            at_birth(&row.session, &later.session),
            at_birth(&row.agent, &later.agent),
            at_birth(&row.requester_agent, &later.requester_agent),
            Some(&row.label),
            row.task.as_deref(),
            row.origin.as_ref().map(crate::Json::as_str),
        ],
        tasks: [
            row.parent.filter(|_| later.parent.is_none()),
            row.root.filter(|_| later.root.is_none()),
            row.retry_of.filter(|_| later.retry_of.is_none()),
        ],
        flow: row.flow.filter(|_| later.flow.is_none()),
        spans: [row.queue_timeout, row.timeout],
        metadata: &row.metadata,
    };
    described.sum()
}

/// A text that was there from the beginning.
fn at_birth<'a>(own: &'a Option<String>, later: &Option<String>) -> Option<&'a str> {
    own.as_deref().filter(|_| later.is_none())
}

impl Described<'_> {
    fn sum(&self) -> String {
        let mut sum = Sum(0);
        self.texts.iter().for_each(|text| sum.bytes(text.map(str::as_bytes)));
        self.tasks.iter().for_each(|task| sum.bytes(task.as_ref().map(|task| task.as_bytes().as_slice())));
        sum.bytes(self.flow.as_ref().map(|flow| flow.as_bytes().as_slice()));
        self.spans
            .iter()
            .for_each(|span| sum.bytes(span.map(|span| span.ms().to_le_bytes()).as_ref().map(|ms| &ms[..])));
        for (name, value) in self.metadata.iter() {
            sum.bytes(Some(name.as_bytes()));
            sum.bytes(Some(value.as_str().as_bytes()));
        }
        format!("{:016x}", sum.0)
    }
}

/// Each step can be undone, so that no change of one word is ever missed.
struct Sum(u64);

impl Sum {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn bytes(&mut self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else { return self.word(u64::MAX) };
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            self.word(word);
        }
    }
}
