//! One task in full.

use super::tint::{self, FAINT, STRONG, styled};
use super::{Output, line, time};
use bgledger_core::{Json, Millis, TaskView, Usage, escape};

/// Everything that is known of a task, what is absent left out.
pub(crate) fn sheet(out: &Output, view: &TaskView) -> String {
    let task = &view.task;
    let mut sheet = Sheet::titled(out, &format!("{} {}", task.number, escape(&task.label)));

    let status = styled(out.styled, tint::of_status(task.status), &line::status(view));
    sheet.raw("status", &status);
    sheet.text("outcome", task.outcome.as_deref());
    sheet.text("reason", task.reason.as_deref());
    if let Some(cancel) = &task.cancel {
        let asked = sheet.asked(cancel.requested_at, cancel.by.as_deref(), cancel.why.as_deref());
        let told = cancel.told_at.map_or("; not told yet".to_owned(), |at| format!("; told {}", sheet.ago(at)));
        sheet.raw("cancel", &format!("{asked}{told}"));
    }
    sheet.text("waiting on", task.waiting_on.as_deref());
    sheet.raw("progress", &line::progress(task).unwrap_or_default());
    sheet.raw("took", &line::took(task, out.now));

    sheet.raw("id", &task.id.to_string());
    sheet.text("run id", task.run_id.as_deref());
    let kind = task.kind.as_deref().map(|kind| format!(" / {}", escape(kind))).unwrap_or_default();
    sheet.raw("runtime", &format!("{}{kind}", escape(&task.runtime)));
    sheet.text("source", task.source_id.as_deref());
    sheet.text("owner", Some(&task.owner));
    sheet.text("session", task.session.as_deref());
    sheet.text("asked by", task.requester_session.as_deref());
    sheet.text("agent", task.agent.as_deref());
    sheet.text("asking agent", task.requester_agent.as_deref());
    sheet.text("key", task.key.as_deref());
    for (name, id) in [("parent", task.parent), ("root", task.root), ("retry of", task.retry_of)] {
        sheet.raw(name, &id.map(|id| id.to_string()).unwrap_or_default());
    }
    sheet.raw("flow", &task.flow.map(|flow| flow.to_string()).unwrap_or_default());
    let metadata: Vec<String> =
        task.metadata.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value.as_str()))).collect();
    sheet.raw("metadata", &metadata.join("  "));
    let delivery = serde_json::to_value(view.delivery).ok();
    let delivery = delivery.as_ref().and_then(|word| word.as_str()).unwrap_or_default().replace('_', " ");
    sheet.raw("notices", &format!("{}; {delivery}", escape(task.notify.as_str())));

    sheet.when("created", Some(task.created_at));
    sheet.when("started", task.started_at);
    sheet.when("ended", task.ended_at);
    sheet.when("updated", Some(task.updated_at));
    sheet.when("heartbeat", task.heartbeat_at);
    sheet.when("reported", task.progress_at);
    sheet.when("lease until", task.lease_expires_at.filter(|_| task.status.is_active()));
    sheet.raw("queue limit", &task.queue_timeout.map(time::length).unwrap_or_default());
    sheet.raw("time limit", &task.timeout.map(time::length).unwrap_or_default());
    if task.attempt > 1 {
        sheet.raw("attempt", &task.attempt.to_string());
    }
    if let Some(executor) = &task.executor {
        let pid = executor.pid.map_or("not known".to_owned(), |pid| format!("pid {pid}"));
        let group = executor.group.map(|group| format!(", group {}", group.id)).unwrap_or_default();
        sheet.raw("executor", &format!("{pid}{group}"));
    }

    sheet.raw("usage", &task.usage.as_ref().map(usage).unwrap_or_default());
    for (name, artifact) in &task.artifacts {
        let size = artifact.size.map(|size| format!(" ({})", bytes(size))).unwrap_or_default();
        sheet.raw("artifact", &format!("{}: {}{size}", escape(name), escape(&artifact.uri)));
    }
    sheet.raw("exit code", &task.exit_code.map(|code| code.to_string()).unwrap_or_default());
    sheet.raw("signal", &task.signal.map(|signal| signal.to_string()).unwrap_or_default());
    sheet.raw("origin", &task.origin.as_ref().map(origin).unwrap_or_default());
    sheet.block("task", task.task.as_deref());
    if let Some(error) = &task.error {
        sheet.text("error type", error.kind.as_deref());
        sheet.block("error", error.message.as_deref());
        sheet.block("error detail", error.detail.as_deref());
    }
    sheet.block("summary", task.summary.as_deref());
    sheet.block("result", task.result.as_ref().map(|result| result.as_str()));
    if let Some(output) = task.output.as_ref().filter(|output| output.bytes > 0) {
        let name = match output.truncated {
            true => format!("output (the end of {})", bytes(output.bytes)),
            false => "output".to_owned(),
        };
        sheet.block(&name, Some(&output.tail));
    }
    sheet.text
}

/// What is known of one thing: its title, then a line for each fact.
pub(super) struct Sheet<'a> {
    out: &'a Output,
    pub(super) text: String,
}

impl<'a> Sheet<'a> {
    /// A sheet that has its title, a text that is safe to print.
    pub(super) fn titled(out: &'a Output, title: &str) -> Sheet<'a> {
        Sheet { out, text: format!("{}\n", styled(out.styled, STRONG, title)) }
    }

    /// A line with a text that is safe to print; none if it is empty.
    pub(super) fn raw(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let name = styled(self.out.styled, FAINT, &format!("{name:>13}"));
            self.text.push_str(&format!("{name}  {text}\n"));
        }
    }

    pub(super) fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.raw(name, &escape(text).to_string());
        }
    }

    /// A text that may have several lines.
    pub(super) fn block(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        let text = escape(text.trim_end_matches('\n')).block().to_string();
        match text.contains('\n') {
            false if name.len() <= 13 => self.raw(name, &text),
            true | false => {
                self.text.push_str(&styled(self.out.styled, FAINT, &format!("{name:>13}")));
                self.text.push('\n');
                text.lines().for_each(|line| self.text.push_str(&format!("    {line}\n")));
            }
        }
    }

    pub(super) fn when(&mut self, name: &str, at: Option<Millis>) {
        if let Some(at) = at {
            self.raw(name, &format!("{} ({})", time::absolute(at, self.out.utc), self.ago(at)));
        }
    }

    /// When something was asked for, by whom and why.
    pub(super) fn asked(&self, at: Millis, by: Option<&str>, why: Option<&str>) -> String {
        let by = by.map(|by| format!(" by {}", escape(by))).unwrap_or_default();
        let why = why.map(|why| format!(": {}", escape(why))).unwrap_or_default();
        format!("requested {}{by}{why}", self.ago(at))
    }

    fn ago(&self, at: Millis) -> String {
        time::relative(at, self.out.now)
    }
}

/// The program that a record comes from, and where to read what it said.
fn origin(kept: &Json) -> String {
    let kept: Option<serde_json::Value> = serde_json::from_str(kept.as_str()).ok();
    let program = kept.as_ref().and_then(|kept| kept.get("program")?.as_str()).unwrap_or("elsewhere");
    format!("{}; as it was there: --json", escape(program))
}

/// What work cost.
pub(super) fn usage(usage: &Usage) -> String {
    let counts = [
        (usage.tokens_in, "tokens in"),
        (usage.tokens_out, "tokens out"),
        (usage.tokens_cached, "tokens cached"),
        (usage.tool_calls, "tool calls"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
    let costs = usage
        .cost
        .iter()
        .map(|(currency, micros)| format!("{}.{:06} {}", micros / 1_000_000, micros % 1_000_000, escape(currency)));
    counts.chain(costs).collect::<Vec<_>>().join(", ")
}

/// A number of bytes by its largest unit.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} KiB", count / 1_024),
        1_048_576..1_073_741_824 => format!("{} MiB", count / 1_048_576),
        _ => format!("{} GiB", count / 1_073_741_824),
    }
}
