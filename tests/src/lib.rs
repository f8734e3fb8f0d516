//! The harness: what the tests of several faces share. It sees every face and ships with none.

pub mod bench;
pub mod binary;
pub mod clocked;
pub mod damage;
pub mod dice;
pub mod face;
pub mod fault;
pub mod history;
pub mod holder;
pub mod instructions;
pub mod json;
pub mod model;
pub mod native;
pub mod pipe;
pub mod python;
pub mod scratch;
pub mod until;
pub mod vector;
pub mod wheel;
