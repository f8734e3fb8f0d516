//! One writer among many: the ledger or the writer by hand, in a thread or in a process of its own.

use super::by_hand::ByHand;
use super::now;
use bgledger_core::config::Durability;
use bgledger_core::{Create, Error, ExecutorSpec, Fill, Finish, Lookup, ProgressRequest, Start, Status, TaskNumber};
use bgledger_store::{Ledger, OpenOptions};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The ledger.
    Ours,
    /// See [`ByHand`].
    ByHand,
}

/// What is written: again and again one operation, or the four of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Creates.
    Creates,
    /// Create, start, progress, finish.
    Lives,
}

/// The ledger, as a host uses it.
#[derive(Debug, Clone)]
pub struct Ours(pub Ledger);

impl Ours {
    /// Opens it.
    pub fn open(path: &Path, durability: Durability, busy_timeout: Duration) -> Ours {
        let executor = ExecutorSpec::External;
        let durability = Some(durability);
        let options = OpenOptions { durability, executor, busy_timeout, ..OpenOptions::default() };
        Ours(Ledger::open(path, options).expect("the ledger opens"))
    }

    /// Records a task; answers its number.
    pub fn create(&self, run: u64) -> Result<u64, Error> {
        let create = Create { label: "a life".into(), run_id: Some(format!("run-{run}")), ..Create::default() };
        self.0.call(create).map(|created| created.task.task.number.0)
    }

    /// Claims it.
    pub fn start(&self, number: u64) -> Result<(), Error> {
        let (lookup, fill) = (lookup(number), Fill::default());
        self.0.call(Start { lookup, executor: None, lease: None, started_at: None, fill }).map(drop)
    }

    /// Says how far it is.
    pub fn progress(&self, number: u64) -> Result<(), Error> {
        let report = ProgressRequest {
            lookup: lookup(number),
            attempt: Some(1),
            nonce: None,
            text: Some("half way".into()),
            current: Some(5),
            total: Some(10),
            unit: Some("files".into()),
            waiting_on: None,
            usage: None,
            artifacts: BTreeMap::new(),
            lease: None,
            fill: Fill::default(),
        };
        self.0.call(report).map(drop)
    }

    /// Ends it.
    pub fn finish(&self, number: u64) -> Result<(), Error> {
        let finish = Finish {
            lookup: lookup(number),
            attempt: Some(1),
            nonce: None,
            status: Status::Succeeded,
            outcome: None,
            reason: None,
            error: None,
            summary: Some("all ten files read".into()),
            result: None,
            exit_code: None,
            signal: None,
            output: None,
            artifacts: BTreeMap::new(),
            usage: None,
            ended_at: None,
        };
        self.0.call(finish).map(drop)
    }
}

fn lookup(number: u64) -> Lookup {
    Lookup::Number(TaskNumber(number))
}

// ---- many of them -------------------------------------------------------------------------------------------

/// What a writer came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations that were acknowledged.
    pub done: u64,
    /// Operations that were refused because somebody else wrote for too long.
    pub locked: u64,
    /// The longest wait for one answer, in nanoseconds.
    pub longest: u64,
}

impl Tally {
    /// Counts one operation that began then; `false`: it was refused.
    pub fn count(&mut self, began: u64, is_done: bool) -> bool {
        self.longest = self.longest.max(now() - began);
        *(if is_done { &mut self.done } else { &mut self.locked }) += 1;
        is_done
    }
}

fn ours_works(ours: &Ours, work: Work, run: u64, tally: &mut Tally) {
    let granted = |result: Result<(), Error>| match result {
        Ok(()) => true,
        Err(Error::Busy { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    let mut number = 0;
    let began = now();
    let created = granted(ours.create(run).map(|made| number = made));
    if !tally.count(began, created) || work == Work::Creates {
        return;
    }
    for step in [Ours::start, Ours::progress, Ours::finish] {
        let began = now();
        let granted = granted(step(ours, number));
        if !tally.count(began, granted) {
            return;
        }
    }
}

fn by_hand_works(by_hand: &mut ByHand, work: Work, run: u64, tally: &mut Tally) {
    let granted = |result: rusqlite::Result<()>| match result {
        Ok(()) => true,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => false,
        Err(error) => panic!("{error}"),
    };
    let mut number = 0;
    let began = now();
    let created = granted(by_hand.create(run).map(|made| number = made));
    if !tally.count(began, created) || work == Work::Creates {
        return;
    }
    for step in [ByHand::start, ByHand::progress, ByHand::finish] {
        let began = now();
        let granted = granted(step(by_hand, number));
        if !tally.count(began, granted) {
            return;
        }
    }
}

/// What several processes write on one file, for a time.
#[derive(Debug, Clone)]
pub struct Crowd<'a> {
    /// Who.
    pub side: Side,
    /// What.
    pub work: Work,
    /// Where: the tables are there.
    pub path: &'a Path,
    /// How safe.
    pub durability: Durability,
    /// How many.
    pub processes: usize,
    /// How long.
    pub window: Duration,
    /// How long each waits for the others.
    pub patience: Duration,
    /// A number that no earlier crowd on this file had.
    pub turn: u64,
}

const WORKER: &str = "--one-of-a-crowd";

impl Crowd<'_> {
    /// Has them all write at once and tells what each came to. The program's `main` must begin with [`serve`].
    pub fn run(&self) -> Vec<Tally> {
        let mut children: Vec<Child> = (0..self.processes).map(|name| self.spawn(name)).collect();
        let mut outputs: Vec<_> =
            children.iter_mut().map(|child| BufReader::new(child.stdout.take().expect("a pipe"))).collect();
        for output in &mut outputs {
            let mut line = String::new();
            output.read_line(&mut line).expect("a worker that is ready");
            assert_eq!(line, "ready\n", "a worker did not come up");
        }
        // All pipes are there: they begin together.
        for child in &mut children {
            child.stdin.take().expect("a pipe").write_all(b"go\n").expect("a worker that listens");
        }
        let told = |(child, output): (&mut Child, &mut BufReader<_>)| {
            let mut text = String::new();
            output.read_to_string(&mut text).expect("a worker's tally");
            assert!(child.wait().expect("a worker").success(), "a worker failed: {text}");
            let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            let [done, locked, longest] = numbers[..] else { panic!("a worker said {text:?}") };
            Tally { done, locked, longest }
        };
        children.iter_mut().zip(&mut outputs).map(told).collect()
    }

    fn spawn(&self, name: usize) -> Child {
        let words = [
            if self.side == Side::Ours { "ours" } else { "by-hand" }.to_owned(),
            if self.work == Work::Creates { "creates" } else { "lives" }.to_owned(),
            self.path.display().to_string(),
            if self.durability == Durability::Full { "full" } else { "relaxed" }.to_owned(),
            self.window.as_millis().to_string(),
            self.patience.as_millis().to_string(),
            (self.turn * 1_000 + name as u64).to_string(),
        ];
        Command::new(std::env::current_exe().expect("this program"))
            .arg(WORKER)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker")
    }
}

/// Does a worker's part if this process is one; `true`: it was.
pub fn serve() -> bool {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [flag, side, work, path, durability, window, patience, name] = words.as_slice() else { return false };
    if flag != WORKER {
        return false;
    }
    let number = |word: &String| word.parse::<u64>().expect("a number");
    let path = Path::new(path);
    let durability = if durability == "full" { Durability::Full } else { Durability::Relaxed };
    let work = if work == "creates" { Work::Creates } else { Work::Lives };
    let patience = Duration::from_millis(number(patience));
    let mut sides = match side.as_str() {
        "ours" => (Some(Ours::open(path, durability, patience)), None),
        _ => (None, Some(ByHand::open(path, durability, patience))),
    };
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the word to go");
    let mut tally = Tally::default();
    let until = now() + number(window) * 1_000_000;
    let mut run = number(name) * 10_000_000;
    while now() < until {
        match &mut sides {
            (Some(ours), _) => ours_works(ours, work, run, &mut tally),
            (None, Some(by_hand)) => by_hand_works(by_hand, work, run, &mut tally),
            (None, None) => unreachable!("a side was chosen"),
        }
        run += 1;
    }
    println!("{} {} {}", tally.done, tally.locked, tally.longest);
    true
}
