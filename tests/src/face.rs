//! The faces that answer a Request a line with a Response a line, all with the same test clock and test host.

use crate::binary;
use crate::native::Program;
use crate::scratch::Scratch;
use crate::wheel;
use bgledger_core::{ExecutorSpec, runtime};
use bgledger_store::{Ledger, OpenOptions};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// One handle on one ledger.
pub trait Face {
    /// Answers one line.
    fn ask(&mut self, line: &str) -> String;
}

/// The faces there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceKind {
    /// The Rust library in this process.
    InProcess,
    /// A child that runs `bgledger call`.
    CommandLine,
    /// A child written in C that hands each line to `bgl_call`.
    C,
    /// A Python program that imports the installed package.
    Python,
}

impl FaceKind {
    /// Every face.
    pub const ALL: [FaceKind; 4] = [FaceKind::InProcess, FaceKind::CommandLine, FaceKind::C, FaceKind::Python];

    /// A handle for an owner; `None`: the operator's.
    pub fn open(self, path: &Path, owner: Option<&str>) -> Box<dyn Face> {
        match self {
            FaceKind::InProcess => Box::new(InProcess::open(path, owner)),
            FaceKind::CommandLine => Box::new(Child::command_line(path, owner)),
            FaceKind::C => Box::new(Child::c(path, owner)),
            FaceKind::Python => Box::new(Child::python(path, owner)),
        }
    }
}

/// The Rust library in this process, opened as the command line opens it.
#[derive(Debug)]
pub struct InProcess(Ledger);

impl InProcess {
    /// A handle for an owner; `None`: the operator's.
    pub fn open(path: &Path, owner: Option<&str>) -> InProcess {
        let options = OpenOptions {
            owner: owner.map(Into::into),
            runtime: runtime::CLI.into(),
            executor: ExecutorSpec::External,
            test_clock: true,
            ..OpenOptions::default()
        };
        InProcess(Ledger::open(path, options).expect("the ledger opens"))
    }
}

impl Face for InProcess {
    fn ask(&mut self, line: &str) -> String {
        self.0.answer(line)
    }
}

/// A long-lived child that answers a line with a line.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    child: process::Child,
    /// Closed first at the end: the child stops when it has read everything.
    requests: Option<ChildStdin>,
    responses: BufReader<ChildStdout>,
}

impl Child {
    /// `bgledger call --test-clock`, for an owner; `None`: the operator's.
    pub fn command_line(path: &Path, owner: Option<&str>) -> Child {
        let mut command = Command::new(binary::bgledger());
        command.arg("--ledger").arg(path);
        if let Some(owner) = owner {
            command.args(["--owner", owner]);
        }
        command.args(["call", "--test-clock"]);
        for name in ["BGLEDGER_DB", "BGLEDGER_DURABILITY"] {
            command.env_remove(name);
        }
        let (name, nowhere) = binary::NO_PREFERENCES;
        command.env(name, nowhere);
        Child::start("`bgledger call`", command)
    }

    /// `tests/c/forward.c`, for an owner; `None`: the operator's.
    pub fn c(path: &Path, owner: Option<&str>) -> Child {
        static FORWARD: OnceLock<Program> = OnceLock::new();
        let mut command = FORWARD.get_or_init(|| Program::kept("forward.c")).command();
        command.arg(path).args(owner);
        Child::start("`bgl_call`", command)
    }

    /// `tests/python/face.py`, for an owner; `None`: the operator's.
    pub fn python(path: &Path, owner: Option<&str>) -> Child {
        let mut command = Command::new(wheel::python());
        command.arg(binary::workspace().join("tests/python/face.py")).arg(path).args(owner);
        for name in ["BGLEDGER_DB", "BGLEDGER_DURABILITY"] {
            command.env_remove(name);
        }
        Child::start("`face.py`", command)
    }

    fn start(name: &'static str, mut command: Command) -> Child {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let requests = child.stdin.take();
        let responses = BufReader::new(child.stdout.take().expect("a pipe"));
        Child { name, child, requests, responses }
    }

    fn last_words(&mut self) -> String {
        let mut words = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut words).expect("what it wrote on stderr");
        }
        words
    }
}

impl Face for Child {
    fn ask(&mut self, line: &str) -> String {
        let name = self.name;
        let requests = self.requests.as_mut().expect("an open pipe");
        let sent = writeln!(requests, "{line}").and_then(|()| requests.flush());
        let mut answer = String::new();
        let read = self.responses.read_line(&mut answer);
        match (sent, read) {
            (Ok(()), Ok(1..)) => answer.trim_end_matches('\n').into(),
            (sent, read) => panic!("{name} left off ({sent:?}, {read:?}): {}", self.last_words()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let name = self.name;
        drop(self.requests.take());
        let ended = self.child.wait().expect("the child ends when its input does");
        if !std::thread::panicking() {
            assert!(ended.success(), "{name} ended with {ended}: {}", self.last_words());
        }
    }
}

/// Whoever answers the steps of a vector: a ledger with a handle for each owner that speaks.
pub trait Stage {
    /// Answers one line for an owner; `None`: for the operator.
    fn ask(&mut self, owner: Option<&str>, line: &str) -> String;

    /// The folder of its ledger, in which a vector may have files made: `${folder}`.
    fn folder(&self) -> PathBuf;
}

/// One ledger in a folder of its own, reached through one face.
pub struct OneLedger {
    kind: FaceKind,
    // Before the folder: a handle is closed while its file is there.
    handles: BTreeMap<Option<String>, Box<dyn Face>>,
    /// Where it lies.
    pub scratch: Scratch,
}

impl OneLedger {
    /// No ledger yet: the first step that records makes it.
    pub fn new(kind: FaceKind) -> OneLedger {
        OneLedger { kind, handles: BTreeMap::new(), scratch: Scratch::in_memory() }
    }
}

impl fmt::Debug for OneLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} on {:?}", self.kind, self.scratch)
    }
}

impl Stage for OneLedger {
    fn ask(&mut self, owner: Option<&str>, line: &str) -> String {
        let (kind, path) = (self.kind, self.scratch.ledger());
        let handle = self.handles.entry(owner.map(Into::into)).or_insert_with(|| kind.open(&path, owner));
        handle.ask(line)
    }

    fn folder(&self) -> PathBuf {
        self.scratch.ledger().parent().map(Path::to_owned).unwrap_or_default()
    }
}
