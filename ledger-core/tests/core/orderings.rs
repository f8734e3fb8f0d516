//! Whatever order the facts arrive in, the record ends in a state that is allowed and true (scenario S5.6).

use crate::story::*;
use bgledger_core::{Command, ErrorCode, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// The executor says that the work succeeded.
    Finish,
    /// Somebody asks to cancel it.
    Cancel,
    /// The executor is proved dead.
    Gone,
    /// The lease has run out.
    LeaseExpiry,
    /// The executor reports.
    Progress,
}

fn orders<T: Copy>(facts: &[T]) -> Vec<Vec<T>> {
    match facts {
        [] => vec![vec![]],
        _ => (0..facts.len())
            .flat_map(|place| {
                let mut rest = facts.to_vec();
                let first = rest.remove(place);
                orders(&rest).into_iter().map(move |mut order| {
                    order.insert(0, first);
                    order
                })
            })
            .collect(),
    }
}

/// The reference: where a fact leads from a status, and `None` where it is refused.
fn expected(status: Status, cancel: bool, fact: Fact) -> Option<Status> {
    use Status::*;
    match (status, fact) {
        (Running, Fact::Finish) => Some(Succeeded),
        (Running, Fact::Cancel) => Some(Running),
        (Running, Fact::Gone) => Some(if cancel { Cancelled } else { Lost }),
        (Running, Fact::LeaseExpiry) => Some(Lost),
        (Running, Fact::Progress) => Some(Running),
        (Lost, Fact::Finish) => Some(Succeeded),
        (Lost, Fact::Cancel) => Some(Lost),
        (Lost, Fact::Gone | Fact::LeaseExpiry) => None,
        (Lost, Fact::Progress) => Some(Running),
        (Succeeded, Fact::Finish | Fact::Cancel) => Some(Succeeded),
        (Cancelled, Fact::Cancel) => Some(Cancelled),
        (Succeeded | Cancelled, _) => None,
        (Queued | Failed | TimedOut, _) => unreachable!("no such order"),
    }
}

#[test]
fn every_order_of_the_facts_agrees_with_the_reference() {
    let facts = [Fact::Finish, Fact::Cancel, Fact::Gone, Fact::LeaseExpiry, Fact::Progress];
    let orders = orders(&facts);
    assert_eq!(orders.len(), 120);
    for order in orders {
        let mut story = Story::running();
        let mut finished = false;
        for fact in &order {
            let command = match fact {
                Fact::Finish => finish(token(1, 1), Status::Succeeded),
                Fact::Cancel => cancel(),
                Fact::Gone => Command::Reap(process_gone(1)),
                Fact::LeaseExpiry => Command::Reap(lease_expired()),
                Fact::Progress => progress(token(1, 1), "half"),
            };
            story.wait(if *fact == Fact::LeaseExpiry { 100_000 } else { 10 });
            let expected = expected(story.status(), story.task().cancel.is_some(), *fact);
            let before = story.task().clone();
            let answer = story.tell(command);
            assert_eq!(answer.is_ok(), expected.is_some(), "{order:?} at {fact:?}: {answer:?}");
            assert_eq!(story.status(), expected.unwrap_or(before.status), "{order:?} at {fact:?}");
            assert!(!before.status.is_final() || story.task() == &before, "{order:?} at {fact:?}: an end changed");
            finished |= *fact == Fact::Finish && answer.is_ok();
            story.check();
        }
        let status = story.status();
        assert_eq!(finished, status == Status::Succeeded, "{order:?}: the executor's accepted word is the record");
        if !finished {
            let reason = story.task().reason.as_deref();
            assert_eq!((status, reason), (Status::Cancelled, Some("executor_gone")), "{order:?}");
        }
    }
}

/// Two executors, one task: the old one's word counts until the new one holds the task, and never after.
#[test]
fn in_every_order_only_the_holder_of_the_task_is_heard() {
    let facts = ["lease", "takeover", "old finishes", "new fails", "cancel"];
    for order in orders(&facts) {
        let mut story = Story::running();
        for fact in &order {
            let (before, attempt) = (story.status(), story.task().attempt);
            story.wait(100_000);
            let answer = story.tell(match *fact {
                "lease" => Command::Reap(lease_expired()),
                "takeover" => Command::Start(claim(2)),
                "old finishes" => finish(token(1, 1), Status::Succeeded),
                "new fails" => finish(token(2, 2), Status::Failed),
                _ => cancel(),
            });
            let code = answer.as_ref().err().map(bgledger_core::Error::code);
            match *fact {
                "old finishes" if attempt == 2 => assert_eq!(code, Some(ErrorCode::Fenced), "{order:?}"),
                "new fails" if attempt == 1 => assert_eq!(code, Some(ErrorCode::Fenced), "{order:?}"),
                "old finishes" | "new fails" => assert_eq!(answer.is_ok(), !before.is_final(), "{order:?}"),
                "takeover" => {
                    let free = before == Status::Lost && story.task().cancel.is_none();
                    assert_eq!(answer.is_ok(), free, "{order:?}");
                }
                _ => {}
            }
            story.check();
        }
    }
}
