//! The words and the rules of bgledger.
//!
//! A task is the record of one piece of detached work. Everything that may happen to it goes through
//! [`decide`]: a pure function over (task, command, moment) that answers with events or with one typed
//! refusal. [`evolve`] alone turns events into state. Faces speak [`Request`] and [`Response`].
//!
//! Nothing in this crate knows the time, draws a random number, touches a file or computes with floats:
//! the moment, fresh ids and evidence about processes are arguments.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod audit;
mod birthmark;
pub mod bounds;
mod clock;
mod command;
pub mod config;
mod decide;
mod error;
mod event;
mod evolve;
mod flow;
mod id;
mod json;
mod liveness;
mod lookup;
mod notice;
mod planted;
pub mod reconcile;
mod record;
mod request;
mod response;
pub mod retention;
mod text;
mod time;
mod word;

pub use clock::{ClockJump, Sighting};
pub use command::{
    Birth, CancelEvidence, Cancelled, Claim, ClaimToken, Command, End, Family, Import, Late, Moment, Settlement,
};
pub use decide::{Answer, Decision, decide, decide_import};
pub use error::{Candidate, Error, ErrorBody, ErrorClass, ErrorCode};
pub use event::{Asked, Ending, Event, EventKind, Fill, Opening, Progress, Renewal, Report, Started};
pub use evolve::{Folded, evolve, fold, same_but_for_heartbeats, says_the_same};
pub use flow::{
    Blocked, Flow, FlowBirth, FlowCancel, FlowCommand, FlowGate, FlowMove, FlowStatus, RollUp, UnitProgress,
    decide_flow,
};
pub use id::{FlowId, FlowNumber, Seq, TaskId, TaskNumber};
pub use json::{Json, Metadata};
pub use liveness::{
    CONTAINER_LEASE, Evidence, LEASE_GRACE, Liveness, Observation, Observed, RENEWALS, STOP_GRACE, judge,
};
pub use lookup::{FlowLookup, Lookup};
pub use notice::{
    Filter, Notice, NoticeClaim, NoticeCommand, NoticeDecision, NoticeId, NoticeState, Owed, Recipient, SILENCED,
    Since, Subscriber, decide_notice, message, owed, pace,
};
pub use planted::planted;
pub use record::{Artifact, Cancel, Executor, Failure, Group, Lease, Output, ProgressPoint, Task, Usage};
pub use request::{
    Acknowledge, Audit, Backup, Call, CancelRequest, ClaimSpec, CommandName, Config, Create, Doctor, Drain, EndSpec,
    Envelope, ExecutorSpec, Finish, FlowCancelRequest, FlowCreate, FlowFail, FlowFinish, FlowList, FlowResume,
    FlowShow, FlowWait, Heartbeat, History, KnownEnd, List, Maintenance, Migrate, Notices, NoticesAck, NoticesClaim,
    NoticesDismiss, NoticesDrop, NoticesNack, NoticesRetry, Notify, ProgressRequest, Prune, Reconcile, Recover,
    Request, Settle, Show, Start, Stats, StatusFilter, Tree, Verify, Wait, Watch,
};
pub use response::{
    Acknowledged, Applied, AuditReport, AuditSummary, BackupReport, CancelAnswer, CancelReply, CancelledTask, Cause,
    Change, Check, CheckState, ClaimedNotices, ConfigReply, Created, DoctorReport, Drained, Events, FlowCancelReply,
    FlowChange, FlowCreated, FlowPage, FlowRecorded, FlowShown, FlowView, HistoryEvent, HookRun, ImportCounts,
    ImportFinding, ImportReport, KeptFile, MaintenanceReport, MigrateReport, NoticeList, NoticePage, NoticeView,
    Numbers, PruneReport, ReconcileAction, Reconciled, Recorded, RecoverReport, Response, Salvaged, Setting, Shown,
    StatsReport, TaskPage, TaskView, Tasks, TreeNode, TreeReport, UnreadableFlow, UnreadableTask, VerifyReport,
};
pub use text::{Escaped, escape};
pub use time::{Millis, Span};
pub use word::{Delivery, NotifyPolicy, Status, outcome, reason, runtime, waiting_on};
