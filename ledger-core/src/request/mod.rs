//! The waist: what every face may ask, as JSON. A Request is an object with one key, the command.

mod bounded;
mod check;
mod envelope;
mod flows;
mod notices;
mod operating;
mod reading;
mod recording;
mod resolved;

pub use envelope::Envelope;
pub use flows::{FlowCancelRequest, FlowCreate, FlowFail, FlowFinish, FlowList, FlowResume, FlowShow, FlowWait};
pub use notices::{Notices, NoticesAck, NoticesClaim, NoticesDismiss, NoticesDrop, NoticesNack, NoticesRetry};
pub use operating::{
    Acknowledge, Audit, Backup, Config, Doctor, Drain, KnownEnd, Maintenance, Migrate, Prune, Reconcile, Recover,
    Stats, Verify,
};
pub use reading::{History, List, Show, StatusFilter, Tree, Wait, Watch};
pub use recording::{
    CancelRequest, ClaimSpec, Create, EndSpec, ExecutorSpec, Finish, Heartbeat, Notify, ProgressRequest, Settle, Start,
};

use crate::Error;
use crate::response::*;
#[cfg(feature = "schema")]
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;

/// The one list of commands: the word, the request's type, the reply's type, whether it records.
macro_rules! commands {
    ($($(#[$doc:meta])* $word:literal $name:ident($request:ident) -> $reply:ident, writes: $writes:literal;)*) => {
        /// A command's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum CommandName { $($(#[$doc])* $name,)* }

        impl CommandName {
            /// Every command.
            pub const ALL: &'static [CommandName] = &[$(CommandName::$name,)*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(CommandName::$name => $word,)* }
            }

            /// Whether it may record something.
            pub const fn writes(self) -> bool {
                match self { $(CommandName::$name => $writes,)* }
            }
        }

        /// What a face asks.
        #[derive(Debug, Clone)]
        #[expect(clippy::large_enum_variant, reason = "one lives at a time, and most of them are creations")]
        #[cfg_attr(feature = "schema", derive(Deserialize, schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", serde(rename_all = "snake_case"))]
        pub enum Request { $($(#[$doc])* $name($request),)* }

        impl Request {
            /// The command's name.
            pub const fn name(&self) -> CommandName {
                match self { $(Request::$name(_) => CommandName::$name,)* }
            }

            fn from_parts(word: &str, body: &RawValue) -> Result<Request, Error> {
                match word {
                    $($word => envelope::read::<$request>(word, body).map(Request::$name),)*
                    _ => Err(Error::UnknownCommand {
                        command: crate::text::short(word),
                        expected: CommandName::ALL.iter().map(|name| name.as_str()).collect(),
                    }),
                }
            }

            /// Refuses what is over a bound or says what cannot be; changes nothing.
            pub fn check(&self) -> Result<(), Error> {
                match self { $(Request::$name(request) => request.check().map_err(|error| error.within($word)),)* }
            }
        }

        /// What the ledger answers, in the shape that the same verb prints with `--json`.
        #[derive(Debug, Clone, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(untagged)]
        pub enum Response { $($(#[$doc])* $name($reply),)* }

        $(impl Call for $request {
            type Reply = $reply;
            fn into_request(self) -> Request {
                Request::$name(self)
            }
            fn reply(response: Response) -> Option<$reply> {
                if let Response::$name(reply) = response { Some(reply) } else { None }
            }
        })*
    };
}

commands! {
    /// Record a task.
    "create" Create(Create) -> Created, writes: true;
    /// Claim it.
    "start" Start(Start) -> Recorded, writes: true;
    /// Report how far the work is.
    "progress" Progress(ProgressRequest) -> Recorded, writes: true;
    /// Say that the work lives.
    "heartbeat" Heartbeat(Heartbeat) -> Recorded, writes: true;
    /// End it, by the executor's word.
    "finish" Finish(Finish) -> Recorded, writes: true;
    /// End it, by an operator's word.
    "settle" Settle(Settle) -> Recorded, writes: true;
    /// Ask to cancel it and all that descends from it.
    "cancel" Cancel(CancelRequest) -> CancelReply, writes: true;
    /// Change whom its notices go out for.
    "notify" Notify(Notify) -> Recorded, writes: true;
    /// Notices, newest first.
    "notices" Notices(Notices) -> NoticePage, writes: false;
    /// Take notices that are due.
    "notices_claim" NoticesClaim(NoticesClaim) -> ClaimedNotices, writes: true;
    /// Say that notices were delivered.
    "notices_ack" NoticesAck(NoticesAck) -> NoticeList, writes: true;
    /// Say that notices could not be delivered.
    "notices_nack" NoticesNack(NoticesNack) -> NoticeList, writes: true;
    /// Try notices again.
    "notices_retry" NoticesRetry(NoticesRetry) -> NoticeList, writes: true;
    /// Forget dead letters and dismissed notices.
    "notices_drop" NoticesDrop(NoticesDrop) -> NoticeList, writes: true;
    /// Say that notices need not be delivered.
    "notices_dismiss" NoticesDismiss(NoticesDismiss) -> NoticeList, writes: true;
    /// Record a flow.
    "flow_create" FlowCreate(FlowCreate) -> FlowCreated, writes: true;
    /// Flows, newest first.
    "flow_list" FlowList(FlowList) -> FlowPage, writes: false;
    /// One flow.
    "flow_show" FlowShow(FlowShow) -> FlowShown, writes: false;
    /// It waits, or is blocked.
    "flow_wait" FlowWait(FlowWait) -> FlowRecorded, writes: true;
    /// It goes on.
    "flow_resume" FlowResume(FlowResume) -> FlowRecorded, writes: true;
    /// It did what it was for.
    "flow_finish" FlowFinish(FlowFinish) -> FlowRecorded, writes: true;
    /// It did not.
    "flow_fail" FlowFail(FlowFail) -> FlowRecorded, writes: true;
    /// Ask to cancel it and its tasks.
    "flow_cancel" FlowCancel(FlowCancelRequest) -> FlowCancelReply, writes: true;
    /// Tasks, newest first.
    "list" List(List) -> TaskPage, writes: false;
    /// One task in full.
    "show" Show(Show) -> Shown, writes: false;
    /// A task's events.
    "history" History(History) -> Events, writes: false;
    /// A task and all that descends from it.
    "tree" Tree(Tree) -> TreeReport, writes: false;
    /// Events after a `seq`, as they come.
    "watch" Watch(Watch) -> Events, writes: false;
    /// Block until tasks end.
    "wait" Wait(Wait) -> Tasks, writes: false;
    /// Counts.
    "stats" Stats(Stats) -> StatsReport, writes: false;
    /// What is wrong.
    "audit" Audit(Audit) -> AuditReport, writes: false;
    /// Say that a finding is known.
    "acknowledge" Acknowledge(Acknowledge) -> Acknowledged, writes: true;
    /// Settle what nobody will settle.
    "maintenance" Maintenance(Maintenance) -> MaintenanceReport, writes: true;
    /// Follow a runtime's own word of its work.
    "reconcile" Reconcile(Reconcile) -> Reconciled, writes: true;
    /// Wait until nothing runs.
    "drain" Drain(Drain) -> Drained, writes: false;
    /// Remove what ended long enough ago.
    "prune" Prune(Prune) -> PruneReport, writes: true;
    /// Read or set the ledger's policy.
    "config" Config(Config) -> ConfigReply, writes: true;
    /// Look at the ledger's health.
    "doctor" Doctor(Doctor) -> DoctorReport, writes: false;
    /// Prove that every row equals its history.
    "verify" Verify(Verify) -> VerifyReport, writes: false;
    /// Copy the ledger into a file that is a whole one.
    "backup" Backup(Backup) -> BackupReport, writes: false;
    /// Make a new ledger of what can be read of a damaged one.
    "recover" Recover(Recover) -> RecoverReport, writes: false;
    /// Bring the ledger's file to this program's format.
    "migrate" Migrate(Migrate) -> MigrateReport, writes: true;
}

/// A typed call: the same commands for callers who build no JSON.
pub trait Call {
    /// What it answers.
    type Reply;
    /// The call as a request.
    fn into_request(self) -> Request;
    /// The reply in a response, if it is this call's.
    fn reply(response: Response) -> Option<Self::Reply>;
}
