//! How much is going on, on one line.

use bgledger_core::{StatsReport, Status};

/// `2 active · 1 queued · 1 running · 0 issues`
pub(crate) fn line(report: &StatsReport) -> String {
    let of = |status: Status| report.by_status.get(status.as_str()).copied().unwrap_or(0);
    let issues = if report.issues == 1 { "issue" } else { "issues" };
    format!(
        "{} active · {} queued · {} running · {} {issues}",
        report.active,
        of(Status::Queued),
        of(Status::Running),
        report.issues
    )
}
