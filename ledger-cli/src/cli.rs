//! The command line as a whole: the options of every verb, then the verbs.

use crate::command::Verb;
use crate::globals::Globals;
use clap::{Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::mem::ManuallyDrop;

/// What was typed.
#[derive(Debug)]
pub(crate) struct Cli {
    pub(crate) globals: Globals,
    pub(crate) verb: Option<Verb>,
}

impl Cli {
    /// Reads the process's arguments.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
        // Describing every verb costs more than most verbs do. One whose word is nowhere cannot be meant; should
        // anything else be wrong, it is told in view of all of them.
        let brief = Verb::add(base(), |word| arguments.iter().any(|argument| argument == word));
        Cli::read(brief, arguments).or_else(|_| Cli::read(command(), arguments))
    }

    fn read(command: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
        // The process is short: what describes the arguments need not be taken apart again.
        let mut command = ManuallyDrop::new(command);
        let matches = ManuallyDrop::new(command.try_get_matches_from_mut(arguments)?);
        Ok(Cli { globals: Globals::from_arg_matches(&matches)?, verb: Verb::read(&matches)? })
    }
}

const AFTER_HELP: &str = "\
Examples:
  bgledger run -- make test              run a command as a recorded task
  bgledger                               the newest tasks
  bgledger show 42                       everything about one of them
  bgledger cancel 42 --wait              stop it, and wait until it has stopped
  bgledger list --status failed --json   for programs

A task is named by its number (42 or #42), its id, its run id or its session key;
id:, run: and session: say which of them is meant. A flow is named by its number (F3), its id or its owner.

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 refused, 5 busy, 6 the audit found errors,
7 an awaited task did not succeed, 8 the ledger is unreadable, 124 timed out; `run` exits as its command.";

/// The command without its verbs.
fn base() -> Command {
    Globals::augment_args(Command::new("bgledger"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable ledger of background tasks: what was started, how far it is, how it ended")
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_value_name("VERB")
        .after_help(AFTER_HELP)
}

/// The command with all its verbs.
pub(crate) fn plain() -> Command {
    Verb::add(base(), |_| true)
}

/// The same, the help listing its verbs by what they are for.
pub(crate) fn command() -> Command {
    let command = plain();
    let verbs = Verb::listed_by_purpose(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{verbs}\n\x1b[1m\x1b[4mOptions:\x1b[0m\n{{options}}{{after-help}}\n"
    ))
}
