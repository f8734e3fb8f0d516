//! A folder with a ledger in it, and the program.

use bgledger_store::platform::monotonic_ms;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
}

/// What a program did: its exit code, stdout and stderr.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program on this scene's ledger, knowing nothing of the tests' own surroundings.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bgledger"));
        let ours = ["BGLEDGER_TASK", "BGLEDGER_DURABILITY", "BGLEDGER_PAGER", "BGLEDGER_COMPLETE"];
        for name in ours.into_iter().chain(["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "PAGER", "LESS"]) {
            command.env_remove(name);
        }
        command.env("XDG_CONFIG_HOME", self.path("config")).env("TZ", "UTC").env("TERM", "xterm-256color");
        command.env("BGLEDGER_DB", self.path("ledger.db")).env("USER", "tester").args(arguments);
        // What a command writes under a name that it was given lands in the scene.
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        done(self.spawn(arguments))
    }

    pub(crate) fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a verb that must succeed, with `--json`, and reads its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let done = self.run(["--json"].iter().chain(arguments));
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        assert_eq!(done.out.lines().count(), 1, "one document: {done:?}");
        serde_json::from_str(&done.out).unwrap()
    }

    pub(crate) fn task(&self, lookup: &str) -> Value {
        self.json(&["show", lookup])["task"].clone()
    }

    /// The newest task, if there is one.
    pub(crate) fn newest(&self) -> Option<Value> {
        let done = self.run(["--json", "list", "--limit", "1"]);
        serde_json::from_str::<Value>(&done.out).ok()?["tasks"].get(0).cloned()
    }

    /// Waits until a condition gives something.
    pub(crate) fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let give_up = monotonic_ms() + 60_000;
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(monotonic_ms() < give_up, "{what}: {}", self.run(["list"]).out);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The pid that a command wrote into a file, once it has.
    pub(crate) fn pid_in(&self, name: &str) -> u32 {
        let read = || std::fs::read_to_string(self.path(name)).ok()?.strip_suffix('\n')?.parse().ok();
        self.until(name, read)
    }
}

pub(crate) fn done(child: Child) -> Done {
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().expect("not ended by a signal");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code, out: text(output.stdout), err: text(output.stderr) }
}

/// Whether a process with this pid lives; a zombie does not.
pub(crate) fn lives(pid: u32) -> bool {
    matches!(bgledger_store::platform::process(pid), bgledger_store::platform::ProcessState::Running { .. })
}
