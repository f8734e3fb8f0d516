//! `bgledger call` answers as it goes, in order, and what can be read together shares a commit.

use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::history::assert_sound;
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;

fn lines(requests: &[&str]) -> String {
    requests.join("\n")
}

#[test]
fn what_is_read_together_shares_a_commit() {
    const TASKS: u32 = 200;
    const MANY: u32 = 1_000_000;
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let faults = Faults::new(path.with_file_name("faults"));
    let mut command = pipe::command(&path);
    faults.govern(&mut command);
    let mut caller = Piped::start(command.arg("call"));
    caller.ok(r#"{"create": {"label": "first"}}"#);
    faults.order(Calls::Sync, MANY, Fault::Io);
    let requests: Vec<String> = (0..TASKS).map(|task| format!(r#"{{"create": {{"label": "{task}"}}}}"#)).collect();
    caller.send(&requests.join("\n")).expect("sent");
    for task in 0..TASKS {
        assert_eq!(caller.receive().expect("an answer")["ok"]["task"]["label"], task.to_string());
    }
    let synced = MANY - faults.left();
    assert!((1..=TASKS / 10).contains(&synced), "{synced} syncs for {TASKS} tasks");
    caller.end();
    assert_sound(&path);
}

#[test]
fn an_answer_does_not_wait_for_the_next_requests_end() {
    let scratch = Scratch::new();
    let mut caller = Piped::on(&scratch.ledger());
    let requests = [r#"{"create": {"label": "awaited"}}"#, r#"{"wait": {"lookups": [1], "timeout": "60s"}}"#];
    caller.send(&lines(&requests)).expect("sent");
    assert_eq!(caller.receive().expect("an answer")["ok"]["created"], true);
    let mut other = Piped::on(&scratch.ledger());
    other.ok(r#"{"finish": {"lookup": 1, "status": "succeeded"}}"#);
    let waited = caller.receive().expect("an answer");
    assert_eq!(waited["ok"]["tasks"][0]["status"], "succeeded", "{waited}");
}

#[test]
fn requests_that_stand_on_each_other_keep_their_order() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut caller = Piped::on(&path);
    let life = |run: usize| {
        let run = format!("run-{run}");
        [
            format!(r#"{{"id": 1, "create": {{"label": "a life", "run_id": "{run}"}}}}"#),
            format!(r#"{{"id": 2, "start": {{"lookup": "run:{run}", "executor": "self"}}}}"#),
            format!(r#"{{"id": 3, "progress": {{"lookup": "run:{run}", "current": 1}}}}"#),
            format!(r#"{{"id": 4, "finish": {{"lookup": "run:nowhere-{run}", "status": "failed"}}}}"#),
            format!(r#"{{"id": 5, "finish": {{"lookup": "run:{run}", "status": "succeeded"}}}}"#),
            format!(r#"{{"id": 6, "show": {{"lookup": "run:{run}"}}}}"#),
        ]
    };
    let lives: Vec<String> = (0..30).flat_map(life).collect();
    // Somebody else leads now and then.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut other = Piped::on(&path);
            (0..100).for_each(|turn| drop(other.ok(&format!(r#"{{"create": {{"label": "other {turn}"}}}}"#))));
        });
        caller.send(&lives.join("\n")).expect("sent");
        for _ in 0..30 {
            let answers: Vec<Value> = (0..6).map(|_| caller.receive().expect("an answer")).collect();
            let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
            assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
            assert_eq!(answers[3]["error"]["code"], "not_found");
            assert_eq!(answers[5]["ok"]["task"]["status"], "succeeded", "{answers:?}");
            assert_eq!(answers[5]["ok"]["task"]["progress"]["current"], 1);
        }
        other.join().expect("it recorded");
    });
    caller.end();
    assert_sound(&path);
}

/// Nothing is kept to undo each request by, since what is refused has written nothing as a rule; here one has.
#[test]
fn what_a_refused_request_wrote_is_undone_and_its_neighbours_stand() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let mut caller = Piped::on(&path);
    caller.ok(r#"{"create": {"label": "first"}}"#);
    let requests = [
        r#"{"create": {"label": "before", "run_id": "r"}}"#,
        r#"{"config": {"set": {"retention": "9d", "zzz": "no such key"}}}"#,
        r#"{"create": {"label": "another", "run_id": "r"}}"#,
        r#"{"create": {"label": "after"}}"#,
        r#"{"config": {"get": "retention"}}"#,
    ];
    caller.send(&lines(&requests)).expect("sent");
    let answers: Vec<Value> = requests.iter().map(|_| caller.receive().expect("an answer")).collect();
    assert_eq!(answers[0]["ok"]["task"]["number"], 2);
    assert_eq!(answers[1]["error"]["code"], "unknown_key", "{}", answers[1]);
    assert_eq!(answers[2]["error"]["code"], "exists_with_different");
    assert_eq!(answers[3]["ok"]["task"]["number"], 3, "nothing was counted twice");
    assert_eq!(answers[4]["ok"]["config"]["retention"]["value"], "7d", "set by a request that was refused");
    caller.end();
    assert_sound(&path);
}
