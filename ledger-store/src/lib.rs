//! The storage shell of bgledger: one public call, one transaction.
//!
//! ```no_run
//! use bgledger_core::{Create, List};
//! use bgledger_store::{Ledger, OpenOptions};
//!
//! let ledger = Ledger::open(&Ledger::default_path()?, OpenOptions::default())?;
//! let task = ledger.call(Create { label: "fetch the report".into(), ..Create::default() })?.task;
//! assert!(ledger.call(List { active: true, ..List::default() })?.tasks.contains(&task));
//! # Ok::<(), bgledger_core::Error>(())
//! ```
//!
//! No rule is here: requests are resolved to facts, decided by `bgledger_core`, and written. No SQLite type is part of
//! the public interface.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]

mod audit;
mod backup;
mod batch;
mod caller;
mod cancel;
mod config;
mod connection;
mod continuity;
mod doctor;
mod engine;
mod find;
mod flows;
mod fork;
mod import;
mod ledger;
mod list;
mod location;
mod locks;
mod mark;
mod migrate;
mod notices;
pub mod platform;
mod prune;
mod queue;
mod read;
mod reconcile;
mod record;
mod recover;
mod row;
mod salvage;
mod schema;
mod sqlite;
mod sweep;
mod together;
mod transfer;
mod turnstile;
mod verify;
mod wait;
mod wal;
mod world;
mod write;

pub use ledger::{Ledger, OpenOptions};
