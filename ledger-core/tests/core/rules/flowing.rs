//! Flows: who moves them, what ends them, who may join them.

use crate::story::*;
use bgledger_core::*;

const NOW: i64 = 1_000_000;

fn flow() -> Flow {
    let birth = FlowBirth { owner: "local".into(), goal: "publish".into(), ..FlowBirth::default() };
    Flow::managed(FlowNumber(1), FlowId::from_bytes([7; 16]), birth, Millis::clamped(NOW))
}

fn after(flow: &Flow, command: &FlowCommand) -> Flow {
    decide_flow(flow, command, Millis::clamped(NOW + 1)).unwrap().unwrap()
}

fn refused(flow: &Flow, command: &FlowCommand) -> ErrorCode {
    decide_flow(flow, command, Millis::clamped(NOW + 1)).unwrap_err().code()
}

fn moved() -> FlowMove {
    FlowMove { step: Some(Some("draft".into())), state: None }
}

fn waiting(revision: u64) -> FlowCommand {
    FlowCommand::Wait { revision, moved: moved(), wait: None, blocked: None }
}

fn resume(revision: u64) -> FlowCommand {
    FlowCommand::Resume { revision, moved: FlowMove::default(), running: true }
}

fn finish_flow(revision: u64) -> FlowCommand {
    FlowCommand::Finish { revision, moved: FlowMove::default() }
}

fn fail(revision: u64) -> FlowCommand {
    FlowCommand::Fail { revision, moved: FlowMove::default(), blocked: None }
}

fn cancel_flow() -> FlowCommand {
    FlowCommand::RequestCancel { by: None, why: None }
}

#[test]
fn a_move_names_the_revision_it_saw_and_makes_the_next() {
    let flow = flow();
    assert_eq!((flow.status, flow.revision), (FlowStatus::Queued, 1));
    let waits = after(&flow, &waiting(1));
    assert_eq!((waits.status, waits.revision, waits.step.as_deref()), (FlowStatus::Waiting, 2, Some("draft")));
    for stale in [waiting(1), resume(1), finish_flow(1), fail(1)] {
        assert_eq!(refused(&waits, &stale), ErrorCode::RevisionConflict);
    }
    let goes_on = after(&waits, &resume(2));
    assert_eq!((goes_on.status, goes_on.step.as_deref()), (FlowStatus::Running, Some("draft")), "what is absent stays");
}

#[test]
fn what_stands_in_its_way_blocks_it_until_it_is_resumed() {
    let blocked = Some(Blocked { task: None, summary: Some("no key".into()) });
    let wait = Some(Json::parse("{\"for\": \"key\"}").ok());
    let command = FlowCommand::Wait { revision: 1, moved: moved(), wait, blocked: blocked.clone() };
    let stuck = after(&flow(), &command);
    assert_eq!((stuck.status, &stuck.blocked, stuck.wait.is_some()), (FlowStatus::Blocked, &blocked, true));
    let goes_on = after(&stuck, &resume(2));
    assert_eq!((&goes_on.blocked, goes_on.wait.is_some()), (&None, false));
    assert_eq!(after(&stuck, &fail(2)).blocked, blocked, "a failure keeps what stood in its way");
    assert_eq!(after(&stuck, &finish_flow(2)).blocked, None);
}

#[test]
fn an_end_is_final_and_the_same_end_again_changes_nothing() {
    for (end, other) in [(finish_flow(1), fail(1)), (fail(1), finish_flow(1))] {
        let ended = after(&flow(), &end);
        assert!(ended.is_ended());
        assert_eq!(decide_flow(&ended, &end, Millis::clamped(NOW + 9)), Ok(None));
        for late in [other, waiting(2), resume(2)] {
            assert_eq!(refused(&ended, &late), ErrorCode::FlowEnded);
        }
        assert_eq!(decide_flow(&ended, &cancel_flow(), Millis::clamped(NOW + 9)), Ok(None));
    }
}

#[test]
fn cancel_is_sticky_and_ends_it_once_its_tasks_have_settled() {
    assert_eq!(decide_flow(&flow(), &FlowCommand::Settled, Millis::clamped(NOW)), Ok(None), "nobody asked");
    let asked = after(&flow(), &cancel_flow());
    assert_eq!((asked.status, asked.is_ended()), (FlowStatus::Queued, false));
    assert_eq!(decide_flow(&asked, &cancel_flow(), Millis::clamped(NOW + 5)), Ok(None), "the first request stays");
    assert_eq!(refused(&asked, &waiting(2)), ErrorCode::FlowCancelRequested);
    assert_eq!(refused(&asked, &resume(2)), ErrorCode::FlowCancelRequested);
    assert_eq!(after(&asked, &FlowCommand::Settled).status, FlowStatus::Cancelled);
    // The controller's own word goes before.
    let done = after(&asked, &finish_flow(2));
    assert_eq!((done.status, done.cancel.is_some()), (FlowStatus::Succeeded, true));
}

#[test]
fn times_never_step_back() {
    let flow = after(&flow(), &waiting(1));
    let later = decide_flow(&flow, &finish_flow(2), Millis::clamped(5)).unwrap().unwrap();
    assert!(later.ended_at >= Some(flow.updated_at) && later.updated_at >= flow.updated_at);
}

#[test]
fn a_mirrored_flow_says_what_its_task_says_and_is_moved_by_it_alone() {
    let mirror =
        |story: &Story| Flow::mirroring(FlowNumber(2), FlowId::from_bytes([8; 16]), "local".into(), story.task());
    let mut story = Story::queued();
    assert_eq!(mirror(&story).status, FlowStatus::Queued);
    story.tell(Command::Start(claim(1))).unwrap();
    assert_eq!(mirror(&story).status, FlowStatus::Running);
    let report = Progress { waiting_on: Some(Some("input".into())), ..Progress::default() };
    let late = Late::default();
    story.tell(Command::Progress { token: token(1, 1), progress: report, lease: None, late }).unwrap();
    assert_eq!(mirror(&story).status, FlowStatus::Waiting);
    story.tell(finish(token(1, 1), Status::TimedOut)).unwrap();
    let flow = mirror(&story);
    assert_eq!(
        (flow.status, flow.ended_at, flow.goal.as_str()),
        (FlowStatus::Failed, story.task().ended_at, "read the papers")
    );
    for command in [waiting(1), resume(1), finish_flow(1), fail(1), cancel_flow(), FlowCommand::Settled] {
        assert_eq!(refused(&flow, &command), ErrorCode::FlowMirrored);
    }
    assert_eq!(flow.gate().admit().unwrap_err().code(), ErrorCode::FlowMirrored);
}

#[test]
fn tasks_join_while_it_goes_on_and_nobody_asked_to_cancel_it() {
    let (open, asked) = (flow(), after(&flow(), &cancel_flow()));
    let (done, cancelled) = (after(&flow(), &finish_flow(1)), after(&asked, &FlowCommand::Settled));
    let created =
        |birth: Birth| decide(None, &Command::Create(birth), &moment(NOW + 2)).map(drop).map_err(|e| e.code());
    let into = |flow: &Flow| created(Birth { flow: Some(flow.gate()), ..birth() });
    assert_eq!(into(&open), Ok(()));
    assert_eq!(into(&asked), Err(ErrorCode::FlowCancelRequested));
    assert_eq!(into(&cancelled), Err(ErrorCode::FlowCancelRequested));
    assert_eq!(into(&done), Err(ErrorCode::FlowEnded));
    // A child belongs to its parent's flow; cancel keeps it out, another end leaves it outside.
    let parent = TaskId::from_bytes([1; 16]);
    let below = |flow: &Flow| Birth {
        family: Some(Family {
            parent,
            root: parent,
            depth: 1,
            cancelled: None,
            entangled: false,
            flow: Some(flow.gate()),
            barred: None,
        }),
        ..birth()
    };
    let joins = |flow: &Flow| Task::unborn(TaskNumber(2), TaskId::from_bytes([2; 16]), &below(flow)).flow;
    assert_eq!((created(below(&open)), joins(&open)), (Ok(()), Some(open.id)));
    assert_eq!((created(below(&done)), joins(&done)), (Ok(()), None));
    assert_eq!(created(below(&asked)), Err(ErrorCode::FlowCancelRequested));
}

#[test]
fn a_task_is_linked_late_once_and_only_while_it_has_no_children() {
    let link = |story: &mut Story, flow: &Flow, has_children: bool| {
        let fill = Fill { flow: Some(flow.id), ..Fill::default() };
        let late = Late { flow: Some(flow.gate()), has_children, ..Late::default() };
        let progress = Progress { fill, ..Progress::default() };
        story.tell(Command::Progress { token: token(1, 1), progress, lease: None, late }).map_err(|error| error.code())
    };
    let other = Flow { id: FlowId::from_bytes([9; 16]), ..flow() };
    let mut story = Story::running();
    assert_eq!(link(&mut story, &flow(), true), Err(ErrorCode::TreeShape));
    assert_eq!(link(&mut story, &after(&flow(), &cancel_flow()), false), Err(ErrorCode::FlowCancelRequested));
    assert_eq!(link(&mut story, &flow(), false), Ok(Answer::Changed));
    assert_eq!(story.task().flow, Some(flow().id));
    assert_eq!(link(&mut story, &flow(), true), Ok(Answer::Changed), "the same again links nothing anew");
    assert_eq!(link(&mut story, &other, false), Err(ErrorCode::AlreadySet));
    story.check();
}

#[test]
fn what_tasks_come_to_is_summed_by_status_and_by_unit() {
    let point = |current, total, unit: &str| ProgressPoint { text: None, current, total, unit: Some(unit.into()) };
    let usage = Usage { tokens_in: 5, ..Usage::default() };
    let mut sum = RollUp::default();
    sum.add(Status::Running, Some(&point(Some(1), Some(4), "pages")), Some(&usage));
    sum.add(Status::Running, Some(&point(Some(2), Some(6), "pages")), Some(&usage));
    sum.add(Status::Failed, Some(&point(Some(3), None, "files")), None);
    sum.add(Status::Queued, Some(&ProgressPoint { text: Some("soon".into()), ..ProgressPoint::default() }), None);
    assert_eq!((sum.total, sum.active, sum.by_status["running"], sum.by_status["lost"]), (4, 3, 2, 0));
    let said: Vec<_> = sum.progress.iter().map(|unit| (unit.unit.as_deref(), unit.current, unit.total)).collect();
    assert_eq!(said, [(Some("files"), 3, None), (Some("pages"), 3, Some(10))]);
    assert_eq!(sum.usage.map(|usage| usage.tokens_in), Some(10));
}

#[test]
fn ended_tasks_stay_as_long_as_the_most_telling_setting_says() {
    use bgledger_core::retention::{Keep, Retention};
    let days = |days: i64| Keep::For(Span::from_secs(days * 86_400));
    let of =
        |set: &[(&str, &str)]| Retention::of(set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let keep = |set: &[(&str, &str)], kind: Option<&str>, status| of(set).keep("cron", kind, status);
    assert_eq!(keep(&[], None, Status::Failed), days(7));
    assert_eq!(keep(&[], None, Status::Lost), days(1));
    assert_eq!(keep(&[("retention", "2d")], None, Status::Failed), days(2));
    assert_eq!(keep(&[("retention", "2d")], None, Status::Lost), days(1));
    let all = [
        ("retention", "2d"),
        ("retention_status.failed", "3d"),
        ("retention.cron", "forever"),
        ("retention_kind.k", "5d"),
    ];
    assert_eq!(keep(&all[..2], None, Status::Failed), days(3));
    assert_eq!(keep(&all[..3], None, Status::Failed), Keep::Forever);
    assert_eq!(keep(&all[..3], None, Status::Lost), Keep::Forever);
    assert_eq!(keep(&all, Some("k"), Status::Failed), days(5));
    assert_eq!(keep(&[("retention", "a newer word")], None, Status::Failed), Keep::Forever);
}
