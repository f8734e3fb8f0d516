//! Other languages through the C library: what `docs/any-language.md` shows, and three of them on one ledger at once.

use bgledger_tests::binary::{NO_PREFERENCES, bgledger, workspace};
use bgledger_tests::json;
use bgledger_tests::native::{Linked, Program, built, run, set_up};
use bgledger_tests::pipe;
use bgledger_tests::scratch::Scratch;
use bgledger_tests::wheel;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGE: &str = "docs/any-language.md";
/// Needs cargo and time; `c_install.rs` runs the script it calls.
const INSTALL: &str = "PREFIX=\"$HOME/.local\" sh ledger-ffi/install.sh\n";

/// A fenced block.
struct Block {
    line: usize,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let page = fs::read_to_string(workspace().join(PAGE)).expect("the page");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => {
                open = Some(Block { line: number + 1, language: language.into(), text: String::new() })
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    blocks
}

/// Where `npm ci` puts what `tests/node/package.json` names; fetched the first time.
fn node_modules() -> PathBuf {
    let folder = built().parent().expect("the target folder").join("node/node_modules");
    if !folder.join("koffi").is_dir() {
        let installed = Command::new("sh").arg(workspace().join("tests/node/install.sh")).output().expect("sh runs");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    }
    folder
}

fn program(block: &Block, ledger: &Path) -> Command {
    let (name, flag) = match block.language.as_str() {
        "python" => ("python3", "-c"),
        "js" => ("node", "-e"),
        "sh" => ("sh", "-euc"),
        other => panic!("{PAGE}:{}: nothing runs a block of {other:?}", block.line),
    };
    let mut command = Command::new(name);
    set_up(&mut command);
    let tools = bgledger().parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path))).expect("a path");
    command.args([flag, &block.text]).env("PATH", path).env("BGLEDGER_DB", ledger);
    command.env(NO_PREFERENCES.0, NO_PREFERENCES.1);
    if block.language == "js" {
        command.env("NODE_PATH", node_modules());
    }
    command
}

#[test]
fn every_block_of_the_page_does_what_it_shows() {
    let scratch = Scratch::new();
    let mut blocks = blocks().into_iter().filter(|block| block.text != INSTALL);
    let mut languages = Vec::new();
    while let Some(block) = blocks.next() {
        let expected = blocks.next().filter(|next| next.language == "text");
        let expected = expected.unwrap_or_else(|| panic!("{PAGE}:{}: no output is shown", block.line));
        let output = run(&mut program(&block, &scratch.ledger()));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected.text, "{PAGE}:{}", block.line);
        languages.push(block.language);
    }
    assert_eq!(languages, ["python", "js", "sh"]);
}

#[test]
fn the_page_shows_how_the_library_is_installed() {
    assert_eq!(blocks().iter().filter(|block| block.text == INSTALL).count(), 1);
    assert!(workspace().join("ledger-ffi/install.sh").is_file());
}

/// An agent in Python: it waits for a task, says that it is still waiting, and tells how the task ended.
const AGENT: &str = r#"
import sys, threading, bgledger
ended = []
with bgledger.open(sys.argv[1]) as ledger:
    waiting = threading.Thread(target=lambda: ended.extend(ledger.wait(sys.argv[2])))
    waiting.start()
    waiting.join(0.5)
    print("blocked" if waiting.is_alive() else "awake", flush=True)
    waiting.join(60)
    print("blocked" if waiting.is_alive() else "awake", flush=True)
    task, = ended
    print(task.status, task.cancel.by, task.summary)
"#;

#[test]
fn a_host_in_c_an_agent_in_python_and_the_command_line_share_a_ledger() {
    let scratch = Scratch::new();
    let host = Program::new("host.c", Linked::Shared, &[]);
    let mut host = host.command().arg(scratch.ledger()).stdout(Stdio::piped()).spawn().expect("the host starts");
    let mut id = String::new();
    BufReader::new(host.stdout.take().expect("a pipe")).read_line(&mut id).expect("the task's id");
    let id = id.trim_end();

    let mut agent = Command::new(wheel::python());
    set_up(&mut agent);
    agent.args(["-c", AGENT]).arg(scratch.ledger()).arg(id).stdout(Stdio::piped());
    let mut agent = agent.spawn().expect("the agent starts");
    let mut said = BufReader::new(agent.stdout.take().expect("a pipe")).lines();
    let mut says = |expected: &str| assert_eq!(said.next().expect("a line").expect("text"), expected);
    says("blocked");

    let cancel =
        run(pipe::command(&scratch.ledger()).args(["cancel", "host-1", "--by", "operator", "--wait", "--json"]));
    let cancelled = json::parse(&String::from_utf8_lossy(&cancel.stdout)).expect("JSON");
    assert_eq!(cancelled["task"]["status"], "cancelled", "{cancelled}");
    assert!(host.wait().expect("the host ends").success());
    says("awake");
    says("cancelled operator told by the callback");
    assert!(agent.wait().expect("the agent ends").success());

    // The executor was told before it ended, and one history says so.
    let history = run(pipe::command(&scratch.ledger()).args(["history", "host-1", "--json"]));
    let history = json::parse(&String::from_utf8_lossy(&history.stdout)).expect("JSON");
    let kinds: Vec<&str> =
        history["events"].as_array().expect("events").iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["created", "started", "cancel_requested", "cancel_told", "finished"]);
}
