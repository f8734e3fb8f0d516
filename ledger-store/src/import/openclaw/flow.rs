//! A flow of OpenClaw in our words.

use super::PROGRAM;
use crate::caller::LOCAL;
use crate::import::fitting::Notes;
use crate::import::foreign::Foreign;
use bgledger_core::{Blocked, Flow, FlowCancel, FlowId, FlowNumber, FlowStatus, Json, Millis, bounds};
use serde_json::{Value, json};

/// A flow as it will be recorded, but for what the ledger knows.
pub(in crate::import) struct FlowSketch {
    /// Its id in the source, which is its key here.
    pub(in crate::import) key: String,
    /// The same as an id of ours, if it can be one.
    pub(in crate::import) id: Option<FlowId>,
    /// The flow, with neither number nor id.
    pub(in crate::import) flow: Flow,
    /// The id, in the source, of the task that stands in its way.
    pub(in crate::import) blocked_task: Option<String>,
    pub(in crate::import) notes: Notes,
}

/// Whether a flow follows a task.
pub(in crate::import) fn is_mirrored(row: &Foreign) -> bool {
    row.text("sync_mode").as_deref() == Some("task_mirrored")
}

impl FlowSketch {
    /// Reads a row at a time. One that follows a task which is gone is read as what it was last.
    pub(in crate::import) fn of(row: &Foreign, now: Millis) -> FlowSketch {
        let given = row.text("flow_id").unwrap_or_default();
        let mut notes = Notes::on(format!("flow {given}"), now);
        let owner = notes.name("owner_key", row.name("owner_key")).unwrap_or_else(|| LOCAL.into());
        let key = notes.name("flow_id", row.name("flow_id")).unwrap_or_else(|| "-".into());
        let (status, ended) = standing(row, &mut notes);
        let created = notes.time("created_at", row.integer("created_at")).unwrap_or(now);
        let given_updated = notes.time("updated_at", row.integer("updated_at")).unwrap_or(created);
        let updated = given_updated.max(created);
        let is_over = status as u8 > FlowStatus::Blocked as u8;
        let ended_at = match (ended, is_over) {
            (_, false) => None,
            (Some(ended), true) => Some(ended.max(created)),
            (None, true) => Some(updated),
        };
        let why = "what is over has ended, and not before it began";
        noted(&mut notes, "ended_at", ended.filter(|_| is_over), ended_at, why);
        noted(&mut notes, "updated_at", Some(given_updated), Some(updated), "nothing is written before it is made");
        let blocked_task = row.name("blocked_task_id");
        let summary = notes.text("blocked_summary", row.name("blocked_summary"), bounds::NOTE_BYTES);
        let wait = notes.json("wait_json", row.text("wait_json"), bounds::FLOW_STATE_BYTES);
        if let Some(wait) = wait.as_ref().filter(|_| is_over) {
            notes.changed("wait_json", &json!(wait.as_str()), &Value::Null, "what is over waits for nothing");
        }
        let requested = notes.time("cancel_requested_at", row.integer("cancel_requested_at"));
        let flow = Flow {
            number: FlowNumber(0),
            id: FlowId::from_bytes([0; 16]),
            key: Some(key.clone()),
            owner,
            mirrors: None,
            controller: notes.name("controller_id", row.name("controller_id")),
            goal: notes.text("goal", row.name("goal"), bounds::GOAL_BYTES).unwrap_or_else(|| key.clone()),
            status,
            step: notes.text("current_step", row.text("current_step"), bounds::NOTE_BYTES),
            state: notes.json("state_json", row.text("state_json"), bounds::FLOW_STATE_BYTES),
            wait: wait.filter(|_| !is_over),
            blocked: summary.map(|summary| Blocked { task: None, summary: Some(summary) }),
            cancel: requested.map(|requested_at| FlowCancel { requested_at, by: None, why: None }),
            created_at: created,
            // How long it stays is counted from when this ledger heard of its end.
            updated_at: if is_over { now } else { updated },
            ended_at,
            revision: row.integer("revision").and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            origin: origin(row),
        };
        FlowSketch { id: FlowId::parse(&key), key, flow, blocked_task, notes }
    }
}

/// A flow's row as it is.
pub(in crate::import) fn origin(row: &Foreign) -> Option<Json> {
    Json::parse(&json!({ "program": PROGRAM, "flow_runs": row.kept() }).to_string()).ok()
}

fn noted(notes: &mut Notes, column: &str, was: Option<Millis>, now: Option<Millis>, why: &'static str) {
    let ms = |at: Option<Millis>| at.map_or(Value::Null, |at| json!(at.get()));
    if was != now {
        notes.changed(column, &ms(was), &ms(now), why);
    }
}

/// Where it stands, and when it ended. What OpenClaw calls blocked and over has failed here.
fn standing(row: &Foreign, notes: &mut Notes) -> (FlowStatus, Option<Millis>) {
    let ended = notes.time("ended_at", row.integer("ended_at"));
    let word = row.name("status").unwrap_or_default();
    let mut note = |now: FlowStatus, why| {
        notes.changed("status", &json!(word), &json!(now.as_str()), why);
        now
    };
    let status = match FlowStatus::from_word(&word.to_lowercase()) {
        Some(FlowStatus::Blocked) if ended.is_some() => note(FlowStatus::Failed, "a flow that is blocked is not over"),
        Some(FlowStatus::Queued | FlowStatus::Running | FlowStatus::Waiting) if is_mirrored(row) => {
            note(FlowStatus::Lost, "the task that it follows is gone")
        }
        Some(going_on @ (FlowStatus::Queued | FlowStatus::Running | FlowStatus::Waiting)) => {
            noted(notes, "ended_at", ended, None, "what goes on has not ended");
            going_on
        }
        Some(status) => status,
        None if ended.is_some() => note(FlowStatus::Lost, "no status of ours"),
        None => note(FlowStatus::Waiting, "no status of ours"),
    };
    (status, ended)
}
