//! The lines of an export, as they are read.

use super::{Record, VERSION};
use bgledger_core::Error;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest line: a task with a thousand reports of progress and a whole result.
const LINE_BYTES: u64 = 256 * 1024 * 1024;

/// The word by which a report names where the records come from.
pub(super) const SOURCE: &str = "bgledger";

pub(super) fn wrong(number: u64, problem: &str) -> Error {
    Error::invalid("file", format!("line {number}: {problem}"), "what `bgledger export` has written")
}

/// The lines of an export, but for its first and its last.
pub(super) struct Lines {
    file: BufReader<File>,
    number: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Lines, Error> {
        let failed = |error: std::io::Error| {
            Error::invalid("file", format!("{}: {error}", path.display()), "a file that `bgledger export` has written")
        };
        let file = BufReader::new(File::open(path).map_err(failed)?);
        let mut lines = Lines { file, number: 0, ended: false };
        let header = lines.read()?.unwrap_or_default();
        let version = header.get("version").and_then(Value::as_i64);
        match (header.get("export").and_then(Value::as_str), version) {
            (Some(SOURCE), Some(VERSION)) => Ok(lines),
            (Some(SOURCE), _) => Err(wrong(1, "it is of a newer version")),
            (_, _) => Err(wrong(1, "it is no header of an export")),
        }
    }

    fn read(&mut self) -> Result<Option<Record>, Error> {
        let mut text = String::new();
        let read = self.file.by_ref().take(LINE_BYTES).read_line(&mut text);
        self.number += 1;
        match read.map_err(|error| wrong(self.number, &error.to_string()))? {
            0 => Ok(None),
            _ => match serde_json::from_str(&text) {
                Ok(record) => Ok(Some(record)),
                Err(error) => Err(wrong(self.number, &error.to_string())),
            },
        }
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Record), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let before = self.number;
        let line = self.read();
        self.ended = !matches!(&line, Ok(Some(record)) if !record.contains_key("end"));
        match line {
            Ok(None) => Some(Err(wrong(self.number, "it ends early"))),
            Ok(Some(record)) => match record.get("end") {
                None => Some(Ok((self.number, record))),
                Some(end) if end.get("lines").and_then(Value::as_u64) == Some(before) => None,
                Some(_) => Some(Err(wrong(self.number, "lines are missing"))),
            },
            Err(error) => Some(Err(error)),
        }
    }
}
