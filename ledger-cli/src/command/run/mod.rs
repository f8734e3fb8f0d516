//! Runs a command as a recorded task.

mod label;
mod record;
mod verdict;

use crate::args::WorkArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::supervise::{self, Event, Gated, NotStarted, Plan, Running};
use crate::{tell, value};
use bgledger_core::{CONTAINER_LEASE, ErrorClass, STOP_GRACE, Span, Status, bounds, escape};
use bgledger_store::platform::{in_container, monotonic_ms};
use record::{Record, Standing};
use std::ffi::OsString;
use std::time::Duration;
use verdict::{Stop, Verdict, verdict};

/// Run a command as a recorded task
///
/// The task is recorded before the command starts and ends when the command ends, even if something it left
/// behind goes on. Output passes through; its end is recorded. Signals (INT, TERM, HUP, QUIT) go to the command's
/// process group; a command that they end is recorded as cancelled, one that handles them as it says by its exit
/// code. `bgledger cancel` and --timeout stop the whole group: SIGTERM, after 5 s SIGKILL.
/// The command finds its task in $BGLEDGER_TASK and the ledger in $BGLEDGER_DB; a `run` inside it is a child.
///
/// Exits as the command; 128 and its number for a signal; 124 on --timeout; 125 if it could not be recorded;
/// 126 if the command cannot be executed, 127 if there is none. Should the end not be recorded, stderr says so.
/// It prints nothing itself on stdout: --quiet prints the id on stderr before the command starts, --json the
/// task after it has ended.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "bgledger run [OPTIONS] [--] CMD [ARGS]...",
    after_help = "\
Examples:
  bgledger run -- make test
  bgledger run --label 'nightly backup' --timeout 2h -- ./backup.sh --full
  bgledger run -- sh -c 'bgledger progress $BGLEDGER_TASK half && ./rest'"
)]
pub(crate) struct Run {
    /// A short title [default: the command line]
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    #[command(flatten)]
    work: WorkArgs,
    /// Be presumed dead unless renewed for so long; `run` renews it [default: 60s in a container, else none]
    #[arg(long, value_name = "TIME", value_parser = value::span, help_heading = "Deadlines")]
    lease: Option<Span>,
    /// Run the command even if the ledger cannot be written; what the rules refuse is still not run
    #[arg(long)]
    best_effort: bool,
    /// How much of the end of the output to keep, in bytes, up to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = clap::value_parser!(u64).range(..=bounds::OUTPUT_TAIL_BYTES as u64))]
    output_tail: u64,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// How often a request to cancel is looked for.
const TICK: Duration = Duration::from_millis(200);
/// How much earlier a run within another run kills its command: before the outer run kills this process.
const EARLIER: Duration = Duration::from_secs(1);

impl Run {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        // Ended between its record and its command, this process would leave a task that nobody runs.
        let ears = supervise::Ears::open().ok();
        let heard = || ears.as_ref().and_then(supervise::Ears::heard);
        let mut record = match self.record(context) {
            Ok(record) => Some(record),
            Err(failure) if self.goes_on(&failure) => {
                tell_unrecorded(&failure, "not recorded");
                None
            }
            Err(failure) => return Ok(not_recorded(context, &failure)),
        };
        let gated = match supervise::gate(&self.plan(record.as_ref())) {
            Ok(gated) => gated,
            Err(error) => {
                let refused = NotStarted::NotExecutable(error);
                return Ok(self.never_ran(context, record, &refused));
            }
        };
        if let Some(signal) = heard() {
            return Ok(interrupted(context, gated, record, signal));
        }
        match record.as_mut().map(|record| record.start(gated.group(), self.lease())).transpose() {
            Ok(_) => {}
            Err(failure) if self.goes_on(&failure) => tell_unrecorded(&failure, "the start is not recorded yet"),
            Err(failure) => {
                gated.refuse();
                let exit = not_recorded(context, &failure);
                if let Some(record) = record {
                    record.give_up(context, &Verdict::not_recorded(&failure));
                }
                return Ok(exit);
            }
        }
        if let Some(signal) = heard() {
            return Ok(interrupted(context, gated, record, signal));
        }
        if let (Some(record), true) = (&record, context.out.quiet) {
            tell(&record.id.to_string());
        }
        Ok(self.supervise(context, gated, record))
    }

    fn lease(&self) -> Option<Span> {
        self.lease.or_else(|| in_container().then_some(CONTAINER_LEASE))
    }

    /// Whether the command runs all the same.
    fn goes_on(&self, failure: &Failure) -> bool {
        let is_refused = match failure {
            Failure::Ledger(error) => matches!(error.code().class(), ErrorClass::Refused | ErrorClass::Invalid),
            Failure::Usage { .. } => true,
            Failure::System { .. } | Failure::Output(_) => false,
        };
        self.best_effort && !is_refused
    }

    fn record(&self, context: &Context) -> Result<Record, Failure> {
        let line = label::command_line(&self.command);
        let label = match &self.label {
            Some(label) => label.clone(),
            None => label::cut(&line, bounds::LABEL_BYTES),
        };
        let text = (label != line).then(|| label::cut(&line, bounds::TASK_BYTES));
        let mut create = self.work.create(label)?;
        create.task = create.task.or(text);
        let ledger = context.recording()?;
        let parent = self.work.inherited_parent(context, &ledger);
        Record::create(context, ledger, create, parent)
    }

    fn plan(&self, record: Option<&Record>) -> Plan {
        let environment = record.map(|record| {
            let task = ("BGLEDGER_TASK".into(), record.id.to_string().into());
            [task, ("BGLEDGER_DB".into(), record.path().as_os_str().to_owned())]
        });
        let timeout = self.work.timeout.and_then(|timeout| u64::try_from(timeout.ms()).ok());
        let tick = timeout.map_or(TICK, |timeout| TICK.min(Duration::from_millis((timeout / 5).max(5))));
        Plan {
            command: self.command.clone(),
            environment: environment.into_iter().flatten().collect(),
            tail_limit: usize::try_from(self.output_tail).unwrap_or(0),
            tick,
        }
    }

    fn supervise(&self, context: &Context, gated: Gated, mut record: Option<Record>) -> Exit {
        let mut running = match gated.go() {
            Ok(running) => running,
            Err(refused) => return self.never_ran(context, record, &refused),
        };
        let ended = self.watch(&mut running, record.as_mut());
        let finished = running.finish();
        let verdict = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let message = format!("the command was lost sight of: {error}");
                tell(&format!("error: {}", escape(&message)));
                Verdict::lost_sight(message)
            }
        };
        if let Some(record) = record {
            record.finish(context, &verdict, Some(finished.output));
        }
        // Whoever asked us to end meanwhile does not want the rest.
        let _ = finished.delivery.wait();
        verdict.exit
    }

    /// Until the command has ended: passes signals on, stops it when its time is over or a cancel is requested.
    fn watch(&self, running: &mut Running, mut record: Option<&mut Record>) -> std::io::Result<Verdict> {
        let deadline = self.work.timeout.map(|timeout| monotonic_ms().saturating_add(timeout.ms()));
        let (mut stop, mut heard) = (Stop::Not, Vec::new());
        let is_inner = std::env::var_os("BGLEDGER_TASK").is_some_and(|task| !task.is_empty());
        let grace = Duration::from_millis(STOP_GRACE.ms().unsigned_abs());
        let grace = if is_inner { grace.saturating_sub(EARLIER) } else { grace };
        loop {
            match running.next_event()? {
                Event::Signal(signal) => {
                    heard.push(signal);
                    let _ = running.forward(signal);
                }
                Event::Exited(status) => {
                    let told = verdict(status, stop, &heard);
                    // The signal may have been an outer run's way to carry out the same cancel.
                    let is_requested = told.status == Status::Cancelled
                        && record.is_some_and(|record| matches!(record.standing(), Standing::CancelRequested));
                    return Ok(if is_requested { verdict(status, Stop::Cancelled, &heard) } else { told });
                }
                Event::Tick => {
                    if let (Stop::Not, Some(record)) = (stop, record.as_deref_mut()) {
                        match record.standing() {
                            Standing::Ours => {}
                            Standing::CancelRequested => {
                                stop = Stop::Cancelled;
                                running.stop(grace);
                                record.tell();
                            }
                            Standing::TakenOver(failure) => {
                                stop = Stop::TakenOver;
                                running.stop(grace);
                                tell_taken_over(&failure);
                            }
                        }
                    }
                    if stop == Stop::Not && deadline.is_some_and(|deadline| monotonic_ms() >= deadline) {
                        stop = Stop::TimedOut;
                        running.stop(grace);
                    }
                    if let Some(record) = record.as_deref_mut() {
                        record.renew();
                    }
                }
            }
        }
    }

    fn never_ran(&self, context: &Context, record: Option<Record>, refused: &NotStarted) -> Exit {
        let program = self.command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        tell(&format!("error: {}: {}", escape(&program), escape(&refused.to_string())));
        let verdict = Verdict::never_ran(&program, refused);
        if let Some(record) = record {
            record.give_up(context, &verdict);
        }
        verdict.exit
    }
}

/// We were told to end before the command was executed.
fn interrupted(context: &Context, gated: Gated, record: Option<Record>, signal: i32) -> Exit {
    gated.refuse();
    let verdict = Verdict::interrupted(signal);
    if let Some(record) = record {
        record.give_up(context, &verdict);
    }
    verdict.exit
}

fn not_recorded(context: &Context, failure: &Failure) -> Exit {
    if let Some(text) = failure.text(context.out.json) {
        tell(&text);
    }
    context.out.note("The command was not run.");
    Exit::NotRecorded
}

fn tell_unrecorded(failure: &Failure, what: &str) {
    if let Some(text) = failure.text(false) {
        tell(&text.replacen("error: ", &format!("warning: {what}: "), 1));
    }
}

fn tell_taken_over(failure: &Failure) {
    if let Some(text) = failure.text(false) {
        tell(&text.replacen("error: ", "error: the command is stopped: ", 1));
    }
}
