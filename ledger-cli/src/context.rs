//! What every verb has at hand: the options that hold for all, the ledger, the output.

use crate::failure::Failure;
use crate::globals::Globals;
use crate::output::Output;
use crate::preferences::Preferences;
use bgledger_core::{Error, ExecutorSpec, RecoverReport, runtime};
use bgledger_store::{Ledger, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every verb has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) out: Output,
    pub(crate) preferences: Preferences,
    options: OpenOptions,
}

impl Context {
    pub(crate) fn new(globals: Globals) -> Result<Context, Failure> {
        let preferences = Preferences::find(&globals)?;
        let options = OpenOptions {
            owner: preferences.owner.value.clone(),
            durability: preferences.durability.value,
            runtime: runtime::CLI.into(),
            executor: ExecutorSpec::External,
            busy_timeout: preferences.busy_timeout.value,
            allow_network_fs: globals.allow_network_fs,
            ..OpenOptions::default()
        };
        Ok(Context { out: Output::new(&globals, &preferences), preferences, options })
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

    /// Whether the ledger was named on the command line, or by its file.
    pub(crate) fn ledger_is_named(&self) -> bool {
        self.preferences.ledger.value.is_some()
    }

    /// Makes a new ledger of what can be read of a damaged one, which need not be one that opens.
    pub(crate) fn recover(&self, from: Option<PathBuf>, to: &Path) -> Result<RecoverReport, Failure> {
        if self.options.owner.is_some() {
            let why = "it is the operator's".into();
            return Err(Error::NotAvailable { what: "recover".into(), why }.into());
        }
        let from = from.map_or_else(|| self.path(), Ok)?;
        Ok(Ledger::recover(&from, to, self.options.busy_timeout)?)
    }

    fn open(&self, options: OpenOptions) -> Result<Ledger, Failure> {
        Ok(Ledger::open(&self.path()?, options)?)
    }

    fn path(&self) -> Result<PathBuf, Error> {
        self.preferences.ledger.value.clone().map_or_else(Ledger::default_path, Ok)
    }
}
