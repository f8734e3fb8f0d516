//! A task of OpenClaw in our words.

use super::PROGRAM;
use crate::caller::LOCAL;
use crate::import::fitting::Notes;
use crate::import::foreign::Foreign;
use bgledger_core::{
    Birth, Claim, End, Failure, Import, Json, Metadata, Millis, NotifyPolicy, Progress, Report, Settlement, Status,
    TaskId, Usage, bounds, outcome, waiting_on,
};
use serde_json::{Value, json};

/// What OpenClaw calls a task that has neither label nor text.
const NAMELESS: &str = "Background task";
/// Letters of a task's text that make a title.
const TITLE: usize = 80;

/// A task as it will be recorded, but for what the ledger knows: its links and whether it is there already.
pub(in crate::import) struct TaskSketch {
    /// Its id in the source, which is its key here.
    pub(in crate::import) key: String,
    /// The same as an id of ours, if it can be one.
    pub(in crate::import) id: Option<TaskId>,
    pub(in crate::import) status: Status,
    pub(in crate::import) import: Import,
    /// The ids that its links have in the source.
    pub(in crate::import) parent: Option<String>,
    pub(in crate::import) flow: Option<String>,
    pub(in crate::import) notes: Notes,
}

/// When it was recorded, began and ended.
struct Times {
    created: Millis,
    started: Option<Millis>,
    ended: Option<Millis>,
}

/// The key of a task, by which it is found again. OpenClaw's key of an owner is the anchor of access there, as the owner
/// is here; a task of the system has none and is the operator's.
pub(in crate::import) fn key_of(row: &Foreign, notes: &mut Notes) -> (String, String) {
    let owner = notes.name("owner_key", row.name("owner_key")).unwrap_or_else(|| LOCAL.into());
    let key = notes.name("task_id", row.name("task_id")).unwrap_or_else(|| "-".into());
    (owner, key)
}

impl TaskSketch {
    /// Reads a row, and the one of its delivery, at a time.
    pub(in crate::import) fn of(row: &Foreign, delivery: Option<&Foreign>, now: Millis) -> TaskSketch {
        let given = row.text("task_id").unwrap_or_default();
        let mut notes = Notes::on(format!("task {given}"), now);
        let (owner, key) = key_of(row, &mut notes);
        let (status, waits) = status(row, &mut notes);
        let Times { created, started, ended } = times(row, status, now, &mut notes);
        let mut said = Said::of(row, status, started.is_some(), waits, &mut notes);
        if let Some(started) = started {
            // Its last sign of life: that it is brought here is none.
            let heard = last_event(row, now).unwrap_or(started).max(started).min(ended.unwrap_or(now));
            if status == Status::Running && heard > started {
                said.progress.get_or_insert_default();
            }
            said.progress.iter_mut().for_each(|progress| progress.reported_at = Some(heard));
        }
        let runtime = notes.word("runtime", row.text("runtime"), "unknown");
        let task = notes.text("task", row.text("task"), bounds::TASK_BYTES);
        let (finish, lost) = match status {
            Status::Queued | Status::Running => (None, None),
            Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
                (Some(End { status, outcome: said.outcome, reason: None, report: said.report, ended_at: ended }), None)
            }
            Status::Lost => {
                let end = End { status, outcome: None, reason: None, report: Report::default(), ended_at: ended };
                (None, Some(Settlement { end, by: Some(PROGRAM.into()), why: said.why }))
            }
        };
        let birth = Birth {
            key: Some(key.clone()),
            kind: notes.name("task_kind", row.name("task_kind")),
            source_id: notes.name("source_id", row.name("source_id")),
            run_id: notes.name("run_id", row.name("run_id")),
            requester_session: requester(row, &mut notes),
            session: notes.name("child_session_key", row.name("child_session_key")),
            agent: notes.name("agent_id", row.name("agent_id")),
            requester_agent: notes.name("requester_agent_id", row.name("requester_agent_id")),
            family: None,
            flow: None,
            retry_of: None,
            label: label(row, task.as_deref(), &mut notes),
            task,
            metadata: Metadata::default(),
            notify: match notes.name("notify_policy", row.name("notify_policy")) {
                Some(word) => NotifyPolicy::from_stored(&word),
                None => NotifyPolicy::default_for(&runtime),
            },
            queue_timeout: None,
            timeout: None,
            created_at: Some(created),
            // Nothing is known of who does the work.
            start: started.map(|at| Claim { started_at: Some(at), ..Claim::default() }),
            finish,
            origin: origin(row, delivery),
            runtime,
            owner,
        };
        TaskSketch {
            id: TaskId::parse(&key),
            key,
            status,
            import: Import { birth, progress: said.progress, lost },
            parent: row.name("parent_task_id"),
            flow: row.name("parent_flow_id"),
            notes,
        }
    }
}

fn origin(row: &Foreign, delivery: Option<&Foreign>) -> Option<Json> {
    let kept = match delivery {
        Some(delivery) => {
            json!({ "program": PROGRAM, "task_runs": row.kept(), "task_delivery_state": delivery.kept() })
        }
        None => json!({ "program": PROGRAM, "task_runs": row.kept() }),
    };
    Json::parse(&kept.to_string()).ok()
}

/// The session that asked; where a task of a session does not say, its owner's key is that of the session.
fn requester(row: &Foreign, notes: &mut Notes) -> Option<String> {
    let is_systems = row.name("scope_kind").as_deref() == Some("system");
    match (row.name("requester_session_key"), is_systems) {
        (Some(session), _) => notes.name("requester_session_key", Some(session)),
        (None, true) => None,
        (None, false) => notes.name("owner_key", row.name("owner_key")),
    }
}

/// The label, else the beginning of the task's text, as OpenClaw shows it.
fn label(row: &Foreign, task: Option<&str>, notes: &mut Notes) -> String {
    if let Some(label) = notes.text("label", row.name("label"), bounds::LABEL_BYTES) {
        return label;
    }
    let words = task.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(TITLE) {
        _ if words.is_empty() => NAMELESS.into(),
        None => words,
        Some(_) => {
            let kept: String = words.chars().take(TITLE - 1).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// Where it stands, and what it waits for. An unknown word becomes what its times allow.
fn status(row: &Foreign, notes: &mut Notes) -> (Status, Option<&'static str>) {
    let word = row.name("status").unwrap_or_default();
    if let Some(status) = Status::from_word(&word.to_lowercase()) {
        return (status, None);
    }
    let has = |column| row.integer(column).is_some();
    let status = match (has("ended_at"), has("started_at")) {
        (true, _) => Status::Lost,
        (false, true) => Status::Running,
        (false, false) => Status::Queued,
    };
    notes.changed("status", &json!(word), &json!(status.as_str()), "no status of ours");
    let waits = match word.as_str() {
        "awaiting_approval" => Some(waiting_on::AUTH),
        "waiting_external" => Some(waiting_on::EXTERNAL),
        _ => None,
    };
    (status, waits)
}

/// When something was last heard of it.
fn last_event(row: &Foreign, now: Millis) -> Option<Millis> {
    row.integer("last_event_at").map(|at| Millis::clamped(at).min(now))
}

/// Its times in their order, with those that its status needs and no others.
fn times(row: &Foreign, status: Status, now: Millis, notes: &mut Notes) -> Times {
    let mut at = |column: &str| notes.time(column, row.integer(column));
    let (given_created, given_started, given_ended) = (at("created_at"), at("started_at"), at("ended_at"));
    let mut created = given_created.or(given_started).or(given_ended).unwrap_or(now);
    let last = last_event(row, now);
    let ms = |at: Option<Millis>| at.map_or(Value::Null, |at| json!(at.get()));
    let mut note = |column: &str, was: Option<Millis>, now: Option<Millis>, why| {
        notes.changed(column, &ms(was), &ms(now), why);
        now
    };
    let ended = match (given_ended, status.is_active()) {
        (Some(ended), true) => note("ended_at", Some(ended), None, "what goes on has not ended"),
        (None, false) => {
            let ended = last.or(given_started).unwrap_or(created);
            note("ended_at", None, Some(ended), "what is over has ended: the last event is taken for its end")
        }
        (ended, _) => ended,
    };
    let started = match (given_started, status) {
        (Some(started), Status::Queued) => note("started_at", Some(started), None, "what is queued has not started"),
        (None, Status::Running) => note("started_at", None, Some(created), "what runs has started"),
        (None, Status::Succeeded | Status::Failed) => {
            note("started_at", None, ended, "what succeeded or failed has started")
        }
        (
            started,
            Status::Queued
            | Status::Running
            | Status::Succeeded
            | Status::Failed
            | Status::TimedOut
            | Status::Cancelled
            | Status::Lost,
        ) => started,
    };
    if let Some(started) = started.filter(|started| *started < created) {
        note("created_at", Some(created), Some(started), "it had started by then");
        created = started;
    }
    let earliest = started.unwrap_or(created);
    let ended = match ended {
        Some(ended) if ended < earliest => {
            note("ended_at", Some(ended), Some(earliest), "nothing ends before it begins")
        }
        ended => ended,
    };
    Times { created, started, ended }
}

/// What the work said of itself.
struct Said {
    progress: Option<Progress>,
    outcome: Option<String>,
    report: Report,
    /// Why it was given up.
    why: Option<String>,
}

impl Said {
    fn of(row: &Foreign, status: Status, started: bool, waits: Option<&str>, notes: &mut Notes) -> Said {
        let usage =
            row.integer("tool_use_count").and_then(|count| u64::try_from(count).ok()).filter(|count| *count > 0);
        let usage = usage.map(|tool_calls| Usage { tool_calls, ..Usage::default() });
        let text = match (row.name("progress_summary"), started) {
            (Some(text), false) => {
                notes.changed("progress_summary", &json!(text), &Value::Null, "what has not started has no progress");
                None
            }
            (text, _) => notes.text("progress_summary", text, bounds::NOTE_BYTES),
        };
        if let (Some(usage), false, false) = (&usage, started, status.is_final()) {
            let why = "what has not started used nothing";
            notes.changed("tool_use_count", &json!(usage.tool_calls), &Value::Null, why);
        }
        let waiting_on = waits.filter(|_| status == Status::Running).map(|word| Some(word.to_owned()));
        let progress = Progress {
            text,
            waiting_on,
            usage: usage.clone().filter(|_| started && !status.is_final()),
            ..Progress::default()
        };
        let progress = (progress != Progress::default()).then_some(progress);
        let mut said = Said { progress, outcome: None, report: Report::default(), why: None };
        match status {
            Status::Queued | Status::Running => {
                said.unsaid(row, &["error", "terminal_summary"], "only what is over says this", notes);
            }
            Status::Lost => {
                said.why = notes.text("error", row.name("error"), bounds::NOTE_BYTES);
                said.unsaid(row, &["terminal_summary"], "lost work has said nothing of its end", notes);
            }
            Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
                let message = notes.text("error", row.text("error"), bounds::ERROR_MESSAGE_BYTES);
                said.report = Report {
                    error: message.map(|message| Failure { message: Some(message), ..Failure::default() }),
                    summary: notes.text("terminal_summary", row.text("terminal_summary"), bounds::SUMMARY_BYTES),
                    usage,
                    ..Report::default()
                };
                said.outcome = outcome_of(row, status, notes);
            }
        }
        said
    }

    fn unsaid(&self, row: &Foreign, columns: &[&str], why: &'static str, notes: &mut Notes) {
        for column in columns {
            if row.name(column).is_some() {
                notes.changed(column, &row.json(column), &Value::Null, why);
            }
        }
    }
}

/// What a success amounts to.
fn outcome_of(row: &Foreign, status: Status, notes: &mut Notes) -> Option<String> {
    let word = row.name("terminal_outcome").filter(|_| status == Status::Succeeded)?;
    match word.as_str() {
        "succeeded" => None,
        _ => Some(notes.word("terminal_outcome", Some(word), outcome::OK)),
    }
}
