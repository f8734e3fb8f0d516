//! What eight processes are told about a few tasks at once is what one after the other could have been told, also when
//! some of them are killed while they are at work.
//!
//! Each asks at random through a `bgledger call` of its own. `BGLEDGER_LINEAR_HISTORIES` says how many histories are
//! made, `BGLEDGER_LINEAR_SEED` from what. Which call comes when is the system's choice: a history that fails is printed.

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::history::assert_sound;
use bgledger_tests::linear::{Called, explain, plain};
use bgledger_tests::model::{Ask, End, Executor, Lookup, START_MS, Standing, Word, time};
use bgledger_tests::pipe::{self, Gone, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PROCESSES: usize = 8;
/// The tasks of one history, by the run ids that the model knows them by.
const RUNS: [&str; 8] = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"];
/// How many calls a history has.
const CALLS: usize = 500;
/// How many histories one ledger has before it is looked through and another begins.
const OF_ONE_LEDGER: usize = 50;

fn process(path: &Path) -> Piped {
    Piped::start(pipe::command(path).args(["call", "--test-clock"]))
}

fn executor(dice: &mut Dice) -> Executor {
    *dice.pick(&[Executor::External, Executor::Live, Executor::Live, Executor::Elsewhere, Executor::Dead])
}

fn creation(run: &'static str, dice: &mut Dice) -> Ask {
    Ask::Create {
        key: None,
        run: Some(run),
        runtime: "cli",
        label: dice.pick::<&str>(&["a", "a", "a", "b"]),
        session: None,
        parent: None,
        notify: None,
        queue_timeout: None,
        timeout: (dice.below(4) == 0).then_some(20_000),
        start: (dice.below(4) == 0).then(|| (executor(dice), None)),
        finish: None,
    }
}

fn ask(run: &'static str, dice: &mut Dice) -> Ask {
    let lookup = Lookup::Run(run);
    let attempt = *dice.pick(&[None, None, Some(1), Some(2)]);
    let lease = *dice.pick(&[None, None, None, Some(5_000)]);
    let ends = [Standing::Succeeded, Standing::Failed, Standing::Cancelled, Standing::TimedOut];
    match dice.below(100) {
        0..10 => creation(run, dice),
        10..27 => Ask::Start { lookup, executor: executor(dice), lease },
        27..35 => Ask::Say { lookup, attempt, word: Word::Heartbeat { lease } },
        35..58 => {
            let current = u32::try_from(dice.below(9)).expect("a digit");
            let waiting_on = *dice.pick(&[None, None, Some(None), Some(Some("input"))]);
            Ask::Say { lookup, attempt, word: Word::Progress { current, waiting_on } }
        }
        58..61 => Ask::Finish { lookup, attempt, end: End { standing: *dice.pick(&ends), word: None } },
        61..68 => Ask::Settle { lookup, end: End { standing: Standing::Lost, word: None } },
        68..70 => Ask::Settle { lookup, end: End { standing: *dice.pick(&ends), word: Some("blocked") } },
        70..73 => Ask::Cancel { lookup },
        _ => Ask::Show { lookup },
    }
}

/// The same request about this history's own tasks.
fn line(ask: &Ask, now: i64, history: usize) -> String {
    let mut request = ask.request();
    request["now"] = time(now).into();
    RUNS.iter().fold(request.to_string(), |line, run| {
        let own = format!("{run}-{history}");
        line.replace(&format!("\"{run}\""), &format!("\"{own}\""))
            .replace(&format!("run:{run}\""), &format!("run:{own}\""))
    })
}

/// One history, as it is made.
struct Making<'a> {
    path: &'a Path,
    name: usize,
    /// A clock that all share and that never shows one time twice.
    clock: AtomicU64,
    /// Calls that waited too long for others, and changed nothing.
    busy: &'a AtomicU64,
}

impl Making<'_> {
    fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// So many calls of one process, with what they are about; now and then it is killed while it is at work.
    fn ask_at_random(&self, by: usize, process: &mut Piped, calls: usize, mut dice: Dice) -> Vec<(usize, Called)> {
        let killed_at = (dice.below(4) == 0).then(|| dice.below(calls as u64));
        let mut told = Vec::new();
        for place in 0..calls as u64 {
            let task = usize::try_from(dice.below(RUNS.len() as u64)).expect("a task");
            let ask = ask(RUNS[task], &mut dice);
            let now = START_MS + i64::try_from(dice.below(60_000)).expect("a minute");
            let request = line(&ask, now, self.name);
            let asked = self.moment();
            let answer = match killed_at == Some(place) {
                false => process.ask(&request),
                true => {
                    let answer = ask_and_kill(process, &request, &mut dice);
                    *process = self::process(self.path);
                    answer
                }
            };
            let answered = answer.is_ok().then(|| self.moment());
            let answer = answer.unwrap_or(Value::Null);
            // Nothing came of it, says the ledger: then no answer may show that something did.
            if answer["error"]["code"] == "busy" {
                self.busy.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let fair = ["refused", "not_found"].map(Value::from).contains(&answer["error"]["class"]);
            assert!(answered.is_none() || answer["ok"].is_object() || fair, "{request}: {answer}");
            told.push((task, Called { process: by, asked, answered, now, ask, answer: plain(answer) }));
        }
        told
    }
}

fn ask_and_kill(process: &mut Piped, request: &str, dice: &mut Dice) -> Result<Value, Gone> {
    process.send(request)?;
    std::thread::sleep(Duration::from_micros(dice.below(400)));
    process.strike();
    // What it wrote before it died counts as told.
    process.receive()
}

/// The processes' calls by task, and at the end what each task is shown to be.
fn make(path: &Path, processes: &mut [Piped], name: usize, seed: u64, busy: &AtomicU64) -> Vec<Vec<Called>> {
    let making = Making { path, name, clock: AtomicU64::new(0), busy };
    let each = CALLS.div_ceil(processes.len());
    let told: Vec<(usize, Called)> = std::thread::scope(|scope| {
        let own = |by: usize| Dice::new((seed + name as u64) * 100 + by as u64 + 1);
        let asking: Vec<_> = processes
            .iter_mut()
            .enumerate()
            .map(|(by, process)| (by, process, &making))
            .map(|(by, process, making)| scope.spawn(move || making.ask_at_random(by, process, each, own(by))))
            .collect();
        asking.into_iter().flat_map(|asking| asking.join().expect("a process that was answered")).collect()
    });
    let mut by_task = vec![Vec::new(); RUNS.len()];
    told.into_iter().for_each(|(task, called)| by_task[task].push(called));
    for (task, history) in by_task.iter_mut().enumerate() {
        let (ask, now) = (Ask::Show { lookup: Lookup::Run(RUNS[task]) }, START_MS);
        let asked = making.moment();
        let answer = processes[0].ask(&line(&ask, now, name)).expect("an answer");
        let answered = Some(making.moment());
        history.push(Called { process: 0, asked, answered, now, ask, answer: plain(answer) });
    }
    by_task
}

/// The history without one of the calls that changed something: whatever came after shows one revision too many.
/// `None` where a call that nobody saw answered could take its place.
fn spoilt(history: &[Called], dice: &mut Dice) -> Option<Vec<Called>> {
    let changed = |place: &usize| history[*place].answer["ok"]["changed"] == true;
    let changes: Vec<usize> = (0..history.len()).filter(changed).collect();
    let is_sure = history.iter().all(|called| called.answered.is_some()) && !changes.is_empty();
    let mut spoilt = history.to_vec();
    is_sure.then(|| spoilt.remove(*dice.pick(&changes)))?;
    Some(spoilt)
}

#[test]
fn what_eight_processes_are_told_at_once_has_an_order() {
    let histories = count("BGLEDGER_LINEAR_HISTORIES", 50);
    let seed = Dice::seed("BGLEDGER_LINEAR_SEED", 1);
    let (mut asked, mut unknown, mut steps, mut overlapping) = (0_usize, 0_usize, 0_usize, 0_usize);
    let busy = AtomicU64::new(0);
    let (mut spoils, mut refused, mut dice) = (0_usize, 0_usize, Dice::new(seed));
    for first in (0..histories).step_by(OF_ONE_LEDGER) {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let mut processes: Vec<Piped> = (0..PROCESSES).map(|_| process(&path)).collect();
        processes[0].ok(&line(&Ask::plain_creation(), START_MS, first));
        for name in first..histories.min(first + OF_ONE_LEDGER) {
            for history in make(&path, &mut processes, name, seed, &busy) {
                asked += history.len();
                unknown += history.iter().filter(|called| called.answered.is_none()).count();
                overlapping += history.iter().filter(|called| overlaps(called, &history)).count();
                steps += explain(&history)
                    .unwrap_or_else(|problem| panic!("BGLEDGER_LINEAR_SEED={seed}, history {name}: {problem}"));
                if let Some(spoilt) = spoilt(&history, &mut dice).filter(|_| name % 10 == 0) {
                    spoils += 1;
                    refused += usize::from(explain(&spoilt).is_err());
                }
            }
        }
        drop(processes);
        assert_sound(&path);
    }
    println!(
        "{histories} histories, {asked} calls, {overlapping} of them beside another, {unknown} that nobody saw answered, \
         {} busy, {steps} steps of the model; {refused} of {spoils} spoilt ones refused",
        busy.load(Ordering::Relaxed)
    );
    assert_eq!(refused, spoils, "spoilt histories that were explained");
    assert!(overlapping * 3 > asked, "the processes hardly met");
}

/// Whether both were answered and neither was over before the other was asked.
fn overlaps(called: &Called, history: &[Called]) -> bool {
    let begins_within = |one: &Called, other: &Called| {
        one.asked > other.asked && one.answered.zip(other.answered).is_some_and(|(_, end)| one.asked < end)
    };
    history.iter().any(|other| begins_within(called, other) || begins_within(other, called))
}
