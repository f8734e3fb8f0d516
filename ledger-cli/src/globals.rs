//! The options that every verb has.

use crate::value;
use bgledger_core::Span;
use bgledger_core::config::Durability;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

const EVERYWHERE: &str = "Options of every verb";

/// What holds for every verb.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// The ledger's file [default: $BGLEDGER_DB, else bgledger/ledger.db in the state folder]
    #[arg(long, global = true, value_name = "PATH", help_heading = EVERYWHERE)]
    pub(crate) ledger: Option<PathBuf>,
    /// Print JSON: one document, or one object a line where there is a stream
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// Print ids only
    #[arg(long, short, global = true, conflicts_with = "json", help_heading = EVERYWHERE)]
    pub(crate) quiet: bool,
    /// Colour the output; auto: on a terminal, as NO_COLOR and CLICOLOR_FORCE say [default: auto]
    #[arg(long, global = true, value_name = "WHEN", help_heading = EVERYWHERE)]
    pub(crate) color: Option<Color>,
    /// Tell times in UTC, not in the local time zone; JSON always does
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) utc: bool,
    /// Never show what is longer than the terminal in a pager ($BGLEDGER_PAGER, else $PAGER, else less)
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) no_pager: bool,
    /// See and touch the records of this owner alone [default: everybody's; records are `local`]
    #[arg(long, global = true, value_name = "NAME", help_heading = EVERYWHERE)]
    pub(crate) owner: Option<String>,
    /// What a write survives: `full` a power loss, `relaxed` a crash
    /// [default: $BGLEDGER_DURABILITY, else the ledger's own setting]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = value::durability(), help_heading = EVERYWHERE)]
    pub(crate) durability: Option<Durability>,
    /// How long to wait for other writers, such as 30s or 500ms; a bare number is seconds [default: 5s]
    #[arg(long, global = true, value_name = "TIME", value_parser = value::span, help_heading = EVERYWHERE)]
    pub(crate) busy_timeout: Option<Span>,
    /// Use a ledger on a network file system all the same
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) allow_network_fs: bool,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}
