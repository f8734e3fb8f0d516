//! Flows as people read them.

use super::sheet::{self, Sheet};
use super::table::{Fit, Table};
use super::tint::{self, STRONG, styled};
use super::{Output, line, page, time};
use bgledger_core::{Flow, FlowView, RollUp, Status, TaskView, escape};

/// The flows as a table.
pub(crate) fn flows(out: &Output, flows: &[FlowView]) -> String {
    let mut table = Table::new(&[
        ("FLOW", Fit::Right),
        ("STATUS", Fit::Keep),
        ("CONTROLLER", Fit::Spare(10)),
        ("CREATED", Fit::Spare(8)),
        ("TASKS", Fit::Right),
        ("ACTIVE", Fit::Right),
        ("GOAL", Fit::Cut(16)),
        ("DETAIL", Fit::Cut(8)),
    ]);
    let count = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    for FlowView { flow, tasks } in flows {
        let cells = vec![
            flow.number.to_string(),
            status(flow),
            escape(flow.controller.as_deref().unwrap_or_default()).to_string(),
            time::relative(flow.created_at, out.now),
            count(tasks.total),
            count(tasks.active),
            title(flow),
            detail(flow),
        ];
        table.row(cells, 1, tint::of_flow(flow.status));
    }
    table.render(out)
}

/// `F3 ◌ waiting  the goal  (notes; where it is; revision 4)`
pub(crate) fn line(out: &Output, flow: &Flow, notes: &[&str]) -> String {
    let number = styled(out.styled, STRONG, &flow.number.to_string());
    let status = styled(out.styled, tint::of_flow(flow.status), &status(flow));
    let (detail, revision) = (detail(flow), format!("revision {}", flow.revision));
    let notes = notes.iter().copied().chain([detail.as_str(), revision.as_str()]);
    let notes: Vec<&str> = notes.filter(|note| !note.is_empty()).collect();
    format!("{number} {status}  {}  ({})\n", title(flow), notes.join("; "))
}

/// Everything that is known of a flow, then the newest of its tasks.
pub(crate) fn sheet(out: &Output, FlowView { flow, tasks }: &FlowView, newest: &[TaskView]) -> String {
    let title = title(flow);
    let mut sheet = Sheet::titled(out, &format!("{} {title}", flow.number));
    sheet.raw("status", &styled(out.styled, tint::of_flow(flow.status), &status(flow)));
    sheet.text("step", flow.step.as_deref());
    if let Some(cancel) = &flow.cancel {
        let asked = sheet.asked(cancel.requested_at, cancel.by.as_deref(), cancel.why.as_deref());
        sheet.raw("cancel", &asked);
    }
    if let Some(blocked) = &flow.blocked {
        sheet.raw("blocked by", &blocked.task.map(|task| task.to_string()).unwrap_or_default());
        sheet.block("blocked", blocked.summary.as_deref());
    }
    sheet.block("waits for", flow.wait.as_ref().map(|wait| wait.as_str()));
    sheet.raw("tasks", &counts(tasks));
    let progress = tasks.progress.iter();
    let progress = progress.filter_map(|sum| line::units(Some(sum.current), sum.total, sum.unit.as_deref()));
    sheet.raw("progress", &progress.collect::<Vec<_>>().join(", "));
    sheet.raw("usage", &tasks.usage.as_ref().map(sheet::usage).unwrap_or_default());

    sheet.raw("id", &flow.id.to_string());
    sheet.text("owner", Some(&flow.owner));
    sheet.text("controller", flow.controller.as_deref());
    sheet.raw("follows", &flow.mirrors.map(|task| task.to_string()).unwrap_or_default());
    sheet.text("key", flow.key.as_deref());
    sheet.raw("revision", &flow.revision.to_string());
    sheet.when("created", Some(flow.created_at));
    sheet.when("ended", flow.ended_at);
    sheet.when("updated", Some(flow.updated_at));
    sheet.block("goal", Some(flow.goal.as_str()).filter(|goal| escape(goal).to_string() != title));
    sheet.block("state", flow.state.as_ref().map(|state| state.as_str()));
    sheet.block("origin", flow.origin.as_ref().map(|origin| origin.as_str()));
    if !newest.is_empty() {
        sheet.text.push('\n');
        sheet.text.push_str(&page::tasks(out, newest));
    }
    sheet.text
}

/// Where a flow stands, by glyph and word.
fn status(flow: &Flow) -> String {
    format!("{} {}", tint::glyph_of_flow(flow.status), flow.status.as_str())
}

/// The goal's first line, safe to print.
fn title(flow: &Flow) -> String {
    let goal = flow.goal.trim();
    let first = goal.lines().next().unwrap_or_default();
    let more = if first.len() < goal.len() { " …" } else { "" };
    format!("{}{more}", escape(first))
}

/// What is worth knowing beside the status, on one line.
fn detail(flow: &Flow) -> String {
    let cancel = flow.cancel.as_ref().filter(|_| !flow.is_ended()).map(|_| "cancel requested".to_owned());
    let step = flow.step.as_deref().map(|step| escape(step).to_string());
    let blocked = flow.blocked.as_ref().map(|blocked| match &blocked.summary {
        Some(summary) => escape(summary).to_string(),
        None => "blocked by a task".to_owned(),
    });
    let wait = flow.wait.as_ref().map(|wait| format!("waits for {}", escape(wait.as_str())));
    [cancel, step, blocked, wait].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// How many tasks there are, by status.
fn counts(tasks: &RollUp) -> String {
    let of = |status: Status| tasks.by_status.get(status.as_str()).copied().unwrap_or(0);
    let by_status = Status::ALL.into_iter().filter(|status| of(*status) > 0);
    let by_status: Vec<String> = by_status.map(|status| format!("{} {}", of(status), status.as_str())).collect();
    match by_status.is_empty() {
        true => "none".to_owned(),
        false => format!("{}: {}", tasks.total, by_status.join(", ")),
    }
}
