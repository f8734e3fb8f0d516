//! Delivers what is due to a command or a web address.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::json_line;
use crate::sink::{Delivered, Exec, Parcel, Secret, Sink, Webhook};
use crate::supervise::Ears;
use crate::{tell, value};
use bgledger_core::{
    Error, ErrorClass, NoticeId, NoticeView, NoticesAck, NoticesClaim, NoticesNack, Seq, Span, Watch, bounds, escape,
};
use bgledger_store::Ledger;
use bgledger_store::platform::{monotonic_ms, wall_ms};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Deliver what is due, oldest first, to a command or a web address
///
/// Each notice is claimed, handed over as one JSON object, and acknowledged, or refused with the reason; what is refused
/// is tried again later, at last given up as a dead letter. Whoever receives may see a notice twice, if this program is
/// killed in between: record its "key" with the effect, and each effect is there once.
///
/// Exits 1 if a notice was refused, or if the sink is broken (a command that cannot be executed, an address that wants
/// no more): then nothing else is tried.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("sink").required(true).args(["exec", "webhook"]),
    after_help = "\
Examples:
  bgledger notices deliver --exec 'jq -r .message | wall'
  bgledger notices deliver --follow --for session:chat --webhook https://hooks.example.com/tasks --secret-file secret"
)]
pub(super) struct Deliver {
    /// Run this by `sh`, the notice on its stdin: exit code 0 says that it is delivered
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
    /// Send it there by POST, as the Standard Webhooks specification says: an answer of 2xx says that it is delivered
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The secret to sign with, as in whsec_...; else the variable BGLEDGER_WEBHOOK_SECRET
    #[arg(long, value_name = "PATH", requires = "webhook", conflicts_with = "exec")]
    secret_file: Option<PathBuf>,
    /// Send without a signature
    #[arg(long, requires = "webhook", conflicts_with_all = ["secret_file", "exec"])]
    unsigned: bool,
    /// Send to addresses of this machine and its network, too
    #[arg(long, requires = "webhook", conflicts_with = "exec")]
    allow_private: bool,
    /// For this recipient, session:KEY, owner:NAME or subscriber:NAME; given again for several [default: everybody's]
    #[arg(long = "for", value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// Who delivers
    #[arg(long, value_name = "NAME", default_value = "deliver")]
    consumer: String,
    /// How long one delivery may take
    #[arg(long, value_name = "TIME", value_parser = value::span, default_value = "30s")]
    timeout: Span,
    /// Go on until INT or TERM
    #[arg(long, short)]
    follow: bool,
}

/// The variable that has the secret.
const SECRET: &str = "BGLEDGER_WEBHOOK_SECRET";
/// How much longer than the delivery the lease lasts.
const MARGIN_MS: i64 = 5_000;
/// How long one wait for news lasts: a signal is heard after it at the latest.
const ROUND: Span = Span::from_secs(1);
/// How often it is looked for what is due again although nothing happened.
const AGAIN_MS: i64 = 5_000;

/// What became of a notice, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    notice: &'a NoticeId,
    key: &'a str,
    delivered: bool,
    reason: Option<&'a str>,
}

/// How long it waits when the ledger cannot be used for the moment.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether a failure is the moment's, which one who follows the ledger waits out.
fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::Ledger(error) => matches!(error.code().class(), ErrorClass::Busy | ErrorClass::Unknown),
        Failure::Usage { .. } | Failure::System { .. } | Failure::Output(_) => false,
    }
}

/// How a round of deliveries ended.
enum Round {
    /// Nothing is due any more; whether anything was refused.
    Idle {
        refused: bool,
    },
    Broken(String),
    Interrupted,
}

impl Deliver {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let sink = self.sink()?;
        let ledger = context.recording()?;
        let ears = Ears::open().map_err(|error| Failure::System { what: "signals cannot be heard".into(), error })?;
        let mut after = ledger.call(Watch::default())?.next;
        loop {
            let round = match self.round(context, &ledger, sink.as_ref(), &ears) {
                Err(failure) if self.follow && passes(&failure) => {
                    std::thread::sleep(PAUSE);
                    Round::Idle { refused: false }
                }
                round => round?,
            };
            match round {
                Round::Interrupted => return Ok(Exit::Done),
                Round::Broken(reason) => {
                    tell(&format!("error: {}", escape(&reason)));
                    return Ok(Exit::Failed);
                }
                Round::Idle { refused } if !self.follow => return Ok(if refused { Exit::Failed } else { Exit::Done }),
                Round::Idle { .. } => {}
            }
            match news(&ledger, &ears, after) {
                Ok(Some(next)) => after = next,
                Ok(None) => return Ok(Exit::Done),
                Err(failure) if passes(&failure) => std::thread::sleep(PAUSE),
                Err(failure) => return Err(failure),
            }
        }
    }

    fn sink(&self) -> Result<Box<dyn Sink>, Failure> {
        if let Some(command) = &self.exec {
            return Ok(Box::new(Exec { command: command.clone() }));
        }
        let secret = match (&self.secret_file, std::env::var(SECRET), self.unsigned) {
            (_, _, true) => None,
            (Some(path), _, _) => Some(
                std::fs::read_to_string(path)
                    .map_err(|error| Failure::System { what: format!("{} cannot be read", path.display()), error })?,
            ),
            (None, Ok(text), _) => Some(text),
            (None, Err(_), _) => {
                let hint = format!("name a file by --secret-file, set {SECRET}, or say --unsigned");
                return Err(Failure::usage("a webhook is signed, and there is no secret", hint));
            }
        };
        let unusable = |problem| {
            Failure::usage(
                format!("the secret cannot be used: {problem}"),
                "openssl rand -base64 32 makes one; put whsec_ before it",
            )
        };
        let secret = secret.map(|text| Secret::parse(&text)).transpose().map_err(unusable)?;
        let url = self.webhook.as_deref().unwrap_or_default();
        let webhook = Webhook::new(url, secret, self.allow_private).map_err(|problem| {
            Failure::usage(format!("--webhook {url:?}: {problem}"), "a public https:// address; or add --allow-private")
        })?;
        Ok(Box::new(webhook))
    }

    /// Delivers until nothing is due. One notice is claimed at a time, so that a slow sink holds no other back.
    fn round(&self, context: &Context, ledger: &Ledger, sink: &dyn Sink, ears: &Ears) -> Result<Round, Failure> {
        let within = Duration::from_millis(u64::try_from(self.timeout.ms()).unwrap_or(0));
        let mut refused = false;
        while ears.heard().is_none() {
            let claimed = ledger.call(NoticesClaim {
                recipients: self.recipients.clone(),
                consumer: Some(self.consumer.clone()),
                lease: Some(Span::clamped(self.timeout.ms().saturating_add(MARGIN_MS))),
                limit: Some(1),
            })?;
            let (Some(claim), Some(notice)) = (claimed.claim, claimed.notices.first()) else {
                return Ok(Round::Idle { refused });
            };
            let body = json_line(notice)?;
            let parcel = Parcel { key: &notice.key, body: &body, sent_at: wall_ms() / 1000 };
            let reason = match sink.deliver(parcel, within) {
                Delivered::Yes => None,
                Delivered::Refused(reason) => Some(reason),
                Delivered::Broken(reason) => {
                    answer(context, ledger, claim, notice, Some(&reason))?;
                    return Ok(Round::Broken(reason));
                }
            };
            refused |= reason.is_some();
            answer(context, ledger, claim, notice, reason.as_deref())?;
        }
        Ok(Round::Interrupted)
    }
}

/// Says to the ledger, and to whoever looks, what became of a notice.
fn answer(
    context: &Context,
    ledger: &Ledger,
    claim: String,
    notice: &NoticeView,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let notices = vec![notice.notice.clone()];
    let answered = match reason {
        None => ledger.call(NoticesAck { claim, notices }).map(drop),
        Some(reason) => {
            let end = reason.floor_char_boundary(bounds::NOTE_BYTES);
            let reason = reason.get(..end).unwrap_or_default().to_owned();
            ledger.call(NoticesNack { claim, notices, reason }).map(drop)
        }
    };
    match answered {
        // Somebody dismissed it, or has it now, because this took longer than the lease: it is answered elsewhere.
        Ok(()) | Err(Error::StaleClaim { .. } | Error::NoNotice { .. } | Error::NoticeSettled { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let line = Line { notice: &notice.notice, key: &notice.key, delivered: reason.is_none(), reason };
    match (context.out.json, context.out.quiet) {
        (true, _) => context.out.json(&line),
        (false, true) => context.out.names([&notice.notice]),
        (false, false) => {
            let told = match reason {
                None => "✓ delivered".to_owned(),
                Some(reason) => format!("✗ refused: {reason}"),
            };
            let key = notice.notice.to_string();
            context.out.text(&format!("{}  {}  {}\n", escape(&key), escape(&told), escape(&notice.message)))
        }
    }
}

/// Waits until something happened, or until what was refused may be due again. `None`: we were told to end.
fn news(ledger: &Ledger, ears: &Ears, after: Seq) -> Result<Option<Seq>, Failure> {
    let until = monotonic_ms().saturating_add(AGAIN_MS);
    loop {
        if ears.heard().is_some() {
            return Ok(None);
        }
        let seen = ledger.call(Watch { after: Some(after), timeout: Some(ROUND), ..Watch::default() })?;
        if !seen.events.is_empty() || monotonic_ms() >= until {
            return Ok(Some(seen.next));
        }
    }
}
