//! The power goes, at any moment: what was acknowledged at `full` is there afterwards, `relaxed` loses only the newest,
//! and the ledger is whole. Each story is played on a file system that remembers; from what it remembers the disk is
//! made as it may be after a loss at many a moment, and the real store goes on with it.
//!
//! More of it: `cargo run --release -p bgledger-tests --bin soak -- power-loss --count 50000`.

mod processes;
mod threads;
mod workload;

use bgledger_core::config::Durability;
use bgledger_store::{Ledger, OpenOptions};
use bgledger_tests::content::{content, integrity, reader};
use bgledger_tests::dice::{Dice, count};
use bgledger_tests::disk::{Disk, Image, Loss, put_into};
use bgledger_tests::json;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vfs::{Fault, Happening, Watch};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use workload::Workload;

/// Losses of one story.
const CUTS: usize = 40;
/// How often the power goes again while the ledger recovers from it.
const DEPTH: usize = 5;

/// A ledger through time: what it held after each request, and what happened on its disk.
pub(crate) struct Story {
    start: Image,
    happened: Vec<Happening>,
    /// The ledger's content after each request; 0: before the first.
    states: Vec<String>,
    /// Whether that was promised to stay.
    promised: Vec<bool>,
    /// Whether it passed through other states: requests of several transactions.
    between: bool,
    /// Whether syncs failed: of a request whose sync did, nobody knows whether it is there.
    doubtful: bool,
}

/// What was found wrong after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// What was acknowledged is not there.
    Lost,
    /// It holds what never was.
    Strange,
    /// SQLite or `verify` finds damage, or it does not open, or does not go on.
    Damaged,
}

pub(crate) fn open(path: &Path, durability: Durability) -> Ledger {
    let options = OpenOptions { durability: Some(durability), test_clock: true, ..OpenOptions::default() };
    Ledger::open(path, options).expect("the ledger opens")
}

fn ask(ledger: &Ledger, line: &str) -> Value {
    json::parse(&ledger.answer(line)).expect("a response is JSON")
}

fn state(path: &Path) -> String {
    match path.exists() {
        true => content(&reader(path).expect("a reader")).expect("a content"),
        false => String::new(),
    }
}

/// Checkpoints of every kind, as a tool beside the store may do them.
fn checkpoint(path: &Path, dice: &mut Dice) {
    if path.exists() {
        let outside = Connection::open(path).expect("a connection");
        let kind = dice.pick(&["PASSIVE", "FULL", "RESTART", "TRUNCATE"]);
        outside.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |_| Ok(())).expect("a checkpoint");
    }
}

/// Plays a story of so many requests. `full` of a hundred are asked through a durable handle.
fn play(seed: u64, requests: usize, full: u64, long: bool) -> Story {
    play_on(seed, requests, full, long, false)
}

/// The same on a disk of which now and then a sync fails: what it was to keep is dropped for good.
fn play_on(seed: u64, requests: usize, full: u64, long: bool, failing: bool) -> Story {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let watch = Watch::over(path.parent().expect("a folder"));
    watch.remember();
    let mut workload = Workload::new(seed, long);
    let mut handles = None;
    let (mut states, mut promised) = (vec![String::new()], vec![false]);
    let mut between = false;
    for _ in 0..requests {
        let (durable, relaxed) =
            handles.get_or_insert_with(|| (open(&path, Durability::Full), open(&path, Durability::Relaxed)));
        let is_full = workload.dice().below(100) < full;
        let asked = workload.next();
        if failing && workload.dice().below(4) == 0 {
            watch.order(Fault::Sync, workload.dice().below(3), false);
        }
        let answer = ask(if is_full { durable } else { relaxed }, &asked.line);
        let (struck, _) = watch.relent();
        workload.learn(&answer);
        let code = answer["error"]["class"].as_str().unwrap_or("done");
        let in_doubt = struck > 0 && ["unknown", "failed"].contains(&code);
        assert!(in_doubt || ["done", "refused", "not_found"].contains(&code), "seed {seed}: {}: {answer}", asked.line);
        between |= !asked.at_once;
        states.push(state(&path));
        promised.push(is_full && asked.promised && answer["ok"].is_object());
        watch.tell(states.len() - 1);
        match workload.dice().below(24) {
            0 => handles = None,
            1 => checkpoint(&path, workload.dice()),
            _ => {}
        }
    }
    Story { start: Image::new(), happened: watch.happened(), states, promised, between, doubtful: failing }
}

/// What losses came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) losses: usize,
    pub(crate) wrong: HashMap<Wrong, usize>,
    /// Losses after which something that was recorded is gone, rightly.
    pub(crate) shortened: usize,
}

impl Tally {
    fn note(&mut self, found: Result<bool, Wrong>) {
        self.losses += 1;
        match found {
            Ok(shortened) => self.shortened += usize::from(shortened),
            Err(wrong) => *self.wrong.entry(wrong).or_default() += 1,
        }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.losses += other.losses;
        self.shortened += other.shortened;
        other.wrong.into_iter().for_each(|(wrong, many)| *self.wrong.entry(wrong).or_default() += many);
    }
}

/// Moments of a story at which the power goes, in order.
pub(crate) fn moments(happened: &[Happening], many: usize, dice: &mut Dice) -> Vec<usize> {
    let mut moments: Vec<usize> =
        (0..many).map(|_| usize::try_from(dice.below(happened.len() as u64 + 1)).expect("a place")).collect();
    moments.sort_unstable();
    moments
}

/// The power goes at some moments of a story. `syncs`: whether the disk keeps what it said it keeps; if not, what was
/// made before the first acknowledgement is kept all the same, so that there is a ledger to be damaged.
fn lose(story: &Story, many: usize, syncs: bool, depth: usize, dice: &mut Dice, tally: &mut Tally) {
    let mut disk = Disk::of(&story.start);
    let (mut place, mut reached, mut acknowledged, mut kept) = (0, 0, 0, true);
    for moment in moments(&story.happened, many, dice) {
        for happening in &story.happened[place..moment] {
            if let Happening::Told(state) = happening {
                reached = *state;
                acknowledged = if story.promised[reached] { reached } else { acknowledged };
                kept = syncs;
            }
            disk.follow(happening, kept);
        }
        place = moment;
        let image = disk.after(Loss::any(dice), dice);
        let found = go_on(story, &image, acknowledged, depth, dice, tally);
        tally.note(found.map(|found| found.is_some_and(|state| state < reached)));
    }
}

/// Opens what is left, looks what it is, and goes on with it. Answers which state it found.
fn go_on(
    story: &Story,
    image: &Image,
    acknowledged: usize,
    depth: usize,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Result<Option<usize>, Wrong> {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let folder = path.parent().expect("a folder");
    put_into(folder, image);
    let again = depth > 0 && dice.below(8) == 0;
    let watch = Watch::over(folder);
    if again {
        watch.remember();
    }
    if !path.exists() && acknowledged > 0 {
        return Err(Wrong::Lost);
    }
    let ledger = Ledger::open(&path, OpenOptions { test_clock: true, ..OpenOptions::default() });
    let ledger = ledger.map_err(|_| Wrong::Damaged)?;
    let mut found = String::new();
    if path.exists() {
        let verified = ask(&ledger, r#"{"now": "2026-01-31T00:00:00Z", "verify": {}}"#);
        if verified["ok"]["ok"] != true {
            return Err(Wrong::Damaged);
        }
        let sql = reader(&path).map_err(|_| Wrong::Damaged)?;
        if integrity(&sql).map_err(|_| Wrong::Damaged)? != "ok" {
            return Err(Wrong::Damaged);
        }
        found = content(&sql).map_err(|_| Wrong::Damaged)?;
    }
    let same = story.states.iter().rposition(|state| *state == found);
    match same {
        Some(at) if at < acknowledged => return Err(Wrong::Lost),
        Some(_) => {}
        // A new ledger without anything.
        None if acknowledged == 0 && !found.contains("\ntask|") => {}
        None if story.doubtful => has_all(&story.states[acknowledged], &found)?,
        None if story.between => is_between(story, &found, acknowledged)?,
        None => return Err(Wrong::Strange),
    }
    // It goes on, and what it is told now stays, too.
    let went_on = ask(&ledger, r#"{"now": "2026-01-31T00:00:01Z", "create": {"label": "afterwards"}}"#);
    if went_on["ok"]["created"] != true {
        return Err(Wrong::Damaged);
    }
    watch.tell(1);
    let after = state(&path);
    drop(ledger);
    if state(&path) != after {
        return Err(Wrong::Lost);
    }
    if again {
        let next = Story {
            start: image.clone(),
            happened: watch.happened(),
            states: vec![found, after],
            promised: vec![true; 2],
            between: false,
            doubtful: false,
        };
        lose(&next, 3, true, depth - 1, dice, tally);
    }
    Ok(same)
}

/// Whether every event is there that was acknowledged.
fn has_all(acknowledged: &str, found: &str) -> Result<(), Wrong> {
    let there: HashSet<&str> = found.lines().collect();
    let is_lost = acknowledged.lines().any(|line| line.starts_with("event|") && !there.contains(line));
    if is_lost { Err(Wrong::Lost) } else { Ok(()) }
}

/// Whether a state that was seen after no request may lie between two: at least what was acknowledged, and no event that
/// never was.
fn is_between(story: &Story, found: &str, acknowledged: usize) -> Result<(), Wrong> {
    let events = |state: &str| -> Vec<String> {
        state.lines().filter(|line| line.starts_with("event|")).map(str::to_owned).collect()
    };
    let seq = |state: &str| events(state).last().and_then(|line| line.split('|').nth(1)?.parse::<u64>().ok());
    if seq(found) < seq(&story.states[acknowledged]) {
        return Err(Wrong::Lost);
    }
    let ever: HashSet<&str> =
        story.states.iter().flat_map(|state| state.lines()).filter(|line| line.starts_with("event|")).collect();
    match events(found).iter().all(|event| ever.contains(event.as_str())) {
        true => Ok(()),
        false => Err(Wrong::Strange),
    }
}

/// So many losses, in stories of the given kind, on both processors.
fn losses(many: usize, seed: u64, syncs: bool, story: impl Fn(u64) -> Story + Sync) -> Tally {
    let next = AtomicU64::new(0);
    let stories = many.div_ceil(CUTS) as u64;
    let work = || {
        let mut tally = Tally::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= stories {
                return tally;
            }
            let own = seed.wrapping_mul(1_000_003).wrapping_add(number);
            let before = tally.wrong.clone();
            lose(&story(own), CUTS, syncs, DEPTH, &mut Dice::new(own ^ 0xD15C), &mut tally);
            if syncs && tally.wrong != before {
                eprintln!("story {own}: {:?}", tally.wrong);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        let mut sum = Tally::default();
        workers.into_iter().for_each(|worker| sum.add(worker.join().expect("a worker")));
        sum
    })
}

#[test]
fn a_power_loss_takes_nothing_that_was_acknowledged() {
    let (many, seed) = (count("BGLEDGER_POWER_LOSSES", 1_000), Dice::seed("BGLEDGER_POWER_SEED", 1));
    let tally = losses(many, seed, true, |seed| play(seed, 60, if seed % 2 == 0 { 100 } else { 60 }, seed % 3 == 0));
    println!("{} power losses, {} of them without the newest: {:?}", tally.losses, tally.shortened, tally.wrong);
    assert!(tally.losses >= many && tally.shortened > 0);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
}

/// Nothing is promised but order: each state that is found is one that was.
#[test]
fn relaxed_loses_only_the_newest() {
    let (many, seed) = (count("BGLEDGER_POWER_LOSSES", 1_000) / 4, Dice::seed("BGLEDGER_POWER_SEED", 1));
    let tally = losses(many, seed, true, |seed| play(seed, 60, 0, false));
    println!("{} power losses, relaxed, {} of them without the newest", tally.losses, tally.shortened);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    assert!(tally.shortened > tally.losses / 10, "a relaxed ledger that syncs all the same: {}", tally.shortened);
}

/// A sync fails, what it was to keep is gone, and later the power goes: what was told as recorded is there all the same.
#[test]
fn a_failed_sync_takes_nothing_that_was_acknowledged() {
    let (many, seed) = (count("BGLEDGER_POWER_LOSSES", 1_000) / 2, Dice::seed("BGLEDGER_POWER_SEED", 1));
    let tally = losses(many, seed, true, |seed| play_on(seed, 60, 60, false, true));
    println!("{} power losses after failed syncs, {} of them without the newest", tally.losses, tally.shortened);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
}

/// The control: a disk that only says that it synced is found out.
#[test]
fn a_disk_that_does_not_sync_is_found_out() {
    let tally = losses(200, 3, false, |seed| play(seed, 60, 100, false));
    let wrong: usize = tally.wrong.values().sum();
    println!("{} power losses without syncs: {:?}", tally.losses, tally.wrong);
    assert!(wrong * 5 > tally.losses, "{wrong} of {} were found", tally.losses);
}

/// Several threads share commits: what each of them was told is there.
#[test]
fn a_power_loss_takes_nothing_from_threads_that_share_commits() {
    let (many, seed) = (count("BGLEDGER_POWER_LOSSES", 1_000) / 4, Dice::seed("BGLEDGER_POWER_SEED", 1));
    let mut tally = Tally::default();
    for number in 0..many.div_ceil(CUTS) as u64 {
        threads::lose(seed.wrapping_mul(7_919).wrapping_add(number), CUTS, true, &mut tally);
    }
    println!("{} power losses under four threads", tally.losses);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    let mut control = Tally::default();
    threads::lose(seed, CUTS, false, &mut control);
    assert!(!control.wrong.is_empty(), "a disk that does not sync is not found out");
}

/// Several processes, with all that they do to files, from the making of the ledger on.
#[test]
fn a_power_loss_takes_nothing_from_processes() {
    let (many, seed) = (count("BGLEDGER_POWER_LOSSES", 1_000) / 4, Dice::seed("BGLEDGER_POWER_SEED", 1));
    let mut tally = Tally::default();
    for number in 0..many.div_ceil(CUTS) as u64 {
        let seed = seed.wrapping_mul(104_729).wrapping_add(number);
        processes::play(seed).lose(seed, CUTS, true, &mut tally);
    }
    println!("{} power losses under four processes: {:?}", tally.losses, tally.wrong);
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    let mut control = Tally::default();
    processes::play(seed).lose(seed, CUTS, false, &mut control);
    let wrong: usize = control.wrong.values().sum();
    assert!(wrong * 5 > control.losses, "{wrong} of {} were found on a disk that does not sync", control.losses);
}
