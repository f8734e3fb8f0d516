//! The pages that the core writes of itself. They are checked in; a test makes them anew and compares.

use crate::story::*;
use bgledger_core::{Answer, Birth, Claim, Command, ErrorClass, ErrorCode, NotifyPolicy, Span, Status, decide};
use std::fmt::Write as _;
use std::path::Path;

/// Compares a page with what it should be, or rewrites it if asked to.
fn hold(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("BGLEDGER_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let repair = "BGLEDGER_BLESS=1 cargo test -p bgledger-core --test core documents";
    assert!(written == text, "ledger-core/docs/{name} is out of date; run: {repair}");
}

#[test]
fn the_page_of_transitions_is_what_the_rules_do() {
    hold("transitions.md", &transitions());
}

#[test]
fn the_page_of_errors_is_what_the_codes_say() {
    hold("errors.md", &errors());
}

// ---- transitions --------------------------------------------------------------------------------------------

/// The first attempt's executor, lost long ago, where there is a second; the holder; a stranger.
const FIRST: u32 = 1;
const HOLDER: u32 = 2;
const STRANGER: u32 = 3;

fn taken_over() -> Story {
    let mut story = Story::born(Birth { timeout: Some(Span::from_secs(3_600)), ..birth() });
    story.tell(Command::Start(claim(FIRST))).unwrap();
    story.wait(100_000).tell(Command::Reap(lease_expired())).unwrap();
    story.tell(Command::Start(claim(HOLDER))).unwrap();
    story
}

fn after(mut story: Story, ms: i64, command: Command) -> Story {
    story.wait(ms).tell(command).unwrap();
    story
}

fn situations() -> Vec<(&'static str, Story)> {
    let impatient = Birth { queue_timeout: Some(Span::from_secs(1)), ..birth() };
    let expired = || {
        let mut story = Story::born(impatient.clone());
        story.wait(2_000);
        story
    };
    let lost = || after(taken_over(), 100_000, Command::Reap(lease_expired()));
    let ended = |status| after(taken_over(), 1_000, finish(token(2, HOLDER), status));
    let late = |mut story: Story| {
        story.wait(3_601_000);
        story
    };
    vec![
        ("queued", Story::queued()),
        ("queued, too long", expired()),
        ("running", after(taken_over(), 1_000, heartbeat(token(2, HOLDER)))),
        ("running, late", late(taken_over())),
        ("running, cancel asked", late(after(taken_over(), 1_000, cancel()))),
        ("lost", lost()),
        ("lost, never started", after(Story::queued(), 1_000, settle(Status::Lost))),
        ("lost, cancel asked", after(lost(), 1_000, cancel())),
        ("succeeded", ended(Status::Succeeded)),
        ("failed", ended(Status::Failed)),
        ("timed_out", ended(Status::TimedOut)),
        ("cancelled", ended(Status::Cancelled)),
    ]
}

fn commands() -> Vec<(&'static str, Command)> {
    let other = Birth { label: "something else".into(), ..birth() };
    let external = Claim { executor: None, ..Claim::default() };
    vec![
        ("create, the same", Command::Create(birth())),
        ("create, another under its key", Command::Create(other)),
        ("start by its holder", Command::Start(claim(HOLDER))),
        ("start by another", Command::Start(claim(STRANGER))),
        ("start by nobody to observe", Command::Start(external)),
        ("progress by its attempt", progress(token(2, HOLDER), "half")),
        ("progress by an older attempt", progress(token(1, FIRST), "half")),
        ("progress by another executor's same attempt", progress(token(2, STRANGER), "half")),
        ("progress naming no attempt", progress(anybody(), "half")),
        ("heartbeat by its attempt", heartbeat(token(2, HOLDER))),
        ("heartbeat by an older attempt", heartbeat(token(1, FIRST))),
        ("finish succeeded by its attempt", finish(token(2, HOLDER), Status::Succeeded)),
        ("finish failed by its attempt", finish(token(2, HOLDER), Status::Failed)),
        ("finish timed_out by its attempt", finish(token(2, HOLDER), Status::TimedOut)),
        ("finish cancelled by its attempt", finish(token(2, HOLDER), Status::Cancelled)),
        ("finish lost by its attempt", finish(token(2, HOLDER), Status::Lost)),
        ("finish succeeded by an older attempt", finish(token(1, FIRST), Status::Succeeded)),
        ("finish succeeded naming no attempt", finish(anybody(), Status::Succeeded)),
        ("cancel, the executor may live", cancel()),
        ("cancel, the executor is proved dead", cancel_the_dead(HOLDER)),
        ("settle succeeded", settle(Status::Succeeded)),
        ("settle failed", settle(Status::Failed)),
        ("settle lost", settle(Status::Lost)),
        ("expire", Command::Expire),
        ("reap, the executor is proved dead", Command::Reap(process_gone(HOLDER))),
        ("reap, an earlier executor is proved dead", Command::Reap(process_gone(FIRST))),
        ("reap, the lease ran out", Command::Reap(lease_expired())),
        ("notify silent", Command::Notify(NotifyPolicy::Silent)),
    ]
}

/// A cell of the matrix: the status after the command, or how it is answered if nothing happens.
fn outcome(story: &Story, command: &Command) -> String {
    let mut after = story.clone();
    let before = decide(story.task.as_ref(), command, &moment(story.now)).map(|decision| decision.events.is_empty());
    match (after.tell(command.clone()), before) {
        (Err(error), _) => format!("`{}`", error.code().as_str()),
        (Ok(Answer::Cancel(answer)), Ok(true)) => format!("({})", answer.as_str()),
        (Ok(Answer::Cancel(answer)), _) => format!("**{}** ({})", after.status().as_str(), answer.as_str()),
        (Ok(Answer::Exists), _) => "(exists)".into(),
        (Ok(Answer::Unchanged), _) => "(unchanged)".into(),
        (Ok(Answer::Created | Answer::Changed), _) if after.status() == story.status() => "stays".into(),
        (Ok(Answer::Created | Answer::Changed), _) => format!("**{}**", after.status().as_str()),
    }
}

/// The events of a change, in words; `None` if nothing changed.
fn events(story: &Story, command: &Command) -> Option<String> {
    let decision = decide(story.task.as_ref(), command, &moment(story.now)).ok()?;
    let words: Vec<&str> = decision.events.iter().filter_map(|event| event.kind()).map(|kind| kind.as_str()).collect();
    (!decision.events.is_empty())
        .then(|| if words.is_empty() { "none: only the row moves".into() } else { words.join(", ") })
}

fn transitions() -> String {
    let (situations, commands) = (situations(), commands());
    let mut page = String::from(
        "# What each command does to a task\n\n\
         Made by running the rules (`decide`) on a task in each state; do not edit.\n\
         A cell is the status after the command (**bold**), `stays` where only the row moves, the answer in\n\
         parentheses where nothing changes, or the code of the refusal. Started tasks are at attempt 2: attempt 1 was\n\
         lost and taken over. *Late* is past `timeout`, *too long* past `queue_timeout`; *running, cancel asked* is\n\
         late, too, and all leases but that of *running* and *lost* have run out.\n\n",
    );
    let heads: Vec<&str> = situations.iter().map(|(name, _)| *name).collect();
    writeln!(page, "| command | {} |", heads.join(" | ")).unwrap();
    writeln!(page, "|---|{}", "---|".repeat(heads.len())).unwrap();
    for (name, command) in &commands {
        let cells: Vec<String> = situations.iter().map(|(_, story)| outcome(story, command)).collect();
        writeln!(page, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    page.push_str("\n## The events of each change\n\n| command | events | from |\n|---|---|---|\n");
    for (name, command) in &commands {
        let mut told: Vec<(String, Vec<&str>)> = vec![];
        for (from, story) in &situations {
            let Some(events) = events(story, command) else { continue };
            match told.iter_mut().find(|(same, _)| *same == events) {
                Some((_, froms)) => froms.push(from),
                None => told.push((events, vec![from])),
            }
        }
        for (events, froms) in told {
            writeln!(page, "| {name} | {events} | {} |", froms.join("; ")).unwrap();
        }
    }
    page
}

// ---- errors -------------------------------------------------------------------------------------------------

fn errors() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Made from the one list of codes; do not edit. Words and numbers are stable for ever. In JSON an error is\n\
         `{\"code\", \"class\", \"message\", \"hint\"}` and the fields that matter; `number` is the task's.\n",
    );
    let mut class = None;
    for code in ErrorCode::ALL {
        if class != Some(code.class()) {
            class = Some(code.class());
            let (word, advice) = (code.class().as_str(), advice(code.class()));
            writeln!(page, "\n## {word}: {advice}\n\n| code | number | exit | meaning | hint |\n|---|---|---|---|---|")
                .unwrap();
        }
        let (word, number, hint) = (code.as_str(), code as u16, code.hint().unwrap_or_default());
        writeln!(page, "| `{word}` | {number} | {} | {} | {hint} |", exit(code), meaning(code)).unwrap();
    }
    page
}

fn advice(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Invalid => "correct the request",
        ErrorClass::NotFound => "there is no such thing",
        ErrorClass::Refused => "the rules say no; the error names what is recorded",
        ErrorClass::Busy => "ask again later",
        ErrorClass::Ledger => "the ledger itself needs attention",
        ErrorClass::Failed => "it failed and changed nothing",
        ErrorClass::Unknown => "it may have taken effect; ask again",
        ErrorClass::Internal => "report it",
    }
}

/// What the command line exits with: a code's class decides, but for a wait.
fn exit(code: ErrorCode) -> u8 {
    match (code, code.class()) {
        (ErrorCode::WaitTimedOut, _) => 124,
        (_, ErrorClass::Failed | ErrorClass::Unknown | ErrorClass::Internal) => 1,
        (_, ErrorClass::Invalid) => 2,
        (_, ErrorClass::NotFound) => 3,
        (_, ErrorClass::Refused) => 4,
        (_, ErrorClass::Busy) => 5,
        (_, ErrorClass::Ledger) => 8,
    }
}

/// What a code's own documentation says.
fn meaning(code: ErrorCode) -> &'static str {
    let source = include_str!("../../src/error/code.rs");
    let variant = format!("{code:?} = {},", code as u16);
    let mut lines = source.lines().map(str::trim);
    let mut last = "";
    lines.find(|line| {
        let found = *line == variant;
        last = if found { last } else { line.strip_prefix("/// ").unwrap_or_default() };
        found
    });
    assert!(!last.is_empty(), "{code:?} has no documentation");
    last
}
