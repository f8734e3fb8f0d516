//! The README is executed: every fenced block of it, in order, in one scratch folder, with the real binary.
//!
//! `console` blocks show commands and what they print; `sh` and `python` blocks must succeed; the `rust` block is the
//! example that the store's documentation compiles. In expected output `...` stands for anything, a line of its own
//! for any lines; ids, times and spans are equal to each other, and so are runs of blanks.

use bgledger_tests::binary::{NO_PREFERENCES, bgledger, workspace};
use bgledger_tests::scratch::Scratch;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Run by a test of its own, `demo.rs`.
const DEMO: &str = "sh demo.sh";
/// What `.ci/run` runs.
const TESTS: &str = "tests/prepare && cargo test --workspace --locked";
/// Checked by what it names.
const INSTALL: &str = "cargo install --path ledger-cli --locked";

#[test]
fn every_block_of_the_readme_does_what_it_shows() {
    let room = Room::new();
    for block in blocks() {
        match block.language.as_str() {
            "console" => room.play(&block),
            "sh" if [DEMO, TESTS, INSTALL].contains(&block.text.trim_end()) => {}
            "sh" => room.must_succeed(&block, &["sh", "-eu", "-c"]),
            "python" => room.must_succeed(&block, &["python3", "-c"]),
            "rust" => {}
            other => panic!("README.md:{}: nothing executes a block of {other:?}", block.line),
        }
    }
}

#[test]
fn the_readme_begins_with_the_demo_and_the_tests() {
    let commands: Vec<String> = blocks().into_iter().map(|block| block.text.trim_end().to_owned()).collect();
    assert_eq!(commands.first().map(String::as_str), Some(DEMO));
    assert_eq!(commands.get(1).map(String::as_str), Some(TESTS));
    for headline in [DEMO, TESTS, INSTALL] {
        assert_eq!(commands.iter().filter(|command| *command == headline).count(), 1, "{headline}");
    }
}

#[test]
fn the_test_command_is_the_one_that_the_checks_run() {
    let checks = read(".ci/run");
    assert!(checks.lines().any(|line| line.trim() == TESTS), ".ci/run has no line {TESTS:?}");
    assert!(read(".github/workflows/ci.yml").lines().any(|line| line.trim() == "- run: .ci/run"));
}

#[test]
fn what_is_installed_is_the_program() {
    let mut words = INSTALL.split(' ').skip_while(|word| *word != "--path").skip(1);
    let folder = words.next().expect("a folder");
    let manifest = read(&format!("{folder}/Cargo.toml"));
    assert!(manifest.contains("[[bin]]\nname = \"bgledger\"\n"), "{folder} has no program bgledger");
    assert!(workspace().join("Cargo.lock").is_file(), "--locked needs a lock file");
}

#[test]
fn the_rust_example_is_the_one_that_is_compiled() {
    let library = read("ledger-store/src/lib.rs");
    let lines = library.lines().filter_map(|line| line.strip_prefix("//!")).map(|line| line.trim_start_matches(' '));
    let example = lines.skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| *line != "```");
    let shown: String = example.filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect();
    let rust: Vec<Block> = blocks().into_iter().filter(|block| block.language == "rust").collect();
    assert_eq!(rust.iter().map(|block| block.text.as_str()).collect::<Vec<_>>(), [shown]);
}

// ---- the page -------------------------------------------------------------------------------------------------

/// A fenced block.
struct Block {
    line: usize,
    language: String,
    text: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (index, line) in read("README.md").lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(language), false) => {
                blocks.push(Block { line: index + 1, language: language.to_owned(), text: String::new() });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let block = blocks.last_mut().expect("a block");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!inside, "a block is not closed");
    blocks
}

/// The commands of a console block, each with what it is said to print.
fn exchanges(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut exchanges: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => exchanges.push((command.to_owned(), Vec::new())),
            None => {
                let last = exchanges.last_mut();
                let (_, expected) = last.unwrap_or_else(|| panic!("README.md:{}: output before a command", block.line));
                expected.push(line.to_owned());
            }
        }
    }
    exchanges
}

// ---- the newcomer's machine -----------------------------------------------------------------------------------

/// Stands between the outputs of two commands.
const MARK: char = '\u{1}';

/// A home of its own, in which `bgledger` is installed.
struct Room {
    /// Removed with all that is in it.
    _scratch: Scratch,
    home: PathBuf,
}

impl Room {
    fn new() -> Room {
        let scratch = Scratch::new();
        let home = scratch.ledger().with_file_name("home");
        fs::create_dir_all(home.join("bin")).expect("a folder for programs");
        std::os::unix::fs::symlink(bgledger(), home.join("bin/bgledger")).expect("the program is installed");
        Room { _scratch: scratch, home }
    }

    /// Runs a program to its end; what it left behind may go on. Says what was printed, too.
    fn run(&self, program: &[&str], script: &str) -> (ExitStatus, String) {
        let output = self.home.join("output");
        let file = File::create(&output).expect("a file for the output");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program[0]);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("BGLEDGER_") || ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"].contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command
            .args(&program[1..])
            .arg(script)
            .current_dir(&self.home)
            .env("PATH", format!("{}:{path}", self.home.join("bin").display()))
            .env("HOME", &self.home)
            .env(NO_PREFERENCES.0, NO_PREFERENCES.1)
            .env("XDG_STATE_HOME", self.home.join("state"))
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file);
        let status = command.status().unwrap_or_else(|error| panic!("{}: {error}", program[0]));
        (status, fs::read_to_string(&output).expect("the output is text"))
    }

    fn must_succeed(&self, block: &Block, program: &[&str]) {
        let (status, output) = self.run(program, &block.text);
        assert!(status.success(), "README.md:{}: {status}\n{output}", block.line);
    }

    /// Runs a console block's commands in one shell and compares what each prints.
    fn play(&self, block: &Block) {
        let exchanges = exchanges(block);
        let marked =
            |(command, _): &(String, Vec<String>)| format!("{command}\nstatus=$?; printf '\\001'; (exit $status)\n");
        let script: String = exchanges.iter().map(marked).collect();
        let (_, output) = self.run(&["sh", "-c"], &script);
        let printed: Vec<&str> = output.split(MARK).collect();
        assert_eq!(printed.len(), exchanges.len() + 1, "README.md:{}: it broke off\n{output}", block.line);
        for ((command, expected), printed) in exchanges.iter().zip(printed) {
            let wanted: Vec<String> = expected.iter().map(|line| plain(line)).collect();
            let found: Vec<String> = printed.lines().map(plain).collect();
            let said = expected.join("\n");
            assert!(
                lines_fit(&wanted, &found),
                "README.md:{}: $ {command}\n--- the page says\n{said}\n--- it prints\n{printed}",
                block.line
            );
        }
    }
}

impl Drop for Room {
    /// A test that failed leaves nobody behind.
    fn drop(&mut self) {
        let script = "for id in $(bgledger list --active --quiet); do bgledger cancel \"$id\"; done";
        let _ = self.run(&["sh", "-c"], script);
    }
}

// ---- comparing ------------------------------------------------------------------------------------------------

/// A line without what differs from run to run.
fn plain(line: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in line.split_whitespace() {
        let told = match word {
            "now" => "<when>",
            "ago" if words.last() == Some(&"<span>") => {
                words.pop();
                "<when>"
            }
            word if is_span(word) => "<span>",
            word if is_id(word) => "<id>",
            word if is_time(word) => "<time>",
            word => word,
        };
        words.push(told);
    }
    words.join(" ")
}

fn is_span(word: &str) -> bool {
    let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    unit.len() < word.len() && ["ms", "s", "m"].contains(&unit)
}

fn is_id(word: &str) -> bool {
    word.len() == 36 && word.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

fn is_time(word: &str) -> bool {
    let clock = |letter: char| letter.is_ascii_digit() || "-:.TZ".contains(letter);
    word.contains(':') && word.ends_with('Z') && word.chars().all(clock)
}

fn lines_fit(wanted: &[String], found: &[String]) -> bool {
    match (wanted.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => {
            (0..=found.len()).any(|skipped| lines_fit(rest, &found[skipped..]))
        }
        (Some((line, rest)), Some((other, others))) => line_fits(line, other) && lines_fit(rest, others),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn line_fits(wanted: &str, found: &str) -> bool {
    let Some((start, rest)) = wanted.split_once("...") else { return wanted == found };
    let Some(mut left) = found.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split("...").collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.split_once(piece) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[test]
fn what_differs_from_run_to_run_is_equal_and_nothing_else() {
    assert_eq!(plain("1  ● running   1s ago  12ms"), plain("1 ● running now 3ms"));
    assert_ne!(plain("1 ● running now"), plain("2 ● running now"));
    assert!(line_fits("a ... c", "a b c") && !line_fits("a ... c", "a b d") && !line_fits("a", "a b"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(lines_fit(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(!lines_fit(&lines("a\n..."), &lines("b\nc")) && !lines_fit(&lines("a"), &lines("a\nb")));
}
