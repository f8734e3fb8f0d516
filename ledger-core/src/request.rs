//! The waist: what every face may ask, as JSON. A Request is an object with one key, the command.

use crate::bounds;
use crate::command::{ClaimToken, End, Progress, given};
use crate::event::{Fill, Report};
use crate::response::*;
use crate::{
    Artifact, Error, Executor, Failure, Json, Lookup, Metadata, Millis, NotifyPolicy, Output, Seq, Span, Status,
    Usage,
};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
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
                    $($word => read::<$request>(word, body).map(Request::$name),)*
                    _ => Err(Error::UnknownCommand {
                        command: word.into(),
                        expected: CommandName::ALL.iter().map(|name| name.as_str()).collect(),
                    }),
                }
            }

            /// Refuses what is over a bound or says what cannot be; changes nothing.
            pub fn check(&self) -> Result<(), Error> {
                match self { $(Request::$name(request) => request.check(),)* }
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
    /// Tasks, newest first.
    "list" List(List) -> TaskPage, writes: false;
    /// One task in full.
    "show" Show(Show) -> Shown, writes: false;
    /// A task's events.
    "history" History(History) -> Events, writes: false;
    /// A task and all that descends from it.
    "tree" Tree(Tree) -> TreeNode, writes: false;
    /// Events after a `seq`, as they come.
    "watch" Watch(Watch) -> Events, writes: false;
    /// Block until tasks end.
    "wait" Wait(Wait) -> Tasks, writes: false;
    /// Counts.
    "stats" Stats(Stats) -> StatsReport, writes: false;
    /// What is wrong.
    "audit" Audit(Audit) -> AuditReport, writes: false;
    /// Settle what nobody will settle.
    "maintenance" Maintenance(Maintenance) -> MaintenanceReport, writes: true;
    /// Read or set the ledger's policy.
    "config" Config(Config) -> ConfigReply, writes: true;
    /// Look at the ledger's health.
    "doctor" Doctor(Doctor) -> DoctorReport, writes: false;
    /// Prove that every row equals its history.
    "verify" Verify(Verify) -> VerifyReport, writes: false;
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

/// A request with what stands around it.
#[derive(Debug)]
pub struct Envelope {
    /// What the caller wants echoed.
    pub id: Option<Json>,
    /// The time of a test clock.
    pub now: Option<Millis>,
    /// The request, or what is wrong with it.
    pub request: Result<Request, Error>,
}

impl Envelope {
    /// Reads one request. The id is found even if the rest is refused.
    pub fn parse(text: &str) -> Envelope {
        let refused = |id, error| Envelope { id, now: None, request: Err(error) };
        let invalid = |problem: String| Error::InvalidRequest { problem };
        if text.len() > bounds::REQUEST_BYTES {
            let (actual, limit) = (text.len() as u64, bounds::REQUEST_BYTES as u64);
            return refused(None, Error::TooLarge { field: "request".into(), actual, limit });
        }
        let parts: Parts = match serde_json::from_str(text) {
            Ok(parts) => parts,
            Err(error) => return refused(None, invalid(error.to_string())),
        };
        let id = parts.id.map(|id| Json::parse(id.get()).unwrap_or_else(|_| Json::null()));
        let now = match parts.now.map(|now| serde_json::from_str::<Millis>(now.get())).transpose() {
            Ok(now) => now,
            Err(error) => return refused(id, Error::invalid("now", error.to_string(), Millis::EXPECTED)),
        };
        let request = match parts.commands.as_slice() {
            [(word, body)] => Request::from_parts(word, body),
            [] => Err(invalid("an object without a command".into())),
            many => {
                let words: Vec<&str> = many.iter().map(|(word, _)| word.as_str()).collect();
                Err(invalid(format!("an object with {} commands ({})", words.len(), words.join(", "))))
            }
        };
        let request = request.and_then(|request| request.check().map(|()| request));
        Envelope { id, now, request }
    }
}

#[derive(Default)]
struct Parts {
    id: Option<Box<RawValue>>,
    now: Option<Box<RawValue>>,
    commands: Vec<(String, Box<RawValue>)>,
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
        let mut parts = Parts::default();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            match name.as_str() {
                "id" => parts.id = Some(value),
                "now" => parts.now = Some(value),
                _ => parts.commands.push((name, value)),
            }
        }
        Ok(parts)
    }
}

/// Reads a command's body; an error names the field.
fn read<T: DeserializeOwned>(word: &str, body: &RawValue) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_str(body.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { word.to_owned() } else { format!("{word}.{path}") };
        let said = error.inner().to_string();
        let said = said.rfind(" at line ").and_then(|end| said.get(..end)).unwrap_or(&said);
        match said.split_once(", expected ") {
            Some((problem, expected)) => Error::invalid(field, problem, expected),
            None => Error::invalid(field, said, "what `bgledger schema` describes"),
        }
    })
}

// ---- recording ----------------------------------------------------------------------------------------------

/// Record a task; see [`crate::Task`] for what the fields mean.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Create {
    /// A short title (needed).
    pub label: String,
    /// The work's text.
    pub task: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// Who runs it; the face's default if absent.
    pub runtime: Option<String>,
    /// A finer kind.
    pub kind: Option<String>,
    /// Its id in the source system.
    pub source_id: Option<String>,
    /// The run's id in the host.
    pub run_id: Option<String>,
    /// The principal it belongs to; the handle's if absent.
    pub owner: Option<String>,
    /// The conversation that asked.
    pub requester_session: Option<String>,
    /// The conversation in which it runs.
    pub session: Option<String>,
    /// The agent that does the work.
    pub agent: Option<String>,
    /// The agent that asked.
    pub requester_agent: Option<String>,
    /// The task that starts it.
    pub parent: Option<Lookup>,
    /// The task that it runs again.
    pub retry_of: Option<Lookup>,
    /// A flat map.
    pub metadata: Metadata,
    /// Whom its notices go out for; the ledger's default for the runtime if absent.
    pub notify: Option<NotifyPolicy>,
    /// How long it may stay queued.
    pub queue_timeout: Option<Span>,
    /// How long an attempt may run.
    pub timeout: Option<Span>,
    /// An earlier time of creation.
    pub created_at: Option<Millis>,
    /// Start it at once.
    pub start: Option<ClaimSpec>,
    /// Record that it is already over.
    pub finish: Option<EndSpec>,
}

/// A start as part of a creation.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSpec {
    /// Who does the work; the face's default if absent.
    pub executor: Option<ExecutorSpec>,
    /// How long a heartbeat keeps it alive.
    pub lease: Option<Span>,
    /// When it started.
    pub started_at: Option<Millis>,
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExecutorSpec {
    /// Nothing to observe.
    External,
    /// This process.
    #[serde(rename = "self")]
    This,
    /// Another process of this machine.
    Process {
        /// Its pid.
        pid: u32,
        /// The process group of the command it runs: the leader's pid.
        #[serde(default)]
        group: Option<u32>,
    },
    /// An executor the host names itself, on another machine for example.
    Identity(Executor),
}

/// An end as part of a creation.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EndSpec {
    /// How it ended.
    pub status: Status,
    /// What a success amounts to.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    #[serde(default)]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON.
    #[serde(default)]
    pub result: Option<Json>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// Claim a task.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The task.
    pub lookup: Lookup,
    /// Who does the work; the face's default if absent.
    #[serde(default)]
    pub executor: Option<ExecutorSpec>,
    /// How long a heartbeat keeps it alive.
    #[serde(default)]
    pub lease: Option<Span>,
    /// When it started.
    #[serde(default)]
    pub started_at: Option<Millis>,
    /// What is null may be filled in once.
    #[serde(default)]
    pub fill: Fill,
}

/// Report how far the work is. What is absent stays as it was.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProgressRequest {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// In words.
    #[serde(default)]
    pub text: Option<String>,
    /// Units done.
    #[serde(default)]
    pub current: Option<u64>,
    /// Units in all.
    #[serde(default)]
    pub total: Option<u64>,
    /// The unit's name.
    #[serde(default)]
    pub unit: Option<String>,
    /// What it waits for; `null` says that it waits no more.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub waiting_on: Option<Option<String>>,
    /// The attempt's total usage.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Artifacts to add, by name.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The lease's new length.
    #[serde(default)]
    pub lease: Option<Span>,
    /// What is null may be filled in once.
    #[serde(default)]
    pub fill: Fill,
}

/// Say that the work lives.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The lease's new length.
    #[serde(default)]
    pub lease: Option<Span>,
}

/// End a task, by the executor's word.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// The task.
    pub lookup: Lookup,
    /// The attempt that speaks; the current one if absent.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// The executor's nonce.
    #[serde(default)]
    pub nonce: Option<String>,
    /// How it ended: `succeeded`, `failed`, `timed_out` or `cancelled`.
    pub status: Status,
    /// What a success amounts to; `ok` if absent.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise.
    #[serde(default)]
    pub reason: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON, kept as given.
    #[serde(default)]
    pub result: Option<Json>,
    /// A command's exit code.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended a command.
    #[serde(default)]
    pub signal: Option<i32>,
    /// The end of a command's output.
    #[serde(default)]
    pub output: Option<Output>,
    /// Artifacts to add, by name.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Artifact>,
    /// The attempt's total usage.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// End a task, by an operator's or host's word.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The task.
    pub lookup: Lookup,
    /// How it ended: any end, `lost` too.
    pub status: Status,
    /// What a success amounts to.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why it ended otherwise; `forced` if absent.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who says so.
    #[serde(default)]
    pub by: Option<String>,
    /// And why.
    #[serde(default)]
    pub why: Option<String>,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<Failure>,
    /// The result in words.
    #[serde(default)]
    pub summary: Option<String>,
    /// The result as JSON.
    #[serde(default)]
    pub result: Option<Json>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Millis>,
}

/// Ask to cancel a task and all that descends from it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// The task.
    pub lookup: Lookup,
    /// Who asks.
    #[serde(default)]
    pub by: Option<String>,
    /// And why.
    #[serde(default)]
    pub why: Option<String>,
}

/// Change whom a task's notices go out for.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The task.
    pub lookup: Lookup,
    /// The policy for later events.
    pub policy: NotifyPolicy,
}

// ---- reading ------------------------------------------------------------------------------------------------

/// Tasks, newest first, that fit every filter given.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Only queued and running ones.
    pub active: bool,
    /// Only these statuses.
    pub status: StatusFilter,
    /// Only this runtime.
    pub runtime: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only those that this session asked for or runs.
    pub session: Option<String>,
    /// Only this agent's.
    pub agent: Option<String>,
    /// Only this label.
    pub label: Option<String>,
    /// Only this run id.
    pub run_id: Option<String>,
    /// Only those with these metadata values.
    pub metadata: Metadata,
    /// Only those created at or after.
    pub since: Option<Millis>,
    /// Only those created before.
    pub until: Option<Millis>,
    /// Only those with this text in label, task, summary or error.
    pub search: Option<String>,
    /// Only the children of this task.
    pub parent: Option<Lookup>,
    /// At most so many: 50 if absent, 10,000 at most.
    pub limit: Option<u32>,
    /// Go on where the last page ended: its `next`.
    pub after: Option<String>,
}

/// No status, one, or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusFilter(pub Vec<Status>);

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = StatusFilter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of them", Status::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<StatusFilter, E> {
                let unexpected = serde::de::Unexpected::Str(word);
                let status = Status::from_word(word).ok_or_else(|| E::invalid_value(unexpected, &self))?;
                Ok(StatusFilter(alloc::vec![status]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<StatusFilter, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = list.next_element::<Status>()? {
                    statuses.push(status);
                }
                Ok(StatusFilter(statuses))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for StatusFilter {
    fn schema_name() -> alloc::borrow::Cow<'static, str> {
        "StatusFilter".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let status = generator.subschema_for::<Status>();
        schemars::json_schema!({"anyOf": [status.clone(), {"type": "array", "items": status}]})
    }
}

/// One task in full.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Show {
    /// The task.
    pub lookup: Lookup,
}

/// A task's events, oldest first.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The task.
    pub lookup: Lookup,
    /// Only those after this `seq`.
    #[serde(default)]
    pub after: Seq,
    /// At most so many: 10,000 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A task and all that descends from it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The task at the top.
    pub lookup: Lookup,
}

/// Events after a `seq`, oldest first; waits for the first one if there is none.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// Only this task's events.
    pub lookup: Option<Lookup>,
    /// Only those after this `seq`; from the ledger's end if absent.
    pub after: Option<Seq>,
    /// At most so many: 10,000 if absent.
    pub limit: Option<u32>,
    /// How long to wait for the first one; not at all if absent.
    pub timeout: Option<Span>,
}

/// Block until tasks end.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Wait {
    /// The tasks (needed).
    pub lookups: Vec<Lookup>,
    /// Until one of them ends, not all.
    pub any: bool,
    /// How long to wait; without end if absent.
    pub timeout: Option<Span>,
}

/// Counts.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Stats {}

/// What is wrong.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Only findings at least so bad.
    pub severity: Option<crate::audit::Severity>,
    /// Only this code.
    pub code: Option<String>,
    /// At most so many: 1,000 if absent; the summary counts all.
    pub limit: Option<u32>,
}

/// Settle what nobody will settle; a preview unless told to apply.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Maintenance {
    /// Do it.
    pub apply: bool,
}

/// Read the ledger's policy, or set some of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Only this key.
    pub get: Option<String>,
    /// Keys to set; `null` returns a key to its default.
    pub set: BTreeMap<String, Option<String>>,
}

/// Look at the ledger's health.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Doctor {}

/// Prove that every row equals its history.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Verify {}

// ---- checks -------------------------------------------------------------------------------------------------

fn names<'a>(fields: impl IntoIterator<Item = (&'static str, &'a Option<String>)>) -> Result<(), Error> {
    fields.into_iter().try_for_each(|(field, value)| value.as_ref().map_or(Ok(()), |value| bounds::name(field, value)))
}

fn note(field: &str, value: &Option<String>) -> Result<(), Error> {
    value.as_ref().map_or(Ok(()), |value| bounds::text(field, value, bounds::NOTE_BYTES))
}

fn word(field: &str, value: &Option<String>) -> Result<(), Error> {
    value.as_ref().map_or(Ok(()), |value| bounds::word(field, value))
}

impl Create {
    fn check(&self) -> Result<(), Error> {
        if self.label.trim().is_empty() {
            return Err(Error::invalid("create.label", bounds::quote(&self.label), "a short title"));
        }
        bounds::text("create.label", &self.label, bounds::LABEL_BYTES)?;
        self.task.as_ref().map_or(Ok(()), |task| bounds::text("create.task", task, bounds::TASK_BYTES))?;
        word("create.runtime", &self.runtime)?;
        names([
            ("create.key", &self.key),
            ("create.kind", &self.kind),
            ("create.source_id", &self.source_id),
            ("create.run_id", &self.run_id),
            ("create.owner", &self.owner),
            ("create.requester_session", &self.requester_session),
            ("create.session", &self.session),
            ("create.agent", &self.agent),
            ("create.requester_agent", &self.requester_agent),
        ])?;
        check_metadata("create.metadata", &self.metadata)?;
        if let Some(claim) = &self.start {
            check_executor("create.start.executor", &claim.executor)?;
        }
        match &self.finish {
            Some(end) => check_end("create.finish", &end.clone().into()),
            None => Ok(()),
        }
    }
}

impl Start {
    fn check(&self) -> Result<(), Error> {
        check_executor("start.executor", &self.executor)?;
        check_fill("start.fill", &self.fill)
    }
}

impl ProgressRequest {
    fn check(&self) -> Result<(), Error> {
        names([("progress.nonce", &self.nonce), ("progress.unit", &self.unit)])?;
        note("progress.text", &self.text)?;
        if let Some(waiting_on) = &self.waiting_on {
            word("progress.waiting_on", waiting_on)?;
        }
        if let (Some(current), Some(total)) = (self.current, self.total)
            && current > total
        {
            return Err(Error::invalid("progress.current", current.to_string(), format!("at most total, {total}")));
        }
        check_counts([("progress.current", self.current), ("progress.total", self.total)])?;
        check_usage("progress.usage", self.usage.as_ref())?;
        check_artifacts("progress.artifacts", &self.artifacts)?;
        check_fill("progress.fill", &self.fill)
    }

    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }

    /// What it says.
    pub fn progress(&self) -> Progress {
        Progress {
            text: self.text.clone(),
            current: self.current,
            total: self.total,
            unit: self.unit.clone(),
            waiting_on: self.waiting_on.clone(),
            usage: self.usage.clone(),
            artifacts: self.artifacts.clone(),
            fill: self.fill.clone(),
        }
    }
}

impl Heartbeat {
    fn check(&self) -> Result<(), Error> {
        names([("heartbeat.nonce", &self.nonce)])
    }

    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }
}

impl Finish {
    fn check(&self) -> Result<(), Error> {
        names([("finish.nonce", &self.nonce)])?;
        check_end("finish", &self.end())
    }

    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }

    /// How it ended. Details over their bound are cut to their end, which says so.
    pub fn end(&self) -> End {
        End {
            status: self.status,
            outcome: self.outcome.clone(),
            reason: self.reason.clone(),
            report: Report {
                error: self.error.clone().map(cut_failure),
                summary: self.summary.clone(),
                result: self.result.clone(),
                exit_code: self.exit_code,
                signal: self.signal,
                output: self.output.clone().map(cut_output),
                artifacts: self.artifacts.clone(),
                usage: self.usage.clone(),
            },
            ended_at: self.ended_at,
        }
    }
}

impl From<EndSpec> for End {
    fn from(spec: EndSpec) -> End {
        End {
            status: spec.status,
            outcome: spec.outcome,
            reason: spec.reason,
            report: Report {
                error: spec.error.map(cut_failure),
                summary: spec.summary,
                result: spec.result,
                ..Report::default()
            },
            ended_at: spec.ended_at,
        }
    }
}

impl Settle {
    fn check(&self) -> Result<(), Error> {
        names([("settle.by", &self.by)])?;
        note("settle.why", &self.why)?;
        let said = self.summary.is_some() || self.result.is_some() || self.error.is_some();
        if self.status == Status::Lost && said {
            return Err(Error::invalid("settle.status", "\"lost\" with a report", "a final status; lost work has said nothing"));
        }
        check_words("settle", &self.end())
    }

    /// How it ended. Without an error of its own, the author's reason is what went wrong.
    pub fn end(&self) -> End {
        let why = || self.why.clone().map(|message| Failure { message: Some(message), ..Failure::default() });
        let error = match self.status {
            Status::Failed | Status::TimedOut | Status::Cancelled => self.error.clone().or_else(why),
            Status::Queued | Status::Running | Status::Succeeded | Status::Lost => self.error.clone(),
        };
        End {
            status: self.status,
            outcome: self.outcome.clone(),
            reason: self.reason.clone(),
            report: Report {
                error: error.map(cut_failure),
                summary: self.summary.clone(),
                result: self.result.clone(),
                ..Report::default()
            },
            ended_at: self.ended_at,
        }
    }
}

impl CancelRequest {
    fn check(&self) -> Result<(), Error> {
        names([("cancel.by", &self.by)])?;
        note("cancel.why", &self.why)
    }
}

impl Notify {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl List {
    fn check(&self) -> Result<(), Error> {
        word("list.runtime", &self.runtime)?;
        names([
            ("list.kind", &self.kind),
            ("list.session", &self.session),
            ("list.agent", &self.agent),
            ("list.run_id", &self.run_id),
        ])?;
        let texts = [("list.label", &self.label), ("list.search", &self.search)];
        texts.into_iter().try_for_each(|(field, value)| note(field, value))?;
        check_metadata("list.metadata", &self.metadata)?;
        check_limit("list.limit", self.limit)
    }
}

impl Show {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl History {
    fn check(&self) -> Result<(), Error> {
        check_limit("history.limit", self.limit)
    }
}

impl Tree {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Watch {
    fn check(&self) -> Result<(), Error> {
        check_limit("watch.limit", self.limit)
    }
}

impl Wait {
    fn check(&self) -> Result<(), Error> {
        if self.lookups.is_empty() {
            return Err(Error::invalid("wait.lookups", "none", "at least one task"));
        }
        bounds::count("wait.lookups", self.lookups.len(), bounds::WAIT_LOOKUPS)
    }
}

impl Stats {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Audit {
    fn check(&self) -> Result<(), Error> {
        if let Some(code) = &self.code
            && crate::audit::Code::from_word(code).is_none()
        {
            let words: Vec<&str> = crate::audit::RULES.iter().map(|rule| rule.word).collect();
            return Err(Error::invalid("audit.code", bounds::quote(code), format!("one of {}", words.join(", "))));
        }
        check_limit("audit.limit", self.limit)
    }
}

impl Maintenance {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Config {
    fn check(&self) -> Result<(), Error> {
        if let Some(name) = &self.get {
            crate::config::key(name)?;
        }
        self.set.iter().try_for_each(|(name, value)| match value {
            Some(value) => crate::config::value(name, value).map(drop),
            None => crate::config::key(name).map(drop),
        })
    }
}

impl Doctor {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Verify {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn check_words(at: &str, end: &End) -> Result<(), Error> {
    word(&format!("{at}.outcome"), &end.outcome)?;
    word(&format!("{at}.reason"), &end.reason)?;
    match (end.status, &end.outcome, &end.reason) {
        (Status::Queued | Status::Running, _, _) => Err(Error::invalid(
            format!("{at}.status"),
            format!("{:?} is not an end", end.status.as_str()),
            "one of succeeded, failed, timed_out, cancelled",
        )),
        (Status::Succeeded, _, Some(reason)) => {
            Err(Error::invalid(format!("{at}.reason"), bounds::quote(reason), "none: a success has an outcome"))
        }
        (Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost, Some(outcome), _) => {
            Err(Error::invalid(format!("{at}.outcome"), bounds::quote(outcome), "none: only a success has an outcome"))
        }
        (_, _, _) => check_report(at, &end.report),
    }
}

fn check_end(at: &str, end: &End) -> Result<(), Error> {
    match end.status {
        Status::Lost => Err(Error::invalid(
            format!("{at}.status"),
            "\"lost\" is a presumption, not an executor's word",
            "one of succeeded, failed, timed_out, cancelled",
        )),
        Status::Queued
        | Status::Running
        | Status::Succeeded
        | Status::Failed
        | Status::TimedOut
        | Status::Cancelled => check_words(at, end),
    }
}

fn check_report(at: &str, report: &Report) -> Result<(), Error> {
    let bounded = |field: &str, value: &Option<String>, most: usize| match value {
        Some(value) => bounds::text(&format!("{at}.{field}"), value, most),
        None => Ok(()),
    };
    bounded("summary", &report.summary, bounds::SUMMARY_BYTES)?;
    if let Some(error) = &report.error {
        bounded("error.type", &error.kind, bounds::NAME_BYTES)?;
        bounded("error.message", &error.message, bounds::ERROR_MESSAGE_BYTES)?;
        bounded("error.detail", &error.detail, bounds::ERROR_DETAIL_BYTES)?;
    }
    if let Some(result) = &report.result {
        bounds::json(&format!("{at}.result"), result.as_str(), bounds::RESULT_BYTES)?;
    }
    if let Some(output) = &report.output {
        bounds::text(&format!("{at}.output.tail"), &output.tail, bounds::OUTPUT_TAIL_BYTES)?;
        check_counts([("finish.output.bytes", Some(output.bytes))])?;
    }
    check_usage(&format!("{at}.usage"), report.usage.as_ref())?;
    check_artifacts(&format!("{at}.artifacts"), &report.artifacts)
}

fn cut_failure(mut failure: Failure) -> Failure {
    failure.detail = failure.detail.map(|detail| match bounds::tail(&detail, bounds::ERROR_DETAIL_BYTES) {
        (_, false) => detail,
        (_, true) => {
            let mark = "[… cut …]\n";
            let room = bounds::ERROR_DETAIL_BYTES.saturating_sub(mark.len());
            format!("{mark}{}", bounds::tail(&detail, room).0)
        }
    });
    failure
}

fn cut_output(mut output: Output) -> Output {
    output.bytes = output.bytes.max(output.tail.len() as u64);
    if let (tail, true) = bounds::tail(&output.tail, bounds::OUTPUT_TAIL_BYTES) {
        output.tail = tail.into();
        output.truncated = true;
    }
    output
}

fn check_metadata(field: &str, metadata: &Metadata) -> Result<(), Error> {
    bounds::count(field, metadata.len(), bounds::METADATA_ENTRIES)?;
    metadata.iter().try_for_each(|(name, value)| {
        bounds::name(&format!("{field} (a name)"), name)?;
        bounds::text(&format!("{field}.{name}"), value.as_str(), bounds::METADATA_VALUE_BYTES)
    })
}

fn check_artifacts(field: &str, artifacts: &BTreeMap<String, Artifact>) -> Result<(), Error> {
    bounds::count(field, artifacts.len(), bounds::ARTIFACTS)?;
    artifacts.iter().try_for_each(|(name, artifact)| {
        bounds::name(&format!("{field} (a name)"), name)?;
        bounds::text(&format!("{field}.{name}.uri"), &artifact.uri, bounds::URI_BYTES)?;
        check_counts([("artifacts.size", artifact.size)])?;
        note(&format!("{field}.{name}.media_type"), &artifact.media_type)?;
        match &artifact.sha256 {
            Some(hash) if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Err(Error::invalid(format!("{field}.{name}.sha256"), bounds::quote(hash), "64 hexadecimal digits"))
            }
            Some(_) | None => Ok(()),
        }
    })
}

/// Counts fit the signed integers of storage and of other languages.
fn check_counts<'a>(counts: impl IntoIterator<Item = (&'a str, Option<u64>)>) -> Result<(), Error> {
    counts.into_iter().try_for_each(|(field, count)| match count {
        Some(count) if i64::try_from(count).is_err() => {
            Err(Error::invalid(field, count.to_string(), "a count below 2^63"))
        }
        Some(_) | None => Ok(()),
    })
}

fn check_usage(field: &str, usage: Option<&Usage>) -> Result<(), Error> {
    let Some(usage) = usage else { return Ok(()) };
    check_counts([
        (field, Some(usage.tokens_in)),
        (field, Some(usage.tokens_out)),
        (field, Some(usage.tokens_cached)),
        (field, Some(usage.tool_calls)),
    ])?;
    bounds::count(&format!("{field}.cost"), usage.cost.len(), bounds::CURRENCIES)?;
    usage.cost.iter().try_for_each(|(currency, micros)| {
        check_counts([(field, Some(*micros))])?;
        bounds::name(&format!("{field}.cost (a currency)"), currency)
    })
}

fn check_fill(field: &str, fill: &Fill) -> Result<(), Error> {
    names([
        ("fill.kind", &fill.kind),
        ("fill.source_id", &fill.source_id),
        ("fill.run_id", &fill.run_id),
        ("fill.requester_session", &fill.requester_session),
        ("fill.session", &fill.session),
        ("fill.agent", &fill.agent),
        ("fill.requester_agent", &fill.requester_agent),
    ])?;
    match fill.root {
        Some(_) => Err(Error::invalid(format!("{field}.root"), "a root", "none: it follows from the parent")),
        None => Ok(()),
    }
}

fn check_executor(field: &str, executor: &Option<ExecutorSpec>) -> Result<(), Error> {
    match executor {
        Some(ExecutorSpec::Identity(executor)) => names([
            ("executor.machine", &executor.machine),
            ("executor.boot", &executor.boot),
            ("executor.nonce", &executor.nonce),
        ]),
        Some(ExecutorSpec::Process { pid, .. }) if *pid == 0 || i32::try_from(*pid).is_err() => {
            Err(Error::invalid(format!("{field}.process.pid"), pid.to_string(), "a process id"))
        }
        Some(ExecutorSpec::External | ExecutorSpec::This | ExecutorSpec::Process { .. }) | None => Ok(()),
    }
}

fn check_limit(field: &str, limit: Option<u32>) -> Result<(), Error> {
    match limit {
        Some(limit) if limit == 0 || limit > bounds::LIST_MOST => {
            Err(Error::invalid(field, limit.to_string(), format!("1 to {}", bounds::LIST_MOST)))
        }
        Some(_) | None => Ok(()),
    }
}
