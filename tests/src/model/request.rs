//! What may be asked of the model, and the same as a Request.

use super::record::{Executor, Standing};
use serde_json::{Map, Value, json};

/// What a task is named by.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// Its number.
    Number(usize),
    /// Its run id.
    Run(&'static str),
    /// Its session.
    Session(&'static str),
}

/// An end as a caller gives it.
#[derive(Debug, Clone)]
pub struct End {
    /// The status.
    pub standing: Standing,
    /// The caller's own word for a success's outcome or another end's reason.
    pub word: Option<&'static str>,
}

impl End {
    /// What a success amounts to.
    pub fn outcome(&self) -> Option<&'static str> {
        (self.standing == Standing::Succeeded).then(|| self.word.unwrap_or("ok"))
    }

    /// Why it ended otherwise.
    pub fn reason(&self, settled: bool) -> Option<&'static str> {
        let default = match self.standing {
            Standing::Queued | Standing::Running | Standing::Succeeded => return None,
            Standing::Lost => "reported",
            _ if settled => "forced",
            Standing::Failed => "error",
            Standing::TimedOut => "deadline",
            Standing::Cancelled => "requested",
        };
        Some(self.word.unwrap_or(default))
    }

    fn fields(&self) -> Value {
        let word = if self.standing == Standing::Succeeded { "outcome" } else { "reason" };
        with(json!({"status": self.standing.word()}), [(word, self.word.map(Value::from))])
    }
}

/// An executor's word.
#[derive(Debug, Clone)]
pub enum Word {
    /// A sign of life.
    Heartbeat {
        /// The lease's new length.
        lease: Option<i64>,
    },
    /// A report.
    Progress {
        /// Units done.
        current: u32,
        /// What it waits for; `Some(None)`: nothing any more.
        waiting_on: Option<Option<&'static str>>,
    },
}

/// A request.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of the requests")]
pub enum Ask {
    Create {
        key: Option<&'static str>,
        run: Option<&'static str>,
        runtime: &'static str,
        label: &'static str,
        session: Option<&'static str>,
        parent: Option<usize>,
        notify: Option<&'static str>,
        queue_timeout: Option<i64>,
        timeout: Option<i64>,
        start: Option<(Executor, Option<i64>)>,
        finish: Option<End>,
    },
    Start {
        lookup: Lookup,
        executor: Executor,
        lease: Option<i64>,
    },
    Say {
        lookup: Lookup,
        attempt: Option<u32>,
        word: Word,
    },
    Finish {
        lookup: Lookup,
        attempt: Option<u32>,
        end: End,
    },
    Settle {
        lookup: Lookup,
        end: End,
    },
    Notify {
        lookup: Lookup,
        policy: &'static str,
    },
    Cancel {
        lookup: Lookup,
    },
    Maintenance {
        apply: bool,
    },
    Show {
        lookup: Lookup,
    },
    Wait {
        lookups: Vec<Lookup>,
        any: bool,
    },
}

impl Ask {
    /// A task that says nothing but its label: the ledger is there, and its number is taken.
    pub fn plain_creation() -> Ask {
        Ask::Create {
            key: None,
            run: None,
            runtime: "cli",
            label: "the first",
            session: None,
            parent: None,
            notify: None,
            queue_timeout: None,
            timeout: None,
            start: None,
            finish: None,
        }
    }

    /// The Request, without its time.
    pub fn request(&self) -> Value {
        match self {
            Ask::Create {
                key,
                run,
                runtime,
                label,
                session,
                parent,
                notify,
                queue_timeout,
                timeout,
                start,
                finish,
            } => {
                let start = start.map(|(executor, lease)| claim(executor, lease));
                let body = with(
                    json!({"label": label, "runtime": runtime}),
                    [
                        ("key", key.map(Value::from)),
                        ("run_id", run.map(Value::from)),
                        ("session", session.map(Value::from)),
                        ("parent", parent.map(Value::from)),
                        ("notify", notify.map(Value::from)),
                        ("queue_timeout", queue_timeout.map(Value::from)),
                        ("timeout", timeout.map(Value::from)),
                        ("start", start),
                        ("finish", finish.as_ref().map(End::fields)),
                    ],
                );
                json!({ "create": body })
            }
            Ask::Start { lookup, executor, lease } => json!({"start": on(lookup, claim(*executor, *lease))}),
            Ask::Say { lookup, attempt, word } => {
                let attempt = ("attempt", attempt.map(Value::from));
                match word {
                    Word::Heartbeat { lease } => {
                        json!({"heartbeat": on(lookup, with(json!({}), [attempt, ("lease", lease.map(Value::from))]))})
                    }
                    Word::Progress { current, waiting_on } => {
                        let waiting_on = ("waiting_on", waiting_on.map(Value::from));
                        json!({"progress": on(lookup, with(json!({"current": current}), [attempt, waiting_on]))})
                    }
                }
            }
            Ask::Finish { lookup, attempt, end } => {
                json!({"finish": on(lookup, with(end.fields(), [("attempt", attempt.map(Value::from))]))})
            }
            Ask::Settle { lookup, end } => json!({"settle": on(lookup, end.fields())}),
            Ask::Notify { lookup, policy } => json!({"notify": on(lookup, json!({ "policy": policy }))}),
            Ask::Cancel { lookup } => json!({"cancel": on(lookup, json!({}))}),
            Ask::Maintenance { apply } => json!({"maintenance": {"apply": apply}}),
            Ask::Show { lookup } => json!({"show": on(lookup, json!({}))}),
            Ask::Wait { lookups, any } => {
                let lookups: Vec<Value> = lookups.iter().map(Lookup::value).collect();
                json!({"wait": {"lookups": lookups, "any": any, "timeout": 0}})
            }
        }
    }
}

impl Lookup {
    fn value(&self) -> Value {
        match self {
            Lookup::Number(number) => json!(number),
            Lookup::Run(run) => json!(format!("run:{run}")),
            Lookup::Session(session) => json!(session),
        }
    }
}

fn claim(executor: Executor, lease: Option<i64>) -> Value {
    with(json!({"executor": executor.spec()}), [("lease", lease.map(Value::from))])
}

fn on(lookup: &Lookup, body: Value) -> Value {
    with(body, [("lookup", Some(lookup.value()))])
}

/// An object with more fields: those that are there.
fn with<const N: usize>(object: Value, fields: [(&str, Option<Value>); N]) -> Value {
    let mut object = if let Value::Object(object) = object { object } else { Map::new() };
    object.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))));
    Value::Object(object)
}
