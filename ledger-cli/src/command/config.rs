//! The ledger's policy.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Fit, Table};
use crate::output::tint::FAINT;
use bgledger_core::config::{self, KEYS};
use bgledger_core::{Config as Request, ConfigReply, escape};
use std::collections::BTreeMap;

/// Read or set the ledger's policy
///
/// It is stored in the ledger and holds for every process and language.
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
    let mut text = "Settings:\n".to_owned();
    for key in KEYS {
        let default = key.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        text.push_str(&format!("  {}{default}\n      {}\n", key.name, key.help));
    }
    text.trim_end().to_owned()
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let reply = match self.action.unwrap_or(Action::Get { key: None }) {
            Action::Get { key } => context.reading()?.call(Request { get: key, set: BTreeMap::new() })?,
            Action::Set { key, value } => set(context, key, Some(value))?,
            Action::Unset { key } => set(context, key, None)?,
        };
        if context.out.quiet {
            let values: String = reply
                .config
                .values()
                .filter_map(|setting| setting.value.as_deref())
                .map(|value| format!("{value}\n"))
                .collect();
            context.out.text(&values)?;
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

fn settings(out: &Output, reply: &ConfigReply) -> String {
    let mut table = Table::new(&[
        ("SETTING", Fit::Keep),
        ("VALUE", Fit::Keep),
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
