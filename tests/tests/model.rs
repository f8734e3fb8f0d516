//! Random sequences of requests, answered by the ledger as by a model of it that was written from `design.md`.
//!
//! A sequence that differs is shrunk and printed as a conformance vector. `BGLEDGER_MODEL_STEPS` says how many requests are
//! compared with the ledger, `BGLEDGER_CORE_STEPS` how many commands with the core alone; `BGLEDGER_MODEL_SEED` and
//! `BGLEDGER_CORE_SEED` which.

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::face::{FaceKind, OneLedger};
use bgledger_tests::model::{Ask, Executor, Lookup, Standing};
use bgledger_tests::moves::{Move, expected, moves, runner, try_many};
use bgledger_tests::pure;
use bgledger_tests::vector::{self, Vector};
use proptest::strategy::{Strategy, ValueTree};
use serde_json::{Value, json};

/// Of how many sequences one goes through every face.
const THROUGH_ALL: usize = 20;

fn play(moves: &[Move], faces: &[FaceKind]) -> Result<(), String> {
    let expected = expected(moves);
    let vector = Vector::parse("a random sequence", &expected.to_string()).expect("a vector");
    faces.iter().try_for_each(|face| match vector::play(&vector, &mut OneLedger::new(*face)) {
        Ok(_) => Ok(()),
        Err(problem) => {
            let text = serde_json::to_string(&expected).unwrap_or_default();
            Err(format!("{face:?}: {problem}\n\nas a vector:\n{text}"))
        }
    })
}

#[test]
fn the_ledger_answers_like_its_model_through_every_face() {
    let (steps, seed) = (count("BGLEDGER_MODEL_STEPS", 5_000), Dice::seed("BGLEDGER_MODEL_SEED", 1));
    let faces = |case: usize| if case.is_multiple_of(THROUGH_ALL) { &FaceKind::ALL[..] } else { &FaceKind::ALL[..1] };
    match try_many(&mut runner(seed), steps, |case, moves| play(moves, faces(case))) {
        Ok(tried) => println!("{} requests in {} sequences", tried.steps, tried.cases),
        Err(problem) => panic!("BGLEDGER_MODEL_SEED={seed} BGLEDGER_MODEL_STEPS={steps} repeats it: {problem}"),
    }
}

/// The state machine alone, without a store, is what the model says it is; so is the fold of its events.
#[test]
fn the_core_decides_like_the_model() {
    let (steps, seed) = (count("BGLEDGER_CORE_STEPS", 30_000), Dice::seed("BGLEDGER_CORE_SEED", 1));
    match try_many(&mut runner(seed), steps, |_, moves| pure::play(moves)) {
        Ok(tried) => println!("{} commands in {} sequences", tried.steps, tried.cases),
        Err(problem) => panic!("BGLEDGER_CORE_SEED={seed} BGLEDGER_CORE_STEPS={steps} repeats it: {problem}"),
    }
}

/// What the model says to as many sequences as are compared unless told, without a ledger.
#[test]
fn the_sequences_reach_every_state_and_every_refusal() {
    let mut runner = runner(1);
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
