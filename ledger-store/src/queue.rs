//! Who writes next within this process: requests wait in line, and one thread at a time leads, carrying out whatever
//! waits. Everybody waits by the patience of their own call, and leaves nothing behind that would be carried out later.

use crate::caller::Caller;
use crate::platform;
use crate::turnstile::Deadline;
use bgledger_core::{Error, Request, Response, TaskId};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One request that waits to be written.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) caller: Caller,
    /// The id of a task or flow that it may create: the same if it runs again.
    pub(crate) fresh: TaskId,
    pub(crate) deadline: Deadline,
    outcome: Mutex<Option<Result<Response, Error>>>,
}

impl Job {
    pub(crate) fn new(request: Request, caller: Caller, patience: Duration) -> Job {
        let creates = matches!(request, Request::Create(_) | Request::FlowCreate(_));
        let random = if creates { platform::random_bytes() } else { [0; 10] };
        let fresh = TaskId::from_parts(caller.world.moment().now, random);
        Job { request, caller, fresh, deadline: Deadline::after(patience), outcome: Mutex::new(None) }
    }

    /// Answers it; whoever waits for it sees it once the leader says so ([`Lead::announce`]).
    pub(crate) fn settle(&self, outcome: Result<Response, Error>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn take(&self) -> Option<Result<Response, Error>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Arc<Job>>,
    led: bool,
    /// Threads that wait to be told: where there is none, nobody is told.
    asleep: usize,
}

/// A request's place in the line, given up when it is dropped.
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    job: Arc<Job>,
}

/// How a wait ended.
#[expect(clippy::large_enum_variant, reason = "made once a call, and taken apart at once")]
pub(crate) enum Turn<'a> {
    /// Somebody carried it out.
    Done(Result<Response, Error>),
    /// This thread leads.
    Lead(Lead<'a>),
    /// The deadline passed while it was waiting; it will not be carried out.
    Late,
}

impl Queue {
    /// Stands in line.
    pub(crate) fn join(&self, job: Job) -> Place<'_> {
        let job = Arc::new(job);
        self.line().waiting.push_back(Arc::clone(&job));
        Place { queue: self, job }
    }

    /// Stands in line with several, which stay in this order.
    pub(crate) fn join_all(&self, jobs: Vec<Job>) -> Vec<Place<'_>> {
        let mut line = self.line();
        let join = |job: Job| {
            let job = Arc::new(job);
            line.waiting.push_back(Arc::clone(&job));
            Place { queue: self, job }
        };
        jobs.into_iter().map(join).collect()
    }

    /// Wakes whoever waits.
    fn tell(&self, line: &Line) {
        if line.asleep > 0 {
            self.moved.notify_all();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.line().waiting.retain(|waiting| !Arc::ptr_eq(waiting, &self.job));
    }
}

impl<'a> Place<'a> {
    /// The request.
    pub(crate) fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// Waits until the request is answered, or this thread may lead.
    pub(crate) fn wait(&self) -> Turn<'a> {
        let mut line = self.queue.line();
        loop {
            if let Some(outcome) = self.job.take() {
                return Turn::Done(outcome);
            }
            let waits = line.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, &self.job));
            if !line.led && !waits {
                // Whoever took it broke off without an answer: asking again is safe.
                return Turn::Done(Err(Error::internal("the thread that carried it out broke off")));
            }
            if !line.led {
                line.led = true;
                return Turn::Lead(Lead { queue: self.queue });
            }
            if waits && self.job.deadline.is_over() {
                line.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &self.job));
                return Turn::Late;
            }
            // What a leader has taken is answered within that leader's transaction: there is nothing to give up.
            line.asleep += 1;
            line = match waits {
                true => {
                    let left = self.job.deadline.left();
                    self.queue.moved.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner).0
                }
                false => self.queue.moved.wait(line).unwrap_or_else(PoisonError::into_inner),
            };
            line.asleep -= 1;
        }
    }

    /// The answer that somebody gave meanwhile, or this one.
    pub(crate) fn answer_or(&self, error: Error) -> Result<Response, Error> {
        let mut line = self.queue.line();
        line.waiting.retain(|waiting| !Arc::ptr_eq(waiting, &self.job));
        self.job.take().unwrap_or(Err(error))
    }
}

/// The right to carry out what waits; dropped, somebody else has it.
pub(crate) struct Lead<'a> {
    queue: &'a Queue,
}

impl Lead<'_> {
    /// Takes from the front, up to so many.
    pub(crate) fn take(&self, most: usize) -> Vec<Arc<Job>> {
        let mut line = self.queue.line();
        let many = line.waiting.len().min(most);
        line.waiting.drain(..many).collect()
    }

    /// Puts back what was taken and is not answered, at the front.
    pub(crate) fn give_back(&self, jobs: Vec<Arc<Job>>) {
        let mut line = self.queue.line();
        for job in jobs.into_iter().rev() {
            line.waiting.push_front(job);
        }
    }

    /// Wakes those whose requests are answered.
    pub(crate) fn announce(&self) {
        // Under the lock, so that nobody goes to sleep between looking and waiting.
        self.queue.tell(&self.queue.line());
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        line.led = false;
        self.queue.tell(&line);
    }
}
