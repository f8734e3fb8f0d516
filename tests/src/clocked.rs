//! A process that records by a clock that the test moves: hours pass in a moment, the process is real.

use crate::pipe::{self, Gone, Piped};
use bgledger_core::Millis;
use serde_json::{Value, json};
use std::path::Path;

/// 2026-01-01, in milliseconds: where these clocks begin.
pub const BEGINNING: i64 = 1_767_225_600_000;
/// A second of them.
pub const SECOND: i64 = 1_000;
/// A minute of them.
pub const MINUTE: i64 = 60 * SECOND;

/// One process.
#[derive(Debug)]
pub struct Clocked(Piped);

impl Clocked {
    /// Starts `bgledger call --test-clock` on a ledger.
    pub fn on(ledger: &Path) -> Clocked {
        Clocked(Piped::start(pipe::command(ledger).args(["call", "--test-clock"])))
    }

    /// One Request at a time of the test's clock, one Response.
    pub fn ask(&mut self, now: i64, mut request: Value) -> Result<Value, Gone> {
        request["now"] = json!(Millis::clamped(now).to_string());
        self.0.ask(&request.to_string())
    }

    /// One Request that must succeed.
    pub fn ok(&mut self, now: i64, request: Value) -> Value {
        let response = self.ask(now, request.clone()).expect("an answer");
        match response.get("ok") {
            Some(ok) => ok.clone(),
            None => panic!("{request} was answered with {response}"),
        }
    }

    /// One Request that must be refused: the error.
    pub fn refused(&mut self, now: i64, request: Value) -> Value {
        let response = self.ask(now, request.clone()).expect("an answer");
        match response.get("error") {
            Some(error) => error.clone(),
            None => panic!("{request} was answered with {response}"),
        }
    }

    /// SIGKILL, and away.
    pub fn kill(self) {
        self.0.kill();
    }
}
