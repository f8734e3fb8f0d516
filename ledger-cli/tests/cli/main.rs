//! The real program, in real processes, on real files.
#![cfg(unix)]

mod audit;
mod canaries;
#[path = "../../../tests/src/dice.rs"]
#[expect(unreachable_pub, reason = "it is the harness's own, and public there")]
mod dice;
mod flows;
mod hostile;
mod looks;
mod preferences;
mod programs;
mod pty;
mod recording;
mod retention;
mod running;
mod scene;
mod top;
