use super::*;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::vec;
use std::{fmt, format};

/// One error of every code, with every field filled.
pub(crate) fn samples() -> Vec<Error> {
    let number = TaskNumber(7);
    let id = TaskId::from_bytes([7; 16]);
    let at = Millis::clamped(1_000);
    let executor = Executor { pid: Some(42), machine: Some("m1".into()), ..Executor::default() };
    let text = || String::from("text");
    ErrorCode::ALL
        .into_iter()
        .map(|code| match code {
            ErrorCode::InvalidRequest => Error::InvalidRequest { problem: text() },
            ErrorCode::UnknownCommand => Error::UnknownCommand { command: text(), expected: vec!["create"] },
            ErrorCode::InvalidValue => Error::invalid("field", "problem", "expected"),
            ErrorCode::TooLarge => Error::TooLarge { field: text(), actual: 2, limit: 1 },
            ErrorCode::FutureTime => Error::FutureTime { field: text(), given: at, now: at },
            ErrorCode::TimeOrder => {
                Error::TimeOrder { field: text(), given: at, earliest: at, event: "started".into() }
            }
            ErrorCode::NotAvailable => Error::NotAvailable { what: text(), why: text() },
            ErrorCode::NotFound => Error::NotFound { lookup: text(), why: text() },
            ErrorCode::NoLedger => Error::NoLedger { path: text() },
            ErrorCode::UnknownKey => Error::UnknownKey { key: text(), expected: vec!["durability"] },
            ErrorCode::NoNotice => Error::NoNotice { notice: text(), why: text() },
            ErrorCode::Ambiguous => {
                let candidate = Candidate { number, id, status: Status::Queued, runtime: text(), label: text() };
                Error::Ambiguous { lookup: text(), count: 1, candidates: vec![candidate] }
            }
            ErrorCode::ExistsWithDifferent => Error::ExistsWithDifferent { number, id, fields: vec!["label"] },
            ErrorCode::AncestorCancelled => Error::AncestorCancelled { ancestor: number },
            ErrorCode::NotStarted => Error::NotStarted { number, created_at: at },
            ErrorCode::Fenced => Error::Fenced {
                number,
                given: 1,
                attempt: 2,
                executor: Some(Box::new(executor.clone())),
                started_at: Some(at),
                recorded_status: Status::Running,
            },
            ErrorCode::AlreadyEnded => Error::AlreadyEnded {
                number,
                recorded_status: Status::Failed,
                recorded_detail: "error".into(),
                ended_at: at,
            },
            ErrorCode::AlreadyRunning => Error::AlreadyRunning {
                number,
                attempt: 1,
                executor: Some(Box::new(executor.clone())),
                started_at: Some(at),
            },
            ErrorCode::CancelRequested => Error::CancelRequested { number, requested_at: at, by: Some(text()) },
            ErrorCode::AlreadySet => Error::AlreadySet { number, field: "agent", recorded: text() },
            ErrorCode::TreeShape => Error::TreeShape { problem: text() },
            ErrorCode::NotDue => {
                Error::NotDue { number, recorded_status: Status::Queued, updated_at: at, problem: text() }
            }
            ErrorCode::StaleClaim => Error::StaleClaim { notice: text(), state: NoticeState::Pending, due_at: at },
            ErrorCode::NoticeSettled => {
                Error::NoticeSettled { notice: text(), state: NoticeState::Delivered, problem: text() }
            }
            ErrorCode::NoFlow => Error::NoFlow { lookup: text(), why: text() },
            ErrorCode::Pruned => {
                Error::Pruned { number, id, recorded_status: Status::Failed, ended_at: at, pruned_at: at }
            }
            ErrorCode::UnknownRecipient => Error::UnknownRecipient { recipient: text() },
            ErrorCode::AmbiguousFlow => Error::AmbiguousFlow { lookup: text(), count: 2, flows: vec![FlowNumber(3)] },
            ErrorCode::RevisionConflict => Error::RevisionConflict {
                flow: FlowNumber(3),
                given: 1,
                recorded: 2,
                recorded_status: FlowStatus::Waiting,
                updated_at: at,
            },
            ErrorCode::FlowEnded => {
                Error::FlowEnded { flow: FlowNumber(3), recorded_status: FlowStatus::Failed, ended_at: at }
            }
            ErrorCode::FlowCancelRequested => Error::FlowCancelRequested { flow: FlowNumber(3), requested_at: at },
            ErrorCode::FlowExistsWithDifferent => Error::FlowExistsWithDifferent {
                flow: FlowNumber(3),
                id: FlowId::from_bytes([3; 16]),
                fields: vec!["goal"],
            },
            ErrorCode::FlowMirrored => Error::FlowMirrored { flow: FlowNumber(3) },
            ErrorCode::FileExists => Error::FileExists { path: text() },
            ErrorCode::Busy => Error::Busy { waited_ms: 1 },
            ErrorCode::WaitTimedOut => Error::WaitTimedOut { pending: vec![number], awaited: 2, waited_ms: 1 },
            ErrorCode::NotALedger => Error::NotALedger { path: text(), problem: text() },
            ErrorCode::NewerLedger => Error::NewerLedger { path: text(), needed: 2, known: 1, purpose: "read" },
            ErrorCode::Corrupt => Error::Corrupt { path: text(), problem: text() },
            ErrorCode::NetworkFileSystem => Error::NetworkFileSystem { path: text(), file_system: text() },
            ErrorCode::BadPath => Error::BadPath { path: text(), problem: text() },
            ErrorCode::Unreadable => Error::Unreadable { path: text(), problem: text() },
            ErrorCode::ReadOnly => Error::ReadOnly { path: text(), problem: text() },
            ErrorCode::DiskFull => Error::DiskFull { path: text() },
            ErrorCode::Io => Error::Io { path: text(), problem: text() },
            ErrorCode::Unknown => Error::Unknown { path: text(), problem: text() },
            ErrorCode::Internal => Error::internal("problem"),
        })
        .collect()
}

/// The names of an object in the order given, doubles and all.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Names;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = vec![];
                while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[test]
fn every_error_is_its_codes_and_names_no_field_twice_in_json() {
    for (code, error) in ErrorCode::ALL.into_iter().zip(samples()) {
        assert_eq!(error.code(), code);
        let json = serde_json::to_string(&error.body()).unwrap();
        let Names(names) = serde_json::from_str(&json).unwrap();
        assert_eq!(names.get(..4).unwrap(), ["code", "class", "message", "hint"], "{json}");
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "a name appears twice: {json}");
    }
}

#[test]
fn the_number_in_an_errors_json_is_the_tasks() {
    let json = serde_json::to_string(&Error::NotStarted { number: TaskNumber(7), created_at: Millis::EPOCH }.body());
    let value: serde_json::Value = serde_json::from_str(&json.unwrap()).unwrap();
    assert_eq!(value.get("number"), Some(&serde_json::json!(7)));
    assert_eq!(value.get("code"), Some(&serde_json::json!("not_started")));
}

#[test]
fn a_fence_says_who_holds_the_task_since_when() {
    let fenced = samples().into_iter().find(|error| error.code() == ErrorCode::Fenced).unwrap();
    assert_eq!(
        fenced.to_string(),
        "#7 belongs to attempt 2 now, by process 42 on machine \"m1\", since 1970-01-01T00:00:01.000Z; not to attempt 1"
    );
    let json = serde_json::to_value(fenced.body()).unwrap();
    assert_eq!(json.get("attempt"), Some(&serde_json::json!(2)));
    assert_eq!(json.pointer("/executor/pid"), Some(&serde_json::json!(42)));
}

#[test]
fn refusals_about_a_status_name_what_is_recorded_and_when() {
    let codes = [
        ErrorCode::NotStarted,
        ErrorCode::Fenced,
        ErrorCode::AlreadyEnded,
        ErrorCode::AlreadyRunning,
        ErrorCode::CancelRequested,
        ErrorCode::NotDue,
    ];
    for error in samples().iter().filter(|error| codes.contains(&error.code())) {
        assert!(error.to_string().contains("1970-01-01T00:00:01.000Z"), "{error}");
        assert!(serde_json::to_string(&error.body()).unwrap().contains("1970-01-01T00:00:01.000Z"), "{error}");
    }
}

#[test]
fn codes_are_distinct_and_stand_in_the_order_of_their_numbers() {
    assert!(ErrorCode::ALL.iter().zip(ErrorCode::ALL.iter().skip(1)).all(|(a, b)| (*a as u16) < (*b as u16)));
    let words: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), ErrorCode::ALL.len());
}

#[test]
fn a_codes_class_is_its_hundred() {
    let hundreds = [
        (1, ErrorClass::Invalid),
        (2, ErrorClass::NotFound),
        (3, ErrorClass::Refused),
        (4, ErrorClass::Busy),
        (5, ErrorClass::Ledger),
        (6, ErrorClass::Failed),
        (7, ErrorClass::Unknown),
        (9, ErrorClass::Internal),
    ];
    for code in ErrorCode::ALL {
        assert!(hundreds.contains(&(code as u16 / 100, code.class())), "{}", code.as_str());
    }
}

/// Numbers are promised to C and words to everybody: this list only grows.
#[test]
fn codes_keep_their_numbers_and_words_for_ever() {
    let pinned = "100 invalid_request, 101 unknown_command, 102 invalid_value, 103 too_large, 104 future_time, \
        105 time_order, 106 not_available, 200 not_found, 201 no_ledger, 202 unknown_key, 203 no_notice, 204 no_flow, \
        205 pruned, 206 unknown_recipient, 300 ambiguous, \
        301 exists_with_different, 302 ancestor_cancelled, 303 not_started, 304 fenced, 305 already_ended, \
        306 already_running, 307 cancel_requested, 308 already_set, 309 tree_shape, 310 not_due, 311 stale_claim, \
        312 notice_settled, 313 ambiguous_flow, 314 revision_conflict, 315 flow_ended, 316 flow_cancel_requested, \
        317 flow_mirrored, 318 flow_exists_with_different, 319 file_exists, 400 busy, \
        401 wait_timed_out, 500 not_a_ledger, 501 newer_ledger, 502 corrupt, 503 network_file_system, 504 bad_path, \
        505 unreadable, 600 read_only, 601 disk_full, 602 io, 700 unknown, 900 internal";
    let codes: Vec<String> = ErrorCode::ALL.iter().map(|code| format!("{} {}", *code as u16, code.as_str())).collect();
    assert_eq!(codes.join(", "), pinned);
}
