//! What Python takes from the core's lists: the texts of `bgledger/_generated.py` and `bgledger/_codes.py`.

use bgledger_core::audit::RULES;
use bgledger_core::{
    Candidate, CommandName, Delivery, Error, ErrorClass, ErrorCode, EventKind, Executor, FlowId, FlowNumber,
    FlowStatus, Millis, NoticeState, NotifyPolicy, RENEWALS, Status, TaskId, TaskNumber, bounds, outcome, reason,
    runtime, waiting_on,
};
use serde_json::Value;
use std::fmt::Write;

/// The files that are checked in, seen from the workspace, and what they must say.
pub fn generated() -> [(&'static str, String); 2] {
    [("ledger-py/python/bgledger/_generated.py", words()), ("ledger-py/python/bgledger/_codes.py", errors())]
}

/// The words.
fn words() -> String {
    let mut text = String::from(HEAD);
    let constants = |text: &mut String, class: &str, about: &str, words: &[&str]| {
        writeln!(text, "\n\nclass {class}:\n    \"\"\"{about}\"\"\"\n").expect("a string");
        for word in words {
            writeln!(text, "    {}: Final = \"{word}\"", word.to_uppercase()).expect("a string");
        }
    };
    text.push_str(STATUS);
    members(&mut text, &Status::ALL.map(Status::as_str));
    text.push_str(STATUS_END);
    listed(&mut text, "_ACTIVE", "frozenset[str]", Status::ALL.iter().filter(|s| s.is_active()).map(|s| s.as_str()));
    listed(&mut text, "_FINAL", "frozenset[str]", Status::ALL.iter().filter(|s| s.is_final()).map(|s| s.as_str()));
    text.push_str(FLOW_STATUS);
    members(&mut text, &FlowStatus::ALL.map(FlowStatus::as_str));
    text.push_str(FLOW_STATUS_END);
    let open = "Any other lower-case word is one, too.";
    constants(&mut text, "Runtime", &format!("Who runs a task. {open}"), &runtime::KNOWN);
    constants(&mut text, "Outcome", "What a success amounts to.", &outcome::KNOWN);
    constants(&mut text, "Reason", "Why a task ended other than by success.", &reason::KNOWN);
    constants(&mut text, "WaitingOn", "What running work waits for.", &waiting_on::KNOWN);
    let policies = NotifyPolicy::KNOWN;
    let policies: Vec<&str> = policies.iter().map(NotifyPolicy::as_str).collect();
    constants(&mut text, "NotifyPolicy", "Whom a task's notices go out for.", &policies);
    let deliveries = Delivery::ALL.map(Delivery::as_str);
    constants(&mut text, "Delivery", "What became of a task's notices.", &deliveries);
    let kinds = EventKind::ALL.map(EventKind::as_str);
    constants(&mut text, "EventType", "What happened to a task.", &kinds);
    constants(&mut text, "FindingCode", "What the audit may find.", &RULES.map(|rule| rule.word));
    writeln!(text).expect("a string");
    listed(&mut text, "COMMANDS", "tuple[str, ...]", CommandName::ALL.iter().map(|name| name.as_str()));
    writeln!(text, "ERROR_MESSAGE_BYTES: Final = {}", bounds::ERROR_MESSAGE_BYTES).expect("a string");
    writeln!(text, "ERROR_DETAIL_BYTES: Final = {}", bounds::ERROR_DETAIL_BYTES).expect("a string");
    writeln!(text, "ERROR_TYPE_BYTES: Final = {}", bounds::NAME_BYTES).expect("a string");
    writeln!(text, "NOTE_BYTES: Final = {}", bounds::NOTE_BYTES).expect("a string");
    writeln!(text, "RENEWALS: Final = {RENEWALS}").expect("a string");
    writeln!(text, "LABEL_BYTES: Final = {}", bounds::LABEL_BYTES).expect("a string");
    writeln!(text, "LIST_DEFAULT: Final = {}", bounds::LIST_DEFAULT).expect("a string");
    writeln!(text, "LIST_MOST: Final = {}", bounds::LIST_MOST).expect("a string");
    text
}

const HEAD: &str = r#""""The words of the ledger's core. Written by a test: BGLEDGER_BLESS=1 cargo test --test py_generated"""

from __future__ import annotations

from enum import Enum
from typing import Final

"#;

const ERRORS_HEAD: &str = r#""""The errors of the ledger's core. Written by a test: BGLEDGER_BLESS=1 cargo test --test py_generated"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ._base import Candidate, Executor, LedgerError
from ._generated import FlowStatus, Status
"#;

const BY_CODE: &str = r#"

def _below(kind: type[LedgerError]) -> Iterator[type[LedgerError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


#: The class of each code.
BY_CODE: Final[dict[str, type[LedgerError]]] = {
    each.code: each for each in _below(LedgerError) if "code" in vars(each)
}
"#;

const STATUS: &str = r#"
class Status(str, Enum):
    """Where a task stands. Each equals its word: ``Status.QUEUED == "queued"``."""

"#;

const STATUS_END: &str = r#"
    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)

    @property
    def is_active(self) -> bool:
        """Queued or running."""
        return self.value in _ACTIVE

    @property
    def is_final(self) -> bool:
        """Ended for good. ``lost`` is not: the executor's own word overrides it."""
        return self.value in _FINAL


"#;

const FLOW_STATUS: &str = r#"

class FlowStatus(str, Enum):
    """Where a flow stands. Each equals its word: ``FlowStatus.WAITING == "waiting"``."""

"#;

const FLOW_STATUS_END: &str = r#"
    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)
"#;

/// The members of an enumeration, each its word.
fn members(text: &mut String, words: &[&str]) {
    for word in words {
        writeln!(text, "    {} = \"{word}\"", word.to_uppercase()).expect("a string");
    }
}

fn listed<'a>(text: &mut String, name: &str, kind: &str, words: impl Iterator<Item = &'a str>) {
    let words: Vec<String> = words.map(|word| format!("    \"{word}\",\n")).collect();
    let (open, close) = if kind.starts_with("tuple") { ("(", ")") } else { ("frozenset({", "})") };
    writeln!(text, "{name}: Final[{kind}] = {open}\n{}{close}", words.concat()).expect("a string");
}

/// A class for each class of errors, and below it one for each code.
fn errors() -> String {
    let mut whole = String::from(ERRORS_HEAD);
    let text = &mut whole;
    let classes = [
        ErrorClass::Invalid,
        ErrorClass::NotFound,
        ErrorClass::Refused,
        ErrorClass::Busy,
        ErrorClass::Ledger,
        ErrorClass::Failed,
        ErrorClass::Unknown,
        ErrorClass::Internal,
    ];
    for class in classes {
        let (name, base, about) = of_class(class);
        let own = ErrorCode::ALL.into_iter().find(|code| camel(code.as_str()) == name);
        define(text, name, &format!("LedgerError{base}"), about, own);
        for code in ErrorCode::ALL.into_iter().filter(|code| code.class() == class && own != Some(*code)) {
            define(text, &camel(code.as_str()), name, &about_code(code), Some(code));
        }
    }
    text.push_str(BY_CODE);
    whole
}

fn define(text: &mut String, name: &str, bases: &str, about: &str, code: Option<ErrorCode>) {
    writeln!(text, "\n\nclass {name}({bases}):\n    \"\"\"{about}\"\"\"").expect("a string");
    let Some(code) = code else { return };
    writeln!(text, "\n    code = \"{}\"\n    number_of_code = {}", code.as_str(), code as u16).expect("a string");
    let sample = serde_json::to_value(sample(code)).expect("an error is JSON");
    let is_about_flow = sample.get("flow").is_some();
    for (field, value) in sample.as_object().into_iter().flatten() {
        let kind = match (field.as_str(), is_about_flow) {
            ("recorded_status", true) => "FlowStatus",
            (name, _) => annotation(name, value),
        };
        writeln!(text, "    {field}: {kind}").expect("a string");
    }
}

/// The name in Python, the built-in it also is, and what it means.
fn of_class(class: ErrorClass) -> (&'static str, &'static str, &'static str) {
    match class {
        ErrorClass::Invalid => ("Invalid", ", ValueError", "The request cannot be: correct it."),
        ErrorClass::NotFound => ("NotFound", ", KeyError", "There is no such thing, or none this handle may see."),
        ErrorClass::Refused => ("Refused", "", "The rules say no; the error names what is recorded."),
        ErrorClass::Busy => ("Busy", ", TimeoutError", "Others held the ledger for too long: ask again."),
        ErrorClass::Ledger => ("BadLedger", ", OSError", "The ledger itself needs attention."),
        ErrorClass::Failed => ("Failed", ", OSError", "It failed, and nothing was changed."),
        ErrorClass::Unknown => ("Unknown", ", OSError", "It may have taken effect; asking again is safe."),
        ErrorClass::Internal => ("Internal", ", RuntimeError", "A fault in bgledger."),
    }
}

fn about_code(code: ErrorCode) -> String {
    let hint = code.hint().map(|hint| {
        let hint = hint.replace('\\', "\\\\");
        let mut letters = hint.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    match hint {
        Some(hint) => format!("The code ``{}``. {hint}.", code.as_str()),
        None => format!("The code ``{}``.", code.as_str()),
    }
}

fn camel(word: &str) -> String {
    word.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

/// The type of a field in Python, by its name and what JSON makes of it.
fn annotation(field: &str, value: &Value) -> &'static str {
    match (field, value) {
        ("candidates", _) => "tuple[Candidate, ...]",
        ("executor", _) => "Executor | None",
        ("recorded_status", _) => "Status",
        ("by", _) => "str | None",
        ("started_at", _) => "datetime | None",
        ("pending" | "flows", _) => "tuple[int, ...]",
        ("now" | "earliest", _) => "datetime",
        (name, _) if name.ends_with("_at") => "datetime",
        ("given", Value::String(_)) => "datetime",
        (_, Value::Array(_)) => "tuple[str, ...]",
        (_, Value::Number(_)) => "int",
        (_, Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_)) => "str",
    }
}

/// An error of every code, with every field filled.
pub fn sample(code: ErrorCode) -> Error {
    let (number, flow) = (TaskNumber(7), FlowNumber(3));
    let id = TaskId::from_bytes([7; 16]);
    let at = Millis::clamped(1_000);
    let executor = || Some(Box::new(Executor { pid: Some(42), machine: Some("m1".into()), ..Executor::default() }));
    let text = || String::from("text");
    let (path, problem) = (text(), text());
    match code {
        ErrorCode::InvalidRequest => Error::InvalidRequest { problem },
        ErrorCode::UnknownCommand => Error::UnknownCommand { command: text(), expected: vec!["create"] },
        ErrorCode::InvalidValue => Error::invalid("field", "problem", "expected"),
        ErrorCode::TooLarge => Error::TooLarge { field: text(), actual: 2, limit: 1 },
        ErrorCode::FutureTime => Error::FutureTime { field: text(), given: at, now: at },
        ErrorCode::TimeOrder => Error::TimeOrder { field: text(), given: at, earliest: at, event: text() },
        ErrorCode::NotAvailable => Error::NotAvailable { what: text(), why: text() },
        ErrorCode::NotFound => Error::NotFound { lookup: text(), why: text() },
        ErrorCode::NoLedger => Error::NoLedger { path },
        ErrorCode::UnknownKey => Error::UnknownKey { key: text(), expected: vec!["durability"] },
        ErrorCode::NoNotice => Error::NoNotice { notice: text(), why: text() },
        ErrorCode::NoFlow => Error::NoFlow { lookup: text(), why: text() },
        ErrorCode::Pruned => Error::Pruned { number, id, recorded_status: Status::Failed, ended_at: at, pruned_at: at },
        ErrorCode::UnknownRecipient => Error::UnknownRecipient { recipient: text() },
        ErrorCode::Ambiguous => {
            let candidate = Candidate { number, id, status: Status::Queued, runtime: text(), label: text() };
            Error::Ambiguous { lookup: text(), count: 1, candidates: vec![candidate] }
        }
        ErrorCode::ExistsWithDifferent => Error::ExistsWithDifferent { number, id, fields: vec!["label"] },
        ErrorCode::AncestorCancelled => Error::AncestorCancelled { ancestor: number },
        ErrorCode::NotStarted => Error::NotStarted { number, created_at: at },
        ErrorCode::Fenced => {
            let (executor, recorded_status) = (executor(), Status::Running);
            Error::Fenced { number, given: 1, attempt: 2, executor, started_at: Some(at), recorded_status }
        }
        ErrorCode::AlreadyEnded => {
            let (recorded_status, recorded_detail) = (Status::Failed, text());
            Error::AlreadyEnded { number, recorded_status, recorded_detail, ended_at: at }
        }
        ErrorCode::AlreadyRunning => {
            Error::AlreadyRunning { number, attempt: 1, executor: executor(), started_at: Some(at) }
        }
        ErrorCode::CancelRequested => Error::CancelRequested { number, requested_at: at, by: Some(text()) },
        ErrorCode::AlreadySet => Error::AlreadySet { number, field: "agent", recorded: text() },
        ErrorCode::TreeShape => Error::TreeShape { problem },
        ErrorCode::NotDue => Error::NotDue { number, recorded_status: Status::Queued, updated_at: at, problem },
        ErrorCode::StaleClaim => Error::StaleClaim { notice: text(), state: NoticeState::Claimed, due_at: at },
        ErrorCode::NoticeSettled => Error::NoticeSettled { notice: text(), state: NoticeState::Delivered, problem },
        ErrorCode::AmbiguousFlow => Error::AmbiguousFlow { lookup: text(), count: 2, flows: vec![flow] },
        ErrorCode::RevisionConflict => {
            let recorded_status = FlowStatus::Waiting;
            Error::RevisionConflict { flow, given: 1, recorded: 2, recorded_status, updated_at: at }
        }
        ErrorCode::FlowEnded => Error::FlowEnded { flow, recorded_status: FlowStatus::Failed, ended_at: at },
        ErrorCode::FlowCancelRequested => Error::FlowCancelRequested { flow, requested_at: at },
        ErrorCode::FlowMirrored => Error::FlowMirrored { flow },
        ErrorCode::FlowExistsWithDifferent => {
            Error::FlowExistsWithDifferent { flow, id: FlowId::from_bytes([3; 16]), fields: vec!["goal"] }
        }
        ErrorCode::FileExists => Error::FileExists { path },
        ErrorCode::Busy => Error::Busy { waited_ms: 1 },
        ErrorCode::WaitTimedOut => Error::WaitTimedOut { pending: vec![number], awaited: 2, waited_ms: 1 },
        ErrorCode::NotALedger => Error::NotALedger { path, problem },
        ErrorCode::NewerLedger => Error::NewerLedger { path, needed: 2, known: 1, purpose: "read" },
        ErrorCode::Corrupt => Error::Corrupt { path, problem },
        ErrorCode::NetworkFileSystem => Error::NetworkFileSystem { path, file_system: text() },
        ErrorCode::BadPath => Error::BadPath { path, problem },
        ErrorCode::Unreadable => Error::Unreadable { path, problem },
        ErrorCode::ReadOnly => Error::ReadOnly { path, problem },
        ErrorCode::DiskFull => Error::DiskFull { path },
        ErrorCode::Io => Error::Io { path, problem },
        ErrorCode::Unknown => Error::Unknown { path, problem },
        ErrorCode::Internal => Error::Internal { problem },
    }
}
