//! Whoever has an owner's handle can tell nothing of what is not hers, and change nothing of it: through every face she
//! is answered, to whatever command, as if it had never been.
//!
//! Two ledgers have the same records of ada's; one has bob's and the operator's as well. Each request is put to both by
//! ada's handle: the answers must be equal to the byte, and no foreign row may have changed.

use bgledger_core::CommandName;
use bgledger_tests::content;
use bgledger_tests::face::{Face, FaceKind};
use bgledger_tests::model::START_MS;
use bgledger_tests::operations::{at, later, nameless};
use bgledger_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What both ledgers have.
const HERS: [&str; 4] = [
    r#"{"create": {"label": "hers", "runtime": "subagent", "run_id": "ada-run", "session": "ada", "requester_session": "ada-chat", "start": {"lease": "1h"}}}"#,
    r#"{"create": {"label": "hers too", "runtime": "subagent", "requester_session": "ada-chat", "finish": {"status": "failed"}}}"#,
    r#"{"create": {"label": "hers to start"}}"#,
    r#"{"flow_create": {"goal": "hers", "controller": "ada", "running": true}}"#,
];
/// What one of them has besides: #4 to #11, F2 and F3.
const HIS: [&str; 11] = [
    r#"{"create": {"label": "his", "task": "secret", "key": "bob-key", "runtime": "acp", "kind": "job", "agent": "bobby", "run_id": "bob-run", "session": "bob", "requester_session": "bob-chat", "metadata": {"bob": 1}, "start": {"lease": "1h"}}}"#,
    r#"{"create": {"label": "below his", "runtime": "acp", "parent": 4, "start": {"executor": "external"}}}"#,
    r#"{"create": {"label": "his end", "runtime": "acp", "requester_session": "bob-chat", "finish": {"status": "failed", "error": {"message": "secret"}}}}"#,
    r#"{"create": {"label": "his other end", "runtime": "acp", "requester_session": "bob-chat", "finish": {"status": "succeeded"}}}"#,
    r#"{"create": {"label": "expires", "queue_timeout": "1s"}}"#,
    r#"{"create": {"label": "leased", "start": {"lease": "1s"}}}"#,
    r#"{"flow_create": {"goal": "his", "controller": "weekly", "key": "bob-flow", "running": true}}"#,
    r#"{"create": {"label": "a step", "flow": "F2"}}"#,
    r#"{"flow_create": {"goal": "waits", "controller": "weekly", "running": true}}"#,
    r#"{"flow_wait": {"flow": "F3", "revision": 1, "step": "review"}}"#,
    r#"{"progress": {"lookup": 4, "text": "half"}}"#,
];
/// A finding that bob has acknowledged of his #9.
const CODE: &str = "lease_expired";
const OPERATORS: &str = r#"{"create": {"label": "nobody's", "run_id": "op-run", "start": {"executor": "external"}}}"#;

/// What is hers under names that he has given.
const OWN: [&str; 4] = [
    r#"{"create": {"label": "other", "key": "bob-key"}}"#,
    r#"{"create": {"label": "other", "runtime": "acp", "run_id": "bob-run"}}"#,
    r#"{"create": {"label": "other", "key": "of a session", "session": "bob", "requester_session": "bob-chat"}}"#,
    r#"{"flow_create": {"goal": "other", "controller": "weekly", "key": "bob-flow"}}"#,
];

/// Every table that has rows of somebody, with those that are not ada's.
const FOREIGN: [(&str, &str); 8] = [
    ("task", "WHERE owner <> 'ada' ORDER BY number"),
    ("event", "WHERE task IN (SELECT number FROM task WHERE owner <> 'ada') ORDER BY seq"),
    ("notice", "WHERE task IN (SELECT number FROM task WHERE owner <> 'ada') ORDER BY task, seq, recipient"),
    ("flow", "WHERE owner <> 'ada' ORDER BY number"),
    ("tally", "WHERE owner <> 'ada' ORDER BY owner, runtime, status"),
    ("config", "ORDER BY key"),
    ("acknowledgement", "ORDER BY code, subject"),
    ("recipient", "ORDER BY name"),
];

/// Names of what is foreign.
struct Names {
    task: String,
    flow: String,
    claim: String,
    /// One that is claimed, one that waits.
    notices: [String; 2],
    /// Where a copy would go.
    file: String,
}

/// One ledger, and ada's handle on it.
struct Side {
    scratch: Scratch,
    ada: Box<dyn Face>,
}

fn ask(face: &mut dyn Face, line: &str, now: i64) -> Value {
    serde_json::from_str(&face.ask(&at(line, now))).expect("an answer")
}

fn ok(face: &mut dyn Face, line: &str) -> Value {
    let answer = ask(face, line, START_MS);
    assert!(answer["ok"].is_object(), "{line}: {answer}");
    answer["ok"].clone()
}

fn side(kind: FaceKind) -> Side {
    let scratch = Scratch::in_memory();
    let mut ada = kind.open(&scratch.ledger(), Some("ada"));
    HERS.iter().for_each(|line| drop(ok(ada.as_mut(), line)));
    Side { scratch, ada }
}

/// Records what is bob's and the operator's, and tells its names.
fn add_foreign(side: &Side) -> Names {
    let path = side.scratch.ledger();
    let mut bob = FaceKind::InProcess.open(&path, Some("bob"));
    HIS.iter().for_each(|line| drop(ok(bob.as_mut(), line)));
    let notices = ok(bob.as_mut(), r#"{"notices": {}}"#);
    let claimed = ok(bob.as_mut(), r#"{"notices_claim": {"limit": 1, "lease": "9d", "consumer": "bob"}}"#);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let taken = text(&claimed["notices"][0]["notice"]);
    let mut waiting = notices["notices"].as_array().into_iter().flatten().map(|notice| text(&notice["notice"]));
    let waits = waiting.find(|notice| *notice != taken).expect("a second notice");
    let known = json!({"acknowledge": {"code": CODE, "subject": "#9", "until": "2026-01-09T00:00:00.000Z"}});
    ok(bob.as_mut(), &known.to_string());
    ok(FaceKind::InProcess.open(&path, None).as_mut(), OPERATORS);
    Names {
        task: text(&ok(bob.as_mut(), r#"{"show": {"lookup": 4}}"#)["task"]["id"]),
        flow: text(&ok(bob.as_mut(), r#"{"flow_show": {"flow": "F2"}}"#)["flow"]["id"]),
        claim: text(&claimed["claim"]),
        notices: [taken, waits],
        file: path.with_file_name("copy.db").display().to_string(),
    }
}

// ---- every command ------------------------------------------------------------------------------------------

/// A command's requests that name, or could meet, what is foreign. A new command fails to compile until it has some.
fn requests(command: CommandName, names: &Names) -> Vec<Value> {
    let tasks = [
        json!(4),
        json!("#4"),
        json!(names.task),
        json!("run:bob-run"),
        json!("session:bob"),
        json!("bob-run"),
        json!(11),
    ];
    let flows = [json!("F2"), json!(names.flow), json!("F3")];
    let each = |values: &[Value], field: &str, body: Value| -> Vec<Value> {
        values.iter().map(|value| with(&body, field, value)).collect()
    };
    let on = |body: Value| each(&tasks, "lookup", body);
    let of_flow = |body: Value| each(&flows, "flow", body);
    let both = || -> Vec<Value> { names.notices.iter().map(|notice| json!([notice])).collect() };
    let now = |body: Value| vec![body];
    let filling = || {
        let of_tasks = ["parent", "retry_of"].map(|field| each(&tasks, field, json!({})));
        of_tasks.concat().into_iter().chain(each(&flows, "flow", json!({})))
    };
    match command {
        CommandName::Create => [
            each(&tasks, "parent", json!({"label": "below"})),
            each(&tasks, "retry_of", json!({"label": "again"})),
            each(&flows, "flow", json!({"label": "a step"})),
            now(json!({"label": "as bob", "owner": "bob"})),
        ]
        .concat(),
        CommandName::Start => {
            let fills = filling().map(|fill| json!({"lookup": 3, "fill": fill}));
            [on(json!({"executor": "external"})), fills.collect()].concat()
        }
        CommandName::Progress => {
            let fills = filling().map(|fill| json!({"lookup": 1, "fill": fill}));
            [on(json!({"text": "x"})), on(json!({"attempt": 1})), fills.collect()].concat()
        }
        CommandName::Heartbeat => on(json!({})),
        CommandName::Finish => {
            [on(json!({"status": "succeeded"})), on(json!({"status": "failed", "attempt": 1}))].concat()
        }
        CommandName::Settle => on(json!({"status": "failed", "why": "I say so"})),
        CommandName::Cancel => on(json!({})),
        CommandName::Notify => on(json!({"policy": "silent"})),
        CommandName::Notices => [
            each(&tasks, "task", json!({})),
            now(json!({})),
            now(json!({"recipient": "session:bob-chat"})),
            now(json!({"recipient": "owner:bob"})),
            now(json!({"after": names.notices[1]})),
        ]
        .concat(),
        CommandName::NoticesClaim => {
            vec![json!({"recipients": ["session:bob-chat"]}), json!({"recipients": ["owner:bob"], "consumer": "bob"})]
        }
        CommandName::NoticesAck => each(&both(), "notices", json!({"claim": names.claim})),
        CommandName::NoticesNack => each(&both(), "notices", json!({"claim": names.claim, "reason": "no"})),
        CommandName::NoticesRetry => each(&both(), "notices", json!({})),
        CommandName::NoticesDrop => each(&both(), "notices", json!({})),
        CommandName::NoticesDismiss => each(&both(), "notices", json!({"reason": "no"})),
        CommandName::FlowCreate => {
            [each(&tasks, "mirrors", json!({})), now(json!({"goal": "as bob", "controller": "c", "owner": "bob"}))]
                .concat()
        }
        CommandName::FlowList => vec![json!({}), json!({"controller": "weekly"}), json!({"active": true})],
        CommandName::FlowShow => of_flow(json!({})),
        CommandName::FlowWait => {
            [of_flow(json!({"revision": 1})), each(&tasks, "blocked_task", json!({"flow": "F1", "revision": 1}))]
                .concat()
        }
        CommandName::FlowResume => of_flow(json!({"revision": 2})),
        CommandName::FlowFinish => of_flow(json!({"revision": 1})),
        CommandName::FlowFail => {
            [of_flow(json!({"revision": 1})), each(&tasks, "blocked_task", json!({"flow": "F1", "revision": 1}))]
                .concat()
        }
        CommandName::FlowCancel => of_flow(json!({})),
        CommandName::List => {
            let filters = [
                json!({"limit": 10_000}),
                json!({"active": true}),
                json!({"status": "failed"}),
                json!({"runtime": "acp"}),
                json!({"kind": "job"}),
                json!({"session": "bob"}),
                json!({"session": "bob-chat"}),
                json!({"agent": "bobby"}),
                json!({"label": "his"}),
                json!({"run_id": "bob-run"}),
                json!({"metadata": {"bob": 1}}),
                json!({"search": "secret"}),
            ];
            [filters.to_vec(), each(&tasks, "parent", json!({})), each(&flows, "flow", json!({}))].concat()
        }
        CommandName::Show => [on(json!({})), on(json!({"ack": "session:bob-chat"}))].concat(),
        CommandName::History => on(json!({})),
        CommandName::Tree => on(json!({})),
        CommandName::Watch => [on(json!({"after": 0})), now(json!({"after": 0})), now(json!({}))].concat(),
        CommandName::Wait => {
            let one = |task: &Value| json!({"lookups": [task], "timeout": 0});
            let acked = tasks.iter().map(|task| json!({"lookups": [2, task], "any": true, "ack": "session:bob-chat"}));
            tasks.iter().map(one).chain(acked).collect()
        }
        CommandName::Stats => now(json!({})),
        CommandName::Audit => vec![json!({}), json!({"deep": true, "acknowledged": true}), json!({"code": "lost"})],
        CommandName::Acknowledge => {
            let subjects = ["#4", "#9", "#11", "F2", "session:bob-chat", "owner:bob", "ledger"];
            let until = [json!("2026-01-06T00:00:00.000Z"), Value::Null];
            let said = |subject: &str, until: &Value| json!({"code": CODE, "subject": subject, "until": until});
            until.iter().flat_map(|until| subjects.map(|subject| said(subject, until))).collect()
        }
        CommandName::Maintenance => {
            vec![json!({}), json!({"apply": true}), json!({"apply": true, "confirm_clock": true})]
        }
        CommandName::Reconcile => [false, true]
            .into_iter()
            .flat_map(|apply| {
                tasks.iter().flat_map(move |task| {
                    let end = json!([{"lookup": task, "end": {"status": "failed"}}]);
                    [
                        json!({"runtime": "acp", "owned": [task], "complete": true, "apply": apply}),
                        json!({"runtime": "acp", "ended": end, "apply": apply}),
                    ]
                })
            })
            .collect(),
        CommandName::Drain => vec![json!({"queued": true, "timeout": 0}), json!({"runtime": "acp"})],
        CommandName::Prune => {
            vec![json!({"older_than": "1s", "dry_run": true}), json!({"older_than": "1s"}), json!({})]
        }
        CommandName::Config => vec![json!({}), json!({"set": {"retention": "1s"}})],
        CommandName::Doctor => vec![json!({}), json!({"quick": true})],
        CommandName::Verify => now(json!({})),
        CommandName::Backup => now(json!({"to": names.file})),
        CommandName::Recover => vec![json!({"to": names.file})],
        CommandName::Migrate => vec![json!({}), json!({"dry_run": true})],
    }
}

fn with(body: &Value, field: &str, value: &Value) -> Value {
    let mut body = body.clone();
    body[field] = value.clone();
    body
}

// ---- the comparison -----------------------------------------------------------------------------------------

/// An answer without places: how much is recorded in all is no secret, since `seq` counts for everybody.
fn without_places(answer: &str) -> String {
    let places = [r#""next":"#, r#""last_seq":"#, r#""seq":"#];
    places.iter().fold(answer.to_owned(), |answer, place| {
        let mut parts = answer.split(place);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            kept.push_str(place);
            kept.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
        }
        kept
    })
}

fn foreign(side: &Side) -> String {
    let sql = content::reader(&side.scratch.ledger()).expect("a reader");
    content::rows(&sql, &FOREIGN).expect("its rows")
}

/// Puts every request to both sides; what differs, and what has changed.
fn compare(kind: FaceKind) -> Vec<String> {
    let (mut has, mut has_not) = (side(kind), side(kind));
    let names = add_foreign(&has);
    let (mut before, mut wrong) = (foreign(&has), Vec::new());
    for command in CommandName::ALL {
        for body in requests(*command, &names) {
            let line = at(&json!({command.as_str(): body}).to_string(), later());
            let told = |side: &mut Side| without_places(&nameless(&side.scratch.nameless(&side.ada.ask(&line))));
            let (answer, absent) = (told(&mut has), told(&mut has_not));
            if answer != absent {
                wrong.push(format!("{kind:?}: {line}\n  with    {answer}\n  without {absent}"));
            }
            let after = foreign(&has);
            if after != before {
                let lines = |one: &str, other: &str| -> Vec<String> {
                    let other: BTreeSet<&str> = other.lines().collect();
                    one.lines().filter(|line| !other.contains(line)).map(Into::into).collect()
                };
                let (gone, new) = (lines(&before, &after), lines(&after, &before));
                wrong.push(format!("{kind:?}: {line}\n  changed {gone:?}\n  to      {new:?}"));
                before = after;
            }
        }
    }
    // Her own may have the same names as his: only numbers tell how much there is besides.
    for own in OWN {
        let told = |side: &mut Side| ask(side.ada.as_mut(), own, later());
        for (has, has_not) in [(told(&mut has), told(&mut has_not)), (told(&mut has), told(&mut has_not))] {
            let created = (&has["ok"]["created"], &has_not["ok"]["created"]);
            if created.0 != created.1 || !created.0.is_boolean() {
                wrong.push(format!("{kind:?}: {own}\n  with    {has}\n  without {has_not}"));
            }
        }
        if foreign(&has) != before {
            wrong.push(format!("{kind:?}: {own} changed what is foreign"));
        }
    }
    wrong
}

#[test]
fn what_is_foreign_is_answered_as_what_is_absent_through_every_face() {
    let wrong: Vec<String> = FaceKind::ALL.into_iter().flat_map(compare).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The requests are no empty ones: to bob they tell something.
#[test]
fn the_same_requests_find_something_for_their_owner() {
    for command in CommandName::ALL {
        let (ours, theirs) = (side(FaceKind::InProcess), side(FaceKind::InProcess));
        let names = add_foreign(&ours);
        let mut bob = FaceKind::InProcess.open(&ours.scratch.ledger(), Some("bob"));
        let mut nobody = FaceKind::InProcess.open(&theirs.scratch.ledger(), Some("bob"));
        let differs = requests(*command, &names).into_iter().any(|body| {
            let line = at(&json!({command.as_str(): body}).to_string(), later());
            nameless(&ours.scratch.nameless(&bob.ask(&line))) != nameless(&theirs.scratch.nameless(&nobody.ask(&line)))
        });
        let is_operators = matches!(
            command,
            CommandName::Config
                | CommandName::Backup
                | CommandName::Recover
                | CommandName::Migrate
                | CommandName::Doctor
        );
        assert!(differs || is_operators, "{}", command.as_str());
    }
}
