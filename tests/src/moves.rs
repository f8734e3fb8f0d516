//! Random sequences of requests, which shrink, and what the model (`model.rs`) answers to them.

use crate::model::{Ask, End, Executor, Lookup, Model, START_MS, Standing, Word, time};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

/// One request.
#[derive(Debug, Clone)]
pub struct Move {
    /// How long after the last one, in milliseconds.
    pub after: i64,
    /// By whose handle; `None`: the operator's.
    pub owner: Option<&'static str>,
    /// What is asked.
    pub ask: Ask,
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

/// Sequences of requests about a few tasks.
pub fn moves() -> impl Strategy<Value = Vec<Move>> {
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
pub fn expected(moves: &[Move]) -> Value {
    let mut model = Model::default();
    let mut now = START_MS;
    let mut steps = Vec::new();
    let mut step = |now: i64, owner: Option<&str>, request: Value, expect: Value| {
        let mut step = json!({"now": time(now), "request": request, "expect": expect});
        if let Some(owner) = owner {
            step["owner"] = owner.into();
        }
        steps.push(step);
    };
    let first = Move { after: 0, owner: None, ask: Ask::plain_creation() };
    for Move { after, owner, ask } in std::iter::once(&first).chain(moves) {
        now = later(now, *after);
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

/// The time of the clock after a move.
pub fn later(now: i64, after: i64) -> i64 {
    (now + after).max(START_MS)
}

/// A source of sequences.
pub fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { max_shrink_iters: 4_000, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// Sequences.
    pub cases: usize,
    /// Their requests.
    pub steps: usize,
}

/// Tries sequences until they have so many requests in all. The error is about the shortest that fails; `play` is told which
/// case it is.
pub fn try_many(
    runner: &mut TestRunner,
    steps: usize,
    play: impl Fn(usize, &[Move]) -> Result<(), String>,
) -> Result<Tried, String> {
    let (mut tried, sequences) = (Tried { cases: 0, steps: 0 }, moves());
    while tried.steps < steps {
        let tree = sequences.new_tree(runner).map_err(|reason| reason.to_string())?;
        tried.steps += tree.current().len();
        let outcome = runner.run_one(tree, |moves| play(tried.cases, &moves).map_err(TestCaseError::fail));
        match outcome {
            Ok(_) => tried.cases += 1,
            Err(TestError::Fail(reason, _)) => return Err(format!("sequence {}: {reason}", tried.cases)),
            Err(TestError::Abort(reason)) => return Err(reason.to_string()),
        }
    }
    Ok(tried)
}
