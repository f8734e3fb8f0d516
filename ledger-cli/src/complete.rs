//! Completion of what is typed in a shell: verbs, options and their words, and the tasks and flows that there are.
//!
//! The scripts that `bgledger completions` prints ask this program, by the variable below, for each completion. It
//! reads the ledger that the line names, never creates one, and says nothing where it cannot.

use crate::cli;
use crate::context::Context;
use crate::globals::Globals;
use crate::output::line;
use bgledger_core::config::KEYS;
use bgledger_core::{FlowList, List, escape};
use clap::{Arg, Args, Command, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use std::ffi::{OsStr, OsString};
use std::io::Write;

/// Set by the scripts to the shell's name.
pub(crate) const VARIABLE: &str = "BGLEDGER_COMPLETE";
/// Tasks or flows that are offered at most.
const MOST: u32 = 50;
/// What only an active task is named to.
const OF_ACTIVE: [&str; 7] = ["start", "progress", "heartbeat", "finish", "settle", "cancel", "wait"];

/// Answers a script that asks for completions. Whether one asked.
pub(crate) fn answered(arguments: &[OsString]) -> bool {
    let is_asked = std::env::var_os(VARIABLE).is_some_and(|shell| !shell.is_empty());
    if !is_asked {
        return false;
    }
    let here = std::env::current_dir().ok();
    let completed = CompleteEnv::with_factory(command).var(VARIABLE).completer("bgledger");
    if let Err(error) = completed.try_complete(arguments, here.as_deref()) {
        let _ = writeln!(std::io::stderr(), "{error}");
    }
    true
}

/// The command with all its verbs, what names a task or a flow completing those that there are.
fn command() -> Command {
    cli::plain().mut_subcommands(|verb| {
        let is_active = OF_ACTIVE.contains(&verb.get_name());
        completing(verb, is_active)
    })
}

fn completing(verb: Command, is_active: bool) -> Command {
    let names_setting = matches!(verb.get_name(), "get" | "set" | "unset");
    verb.mut_subcommands(|below| completing(below, is_active)).mut_args(|argument| {
        let is_named = |name: &str| argument.get_value_names().is_some_and(|names| names.iter().any(|own| own == name));
        let is_task = is_named("LOOKUP") || ["lookup", "lookups"].contains(&argument.get_id().as_str());
        let is_flow = is_named("FLOW") || argument.get_id() == "flow";
        let is_setting = names_setting && argument.get_id() == "key";
        match (is_task, is_flow, is_setting) {
            (true, _, _) => with(argument, move |typed| tasks(typed, is_active)),
            (_, true, _) => with(argument, flows),
            (_, _, true) => with(argument, settings),
            (false, false, false) => argument,
        }
    })
}

fn with(argument: Arg, candidates: impl Fn(&str) -> Vec<CompletionCandidate> + Send + Sync + 'static) -> Arg {
    argument.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(typed.to_str().unwrap_or_default())))
}

/// The tasks whose number begins as typed, the newest first, each with its status and label.
fn tasks(typed: &str, is_active: bool) -> Vec<CompletionCandidate> {
    let (mark, number) = typed.strip_prefix('#').map_or(("", typed), |number| ("#", number));
    let Some(context) = surroundings() else { return Vec::new() };
    let request = List { active: is_active, limit: Some(MOST), ..List::default() };
    let page = context.reading().and_then(|ledger| Ok(ledger.call(request)?));
    let tasks = page.map(|page| page.tasks).unwrap_or_default();
    let fitting = tasks.iter().filter(|view| view.task.number.0.to_string().starts_with(number));
    let candidate = |(place, view): (usize, &bgledger_core::TaskView)| {
        let help = format!("{}  {}", line::status(view), escape(&view.task.label));
        candidate(format!("{mark}{}", view.task.number.0), help, place)
    };
    fitting.enumerate().map(candidate).collect()
}

/// The flows whose number begins as typed, each with its status and goal.
fn flows(typed: &str) -> Vec<CompletionCandidate> {
    let Some(context) = surroundings() else { return Vec::new() };
    let request = FlowList { limit: Some(MOST), ..FlowList::default() };
    let page = context.reading().and_then(|ledger| Ok(ledger.call(request)?));
    let flows = page.map(|page| page.flows).unwrap_or_default();
    let fitting = flows.iter().map(|view| &view.flow).filter(|flow| flow.number.to_string().starts_with(typed));
    let candidate = |(place, flow): (usize, &bgledger_core::Flow)| {
        let help = format!("{}  {}", flow.status.as_str(), escape(flow.goal.lines().next().unwrap_or_default()));
        candidate(flow.number.to_string(), help, place)
    };
    fitting.enumerate().map(candidate).collect()
}

/// The names of settings; of a family its beginning.
fn settings(typed: &str) -> Vec<CompletionCandidate> {
    let named = KEYS.iter().map(|key| (key.name.trim_end_matches('*'), key.help));
    let fitting = named.filter(|(name, _)| name.starts_with(typed)).enumerate();
    fitting.map(|(place, (name, help))| candidate(name.to_owned(), help.to_owned(), place)).collect()
}

fn candidate(value: String, help: String, place: usize) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.into())).display_order(Some(place))
}

/// The ledger that the line names, as the verb would find it.
fn surroundings() -> Option<Context> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(2).collect();
    let mut named = vec![OsString::from("bgledger")];
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let is_whole =
            ["--ledger=", "--owner="].iter().any(|name| word.as_encoded_bytes().starts_with(name.as_bytes()));
        let is_name = word == "--ledger" || word == "--owner";
        if is_whole || is_name {
            named.push(word);
        }
        if is_name {
            named.extend(words.next());
        }
    }
    // A line that is not finished may not be one yet: then the ledger is the usual one.
    let matches = Globals::augment_args(Command::new("bgledger")).try_get_matches_from(named).ok()?;
    Context::new(Globals::from_arg_matches(&matches).ok()?).ok()
}
