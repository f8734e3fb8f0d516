//! What people and programs see. One place writes to stdout; recorded text is escaped before it gets there.

pub(crate) mod event;
pub(crate) mod flow;
pub(crate) mod line;
pub(crate) mod page;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod tint;
pub(crate) mod tree;

use crate::failure::Failure;
use crate::globals::{Color, Globals};
use anstream::{AutoStream, ColorChoice};
use bgledger_core::{Millis, TaskView};
use bgledger_store::platform::wall_ms;
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// How results are shown, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    /// Whether colours and bold type may be used.
    pub(crate) styled: bool,
    /// Columns to fit into; `None`: nobody looks, nothing is cut.
    pub(crate) width: Option<u16>,
    /// What relative times are told from.
    pub(crate) now: Millis,
}

impl Output {
    pub(crate) fn new(globals: &Globals) -> Output {
        let stdout = std::io::stdout();
        let styled = match globals.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !matches!(AutoStream::choice(&stdout), ColorChoice::Never),
        };
        let width =
            stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout).map_or(80, |(width, _)| width.0));
        let now = Millis::clamped(wall_ms());
        Output { json: globals.json, quiet: globals.quiet, styled, width: width.filter(|width| *width > 0), now }
    }

    /// Prints a text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Prints one line of JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        let mut line = json_line(value)?;
        line.push('\n');
        self.text(&line)
    }

    /// Prints a result: JSON, the ids of its tasks, or what people read.
    pub(crate) fn result<'a, T: Serialize>(
        &self,
        value: &T,
        tasks: impl IntoIterator<Item = &'a TaskView>,
        people: impl FnOnce(&Output) -> String,
    ) -> Result<(), Failure> {
        self.named(value, tasks.into_iter().map(|view| view.task.id), people)
    }

    /// Prints a result: JSON, its names, one a line, or what people read.
    pub(crate) fn named<T: Serialize, N: Display>(
        &self,
        value: &T,
        names: impl IntoIterator<Item = N>,
        people: impl FnOnce(&Output) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            return self.json(value);
        }
        if self.quiet {
            let names: String = names.into_iter().map(|name| format!("{name}\n")).collect();
            return self.text(&names);
        }
        self.text(&people(self))
    }

    /// Whether somebody still reads our output, as far as can be told.
    pub(crate) fn is_read(&self) -> bool {
        is_read()
    }

    /// Says something to people beside the result.
    pub(crate) fn note(&self, text: &str) {
        if !self.json && !self.quiet {
            crate::tell(text);
        }
    }
}

/// One line of JSON.
pub(crate) fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(|error| bgledger_core::Error::internal(error.to_string()))?)
}

#[cfg(unix)]
fn is_read() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = std::io::stdout();
    let mut questions = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    match poll(&mut questions, Some(&at_once)) {
        Ok(_) => questions.iter().all(|question| !question.revents().intersects(gone)),
        Err(_) => true,
    }
}

#[cfg(not(unix))]
fn is_read() -> bool {
    true
}
