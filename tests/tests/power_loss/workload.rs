//! What is asked of a ledger until the power goes: a seeded sequence of every kind of request.

use bgledger_tests::dice::Dice;
use bgledger_tests::model::{START_MS, time};
use serde_json::{Value, json};

/// A sequence.
pub(crate) struct Workload {
    dice: Dice,
    now: i64,
    tasks: u64,
    flows: u64,
    keys: u64,
    /// A claim that was not yet answered, and its notices.
    claim: Option<(Value, Vec<Value>)>,
    /// Whether requests of several transactions are among them.
    long: bool,
}

/// One request.
pub(crate) struct Asked {
    pub(crate) line: String,
    /// Whether success must survive a power loss (design: creation, ends, cancels, settling, answers to notices, policy
    /// and flows; a start only if its executor does not go with the power).
    pub(crate) promised: bool,
    /// Whether it is done in one transaction.
    pub(crate) at_once: bool,
}

impl Workload {
    pub(crate) fn new(seed: u64, long: bool) -> Workload {
        Workload { dice: Dice::new(seed), now: START_MS, tasks: 0, flows: 0, keys: 0, claim: None, long }
    }

    pub(crate) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn some_task(&mut self) -> u64 {
        let near = self.dice.below(6.min(self.tasks.max(1)));
        self.tasks.saturating_sub(near).max(1)
    }

    fn text(&mut self) -> String {
        let length = if self.dice.below(8) == 0 { 3_500 } else { 10 + self.dice.below(200) };
        "what it says, ".repeat(usize::try_from(length / 14).expect("short") + 1)
    }

    pub(crate) fn next(&mut self) -> Asked {
        self.now += i64::try_from(self.dice.below(3_000)).expect("a time");
        let (task, text) = (self.some_task(), self.text());
        let flow = format!("F{}", self.flows.max(1));
        let (kind, promised) = (if self.long { 29 } else { 26 }, true);
        let (name, body, promised) = match self.dice.below(kind) {
            0..5 => {
                self.keys += self.dice.below(3).min(1);
                let mut body = json!({"label": "a task", "runtime": "subagent", "key": format!("k{}", self.keys),
                    "task": text, "requester_session": "chat"});
                if self.tasks > 0 && self.dice.below(4) == 0 {
                    body["parent"] = task.into();
                }
                if self.flows > 0 && self.dice.below(4) == 0 {
                    body["flow"] = flow.into();
                }
                if self.dice.below(4) == 0 {
                    body["start"] = json!({"lease": "1h"});
                }
                ("create", body, promised)
            }
            5..7 => ("start", json!({"lookup": task, "executor": "external"}), promised),
            7 => ("start", json!({"lookup": task, "executor": {"process": {"pid": 1}}}), false),
            8..11 => ("progress", json!({"lookup": task, "text": text, "current": 1}), false),
            11 => ("heartbeat", json!({"lookup": task}), false),
            12..16 => {
                let status = *self.dice.pick(&["succeeded", "failed"]);
                ("finish", json!({"lookup": task, "status": status, "summary": text}), promised)
            }
            16 => ("cancel", json!({"lookup": task, "why": "no longer wanted"}), promised),
            17 => ("notify", json!({"lookup": task, "policy": "state_changes"}), promised),
            18 => ("settle", json!({"lookup": task, "status": "failed", "why": "its host says so"}), promised),
            19..22 => match self.claim.take() {
                Some((claim, notices)) => ("notices_ack", json!({"claim": claim, "notices": notices}), promised),
                None => ("notices_claim", json!({"lease": "1m", "limit": 3}), false),
            },
            22 => ("flow_create", json!({"goal": "publish", "controller": "weekly"}), promised),
            23 => ("flow_wait", json!({"flow": flow, "revision": 1, "step": "review"}), promised),
            24 => ("config", json!({"set": {"audit.queued": format!("{}h", 1 + self.dice.below(9))}}), promised),
            25 => ("list", json!({"limit": 5}), false),
            26 => {
                // Beyond a lease of an hour; a few of them are beyond what is kept.
                self.now = (self.now + 20 * 3_600_000).min(START_MS + 28 * 86_400_000);
                ("maintenance", json!({"apply": true}), false)
            }
            27 => ("prune", json!({}), false),
            _ => ("flow_cancel", json!({"flow": flow}), promised),
        };
        let at_once = !matches!(name, "maintenance" | "prune" | "flow_cancel" | "cancel");
        Asked { line: json!({"now": time(self.now), name: body}).to_string(), promised, at_once }
    }

    /// Learns from an answer what can be asked next.
    pub(crate) fn learn(&mut self, answer: &Value) {
        let number = |place: &str| answer.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        self.tasks = self.tasks.max(number("/ok/task/number"));
        self.flows = self.flows.max(number("/ok/flow/number"));
        if let (Some(claim), Some(notices)) = (answer.pointer("/ok/claim"), answer.pointer("/ok/notices"))
            && claim.is_string()
        {
            let names = notices.as_array().into_iter().flatten().map(|notice| notice["notice"].clone()).collect();
            self.claim = Some((claim.clone(), names));
        }
    }
}
