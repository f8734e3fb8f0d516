//! Says that a finding is known.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::value;
use bgledger_core::audit::RULES;
use bgledger_core::{Acknowledge as Request, Millis, Span, escape};
use clap::builder::PossibleValuesParser;

/// Say that a finding of the audit is known: it is not told again until a date
///
/// The subject is what the audit names: a task such as 12, a flow such as F3, a recipient such as session:chat, or
/// ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger acknowledge stale_queued 12 --until 7d --note 'waits for the new key'
  bgledger acknowledge stale_queued 12 --again
  bgledger audit --acknowledged")]
pub(crate) struct Acknowledge {
    /// The finding's code
    #[arg(value_parser = PossibleValuesParser::new(RULES.map(|rule| rule.word)))]
    code: String,
    /// What it is about
    subject: String,
    /// Until when: a day, a moment, or a length of time from now
    #[arg(long, value_name = "TIME", value_parser = until, required_unless_present = "again")]
    until: Option<Until>,
    /// Why it is well
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Tell it again
    #[arg(long, conflicts_with_all = ["until", "note"])]
    again: bool,
}

/// A time to come.
#[derive(Debug, Clone, Copy)]
enum Until {
    In(Span),
    At(Millis),
}

fn until(text: &str) -> Result<Until, String> {
    let expected = |_| "expected a time to come: a day, a moment, or how long from now, such as 7d".to_owned();
    value::span(text).map(Until::In).or_else(|_| value::time(text).map(Until::At)).map_err(expected)
}

impl Acknowledge {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Acknowledge { code, subject, until, note, by, .. } = self;
        let digits = !subject.is_empty() && subject.bytes().all(|byte| byte.is_ascii_digit());
        let subject = if digits { format!("#{subject}") } else { subject };
        let until = until.map(|until| match until {
            Until::In(span) => context.out.now.plus(span),
            Until::At(at) => at,
        });
        let request = Request { code: code.clone(), subject: subject.clone(), until, by, note };
        let reply = context.recording()?.call(request)?;
        context.out.result(&reply, [], |_| {
            let what = format!("{code} of {}", escape(&subject));
            match &reply.acknowledged {
                Some(known) => format!("{what} is known until {}\n", known.until),
                None => format!("{what} is told again\n"),
            }
        })?;
        Ok(Exit::Done)
    }
}
