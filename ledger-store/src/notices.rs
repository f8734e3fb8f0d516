//! Notices: listed, claimed, answered.

use crate::caller::{Caller, Written};
use crate::config;
use crate::find::{self, Purpose, Scope};
use crate::platform;
use crate::record::{self, named_number, stored_number};
use crate::sqlite::{self, Failure};
use crate::world::World;
use bgledger_core::{
    ClaimedNotices, Error, Event, EventKind, Json, Millis, Moment, Notice, NoticeClaim, NoticeCommand, NoticeDecision,
    NoticeId, NoticeList, NoticePage, NoticeState, NoticeView, Notices, NoticesClaim, Recipient, Response, Seq, Since,
    Task, TaskId, TaskNumber, bounds, decide_notice, message,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A notice as it is stored, with what it is decided and told by.
struct Stored {
    notice: Notice,
    /// What its task has come to since.
    since: Since,
    kind: u8,
    /// What it keeps of its task once that is pruned.
    letter: Option<Letter>,
}

/// What a dead letter keeps of a task that is pruned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// The task's global id.
    pub(crate) id: TaskId,
    /// Its owner.
    owner: String,
    /// The notice in words.
    message: String,
}

impl Letter {
    /// Reads what was kept.
    pub(crate) fn read(text: &str) -> Option<Letter> {
        serde_json::from_str(text).ok()
    }
}

/// Whose a notice is: its task's, or that of the task it outlived.
const OWNER: &str = "coalesce(task.owner, notice.letter ->> 'owner')";

const COLUMNS: &str = "notice.task, notice.seq, notice.recipient, notice.generation, notice.state, notice.attempts,
    notice.due_at, notice.claim, notice.consumer, notice.reason, coalesce(task.generation, notice.generation),
    coalesce(task.notify, '') = 'silent', notice.kind, notice.letter";

/// Notices in the order of their tasks; of a ledger with many, those of the newest events first, but for the letters,
/// which outlived theirs.
const FROM_NOTICES: &str = "FROM notice LEFT JOIN task ON task.number = notice.task";
const FROM_EVENTS: &str = "FROM event CROSS JOIN notice ON notice.task = event.task AND notice.seq = event.seq
    LEFT JOIN task ON task.number = notice.task";
const FROM_LETTERS: &str = "FROM notice INDEXED BY notice_letter LEFT JOIN task ON task.number = notice.task";
const FROM_OPEN: &str = "FROM notice INDEXED BY notice_open LEFT JOIN task ON task.number = notice.task";
/// So many are sorted.
const SORTED: usize = 5_000;

/// How many rows are no notices.
pub(crate) fn unreadable(sql: &Connection) -> Result<u64, Failure> {
    sqlite::odd_rows(sql, &format!("SELECT {COLUMNS} {FROM_NOTICES}"), read)
}

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
        since: Since { generation: row.get(10)?, silent: row.get(11)? },
        kind: row.get(12)?,
        letter: row.get::<_, Option<String>>(13)?.as_deref().and_then(Letter::read),
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
        test(&format!("{OWNER} = ?"), owner.clone().into());
    }
    if let Some(recipient) = &notices.recipient {
        known(sql, recipient, caller)?;
        test("notice.recipient = ?", recipient.clone().into());
    }
    if let Some(lookup) = &notices.task {
        let task = find::task(sql, lookup, caller.scope(), Purpose::Read)?;
        test("notice.task = ?", stored_number(task.task.number.0)?.into());
    }
    if let Some(after) = &notices.after {
        let (seq, recipient) = (named_number(after.seq.0), after.recipient.clone().unwrap_or_default());
        test("SEQ <= ?", seq.into());
        test(&format!("(SEQ < {seq} OR notice.recipient > ?)"), recipient.into());
    }
    if !notices.state.is_empty() {
        let codes: Vec<String> = notices.state.iter().map(|state| (*state as u8).to_string()).collect();
        tests.push(format!("notice.state IN ({})", codes.join(", ")));
    }
    let (tests, most) = (tests.join(" AND "), limit as usize + 1);
    let find = |from: &str, seq: &str, first: &str| -> Result<Vec<Stored>, Failure> {
        let tests = tests.replace("SEQ", seq);
        let order = format!("ORDER BY {seq} DESC, notice.recipient LIMIT {most}");
        let mut statement =
            sql.prepare_cached(&format!("SELECT {COLUMNS} {from} WHERE {first} AND {tests} {order}"))?;
        let found = statement.query_map(rusqlite::params_from_iter(&values), read)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    };
    let is_few = |from: &str| -> Result<bool, Failure> {
        let query = format!("SELECT 1 FROM notice {from} LIMIT 1 OFFSET {SORTED}");
        Ok(!sql.prepare_cached(&query)?.exists([])?)
    };
    let is_open = !notices.state.is_empty() && notices.state.iter().all(|state| *state as u8 <= 2);
    let mut found = if notices.task.is_some() || is_few("")? {
        find(FROM_NOTICES, "notice.seq", "true")?
    } else if is_open && is_few("INDEXED BY notice_open WHERE state <= 2 AND known IN (0, 1)")? {
        find(FROM_OPEN, "notice.seq", "notice.state <= 2 AND notice.known IN (0, 1)")?
    } else {
        let mut found = find(FROM_EVENTS, "event.seq", "notice.letter IS NULL")?;
        found.extend(find(FROM_LETTERS, "notice.seq", "notice.letter IS NOT NULL")?);
        found.sort_by(|one, other| {
            let (one, other) = (&one.notice, &other.notice);
            other.seq.cmp(&one.seq).then_with(|| one.recipient.cmp(&other.recipient))
        });
        found
    };
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
    request.recipients.iter().try_for_each(|recipient| known(sql, recipient, caller))?;
    let limit = request.limit.unwrap_or(bounds::NOTICES_DEFAULT) as usize;
    let token = match caller.world {
        World::Real => format!("{:016x}", u64::from_le_bytes(platform::random_bytes())),
        World::Scripted(now) => format!("claim-{}-{}", now.get(), claims(sql)?),
    };
    let claim = NoticeClaim { token: token.clone(), consumer: request.consumer.clone() };
    let command = NoticeCommand::Claim(claim, request.lease.unwrap_or(bounds::NOTICES_LEASE));
    let recipients = serde_json::to_string(&request.recipients).map_err(|error| Error::internal(error.to_string()))?;
    // What waits for others is not stepped over.
    let is_theirs = match request.recipients.is_empty() {
        true => "?3 = '[]'",
        false => "notice.recipient IN (SELECT value FROM json_each(?3))",
    };
    let query = format!(
        "SELECT {COLUMNS} {FROM_OPEN}
            WHERE notice.known IN (0, 1) AND {is_theirs} AND notice.state <= 2 AND notice.due_at <= ?1
                AND (?2 IS NULL OR {OWNER} = ?2)
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
    // Whoever claims for a recipient misses what is left for it.
    let claimed_for: BTreeSet<&str> = claimed.iter().map(|view| view.state.recipient.as_str()).collect();
    for recipient in claimed_for {
        let is_new = "INSERT INTO recipient VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        if sql.prepare_cached(is_new)?.execute((recipient, at.now.get()))? > 0 {
            for (index, state) in [("notice_open", "state <= 2"), ("notice_dead", "state = 5")] {
                let missed = format!(
                    "UPDATE notice INDEXED BY {index} SET known = 1 WHERE known = 0 AND recipient = ?1 AND {state}"
                );
                sql.prepare_cached(&missed)?.execute([recipient])?;
            }
        }
    }
    let claim = (!claimed.is_empty()).then_some(token);
    Ok(Written { response: Response::NoticesClaim(ClaimedNotices { claim, notices: claimed }), wrote })
}

/// Refuses a recipient that nobody has registered, and one that is another owner: foreign looks like absent.
pub(crate) fn known(sql: &Connection, recipient: &str, caller: &Caller) -> Result<(), Failure> {
    let given = Recipient::parse("recipient", recipient)?;
    let foreign = |owner: &str| caller.owner.as_deref().is_some_and(|own| own != owner);
    let absent = match (given.subscriber(), given.owner()) {
        (Some(name), _) => !config::subscribers(sql)?.iter().any(|subscriber| subscriber.name == name),
        (None, Some(owner)) => foreign(owner),
        (None, None) => false,
    };
    match absent {
        true => Err(Error::UnknownRecipient { recipient: recipient.to_owned() }.into()),
        false => Ok(()),
    }
}

/// Marks delivered what a recipient is owed about a task: it has read it. Answers whether anything was.
pub(crate) fn read_by(
    sql: &Connection,
    task: TaskNumber,
    recipient: &str,
    caller: &Caller,
    at: &Moment,
) -> Result<bool, Failure> {
    known(sql, recipient, caller)?;
    let query = format!(
        "SELECT {COLUMNS} {FROM_NOTICES} WHERE notice.task = ?1 AND notice.recipient = ?2 AND notice.state IN (1, 2, 5)"
    );
    let mut statement = sql.prepare_cached(&query)?;
    let open = statement.query_map((stored_number(task.0)?, recipient), read)?;
    let open = open.collect::<rusqlite::Result<Vec<Stored>>>()?;
    let mut wrote = false;
    for stored in open {
        wrote |= apply(sql, stored, &NoticeCommand::Read, at.now)?.is_none_or(|(_, changed)| changed);
    }
    Ok(wrote)
}

/// Has the notices of a task that is pruned outlive it: what nobody claimed becomes a dead letter, and dead letters keep
/// what they need of the task. Answers how many were unclaimed.
pub(crate) fn outlive(sql: &Connection, task: TaskNumber, at: &Moment) -> Result<u64, Failure> {
    let query = format!("SELECT {COLUMNS} {FROM_NOTICES} WHERE notice.task = ?1 AND notice.state IN (1, 2, 5)");
    let mut statement = sql.prepare_cached(&query)?;
    let kept = statement.query_map([stored_number(task.0)?], read)?.collect::<rusqlite::Result<Vec<Stored>>>()?;
    if kept.is_empty() {
        return Ok(0);
    }
    let Some(task) = find::by_number(sql, task, Scope(None))?.map(|found| found.task) else { return Ok(0) };
    let mut unclaimed = 0;
    for Stored { notice, .. } in kept {
        let message = words(sql, &task, &notice)?;
        let letter = Letter { id: task.id, owner: task.owner.clone(), message };
        let letter = serde_json::to_string(&letter).map_err(|error| Error::internal(error.to_string()))?;
        let dead = notice.unclaimed(at.now);
        unclaimed += u64::from(notice.state != NoticeState::Dead);
        sql.prepare_cached(
            "UPDATE notice SET state = ?4, due_at = ?5, reason = ?6, letter = ?7
                WHERE task = ?1 AND seq = ?2 AND recipient = ?3",
        )?
        .execute((
            stored_number(dead.number.0)?,
            stored_number(dead.seq.0)?,
            &dead.recipient,
            dead.state as u8,
            dead.due_at.get(),
            &dead.reason,
            letter,
        ))?;
    }
    Ok(unclaimed)
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
    let find = |from: &str, first: &str| -> Result<Vec<Stored>, Failure> {
        let query = format!(
            "SELECT {COLUMNS} {from} WHERE {first} AND notice.seq = ?1 AND (?2 IS NULL OR notice.recipient = ?2)
                AND (?3 IS NULL OR {OWNER} = ?3)"
        );
        let mut statement = sql.prepare_cached(&query)?;
        let found = statement.query_map((named_number(id.seq.0), &id.recipient, scope.0), read)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    };
    let mut found = find(FROM_NOTICES, "notice.task = (SELECT task FROM event WHERE seq = ?1)")?;
    if found.is_empty() {
        // It outlived its task, and its event.
        found = find(FROM_LETTERS, "notice.letter IS NOT NULL")?;
    }
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
    match decide_notice(&stored.notice, command, stored.since, now)? {
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

/// A notice of a task that is there, in words.
fn words(sql: &Connection, task: &Task, notice: &Notice) -> Result<String, Failure> {
    let query = "SELECT kind, data FROM event WHERE seq = ?1";
    let event = sql.prepare_cached(query)?.query_row([stored_number(notice.seq.0)?], |row| {
        let (kind, data): (u8, Option<String>) = (row.get(0)?, row.get(1)?);
        Ok(Event::from_stored(kind, data.as_deref()))
    });
    // Of a ledger that was recovered without the event, what is known is how the task is now.
    let lost = || Event::Unknown { kind: 0, data: Json::null() };
    Ok(message(task, &event.optional()?.unwrap_or_else(lost), notice.generation))
}

fn view(sql: &Connection, stored: Stored, world: World, at: &Moment) -> Result<NoticeView, Failure> {
    let Stored { notice, kind, letter, .. } = stored;
    let kind = EventKind::from_code(kind);
    let task = find::by_number(sql, notice.number, Scope(None))?.map(|found| found.task);
    let (id, text) = match (&task, letter) {
        (Some(task), _) => (task.id, words(sql, task, &notice)?),
        (None, Some(letter)) => (letter.id, letter.message),
        (None, None) => return Err(Failure::Damaged(format!("of the task of notice {} nothing is left", notice.id()))),
    };
    Ok(NoticeView {
        notice: notice.id(),
        key: format!("{id}/{}", notice.id()),
        kind: kind.map_or("unknown", EventKind::as_str).into(),
        message: text,
        task: task.map(|task| record::view(sql, task, world, at)).transpose()?,
        state: notice,
    })
}
