//! A process that records: `bgledger call` with the real clock, spoken to through its pipes, and killed at will.

use crate::binary;
use crate::json;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// `bgledger` on one ledger, free of what the environment says.
pub fn command(ledger: &Path) -> Command {
    let mut command = Command::new(binary::bgledger());
    for name in ["BGLEDGER_DB", "BGLEDGER_DURABILITY", "BGLEDGER_TASK", "NO_COLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    let (name, nowhere) = binary::NO_PREFERENCES;
    command.env(name, nowhere).arg("--ledger").arg(ledger);
    command
}

/// The process was killed before it answered: what it was asked may have happened or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// One process.
#[derive(Debug)]
pub struct Piped {
    child: Child,
    /// Until there is nothing more to ask.
    requests: Option<ChildStdin>,
    responses: BufReader<ChildStdout>,
}

impl Piped {
    /// Starts `bgledger call` on a ledger.
    pub fn on(ledger: &Path) -> Piped {
        Piped::start(command(ledger).arg("call"))
    }

    /// Starts a prepared command that answers a Request a line with a Response a line.
    pub fn start(command: &mut Command) -> Piped {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let requests = child.stdin.take();
        let responses = BufReader::new(child.stdout.take().expect("a pipe"));
        Piped { child, requests, responses }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// One Request, one Response.
    pub fn ask(&mut self, request: &str) -> Result<Value, Gone> {
        self.send(request)?;
        self.receive()
    }

    /// A Request whose Response is read later.
    pub fn send(&mut self, request: &str) -> Result<(), Gone> {
        let requests = self.requests.as_mut().ok_or(Gone)?;
        writeln!(requests, "{request}").and_then(|()| requests.flush()).map_err(|_| Gone)
    }

    /// The next Response.
    pub fn receive(&mut self) -> Result<Value, Gone> {
        let mut line = String::new();
        match self.responses.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => Ok(json::parse(&line).expect("a response is JSON")),
            Ok(_) | Err(_) => Err(Gone),
        }
    }

    /// One Request that must succeed.
    pub fn ok(&mut self, request: &str) -> Value {
        let response = self.ask(request).expect("an answer");
        match response.get("ok") {
            Some(ok) => ok.clone(),
            None => panic!("{request} was answered with {response}"),
        }
    }

    /// Says that there is nothing more to ask, and waits for it to end well.
    pub fn end(mut self) {
        drop(self.requests.take());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    /// SIGKILL, while it may be at work: what it wrote before can still be read.
    pub fn strike(&mut self) {
        self.child.kill().expect("a process to kill");
    }

    /// SIGKILL, and away.
    pub fn kill(mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("a killed process ends");
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; one that did not has nothing more to ask.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `bgledger run`, as somebody else's terminal would have it; left behind, it is told to end.
#[derive(Debug)]
pub struct Wrapper(Option<Child>);

impl Wrapper {
    /// Starts `bgledger run` with these options and command.
    pub fn start(ledger: &Path, arguments: &[&str]) -> Wrapper {
        let mut run = command(ledger);
        run.arg("run").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Wrapper(Some(run.spawn().expect("it starts")))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// How it ended.
    pub fn wait(mut self) -> ExitStatus {
        let mut child = self.0.take().expect("a process");
        child.wait().expect("it ends")
    }

    /// SIGKILL to the wrapper alone: its command goes on.
    pub fn kill(mut self) {
        let mut child = self.0.take().expect("a process");
        child.kill().expect("a wrapper to kill");
        child.wait().expect("it ends");
    }
}

impl Drop for Wrapper {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let id = child.id().to_string();
            // One that is stopped hears of its end only once it goes on.
            let _ = Command::new("kill").arg(&id).status();
            let _ = Command::new("kill").args(["-CONT", &id]).status();
            let _ = child.wait();
        }
    }
}
