//! Every vector under `tests/vectors` through every face, and the demands on the vectors as a whole.
//!
//! What the vectors cover is computed from what their requests did against what was recorded before each step.

use bgledger_core::audit::{Code, RULES};
use bgledger_core::{Cancelled, CommandName, ErrorCode, EventKind, Status};
use bgledger_tests::face::{FaceKind, OneLedger, Stage};
use bgledger_tests::json;
use bgledger_tests::vector::{self, Exchange, Vector};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

/// The codes that no request reaches on a healthy ledger with a test clock, each with the reason.
const UNREACHABLE: [(ErrorCode, &str); 13] = [
    (ErrorCode::NotDue, "maintenance settles only what is due, and nobody else expires or reaps"),
    (ErrorCode::Busy, "needs another writer that holds the ledger"),
    (ErrorCode::NotALedger, "needs a file that is none"),
    (ErrorCode::NewerLedger, "needs a file of a newer version"),
    (ErrorCode::Corrupt, "needs a damaged file"),
    (ErrorCode::NetworkFileSystem, "needs a network file system"),
    (ErrorCode::BadPath, "needs a path that cannot be used"),
    (ErrorCode::Unreadable, "needs a file that cannot be read"),
    (ErrorCode::ReadOnly, "needs a file that cannot be written"),
    (ErrorCode::DiskFull, "needs a full disk"),
    (ErrorCode::Io, "needs a failing disk"),
    (ErrorCode::Unknown, "needs a failing sync"),
    (ErrorCode::Internal, "needs a fault of ours"),
];

/// What was recorded of a task before a step, as the matrix names it.
fn states() -> Vec<String> {
    let statuses = Status::ALL.iter().map(|status| status.as_str().to_string());
    let asked = ["running", "lost"].map(|status| format!("{status} with cancel requested"));
    std::iter::once("none".into()).chain(statuses).chain(asked).collect()
}

/// Every command that records a task's fate, as the matrix names it.
fn commands() -> Vec<String> {
    let plain = ["create", "start", "progress", "heartbeat", "cancel", "notify", "maintenance"].map(String::from);
    let ends = Status::ALL.iter().filter(|status| !status.is_active());
    let finishes = ends.clone().filter(|status| status.is_final()).map(|end| format!("finish as {}", end.as_str()));
    let settles = ends.clone().map(|end| format!("settle as {}", end.as_str()));
    plain.into_iter().chain(finishes).chain(settles).collect()
}

// ---- watching what the vectors do ---------------------------------------------------------------------------

/// A ledger in this process that is looked at before each step.
struct Watched {
    ledger: OneLedger,
    pairs: BTreeSet<(String, String)>,
}

impl Watched {
    fn new() -> Watched {
        Watched { ledger: OneLedger::new(FaceKind::InProcess), pairs: BTreeSet::new() }
    }

    /// Asks beside the vector; reading changes nothing.
    fn look(&mut self, owner: Option<&str>, now: &Value, request: Value) -> Value {
        let mut request = request;
        request["now"] = now.clone();
        let answer = self.ledger.ask(owner, &request.to_string());
        serde_json::from_str(&answer).expect("an answer")
    }

    /// Every task's state by id.
    fn recorded(&mut self, now: &Value) -> BTreeMap<String, String> {
        let answer = self.look(None, now, serde_json::json!({"list": {"limit": 10_000}}));
        let tasks = answer["ok"]["tasks"].as_array().cloned().unwrap_or_default();
        tasks.iter().map(|task| (text(&task["id"]), state(task))).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn state(task: &Value) -> String {
    let status = text(&task["status"]);
    match (status.as_str(), task["cancel"].is_null()) {
        ("running" | "lost", false) => format!("{status} with cancel requested"),
        (_, _) => status,
    }
}

impl Stage for Watched {
    fn folder(&self) -> PathBuf {
        self.ledger.folder()
    }

    fn ask(&mut self, owner: Option<&str>, line: &str) -> String {
        let Ok(request) = serde_json::from_str::<Value>(line) else { return self.ledger.ask(owner, line) };
        let Some((command, body)) = command_of(&request) else { return self.ledger.ask(owner, line) };
        let now = &request["now"];
        let before = self.recorded(now);
        let meant = match body.get("lookup") {
            Some(lookup) => {
                self.look(owner, now, serde_json::json!({"show": {"lookup": lookup}}))["ok"]["task"]["id"].clone()
            }
            None => Value::Null,
        };
        let answer = self.ledger.ask(owner, line);
        let parsed: Value = serde_json::from_str(&answer).expect("an answer");
        if body["apply"] == true && parsed["ok"]["applied"] == true {
            let states: Vec<String> =
                if before.is_empty() { vec!["none".into()] } else { before.into_values().collect() };
            self.pairs.extend(states.into_iter().map(|state| (state, command.clone())));
        } else if let Some(state) = met(&command, &parsed, &text(&meant), &before) {
            self.pairs.insert((state, command));
        }
        answer
    }
}

/// The command of a request, with the end that it gives.
fn command_of(request: &Value) -> Option<(String, Value)> {
    let (word, body) = request.as_object()?.iter().find(|(key, _)| !matches!(key.as_str(), "id" | "now"))?;
    let name = match (word.as_str(), body["status"].as_str().and_then(Status::from_word)) {
        ("finish" | "settle", Some(end)) => format!("{word} as {}", end.as_str()),
        (_, _) => word.clone(),
    };
    Some((name, body.clone()))
}

/// The state that a command met; `None` if the request was refused before it met one.
fn met(command: &str, answer: &Value, meant: &str, before: &BTreeMap<String, String>) -> Option<String> {
    if command == "create" && answer["ok"]["created"] == true {
        return Some("none".into());
    }
    match (answer["ok"]["task"]["id"].as_str(), answer["error"]["class"].as_str()) {
        (Some(id), _) => before.get(id).cloned(),
        (None, Some("not_found")) if answer["error"]["code"] == "not_found" => Some("none".into()),
        (None, Some("refused")) if command == "create" => before.get(answer["error"]["id"].as_str()?).cloned(),
        (None, Some("refused")) if answer["error"]["code"] != "ambiguous" => before.get(meant).cloned(),
        (None, _) => None,
    }
}

// ---- playing each vector once -------------------------------------------------------------------------------

/// One vector through every face.
struct Played {
    vector: Vector,
    /// What came of it, by face, in the order of `FaceKind::ALL`; random ids and folders have plain names.
    outcomes: Vec<Result<Vec<Exchange>, String>>,
    /// What its requests met.
    pairs: BTreeSet<(String, String)>,
}

fn all() -> &'static [Played] {
    static ALL: OnceLock<Vec<Played>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let vectors = vector::read_all(&folder);
        let wanted = std::env::var("BGLEDGER_VECTOR").unwrap_or_default();
        side_by_side(vectors.into_iter().filter(|vector| vector.name.contains(&wanted)).collect())
    })
}

/// Plays vectors on as many threads as there are processors; the order stays.
fn side_by_side(vectors: Vec<Vector>) -> Vec<Played> {
    let (next, played) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(vector) = vectors.get(place) else { return };
            let one = play(vector.clone());
            played.lock().expect("no vector panicked").insert(place, one);
        }
    };
    thread::scope(|threads| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(work);
        }
    });
    played.into_inner().expect("no vector panicked").into_values().collect()
}

fn play(vector: Vector) -> Played {
    let mut watched = Watched::new();
    let in_process = vector::play(&vector, &mut watched).map(|exchanges| plain(exchanges, &watched.ledger));
    let others = FaceKind::ALL.into_iter().filter(|kind| *kind != FaceKind::InProcess).map(|kind| {
        let mut ledger = OneLedger::new(kind);
        vector::play(&vector, &mut ledger).map(|exchanges| plain(exchanges, &ledger))
    });
    let outcomes = std::iter::once(in_process).chain(others).collect();
    Played { vector, outcomes, pairs: watched.pairs }
}

/// The exchanges with random ids and the ledger's own folder replaced by plain names.
fn plain(exchanges: Vec<Exchange>, ledger: &OneLedger) -> Vec<Exchange> {
    let mut ids = BTreeMap::new();
    let mut plain = |text: &str| plain_hashes(&plain_waits(&plain_ids(&ledger.scratch.nameless(text), &mut ids)));
    exchanges
        .into_iter()
        .map(|exchange| Exchange { line: plain(&exchange.line), answer: plain(&exchange.answer), ..exchange })
        .collect()
}

/// Names every UUID by the order in which it is first seen.
fn plain_ids(text: &str, ids: &mut BTreeMap<String, usize>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = (0..rest.len().saturating_sub(35)).find(|start| is_id(rest, *start)) {
        let (before, id) = (&rest[..start], &rest[start..start + 36]);
        let fresh = ids.len() + 1;
        let number = *ids.entry(id.to_ascii_lowercase()).or_insert(fresh);
        out.push_str(&format!("{before}ID-{number}"));
        rest = &rest[start + 36..];
    }
    out + rest
}

fn is_id(text: &str, start: usize) -> bool {
    text.as_bytes()[start..start + 36].iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Two files of one content in other words, such as those with random ids, have two hashes.
fn plain_hashes(text: &str) -> String {
    let mut parts = text.split("\"sha256\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_hash = |part: &str| part.bytes().take_while(u8::is_ascii_hexdigit).count() == 64;
    parts.fold(first, |plain, part| match is_hash(part) {
        true => format!("{plain}\"sha256\":\"HASH{}", &part[64..]),
        false => format!("{plain}\"sha256\":\"{part}"),
    })
}

/// A wait that timed out says how long it took, which is real time.
fn plain_waits(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if value["error"]["code"] == "wait_timed_out" => {
            let waited = value["error"]["waited_ms"].to_string();
            text.replace(&format!("\"waited_ms\":{waited}"), "\"waited_ms\":0")
                .replace(&format!("after {waited} ms"), "after 0 ms")
        }
        Ok(_) | Err(_) => text.into(),
    }
}

fn none(problems: Vec<String>, what: &str) {
    assert!(problems.is_empty(), "{} {what}:\n\n{}\n", problems.len(), problems.join("\n\n"));
}

// ---- the demands --------------------------------------------------------------------------------------------

#[test]
fn every_vector_holds_through_every_face() {
    assert!(!all().is_empty(), "there are vectors");
    let failed = |played: &Played| -> Vec<String> {
        let outcomes = FaceKind::ALL.iter().zip(&played.outcomes);
        let failed = outcomes.filter_map(|(kind, outcome)| Some(format!("{kind:?}: {}", outcome.as_ref().err()?)));
        failed.map(|problem| format!("{problem}\n  story    {}", played.vector.story)).collect()
    };
    none(all().iter().flat_map(failed).collect(), "vectors do not hold");
}

/// The same with the Rust library alone, which needs nothing built: for the planted bugs.
#[test]
fn every_vector_holds_in_this_process() {
    let vectors = vector::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"));
    let play = |vector: &Vector| vector::play(vector, &mut OneLedger::new(FaceKind::InProcess)).err();
    none(vectors.iter().filter_map(play).collect(), "vectors do not hold");
}

#[test]
fn every_face_answers_byte_for_byte_the_same() {
    let mut problems = Vec::new();
    let mut compared = 0;
    for played in all() {
        let Some(Ok(first)) = played.outcomes.first() else { continue };
        for other in played.outcomes.iter().skip(1).filter_map(|outcome| outcome.as_ref().ok()) {
            compared += 1;
            if let Some((one, two)) = first.iter().zip(other).find(|(one, two)| one != two) {
                problems
                    .push(format!("{}, step {}:\n  {}\n  {}", played.vector.name, one.step, one.answer, two.answer));
            }
            assert_eq!(first.len(), other.len(), "{}: as many answers", played.vector.name);
        }
    }
    assert!(compared > 0, "something was compared");
    none(problems, "vectors are answered differently");
}

#[test]
fn every_command_meets_every_state() {
    let met: BTreeSet<&(String, String)> = all().iter().flat_map(|played| &played.pairs).collect();
    let (states, commands) = (states(), commands());
    let pairs = states.iter().flat_map(|state| commands.iter().map(move |command| (state.clone(), command.clone())));
    let missing = pairs.filter(|pair| !met.contains(pair)).map(|(state, command)| format!("{command}, met by {state}"));
    none(missing.collect(), "pairs of state and command are in no vector");
}

#[test]
fn every_error_that_a_request_can_reach_is_reached() {
    let mut seen = BTreeSet::new();
    for exchange in all().iter().flat_map(|played| &played.outcomes).flatten().flatten() {
        let answer: Value = serde_json::from_str(&exchange.answer).expect("an answer");
        seen.extend(answer["error"]["code"].as_str().map(String::from));
    }
    let unreachable: BTreeMap<&str, &str> = UNREACHABLE.iter().map(|(code, why)| (code.as_str(), *why)).collect();
    let mut problems = Vec::new();
    for code in ErrorCode::ALL.map(ErrorCode::as_str) {
        match (seen.contains(code), unreachable.get(code)) {
            (true, Some(why)) => problems.push(format!("{code} is reached, though it {why}")),
            (false, None) => problems.push(format!("{code} is in no vector")),
            (true, None) | (false, Some(_)) => {}
        }
    }
    none(problems, "codes are not where they should be");
}

/// A word of the answers that no vector brings out means a behaviour that no vector shows.
#[test]
fn every_command_event_and_finding_is_seen() {
    let exchanges = || all().iter().flat_map(|played| &played.outcomes).flatten().flatten();
    let asked = |command: &str| {
        exchanges().any(|exchange| {
            let request: Value = serde_json::from_str(&exchange.line).unwrap_or_default();
            request.get(command).is_some() && exchange.answer.contains("\"ok\":")
        })
    };
    let told = |key: &str, word: &str| {
        let text = format!("\"{key}\":\"{word}\"");
        exchanges().any(|exchange| exchange.answer.contains(&text))
    };
    let commands = CommandName::ALL.iter().map(|command| command.as_str());
    let mut missing: Vec<String> = commands.filter(|command| !asked(command)).map(String::from).collect();
    // What only somebody's hand, a long reader or another clock brings about is shown in `audit.rs`, and the test host
    // has no zombies.
    let by_hand = [
        Code::TimesOutOfOrder,
        Code::ClockJump,
        Code::FlowTimesOutOfOrder,
        Code::WalLarge,
        Code::FreeSpace,
        Code::RowDiffers,
        Code::LooseEnd,
        Code::UnknownWord,
    ];
    let findings = RULES.iter().filter(|rule| !by_hand.contains(&rule.code)).map(|rule| ("code", rule.word));
    let events = EventKind::ALL.iter().map(|kind| ("type", kind.as_str()));
    let evidence = ["process_gone", "rebooted", "lease_expired"].map(|kind| ("kind", kind));
    let liveness = ["alive", "gone", "lease_expired", "unknown"].map(|word| ("liveness", word));
    let cancelled = [Cancelled::Requested, Cancelled::Cancelled, Cancelled::Already, Cancelled::ExecutorGone];
    let cancelled = cancelled.map(|answer| ("cancel", answer.as_str()));
    let words = findings.chain(events).chain(evidence).chain(liveness).chain(cancelled);
    missing.extend(words.filter(|(key, word)| !told(key, word)).map(|(key, word)| format!("{key}: {word}")));
    none(missing, "words are in no vector");
}

#[test]
fn no_answer_says_a_key_twice() {
    let mut problems = BTreeMap::new();
    for exchange in all().iter().flat_map(|played| &played.outcomes).flatten().flatten() {
        if let Err(problem) = json::parse(&exchange.answer) {
            let answer: Value = serde_json::from_str(&exchange.answer).unwrap_or_default();
            let code = answer["error"]["code"].to_string();
            problems.entry(code).or_insert_with(|| format!("{problem}\n  {}", exchange.answer));
        }
    }
    none(problems.into_values().collect(), "answers are not plain JSON");
}

#[test]
fn no_two_vectors_tell_the_same_story() {
    let mut stories = BTreeMap::new();
    for played in all() {
        if let Some(other) = stories.insert(&played.vector.story, &played.vector.name) {
            panic!("{other} and {} tell the same story", played.vector.name);
        }
    }
}

// ---- the vectors' own checks --------------------------------------------------------------------------------

fn vector(steps: &str) -> Result<Vector, String> {
    Vector::parse("a test", &format!(r#"{{"story": "a test", "steps": {steps}}}"#))
}

fn played(steps: &str) -> Result<Vec<Exchange>, String> {
    vector::play(&vector(steps).expect("a vector"), &mut OneLedger::new(FaceKind::InProcess))
}

#[test]
fn a_vector_that_expects_something_else_fails() {
    let create =
        |expect: &str| played(&format!(r#"[{{"request": {{"create": {{"label": "a"}}}}, "expect": {expect}}}]"#));
    create(r#"{"ok": {"created": true, "task": {"number": 1, "key": null, "id": "${some}"}}}"#).expect("it holds");
    let wrong = [
        (r#"{"ok": {"created": false}}"#, "/ok/created"),
        (r#"{"ok": {"task": {"status": "running"}}}"#, "/ok/task/status"),
        (r#"{"ok": {"task": {"label": null}}}"#, "/ok/task/label"),
        (r#"{"ok": {"task": {"key": "${some}"}}}"#, "/ok/task/key"),
        (r#"{"ok": {"task": {"colour": null}}}"#, "/ok/task/colour"),
        (r#"{"ok": {"$exact": true, "created": true}}"#, "/ok/task"),
        (r#"{"error": {"code": "not_found"}}"#, "/error"),
    ];
    for (expect, place) in wrong {
        let problem = create(expect).expect_err("a wrong vector");
        assert!(problem.contains(&format!("{place}: ")), "{expect} fails at {place}: {problem}");
    }
}

#[test]
fn a_list_has_as_many_elements_as_expected() {
    let list = |tasks: &str| {
        let create = r#"{"request": {"create": {"label": "a"}}, "expect": {"ok": {}}}"#;
        let list = format!(r#"{{"request": {{"list": {{}}}}, "expect": {{"ok": {{"tasks": {tasks}}}}}}}"#);
        played(&format!("[{create}, {list}]"))
    };
    list(r#"[{"label": "a"}]"#).expect("it holds");
    for wrong in ["[]", r#"[{"label": "b"}]"#, r#"[{"label": "a"}, {}]"#] {
        list(wrong).expect_err("a wrong vector");
    }
}

#[test]
fn what_a_vector_does_not_know_is_an_error() {
    let (request, expect) = (r#""request": {"list": {}}"#, r#""expect": {"ok": {}}"#);
    vector(&format!("[{{{request}, {expect}}}]")).expect("a vector");
    let wrong = [
        format!(r#"[{{{request}, {expect}, "expected": 1}}]"#),
        format!(r#"[{{{request}, {expect}, {expect}}}]"#),
        format!(r#"[{{{request}}}]"#),
        format!(r#"[{{{expect}}}]"#),
        format!(r#"[{{{request}, "line": "x", {expect}}}]"#),
        format!(r#"[{{{request}, "expect": {{}}}}]"#),
        format!(r#"[{{{request}, "expect": {{"ok": {{}}, "error": {{}}}}}}]"#),
        format!(r#"[{{{request}, {expect}, "capture": {{"id": "/ok/id"}}}}]"#),
        format!(r#"[{{{request}, {expect}, "repeat": 1}}]"#),
        "[]".into(),
    ];
    for steps in wrong {
        vector(&steps).expect_err(&steps);
    }
    Vector::parse("a test", r#"{"steps": []}"#).expect_err("a vector without a story");
    let unknown = format!(r#"{{"story": "a", "title": "b", "steps": [{{{request}, {expect}}}]}}"#);
    Vector::parse("a test", &unknown).expect_err("a vector with an unknown key");
}
