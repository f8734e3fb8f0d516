//! The real program, in real processes, on real files.
#![cfg(unix)]

mod flows;
mod programs;
mod recording;
mod retention;
mod running;
mod scene;
