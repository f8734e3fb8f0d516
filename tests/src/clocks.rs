//! Machines whose clocks do what clocks do, simulated: the rules are the real ones, the time and the processes are not.
//!
//! On one machine executors work silently while sweepers and auditors look. The wall clock steps, each process sees it
//! skewed, the machine is suspended and boots again, executors are stopped for a while, and some die. Only the simulation
//! knows who lives.

use crate::dice::Dice;
use bgledger_core::audit::{Code, Finding, Remedy, Thresholds, examine, remedy};
use bgledger_core::{
    Birth, Claim, ClaimToken, Command, End, Executor, LEASE_GRACE, Liveness, Metadata, Millis, Moment, NotifyPolicy,
    Observation, Observed, Sighting, Span, Status, Task, TaskId, TaskNumber, decide, evolve, judge,
};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How often somebody sweeps.
const SWEEPS: i64 = MINUTE;
/// 2026-01-01.
const BEGINNING: i64 = 1_767_225_600_000;

/// What came of some tasks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tasks.
    pub tasks: u64,
    /// Looks of sweepers and auditors at a task.
    pub looks: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Steps of the wall clock, of which some are of more than a day.
    pub steps: u64,
    /// Times at which the machine was suspended.
    pub suspends: u64,
    /// Boots.
    pub boots: u64,
    /// Executors that were stopped for less than their lease.
    pub pauses: u64,
    /// Sweeps that a jump of the clock held back.
    pub held: u64,
    /// Executors that died, and of those the ones that were found.
    pub died: u64,
    /// Those that were found.
    pub found: u64,
    /// Executors that were presumed dead after a silence longer than their lease, and whose late word was taken.
    pub late: u64,
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: Counts) {
        let pairs = [
            (&mut self.tasks, other.tasks),
            (&mut self.looks, other.looks),
            (&mut self.heartbeats, other.heartbeats),
            (&mut self.steps, other.steps),
            (&mut self.suspends, other.suspends),
            (&mut self.boots, other.boots),
            (&mut self.pauses, other.pauses),
            (&mut self.held, other.held),
            (&mut self.died, other.died),
            (&mut self.found, other.found),
            (&mut self.late, other.late),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
    }
}

/// How a task's executor can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By its lease alone: it works in a container.
    Leased(i64),
    /// By its process and its lease.
    Both(i64),
    /// By its process alone.
    Watched,
    /// Not at all.
    External,
    /// It waits.
    Queued,
}

#[derive(Debug)]
struct Work {
    kind: Kind,
    task: Task,
    /// When it speaks again, by the monotonic clock.
    speaks: i64,
    /// The monotonic clock and the boot at its death.
    died: Option<(i64, u32)>,
    /// Until when it may be presumed dead although it lives.
    excused: bool,
    settled: bool,
    /// It has been stopped since it spoke last.
    paused: bool,
}

/// One machine.
struct Machine {
    truth: i64,
    /// How far the wall clock departs.
    offset: i64,
    boot: u32,
    began: i64,
    slept: i64,
}

impl Machine {
    fn monotonic(&self) -> i64 {
        self.truth - self.began - self.slept
    }

    fn boot(&self) -> String {
        format!("boot-{}", self.boot)
    }

    /// As a process sees it whose wall clock is skewed.
    fn moment(&self, skew: i64) -> Moment {
        Moment {
            now: Millis::clamped(BEGINNING + self.truth + self.offset + skew),
            boot: Some(self.boot()),
            monotonic: self.monotonic(),
            uptime: self.truth - self.began,
        }
    }
}

/// What happens to some tasks within some hours.
pub struct Story<'a> {
    dice: &'a mut Dice,
    machine: Machine,
    works: Vec<Work>,
    /// The skew of each sweeper's wall clock, and of the executors'.
    skews: [i64; 4],
    believed: Option<Sighting>,
    held_since_death: bool,
    counts: Counts,
}

const PID: u32 = 100;

/// Plays one story; a live task that is ended, or complained of, is a panic.
pub fn play(dice: &mut Dice, tasks: usize) -> Counts {
    let skews = [0; 4].map(|_: i64| dice.below(10 * 60_000).cast_signed() - 5 * MINUTE);
    let machine = Machine { truth: HOUR, offset: 0, boot: 1, began: 0, slept: 0 };
    let counts = Counts { tasks: tasks as u64, ..Counts::default() };
    let mut story = Story { dice, machine, works: Vec::new(), skews, believed: None, held_since_death: false, counts };
    for number in 0..tasks {
        story.begin(number);
    }
    let end = story.machine.truth + 3 * HOUR;
    let mut sweep = story.machine.truth;
    let mut trouble = story.machine.truth + story.span(10 * MINUTE);
    while story.machine.truth < end {
        let speaks = story.works.iter().filter(|work| work.lives() && !work.settled).map(|work| work.speaks).min();
        let beat = speaks
            .map_or(i64::MAX, |speaks| story.machine.truth.saturating_add((speaks - story.machine.monotonic()).max(0)));
        story.machine.truth = sweep.min(trouble).min(beat).max(story.machine.truth);
        if beat <= sweep.min(trouble) {
            story.speak();
        } else if sweep <= trouble {
            story.sweep();
            sweep = story.machine.truth + SWEEPS;
        } else {
            story.trouble();
            trouble = story.machine.truth + story.span(10 * MINUTE);
            sweep = sweep.max(story.machine.truth);
        }
    }
    story.end();
    story.counts
}

impl Work {
    fn lives(&self) -> bool {
        self.died.is_none()
    }

    fn lease(&self) -> Option<i64> {
        match self.kind {
            Kind::Leased(lease) | Kind::Both(lease) => Some(lease),
            Kind::Watched | Kind::External | Kind::Queued => None,
        }
    }

    fn token(&self) -> ClaimToken {
        let nonce = self.task.executor.as_ref().and_then(|executor| executor.nonce.clone());
        ClaimToken { attempt: Some(self.task.attempt), nonce }
    }
}

impl Story<'_> {
    fn span(&mut self, about: i64) -> i64 {
        1 + self.dice.below(2 * about.unsigned_abs()).cast_signed()
    }

    fn begin(&mut self, number: usize) {
        let lease = *self.dice.pick(&[30 * SECOND, MINUTE, 5 * MINUTE, HOUR]);
        let kind = match self.dice.below(8) {
            0..3 => Kind::Leased(lease),
            3..5 => Kind::Both(lease),
            5..7 => Kind::Watched,
            _ => *self.dice.pick(&[Kind::External, Kind::Queued]),
        };
        let pid = PID + u32::try_from(number).expect("few");
        let here = Executor {
            machine: Some("machine".into()),
            boot: Some(self.machine.boot()),
            pid_namespace: Some(if matches!(kind, Kind::Leased(_)) { 2 } else { 1 }),
            pid: Some(pid),
            started: Some(u64::from(pid)),
            nonce: Some(format!("nonce-{number}")),
            group: None,
        };
        let executor = (!matches!(kind, Kind::External)).then_some(here);
        let lease = match kind {
            Kind::Leased(lease) | Kind::Both(lease) => Some(Span::clamped(lease)),
            Kind::Watched | Kind::External | Kind::Queued => None,
        };
        let start = (kind != Kind::Queued).then(|| Claim { executor, lease, ..Claim::default() });
        let birth = birth(start);
        let id = TaskId::from_bytes((number as u128 + 1).to_be_bytes());
        let mut task = Task::unborn(TaskNumber(number as u64 + 1), id, &birth);
        let at = self.machine.moment(self.skews[3]);
        let decision = decide(None, &Command::Create(birth), &at).expect("a creation");
        for event in &decision.events {
            task = evolve(task, event, at.now);
        }
        let speaks = lease.map_or(i64::MAX, |lease| self.machine.monotonic() + lease.ms() / 3);
        self.works.push(Work { kind, task, speaks, died: None, excused: false, settled: false, paused: false });
    }

    /// Carries out a command on a task as storage does.
    fn tell(work: &mut Work, command: &Command, at: &Moment) {
        let decision = decide(Some(&work.task), command, at)
            .unwrap_or_else(|error| panic!("{command:?} of {:?} at {at:?}: {error}", work.task));
        let now = at.now.max(work.task.updated_at);
        let mut task = work.task.clone();
        for event in &decision.events {
            task = evolve(task, event, now);
        }
        work.task = task;
    }

    /// Those whose turn it is renew their leases.
    fn speak(&mut self) {
        let (now, at) = (self.machine.monotonic(), self.machine.moment(self.skews[3]));
        for work in self.works.iter_mut().filter(|work| work.lives() && !work.settled && work.speaks <= now) {
            let was_lost = work.task.status == Status::Lost;
            Story::tell(work, &Command::Heartbeat { token: work.token(), lease: None }, &at);
            assert_eq!(work.task.status, Status::Running);
            self.counts.late += u64::from(was_lost);
            (work.excused, work.paused) = (false, false);
            work.speaks = now + work.lease().expect("a lease") / 3;
            self.counts.heartbeats += 1;
        }
    }

    fn observe(&self, work: &Work) -> Observation {
        let process = match work.lives() && work.kind != Kind::External {
            true => Observed::Running { started: work.task.executor.as_ref().and_then(|one| one.started).unwrap_or(0) },
            false => Observed::Gone,
        };
        Observation {
            machine: Some("machine".into()),
            boot: Some(self.machine.boot()),
            pid_namespace: Some(1),
            process,
        }
    }

    fn findings(&self, work: &Work, at: &Moment) -> Vec<Finding> {
        let liveness = match work.task.status == Status::Running {
            true => judge(&work.task, &self.observe(work), at),
            false => Liveness::Unknown,
        };
        examine(&work.task, &liveness, at, &Thresholds::default())
    }

    fn sweep(&mut self) {
        let at = self.machine.moment(self.skews[usize::try_from(self.dice.below(3)).expect("one of three")]);
        if self.believed.as_ref().and_then(|believed| believed.jump(&at)).is_some() {
            self.counts.held += 1;
            self.held_since_death = true;
            // After a while an operator says that the clock is right.
            if self.dice.below(20) > 0 {
                return;
            }
        }
        self.believed = Some(Sighting::of(&at));
        for index in 0..self.works.len() {
            self.counts.looks += 1;
            let work = &self.works[index];
            if work.settled || work.task.status.is_final() {
                continue;
            }
            let findings = self.findings(work, &at);
            for finding in findings {
                self.judge_finding(index, &finding, &at);
            }
        }
    }

    fn judge_finding(&mut self, index: usize, finding: &Finding, at: &Moment) {
        let work = &mut self.works[index];
        let before = work.task.clone();
        let told = || format!("{finding:?}\nof {before:?}\nat {at:?}");
        let is_auto = finding.remedy == Remedy::Auto;
        if work.lives() {
            let may_be_told = match work.kind {
                // Nobody sees it: that is what is told.
                Kind::External | Kind::Queued => !is_auto,
                Kind::Leased(_) | Kind::Both(_) | Kind::Watched => work.excused,
            };
            assert!(may_be_told, "live work is complained of: {}", told());
        }
        if !is_auto {
            return;
        }
        let command =
            remedy(Code::from_word(finding.code).expect("a code"), finding.evidence.clone()).expect("a remedy");
        Story::tell(work, &command, at);
        assert!(!work.task.status.is_active(), "{}", told());
        if let Some((died, boot)) = work.died {
            self.counts.found += 1;
            work.settled = true;
            let waited = at.monotonic - died;
            let most = work.lease().unwrap_or(0) + LEASE_GRACE.ms() + 2 * SWEEPS;
            let is_in_time = self.held_since_death || boot != self.machine.boot || waited <= most;
            assert!(is_in_time, "found {waited} ms after its death: {}", told());
        }
    }

    fn trouble(&mut self) {
        match self.dice.below(16) {
            0..4 => {
                let by =
                    *self.dice.pick(&[SECOND, MINUTE, 5 * MINUTE, HOUR, 23 * HOUR, 2 * DAY, 400 * DAY, 3_650 * DAY]);
                let by = if self.dice.below(2) == 0 { by } else { -by };
                self.machine.offset = (self.machine.offset + by).clamp(-20_000 * DAY, 20_000 * DAY);
                self.counts.steps += 1;
            }
            4..6 => {
                let span = self.span(HOUR);
                self.machine.truth += span;
                self.machine.slept += span;
                self.counts.suspends += 1;
            }
            6 => self.boot(),
            7..11 => self.pause(),
            11..13 => {
                let skew = self.dice.below(20 * 60_000).cast_signed() - 10 * MINUTE;
                let of = usize::try_from(self.dice.below(4)).expect("one of four");
                self.skews[of] = skew;
            }
            _ => {
                let now = (self.machine.monotonic(), self.machine.boot);
                let index = usize::try_from(self.dice.below(self.works.len() as u64)).expect("a place");
                let work = &mut self.works[index];
                if work.lives() && !matches!(work.kind, Kind::External | Kind::Queued) {
                    work.died = Some(now);
                    self.counts.died += 1;
                    self.held_since_death = false;
                }
            }
        }
    }

    /// The machine is off for a while, and its processes are gone.
    fn boot(&mut self) {
        let span = self.span(5 * MINUTE);
        self.machine.truth += span;
        (self.machine.boot, self.machine.began, self.machine.slept) = (self.machine.boot + 1, self.machine.truth, 0);
        self.counts.boots += 1;
        let now = (0, self.machine.boot - 1);
        for work in &mut self.works {
            if work.lives() && !matches!(work.kind, Kind::External | Kind::Queued) {
                work.died = Some(now);
                self.counts.died += 1;
            }
        }
    }

    /// An executor is stopped: mostly for less than its lease.
    fn pause(&mut self) {
        let index = usize::try_from(self.dice.below(self.works.len() as u64)).expect("a place");
        let short = self.dice.below(4) > 0;
        let share = self.dice.below(900).cast_signed();
        let work = &mut self.works[index];
        let Some(lease) = work.lease().filter(|_| work.lives() && !work.paused) else { return };
        work.paused = true;
        match short {
            true => {
                work.speaks += lease * 2 / 3 * share / 1_000;
                self.counts.pauses += 1;
            }
            false => {
                work.speaks += 3 * lease + LEASE_GRACE.ms();
                work.excused = true;
            }
        }
    }

    /// Who lives finishes, however late, and is believed.
    fn end(&mut self) {
        let at = self.machine.moment(self.skews[3]);
        for work in self.works.iter_mut().filter(|work| work.lives() && work.kind != Kind::Queued) {
            let was_lost = work.task.status == Status::Lost;
            let end = End {
                status: Status::Succeeded,
                outcome: None,
                reason: None,
                report: bgledger_core::Report::default(),
                ended_at: None,
            };
            Story::tell(work, &Command::Finish { token: work.token(), end }, &at);
            assert_eq!(work.task.status, Status::Succeeded, "{:?}", work.task);
            self.counts.late += u64::from(was_lost);
        }
    }
}

fn birth(start: Option<Claim>) -> Birth {
    Birth {
        key: None,
        runtime: "subagent".into(),
        kind: None,
        source_id: None,
        run_id: None,
        owner: "local".into(),
        requester_session: None,
        session: None,
        agent: None,
        requester_agent: None,
        family: None,
        flow: None,
        retry_of: None,
        label: "silent".into(),
        task: None,
        metadata: Metadata::default(),
        notify: NotifyPolicy::DoneOnly,
        queue_timeout: None,
        timeout: None,
        created_at: None,
        start,
        finish: None,
        origin: None,
    }
}
