//! The real program, in real processes, on real files.
#![cfg(unix)]

mod audit;
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
