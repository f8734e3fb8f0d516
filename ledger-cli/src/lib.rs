//! The command line, as a library.
//!
//! `cli.rs` says what may be typed, `command/` has one file per verb, `output/` shows what came of it,
//! `exit.rs` lists the exit codes. No rule about tasks is here: every verb is one request to the ledger.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

mod args;
mod cli;
mod command;
mod complete;
mod context;
mod exit;
mod failure;
mod globals;
mod output;
mod preferences;
mod sink;
pub mod supervise;
mod value;

pub use exit::Exit;

use bgledger_core::escape;
use clap::error::ErrorKind;
use failure::Failure;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

/// Does what the process's arguments say, and tells how to exit.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if complete::answered(&arguments) {
        return Exit::Done.into();
    }
    let cli = match cli::Cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refused_by_parser(&error, &arguments).into(),
    };
    let json = cli.globals.json;
    let done = context::Context::new(cli.globals).and_then(|context| command::dispatch(cli.verb, &context));
    let exit = done.unwrap_or_else(|failure| {
        if let Some(text) = failure.text(json) {
            tell(&text);
        }
        failure.exit()
    });
    exit.into()
}

/// Help and version are no errors; everything else is, and names the argument.
fn refused_by_parser(error: &clap::Error, arguments: &[OsString]) -> Exit {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that has gone away is no failure.
        let _ = error.print();
        return Exit::Done;
    }
    let as_json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    match refusal(error, arguments).text(as_json) {
        Some(text) if as_json || error.kind() == ErrorKind::InvalidUtf8 => tell(&text),
        // The parser's own words come with the usage, in colour; and repeat what was typed, which may be an agent's.
        Some(_) | None if is_harmless(arguments) && !is_plain(arguments) => drop(error.print()),
        Some(_) | None => tell(escape(error.render().to_string().trim_end()).block().to_string().as_str()),
    }
    Exit::Usage
}

/// Whether nothing that was typed acts on a terminal.
fn is_harmless(arguments: &[OsString]) -> bool {
    arguments.iter().all(|argument| argument.to_str().is_some_and(|text| escape(text).to_string() == text))
}

/// Whether colour was refused on the command line.
fn is_plain(arguments: &[OsString]) -> bool {
    let never = arguments.windows(2).any(|pair| matches!(pair, [name, value] if name == "--color" && value == "never"));
    never || arguments.iter().any(|argument| argument == "--color=never")
}

fn refusal(error: &clap::Error, arguments: &[OsString]) -> Failure {
    if error.kind() == ErrorKind::InvalidUtf8 {
        let is_path = |place: usize, argument: &OsStr| {
            let follows = place.checked_sub(1).and_then(|before| arguments.get(before));
            follows.is_some_and(|before| before == "--ledger") || argument.as_encoded_bytes().starts_with(b"--ledger=")
        };
        let no_text = arguments.iter().enumerate().skip(1).filter(|(_, argument)| argument.to_str().is_none());
        let named = no_text.min_by_key(|(place, argument)| (is_path(*place, argument), *place));
        let message = match named {
            Some((place, argument)) => format!("argument {place}, {argument:?}, is not valid UTF-8"),
            None => "an argument is not valid UTF-8".to_owned(),
        };
        return Failure::usage(message, "only paths, and the command that `run` runs, may hold any bytes");
    }
    let text = error.render().to_string();
    let (message, rest) = text.trim().split_once("\n\n").unwrap_or((text.trim(), ""));
    let message = message.trim_start_matches("error: ").to_owned();
    let hint = rest.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    Failure::Usage { message, hint }
}

/// Says something on stderr; with nobody there to read it there is nothing more to do.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
