//! A pager for what is longer than the terminal.

use super::Output;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};

/// Shown in unless told otherwise: it ends at once if all fits, keeps our colours, and leaves the text on the screen.
pub(crate) const DEFAULT: &str = "less -FRX";

/// What the shell answers for a command that it does not find or may not run.
const NOT_RUN: [i32; 2] = [126, 127];

/// Shows a text in the pager if that helps. Whether it was shown.
///
/// A pager that is missing shows nothing; one that dies has shown what it had shown. Neither is an error.
pub(super) fn show(out: &Output, text: &str) -> bool {
    let (Some(command), Some(height)) = (&out.pager, height()) else { return false };
    if !out.is_live() || text.lines().take(height).count() < height {
        return false;
    }
    // Ctrl-C is the pager's to understand: heard by us, and left at that, for as long as it runs. (Ignoring it would be
    // inherited by the pager.)
    #[cfg(unix)]
    let hears = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)));
    let shown = through(command, text);
    #[cfg(unix)]
    if let Ok(id) = hears {
        signal_hook::low_level::unregister(id);
    }
    shown
}

/// The terminal's lines.
fn height() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout())
        .map(|(_, height)| usize::from(height.0))
        .filter(|lines| *lines > 0)
}

fn through(command: &str, text: &str) -> bool {
    // Nobody chose the default: where it is missing the shell has nothing to say about it.
    let asked =
        if command == DEFAULT { format!("command -v less > /dev/null || exit 127; {DEFAULT}") } else { command.into() };
    let shell = Command::new("sh").arg("-c").arg(asked).stdin(Stdio::piped()).spawn();
    let Ok(mut pager) = shell else { return false };
    let written = pager.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    match (pager.wait(), written) {
        (Ok(status), Ok(())) => !status.code().is_some_and(|code| NOT_RUN.contains(&code)),
        (Ok(status), Err(error)) => {
            // Whoever has seen enough closes the pipe.
            error.kind() == ErrorKind::BrokenPipe && !status.code().is_some_and(|code| NOT_RUN.contains(&code))
        }
        (Err(_), _) => true,
    }
}
