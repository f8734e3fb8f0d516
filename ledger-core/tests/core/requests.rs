//! Requests as text: what is read, what is refused, and by which name.

use bgledger_core::{
    CommandName, Envelope, Error, ErrorCode, Finish, Lookup, Metadata, Millis, Request, Span, Status, TaskId,
    TaskNumber, bounds,
};
use proptest::prelude::*;

fn parsed(text: &str) -> Result<Request, Error> {
    Envelope::parse(text).request
}

/// Every text field: a request with `@` for the text, its bound in bytes, the name that an error gives it.
fn texts() -> Vec<(&'static str, usize, &'static str)> {
    use bounds::*;
    let name = NAME_BYTES;
    vec![
        (r#"{"create": {"label": "@"}}"#, LABEL_BYTES, "create.label"),
        (r#"{"create": {"label": "l", "task": "@"}}"#, TASK_BYTES, "create.task"),
        (r#"{"create": {"label": "l", "runtime": "@"}}"#, WORD_BYTES, "create.runtime"),
        (r#"{"create": {"label": "l", "key": "@"}}"#, name, "create.key"),
        (r#"{"create": {"label": "l", "kind": "@"}}"#, name, "create.kind"),
        (r#"{"create": {"label": "l", "source_id": "@"}}"#, name, "create.source_id"),
        (r#"{"create": {"label": "l", "run_id": "@"}}"#, name, "create.run_id"),
        (r#"{"create": {"label": "l", "owner": "@"}}"#, name, "create.owner"),
        (r#"{"create": {"label": "l", "requester_session": "@"}}"#, name, "create.requester_session"),
        (r#"{"create": {"label": "l", "session": "@"}}"#, name, "create.session"),
        (r#"{"create": {"label": "l", "agent": "@"}}"#, name, "create.agent"),
        (r#"{"create": {"label": "l", "requester_agent": "@"}}"#, name, "create.requester_agent"),
        (r#"{"create": {"label": "l", "parent": "@"}}"#, name, "create.parent"),
        (r#"{"create": {"label": "l", "retry_of": "@"}}"#, name, "create.retry_of"),
        (r#"{"create": {"label": "l", "metadata": {"@": 1}}}"#, name, "create.metadata.(a name)"),
        (r#"{"create": {"label": "l", "metadata": {"k": 1@}}}"#, METADATA_VALUE_BYTES - 1, "create.metadata.k"),
        (
            r#"{"create": {"label": "l", "start": {"executor": {"identity": {"machine": "@"}}}}}"#,
            name,
            "create.start.executor.identity.machine",
        ),
        (
            r#"{"create": {"label": "l", "finish": {"status": "failed", "reason": "@"}}}"#,
            WORD_BYTES,
            "create.finish.reason",
        ),
        (
            r#"{"create": {"label": "l", "finish": {"status": "failed", "summary": "@"}}}"#,
            SUMMARY_BYTES,
            "create.finish.summary",
        ),
        (r#"{"start": {"lookup": "@"}}"#, name, "start.lookup"),
        (r#"{"start": {"lookup": "run:@"}}"#, name, "start.lookup"),
        (r#"{"start": {"lookup": 1, "executor": {"identity": {"boot": "@"}}}}"#, name, "start.executor.identity.boot"),
        (
            r#"{"start": {"lookup": 1, "executor": {"identity": {"nonce": "@"}}}}"#,
            name,
            "start.executor.identity.nonce",
        ),
        (r#"{"start": {"lookup": 1, "fill": {"agent": "@"}}}"#, name, "start.fill.agent"),
        (r#"{"progress": {"lookup": 1, "nonce": "@"}}"#, name, "progress.nonce"),
        (r#"{"progress": {"lookup": 1, "text": "@"}}"#, NOTE_BYTES, "progress.text"),
        (r#"{"progress": {"lookup": 1, "unit": "@"}}"#, name, "progress.unit"),
        (r#"{"progress": {"lookup": 1, "waiting_on": "@"}}"#, WORD_BYTES, "progress.waiting_on"),
        (r#"{"progress": {"lookup": 1, "usage": {"cost": {"@": 1}}}}"#, name, "progress.usage.cost.(a currency)"),
        (r#"{"progress": {"lookup": 1, "artifacts": {"@": {"uri": "u"}}}}"#, name, "progress.artifacts.(a name)"),
        (r#"{"progress": {"lookup": 1, "artifacts": {"a": {"uri": "@"}}}}"#, URI_BYTES, "progress.artifacts.a.uri"),
        (
            r#"{"progress": {"lookup": 1, "artifacts": {"a": {"uri": "u", "media_type": "@"}}}}"#,
            name,
            "progress.artifacts.a.media_type",
        ),
        (r#"{"progress": {"lookup": 1, "fill": {"session": "@"}}}"#, name, "progress.fill.session"),
        (r#"{"heartbeat": {"lookup": 1, "nonce": "@"}}"#, name, "heartbeat.nonce"),
        (r#"{"finish": {"lookup": 1, "status": "succeeded", "outcome": "@"}}"#, WORD_BYTES, "finish.outcome"),
        (r#"{"finish": {"lookup": 1, "status": "failed", "reason": "@"}}"#, WORD_BYTES, "finish.reason"),
        (r#"{"finish": {"lookup": 1, "status": "failed", "error": {"type": "@"}}}"#, name, "finish.error.type"),
        (
            r#"{"finish": {"lookup": 1, "status": "failed", "error": {"message": "@"}}}"#,
            ERROR_MESSAGE_BYTES,
            "finish.error.message",
        ),
        (r#"{"finish": {"lookup": 1, "status": "succeeded", "summary": "@"}}"#, SUMMARY_BYTES, "finish.summary"),
        (r#"{"finish": {"lookup": 1, "status": "succeeded", "result": 1@}}"#, RESULT_BYTES - 1, "finish.result"),
        (r#"{"settle": {"lookup": 1, "status": "failed", "by": "@"}}"#, name, "settle.by"),
        (r#"{"settle": {"lookup": 1, "status": "failed", "why": "@"}}"#, NOTE_BYTES, "settle.why"),
        (r#"{"settle": {"lookup": 1, "status": "failed", "summary": "@"}}"#, SUMMARY_BYTES, "settle.summary"),
        (r#"{"cancel": {"lookup": 1, "by": "@"}}"#, name, "cancel.by"),
        (r#"{"cancel": {"lookup": 1, "why": "@"}}"#, NOTE_BYTES, "cancel.why"),
        (r#"{"list": {"runtime": "@"}}"#, WORD_BYTES, "list.runtime"),
        (r#"{"list": {"kind": "@"}}"#, name, "list.kind"),
        (r#"{"list": {"session": "@"}}"#, name, "list.session"),
        (r#"{"list": {"agent": "@"}}"#, name, "list.agent"),
        (r#"{"list": {"run_id": "@"}}"#, name, "list.run_id"),
        (r#"{"list": {"label": "@"}}"#, NOTE_BYTES, "list.label"),
        (r#"{"list": {"search": "@"}}"#, NOTE_BYTES, "list.search"),
        (r#"{"list": {"after": "@"}}"#, name, "list.after"),
        (r#"{"list": {"parent": "@"}}"#, name, "list.parent"),
        (r#"{"show": {"lookup": "@"}}"#, name, "show.lookup"),
        (r#"{"history": {"lookup": "@"}}"#, name, "history.lookup"),
        (r#"{"tree": {"lookup": "@"}}"#, name, "tree.lookup"),
        (r#"{"watch": {"lookup": "session:@"}}"#, name, "watch.lookup"),
        (r#"{"wait": {"lookups": ["@"]}}"#, name, "wait.lookups"),
        (r#"{"notify": {"lookup": "@", "policy": "silent"}}"#, name, "notify.lookup"),
        (r#"{"id": 1@, "stats": {}}"#, ID_BYTES - 1, "id"),
    ]
}

#[test]
fn a_text_at_its_bound_passes_and_one_byte_more_is_refused_by_name() {
    for (template, bound, field) in texts() {
        // Digits stand where JSON wants a number, letters where it wants a text.
        let letter = if template.contains("1@") { "0" } else { "x" };
        let with = |bytes: usize| template.replace('@', &letter.repeat(bytes));
        assert!(parsed(&with(bound)).is_ok(), "{field} at {bound}: {:?}", parsed(&with(bound)));
        match parsed(&with(bound + 1)) {
            Err(Error::TooLarge { field: named, actual, limit }) => {
                assert_eq!((named.as_str(), actual), (field, limit + 1));
            }
            other => panic!("{field} at {}: {other:?}", bound + 1),
        }
    }
}

#[test]
fn lists_maps_and_depths_have_their_bounds() {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    let metadata = |count| {
        format!(r#"{{"create": {{"label": "l", "metadata": {{{}}}}}}}"#, many(count, &|n| format!(r#""k{n}": 1"#)))
    };
    let artifacts = |count| {
        let entries = many(count, &|n| format!(r#""a{n}": {{"uri": "u"}}"#));
        format!(r#"{{"progress": {{"lookup": 1, "artifacts": {{{entries}}}}}}}"#)
    };
    let currencies = |count| {
        let entries = many(count, &|n| format!(r#""C{n}": 1"#));
        format!(r#"{{"progress": {{"lookup": 1, "usage": {{"cost": {{{entries}}}}}}}}}"#)
    };
    let lookups = |count| format!(r#"{{"wait": {{"lookups": [{}]}}}}"#, many(count, &|n| (n + 1).to_string()));
    let statuses = |count| format!(r#"{{"list": {{"status": [{}]}}}}"#, many(count, &|_| r#""lost""#.to_string()));
    let depth = |levels: usize| {
        let result = "[".repeat(levels) + &"]".repeat(levels);
        format!(r#"{{"finish": {{"lookup": 1, "status": "succeeded", "result": {result}}}}}"#)
    };
    type Row<'a> = (&'a dyn Fn(usize) -> String, usize, &'a str);
    let rows: [Row<'_>; 6] = [
        (&metadata, bounds::METADATA_ENTRIES, "create.metadata"),
        (&artifacts, bounds::ARTIFACTS, "progress.artifacts"),
        (&currencies, bounds::CURRENCIES, "progress.usage.cost"),
        (&lookups, bounds::WAIT_LOOKUPS, "wait.lookups"),
        (&statuses, Status::ALL.len(), "list.status"),
        (&depth, bounds::JSON_DEPTH, "finish.result (nesting)"),
    ];
    for (request, bound, field) in rows {
        assert!(parsed(&request(bound)).is_ok(), "{field}: {:?}", parsed(&request(bound)));
        let error = parsed(&request(bound + 1)).unwrap_err();
        assert!(matches!(&error, Error::TooLarge { field: named, .. } if named == field), "{field}: {error}");
    }
}

#[test]
fn details_and_outputs_over_their_bound_are_cut_to_their_end_and_say_so() {
    let long = "é".repeat(bounds::OUTPUT_TAIL_BYTES);
    let text = format!(
        r#"{{"finish": {{"lookup": 1, "status": "failed", "error": {{"detail": "{long}"}}, "output": {{"tail": "{long}"}}}}}}"#
    );
    let Ok(Request::Finish(finish)) = parsed(&text) else { panic!("refused") };
    let report = Finish::end(&finish).report;
    let output = report.output.unwrap();
    assert!(output.truncated && output.tail.len() <= bounds::OUTPUT_TAIL_BYTES);
    assert_eq!(output.bytes, long.len() as u64);
    let detail = report.error.unwrap().detail.unwrap();
    assert!(detail.starts_with("[… cut …]\n") && detail.len() <= bounds::ERROR_DETAIL_BYTES);
}

#[test]
fn what_is_wrong_is_named() {
    let rows = [
        ("nonsense", ErrorCode::InvalidRequest, "expected"),
        ("[]", ErrorCode::InvalidRequest, "object"),
        ("{}", ErrorCode::InvalidRequest, "without a command"),
        (r#"{"show": {"lookup": 1}, "list": {}}"#, ErrorCode::InvalidRequest, "2 commands"),
        (r#"{"id": 1, "id": 2, "list": {}}"#, ErrorCode::InvalidRequest, "given twice"),
        (r#"{"destroy": {}}"#, ErrorCode::UnknownCommand, "destroy"),
        (r#"{"create": {"label": "l", "colour": 1}}"#, ErrorCode::InvalidValue, "create.colour: unknown field"),
        (r#"{"create": {"label": " "}}"#, ErrorCode::InvalidValue, "create.label"),
        (r#"{"create": {"label": "a\u0000b"}}"#, ErrorCode::InvalidValue, "NUL at byte 1"),
        (r#"{"create": {"label": "l", "run_id": " r"}}"#, ErrorCode::InvalidValue, "create.run_id"),
        (r#"{"create": {"label": "l", "metadata": {"k": []}}}"#, ErrorCode::InvalidValue, "create.metadata"),
        (r#"{"create": {"label": "l", "metadata": {"k": 1, "k": 2}}}"#, ErrorCode::InvalidValue, "given twice"),
        (
            r#"{"create": {"label": "l", "finish": {"status": "lost"}}}"#,
            ErrorCode::InvalidValue,
            "create.finish.status",
        ),
        (r#"{"start": {"lookup": "id:7"}}"#, ErrorCode::InvalidValue, "expected a UUID after id:"),
        (r#"{"start": {"lookup": 0}}"#, ErrorCode::InvalidValue, "start.lookup"),
        (r#"{"start": {"lookup": ""}}"#, ErrorCode::InvalidValue, "start.lookup"),
        (r#"{"start": {"lookup": 1, "lease": "soon"}}"#, ErrorCode::InvalidValue, "start.lease"),
        (r#"{"start": {"lookup": 1, "executor": {"process": {"pid": 0}}}}"#, ErrorCode::InvalidValue, "process.pid"),
        (
            r#"{"start": {"lookup": 1, "executor": {"identity": {"started": 18446744073709551615}}}}"#,
            ErrorCode::InvalidValue,
            "start.executor.identity.started",
        ),
        (r#"{"progress": {"lookup": 1, "current": 2, "total": 1}}"#, ErrorCode::InvalidValue, "progress.current"),
        (
            r#"{"progress": {"lookup": 1, "artifacts": {"a": {"uri": "u"}, "a": {"uri": "v"}}}}"#,
            ErrorCode::InvalidValue,
            "given twice",
        ),
        (r#"{"heartbeat": {"lookup": 1, "attempt": 0}}"#, ErrorCode::InvalidValue, "heartbeat.attempt"),
        (r#"{"finish": {"lookup": 1, "status": "lost"}}"#, ErrorCode::InvalidValue, "presumption"),
        (r#"{"finish": {"lookup": 1, "status": "running"}}"#, ErrorCode::InvalidValue, "not an end"),
        (r#"{"finish": {"lookup": 1, "status": "done"}}"#, ErrorCode::InvalidValue, "expected one of"),
        (
            r#"{"finish": {"lookup": 1, "status": "failed", "outcome": "ok"}}"#,
            ErrorCode::InvalidValue,
            "finish.outcome",
        ),
        (r#"{"settle": {"lookup": 1, "status": "lost", "summary": "s"}}"#, ErrorCode::InvalidValue, "said nothing"),
        (r#"{"list": {"limit": 0}}"#, ErrorCode::InvalidValue, "list.limit"),
        (r#"{"list": {"limit": 10001}}"#, ErrorCode::InvalidValue, "list.limit"),
        (r#"{"wait": {}}"#, ErrorCode::InvalidValue, "wait.lookups"),
        (r#"{"config": {"get": "colour"}}"#, ErrorCode::UnknownKey, "colour"),
        (r#"{"config": {"set": {"durability": "some"}}}"#, ErrorCode::InvalidValue, "config.durability"),
    ];
    for (text, code, part) in rows {
        let error = parsed(text).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn an_error_is_never_longer_than_what_is_wrong() {
    let long = "x".repeat(100_000);
    for text in [
        long.clone(),
        format!(r#"{{"{long}": {{}}}}"#),
        format!(r#"{{"{long}": 1, "{long}": 2}}"#),
        format!(r#"{{"create": "{long}"}}"#),
        format!(r#"{{"create": {{"{long}": 1}}}}"#),
        format!(r#"{{"create": {{"label": "l", "timeout": "{long}"}}}}"#),
        format!(r#"{{"show": {{"lookup": "id:{long}"}}}}"#),
        format!(r#"{{"config": {{"get": "{long}"}}}}"#),
        format!(r#"{{"now": "{long}", "stats": {{}}}}"#),
    ] {
        let error = parsed(&text).unwrap_err();
        let json = serde_json::to_string(&error.body()).unwrap();
        assert!(json.len() < 2_000, "{} bytes: {}", json.len(), error.code().as_str());
    }
}

#[test]
fn canceled_with_one_l_is_understood() {
    let Ok(Request::Finish(finish)) = parsed(r#"{"finish": {"lookup": 1, "status": "canceled"}}"#) else { panic!() };
    assert_eq!(finish.status, Status::Cancelled);
    assert!(parsed(r#"{"list": {"status": ["canceled", "lost"]}}"#).is_ok());
}

#[test]
fn the_id_is_echoed_even_if_the_rest_is_refused() {
    let envelope = Envelope::parse(r#"{"id": {"a": [1.50]}, "destroy": {}}"#);
    assert_eq!(envelope.id.unwrap().as_str(), r#"{"a": [1.50]}"#);
    assert!(envelope.request.is_err());
}

#[test]
fn a_lookup_is_what_it_looks_like() {
    let id = "01930000-0000-7000-8000-000000000000";
    let text = |text: &str| Lookup::Text(text.into());
    for (typed, lookup) in [
        ("42", Lookup::Number(TaskNumber(42))),
        ("#42", Lookup::Number(TaskNumber(42))),
        ("run:42", Lookup::Run("42".into())),
        ("session:agent:main", Lookup::Session("agent:main".into())),
        (&format!("id:{id}"), Lookup::Id(TaskId::parse(id).unwrap())),
        (id, text(id)),
        ("agent:main", text("agent:main")),
        ("0", text("0")),
        ("99999999999999999999999", text("99999999999999999999999")),
    ] {
        let parsed = Lookup::parse(typed).unwrap();
        assert_eq!(parsed, lookup);
        assert_eq!(Lookup::parse(&parsed.to_string()), Ok(lookup), "it reads what it shows");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        let _ = Envelope::parse(&text);
        let _ = Lookup::parse(&text);
        let _ = TaskId::parse(&text);
        let _ = Millis::parse(&text);
        let _ = Span::parse(&text);
        let _ = Metadata::default().insert(&text, &text);
        let _ = serde_json::from_str::<Metadata>(&text);
        let _ = bounds::tail(&text, text.len() / 2);
    }

    #[test]
    fn no_body_makes_a_reader_panic(
        command in prop::sample::select(CommandName::ALL),
        field in "lookup|label|status|metadata|start|finish|timeout|usage|artifacts|lookups|set|[a-z]{1,8}",
        value in prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| number.to_string()),
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            "(null|true|\\[\\]|\\{\\}|[\\[{\"\\\\:,]{0,12})",
        ],
    ) {
        let _ = parsed(&format!(r#"{{"{}": {{"{field}": {value}}}}}"#, command.as_str()));
    }

    #[test]
    fn near_misses_of_times_and_spans_are_read_or_refused(
        time in "[0-9]{0,5}-[0-9]{0,3}-[0-9]{0,3}[T ][0-9:.]{0,14}(Z|[+-][0-9:]{0,6})?",
        span in "-?[0-9]{0,22} ?(d|h|m|s|ms|us|ns|PT|w|y)?[0-9a-zA-Z. ]{0,6}",
    ) {
        if let Some(at) = Millis::parse(&time) {
            prop_assert_eq!(Millis::parse(&at.to_string()), Some(at));
        }
        if let Some(length) = Span::parse(&span) {
            prop_assert_eq!(Span::parse(&length.to_string()), Some(length));
        }
    }
}

#[test]
fn recorded_json_is_kept_as_given_on_one_line() {
    let given = "{\"b\": 1.50,  \"a\":\n\t[1e400,\r\n2], \"text\": \"first\\nsecond\"}";
    let kept = bgledger_core::Json::parse(given).expect("JSON");
    assert_eq!(kept.as_str(), "{\"b\": 1.50,  \"a\": \t[1e400,  2], \"text\": \"first\\nsecond\"}");
    let read: bgledger_core::Json = serde_json::from_str(given).expect("JSON");
    assert_eq!(read, kept);
}
