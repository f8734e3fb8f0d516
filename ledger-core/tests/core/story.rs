//! One task's life, told command by command.

use bgledger_core::{
    Answer, Birth, CancelEvidence, Cancelled, Claim, ClaimToken, Command, End, Error, Event, Evidence, Executor, Fill,
    Metadata, Millis, Moment, NotifyPolicy, Progress, Settlement, Span, Status, Task, TaskId, TaskNumber, decide,
    evolve, fold, same_but_for_heartbeats,
};

pub(crate) const BOOT: &str = "boot-1";
pub(crate) const MACHINE: &str = "machine-1";
/// When stories begin, in milliseconds since 1970.
pub(crate) const BEGINNING: i64 = 1_000_000;

/// A task, its recorded history and the clock.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) task: Option<Task>,
    pub(crate) history: Vec<(Event, Millis)>,
    pub(crate) now: i64,
}

impl Story {
    /// Before the task is recorded.
    pub(crate) fn blank() -> Story {
        Story { task: None, history: vec![], now: BEGINNING }
    }

    /// After it is.
    pub(crate) fn queued() -> Story {
        Story::born(birth())
    }

    pub(crate) fn born(birth: Birth) -> Story {
        let mut story = Story::blank();
        story.tell(Command::Create(birth)).unwrap();
        story
    }

    /// Started by executor 1, with a lease of a minute.
    pub(crate) fn running() -> Story {
        let mut story = Story::queued();
        story.tell(Command::Start(claim(1))).unwrap();
        story
    }

    /// Reaped because its lease ran out.
    pub(crate) fn lost() -> Story {
        let mut story = Story::running();
        story.wait(100_000);
        story.tell(Command::Reap(lease_expired())).unwrap();
        story
    }

    pub(crate) fn wait(&mut self, ms: i64) -> &mut Story {
        self.now += ms;
        self
    }

    /// Carries out a command as storage does; a refused one changes nothing.
    pub(crate) fn tell(&mut self, command: Command) -> Result<Answer, Error> {
        let at = moment(self.now);
        let decision = decide(self.task.as_ref(), &command, &at)?;
        let mut task = match (self.task.take(), &command) {
            (Some(task), _) => task,
            (None, Command::Create(birth)) => Task::unborn(TaskNumber(1), TaskId::from_bytes([1; 16]), birth),
            (None, _) => panic!("a command on nothing was not refused"),
        };
        let now = at.now.max(task.updated_at);
        for event in &decision.events {
            task = evolve(task, event, now);
            if event.kind().is_some() {
                let stored = Event::from_stored(event.kind().unwrap() as u8, event.data().as_deref());
                self.history.push((stored, now));
            }
        }
        if !decision.events.is_empty() {
            task.revision += 1;
        }
        self.task = Some(task);
        Ok(decision.answer)
    }

    pub(crate) fn task(&self) -> &Task {
        self.task.as_ref().unwrap()
    }

    pub(crate) fn status(&self) -> Status {
        self.task().status
    }

    /// The events' words, oldest first.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.history.iter().map(|(event, _)| event.kind().unwrap().as_str()).collect()
    }

    /// The row is what its history makes of it, and its times are in order.
    pub(crate) fn check(&self) {
        let Some(row) = &self.task else { return };
        let folded = fold(row, self.history.iter().map(|(event, at)| (event, *at)));
        assert!(same_but_for_heartbeats(row, &folded), "row {row:#?}\nfold {folded:#?}");
        assert!(row.created_at <= row.started_at.unwrap_or(row.created_at), "{row:#?}");
        let (begun, over) = (row.started_at.unwrap_or(row.created_at), row.ended_at.unwrap_or(row.updated_at));
        assert!(begun <= over && over <= row.updated_at, "{row:#?}");
        assert_eq!(row.ended_at.is_none(), row.status.is_active(), "{row:#?}");
        assert!(row.status != Status::Running || (row.attempt > 0 && row.attempt_started_at.is_some()), "{row:#?}");
        assert!(row.waiting_on.is_none() || row.status == Status::Running, "{row:#?}");
        assert_eq!(row.outcome.is_some(), row.status == Status::Succeeded, "{row:#?}");
        assert_eq!(row.reason.is_none(), row.status.is_active() || row.status == Status::Succeeded, "{row:#?}");
    }
}

pub(crate) fn moment(now: i64) -> Moment {
    Moment { now: Millis::clamped(now), boot: Some(BOOT.into()), monotonic: now - BEGINNING, uptime: now - BEGINNING }
}

pub(crate) fn birth() -> Birth {
    Birth {
        key: None,
        runtime: "subagent".into(),
        kind: None,
        source_id: None,
        run_id: None,
        owner: "local".into(),
        requester_session: Some("agent:main".into()),
        session: None,
        agent: None,
        requester_agent: None,
        family: None,
        flow: None,
        retry_of: None,
        label: "read the papers".into(),
        task: None,
        metadata: Metadata::default(),
        notify: NotifyPolicy::DoneOnly,
        queue_timeout: None,
        timeout: None,
        created_at: None,
        start: None,
        finish: None,
        origin: None,
    }
}

/// The executor whose pid is `100 + who`.
pub(crate) fn executor(who: u32) -> Executor {
    Executor {
        machine: Some(MACHINE.into()),
        boot: Some(BOOT.into()),
        pid_namespace: Some(1),
        pid: Some(100 + who),
        started: Some(u64::from(who)),
        nonce: Some(format!("nonce-{who}")),
        group: None,
    }
}

pub(crate) fn claim(who: u32) -> Claim {
    Claim { executor: Some(executor(who)), lease: Some(Span::from_secs(60)), ..Claim::default() }
}

/// The token of an attempt by an executor.
pub(crate) fn token(attempt: u32, who: u32) -> ClaimToken {
    ClaimToken { attempt: Some(attempt), nonce: Some(format!("nonce-{who}")) }
}

/// The token of somebody who names no attempt.
pub(crate) fn anybody() -> ClaimToken {
    ClaimToken::default()
}

pub(crate) fn end(status: Status) -> End {
    End { status, outcome: None, reason: None, report: Default::default(), ended_at: None }
}

pub(crate) fn finish(token: ClaimToken, status: Status) -> Command {
    Command::Finish { token, end: end(status) }
}

pub(crate) fn progress(token: ClaimToken, text: &str) -> Command {
    report(token, Progress { text: Some(text.into()), ..Progress::default() })
}

pub(crate) fn report(token: ClaimToken, progress: Progress) -> Command {
    Command::Progress { token, progress, lease: None, late: bgledger_core::Late::default() }
}

pub(crate) fn heartbeat(token: ClaimToken) -> Command {
    Command::Heartbeat { token, lease: None }
}

pub(crate) fn cancel() -> Command {
    Command::RequestCancel { by: Some("ada".into()), why: None, evidence: CancelEvidence::MayLive }
}

pub(crate) fn cancel_the_dead(who: u32) -> Command {
    Command::RequestCancel { by: Some("ada".into()), why: None, evidence: CancelEvidence::Gone(process_gone(who)) }
}

pub(crate) fn settle(status: Status) -> Command {
    Command::Settle(Settlement { end: end(status), by: Some("ada".into()), why: Some("seen to be over".into()) })
}

pub(crate) fn fill_agent(agent: &str) -> Fill {
    Fill { agent: Some(agent.into()), ..Fill::default() }
}

pub(crate) fn process_gone(who: u32) -> Evidence {
    Evidence::ProcessGone { pid: 100 + who, started: u64::from(who), found: None }
}

pub(crate) fn lease_expired() -> Evidence {
    Evidence::LeaseExpired { expired_at: None, overdue: Span::from_secs(40), monotonic: true }
}

pub(crate) const CANCEL_REQUESTED: Answer = Answer::Cancel(Cancelled::Requested);
pub(crate) const CANCELLED: Answer = Answer::Cancel(Cancelled::Cancelled);
pub(crate) const CANCEL_CAME_LATE: Answer = Answer::Cancel(Cancelled::Already);
pub(crate) const CANCEL_FOUND_NOBODY: Answer = Answer::Cancel(Cancelled::ExecutorGone);
