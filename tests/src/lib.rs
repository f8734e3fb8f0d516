//! The harness: what the tests of several faces share. It sees every face and ships with none.

pub mod bench;
pub mod binary;
pub mod clocked;
pub mod content;
pub mod damage;
pub mod dice;
pub mod disk;
pub mod face;
pub mod fault;
pub mod history;
pub mod holder;
pub mod instructions;
pub mod json;
pub mod model;
pub mod mutants;
pub mod native;
pub mod operations;
pub mod pipe;
pub mod python;
pub mod recorder;
pub mod scratch;
pub mod soak;
pub mod until;
pub mod vector;
pub mod vfs;
pub mod wheel;
