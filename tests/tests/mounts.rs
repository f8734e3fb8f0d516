//! Real file systems: a small one that is full and has room again, and one that is mounted anew to be read only. Nobody
//! restarts. They are mounted in a namespace of the process that records, so that nobody else sees them.

use bgledger_tests::pipe::{self, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A process that records into a small file system of its own.
struct Mounted {
    process: Piped,
    /// The way to its folder from outside.
    folder: PathBuf,
    place: PathBuf,
    _scratch: Scratch,
}

/// What a namespace needs: nothing for root, a user of its own for others.
fn as_user() -> &'static [&'static str] {
    match rustix::process::geteuid().is_root() {
        true => &[],
        false => &["--user", "--map-root-user"],
    }
}

impl Mounted {
    fn new(size: &str) -> Mounted {
        let scratch = Scratch::new();
        let place = scratch.ledger().parent().expect("a folder").join("mount");
        fs::create_dir(&place).expect("a folder");
        let ledger = place.join("ledger.db");
        let program = pipe::command(&ledger).get_program().to_owned();
        let script = r#"mount -t tmpfs -o "size=$1,mode=700" none "$2" && exec "$3" --ledger "$4" call"#;
        let mut command = Command::new("unshare");
        command.args(as_user()).args(["--mount", "sh", "-c", script, "sh", size]);
        let mut process = Piped::start(command.arg(&place).arg(program).arg(&ledger));
        assert!(process.ask("[]").expect("a file system of its own")["error"].is_object());
        let root = PathBuf::from(format!("/proc/{}/root", process.id()));
        let folder = root.join(place.strip_prefix("/").expect("an absolute path"));
        Mounted { process, folder, place, _scratch: scratch }
    }

    fn create(&mut self, key: &str) -> Value {
        let task = "x".repeat(8_000);
        let line = format!(r#"{{"create": {{"label": "a task", "key": "{key}", "task": "{task}"}}}}"#);
        self.process.ask(&line).expect("an answer")
    }

    fn tasks(&mut self) -> usize {
        self.process.ok(r#"{"list": {"limit": 10000}}"#)["tasks"].as_array().expect("tasks").len()
    }

    fn verify(&mut self) {
        let verified = self.process.ok(r#"{"verify": {}}"#);
        assert_eq!(verified["ok"], true, "{verified}");
        let looked = self.process.ok(r#"{"doctor": {}}"#);
        assert_eq!(looked["healthy"], true, "{looked}");
    }

    /// A program beside the process, among the same mounts.
    fn beside(&self) -> Command {
        let mut command = Command::new("nsenter");
        if !as_user().is_empty() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--target", &self.process.id().to_string(), "--mount"]);
        command
    }

    fn remount(&self, how: &str) {
        let mut command = self.beside();
        let output = command.args(["mount", "-o", &format!("remount,{how}")]).arg(&self.place).output();
        let output = output.expect("nsenter is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Asks another process, which ends at once.
    fn ask_another(&self, line: &str) -> Value {
        let ledger = self.place.join("ledger.db");
        let mut command = self.beside();
        command.arg(pipe::command(&ledger).get_program()).arg("--ledger").arg(&ledger).arg("call");
        let mut other = Piped::start(&mut command);
        let answer = other.ask(line).expect("an answer");
        other.end();
        answer
    }
}

/// Takes all the room that is left.
fn fill(file: &Path) {
    let mut size = 1 << 20;
    let mut content = Vec::new();
    while size > 0 {
        content.resize(content.len() + size, 0);
        if fs::write(file, &content).is_err() {
            content.truncate(content.len() - size);
            size /= 2;
        }
    }
}

fn code(answer: &Value) -> Option<&str> {
    answer["error"]["code"].as_str()
}

#[test]
fn a_file_system_that_is_full_is_written_again_once_it_has_room() {
    let mut mounted = Mounted::new("2m");
    let filler = mounted.folder.join("filler");
    assert_eq!(mounted.create("first")["ok"]["created"], true);
    let mut recorded = 1;
    for cycle in 0..20 {
        fill(&filler);
        let mut full = 0;
        // What is written over in the WAL needs no room: it may take a few until there is none.
        for number in 0..40 {
            let answer = mounted.create(&format!("{cycle}-{number}"));
            match code(&answer) {
                None => recorded += 1,
                Some("disk_full") => full += 1,
                Some(_) => panic!("{answer}"),
            }
            if full > 2 {
                break;
            }
        }
        assert!(full > 2, "cycle {cycle}: the disk was not full");
        assert_eq!(mounted.tasks(), recorded, "cycle {cycle}: reading goes on, and nothing but what was told is there");
        fs::remove_file(&filler).expect("room");
        let answer = mounted.create(&format!("{cycle}-room"));
        if code(&answer) == Some("disk_full") {
            // It has filled the file system itself by now.
            break;
        }
        assert_eq!(answer["ok"]["created"], true, "cycle {cycle}: {answer}");
        recorded += 1;
    }
    assert!(recorded >= 3, "{recorded} tasks");
    assert_eq!(mounted.tasks(), recorded);
    mounted.verify();
}

/// The very first task finds no room for a ledger: none is there, and the next one makes it.
#[test]
fn a_ledger_that_finds_no_room_is_made_later() {
    let mut mounted = Mounted::new("1m");
    let filler = mounted.folder.join("filler");
    fill(&filler);
    let answer = mounted.create("first");
    assert_eq!(code(&answer), Some("disk_full"), "{answer}");
    let left: Vec<_> =
        fs::read_dir(&mounted.folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["filler"], "nothing is left of it");
    fs::remove_file(&filler).expect("room");
    assert_eq!(mounted.create("first")["ok"]["created"], true);
    assert_eq!(mounted.tasks(), 1);
    mounted.verify();
}

/// Whoever comes while it can only be read reads, writes nothing, and is told why; afterwards everything is as before.
#[test]
fn a_file_system_that_is_read_only_for_a_while_is_read_and_then_written_again() {
    let create = |key: &str| format!(r#"{{"create": {{"label": "a task", "key": "{key}"}}}}"#);
    // This process only holds the file system; it takes no remount as long as somebody has a file of it open to write.
    let mounted = Mounted::new("4m");
    assert_eq!(mounted.ask_another(&create("before"))["ok"]["created"], true);
    mounted.remount("ro");
    let tasks = |mounted: &Mounted| mounted.ask_another(r#"{"list": {}}"#)["ok"]["tasks"].as_array().map(Vec::len);
    assert_eq!(tasks(&mounted), Some(1));
    for line in [create("meanwhile"), r#"{"finish": {"lookup": 1, "status": "failed"}}"#.to_owned()] {
        let answer = mounted.ask_another(&line);
        assert_eq!(code(&answer), Some("read_only"), "{answer}");
    }
    assert_eq!(mounted.ask_another(r#"{"show": {"lookup": 1}}"#)["ok"]["task"]["status"], "queued");
    mounted.remount("rw");
    assert_eq!(mounted.ask_another(&create("afterwards"))["ok"]["created"], true);
    assert_eq!(tasks(&mounted), Some(2));
    let verified = mounted.ask_another(r#"{"verify": {}}"#);
    assert_eq!(verified["ok"]["ok"], true, "{verified}");
}
