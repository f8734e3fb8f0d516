//! A ledger whose clock, ids, faults and order of events all come from one seed: several actors, each with a handle of its
//! own, ask one after the other; now and then the file system fails, or an actor leaves and comes back.
//!
//! Every answer must be the model's (`model.rs`). A request that failed changed nothing; of one whose end is unknown both
//! is believed until an answer tells.

use crate::content;
use crate::dice::Dice;
use crate::face::{Face, InProcess};
use crate::model::{Ask, Model, START_MS, time};
use crate::moves::{Move, later, moves, runner};
use crate::scratch::Scratch;
use crate::vector;
use crate::vfs::{Fault, Watch};
use proptest::strategy::{Strategy, ValueTree};
use serde_json::{Value, json};
use std::ffi::CStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Once, OnceLock};

/// Whose handles there are.
const ACTORS: [Option<&str>; 5] = [None, None, None, Some("ada"), Some("ada")];

/// What came of a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The ledger's file, when everybody has left.
    pub file: Vec<u8>,
    /// Every answer.
    pub answers: Vec<String>,
    /// How many requests met a fault.
    pub struck: usize,
    /// How many of these ended as unknown.
    pub unknown: usize,
}

/// Makes a command's random bytes come from a seed; see [`seed_chance`].
pub fn govern(command: &mut Command) {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| crate::fault::compile("chance.c", include_str!("chance.c")));
    command.env("LD_PRELOAD", library);
}

/// Gives this process's random bytes a seed. Whether it could: it was started by [`govern`].
pub fn seed_chance(seed: u64) -> bool {
    const NAME: &CStr = c"bgledger_test_chance";
    // SAFETY: the name is a text; a symbol of that name is the function of chance.c.
    unsafe {
        let found = libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr());
        if found.is_null() {
            return false;
        }
        std::mem::transmute::<*mut libc::c_void, extern "C" fn(u64)>(found)(seed);
    }
    true
}

/// Plays a seed in a process that [`govern`] started. The error tells which answer was wrong.
pub fn play(seed: u64) -> Result<Outcome, String> {
    // What is drawn once in a process is drawn before the seed counts.
    static WARM: Once = Once::new();
    WARM.call_once(|| {
        let scratch = Scratch::in_memory();
        let mut somebody = InProcess::open(&scratch.ledger(), None);
        drop(somebody.ask(&at(Ask::plain_creation().request(), START_MS)));
    });
    let moves = moves().new_tree(&mut runner(seed)).map_err(|reason| reason.to_string())?.current();
    let scratch = Scratch::in_memory();
    let path = scratch.ledger();
    let watch = Watch::over(path.parent().expect("a folder"));
    assert!(seed_chance(seed), "its random bytes come from the seed");
    let mut stage = Stage {
        actors: ACTORS.map(|owner| InProcess::open(&path, owner)),
        watch: &watch,
        scratch: &scratch,
        dice: Dice::new(seed),
        believed: vec![Model::default()],
        answers: Vec::new(),
        struck: 0,
        unknown: 0,
    };
    let mut now = START_MS;
    stage.ask(now, None, &Ask::plain_creation(), false)?;
    for Move { after, owner, ask } in &moves {
        now = later(now, *after);
        // A cancel and a maintenance are several transactions, of which a fault may leave some.
        let is_one = !matches!(ask, Ask::Cancel { .. } | Ask::Maintenance { .. });
        let fails = is_one && stage.dice.below(6) == 0;
        stage.ask(now, *owner, ask, fails)?;
    }
    stage.look_through(now)?;
    let Stage { actors, answers, struck, unknown, .. } = stage;
    drop(actors);
    let whole = content::reader(&path).and_then(|sql| content::integrity(&sql)).map_err(|error| error.to_string())?;
    let file = std::fs::read(&path).map_err(|error| error.to_string())?;
    match whole.as_str() {
        "ok" => Ok(Outcome { file, answers, struck, unknown }),
        _ => Err(whole),
    }
}

struct Stage<'a> {
    actors: [InProcess; ACTORS.len()],
    watch: &'a Watch,
    scratch: &'a Scratch,
    dice: Dice,
    /// What may be recorded.
    believed: Vec<Model>,
    answers: Vec<String>,
    struck: usize,
    unknown: usize,
}

impl Stage<'_> {
    /// One of an owner's actors, who may have just come back.
    fn actor(&mut self, owner: Option<&str>) -> usize {
        let own: Vec<usize> = (0..ACTORS.len()).filter(|place| ACTORS[*place] == owner).collect();
        let actor = *self.dice.pick(&own);
        if self.dice.below(12) == 0 {
            self.actors[actor] = InProcess::open(&self.scratch.ledger(), owner);
        }
        actor
    }

    fn ask(&mut self, now: i64, owner: Option<&'static str>, ask: &Ask, fails: bool) -> Result<(), String> {
        let actor = self.actor(owner);
        if fails {
            let fault = *self.dice.pick(&[Fault::Io, Fault::Full, Fault::Sync, Fault::ReadOnly]);
            let (after, lasting) = (self.dice.below(24), self.dice.below(2) == 0);
            self.watch.order(fault, after, lasting);
        }
        let line = at(ask.request(), now);
        let answer = self.actors[actor].ask(&line);
        let (struck, call) = self.watch.relent();
        self.struck += usize::from(struck > 0);
        self.answers.push(self.scratch.nameless(&answer));
        let given: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        let by_rule = given["error"]["code"] == "wait_timed_out"
            || ["refused", "not_found"].map(Value::from).contains(&given["error"]["class"]);
        let is_the_disks = given["error"].is_object() && !by_rule;
        let told = |problem: &str| {
            format!(
                "request {}: {problem}\n  asked    {line}\n  answered {answer}\n  struck   {struck}, last {call:?}",
                self.answers.len()
            )
        };
        match (is_the_disks, given["error"]["code"].as_str()) {
            (true, _) if struck == 0 => return Err(told("it failed, though nothing else did")),
            (true, Some("unknown")) => {
                self.unknown += 1;
                let mut after = self.believed.clone();
                after.iter_mut().for_each(|model| drop(model.answer(owner, now, ask)));
                self.believed.extend(after);
            }
            (true, _) => {}
            (false, _) => {
                let mut problems = Vec::new();
                let mut fitting = self.believed.clone();
                fitting.retain_mut(|model| {
                    let wanted = model.answer(owner, now, ask);
                    vector::fits(&wanted, &given, "").map_err(|problem| problems.push(problem)).is_ok()
                });
                if fitting.is_empty() {
                    return Err(told(&problems.join("; ")));
                }
                self.believed = fitting;
            }
        }
        self.believed.dedup();
        Ok(())
    }

    /// Everything that is recorded is what one that is believed has.
    fn look_through(&mut self, now: i64) -> Result<(), String> {
        let mut problems = Vec::new();
        let mut believed = std::mem::take(&mut self.believed);
        believed.retain(|model| {
            let owners = [(0, None), (ACTORS.len() - 1, ACTORS[ACTORS.len() - 1])];
            let looks = owners.into_iter().flat_map(|(actor, owner)| {
                model.inventory(owner, now).into_iter().map(move |(request, wanted)| (actor, request, wanted))
            });
            for (actor, request, wanted) in looks {
                let answer = self.actors[actor].ask(&at(request, now));
                let given = serde_json::from_str(&answer).unwrap_or(Value::Null);
                if let Err(problem) = vector::fits(&wanted, &given, "") {
                    problems.push(format!("at the end: {problem}\n  wanted {wanted}\n  got    {answer}"));
                    return false;
                }
            }
            true
        });
        if believed.is_empty() { Err(problems.join("\n")) } else { Ok(()) }
    }
}

fn at(mut request: Value, now: i64) -> String {
    request["now"] = json!(time(now));
    request.to_string()
}
