//! The program under valgrind: every verb, and every kind of request, reads and writes no byte that is not its own. What
//! it leaves to the system at its end is no error: it is a short process.

use bgledger_tests::dice::count;
use bgledger_tests::operations::{OPERATIONS, Template, WARM, at, later};
use bgledger_tests::scratch::Scratch;
use bgledger_tests::{binary, disk, pipe};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const VALGRIND: [&str; 4] = ["--quiet", "--error-exitcode=99", "--leak-check=no", "--trace-children=no"];

/// Each verb, in an order in which each has something to do.
const VERBS: [&[&str]; 47] = [
    &["create", "--label", "one", "--session", "chat", "--metadata", "n=1"],
    &["start", "1", "--lease", "1h"],
    &["progress", "1", "half", "--current", "1", "--total", "2"],
    &["heartbeat", "1"],
    &["finish", "1", "--status", "failed", "--result", "{\"a\": [1]}"],
    &["create", "--label", "two", "--notify", "state_changes", "--session", "chat"],
    &["notify", "2", "done_only"],
    &["settle", "2", "--status", "lost", "--why", "no word"],
    &["run", "--session", "chat", "--", "true"],
    &["flow", "create", "publish", "--controller", "weekly", "--running"],
    &["create", "--label", "three", "--flow", "F1"],
    &["flow", "list"],
    &["flow", "show", "F1"],
    &["flow", "wait", "F1", "--revision", "1"],
    &["flow", "resume", "F1", "--revision", "2"],
    &["flow", "cancel", "F1"],
    &["list", "--status", "failed", "--limit", "2"],
    &["show", "1"],
    &["history", "1"],
    &["tree", "1"],
    &["stats"],
    &["wait", "1", "--timeout", "1s"],
    &["watch", "--after", "0", "--limit", "2"],
    &["top", "--once"],
    &["cancel", "2"],
    &["notices", "list"],
    &["notices", "claim", "--for", "session:chat"],
    &["notices", "deliver", "--exec", "true"],
    &["audit"],
    &["acknowledge", "lost", "#2", "--for", "1d"],
    &["maintenance", "--apply"],
    &["reconcile", "cron"],
    &["drain", "--timeout", "0s"],
    &["prune"],
    &["config", "set", "retention", "30d"],
    &["config", "show"],
    &["doctor"],
    &["verify"],
    &["export"],
    &["import", "nowhere.ndjson"],
    &["backup", "copy.db"],
    &["recover", "--to", "saved"],
    &["migrate"],
    &["call"],
    &["schema"],
    &["completions", "bash"],
    &["man"],
];

fn under_valgrind(ledger: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("valgrind");
    command.args(VALGRIND).arg(binary::bgledger()).arg("--ledger").arg(ledger).args(words);
    for (name, value) in pipe::command(ledger).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(ledger.parent().expect("a folder")).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn assert_clean(command: &mut Command) {
    let output = command.output().expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code != 99), "{command:?}: {}: {said}", output.status);
    assert!(!said.contains("==") && !said.contains("panicked"), "{command:?}: {said}");
}

#[test]
fn every_verb_keeps_to_its_memory() {
    let stride = count("BGLEDGER_VERB_STRIDE", 6);
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    for (place, words) in VERBS.into_iter().enumerate() {
        match place % stride {
            0 => assert_clean(&mut under_valgrind(&ledger, words)),
            // The others have what they need.
            _ => drop(
                pipe::command(&ledger)
                    .args(words)
                    .current_dir(ledger.parent().expect("a folder"))
                    .stdin(Stdio::null())
                    .output(),
            ),
        }
    }
    let help = pipe::command(&ledger).arg("--help").output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let listed = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  ")).map(|(verb, _)| verb);
    let verbs: BTreeSet<&str> = listed
        .filter(|verb| !verb.is_empty() && *verb != "bgledger" && verb.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    assert_eq!(verbs, VERBS.iter().map(|words| words[0]).collect(), "every verb is here");
}

#[test]
fn every_kind_of_request_keeps_to_its_memory() {
    let template = Template::new();
    let scratch = Scratch::in_memory();
    let ledger = scratch.ledger();
    let folder = ledger.parent().expect("a folder");
    disk::put_into(folder, &template.image);
    let mut lines: Vec<String> = WARM.iter().map(|line| at(line, later())).collect();
    let copy = folder.join("copy.db").display().to_string();
    lines.extend(OPERATIONS.iter().map(|(line, _)| template.line(line).replace("COPY", &copy)));
    let mut command = under_valgrind(&ledger, &["call", "--test-clock"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("valgrind");
    let mut asks = child.stdin.take().expect("a pipe");
    let asked = lines.len();
    let asking = std::thread::spawn(move || lines.iter().try_for_each(|line| writeln!(asks, "{line}")));
    let output = child.wait_with_output().expect("it ends");
    asking.join().expect("a thread").expect("it listens");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("=="), "{}: {said}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), asked);
}
