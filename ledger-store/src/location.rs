//! Where a ledger is.

use bgledger_core::Error;
use std::env;
use std::path::{Path, PathBuf};

/// See [`crate::Ledger::default_path`].
pub(crate) fn default_path() -> Result<PathBuf, Error> {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = given("BGLEDGER_DB") {
        return Ok(path);
    }
    // As the XDG specification says, a relative path in it counts as unset.
    let state = given("XDG_STATE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| given("HOME").map(|home| home.join(".local").join("state")))
        .or_else(|| given("LOCALAPPDATA"));
    match state {
        Some(state) => Ok(state.join("bgledger").join("ledger.db")),
        None => Err(Error::BadPath {
            path: "the default ledger".into(),
            problem: "neither BGLEDGER_DB nor XDG_STATE_HOME nor HOME is set".into(),
        }),
    }
}

/// The same path whichever way somebody wrote it: one file is one ledger.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf, Error> {
    let bad = |problem: String| Error::BadPath { path: path.display().to_string(), problem };
    let name = path.file_name().ok_or_else(|| bad("it names no file".into()))?;
    let absolute = std::path::absolute(path).map_err(|error| bad(error.to_string()))?;
    let folder = absolute.parent().ok_or_else(|| bad("it is a folder".into()))?;
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(bad("there is a NUL in it".into()));
    }
    // What is not there yet is made when something is recorded.
    let mut there = folder;
    let mut missing = Vec::new();
    let resolved = loop {
        match there.canonicalize() {
            Ok(resolved) => break resolved,
            Err(_) => match (there.parent(), there.file_name()) {
                (Some(parent), Some(last)) => {
                    missing.push(last.to_owned());
                    there = parent;
                }
                (_, _) => break there.to_owned(),
            },
        }
    };
    let folder = missing.into_iter().rev().fold(resolved, |folder, name| folder.join(name));
    Ok(folder.join(name))
}
