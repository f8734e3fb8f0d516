//! Requests in, responses out, one a line.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{Applied, Error, bounds};
use bgledger_store::Ledger;
use std::io::{self, Read, Write};

/// Answer requests: one JSON object a line on stdin, one response a line on stdout
///
/// A request is an object with one key, the command, and optionally "id", which is echoed:
/// {"id": 7, "create": {"label": "fetch the report"}}. A response has "ok" or "error". Every line is
/// answered as soon as it is read, in order; recording requests that are read together share a commit. Blank lines
/// are skipped. Errors of requests do not end the call.
/// Requests need no other option; `bgledger schema` describes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  echo '{\"list\": {\"active\": true}}' | bgledger call")]
pub(crate) struct Call {
    /// Take the time from each request's "now"
    #[arg(long, hide = true)]
    test_clock: bool,
}

impl Call {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let ledger = match self.test_clock {
            true => context.on_test_clock()?,
            false => context.recording()?,
        };
        serve(io::stdin().lock(), io::stdout().lock(), bounds::REQUEST_BYTES, |lines, tell| {
            answer(&ledger, lines, &mut |json| tell(context.out.told(json)));
        })?;
        Ok(Exit::Done)
    }
}

/// What was found between two line ends.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Request(String),
    NotText,
    /// More bytes than a request may have; how many there were.
    TooLong(u64),
}

/// Answers lines that were read together, in their order.
fn answer(ledger: &Ledger, lines: &[Line], tell: &mut dyn FnMut(String)) {
    let limit = bounds::REQUEST_BYTES as u64;
    let mut requests: Vec<&str> = Vec::new();
    for line in lines {
        let error = match line {
            Line::Request(text) => {
                requests.push(text);
                continue;
            }
            Line::NotText => Error::InvalidRequest { problem: "the line is not valid UTF-8".into() },
            Line::TooLong(actual) => Error::TooLarge { field: "request".into(), actual: *actual, limit },
        };
        ledger.answer_all(&std::mem::take(&mut requests), &mut *tell);
        tell(serde_json::to_string(&Applied { id: None, result: Err(&error) }).unwrap_or_default());
    }
    ledger.answer_all(&requests, tell);
}

/// Answers every line: those that were read together are handed on together, and each answer is written when it is
/// there, before the next may block.
fn serve(
    mut input: impl Read,
    mut output: impl Write,
    most: usize,
    mut answer: impl FnMut(&[Line], &mut dyn FnMut(String)),
) -> Result<(), Failure> {
    let failed = |error| Failure::System { what: "stdin cannot be read".into(), error };
    let (mut chunk, mut partial, mut length) = (vec![0_u8; 64 * 1024], Vec::new(), 0_u64);
    loop {
        let read = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(failed)?,
        };
        let mut lines = Vec::new();
        let mut rest = chunk.get(..read).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (part, after) = rest.split_at(end);
            keep(&mut partial, &mut length, part, most);
            lines.extend(line(&partial, length, most));
            (length, rest) = (0, after.get(1..).unwrap_or_default());
            partial.clear();
        }
        keep(&mut partial, &mut length, rest, most);
        if read == 0 && length > 0 {
            lines.extend(line(&partial, length, most));
        }
        let mut written = Ok(());
        answer(&lines, &mut |text| {
            // A reader that has gone away does not keep the rest from being recorded.
            if written.is_ok() {
                written = writeln!(output, "{text}").and_then(|()| output.flush());
            }
        });
        written.map_err(Failure::Output)?;
        if read == 0 {
            return Ok(());
        }
    }
}

/// A line as it was read; nothing if it is blank.
fn line(bytes: &[u8], length: u64, most: usize) -> Option<Line> {
    match std::str::from_utf8(bytes) {
        _ if length > most as u64 => Some(Line::TooLong(length)),
        Ok(text) if text.trim().is_empty() => None,
        Ok(text) => Some(Line::Request(text.to_owned())),
        Err(_) => Some(Line::NotText),
    }
}

/// Adds to a line that is not complete yet, counting what is over the bound instead of keeping it.
fn keep(partial: &mut Vec<u8>, length: &mut u64, bytes: &[u8], most: usize) {
    *length = length.saturating_add(bytes.len() as u64);
    let room = most.saturating_sub(partial.len()).min(bytes.len());
    partial.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out its pieces one read at a time.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            into[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn told(pieces: &[&'static [u8]]) -> String {
        let mut output = Vec::new();
        let answer = |lines: &[Line], tell: &mut dyn FnMut(String)| {
            lines.iter().for_each(|line| tell(format!("{line:?}")));
        };
        assert!(serve(Pieces(pieces.to_vec()), &mut output, 8, answer).is_ok());
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_line_is_answered_whatever_the_pieces_are() {
        let expected = "Request(\"one\")\nRequest(\"two\")\nRequest(\"end\")\n";
        assert_eq!(told(&[b"one\ntwo\nend"]), expected);
        assert_eq!(told(&[b"o", b"ne\nt", b"wo\n", b"\n \n", b"end\n"]), expected);
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn a_line_over_the_bound_and_one_that_is_not_text_do_not_end_the_call() {
        assert_eq!(told(&[b"12345678\n"]), "Request(\"12345678\")\n");
        assert_eq!(told(&[b"12345", b"6789", b"abc\nok\n"]), "TooLong(12)\nRequest(\"ok\")\n");
        assert_eq!(told(&[b"a\xff\nok\n"]), "NotText\nRequest(\"ok\")\n");
    }
}
