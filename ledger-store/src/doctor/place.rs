//! What the system says of the ledger's files, their folder and this machine. Nothing is opened.

use super::{bad, odd, well};
use crate::connection;
use crate::platform::{self, FileSystem};
use crate::turnstile::{Turnstile, beside};
use bgledger_core::{Check, Error};
use std::path::Path;

/// Everything that can be told without a look into the ledger.
pub(super) fn checks(path: &Path) -> Result<Vec<Check>, Error> {
    Ok(vec![file(path)?, permissions(path), owners(path), folder(path), turn(path), host()])
}

fn file(path: &Path) -> Result<Check, Error> {
    let (_, file_system) = connection::inspect(path, true)?;
    let shown = path.display();
    Ok(match file_system {
        FileSystem::Local => well("file", format!("{shown}, on a local file system, under no other name")),
        FileSystem::Network(name) => {
            bad("file", format!("{shown}, on a network file system ({name})"), "put the ledger on a local disk")
        }
    })
}

fn permissions(path: &Path) -> Check {
    let files = ["", "-wal", "-shm", "-queue", "-turn", "-bell"].map(|suffix| beside(path, suffix));
    let is_open = |file: &&std::path::PathBuf| platform::is_open_to_others(file);
    let open: Vec<String> = files.iter().filter(is_open).map(|file| file.display().to_string()).collect();
    match open.is_empty() {
        true => well("permissions", "for its owner alone".into()),
        false => odd("permissions", format!("others may open {}", open.join(", ")), "chmod 600 the files"),
    }
}

/// Files of several owners keep each other's processes out.
fn owners(path: &Path) -> Check {
    let ledger = platform::owner(path);
    let files = ["-wal", "-shm", "-queue", "-turn", "-bell"].map(|suffix| beside(path, suffix));
    let is_foreign = |file: &&std::path::PathBuf| platform::owner(file).is_some_and(|owner| Some(owner) != ledger);
    let foreign: Vec<String> = files.iter().filter(is_foreign).map(|file| file.display().to_string()).collect();
    match (foreign.is_empty(), ledger, platform::own_user()) {
        (false, _, _) => {
            let hint = "chown them to the ledger's owner, while nobody uses the ledger";
            odd("owner", format!("another user than the ledger's owns {}", foreign.join(", ")), hint)
        }
        (true, Some(owner), Some(own)) if owner != own => {
            odd("owner", format!("user {owner}; this is user {own}"), "use the ledger as the user who owns it")
        }
        (true, Some(owner), _) => well("owner", format!("user {owner}, of every file")),
        (true, None, _) => well("owner", "this system does not tell".into()),
    }
}

fn folder(path: &Path) -> Check {
    let folder = path.parent().unwrap_or(path);
    let shown = folder.display();
    if !platform::is_writable(folder) {
        let detail = format!("{shown} cannot be written: the ledger can only be read");
        return odd("folder", detail, "look at the permissions of the folder");
    }
    match platform::is_writable_to_others(folder) {
        true => {
            odd("folder", format!("others may put files in {shown}"), "chmod 700 the folder, or use one of its own")
        }
        false => well("folder", format!("{shown} can be written, by its owner alone")),
    }
}

/// Whether somebody writes just now; a process that was stopped in its turn holds up all others.
fn turn(path: &Path) -> Check {
    match Turnstile::is_taken(path) {
        Some(true) => {
            let hint = "if it stays so, look for a stopped process that has the -turn file open";
            odd("locks", "somebody has the turn to write".into(), hint)
        }
        Some(false) => well("locks", "nobody has the turn to write".into()),
        None => well("locks", "nobody has written from here yet".into()),
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
    match (missing.is_empty(), platform::in_container()) {
        (true, true) => {
            well("host", "dead executors can be proved, in this container; a restart hides them: leases tell".into())
        }
        (true, false) => well("host", "dead executors can be proved".into()),
        (false, _) => {
            let detail = format!("no {}: dead executors cannot be proved here", missing.join(", no "));
            odd("host", detail, "give tasks a lease")
        }
    }
}
