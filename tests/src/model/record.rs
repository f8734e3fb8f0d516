//! What the model keeps of one task.

use super::{CANCEL_STUCK_MS, START_MS, UNOBSERVED_MS};
use serde_json::{Value, json};

/// A lease that ran out counts only after this.
const GRACE_MS: i64 = 30_000;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Recorded.
    Queued,
    /// Claimed.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a deadline.
    TimedOut,
    /// Ended on request.
    Cancelled,
    /// Presumed dead.
    Lost,
}

impl Standing {
    /// Every one.
    pub const ALL: [Standing; 7] = [
        Standing::Queued,
        Standing::Running,
        Standing::Succeeded,
        Standing::Failed,
        Standing::TimedOut,
        Standing::Cancelled,
        Standing::Lost,
    ];

    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Queued => "queued",
            Standing::Running => "running",
            Standing::Succeeded => "succeeded",
            Standing::Failed => "failed",
            Standing::TimedOut => "timed_out",
            Standing::Cancelled => "cancelled",
            Standing::Lost => "lost",
        }
    }

    /// Not ended.
    pub fn is_active(self) -> bool {
        matches!(self, Standing::Queued | Standing::Running)
    }

    /// Ended for good.
    pub fn is_final(self) -> bool {
        !self.is_active() && self != Standing::Lost
    }

    /// Whether such an end says that the work has run.
    pub fn has_run(self) -> bool {
        matches!(self, Standing::Succeeded | Standing::Failed)
    }
}

/// Who does the work, as seen from the test host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executor {
    /// Nothing to observe.
    External,
    /// The one process that lives.
    Live,
    /// A process of this host and boot that is not there.
    Dead,
    /// A process of another boot of this host.
    Rebooted,
    /// A process of another host.
    Elsewhere,
}

impl Executor {
    /// How a request names it.
    pub fn spec(self) -> Value {
        let identity = |machine: &str, boot: &str| json!({"identity": {"machine": machine, "boot": boot, "pid_namespace": 1, "pid": 99, "started": 5}});
        match self {
            Executor::External => json!("external"),
            Executor::Live => json!({"process": {"pid": 1}}),
            Executor::Dead => identity("test-machine", "test-boot"),
            Executor::Rebooted => identity("test-machine", "old-boot"),
            Executor::Elsewhere => identity("elsewhere", "test-boot"),
        }
    }

    /// Whether its death is proved.
    pub fn is_proved_dead(self) -> bool {
        matches!(self, Executor::Dead | Executor::Rebooted)
    }
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the record in design.md, 2")]
pub struct Recorded {
    pub number: usize,
    pub owner: String,
    pub key: Option<&'static str>,
    pub run: Option<&'static str>,
    pub runtime: &'static str,
    pub label: &'static str,
    pub session: Option<&'static str>,
    pub parent: Option<usize>,
    pub notify: &'static str,
    pub queue_timeout: Option<i64>,
    pub timeout: Option<i64>,
    pub standing: Standing,
    pub outcome: Option<&'static str>,
    pub reason: Option<&'static str>,
    /// When it was requested and when the executor was told.
    pub cancel: Option<(i64, Option<i64>)>,
    pub waiting_on: Option<&'static str>,
    pub current: Option<u32>,
    pub created: i64,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub updated: i64,
    pub executor: Executor,
    pub attempt: u32,
    pub attempt_started: Option<i64>,
    pub lease: Option<i64>,
    /// When the lease runs out by the wall clock and by the monotonic one.
    pub lease_end: Option<(i64, i64)>,
    pub heartbeat_at: Option<i64>,
    pub progress_at: Option<i64>,
    pub revision: u64,
    /// Whether a notice waits.
    pub told: bool,
    /// Whether a notice was dismissed when the policy turned to silent.
    pub silenced: bool,
    /// Its history: each event's place and type.
    pub events: Vec<(u64, &'static str)>,
}

impl Recorded {
    /// A queued task.
    pub fn new(number: usize, now: i64) -> Recorded {
        Recorded {
            number,
            owner: String::new(),
            key: None,
            run: None,
            runtime: "cli",
            label: "",
            session: None,
            parent: None,
            notify: "silent",
            queue_timeout: None,
            timeout: None,
            standing: Standing::Queued,
            outcome: None,
            reason: None,
            cancel: None,
            waiting_on: None,
            current: None,
            created: now,
            started: None,
            ended: None,
            updated: now,
            executor: Executor::External,
            attempt: 0,
            attempt_started: None,
            lease: None,
            lease_end: None,
            heartbeat_at: None,
            progress_at: None,
            revision: 0,
            told: false,
            silenced: false,
            events: Vec::new(),
        }
    }

    /// The next attempt.
    pub fn claim(&mut self, now: i64, clock: i64, executor: Executor, lease: Option<i64>) {
        (self.standing, self.ended, self.reason, self.waiting_on) = (Standing::Running, None, None, None);
        self.attempt += 1;
        self.executor = executor;
        self.attempt_started = Some(now);
        self.started = self.started.or(Some(now));
        self.lease = lease;
        self.lease_end = lease.map(|lease| (now + lease, clock + lease));
    }

    /// The lease counts from now; a new length takes the old one's place.
    pub fn renew(&mut self, now: i64, clock: i64, lease: Option<i64>) {
        self.lease = lease.or(self.lease);
        self.lease_end = self.lease.map(|lease| (now + lease, clock + lease));
    }

    /// Not ended for good, and no executor ever held it.
    pub fn was_never_held(&self) -> bool {
        self.attempt == 0 && !self.standing.is_final()
    }

    /// Lost was a presumption.
    pub fn recover(&mut self) {
        (self.standing, self.ended, self.reason) = (Standing::Running, None, None);
    }

    /// An end.
    pub fn end(&mut self, now: i64, standing: Standing, outcome: Option<&'static str>, reason: Option<&'static str>) {
        (self.standing, self.outcome, self.reason) = (standing, outcome, reason);
        self.ended = Some(now);
        self.waiting_on = None;
        self.lease_end = None;
    }

    /// Past the timeout of the current attempt.
    pub fn is_overdue(&self, now: i64) -> bool {
        self.timeout.zip(self.attempt_started).is_some_and(|(timeout, started)| now > started + timeout)
    }

    /// Past the queue's deadline.
    pub fn is_expired(&self, now: i64) -> bool {
        self.queue_timeout.is_some_and(|timeout| now > self.created + timeout)
    }

    /// What is known of a running task's executor; the test host's monotonic clock is the wall clock.
    pub fn liveness(&self, clock: i64) -> &'static str {
        match (self.executor, self.lease_end) {
            (Executor::Dead | Executor::Rebooted, _) => "gone",
            (_, Some((_, end))) if clock - end > GRACE_MS => "lease_expired",
            (_, Some(_)) | (Executor::Live, None) => "alive",
            (Executor::External | Executor::Elsewhere, None) => "unknown",
        }
    }

    /// What the audit says of it.
    pub fn finding(&self, now: i64, clock: i64) -> Option<&'static str> {
        let last_word = self.heartbeat_at.max(self.progress_at).max(self.attempt_started).unwrap_or(0);
        match (self.standing, self.liveness(clock)) {
            (Standing::Queued, _) => self.is_expired(now).then_some("queue_expired"),
            (Standing::Lost, _) => Some("lost"),
            (Standing::Running, "gone") => Some("executor_gone"),
            (Standing::Running, "lease_expired") => Some("lease_expired"),
            (Standing::Running, _) if self.is_overdue(now) => Some("overdue"),
            (Standing::Running, _)
                if self.heartbeat_at.is_none()
                    && self.progress_at.is_none()
                    && self.lease_end.is_some_and(|(_, end)| end < clock) =>
            {
                Some("never_heartbeated")
            }
            (Standing::Running, "unknown") if now - last_word > UNOBSERVED_MS => Some("unobserved"),
            (Standing::Running, _) if self.cancel.is_some_and(|(asked, _)| now - asked > CANCEL_STUCK_MS) => {
                Some("cancel_stuck")
            }
            _ => None,
        }
    }

    /// The task as it is told.
    pub fn view(&self, clock: i64) -> Value {
        let cancel =
            self.cancel.map(|(requested, told)| json!({"requested_at": time(requested), "told_at": told.map(time)}));
        let times = [self.started, self.ended, self.attempt_started, self.heartbeat_at, self.progress_at];
        let [started, ended, attempt_started, heartbeat_at, progress_at] = times.map(|at| at.map(time));
        json!({
            "number": self.number,
            "owner": self.owner,
            "key": self.key,
            "run_id": self.run,
            "runtime": self.runtime,
            "label": self.label,
            "session": self.session,
            "notify": self.notify,
            "status": self.standing.word(),
            "outcome": self.outcome,
            "reason": self.reason,
            "cancel": cancel,
            "waiting_on": self.waiting_on,
            "progress": self.current.map(|current| json!({"current": current})),
            "created_at": time(self.created),
            "started_at": started,
            "ended_at": ended,
            "updated_at": time(self.updated),
            "attempt": self.attempt,
            "attempt_started_at": attempt_started,
            "lease": self.lease,
            "lease_expires_at": self.lease_end.map(|(wall, _)| time(wall)),
            "heartbeat_at": heartbeat_at,
            "progress_at": progress_at,
            "revision": self.revision,
            "delivery": match (self.told, self.silenced) {
                (true, _) => "pending",
                (false, true) => "dismissed",
                (false, false) => "not_applicable",
            },
            "liveness": (self.standing == Standing::Running).then(|| self.liveness(clock)),
        })
    }
}

/// A time within the first days of 2026, as JSON has it.
pub fn time(ms: i64) -> String {
    let since = ms - START_MS;
    let (days, of_day) = (since.div_euclid(86_400_000), since.rem_euclid(86_400_000));
    let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
    format!("2026-01-{:02}T{:02}:{:02}:{:02}.{millis:03}Z", days + 1, seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
