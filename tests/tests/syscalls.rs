//! A process is killed at each of its system calls that change a file, a name, a lock or a mapping, for each kind of
//! request: what it was asked is done or is not, the next process repairs nothing by hand, and asking it does what was
//! asked, once.

use bgledger_tests::content::{content, integrity, reader};
use bgledger_tests::dice::count;
use bgledger_tests::disk::put_into;
use bgledger_tests::fault::{Calls, Fault, Faults};
use bgledger_tests::operations::{Kind, OPERATIONS, Template, WARM, ask, at, handle, later, nameless};
use bgledger_tests::pipe::{self, Gone, Piped};
use bgledger_tests::scratch::Scratch;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A ledger and what a request comes to without a kill: its content before, after the first time and after the second.
struct Baseline {
    before: String,
    first: String,
    second: String,
}

/// One kind of request, and the ledger it finds; `None`: there is none yet.
struct Victim<'a> {
    template: Option<&'a Template>,
    line: &'a str,
    kind: Kind,
    warm: bool,
}

impl Victim<'_> {
    fn place(&self) -> (Scratch, PathBuf, String) {
        let scratch = Scratch::in_memory();
        let path = scratch.ledger();
        let folder = path.parent().expect("a folder");
        if let Some(template) = self.template {
            put_into(folder, &template.image);
        }
        let line = self.template.map_or_else(|| at(self.line, later()), |template| template.line(self.line));
        let line = line.replace("COPY", &folder.join("copy.db").display().to_string());
        (scratch, path, line)
    }

    fn baseline(&self) -> Baseline {
        let (_scratch, path, line) = self.place();
        let ledger = handle(&path);
        if self.warm {
            WARM.iter().for_each(|line| drop(ask(&ledger, &at(line, later()))));
        }
        let before = state(&path);
        let tell = || {
            ask(&ledger, &line);
            state(&path)
        };
        Baseline { before, first: tell(), second: tell() }
    }

    /// Kills the process after so many calls. Whether it was killed at all.
    fn killed(&self, after: u32, baseline: &Baseline) -> bool {
        let (_scratch, path, line) = self.place();
        let faults = Faults::new(path.with_file_name("faults"));
        let mut process = governed(&path, &faults);
        if self.warm {
            for line in WARM {
                process.ok(&at(line, later()));
            }
        } else {
            // It has begun, and has not touched the ledger.
            assert!(process.ask("[]").expect("an answer")["error"].is_object());
        }
        faults.order(Calls::Any, after, Fault::Kill);
        let answer = process.ask(&line);
        let died = faults.relent() > 0;
        drop(process);
        let found = state(&path);
        let context = || format!("{} killed after {after} calls, warm: {}: {answer:?}", self.line, self.warm);
        let is_whole = match (&answer, self.kind) {
            // What was said before the end holds.
            (Ok(_), _) => found == baseline.first,
            (Err(Gone), Kind::Steps) => true,
            (Err(Gone), Kind::Reads | Kind::Records | Kind::Looks) => {
                [&baseline.before, &baseline.first].contains(&&found) || self.is_empty(&found)
            }
        };
        assert!(is_whole, "{} left\n{found}", context());
        let ledger = handle(&path);
        let again = ask(&ledger, &line);
        assert_ne!(again["error"]["class"], "ledger", "{}: then {again}", context());
        let now = state(&path);
        let is_done = match found == baseline.first && self.kind == Kind::Records {
            true => now == baseline.second,
            false => [&baseline.first, &baseline.second].contains(&&now),
        };
        assert!(is_done, "{}: asked again {again}\n{now}\n{}", context(), baseline.first);
        if path.exists() {
            let verified = ask(&ledger, &at(r#"{"verify": {}}"#, later()));
            assert_eq!(verified["ok"]["ok"], true, "{}: {verified}", context());
            assert_eq!(integrity(&reader(&path).expect("a reader")).expect("a look"), "ok", "{}", context());
        }
        died
    }

    /// Whether somebody died between making a ledger and recording its first task.
    fn is_empty(&self, found: &str) -> bool {
        self.template.is_none() && !found.contains("\ntask|")
    }
}

fn governed(path: &Path, faults: &Faults) -> Piped {
    let mut command = pipe::command(path);
    faults.govern(&mut command);
    Piped::start(command.args(["call", "--test-clock"]))
}

fn state(path: &Path) -> String {
    match path.exists() {
        true => nameless(&content(&reader(path).expect("a reader")).expect("a content")),
        false => "no ledger".to_owned(),
    }
}

/// Kills a victim at each stride-th of its calls; answers how often.
fn at_each_call(victim: &Victim<'_>, first: usize, stride: usize) -> usize {
    let baseline = victim.baseline();
    let positions = (first % stride..20_000).step_by(stride);
    positions.take_while(|after| victim.killed(u32::try_from(*after).expect("few"), &baseline)).count()
}

#[test]
fn a_kill_at_any_system_call_leaves_all_or_nothing() {
    let stride = count("BGLEDGER_SYSCALL_STRIDE", 13);
    let template = Template::new();
    let (next, kills) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        while let Some((place, (line, kind))) = OPERATIONS.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed))
        {
            for warm in [true, false] {
                let victim = Victim { template: Some(&template), line, kind: *kind, warm };
                kills.fetch_add(at_each_call(&victim, place, stride), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        scope.spawn(worker);
    });
    let kills = kills.into_inner();
    println!("{kills} kills at system calls of {} kinds of requests", OPERATIONS.len());
    assert!(kills * stride > 2_000, "{} requests make more calls than that", OPERATIONS.len());
}

/// Creating a ledger: at each call, and at each statement in between, there is a whole ledger or none.
#[test]
fn a_kill_while_the_ledger_is_made_leaves_a_whole_one_or_none() {
    let stride = count("BGLEDGER_SYSCALL_STRIDE", 13).min(5);
    let line = r#"{"create": {"label": "first", "key": "k"}}"#;
    let victim = Victim { template: None, line, kind: Kind::Records, warm: false };
    let kills = at_each_call(&victim, 0, stride);
    println!("{kills} kills while a ledger is made");
    assert!(kills * stride > 60, "a ledger is made by more than {kills} calls");
}

// ---- what a rename relies on --------------------------------------------------------------------------------

/// What a process did with files while it was asked one thing.
fn calls(line: &str, template: Option<&Template>) -> (Scratch, Vec<(String, PathBuf)>) {
    let victim = Victim { template, line, kind: Kind::Records, warm: false };
    let (scratch, path, line) = victim.place();
    let notes = path.with_file_name("notes");
    let mut command: Command = pipe::command(&path);
    Faults::note(&mut command, &notes);
    let mut process = Piped::start(command.args(["call", "--test-clock"]));
    let answer: Value = process.ask(&line).expect("an answer");
    assert!(answer["ok"].is_object(), "{answer}");
    let noted = fs::read_to_string(&notes).expect("notes");
    let split = |line: &str| line.split_once(' ').map(|(call, file)| (call.to_owned(), file.into()));
    (scratch, noted.lines().filter_map(split).collect())
}

/// Before a file gets its name it is synced, and after that its folder, before anybody is told: otherwise a power loss may
/// leave the name of an empty file, or a file without a name.
fn assert_synced_around_the_rename(calls: &[(String, PathBuf)], name: &str) {
    let renamed = calls.iter().position(|(call, file)| call == "rename" && file.ends_with(name));
    let renamed = renamed.unwrap_or_else(|| panic!("{name} is not renamed into its place: {calls:#?}"));
    let is_draft = |file: &Path| {
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with(name)
            && file.len() > name.len()
            && !file.ends_with("-journal")
            && !file.ends_with("-wal")
            && !file.ends_with("-shm")
    };
    let mut of_draft = calls[..renamed].iter().filter(|(_, file)| is_draft(file));
    let last = of_draft.next_back().map(|(call, _)| call.as_str());
    assert_eq!(last, Some("sync"), "the file is synced after it was last written: {calls:#?}");
    let folder = calls[renamed].1.parent().expect("a folder");
    let synced = calls[renamed..].iter().any(|(call, file)| call == "sync" && file == folder);
    assert!(synced, "the folder of {name} is synced after the rename: {calls:#?}");
}

#[test]
fn a_new_ledger_is_synced_before_it_has_its_name_and_its_folder_after() {
    let (_scratch, calls) = calls(r#"{"create": {"label": "first"}}"#, None);
    assert_synced_around_the_rename(&calls, "ledger.db");
}

#[test]
fn a_backup_is_synced_before_it_has_its_name_and_its_folder_after() {
    let template = Template::new();
    for line in [r#"{"backup": {"to": "COPY"}}"#, r#"{"backup": {"to": "COPY", "replace": true}}"#] {
        let (_scratch, calls) = calls(line, Some(&template));
        assert_synced_around_the_rename(&calls, "copy.db");
    }
}
