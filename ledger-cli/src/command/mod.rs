//! The verbs, one file each. A verb's doc comment is its help.

mod acknowledge;
mod audit;
mod backup;
mod call;
mod cancel;
mod completions;
mod config;
mod create;
mod doctor;
mod drain;
mod export;
mod finish;
mod flow;
mod heartbeat;
mod history;
mod import;
mod list;
mod maintenance;
mod man;
mod migrate;
mod notices;
mod notify;
mod progress;
mod prune;
mod reconcile;
mod recover;
mod run;
mod schema;
mod settle;
mod show;
mod start;
mod stats;
mod top;
mod tree;
mod verify;
mod wait;
mod watch;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The one list of verbs: the word, the arguments.
macro_rules! verbs {
    ($($word:literal $name:ident in $module:ident;)*) => {
        /// What may be done.
        #[derive(Debug)]
        pub(crate) enum Verb { $($name(Box<$module::$name>),)* }

        impl Verb {
            /// Adds the verbs that are wanted to a command.
            pub(crate) fn add(command: Command, wanted: impl Fn(&str) -> bool) -> Command {
                let verbs = [$(($word, <$module::$name>::augment_args as fn(Command) -> Command),)*];
                let wanted = verbs.into_iter().filter(|(word, _)| wanted(word));
                command.subcommands(wanted.map(|(word, augment)| augment(Command::new(word))))
            }

            /// The verb that was typed, if there was one.
            pub(crate) fn read(matches: &ArgMatches) -> Result<Option<Verb>, clap::Error> {
                match matches.subcommand() {
                    $(Some(($word, matches)) => {
                        <$module::$name>::from_arg_matches(matches).map(|verb| Some(Verb::$name(Box::new(verb))))
                    })*
                    Some(_) | None => Ok(None),
                }
            }

            fn run(self, context: &Context) -> Result<Exit, Failure> {
                match self { $(Verb::$name(verb) => (*verb).run(context),)* }
            }
        }
    };
}

verbs! {
    "run" Run in run;
    "create" Create in create;
    "start" Start in start;
    "progress" Progress in progress;
    "heartbeat" Heartbeat in heartbeat;
    "finish" Finish in finish;
    "settle" Settle in settle;
    "cancel" Cancel in cancel;
    "notify" Notify in notify;
    "notices" Notices in notices;
    "flow" Flow in flow;
    "list" List in list;
    "show" Show in show;
    "history" History in history;
    "tree" Tree in tree;
    "stats" Stats in stats;
    "wait" Wait in wait;
    "watch" Watch in watch;
    "top" Top in top;
    "audit" Audit in audit;
    "acknowledge" Acknowledge in acknowledge;
    "maintenance" Maintenance in maintenance;
    "reconcile" Reconcile in reconcile;
    "drain" Drain in drain;
    "prune" Prune in prune;
    "config" Config in config;
    "doctor" Doctor in doctor;
    "verify" Verify in verify;
    "export" Export in export;
    "import" Import in import;
    "backup" Backup in backup;
    "recover" Recover in recover;
    "migrate" Migrate in migrate;
    "call" Call in call;
    "schema" Schema in schema;
    "completions" Completions in completions;
    "man" Man in man;
}

/// What the verbs are for, in the order of the help.
const PURPOSES: [(&str, &[&str]); 6] = [
    ("Run and record", &["run", "create", "start", "progress", "heartbeat", "finish", "flow"]),
    ("Look", &["list", "show", "history", "tree", "stats"]),
    ("Follow", &["wait", "watch", "top"]),
    ("Decide", &["cancel", "settle", "notify", "notices"]),
    (
        "Take care",
        &[
            "audit",
            "acknowledge",
            "maintenance",
            "reconcile",
            "drain",
            "prune",
            "config",
            "doctor",
            "verify",
            "export",
            "import",
            "backup",
            "recover",
            "migrate",
        ],
    ),
    ("Programs and shells", &["call", "schema", "completions", "man"]),
];

impl Verb {
    /// The verbs with their first lines, grouped by what they are for.
    pub(crate) fn listed_by_purpose(command: &Command) -> String {
        let mut text = String::new();
        for (purpose, verbs) in PURPOSES {
            text.push_str(&format!("\x1b[1m\x1b[4m{purpose}:\x1b[0m\n"));
            for verb in verbs {
                let about = command.find_subcommand(verb).and_then(|verb| verb.get_about());
                let about = about.map(ToString::to_string).unwrap_or_default();
                text.push_str(&format!("  \x1b[1m{verb:<12}\x1b[0m {about}\n"));
            }
            text.push('\n');
        }
        text.pop();
        text
    }
}

/// Does what a verb says; without one, lists the newest tasks.
pub(crate) fn dispatch(verb: Option<Verb>, context: &Context) -> Result<Exit, Failure> {
    match verb {
        None => list::List::newest().run(context),
        Some(verb) => verb.run(context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgledger_core::CommandName;
    use std::collections::BTreeSet;

    #[test]
    fn the_command_line_is_well_formed_and_every_verb_is_listed() {
        crate::cli::command().debug_assert();
        let command = crate::cli::command();
        let verbs: BTreeSet<&str> =
            command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| verb.get_name()).collect();
        let listed: BTreeSet<&str> = PURPOSES.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        assert_eq!(verbs, listed);
    }

    #[test]
    fn every_command_of_the_ledger_has_a_verb_of_its_name() {
        let command = crate::cli::command();
        for name in CommandName::ALL {
            // `notices_claim` is `notices claim`.
            let mut words = name.as_str().split('_');
            let verb = words.next().and_then(|word| command.find_subcommand(word));
            let found = words.try_fold(verb, |verb, word| verb.map(|verb| verb.find_subcommand(word)));
            assert!(found.flatten().is_some(), "{}", name.as_str());
        }
    }

    #[test]
    fn every_option_says_what_it_is() {
        let mut command = crate::cli::command();
        command.build();
        command.get_subcommands().for_each(assert_explained);
    }

    fn assert_explained(verb: &Command) {
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        for argument in verb.get_arguments() {
            let is_said = argument.get_help().is_some() || argument.get_long_help().is_some();
            assert!(is_said, "{} {}", verb.get_name(), argument.get_id());
        }
        verb.get_subcommands().for_each(assert_explained);
    }
}
