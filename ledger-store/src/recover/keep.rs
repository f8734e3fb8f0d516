//! The files of a damaged ledger, copied as they are before anything else is done.

use crate::platform;
use crate::sqlite;
use crate::turnstile::{Deadline, Turnstile, beside};
use bgledger_core::{Error, KeptFile};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The database and what SQLite keeps beside it.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// How often the files are copied anew because somebody wrote them meanwhile.
const ATTEMPTS: u32 = 3;
const CHUNK: usize = 1 << 20;

/// What tells whether somebody wrote a file.
type Look = Option<(u64, Option<SystemTime>)>;

/// Copies a ledger's files into a folder, and tells where the copy of the database is, and of each its hash.
pub(super) fn keep(from: &Path, folder: &Path, patience: Duration) -> Result<(PathBuf, Vec<KeptFile>), Error> {
    if !from.is_file() {
        return Err(Error::NoLedger { path: from.display().to_string() });
    }
    platform::create_private_dir(folder).map_err(|error| sqlite::io(folder, &error))?;
    let name = from.file_name().ok_or_else(|| Error::internal("a file without a name"))?;
    let to = folder.join(name);
    let deadline = Deadline::after(patience);
    // Those who write wait, where somebody has written with our locks before; none are made.
    let turnstile = Turnstile::is_taken(from).and_then(|_| Turnstile::open(from).ok());
    let _turn = turnstile.as_ref().and_then(|turnstile| turnstile.enter(&deadline, None).ok().flatten());
    for _ in 0..ATTEMPTS {
        let before = FILES.map(|suffix| look(&beside(from, suffix)));
        let mut copies = Vec::new();
        for suffix in FILES {
            copies.extend(copy(&beside(from, suffix), &beside(&to, suffix))?);
        }
        if before == FILES.map(|suffix| look(&beside(from, suffix))) {
            list(folder, &copies)?;
            return Ok((to, copies));
        }
    }
    Err(Error::Busy { waited_ms: deadline.waited_ms() })
}

fn look(path: &Path) -> Look {
    fs::metadata(path).ok().map(|found| (found.len(), found.modified().ok()))
}

/// Copies one file, if it is there.
fn copy(from: &Path, to: &Path) -> Result<Option<KeptFile>, Error> {
    let unread =
        |error: std::io::Error| Error::Unreadable { path: from.display().to_string(), problem: error.to_string() };
    let failed = |error| sqlite::io(to, &error);
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    platform::create_private_file(to).map_err(failed)?;
    let mut target = OpenOptions::new().write(true).truncate(true).open(to).map_err(failed)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = source.read(&mut chunk).map_err(unread)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        target.write_all(read).map_err(failed)?;
        bytes += count as u64;
    }
    target.sync_all().map_err(failed)?;
    // Closing it would take away the locks that this process may have on the ledger: it stays open.
    std::mem::forget(source);
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(KeptFile { path: to.display().to_string(), bytes, sha256 }))
}

/// Writes the hashes down beside the copies, as `sha256sum --check` reads them.
fn list(folder: &Path, copies: &[KeptFile]) -> Result<(), Error> {
    let path = folder.join("SHA256SUMS");
    let failed = |error| sqlite::io(&path, &error);
    platform::create_private_file(&path).map_err(failed)?;
    let name = |copy: &KeptFile| Path::new(&copy.path).file_name().unwrap_or_default().display().to_string();
    let text: String = copies.iter().map(|copy| format!("{}  {}\n", copy.sha256, name(copy))).collect();
    fs::write(&path, text).map_err(failed)?;
    platform::sync_file(&path).and_then(|()| platform::sync_folder(&path)).map_err(failed)
}
