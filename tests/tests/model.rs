//! Random sequences of requests, answered by the ledger as by a model of it that was written from `design.md`.
//!
//! A sequence that differs is shrunk and printed as a conformance vector. `BGLEDGER_MODEL_CASES` says how many are
//! tried, `PROPTEST_RNG_SEED` which.

use bgledger_tests::face::{FaceKind, OneLedger};
use bgledger_tests::model::{Ask, End, Executor, Lookup, Model, START_MS, Standing, Word};
use bgledger_tests::vector::{self, Vector};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// One request: how long after the last one (ms), by whose handle.
#[derive(Debug, Clone)]
struct Move {
    after: i64,
    owner: Option<&'static str>,
    ask: Ask,
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(words)
}

fn maybe(words: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 1 => some_of(words).prop_map(Some)]
}

fn lookup() -> impl Strategy<Value = Lookup> {
    prop_oneof![
        12 => (1_usize..4).prop_map(Lookup::Number),
        2 => (1_usize..9).prop_map(Lookup::Number),
        1 => some_of(&["r1", "r2"]).prop_map(Lookup::Run),
        1 => Just(Lookup::Session("s1")),
    ]
}

fn executor() -> impl Strategy<Value = Executor> {
    prop_oneof![
        4 => Just(Executor::External),
        2 => Just(Executor::Live),
        2 => Just(Executor::Dead),
        1 => Just(Executor::Rebooted),
        1 => Just(Executor::Elsewhere),
    ]
}

fn lease() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(5_000)), 1 => Just(Some(60_000))]
}

fn span() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(20_000))]
}

fn attempt() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![2 => Just(None), 3 => Just(Some(1)), 1 => Just(Some(2))]
}

fn end(settled: bool) -> impl Strategy<Value = End> {
    let ends: Vec<Standing> =
        Standing::ALL.into_iter().filter(|end| end.is_final() || (settled && *end == Standing::Lost)).collect();
    (proptest::sample::select(ends), maybe(&["blocked", "rejected"]))
        .prop_map(|(standing, word)| End { standing, word })
}

fn creation() -> impl Strategy<Value = Ask> {
    let names =
        (maybe(&["k1", "k2"]), maybe(&["r1", "r2"]), some_of(&["cli", "cron", "acp"]), some_of(&["a", "a", "b"]));
    let context = (maybe(&["s1"]), prop_oneof![2 => Just(None), 1 => (1_usize..4).prop_map(Some)]);
    let notify = maybe(&["done_only", "state_changes", "silent"]);
    let start = proptest::option::of((executor(), lease()));
    let finish = prop_oneof![9 => Just(None), 1 => end(false).prop_map(Some)];
    (names, context, notify, span(), span(), start, finish).prop_map(
        |((key, run, runtime, label), (session, parent), notify, queue_timeout, timeout, start, finish)| Ask::Create {
            key,
            run,
            runtime,
            label,
            session,
            parent,
            notify,
            queue_timeout,
            timeout,
            start,
            finish,
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    let word = prop_oneof![
        lease().prop_map(|lease| Word::Heartbeat { lease }),
        (0_u32..9, proptest::option::of(maybe(&["input", "timer"])))
            .prop_map(|(current, waiting_on)| Word::Progress { current, waiting_on }),
    ];
    let policy = some_of(&["done_only", "state_changes", "silent"]);
    prop_oneof![
        4 => creation(),
        6 => (lookup(), executor(), lease()).prop_map(|(lookup, executor, lease)| Ask::Start { lookup, executor, lease }),
        6 => (lookup(), attempt(), word).prop_map(|(lookup, attempt, word)| Ask::Say { lookup, attempt, word }),
        2 => (lookup(), attempt(), end(false)).prop_map(|(lookup, attempt, end)| Ask::Finish { lookup, attempt, end }),
        3 => (lookup(), prop_oneof![end(true), Just(End { standing: Standing::Lost, word: None })]).prop_map(|(lookup, end)| Ask::Settle { lookup, end }),
        1 => (lookup(), policy).prop_map(|(lookup, policy)| Ask::Notify { lookup, policy }),
        3 => lookup().prop_map(|lookup| Ask::Cancel { lookup }),
        3 => any::<bool>().prop_map(|apply| Ask::Maintenance { apply }),
        1 => lookup().prop_map(|lookup| Ask::Show { lookup }),
        1 => (prop::collection::vec(lookup(), 1..3), any::<bool>()).prop_map(|(lookups, any)| Ask::Wait { lookups, any }),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let after = prop_oneof![
        8 => Just(0_i64),
        4 => Just(1_000),
        3 => Just(10_000),
        3 => Just(36_000),
        1 => Just(100_000),
        1 => Just(1_900_000),
        1 => Just(-7_000),
        1 => Just(-40_000),
    ];
    let owner = prop_oneof![8 => Just(None), 1 => Just(Some("ada"))];
    let step = (after, owner, ask()).prop_map(|(after, owner, ask)| Move { after, owner, ask });
    prop::collection::vec(step, 1..50)
}

/// The sequence as a vector: each request with what the model answers.
fn expected(moves: &[Move]) -> Value {
    let mut model = Model::default();
    let mut now = START_MS;
    let mut steps = Vec::new();
    let mut step = |now: i64, owner: Option<&str>, request: Value, expect: Value| {
        let mut step = json!({"now": bgledger_tests::model::time(now), "request": request, "expect": expect});
        if let Some(owner) = owner {
            step["owner"] = owner.into();
        }
        steps.push(step);
    };
    let first = Move { after: 0, owner: None, ask: Ask::plain_creation() };
    for Move { after, owner, ask } in std::iter::once(&first).chain(moves) {
        now = (now + after).max(START_MS);
        let expect = model.answer(*owner, now, ask);
        step(now, *owner, ask.request(), expect);
    }
    for owner in [None, Some("ada")] {
        for (request, expect) in model.inventory(owner, now) {
            step(now, owner, request, expect);
        }
    }
    json!({"story": "a sequence on which the ledger and its model differ", "steps": steps})
}

fn play(moves: &[Move]) -> Result<(), String> {
    let expected = expected(moves);
    let vector = Vector::parse("a random sequence", &expected.to_string()).expect("a vector");
    match vector::play(&vector, &mut OneLedger::new(FaceKind::InProcess)) {
        Ok(_) => Ok(()),
        Err(problem) => {
            Err(format!("{problem}\n\nas a vector:\n{}", serde_json::to_string(&expected).unwrap_or_default()))
        }
    }
}

#[test]
fn the_ledger_answers_like_its_model() {
    let cases = std::env::var("BGLEDGER_MODEL_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let seed: u64 = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, max_shrink_iters: 4_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&moves(), |moves| play(&moves).map_err(TestCaseError::fail));
    if let Err(problem) = outcome {
        panic!("seed {seed} (PROPTEST_RNG_SEED={seed} BGLEDGER_MODEL_CASES={cases} repeats it): {problem}");
    }
}

/// What the model says to as many sequences as are compared unless told, without a ledger.
#[test]
fn the_sequences_reach_every_state_and_every_refusal() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let moves = moves().new_tree(&mut runner).expect("a sequence").current();
        for step in expected(&moves)["steps"].as_array().into_iter().flatten() {
            let expect = &step["expect"];
            let words = [&expect["error"]["code"], &expect["ok"]["task"]["status"], &expect["ok"]["cancel"]];
            seen.extend(words.into_iter().filter_map(Value::as_str).map(String::from));
            seen.extend(expect["ok"]["changes"][0]["reason"].as_str().map(|reason| format!("maintenance: {reason}")));
        }
    }
    let refusals = [
        "not_found",
        "ambiguous",
        "exists_with_different",
        "ancestor_cancelled",
        "not_started",
        "fenced",
        "already_ended",
        "already_running",
        "cancel_requested",
        "wait_timed_out",
    ];
    let answers = ["requested", "cancelled", "already", "executor_gone"];
    let mended = ["executor_gone", "lease_expired", "queue_deadline"].map(|reason| format!("maintenance: {reason}"));
    let states = Standing::ALL.map(|standing| standing.word().to_string());
    let wanted = refusals.iter().chain(&answers).map(ToString::to_string).chain(mended).chain(states);
    let missing: Vec<String> = wanted.filter(|word| !seen.contains(word)).collect();
    assert!(missing.is_empty(), "no sequence reaches {missing:?}");
}

/// The comparison is no empty promise: an answer changed by hand is found, wherever it stands.
#[test]
fn a_model_that_is_wrong_is_found_out() {
    let start = Ask::Start { lookup: Lookup::Number(1), executor: Executor::Live, lease: None };
    let expected = expected(&[Move { after: 0, owner: None, ask: start }]);
    let play = |expected: &Value| {
        let vector = Vector::parse("a sequence", &expected.to_string()).expect("a vector");
        vector::play(&vector, &mut OneLedger::new(FaceKind::InProcess))
    };
    play(&expected).expect("the model is right");
    let steps = expected["steps"].as_array().map_or(0, Vec::len);
    assert!(steps > 5, "a creation, a start and the inventory");
    for step in 0..steps {
        let mut wrong = expected.clone();
        let colour = json!({"colour": "red"});
        wrong["steps"][step]["expect"]["ok"] = colour;
        play(&wrong).expect_err("a wrong expectation");
    }
}
