//! The record of a running command: begun, renewed, asked about, ended.

use super::verdict::Verdict;
use crate::args::record_under;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{harmless, json_line};
use crate::supervise::Output;
use crate::tell;
use bgledger_core::{
    Create, Error, ErrorClass, ErrorCode, ExecutorSpec, Finish, Heartbeat, Lookup, Millis, Output as Kept, RENEWALS,
    Recorded, Show, Shown, Span, Start, Status, TaskId,
};
use bgledger_store::Ledger;
use bgledger_store::platform::{monotonic_ms, own_pid, wall_ms};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// A command's task.
pub(super) struct Record {
    pub(super) id: TaskId,
    ledger: Ledger,
    /// For what happens while the command runs: it must not keep us from passing signals on.
    impatient: Ledger,
    /// Recorded by us, and not found under a key that somebody else had used.
    is_own: bool,
    claim: Claim,
    /// Whether the rules have said that the task is not ours: nothing is recorded any more.
    is_forsaken: bool,
}

/// Who holds the task.
enum Claim {
    /// Not yet we: the ledger could not be written. The command has been running since.
    Owed { start: Box<Start>, due: i64 },
    /// We do.
    Held { attempt: u32, nonce: Option<String>, lease: Option<Renewal> },
}

struct Renewal {
    every_ms: i64,
    due: i64,
}

/// What the ledger says to whoever runs the command.
pub(super) enum Standing {
    /// Go on.
    Ours,
    /// Somebody wants this attempt to stop.
    CancelRequested,
    /// Somebody else has the task now, or nobody: in words.
    TakenOver(Failure),
}

/// How long a renewal waits for other writers.
const BRIEFLY: Duration = Duration::from_secs(1);
/// How long the end is tried to be recorded, and how often.
const PERSISTENCE_MS: i64 = 30_000;
const PAUSE: Duration = Duration::from_millis(200);
/// The same where nothing was executed.
const SHORT_PERSISTENCE_MS: i64 = 3_000;
/// How often a start whose answer was `unknown` is asked for again, and how often one that is owed.
const ASKED_AGAIN: u32 = 5;
const CLAIM_EVERY_MS: i64 = 1_000;

impl Record {
    /// Records the task, queued.
    pub(super) fn create(
        context: &Context,
        ledger: Ledger,
        create: Create,
        inherited: Option<Lookup>,
    ) -> Result<Record, Failure> {
        let created = record_under(&ledger, create, inherited)?;
        let impatient = context.recording_within(BRIEFLY)?;
        let id = created.task.task.id;
        let claim = Claim::Owed { start: Box::new(start(id, None, None)), due: 0 };
        Ok(Record { id, ledger, impatient, is_own: created.created, claim, is_forsaken: false })
    }

    /// The ledger's file.
    pub(super) fn path(&self) -> &Path {
        self.ledger.path()
    }

    /// Claims the task for this process and its command's process group. Refused, the claim is owed.
    pub(super) fn start(&mut self, group: Option<u32>, lease: Option<Span>) -> Result<(), Failure> {
        let ask = start(self.id, group, lease);
        let mut told = self.ledger.call(ask.clone());
        for _ in 0..ASKED_AGAIN {
            // The same start again is no error: it says whether the first one took effect.
            if !matches!(&told, Err(error) if error.code() == ErrorCode::Unknown) {
                break;
            }
            sleep(PAUSE);
            told = self.ledger.call(ask.clone());
        }
        match told {
            Ok(recorded) => {
                self.hold(recorded, lease);
                Ok(())
            }
            Err(error) => {
                let since = Start { started_at: Millis::new(wall_ms()), ..ask };
                let due = monotonic_ms().saturating_add(CLAIM_EVERY_MS);
                self.claim = Claim::Owed { start: Box::new(since), due };
                self.is_forsaken = is_refused(&error);
                Err(error.into())
            }
        }
    }

    fn hold(&mut self, recorded: Recorded, lease: Option<Span>) {
        let task = recorded.task.task;
        let lease = lease.map(|lease| {
            let every_ms = (lease.ms() / RENEWALS).max(1);
            Renewal { every_ms, due: monotonic_ms().saturating_add(every_ms) }
        });
        let nonce = task.executor.and_then(|executor| executor.nonce);
        self.claim = Claim::Held { attempt: task.attempt, nonce, lease };
    }

    /// How the task stands. A ledger that does not answer says nothing.
    pub(super) fn standing(&mut self) -> Standing {
        if self.is_forsaken {
            return Standing::Ours;
        }
        let Claim::Held { attempt, .. } = self.claim else { return self.claim_again() };
        let is_in_doubt = match self.impatient.call(Show::from(Lookup::from(self.id))) {
            Ok(Shown { task: view }) if view.task.attempt == attempt => {
                let wanted = view.task.cancel.is_some() && !view.task.status.is_final();
                return if wanted { Standing::CancelRequested } else { Standing::Ours };
            }
            Ok(_) => true,
            Err(error) => matches!(error.code(), ErrorCode::NotFound | ErrorCode::Pruned),
        };
        // What was read is old at once: the word that counts is the answer to a heartbeat.
        match is_in_doubt.then(|| self.beat()) {
            Some(Err(Failure::Ledger(error)))
                if matches!(error.code(), ErrorCode::Fenced | ErrorCode::NotFound | ErrorCode::Pruned) =>
            {
                self.is_forsaken = true;
                Standing::TakenOver(Failure::Ledger(error))
            }
            Some(_) | None => Standing::Ours,
        }
    }

    /// Makes up for a start that could not be recorded.
    fn claim_again(&mut self) -> Standing {
        let Claim::Owed { start, due } = &mut self.claim else { return Standing::Ours };
        let now = monotonic_ms();
        if now < *due {
            return Standing::Ours;
        }
        *due = now.saturating_add(CLAIM_EVERY_MS);
        let (start, lease) = (Start::clone(start), start.lease);
        match self.impatient.call(start) {
            Ok(recorded) => {
                self.hold(recorded, lease);
                Standing::Ours
            }
            Err(error) if is_cancel(&error) => Standing::CancelRequested,
            Err(error) if is_refused(&error) => {
                self.is_forsaken = true;
                Standing::TakenOver(error.into())
            }
            Err(_) => Standing::Ours,
        }
    }

    /// Records that the executor knows of the cancel.
    pub(super) fn tell(&self) {
        let _ = self.beat();
    }

    /// Renews the lease when it is time to. Missed once, it is tried again soon.
    pub(super) fn renew(&mut self) {
        let now = monotonic_ms();
        let is_due = matches!(&self.claim, Claim::Held { lease: Some(lease), .. } if now >= lease.due);
        if !is_due {
            return;
        }
        let renewed = self.beat().is_ok();
        if let Claim::Held { lease: Some(lease), .. } = &mut self.claim {
            let wait = if renewed { lease.every_ms } else { 1_000 };
            lease.due = now.saturating_add(wait);
        }
    }

    fn beat(&self) -> Result<(), Failure> {
        let Claim::Held { attempt, nonce, .. } = &self.claim else { return Ok(()) };
        let (attempt, nonce) = (Some(*attempt), nonce.clone());
        self.impatient.call(Heartbeat { lookup: self.id.into(), attempt, nonce, lease: None })?;
        Ok(())
    }

    /// Records the end, with patience; says so if it cannot.
    pub(super) fn finish(self, context: &Context, verdict: &Verdict, output: Option<Output>) {
        self.finish_within(PERSISTENCE_MS, context, verdict, output);
    }

    /// Ends a task of which nothing was executed. What somebody else recorded stays as it was.
    pub(super) fn give_up(self, context: &Context, verdict: &Verdict) {
        if self.is_own || matches!(self.claim, Claim::Held { .. }) {
            self.finish_within(SHORT_PERSISTENCE_MS, context, verdict, None);
        }
    }

    fn finish_within(mut self, patience_ms: i64, context: &Context, verdict: &Verdict, output: Option<Output>) {
        if self.is_forsaken {
            return;
        }
        let finish = Finish {
            lookup: self.id.into(),
            attempt: None,
            nonce: None,
            status: verdict.status,
            outcome: None,
            reason: verdict.reason.map(Into::into),
            error: verdict.error.clone(),
            summary: None,
            result: None,
            exit_code: verdict.exit_code,
            signal: verdict.signal,
            output: output.map(kept),
            artifacts: Default::default(),
            usage: None,
            ended_at: None,
        };
        match self.finish_patiently(finish, patience_ms) {
            Ok(recorded) if context.out.json => {
                let line = json_line(&Shown { task: recorded.task });
                line.iter().for_each(|line| tell(&harmless(line)));
            }
            Ok(_) => {}
            Err(failure) => {
                let (id, status) = (self.id, verdict.status.as_str());
                let text = failure.text(context.out.json).unwrap_or_default();
                tell(&text.replacen("error: ", &format!("error: the end of {id} ({status}) is not recorded: "), 1));
            }
        }
    }

    /// Tried again, it says when the command ended, unless the clock has moved so far that this cannot be.
    fn finish_patiently(&mut self, finish: Finish, patience_ms: i64) -> Result<Recorded, Failure> {
        let (mut finish, ended_at) = (finish, Millis::new(wall_ms()));
        let give_up_at = monotonic_ms().saturating_add(patience_ms);
        loop {
            let error = match self.claimed().and_then(|()| self.finish_once(&finish)) {
                Ok(recorded) => return Ok(recorded),
                Err(error) => error,
            };
            let code = error.code();
            let is_mistimed = is_mistimed(code);
            let may_mend = is_mistimed && (finish.ended_at.is_some() || self.forget_start());
            let may_pass = matches!(code, ErrorCode::Busy | ErrorCode::Unknown | ErrorCode::Io | ErrorCode::DiskFull);
            if !(may_pass || may_mend) || monotonic_ms() >= give_up_at {
                return Err(error.into());
            }
            finish.ended_at = ended_at.filter(|_| !is_mistimed);
            sleep(PAUSE);
        }
    }

    /// Claims the task if that is still owed, so that only our own attempt is ended. The group is over by now.
    fn claimed(&mut self) -> Result<(), Error> {
        let Claim::Owed { start: owed, .. } = &self.claim else { return Ok(()) };
        let ask = Start { started_at: owed.started_at, ..start(self.id, None, None) };
        match self.ledger.call(ask) {
            Ok(recorded) => {
                self.hold(recorded, None);
                Ok(())
            }
            // It was cancelled before it could be claimed: the end says the same, or is refused with what is recorded.
            Err(error) if is_cancel(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn finish_once(&self, finish: &Finish) -> Result<Recorded, Error> {
        let (attempt, nonce) = match &self.claim {
            Claim::Held { attempt, nonce, .. } => (Some(*attempt), nonce.clone()),
            Claim::Owed { .. } => (None, None),
        };
        self.ledger.call(Finish { attempt, nonce, ..finish.clone() })
    }

    /// The clock has moved so far that the time of a start which is owed cannot be. Whether there was one.
    fn forget_start(&mut self) -> bool {
        match &mut self.claim {
            Claim::Owed { start, .. } => start.started_at.take().is_some(),
            Claim::Held { .. } => false,
        }
    }
}

fn start(id: TaskId, group: Option<u32>, lease: Option<Span>) -> Start {
    let executor = Some(ExecutorSpec::Process { pid: own_pid(), group });
    Start { lookup: id.into(), executor, lease, started_at: None, fill: Default::default() }
}

/// Whether the rules say that the task is not ours to run.
fn is_refused(error: &Error) -> bool {
    matches!(error.code().class(), ErrorClass::Refused | ErrorClass::NotFound) && !is_mistimed(error.code())
}

fn is_mistimed(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::FutureTime | ErrorCode::TimeOrder)
}

/// Whether a start was refused because the task is, or is to be, cancelled.
fn is_cancel(error: &Error) -> bool {
    let is_ended = matches!(error, Error::AlreadyEnded { recorded_status: Status::Cancelled, .. });
    is_ended || error.code() == ErrorCode::CancelRequested
}

/// The output's end as text. A letter that was cut in half at its beginning is left out; what is no text, NUL too,
/// becomes the replacement character.
fn kept(output: Output) -> Kept {
    let is_inner = |byte: &u8| *byte & 0b1100_0000 == 0b1000_0000;
    let skipped = match output.truncated {
        true => output.tail.iter().take(3).take_while(|byte| is_inner(byte)).count(),
        false => 0,
    };
    let tail = String::from_utf8_lossy(output.tail.get(skipped..).unwrap_or_default()).replace('\0', "\u{fffd}");
    Kept { tail, bytes: output.bytes, truncated: output.truncated }
}
