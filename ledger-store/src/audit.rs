//! The audit: the core's one table of rules, run over what it may apply to. Its work does not grow with the history.

use crate::caller::{Caller, Written};
use crate::config;
use crate::find::{self, Purpose};
use crate::flows;
use crate::record;
use crate::row::{self, Stored};
use crate::sqlite::Failure;
use crate::sweep;
use crate::verify;
use crate::world::World;
use bgledger_core::audit::{self, Acknowledgement, Finding, RULES, Severity, Shape, Threshold, Thresholds, Waiting};
use bgledger_core::{
    Acknowledge, Acknowledged, Audit, AuditReport, AuditSummary, Cause, Error, FlowLookup, FlowNumber, Liveness,
    Lookup, Millis, Moment, Response, Status, TaskNumber, bounds,
};
use rusqlite::Connection;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What is looked at of the tasks: those that are not over for good, and those that were written by hand.
const AUDITED: [&str; 2] = [
    "INDEXED BY task_status WHERE status <> 3 AND status IN (1, 2, 7) AND (?1 IS NULL OR owner = ?1) ORDER BY number",
    "INDEXED BY task_times_out_of_order WHERE NOT (created_at <= coalesce(started_at, created_at)
           AND coalesce(started_at, created_at) <= coalesce(ended_at, updated_at)
           AND coalesce(ended_at, updated_at) <= updated_at)
         AND status NOT IN (1, 2, 7) AND (?1 IS NULL OR owner = ?1) ORDER BY number",
];

/// What is wrong with a task.
pub(crate) fn of_task(stored: &Stored, world: World, at: &Moment, thresholds: &Thresholds) -> Vec<Finding> {
    let liveness = match stored.task.status {
        Status::Running => record::liveness(&stored.task, world, at),
        Status::Queued | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost => {
            Liveness::Unknown
        }
    };
    audit::examine(&stored.task, &liveness, at, thresholds)
}

/// Examines what the caller may see; what is about the whole ledger is the operator's.
fn examine(
    sql: &Connection,
    deep: bool,
    caller: &Caller,
    at: &Moment,
    mut found: impl FnMut(Finding),
) -> Result<(), Failure> {
    let scope = caller.scope();
    let thresholds = config::thresholds(sql)?;
    if scope.0.is_none() {
        sweep::jump(sql, at)?.iter().for_each(|jump| found(audit::clock(jump)));
        audit::examine_ledger(&shape(sql)?).into_iter().for_each(&mut found);
        recipients(sql, at, &thresholds, &mut found)?;
    }
    for audited in AUDITED {
        let mut statement = sql.prepare_cached(&row::select(audited))?;
        let mut rows = statement.query([scope.0])?;
        while let Some(row) = rows.next()? {
            match row::read_or_say(sql, row)? {
                Ok(stored) => of_task(&stored, caller.world, at, &thresholds).into_iter().for_each(&mut found),
                Err(_) if deep => {}
                Err(problem) => found(verify::Problem::unreadable(row::number(row), &problem).finding()),
            }
        }
    }
    flows::audit(sql, scope, at, &thresholds)?.into_iter().for_each(&mut found);
    if deep {
        verify::examine(sql, scope, |problem| found(problem.finding()))?;
    }
    Ok(())
}

/// The sizes of the files, as SQLite says them.
fn shape(sql: &Connection) -> Result<Shape, Failure> {
    let number = |pragma: &str| sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let page = number("page_size")?;
    let bytes = |pages: i64| u64::try_from(pages.saturating_mul(page)).unwrap_or(0);
    let path: Option<String> =
        sql.query_row("SELECT file FROM pragma_database_list WHERE name = 'main'", [], |row| row.get(0))?;
    let wal = path.map(|path| std::path::PathBuf::from(format!("{path}-wal")));
    let wal = wal.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |found| found.len());
    Ok(Shape { bytes: bytes(number("page_count")?), free: bytes(number("freelist_count")?), wal })
}

/// What those are owed for whom somebody has claimed before.
fn recipients(
    sql: &Connection,
    at: &Moment,
    thresholds: &Thresholds,
    found: &mut impl FnMut(Finding),
) -> Result<(), Failure> {
    let before = match thresholds.undelivered() {
        Threshold::After(span) => at.now.minus(span),
        Threshold::Never => Millis::EPOCH,
    };
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
    let open = "SELECT recipient, min(owed_at), sum(owed_at < ?2) FROM notice INDEXED BY notice_open
        WHERE known = 1 AND state <= 2 AND (state = 1 OR due_at <= ?1) GROUP BY recipient";
    let mut statement = sql.prepare_cached(open)?;
    let mut rows = statement.query((at.now.get(), before.get()))?;
    while let Some(row) = rows.next()? {
        let owed = waiting.entry(row.get(0)?).or_default();
        (owed.oldest, owed.late) = (Some(Millis::clamped(row.get(1)?)), count(row.get(2)?));
    }
    let dead = "SELECT recipient, count(*) FROM notice INDEXED BY notice_dead
        WHERE known = 1 AND state = 5 GROUP BY recipient";
    let mut statement = sql.prepare_cached(dead)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        waiting.entry(row.get(0)?).or_default().dead = count(row.get(1)?);
    }
    for (name, waiting) in &waiting {
        audit::examine_recipient(name, waiting, at.now, thresholds).into_iter().for_each(&mut *found);
    }
    Ok(())
}

// ---- acknowledgements ---------------------------------------------------------------------------------------

type Known = BTreeMap<(String, String), Acknowledgement>;

/// What is acknowledged as of now.
fn known(sql: &Connection, at: &Moment) -> Result<Known, Failure> {
    let mut statement =
        sql.prepare_cached("SELECT code, subject, until, by, note FROM acknowledgement WHERE until > ?1")?;
    let mut rows = statement.query([at.now.get()])?;
    let mut known = Known::new();
    while let Some(row) = rows.next()? {
        let acknowledgement =
            Acknowledgement { until: Millis::clamped(row.get(2)?), by: row.get(3)?, note: row.get(4)? };
        known.insert((row.get(0)?, row.get(1)?), acknowledgement);
    }
    Ok(known)
}

/// Records that a finding is known, or that it is to be told again.
pub(crate) fn acknowledge(
    sql: &Connection,
    request: &Acknowledge,
    caller: &Caller,
    at: &Moment,
) -> Result<Written, Failure> {
    let (code, subject) = (&request.code, &request.subject);
    if let Some(until) = request.until
        && until <= at.now
    {
        return Err(Error::invalid("acknowledge.until", until.to_string(), "a time to come").into());
    }
    // What was acknowledged may be gone by the time that it is to be told again: the operator may say so all the same.
    if request.until.is_some() || caller.owner.is_some() {
        is_there(sql, subject, caller)?;
    }
    let before = known(sql, at)?.remove(&(code.clone(), subject.clone()));
    let by = request.by.clone().or_else(|| caller.owner.clone());
    let after = request.until.map(|until| Acknowledgement { until, by, note: request.note.clone() });
    sql.prepare_cached("DELETE FROM acknowledgement WHERE (code = ?1 AND subject = ?2) OR until <= ?3")?.execute((
        code,
        subject,
        at.now.get(),
    ))?;
    if let Some(Acknowledgement { until, by, note }) = &after {
        sql.prepare_cached("INSERT INTO acknowledgement VALUES (?1, ?2, ?3, ?4, ?5)")?.execute((
            code,
            subject,
            until.get(),
            by,
            note,
        ))?;
    }
    let changed = before != after;
    Ok(Written { response: Response::Acknowledge(Acknowledged { changed, acknowledged: after }), wrote: changed })
}

/// Refuses a task or a flow that is not there: what is known of it would be known of nothing. Of the ledger and of
/// recipients, whom several owners may share, the operator alone says what is well.
fn is_there(sql: &Connection, subject: &str, caller: &Caller) -> Result<(), Failure> {
    let number = |mark: char| subject.strip_prefix(mark).and_then(|number| number.parse().ok());
    match (number('#'), number('F'), &caller.owner) {
        (Some(number), _, _) => {
            find::task(sql, &Lookup::Number(TaskNumber(number)), caller.scope(), Purpose::Read)?;
        }
        (None, Some(number), _) => {
            flows::show(sql, &FlowLookup::Number(FlowNumber(number)), caller)?;
        }
        (None, None, Some(_)) => {
            let why = "an owner acknowledges what is about its own tasks and flows".into();
            return Err(Error::NotAvailable { what: "acknowledge.subject".into(), why }.into());
        }
        (None, None, None) => {}
    }
    Ok(())
}

// ---- telling ------------------------------------------------------------------------------------------------

/// What is wrong, worst and oldest first.
pub(crate) fn audit(sql: &Connection, request: &Audit, caller: &Caller, at: &Moment) -> Result<AuditReport, Failure> {
    let mut known = known(sql, at)?;
    let (mut findings, mut acknowledged) = (Vec::new(), Vec::new());
    examine(sql, request.deep, caller, at, |mut finding| {
        finding.acknowledged = known.get(&(finding.code.to_owned(), finding.subject.clone())).cloned();
        if finding.acknowledged.is_some() { &mut acknowledged } else { &mut findings }.push(finding);
    })?;
    known.clear();
    let count = |severity| findings.iter().filter(|finding: &&Finding| finding.severity == severity).count() as u64;
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let mut by_code: BTreeMap<&'static str, u64> = RULES.iter().map(|rule| (rule.word, 0)).collect();
    for finding in &findings {
        *by_code.entry(finding.code).or_default() += 1;
    }
    let causes = causes(&findings);
    let total = errors + warnings;
    let summary = AuditSummary { total, errors, warnings, by_code, acknowledged: acknowledged.len() as u64 };
    if request.acknowledged {
        findings.extend(acknowledged);
    }
    findings.retain(|finding| {
        request.severity.is_none_or(|least| finding.severity >= least)
            && request.code.as_ref().is_none_or(|code| finding.code == code)
    });
    findings.sort_by(|one, other| order(one).cmp(&order(other)));
    findings.truncate(request.limit.unwrap_or(bounds::FINDINGS_DEFAULT) as usize);
    Ok(AuditReport { findings, causes, summary })
}

fn order(finding: &Finding) -> impl Ord + '_ {
    let since = finding.since.unwrap_or(Millis::EPOCH);
    (Reverse(finding.severity), since, finding.number, finding.flow, &finding.subject)
}

fn causes(findings: &[Finding]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for rule in &RULES {
        let of_rule = || findings.iter().filter(|finding| finding.code == rule.word);
        let count = of_rule().count() as u64;
        if count > 0 {
            let since = of_rule().filter_map(|finding| finding.since).min();
            let (code, severity, remedy, meaning) = (rule.word, rule.severity, rule.remedy, rule.meaning);
            causes.push(Cause { code, severity, remedy, count, since, meaning });
        }
    }
    causes.sort_by_key(|cause| (Reverse(cause.severity), Reverse(cause.count), cause.code));
    causes
}

/// How many findings there are that nobody has acknowledged.
pub(crate) fn issues(sql: &Connection, caller: &Caller, at: &Moment) -> Result<u64, Failure> {
    let known = known(sql, at)?;
    let mut issues = 0;
    examine(sql, false, caller, at, |finding| {
        issues += u64::from(!known.contains_key(&(finding.code.to_owned(), finding.subject)));
    })?;
    Ok(issues)
}
