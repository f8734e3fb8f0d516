//! The ledger's policy.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Fit, Table};
use crate::output::tint::FAINT;
use crate::preferences;
use bgledger_core::config::{self, KEYS};
use bgledger_core::{Config as Request, ConfigReply, ErrorClass, Setting, escape};
use serde::Serialize;
use std::collections::BTreeMap;

/// Read or set the ledger's policy
///
/// It is stored in the ledger and holds for every process and language.
///
/// What the command line alone prefers may stand in bgledger/config.toml in the configuration folder
/// ($XDG_CONFIG_HOME, else ~/.config): ledger, owner, color, pager (texts) and utc (true or false). An option goes
/// before the environment, that before the file, that before the default; `config show` tells which it was.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show every setting, or one
    Get {
        /// The setting's name
        key: Option<String>,
    },
    /// Show every setting with its origin: the command line's own preferences, then the ledger's policy
    Show,
    /// Set one
    Set {
        /// The setting's name
        key: String,
        /// Its value
        value: String,
    },
    /// Return one to its default
    Unset {
        /// The setting's name
        key: String,
    },
}

fn after_help() -> String {
    let mut text = "\
Examples:
  bgledger config show
  bgledger config set retention 30d
  bgledger config unset retention

Settings:
"
    .to_owned();
    for key in KEYS {
        let default = key.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        text.push_str(&format!("  {}{default}\n      {}\n", key.name, key.help));
    }
    text.trim_end().to_owned()
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let reply = match self.action.unwrap_or(Action::Get { key: None }) {
            Action::Show => return show(context),
            Action::Get { key } => context.reading()?.call(Request { get: key, set: BTreeMap::new() })?,
            Action::Set { key, value } => set(context, key, Some(value))?,
            Action::Unset { key } => set(context, key, None)?,
        };
        if context.out.quiet {
            context.out.names(reply.config.values().filter_map(|setting| setting.value.as_deref()))?;
        } else {
            context.out.result(&reply, [], |out| settings(out, &reply))?;
        }
        Ok(Exit::Done)
    }
}

fn set(context: &Context, key: String, value: Option<String>) -> Result<ConfigReply, Failure> {
    let request = Request { get: Some(key.clone()), set: BTreeMap::from([(key, value)]) };
    Ok(context.recording()?.call(request)?)
}

/// What `config show` tells.
#[derive(Serialize)]
struct Everything {
    preferences: BTreeMap<&'static str, Setting>,
    config: BTreeMap<String, Setting>,
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let mut preferences = context.preferences.settings()?;
    let reply = match context.reading()?.call(Request { get: None, set: BTreeMap::new() }) {
        Err(error) if error.code().class() == ErrorClass::NotFound => {
            context.out.note("There is no ledger yet, so its settings are the defaults.");
            let default = |key: &config::Key| {
                let value = Some(key.default?.to_owned());
                Some((key.name.to_owned(), Setting { value, origin: preferences::DEFAULT }))
            };
            ConfigReply { config: KEYS.iter().filter_map(default).collect() }
        }
        reply => reply?,
    };
    // Unless told otherwise, the ledger says how durable a write is.
    if let (Some(own), Some(policy)) = (preferences.get_mut("durability"), reply.config.get(config::DURABILITY))
        && own.value.is_none()
    {
        own.clone_from(policy);
    }
    let everything = Everything { preferences, config: reply.config };
    context.out.named(&everything, Vec::<String>::new(), |out| {
        let mut table = Table::new(&[("PREFERENCE", Fit::Keep), ("VALUE", Fit::Cut(20)), ("FROM", Fit::Keep)]);
        for (name, setting) in &everything.preferences {
            let value = escape(setting.value.as_deref().unwrap_or("-")).to_string();
            table.row(vec![(*name).to_owned(), value, setting.origin.to_owned()], 2, FAINT);
        }
        let reply = ConfigReply { config: everything.config.clone() };
        format!("{}\n{}", table.render(out), settings(out, &reply))
    })?;
    Ok(Exit::Done)
}

fn settings(out: &Output, reply: &ConfigReply) -> String {
    let mut table = Table::new(&[
        ("SETTING", Fit::Keep),
        ("VALUE", Fit::Cut(10)),
        ("FROM", Fit::Keep),
        ("WHAT IT DOES", Fit::Cut(20)),
    ]);
    let mut told = "";
    for (name, setting) in &reply.config {
        let help = config::key(name).map(|key| key.help).unwrap_or_default();
        // Settings of one kind stand together: what they do is said once.
        let help = if std::mem::replace(&mut told, help) == help { "" } else { help };
        let cells = vec![
            escape(name).to_string(),
            escape(setting.value.as_deref().unwrap_or_default()).to_string(),
            setting.origin.to_owned(),
            help.to_owned(),
        ];
        table.row(cells, 2, FAINT);
    }
    table.render(out)
}
