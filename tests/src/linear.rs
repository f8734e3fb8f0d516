//! Whether what several processes were told about one task at once is what one after the other could have been told.
//!
//! The search is Wing and Gong's: of the calls that may have come first, one is tried, the model (`model.rs`, which shares
//! nothing with the core) must answer as the ledger did, and so on with the rest; what was tried before is not tried
//! again (Lowe). Tasks share nothing that an answer shows, so each is looked at for itself. A call that nobody saw
//! answered, because its process was killed, may have happened at any time since it was asked, or never.

use crate::model::{Ask, Model};
use crate::vector;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// One call.
#[derive(Debug, Clone)]
pub struct Called {
    /// Who asked.
    pub process: usize,
    /// When it was asked: no two moments of a history are equal.
    pub asked: u64,
    /// When it was answered; `None`: nobody knows whether it happened.
    pub answered: Option<u64>,
    /// The time of the test clock that it was given.
    pub now: i64,
    /// What was asked.
    pub ask: Ask,
    /// The answer, as [`plain`] makes it.
    pub answer: Value,
}

/// An answer without what other tasks decide: its number becomes 1.
pub fn plain(mut answer: Value) -> Value {
    for pointer in ["/ok/task/number", "/ok/task/run_id"] {
        if let Some(value) = answer.pointer_mut(pointer) {
            *value = if pointer.ends_with("number") { 1.into() } else { Value::Null };
        }
    }
    answer
}

/// A history that no order explains.
#[derive(Debug, Clone)]
pub struct Impossible {
    /// The longest order that was found.
    order: Vec<usize>,
    /// What the model answers after it, for each call that could be next.
    next: Vec<(usize, Value)>,
    history: Vec<Called>,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no order explains these calls of one task:")?;
        for (place, Called { process, asked, answered, now, ask, answer }) in self.history.iter().enumerate() {
            let end = answered.map_or("?".to_owned(), |end| end.to_string());
            writeln!(f, "{place:>3} {asked}..{end} by {process} at {now}: {} -> {answer}", ask.request())?;
        }
        writeln!(f, "the longest order: {:?}", self.order)?;
        self.next.iter().try_for_each(|(place, wanted)| writeln!(f, "then {place} must be answered {wanted}"))
    }
}

/// Looks for an order of one task's calls that explains every answer; answers how many steps that took.
pub fn explain(history: &[Called]) -> Result<usize, Impossible> {
    let mut history = history.to_vec();
    history.sort_by_key(|called| called.asked);
    let mut search = Search {
        history: &history,
        order: Vec::new(),
        done: vec![false; history.len()],
        seen: HashSet::new(),
        steps: 0,
        longest: Vec::new(),
        next: Vec::new(),
    };
    match search.go(&Model::default()) {
        true => Ok(search.steps),
        false => Err(Impossible { order: search.longest, next: search.next, history: history.clone() }),
    }
}

struct Search<'a> {
    history: &'a [Called],
    /// What was done, in this order.
    order: Vec<usize>,
    done: Vec<bool>,
    /// What led nowhere: which calls were done, and what the model was then.
    seen: HashSet<(Vec<bool>, Model)>,
    steps: usize,
    longest: Vec<usize>,
    next: Vec<(usize, Value)>,
}

impl Search<'_> {
    /// Whether the rest can be explained.
    fn go(&mut self, model: &Model) -> bool {
        let before = self.order.len();
        // What was answered and changes nothing now is never better later.
        while let Some(place) = self.first_that_changes_nothing(model) {
            self.push(place);
        }
        if self.left().all(|place| self.history[place].answered.is_none()) {
            return true;
        }
        if self.seen.insert((self.done.clone(), model.clone())) {
            for (place, after) in self.fitting(model) {
                self.push(place);
                if self.go(&after) {
                    return true;
                }
                self.pop();
            }
        }
        while self.order.len() > before {
            self.pop();
        }
        false
    }

    fn push(&mut self, place: usize) {
        self.order.push(place);
        self.done[place] = true;
    }

    fn pop(&mut self) {
        if let Some(place) = self.order.pop() {
            self.done[place] = false;
        }
    }

    fn left(&self) -> impl Iterator<Item = usize> {
        (0..self.history.len()).filter(|place| !self.done[*place])
    }

    /// The calls that may come next: no other was over before they were asked.
    fn candidates(&self) -> Vec<usize> {
        let first_end = self.left().filter_map(|place| self.history[place].answered).min().unwrap_or(u64::MAX);
        self.left().take_while(|place| self.history[*place].asked < first_end).collect()
    }

    /// What the model answers, and becomes.
    fn step(&mut self, model: &Model, place: usize) -> (Value, Model) {
        self.steps += 1;
        let Called { now, ask, .. } = &self.history[place];
        let mut after = model.clone();
        let wanted = after.answer(None, *now, ask);
        (wanted, after)
    }

    fn first_that_changes_nothing(&mut self, model: &Model) -> Option<usize> {
        self.candidates().into_iter().filter(|place| self.history[*place].answered.is_some()).find(|place| {
            let (wanted, after) = self.step(model, *place);
            after == *model && self.explains(*place, wanted).is_ok()
        })
    }

    fn fitting(&mut self, model: &Model) -> Vec<(usize, Model)> {
        let (mut fitting, mut wrong) = (Vec::new(), Vec::new());
        for place in self.candidates() {
            let (wanted, after) = self.step(model, place);
            match self.explains(place, wanted) {
                // One that nobody saw answered and that changes nothing may as well be left out.
                Ok(()) if after == *model => {}
                Ok(()) => fitting.push((place, after)),
                Err(wanted) => wrong.push((place, wanted)),
            }
        }
        if self.order.len() >= self.longest.len() {
            (self.longest, self.next) = (self.order.clone(), wrong);
        }
        // A call that was seen to happen is tried before one that may have.
        fitting.sort_by_key(|(place, _)| self.history[*place].answered.is_none());
        fitting
    }

    fn explains(&self, place: usize, wanted: Value) -> Result<(), Value> {
        let Called { answered, answer, .. } = &self.history[place];
        let wanted = plain(wanted);
        match answered.is_none() || vector::fits(&wanted, answer, "").is_ok() {
            true => Ok(()),
            false => Err(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{End, Executor, Lookup, START_MS, Standing, Word};

    const RUN: Lookup = Lookup::Run("r1");

    /// Calls one after the other, each with the model's own answer: what is to be spoiled.
    fn sequence(asks: &[Ask]) -> Vec<Called> {
        let mut model = Model::default();
        let called = |(place, ask): (usize, &Ask)| {
            let answer = plain(model.answer(None, START_MS, ask));
            let asked = 10 * place as u64;
            Called { process: place, asked, answered: Some(asked + 1), now: START_MS, ask: ask.clone(), answer }
        };
        asks.iter().enumerate().map(called).collect()
    }

    fn created() -> Ask {
        let mut creation = Ask::plain_creation();
        let Ask::Create { run, .. } = &mut creation else { panic!("a creation") };
        *run = Some("r1");
        creation
    }

    fn claimed(executor: Executor) -> Ask {
        Ask::Start { lookup: RUN, executor, lease: None }
    }

    fn reported(current: u32) -> Ask {
        Ask::Say { lookup: RUN, attempt: None, word: Word::Progress { current, waiting_on: None } }
    }

    fn finished() -> Ask {
        Ask::Finish { lookup: RUN, attempt: None, end: End { standing: Standing::Succeeded, word: None } }
    }

    fn shown() -> Ask {
        Ask::Show { lookup: RUN }
    }

    #[test]
    fn what_came_one_after_the_other_is_explained_and_so_is_what_overlapped() {
        let mut history = sequence(&[created(), claimed(Executor::Live), reported(3), finished(), shown()]);
        explain(&history).expect("their own order");
        // All at once: only the answers say which was first.
        let end = 1_000;
        history.iter_mut().enumerate().for_each(|(place, called)| {
            (called.asked, called.answered) = (50 - place as u64, Some(end + place as u64));
        });
        explain(&history).expect("the order of the answers");
    }

    #[test]
    fn a_stale_read_is_refused() {
        let mut history = sequence(&[created(), shown(), claimed(Executor::Live), shown()]);
        history[3].answer = history[1].answer.clone();
        explain(&history).expect_err("what was shown had been started before");
        history[3].asked = history[2].asked;
        explain(&history).expect("it may have been asked before the start");
    }

    #[test]
    fn a_task_claimed_twice_is_refused() {
        let mut history = sequence(&[created(), claimed(Executor::Live), claimed(Executor::Elsewhere)]);
        assert_eq!(history[2].answer["error"]["code"], "already_running");
        let both = sequence(&[created(), claimed(Executor::Elsewhere)]);
        history[2].answer = both[1].answer.clone();
        (history[2].asked, history[2].answered) = (history[1].asked + 1, history[1].answered.map(|end| end + 1));
        explain(&history).expect_err("two executors hold one attempt");
    }

    #[test]
    fn an_end_that_is_lost_is_refused() {
        let mut history = sequence(&[created(), claimed(Executor::Live), finished(), shown()]);
        let without = sequence(&[created(), claimed(Executor::Live), shown()]);
        history[3].answer = without[2].answer.clone();
        explain(&history).expect_err("its end was acknowledged");
        history[2].answered = None;
        explain(&history).expect("nobody was told that it had ended");
    }

    #[test]
    fn what_nobody_was_told_happened_late_or_never_but_not_for_a_while() {
        let asks = [created(), claimed(Executor::Live), shown(), finished(), shown(), shown()];
        let mut history = sequence(&asks);
        let (running, ended) = (history[2].answer.clone(), history[4].answer.clone());
        history[3].answered = None;
        explain(&history).expect("it happened");
        history[4].answer = running.clone();
        explain(&history).expect("it happened late");
        history[5].answer = running.clone();
        explain(&history).expect("it never happened");
        history[4].answer = ended;
        explain(&history).expect_err("it happened, and then it had not");
        history[3].asked = 45;
        history[5].answer = history[4].answer.clone();
        explain(&history).expect_err("it was seen before it was asked");
    }

    #[test]
    fn a_report_that_nobody_made_is_refused() {
        let mut history = sequence(&[created(), claimed(Executor::Live), reported(3), shown()]);
        history[3].answer["ok"]["task"]["progress"]["current"] = 4.into();
        explain(&history).expect_err("nobody reported 4");
    }
}
