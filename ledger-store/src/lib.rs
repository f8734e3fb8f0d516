//! The storage shell of bgledger: one public call, one transaction.
use bgledger_core::config::Durability;
use bgledger_core::{Call, Error, ExecutorSpec, Millis, Request, Response};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a ledger is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// See the records of this owner alone; `None`: the operator, who sees all and records under `local`.
    pub owner: Option<String>,
    /// `None`: the ledger's own setting.
    pub durability: Option<Durability>,
    /// Never record.
    pub readonly: bool,
    /// The runtime of tasks that name none (`subagent`; the command line says `cli`).
    pub runtime: String,
    /// The executor of starts that name none (this process; the command line says external).
    pub executor: ExecutorSpec,
    /// How long a call waits for other writers.
    pub busy_timeout: Duration,
    /// Use a ledger on a network file system all the same.
    pub allow_network_fs: bool,
    /// Time and host are told by each request (`Envelope::now`): for conformance tests.
    pub test_clock: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            owner: None,
            durability: None,
            readonly: false,
            runtime: bgledger_core::runtime::SUBAGENT.into(),
            executor: ExecutorSpec::This,
            busy_timeout: Duration::from_secs(5),
            allow_network_fs: false,
            test_clock: false,
        }
    }
}

/// A handle on a ledger. Cheap to clone; share it between threads.
#[derive(Debug, Clone)]
pub struct Ledger {}

impl Ledger {
    /// Opens the ledger at a path. A missing one is no error: the first recorded task creates it.
    pub fn open(_path: &Path, _options: OpenOptions) -> Result<Ledger, Error> {
        unimplemented!()
    }
    /// Where the ledger is unless told: `$BGLEDGER_DB`, else `bgledger/ledger.db` in the state folder.
    pub fn default_path() -> Result<PathBuf, Error> {
        unimplemented!()
    }
    /// The file.
    pub fn path(&self) -> &Path {
        unimplemented!()
    }
    /// Carries out a typed call: `ledger.call(Show { lookup })?.task`.
    pub fn call<C: Call>(&self, _call: C) -> Result<C::Reply, Error> {
        unimplemented!()
    }
    /// Carries out any request (checks it first).
    pub fn request(&self, _request: Request) -> Result<Response, Error> {
        unimplemented!()
    }
    /// The same at a time of the test clock.
    pub fn request_at(&self, _request: Request, _now: Millis) -> Result<Response, Error> {
        unimplemented!()
    }
    /// Carries out one Request given as JSON text and answers with one Response as JSON text; the text is never empty.
    pub fn answer(&self, _request: &str) -> String {
        unimplemented!()
    }
}
