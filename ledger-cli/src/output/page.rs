//! Many tasks at once.

use super::table::{Fit, Table};
use super::{Output, line, time, tint};
use bgledger_core::{TaskView, escape};

/// Warns of what cannot be read: of the first by name, of the others by their number.
pub(crate) fn unreadable<'a>(out: &Output, mut odd: impl ExactSizeIterator<Item = (String, &'a str)>) {
    let Some((name, problem)) = odd.next() else { return };
    let more = if odd.len() > 0 { format!(", and {} more", odd.len()) } else { String::new() };
    // A count that does not fit is of no task.
    let name = if name == "#0" { "The ledger".to_owned() } else { name };
    out.warn(&format!("{name} cannot be read{more}: {}. See: bgledger doctor", escape(problem)));
}

/// The tasks as a table.
pub(crate) fn tasks(out: &Output, tasks: &[TaskView]) -> String {
    let mut table = Table::new(&[
        ("#", Fit::Right),
        ("STATUS", Fit::Keep),
        ("RUNTIME", Fit::Spare(10)),
        ("CREATED", Fit::Keep),
        ("TOOK", Fit::Spare(8)),
        ("LABEL", Fit::Cut(16)),
        ("DETAIL", Fit::Cut(8)),
    ]);
    for view in tasks {
        let task = &view.task;
        let cells = vec![
            task.number.0.to_string(),
            line::status(view),
            escape(&task.runtime).to_string(),
            time::relative(task.created_at, out.now),
            line::took(task, out.now),
            escape(&task.label).to_string(),
            line::detail(task),
        ];
        table.row(cells, 1, tint::of_status(task.status));
    }
    table.render(out)
}
