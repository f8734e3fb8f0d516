//! Flows among real processes: a cancel reaches all that belongs to one and nothing joins it later, a killed executor
//! holds it up no longer than until maintenance, and of two controllers who saw the same one is refused.

use bgledger_tests::dice::Dice;
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::until::until;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn bgledger(ledger: &Path, arguments: &[&str]) -> Value {
    let output = pipe::command(ledger).arg("--json").args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn begin(ledger: &Path) {
    bgledger(ledger, &["flow", "create", "--goal", "publish", "--controller", "weekly", "--running"]);
}

fn flow(ledger: &Path) -> Value {
    bgledger(ledger, &["flow", "show", "F1"])["flow"].clone()
}

fn audit(ledger: &Path) -> Value {
    bgledger(ledger, &["audit"])["findings"].clone()
}

// ---- a cancel in the middle of the growth -------------------------------------------------------------------

const EXECUTORS: usize = 4;
/// So many tasks are there when somebody cancels.
const TASKS: usize = 50;
const LEVELS: usize = 3;
/// How often an executor asks for one more task after it knows that cancel was requested.
const INSISTS: usize = 8;

/// What the executors share.
struct Growth {
    /// The numbers of the tasks, by level.
    levels: [Mutex<Vec<u64>>; LEVELS],
    accepted: AtomicUsize,
    /// The canceller has its answer.
    cancelled: AtomicBool,
}

/// What one executor was told.
#[derive(Default)]
struct Told {
    /// Its tasks that run.
    running: Vec<u64>,
    /// How often it was refused, by error code.
    refused: BTreeMap<String, usize>,
}

/// The next task of an executor: each level in turn, some queued, some over at once, some silent.
fn next(growth: &Growth, turn: usize) -> (usize, Value) {
    let wanted = turn % LEVELS;
    let above = |level: usize| growth.levels[level].lock().expect("numbers").iter().rev().nth(turn % 3).copied();
    let parent = wanted.checked_sub(1).and_then(above);
    let level = if parent.is_some() { wanted } else { 0 };
    let notify = if turn % 7 == 3 { "silent" } else { "done_only" };
    let mut create = json!({"label": format!("{level}"), "runtime": "subagent", "requester_session": "chat",
        "notify": notify, "metadata": {"level": level}});
    match parent {
        Some(parent) => create["parent"] = json!(parent),
        None => create["flow"] = json!("F1"),
    }
    match turn % 5 {
        3 => {}
        4 => create["finish"] = json!({"status": "succeeded"}),
        _ => create["start"] = json!({"executor": "self"}),
    }
    (level, json!({ "create": create }))
}

/// Makes tasks until it has been refused often enough; then it learns by its heartbeats that all of them are to end, or
/// is killed before it learns anything.
fn execute(mut executor: Piped, name: usize, growth: &Growth, killed: bool) -> Told {
    let mut told = Told::default();
    let mut insisted = 0;
    for turn in name.. {
        let too_late = growth.cancelled.load(Ordering::SeqCst);
        let (level, create) = next(growth, turn);
        let answer = executor.ask(&create.to_string()).expect("an answer");
        match answer["ok"]["task"]["number"].as_u64() {
            Some(number) => {
                assert!(!too_late, "it joined a flow that was cancelled before: {answer}");
                growth.levels[level].lock().expect("numbers").push(number);
                growth.accepted.fetch_add(1, Ordering::SeqCst);
                if answer["ok"]["task"]["status"] == "running" {
                    told.running.push(number);
                }
            }
            None => {
                let code = answer["error"]["code"].as_str().expect("a code").to_owned();
                *told.refused.entry(code).or_default() += 1;
                insisted += usize::from(too_late);
                if insisted == INSISTS {
                    break;
                }
            }
        }
    }
    if killed {
        executor.kill();
        return told;
    }
    for number in &told.running {
        let beat = executor.ok(&json!({"heartbeat": {"lookup": number, "attempt": 1}}).to_string());
        assert_eq!(beat["cancel_requested"], true, "{beat}");
        let finish = json!({"finish": {"lookup": number, "attempt": 1, "status": "cancelled"}});
        assert_eq!(executor.ok(&finish.to_string())["changed"], true);
    }
    executor.end();
    told
}

/// A flow that grows at every level until somebody cancels it; the first so many of its executors are killed after that.
/// Answers with how many tasks it has, and how many of them those left running.
fn grown(path: &Path, killed: usize) -> (usize, usize) {
    begin(path);
    let growth =
        Growth { levels: Default::default(), accepted: AtomicUsize::new(0), cancelled: AtomicBool::new(false) };
    let mut canceller = Piped::on(path);
    let told: Vec<Told> = std::thread::scope(|scope| {
        let executors: Vec<_> = (0..EXECUTORS)
            .map(|name| {
                let (executor, growth) = (Piped::on(path), &growth);
                scope.spawn(move || execute(executor, name, growth, name < killed))
            })
            .collect();
        until("there are enough tasks", || growth.accepted.load(Ordering::SeqCst) >= TASKS);
        let answer = canceller.ok(r#"{"flow_cancel": {"flow": "F1", "by": "operator", "why": "enough"}}"#);
        growth.cancelled.store(true, Ordering::SeqCst);
        assert_eq!(answer["cancel"], "requested", "executors are at work: {answer}");
        assert!(answer["flow"]["ended_at"].is_null(), "asked is not ended");
        executors.into_iter().map(|executor| executor.join().expect("an executor whose story held")).collect()
    });
    canceller.end();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, times) in told.iter().flat_map(|told| &told.refused) {
        *refused.entry(code).or_default() += times;
    }
    let accepted = growth.accepted.load(Ordering::SeqCst);
    println!("{accepted} tasks, refused: {refused:?}");
    let codes: Vec<&str> = refused.keys().copied().collect();
    assert_eq!(codes, ["ancestor_cancelled", "flow_cancel_requested"], "at every level, and for no other reason");
    assert!(growth.levels.iter().all(|level| level.lock().expect("numbers").len() >= TASKS / 10), "three levels");
    (accepted, told[..killed].iter().map(|told| told.running.len()).sum())
}

#[test]
fn a_cancel_ends_a_flow_that_grows_at_every_level() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let (tasks, _) = grown(&path, 0);
    assert_cancelled(&path, tasks);
}

/// Two of its executors die before they learn of it: maintenance settles what they left, and the flow with it.
#[test]
fn a_flow_ends_cancelled_when_maintenance_settles_what_killed_executors_left() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let (tasks, left) = grown(&path, 2);
    assert!(left > 0, "nothing was left running");
    let asked = flow(&path);
    assert_eq!((&asked["status"], &asked["tasks"]["active"]), (&json!("running"), &json!(left)), "nobody settled them");
    let changes = bgledger(&path, &["maintenance", "--apply"])["changes"].clone();
    let changes = changes.as_array().expect("changes");
    assert!(changes.len() == left && changes.iter().all(|change| change["to"] == "cancelled"), "{changes:?}");
    assert_cancelled(&path, tasks);
    assert_eq!(bgledger(&path, &["maintenance", "--apply"])["changes"], json!([]));
}

/// Nothing goes on, nothing came after the cancel, and who is owed a word of an end is owed it once.
fn assert_cancelled(path: &Path, tasks: usize) {
    let flow = flow(path);
    assert_eq!((&flow["status"], &flow["cancel"]["by"]), (&json!("cancelled"), &json!("operator")), "{flow}");
    assert_eq!((&flow["tasks"]["active"], &flow["tasks"]["total"]), (&json!(0), &json!(tasks)), "{flow}");
    assert_eq!(bgledger(path, &["list", "--active"])["tasks"], json!([]), "nor is anything active below");
    let order = "SELECT (SELECT max(seq) FROM event WHERE kind = 1) < (SELECT min(seq) FROM event WHERE kind = 4)";
    assert_eq!(ask_sqlite(path, order), "1", "a task was created after cancel was requested");
    let owed = |policy: &str| {
        let count = "(SELECT count(*) FROM notice WHERE notice.task = task.number)";
        let each = format!("SELECT {count} AS owed FROM task WHERE notify = '{policy}'");
        ask_sqlite(path, &format!("SELECT min(owed) || ' to ' || max(owed) FROM ({each})"))
    };
    assert_eq!((owed("done_only"), owed("silent")), ("1 to 1".into(), "0 to 0".into()));
    assert_eq!(audit(path), json!([]));
    assert_sound(path);
}

// ---- an executor that is killed -----------------------------------------------------------------------------

/// A process with a task of the flow and a child of that.
fn at_work(ledger: &Path) -> Piped {
    let mut executor = Piped::on(ledger);
    let start = json!({"executor": "self"});
    let create = json!({"label": "work", "flow": "F1", "start": start});
    let task = executor.ok(&json!({ "create": create }).to_string())["task"]["number"].clone();
    let child = json!({"label": "below", "parent": task, "start": start});
    executor.ok(&json!({ "create": child }).to_string());
    executor
}

/// They died before anybody asked: the cancel settles them, and the flow at once.
#[test]
fn a_flow_whose_executors_are_all_dead_is_cancelled_at_once() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    begin(&path);
    at_work(&path).kill();
    let asked = bgledger(&path, &["flow", "cancel", "F1", "--by", "operator"]);
    assert_eq!((&asked["cancel"], &asked["flow"]["status"]), (&json!("cancelled"), &json!("cancelled")), "{asked}");
    let answers: Vec<&Value> = asked["tasks"].as_array().expect("tasks").iter().map(|task| &task["cancel"]).collect();
    assert_eq!(answers, ["executor_gone", "executor_gone"]);
    assert_eq!(audit(&path), json!([]));
    assert_sound(&path);
}

/// A flow that nobody cancelled is not ended by the death of an executor: its controller decides.
#[test]
fn a_killed_executor_ends_no_flow_that_goes_on() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    begin(&path);
    at_work(&path).kill();
    assert_eq!(bgledger(&path, &["maintenance", "--apply"])["changes"].as_array().map(Vec::len), Some(2));
    let goes_on = flow(&path);
    assert_eq!((&goes_on["status"], &goes_on["tasks"]["by_status"]["lost"]), (&json!("running"), &json!(2)));
    bgledger(&path, &["flow", "fail", "F1", "--revision", "1", "--blocked-by", "1"]);
    assert_eq!(flow(&path)["status"], "failed");
    assert_sound(&path);
}

// ---- two controllers ----------------------------------------------------------------------------------------

const ROUNDS: u64 = 200;
/// How often a controller is killed while it moves its flow.
const KILLS: u64 = 40;

#[test]
fn of_two_controllers_who_saw_the_same_one_is_refused() {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    begin(&path);
    let mut controllers = [Piped::on(&path), Piped::on(&path)];
    let mut won = [0, 0];
    for round in 1..=ROUNDS {
        // Both know the revision, and both move; the second is asked before the first has answered.
        let first = usize::from(round % 2 == 0);
        for name in [first, 1 - first] {
            let moved = json!({"flow": "F1", "revision": round, "state": {"by": name, "round": round}});
            let request = if round % 3 == 0 { json!({ "flow_resume": moved }) } else { json!({ "flow_wait": moved }) };
            controllers[name].send(&request.to_string()).expect("sent");
        }
        let answers: Vec<Value> = controllers.iter_mut().map(|one| one.receive().expect("an answer")).collect();
        let winner = answers.iter().position(|answer| answer["ok"].is_object()).expect("one is accepted");
        won[winner] += 1;
        assert_eq!(answers[winner]["ok"]["flow"]["revision"], round + 1);
        let refused = &answers[1 - winner]["error"];
        assert_eq!(
            (&refused["code"], &refused["recorded"]),
            (&json!("revision_conflict"), &json!(round + 1)),
            "{answers:?}"
        );
        let recorded = controllers[1 - winner].ok(r#"{"flow_show": {"flow": "F1"}}"#)["flow"].clone();
        assert_eq!(recorded["state"], json!({"by": winner, "round": round}), "what the other said is nowhere");
    }
    println!("{} moves by one, {} by the other", won[0], won[1]);
    assert_eq!(flow(&path)["revision"], ROUNDS + 1);
    assert_sound(&path);
}

/// What a controller was told holds; what it was not told it learns by the revision, and its state is of the same move.
#[test]
fn a_killed_controller_finds_its_flow_as_it_left_it_or_one_move_further() {
    let scratch = Scratch::new();
    let path = scratch.ledger();
    begin(&path);
    let mut dice = Dice::new(Dice::seed("BGLEDGER_FLOW_SEED", 1));
    let (mut revision, mut further) = (1, 0);
    for _ in 0..KILLS {
        let mut controller = Piped::on(&path);
        let wait = |seen: u64| json!({"flow_wait": {"flow": "F1", "revision": seen, "state": seen}}).to_string();
        revision = controller.ok(&wait(revision))["flow"]["revision"].as_u64().expect("a number");
        controller.send(&wait(revision)).expect("sent");
        std::thread::sleep(Duration::from_micros(dice.below(3_000)));
        controller.kill();
        let found = flow(&path);
        let moved = found["revision"] == json!(revision + 1);
        assert!(moved || found["revision"] == json!(revision), "{revision}: {found}");
        further += u64::from(moved);
        revision += u64::from(moved);
        assert_eq!(found["state"], json!(revision - 1), "its state is of another move");
    }
    println!("{further} of {KILLS} last moves were recorded");
    assert_sound(&path);
}
