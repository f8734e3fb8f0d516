//! Words of the command line: every verb with its own options and others', with values that fit and that do not, in a
//! folder of its own in which there is nothing to run but `true` and `false`.

use bgledger_tests::binary;
use bgledger_tests::dice::Dice;
use bgledger_tests::fuzz::{Meter, drawn};
use bgledger_tests::scratch::Scratch;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What waits for others, or goes on until it is told to end: it is ended.
const WAITS: [&str; 6] = ["wait", "watch", "drain", "top", "run", "deliver"];
/// What reaches other processes, or other machines.
const LEFT_OUT: [&str; 3] = ["--group", "--webhook", "--allow-private"];
/// Long enough for what does not wait, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A verb, and the options that its help names.
struct Verb {
    words: Vec<String>,
    options: Vec<String>,
}

fn bgledger(folder: &Path) -> Command {
    let mut command = Command::new(binary::bgledger());
    command.env_clear().env("PATH", folder.join("bin")).env("HOME", folder).env("TMPDIR", folder);
    command.env("XDG_STATE_HOME", folder).env("XDG_CONFIG_HOME", folder.join("config")).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn help(folder: &Path, words: &[String]) -> String {
    let output = bgledger(folder).args(words).arg("--help").output().expect("it runs");
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The verbs that a help lists: two blanks, a word, blanks, what it does.
fn listed(help: &str) -> Vec<String> {
    let verb = |line: &str| {
        let (word, rest) = line.strip_prefix("  ")?.split_once("  ")?;
        let is_word = word != "bgledger" && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        (is_word && !rest.trim().is_empty()).then(|| word.to_owned())
    };
    help.lines().filter_map(verb).collect()
}

fn verbs(folder: &Path) -> Vec<Verb> {
    let mut verbs = vec![Verb { words: Vec::new(), options: Vec::new() }];
    let mut add = |words: Vec<String>, help: &str| {
        let is_option = |word: &&str| word.starts_with("--") && word.len() > 2;
        let plain = |word: &str| word.trim_end_matches([',', ')', '.', ';', ':']).to_owned();
        let mut options: Vec<String> = help.split_whitespace().filter(is_option).map(plain).collect();
        options.retain(|option| !LEFT_OUT.contains(&option.as_str()));
        options.sort();
        options.dedup();
        verbs.push(Verb { words, options });
    };
    for verb in listed(&help(folder, &[])) {
        let own = help(folder, std::slice::from_ref(&verb));
        if matches!(verb.as_str(), "flow" | "notices") {
            for below in listed(&own) {
                let words = vec![verb.clone(), below];
                add(words.clone(), &help(folder, &words));
            }
        }
        add(vec![verb], &own);
    }
    assert!(verbs.len() > 40, "{} verbs", verbs.len());
    verbs
}

/// A word that may stand for a value. None has a slash: what is made is made here.
fn word(dice: &mut Dice) -> OsString {
    let words = [
        "1",
        "2",
        "#1",
        "F1",
        "0",
        "-1",
        "7",
        "99999999999999999999",
        "1h",
        "30s",
        "0s",
        "2h 30m",
        "-5m",
        "1e9",
        "r1",
        "run:r1",
        "id:",
        "session:chat",
        "chat",
        "",
        " ",
        "-",
        "--",
        "-x",
        "--nothing",
        "=",
        "a=1",
        "a=b=c",
        "n=null",
        "ledger.db",
        "other.db",
        "bin",
        "nowhere",
        "{}",
        "[]",
        "{\"a\":1}",
        "null",
        "nan",
        "succeeded",
        "failed",
        "lost",
        "queued",
        "running",
        "canceled",
        "ok",
        "error",
        "silent",
        "state_changes",
        "full",
        "relaxed",
        "always",
        "never",
        "cli",
        "Cron",
        "subagent",
        "label",
        "🦀",
        "日本語",
        "\u{1b}[31m",
        "\u{202e}",
        "%s",
        "'; DROP TABLE task; --",
        "@file",
        "true",
        "false",
        "no-such-command",
        "2026-01-01",
        "2026-11-22T10:00:00Z",
        "9999-12-31T23:59:59Z",
        "yesterday",
        "retention",
        "retention.cron",
        "audit.queued",
        "openclaw",
        "bash",
        "zsh",
        "fish",
        "json",
        "task",
        "1,2,3",
        "owner:local",
        "3/owner:local",
        "all",
        "any",
        "2",
        "3",
        "4",
        "5",
    ];
    let mut bytes = dice.pick(&words).as_bytes().to_vec();
    match dice.below(24) {
        0 => bytes.insert(0, 0xff),
        1 => bytes.extend_from_slice(&[0xe9]),
        2 => bytes = bytes.repeat(1 + usize::try_from(dice.below(400)).expect("few")),
        3 => bytes.push(u8::try_from(1 + dice.below(31)).expect("a control")),
        _ => {}
    }
    OsString::from_vec(bytes)
}

fn input(dice: &mut Dice, verbs: &[Verb]) -> Vec<OsString> {
    let verb = dice.pick(verbs);
    let mut words: Vec<OsString> = verb.words.iter().map(OsString::from).collect();
    for _ in 0..dice.below(7) {
        let of = if dice.below(12) == 0 { dice.pick(verbs) } else { verb };
        if dice.below(2) == 0 || of.options.is_empty() {
            words.push(word(dice));
            continue;
        }
        let mut option = OsString::from(dice.pick(&of.options));
        match dice.below(3) {
            0 => {
                option.push("=");
                option.push(word(dice));
                words.push(option);
            }
            1 => words.push(option),
            _ => words.extend([option, word(dice)]),
        }
    }
    if dice.below(10) == 0 && words.len() > 1 {
        let last = words.len() as u64;
        let (one, other) = (dice.below(last), dice.below(last));
        words.swap(usize::try_from(one).expect("a place"), usize::try_from(other).expect("a place"));
    }
    words
}

/// Its exit code and what it said; `None`: it had to be ended.
fn ended(mut child: Child, patience: Duration) -> Option<(i32, String)> {
    let mut said = child.stderr.take().expect("a pipe");
    let mut told = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        told.read_to_end(&mut all).map(|_| all)
    });
    let speaker = std::thread::spawn(move || {
        let mut all = Vec::new();
        said.read_to_end(&mut all).map(|_| all)
    });
    let step = Duration::from_millis(1);
    let mut left = patience;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if left.is_zero() {
            child.kill().expect("a child");
            child.wait().expect("it ends");
            break None;
        }
        std::thread::sleep(step);
        left = left.saturating_sub(step);
    };
    let said = speaker.join().expect("a thread").expect("what it said");
    reader.join().expect("a thread").expect("what it told");
    let status = status?;
    let code = status.code().unwrap_or_else(|| panic!("it ended by signal {:?}", status.signal()));
    Some((code, String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn any_words_are_carried_out_or_refused() {
    let (inputs, mut dice) = drawn(200);
    let mut meter = Meter::new("arguments");
    let (mut scratch, mut known) = (Scratch::in_memory(), Vec::new());
    for number in 0..inputs {
        if number % 500 == 0 {
            scratch = Scratch::in_memory();
            let folder = scratch.ledger().parent().expect("a folder").to_owned();
            fs::create_dir(folder.join("bin")).expect("a folder");
            for program in ["true", "false"] {
                symlink(Path::new("/bin").join(program), folder.join("bin").join(program)).expect("a link");
            }
            if known.is_empty() {
                known = verbs(&folder);
            }
        }
        let folder = scratch.ledger().parent().expect("a folder").to_owned();
        let words = input(&mut dice, &known);
        let waits = words.iter().any(|word| WAITS.iter().any(|verb| word == verb));
        let patience = if waits { Duration::from_millis(200) } else { PATIENCE };
        meter.one(0, &|| format!("{words:?}"), || {
            let child = bgledger(&folder).args(&words).spawn().expect("it starts");
            let Some((code, said)) = ended(child, patience) else {
                assert!(waits, "it has not ended");
                return true;
            };
            assert!(!said.contains("panicked") && !said.contains("please report it"), "{said}");
            assert!((0..=8).contains(&code) || matches!(code, 124..=165), "{code}: {said}");
            assert!(code == 0 || !said.is_empty() || matches!(code, 1 | 4 | 6 | 7 | 8 | 124 | 126..), "{code}");
            code == 0
        });
    }
    meter.tell(20);
}
