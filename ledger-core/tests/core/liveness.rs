//! Alive or dead: the whole table of what may be seen, and what the audit makes of it.

use crate::story::*;
use bgledger_core::audit::{self, Code, Remedy, Severity, Thresholds};
use bgledger_core::{
    Birth, Claim, Command, Executor, LEASE_GRACE, Millis, Moment, Observation, Observed, Span, Status, Task, judge,
};

const ALIVE: Observed = Observed::Running { started: 1 };
const REUSED: Observed = Observed::Running { started: 9 };
const ZOMBIE: Observed = Observed::Zombie { started: 1 };

fn seen(machine: &str, boot: &str, pid_namespace: u64, process: Observed) -> Observation {
    let (machine, boot) = (Some(machine.into()), Some(boot.into()));
    Observation { machine, boot, pid_namespace: Some(pid_namespace), process }
}

fn here(process: Observed) -> Observation {
    seen(MACHINE, BOOT, 1, process)
}

/// A running task of executor 1, with or without a lease of a minute.
fn running(lease: bool) -> Task {
    let claim = Claim { lease: lease.then_some(Span::from_secs(60)), ..claim(1) };
    Story::born(Birth { start: Some(claim), ..birth() }).task().clone()
}

#[test]
fn only_evidence_counts() {
    let (soon, late) = (BEGINNING + 60_000 + LEASE_GRACE.ms(), BEGINNING + 60_001 + LEASE_GRACE.ms());
    // What is seen                                     no lease   holds      run out
    let rows = [
        (here(ALIVE), ["alive", "alive", "lease_expired"]),
        (here(ZOMBIE), ["gone", "gone", "gone"]),
        (here(REUSED), ["gone", "gone", "gone"]),
        (here(Observed::Zombie { started: 9 }), ["gone", "gone", "gone"]),
        (here(Observed::Gone), ["gone", "gone", "gone"]),
        (here(Observed::Unknown), ["unknown", "alive", "lease_expired"]),
        (seen(MACHINE, "boot-2", 1, ALIVE), ["gone", "gone", "gone"]),
        (seen(MACHINE, "boot-2", 7, Observed::Gone), ["gone", "gone", "gone"]),
        (seen("machine-2", BOOT, 1, Observed::Gone), ["unknown", "alive", "lease_expired"]),
        (seen("machine-2", "boot-2", 1, Observed::Gone), ["unknown", "alive", "lease_expired"]),
        (seen(MACHINE, BOOT, 7, Observed::Gone), ["unknown", "alive", "lease_expired"]),
        (seen(MACHINE, BOOT, 7, ZOMBIE), ["unknown", "alive", "lease_expired"]),
        (Observation::default(), ["unknown", "alive", "lease_expired"]),
    ];
    for (observation, expected) in rows {
        let found = [(false, late), (true, soon), (true, late)]
            .map(|(lease, now)| judge(&running(lease), &observation, &moment(now)).as_str());
        assert_eq!(found, expected, "{observation:?}");
    }
}

#[test]
fn what_is_not_known_of_an_executor_proves_nothing() {
    let whole = executor(1);
    let without: [(Executor, &str); 6] = [
        (Executor { machine: None, ..whole.clone() }, "unknown"),
        (Executor { boot: None, ..whole.clone() }, "unknown"),
        (Executor { pid_namespace: None, ..whole.clone() }, "unknown"),
        (Executor { pid: None, ..whole.clone() }, "unknown"),
        (Executor { started: None, ..whole.clone() }, "unknown"),
        (Executor { nonce: None, ..whole }, "gone"),
    ];
    for (executor, expected) in without {
        let task = Task { executor: Some(executor), ..running(false) };
        assert_eq!(judge(&task, &here(Observed::Gone), &moment(BEGINNING)).as_str(), expected, "{:?}", task.executor);
    }
    let nobody = Task { executor: None, ..running(false) };
    assert_eq!(judge(&nobody, &here(Observed::Gone), &moment(BEGINNING)).as_str(), "unknown");
}

#[test]
fn another_boot_of_the_machine_proves_death_even_without_a_pid() {
    let executor = Executor { pid: None, started: None, ..executor(1) };
    let task = Task { executor: Some(executor), ..running(false) };
    let rebooted = seen(MACHINE, "boot-2", 1, Observed::Unknown);
    assert_eq!(judge(&task, &rebooted, &moment(BEGINNING)).as_str(), "gone");
}

#[test]
fn a_lease_is_measured_by_the_clock_of_its_own_boot_and_elsewhere_by_the_wall() {
    let task = running(true);
    let judged = |boot: &str, now: i64, monotonic: i64| {
        let at = Moment { now: Millis::clamped(now), boot: Some(boot.into()), monotonic, uptime: monotonic };
        judge(&task, &Observation::default(), &at).as_str()
    };
    let day = 86_400_000;
    assert_eq!(judged(BOOT, BEGINNING + day, 90_000), "alive", "a suspend or a step of the wall clock ends no lease");
    assert_eq!(judged(BOOT, BEGINNING, 90_001), "lease_expired", "a wall clock set back renews none");
    assert_eq!(judged("boot-2", BEGINNING + 90_000, day), "alive");
    assert_eq!(judged("boot-2", BEGINNING + 90_001, 0), "lease_expired");
}

// ---- audit --------------------------------------------------------------------------------------------------

fn found(task: &Task, observation: &Observation, now: i64) -> Option<Code> {
    let at = moment(now);
    let found = audit::examine(task, &judge(task, observation, &at), &at, &Thresholds::default());
    let finding = found.first()?;
    Code::from_word(finding.code)
}

#[test]
fn every_rule_stands_at_its_code_and_tells_a_remedy() {
    for rule in &audit::RULES {
        assert_eq!(rule.code.rule().word, rule.word);
        assert_eq!(Code::from_word(rule.word), Some(rule.code));
        assert_eq!(rule.command.is_some(), rule.remedy != Remedy::Info);
    }
    let words: Vec<String> = audit::RULES.iter().map(|rule| format!("{} {}", rule.code as u16, rule.word)).collect();
    assert_eq!(
        words.join(", "),
        "1 executor_gone, 2 lease_expired, 3 queue_expired, 4 overdue, 5 unobserved, 6 stale_queued, 7 lost, \
         8 times_out_of_order, 9 clock_jump, 10 never_heartbeated, 11 no_progress, 12 cancel_stuck, 13 undelivered, \
         14 dead_letters, 15 flow_idle, 16 flow_waiting, 17 flow_blocked, 18 flow_blocker_gone, 19 flow_cancel_stuck, \
         20 flow_times_out_of_order, 21 wal_large, 22 free_space, 23 row_differs, 24 loose_end, 25 unknown_word",
        "codes are stable for ever"
    );
}

#[test]
fn live_executors_and_settled_tasks_are_no_findings() {
    let year = 366 * 86_400_000;
    assert_eq!(found(&running(false), &here(ALIVE), BEGINNING + year), None, "silence of a live process is no finding");
    let mut over = Story::running();
    over.tell(finish(token(1, 1), Status::Failed)).unwrap();
    assert_eq!(found(over.task(), &Observation::default(), BEGINNING + year), None);
    let patient = Birth { queue_timeout: Some(Span::from_secs(10 * 86_400)), ..birth() };
    assert_eq!(found(Story::born(patient).task(), &Observation::default(), BEGINNING + 5 * 86_400_000), None);
}

#[test]
fn every_kind_of_trouble_is_found() {
    let day = 86_400_000;
    let limited =
        Birth { timeout: Some(Span::from_secs(60)), start: Some(Claim { lease: None, ..claim(1) }), ..birth() };
    let impatient = Birth { queue_timeout: Some(Span::from_secs(60)), ..birth() };
    let external = Birth { start: Some(Claim::default()), ..birth() };
    let disordered = Task { created_at: Millis::MAX, ..running(false) };
    let unseen = Observation::default();
    let rows = [
        (running(false), here(Observed::Gone), BEGINNING, Code::ExecutorGone),
        (running(true), unseen.clone(), BEGINNING + day, Code::LeaseExpired),
        (Story::born(impatient).task().clone(), unseen.clone(), BEGINNING + 60_001, Code::QueueExpired),
        (Story::born(limited.clone()).task().clone(), here(ALIVE), BEGINNING + 60_001, Code::Overdue),
        (Story::born(limited).task().clone(), unseen.clone(), BEGINNING + 60_001, Code::Overdue),
        (Story::born(external).task().clone(), unseen.clone(), BEGINNING + 1_800_001, Code::Unobserved),
        (Story::queued().task().clone(), unseen.clone(), BEGINNING + day + 1, Code::StaleQueued),
        (Story::lost().task().clone(), unseen.clone(), BEGINNING + day, Code::Lost),
        (disordered, unseen, BEGINNING, Code::TimesOutOfOrder),
    ];
    for (task, observation, now, code) in rows {
        assert_eq!(found(&task, &observation, now), Some(code));
    }
}

#[test]
fn what_maintenance_mends_is_mended_at_once() {
    let impatient = Birth { queue_timeout: Some(Span::from_secs(60)), ..birth() };
    for (mut story, observation) in [
        (Story::running(), here(Observed::Gone)),
        (Story::running(), here(ALIVE)),
        (Story::born(impatient), here(ALIVE)),
    ] {
        story.wait(100_000);
        let at = moment(story.now);
        let findings =
            audit::examine(story.task(), &judge(story.task(), &observation, &at), &at, &Thresholds::default());
        let finding = findings.into_iter().next().unwrap();
        assert_eq!(finding.remedy, Remedy::Auto);
        assert!(finding.severity >= Severity::Warning && finding.message.len() > 5);
        let command = audit::remedy(Code::from_word(finding.code).unwrap(), finding.evidence).unwrap();
        assert!(matches!(command, Command::Reap(_) | Command::Expire));
        story.tell(command).unwrap();
        let left = found(story.task(), &observation, story.now);
        assert!(left.is_none_or(|code| code.rule().remedy != Remedy::Auto), "{left:?}");
    }
}
