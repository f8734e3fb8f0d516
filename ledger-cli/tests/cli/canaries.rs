//! Every verb, whatever texts stand in whatever field: through a terminal and a pipe nothing comes out that would act on
//! a terminal or hide, and JSON gives each text back as it was.
//!
//! The verbs are those that the help lists: a new one fails until it is told here what to show. The texts are random:
//! `BGLEDGER_CANARIES` says how many ledgers are filled with them, `BGLEDGER_CANARY_SEED` with which.

use crate::dice::{Dice, count};
use crate::pty::Pty;
use crate::scene::{Scene, done};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

/// What a terminal, or whoever reads it, could be deceived with.
const ACTING: [&str; 46] = [
    "\x01",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\r",
    "\x0e",
    "\x1b",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]0;t\x07",
    "\x1b]8;;u\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x1bc",
    "\x1b[6n",
    "\x1f",
    "\x7f",
    "\u{80}",
    "\u{84}",
    "\u{85}",
    "\u{8d}",
    "\u{90}q\u{9c}",
    "\u{9b}2J",
    "\u{9d}0;t\u{9c}",
    "\u{9f}",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}",
    "\u{2029}",
    "\u{202a}",
    "\u{202d}",
    "\u{202e}",
    "\u{202c}",
    "\u{2060}",
    "\u{2066}",
    "\u{2067}",
    "\u{2068}",
    "\u{2069}",
    "\u{feff}",
    "\u{fff9}",
    "\u{e0001}",
    "\u{e0041}",
    "\u{e007f}",
];
const PLAIN: [&str; 8] = ["a", "bc ", "é", "數", "👨", "e\u{301}", "%s", "{}"];

/// Whether a letter, printed as it is, would do something to a terminal or hide.
fn acts(letter: char) -> bool {
    let marks = [0xad, 0x61c, 0xfeff, 0x180e];
    let ranges = [0x200b..=0x200f, 0x2028..=0x202e, 0x2060..=0x206f, 0xfff9..=0xfffb, 0xe0000..=0xe007f];
    let code = u32::from(letter);
    (letter.is_control() && letter != '\n' && letter != '\t')
        || marks.contains(&code)
        || ranges.iter().any(|range| range.contains(&code))
}

/// The random texts of one ledger, each with the place at which JSON must give it back.
struct Texts {
    dice: Dice,
    drawn: usize,
    kept: Vec<(&'static [&'static str], String, String)>,
}

impl Texts {
    /// One of at most so many pieces.
    fn draw(&mut self, pieces: u64, lines: bool) -> String {
        self.drawn += 1;
        let mut text = format!("t{}", self.drawn);
        for _ in 0..=self.dice.below(pieces) {
            let acting = self.dice.below(3) > 0;
            text.push_str(if acting { self.dice.pick::<&str>(&ACTING) } else { self.dice.pick::<&str>(&PLAIN) });
            if lines && self.dice.below(9) == 0 {
                text.push_str("\n\t");
            }
        }
        // At the ends of a text spaces may go.
        text + "."
    }

    /// One for a field that the verb tells at this place.
    fn kept(&mut self, verb: &'static [&'static str], place: &str, lines: bool) -> String {
        let text = self.draw(12, lines);
        self.kept.push((verb, place.to_owned(), text.clone()));
        text
    }

    fn name(&mut self) -> String {
        self.draw(5, false)
    }
}

const FIRST: &[&str] = &["show", "1"];
const SECOND: &[&str] = &["show", "2"];
const FLOW: &[&str] = &["flow", "show", "F1"];

/// A ledger in which every field that takes a text has one.
fn fill(texts: &mut Texts) -> Scene {
    let scene = Scene::new();
    let executor =
        json!({"identity": {"machine": texts.name(), "boot": texts.name(), "pid": 7, "nonce": texts.name()}});
    let key = texts.name();
    let requests = [
        json!({"flow_create": {"goal": texts.kept(FLOW, "/flow/goal", true), "controller": texts.kept(FLOW, "/flow/controller", false),
            "state": {texts.name(): texts.draw(12, true)}, "step": texts.kept(FLOW, "/flow/step", false), "key": texts.name(),
            "running": true, "owner": texts.kept(FLOW, "/flow/owner", false)}}),
        json!({"flow_wait": {"flow": "F1", "revision": 1, "wait": {texts.name(): texts.draw(12, true)},
            "step": texts.kept(FLOW, "/flow/step", false), "blocked_summary": texts.kept(FLOW, "/flow/blocked/summary", true)}}),
        json!({"create": {"label": texts.kept(FIRST, "/task/label", false), "task": texts.kept(FIRST, "/task/task", true),
            "run_id": texts.kept(FIRST, "/task/run_id", false), "session": texts.kept(FIRST, "/task/session", false),
            "requester_session": texts.kept(FIRST, "/task/requester_session", false), "runtime": "subagent",
            "agent": texts.kept(FIRST, "/task/agent", false), "source_id": texts.kept(FIRST, "/task/source_id", false),
            "requester_agent": texts.kept(FIRST, "/task/requester_agent", false), "key": texts.kept(FIRST, "/task/key", false),
            "owner": texts.kept(FIRST, "/task/owner", false), "metadata": {key.clone(): texts.draw(12, true)},
            "notify": "state_changes"}}),
        json!({"start": {"lookup": "1", "executor": executor}}),
        json!({"progress": {"lookup": "1", "text": texts.kept(FIRST, "/task/progress/text", true), "current": 1, "total": 2,
            "unit": texts.kept(FIRST, "/task/progress/unit", false),
            "artifacts": {texts.name(): {"uri": texts.draw(12, false), "media_type": texts.name()}}}}),
        json!({"create": {"label": texts.kept(SECOND, "/task/label", false), "parent": "1", "runtime": "subagent"}}),
        json!({"create": {"label": texts.name(), "requester_session": texts.name(), "runtime": "subagent", "notify": "state_changes"}}),
        json!({"settle": {"lookup": "3", "status": "lost", "by": texts.name(), "why": texts.draw(12, true)}}),
        json!({"create": {"label": texts.name(), "requester_session": texts.name(), "runtime": "subagent", "finish":
            {"status": "failed", "error": {"type": texts.name(), "message": texts.draw(12, true), "detail": texts.draw(12, true)},
            "summary": texts.draw(12, true), "result": {texts.name(): texts.draw(12, true)},
            "output": {"tail": texts.draw(12, true)}}}}),
        json!({"create": {"label": texts.name()}}),
        json!({"create": {"label": texts.name(), "start": {"executor": "external"}}}),
        json!({"cancel": {"lookup": "1", "by": texts.kept(FIRST, "/task/cancel/by", false), "why": texts.kept(FIRST, "/task/cancel/why", true)}}),
        json!({"acknowledge": {"code": "lost", "subject": "#3", "until": "2100-01-01T00:00:00.000Z", "by": texts.name(),
            "note": texts.draw(12, true)}}),
        json!({"config": {"set": {"subscriber.s": "{}"}}}),
    ];
    let mut call = scene.command(["call"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = call.stdin.take().unwrap();
    let asked: Vec<String> = requests.iter().map(Value::to_string).collect();
    let lines = asked.join("\n");
    let writer = std::thread::spawn(move || writeln!(stdin, "{lines}").unwrap());
    let told = done(call);
    writer.join().unwrap();
    for (asked, told) in asked.iter().zip(told.out.lines()) {
        let may_be_refused = asked.contains("subscriber.s");
        assert!(told.starts_with("{\"ok\"") || may_be_refused, "{asked}: {told}");
    }
    scene
}

// ---- the verbs ----------------------------------------------------------------------------------------------

/// Every verb, and every verb below one, by the help.
fn leaves(scene: &Scene) -> Vec<String> {
    let words = |text: &str, from: &str, to: &str| -> Vec<String> {
        let list = text.split_once(from).map_or("", |(_, list)| list).split(to).next().unwrap_or_default();
        let word =
            |line: &str| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned()).filter(|word| !word.is_empty());
        list.lines().filter_map(word).collect()
    };
    let help = |verb: &str| scene.run([verb, "--help"]).out;
    let verbs = words(&scene.run(["--help"]).out, "Usage:", "\nOptions:");
    assert!(verbs.len() > 30, "{verbs:?}");
    let below = |verb: &String| {
        let below = words(&help(verb), "\nCommands:\n", "\n\n");
        let alone = std::iter::once(verb.clone());
        alone.chain(below.into_iter().map(|word| format!("{verb} {word}"))).collect::<Vec<_>>()
    };
    verbs.iter().flat_map(below).collect()
}

/// What each verb is given, so that it tells of what was recorded or repeats what it was told.
fn arguments(leaf: &str, text: &str, name: &str) -> Vec<Vec<String>> {
    let own =
        |words: &[&str]| -> Vec<String> { leaf.split(' ').chain(words.iter().copied()).map(Into::into).collect() };
    let bad_json = format!("{{\"{name}\": ");
    let calls: &[&[&str]] = match leaf {
        "run" => &[&["--label", text, "--", "true"], &["--", name]],
        "create" => &[
            &["--label", name, "--task", text],
            &["--label", name, "--metadata", name],
            &["--label", name, "--runtime", name],
        ],
        "start" => &[&["5"], &[name], &["1"]],
        "progress" => &[&["6", text], &["6", "--unit", name], &["6", "--waiting-on", name]],
        "heartbeat" => &[&["6"], &["1", "--nonce", name]],
        "finish" => &[
            &["6", "--status", name],
            &["6", "--status", "failed", "--error", text],
            &["6", "--status", "succeeded"],
            &["4", "--status", "succeeded", "--result", &bad_json],
        ],
        "settle" => &[&["5", "--status", "failed", "--why", text], &["5", "--status", "succeeded", "--by", name]],
        "cancel" => &[&["1", "--why", text], &["1", "--by", name], &["4"]],
        "notify" => &[&["6", name], &["6", "silent"]],
        "list" => &[
            &[],
            &["--search", text],
            &["--label", name],
            &["--session", name],
            &["--metadata", name],
            &["--after", name],
        ],
        "show" => &[&["1"], &["2"], &["3"], &["4"], &[name]],
        "history" => &[&["1"], &["3"], &["4"], &[name]],
        "tree" => &[&["1"], &[name]],
        "stats" => &[&[], &["--line"]],
        "wait" => &[&["4"], &["3", "4"], &["1", "--timeout", "10ms"], &[name, "--timeout", "10ms"]],
        "watch" => &[&["--after", "0", "-n", "9"], &[name]],
        "top" => &[&["--once"], &["--once", "--filter", name]],
        "audit" => &[&[], &["--deep"], &["--acknowledged"], &["--code", name]],
        "acknowledge" => &[&["lost", "#3", "--again"], &["lost", name, "--until", "1d", "--note", text], &[name, "#3"]],
        "maintenance" | "verify" | "doctor" | "config show" | "flow" | "config" | "notices" => &[&[], &[name]],
        "reconcile" => &[
            &["--runtime", "subagent", "--owned", name],
            &["--runtime", "subagent", "--complete", "--by", name],
            &["--runtime", name],
        ],
        "drain" => &[&["--queued", "--timeout", "0"], &["--runtime", name]],
        "prune" => &[&["--dry-run"], &["--older-than", name]],
        "export" => &[&[], &[name]],
        "import" => &[&["--dry-run", name]],
        "import openclaw" => &[&["--dry-run", name]],
        "backup" => &[&[name], &["ledger.db"]],
        "recover" => &[&["--to", name, "--from", name], &["--to", "/dev/null/x"]],
        "migrate" | "call" => &[&[], &[name]],
        "schema" | "completions" | "man" => &[&[name]],
        "notices list" => &[&[], &["--for", name], &["--task", "1"], &["--task", name]],
        "notices claim" => &[&["-n", "1", "--consumer", name], &["--for", name]],
        "notices ack" => &[&["--claim", name, "9"], &["--claim", "x", name]],
        "notices nack" => &[&["--claim", name, "--reason", text, "9"], &["--claim", name, "--reason", text, name]],
        "notices deliver" => &[
            &["--exec", "cat >/dev/null; exit 1"],
            &["--exec", "cat >/dev/null", "--consumer", name],
            &["--webhook", name],
        ],
        "notices retry" | "notices drop" => &[&["9"], &[name]],
        "notices dismiss" => &[&["9", "--reason", text], &[name]],
        "flow create" => &[
            &["--goal", text, "--controller", name],
            &["--mirrors", name],
            &["--goal", name, "--controller", name, "--state", &bad_json],
        ],
        "flow list" => &[&[], &["--controller", name]],
        "flow show" => &[&["F1"], &[name]],
        "flow wait" => &[&["F1", "--revision", "2", "--step", name], &["F1", "--revision", "1", "--blocked-by", name]],
        "flow resume" => &[&["F1", "--revision", "3", "--step", name], &[name, "--revision", name]],
        "flow finish" => &[&[name, "--revision", "1"], &["F1", "--revision", "9"]],
        "flow fail" => &[&["F1", "--revision", "4", "--blocked-summary", text], &[name, "--revision", "1"]],
        "flow cancel" => &[&["F1", "--why", text], &[name]],
        "config get" => &[&[], &[name]],
        "config set" => &[&["notify_owner.x", text], &[name, name], &["subscriber.s", text]],
        "config unset" => &[&[name]],
        _ => panic!("`{leaf}` is told nothing to show: give it arguments here"),
    };
    calls.iter().map(|words| own(words)).collect()
}

// ---- what comes out -----------------------------------------------------------------------------------------

/// The text without the colours that we give it ourselves.
pub(crate) fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != ';').unwrap_or(part.len());
        match part[end..].strip_prefix('m') {
            Some(rest) => kept.push_str(rest),
            None => kept.push_str(&format!("\x1b[{part}")),
        }
    }
    kept
}

/// What acts in a text, with what stands around it.
fn found(text: &str) -> Option<String> {
    let place = text.find(acts)?;
    let start = text[..place].char_indices().rev().nth(60).map_or(0, |(start, _)| start);
    Some(text[start..].chars().take(100).collect())
}

#[test]
fn no_verb_lets_any_text_of_any_field_act() {
    let (rounds, seed) = (count("BGLEDGER_CANARIES", 1), Dice::seed("BGLEDGER_CANARY_SEED", 1));
    let leaves = leaves(&Scene::new());
    let (mut wrong, mut drawn, mut runs) = (Vec::new(), 0, 0);
    for round in 0..rounds as u64 {
        for (place, options) in
            [&["--color", "never"][..], &["--color", "always"], &["--json"], &["--quiet", "--color", "never"]]
                .into_iter()
                .enumerate()
        {
            let dice = Dice::new(seed + 4 * round + place as u64);
            let mut texts = Texts { dice, drawn: 0, kept: Vec::new() };
            let scene = fill(&mut texts);
            gives_back(&scene, &texts, &mut wrong);
            let columns = *texts.dice.pick(&[40, 80, 200]);
            for leaf in &leaves {
                for words in arguments(leaf, &texts.draw(12, true), &texts.name()) {
                    let line: Vec<&str> = options.iter().copied().chain(words.iter().map(String::as_str)).collect();
                    let mut command = scene.command(&line);
                    command.current_dir(scene.folder.path());
                    let mut pty = Pty::start(&command, (columns, 400));
                    if leaf == "call" {
                        pty.type_keys("{\"show\": {\"lookup\": 1}}\n{\"show\": \u{202e}\n\x04");
                    }
                    pty.wait();
                    let piped = done(command.spawn().unwrap());
                    // What was typed comes back from the terminal itself.
                    let in_terminal = if leaf == "call" { String::new() } else { pty.raw().replace("\r\n", "\n") };
                    for (way, text) in [("terminal", &in_terminal), ("pipe", &piped.out), ("pipe's errors", &piped.err)]
                    {
                        let ours = if options.contains(&"always") { without_colours(text) } else { text.clone() };
                        runs += 1;
                        // What is for programs goes into a pipe as it is: ids that are asked for again, and documents.
                        let is_document = leaf == "export" || leaf == "call" || options.contains(&"--json");
                        let near = match (way, is_document && !words.contains(&"--line".to_owned())) {
                            ("pipe", true) => {
                                ours.lines().find(|line| serde_json::from_str::<Value>(line).is_err()).map(Into::into)
                            }
                            ("pipe", false) if options.contains(&"--quiet") => None,
                            (_, _) => found(&ours),
                        };
                        let near = near.map(|near: String| format!("{way} {line:?}: {near:?}"));
                        wrong.extend(near);
                    }
                }
            }
            drawn += texts.drawn;
        }
    }
    println!("{} verbs, {drawn} texts, {runs} outputs", leaves.len());
    wrong.truncate(40);
    assert!(wrong.is_empty(), "BGLEDGER_CANARY_SEED={seed}: {}", wrong.join("\n"));
}

/// JSON has each text as it was recorded.
fn gives_back(scene: &Scene, texts: &Texts, wrong: &mut Vec<String>) {
    // What was recorded last stands there.
    let newest: BTreeMap<_, _> = texts.kept.iter().map(|(verb, place, text)| ((verb, place), text)).collect();
    for ((verb, place), text) in newest {
        let told = scene.json(verb);
        if told.pointer(place).and_then(Value::as_str) != Some(text) {
            wrong.push(format!("{verb:?} {place} is not {text:?}: {:?}", told.pointer(place)));
        }
    }
}
