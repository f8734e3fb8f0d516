//! Any sequence of commands, at any times, keeps what the design promises.

use crate::story::*;
use bgledger_core::{
    Answer, Artifact, Birth, CancelEvidence, Cancelled, Claim, ClaimToken, Command, End, Evidence, Fill, Millis,
    NotifyPolicy, Progress, Settlement, Span, Status, Task, Usage, decide,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A command whose times are counted from the moment at which it is given (ms).
#[derive(Debug, Clone)]
struct Step {
    wait: i64,
    command: Command,
    time: Option<i64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![4 => 0..5_000_i64, 1 => 60_000..200_000_i64, 1 => -3_000..0_i64];
    let time = option::weighted(0.3, -150_000..2_000_i64);
    let step = (wait, command(), time).prop_map(|(wait, command, time)| Step { wait, command, time });
    vec(step, 1..40)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => birth_of_any_kind().prop_map(Command::Create),
        4 => (1..4_u32, any::<bool>(), fill()).prop_map(|(who, leased, fill)| {
            let lease = leased.then_some(Span::from_secs(60));
            Command::Start(Claim { fill, lease, ..claim(who) })
        }),
        1 => Just(Command::Start(Claim::default())),
        4 => (some_token(), some_progress()).prop_map(|(token, progress)| report(token, progress)),
        3 => (some_token(), option::of(0..100_i64)).prop_map(|(token, seconds)| {
            Command::Heartbeat { token, lease: seconds.map(Span::from_secs) }
        }),
        3 => (some_token(), some_end()).prop_map(|(token, end)| Command::Finish { token, end }),
        2 => prop_oneof![
            Just(CancelEvidence::MayLive),
            evidence().prop_map(CancelEvidence::Gone),
        ].prop_map(|evidence| Command::RequestCancel { by: None, why: Some("enough".into()), evidence }),
        2 => some_end().prop_map(|end| Command::Settle(Settlement { end, by: Some("ada".into()), why: None })),
        1 => Just(Command::Expire),
        4 => evidence().prop_map(Command::Reap),
        1 => select(NotifyPolicy::KNOWN.to_vec()).prop_map(Command::Notify),
    ]
}

fn birth_of_any_kind() -> impl Strategy<Value = Birth> {
    let limits = (option::of(1..100_i64), option::of(1..100_i64));
    (option::weighted(0.3, 1..4_u32), option::weighted(0.1, some_end()), limits).prop_map(
        |(starter, finish, (queue_timeout, timeout))| Birth {
            start: starter.map(claim),
            finish,
            queue_timeout: queue_timeout.map(Span::from_secs),
            timeout: timeout.map(Span::from_secs),
            ..birth()
        },
    )
}

fn some_token() -> impl Strategy<Value = ClaimToken> {
    prop_oneof![
        Just(ClaimToken::default()),
        (1..4_u32, 1..4_u32).prop_map(|(attempt, who)| token(attempt, who)),
        (1..4_u32).prop_map(|attempt| ClaimToken { attempt: Some(attempt), nonce: None }),
    ]
}

fn some_end() -> impl Strategy<Value = End> {
    let words = select(vec![None, Some("ok"), Some("blocked"), Some("error"), Some("requested")]);
    (select(Status::ALL.to_vec()), words, option::of("[a-z]{0,8}")).prop_map(|(status, word, summary)| {
        let (outcome, reason) = if status == Status::Succeeded { (word, None) } else { (None, word) };
        let mut end = End { outcome: outcome.map(Into::into), reason: reason.map(Into::into), ..end(status) };
        end.report.summary = summary.filter(|_| status != Status::Lost);
        end
    })
}

fn some_progress() -> impl Strategy<Value = Progress> {
    let waiting_on = select(vec![None, Some(None), Some(Some("input".to_string())), Some(Some("auth".to_string()))]);
    let usage = option::of(0..100_u64).prop_map(|spent| spent.map(|n| Usage { tokens_out: n, ..Usage::default() }));
    let artifact = Just(Artifact { uri: "file:///a".into(), size: None, sha256: None, media_type: None });
    let artifacts = btree_map("[a-c]", artifact, 0..2);
    (option::of("[a-z]{0,8}"), option::of(0..9_u64), waiting_on, usage, artifacts, fill()).prop_map(
        |(text, current, waiting_on, usage, artifacts, fill)| Progress {
            text,
            current,
            waiting_on,
            usage,
            artifacts,
            fill,
            ..Progress::default()
        },
    )
}

fn fill() -> impl Strategy<Value = Fill> {
    option::weighted(0.2, "[ab]").prop_map(|agent| Fill { agent, ..Fill::default() })
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        3 => (1..4_u32).prop_map(process_gone),
        1 => (1..4_u32).prop_map(|who| Evidence::Zombie { pid: 100 + who, started: u64::from(who) }),
        1 => select(vec![BOOT, "boot-0"]).prop_map(|was| Evidence::Rebooted { was: was.into(), is: "boot-2".into() }),
        4 => Just(lease_expired()),
    ]
}

/// The command with its caller's time, if it has a place for one.
fn timed(step: &Step, now: i64) -> Command {
    let at = step.time.map(|offset| Millis::clamped(now + offset));
    let mut command = step.command.clone();
    match &mut command {
        Command::Create(birth) => birth.created_at = at,
        Command::Start(claim) => claim.started_at = at,
        Command::Finish { end, .. } | Command::Settle(Settlement { end, .. }) => end.ended_at = at,
        Command::Progress { .. }
        | Command::Heartbeat { .. }
        | Command::RequestCancel { .. }
        | Command::Expire
        | Command::Reap(_)
        | Command::Notify(_) => {}
    }
    command
}

/// Where an accepted command must have led.
fn kept(before: Option<&Task>, command: &Command, answer: Answer, after: &Task) -> bool {
    let same = before == Some(after);
    match (command, answer) {
        (_, Answer::Unchanged | Answer::Exists) => same,
        (_, Answer::Created) => before.is_none() && after.revision == 1,
        (Command::Start(claim), _) => {
            let before = before.unwrap();
            let again = after.attempt == before.attempt && before.status == Status::Running;
            after.status == Status::Running
                && after.executor == claim.executor
                && (again || after.attempt == before.attempt + 1)
        }
        (Command::Progress { .. } | Command::Heartbeat { .. }, _) => after.status == Status::Running,
        (Command::Finish { end, .. } | Command::Settle(Settlement { end, .. }), _) => after.status == end.status,
        (Command::Expire, _) => after.status == Status::TimedOut,
        (Command::Reap(evidence), _) => match after.status {
            Status::Lost => true,
            Status::Cancelled => evidence.is_proof() && after.cancel.is_some(),
            Status::TimedOut => evidence.is_proof() && after.timeout.is_some() && after.cancel.is_none(),
            Status::Queued | Status::Running | Status::Succeeded | Status::Failed => false,
        },
        (_, Answer::Cancel(Cancelled::Requested)) => after.status == Status::Running && after.cancel.is_some(),
        (_, Answer::Cancel(Cancelled::Cancelled | Cancelled::ExecutorGone)) => after.status == Status::Cancelled,
        (_, Answer::Cancel(Cancelled::Already)) => before.unwrap().status == after.status && !after.status.is_active(),
        (Command::Notify(policy), _) => after.notify == *policy,
        (Command::Create(_) | Command::RequestCancel { .. }, Answer::Changed) => false,
    }
}

/// What only ever grows, and what never changes once it is there.
fn steady(before: &Task, after: &Task) {
    assert!(before.updated_at <= after.updated_at && before.attempt <= after.attempt);
    assert!(before.generation <= after.generation && before.progress_reports <= after.progress_reports);
    assert!(before.started_at.is_none() || before.started_at == after.started_at, "the first start stays");
    assert!(before.agent.is_none() || before.agent == after.agent, "what is filled in stays");
    assert!(before.cancel.is_none() || after.cancel.is_some(), "a request to cancel is sticky");
    assert!(after.created_at <= before.created_at, "a creation moves only back");
    if before.status.is_final() {
        let end = |task: &Task| {
            let Task { status, outcome, reason, ended_at, summary, .. } = task.clone();
            (status, outcome, reason, ended_at, summary)
        };
        assert_eq!(end(before), end(after), "an end is final");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_commands_keeps_the_promises(first in birth_of_any_kind(), steps in steps()) {
        let mut story = Story::blank();
        let _ = story.tell(Command::Create(first));
        for step in &steps {
            if story.task.is_none() {
                break;
            }
            story.wait(step.wait);
            let command = timed(step, story.now);
            let before = story.clone();
            let at = moment(story.now);
            let decided = decide(before.task.as_ref(), &command, &at);
            prop_assert_eq!(&decided, &decide(before.task.as_ref(), &command, &at), "the same again decides the same");
            match story.tell(command.clone()) {
                Err(_) => {
                    prop_assert_eq!(&story.task, &before.task, "a refused command changes nothing");
                    prop_assert_eq!(&story.history, &before.history);
                }
                Ok(answer) => {
                    prop_assert!(kept(before.task.as_ref(), &command, answer, story.task()),
                        "{:?} answered {:?}\nbefore {:#?}\nafter {:#?}", command, answer, before.task, story.task);
                    steady(before.task(), story.task());
                    let moved = u64::from(!decided.unwrap().events.is_empty());
                    prop_assert_eq!(story.task().revision, before.task().revision + moved);
                    asked_again(&story, &command);
                }
            }
            story.check();
        }
    }
}

/// Whoever lost the answer asks again, and is not refused. (Maintenance never asks.)
fn asked_again(story: &Story, command: &Command) {
    let mut again = story.clone();
    match (command, again.tell(command.clone())) {
        (Command::Expire | Command::Reap(_), _) => {}
        (_, Err(error)) => panic!("{command:?} again: {error}"),
        (Command::Progress { .. } | Command::Heartbeat { .. } | Command::RequestCancel { .. }, Ok(_)) => {
            assert_eq!(again.status(), story.status());
        }
        (
            Command::Create(_) | Command::Start(_) | Command::Finish { .. } | Command::Settle(_) | Command::Notify(_),
            Ok(_),
        ) => assert_eq!(again.task, story.task, "{command:?} again changed something"),
    }
}
