//! Proof that the ledger agrees with itself: every row equals the fold of its events, and nothing hangs loose.

use crate::find::Scope;
use crate::flows;
use crate::notices;
use crate::record;
use crate::row;
use crate::sqlite::Failure;
use bgledger_core::audit::{Code, Finding, unproved, unreadable_flow};
use bgledger_core::{
    Event, FlowNumber, Folded, Seq, TaskNumber, VerifyReport, fold, same_but_for_heartbeats, says_the_same,
};
use rusqlite::{Connection, ffi};

/// Problems told; there may be more.
const PROBLEMS: usize = 1_000;

/// Anti-joins, which must be empty: what is wrong, and whom it is wrong with.
const ORPHANS: [(&str, &str); 5] = [
    ("events without a task", "SELECT 'event ' || seq FROM event WHERE task NOT IN (SELECT number FROM task)"),
    (
        "notices without a task",
        "SELECT '#' || task FROM notice WHERE letter IS NULL AND task NOT IN (SELECT number FROM task)",
    ),
    (
        "tasks whose parent is gone",
        "SELECT '#' || number FROM task WHERE parent IS NOT NULL AND parent NOT IN (SELECT id FROM task)",
    ),
    (
        "tasks of a flow that is gone",
        "SELECT '#' || number FROM task WHERE flow IS NOT NULL AND flow NOT IN (SELECT id FROM flow)",
    ),
    (
        "flows that mirror a task which is gone",
        "SELECT 'F' || number FROM flow WHERE mirrors IS NOT NULL AND mirrors NOT IN (SELECT id FROM task)",
    ),
];

/// Counts that must be equal: what is wrong, and by how much.
const COUNTS: [(&str, &str); 3] = [
    (
        "counts that differ from what a listing counts",
        "SELECT count(*) FROM (
            SELECT owner, runtime, status, sum(count) AS n FROM tally GROUP BY 1, 2, 3 HAVING n <> 0
            EXCEPT SELECT owner, runtime, status, count(*) FROM task WHERE status > 2 GROUP BY 1, 2, 3)",
    ),
    (
        "listings that differ from what is counted",
        "SELECT count(*) FROM (
            SELECT owner, runtime, status, count(*) FROM task WHERE status > 2 GROUP BY 1, 2, 3
            EXCEPT SELECT owner, runtime, status, count FROM tally)",
    ),
    // Pruning leaves gaps below the newest event that went.
    (
        "gaps in the order of events",
        "SELECT coalesce(max(seq) - pruned.value - count(*), 0)
            FROM event, (SELECT value FROM meta WHERE key = 'pruned_seq') AS pruned WHERE seq > pruned.value",
    ),
];

/// Orphans of a kind that are named.
const NAMED: usize = 5;

/// What a problem is about.
#[derive(Clone, Copy)]
enum About {
    Task(TaskNumber),
    Flow(FlowNumber),
    Ledger,
}

/// One thing that a proof found.
pub(crate) struct Problem {
    code: Code,
    about: About,
    text: String,
}

impl Problem {
    /// As the audit tells it.
    pub(crate) fn finding(self) -> Finding {
        match self.about {
            About::Task(number) => unproved(self.code, Some(number), self.text),
            About::Flow(number) => unreadable_flow(number, self.text),
            About::Ledger => unproved(self.code, None, self.text),
        }
    }

    /// In words, and whether it is a loose end; `None`: what a newer version wrote is kept, not wrong.
    pub(crate) fn told(self) -> Option<(String, bool)> {
        let Problem { code, about, text } = self;
        let told = match about {
            About::Task(number) => format!("{number}: {text}"),
            About::Flow(number) => format!("{number}: {text}"),
            About::Ledger => text,
        };
        (code != Code::UnknownWord).then_some((told, code == Code::LooseEnd))
    }

    /// A row that is none.
    pub(crate) fn unreadable(task: TaskNumber, problem: &str) -> Problem {
        Problem::of(Code::RowDiffers, task, format!("the row cannot be read: {problem}"))
    }

    fn of(code: Code, task: TaskNumber, text: String) -> Problem {
        Problem { code, about: About::Task(task), text }
    }
}

/// What SQLite finds wrong with the file: the first twenty things. `fully`: the indexes too.
pub(crate) fn integrity(sql: &Connection, fully: bool) -> Result<Vec<String>, Failure> {
    let found = damage(sql, fully)?;
    // A page that the disk would not give may be told as damage without saying so: what is damaged is so twice.
    if found.is_empty() || damage(sql, fully)? == found {
        return Ok(found);
    }
    let failure = ffi::Error::new(ffi::SQLITE_IOERR_READ);
    Err(rusqlite::Error::SqliteFailure(failure, Some("the disk gave two answers to one question".into())).into())
}

fn damage(sql: &Connection, fully: bool) -> Result<Vec<String>, Failure> {
    let check = if fully { "PRAGMA integrity_check(20)" } else { "PRAGMA quick_check(20)" };
    let mut statement = sql.prepare(check)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if let Some(failure) = disk_failure(&line) {
            return Err(failure);
        }
        found.push(line);
    }
    Ok(if found == ["ok"] { Vec::new() } else { found })
}

/// SQLite tells a page that the disk would not give among the damage, as `error code=266`. That the disk failed does not
/// say that the ledger is damaged.
fn disk_failure(line: &str) -> Option<Failure> {
    let (_, code) = line.rsplit_once("error code=")?;
    let failure = ffi::Error::new(code.parse().ok()?);
    let is_of_disk = failure.extended_code & 0xff == ffi::SQLITE_IOERR;
    is_of_disk.then(|| rusqlite::Error::SqliteFailure(failure, Some(line.to_owned())).into())
}

/// Verifies every task that the scope may see.
pub(crate) fn verify(sql: &Connection, scope: Scope<'_>) -> Result<VerifyReport, Failure> {
    let mut problems = Vec::new();
    let (tasks, events) = examine(sql, scope, |problem| {
        if let Some((text, _)) = problem.told().filter(|_| problems.len() < PROBLEMS) {
            problems.push(text);
        }
    })?;
    Ok(VerifyReport { ok: problems.is_empty(), tasks, events, problems })
}

/// Examines every task that the scope may see, and hands on what is wrong. Answers how many tasks and events there are.
pub(crate) fn examine(
    sql: &Connection,
    scope: Scope<'_>,
    mut tell: impl FnMut(Problem),
) -> Result<(u64, u64), Failure> {
    let (mut tasks, mut events) = (0, 0);
    let query = row::select("WHERE ?1 IS NULL OR owner = ?1 ORDER BY number");
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query([scope.0])?;
    while let Some(row) = rows.next()? {
        tasks += 1;
        let stored = match row::read_or_say(sql, row)? {
            Ok(stored) => stored,
            Err(problem) => {
                tell(Problem::unreadable(row::number(row), &problem));
                continue;
            }
        };
        let number = stored.task.number;
        match record::history(sql, &stored, Seq(0)) {
            Ok(history) => {
                events += history.len() as u64;
                for event in history.iter().filter(|event| matches!(event.event, Event::Unknown { .. })) {
                    let text = format!("event {} is one of a newer version", event.seq.0);
                    tell(Problem::of(Code::UnknownWord, number, text));
                }
                let folded = fold(&stored.task, history.iter().map(|event| (&event.event, event.at)));
                if !same_but_for_heartbeats(&stored.task, &folded) {
                    let fields = differing(&stored.task, &folded);
                    let text = format!("the row differs from its history in {fields}");
                    tell(Problem::of(Code::RowDiffers, number, text));
                }
            }
            Err(Failure::Refused(error)) => tell(Problem::of(Code::RowDiffers, number, error.to_string())),
            Err(Failure::Damaged(problem)) => tell(Problem::of(Code::RowDiffers, number, problem)),
            Err(other) => return Err(other),
        }
    }
    flows::prove(sql, scope, |number, text| {
        tell(Problem { code: Code::RowDiffers, about: About::Flow(number), text })
    })?;
    if scope.0.is_none() {
        let about = About::Ledger;
        loose_ends(sql)?.into_iter().for_each(|text| tell(Problem { code: Code::LooseEnd, about, text }));
    }
    Ok((tasks, events))
}

/// What hangs loose between the records of the whole ledger.
pub(crate) fn loose_ends(sql: &Connection) -> Result<Vec<String>, Failure> {
    let mut loose = Vec::new();
    for (what, query) in ORPHANS {
        if let Some((count, names)) = orphans(sql, query)? {
            loose.push(format!("{count} {what}: {names}"));
        }
    }
    let mut counts =
        vec![("notices that cannot be read", i64::try_from(notices::unreadable(sql)?).unwrap_or(i64::MAX))];
    for (what, query) in COUNTS {
        counts.push((what, sql.query_row(query, [], |row| row.get(0))?));
    }
    loose.extend(counts.into_iter().filter(|(_, count)| *count != 0).map(|(what, count)| format!("{count} {what}")));
    Ok(loose)
}

/// How many there are, if any, and the names of the first.
fn orphans(sql: &Connection, query: &str) -> Result<Option<(u64, String)>, Failure> {
    let mut statement = sql.prepare(query)?;
    let mut rows = statement.query([])?;
    let (mut count, mut names) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        count += 1;
        if names.len() < NAMED {
            names.push(row.get::<_, String>(0)?);
        }
    }
    let more = if count > NAMED as u64 { ", …" } else { "" };
    Ok((count > 0).then(|| (count, format!("{}{more}", names.join(", ")))))
}

/// The fields in which a row and its fold differ, by their JSON.
fn differing(row: &bgledger_core::Task, folded: &Folded) -> String {
    if !folded.as_created {
        return "what it was created as".into();
    }
    if !says_the_same(row, folded) {
        return "what was said of its end".into();
    }
    let fields = |task| match serde_json::to_value(task) {
        Ok(serde_json::Value::Object(fields)) => fields,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let (row, folded) = (fields(row), fields(&folded.task));
    let moved_by_heartbeats = ["heartbeat_at", "lease", "lease_expires_at", "updated_at", "revision"];
    let differs = |name: &&String| row.get(*name) != folded.get(*name) && !moved_by_heartbeats.contains(&name.as_str());
    row.keys().filter(differs).map(String::as_str).collect::<Vec<_>>().join(", ")
}
