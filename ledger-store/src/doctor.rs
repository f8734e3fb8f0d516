//! A look at the ledger's health: the file, its place, its permissions, its history.

use crate::connection;
use crate::engine::Engine;
use crate::find::Scope;
use crate::platform::{self, FileSystem};
use crate::schema;
use crate::turnstile::beside;
use crate::verify;
use bgledger_core::{Check, CheckState, DoctorReport, Error};
use std::path::Path;
use std::time::Duration;

/// Problems of one kind that a check tells in full.
const TOLD: usize = 5;

/// Looks at everything that can be looked at without changing it.
pub(crate) fn examine(engine: &Engine, path: &Path, patience: Duration) -> Result<DoctorReport, Error> {
    let mut checks = vec![place(path)?, permissions(path), folder(path), host()];
    let read = engine.read(patience, |sql| {
        let text = |query: &str| sql.query_row(query, [], |row| row.get::<_, String>(0));
        let mut damage = Vec::new();
        let mut statement = sql.prepare("PRAGMA integrity_check(20)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            damage.push(row.get::<_, String>(0)?);
        }
        let heading = schema::heading(sql)?;
        Ok((damage, text("PRAGMA journal_mode")?, heading, verify::verify(sql, Scope(None))?))
    })?;
    let (damage, journal, heading, verified) = read;
    checks.push(Check {
        name: "format",
        state: CheckState::Ok,
        detail: format!(
            "format {} (read from {}, written from {}); this program knows {}; SQLite {}",
            heading.format,
            heading.min_reader,
            heading.min_writer,
            schema::FORMAT,
            rusqlite::version()
        ),
        hint: None,
    });
    checks.push(match journal.as_str() {
        "wal" => Check { name: "journal", state: CheckState::Ok, detail: wal(path), hint: None },
        other => Check {
            name: "journal",
            state: CheckState::Warning,
            detail: format!("journal mode {other}: readers and writers wait for each other"),
            hint: Some("a ledger on a local disk uses WAL; recording into it turns it on".into()),
        },
    });
    checks.push(match damage.as_slice() {
        [ok] if ok == "ok" => {
            Check { name: "integrity", state: CheckState::Ok, detail: "SQLite finds no damage".into(), hint: None }
        }
        _ => Check {
            name: "integrity",
            state: CheckState::Error,
            detail: some(&damage),
            hint: Some("keep a copy of the file and of its -wal and -shm before anything else".into()),
        },
    });
    let counts = format!("{} tasks and {} events agree", verified.tasks, verified.events);
    checks.push(match verified.ok {
        true => Check { name: "history", state: CheckState::Ok, detail: counts, hint: None },
        false => Check {
            name: "history",
            state: CheckState::Error,
            detail: some(&verified.problems),
            hint: Some("somebody wrote the file past bgledger; the history says what was recorded".into()),
        },
    });
    let healthy = checks.iter().all(|check| check.state != CheckState::Error);
    Ok(DoctorReport { healthy, checks })
}

fn some(problems: &[String]) -> String {
    let told = problems.iter().take(TOLD).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(TOLD) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

fn place(path: &Path) -> Result<Check, Error> {
    let (_, file_system) = connection::inspect(path, true)?;
    let shown = path.display();
    Ok(match file_system {
        FileSystem::Local => Check {
            name: "file",
            state: CheckState::Ok,
            detail: format!("{shown}, on a local file system"),
            hint: None,
        },
        FileSystem::Network(name) => Check {
            name: "file",
            state: CheckState::Error,
            detail: format!("{shown}, on a network file system ({name})"),
            hint: Some("put the ledger on a local disk".into()),
        },
    })
}

fn permissions(path: &Path) -> Check {
    let open: Vec<String> = ["", "-wal", "-shm"]
        .iter()
        .map(|suffix| beside(path, suffix))
        .filter(|file| platform::is_open_to_others(file))
        .map(|file| file.display().to_string())
        .collect();
    match open.is_empty() {
        true => Check { name: "permissions", state: CheckState::Ok, detail: "for its owner alone".into(), hint: None },
        false => Check {
            name: "permissions",
            state: CheckState::Warning,
            detail: format!("others may open {}", open.join(", ")),
            hint: Some("chmod 600 the files".into()),
        },
    }
}

fn folder(path: &Path) -> Check {
    let folder = path.parent().unwrap_or(path);
    match platform::is_writable(folder) {
        true => Check { name: "folder", state: CheckState::Ok, detail: "it can be written".into(), hint: None },
        false => Check {
            name: "folder",
            state: CheckState::Warning,
            detail: format!("{} cannot be written: the ledger can only be read", folder.display()),
            hint: Some("look at the permissions of the folder".into()),
        },
    }
}

/// What evidence of life and death this machine can give.
fn host() -> Check {
    let host = platform::host();
    let known = |name: &str, known: bool| (!known).then(|| name.to_owned());
    let missing: Vec<String> = [
        known("machine id", host.machine.is_some()),
        known("boot id", host.boot.is_some()),
        known("pid namespace", host.pid_namespace.is_some()),
    ]
    .into_iter()
    .flatten()
    .collect();
    match missing.is_empty() {
        true => Check {
            name: "host",
            state: CheckState::Ok,
            detail: match platform::in_container() {
                true => "dead executors can be proved, in this container; a restart hides them: leases tell".into(),
                false => "dead executors can be proved".into(),
            },
            hint: None,
        },
        false => Check {
            name: "host",
            state: CheckState::Warning,
            detail: format!("no {}: dead executors cannot be proved here", missing.join(", no ")),
            hint: Some("give tasks a lease".into()),
        },
    }
}

fn wal(path: &Path) -> String {
    match std::fs::metadata(beside(path, "-wal")) {
        Ok(wal) => format!("WAL of {} KiB", wal.len() / 1024),
        Err(_) => "WAL, empty".into(),
    }
}
