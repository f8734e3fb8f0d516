//! Options that several verbs share.

use crate::context::Context;
use crate::failure::Failure;
use crate::value;
use bgledger_core::{
    Artifact, ClaimSpec, Create, Error, ExecutorSpec, Failure as WorkFailure, Fill, FlowId, FlowList, FlowLookup,
    FlowShow, Json, Lookup, Millis, NotifyPolicy, Span, TaskId, Usage, bounds,
};
use bgledger_store::Ledger;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;

const ORIGIN: &str = "Where it comes from";
const LIMITS: &str = "Deadlines";
const USAGE: &str = "What it cost, in all so far";

/// What describes a task when it is recorded.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The work's text
    #[arg(long, value_name = "TEXT")]
    task: Option<String>,
    /// An idempotency key: creating again with it finds the same task
    /// [default: runtime and run id, where there is one]
    #[arg(long)]
    key: Option<String>,
    /// Something to find it by; a value that reads as a number, true, false, null or a "string" in quotes is that
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::pair)]
    metadata: Vec<(String, String)>,
    /// Whom notices go out for [default: the ledger's setting for the runtime]
    #[arg(long, value_name = "POLICY", value_parser = value::notify())]
    notify: Option<NotifyPolicy>,
    /// Who runs it: subagent, acp, cron, cli or any lower-case word [default: cli]
    #[arg(long, value_name = "WORD", help_heading = ORIGIN)]
    runtime: Option<String>,
    /// A finer kind within the runtime
    #[arg(long, help_heading = ORIGIN)]
    kind: Option<String>,
    /// The run's id in the host
    #[arg(long, value_name = "ID", help_heading = ORIGIN)]
    run_id: Option<String>,
    /// Its id in the source system, such as the cron job's
    #[arg(long, value_name = "ID", help_heading = ORIGIN)]
    source_id: Option<String>,
    /// The conversation in which it runs
    #[arg(long, value_name = "KEY", help_heading = ORIGIN)]
    session: Option<String>,
    /// The conversation that asked for it
    #[arg(long, value_name = "KEY", help_heading = ORIGIN)]
    requester_session: Option<String>,
    /// The agent that does the work
    #[arg(long, value_name = "NAME", help_heading = ORIGIN)]
    agent: Option<String>,
    /// The agent that asked for it
    #[arg(long, value_name = "NAME", help_heading = ORIGIN)]
    requester_agent: Option<String>,
    /// The task that starts it [default: $BGLEDGER_TASK, which `run` sets]
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup, help_heading = ORIGIN)]
    parent: Option<Lookup>,
    /// No parent, whatever $BGLEDGER_TASK says
    #[arg(long, conflicts_with = "parent", help_heading = ORIGIN)]
    no_parent: bool,
    /// The flow that it belongs to: its number such as F3, id or owner [default: its parent's]
    #[arg(long, value_name = "FLOW", value_parser = value::flow, help_heading = ORIGIN)]
    flow: Option<FlowLookup>,
    /// The task that it runs again
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup, help_heading = ORIGIN)]
    retry_of: Option<Lookup>,
    /// How long an attempt may run, such as 30s or "2h 30m"; a bare number is seconds
    #[arg(long, value_name = "TIME", value_parser = value::span, help_heading = LIMITS)]
    pub(crate) timeout: Option<Span>,
}

impl WorkArgs {
    /// A creation with this description.
    pub(crate) fn create(&self, label: String) -> Result<Create, Failure> {
        let refused = |problem: String| Failure::usage(problem, "write --metadata NAME=VALUE once for each name");
        Ok(Create {
            label,
            task: self.task.clone(),
            key: self.key.clone(),
            runtime: self.runtime.clone(),
            kind: self.kind.clone(),
            source_id: self.source_id.clone(),
            run_id: self.run_id.clone(),
            requester_session: self.requester_session.clone(),
            session: self.session.clone(),
            agent: self.agent.clone(),
            requester_agent: self.requester_agent.clone(),
            parent: self.parent.clone(),
            flow: self.flow.clone(),
            retry_of: self.retry_of.clone(),
            metadata: value::metadata(&self.metadata).map_err(refused)?,
            notify: self.notify.clone(),
            timeout: self.timeout,
            ..Create::default()
        })
    }

    /// The task of the `run` that we are part of, unless the command line says otherwise or names another ledger.
    pub(crate) fn inherited_parent(&self, context: &Context, ledger: &Ledger) -> Option<Lookup> {
        if self.parent.is_some() || self.no_parent {
            return None;
        }
        let task = std::env::var("BGLEDGER_TASK").ok().filter(|task| !task.is_empty())?;
        let same_ledger = !context.ledger_is_named()
            || std::env::var_os("BGLEDGER_DB").is_some_and(|path| {
                let canonical = std::fs::canonicalize(&path);
                canonical.as_deref().unwrap_or(path.as_ref()) == ledger.path()
            });
        same_ledger.then(|| Lookup::parse(&task).ok()).flatten()
    }
}

/// Records a task. A parent that is merely inherited and not to be found here is left out.
pub(crate) fn record_under(
    ledger: &Ledger,
    create: Create,
    inherited: Option<Lookup>,
) -> Result<bgledger_core::Created, Failure> {
    let Some(parent) = inherited else { return Ok(ledger.call(create)?) };
    match ledger.call(Create { parent: Some(parent), ..create.clone() }) {
        Err(error) if error.code().class() == bgledger_core::ErrorClass::NotFound => Ok(ledger.call(create)?),
        created => Ok(created?),
    }
}

/// Who does the work, and how it is known to be alive.
#[derive(Debug, Args)]
pub(crate) struct ClaimArgs {
    /// The process that does the work, to be watched [default: none, nothing to observe]
    #[arg(long)]
    pid: Option<u32>,
    /// The process group that a cancel stops: its leader's pid. Is --pid a process outside of it, that one does
    #[arg(long, value_name = "PID", requires = "pid")]
    group: Option<u32>,
    /// How long each heartbeat keeps it alive, such as 60s [default: no lease]
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    lease: Option<Span>,
    /// When it started [default: now]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    started_at: Option<Millis>,
}

impl ClaimArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.pid.is_some() || self.lease.is_some() || self.started_at.is_some()
    }

    pub(crate) fn claim(&self) -> ClaimSpec {
        let executor = self.pid.map(|pid| ExecutorSpec::Process { pid, group: self.group });
        ClaimSpec { executor, lease: self.lease, started_at: self.started_at }
    }
}

/// Which attempt speaks.
#[derive(Debug, Args)]
pub(crate) struct AttemptArgs {
    /// The attempt that speaks; refused if another one has taken over [default: the current one]
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// The executor's nonce, which `start --json` shows
    #[arg(long, hide_short_help = true)]
    pub(crate) nonce: Option<String>,
}

/// What may be filled in once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Fill in what is still empty")]
pub(crate) struct FillArgs {
    /// A finer kind within the runtime
    #[arg(long)]
    kind: Option<String>,
    /// Its id in the source system
    #[arg(long, value_name = "ID")]
    source_id: Option<String>,
    /// The run's id in the host
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
    /// The conversation in which it runs
    #[arg(long, value_name = "KEY")]
    session: Option<String>,
    /// The conversation that asked for it
    #[arg(long, value_name = "KEY")]
    requester_session: Option<String>,
    /// The agent that does the work
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The agent that asked for it
    #[arg(long, value_name = "NAME")]
    requester_agent: Option<String>,
    /// The id of the task that starts it
    #[arg(long, value_name = "ID", value_parser = task_id)]
    parent: Option<TaskId>,
    /// The flow that it belongs to: its number such as F3, id or owner
    #[arg(long, value_name = "FLOW", value_parser = value::flow)]
    flow: Option<FlowLookup>,
    /// The id of the task that it runs again
    #[arg(long, value_name = "ID", value_parser = task_id)]
    retry_of: Option<TaskId>,
}

impl FillArgs {
    pub(crate) fn fill(self, ledger: &Ledger) -> Result<Fill, Failure> {
        Ok(Fill {
            kind: self.kind,
            source_id: self.source_id,
            run_id: self.run_id,
            requester_session: self.requester_session,
            session: self.session,
            agent: self.agent,
            requester_agent: self.requester_agent,
            retry_of: self.retry_of,
            parent: self.parent,
            flow: self.flow.map(|flow| flow_to_join(ledger, flow)).transpose()?,
            root: None,
        })
    }
}

/// The flow that a task is to join. Of an owner it is the one that goes on: a change does not guess among several.
fn flow_to_join(ledger: &Ledger, lookup: FlowLookup) -> Result<FlowId, Failure> {
    if let FlowLookup::Owner(owner) = &lookup {
        let (mut flows, mut after) = (Vec::new(), None);
        loop {
            let limit = Some(bounds::LIST_MOST);
            let page = ledger.call(FlowList { active: true, limit, after, ..FlowList::default() })?;
            let theirs = page.flows.iter().filter(|view| view.flow.owner == *owner);
            flows.extend(theirs.map(|view| view.flow.number));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if flows.len() > 1 {
            let count = flows.len() as u64;
            flows.truncate(bounds::CANDIDATES);
            return Err(Error::AmbiguousFlow { lookup: lookup.to_string(), count, flows }.into());
        }
    }
    Ok(ledger.call(FlowShow { flow: lookup })?.flow.flow.id)
}

fn task_id(text: &str) -> Result<TaskId, String> {
    TaskId::parse(text).ok_or_else(|| "expected a task's id, a UUID".to_owned())
}

/// How work ended, in its own words.
#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    /// What a success amounts to: ok, blocked, no_result or any lower-case word [default: ok]
    #[arg(long, value_name = "WORD")]
    pub(crate) outcome: Option<String>,
    /// Why it ended otherwise: error, exit_code, signal, rejected, deadline, … or any lower-case word
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: Option<String>,
    /// The result in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) summary: Option<String>,
    /// The result as JSON
    #[arg(long, value_name = "JSON", value_parser = value::json)]
    result: Option<Json>,
    /// A file that holds the result as JSON; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "result")]
    result_file: Option<PathBuf>,
    /// What went wrong
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// The kind of what went wrong, such as an exception's name
    #[arg(long, value_name = "NAME")]
    error_type: Option<String>,
    /// More about what went wrong, such as a traceback
    #[arg(long, value_name = "TEXT")]
    error_detail: Option<String>,
    /// When it ended [default: now]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    pub(crate) ended_at: Option<Millis>,
}

/// How a command ended.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ExitArgs {
    /// The exit code of the command that did the work
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) exit_code: Option<i32>,
    /// The number of the signal that ended it
    #[arg(long, value_name = "N")]
    pub(crate) signal: Option<i32>,
}

impl EndArgs {
    pub(crate) fn result(&self) -> Result<Option<Json>, Failure> {
        match &self.result_file {
            Some(path) => value::json_of_file(path, "result", bounds::RESULT_BYTES).map(Some),
            None => Ok(self.result.clone()),
        }
    }

    pub(crate) fn error(&self) -> Option<WorkFailure> {
        let error = WorkFailure {
            kind: self.error_type.clone(),
            message: self.error.clone(),
            detail: self.error_detail.clone(),
        };
        (error != WorkFailure::default()).then_some(error)
    }

    pub(crate) fn is_given(&self) -> bool {
        self.outcome.is_some()
            || self.reason.is_some()
            || self.summary.is_some()
            || self.result.is_some()
            || self.result_file.is_some()
            || self.error().is_some()
            || self.ended_at.is_some()
    }
}

/// What work left behind and what it cost.
#[derive(Debug, Args)]
pub(crate) struct YieldArgs {
    /// Something it left behind, by name
    #[arg(long, value_name = "NAME=URI", value_parser = value::artifact)]
    artifact: Vec<(String, Artifact)>,
    /// Tokens read
    #[arg(long, value_name = "N", help_heading = USAGE)]
    tokens_in: Option<u64>,
    /// Tokens written
    #[arg(long, value_name = "N", help_heading = USAGE)]
    tokens_out: Option<u64>,
    /// Tokens read from a cache
    #[arg(long, value_name = "N", help_heading = USAGE)]
    tokens_cached: Option<u64>,
    /// Tool calls made
    #[arg(long, value_name = "N", help_heading = USAGE)]
    tool_calls: Option<u64>,
    /// Cost in millionths of a currency's unit
    #[arg(long, value_name = "CURRENCY=MICROS", value_parser = value::cost, help_heading = USAGE)]
    cost: Vec<(String, u64)>,
}

impl YieldArgs {
    pub(crate) fn artifacts(&self) -> BTreeMap<String, Artifact> {
        self.artifact.iter().cloned().collect()
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        let counts = [self.tokens_in, self.tokens_out, self.tokens_cached, self.tool_calls];
        let given = counts.iter().any(Option::is_some) || !self.cost.is_empty();
        given.then(|| Usage {
            tokens_in: self.tokens_in.unwrap_or(0),
            tokens_out: self.tokens_out.unwrap_or(0),
            tokens_cached: self.tokens_cached.unwrap_or(0),
            cost: self.cost.iter().cloned().collect(),
            tool_calls: self.tool_calls.unwrap_or(0),
        })
    }
}

/// Who gives an operator's word, unless told: the user's name.
pub(crate) fn author(given: Option<String>) -> Option<String> {
    let user = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    given.or_else(user).filter(|name| !name.is_empty())
}
