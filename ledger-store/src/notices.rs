//! Notices: listed, claimed, answered.

use crate::caller::{Caller, Written};
use crate::find::{self, Purpose, Scope};
use crate::platform;
use crate::record::{self, stored_number};
use crate::sqlite::Failure;
use crate::world::World;
use bgledger_core::{
    ClaimedNotices, Error, EventKind, Millis, Moment, Notice, NoticeClaim, NoticeCommand, NoticeDecision, NoticeId,
    NoticeList, NoticePage, NoticeState, NoticeView, Notices, NoticesClaim, Response, Seq, TaskNumber, bounds,
    decide_notice, message,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

/// A notice as it is stored, with what it is decided and told by.
struct Stored {
    notice: Notice,
    /// The outcome that its task is in.
    generation: u32,
    kind: u8,
}

const COLUMNS: &str =
    "SELECT notice.task, notice.seq, notice.recipient, notice.generation, notice.state, notice.attempts,
    notice.due_at, notice.claim, notice.consumer, notice.reason, task.generation, event.kind
    FROM notice JOIN task ON task.number = notice.task JOIN event ON event.seq = notice.seq";

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let number = |place: usize| row.get::<_, i64>(place).map(|value| u64::try_from(value).unwrap_or(0));
    let code: u8 = row.get(4)?;
    let state = NoticeState::from_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(4, code.into()))?;
    let token: Option<String> = row.get(7)?;
    let consumer = row.get(8)?;
    Ok(Stored {
        notice: Notice {
            number: TaskNumber(number(0)?),
            seq: Seq(number(1)?),
            recipient: row.get(2)?,
            generation: row.get(3)?,
            state,
            attempts: row.get(5)?,
            due_at: Millis::clamped(row.get(6)?),
            claim: token.map(|token| NoticeClaim { token, consumer }),
            reason: row.get(9)?,
        },
        generation: row.get(10)?,
        kind: row.get(11)?,
    })
}

/// A page of notices, newest first.
pub(crate) fn list(sql: &Connection, notices: &Notices, caller: &Caller, at: &Moment) -> Result<NoticePage, Failure> {
    let limit = notices.limit.unwrap_or(bounds::LIST_DEFAULT);
    let (mut tests, mut values): (Vec<String>, Vec<Value>) = (vec!["true".into()], Vec::new());
    let mut test = |text: &str, value: Value| {
        values.push(value);
        tests.push(text.replace('?', &format!("?{}", values.len())));
    };
    if let Some(owner) = &caller.owner {
        test("task.owner = ?", owner.clone().into());
    }
    if let Some(recipient) = &notices.recipient {
        test("notice.recipient = ?", recipient.clone().into());
    }
    if let Some(lookup) = &notices.task {
        let task = find::task(sql, lookup, caller.scope(), Purpose::Read)?;
        test("notice.task = ?", stored_number(task.task.number.0)?.into());
    }
    if let Some(after) = &notices.after {
        test("notice.seq <= ?", stored_number(after.seq.0)?.into());
        let (seq, recipient) = (after.seq.0, after.recipient.clone().unwrap_or_default());
        test(&format!("(notice.seq < {seq} OR notice.recipient > ?)"), recipient.into());
    }
    if !notices.state.is_empty() {
        let codes: Vec<String> = notices.state.iter().map(|state| (*state as u8).to_string()).collect();
        tests.push(format!("notice.state IN ({})", codes.join(", ")));
    }
    let query = format!(
        "{COLUMNS} WHERE {} ORDER BY notice.seq DESC, notice.recipient LIMIT {}",
        tests.join(" AND "),
        i64::from(limit) + 1
    );
    let mut statement = sql.prepare_cached(&query)?;
    let found = statement.query_map(rusqlite::params_from_iter(values), read)?;
    let mut found = found.collect::<rusqlite::Result<Vec<Stored>>>()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|stored| stored.notice.id());
    let notices = found.into_iter().map(|stored| view(sql, stored, caller.world, at)).collect::<Result<_, _>>()?;
    Ok(NoticePage { notices, next })
}

/// Takes what is due, oldest first.
pub(crate) fn claim(
    sql: &Connection,
    request: &NoticesClaim,
    caller: &Caller,
    at: &Moment,
) -> Result<Written, Failure> {
    let limit = request.limit.unwrap_or(bounds::NOTICES_DEFAULT) as usize;
    let token = match caller.world {
        World::Real => format!("{:016x}", u64::from_le_bytes(platform::random_bytes())),
        World::Scripted(now) => format!("claim-{}-{}", now.get(), claims(sql)?),
    };
    let claim = NoticeClaim { token: token.clone(), consumer: request.consumer.clone() };
    let command = NoticeCommand::Claim(claim, request.lease.unwrap_or(bounds::NOTICES_LEASE));
    let recipients = serde_json::to_string(&request.recipients).map_err(|error| Error::internal(error.to_string()))?;
    let query = format!(
        "{COLUMNS} WHERE notice.state <= 2 AND notice.due_at <= ?1 AND (?2 IS NULL OR task.owner = ?2)
            AND (?3 = '[]' OR notice.recipient IN (SELECT value FROM json_each(?3)))
            ORDER BY notice.seq, notice.recipient LIMIT ?4"
    );
    let (mut claimed, mut wrote) = (Vec::new(), false);
    // What is given up or withdrawn on the way makes room for more.
    while claimed.len() < limit {
        let mut statement = sql.prepare_cached(&query)?;
        let room = i64::try_from(limit - claimed.len()).unwrap_or(i64::MAX);
        let due = statement.query_map((at.now.get(), &caller.owner, &recipients, room), read)?;
        let due = due.collect::<rusqlite::Result<Vec<Stored>>>()?;
        if due.is_empty() {
            break;
        }
        for stored in due {
            wrote = true;
            if let Some(taken) = apply(sql, stored, &command, at.now)?.filter(|(_, changed)| *changed)
                && taken.0.notice.state == NoticeState::Claimed
            {
                claimed.push(view(sql, taken.0, caller.world, at)?);
            }
        }
    }
    let claim = (!claimed.is_empty()).then_some(token);
    Ok(Written { response: Response::NoticesClaim(ClaimedNotices { claim, notices: claimed }), wrote })
}

/// How many notices were claimed so far: names the claims of a test.
fn claims(sql: &Connection) -> Result<i64, Failure> {
    Ok(sql.prepare_cached("SELECT coalesce(sum(attempts), 0) FROM notice")?.query_row([], |row| row.get(0))?)
}

/// Carries out one command on each of several notices: all or none.
pub(crate) fn change(
    sql: &Connection,
    ids: &[NoticeId],
    command: &NoticeCommand,
    caller: &Caller,
    at: &Moment,
) -> Result<(NoticeList, bool), Failure> {
    let (mut notices, mut changed, mut wrote) = (Vec::with_capacity(ids.len()), 0, false);
    for id in ids {
        let stored = one(sql, id, caller.scope())?;
        match apply(sql, stored, command, at.now)? {
            Some((stored, true)) => {
                (changed, wrote) = (changed + 1, true);
                notices.push(view(sql, stored, caller.world, at)?);
            }
            Some((stored, false)) => notices.push(view(sql, stored, caller.world, at)?),
            None => (changed, wrote) = (changed + 1, true),
        }
    }
    Ok((NoticeList { changed, notices }, wrote))
}

fn one(sql: &Connection, id: &NoticeId, scope: Scope<'_>) -> Result<Stored, Failure> {
    let query = format!(
        "{COLUMNS} WHERE notice.seq = ?1 AND (?2 IS NULL OR notice.recipient = ?2) AND (?3 IS NULL OR task.owner = ?3)"
    );
    let mut statement = sql.prepare_cached(&query)?;
    let found = statement.query_map((stored_number(id.seq.0)?, &id.recipient, scope.0), read)?;
    let mut found = found.collect::<rusqlite::Result<Vec<Stored>>>()?;
    match (found.pop(), found.is_empty()) {
        (Some(stored), true) => Ok(stored),
        (Some(_), false) => Err(Error::invalid("notices", id.to_string(), "a recipient too: several have it").into()),
        (None, _) => Err(Error::NoNotice { notice: id.to_string(), why: "in this ledger".into() }.into()),
    }
}

/// Decides and writes. `None`: it was withdrawn; else the notice, and whether it changed.
fn apply(
    sql: &Connection,
    stored: Stored,
    command: &NoticeCommand,
    now: Millis,
) -> Result<Option<(Stored, bool)>, Failure> {
    let place = |notice: &Notice| -> Result<(i64, i64), Failure> {
        Ok((stored_number(notice.number.0)?, stored_number(notice.seq.0)?))
    };
    match decide_notice(&stored.notice, command, stored.generation, now)? {
        NoticeDecision::Unchanged => Ok(Some((stored, false))),
        NoticeDecision::Withdrawn => {
            let (task, seq) = place(&stored.notice)?;
            sql.prepare_cached("DELETE FROM notice WHERE task = ?1 AND seq = ?2 AND recipient = ?3")?.execute((
                task,
                seq,
                &stored.notice.recipient,
            ))?;
            Ok(None)
        }
        NoticeDecision::Becomes(next) => {
            let (task, seq) = place(&next)?;
            let claim = next.claim.as_ref();
            sql.prepare_cached(
                "UPDATE notice SET state = ?4, attempts = ?5, due_at = ?6, claim = ?7, consumer = ?8, reason = ?9
                    WHERE task = ?1 AND seq = ?2 AND recipient = ?3",
            )?
            .execute((
                task,
                seq,
                &next.recipient,
                next.state as u8,
                next.attempts,
                next.due_at.get(),
                claim.map(|claim| &claim.token),
                claim.and_then(|claim| claim.consumer.as_ref()),
                &next.reason,
            ))?;
            Ok(Some((Stored { notice: next, ..stored }, true)))
        }
    }
}

fn view(sql: &Connection, stored: Stored, world: World, at: &Moment) -> Result<NoticeView, Failure> {
    let Stored { notice, kind, .. } = stored;
    let Some(task) = find::by_number(sql, notice.number, Scope(None))? else {
        return Err(Error::internal("a notice without a task").into());
    };
    let kind = EventKind::from_code(kind);
    let text = kind.map(|kind| message(&task.task, kind)).unwrap_or_default();
    Ok(NoticeView {
        notice: notice.id(),
        key: format!("{}/{}", task.task.id, notice.id()),
        kind: kind.map_or("unknown", EventKind::as_str).into(),
        message: text,
        task: record::view(sql, task.task, world, at)?,
        state: notice,
    })
}
