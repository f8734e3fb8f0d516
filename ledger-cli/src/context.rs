//! What every verb has at hand: the options that hold for all, the ledger, the output.

use crate::failure::Failure;
use crate::globals::Globals;
use crate::output::Output;
use bgledger_core::config::Durability;
use bgledger_core::{Error, ExecutorSpec, runtime};
use bgledger_store::{Ledger, OpenOptions};
use std::path::PathBuf;
use std::time::Duration;

/// What every verb has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) out: Output,
    path: Option<PathBuf>,
    options: OpenOptions,
}

/// The variable that a handle's durability comes from, unless told.
const DURABILITY: &str = "BGLEDGER_DURABILITY";

impl Context {
    pub(crate) fn new(globals: Globals) -> Result<Context, Failure> {
        let durability = match globals.durability {
            Some(durability) => Some(durability),
            None => durability_of_environment()?,
        };
        let milliseconds = u64::try_from(globals.busy_timeout.ms()).unwrap_or(0);
        let options = OpenOptions {
            owner: globals.owner.clone(),
            durability,
            runtime: runtime::CLI.into(),
            executor: ExecutorSpec::External,
            busy_timeout: Duration::from_millis(milliseconds),
            allow_network_fs: globals.allow_network_fs,
            ..OpenOptions::default()
        };
        Ok(Context { out: Output::new(&globals), path: globals.ledger, options })
    }

    /// The ledger, to read from.
    pub(crate) fn reading(&self) -> Result<Ledger, Failure> {
        self.open(OpenOptions { readonly: true, ..self.options.clone() })
    }

    /// The ledger, to record in.
    pub(crate) fn recording(&self) -> Result<Ledger, Failure> {
        self.open(self.options.clone())
    }

    /// The ledger with another patience.
    pub(crate) fn recording_within(&self, busy_timeout: Duration) -> Result<Ledger, Failure> {
        self.open(OpenOptions { busy_timeout, ..self.options.clone() })
    }

    /// The ledger on a clock that each request sets.
    pub(crate) fn on_test_clock(&self) -> Result<Ledger, Failure> {
        self.open(OpenOptions { test_clock: true, ..self.options.clone() })
    }

    /// Whether the ledger was named on the command line.
    pub(crate) fn ledger_is_named(&self) -> bool {
        self.path.is_some()
    }

    fn open(&self, options: OpenOptions) -> Result<Ledger, Failure> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => Ledger::default_path()?,
        };
        Ok(Ledger::open(&path, options)?)
    }
}

fn durability_of_environment() -> Result<Option<Durability>, Failure> {
    let Some(value) = std::env::var_os(DURABILITY).filter(|value| !value.is_empty()) else { return Ok(None) };
    let known = value.to_str().and_then(Durability::from_word);
    let invalid = || Error::invalid(DURABILITY, format!("{value:?}"), Durability::EXPECTED);
    known.map(Some).ok_or_else(|| invalid().into())
}
