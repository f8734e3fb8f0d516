//! The view as lines of text.

use super::board::{Board, Mode};
use crate::output::table::{Fit, Table};
use crate::output::tint::{self, FAINT, STRONG, styled};
use crate::output::{Output, fit, line, pressure, sheet, time};
use anstream::adapter::strip_str;
use bgledger_core::{Millis, Task, escape};

const KEYS: &str = "↑↓ move · Enter open · / filter · a active only · c cancel · q quit";
const KEYS_OF_DETAIL: &str = "↑↓ scroll · c cancel · q back";

/// Everything there is, for a frame that nobody scrolls.
pub(super) fn whole(board: &Board, out: &Output) -> String {
    let mut text = format!("{}\n", heading(board, out));
    if board.rows.is_empty() {
        text.push_str(&format!("{}\n", nothing(board)));
    } else {
        text.push_str(&table(board, out));
    }
    text
}

/// The lines of a screen of so many lines.
pub(super) fn screen(board: &mut Board, out: &Output, height: usize) -> Vec<String> {
    let width = usize::from(out.width.unwrap_or(80));
    let room = height.saturating_sub(2).max(1);
    let mut lines = vec![fit::cut(&heading(board, out), width)];
    match board.mode.clone() {
        Mode::Detail(_, top) => lines.extend(detail(board, out, top, room)),
        Mode::Browse | Mode::Filter | Mode::Confirm(_, _) => lines.extend(list(board, out, room)),
    }
    lines.resize(height.saturating_sub(1).max(1), String::new());
    lines.push(fit::cut(&foot(board, out), width));
    lines.truncate(height.max(1));
    lines
}

fn heading(board: &Board, out: &Output) -> String {
    let mut text = format!("{}  {}", styled(out.styled, STRONG, "bgledger"), pressure::line(&board.snapshot.stats));
    if !board.snapshot.unreadable.is_empty() {
        text.push_str("  [some tasks cannot be read: see bgledger doctor]");
    }
    if board.only_active {
        text.push_str("  [active only]");
    }
    if !board.filter.is_empty() && board.mode != Mode::Filter {
        text.push_str(&format!("  [{}]", escape(&board.filter)));
    }
    text
}

fn nothing(board: &Board) -> &'static str {
    match (board.filter.is_empty(), board.snapshot.tasks.is_empty()) {
        (true, true) => "No tasks yet.",
        (true, false) => "No task is active.",
        (false, _) => "No task fits.",
    }
}

/// The table, its head first; the marker stands before its row.
fn list(board: &mut Board, out: &Output, room: usize) -> Vec<String> {
    if board.rows.is_empty() {
        return vec![format!("  {}", nothing(board))];
    }
    let width = out.width.unwrap_or(80);
    let text = table(board, &Output { width: Some(width.saturating_sub(2).max(1)), ..out.clone() });
    let mut table = text.lines();
    let head = table.next().map(|head| format!("  {head}"));
    board.page = room.saturating_sub(1).max(1);
    let place = board.place();
    let last = board.rows.len().saturating_sub(board.page);
    board.first = board.first.min(place).max((place + 1).saturating_sub(board.page)).min(last);
    let rows = table.enumerate().skip(board.first).take(board.page).map(|(row, line)| match row == place {
        false => format!("  {line}"),
        true if out.styled => format!("▸ \x1b[7m{}\x1b[0m", strip_str(line)),
        true => format!("▸ {line}"),
    });
    head.into_iter().chain(rows).collect()
}

fn table(board: &Board, out: &Output) -> String {
    let mut table = Table::new(&[
        ("#", Fit::Right),
        ("STATUS", Fit::Keep),
        ("HEARD", Fit::Spare(8)),
        ("TOOK", Fit::Spare(8)),
        ("RUNTIME", Fit::Spare(10)),
        ("LABEL", Fit::Cut(16)),
        ("DETAIL", Fit::Cut(8)),
    ]);
    for row in &board.rows {
        let task = &row.view.task;
        let branch = match row.depth {
            0 => String::new(),
            depth => format!("{}└ ", "  ".repeat(depth - 1)),
        };
        let cells = vec![
            task.number.0.to_string(),
            line::status(&row.view),
            heard(task, out.now),
            line::took(task, out.now),
            escape(&task.runtime).to_string(),
            format!("{branch}{}", escape(&task.label)),
            line::detail(task),
        ];
        table.row(cells, 1, tint::of_status(task.status));
    }
    table.render(out)
}

/// How long ago running work was last heard of.
fn heard(task: &Task, now: Millis) -> String {
    let last = [task.heartbeat_at, task.progress_at, task.started_at].into_iter().flatten().max();
    match (task.status, last) {
        (bgledger_core::Status::Running, Some(last)) => time::relative(last, now),
        (_, _) => String::new(),
    }
}

fn detail(board: &mut Board, out: &Output, top: usize, room: usize) -> Vec<String> {
    let Some(view) = &board.open else { return vec!["  It is no longer there.".to_owned()] };
    let width = usize::from(out.width.unwrap_or(80));
    let lines: Vec<String> = sheet::sheet(out, view).lines().flat_map(|line| fit::wrap(line, width)).collect();
    board.lines = lines.len();
    board.page = room;
    let top = top.min(lines.len().saturating_sub(room));
    lines.into_iter().skip(top).take(room).collect()
}

fn foot(board: &Board, out: &Output) -> String {
    match &board.mode {
        Mode::Filter => format!("filter: {}_", escape(&board.filter)),
        Mode::Confirm(number, label) => {
            let question = format!("Cancel {number} and all below it? [y/N]");
            format!("{}  {}", styled(out.styled, STRONG, &question), escape(label))
        }
        Mode::Browse | Mode::Detail(_, _) if !board.said.is_empty() => board.said.clone(),
        Mode::Detail(_, _) => styled(out.styled, FAINT, KEYS_OF_DETAIL),
        Mode::Browse => styled(out.styled, FAINT, KEYS),
    }
}
