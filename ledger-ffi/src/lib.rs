//! `libbgledger`: the ledger for C, and for every language that can call C.
//!
//! The exported functions turn C's arguments into the core's requests, and replies into handles; no rule is here.
//! `include/bgledger.h` is made from this crate and the core's enums by a test. Its comments are the manual.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![expect(clippy::missing_safety_doc, reason = "what a caller owes is said in the header, in words for C")]

mod argument;
mod blocking;
mod boundary;
pub mod code;
pub mod event;
pub mod flow;
pub mod flow_option;
pub mod flows;
mod handle;
pub mod ledger;
mod list;
pub mod notice;
pub mod option;
#[cfg(debug_assertions)]
mod order;
pub mod read;
pub mod record;
pub mod subscription;
pub mod task;
pub mod wait;
pub mod watch;
