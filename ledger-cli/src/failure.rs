//! What can go wrong here, and how it is told.

use crate::exit::Exit;
use crate::output::harmless;
use bgledger_core::{Candidate, Error, ErrorClass, ErrorCode, FlowNumber, escape};
use serde::Serialize;
use std::io;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The ledger said no.
    Ledger(Box<Error>),
    /// The command line cannot be.
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// Something outside the ledger, such as a file to read, failed.
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// Our own output could not be written.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Ledger(Box::new(error))
    }
}

impl Failure {
    /// A command line that cannot be.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// How the program ends because of it. A reader that has gone away is no failure.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Ledger(error) => Exit::of(error.code()),
            Failure::Usage { .. } => Exit::Usage,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Failure::System { .. } | Failure::Output(_) => Exit::Failed,
        }
    }

    /// The text for stderr, as people or as programs read it; `None` if there is nothing to say.
    pub(crate) fn text(&self, json: bool) -> Option<String> {
        match (self, json) {
            (Failure::Output(error), _) if error.kind() == io::ErrorKind::BrokenPipe => None,
            (Failure::Ledger(error), true) => Some(as_json(&error.body())),
            (Failure::Ledger(error), false) => Some(ledger_text(error)),
            (Failure::Usage { .. } | Failure::System { .. } | Failure::Output(_), _) => Some(self.own_text(json)),
        }
    }

    fn own_text(&self, json: bool) -> String {
        let (code, message, hint) = match self {
            Failure::Ledger(error) => (error.code(), error.to_string(), None),
            Failure::Usage { message, hint } => (ErrorCode::InvalidValue, message.clone(), hint.as_deref()),
            Failure::System { what, error } => (ErrorCode::Io, format!("{what}: {error}"), None),
            Failure::Output(error) => (ErrorCode::Io, format!("the output cannot be written: {error}"), None),
        };
        match json {
            true => as_json(&Told { code: code.as_str(), class: code.class(), message, hint }),
            false => for_people(&message, hint),
        }
    }
}

/// An error that is not the ledger's, in the same shape.
#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    class: ErrorClass,
    message: String,
    hint: Option<&'a str>,
}

fn as_json<T: Serialize>(error: &T) -> String {
    format!("{{\"error\":{}}}", harmless(&serde_json::to_string(error).unwrap_or_default()))
}

fn ledger_text(error: &Error) -> String {
    let mut text = for_people(&error.to_string(), error.code().hint());
    if let Error::Ambiguous { candidates, count, .. } = error {
        let line = |one: &Candidate| format!("{}  {}  {}", one.number, one.status.as_str(), escape(&one.label));
        list(&mut text, candidates.iter().map(line), *count);
    }
    if let Error::AmbiguousFlow { flows, count, .. } = error {
        list(&mut text, flows.iter().map(FlowNumber::to_string), *count);
    }
    text
}

/// Adds what may have been meant, and how much more there is.
fn list(text: &mut String, candidates: impl ExactSizeIterator<Item = String>, count: u64) {
    let hidden = count.saturating_sub(candidates.len() as u64);
    candidates.for_each(|candidate| text.push_str(&format!("\n  {candidate}")));
    if hidden > 0 {
        text.push_str(&format!("\n  and {hidden} more"));
    }
}

fn for_people(message: &str, hint: Option<&str>) -> String {
    let message = escape(message);
    match hint {
        Some(hint) => format!("error: {message}\nhint: {hint}"),
        None => format!("error: {message}"),
    }
}
