//! Writes the ledger as lines of JSON.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::Error;
use bgledger_store::platform::create_private_file;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Write the whole ledger as lines of JSON
///
/// One record a line: tasks with their events and notices, flows, tombstones, settings. bgledger import FILE makes the
/// same ledger of it. It is one state of the ledger, whoever records meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger export ledger.ndjson
  bgledger export | gzip > ledger.ndjson.gz")]
pub(crate) struct Export {
    /// A new file for its owner alone [default: standard output]
    file: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ledger = context.reading()?;
        let mut failed = None;
        let mut write_to = |out: &mut dyn Write, told: &dyn Fn(&str) -> String| -> Result<(), Failure> {
            ledger.export(&mut |line| match writeln!(out, "{}", told(line)) {
                Ok(()) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            })?;
            if failed.is_none() {
                failed = out.flush().err();
            }
            Ok(())
        };
        match &self.file {
            None => {
                write_to(&mut BufWriter::new(io::stdout().lock()), &|line| context.out.told(line.to_owned()))?;
                failed.map_or(Ok(Exit::Done), |error| Err(Failure::Output(error)))
            }
            Some(path) => {
                let system = |error| Failure::System { what: format!("writing {}", path.display()), error };
                let exists = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
                let refused = |error| match exists(&error) {
                    true => Error::FileExists { path: path.display().to_string() }.into(),
                    false => system(error),
                };
                let mut file = BufWriter::new(new_file(path).map_err(refused)?);
                write_to(&mut file, &str::to_owned)?;
                let synced = failed.map_or_else(|| file.get_ref().sync_all(), Err);
                synced.map(|()| Exit::Done).map_err(system)
            }
        }
    }
}

fn new_file(path: &Path) -> io::Result<std::fs::File> {
    match create_private_file(path)? {
        true => OpenOptions::new().write(true).open(path),
        false => Err(io::ErrorKind::AlreadyExists.into()),
    }
}
