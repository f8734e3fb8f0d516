//! Texts of agents that would move the cursor, change colours, reverse the reading or flood the terminal.

use crate::canaries::without_colours;
use crate::pty::{Pty, shown};
use crate::scene::Scene;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

/// Escape sequences by both their beginnings, a bell, a backspace, a carriage return, a delete, direction marks, an
/// invisible letter, a line separator, combining marks, a family emoji.
const HOSTILE: &str = "a\x1b[31m\x1b]0;title\x07\x1bc\u{9b}2J\u{90}x\u{9c}\x08\x7f\r\n\t\u{202e}rev\u{2066}\u{200b}\u{2028}\u{feff}e\u{301}\u{301}\u{20dd}👨\u{200d}👩數";
/// The same where lines are refused or names are short.
const NAME: &str = "n\x1b[31m\u{9b}2J\u{202e}\u{200b}";

/// A ledger in which every text that an agent may give is hostile.
fn scene() -> Scene {
    let scene = Scene::new();
    let flood = format!("{}{HOSTILE}", "x".repeat(1024 * 1024 - 200));
    let long = |bytes: usize| format!("{HOSTILE}{}", "é".repeat((bytes - HOSTILE.len()) / 2 - 8));
    let requests = [
        json!({"flow_create": {"goal": HOSTILE, "controller": NAME, "owner": NAME}}),
        json!({"flow_create": {"goal": long(1000), "controller": NAME, "state": {NAME: HOSTILE}, "step": HOSTILE}}),
        json!({"create": {"label": HOSTILE, "task": flood, "run_id": NAME, "session": NAME, "requester_session": NAME,
            "agent": NAME, "requester_agent": NAME, "kind": "k", "source_id": NAME, "key": NAME, "flow": "F2",
            "metadata": {NAME: HOSTILE}, "notify": "state_changes"}}),
        json!({"start": {"lookup": "1"}}),
        json!({"progress": {"lookup": "1", "text": long(4000), "current": 1, "total": 2, "unit": NAME,
            "artifacts": {NAME: {"uri": HOSTILE, "media_type": NAME}}}}),
        json!({"create": {"label": HOSTILE, "parent": "1", "requester_session": NAME, "notify": "state_changes"}}),
        json!({"finish": {"lookup": "2", "status": "failed", "error": {"type": NAME, "message": HOSTILE,
            "detail": long(60000)}, "summary": long(60000), "result": {NAME: HOSTILE}}}),
        json!({"create": {"label": HOSTILE, "notify": "state_changes", "requester_session": NAME}}),
        json!({"start": {"lookup": "3"}}),
        json!({"cancel": {"lookup": "3", "by": NAME, "why": HOSTILE}}),
        json!({"create": {"label": HOSTILE}}),
        json!({"create": {"label": HOSTILE}}),
    ];
    let mut call = scene.command(["call"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = call.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for request in requests {
            writeln!(stdin, "{request}").unwrap();
        }
    });
    let told = crate::scene::done(call);
    writer.join().unwrap();
    let refused = told.out.lines().find(|line| !line.starts_with("{\"ok\""));
    assert_eq!(refused, None);
    scene
}

/// Every verb that shows or repeats what was recorded or typed.
fn verbs() -> Vec<Vec<&'static str>> {
    let own = ["config", "set", "notify_owner.x", HOSTILE];
    let words: [&[&str]; 74] = [
        &[],
        &["list"],
        &["list", "--search", HOSTILE],
        &["list", "--label", HOSTILE],
        &["show", "1"],
        &["show", "2"],
        &["show", "3"],
        &["show", NAME],
        &["history", "1"],
        &["history", "2"],
        &["tree", "1"],
        &["stats"],
        &["stats", "--line"],
        &["top", "--once"],
        &["top", "--once", "--filter", NAME],
        &["watch", "--after", "0", "-n", "8"],
        &["wait", "2"],
        &["wait", "5", "--timeout", "10ms"],
        &["audit"],
        &["maintenance"],
        &["prune", "--dry-run"],
        &["doctor"],
        &["verify"],
        &["notices", "list"],
        &["notices", "claim", "-n", "1"],
        &["notices", "deliver", "--exec", "cat >/dev/null"],
        &["flow", "list"],
        &["flow", "show", "F1"],
        &["flow", "show", "F2"],
        &["flow", "wait", "F2", "--revision", "1", "--step", HOSTILE],
        &["flow", "fail", "F2", "--revision", "2", "--blocked", HOSTILE],
        &["flow", "resume", "F2", "--revision", "2"],
        &["run", "--label", HOSTILE, "--", "true"],
        &["run", "--", NAME],
        &["--ledger", NAME, "list"],
        &["flow", "create", "--goal", HOSTILE, "--controller", NAME],
        &["flow", "cancel", "F1", "--why", HOSTILE],
        &["config", "get"],
        &["config", "show"],
        &own,
        &["create", "--label", HOSTILE, "--task", HOSTILE],
        &["create", "--label", HOSTILE, "--metadata", NAME],
        &["start", "4"],
        &["progress", "4", HOSTILE],
        &["heartbeat", "4"],
        &["notify", "4", NAME],
        &["finish", "4", "--status", "failed", "--error", HOSTILE],
        &["finish", "4", "--status", "succeeded", "--summary", HOSTILE],
        &["settle", "5", "--status", "failed", "--why", HOSTILE],
        &["acknowledge", "stale_queued", "5", "--until", "1d", "--by", NAME, "--note", HOSTILE],
        &["acknowledge", "undelivered", NAME, "--until", "1d"],
        &["audit", "--acknowledged"],
        &["audit", "--deep"],
        &["reconcile", "--runtime", "cli", "--owned", NAME, "--complete"],
        &["reconcile", "--runtime", NAME],
        &["reconcile", "--runtime", "cli", "--ended", NAME],
        &["drain"],
        &["drain", "--queued", "--deadline", "1ms"],
        &["notices", "nack", NAME, "--reason", HOSTILE],
        &["notices", "dismiss", NAME],
        &["export"],
        &["export", NAME],
        &["import", NAME],
        &["import", "openclaw", NAME],
        &["backup", NAME],
        &["recover", "--from", NAME, "--to", NAME],
        &["migrate", "--dry-run"],
        &["schema", HOSTILE],
        &["completions", HOSTILE],
        &["man", "--to", "/nowhere/\x1b[2J"],
        &["call", HOSTILE],
        &["wait", NAME, HOSTILE],
        &["cancel", "1", "--why", HOSTILE],
        &[HOSTILE],
    ];
    words.into_iter().map(<[&str]>::to_vec).collect()
}

/// Whether a letter, printed as it is, would do something to a terminal or to how its text reads.
fn acts(letter: char) -> bool {
    let hides = ['\u{200b}', '\u{200d}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}'];
    (letter.is_control() && !"\n\t".contains(letter)) || hides.contains(&letter)
}

#[test]
fn no_text_acts_on_the_terminal_through_any_verb() {
    let mut wrong = Vec::new();
    for options in [&["--quiet", "--color", "never"][..], &["--color", "never"], &["--color", "always"], &["--json"]] {
        let scene = scene();
        for arguments in verbs() {
            let text = shown(&scene, 80, &[options, &arguments].concat());
            // Where colours are refused, even our own would be too many.
            let text = if options.contains(&"always") { without_colours(&text) } else { text };
            if let Some(place) = text.find(acts) {
                let start = text[..place].char_indices().rev().nth(60).map_or(0, |(start, _)| start);
                let near = text[start..].chars().take(100).collect::<String>();
                wrong.push(format!("{options:?} {arguments:?}: {near:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_verb_is_left_out() {
    let help = Scene::new().run(["--help"]).out;
    let is_verb = |line: &&str| line.starts_with("  ") && line.as_bytes()[2].is_ascii_lowercase();
    let listed = help.lines().take_while(|line| *line != "Options:").filter(is_verb);
    let named: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(named.len() > 30, "{help}");
    let told = verbs();
    let missing: Vec<&&str> =
        named.iter().filter(|name| !told.iter().any(|words| words.first() == Some(name))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_live_view_shows_hostile_texts_as_what_they_are() {
    let scene = scene();
    let mut pty = Pty::start(&scene.command(["top"]), (80, 20));
    pty.until_text("active");
    // Open, to the end, close, a hostile filter, a cancel that is not confirmed.
    for (keys, then) in [("\r", "q back"), ("G", "q back"), ("q", "q quit"), ("/\u{202e}\u{200b}", "filter: ")] {
        pty.type_keys(keys);
        pty.until_text(then);
    }
    pty.type_keys("\x1b");
    pty.until_text("q quit");
    pty.type_keys("c");
    pty.until_text("[y/N]");
    pty.type_keys("n");
    pty.until_text("is left alone");
    pty.type_keys("q");
    assert!(pty.wait().success());
    assert!(pty.is_restored());
    let ours = ["\x1b[?1049h", "\x1b[?1049l", "\x1b[?25l", "\x1b[?25h", "\x1b[?7l", "\x1b[?7h"];
    let ours = ours.into_iter().chain(["\x1b[?2026h", "\x1b[?2026l", "\x1b[2J", "\x1b[2K", "\x1b[J", "\x1b[H"]);
    let text = ours.fold(pty.raw(), |text, own| text.replace(own, ""));
    let places = (1..=21).fold(text, |text, line| text.replace(&format!("\x1b[{line};1H"), ""));
    let left = without_colours(&places);
    assert!(!left.contains(acts), "{:?}", left.split(acts).next().map(|text| &text[text.len().saturating_sub(60)..]));
}

#[test]
fn json_gives_every_text_back_and_acts_on_no_terminal() {
    let scene = scene();
    let task = scene.task("1");
    assert_eq!(task["label"], HOSTILE);
    assert_eq!(task["metadata"][NAME], HOSTILE);
    let flood = task["task"].as_str().unwrap();
    assert!(flood.len() > 1024 * 1023 && flood.ends_with(HOSTILE));
    for arguments in [&["show", "1"][..], &["list"], &["history", "1"], &["tree", "1"], &["flow", "list"], &["top"]] {
        let text = shown(&scene, 80, &[&["--json"], arguments].concat());
        assert!(!text.contains(acts), "{arguments:?}");
        let in_terminal: Value = serde_json::from_str(&text).unwrap();
        let piped = scene.json(arguments);
        assert_eq!(in_terminal, piped, "{arguments:?}");
    }
}
