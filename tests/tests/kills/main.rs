//! Eight writers, two consumers of notices and a sweeper are killed with SIGKILL at random; whatever they were told as
//! recorded is there afterwards, every history is one that the rules allow, and everybody who is owed a notice gets it.
//!
//! More of it: `cargo run --release -p bgledger-tests --bin soak -- kills --count 10000`.

mod others;

use bgledger_tests::dice::{Dice, count};
use bgledger_tests::history::{ask_sqlite, assert_sound};
use bgledger_tests::pipe::{Gone, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use others::{Effects, Other};

const WRITERS: u64 = 8;

/// A task as the writer was last told: its status and its newest acknowledged report.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Acknowledged {
    status: String,
    current: u64,
}

/// What is recorded must be what was acknowledged, or what was asked next and not answered.
#[derive(Debug)]
struct Known {
    told: Acknowledged,
    asked: Option<Acknowledged>,
}

struct Writer<'a> {
    path: &'a Path,
    name: u64,
    dice: Dice,
    kills: &'a AtomicUsize,
    wanted: usize,
    process: Piped,
    known: BTreeMap<String, Known>,
}

impl Writer<'_> {
    fn run(mut self) -> BTreeMap<String, Known> {
        let mut task = 0;
        while self.kills.load(Ordering::Relaxed) < self.wanted {
            self.one_life(task);
            task += 1;
        }
        self.known
    }

    /// Creates, starts, reports and finishes one task. After a kill the same question is asked again, as a caller would.
    fn one_life(&mut self, task: u64) {
        let run = format!("{}-{task}", self.name);
        let end = if self.dice.below(3) == 0 { "failed" } else { "succeeded" };
        // Of those that this process runs itself the sweeper proves the death; the next process says that they go on.
        let executor = if self.dice.below(3) == 0 { "self" } else { "external" };
        let state = |status: &str, current| Acknowledged { status: status.to_owned(), current };
        let mut steps = vec![
            (
                format!(
                    r#"{{"create": {{"label": "a life", "run_id": "{run}", "runtime": "subagent", "requester_session": "chat"}}}}"#
                ),
                state("queued", 0),
            ),
            (format!(r#"{{"start": {{"lookup": "run:{run}", "executor": "{executor}"}}}}"#), state("running", 0)),
        ];
        for current in 1..=self.dice.below(4) {
            let report = format!(r#"{{"progress": {{"lookup": "run:{run}", "current": {current}}}}}"#);
            steps.push((report, state("running", current)));
        }
        let last = steps.last().map_or(0, |(_, state)| state.current);
        steps.push((format!(r#"{{"finish": {{"lookup": "run:{run}", "status": "{end}"}}}}"#), state(end, last)));
        for (request, after) in steps {
            if !self.step(&run, &request, after) {
                return;
            }
        }
    }

    /// Asks until it is answered. Whether it was: not if the process died and nobody is to be killed any more.
    fn step(&mut self, run: &str, request: &str, after: Acknowledged) -> bool {
        if let Some(known) = self.known.get_mut(run) {
            known.asked = Some(after.clone());
        }
        loop {
            match self.ask(request) {
                Err(Gone) if self.kills.load(Ordering::Relaxed) >= self.wanted => return false,
                Err(Gone) => self.process = Piped::on(self.path),
                Ok(response) => {
                    // Before it was killed it had started what it starts again under another name.
                    let is_started = response["error"]["code"] == "already_running" && after.status == "running";
                    assert!(is_started || response["ok"]["task"]["number"].is_u64(), "{request}: {response}");
                    self.known.insert(run.to_owned(), Known { told: after, asked: None });
                    return true;
                }
            }
        }
    }

    /// One question; now and then the process is killed while it is at work on it.
    fn ask(&mut self, request: &str) -> Result<Value, Gone> {
        if self.dice.below(6) > 0 {
            return self.process.ask(request);
        }
        self.process.send(request)?;
        kill_soon(&self.process, &mut self.dice);
        self.kills.fetch_add(1, Ordering::Relaxed);
        // What it wrote before it died counts as told.
        self.process.receive()
    }
}

/// SIGKILL, some time within the next 20 ms.
fn kill_soon(process: &Piped, dice: &mut Dice) {
    let most = if dice.below(4) == 0 { 20_000 } else { 3_000 };
    let instant = Duration::from_micros(dice.below(most));
    let id = process.id().to_string();
    std::thread::sleep(instant);
    let killed = Command::new("kill").args(["-9", &id]).status().expect("kill runs");
    assert!(killed.success());
}

#[test]
fn whatever_a_killed_writer_was_told_is_there() {
    let wanted = count("BGLEDGER_KILLS", 500);
    let seed = Dice::seed("BGLEDGER_KILL_SEED", 7);
    let scratch = Scratch::new();
    let path = scratch.ledger();
    let kills = AtomicUsize::new(0);
    let effects = Effects::default();
    let known: BTreeMap<String, Known> = std::thread::scope(|scope| {
        for name in 0..2 {
            let other = Other { path: &path, dice: Dice::new(seed * 100 + 50 + name), kills: &kills, wanted };
            let effects = &effects;
            scope.spawn(move || other.consume(effects));
        }
        let sweeper = Other { path: &path, dice: Dice::new(seed * 100 + 60), kills: &kills, wanted };
        scope.spawn(move || sweeper.sweep());
        let writers: Vec<_> = (0..WRITERS)
            .map(|name| {
                let writer = Writer {
                    path: &path,
                    name,
                    dice: Dice::new(seed * 100 + name),
                    kills: &kills,
                    wanted,
                    process: Piped::on(&path),
                    known: BTreeMap::new(),
                };
                scope.spawn(move || writer.run())
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer whose story held")).collect()
    });
    let kills = kills.load(Ordering::Relaxed);
    assert!(kills >= wanted, "{kills} kills");
    let words = "CASE status WHEN 1 THEN 'queued' WHEN 2 THEN 'running' WHEN 3 THEN 'succeeded' WHEN 4 THEN 'failed' WHEN 7 THEN 'lost' END";
    let query = format!("SELECT run_id || ' ' || {words} || ' ' || coalesce(progress ->> 'current', 0) FROM task");
    let recorded: BTreeMap<String, Acknowledged> = ask_sqlite(&path, &query)
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            let current = parts[2].parse().expect("a number");
            (parts[0].to_owned(), Acknowledged { status: parts[1].to_owned(), current })
        })
        .collect();
    let mut unanswered = 0;
    for (run, known) in &known {
        let found = recorded.get(run).unwrap_or_else(|| panic!("{run} was acknowledged and is gone: {known:?}"));
        let as_asked = known.asked.as_ref() == Some(found);
        unanswered += usize::from(known.asked.is_some());
        // The sweeper has found that whoever ran it is dead.
        let is_lost = found.status == "lost" && known.told.status == "running" && found.current >= known.told.current;
        assert!(*found == known.told || as_asked || is_lost, "{run} is {found:?}, but {known:?}");
    }
    let unknown = recorded.keys().filter(|run| !known.contains_key(*run)).count();
    assert!(unknown <= usize::try_from(WRITERS).expect("few"), "{unknown} tasks that nobody was told of");
    let ended = known.iter().filter(|(_, known)| known.told.status == "succeeded" || known.told.status == "failed");
    let told = effects.settle(&path, ended.map(|(run, _)| run.as_str()));
    println!("{kills} kills, {} tasks, {unanswered} last questions unanswered, {told}", recorded.len());
    assert_sound(&path);
}
