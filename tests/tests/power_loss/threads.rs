//! Four threads on one handle: their requests share commits, and each is told after its own.

use crate::{Tally, Wrong, moments, open};
use bgledger_core::config::Durability;
use bgledger_tests::content::{integrity, reader};
use bgledger_tests::dice::Dice;
use bgledger_tests::disk::{Disk, Image, Loss, put_into};
use bgledger_tests::json;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::vfs::{Happening, Watch};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

const THREADS: u64 = 4;
const NOW: &str = "2026-01-02T00:00:00Z";

/// A task at a revision, which somebody was told of.
pub(crate) type Told = (String, u64);

pub(crate) struct Story {
    pub(crate) happened: Vec<Happening>,
    pub(crate) told: Vec<Told>,
    /// Every event, by its place.
    pub(crate) events: BTreeMap<i64, String>,
}

fn play(seed: u64) -> Story {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let watch = Watch::over(path.parent().expect("a folder"));
    watch.remember();
    // So that there is a moment between a commit and its sync in which a thread might be told too early.
    watch.slow_down();
    let ledger = open(&path, Durability::Full);
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ledger, told, watch) = (ledger.clone(), &told, &watch);
            scope.spawn(move || {
                let mut dice = Dice::new(seed * THREADS + thread);
                for life in 0..6 {
                    let run = format!("{thread}-{life}");
                    let ask = |line: String, promised: bool| {
                        let answer: Value = json::parse(&ledger.answer(&line)).expect("JSON");
                        let task = &answer["ok"]["task"];
                        assert!(task.is_object(), "{line}: {answer}");
                        if promised {
                            let mut told = told.lock().expect("a list");
                            told.push((run.clone(), task["revision"].as_u64().expect("a revision")));
                            watch.tell(told.len() - 1);
                        }
                    };
                    let lookup = format!(r#""lookup": "run:{run}""#);
                    ask(format!(r#"{{"now": "{NOW}", "create": {{"label": "a life", "run_id": "{run}"}}}}"#), true);
                    ask(format!(r#"{{"now": "{NOW}", "start": {{{lookup}, "executor": "external"}}}}"#), true);
                    for current in 0..dice.below(3) {
                        ask(format!(r#"{{"now": "{NOW}", "progress": {{{lookup}, "current": {current}}}}}"#), false);
                    }
                    ask(format!(r#"{{"now": "{NOW}", "finish": {{{lookup}, "status": "succeeded"}}}}"#), true);
                }
            });
        }
    });
    let events = events(&reader(&path).expect("a reader")).expect("events");
    Story { happened: watch.happened(), told: told.into_inner().expect("a list"), events }
}

pub(crate) fn events(sql: &Connection) -> rusqlite::Result<BTreeMap<i64, String>> {
    let query = "SELECT seq, task || ' ' || prev || ' ' || kind || ' ' || coalesce(data, '') FROM event";
    sql.prepare(query)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The power goes at some moments of a story of its own.
pub(crate) fn lose(seed: u64, many: usize, syncs: bool, tally: &mut Tally) {
    play(seed).lose(seed, many, syncs, tally);
}

impl Story {
    /// The power goes at some moments of it. `syncs`: as for the stories of one thread.
    pub(crate) fn lose(&self, seed: u64, many: usize, syncs: bool, tally: &mut Tally) {
        let mut dice = Dice::new(seed ^ 0xD15C);
        let mut disk = Disk::of(&Image::new());
        let (mut place, mut kept) = (0, true);
        let mut told: BTreeMap<&str, u64> = BTreeMap::new();
        for moment in moments(&self.happened, many, &mut dice) {
            for happening in &self.happened[place..moment] {
                if let Happening::Told(what) = happening {
                    let (run, revision) = &self.told[*what];
                    told.insert(run, *revision);
                    kept = syncs;
                }
                disk.follow(happening, kept);
            }
            place = moment;
            let found = look(&disk.after(Loss::any(&mut dice), &mut dice), self, &told);
            if syncs && found.is_err() {
                eprintln!("story {seed}: {found:?} after {moment} of {}", self.happened.len());
            }
            tally.note(found);
        }
    }
}

fn look(image: &Image, story: &Story, told: &BTreeMap<&str, u64>) -> Result<bool, Wrong> {
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    put_into(path.parent().expect("a folder"), image);
    if !path.exists() {
        return if told.is_empty() { Ok(true) } else { Err(Wrong::Lost) };
    }
    let ledger = open(&path, Durability::Full);
    let verified = ledger.answer(&format!(r#"{{"now": "{NOW}", "verify": {{}}}}"#));
    if !verified.contains(r#""ok":true"#) {
        return Err(Wrong::Damaged);
    }
    let sql = reader(&path).map_err(|_| Wrong::Damaged)?;
    if integrity(&sql).map_err(|_| Wrong::Damaged)? != "ok" {
        return Err(Wrong::Damaged);
    }
    let found = events(&sql).map_err(|_| Wrong::Damaged)?;
    if found.iter().any(|(seq, event)| story.events.get(seq) != Some(event)) {
        return Err(Wrong::Strange);
    }
    for (run, revision) in told {
        let query = "SELECT revision FROM task WHERE run_id = ?1";
        let there: Result<i64, _> = sql.query_row(query, [run], |row| row.get(0));
        if there.map_or(true, |there| there.cast_unsigned() < *revision) {
            return Err(Wrong::Lost);
        }
    }
    Ok(found.is_empty())
}
