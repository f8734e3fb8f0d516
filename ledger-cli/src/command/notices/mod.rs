//! The notices that the ledger owes: who is to hear of what, and whether they did.

mod deliver;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Fit, Table};
use crate::output::{time, tint};
use crate::value;
use bgledger_core::{
    ClaimedNotices, Lookup, NoticeId, NoticeList, NoticeState, NoticeView, Notices as List, NoticesAck, NoticesClaim,
    NoticesDismiss, NoticesDrop, NoticesNack, NoticesRetry, Span, bounds, escape,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// List notices, and claim and answer them
///
/// An end, and with the policy state_changes every transition, owes a notice to the session that asked for the task,
/// else to the session in which it runs, else to its owner. A consumer claims what is due, delivers it, and
/// acknowledges it or refuses it with a reason. What is refused is tried again later, at last given up as a dead
/// letter. A notice that is claimed and never answered returns when its lease is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger notices claim --for session:chat --json
  bgledger notices ack --claim 5f1c9a2e77d01b34 12/session:chat
  bgledger notices list --state dead")]
pub(crate) struct Notices {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show notices, newest first (what `notices` alone does)
    List(ListArgs),
    /// Take what is due, oldest first, under a lease
    Claim(ClaimArgs),
    /// Say that they were delivered
    Ack {
        /// The claim that brought them
        #[arg(long, value_name = "TOKEN")]
        claim: String,
        #[command(flatten)]
        which: Which,
    },
    /// Say that they could not be delivered: they are tried again later
    Nack {
        /// The claim that brought them
        #[arg(long, value_name = "TOKEN")]
        claim: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        which: Which,
    },
    Deliver(deliver::Deliver),
    /// Try dead letters and dismissed ones again, or waiting ones at once
    Retry(Which),
    /// Forget dead letters, and dismissed ones
    Drop(Which),
    /// Say that they need not be delivered
    Dismiss {
        /// Why, to be recorded
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Default, clap::Args)]
struct ListArgs {
    /// Only for this recipient: session:KEY, owner:NAME or subscriber:NAME
    #[arg(long = "for", value_name = "RECIPIENT")]
    recipient: Option<String>,
    /// Only in these states; several with commas, or given again
    #[arg(long, short, value_delimiter = ',', value_parser = state())]
    state: Vec<NoticeState>,
    /// Only about this task
    #[arg(long, value_name = "LOOKUP", value_parser = value::lookup)]
    task: Option<Lookup>,
    #[arg(long, short = 'n', value_name = "N", help = format!("At most so many, up to {} [default: {}]", bounds::LIST_MOST, bounds::LIST_DEFAULT))]
    limit: Option<u32>,
    /// Go on after the page that ended here: its `next`
    #[arg(long, value_name = "CURSOR", value_parser = notice)]
    after: Option<NoticeId>,
}

#[derive(Debug, clap::Args)]
struct ClaimArgs {
    /// For this recipient, session:KEY, owner:NAME or subscriber:NAME; given again for several [default: everybody's]
    #[arg(long = "for", value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// Who takes them
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    #[arg(long, value_name = "TIME", value_parser = value::span, help = format!("How long until they return if nothing is said of them [default: {}]", bounds::NOTICES_LEASE))]
    lease: Option<Span>,
    #[arg(long, short = 'n', value_name = "N", help = format!("At most so many, up to {} [default: {}]", bounds::NOTICES, bounds::NOTICES_DEFAULT))]
    limit: Option<u32>,
}

/// Which notices are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// The notices, as `notices list` names them: 12, or 12/session:chat where several recipients have it
    #[arg(required = true, value_name = "NOTICE", value_parser = notice)]
    notices: Vec<NoticeId>,
}

fn state() -> impl TypedValueParser<Value = NoticeState> {
    PossibleValuesParser::new(NoticeState::ALL.map(NoticeState::as_str))
        .try_map(|word| NoticeState::from_word(&word).ok_or("a state of a notice"))
}

fn notice(text: &str) -> Result<NoticeId, String> {
    NoticeId::parse(text).map_err(|error| error.to_string())
}

impl Notices {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.action.unwrap_or(Action::List(ListArgs::default())) {
            Action::List(arguments) => list(context, arguments),
            Action::Claim(arguments) => claim(context, arguments),
            Action::Ack { claim, which } => {
                changed(context, &context.recording()?.call(NoticesAck { claim, notices: which.notices })?)
            }
            Action::Nack { claim, reason, which } => {
                changed(context, &context.recording()?.call(NoticesNack { claim, notices: which.notices, reason })?)
            }
            Action::Deliver(deliver) => deliver.run(context),
            Action::Retry(which) => {
                changed(context, &context.recording()?.call(NoticesRetry { notices: which.notices })?)
            }
            Action::Drop(which) => {
                changed(context, &context.recording()?.call(NoticesDrop { notices: which.notices })?)
            }
            Action::Dismiss { reason, which } => {
                changed(context, &context.recording()?.call(NoticesDismiss { notices: which.notices, reason })?)
            }
        }
    }
}

fn list(context: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let ListArgs { recipient, state, task, limit, after } = arguments;
    let page = context.reading()?.call(List { recipient, state, task, limit, after })?;
    if page.notices.is_empty() {
        context.out.note("No notice fits.");
    }
    show(context, &page, &page.notices)?;
    if let Some(next) = &page.next {
        context.out.note(&format!("There are more: add --after {next}, or --limit."));
    }
    Ok(Exit::Done)
}

fn claim(context: &Context, arguments: ClaimArgs) -> Result<Exit, Failure> {
    let ClaimArgs { recipients, consumer, lease, limit } = arguments;
    let claimed: ClaimedNotices = context.recording()?.call(NoticesClaim { recipients, consumer, lease, limit })?;
    match &claimed.claim {
        Some(claim) => context.out.note(&format!("Claimed as {claim}.")),
        None => context.out.note("Nothing is due."),
    }
    show(context, &claimed, &claimed.notices)?;
    Ok(Exit::Done)
}

fn changed(context: &Context, list: &NoticeList) -> Result<Exit, Failure> {
    context.out.note(&format!("Changed: {}.", list.changed));
    show(context, list, &list.notices)?;
    Ok(Exit::Done)
}

fn show<T: serde::Serialize>(context: &Context, reply: &T, notices: &[NoticeView]) -> Result<(), Failure> {
    context.out.named(reply, notices.iter().map(|notice| &notice.notice), |out| match notices.is_empty() {
        true => String::new(),
        false => table(out, notices),
    })
}

fn table(out: &Output, notices: &[NoticeView]) -> String {
    let mut table = Table::new(&[
        ("NOTICE", Fit::Keep),
        ("STATE", Fit::Keep),
        ("TRIED", Fit::Right),
        ("DUE", Fit::Spare(8)),
        ("MESSAGE", Fit::Cut(20)),
        ("REASON", Fit::Cut(8)),
    ]);
    for notice in notices {
        let state = &notice.state;
        let waits = matches!(state.state, NoticeState::Pending | NoticeState::Claimed);
        let cells = vec![
            escape(&notice.notice.to_string()).to_string(),
            state.state.as_str().to_owned(),
            state.attempts.to_string(),
            if waits { time::relative(state.due_at, out.now) } else { String::new() },
            escape(&notice.message).to_string(),
            escape(state.reason.as_deref().unwrap_or_default()).to_string(),
        ];
        table.row(cells, 1, tint::FAINT);
    }
    table.render(out)
}
