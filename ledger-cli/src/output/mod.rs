//! What people and programs see. One place writes to stdout; recorded text is escaped before it gets there.

pub(crate) mod event;
pub(crate) mod fit;
pub(crate) mod flow;
pub(crate) mod line;
pub(crate) mod page;
pub(crate) mod pager;
pub(crate) mod pressure;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod tint;
pub(crate) mod tree;

use crate::failure::Failure;
use crate::globals::{Color, Globals};
use crate::preferences::Preferences;
use anstream::{AutoStream, ColorChoice};
use bgledger_core::{Millis, TaskView, escape};
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
    /// Whether other times are told in UTC, not in the local time zone.
    pub(crate) utc: bool,
    /// What shows what is longer than the terminal.
    pub(crate) pager: Option<String>,
}

/// Whether the terminal says that it only shows letters.
fn is_plain() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

impl Output {
    pub(crate) fn new(globals: &Globals, preferences: &Preferences) -> Output {
        let stdout = std::io::stdout();
        let styled = match preferences.color.value {
            Color::Always => true,
            Color::Never => false,
            // The library takes a terminal of a build machine for a colourful one, whatever it says of itself.
            Color::Auto => !is_plain() && !matches!(AutoStream::choice(&stdout), ColorChoice::Never),
        };
        let width =
            stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout).map_or(80, |(width, _)| width.0));
        let now = Millis::clamped(wall_ms());
        Output {
            json: globals.json,
            quiet: globals.quiet,
            styled,
            width: width.filter(|width| *width > 0),
            now,
            utc: preferences.utc.value,
            pager: preferences.pager.value.clone(),
        }
    }

    /// Prints a text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
    }

    /// Prints one line of JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        let mut line = self.told(json_line(value)?);
        line.push('\n');
        self.text(&line)
    }

    /// JSON as it is told: on a terminal, what would act on it stands there by its code.
    pub(crate) fn told(&self, json: String) -> String {
        if self.width.is_some() { harmless(&json) } else { json }
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

    /// The same, in a pager where it is longer than the terminal.
    pub(crate) fn paged<'a, T: Serialize>(
        &self,
        value: &T,
        tasks: impl IntoIterator<Item = &'a TaskView>,
        people: impl FnOnce(&Output) -> String,
    ) -> Result<(), Failure> {
        if self.json || self.quiet {
            return self.result(value, tasks, people);
        }
        let text = people(self);
        if pager::show(self, &text) { Ok(()) } else { self.text(&text) }
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
            return self.names(names);
        }
        self.text(&people(self))
    }

    /// Prints names, one a line: as they are for programs, safe to look at on a terminal.
    pub(crate) fn names<N: Display>(&self, names: impl IntoIterator<Item = N>) -> Result<(), Failure> {
        let shown = |name: N| match self.width {
            Some(_) => format!("{}\n", escape(&name.to_string())),
            None => format!("{name}\n"),
        };
        self.text(&names.into_iter().map(shown).collect::<String>())
    }

    /// Whether there is a terminal that can be drawn on.
    pub(crate) fn is_live(&self) -> bool {
        self.width.is_some() && !is_plain()
    }

    /// Whether somebody still reads our output, as far as can be told.
    pub(crate) fn is_read(&self) -> bool {
        is_read()
    }

    /// Says beside the result what nobody may miss.
    pub(crate) fn warn(&self, text: &str) {
        if !self.json {
            crate::tell(&format!("warning: {text}"));
        }
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

/// JSON in which every letter that would act on a terminal is written by its code, which says the same.
pub(crate) fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        let is_plain =
            matches!(letter, ' '..='~') || escape(letter.encode_utf8(&mut [0; 4])).to_string().starts_with(letter);
        match (is_plain, letter) {
            (true, letter) => text.push(letter),
            // Outside of texts, where alone these can be, they are spaces.
            (false, '\n' | '\r' | '\t') => text.push(' '),
            (false, letter) => {
                letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
            }
        }
    }
    text
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
